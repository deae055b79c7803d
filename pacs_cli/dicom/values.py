"""What the bytes of an element say: text in Unicode, numbers, tags, in the setting it stands in.

Text without escape sequences is decoded here, the rest by pydicom, which knows every character set
and costs 0.1 s to import. Nothing fails: bytes that are no value of their VR are told by
`Malformed`, and text that its character set does not have shows what it can.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pacs_cli.dicom.dataset import CODECS
from pacs_cli.dicom.dictionary import keyword_at, private_entry, vr_at
from pacs_cli.dicom.elements import (
    Element,
    Event,
    Fragment,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    walk,
)
from pacs_cli.dicom.encoding import EXPLICIT_LITTLE, UNDEFINED, Encoding
from pacs_cli.errors import MalformedDataset

#: VRs of one value of bytes.
BYTES_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
#: Bytes in each number of them (PS3.5 6.2), which byte order is about.
WORD_SIZES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8, "AT": 2}
#: VR -> `struct` format of one value (PS3.5 table 6.2-1).
BINARY_FORMATS = dict(
    zip(("US", "SS", "UL", "SL", "UV", "SV", "FL", "FD"), "HhLlQqfd", strict=True)
)
#: Text in the character set (PS3.5 6.1.2.2); a backslash is a character in those of one value.
CHARACTER_SET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
SINGLE_TEXT_VRS = frozenset({"LT", "ST", "UR", "UT"})

#: Character sets without code extensions (PS3.3 C.12.1.1.2) -> Python's names of them. What is not
#: ASCII though nothing was declared is most often Latin 1; as pydicom reads it.
_CODECS = {
    **CODECS,
    **dict.fromkeys(("", "ISO_IR 6"), "latin-1"),
    "ISO_IR 101": "iso8859-2",
    "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4",
    "ISO_IR 126": "iso8859-7",
    "ISO_IR 127": "iso8859-6",
    "ISO_IR 138": "iso8859-8",
    "ISO_IR 144": "iso8859-5",
    "ISO_IR 148": "iso8859-9",
    "ISO_IR 166": "tis-620",
    "GB18030": "gb18030",
    "GBK": "gbk",
}

_CHARACTER_SET = 0x00080005
_PIXEL_REPRESENTATION = 0x00280103
_LUT_DESCRIPTOR = 0x00283002
_LUT_DATA = 0x00283006
_NOTED = frozenset({_PIXEL_REPRESENTATION, _LUT_DESCRIPTOR})

#: `tag & mask == pattern`: an odd group and an element of at most 00FF, a private creator.
_CREATOR_MASK, _CREATOR_PATTERN = 0x0001FF00, 0x00010000
#: As in `dicom.elements`: real data sets have a handful.
_MAX_CREATORS = 4096
#: A UN longer than this could not have had a VR of its own in Explicit VR (PS3.5 6.2.2).
_MAX_SHORT = 0xFFFF
#: How deep sequences written as UN are looked for: each in another takes some of Python's stack.
_MAX_HIDDEN = 16


class Malformed(ValueError):
    """The bytes are no value of their VR."""


class Scope:
    """One data set, the whole or an item, while its elements pass: what decides how they are read.

    little         whether numbers are Little Endian
    explicit       whether elements carry their VR
    is_hidden      whether it is in a sequence written as UN, so that offsets are not the file's
    character_set  the bytes of SpecificCharacterSet, which items inherit (PS3.5 7.5.3)
    """

    __slots__ = (
        *("_creators", "_facts", "_parent"),
        *("character_set", "explicit", "is_hidden", "little"),
    )

    def __init__(self, encoding: Encoding, parent: Scope | None = None) -> None:
        self.little = encoding.little
        self.explicit = encoding.explicit
        self.is_hidden: bool = parent.is_hidden if parent else False
        self.character_set: bytes = parent.character_set if parent else b""
        self._parent = parent
        self._creators: dict[int, str] = {}
        self._facts: dict[int, int] = {}

    def note(self, element: Element) -> None:
        """Take in what an element says about those after it."""
        tag, value = element.tag, element.value
        if tag & _CREATOR_MASK == _CREATOR_PATTERN:
            if len(self._creators) < _MAX_CREATORS:
                self._creators[tag] = bytes(value[:64]).decode("latin-1").strip("\0 ")
        elif tag == _CHARACTER_SET:
            self.character_set = bytes(value[:1024])
        elif tag in _NOTED and len(value) >= 2:
            self._facts[tag] = int.from_bytes(value[:2], "little" if self.little else "big")

    def creator_of(self, tag: int) -> str:
        """Return the private creator of a private element's block, "" when there is none."""
        number = tag & 0xFFFF0000 | (tag & 0xFF00) >> 8
        return self._creators.get(number, "")

    def vr_of(self, element: Element) -> str:
        """Return the VR of an element: where it is a choice, or unknown though a dictionary knows
        it, the one that the data set makes it. Never SQ.

        source  PS3.5 6.2.2, Annex A; PS3.3 C.7.6.3.1, C.11.1.1
        """
        vr = self.known_vr(element) if element.vr == "UN" else element.vr
        if " " not in vr:
            return "UN" if vr == "SQ" else vr
        if vr == "US or SS":
            return "SS" if self._fact(_PIXEL_REPRESENTATION) == 1 else "US"
        if element.tag == _LUT_DATA:
            return "US" if self._facts.get(_LUT_DESCRIPTOR) == 1 else "OW"
        # Implicit VR: pixels, overlays, waveforms and the tables of palettes are OW
        return "OW"

    def known_vr(self, element: Element) -> str:
        """Return the VR that a dictionary has for an element that was written as UN, else UN."""
        tag = element.tag
        if len(element.value) >= _MAX_SHORT:
            return "UN"
        if not tag & 0x10000:
            return vr_at(tag) or "UN"
        if tag & _CREATOR_MASK == _CREATOR_PATTERN and tag & 0xFFFF >= 0x10:
            return "LO"
        creator = self.creator_of(tag)
        return (private_entry(tag, creator)[0] or "UN") if creator else "UN"

    def name_of(self, tag: int) -> str:
        """Return what an element is called: the keyword, the private name in brackets, or what it
        is.
        """
        if not tag & 0x10000:
            return keyword_at(tag) or ("Unknown" if tag & 0xFFFF else "GroupLength")
        if tag & _CREATOR_MASK == _CREATOR_PATTERN:
            return "PrivateCreator" if tag & 0xFFFF else "GroupLength"
        creator = self.creator_of(tag)
        name = private_entry(tag, creator)[1] if creator else ""
        return f"[{name}]" if name else "Private"

    def text_of(self, vr: str, data: bytes) -> str:
        """Return the text of a VR that is written in letters, all its values."""
        if vr not in CHARACTER_SET_VRS:
            return data.decode("latin-1").rstrip("\0 ")
        return _decoded(data, self.character_set).rstrip("\0 ")

    def values_of(self, vr: str, data: bytes) -> list[Any]:
        """Return the values of an element: text, numbers, AT as eight digits; none of an empty
        one.

        raises  Malformed when binary ones do not fill the bytes
        """
        if not data:
            return []
        if (code := BINARY_FORMATS.get(vr)) is not None:
            return self._numbers(code, data)
        if vr == "AT":
            halves = self._numbers("H", data)
            if len(halves) % 2:
                raise Malformed
            pairs = zip(halves[::2], halves[1::2], strict=True)
            return [f"{group:04X}{element:04X}" for group, element in pairs]
        text = self.text_of(vr, data)
        if not text:
            return []
        if vr in SINGLE_TEXT_VRS:
            return [text]
        parts = text.split("\\")
        # spaces before a value are text in those of the character set only (PS3.5 6.2)
        kept = vr in CHARACTER_SET_VRS
        return [part.rstrip("\0 ") if kept else part.strip("\0 ") for part in parts]

    def _numbers(self, code: str, data: bytes) -> list[Any]:
        order = "<" if self.little else ">"
        count, rest = divmod(len(data), struct.calcsize(order + code))
        if rest:
            raise Malformed
        return list(struct.unpack(f"{order}{count}{code}", data))

    def _fact(self, tag: int) -> int | None:
        scope: Scope | None = self
        while scope is not None:
            if tag in scope._facts:
                return scope._facts[tag]
            scope = scope._parent
        return None


