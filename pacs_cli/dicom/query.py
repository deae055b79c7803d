"""Queries: the information models, their levels, and the identifier that asks at one of them.

source  PS3.4 Annex C (query/retrieve) and Annex K (worklist)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from pacs_cli.dicom.dataset import Dataset
from pacs_cli.dicom.identifier import CHARACTER_SET, label, quietly
from pacs_cli.dicom.json_model import name_at, text_at
from pacs_cli.dicom.keys import keyword_of, parse_key, put, vr_of
from pacs_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from pacs_cli.dicom.dataset import AnyDataset

_LEVEL_TAG = 0x00080052


class Level(StrEnum):
    """A level of query/retrieve (PS3.4 C.3), as QueryRetrieveLevel has it; a worklist has one."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"
    WORKLIST = "WORKLIST"


class Model(Enum):
    """An information model; its value is what it is called."""

    PATIENT_ROOT = "patient root"
    STUDY_ROOT = "study root"
    PATIENT_STUDY_ONLY = "patient/study only"
    WORKLIST = "worklist"

    @property
    def sop_class_uid(self) -> str:
        """The SOP class of its C-FIND (PS3.6 A)."""
        return _SOP_CLASSES[self]

    @property
    def move_sop_class_uid(self) -> str:
        """The SOP class of its C-MOVE; a worklist has none."""
        return self.sop_class_uid.removesuffix(".1") + ".2"

    @property
    def get_sop_class_uid(self) -> str:
        """The SOP class of its C-GET; a worklist has none."""
        return self.sop_class_uid.removesuffix(".1") + ".3"

    @property
    def levels(self) -> tuple[Level, ...]:
        """Its levels, the topmost first."""
        return _LEVELS[self]


_SOP_CLASSES = {
    Model.PATIENT_ROOT: "1.2.840.10008.5.1.4.1.2.1.1",
    Model.STUDY_ROOT: "1.2.840.10008.5.1.4.1.2.2.1",
    Model.PATIENT_STUDY_ONLY: "1.2.840.10008.5.1.4.1.2.3.1",
    Model.WORKLIST: "1.2.840.10008.5.1.4.31",
}
_LEVELS = {
    Model.PATIENT_ROOT: (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE),
    Model.STUDY_ROOT: (Level.STUDY, Level.SERIES, Level.IMAGE),
    Model.PATIENT_STUDY_ONLY: (Level.PATIENT, Level.STUDY),
    Model.WORKLIST: (Level.WORKLIST,),
}
#: The unique key of each level (PS3.4 C.6.1.1 and C.6.2.1).
UNIQUE_KEYS = {
    Level.PATIENT: 0x00100020,
    Level.STUDY: 0x0020000D,
    Level.SERIES: 0x0020000E,
    Level.IMAGE: 0x00080018,
}

#: What is returned unless told otherwise, in the order in which it is shown. Required keys, and
#: the optional ones that every archive of the field knows.
_PATIENT_DEFAULTS = "PatientName PatientID PatientBirthDate PatientSex"
_DEFAULTS = {
    Level.PATIENT: f"{_PATIENT_DEFAULTS} NumberOfPatientRelatedStudies",
    Level.STUDY: "StudyDate StudyTime AccessionNumber ModalitiesInStudy StudyDescription StudyID "
    "NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances StudyInstanceUID",
    Level.SERIES: "SeriesNumber Modality BodyPartExamined SeriesDescription "
    "NumberOfSeriesRelatedInstances SeriesInstanceUID",
    Level.IMAGE: "InstanceNumber SOPClassUID SOPInstanceUID",
    Level.WORKLIST: f"{_PATIENT_DEFAULTS} AccessionNumber RequestedProcedureID "
    "RequestedProcedureDescription StudyInstanceUID "
    + " ".join(
        f"ScheduledProcedureStepSequence.{keyword}"
        for keyword in (
            "ScheduledProcedureStepStartDate",
            "ScheduledProcedureStepStartTime",
            "Modality",
            "ScheduledStationAETitle",
            "ScheduledPerformingPhysicianName",
            "ScheduledProcedureStepDescription",
            "ScheduledProcedureStepID",
        )
    ),
}

