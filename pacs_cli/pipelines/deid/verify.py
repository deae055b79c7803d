"""The proof of one output: what was removed is searched for in its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import cache, lru_cache
from typing import Any, NamedTuple

from pacs_cli.dicom.elements import Element, walk
from pacs_cli.dicom.encoding import Encoding
from pacs_cli.errors import MalformedDataset
from pacs_cli.pipelines.deid.changing import element, is_well_known
from pacs_cli.pipelines.deid.policy import PATIENT_ID
from pacs_cli.pipelines.deid.profile import TABLE
from pacs_cli.pipelines.deid.subject import MOST_SEARCHED, Removed, Rewritten
from pacs_cli.pipelines.deid.values import DATES

#: Shorter values are found everywhere by chance.
_LEAST = 4

#: In pixel data, whose bytes are any: eight of them are not met by chance, four are.
LEAST_IN_PIXELS = 8

_NUMBERS = frozenset({"DS", "IS", "FL", "FD", "AT", "SL", "SS", "SV", "UL", "US", "UV"})
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})

#: Patient and visit; and numbers that others know an object by.
_OF_PATIENT = frozenset({0x0010, 0x0012, 0x0038})
_IDENTIFIERS = frozenset({0x00080050, 0x00200010, 0x00401001, 0x00402016, 0x00402017, 0x00400009})

#: Manufacturer, model and versions: which institutions and devices may be called like.
_EQUIPMENT = frozenset({0x00080070, 0x00081090, 0x00181019, 0x00181020})

#: Modality, value type, relationship, continuity, photometric interpretation, patient position:
#: words of the standard's own, whoever is called like one.
_VOCABULARIES = frozenset(
    (0x00080060, 0x0040A040, 0x0040A010, 0x0040A050, 0x00280004, 0x00185100, 0x00080064)
)

#: Words that stand for the lack of a value, and tell nothing.
_PLACEHOLDERS = frozenset(
    (
        b"none",
        b"null",
        b"unknown",
        b"anonymous",
        b"anonymized",
        b"anonymised",
        b"n/a",
        b"removed",
        b"test",
    )
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_DATE = re.compile(rb"(\d{4})[.]?(\d\d)[.]?(\d\d)")
_PRINTABLE = re.compile(rb"[\x20-\x7e]{4,}")
_DIGITS = re.compile(rb"[0-9.+\-eE ]+")


class Class(IntEnum):
    """How telling a removed value is, which decides where it may stand by chance.

    IDENTITY  names, what is of the patient, identifiers: nowhere
    PLACE     institutions, stations, orders: only in codes and in what describes the equipment
    UID       nowhere as a whole
    DIGITS    dates, times, numbers: only where numbers, dates and UIDs stand that are kept
    TERM      descriptions, devices, private values, whose words are those of any image: also as
              the whole of a kept value, or as under 16 characters of it
    """

    IDENTITY = 0
    UID = 1
    DIGITS = 2
    TERM = 3
    PLACE = 4


class Needle(NamedTuple):
    """What is searched for, in lower case."""

    text: bytes
    kind: Class


def needles(done: Rewritten) -> set[Needle]:
    """Return what is to be searched for of values that were removed."""
    found: set[Needle] = set()
    for part in done.lasting:
        if part.needles is None:
            part.needles = frozenset(needles(part))
        found.update(part.needles)
    for removed in done.removed:
        found.update(_of_removed(removed))
    for run, encoding, charset in done.private:
        found.update(_of_run(run, encoding, charset))
    return found


def items_in(found: Element) -> tuple[bytes, Encoding] | None:
    """Return the items of a sequence that is written as UN, as a sequence of a data set; else None.

    source  PS3.5 6.2.2
    """
    first = bytes(found.value[:4])
    if found.vr != "UN" or first not in (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"):
        return None
    encoding = Encoding(explicit=True, little=found.value[0] == 0xFE)
    return element(encoding, 0x00081199, "SQ", bytes(found.value)), encoding


def removed_from(run: bytes, encoding: Encoding, charset: bytes) -> list[Removed]:
    """Return the values of a run of private elements; what cannot be read counts as one."""
    found = []
    try:
        for event in walk(run, encoding):
            if isinstance(event, Element) and event.value:
                value = bytes(event.value[:MOST_SEARCHED])
                found.append(Removed(event.tag, event.vr, value, charset))
    except MalformedDataset:
        found.append(Removed(0x00090000, "UN", run[:MOST_SEARCHED], charset))
    return found


@lru_cache(maxsize=8192)
def _of_removed(removed: Removed) -> tuple[Needle, ...]:
    tag, vr, value, charset = removed
    return _needles(_class(tag, vr), vr, value, charset) if len(value) >= _LEAST else ()


@lru_cache(maxsize=64)
def _of_run(run: bytes, encoding: Encoding, charset: bytes) -> frozenset[Needle]:
    found: set[Needle] = set()
    for removed in removed_from(run, encoding, charset):
        found.update(_of_removed(removed))
    return frozenset(found)


def is_lasting(needle: Needle) -> bool:
    """Whether it is of the patient, and not of this object alone."""
    return needle.kind in (Class.IDENTITY, Class.PLACE)


@lru_cache(maxsize=4096)
def _class(tag: int, vr: str) -> Class | None:
    if vr == "PN" or tag == PATIENT_ID:
        return Class.IDENTITY
    if vr == "UI":
        return Class.UID
    if vr in DATES or vr == "AS":
        return Class.DIGITS
    row = TABLE.get(tag)
    if vr in _NUMBERS:
        return Class.DIGITS if row is not None and vr in ("DS", "IS") else None
    if row is None or vr == "CS" or {"clean_desc", "device"} & row.options.keys():
        return Class.TERM
    return Class.IDENTITY if tag >> 16 in _OF_PATIENT or tag in _IDENTIFIERS else Class.PLACE


def _needles(kind: Class | None, vr: str, value: bytes, charset: bytes) -> tuple[Needle, ...]:
    """Return the spellings of one value."""
    if kind is None:
        return ()
    spelled: set[bytes] = set()
    parts = [value] if vr in _BINARY or vr in ("LT", "ST", "UT") else value.split(b"\\")
    for part in parts:
        text = part.strip(b" \0\t\r\n")
        if vr in _BINARY and not _PRINTABLE.fullmatch(text):
            spelled |= _binary(text)
        elif kind is Class.UID:
            if not is_well_known(text):
                spelled.add(text)
        elif vr in ("DA", "DT"):
            spelled |= _dates(text)
        elif vr == "TM":
            spelled |= _times(text)
        elif vr == "PN":
            spelled |= _names(text, charset)
        else:
            spelled |= _texts(text, charset)
    chosen = []
    for each in spelled:
        lowered = each.lower()
        if len(lowered) < _LEAST or lowered in _PLACEHOLDERS or len(set(lowered)) < 2:
            continue
        is_number = kind is not Class.UID and _DIGITS.fullmatch(lowered)
        chosen.append(Needle(lowered, Class.DIGITS if is_number else kind))
    return tuple(chosen)


def _binary(value: bytes) -> set[bytes]:
    """Return the beginning of a binary value that is not met by chance."""
    head = value[:64]
    return {head} if len(head) >= 16 and len(set(head)) > 5 else set()


def _dates(value: bytes) -> set[bytes]:
    match = _DATE.match(value)
    spelled = {value}
    if match:
        year, month, day = match.groups()
        spelled |= {
            year + month + day,
            *(mark.join((year, month, day)) for mark in (b"-", b"/", b".")),
            *(mark.join((day, month, year)) for mark in (b"-", b"/", b".")),
            *(mark.join((month, day, year)) for mark in (b"-", b"/", b".")),
        }
        if 1 <= int(month) <= 12:
            name = _MONTHS[int(month) - 1].encode()
            spelled |= {mark.join((day, name, year)) for mark in (b"-", b" ")}
            spelled.add(name + b" " + day + b", " + year)
    return spelled


def _times(value: bytes) -> set[bytes]:
    spelled = {value}
    whole = value.split(b".")[0]
    if len(whole) == 6 and whole.isdigit():
        spelled |= {whole, b":".join((whole[:2], whole[2:4], whole[4:]))}
    return spelled


def _names(value: bytes, charset: bytes) -> set[bytes]:
    """Return a name, its parts, and the usual orders of the first two of them."""
    spelled = _texts(value, charset)
    for group in _decoded(value, charset, "PN").split("="):
        parts = [part.strip() for part in group.split("^")]
        words = {*parts, *(word for part in parts for word in re.split(r"[\s,.-]+", part))}
        if len(parts) > 1 and parts[0] and parts[1]:
            last, first = parts[:2]
            words |= {f"{last} {first}", f"{first} {last}", f"{last}, {first}", f"{last},{first}"}
            words |= {f"{last}_{first}", f"{first}_{last}", f"{last}{first}", f"{first}{last}"}
        for word in words:
            spelled |= _spellings(word)
    return spelled


def _texts(value: bytes, charset: bytes) -> set[bytes]:
    if value.isascii():
        return {value, *_spellings(value.decode("ascii"))}
    return {value, *_spellings(_decoded(value, charset, "LO"))}


def _spellings(text: str) -> set[bytes]:
    """Return text as it would stand in UTF-8, Latin-1 and UTF-16."""
    if len(text) < (_LEAST if text.isascii() else 2):
        return set()
    spelled = {text.encode("utf-8", "replace"), text.lower().encode("utf-8", "replace")}
    # ASCII in UTF-16 is found without its zeros
    for codec in () if text.isascii() else ("latin-1", "utf-16-le", "utf-16-be"):
        try:
            spelled |= {text.encode(codec), text.lower().encode(codec)}
        except UnicodeEncodeError:
            continue
    return spelled


def _decoded(value: bytes, charset: bytes, vr: str) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    return _by_pydicom(value, charset, vr)


@lru_cache(maxsize=4096)
def _by_pydicom(value: bytes, charset: bytes, vr: str) -> str:
    """Return text in the character set of its object (PS3.5 6.1); Latin-1 where that is none."""
    import warnings

    from pydicom.charset import convert_encodings, decode_bytes
    from pydicom.valuerep import PN_DELIMS, TEXT_VR_DELIMS

    names = [name.strip(b" \0").decode("latin-1") for name in charset.split(b"\\")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            encodings = convert_encodings(names or [""])
            return decode_bytes(value, encodings, PN_DELIMS if vr == "PN" else TEXT_VR_DELIMS)
    except (LookupError, UnicodeError, ValueError):
        return value.decode("latin-1")


class Residual(NamedTuple):
    """A removed value that is still there: how telling it is, and where it was found.

    text  what it is
    """

    kind: Class
    text: bytes


#: ASCII in UTF-16, of either order of bytes.
_WIDE = re.compile(rb"(?:[\x20-\x7e]\0){4}")


def search(haystack: bytes, wanted: Iterable[Needle]) -> Iterator[Residual]:
    """Yield where removed values stand, whatever there may be reasons for it.

    haystack  in lower case
    """
    if may_be_wide(haystack):
        yield from search_whole(haystack.replace(b"\0", b""), wanted)
    yield from search_whole(haystack, wanted)


def may_be_wide(text: bytes) -> bool:
    """Whether ASCII in UTF-16 stands in it."""
    return _WIDE.search(text) is not None


def search_whole(haystack: bytes, wanted: Iterable[Needle]) -> Iterator[Residual]:
    """Yield what `search` does, but nothing that stands in UTF-16."""
    for text, kind in wanted:
        if text not in haystack:
            continue
        at = haystack.find(text)
        while at >= 0:
            end = at + len(text)
            if not _is_part(haystack, at, end, kind):
                yield Residual(kind, text)
            at = haystack.find(text, end)


def _is_part(haystack: bytes, start: int, end: int, kind: Class) -> bool:
    """Whether what stands there is but a part of a longer word or number."""
    before, after = haystack[start - 1 : start] if start else b"", haystack[end : end + 1]
    first, last = haystack[start : start + 1], haystack[end - 1 : end]
    if kind is Class.UID:
        tail = haystack[end : end + 2]
        is_longer = after.isdigit() or (after == b"." and tail[1:].isdigit())
        return is_longer or before.isdigit() or before == b"."
    if kind is Class.DIGITS:
        return (before.isdigit() and first.isdigit()) or (after.isdigit() and last.isdigit())
    return (before.isalpha() and first.isalpha()) or (after.isalpha() and last.isalpha())


def is_excused(residual: Residual, tag: int, vr: str, value: bytes) -> bool:
    """Whether a removed value may stand in a kept one.

    tag, vr, value  of the element that is kept, in lower case
    """
    text = residual.text
    if residual.kind is Class.DIGITS:
        return vr in _NUMBERS or vr in DATES or vr == "UI"
    if residual.kind is Class.IDENTITY:
        return tag in _VOCABULARIES and text == value.strip(b" \0")
    if residual.kind is Class.PLACE:
        return vr == "CS" or tag in _EQUIPMENT
    if residual.kind is not Class.TERM:
        return False
    if vr in _NUMBERS or vr in ("CS", "UI") or vr in DATES:
        return True
    whole = {part.strip(b" \0") for part in value.split(b"\\")}
    return text in whole or len(text) < 16


def is_standard_code(*code: bytes) -> bool:
    """Whether value, scheme and meaning are those of a code of the standard (PS3.16): its words
    are not of anybody.
    """
    if len(code) != 3:
        return False
    value, scheme, meaning = (part.strip(b" \0").decode("latin-1") for part in code)
    return meaning.lower() in _standard_meanings(scheme).get(value, ())


@cache
def _standard_meanings(scheme: str) -> dict[str, set[str]]:
    """Return code value -> meanings in lower case, of those that the standard's groups have."""
    try:
        from pydicom.sr import _concepts_dict
    except ImportError:
        # a pydicom that keeps it elsewhere: nothing is excused then
        return {}
    concepts: dict[str, Any] = vars(_concepts_dict)["concepts"]
    groups: dict[str, dict[str, tuple[str, list[int]]]] = concepts.get(scheme, {})
    known: dict[str, set[str]] = {}
    for codes in groups.values():
        for value, (meaning, _) in codes.items():
            known.setdefault(value, set()).add(meaning.lower())
    return known


