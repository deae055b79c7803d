"""Where the archive puts an object: the only place that makes a path of what a peer says.

    {PatientID}/{StudyInstanceUID}/{SOPInstanceUID}.dcm
    {StudyDate|date:%Y/%m}/{PatientID|hash:8}/{Modality|lower}-{SOPInstanceUID}.dcm

`{Keyword}` is a value of the object; functions after `|` take it one after the other. Then it is
cleaned: all it can do is to be another name in the place where it stands, or a part of one. It
has no separator, no control character and no leading dot, and it is bounded. What is empty is
"unknown".
"""

from __future__ import annotations

import hashlib
import re
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from operator import attrgetter

from pacs_cli.archive.attributes import KEYWORDS
from pacs_cli.archive.rows import InstanceRow
from pacs_cli.errors import MalformedDataset, UsageError, nearest

DEFAULT_TEMPLATE = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"

#: What ends the name of every object, and by which it is found again.
SUFFIX = ".dcm"

#: Of one SOP instance UID, each with a name of its own. Far more often than anyone corrects one.
MAX_VERSIONS = 999

_UID = re.compile(r"[0-9][0-9.]{0,63}")
_UNKNOWN = "unknown"

#: Bytes of one name: what ext4, XFS, NTFS and APFS have in common.
_MAX_NAME = 255
#: Bytes of the whole below the root; the root itself may have as many and more.
_MAX_PATH = 1024
#: Bytes of a value; a UID is whole then. Shorter where the VR is (PS3.5 table 6.2-1).
_MAX_VALUE = 64
_SHORTER = {
    **dict.fromkeys(("StudyDate", "PatientBirthDate"), 10),
    **dict.fromkeys(("InstanceNumber", "SeriesNumber"), 12),
    **dict.fromkeys(("BodyPartExamined", "Modality", "PatientSex", "StudyTime"), 16),
    "CallingAETitle": 16,
}

_FIELD = re.compile(r"\{([^{}]*)\}")
#: Two parts of a path, or none to some system.
_BAD = re.compile(r'[\0-\x1f\x7f\\:*?"<>|{}]')
_VERSION = re.compile(r"\.v([1-9][0-9]{0,2})\.dcm$")

#: Of every script the letters, marks and digits stay, and of the rest these: no shell has a
#: meaning for them.
_KEPT = frozenset("-_.^+=@,")
_ENCODING = sys.getfilesystemencoding()

#: Windows opens a device under these names, whatever follows the first dot.
_DEVICE = re.compile(r"(?<![^/])(?=(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])(?![^./]))", re.I)

#: What every path must be in the end: names that do not begin with a dot, and single slashes.
_INSIDE = re.compile(r"(?:(?!\.)[^\0-\x1f\x7f\\/]+/)*(?!\.)[^\0-\x1f\x7f\\/]+")

_DATE = re.compile(r"([0-9]{4})\.?(0[1-9]|1[0-2])\.?(0[1-9]|[12][0-9]|3[01])")
_DATE_DIRECTIVE = re.compile(r"%(.?)")

_HIERARCHY = {
    "StudyInstanceUID": attrgetter("study_instance_uid"),
    "SeriesInstanceUID": attrgetter("series_instance_uid"),
    "SOPInstanceUID": attrgetter("sop_instance_uid"),
}
_OTHERS = {
    "SOPClassUID": attrgetter("sop_class_uid"),
    "TransferSyntaxUID": attrgetter("transfer_syntax_uid"),
    "CallingAETitle": attrgetter("source_ae_title"),
}

_Function = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Field:
    """What stands between braces: a value, and whether it is a UID of the hierarchy as it is."""

    keyword: str
    value: Callable[[InstanceRow], str]
    is_uid: bool
    longest: int


_Part = str | _Field


class Layout:
    """A template that gives every object a name of its own.

    template  with `.dcm` at its end, which is added where it is missing
    raises    UsageError naming what is wrong, and the nearest known word
    """

    def __init__(self, template: str = DEFAULT_TEMPLATE) -> None:
        self.template = template if template.endswith(SUFFIX) else template + SUFFIX
        try:
            names = _names(self.template)
            _check_unique(names)
        except ValueError as error:
            raise UsageError(f"cannot use the layout {template!r}: {error}") from None
        fields = [part for name in names for part in name if isinstance(part, _Field)]
        self._values = tuple(field.value for field in fields)
        self._format = "/".join(
            "".join("%s" if isinstance(part, _Field) else part.replace("%", "%%") for part in name)
            for name in names
        )
        #: made of UIDs, which are digits, so that no name can mean anything else
        self._is_plain = all(field.is_uid for field in fields) and all(
            isinstance(name[0], _Field) for name in names
        )

    def place(self, row: InstanceRow, version: int = 1) -> str:
        """Return where an object lies below the archive's root; nothing else makes such a path.

        Different SOP instance UIDs never get the same one, nor do different versions.

        row     all of it but its `path`, which is not looked at
        raises  MalformedDataset when one of its three UIDs is none of digits and dots (PS3.5 9.1)
        """
        _check_uids(row)
        path = self._format % tuple([value(row) for value in self._values])
        if not self._is_plain:
            # only a version may be named like one
            path = _DEVICE.sub("_", _VERSION.sub(r"_v\1.dcm", path))
        if version > 1:
            path = f"{path[: -len(SUFFIX)]}.v{version}{SUFFIX}"
        if not _INSIDE.fullmatch(path):
            raise MalformedDataset("its values make no usable path")
        return path


