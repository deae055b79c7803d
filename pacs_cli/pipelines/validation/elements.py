"""One pass over a data set: the rules of elements, values and nesting, level by level.

Each level (the data set, each item) is handed on when it ends, and forgotten then; so a file of
any number of items takes the memory of one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from pacs_cli.dicom.elements import (
    Element,
    Fragment,
    FragmentsEnd,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    walk,
)
from pacs_cli.dicom.encoding import UNDEFINED, Data, Encoding, TruncatedDataset, encoding_at
from pacs_cli.errors import MalformedDataset
from pacs_cli.pipelines.validation.charsets import decode, unknown_terms
from pacs_cli.pipelines.validation.dictionary import VRS, Known, known
from pacs_cli.pipelines.validation.findings import Findings, Place
from pacs_cli.pipelines.validation.levels import MOST_KEPT, Level
from pacs_cli.pipelines.validation.values import Problem, problems_of

_CHARSET, _PIXEL_DATA = 0x00080005, 0x7FE00010

#: VR -> its two letters; what has none is not in it.
_CODES = {vr: vr.encode() for vr in VRS}
_NO_CODE = (-1, -1)

#: Longer values are not kept with what is wrong with them.
_SHORT = 64

#: What of a text is looked at; the longest VR but UC and UT has 10,240 characters.
_LONGEST = 1 << 20


@dataclass(slots=True)
class Fragments:
    """Encapsulated pixel data: where each fragment begins and how long it is.

    table  the value of the basic offset table, the first item
    """

    offset: int
    starts: list[int] = field(default_factory=list)
    values: list[memoryview] = field(default_factory=list)
    table: memoryview | None = None
    is_ended: bool = False


@dataclass(slots=True)
class Content:
    """What a pass has found: the top level as far as it goes, and the pixel data's fragments."""

    top: Level
    is_whole: bool = False
    fragments: Fragments | None = None


