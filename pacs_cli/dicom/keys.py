"""Keys of a query as they are typed: an attribute, down into sequences, and what it is to match.

PatientName=DOE*    PatientName    0010,0010=DOE*    (0010,0010)=    00100010=
ScheduledProcedureStepSequence[0].Modality=CT    0040,0100.0008,0060=CT
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pacs_cli.dicom.dataset import Dataset, Element
from pacs_cli.dicom.dictionary import keyword_at, tag_of, tags_of_keywords, vr_at
from pacs_cli.dicom.encoding import tag_text
from pacs_cli.errors import UsageError

if TYPE_CHECKING:
    from pacs_cli.dicom.dataset import AnyDataset

#: Sequence matching has one item (PS3.4 C.2.2.2.6); more are for those who test what a peer does.
_MAX_ITEM = 99

_TAG = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)|([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})")
_STEP = re.compile(r"([^\[\]]+)(?:\[([0-9]{1,4})\])?")

#: Written as text: at most 12 and 16 characters (PS3.5 table 6.2-1).
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"(?=.{1,16}\Z)[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([Ee][+-]?[0-9]+)?")

#: VR -> bytes, and whether it has a sign.
_INTEGERS = {
    "US": (2, False),
    "SS": (2, True),
    "UL": (4, False),
    "SL": (4, True),
    "UV": (8, False),
    "SV": (8, True),
}
_FLOATS = frozenset({"FL", "FD"})
#: In these the character set counts (PS3.5 6.1.2.2).
CHARACTER_SET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_TEXTS = CHARACTER_SET_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
#: A line end is a character in these (PS3.5 6.1.3).
_LONG_TEXTS = frozenset({"LT", "ST", "UT"})
#: The largest number in 32 bits (IEEE 754).
_MAX_FLOAT = (2 - 2**-23) * 2.0**127
#: What a key may have where Explicit VR has two bytes of length (PS3.5 7.1.2).
_MAX_LENGTH = 0xFFFE
#: The same of binary numbers, the longest of which have eight bytes.
_MAX_NUMBERS = _MAX_LENGTH // 8

#: A data set of ours or of pydicom's.
D = TypeVar("D", bound="AnyDataset")


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute of a query.

    path   the sequences it stands in: their tags, each with the number of the item
    value  what it is to match, "" to have it returned
    name   what the user called it
    """

    path: tuple[tuple[int, int], ...]
    tag: int
    vr: str
    value: str
    name: str


def parse_key(text: str, source: str = "-k") -> Key:
    """Read one key.

    source  where it was typed, for the message
    raises  UsageError when there is no such attribute (naming the nearest), when it cannot be asked
            for, or when the value is none of its VR
    """
    name, _, value = text.partition("=")
    name = name.strip()
    try:
        *path, (tag, item) = [_parse_step(step) for step in name.split(".")]
        if item is not None:
            raise ValueError(f"{name} ends with the number of an item; write {name}.KEYWORD")
        for each, _ in path:
            if vr_of(each, "") != "SQ":
                raise ValueError(f"{keyword_of(each)} is no sequence")
        key = Key(
            tuple((each, number or 0) for each, number in path), tag, vr_of(tag, value), value, name
        )
        _check_value(key)
        _value_of(key)
    except ValueError as error:
        problem = str(error)
        # said once, but a step of a path is named apart
        subject = source if problem.startswith(f"{name} ") else f"{source} {name}:"
        raise UsageError(f"{subject} {problem}") from None
    return key


def assemble(keys: Iterable[Key], dataset: D, source: str = "-k") -> D:
    """Put keys into a data set, in place of what it has of them; return it.

    raises  UsageError when one is given two values
    """
    given: dict[tuple[object, int], str] = {}
    for key in keys:
        place = (key.path, key.tag)
        if given.setdefault(place, key.value) != key.value:
            raise UsageError(f"{source} {key.name}: given twice, with two values; choose one")
        put(dataset, key)
    return dataset


def put(dataset: AnyDataset, key: Key, is_default: bool = False) -> None:
    """Set the element of a key; with `is_default` only where the data set says nothing of it."""
    kind: Any = type(dataset)
    for sequence, number in key.path:
        if sequence not in dataset:
            set_value(dataset, sequence, "SQ", [])
        elif is_default and not dataset[sequence].value:
            # the whole sequence is asked for
            return
        items = dataset[sequence].value
        while len(items) <= number:
            items.append(kind())
        dataset = items[number]
    if not (is_default and key.tag in dataset):
        set_value(dataset, key.tag, key.vr, _value_of(key))


def set_value(dataset: AnyDataset, tag: int, vr: str, value: Any) -> None:
    """Set an element of a data set of either kind."""
    if isinstance(dataset, Dataset):
        is_several = isinstance(value, str) and vr not in _LONG_TEXTS and "\\" in value
        dataset.add(Element(tag, vr, value.split("\\") if is_several else value))
        return
    from pydicom import config
    from pydicom.dataelem import DataElement, empty_value_for_VR

    if value == "":
        value = empty_value_for_VR(vr) if vr in _TEXTS else b""
    dataset.add(DataElement(tag, vr, value, validation_mode=config.IGNORE))


