"""One key of a query against one value: which match (PS3.4 C.2.2.2).

`matcher_for` gives a Matcher, which answers for a text; where SQLite can say the same it also has
a condition, whose values are always bound and never part of the statement.
"""

from __future__ import annotations

import json
import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

#: The longest text that is matched: no VR of the index may be longer (PS3.5 table 6.2-1).
_MAX_TEXT = 10_240

#: A key with more of these is matched by us: GLOB goes back to every one of them, and so could be
#: made to take for ever.
_MAX_STARS = 2

#: Wildcards mean something in these (PS3.4 C.2.2.2.4).
_WILD = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
#: A backslash in these is a character (PS3.5 6.4).
_SINGLE = frozenset({"LT", "ST", "UR", "UT"})
MATCHABLE = _WILD | _NUMBERS | {"AS", "AT", "DA", "DT", "TM", "UI"}

_DATE = re.compile(r"([0-9]{4})\.?([0-9]{2})\.?([0-9]{2})")
_TIME = re.compile(r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:\.([0-9]{1,6}))?)?)?")
_DATE_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})?([0-9]{2})?([0-9]{2})?([0-9]{2})?([0-9]{2})?(?:\.([0-9]{1,6}))?"
    r"([+-](?:0[0-9]|1[0-4])[0-5][0-9])?"
)
_NUMBER = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([Ee][+-]?[0-9]{1,3})?")
_WORDS = re.compile(r"[\s^=,.'’-]+")

Range = tuple[str | None, str | None]


class BadKey(ValueError):
    """The value of a key is none that its VR allows."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """What one key asks of a value.

    matches    whether a text, all values of an element with backslashes between them, is asked for
    condition  SQL that says the same of a column, for which {} stands; "" when there is none
    values     what is bound to it
    """

    matches: Callable[[str], bool]
    condition: str = ""
    values: tuple[object, ...] = ()


def matcher_for(vr: str, text: str, is_fuzzy: bool = False, no_accents: bool = False) -> Matcher:
    """Return the matcher of a key that is not universal (see `is_universal`).

    text        as decoded; several values, with backslashes between them, are alternatives
    is_fuzzy    the words of a name may stand in any order and are matched by their beginnings
    no_accents  and in names marks on letters do not count
    raises      BadKey
    source      PS3.4 C.2.2.2.1 to C.2.2.2.5
    """
    text = _clean(text)[:_MAX_TEXT] if vr != "UI" else _clean(text)
    parts = [text] if vr in _SINGLE else text.split("\\")
    parts = [part.strip(" \0") for part in parts]
    if vr in ("DA", "TM", "DT"):
        return _range_matcher(vr, parts)
    if vr == "PN":
        return _name_matcher(parts, is_fuzzy, no_accents)
    if vr in _NUMBERS:
        return _number_matcher(parts)
    if vr in _WILD and any(_is_wild(part) for part in parts):
        return _wildcard_matcher(parts, vr)
    wanted = frozenset(parts)
    condition, values = "{} = ?", tuple(parts)
    if len(parts) > 1:
        # one bound value, however many there are
        condition = "{} IN (SELECT value FROM json_each(?))"
        values = (json.dumps(parts),)
    return Matcher(_any_of(vr, wanted.__contains__), condition, values)


def is_universal(vr: str, text: str) -> bool:
    """Whether a key matches everything, what has no value included.

    source  PS3.4 C.2.2.2.3, and C.2.2.2.4: an asterisk also stands for no character
    """
    text = text.strip(" \0")
    return not text.strip("*") if vr in _WILD or vr == "UI" else not text


def date_time_matcher(dates: str, times: str) -> Callable[[str, str], bool] | None:
    """Return what matches a date and a time together, from the one range's begin to its end.

    None when the one is open where the other is not: then they are two ranges.

    raises  BadKey
    source  PS3.4 C.2.2.2.5 (combined date-time matching)
    """
    first_day, last_day = _range("DA", dates.strip(" \0"))
    first, last = _range("TM", times.strip(" \0"))
    if (first_day is None, last_day is None) != (first is None, last is None):
        return None
    low = (first_day or "") + (first or "000000.000000") if first_day else None
    high = (last_day or "") + (last or "235959.999999") if last_day else None

    def matches(date: str, time: str) -> bool:
        day, moment = _bounds("DA", date), _bounds("TM", time)
        if day is None or moment is None:
            return False
        value = day[0] + moment[0]
        return (low is None or low <= value) and (high is None or value <= high)

    return matches


def fold(text: str, no_accents: bool = False) -> str:
    """Return a text for comparison: without regard to case, and if wanted without marks."""
    if no_accents:
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(each for each in decomposed if not unicodedata.combining(each))
    return unicodedata.normalize("NFC", text.casefold())


def _clean(text: str) -> str:
    """Return a text that SQLite can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_wild(text: str) -> bool:
    return "*" in text or "?" in text


