"""Where pixels, structured content and documents are dealt with; what cannot be is refused.

Nothing that was asked for is left undone in silence: without what it needs a policy is refused, or
the object withheld.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import Encoding
from pacs_cli.errors import InputError
from pacs_cli.pipelines.deid.documents import is_document, replacement, replacing
from pacs_cli.pipelines.deid.pixels import (
    FACT_TAGS,
    DeviceRules,
    PixelDecision,
    PixelFacts,
    decide,
    load_rules,
    regions_in,
)
from pacs_cli.pipelines.deid.policy import Policy
from pacs_cli.pipelines.deid.subject import ContentCleaner, Removed, Subject

if TYPE_CHECKING:
    from pacs_cli.pipelines.deid.blanking import Blanked
    from pacs_cli.pixels.sandbox import Sandbox

__all__ = ("FACT_TAGS", "check", "content_cleaner", "is_document", "judge_pixels")

_REGIONS = 0x00186011
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


def check(policy: Policy) -> None:
    """Refuse a policy that cannot be carried out; UsageError."""
    _rules(policy.pixel_rules)
    if "pixels" in policy.clean or policy.burned_in == "clean" or policy.pixel_rules:
        from pacs_cli.pixels.codecs import require_codecs

        require_codecs()


@cache
def _rules(text: str) -> DeviceRules:
    return load_rules(text)


def replaced_document(sop_class_uid: str, encoding: Encoding) -> dict[int, bytes] | None:
    """Return the elements that put a document that says nothing in the place of another.

    None for a kind of document of which there is none.
    """
    document = replacement(sop_class_uid)
    if document is None:
        return None
    return replacing(document, encoding, sop_class_uid.endswith(".2"))


def judge_pixels(
    policy: Policy, facts: dict[int, bytes], data: bytes | memoryview, encoding: Encoding
) -> PixelDecision:
    """Return what is to be done about what is written in the pixels of an object.

    facts  of `FACT_TAGS`
    data   the whole object, of which more is read where a decision needs it
    """
    rules = _rules(policy.pixel_rules)
    wants_regions = "pixels" in policy.clean or policy.burned_in == "clean"
    tags = rules.tags | (_PIXELS if rules.rules or wants_regions else frozenset())
    if not tags:
        return decide(PixelFacts(facts, (), encoding.little), rules, policy.burned_in, False)
    found = pick(data, encoding, tags | {_REGIONS})
    if not found.keys() & _PIXELS:
        # there is nothing that something could be written in
        return PixelDecision("keep")
    value = found.pop(_REGIONS, None)
    try:
        regions = regions_in(value, encoding) if value and wants_regions else ()
    except InputError as error:
        return PixelDecision("quarantine", str(error))
    values = {**found, **facts}
    seen = PixelFacts(values, regions, encoding.little)
    return decide(seen, rules, policy.burned_in, "pixels" in policy.clean)


def blanked(
    pixel_data: bytes | memoryview,
    encoding: Encoding,
    syntax_uid: str,
    data: bytes | memoryview,
    decision: PixelDecision,
    sandbox: Sandbox,
) -> Blanked:
    """Return pixel data with blank regions; InputError when that cannot be done.

    data     the whole object
    sandbox  where what is compressed is decoded
    """
    from pacs_cli.pipelines.deid.blanking import IMAGE_TAGS, blank

    values = pick(data, encoding, IMAGE_TAGS)
    return blank(pixel_data, encoding, syntax_uid, values, decision, sandbox)


def content_cleaner(policy: Policy) -> ContentCleaner | None:
    """Return what cleans structured content, None where the policy does not ask for it."""
    if "structured" not in policy.clean:
        return None
    from pacs_cli.pipelines.deid.structured import Cleaning, clean_content

    columns = policy.columns

    def clean(
        sequence: bytes,
        encoding: Encoding,
        subject: Subject,
        charset: bytes,
        removed: list[Removed],
    ) -> bytes:
        cleaning = Cleaning(columns, subject.words, subject.days, charset)
        return clean_content(sequence, encoding, cleaning, removed)

    return clean