class Pass:
    """Walks one data set.

    on_level  is told each item when it ends, and the whole data set last, if it is whole
    """

    def __init__(self, findings: Findings, on_level: Callable[[Level], None]) -> None:
        self._findings = findings
        self._on_level = on_level
        self._charsets: list[tuple[str, ...]] = [()]

    def run(self, data: Data, encoding: Encoding) -> Content:
        """Check every element; nothing is raised for what the bytes say."""
        self._data = memoryview(data)
        self._encoding = encoding
        top = Level((), (), encoding)
        self._levels = [top]
        self._counts: list[int] = []
        self._tags: list[int] = []
        content = Content(top)
        self._content = content
        self._note_encoding(encoding)
        try:
            for event in walk(data, encoding):
                if type(event) is Element:
                    self._element(event)
                else:
                    self._nesting(event)
            content.is_whole = True
        except MalformedDataset as error:
            self._broken(error)
        if content.is_whole:
            self._on_level(top)
        return content

    @property
    def top(self) -> Level:
        """The data set as far as it has been read."""
        return self._levels[0]

    def _note_encoding(self, encoding: Encoding) -> None:
        if encoding.deflated:
            # the views are into what it becomes
            self._is_inflated = True
            return
        self._is_inflated = False
        found = encoding_at(self._data, 0, len(self._data), encoding)
        self._levels[0].explicit = found.explicit
        if found != encoding:
            said, is_ = ("Explicit", "Implicit") if encoding.explicit else ("Implicit", "Explicit")
            message = f"{said} VR is declared, and the data set is {is_} VR"
            self._findings.add("data-encoding", Place(), message)

    def _broken(self, error: MalformedDataset) -> None:
        text = str(error)
        if isinstance(error, TruncatedDataset):
            rule = "data-truncated"
        elif "more than" in text or "becomes longer" in text:
            rule = "data-limit"
        else:
            rule = "data-malformed"
        self._findings.add(rule, self._place(), text)

    def _place(self, *tag: int) -> Place:
        level = self._levels[-1]
        return Place((*level.path, *tag), level.items)

    # -- elements ----------------------------------------------------------------------------

    def _element(self, element: Element) -> None:
        tag, vr, value, offset, _ = element
        level = self._levels[-1]
        about = known(tag, vr)
        size = len(value)
        if tag & 0x10000:
            self._private(level, tag, size)
        if tag <= level.last or about.problems or size & 1:
            self._unusual(level, tag, about, size)
        level.last = tag
        if len(level.elements) < MOST_KEPT:
            level.elements[tag] = value
            level.vrs[tag] = vr
        if level.explicit and not self._is_inflated:
            # the walk gives the dictionary's VR for one that is missing
            # which may be one of several, as US or SS, and then no two letters
            first, second = _CODES.get(vr) or (vr.encode() if len(vr) == 2 else _NO_CODE)
            if self._data[offset + 4] != first or self._data[offset + 5] != second:
                self._findings.add("element-vr-missing", self._place(tag), "no VR")
        if size:
            self._value(tag, vr, value, size)
        else:
            level.empty.append(tag)
        if tag == _CHARSET:
            self._declared(level)

    def _unusual(self, level: Level, tag: int, about: Known, size: int) -> None:
        add, place = self._findings.add, self._place(tag)
        if tag == level.last:
            add("element-duplicate", place, "occurs twice")
        elif tag < level.last:
            add("element-order", place, "stands after a larger tag")
        for rule, message in about.problems:
            if rule != "element-group" or tag >> 16 != 4:
                add(rule, place, message)
        if size & 1:
            add("element-odd-length", place, f"{size} bytes")

    def _private(self, level: Level, tag: int, size: int) -> None:
        group, element = tag & 0xFFFF0000, tag & 0xFFFF
        if 0x10 <= element <= 0xFF:
            if len(level.creators) < MOST_KEPT:
                level.creators.add(tag)
            if not size:
                self._findings.add("private-creator-empty", self._place(tag), "empty creator")
        elif element > 0xFF and group | element >> 8 not in level.creators:
            block = f"({group >> 16:04X},{element >> 8:04X})"
            self._findings.add("private-creator-missing", self._place(tag), f"no creator {block}")

    def _value(self, tag: int, vr: str, value: memoryview, size: int) -> None:
        raw = bytes(value) if size <= _SHORT else bytes(value[:_LONGEST])
        found = _of_short(tag, vr, raw) if size <= _SHORT else _of_value(known(tag, vr), raw, size)
        if found is None:
            found = self._beyond_ascii(known(tag, vr), raw)
        for rule, message in found:
            self._findings.add(rule, self._place(tag), message)

    def _beyond_ascii(self, about: Known, raw: bytes) -> tuple[Problem, ...]:
        """Return what is wrong with text that is not plain ASCII."""
        terms = self._charsets[-1]
        text = decode(raw, terms)
        if text is None:
            if any(terms):
                return (("charset-undecodable", "cannot be decoded"),)
            return (("charset-undeclared", "not in ASCII"),)
        count = 1 + text.count("\\") if about.splits else 1
        return (*_of_count(about, count), *problems_of(about.vr, raw, text))

    def _declared(self, level: Level) -> None:
        terms = level.texts(_CHARSET)
        self._charsets[-1] = terms
        # a value that stands in the wrong element can be anything, so it is not told
        for number in unknown_terms(terms):
            message = f"value {number} is no defined term"
            self._findings.add("charset-unknown", self._place(_CHARSET), message)

    # -- nesting -----------------------------------------------------------------------------

    def _nesting(self, event: object) -> None:
        if isinstance(event, ItemStart):
            self._item(event)
        elif isinstance(event, ItemEnd):
            level = self._levels.pop()
            self._charsets.pop()
            self._on_level(level)
        elif isinstance(event, SequenceStart):
            self._sequence(event)
        elif isinstance(event, SequenceEnd):
            level, tag, count = self._levels[-1], self._tags.pop(), self._counts.pop()
            level.elements[tag] = count
            if not count:
                level.empty.append(tag)
        else:
            self._fragment(event)

    def _sequence(self, event: SequenceStart) -> None:
        level = self._levels[-1]
        about = known(event.tag, event.vr)
        odd = 0 if event.length == UNDEFINED else event.length & 1
        if event.tag & 0x10000:
            self._private(level, event.tag, 1)
        if event.tag <= level.last or about.problems or odd:
            self._unusual(level, event.tag, about, odd)
        level.last = event.tag
        level.keep(event.tag, event.vr, 0)
        self._tags.append(event.tag)
        self._counts.append(0)

    def _item(self, event: ItemStart) -> None:
        self._counts[-1] += 1
        parent, tag = self._levels[-1], self._tags[-1]
        if event.length != UNDEFINED and event.length & 1:
            self._findings.add("element-odd-length", self._place(tag), "an item of odd length")
        path, items = (*parent.path, tag), (*parent.items, self._counts[-1])
        self._levels.append(Level(path, items, event.encoding))
        self._charsets.append(self._charsets[-1])

    def _fragment(self, event: object) -> None:
        level = self._levels[-1]
        if isinstance(event, FragmentsStart):
            about = known(event.tag, event.vr)
            if event.tag <= level.last or about.problems:
                self._unusual(level, event.tag, about, 0)
            level.last = event.tag
            level.keep(event.tag, event.vr, 1)
            self._current = Fragments(event.offset)
            if event.tag == _PIXEL_DATA and not level.path:
                self._content.fragments = self._current
        elif isinstance(event, Fragment):
            if len(event.value) & 1:
                place = self._place(level.last)
                self._findings.add("element-odd-length", place, "a fragment of odd length")
            if self._current.table is None:
                self._current.table = event.value
            else:
                self._current.starts.append(event.offset)
                self._current.values.append(event.value)
        elif isinstance(event, FragmentsEnd):
            self._current.is_ended = True


@lru_cache(maxsize=32768)
def _of_short(tag: int, vr: str, raw: bytes) -> tuple[Problem, ...] | None:
    """Return what `_of_value` does; kept, as the files of a series share most of their values."""
    return _of_value(known(tag, vr), raw, len(raw))


def _of_value(about: Known, raw: bytes, size: int) -> tuple[Problem, ...] | None:
    """Return what is wrong with a value; None for text that needs its character set."""
    if about.size:
        wrong: tuple[Problem, ...] = ()
        if size % about.size:
            wrong = (("value-size", f"{size} bytes are no multiple of {about.size}"),)
        return (*_of_count(about, size // about.size), *wrong)
    if about.is_text and not (raw.isascii() and b"\x1b" not in raw):
        return None
    count = 1 + raw.count(b"\\") if about.splits else 1
    return (*_of_count(about, count), *problems_of(about.vr, raw))


def _of_count(about: Known, count: int) -> tuple[Problem, ...]:
    if not about.least or about.allows(count):
        return ()
    return (("element-vm", f"{count} values; {_range_text(about)}"),)


def _range_text(about: Known) -> str:
    if about.step > 1:
        return f"it has multiples of {about.step}"
    if about.least == about.most:
        return f"it has {about.least}"
    return f"it has {about.least} to {about.most or 'any number'}"
