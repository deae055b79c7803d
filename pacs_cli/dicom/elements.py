"""The streaming element reader: one pass over the bytes of a data set, values as views.

`walk` gives every element and the nesting; `pick` gives a few top-level values, fast. Neither
looks at pixel data: a value is a slice of the caller's buffer. pydicom is asked only for the VR of
an element that does not carry one (Implicit VR), and imported only then.

Where files deviate from the standard, they are read as pydicom reads them: see `header_at` and
`_encoding_at`. What ends too early or makes no sense is refused, where pydicom would guess on.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from mmap import mmap
from typing import NamedTuple

from pacs_cli.errors import MalformedDataset

#: What can be read: `walk` wants the whole data set, `pick` is content with its beginning.
Data = bytes | bytearray | memoryview | mmap

#: The length of what ends with a delimiter (PS3.5 7.1).
UNDEFINED = 0xFFFFFFFF

_ITEM = 0xFFFEE000
_ITEM_DELIMITER = 0xFFFEE00D
_SEQUENCE_DELIMITER = 0xFFFEE0DD

_SHORT = "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US"
_LONG = "OB OD OF OL OV OW SQ SV UC UN UR UT UV"

#: Two bytes of length (PS3.5 table 7.1-2), or two reserved ones and four of length (7.1-1).
_SHORT_VRS = {vr.encode(): vr for vr in _SHORT.split()}
_LONG_VRS = {vr.encode(): vr for vr in _LONG.split()}

#: By `little`.
_EXPLICIT = (struct.Struct(">HH2sH").unpack_from, struct.Struct("<HH2sH").unpack_from)
_IMPLICIT = (struct.Struct(">HHL").unpack_from, struct.Struct("<HHL").unpack_from)
_LENGTH = (struct.Struct(">L").unpack_from, struct.Struct("<L").unpack_from)

#: `tag & mask == pattern`: an odd group and an element of at most 00FF, a private creator.
_CREATOR_MASK, _CREATOR_PATTERN = 0x0001FF00, 0x00010000

#: Private creators remembered in one data set; real ones have a handful, and a file of nothing
#: else must not fill the memory. Those beyond it lose only their VR in Implicit VR.
_MAX_CREATORS = 4096

#: How far `pick` inflates, the next when one was not enough: headers are a few KiB, and a private
#: element may hold some hundred. Inflating costs 3 ms per MiB.
_PICK_INFLATE = (64 * 1024, 4 * 1024 * 1024)


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

_EXPLICIT_LITTLE = Encoding(explicit=True, little=True)
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
    return _ENCODINGS.get(transfer_syntax_uid, _EXPLICIT_LITTLE)


class Element(NamedTuple):
    """An element with a value; `value` is a view into what was given to `walk`.

    vr      as written; in Implicit VR the dictionary's, which can be a choice ("US or SS")
    offset  of its tag
    depth   0 at the top, 1 in the items of a sequence there
    """

    tag: int
    vr: str
    value: memoryview
    offset: int
    depth: int


class SequenceStart(NamedTuple):
    """A sequence begins; `vr` is UN where PS3.5 6.2.2 hides one. `depth` is the element's."""

    tag: int
    vr: str
    length: int
    offset: int
    depth: int


class ItemStart(NamedTuple):
    """An item begins; `encoding` is how the elements in it are written, `depth` theirs."""

    length: int
    encoding: Encoding
    offset: int
    depth: int


class ItemEnd(NamedTuple):
    """An item has ended; `offset` is just past it, its delimiter included."""

    offset: int
    depth: int


class SequenceEnd(NamedTuple):
    """A sequence has ended; `offset` is just past it, its delimiter included."""

    tag: int
    offset: int
    depth: int


class FragmentsStart(NamedTuple):
    """Encapsulated pixel data begins (PS3.5 A.4); the first fragment is the offset table."""

    tag: int
    vr: str
    offset: int
    depth: int


