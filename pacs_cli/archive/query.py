"""Queries of the archive: C-FIND without a network, and what a C-MOVE or C-GET selects.

    engine = QueryEngine(index.connect, root)
    question = read_question(Model.STUDY_ROOT, identifier)          # a Dataset
    for answer in engine.find(question):                            # streamed, in one snapshot
        answer.encode("1.2.840.10008.1.2.1")                        # bytes; decode_identifier reads

`identifier` is what a C-FIND-RQ carries, QueryRetrieveLevel included (`dicom.query.make_query`
makes one of keys as they are typed: `make_query(...).first().identifier`). `Abilities` says what
was negotiated; offline `Abilities(is_relational=True)` asks at any level without the unique keys
above it. `index.flush()` first where objects are being received in the same process.

source  PS3.4 C.2.2, C.3, C.4.1 to C.4.3, C.6
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_cli.archive.answers import Answer, Output
from pacs_cli.archive.columns import (
    COLUMNS,
    FROM,
    PATH,
    Column,
    is_at_or_above,
)
from pacs_cli.archive.extras import (
    Extra,
    extra_of,
    is_creator,
    matches_all,
    read_extras,
    reduced,
)
from pacs_cli.archive.matching import (
    BadKey,
    Matcher,
    date_time_matcher,
    is_universal,
    matcher_for,
)
from pacs_cli.dicom.identifier import CHARACTER_SET
from pacs_cli.dicom.json_model import text_at
from pacs_cli.dicom.keys import keyword_of
from pacs_cli.dicom.query import UNIQUE_KEYS, Level, Model, level_of
from pacs_cli.errors import OutputError
from pacs_cli.services.serving import QueryRefused

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_LEVEL = 0x00080052
_RETRIEVE_AE_TITLE, _AVAILABILITY = 0x00080054, 0x00080056
_TIMEZONE = 0x00080201
_STUDY_DATE, _STUDY_TIME = 0x00080020, 0x00080030
#: Of the identifier itself, or answered by us: never looked for in a file.
_OWN = frozenset({CHARACTER_SET, _LEVEL, _RETRIEVE_AE_TITLE, _AVAILABILITY, _TIMEZONE})

DOES_NOT_MATCH_SOP_CLASS = 0xA900
UNABLE_TO_PROCESS = 0xC000
OUT_OF_RESOURCES = 0xA700

#: Steps of SQLite's machine between two looks at whether to go on: some milliseconds.
_STEPS = 200_000
#: Files that one query may have opened for keys that the index has not.
_MAX_FILES = 200_000
#: Rows that are read at a time of what is retrieved.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Abilities:
    """What was negotiated for a query, and how names are compared (PS3.4 C.5.1.1).

    is_relational   unique keys of the levels above may be missing
    has_date_time   a range of StudyDate and one of StudyTime are one range
    is_fuzzy        names are matched by the beginnings of their words
    no_accents      in names marks on letters do not count
    """

    is_relational: bool = False
    has_date_time: bool = False
    is_fuzzy: bool = False
    no_accents: bool = False


@dataclass(slots=True)
class Question:
    """A query that was understood.

    outputs    the attributes of an answer that the index has, `columns` their SQL
    extras     those it has not
    has_unsupported_keys  whether a key is not matched, or not returned (PS3.4 C.4.1.1.4, FF01)
    """

    model: Model
    level: Level
    columns: list[str] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)
    functions: list[Callable[..., bool]] = field(default_factory=list)
    has_unsupported_keys: bool = False

    def ask(self, condition: str, values: Sequence[object]) -> None:
        """Have the rows fulfil one more condition."""
        self.conditions.append(condition)
        self.values += values

    def ask_matcher(self, column: Column, matcher: Matcher) -> None:
        """Have the rows match a key."""
        name = column.inner or column.expression
        if matcher.condition:
            condition, values = matcher.condition.format(name), matcher.values
        else:
            condition, values = f"{self.function(matcher.matches)}({name})", ()
        self.ask(column.related.format(condition) if column.related else condition, values)

    def function(self, matches: Callable[..., bool]) -> str:
        """Return the name under which SQL calls what matches a text."""
        self.functions.append(matches)
        return f"matches_{len(self.functions)}"

    def where(self) -> str:
        """Return the WHERE clause."""
        return " WHERE " + " AND ".join(self.conditions) if self.conditions else ""


@dataclass(frozen=True, slots=True)
class Held:
    """One stored object; `path` is below the archive's root."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    path: str
    study_instance_uid: str = ""
    patient_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a retrieve is of.

    ids       of the rows, so that the index need not stand still while the objects are sent
    contexts  SOP class and transfer syntax of all of them, each pair once
    """

    ids: array[int]
    contexts: tuple[tuple[str, str], ...]


def read_question(
    model: Model, identifier: Dataset, abilities: Abilities = Abilities(), ae_title: str = ""
) -> Question:
    """Return what an identifier asks for.

    ae_title  from which it can be retrieved; "" leaves it out
    raises    QueryRefused: A900 for a level the model does not have or a missing unique key, C000
              for a value that none of its VR can be
    source    PS3.4 C.4.1.1.3, C.4.1.2.1 (hierarchical), C.4.1.2.2 (relational)
    """
    level = _level_of(model, identifier)
    if not abilities.is_relational:
        _check_uniques(model, level, identifier, at_level=False)
    question = Question(model, level)
    _add(question, _LEVEL, "CS", level)
    if ae_title:
        _add(question, _RETRIEVE_AE_TITLE, "AE", ae_title)
    if _AVAILABILITY in identifier:
        _add(question, _AVAILABILITY, "CS", "ONLINE")
    is_combined = abilities.has_date_time and _combine(question, identifier)
    for element in identifier:
        tag = int(element.tag)
        if tag in _OWN or tag & 0xFFFF == 0:
            continue
        try:
            _ask(question, identifier, tag, abilities, is_combined)
        except BadKey as error:
            raise QueryRefused(UNABLE_TO_PROCESS, f"{keyword_of(tag)}: {error}", (tag,)) from None
    question.outputs.sort(key=lambda output: output.tag)
    return question


def read_selection(
    model: Model, identifier: Dataset, abilities: Abilities = Abilities()
) -> Question:
    """Return what the identifier of a C-MOVE or C-GET is of: its unique keys, and nothing else.

    raises  QueryRefused
    source  PS3.4 C.4.2.1.4, C.4.2.2.1 (hierarchical), C.4.2.2.2 (relational)
    """
    level = _level_of(model, identifier)
    if not abilities.is_relational:
        _check_uniques(model, level, identifier, at_level=False)
    _check_uniques(model, level, identifier, at_level=True)
    question = Question(model, Level.IMAGE)
    levels = model.levels
    for each in levels[: levels.index(level) + 1]:
        tag = UNIQUE_KEYS[each]
        text = text_at(identifier, [tag])
        if text.strip(" \0"):
            question.ask_matcher(COLUMNS[tag], matcher_for("UI", text))
    return question


class QueryEngine:
    """Answers questions from an index and its files. Any thread may call it.

    connect   returns a connection to the index; each question has one of its own
    root      the folder of the archive
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], root: Path) -> None:
        self._connect = connect
        self._root = root

    def find(
        self, question: Question, is_cancelled: Callable[[], bool] = lambda: False
    ) -> Generator[Answer]:
        """Yield the matches as they are found, all of one state of the index; to be closed.

        is_cancelled  looked at every few milliseconds: the answers end when it is true
        raises        QueryRefused A700 when too many files would have to be read, OutputError when
                      the index cannot be read
        """
        needs_files = bool(question.extras)
        columns = [*question.columns, *([PATH[question.level]] if needs_files else [])]
        statement = (
            f"SELECT {', '.join(columns) or '1'} FROM {FROM[question.level]}{question.where()}"
        )
        files = 0
        with self._reading(question, is_cancelled) as connection:
            for row in connection.execute(statement, question.values):
                if not needs_files:
                    yield Answer(question.outputs, row)
                    continue
                files += 1
                if files > _MAX_FILES:
                    raise QueryRefused(OUT_OF_RESOURCES, "too many files to look into")
                if is_cancelled():
                    return
                stored = read_extras(self._root / (row[-1] or ""), question.extras)
                if matches_all(question.extras, stored):
                    extras = [
                        (each.tag, each.vr, reduced(each, stored)) for each in question.extras
                    ]
                    yield Answer(question.outputs, row, extras)

    def select(
        self, question: Question, is_cancelled: Callable[[], bool] = lambda: False
    ) -> Selection:
        """Return all objects of a question of `read_selection`; raises OutputError.

        Of one that was cancelled it is any part.
        """
        table = f"FROM {FROM[Level.IMAGE]}{question.where()}"
        ids, contexts = array("q"), list[tuple[str, str]]()
        with self._reading(question, is_cancelled) as connection:
            for (number,) in connection.execute(f"SELECT instance.id {table}", question.values):
                ids.append(number)
            contexts = connection.execute(
                f"SELECT DISTINCT sop_class_uid, transfer_syntax_uid {table} ORDER BY 1, 2",
                question.values,
            ).fetchall()
        return Selection(ids, tuple(contexts))

    def held(self, selection: Selection) -> Iterator[Held | None]:
        """Yield each object of a selection, None for one that is gone; raises OutputError."""
        columns = "instance.id, sop_class_uid, sop_instance_uid, transfer_syntax_uid, path"
        for chunk, rows in self._chunks(selection, f"{columns}, study_instance_uid, patient_id"):
            found = {row[0]: Held(*row[1:]) for row in rows}
            yield from map(found.get, chunk)

    def studies(self, selection: Selection) -> Iterator[tuple[str, str, str, int]]:
        """Yield study, patient ID, SOP class and how many of a selection; raises OutputError."""
        columns = "study_instance_uid, patient_id, sop_class_uid"
        counted = f"{columns}, count(*)"
        for _, rows in self._chunks(selection, counted, f" GROUP BY {columns}"):
            yield from rows

    def _chunks(
        self, selection: Selection, columns: str, end: str = ""
    ) -> Iterator[tuple[array[int], list[Any]]]:
        """Yield some of the numbers of a selection, and the rows that there are of them."""
        for start in range(0, len(selection.ids), _CHUNK):
            chunk = selection.ids[start : start + _CHUNK]
            with self._reading(None, lambda: False) as connection:
                rows = connection.execute(
                    f"SELECT {columns} FROM {FROM[Level.IMAGE]}"
                    f" WHERE instance.id IN (SELECT value FROM json_each(?)){end}",
                    (json.dumps(chunk.tolist()),),
                ).fetchall()
            yield chunk, rows

    @contextmanager
    def _reading(
        self, question: Question | None, is_cancelled: Callable[[], bool]
    ) -> Iterator[sqlite3.Connection]:
        """Give a connection that only reads, and one state of the index; raises OutputError."""
        try:
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA query_only = ON")
                for number, matches in enumerate(question.functions if question else (), 1):
                    connection.create_function(
                        f"matches_{number}", -1, _safe(matches), deterministic=True
                    )
                connection.set_progress_handler(is_cancelled, _STEPS)
                yield connection
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise OutputError(f"cannot read the index: {error}") from None
        except sqlite3.Error as error:
            raise OutputError(f"cannot read the index: {error}") from None


