"""Changes to the top level of a data set, made on its bytes: what is not changed stays as it is.

`--set` gives an element a value, `--uid-suffix` makes other objects of the same images. References
to UIDs inside sequences are not changed: whether what they refer to is renamed as well, a data set
cannot know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pacs_cli.dicom.elements import FragmentsEnd, SequenceEnd, inflate, walk
from pacs_cli.dicom.encoding import DEFAULT_BOUNDS, UNDEFINED, Encoding, TruncatedDataset, header_at
from pacs_cli.errors import InputError, MalformedDataset, UsageError, nearest

_CHARACTER_SET = 0x00080005
_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_STUDY_INSTANCE, _SERIES_INSTANCE = 0x0020000D, 0x0020000E
_SUFFIXED = (_SOP_INSTANCE, _STUDY_INSTANCE, _SERIES_INSTANCE)

#: Length to End, retired: bytes from there to the end of the data set (PS3.3 of 1993).
_LENGTH_TO_END = 0x00080001

#: The character sets that are ASCII and nothing else (PS3.3 C.12.1.1.2); none at all is the first.
_ASCII_SETS = frozenset({"", "ISO_IR 6", "ISO 2022 IR 6"})
_UTF_8 = "ISO_IR 192"

_INTEGERS = frozenset({"US", "SS", "UL", "SL", "UV", "SV"})
_FLOATS = frozenset({"FL", "FD"})
#: In these the character set of the file counts (PS3.5 6.1.2.2).
_CHARSET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_TEXTS = _CHARSET_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
#: A backslash in these is a character and separates nothing (PS3.5 6.4).
_SINGLE = frozenset({"LT", "ST", "UR", "UT"})
#: Explicit VRs with four bytes of length (PS3.5 table 7.1-1).
_UNLIMITED = frozenset({"SV", "UC", "UR", "UT", "UV"})

_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")
_SUFFIX = re.compile(r"\.?[0-9]+(\.[0-9]+)*")
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Assignment:
    """One element and the value it is to have; `name` is what the user called it."""

    tag: int
    vr: str
    name: str
    value: str


class Edited(NamedTuple):
    """A data set with its edits made.

    buffers  what to send first; views of the data among them
    rest     offset in the data from which on everything follows as it is
    """

    buffers: list[bytes | memoryview]
    rest: int


def parse_assignment(text: str) -> Assignment:
    """Read `KEYWORD=VALUE`, `(gggg,eeee)=VALUE` or `gggg,eeee=VALUE`.

    A backslash separates values, as in a file; an empty value empties the element.

    raises  UsageError when there is no such element, when it is none that may be set, or when the
            value is none of its VR
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {name}: write KEYWORD=VALUE")
    tag = _tag_of(name.strip())
    assignment = Assignment(tag, _settable_vr(tag, name), name, value)
    try:
        _encode(assignment, "", Encoding(explicit=True, little=True), is_checked=False)
    except ValueError as error:
        raise UsageError(f"--set {name}: {error}") from None
    if not value and tag in (_SOP_CLASS, *_SUFFIXED):
        raise UsageError(f"--set {name}: without a value the object could not be stored")
    return assignment


def parse_suffix(text: str) -> str:
    """Check a UID suffix: digits and dots that leave a UID a UID (PS3.5 9.1); else UsageError."""
    if not _SUFFIX.fullmatch(text) or len(text) > 62:
        raise UsageError(f"--uid-suffix {text!r}: digits, in components with a dot before each")
    return text