#: Attributes that are not at the study level, although their group does not tell (PS3.4 C.6.1.1);
#: those of group 0010 are the patient's.
_PATIENT_TAGS = frozenset({0x00201200, 0x00201202, 0x00201204})
_STUDY_TAGS = frozenset(
    {
        *(0x00080020, 0x00080030, 0x00080050, 0x00080061, 0x00080062, 0x00080090, 0x00081030),
        *(0x00081032, 0x00081048, 0x00081060, 0x00081080, 0x00101010, 0x00101020, 0x00101030),
        *(0x0020000D, 0x00200010, 0x00201206, 0x00201208),
    }
)
_SERIES_TAGS = frozenset(
    {
        *(0x00080021, 0x00080031, 0x00080060, 0x00080070, 0x0008103E, 0x00081050, 0x00081070),
        *(0x00081090, 0x00180015, 0x00181030, 0x0020000E, 0x00200011, 0x00200052, 0x00200060),
        *(0x00201209, 0x00400244, 0x00400245, 0x00400253, 0x00400275),
    }
)
_IMAGE_TAGS = frozenset(
    {
        *(0x00080008, 0x00080016, 0x00080018, 0x00080022, 0x00080023, 0x0008002A, 0x00080032),
        *(0x00080033, 0x00200012, 0x00200013, 0x00280008, 0x00280010, 0x00280011, 0x00280100),
    }
)

_SCHEDULED_DATE = "ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate"
_DATE = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})")
_UID = re.compile(r"[0-9.]{1,64}")
#: With wildcards, which the standard does not have here, some peers match all the same.
_UID_KEY = re.compile(r"|[0-9.*?]{1,64}(\\[0-9.*?]{1,64})*")
_DATE_KEY = re.compile(r"\*?|[0-9]{8}|[0-9]{8}-|-[0-9]{8}|[0-9]{8}-[0-9]{8}")