def version_of(path: str) -> int:
    """Return which version of its object a file is, going by its name."""
    found = _VERSION.search(path)
    return int(found[1]) if found else 1


def _check_uids(row: InstanceRow) -> None:
    is_uid = _UID.fullmatch
    if (
        is_uid(row.sop_instance_uid)
        and is_uid(row.series_instance_uid)
        and is_uid(row.study_instance_uid)
    ):
        return
    for keyword, get in _HIERARCHY.items():
        uid = get(row)
        if not uid:
            raise MalformedDataset(f"missing {keyword}")
        if not is_uid(uid):
            raise MalformedDataset(f"invalid {keyword}")


# -- values --------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _clean(value: str, longest: int) -> str:
    """Return a value as it may stand in a name, at most `longest` bytes."""
    text = "".join(map(_kept, unicodedata.normalize("NFC", value)))
    text = text.encode(_ENCODING, "replace").decode(_ENCODING).replace("?", "_")
    text = text.lstrip(".-")
    while len(text.encode(_ENCODING)) > longest:
        text = text[:-1]
    # Windows drops dots at the end
    return text.rstrip(".") or _UNKNOWN


def _kept(character: str) -> str:
    is_kept = (
        character.isalnum() or character in _KEPT or unicodedata.category(character) in ("Mn", "Mc")
    )
    return character if is_kept else "_"


@lru_cache(maxsize=4096)
def _hash(length: int, value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:length] if value else ""


def _date(directives: str, value: str) -> str:
    found = _DATE.fullmatch(value)
    if found is None:
        return ""
    parts = {"Y": found[1], "m": found[2], "d": found[3], "%": "%"}
    return _DATE_DIRECTIVE.sub(lambda each: parts[each[1]], directives)


def _slice(begin: int, end: int | None, value: str) -> str:
    return value[begin:end]


def _last(length: int, value: str) -> str:
    return value[-length:]


# -- templates -----------------------------------------------------------------------------------


def _names(template: str) -> list[list[_Part]]:
    """Return the parts of each name between slashes; raises ValueError."""
    names: list[list[_Part]] = [[]]
    for position, text in enumerate(_FIELD.split(_spread_dates(template))):
        if position % 2:
            names[-1].append(_field(text))
            continue
        if bad := _BAD.search(text):
            raise ValueError(f"{bad[0]!r} has no place there")
        first, *more = text.split("/")
        names[-1] += [first] if first else []
        names += [[each] if each else [] for each in more]
    for name in names:
        _check_name(name)
    if sum(map(_longest, names)) + len(names) > _MAX_PATH:
        raise ValueError(f"a path could be longer than {_MAX_PATH} bytes; leave out a value")
    return names


def _spread_dates(template: str) -> str:
    """Write `{X|date:%Y/%m}` as the two names that it makes, `{X|date:%Y}/{X|date:%m}`."""

    def spread(field: re.Match[str]) -> str:
        keyword, *functions = field[1].split("|")
        for position, function in enumerate(functions):
            name, _, argument = function.partition(":")
            if name == "date" and "/" in argument:
                before = "|".join((keyword, *functions[:position]))
                after = "".join(f"|{each}" for each in functions[position + 1 :])
                return "/".join(f"{{{before}|date:{each}{after}}}" for each in argument.split("/"))
        return field[0]

    return _FIELD.sub(spread, template)


def _check_name(name: list[_Part]) -> None:
    if not name:
        raise ValueError("a name between two slashes is empty; a path is relative")
    first, last = name[0], name[-1]
    if isinstance(first, str) and first[0] in ". ":
        raise ValueError(f"a name cannot begin with {first[0]!r}")
    if isinstance(last, str) and (last[-1] in ". " or _VERSION.search(last)):
        raise ValueError(f"a name cannot end in {last!r}")
    if _longest(name) > _MAX_NAME:
        raise ValueError(f"a name could be longer than {_MAX_NAME} bytes; use a hash or a slice")


def _longest(name: list[_Part]) -> int:
    """Return how many bytes a name may have; with "_" before and a version after it."""
    more = len(f"_.v{MAX_VERSIONS}")
    return more + sum(
        part.longest if isinstance(part, _Field) else len(part.encode()) for part in name
    )


