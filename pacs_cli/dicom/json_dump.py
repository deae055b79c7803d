"""A file in the DICOM JSON model, from its events: what is long becomes a reference into the file.

`json_model` has the same of a data set that is in memory.

source  PS3.18 Annex F
"""

from __future__ import annotations

import base64
import math
import os
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pacs_cli.dicom.document import Document
from pacs_cli.dicom.elements import (
    Element,
    Event,
    Fragment,
    FragmentsEnd,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
)
from pacs_cli.dicom.encoding import EXPLICIT_LITTLE, ITEM, SHORT_VRS, Data, Encoding
from pacs_cli.dicom.identifier import CHARACTER_SET, UTF_8
from pacs_cli.dicom.selectors import Selection, Selector
from pacs_cli.dicom.values import (
    BINARY_FORMATS,
    BYTES_VRS,
    WORD_SIZES,
    Malformed,
    Scope,
    number_of,
    scoped,
)

#: VRs that may be a reference (PS3.18 table F.2.3-1 and F.2.6).
_BULK_VRS = BYTES_VRS | BINARY_FORMATS.keys() | {"DS", "IS", "LT", "ST", "UC", "UT"}
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")

Members = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bulk:
    """When a value is a reference into its file, and into which.

    limit   bytes; longer ones are references, where `uri` is not ""
    uri     of the file
    offset  of the bytes that the events are about
    """

    limit: int
    uri: str
    offset: int

    def reference(self, start: int, length: int) -> Members:
        """Return what stands for a value; `start` is where it begins in those bytes."""
        return {"BulkDataURI": f"{self.uri}?offset={self.offset + start}&length={length}"}


@dataclass
class Model:
    """The members of a file's data set, as far as they have been read, and of its file meta."""

    dataset: Members = field(default_factory=dict)
    meta: Members = field(default_factory=dict)

    @property
    def members(self) -> Members:
        """Both in one object, in order of tags, their text as the file has it."""
        return {**self.meta, **self.dataset}

    @property
    def json(self) -> Members:
        """Both as they are written in JSON, whose text is UTF-8 (F.2.2), and which says so."""
        return _labelled(self.members)


def read_model(
    document: Document,
    model: Model,
    limit: int,
    only: Sequence[Selector] = (),
    has_meta: bool = False,
    last: int | None = None,
) -> None:
    """Read a file into `model`.

    limit     bytes of a value; a longer one is a `BulkDataURI`, `file:` with offset and length. 0
              for none, and of a deflated data set there are none
    only      elements that are wanted, with what they are in; none for all
    last      the largest tag that is wanted; what comes after it is not read
    raises    MalformedDataset when the file is broken; `model` has what stands before that
    """
    if has_meta and document.meta:
        bulk = bulk_of(document, limit, True)
        _read(document.meta_events(), EXPLICIT_LITTLE, model.meta, only, bulk)
    events = document.events() if last is None else _up_to(last, document.events())
    _read(events, document.encoding, model.dataset, only, bulk_of(document, limit, False))


def _labelled(members: Members) -> Members:
    same: Members = {}
    for key, attribute in members.items():
        if key == f"{CHARACTER_SET:08X}":
            same[key] = {"vr": "CS", "Value": [UTF_8]}
        elif attribute["vr"] == "SQ" and "Value" in attribute:
            same[key] = {"vr": "SQ", "Value": [_labelled(item) for item in attribute["Value"]]}
        else:
            same[key] = attribute
    return same


def bulk_of(document: Document, limit: int, is_meta: bool) -> Bulk:
    """Return when values of a file, of its file meta or its data set, are references into it."""
    if not limit or (document.encoding.deflated and not is_meta):
        return Bulk(limit, "", 0)
    # not resolved: a link is what was named
    uri = FilePath(os.path.abspath(document.path)).as_uri()  # noqa: PTH100
    return Bulk(limit, uri, document.meta_offset if is_meta else document.dataset_offset)


def attribute(element: Element, scope: Scope, bulk: Bulk) -> Members:
    """Return one attribute that is no sequence."""
    vr, data = scope.vr_of(element), element.value
    if bulk.uri and len(data) > bulk.limit and vr in _BULK_VRS and not scope.is_hidden:
        # in Explicit VR some have four bytes of length, behind two that are reserved
        is_long = scope.explicit and element.vr.encode() not in SHORT_VRS
        start = element.offset + (12 if is_long else 8)
        return {"vr": vr, **bulk.reference(start, len(data))}
    if vr in BYTES_VRS:
        return {"vr": vr, **_inline(in_little_endian(data, vr, scope.little))}
    try:
        values = scope.values_of(vr, bytes(data))
    except Malformed:
        # binary numbers that do not fill the bytes: these as they are
        return {"vr": "UN", **_inline(data)}
    if vr == "PN":
        shown = [_name(value) for value in values]
    else:
        # an empty value among others is null (F.2.5)
        shown = [_plain(value, vr) for value in values]
    return {"vr": vr, "Value": shown} if shown else {"vr": vr}