@dataclass(frozen=True)
class Editor:
    """Makes the same edits to any number of data sets; any thread may use it.

    assignments  the last one of a tag counts
    uid_suffix   appended to Study, Series and SOP Instance UID unless they are assigned
    is_widening  whether a data set whose texts are ASCII gets the character set ISO_IR 192 when a
                 new value needs one: ASCII is the same in it
    """

    assignments: Sequence[Assignment] = ()
    uid_suffix: str = ""
    is_widening: bool = False
    _by_tag: dict[int, Assignment] = field(init=False, repr=False, default_factory=dict)
    _cache: dict[tuple[int, str, Encoding], bytes] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        self._by_tag.update((each.tag, each) for each in self.assignments)

    def identity(self, sop_class_uid: str, sop_instance_uid: str) -> tuple[str, str]:
        """Return SOP class and instance as they are after the edits: what a C-STORE must name.

        raises  InputError when the suffix makes the instance UID too long
        """
        edited = self._by_tag.get(_SOP_CLASS)
        sop_class = edited.value if edited else sop_class_uid
        edited = self._by_tag.get(_SOP_INSTANCE)
        instance = edited.value if edited else self._suffixed(_SOP_INSTANCE, sop_instance_uid)
        return sop_class.strip(), instance.strip()

    def edit(
        self, data: bytes | bytearray | memoryview, encoding: Encoding, complete: bool = True
    ) -> Edited:
        """Return the data set with the edits: new elements, and views of all that stays.

        Elements are inserted in the order of their tags. Group lengths (gggg,0000) of groups that
        change and Length to End, all retired, are left out, as they would be wrong.

        data      the data set, or its beginning; reading goes no further than the last edited tag
        complete  False when the data set goes on after `data`
        raises    TruncatedDataset when (incomplete) more is needed; MalformedDataset when it makes
                  no sense or its elements do not ascend; InputError when a value cannot be written
                  in it
        """
        if encoding.deflated:
            return self._edit_deflated(data)
        view = memoryview(data)
        is_explicit = len(view) >= 8 and header_at(view, 0, True, encoding.little)[1] != ""
        return self._edit_plain(view, Encoding(is_explicit, encoding.little), complete)

    def _edit_deflated(self, data: bytes | bytearray | memoryview) -> Edited:
        """Inflate, edit, deflate (PS3.5 A.5); padded to an even length."""
        import zlib

        inflated = inflate(data, DEFAULT_BOUNDS.inflate)
        buffers, rest = self._edit_plain(memoryview(inflated), Encoding(True, True), True)
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        parts = [deflate.compress(each) for each in (*buffers, memoryview(inflated)[rest:])]
        whole = b"".join((*parts, deflate.flush()))
        return Edited([whole + b"\0" * (len(whole) % 2)], len(data))

    def _edit_plain(self, view: memoryview, encoding: Encoding, complete: bool) -> Edited:
        last = max((*self._by_tag, _CHARACTER_SET, *(_SUFFIXED if self.uid_suffix else ())))
        elements, end = _scan(view, encoding, last, complete)
        changes = self._changes(elements, view, encoding)
        buffers: list[bytes | memoryview] = []
        kept = 0
        for tag, start, _, stop in (*elements, _Place(last + 1, end, end, end)):
            while changes and changes[0][0] < tag:
                buffers += (view[kept:start], changes.pop(0)[1])
                kept = start
            if changes and changes[0][0] == tag:
                buffers += (view[kept:start], changes.pop(0)[1])
                kept = stop
        return Edited([buffer for buffer in buffers if buffer], kept)

    def _changes(
        self, elements: Sequence[_Place], view: memoryview, encoding: Encoding
    ) -> list[tuple[int, bytes]]:
        """Return what stands under each tag that changes, in order; nothing where one goes."""
        present = {place.tag: place for place in elements}
        character_set = self._character_set(present, view)
        assignments = dict(self._by_tag)
        if self.is_widening and character_set in _ASCII_SETS and self._needs_more_than_ascii:
            character_set = _UTF_8
            assignments[_CHARACTER_SET] = Assignment(_CHARACTER_SET, "CS", "", _UTF_8)
        changes = {
            tag: self._encoded(assignment, character_set, encoding)
            for tag, assignment in assignments.items()
        }
        for tag in _SUFFIXED if self.uid_suffix else ():
            place = present.get(tag)
            old = _text(view, place) if place else ""
            if old and tag not in changes:
                assignment = Assignment(tag, "UI", "", self._suffixed(tag, old))
                changes[tag] = _uid_element(assignment, encoding)
        groups = {tag >> 16 for tag in changes}
        if changes:
            for tag in present:
                if tag == _LENGTH_TO_END or (tag & 0xFFFF == 0 and tag >> 16 in groups):
                    changes[tag] = b""
        return sorted(changes.items())

    @property
    def _needs_more_than_ascii(self) -> bool:
        return not all(each.value.isascii() for each in self._by_tag.values())

    def _character_set(self, present: dict[int, _Place], view: memoryview) -> str:
        """Return the character set that new values are written in (PS3.3 C.12.1.1.2)."""
        place = present.get(_CHARACTER_SET)
        own = _text(view, place) if place else ""
        assigned = self._by_tag.get(_CHARACTER_SET)
        if assigned is None:
            return own
        if assigned.value != own and own not in _ASCII_SETS:
            raise InputError(f"its texts are in {own}; another character set would garble them")
        return assigned.value

    def _encoded(self, assignment: Assignment, character_set: str, encoding: Encoding) -> bytes:
        is_ascii = assignment.value.isascii()
        # ASCII is the same in all of them
        character_set = "" if is_ascii else character_set
        key = assignment.tag, character_set, encoding
        element = self._cache.get(key)
        if element is None:
            try:
                element = _encode(assignment, character_set, encoding, is_checked=not is_ascii)
            except ValueError as error:
                raise InputError(f"--set {assignment.name}: {error}") from None
            if len(self._cache) < 1024:
                self._cache[key] = element
        return element

    def _suffixed(self, tag: int, uid: str) -> str:
        if not self.uid_suffix:
            return uid
        longer = uid + self.uid_suffix
        if len(longer) > 64 or not _UID.fullmatch(longer):
            name = {_SOP_INSTANCE: "SOP", _STUDY_INSTANCE: "Study"}.get(tag, "Series")
            raise InputError(
                f"its {name} Instance UID with {self.uid_suffix} would have {len(longer)} "
                "characters or be none; a UID has at most 64"
            )
        return longer