class Fragment(NamedTuple):
    """One fragment; `value` is a view, `offset` that of its item tag."""

    value: memoryview
    offset: int


class FragmentsEnd(NamedTuple):
    """Encapsulated pixel data has ended; `offset` is just past its delimiter."""

    tag: int
    offset: int
    depth: int


Event = (
    Element
    | SequenceStart
    | ItemStart
    | ItemEnd
    | SequenceEnd
    | FragmentsStart
    | Fragment
    | FragmentsEnd
)


def header_at(data: Data, offset: int, explicit: bool, little: bool) -> tuple[int, str, int, int]:
    """Return tag, VR ("" when it has none), length and offset of the value of one element.

    Explicit VR files in which an element has no VR exist: what has not two capital letters there
    is read as Implicit VR. A VR that is not known has two bytes of length. Both as pydicom does.

    raises  TruncatedDataset when the header does not fit
    source  PS3.5 7.1.2 and 7.1.3
    """
    try:
        if explicit:
            group, element, code, length = _EXPLICIT[little](data, offset)
            vr = _SHORT_VRS.get(code)
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


def walk(data: Data, encoding: Encoding, bounds: Bounds = DEFAULT_BOUNDS) -> Iterator[Event]:
    """Yield the events of a whole data set in the order of its bytes.

    data    without preamble and file meta; views of it are in the events, so keep it. Of a
            deflated data set the views (and offsets) are into the inflated bytes
    raises  TruncatedDataset when it ends too early, MalformedDataset when it makes no sense or
            exceeds `bounds`; events before that are good
    source  PS3.5 7.1 (elements), 7.5 (sequences), 6.2.2 (UN), A.4 (encapsulation), A.5 (deflate)
    """
    view = memoryview(data)
    if encoding.deflated:
        view = memoryview(inflate(view, bounds.inflate))
        encoding = _EXPLICIT_LITTLE
    return _Walk(view, encoding, bounds).events()


def pick(
    data: Data, encoding: Encoding, tags: Collection[int], complete: bool = True
) -> dict[int, bytes]:
    """Return the values of top-level elements, those of `tags` that are there.

    Reads no further than the largest tag, as elements ascend (PS3.5 7.1), and skips sequences;
    the value of a sequence is its bytes. What a value holds is not checked.

    data      the data set or its first bytes; deflated ones are inflated as far as needed
    tags      at least one; best a set
    complete  False when the data set goes on after `data`; a deflated one itself says where it ends
    raises    TruncatedDataset when it ends (or, incomplete, more of it is needed) before the
              largest tag; MalformedDataset
    """
    if encoding.deflated:
        return _pick_deflated(data, tags)
    found: dict[int, bytes] = {}
    size = len(data)
    last = max(tags)
    stop = min(last, _ITEM - 1)
    encoding = _encoding_at(data, 0, size, encoding)
    explicit, little = encoding.explicit, encoding.little
    unpack = _EXPLICIT[little]
    offset, vr = 0, ""
    while offset < size:
        # the common case in place: a call would cost as much as all the rest
        if explicit and offset + 8 <= size:
            group, element, code, length = unpack(data, offset)
            tag, start = group << 16 | element, offset + 8
            if code not in _SHORT_VRS:
                tag, vr, length, start = header_at(data, offset, explicit, little)
        else:
            tag, vr, length, start = header_at(data, offset, explicit, little)
        if tag > stop:
            if tag >= _ITEM:
                raise _not_an_element(tag, offset)
            return found
        if length == UNDEFINED:
            # two bytes of length cannot say so, and `vr` is of this element
            offset = _skip(data, start, _encoding_within(vr, data, start, encoding))
        else:
            offset = start + length
        if tag in tags:
            if offset > size:
                break
            found[tag] = bytes(data[start:offset])
            if tag == last:
                return found
    if offset != size or not complete:
        raise TruncatedDataset(f"the data set ends early, at byte {size}", size)
    return found


