"""The streaming element reader: one pass over the bytes of a data set, values as views.

`walk` gives every element and the nesting; `pick` gives a few top-level values, fast. Neither
looks at pixel data: a value is a slice of the caller's buffer. pydicom's tables are
asked only for the VR of an element that does not carry one (Implicit VR).

Where files deviate from the standard, they are read as pydicom reads them: see `dicom.encoding`.
What ends too early or makes no sense is refused, where pydicom would guess on.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import NamedTuple

from pacs_cli.dicom.dictionary import private_entry, vr_at
from pacs_cli.dicom.encoding import (
    DEFAULT_BOUNDS,
    EXPLICIT_HEADER,
    EXPLICIT_LITTLE,
    ITEM,
    ITEM_DELIMITER,
    SEQUENCE_DELIMITER,
    SHORT_VRS,
    UNDEFINED,
    Bounds,
    Data,
    Encoding,
    TruncatedDataset,
    encoding_at,
    encoding_within,
    header_at,
    not_an_element,
    past_end,
    skip,
    tag_text,
    too_deep,
)
from pacs_cli.errors import MalformedDataset

#: `tag & mask == pattern`: an odd group and an element of at most 00FF, a private creator.
_CREATOR_MASK, _CREATOR_PATTERN = 0x0001FF00, 0x00010000

#: Private creators remembered in one data set; real ones have a handful, and a file of nothing
#: else must not fill the memory. Those beyond it lose only their VR in Implicit VR.
_MAX_CREATORS = 4096

#: How far `pick` inflates, the next when one was not enough: headers are a few KiB, and a private
#: element may hold some hundred. Inflating costs 3 ms per MiB.
_PICK_INFLATE = (64 * 1024, 4 * 1024 * 1024)


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


def walk(
    data: Data, encoding: Encoding, bounds: Bounds = DEFAULT_BOUNDS, salvages: bool = False
) -> Iterator[Event]:
    """Yield the events of a whole data set in the order of its bytes.

    data      without preamble and file meta; views of it are in the events, so keep it. Of a
              deflated data set the views (and offsets) are into the inflated bytes
    salvages  whether to look into sequences and items that end too early, and raise after them
    raises    TruncatedDataset when it ends too early, MalformedDataset when it makes no sense or
              exceeds `bounds`; events before that are good
    source    PS3.5 7.1 (elements), 7.5 (sequences), 6.2.2 (UN), A.4 (encapsulation), A.5 (deflate)
    """
    view = memoryview(data)
    if encoding.deflated:
        view = memoryview(inflate(view, bounds.inflate))
        encoding = EXPLICIT_LITTLE
    return _Walk(view, encoding, bounds, salvages).events()


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
    places = _places(data, encoding, tags, complete)
    return {tag: bytes(data[start:stop]) for tag, (_, _, start, stop) in places.items()}


def pick_elements(data: memoryview, encoding: Encoding, tags: Collection[int]) -> list[Element]:
    """Return the top-level elements of a whole data set that is not deflated, those of `tags` that
    are there, in the order of its bytes. A sequence, or what has no defined length, is of VR SQ.

    raises  as `pick`
    """
    return [
        Element(tag, vr or _public_vr(tag), data[start:stop], offset, 0)
        for tag, (vr, offset, start, stop) in _places(data, encoding, tags, True).items()
    ]


def _places(
    data: Data, encoding: Encoding, tags: Collection[int], complete: bool
) -> dict[int, tuple[str, int, int, int]]:
    """Return the VR as written of each element, and where it, its value and that which follows
    begin.
    """
    found: dict[int, tuple[str, int, int, int]] = {}
    size = len(data)
    last = max(tags)
    stop = min(last, ITEM - 1)
    encoding = encoding_at(data, 0, size, encoding)
    explicit, little = encoding.explicit, encoding.little
    unpack = EXPLICIT_HEADER[little]
    offset, vr, code = 0, "", b""
    while offset < size:
        # the common case in place: a call would cost as much as all the rest
        if explicit and offset + 8 <= size:
            group, element, code, length = unpack(data, offset)
            tag, start = group << 16 | element, offset + 8
            if code not in SHORT_VRS:
                tag, vr, length, start = header_at(data, offset, explicit, little)
        else:
            tag, vr, length, start = header_at(data, offset, explicit, little)
        if tag > stop:
            if tag >= ITEM:
                raise not_an_element(tag, offset)
            return found
        if length == UNDEFINED:
            # two bytes of length cannot say so, and `vr` is of this element
            end = skip(data, start, encoding_within(vr, data, start, encoding))
        else:
            end = start + length
        if tag in tags:
            if end > size:
                offset = end
                break
            written = "SQ" if length == UNDEFINED else SHORT_VRS.get(code, vr)
            found[tag] = (written, offset, start, end)
            if tag == last:
                return found
        offset = end
    if offset != size or not complete:
        raise TruncatedDataset(f"the data set ends early, at byte {size}", size)
    return found


def _pick_deflated(data: Data, tags: Collection[int]) -> dict[int, bytes]:
    for limit in _PICK_INFLATE:
        head, is_whole = inflate_head(data, limit)
        try:
            return pick(head, EXPLICIT_LITTLE, tags, is_whole)
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

    def __init__(
        self, view: memoryview, encoding: Encoding, bounds: Bounds, salvages: bool
    ) -> None:
        self._view = view
        self._salvages = salvages
        self._problem: TruncatedDataset | None = None
        self._offset = 0
        self._left = bounds.elements
        self._bounds = bounds
        first = encoding_at(view, 0, len(view), encoding)
        self._stack = [_Level(len(view), True, first, None)]

    def events(self) -> Iterator[Event]:
        stack = self._stack
        while stack:
            level = stack[-1]
            if level.sequence is None:
                yield from self._elements(level)
            else:
                yield self._item(level, level.sequence)
        if self._problem is not None:
            raise self._problem

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
            if tag >= ITEM:
                break
            if not vr:
                vr = _private_vr(tag, level.creators) if tag & 0x10000 else _public_vr(tag)
            if length == UNDEFINED or vr == "SQ":
                self._offset = start
                yield from self._open(tag, vr, length, offset)
                return
            stop = start + length
            if stop > end:
                raise past_end(tag, offset)
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
                raise past_end(tag, offset)
            # some writers delimit what has a length as well, but only an item is ever delimited
            is_end = not level.defined or (start == level.end and len(self._stack) > 1)
            if tag != ITEM_DELIMITER or not is_end:
                raise not_an_element(tag, offset)
            self._offset = start
        depth = self._depth
        self._stack.pop()
        if self._stack:
            yield ItemEnd(self._offset, depth)

    def _open(self, tag: int, vr: str, length: int, offset: int) -> Iterator[Event]:
        """Begin the element at `offset` of undefined length or VR SQ, the value being next."""
        depth, level, start = self._depth, self._stack[-1], self._offset
        end = self._end_of(tag, offset, start, length)
        if not self._has_items(vr, length):
            yield from self._fragments(tag, vr, offset)
            return
        if depth >= self._bounds.depth:
            raise too_deep(self._bounds.depth, offset)
        encoding = encoding_within(vr, self._view, start, level.encoding)
        self._stack.append(_Level(end, length != UNDEFINED, encoding, tag))
        yield SequenceStart(tag, vr, length, offset, depth)

    def _end_of(self, tag: int, offset: int, start: int, length: int) -> int:
        """Return where a sequence or item may end at the latest, its value beginning at `start`."""
        limit = self._stack[-1].end
        end = limit if length == UNDEFINED else start + length
        if max(start, end) <= limit:
            return end
        problem = past_end(tag, offset)
        if start > limit or not self._salvages:
            raise problem
        self._problem = self._problem or problem
        return limit

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
        return header_at(self._view, self._offset, False, little)[0] == ITEM

    def _item(self, level: _Level, sequence: int) -> Event:
        """Read the header of an item, or end the sequence (PS3.5 7.5.1 and 7.5.2)."""
        offset = self._offset
        if level.defined and offset == level.end:
            self._stack.pop()
            return SequenceEnd(sequence, offset, self._depth)
        tag, _, length, start = header_at(self._view, offset, False, level.encoding.little)
        self._count(offset)
        if start > level.end:
            raise past_end(tag, offset)
        self._offset = start
        if tag == SEQUENCE_DELIMITER and (start == level.end or not level.defined):
            self._stack.pop()
            return SequenceEnd(sequence, start, self._depth)
        if tag != ITEM:
            raise MalformedDataset(f"{tag_text(tag)} at byte {offset} is not an item", offset)
        end = self._end_of(tag, offset, start, length)
        encoding = encoding_at(self._view, start, end, level.encoding, is_item=True)
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
            self._offset = start if kind == SEQUENCE_DELIMITER else start + length
            if self._offset > level.end:
                raise past_end(tag, at)
            if kind == SEQUENCE_DELIMITER:
                yield FragmentsEnd(tag, start, self._depth)
                return
            if kind != ITEM:
                raise MalformedDataset(f"{tag_text(kind)} at byte {at} is not a fragment", at)
            yield Fragment(view[start : self._offset], at)


@lru_cache(maxsize=8192)
def _public_vr(tag: int) -> str:
    """Return pydicom's VR of a public element; UN when it knows none (PS3.6)."""
    return vr_at(tag) or ("UN" if tag & 0xFFFF else "UL")


def _private_vr(tag: int, creators: dict[int, str]) -> str:
    """Return pydicom's VR of a private element, by the creator of its block (PS3.5 7.8.1)."""
    if tag & 0xFF00 == 0:
        return "LO" if tag & 0xF0 else "UN"
    creator = creators.get(tag & 0xFFFF0000 | (tag & 0xFF00) >> 8)
    return (private_entry(tag, creator)[0] or "UN") if creator else "UN"