def scoped(events: Iterator[Event], encoding: Encoding) -> Iterator[tuple[Event, Scope]]:
    """Yield each event with the data set that it belongs to, as `events` raises.

    encoding  how the outermost is really written

    What is a sequence to the dictionary, and was written as UN, comes as a sequence (PS3.5 6.2.2).
    """
    return _scoped(events, Scope(encoding))


def _scoped(events: Iterator[Event], scope: Scope) -> Iterator[tuple[Event, Scope]]:
    stack = [scope]
    for event in events:
        scope = stack[-1]
        if isinstance(event, Element):
            if event.vr == "UN" and scope.known_vr(event) == "SQ":
                hidden = list(hidden_sequence(event)) if event.depth < _MAX_HIDDEN else []
                if hidden:
                    inner = Scope(EXPLICIT_LITTLE, scope)
                    inner.is_hidden = True
                    yield from _scoped(iter(hidden), inner)
                    continue
            scope.note(event)
        elif isinstance(event, ItemStart):
            scope = Scope(event.encoding, scope)
            stack.append(scope)
        yield event, scope
        if isinstance(event, ItemEnd):
            stack.pop()


def hidden_sequence(element: Element) -> Iterator[Event]:
    """Return the events of a sequence that was written as UN, none when the bytes are none.

    Offsets in it are those within the value, which begins at 12.

    source  PS3.5 6.2.2: it is in Implicit VR Little Endian, though not always
    """
    group, number = element.tag >> 16, element.tag & 0xFFFF
    head = struct.pack("<HH2sHL", group, number, b"UN", 0, UNDEFINED)
    data = b"".join((head, element.value, struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)))
    try:
        events = list(walk(data, EXPLICIT_LITTLE))
    except MalformedDataset:
        return iter(())
    start = events[0]
    if not isinstance(start, SequenceStart) or not isinstance(events[-1], SequenceEnd):
        return iter(())
    events[0] = start._replace(length=len(element.value), offset=element.offset)
    return (_deeper(event, element.depth) for event in events)


