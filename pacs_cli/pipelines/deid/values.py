"""Values that take the place of others: dummies, shifted dates, cleaned text."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, timedelta
from functools import lru_cache

#: What says nothing, by VR: of the right form, and not empty (PS3.15 E.1, code D).
_DUMMIES = {
    "AE": b"ANONYMIZED",
    "AS": b"000Y",
    "CS": b"ANONYMIZED",
    "DA": b"19000101",
    "DS": b"0 ",
    "DT": b"19000101000000",
    "IS": b"0 ",
    "LO": b"ANONYMIZED",
    "LT": b"ANONYMIZED",
    "PN": b"ANONYMIZED",
    "SH": b"ANONYMIZED",
    "ST": b"ANONYMIZED",
    "TM": b"000000",
    "UC": b"ANONYMIZED",
    "UI": b"2.25.0",
    "UR": b"urn:oid:2.25.0",
    "UT": b"ANONYMIZED",
    "AT": bytes(4),
    "FD": bytes(8),
    "FL": bytes(4),
    "SL": bytes(4),
    "SS": bytes(2),
    "SV": bytes(8),
    "UL": bytes(4),
    "US": bytes(2),
    "UV": bytes(8),
}
#: Binary ones of any length keep theirs, up to this: other attributes tell how many there are.
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_MOST_ZEROS = 1 << 20

TEXTS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
DATES = frozenset({"DA", "DT", "TM"})

_DA = re.compile(rb"(\d{4})(\d\d)(\d\d)|(\d{4})\.(\d\d)\.(\d\d)")
_TM = re.compile(
    rb"([01]\d|2[0-3])((?::?[0-5]\d){0,1}|(?::?[0-5]\d)(?::?(?:[0-5]\d|60)(\.\d{1,6})?))"
)
_DT = re.compile(
    rb"(\d{4})(?:(\d\d)(?:(\d\d)((?:[01]\d|2[0-3])"
    rb"(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?)?)?)?([+-](?:0\d|1[0-4])[0-5]\d)?"
)

_AGE = re.compile(rb"(\d{3})([DWMY])")

#: In text that is cleaned: dates and times, numbers of five digits and more, UIDs, addresses.
_TELLING = re.compile(
    rb"[0-9A-Za-z._%+-]+@[0-9A-Za-z.-]+|(?:https?|ftp|file)://\S+|\b\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\b"
    rb"|\b\d{1,2}:\d{2}(?::\d{2})?\b|\+?[0-9][0-9() /.-]{5,}[0-9]|[A-Za-z]*\d{5,}[0-9A-Za-z]*"
)
#: A title and what follows it: names that no attribute has told.
_TITLED = re.compile(
    rb"\b(?i:dr|mrs?|ms|miss|prof|sir|herr|frau|mme|sra?|pat|patient|name|tech|operator)\b[.:]*\s*"
    rb"(?:[A-Z\x80-\xff][^\s,;]*[\s,]*){1,3}"
)


def dummy(vr: str, length: int = 0) -> bytes:
    """Return a value that says nothing, padded; binary ones are zeros of a like length.

    source  PS3.15 E.1, code D
    """
    if vr in _BINARY:
        return bytes(min(max(length + length % 2, 2), _MOST_ZEROS))
    if vr in ("FL", "FD", "AT", "SL", "SS", "SV", "UL", "US", "UV"):
        unit = _DUMMIES[vr]
        return unit * max(1, min(length, _MOST_ZEROS) // len(unit))
    return padded(_DUMMIES.get(vr, b"ANONYMIZED"), vr)


def padded(value: bytes, vr: str) -> bytes:
    """Return a value of an even length (PS3.5 6.2)."""
    if len(value) % 2:
        return value + (b"\0" if vr == "UI" or vr in _BINARY else b" ")
    return value


@lru_cache(maxsize=8192)
def shifted(value: bytes, vr: str, days: int) -> bytes | None:
    """Return dates shifted by whole days, so that times stay; None when one is no date.

    Intervals between dates survive, and so do offsets from UTC. A DT of a month or a year is taken
    for its first day, and stays one of a month or a year.

    source  PS3.5 table 6.2-1, PS3.15 E.3.6
    """
    parts = [part.strip(b" \0") for part in value.split(b"\\")]
    if not any(parts):
        return b""
    moved = [_shifted_one(part, vr, days) if part else b"" for part in parts]
    if None in moved:
        return None
    return padded(b"\\".join(part for part in moved if part is not None), vr)


def _shifted_one(value: bytes, vr: str, days: int) -> bytes | None:
    if vr == "TM":
        return value if _TM.fullmatch(value) else None
    match = _DA.fullmatch(value) if vr == "DA" else _DT.fullmatch(value)
    if match is None:
        return None
    if vr == "DA":
        year, month, day = match.group(1, 2, 3) if match[1] else match.group(4, 5, 6)
        return _moved(year, month, day, days)
    year, month, day, time, offset = match.groups()
    new = _moved(year, month or b"01", day or b"01", days)
    if new is None:
        return None
    length = 8 if day else 6 if month else 4
    return new[:length] + (time or b"") + (offset or b"")


def _moved(year: bytes, month: bytes, day: bytes, days: int) -> bytes | None:
    try:
        moved = date(int(year), int(month), int(day)) + timedelta(days)
    except (ValueError, OverflowError):
        return None
    return b"%04d%02d%02d" % (moved.year, moved.month, moved.day)


def is_of_vr(value: bytes, vr: str) -> bool:
    """Whether a kept date or time has the form of its VR; others are not looked at."""
    return vr not in DATES or shifted(value, vr, 0) is not None


def is_age_told(value: bytes, most: int = 89) -> bool:
    """Whether an age is at most so many years, and so may be told (45 CFR 164.514(b)(2)(i)(C))."""
    match = _AGE.fullmatch(value.strip(b" \0"))
    if match is None:
        return not value.strip(b" \0")
    years = int(match[1]) / {b"D": 365.25, b"W": 52.18, b"M": 12, b"Y": 1}[match[2]]
    return years < most + 1


def cleaned(value: bytes, words: Collection[bytes]) -> bytes:
    """Return text without what may tell who it is about; the rest stays as it stands.

    words  in lower case: of names and identifiers that this object has

    Taken out are these words, dates, times, long numbers, addresses, and what follows a title.
    A word that no attribute tells, and no title goes before, cannot be known for a name.

    source  PS3.15 E.3.5
    """
    text = _TITLED.sub(b"", value)
    text = _TELLING.sub(b"", text)
    if words:
        text = _without(text, words)
    return re.sub(rb"[ \t]{2,}", b" ", text).strip(b" \0")


def _without(text: bytes, words: Collection[bytes]) -> bytes:
    """Take words out, whole ones and in any case."""
    for word in sorted(words, key=len, reverse=True):
        lowered = text.lower()
        at = lowered.find(word)
        while at >= 0:
            end = at + len(word)
            if not _is_inside(lowered, at, end):
                text = text[:at] + text[end:]
                lowered, end = text.lower(), at
            at = lowered.find(word, end)
    return text


def _is_inside(text: bytes, start: int, end: int) -> bool:
    """Whether what stands there is but a part of a word."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return (before.isalnum() and text[start : start + 1].isalnum()) or (
        after.isalnum() and text[end - 1 : end].isalnum()
    )