@dataclass(frozen=True, slots=True)
class Request:
    """One C-FIND.

    identifier  labelled with its character set, ready to be written
    columns     what to show of an answer, in order: paths of tags
    """

    level: Level
    identifier: AnyDataset
    columns: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for, and how to ask for it.

    asked          without defaults, level and character set
    level          where to begin
    character_set  "" for what the values need
    has_defaults   whether the default return keys are added
    drills         whether the levels below are asked as well, each for what it has of `asked`
    """

    model: Model
    asked: AnyDataset
    level: Level
    character_set: str = ""
    has_defaults: bool = True
    drills: bool = False

    def first(self) -> Request:
        """Return the request to begin with; UsageError when the character set does not fit."""
        return self._request(self.level, {})

    def below(self, request: Request, match: AnyDataset) -> Request | None:
        """Return the request for what a match has below it, None at the lowest level.

        raises  InputError when the match lacks its unique key
        """
        levels = self.model.levels
        position = levels.index(request.level) + 1
        if position == len(levels):
            return None
        uniques = {}
        for level in levels[:position]:
            tag = UNIQUE_KEYS[level]
            uniques[tag] = value = text_at(match, [tag])
            if not is_single(tag, value):
                raise InputError(f"the peer's answer has no {keyword_of(tag)} to ask with")
        return self._request(levels[position], uniques)

    def columns(self) -> tuple[tuple[int, ...], ...]:
        """Return the columns of all levels that are to be asked, each once."""
        levels = self.model.levels[self.model.levels.index(self.level) :]
        asked = levels if self.drills else levels[:1]
        return tuple(
            dict.fromkeys(path for level in asked for path in self._request(level, {}).columns)
        )

    def complete(self, request: Request, match: AnyDataset) -> None:
        """Give a match the unique keys of the levels above that the peer has left out.

        They are those it was asked with, so they are known all the same.
        """
        levels = self.model.levels
        for level in levels[: levels.index(request.level)]:
            tag = UNIQUE_KEYS[level]
            value = text_at(request.identifier, [tag])
            if not text_at(match, [tag]) and is_single(tag, value):
                put(match, parse_key(f"{tag:08X}={value}"))

    def remarks(self, is_relational: bool = False) -> Iterator[str]:
        """Yield what a peer may not like about the query, or will not understand as it is meant."""
        levels = self.model.levels
        above = levels[: levels.index(self.level)]
        for level in above:
            value = text_at(self.asked, [UNIQUE_KEYS[level]])
            if not is_relational and not is_single(UNIQUE_KEYS[level], value):
                name = keyword_of(UNIQUE_KEYS[level])
                yield (
                    f"a query at {self.level} level without one {name} is relational; "
                    f"write -k {name}=..., or --relational"
                )
        for element in self.asked:
            level_of_tag = level_of(element.tag)
            is_below = level_of_tag in levels and level_of_tag not in (*above, self.level)
            if is_below and not self.drills:
                yield (
                    f"{keyword_of(element.tag)} is of the {level_of_tag} level, below the "
                    f"{self.level} level that is asked; not every peer heeds it"
                )
        for path in dict.fromkeys(_leaves(self.asked)):
            text = text_at(self.asked, path)
            if vr_of(path[-1], text) == "UI" and not _UID_KEY.fullmatch(text):
                yield (
                    f"{name_at(path)} is no UID, so nothing should match: digits and dots, at most "
                    "64, several with a backslash between them"
                )
            if vr_of(path[-1], text) == "DA" and not _DATE_KEY.fullmatch(text):
                yield (
                    f"{name_at(path)} is neither a date nor a range; write YYYYMMDD, "
                    "YYYYMMDD-, -YYYYMMDD or YYYYMMDD-YYYYMMDD"
                )

    def _request(self, level: Level, uniques: Mapping[int, str]) -> Request:
        identifier = type(self.asked)()
        # pydicom has something to say of a value that is copied and none of its VR, as a wildcard
        with nullcontext() if isinstance(self.asked, Dataset) else quietly():
            for element in self.asked:
                if not self.drills or self._place_of(element.tag) is level:
                    # what is put into its items must not stay there
                    identifier.add(deepcopy(element))  # type: ignore[arg-type] # of the same kind
        for tag, value in uniques.items():
            put(identifier, parse_key(f"{tag:08X}={value}"))
        defaults = self._return_keys(level)
        for text in defaults:
            put(identifier, parse_key(text), is_default=True)
        columns = _columns(identifier, defaults)
        if level is not Level.WORKLIST:
            put(identifier, parse_key(f"{_LEVEL_TAG:08X}={level}"))
        label(identifier, self.character_set)
        return Request(level, identifier, columns)

    def _return_keys(self, level: Level) -> list[str]:
        """Return what is to come back: the defaults if wanted, and the unique keys in any case."""
        levels = self.model.levels
        texts = _DEFAULTS[level].split() if self.has_defaults else []
        if self.has_defaults and level is Level.STUDY and level is levels[0]:
            # the patient's attributes are at the study level of this model (PS3.4 C.6.2.1)
            texts = [*texts[:3], *_PATIENT_DEFAULTS.split(), *texts[3:]]
        above = levels[: levels.index(level) + 1]
        uniques = [keyword_of(UNIQUE_KEYS[each]) for each in above if each in UNIQUE_KEYS]
        return list(dict.fromkeys([*texts, *uniques]))

    def _place_of(self, tag: int) -> Level:
        """Return the level at which an attribute is asked for when all of them are."""
        levels = self.model.levels
        level = level_of(tag)
        if level not in levels or levels.index(level) < levels.index(self.level):
            return self.level
        return level


def make_query(
    model: Model,
    asked: AnyDataset,
    level: str | None = None,
    character_set: str = "",
    drills: bool = False,
) -> Query:
    """Return a query for what is asked, with the default return keys.

    asked          may name a level and a character set itself, as a query file does
    level          as typed; by default the lowest of what is asked, or the highest to drill from
    character_set  as typed
    raises         UsageError when the model has no such level
    """
    from pacs_cli.dicom.identifier import parse_character_set

    if drills and len(model.levels) == 1:
        raise UsageError(f"a {model.value} has one level, and nothing below a match")
    own_level, own_set = text_at(asked, [_LEVEL_TAG]), text_at(asked, [CHARACTER_SET])
    for tag in (_LEVEL_TAG, CHARACTER_SET):
        if tag in asked:
            del asked[tag]
    if level and own_level and level.upper() != own_level.upper():
        raise UsageError(f"two levels: --level {level} and QueryRetrieveLevel={own_level}")
    character_set = character_set or own_set
    return Query(
        model,
        asked,
        _level(model, asked, level or own_level, drills),
        parse_character_set(character_set) if character_set else "",
        drills=drills,
    )


def level_of(tag: int) -> Level | None:
    """Return the level of an attribute; None when it can be asked for at any."""
    if tag in _STUDY_TAGS:
        return Level.STUDY
    if tag in _SERIES_TAGS:
        return Level.SERIES
    if tag in _IMAGE_TAGS:
        return Level.IMAGE
    return Level.PATIENT if tag >> 16 == 0x0010 or tag in _PATIENT_TAGS else None


def ask_for_dates(model: Model, asked: AnyDataset, range_text: str) -> None:
    """Have a query match a range of study dates, or of scheduled dates in a worklist.

    raises  UsageError when it asks for a date already
    """
    key = parse_key(f"{_SCHEDULED_DATE if model is Model.WORKLIST else 'StudyDate'}={range_text}")
    if text_at(asked, [*(each for each, _ in key.path), key.tag]):
        raise UsageError(f"two ranges of dates: {key.name} is asked for already")
    put(asked, key)


def date_range(since: str | None, before: str | None, today: date | None) -> str:
    """Return the range from `since` on up to the day before `before`, or `today`, "" without any.

    raises  UsageError when there is no such day, or none between them
    source  PS3.4 C.2.2.2.5
    """
    if today is not None:
        if since or before:
            raise UsageError("--today is a range of its own; leave out --since and --before")
        return f"{today:%Y%m%d}"
    if not since and not before:
        return ""
    first = _day(since, "--since") if since else None
    last = _day(before, "--before") - timedelta(1) if before else None
    if first and last and last < first:
        raise UsageError(f"no day is since {since} and before {before}")
    if first == last:
        return f"{first:%Y%m%d}"
    return "-".join(f"{day:%Y%m%d}" if day else "" for day in (first, last))


def _level(model: Model, asked: AnyDataset, name: str, drills: bool) -> Level:
    levels = model.levels
    if name:
        if name.upper() not in levels:
            choices = ", ".join(level.lower() for level in levels)
            raise UsageError(f"level {name}: the {model.value} model has {choices}")
        return Level(name.upper())
    found = {level_of(element.tag) for element in asked} & set(levels)
    if drills or not found:
        return levels[0]
    return max((level for level in found if level), key=levels.index)


def is_single(tag: int, value: str) -> bool:
    """Whether a value of a unique key is one, and stands for nothing but itself."""
    if tag == UNIQUE_KEYS[Level.PATIENT]:
        return bool(value) and value.isprintable() and not set(value) & set("\\*?")
    return _UID.fullmatch(value) is not None


def _columns(identifier: AnyDataset, defaults: list[str]) -> tuple[tuple[int, ...], ...]:
    """Return the paths of all leaves of an identifier, the defaults first and in their order."""
    order: dict[tuple[int, ...], int] = {}
    for text in defaults:
        key = parse_key(text)
        order[(*(tag for tag, _ in key.path), key.tag)] = len(order)
    paths = list(dict.fromkeys(_leaves(identifier)))
    return tuple(sorted(paths, key=lambda path: order.get(path, len(order))))


def _leaves(dataset: AnyDataset) -> Iterator[tuple[int, ...]]:
    for element in dataset:
        items = list(element.value) if element.VR == "SQ" else []
        if not items:
            yield (int(element.tag),)
        for item in items:
            yield from ((int(element.tag), *path) for path in _leaves(item))


def column_names(columns: tuple[tuple[int, ...], ...]) -> list[str]:
    """Return a name for each column: the keyword, with its sequences where two would be alike."""
    names = [name_at(path) for path in columns]
    return [
        name if names.count(name) == 1 else ".".join(name_at([tag]) for tag in path)
        for name, path in zip(names, columns, strict=True)
    ]


def _day(text: str, option: str) -> date:
    match = _DATE.fullmatch(text)
    try:
        if match:
            return date(int(match[1]), int(match[3]), int(match[4]))
    except ValueError:
        # no such day
        pass
    raise UsageError(f"{option} {text}: write a day as YYYY-MM-DD or YYYYMMDD")
