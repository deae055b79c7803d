"""A data set as lines for eyes: an element each, as dcmdump's readers know them, in Unicode.

    (0008,0018) UI [1.2.3]                                  # 6, 1 SOPInstanceUID
    (0008,1140) SQ                                          # u/l ReferencedImageSequence
      item [0]                                              # 84
        (0008,1150) UI [1.2.840...] =CTImageStorage         # 26, 1 ReferencedSOPClassUID

Lines are parts with a style; whoever prints them makes them safe and colours them.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pacs_cli.dicom.dictionary import uid_table
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
from pacs_cli.dicom.encoding import EXPLICIT_LITTLE, UNDEFINED, Encoding, tag_text
from pacs_cli.dicom.registry import uid_name
from pacs_cli.dicom.selectors import Selection, Selector
from pacs_cli.dicom.values import (
    BINARY_FORMATS,
    BYTES_VRS,
    SINGLE_TEXT_VRS,
    WORD_SIZES,
    Malformed,
    Scope,
    scoped,
)

#: Style and text; what a style looks like is the printer's matter.
Part = tuple[str, str]
Line = Sequence[Part]

#: Where the remark behind the value begins, if there is room.
_COLUMN = 64

#: Bytes of one number.
_SIZES = {vr: struct.calcsize(f"<{code}") for vr, code in BINARY_FORMATS.items()}

#: Text longer than this is decoded only as far as it is shown.
_WHOLE_TEXT = 64 * 1024


@dataclass(frozen=True, slots=True)
class View:
    """What of a data set is shown.

    depth       sequences deeper than this many are counted only; None for all
    max_length  characters of a value, 0 for all
    only        elements that are shown, with what they are in; none for all
    has_meta    whether the file meta is
    """

    depth: int | None = None
    max_length: int = 64
    only: Sequence[Selector] = ()
    has_meta: bool = True


def dump_lines(document: Document, view: View) -> Iterator[Line]:
    """Yield the lines of a file.

    raises  MalformedDataset after the lines of what could be read
    """
    if view.has_meta and document.meta:
        if not view.only:
            yield [("heading", "# file meta")]
        yield from _Lines(view).of(document.meta_events(), EXPLICIT_LITTLE)
    if not view.only:
        syntax = document.transfer_syntax_uid
        how = uid_name(syntax) if syntax else "no transfer syntax is said"
        yield [("heading", f"# data set, {how}")]
    yield from _Lines(view).of(document.events(), document.encoding)


class _Lines:
    """The lines of one data set as its events pass.

    What is open (sequences and their items, or fragments) has a heading each in `_headings`, None
    when it has been shown. `_whole` is how many were open when something came that is meant with
    all that is in it.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._only = Selection(view.only)
        self._path: list[tuple[int, int | None]] = []
        self._headings: list[Line | None] = []
        self._whole: int | None = None if view.only else 0
        self._counting: _Counting | None = None
        self._fragments = 0

    def of(self, events: Iterator[Event], encoding: Encoding) -> Iterator[Line]:
        """Yield the lines; raises as `events` does."""
        for event, scope in scoped(events, encoding):
            if self._counting is not None:
                if (line := self._counting.add(event)) is not None:
                    self._counting = None
                    yield from self._shown(line)
            elif isinstance(event, Element):
                if self._whole is not None or self._is_meant(event.tag):
                    yield from self._shown(_element_line(event, scope, self._view.max_length))
            elif isinstance(event, SequenceStart | FragmentsStart):
                yield from self._open(event, scope)
            elif isinstance(event, ItemStart):
                yield from self._item(event)
            elif isinstance(event, Fragment):
                yield from self._fragment(event)
            else:
                self._close(event)

    def _is_meant(self, tag: int) -> bool:
        return self._only.has(self._path, tag, None)

    def _shown(self, line: Line) -> Iterator[Line]:
        for position, heading in enumerate(self._headings):
            if heading is not None:
                yield heading
                self._headings[position] = None
        yield line

    def _open(self, event: SequenceStart | FragmentsStart, scope: Scope) -> Iterator[Line]:
        is_meant = self._whole is not None or self._is_meant(event.tag)
        if self._view.depth is not None and event.depth >= self._view.depth:
            self._counting = _Counting(event, scope, is_meant)
            return
        self._path.append((event.tag, -1))
        if is_meant:
            self._whole = len(self._headings) if self._whole is None else self._whole
        yield from self._heading(_opening_line(event, scope), is_meant)
        self._fragments = 0

    def _item(self, event: ItemStart) -> Iterator[Line]:
        tag, before = self._path[-1]
        number = (before or 0) + 1
        self._path[-1] = (tag, number)
        is_meant = self._whole is not None
        if not is_meant and self._only.has(self._path[:-1], tag, number):
            is_meant, self._whole = True, len(self._headings)
        line = line_of(
            4 * event.depth - 2, [("item", f"item [{number}]")], _length(event.length), ""
        )
        yield from self._heading(line, is_meant)

    def _heading(self, line: Line, is_meant: bool) -> Iterator[Line]:
        if is_meant:
            yield from self._shown(line)
            self._headings.append(None)
        else:
            self._headings.append(line)

    def _fragment(self, event: Fragment) -> Iterator[Line]:
        number, self._fragments = self._fragments, self._fragments + 1
        if self._whole is None:
            return
        what = f"fragment [{number - 1}]" if number else "offset table"
        limit = self._view.max_length
        shown = _words(event.value, 1 if number else 4, limit, True)
        parts: list[Part] = [("item", what), ("", " "), ("value", shown)]
        yield line_of(4 * len(self._path) - 2, parts, str(len(event.value)), "")

    def _close(self, event: ItemEnd | SequenceEnd | FragmentsEnd) -> None:
        self._headings.pop()
        if not isinstance(event, ItemEnd):
            self._path.pop()
        if self._view.only and self._whole == len(self._headings):
            self._whole = None