def _any_of(vr: str, matches: Callable[[str], bool]) -> Callable[[str], bool]:
    """Let one of several values of an element be enough (PS3.4 C.2.2.3)."""
    if vr in _SINGLE:
        return matches

    def any_matches(text: str) -> bool:
        return matches(text) or ("\\" in text and any(map(matches, text.split("\\"))))

    return any_matches


def _wildcard_matcher(parts: Sequence[str], vr: str) -> Matcher:
    matches = _any_of(vr, _patterns(parts))
    if max(part.count("*") for part in parts) > _MAX_STARS or len(parts) > 100:
        return Matcher(matches)
    condition = " OR ".join(["{0} GLOB ?"] * len(parts))
    return Matcher(matches, f"({condition})", tuple(part.replace("[", "[[]") for part in parts))


def _patterns(parts: Sequence[str]) -> Callable[[str], bool]:
    compiled = [_pattern(part) for part in parts]
    return lambda text: any(each.fullmatch(text) is not None for each in compiled)


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    """Return a wildcard key as a pattern that never goes back: what is found first is good."""
    first, *others = (_literal(part) for part in re.sub(r"\*+", "*", text).split("*"))
    if not others:
        return re.compile(first, re.DOTALL)
    *middle, last = others
    return re.compile(first + "".join(f"(?>.*?{part})" for part in middle) + f".*{last}", re.DOTALL)


def _literal(text: str) -> str:
    return ".".join(map(re.escape, text.split("?")))


# -- names -----------------------------------------------------------------------------------


def _name_matcher(parts: Sequence[str], is_fuzzy: bool, no_accents: bool) -> Matcher:
    """Case never counts in a name (PS3.4 C.2.2.2.1.1 leaves it to the SCP)."""
    no_accents = no_accents or is_fuzzy
    if is_fuzzy:
        questions = [_words(fold(part, no_accents)) for part in parts]
        asked = [[_pattern(word + "*") for word in words] for words in questions if words]

        def matches(name: str) -> bool:
            words = _words(fold(name[:_MAX_TEXT], no_accents))
            return any(all(any(map(p.fullmatch, words)) for p in patterns) for patterns in asked)

    else:
        find = _patterns([_name(fold(part, no_accents)) for part in parts])

        def matches(name: str) -> bool:
            name = fold(name[:_MAX_TEXT], no_accents)
            # the whole, or the alphabetic, ideographic or phonetic group alone
            return find(_name(name)) or ("=" in name and any(map(find, map(_name, _groups(name)))))

    return Matcher(lru_cache(maxsize=4096)(_any_of("PN", matches)))


def _words(name: str) -> list[str]:
    return [word for word in _WORDS.split(name) if word]


def _groups(name: str) -> list[str]:
    return [group for group in name.split("=") if group]


def _name(text: str) -> str:
    """Return a name without the delimiters at the end of its groups (PS3.5 6.2)."""
    return "=".join(group.rstrip("^ ").strip(" ") for group in text.split("=")).rstrip("=")