def keyword_of(tag: int) -> str:
    """Return the keyword of PS3.6, or `(gggg,eeee)` when there is none."""
    return keyword_at(tag) or tag_text(tag)


def vr_of(tag: int, value: str) -> str:
    """Return the VR in which an attribute is asked for; one is chosen where PS3.6 has several."""
    if vr := vr_at(tag):
        return vr.partition(" ")[0]
    # unknown or private; a value could not be matched as UN
    is_creator = tag & 0x10000 and 0x10 <= tag & 0xFFFF <= 0xFF
    return "LO" if value or is_creator else "UN"


def _parse_step(text: str) -> tuple[int, int | None]:
    """Return the tag of `NAME[ITEM]` and the item, None without one."""
    match = _STEP.fullmatch(text.strip())
    if match is None:
        raise ValueError("write KEYWORD=VALUE, (gggg,eeee)=VALUE or SEQUENCE.KEYWORD=VALUE")
    item = None if match[2] is None else int(match[2])
    if item is not None and item > _MAX_ITEM:
        raise ValueError(f"item {item}; at most {_MAX_ITEM} can be asked for, and 0 is usual")
    return _tag_of(match[1].strip()), item


def _tag_of(name: str) -> int:
    if match := _TAG.fullmatch(name):
        tag = int("".join(part for part in match.groups() if part), 16)
        group, element = tag >> 16, tag & 0xFFFF
        if group < 8 or group >= 0xFFFE or not element:
            raise ValueError(f"{tag_text(tag)} is not part of a data set")
        return tag
    tag_of_keyword = tag_of(name)
    if tag_of_keyword is None:
        from difflib import get_close_matches

        if name[:1].isdigit():
            raise ValueError(
                f"{name} is no tag; write gggg,eeee in hexadecimal digits, as 0010,0020"
            )
        known = {keyword.lower(): keyword for keyword in tags_of_keywords()}
        near = get_close_matches(name.lower(), known, n=1)
        hint = f"; did you mean {known[near[0]]}?" if near else ""
        raise ValueError(f"{name} is no keyword of the standard{hint}")
    return tag_of_keyword


def _check_value(key: Key) -> None:
    """Refuse characters that no value of the VR may have (PS3.5 6.1.2 and 6.1.3)."""
    value, vr = key.value, key.vr
    if value and vr == "SQ":
        raise ValueError(f"a sequence has no value; write {key.name}.KEYWORD=VALUE")
    if value and vr not in _TEXTS | _INTEGERS.keys() | _FLOATS | {"AT"}:
        raise ValueError(f"an attribute of VR {vr} cannot be matched with text")
    if not value.isascii() and vr not in CHARACTER_SET_VRS:
        raise ValueError(f"a value of VR {vr} is ASCII")
    allowed = "\t\n\f\r" if vr in _LONG_TEXTS else ""
    for character in value:
        if (character < " " and character not in allowed) or "\x7f" <= character <= "\x9f":
            raise ValueError("no key has such a control character")
        if "\ud800" <= character <= "\udfff":
            raise ValueError("the value cannot be decoded")
    if len(value.encode()) > _MAX_LENGTH:
        raise ValueError(f"the value is longer than {_MAX_LENGTH} bytes")


def _value_of(key: Key) -> Any:
    """Return the value as an element has it; ValueError when it is none of its VR."""
    vr = key.vr
    if not key.value:
        return [] if vr == "SQ" else ""
    parts = key.value.split("\\")
    if vr in _INTEGERS:
        return _few([_integer(part, vr) for part in parts])
    if vr in _FLOATS:
        return _few([_decimal(part, vr) for part in parts])
    if vr == "AT":
        return _few([_tag_of(part) for part in parts])
    for part in parts:
        if vr == "IS":
            _integer(part, "SL")
        elif vr == "DS":
            _decimal(part, vr)
    return key.value


def _integer(text: str, vr: str) -> int:
    size, is_signed = _INTEGERS[vr]
    if not _INTEGER.fullmatch(text):
        raise ValueError("a whole number is expected")
    number = int(text)
    low = -(1 << 8 * size - 1) if is_signed else 0
    if not low <= number < low + (1 << 8 * size):
        raise ValueError("the number is out of range")
    return number


def _decimal(text: str, vr: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise ValueError("a number of at most 16 characters is expected")
    number = float(text)
    if vr == "FL" and abs(number) > _MAX_FLOAT:
        raise ValueError("the number is out of range")
    return number


def _few(values: list[Any]) -> Any:
    if len(values) > _MAX_NUMBERS:
        raise ValueError(f"there are more than {_MAX_NUMBERS} values")
    return values[0] if len(values) == 1 else values