class _Counting:
    """Passes over a sequence or fragments deeper than what is shown, and counts what is in it."""

    def __init__(self, start: SequenceStart | FragmentsStart, scope: Scope, is_meant: bool) -> None:
        self._start = start
        self._name = scope.name_of(start.tag)
        self._is_meant = is_meant
        self._count = self._size = 0

    def add(self, event: Event) -> Line | None:
        """Take the next event; return the line at the end."""
        start = self._start
        if isinstance(event, Fragment):
            if isinstance(start, FragmentsStart):
                self._count += 1
                self._size += len(event.value)
        elif isinstance(event, ItemStart) and event.depth == start.depth + 1:
            self._count += 1
        elif isinstance(event, SequenceEnd | FragmentsEnd) and event.depth == start.depth:
            return self._line()
        return None

    def _line(self) -> Line:
        start, count = self._start, self._count
        if isinstance(start, FragmentsStart):
            # the first is the offset table
            count = max(count - 1, 0)
            what = f"{count} fragment{'s' * (count != 1)}, {self._size} bytes"
            vr, length = _fragments_vr(start), "u/l"
        else:
            vr = "SQ"
            what = f"{count} item{'s' * (count != 1)}"
            length = _length(start.length)
        return line_of(4 * start.depth, head_of(start.tag, vr, what), length, self._name)


def _opening_line(event: SequenceStart | FragmentsStart, scope: Scope) -> Line:
    if isinstance(event, SequenceStart):
        vr, what, length = "SQ", "", _length(event.length)
    else:
        vr, what, length = _fragments_vr(event), "encapsulated", "u/l"
    return line_of(4 * event.depth, head_of(event.tag, vr, what), length, scope.name_of(event.tag))


def _fragments_vr(event: FragmentsStart) -> str:
    # what is encapsulated is OB where it has no VR of its own (PS3.5 A.4)
    return "OB" if " " in event.vr else event.vr


def _element_line(element: Element, scope: Scope, limit: int) -> Line:
    vr = scope.vr_of(element)
    text, count, note = value_text(element.value, vr, scope, limit)
    head = head_of(element.tag, vr, text)
    if note:
        head += [("note", f" {note}")]
    remark = f"{len(element.value)}, {count}"
    return line_of(4 * element.depth, head, remark, scope.name_of(element.tag))


def head_of(tag: int, vr: str, value: str) -> list[Part]:
    """Return the parts of an element up to its value."""
    return [("tag", f"({tag >> 16:04X},{tag & 0xFFFF:04X})"), ("vr", f" {vr} "), ("value", value)]


