"""Whether a value is what its VR allows, on the bytes as they are (PS3.5 6.2, table 6.2-1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

#: Rule and message.
Problem = tuple[str, str]

#: Bytes of one value of the VRs that hold numbers.
SIZES = {
    **dict.fromkeys(("AT", "FL", "SL", "UL", "OF", "OL"), 4),
    **dict.fromkeys(("SS", "US", "OW"), 2),
    **dict.fromkeys(("FD", "SV", "UV", "OD", "OV"), 8),
}
#: Of these the length says how many values there are; the others have one (PS3.5 6.4).
COUNTED = frozenset(("AT", "FL", "SL", "UL", "SS", "US", "FD", "SV", "UV"))

#: Text in the declared character set; those in `SPLIT` have several values.
TEXT = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
SPLIT = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"))
STRINGS = TEXT | SPLIT | {"UR"}

#: Characters of one value; of PN in each component group.
_LENGTHS = {
    "AE": 16,
    "AS": 4,
    "CS": 16,
    "DA": 8,
    "DS": 16,
    "DT": 26,
    "IS": 12,
    "LO": 64,
    "LT": 10240,
    "PN": 64,
    "SH": 16,
    "ST": 1024,
    "TM": 14,
    "UI": 64,
}

_DIGITS = {
    "DS": rb" *[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *",
    "IS": rb" *[+-]?[0-9]+ *",
    "AS": rb"[0-9]{3}[DWMY]",
    "DA": rb"[0-9]{8} *",
    "TM": rb"(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)? *",
    "DT": rb"([0-9]{4})(?:(0[1-9]|1[0-2])(?:([0-9]{2})(?:(?:[01][0-9]|2[0-3])(?:[0-5][0-9]"
    rb"(?:(?:[0-5][0-9]|60)(?:\.[0-9]{1,6})?)?)?)?)?)?(?:[+-][0-9]{4})? *",
    "CS": rb"[A-Z0-9_ ]*",
    "AE": rb"[\x20-\x5b\x5d-\x7e]*",
    "UI": rb"[0-2](?:\.(?:0|[1-9][0-9]*))+\0?",
}
_ONE = {vr: re.compile(pattern).fullmatch for vr, pattern in _DIGITS.items()}

_RULES = {
    "DS": ("value-number", "not a decimal number"),
    "IS": ("value-number", "not a whole number"),
    "AS": ("value-age", "not an age as 045Y"),
    "DA": ("value-date", "not a date as 20260131"),
    "TM": ("value-time", "not a time as 235959.999999"),
    "DT": ("value-datetime", "not a date and time as 20260131235959.999999+0100"),
    "CS": ("value-characters", "more than capital letters, digits, space and underscore"),
    "AE": ("value-characters", "characters that an AE title cannot have"),
    "UI": ("value-uid", "not a UID"),
}

#: ESC switches character sets, which is allowed where one is declared.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_CONTROL_OF_NAMES = re.compile(r"[\x00-\x1a\x1c-\x1f\x7f]")
_LINES = frozenset(("LT", "ST", "UT"))

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_PLAIN = re.compile(rb"[\x20-\x7e]*").fullmatch


def problems_of(vr: str, value: bytes, decoded: str | None = None) -> Iterator[Problem]:
    """Yield what is wrong with a value of one VR that is not empty.

    decoded  text beyond ASCII, decoded; None where the bytes are ASCII
    """
    size = SIZES.get(vr)
    if size is not None:
        if len(value) % size:
            yield "value-size", f"{len(value)} bytes are no multiple of {size} ({vr})"
    elif vr in _ONE:
        yield from _formatted(vr, value)
    elif vr in TEXT or vr == "UR":
        yield from _text(vr, value, decoded)


def _formatted(vr: str, value: bytes) -> Iterator[Problem]:
    matches, limit = _ONE[vr], _LENGTHS[vr]
    if vr == "UI":
        if value.endswith((b" ", b"\0\0")) or b"\0" in value[:-1]:
            yield "value-padding", "padded with more or other than one NUL"
            value = value.strip(b" \0")
    elif value.endswith(b"\0"):
        yield "value-padding", f"padded with NUL, and {vr} is padded with space"
        value = value.rstrip(b"\0")
    values = value.split(b"\\")
    last = len(values) - 1
    for number, one in enumerate(values):
        if not one.strip(b" ") and (vr != "UI" or not one):
            continue  # an empty value among several
        if not matches(one):
            yield _RULES[vr]
        elif check := _MEANINGS.get(vr):
            yield from check(one)
        length = len(one.rstrip(b"\0 ") if number == last else one)
        if length > limit:
            yield "value-length", f"{length} characters; {vr} has at most {limit}"


def _whole(value: bytes) -> Iterator[Problem]:
    # 12 characters are checked too, and a very long number would take forever
    if len(value) < 64 and not -(2**31) <= int(value) < 2**31:
        yield "value-number", "beyond 32 bits (IS)"


def _date(value: bytes) -> Iterator[Problem]:
    if not _is_day(int(value[:4]), int(value[4:6]), int(value[6:8])):
        yield "value-date", "no such day"


def _moment(value: bytes) -> Iterator[Problem]:
    match = _ONE["DT"](value)
    year, month, day = match.groups() if match else (None, None, None)
    if year and month and day and not _is_day(int(year), int(month), int(day)):
        yield "value-datetime", "no such day"


_MEANINGS: dict[str, Callable[[bytes], Iterator[Problem]]] = {
    "IS": _whole,
    "DA": _date,
    "DT": _moment,
}


def _is_day(year: int, month: int, day: int) -> bool:
    if not 1 <= month <= 12 or not 1 <= day <= _DAYS[month - 1]:
        return False
    return (month, day) != (2, 29) or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))


def _text(vr: str, value: bytes, decoded: str | None) -> Iterator[Problem]:
    text = value.decode("latin-1") if decoded is None else decoded
    if text.endswith("\0"):
        yield "value-padding", f"padded with NUL, and {vr} is padded with space"
        text = text.rstrip("\0")
    if decoded is not None or not _PLAIN(value):
        pattern = _CONTROL if vr in _LINES else _CONTROL_OF_NAMES
        if pattern.search(text):
            yield "value-characters", f"control characters that {vr} cannot have"
    limit = _LENGTHS.get(vr)
    if vr == "UR" and " " in text.rstrip(" "):
        yield "value-characters", "spaces in a URI"
    if limit is None or (len(text) <= limit and vr != "PN"):
        return
    for one in text.split("\\") if vr in SPLIT else [text]:
        if vr == "PN":
            yield from _name(one)
        elif len(one.rstrip(" ")) > limit:
            yield "value-length", f"{len(one.rstrip(' '))} characters; {vr} has at most {limit}"


def _name(text: str) -> Iterator[Problem]:
    groups = text.rstrip(" ").split("=")
    if len(groups) > 3:
        yield "value-name", f"{len(groups)} component groups; a name has at most 3"
    for group in groups:
        if group.count("^") > 4:
            yield "value-name", f"{group.count('^') + 1} components; a name has at most 5"
        if len(group) > 64:
            yield "value-name", f"{len(group)} characters in a component group; at most 64"