def in_little_endian(data: memoryview, vr: str, little: bool) -> Data:
    """Return the words of a VR of bytes in Little Endian, the view itself where they are."""
    code = {2: "H", 4: "I", 8: "Q"}.get(WORD_SIZES.get(vr, 1), "")
    if little or not code or len(data) % WORD_SIZES[vr]:
        return data
    words = array(code, bytes(data))
    words.byteswap()
    return words.tobytes()


def encapsulated(fragments: Sequence[memoryview], start: int, little: bool, bulk: Bulk) -> Members:
    """Return what stands for fragments, the first of which begins at `start`, with their headers
    and without the delimiter.
    """
    size = sum(len(fragment) + 8 for fragment in fragments)
    if bulk.uri and size > bulk.limit:
        return bulk.reference(start, size)
    head = struct.Struct("<HHL" if little else ">HHL")
    parts = [
        part
        for fragment in fragments
        for part in (head.pack(ITEM >> 16, ITEM & 0xFFFF, len(fragment)), fragment)
    ]
    return _inline(b"".join(parts))


def _inline(data: Data) -> Members:
    return {"InlineBinary": base64.b64encode(data).decode("ascii")} if len(data) else {}


def _name(text: str) -> dict[str, str] | None:
    groups = zip(_GROUPS, text.split("="), strict=False)
    return {name: group.rstrip() for name, group in groups if group.rstrip()} or None


def _plain(value: Any, vr: str) -> Any:
    """Return a value as JSON has it; a number that is none of JSON's is text."""
    if vr in ("DS", "IS"):
        number = number_of(value, vr)
        return (float(number) if vr == "DS" else number) if number is not None else value or None
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value != "" else None


def _read(
    events: Iterator[Event],
    encoding: Encoding,
    members: Members,
    only: Sequence[Selector],
    bulk: Bulk,
) -> None:
    reader = _Reader(members, only, bulk)
    for event, scope in scoped(events, encoding):
        reader.take(event, scope)


def _up_to(last: int, events: Iterator[Event]) -> Iterator[Event]:
    """Yield the events of top-level elements up to a tag, as elements ascend (PS3.5 7.1)."""
    for event in events:
        if isinstance(event, _STARTS) and event.depth == 0 and event.tag > last:
            return
        yield event


_STARTS = (Element, SequenceStart, FragmentsStart)


class _Reader:
    """Puts events into members.

    What is open has a place in `_stack`: the members of a data set, or the items of a sequence.
    With selectors, a sequence without anything that is meant is taken out again at its end.
    """

    def __init__(self, members: Members, only: Sequence[Selector], bulk: Bulk) -> None:
        self._stack: list[Any] = [members]
        self._path: list[tuple[int, int | None]] = []
        self._only = Selection(only)
        self._bulk = bulk
        self._whole: int | None = None if only else 0
        self._fragments: list[memoryview] = []
        self._first, self._vr, self._little = 0, "", True

    def take(self, event: Event, scope: Scope) -> None:
        """Take one event."""
        if isinstance(event, Element):
            if event.tag & 0xFFFF and self._is_meant(event.tag):
                self._stack[-1][f"{event.tag:08X}"] = attribute(event, scope, self._bulk)
        elif isinstance(event, SequenceStart):
            self._open(event)
        elif isinstance(event, ItemStart):
            self._item()
        elif isinstance(event, Fragment):
            if not self._fragments:
                self._first = event.offset
            self._fragments.append(event.value)
            self._little = scope.little
        elif isinstance(event, FragmentsStart):
            self._fragments, self._vr = [], "OB" if " " in event.vr else event.vr
        elif isinstance(event, FragmentsEnd):
            self._end_fragments(event)
        else:
            self._close(event)

    def _is_meant(self, tag: int) -> bool:
        return self._whole is not None or self._only.has(self._path, tag, None)

    def _open(self, event: SequenceStart) -> None:
        if self._whole is None and self._is_meant(event.tag):
            self._whole = len(self._stack)
        items: list[Members] = []
        self._stack[-1][f"{event.tag:08X}"] = {"vr": "SQ", "Value": items}
        self._path.append((event.tag, None))
        self._stack.append(items)

    def _item(self) -> None:
        items = self._stack[-1]
        tag, number = self._path[-1][0], len(items)
        self._path[-1] = (tag, number)
        if self._whole is None and self._only.has(self._path[:-1], tag, number):
            self._whole = len(self._stack)
        items.append({})
        self._stack.append(items[-1])

    def _close(self, event: ItemEnd | SequenceEnd) -> None:
        closed = self._stack.pop()
        is_meant = self._whole is not None
        if self._only and self._whole == len(self._stack):
            self._whole = None
        if isinstance(event, ItemEnd):
            return
        self._path.pop()
        key = f"{event.tag:08X}"
        if not is_meant and not any(closed):
            del self._stack[-1][key]
        elif not closed:
            del self._stack[-1][key]["Value"]

    def _end_fragments(self, event: FragmentsEnd) -> None:
        fragments, self._fragments = self._fragments, []
        if not self._is_meant(event.tag):
            return
        value = encapsulated(fragments, self._first, self._little, self._bulk)
        self._stack[-1][f"{event.tag:08X}"] = {"vr": self._vr, **value}