def line_of(indent: int, parts: list[Part], remark: str, name: str) -> Line:
    """Return a line with a remark and a name at its end, below those of other lines."""
    used = indent
    for _, text in parts:
        used += len(text) if text.isascii() else _width(text)
    end = f"# {remark} " if name else f"# {remark}"
    parts += [("remark", " " * (_COLUMN - used if used < _COLUMN else 1) + end), ("name", name)]
    return [("", " " * indent), *parts] if indent else parts


def _width(text: str) -> int:
    return sum(1 + (unicodedata.east_asian_width(each) in "WF") for each in text)


def _length(length: int) -> str:
    return "u/l" if length == UNDEFINED else str(length)


def value_text(data: memoryview, vr: str, scope: Scope, limit: int) -> tuple[str, int, str]:
    """Return a value as text, the number of values, and what a UID is called.

    limit  characters, 0 for all; what is not shown is not read
    """
    size = len(data)
    if not size:
        return "", 0, ""
    if vr in BYTES_VRS:
        return _bytes_text(data, vr, scope, limit), 1, ""
    if vr in BINARY_FORMATS or vr == "AT":
        return *_numbers_text(data, vr, scope, limit), ""
    is_whole = not limit or size <= _WHOLE_TEXT
    head = bytes(data if is_whole else data[: _WHOLE_TEXT + 8 * limit])
    text = scope.text_of(vr, head)
    count = 1 if vr in SINGLE_TEXT_VRS else text.count("\\") + 1
    if not is_whole and vr not in SINGLE_TEXT_VRS:
        count = bytes(data).count(b"\\") + 1
    note = _uid_note(text) if vr == "UI" else ""
    return f"[{_cut(text, limit)}]", count if text else 0, note


def _uid_note(uid: str) -> str:
    entry = uid_table().get(uid)
    return f"={entry[4] or entry[0]}" if entry else ""


def _cut(text: str, limit: int) -> str:
    return text if not limit or len(text) <= limit else text[:limit] + "..."


def _bytes_text(data: memoryview, vr: str, scope: Scope, limit: int) -> str:
    """Return bytes in hexadecimal, words of their size; UN as text where it is printable."""
    if vr == "UN":
        head = bytes(data[: limit + 1] if limit else data).rstrip(b"\0 ")
        if head and head.isascii() and (text := head.decode("ascii")).isprintable():
            return f"[{_cut(text, limit)}]"
    return _words(data, WORD_SIZES.get(vr, 1), limit, scope.little)


def _words(data: memoryview, size: int, limit: int, little: bool) -> str:
    count = -(-len(data) // size)
    # each word takes two digits a byte and a backslash
    wanted = min(count, limit // (2 * size + 1) + 1) if limit else count
    head = bytes(data[: wanted * size])
    words = [head[at : at + size] for at in range(0, len(head), size)]
    text = "\\".join((word[::-1] if little else word).hex() for word in words)
    return text + "\\..." if wanted < count else text


def _numbers_text(data: memoryview, vr: str, scope: Scope, limit: int) -> tuple[str, int]:
    """Return numbers, or bytes that are none of them in hexadecimal, and how many there are."""
    size = 4 if vr == "AT" else _SIZES[vr]
    if len(data) % size:
        return _words(data, 1, limit, True), 1
    count = len(data) // size
    wanted = min(count, limit // 2 + 1) if limit else count
    try:
        values = scope.values_of(vr, bytes(data[: wanted * size]))
    except Malformed:
        return _words(data, 1, limit, True), 1
    if vr == "AT":
        texts = [tag_text(int(value, 16)) for value in values]
    else:
        texts = [single(value) if vr == "FL" else str(value).removesuffix(".0") for value in values]
    text = "\\".join(texts)
    is_cut = wanted < count or bool(limit and len(text) > limit)
    return (text[:limit] + "..." if is_cut else text), count


def single(number: float) -> str:
    """Return the shortest text of a number that is it again in 32 bits."""
    for digits in (6, 7, 8):
        text = f"{number:.{digits}g}"
        try:
            if struct.pack("<f", float(text)) == struct.pack("<f", number):
                return text
        except OverflowError:
            continue
    return f"{number:.9g}"