def _deeper(event: Event, by: int) -> Event:
    if isinstance(event, Fragment):
        return event
    return event._replace(depth=event.depth + by)


def number_of(text: str, vr: str) -> int | float | None:
    """Return the number of an IS or DS, None when it is none that JSON has."""
    try:
        if vr == "IS" and _WHOLE.fullmatch(text):
            return int(text)
        number = float(text) if _DECIMAL.fullmatch(text) else None
    except ValueError:
        return None
    # 1e999 is a number to the pattern
    return None if number is None or number in (float("inf"), float("-inf")) else number


_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([Ee][+-]?[0-9]+)?")


@lru_cache(maxsize=256)
def _codec(character_set: bytes) -> str | None:
    """Return Python's name of a character set without code extensions, None of all others."""
    return _CODECS.get(character_set.decode("latin-1").strip("\0 "))


@lru_cache(maxsize=256)
def _encodings(character_set: bytes) -> list[str]:
    from pydicom.charset import convert_encodings

    from pacs_cli.dicom.identifier import quietly

    with quietly():
        terms = [term.strip() for term in character_set.decode("latin-1").strip("\0 ").split("\\")]
        return list(convert_encodings(terms if len(terms) > 1 else terms[0]))


def _decoded(data: bytes, character_set: bytes) -> str:
    codec = _codec(character_set)
    if codec is not None and b"\x1b" not in data:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            # pydicom shows what there is of it
            pass
    elif data.isascii() and b"\x1b" not in data and b"~" not in data and b"\\" not in data:
        # in every character set of the standard, but for Japan's yen and overline
        return data.decode("ascii")
    from pydicom.charset import decode_bytes
    from pydicom.valuerep import TEXT_VR_DELIMS

    from pacs_cli.dicom.identifier import quietly

    try:
        with quietly():
            return str(decode_bytes(data, _encodings(character_set), TEXT_VR_DELIMS))
    except Exception:  # noqa: BLE001 pydicom raises whatever hostile names of character sets lead to
        return data.decode("latin-1")