def _safe(matches: Callable[..., bool]) -> Callable[..., bool]:
    """What has no value matches nothing but a universal key, which is not asked here."""

    def call(*texts: object) -> bool:
        return all(text is not None for text in texts) and matches(*map(str, texts))

    return call


def _level_of(model: Model, identifier: Dataset) -> Level:
    name = text_at(identifier, [_LEVEL]).strip(" \0").upper()
    for level in model.levels:
        if level == name:
            return level
    problem = f"no level {name[:16]}" if name else "no QueryRetrieveLevel"
    raise QueryRefused(DOES_NOT_MATCH_SOP_CLASS, problem, (_LEVEL,))


def _check_uniques(model: Model, level: Level, identifier: Dataset, at_level: bool) -> None:
    """Refuse unique keys that are not single values above the level, or not given at it.

    source  PS3.4 C.4.1.2.1 and C.4.2.2.1
    """
    levels = model.levels
    position = levels.index(level)
    for each in (level,) if at_level else levels[:position]:
        tag = UNIQUE_KEYS[each]
        text = text_at(identifier, [tag]).strip(" \0")
        # a list of UIDs only at the level that is retrieved
        is_list = "\\" in text and (not at_level or each is Level.PATIENT)
        if not text or is_list or set(text) & set("*?"):
            raise QueryRefused(
                DOES_NOT_MATCH_SOP_CLASS, f"{keyword_of(tag)} is to be one value", (tag,)
            )