def _pick_deflated(data: Data, tags: Collection[int]) -> dict[int, bytes]:
    for limit in _PICK_INFLATE:
        head, is_whole = inflate_head(data, limit)
        try:
            return pick(head, _EXPLICIT_LITTLE, tags, is_whole)
        except TruncatedDataset:
            if len(head) < limit:
                raise
    raise MalformedDataset(f"the deflated header is longer than {limit} bytes", limit)


def inflate(data: Data, limit: int) -> bytes:
    """Return a whole deflated data set inflated, which is at most `limit` bytes.

    raises  MalformedDataset when it becomes longer or is not deflated, TruncatedDataset
    source  PS3.5 A.5, RFC 1951; a padding byte after it is ignored
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = stream.decompress(data, limit + 1)
    except zlib.error as error:
        raise MalformedDataset(f"the data set is not deflated: {error}") from None
    if len(inflated) > limit:
        raise MalformedDataset(f"the deflated data set becomes longer than {limit} bytes", limit)
    if not stream.eof:
        raise TruncatedDataset("the deflated data set ends early", len(data))
    return inflated


def inflate_head(data: Data, limit: int) -> tuple[bytes, bool]:
    """Return the first bytes, at most `limit`, of a deflated data set, and whether that is all.

    raises  MalformedDataset when it is not deflated
    source  PS3.5 A.5, RFC 1951
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        head = stream.decompress(data, limit)
    except zlib.error as error:
        raise MalformedDataset(f"the data set is not deflated: {error}") from None
    return head, stream.eof


class _Level:
    """A data set (the whole or an item) or the list of items of a sequence, still open."""

    __slots__ = ("creators", "defined", "encoding", "end", "sequence")

    def __init__(self, end: int, defined: bool, encoding: Encoding, sequence: int | None) -> None:
        self.end = end  # of an undefined length: the end of what it is in
        self.defined = defined
        self.encoding = encoding
        self.sequence = sequence  # the tag of a list of items, None for a data set
        self.creators: dict[int, str] = {}