#: For the first look at pixel data: printable ASCII, and what else text of any set can be.
_ASCII_BYTES = bytes(0x20 <= byte < 0x7F for byte in range(256))
_ANY_BYTES = bytes(byte >= 0x20 for byte in range(256))


def is_for_pixels(needle: Needle) -> bool:
    """Whether pixel data is searched for it: not for words that are those of any image."""
    return needle.kind is not Class.TERM and len(needle.text) >= LEAST_IN_PIXELS


def may_have_text(data: bytes | memoryview, start: int, end: int, is_ascii: bool) -> bool:
    """Whether pixel data can hold a text of eight characters.

    Every eighth byte is looked at first: where none is of a text no text of eight can be. In images
    of 12 bits it is always so (the odd bytes are below 16), and 0.5 MB cost 0.04 ms; looking for
    eight such bytes in a row costs 0.4 ms, and searching for each value, which follows else, some
    0.2 ms for each.
    """
    table = _ASCII_BYTES if is_ascii else _ANY_BYTES
    # from the second byte on: the more significant one of 16 in the little endian order
    # copied first, as each step of a view is a call
    pixels = bytes(data[start:end])
    if b"\1" not in pixels[1::LEAST_IN_PIXELS].translate(table):
        return False
    return b"\1" * LEAST_IN_PIXELS in pixels.translate(table)