def _combine(question: Question, identifier: Dataset) -> bool:
    """Ask for study date and time as one range, where both have a value.

    source  PS3.4 C.2.2.2.5
    """
    dates, times = (text_at(identifier, [tag]) for tag in (_STUDY_DATE, _STUDY_TIME))
    if is_universal("DA", dates) or is_universal("TM", times):
        return False
    try:
        matches = date_time_matcher(dates, times)
    except BadKey as error:
        raise QueryRefused(
            UNABLE_TO_PROCESS, f"StudyDate, StudyTime: {error}", (_STUDY_DATE, _STUDY_TIME)
        ) from None
    if matches is None:
        return False
    question.ask(f"{question.function(matches)}(study.study_date, study.study_time)", ())
    return True


def _ask(
    question: Question, identifier: Dataset, tag: int, abilities: Abilities, is_combined: bool
) -> None:
    """Take over one key of an identifier; raises BadKey."""
    column = COLUMNS.get(tag)
    if column is None:
        _ask_files(question, identifier, tag, abilities)
        return
    if not is_at_or_above(column.level, question.level):
        question.has_unsupported_keys = True
        return
    _add(question, tag, column.vr, column)
    text = text_at(identifier, [tag])
    if identifier[tag].VR == "SQ" or is_universal(column.vr, text):
        return
    if tag == _STUDY_TIME and is_combined:
        # the range of dates stays: it has an index
        return
    question.ask_matcher(
        column, matcher_for(column.vr, text, abilities.is_fuzzy, abilities.no_accents)
    )


def _ask_files(question: Question, identifier: Dataset, tag: int, abilities: Abilities) -> None:
    if is_creator(tag):
        # returned as it was asked: the block of the answer is that of the query
        _add(question, tag, "LO", text_at(identifier, [tag]))
        return
    extra = extra_of(identifier, tag, abilities.is_fuzzy, abilities.no_accents)
    level = level_of(tag)
    is_below = level in FROM and not is_at_or_above(level, question.level)
    if tag >> 16 >= 0x7FE0 or is_below or (tag & 0x10000 and not extra.creator):
        question.has_unsupported_keys = True
        return
    question.extras.append(extra)


def _add(question: Question, tag: int, vr: str, what: Column | str) -> None:
    """Have an attribute returned."""
    if isinstance(what, str):
        question.outputs.append(Output(tag, vr, constant=what))
        return
    question.outputs.append(Output(tag, vr, len(question.columns)))
    question.columns.append(what.expression)