class _Walk:
    """The state of one `walk`: an explicit stack, so no file can exhaust Python's."""

    def __init__(self, view: memoryview, encoding: Encoding, bounds: Bounds) -> None:
        self._view = view
        self._offset = 0
        self._left = bounds.elements
        self._bounds = bounds
        first = _encoding_at(view, 0, len(view), encoding)
        self._stack = [_Level(len(view), True, first, None)]

    def events(self) -> Iterator[Event]:
        stack = self._stack
        while stack:
            level = stack[-1]
            if level.sequence is None:
                yield from self._elements(level)
            else:
                yield self._item(level, level.sequence)

    @property
    def _depth(self) -> int:
        """Of the innermost data set; levels alternate between data sets and sequences."""
        return (len(self._stack) - 1) // 2

    def _elements(self, level: _Level) -> Iterator[Event]:
        """Yield elements up to and with the next start of a sequence or the end of the level."""
        view, offset, end, depth = self._view, self._offset, level.end, self._depth
        explicit, little = level.encoding.explicit, level.encoding.little
        while offset < end:
            tag, vr, length, start = header_at(view, offset, explicit, little)
            self._count(offset)
            if tag >= _ITEM:
                break
            if not vr:
                vr = _private_vr(tag, level.creators) if tag & 0x10000 else _public_vr(tag)
            if length == UNDEFINED or vr == "SQ":
                self._offset = start
                yield from self._open(tag, vr, length, offset)
                return
            stop = start + length
            if stop > end:
                raise _past_end(tag, offset)
            value = view[start:stop]
            if tag & _CREATOR_MASK == _CREATOR_PATTERN and len(level.creators) < _MAX_CREATORS:
                level.creators[tag] = bytes(value[:64]).decode("latin-1").rstrip("\0 ")
            yield Element(tag, vr, value, offset, depth)
            offset = stop
        self._offset = offset
        yield from self._close(level)

    def _count(self, offset: int) -> None:
        self._left -= 1
        if self._left < 0:
            limit = self._bounds.elements
            raise MalformedDataset(f"more than {limit} elements, at byte {offset}", offset)

    def _close(self, level: _Level) -> Iterator[ItemEnd]:
        """End a data set: at its length, or with an item delimiter (PS3.5 7.5.2)."""
        offset = self._offset
        if offset < level.end or not level.defined:
            tag, _, _, start = header_at(self._view, offset, False, level.encoding.little)
            if start > level.end:
                raise _past_end(tag, offset)
            # some writers delimit what has a length as well, but only an item is ever delimited
            is_end = not level.defined or (start == level.end and len(self._stack) > 1)
            if tag != _ITEM_DELIMITER or not is_end:
                raise _not_an_element(tag, offset)
            self._offset = start
        depth = self._depth
        self._stack.pop()
        if self._stack:
            yield ItemEnd(self._offset, depth)

    def _open(self, tag: int, vr: str, length: int, offset: int) -> Iterator[Event]:
        """Begin the element at `offset` of undefined length or VR SQ, the value being next."""
        depth, level, start = self._depth, self._stack[-1], self._offset
        end = level.end if length == UNDEFINED else start + length
        if max(start, end) > level.end:
            raise _past_end(tag, offset)
        if not self._has_items(vr, length):
            yield from self._fragments(tag, vr, offset)
            return
        if depth >= self._bounds.depth:
            raise _too_deep(self._bounds.depth, offset)
        encoding = _encoding_within(vr, self._view, start, level.encoding)
        self._stack.append(_Level(end, length != UNDEFINED, encoding, tag))
        yield SequenceStart(tag, vr, length, offset, depth)

    def _has_items(self, vr: str, length: int) -> bool:
        """Whether a sequence follows, else fragments."""
        if vr == "SQ" or length != UNDEFINED:
            return True
        if vr != "UN":
            return False
        if self._stack[-1].encoding.explicit:
            return True  # PS3.5 6.2.2
        # without a VR and in no dictionary: what begins with an item is a sequence
        little = self._stack[-1].encoding.little
        return header_at(self._view, self._offset, False, little)[0] == _ITEM

    def _item(self, level: _Level, sequence: int) -> Event:
        """Read the header of an item, or end the sequence (PS3.5 7.5.1 and 7.5.2)."""
        offset = self._offset
        if level.defined and offset == level.end:
            self._stack.pop()
            return SequenceEnd(sequence, offset, self._depth)
        tag, _, length, start = header_at(self._view, offset, False, level.encoding.little)
        self._count(offset)
        if start > level.end:
            raise _past_end(tag, offset)
        self._offset = start
        if tag == _SEQUENCE_DELIMITER and (start == level.end or not level.defined):
            self._stack.pop()
            return SequenceEnd(sequence, start, self._depth)
        if tag != _ITEM:
            raise MalformedDataset(f"{_name(tag)} at byte {offset} is not an item", offset)
        end = level.end if length == UNDEFINED else start + length
        if end > level.end:
            raise _past_end(tag, offset)
        encoding = _encoding_at(self._view, start, end, level.encoding, is_item=True)
        self._stack.append(_Level(end, length != UNDEFINED, encoding, None))
        return ItemStart(length, encoding, offset, self._depth)

    def _fragments(self, tag: int, vr: str, offset: int) -> Iterator[Event]:
        """Read encapsulated pixel data to its delimiter (PS3.5 A.4)."""
        view, level = self._view, self._stack[-1]
        yield FragmentsStart(tag, vr, offset, self._depth)
        while True:
            at = self._offset
            kind, _, length, start = header_at(view, at, False, level.encoding.little)
            self._count(at)
            self._offset = start if kind == _SEQUENCE_DELIMITER else start + length
            if self._offset > level.end:
                raise _past_end(tag, at)
            if kind == _SEQUENCE_DELIMITER:
                yield FragmentsEnd(tag, start, self._depth)
                return
            if kind != _ITEM:
                raise MalformedDataset(f"{_name(kind)} at byte {at} is not a fragment", at)
            yield Fragment(view[start : self._offset], at)