def editor_for(assignments: Iterable[str], uid_suffix: str | None) -> Editor | None:
    """Return the editor for what was typed, None when nothing is to be changed; or UsageError."""
    parsed = [parse_assignment(text) for text in assignments]
    suffix = parse_suffix(uid_suffix) if uid_suffix is not None else ""
    return Editor(parsed, suffix) if parsed or suffix else None


class _Place(NamedTuple):
    """A top-level element: offsets of its tag, of its value and past it."""

    tag: int
    start: int
    value: int
    stop: int


def _scan(
    view: memoryview, encoding: Encoding, last: int, complete: bool
) -> tuple[list[_Place], int]:
    """Return the top-level elements up to the tag `last`, and the offset past them."""
    places: list[_Place] = []
    offset, size, before = 0, len(view), -1
    while offset < size:
        tag, _, length, value = header_at(view, offset, encoding.explicit, encoding.little)
        if tag > last:
            return places, offset
        if tag <= before:
            raise MalformedDataset(
                f"({tag >> 16:04X},{tag & 0xFFFF:04X}) at byte {offset} is out of order", offset
            )
        stop = _end_of(view, offset, encoding) if length == UNDEFINED else value + length
        if stop > size:
            raise TruncatedDataset(f"the data set ends early, at byte {size}", size)
        places.append(_Place(tag, offset, value, stop))
        offset, before = stop, tag
    if not complete:
        raise TruncatedDataset(f"the data set goes on after byte {size}", size)
    return places, offset


def _end_of(view: memoryview, offset: int, encoding: Encoding) -> int:
    """Return the offset past the element of undefined length that begins at `offset`."""
    for event in walk(view[offset:], encoding):
        if isinstance(event, SequenceEnd | FragmentsEnd) and event.depth == 0:
            return offset + event.offset
    raise TruncatedDataset(f"the data set ends inside the element at byte {offset}", offset)


def _text(view: memoryview, place: _Place) -> str:
    return bytes(view[place.value : place.stop]).strip(b"\0 ").decode("latin-1")


# -- what may be set, and how it is written ------------------------------------------------------


def _tag_of(name: str) -> int:
    """Return the tag of a keyword of PS3.6 or of two hexadecimal numbers."""
    from pydicom.datadict import keyword_dict, tag_for_keyword

    if match := _TAG.fullmatch(name):
        return int(match[1] + match[2], 16)
    # some retired elements have no keyword
    tag = tag_for_keyword(name) if name else None
    if tag is None:
        raise UsageError(f"--set {name}: no keyword of the standard{nearest(name, keyword_dict)}")
    return tag


def _settable_vr(tag: int, name: str) -> str:
    """Return the VR of PS3.6 for a tag whose value can be typed; else UsageError."""
    from pydicom.datadict import dictionary_VR

    if tag >> 16 < 8 or tag >> 16 == 0xFFFE:
        raise UsageError(f"--set {name}: group {tag >> 16:04X} is not part of a data set")
    if tag & 0xFFFF == 0 or tag == _LENGTH_TO_END:
        raise UsageError(f"--set {name}: a length is what it is, and retired")
    try:
        vr = str(dictionary_VR(tag))
    except KeyError:
        raise UsageError(f"--set {name}: not in the dictionary, so it has no known VR") from None
    if vr not in _INTEGERS | _FLOATS | _TEXTS:
        raise UsageError(f"--set {name}: an element of VR {vr} cannot be set from text")
    return vr


def _uid_element(assignment: Assignment, encoding: Encoding) -> bytes:
    """Return an element of VR UI; without pydicom, as a suffix alone needs nothing of it."""
    value = assignment.value.encode("ascii")
    value += b"\0" * (len(value) % 2)
    order: Literal["little", "big"] = "little" if encoding.little else "big"
    tag = assignment.tag
    head = (tag >> 16).to_bytes(2, order) + (tag & 0xFFFF).to_bytes(2, order)
    if encoding.explicit:
        return head + b"UI" + len(value).to_bytes(2, order) + value
    return head + len(value).to_bytes(4, order) + value


