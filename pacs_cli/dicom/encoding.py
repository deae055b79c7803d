"""How elements are written: the encodings, headers, and what is really there (PS3.5 7.1, Annex A).

Where files deviate from the standard, they are read as pydicom reads them: see `header_at` and
`encoding_at`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from mmap import mmap

from pacs_cli.errors import MalformedDataset

#: What can be read: `walk` wants the whole data set, `pick` is content with its beginning.
Data = bytes | bytearray | memoryview | mmap

#: The length of what ends with a delimiter (PS3.5 7.1).
UNDEFINED = 0xFFFFFFFF

ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
SEQUENCE_DELIMITER = 0xFFFEE0DD

_SHORT = "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US"
_LONG = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"

#: Two bytes of length (PS3.5 table 7.1-2), or two reserved ones and four of length (7.1-1).
SHORT_VRS = {vr.encode(): vr for vr in _SHORT.split()}
_LONG_VRS = {vr.encode(): vr for vr in _LONG.split()}

#: By `little`.
EXPLICIT_HEADER = (struct.Struct(">HH2sH").unpack_from, struct.Struct("<HH2sH").unpack_from)
_IMPLICIT = (struct.Struct(">HHL").unpack_from, struct.Struct("<HHL").unpack_from)
_LENGTH = (struct.Struct(">L").unpack_from, struct.Struct("<L").unpack_from)


class TruncatedDataset(MalformedDataset):
    """The bytes end before the data set does."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the elements of a data set are written (PS3.5 Annex A)."""

    explicit: bool
    little: bool
    deflated: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one data set may cost.

    depth     sequences in sequences; the deepest in practice are structured reports, below 20.
              DCMTK and pydicom have no limit and fall over when the stack does
    elements  with items, fragments and delimiters; 20,000 frames of functional groups have some
              2 million, and at about a microsecond each this ends a hostile file in seconds
    inflate   bytes a deflated data set may become; deflate packs up to 1,032 to 1, so 500 KB could
              fill a machine. Real ones are reports and segmentations, up to some hundred MB
    """

    depth: int = 64
    elements: int = 4_000_000
    inflate: int = 512 * 1024 * 1024


DEFAULT_BOUNDS = Bounds()

EXPLICIT_LITTLE = Encoding(explicit=True, little=True)
_IMPLICIT_LITTLE = Encoding(explicit=False, little=True)
_DEFLATED = Encoding(explicit=True, little=True, deflated=True)
_ENCODINGS = {
    "1.2.840.10008.1.2": _IMPLICIT_LITTLE,
    "1.2.840.10008.1.20": _IMPLICIT_LITTLE,  # Papyrus 3
    "1.2.840.113619.5.2": _IMPLICIT_LITTLE,  # GE, big endian in the pixels only
    "1.2.840.10008.1.2.2": Encoding(explicit=True, little=False),
    "1.2.840.10008.1.2.1.99": _DEFLATED,
    "1.2.840.10008.1.2.4.95": _DEFLATED,  # JPIP Referenced Deflate
    "1.2.840.10008.1.2.4.205": _DEFLATED,  # JPIP HTJ2K Referenced Deflate
}


def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """Return how a transfer syntax writes elements: Explicit VR Little Endian unless known.

    source  PS3.5 A.1 to A.6; A.4 makes every encapsulated syntax Explicit VR Little Endian
    """
    return _ENCODINGS.get(transfer_syntax_uid, EXPLICIT_LITTLE)


def header_at(data: Data, offset: int, explicit: bool, little: bool) -> tuple[int, str, int, int]:
    """Return tag, VR ("" when it has none), length and offset of the value of one element.

    Explicit VR files in which an element has no VR exist: what has not two capital letters there
    is read as Implicit VR. A VR that is not known has two bytes of length. Both as pydicom does.

    raises  TruncatedDataset when the header does not fit
    source  PS3.5 7.1.2 and 7.1.3
    """
    try:
        if explicit:
            group, element, code, length = EXPLICIT_HEADER[little](data, offset)
            vr = SHORT_VRS.get(code)
            if vr is not None:
                return group << 16 | element, vr, length, offset + 8
            vr = _LONG_VRS.get(code)
            if vr is not None:
                return group << 16 | element, vr, _LENGTH[little](data, offset + 8)[0], offset + 12
            if _is_vr(code):
                return group << 16 | element, code.decode("ascii"), length, offset + 8
        group, element, length = _IMPLICIT[little](data, offset)
    except struct.error:
        raise TruncatedDataset(
            f"the data set ends inside an element at byte {offset}", offset
        ) from None
    return group << 16 | element, "", length, offset + 8


def skip(data: Data, offset: int, encoding: Encoding) -> int:
    """Return the offset past the value of undefined length that begins at `offset`.

    Only what has no length needs a look inside, so only that is on the stack (and counts as
    nested): the encodings of sequences (or fragments) and of items, in turns.
    """
    size, stack = len(data), [encoding]
    while stack:
        encoding, in_item = stack[-1], len(stack) % 2 == 0
        explicit = in_item and encoding.explicit
        tag, vr, length, start = header_at(data, offset, explicit, encoding.little)
        if tag == (ITEM_DELIMITER if in_item else SEQUENCE_DELIMITER):
            stack.pop()
        elif (tag < ITEM) != in_item or tag > ITEM:
            raise out_of_place(tag, offset)
        elif length != UNDEFINED:
            start += length
        elif not in_item:
            if len(stack) >= 2 * DEFAULT_BOUNDS.depth:
                raise too_deep(DEFAULT_BOUNDS.depth, offset)
            stack.append(encoding_at(data, start, size, encoding, is_item=True))
        else:
            stack.append(encoding_within(vr, data, start, encoding))
        offset = start
    return offset


def _is_vr(code: bytes) -> bool:
    """Whether two bytes could be a VR: capital letters, known or not."""
    return 0x41 <= code[0] <= 0x5A and 0x41 <= code[1] <= 0x5A


def encoding_at(
    data: Data, offset: int, end: int, expected: Encoding, is_item: bool = False
) -> Encoding:
    """Return how the data set at `offset` is really written, going by its first element.

    Files exist with the other kind of VR than their transfer syntax says, and items in Implicit VR
    in Explicit VR files; a length that looks like a VR would be over 16 KiB. As pydicom does.
    """
    if end - offset < 8 or (is_item and not expected.explicit):
        return expected
    explicit = _is_vr(bytes(data[offset + 4 : offset + 6]))
    if explicit == expected.explicit:
        return expected
    if header_at(data, offset, False, expected.little)[0] == ITEM_DELIMITER:
        return expected  # nothing in it
    return Encoding(explicit, expected.little)


def encoding_within(vr: str, data: Data, offset: int, outer: Encoding) -> Encoding:
    """Return the encoding of the items from `offset` on, the element being of undefined length.

    A UN is Little Endian by PS3.5 6.2.2, though not always. In Implicit VR nothing had to be
    written as UN, and what is in no dictionary is like all the rest.
    """
    if vr not in ("UN", "") or not outer.explicit:
        return outer
    first = header_at(data, offset, False, True)[0]
    return EXPLICIT_LITTLE if first in (ITEM, SEQUENCE_DELIMITER) else outer


def not_an_element(tag: int, offset: int) -> MalformedDataset:
    """Return what to raise for a tag that cannot begin an element there."""
    return MalformedDataset(f"{tag_text(tag)} at byte {offset} is not an element", offset)


def out_of_place(tag: int, offset: int) -> MalformedDataset:
    """Return what to raise for an item, delimiter or element where another of them belongs."""
    return MalformedDataset(f"{tag_text(tag)} at byte {offset} has no place there", offset)


def too_deep(depth: int, offset: int) -> MalformedDataset:
    """Return what to raise beyond the bound of nesting."""
    return MalformedDataset(f"sequences nested more than {depth} deep at byte {offset}", offset)


def past_end(tag: int, offset: int) -> TruncatedDataset:
    """Return what to raise for what goes past the end of its item or data set."""
    return TruncatedDataset(f"{tag_text(tag)} at byte {offset} goes past the end", offset)


def tag_text(tag: int) -> str:
    """Return a tag as the standard writes it, `(gggg,eeee)`."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
