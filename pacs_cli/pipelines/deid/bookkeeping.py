"""What a de-identified object says about it: PS3.15 E.1.1, PS3.3 C.7.1.1 and C.12.1.1."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from pacs_cli import __version__
from pacs_cli.dicom.encoding import Encoding
from pacs_cli.pipelines.deid.changing import element
from pacs_cli.pipelines.deid.policy import METHOD_CODES, Policy
from pacs_cli.pipelines.deid.profile import EDITION, METHODS
from pacs_cli.pipelines.deid.values import padded

PATIENT_IDENTITY_REMOVED = 0x00120062
DEIDENTIFICATION_METHOD = 0x00120063
METHOD_CODE_SEQUENCE = 0x00120064
TEMPORAL_INFORMATION_MODIFIED = 0x00280303

#: Every tag that is ours to write: what was there goes.
OURS = (
    PATIENT_IDENTITY_REMOVED,
    DEIDENTIFICATION_METHOD,
    METHOD_CODE_SEQUENCE,
    TEMPORAL_INFORMATION_MODIFIED,
)


def method(policy: Policy) -> str:
    """Return DeidentificationMethod (0012,0063): the table's edition and the policy's digest."""
    first = f"PS3.15 Annex E {EDITION}, {policy.profile}"
    return f"{first}\\pacs {__version__}, policy {policy.digest}"


def additions(
    policy: Policy, others: Mapping[int, bytes] | None = None
) -> Callable[[Encoding], Sequence[tuple[int, bytes]]]:
    """Return what writes the elements that every object of a policy gets.

    others  tag -> element, as written in the object's encoding, that one object gets as well
    """
    made: dict[Encoding, list[tuple[int, bytes]]] = {}

    def written(encoding: Encoding) -> Sequence[tuple[int, bytes]]:
        if encoding not in made:
            elements = {**_elements(policy, encoding), **(others or {})}
            made[encoding] = sorted(elements.items())
        return made[encoding]

    return written


def _elements(policy: Policy, encoding: Encoding) -> dict[int, bytes]:
    def text(tag: int, vr: str, value: str) -> bytes:
        return element(encoding, tag, vr, padded(value.encode("ascii"), vr))

    items = b"".join(
        _item(
            encoding,
            text(0x00080100, "SH", code)
            + text(0x00080102, "SH", "DCM")
            + text(0x00080104, "LO", METHODS[code]),
        )
        for code in (METHOD_CODES[name] for name in policy.options)
    )
    return {
        PATIENT_IDENTITY_REMOVED: text(PATIENT_IDENTITY_REMOVED, "CS", "YES"),
        DEIDENTIFICATION_METHOD: text(DEIDENTIFICATION_METHOD, "LO", method(policy)),
        METHOD_CODE_SEQUENCE: element(encoding, METHOD_CODE_SEQUENCE, "SQ", items),
        TEMPORAL_INFORMATION_MODIFIED: text(TEMPORAL_INFORMATION_MODIFIED, "CS", policy.temporal),
    }


def _item(encoding: Encoding, elements: bytes) -> bytes:
    order = "<" if encoding.little else ">"
    return struct.pack(order + "HHL", 0xFFFE, 0xE000, len(elements)) + elements