def _skip(data: Data, offset: int, encoding: Encoding) -> int:
    """Return the offset past the value of undefined length that begins at `offset`.

    Only what has no length needs a look inside, so only that is on the stack (and counts as
    nested): the encodings of sequences (or fragments) and of items, in turns.
    """
    size, stack = len(data), [encoding]
    while stack:
        encoding, in_item = stack[-1], len(stack) % 2 == 0
        explicit = in_item and encoding.explicit
        tag, vr, length, start = header_at(data, offset, explicit, encoding.little)
        if tag == (_ITEM_DELIMITER if in_item else _SEQUENCE_DELIMITER):
            stack.pop()
        elif (tag < _ITEM) != in_item or tag > _ITEM:
            raise MalformedDataset(f"{_name(tag)} at byte {offset} has no place there", offset)
        elif length != UNDEFINED:
            start += length
        elif not in_item:
            if len(stack) >= 2 * DEFAULT_BOUNDS.depth:
                raise _too_deep(DEFAULT_BOUNDS.depth, offset)
            stack.append(_encoding_at(data, start, size, encoding, is_item=True))
        else:
            stack.append(_encoding_within(vr, data, start, encoding))
        offset = start
    return offset


def _is_vr(code: bytes) -> bool:
    """Whether two bytes could be a VR: capital letters, known or not."""
    return 0x41 <= code[0] <= 0x5A and 0x41 <= code[1] <= 0x5A


def _encoding_at(
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
    if header_at(data, offset, False, expected.little)[0] == _ITEM_DELIMITER:
        return expected  # nothing in it
    return Encoding(explicit, expected.little)


def _encoding_within(vr: str, data: Data, offset: int, outer: Encoding) -> Encoding:
    """Return the encoding of the items from `offset` on, the element being of undefined length.

    A UN is Little Endian by PS3.5 6.2.2, though not always. In Implicit VR nothing had to be
    written as UN, and what is in no dictionary is like all the rest.
    """
    if vr not in ("UN", "") or not outer.explicit:
        return outer
    first = header_at(data, offset, False, True)[0]
    return _EXPLICIT_LITTLE if first in (_ITEM, _SEQUENCE_DELIMITER) else outer


@lru_cache(maxsize=8192)
def _public_vr(tag: int) -> str:
    """Return pydicom's VR of a public element; UN when it knows none (PS3.6)."""
    from pydicom.datadict import dictionary_VR

    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UN" if tag & 0xFFFF else "UL"


def _private_vr(tag: int, creators: dict[int, str]) -> str:
    """Return pydicom's VR of a private element, by the creator of its block (PS3.5 7.8.1)."""
    if tag & 0xFF00 == 0:
        return "LO" if tag & 0xF0 else "UN"
    creator = creators.get(tag & 0xFFFF0000 | (tag & 0xFF00) >> 8)
    return _known_private_vr(tag, creator) if creator else "UN"


@lru_cache(maxsize=8192)
def _known_private_vr(tag: int, creator: str) -> str:
    from pydicom.datadict import private_dictionary_VR

    try:
        return str(private_dictionary_VR(tag, creator))
    except KeyError:
        return "UN"


def _not_an_element(tag: int, offset: int) -> MalformedDataset:
    return MalformedDataset(f"{_name(tag)} at byte {offset} is not an element", offset)


def _too_deep(depth: int, offset: int) -> MalformedDataset:
    return MalformedDataset(f"sequences nested more than {depth} deep at byte {offset}", offset)


def _past_end(tag: int, offset: int) -> TruncatedDataset:
    return TruncatedDataset(f"{_name(tag)} at byte {offset} goes past the end", offset)


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
