"""Where the values of recent objects stood: the next one that is built alike is read at once.

The objects of a series differ in their values, hardly ever in their elements. A plan has every
element header of one of them, with its place. Where another one of the same size has the same
headers at the same places, it consists of the same elements, and what is wanted of it lies where it
lay before. That is one call of `struct`, where reading header after header takes a step for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from struct import Struct
from typing import Generic, TypeVar

from pacs_cli.archive.attributes import TAGS
from pacs_cli.dicom.encoding import (
    ITEM,
    UNDEFINED,
    Data,
    Encoding,
    TruncatedDataset,
    encoding_at,
    encoding_of,
    header_at,
)
from pacs_cli.dicom.part10 import Header
from pacs_cli.dicom.survey import LONGEST_VALUE, Read

#: Sizes of objects, and plans for one of them: a series has one or two, several come in turns. All
#: of them together hold less than 30 MB, whatever is read.
_MAX_SIZES = 128
_MAX_PLANS = 4
#: More elements than these are private data that differs each time.
_MAX_ELEMENTS = 1000
#: After the pixels there is padding (FFFC,FFFC) and little else.
_MAX_TAIL = 4096

_META_CLASS, _SYNTAX, _SOURCE = 0x00020002, 0x00020010, 0x00020016
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
#: As part10: what is none of these it has to refuse.
_UID = re.compile(rb"[0-9][0-9.]{0,63}[\0 ]*")


_Key = TypeVar("_Key")
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan tells of a file: as `probe` and `survey` would."""

    values: dict[int, bytes]
    dataset_offset: int
    transfer_syntax_uid: str
    source_ae_title: str


