"""A data set as queries and their answers have it: text and a few numbers, in order of tags.

It has of pydicom's `Dataset` what the query modules use, so that they take either. pydicom knows
every VR and character set, and costs 0.1 s to import and 0.25 ms for each answer; this is for the
rest, which is nearly all of them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from pacs_cli.dicom.elements import Element as Raw
from pacs_cli.dicom.elements import ItemEnd, ItemStart, SequenceEnd, SequenceStart, walk
from pacs_cli.dicom.encoding import SHORT_VRS, Bounds, Encoding

if TYPE_CHECKING:
    import pydicom.dataset

_CHARACTER_SET = 0x00080005

#: SpecificCharacterSet -> Python's name of it, where no value has an escape sequence.
CODECS = {"": "ascii", "ISO_IR 6": "ascii", "ISO_IR 100": "latin-1", "ISO_IR 192": "utf-8"}

#: Values are ASCII in the first and in the character set in the second; a backslash separates.
_CODES = frozenset({"AE", "AS", "CS", "DA", "DT", "TM", "UI"})
_WORDS = frozenset({"LO", "PN", "SH"})
#: In these a backslash is a character (PS3.5 6.4).
_TEXTS = frozenset({"LT", "ST", "UT"})
_NUMBERS = {
    "IS": re.compile(r"[+-]?[0-9]{1,9}"),
    "DS": re.compile(r"(?=.{1,16}\Z)[+-]?[0-9]+(\.[0-9]+)?"),
}
_PLAIN = _CODES | _WORDS | _TEXTS | _NUMBERS.keys()
#: VR -> `struct` format of one value (PS3.5 table 6.2-1).
_BINARY = dict(zip(("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"), "HhLlQqfd", strict=True))
#: Where pydicom has rules of its own: control characters, escape sequences, spaces at the ends.
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f]|^ | $|\\ | \\")
_ODD_NAME = re.compile("=$|=.*=.*=")


class Element(NamedTuple):
    """One element; `value` is a list when it is of several, or of items."""

    tag: int
    VR: str
    value: Any

    @property
    def VM(self) -> int:  # noqa: N802 pydicom's name
        """The number of its values; one for a sequence."""
        is_list = isinstance(self.value, list) and self.VR != "SQ"
        return len(self.value) if is_list else int(self.value != "")

    @property
    def is_empty(self) -> bool:
        """Whether it has no value."""
        return self.value in ("", [])


class Dataset:
    """Elements by tag."""

    def __init__(self) -> None:
        self._elements: dict[int, Element] = {}

    def __contains__(self, tag: object) -> bool:
        return tag in self._elements

    def __getitem__(self, tag: int) -> Element:
        return self._elements[tag]

    def __delitem__(self, tag: int) -> None:
        del self._elements[tag]

    def __len__(self) -> int:
        return len(self._elements)

    def __iter__(self) -> Iterator[Element]:
        elements = self._elements
        return iter([elements[tag] for tag in sorted(elements)])

    def add(self, element: Element) -> None:
        """Add an element, in place of one of its tag."""
        self._elements[element.tag] = element


#: What the query modules take.
AnyDataset: TypeAlias = "pydicom.dataset.Dataset | Dataset"


class _NotPlain(Exception):
    """Something in here is for pydicom."""


def read_plain(data: bytes, encoding: Encoding, bounds: Bounds) -> Dataset | None:
    """Return what the bytes of an identifier say; None when it takes pydicom to read them.

    raises  MalformedDataset as `walk` does
    """
    dataset = Dataset()
    codec = ""
    stack: list[Any] = [dataset]
    plain = True
    for event in walk(data, encoding, bounds):
        if not plain:
            # on to its end, as what is malformed is to be refused
            continue
        try:
            if isinstance(event, Raw):
                codec = codec if event.tag > _CHARACTER_SET else _codec_of(event)
                element = Element(event.tag, event.vr, _value(event, codec or "ascii"))
                _set(stack[-1], element)
            elif isinstance(event, SequenceStart) and event.vr == "SQ":
                stack.append([])
                _set(stack[-2], Element(event.tag, "SQ", stack[-1]))
            elif isinstance(event, ItemStart):
                stack.append(Dataset())
                stack[-2].append(stack[-1])
            elif isinstance(event, ItemEnd | SequenceEnd):
                stack.pop()
            else:
                plain = False
        except _NotPlain:
            plain = False
    return dataset if plain else None


def _set(dataset: Dataset, element: Element) -> None:
    if element.tag in dataset or not element.tag & 0xFFFF:
        raise _NotPlain
    dataset.add(element)


def _codec_of(raw: Raw) -> str:
    """Return the codec of the text below; an item, or what stands before the label, has no own."""
    name = str(raw.value, "latin-1").rstrip(" ")
    if raw.tag != _CHARACTER_SET or raw.depth or name not in CODECS:
        raise _NotPlain
    return CODECS[name]


def _value(raw: Raw, codec: str) -> Any:
    vr, data = raw.vr, raw.value
    if vr in ("US", "UL") and len(data) == struct.calcsize("<" + _BINARY[vr]):
        return struct.unpack("<" + _BINARY[vr], data)[0]
    if vr not in _PLAIN:
        raise _NotPlain
    try:
        text = str(data, codec if vr in _WORDS or vr in _TEXTS else "ascii")
    except UnicodeDecodeError:
        raise _NotPlain from None
    # the padding of PS3.5 6.2
    text = text[:-1] if text[-1:] == ("\0" if vr == "UI" else " ") else text
    if _ODD.search(text):
        raise _NotPlain
    if vr in _TEXTS:
        return text
    return [_one(each, vr) for each in text.split("\\")] if "\\" in text else _one(text, vr)


def _one(text: str, vr: str) -> Any:
    if not text:
        return text
    number = _NUMBERS.get(vr)
    if number is not None:
        if not number.fullmatch(text):
            raise _NotPlain
        return int(text) if vr == "IS" else float(text)
    if vr == "PN" and _ODD_NAME.search(text):
        raise _NotPlain
    return text


def write_plain(dataset: Dataset, encoding: Encoding, codec: str) -> bytes:
    """Return the bytes of a data set in a Little Endian encoding.

    raises  UnicodeEncodeError when the codec does not have a character
    source  PS3.5 7.1 and 7.5, with defined lengths
    """
    parts = []
    for tag, vr, value in dataset:
        data = _bytes_of(vr, value, encoding, codec)
        number = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        if not encoding.explicit:
            head = struct.pack("<L", len(data))
        elif vr.encode() not in SHORT_VRS:
            head = struct.pack("<2sHL", vr.encode(), 0, len(data))
        else:
            head = struct.pack("<2sH", vr.encode(), len(data))
        parts += [number, head, data]
    return b"".join(parts)


def _bytes_of(vr: str, value: Any, encoding: Encoding, codec: str) -> bytes:
    if vr == "SQ":
        items = [write_plain(item, encoding, codec) for item in value]
        return b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<L", len(each)) + each for each in items)
    values = [] if value == "" else value if isinstance(value, list) else [value]
    if vr == "AT":
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in values)
    if vr in _BINARY:
        return b"".join(struct.pack("<" + _BINARY[vr], number) for number in values)
    data = "\\".join(map(str, values)).encode(codec)
    return data + (b"\0" if vr == "UI" else b" ") * (len(data) % 2)
