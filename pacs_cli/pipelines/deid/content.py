"""Where pixels, structured content and documents are dealt with; what cannot be is refused.

Nothing that was asked for is left undone in silence: without the module for it a policy is refused,
or the object withheld.
"""

from __future__ import annotations

from typing import NamedTuple

from pacs_cli.dicom.encoding import Encoding
from pacs_cli.errors import UsageError
from pacs_cli.pipelines.deid.policy import Policy
from pacs_cli.pipelines.deid.subject import ContentCleaner

#: Encapsulated PDF, CDA, STL, OBJ and MTL (PS3.4 B.5).
_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
#: Secondary Capture, and its multi-frame kinds: screenshots and scans of paper.
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

_BURNED_IN_ANNOTATION = 0x00280301

#: Values of the top level that what is done to pixels depends on.
FACT_TAGS = frozenset({_BURNED_IN_ANNOTATION})


class Verdict(NamedTuple):
    """What is done with the pixels of an object: `keep`, `warn` or `quarantine`, and why."""

    action: str
    reason: str = ""


def check(policy: Policy) -> None:
    """Refuse a policy that cannot be carried out; UsageError."""
    refused = {
        "--clean pixels": "pixels" in policy.clean,
        "--clean structured": "structured" in policy.clean,
        "--burned-in clean": policy.burned_in == "clean",
        "--documents replace": policy.documents == "replace",
        "--pixel-rules": bool(policy.pixel_rules),
    }
    for option, is_asked in refused.items():
        if is_asked:
            raise UsageError(f"{option} is not in this version")


def is_document(sop_class_uid: str) -> bool:
    """Whether an object is a document in a wrapping, of which nothing can be told."""
    return sop_class_uid.startswith(_DOCUMENTS)


def judge_pixels(policy: Policy, sop_class_uid: str, facts: dict[int, bytes]) -> Verdict:
    """Return what is to be done about what is written in the pixels of an object."""
    if policy.burned_in == "ignore":
        return Verdict("keep")
    burned_in = facts.get(_BURNED_IN_ANNOTATION, b"").strip(b" \0")
    if burned_in == b"YES":
        return Verdict(policy.burned_in, "BurnedInAnnotation is YES")
    is_capture = sop_class_uid == _SECONDARY_CAPTURE or sop_class_uid.startswith(
        f"{_SECONDARY_CAPTURE}."
    )
    if is_capture and burned_in != b"NO":
        return Verdict(policy.burned_in, "a secondary capture")
    return Verdict("keep")


def content_cleaner(policy: Policy, encoding: Encoding) -> ContentCleaner | None:  # noqa: ARG001
    """Return what cleans structured content, None where the policy does not ask for it."""
    return None
