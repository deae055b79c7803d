"""Where the values of recent files stood: the next file that is built alike is read at once.

The files of a series differ in their values, hardly ever in their elements. A plan has every
element header of one file, with its place. Where another file of the same size has the same headers
at the same places, it consists of the same elements, and what is wanted of it lies where it lay
before. That is one call of `struct`, where reading header after header takes a step for each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

from pacs_cli.archive.attributes import TAGS
from pacs_cli.dicom.encoding import (
    ITEM,
    UNDEFINED,
    TruncatedDataset,
    encoding_at,
    encoding_of,
    header_at,
)
from pacs_cli.dicom.part10 import Header
from pacs_cli.dicom.survey import LONGEST_VALUE, Read

#: Sizes of files, and plans for one of them: a series has one or two, several are read in turns.
_MAX_SIZES = 256
_MAX_PLANS = 4
#: More elements than these are private data that differs each time.
_MAX_ELEMENTS = 1000
#: After the pixels there is padding (FFFC,FFFC) and little else.
_MAX_TAIL = 4096

_META_CLASS, _SYNTAX, _SOURCE = 0x00020002, 0x00020010, 0x00020016
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
#: As part10: what is none of these it has to refuse.
_UID = re.compile(rb"[0-9][0-9.]{0,63}[\0 ]*")


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan tells of a file: as `probe` and `survey` would."""

    values: dict[int, bytes]
    dataset_offset: int
    transfer_syntax_uid: str
    source_ae_title: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """The headers of a file and where they stand; `same` are values that all such files have."""

    layout: Struct
    headers: tuple[bytes, ...]
    same: tuple[tuple[slice, bytes], ...]
    values: tuple[tuple[int, slice], ...]
    source: slice
    header: Header
    tail: _Tail | None


@dataclass(frozen=True, slots=True)
class _Tail:
    """What comes after the pixels, `size` bytes at `offset`; its headers as those of a plan."""

    offset: int
    size: int
    layout: Struct
    headers: tuple[bytes, ...]


class Plans:
    """The plans of the files read so far. One thread uses it."""

    def __init__(self) -> None:
        # None stands for a file of which no plan could be made
        self._plans: dict[int, list[_Plan | None]] = {}

    def read(self, head: bytes, file_size: int, read: Read) -> Planned | None:
        """Return what a file has, None when no plan fits it.

        head  its first bytes, as many as `learn` is given
        read  gives so many bytes of it from an offset
        """
        for plan in self._plans.get(file_size, ()):
            if plan is not None and _fits(plan, head, read):
                values = {tag: head[where] for tag, where in plan.values}
                if not _UID.fullmatch(values[_SOP_INSTANCE]):
                    return None
                source = head[plan.source].decode("ascii", "replace").strip(" \0")
                header = plan.header
                return Planned(values, header.dataset_offset, header.transfer_syntax_uid, source)
        return None

    def learn(self, head: bytes, header: Header, read: Read) -> None:
        """Make a plan of a file that was read and is whole, when it is the second of its size."""
        plans = self._plans.get(header.file_size)
        if plans is None:
            if len(self._plans) >= _MAX_SIZES:
                self._plans.clear()
            self._plans[header.file_size] = []
        elif len(plans) < _MAX_PLANS:
            plans.append(_plan(head, header, read))


def _fits(plan: _Plan, head: bytes, read: Read) -> bool:
    if plan.layout.unpack_from(head) != plan.headers:
        return False
    if any(head[where] != value for where, value in plan.same):
        return False
    tail = plan.tail
    if tail is None:
        return True
    data = read(tail.offset, tail.size)
    return len(data) == tail.size and tail.layout.unpack_from(data) == tail.headers


def _plan(head: bytes, header: Header, read: Read) -> _Plan | None:
    """Return a plan for files like this one, None when its elements do not tell where it ends."""
    encoding = encoding_of(header.transfer_syntax_uid)
    begin = header.dataset_offset
    if head[128:132] != b"DICM" or encoding.deflated:
        return None
    meta, stop = _elements(head, 132, begin, True, True)
    first = encoding_at(memoryview(head)[begin:], 0, len(head) - begin, encoding)
    dataset, end = _elements(head, begin, header.file_size, first.explicit, first.little)
    tail = None
    after: list[tuple[int, int, int, int]] = []
    if stop != begin or not begin < end <= header.file_size:
        return None
    if end < header.file_size:
        rest = header.file_size - end
        # pixels lie between, of which nothing is to be read
        if end <= len(head) or rest > _MAX_TAIL:
            return None
        data = read(end, rest)
        after, last = _elements(data, 0, rest, first.explicit, first.little)
        if last != rest or len(data) != rest:
            return None
        layout = _layout([(at, start) for _, at, start, _ in after])
        tail = _Tail(end, rest, layout, layout.unpack_from(data))
    if not meta or not dataset or len(meta) + len(dataset) > _MAX_ELEMENTS:
        return None
    known = {tag: slice(start, end) for tag, _, start, end in meta if end <= len(head)}
    places = {
        tag: slice(start, min(end, start + LONGEST_VALUE))
        for tag, _, start, end in dataset
        if tag in TAGS
    }
    tags = [tag for tag, *_ in (*meta, *dataset, *after)]
    # what comes after the pixels is nothing that is wanted
    if any(tag in TAGS for tag, *_ in after) or max(tags) >= ITEM:
        return None
    if len(set(tags)) < len(tags) or not {_SYNTAX, _META_CLASS} <= known.keys():
        return None
    if not {_SOP_CLASS, _SOP_INSTANCE} <= places.keys():
        return None
    if any(each.stop > len(head) for each in places.values()):
        return None
    fixed = (known[_SYNTAX], known[_META_CLASS], places[_SOP_CLASS])
    headers = [(128, 132), *((at, start) for _, at, start, _ in (*meta, *dataset))]
    layout = _layout(headers)
    return _Plan(
        layout,
        layout.unpack_from(head),
        tuple((where, head[where]) for where in fixed),
        tuple(places.items()),
        known.get(_SOURCE, slice(0, 0)),
        header,
        tail,
    )


def _elements(
    data: bytes, offset: int, end: int, explicit: bool, little: bool
) -> tuple[list[tuple[int, int, int, int]], int]:
    """Return tag, offset, and start and end of the value of each element up to `end`.

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