# -- numbers ---------------------------------------------------------------------------------


def _number_matcher(parts: Sequence[str]) -> Matcher:
    wanted = [_number(part) for part in parts if part]
    if None in wanted:
        raise BadKey("not a number")

    def matches(text: str) -> bool:
        number = _number(text)
        return number is not None and number in wanted

    return Matcher(_any_of("IS", matches))


def _number(text: str) -> int | float | None:
    text = text.strip(" \0")
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)


# -- dates and times -------------------------------------------------------------------------


def _range_matcher(vr: str, parts: Sequence[str]) -> Matcher:
    ranges = [_range(vr, part) for part in parts if part]
    if not ranges:
        raise BadKey(f"no value of VR {vr}")

    def matches(text: str) -> bool:
        bounds = _bounds(vr, text.strip(" \0"))
        return bounds is not None and any(_is_within(bounds[0], each) for each in ranges)

    found = _any_of(vr, matches)
    if vr != "DA" or len(ranges) > 100:
        return Matcher(found)
    conditions, values = [], []
    for low, high in ranges:
        bounds = [("{0} >= ?", low), ("{0} <= ?", high)]
        if low == high:
            bounds = [("{0} = ?", low)]
        conditions.append(" AND ".join(part for part, value in bounds if value is not None))
        values += [value for _, value in bounds if value is not None]
    return Matcher(found, f"({' OR '.join(conditions)})", tuple(values))


def _is_within(value: str, bounds: Range) -> bool:
    low, high = bounds
    return (low is None or low <= value) and (high is None or value <= high)


def _range(vr: str, text: str) -> Range:
    """Return the first and last moment of a key, None where it is open.

    source  PS3.4 C.2.2.2.5; the hyphen of a DT may also begin an offset from UTC, and does where
            it can
    """
    if single := _bounds(vr, text):
        return single
    for match in re.finditer("-", text):
        first, last = text[: match.start()].rstrip(" "), text[match.end() :].lstrip(" ")
        low, high = _bounds(vr, first), _bounds(vr, last)
        if (first or last) and bool(first) == bool(low) and bool(last) == bool(high):
            return low and low[0], high and high[1]
    raise BadKey(f"neither a value nor a range of VR {vr}")


def _bounds(vr: str, text: str) -> tuple[str, str] | None:
    """Return the first and last moment that a value stands for, in a form that can be compared."""
    if vr == "DT":
        return _date_time_bounds(text)
    match = (_DATE if vr == "DA" else _TIME).fullmatch(text)
    if match is None:
        return None
    if vr == "DA":
        return "".join(match.groups()), "".join(match.groups())
    hour, minute, second, fraction = match.groups()
    return (
        f"{hour}{minute or '00'}{second or '00'}.{(fraction or '').ljust(6, '0')}",
        f"{hour}{minute or '59'}{second or '59'}.{(fraction or '').ljust(6, '9')}",
    )


def _date_time_bounds(text: str) -> tuple[str, str] | None:
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    *fields, fraction, offset = match.groups()
    year, month, day, hour, minute, second = (None if f is None else int(f) for f in fields)
    assert year is not None
    try:
        last_month = month or 12
        last_day = day or monthrange(year, last_month)[1]
        low = datetime(year, month or 1, day or 1, hour or 0, minute or 0, second or 0)
        high = datetime(
            year,
            last_month,
            last_day,
            23 if hour is None else hour,
            59 if minute is None else minute,
            59 if second is None else second,
        )
        # what has no offset is taken as it is
        shift = timedelta()
        if offset:
            shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
            shift = -shift if offset[0] == "+" else shift
        low, high = low + shift, high + shift
    except (ValueError, OverflowError):
        return None
    digits = fraction or ""
    return (
        f"{low:%Y%m%d%H%M%S}.{digits.ljust(6, '0')}",
        f"{high:%Y%m%d%H%M%S}.{digits.ljust(6, '9')}",
    )