def _field(text: str) -> _Field:
    keyword, *functions = (each.strip() for each in text.split("|"))
    if keyword in _HIERARCHY and not functions:
        return _Field(keyword, _HIERARCHY[keyword], True, _MAX_VALUE)
    get = _getter(keyword)
    longest = _SHORTER.get(keyword, _MAX_VALUE)
    chain = []
    for each in functions:
        function, longest = _function(each, longest)
        chain.append(function)
    bound = max(longest, len(_UNKNOWN))

    def value(row: InstanceRow) -> str:
        text = get(row)
        for function in chain:
            text = function(text)
        return _clean(text, bound)

    return _Field(keyword, value, False, bound)


def _getter(keyword: str) -> Callable[[InstanceRow], str]:
    if (get := _HIERARCHY.get(keyword) or _OTHERS.get(keyword)) is not None:
        return get
    column = KEYWORDS.get(keyword)
    if column is None:
        known = (*KEYWORDS, *_HIERARCHY, *_OTHERS)
        raise ValueError(f"unknown keyword {keyword!r}{_nearest(keyword, known)}")
    return lambda row: row.attributes.get(column, "")


def _function(text: str, longest: int) -> tuple[_Function, int]:
    """Return what a function does, and how many bytes it may make of `longest`."""
    name, _, argument = text.partition(":")
    make = _FUNCTIONS.get(name)
    if make is None:
        raise ValueError(f"unknown function {name!r}{_nearest(name, _FUNCTIONS)}")
    try:
        return make(argument, longest)
    except ValueError:
        raise ValueError(f"write {_USAGE[name]} where {text!r} stands") from None


def _number(text: str, least: int = 1) -> int:
    number = int(text)
    if not text.isdecimal() or not least <= number <= _MAX_VALUE:
        raise ValueError
    return number


def _make_hash(argument: str, _: int) -> tuple[_Function, int]:
    length = _number(argument) if argument else 16
    return partial(_hash, length), length


def _make_last(argument: str, longest: int) -> tuple[_Function, int]:
    return partial(_last, _number(argument)), longest


def _make_slice(argument: str, longest: int) -> tuple[_Function, int]:
    begin, end = argument.split(":")
    bounds = _number(begin or "0", 0), _number(end, 0) if end else None
    return partial(_slice, *bounds), longest


def _make_date(argument: str, _: int) -> tuple[_Function, int]:
    directives = _DATE_DIRECTIVE.findall(argument)
    if not directives or not set(directives) <= set("Ymd%") or _BAD.search(argument):
        raise ValueError
    # the longest that a directive makes is a year, of two more characters than itself
    return partial(_date, argument), min(2 * len(argument.encode()), _MAX_VALUE)


def _make_case(function: _Function, argument: str, longest: int) -> tuple[_Function, int]:
    if argument:
        raise ValueError
    return function, longest


_FUNCTIONS: dict[str, Callable[[str, int], tuple[_Function, int]]] = {
    "date": _make_date,
    "hash": _make_hash,
    "last": _make_last,
    "lower": partial(_make_case, str.lower),
    "slice": _make_slice,
    "upper": partial(_make_case, str.upper),
}
_USAGE = {
    "date": "date:%Y/%m, of %Y, %m and %d,",
    "hash": f"hash or hash:N, N from 1 to {_MAX_VALUE},",
    "last": f"last:N, N from 1 to {_MAX_VALUE},",
    "lower": "lower",
    "slice": f"slice:BEGIN:END, from 0 to {_MAX_VALUE},",
    "upper": "upper",
}


def _check_unique(names: Iterable[list[_Part]]) -> None:
    """Make sure that the SOP instance UID can be told from every path; raises ValueError."""
    if not any(_tells_uid(name) for name in names):
        raise ValueError(
            "no two objects may get one name: it needs {SOPInstanceUID} without a function, with "
            "other values of that name on one side only, and not parted by a digit or dot"
        )


def _tells_uid(name: list[_Part]) -> bool:
    places = [
        position
        for position, part in enumerate(name)
        if isinstance(part, _Field) and part.is_uid and part.keyword == "SOPInstanceUID"
    ]
    return any(_tells_at(name, position) for position in places)


def _tells_at(name: list[_Part], position: int) -> bool:
    before, after = name[:position], name[position + 1 :]
    if not _has_value(before):
        return not _has_value(after) or _parts(after[0], 0)
    return not _has_value(after) and _parts(before[-1], -1)


def _has_value(parts: list[_Part]) -> bool:
    return any(isinstance(part, _Field) for part in parts)


def _parts(part: _Part, end: int) -> bool:
    """Whether a character that is in no UID stands at that end."""
    return isinstance(part, str) and part[end] not in "0123456789."


def _nearest(word: str, known: Collection[str]) -> str:
    return nearest(word, known) or f"; known are {', '.join(known)}"
