"""A whole data set that is not in memory: a few of its values, and proof that nothing is missing.

Reads the headers of the top-level elements and of what has no length, and jumps over all other
values: of an image that is its first kilobytes. A deflated data set is inflated to its end, into
one small buffer again and again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection

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
    skip,
    tag_text,
    too_deep,
)
from pacs_cli.errors import MalformedDataset

#: Gives so many bytes from an offset; fewer only where the data set ends.
Read = Callable[[int, int], bytes]

#: A value is given up to here; no VR of text may be longer (PS3.5 table 6.2-1).
LONGEST_VALUE = 1024

#: How much is read where headers go on: in encapsulated pixel data one of them is of use.
_WINDOW = 4096
_LONGEST_HEADER = 12
_SHORTEST_ELEMENT = 8

#: What is inflated in one step, and into what; every association may be at one.
_DEFLATED_STEP = 64 * 1024
_INFLATED_STEP = 256 * 1024


def survey(
    head: Data,
    size: int,
    read: Read,
    encoding: Encoding,
    tags: Collection[int],
    bounds: Bounds = DEFAULT_BOUNDS,
) -> dict[int, bytes]:
    """Return the values of top-level elements, those of `tags` that are there, cut if very long.

    As `pick` in the whole data set, but every element is looked at, to the last.

    head    the first bytes of the data set, best with all elements that are asked for
    size    bytes of the whole
    read    asked for what is not in `head`; of what is deflated with ascending offsets
    raises  TruncatedDataset when the last element does not end where the data set does,
            MalformedDataset when it makes no sense or exceeds `bounds`; what `read` raises
    source  PS3.5 7.1 (elements), 7.5 (sequences), A.4 (encapsulation), A.5 (deflate)
    """
    if not encoding.deflated:
        return _Survey(head, size, read, encoding, bounds).values(tags)
    inflated = _Inflation(head, size, read, bounds.inflate).read
    first = inflated(0, _INFLATED_STEP)
    whole = len(first) if len(first) < _INFLATED_STEP else None
    return _Survey(first, whole, inflated, EXPLICIT_LITTLE, bounds).values(tags)


class _Survey:
    """Where the reading stands: `_data` is a window on the data set and begins at `_base`.

    size  None as long as it is not known, of what is deflated
    """

    def __init__(
        self, head: Data, size: int | None, read: Read, encoding: Encoding, bounds: Bounds
    ) -> None:
        self._data = head
        self._base = 0
        self._end = len(head)
        self._size = size
        self._is_last = self._end == size
        self._read = read
        self._left = bounds.elements
        self._bounds = bounds
        self._encoding = encoding

    def values(self, tags: Collection[int]) -> dict[int, bytes]:
        """Read to the end, window after window."""
        found: dict[int, bytes] = {}
        self._ensure(0)
        self._encoding = encoding_at(self._data, 0, len(self._data), self._encoding)
        offset = self._elements(0, tags, found)
        while offset != self._size and not (self._is_last and offset >= self._end):
            if not self._is_last:
                self._move(offset)
            offset = self._elements(offset, tags, found)
        if self._is_last and offset != self._end:
            raise _ends_early(self._end)
        return found

    def _elements(self, offset: int, tags: Collection[int], found: dict[int, bytes]) -> int:
        """Read the headers in the window; return the offset of what is to be read next."""
        data, base, size = self._data, self._base, len(self._data)
        explicit, little = self._encoding.explicit, self._encoding.little
        unpack, is_last = EXPLICIT_HEADER[little], self._is_last
        fits = size if is_last else size - _LONGEST_HEADER + 1
        at = offset - base
        vr = ""
        while at < fits:
            # the common case in place: a call would cost as much as all the rest
            if explicit and at + 8 <= size:
                group, element, code, length = unpack(data, at)
                tag, start = group << 16 | element, at + 8
                if code not in SHORT_VRS:
                    tag, vr, length, start = header_at(data, at, explicit, little)
            else:
                tag, vr, length, start = header_at(data, at, explicit, little)
            if tag >= ITEM:
                raise not_an_element(tag, base + at)
            if tag in tags:
                end = start + min(length, LONGEST_VALUE)
                if end > size and not is_last:
                    break
                found[tag] = bytes(data[start:end])
            if length == UNDEFINED:
                # two bytes of length cannot say so, and `vr` is of this element
                at = self._skip(vr, base + start) - base
                if self._data is not data:
                    break
            else:
                at = start + length
        return base + at

    def _skip(self, vr: str, offset: int) -> int:
        """Return the offset past the value of undefined length that begins at `offset`."""
        self._ensure(offset)
        inner = encoding_within(vr, self._data, offset - self._base, self._encoding)
        try:
            return self._base + skip(self._data, offset - self._base, inner)
        except TruncatedDataset:
            if self._is_last:
                raise
        return self._skip_far(offset, inner)

    def _skip_far(self, offset: int, encoding: Encoding) -> int:
        """Do what `elements._skip` does, beyond the window."""
        stack = [encoding]
        while stack:
            self._ensure(offset)
            encoding, in_item = stack[-1], len(stack) % 2 == 0
            explicit = in_item and encoding.explicit
            tag, vr, length, start = header_at(
                self._data, offset - self._base, explicit, encoding.little
            )
            start += self._base
            if tag == (ITEM_DELIMITER if in_item else SEQUENCE_DELIMITER):
                stack.pop()
            elif (tag < ITEM) != in_item or tag > ITEM:
                raise MalformedDataset(
                    f"{tag_text(tag)} at byte {offset} has no place there", offset
                )
            elif length != UNDEFINED:
                start += length
            else:
                if len(stack) >= 2 * self._bounds.depth:
                    raise too_deep(self._bounds.depth, offset)
                self._ensure(start)
                at = start - self._base
                if in_item:
                    stack.append(encoding_within(vr, self._data, at, encoding))
                else:
                    size = len(self._data)
                    stack.append(encoding_at(self._data, at, size, encoding, is_item=True))
            offset = start
        return offset

    def _ensure(self, offset: int) -> None:
        """Have a whole header in the window."""
        if offset + _LONGEST_HEADER > self._end and not self._is_last:
            self._move(offset)

    def _move(self, offset: int) -> None:
        """Let the window begin at `offset`; what follows it is read from where it ended."""
        size = self._size
        if size is not None and offset > size:
            raise _ends_early(size)
        # as many elements as the bytes that are left behind can be
        self._left -= 1 + (min(offset, self._end) - self._base) // _SHORTEST_ELEMENT
        if self._left < 0:
            limit = self._bounds.elements
            raise MalformedDataset(f"more than {limit} elements, at byte {offset}", offset)
        tail = bytes(self._data[offset - self._base :]) if offset < self._end else b""
        more = self._read(max(offset, self._end), _WINDOW)
        self._data, self._base = tail + more, offset
        self._end = offset + len(self._data)
        self._is_last = len(more) < _WINDOW


class _Inflation:
    """A deflated data set, read forwards only."""

    def __init__(self, head: Data, size: int, read: Read, limit: int) -> None:
        self._deflated = head
        self._taken = len(head)
        self._size = size
        self._read = read
        self._limit = limit
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self._position = 0

    def read(self, offset: int, count: int) -> bytes:
        """Return inflated bytes; raises TruncatedDataset when it ends before `offset`."""
        while self._position < offset:
            if not self._inflate(min(offset - self._position, _INFLATED_STEP)):
                raise _ends_early(self._position)
        parts = []
        while count and (part := self._inflate(count)):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _inflate(self, count: int) -> bytes:
        """Return the next bytes, at most `count`; none only where the data set ends."""
        stream = self._stream
        while not stream.eof:
            is_fed = bool(self._deflated)
            try:
                part = stream.decompress(self._deflated, count)
            except zlib.error as error:
                raise MalformedDataset(f"the data set is not deflated: {error}") from None
            self._position += len(part)
            if self._position > self._limit:
                raise MalformedDataset(
                    f"the deflated data set becomes longer than {self._limit} bytes", self._limit
                )
            self._deflated = stream.unconsumed_tail
            if not self._deflated and self._taken < self._size:
                self._deflated = self._read(self._taken, _DEFLATED_STEP)
                self._taken += len(self._deflated)
            if part:
                return part
            if not is_fed and not self._deflated:
                raise TruncatedDataset("the deflated data set ends early", self._size)
        return b""


def _ends_early(size: int) -> TruncatedDataset:
    return TruncatedDataset(f"the data set ends early, at byte {size}", size)