@dataclass(frozen=True, slots=True)
class _Tail:
    """What comes after the pixels, `size` bytes at `offset`; its headers as those of a plan."""

    offset: int
    size: int
    layout: Struct
    headers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The headers of an object and where they stand; `same` are values that all such have."""

    layout: Struct
    headers: tuple[bytes, ...]
    same: tuple[tuple[slice, bytes], ...]
    values: tuple[tuple[int, slice], ...]
    tail: _Tail | None

    def fits(self, head: Data, read: Read) -> bool:
        """Whether an object of the size of the first one is built like it."""
        if self.layout.unpack_from(head) != self.headers:
            return False
        if any(head[where] != value for where, value in self.same):
            return False
        tail = self.tail
        if tail is None:
            return True
        data = read(tail.offset, tail.size)
        return len(data) == tail.size and tail.layout.unpack_from(data) == tail.headers

    def values_of(self, head: Data) -> dict[int, bytes]:
        """Return what is wanted of an object that it fits."""
        return {tag: bytes(head[where]) for tag, where in self.values}


@dataclass(frozen=True, slots=True)
class _FilePlan:
    """That of a file: with its meta, of which `source` is where the sender stands."""

    plan: _Plan
    source: slice
    header: Header


class _Learned(Generic[_Key, _Made]):
    """Plans by what an object has to have in common with the first one.

    Made of the second such object; any thread may ask, and what two learn at once is learnt twice.
    """

    def __init__(self) -> None:
        # None stands for an object of which no plan could be made
        self._plans: dict[_Key, list[_Made | None]] = {}

    def of(self, key: _Key) -> Iterator[_Made]:
        """Give the plans that may fit."""
        return (plan for plan in tuple(self._plans.get(key, ())) if plan is not None)

    def learn(self, key: _Key, make: Callable[[], _Made | None]) -> None:
        """Keep a plan, when it is the second of its kind and there is room."""
        plans = self._plans.get(key)
        if plans is None:
            if len(self._plans) >= _MAX_SIZES:
                self._plans.clear()
            self._plans[key] = []
        elif len(plans) < _MAX_PLANS:
            plans.append(make())


class DataSetPlans:
    """The plans of the data sets that arrived so far. Any thread may use it."""

    def __init__(self) -> None:
        self._learned = _Learned[tuple[int, str], _Plan]()

    def read(
        self, head: Data, size: int, read: Read, transfer_syntax_uid: str
    ) -> dict[int, bytes] | None:
        """Return what `survey` would, None when no plan fits.

        head  its first bytes, as many as `learn` is given
        size  bytes of the whole
        read  gives so many bytes of it from an offset
        """
        for plan in self._learned.of((size, transfer_syntax_uid)):
            if plan.fits(head, read):
                return plan.values_of(head)
        return None

    def learn(self, head: Data, size: int, read: Read, transfer_syntax_uid: str) -> None:
        """Make a plan of a data set that was read and is whole, when it is the second like it."""
        self._learned.learn(
            (size, transfer_syntax_uid),
            lambda: _plan(bytes(head), 0, size, encoding_of(transfer_syntax_uid), [], read),
        )


class Plans:
    """The plans of the files read so far."""

    def __init__(self) -> None:
        self._learned = _Learned[int, _FilePlan]()

    def read(self, head: bytes, file_size: int, read: Read) -> Planned | None:
        """Return what a file has, None when no plan fits it.

        head  its first bytes, as many as `learn` is given
        read  gives so many bytes of it from an offset
        """
        for known in self._learned.of(file_size):
            if known.plan.fits(head, read):
                values = known.plan.values_of(head)
                if not _UID.fullmatch(values[_SOP_INSTANCE]):
                    return None
                source = head[known.source].decode("ascii", "replace").strip(" \0")
                header = known.header
                return Planned(values, header.dataset_offset, header.transfer_syntax_uid, source)
        return None

    def learn(self, head: bytes, header: Header, read: Read) -> None:
        """Make a plan of a file that was read and is whole, when it is the second of its size."""
        self._learned.learn(header.file_size, lambda: _file_plan(head, header, read))


def _file_plan(head: bytes, header: Header, read: Read) -> _FilePlan | None:
    """Return a plan for files like this one, None when its elements do not tell where it ends."""
    begin = header.dataset_offset
    if head[128:132] != b"DICM":
        return None
    meta, stop = _elements(head, 132, begin, True, True)
    if stop != begin:
        return None
    known = {tag: slice(start, end) for tag, _, start, end in meta if end <= len(head)}
    if not {_SYNTAX, _META_CLASS} <= known.keys():
        return None
    encoding = encoding_of(header.transfer_syntax_uid)
    plan = _plan(head, begin, header.file_size, encoding, meta, read)
    if plan is None:
        return None
    fixed = (slice(128, 132), known[_SYNTAX], known[_META_CLASS], dict(plan.values)[_SOP_CLASS])
    plan = replace(plan, same=tuple((where, head[where]) for where in fixed))
    return _FilePlan(plan, known.get(_SOURCE, slice(0, 0)), header)


#: Tag, offset, and start and end of the value of an element.
_Place = tuple[int, int, int, int]


def _plan(
    head: bytes, begin: int, size: int, encoding: Encoding, meta: Sequence[_Place], read: Read
) -> _Plan | None:
    """Return a plan for objects like this one, None when its elements do not tell where it ends.

    begin  where its data set does
    size   where it ends
    meta   what is before the data set
    """
    if encoding.deflated:
        return None
    first = encoding_at(memoryview(head)[begin:], 0, len(head) - begin, encoding)
    dataset, end = _elements(head, begin, size, first.explicit, first.little)
    tail = None
    after: list[_Place] = []
    if not begin < end <= size:
        return None
    if end < size:
        rest = size - end
        # pixels lie between, of which nothing is to be read
        if end <= len(head) or rest > _MAX_TAIL:
            return None
        data = read(end, rest)
        after, last = _elements(data, 0, rest, first.explicit, first.little)
        if last != rest or len(data) != rest:
            return None
        layout = _layout([(at, start) for _, at, start, _ in after])
        tail = _Tail(end, rest, layout, layout.unpack_from(data))
    if not dataset or len(meta) + len(dataset) > _MAX_ELEMENTS:
        return None
    places = {
        tag: slice(start, min(end, start + LONGEST_VALUE))
        for tag, _, start, end in dataset
        if tag in TAGS
    }
    tags = [tag for tag, *_ in (*meta, *dataset, *after)]
    # what comes after the pixels is nothing that is wanted
    if any(tag in TAGS for tag, *_ in after) or max(tags) >= ITEM:
        return None
    if len(set(tags)) < len(tags) or not {_SOP_CLASS, _SOP_INSTANCE} <= places.keys():
        return None
    if any(each.stop > len(head) for each in places.values()):
        return None
    layout = _layout([(at, start) for _, at, start, _ in (*meta, *dataset)])
    return _Plan(layout, layout.unpack_from(head), (), tuple(places.items()), tail)


def _elements(
    data: bytes, offset: int, end: int, explicit: bool, little: bool
) -> tuple[list[_Place], int]:
    """Return each element up to `end`.

    Also where they end: before it when one has no length or its header is not in `data`.
    """
    found = []
    while offset < end and offset + 8 <= len(data):
        try:
            tag, _, length, start = header_at(data, offset, explicit, little)
        except TruncatedDataset:
            break
        if length == UNDEFINED:
            break
        found.append((tag, offset, start, start + length))
        offset = start + length
    return found, offset


def _layout(headers: Sequence[tuple[int, int]]) -> Struct:
    """Return what takes the headers out of the bytes between."""
    parts, last = [], 0
    for start, end in headers:
        parts.append(f"{start - last}x{end - start}s")
        last = end
    return Struct("".join(parts))