def _encode(
    assignment: Assignment, character_set: str, encoding: Encoding, is_checked: bool
) -> bytes:
    """Return the whole element as pydicom writes it; ValueError says why it cannot be written.

    is_checked  whether the character set has to be able to say the value; otherwise that is not
                known yet, and what is written is of no use but to see that the rest is well
    """
    tag, vr, value = assignment.tag, assignment.vr, assignment.value
    _check_repertoire(vr, value)
    if not value.isascii():
        if is_checked:
            _check_characters(_parts(vr, value), character_set)
        else:
            character_set = "ISO_IR 192"
    values = [value] if vr in _SINGLE else value.split("\\")
    _check_multiplicity(tag, len(values))
    # no character has more bytes than eight with its escape sequences, nor any number
    if vr not in _UNLIMITED and 8 * max(len(values), len(value)) > 0xFFFE:
        raise ValueError(f"too long for VR {vr}")
    try:
        converted = [_converted(vr, each) for each in values] if value else []
        return _written(tag, vr, converted, character_set, encoding)
    except (ValueError, OverflowError, ArithmeticError, TypeError, OSError):
        # without pydicom's words, in which the value stands; OSError: a number out of its range
        raise ValueError(f"not a value of VR {vr}") from None


def _written(
    tag: int,
    vr: str,
    values: list[str | int | float],
    character_set: str,
    encoding: Encoding,
) -> bytes:
    from pydicom import config
    from pydicom.dataelem import DataElement
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_data_element

    value = values[0] if len(values) == 1 else values or None
    element = DataElement(tag, vr, value, validation_mode=config.RAISE)
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = not encoding.explicit, encoding.little
    write_data_element(file, element, character_set.split("\\"))
    return bytes(file.getvalue())


def _converted(vr: str, text: str) -> str | int | float:
    if vr not in _INTEGERS | _FLOATS:
        return text
    if "_" in text:
        # Python would read it
        raise ValueError(text)
    return int(text) if vr in _INTEGERS else float(text)


def _check_repertoire(vr: str, value: str) -> None:
    """Refuse characters that no value of this VR may have (PS3.5 6.1.2 and 6.1.3)."""
    if not value.isascii() and vr not in _CHARSET_VRS:
        raise ValueError(f"a value of VR {vr} is ASCII")
    # an escape would switch the character set; what could not be decoded is a surrogate
    allowed = "\t\n\f\r" if vr in ("LT", "ST", "UT") else ""
    for character in value:
        if (character < " " and character not in allowed) or "\x7f" <= character <= "\x9f":
            raise ValueError(f"a value of VR {vr} has no such control character")
        if "\ud800" <= character <= "\udfff":
            raise ValueError("it cannot be decoded")


def _check_multiplicity(tag: int, count: int) -> None:
    """Refuse more values than PS3.6 allows; fewer may stand where a file is to be made wrong."""
    from pydicom.datadict import dictionary_VM

    most = dictionary_VM(tag).rpartition("-")[2]
    if most.isdigit() and count > int(most):
        raise ValueError(f"at most {most} value{'s' * (most != '1')}; a backslash separates them")


def _parts(vr: str, value: str) -> list[str]:
    """Return what is encoded by itself: code extensions end at delimiters (PS3.5 6.1.2.5.3)."""
    if vr == "PN":
        return re.split(r"[\\^=]", value)
    return [value] if vr in _SINGLE else value.split("\\")


def _check_characters(parts: Sequence[str], character_set: str) -> None:
    """Raise ValueError unless each part comes back as it is from the bytes written for it.

    pydicom writes question marks for what a character set does not have, and warns.

    source  PS3.5 6.1.2
    """
    from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding

    sets = character_set.split("\\")
    problem = ValueError(f"the file's character set, {character_set or 'ASCII'}, cannot say it")
    if any(each not in python_encoding for each in sets) or set(sets) <= _ASCII_SETS:
        raise problem
    encodings = convert_encodings(sets)
    for part in parts:
        if sets[0] in _ASCII_SETS and any("\x80" <= each <= "\xff" for each in part):
            # pydicom takes Latin 1 for ASCII
            raise problem
        is_said = any(_has(encoding, part) for encoding in encodings) or (
            len(encodings) > 1 and all(any(_has(each, c) for each in encodings) for c in part)
        )
        if not is_said or decode_bytes(encode_string(part, encodings), encodings, set()) != part:
            raise problem


def _has(encoding: str, text: str) -> bool:
    """Whether one of pydicom's encodings has every character."""
    from pydicom.charset import custom_encoders

    try:
        if encoder := custom_encoders.get(encoding):
            encoder(text)
        else:
            text.encode(encoding)
    except UnicodeError:
        return False
    return True
