"""The archive's index: patient, study, series and instance rows in SQLite (WAL)."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pacs_cli.errors import OutputError

#: Scripts that lead from each version to the next; `PRAGMA user_version` counts those applied.
_MIGRATIONS = ("schema.sql",)

#: Seconds to wait for a lock that somebody else holds, before the store is refused.
_BUSY_TIMEOUT = 5.0

#: Studies and series whose keys are remembered; far more than are received at the same time.
_CACHED_KEYS = 10_000

_PATIENT = ("patient_name", "patient_birth_date", "patient_sex")
_STUDY = (
    "study_date",
    "study_time",
    "accession_number",
    "study_id",
    "study_description",
    "referring_physician_name",
)
_SERIES = ("modality", "series_number", "series_description", "body_part_examined")
_INSTANCE = ("instance_number", "specific_character_set")


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """What the index keeps of one stored object.

    attributes  column -> text of the columns of all four levels, absent ones left out
    received    seconds since the epoch
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    size: int
    path: str
    source_ae_title: str
    received: float
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """One line of the listing: a series with the study and patient it belongs to."""

    patient_id: str
    patient_name: str | None
    study_instance_uid: str
    study_date: str | None
    study_description: str | None
    series_instance_uid: str
    modality: str | None
    series_description: str | None
    instances: int
    size: int


@dataclass(slots=True)
class _Waiting:
    row: InstanceRow
    is_done: bool = False
    is_new: bool = False
    error: str = field(default="")


class Index:
    """The index file, opened, migrated and ready. Any thread may call it.

    was_clean  whether it was closed in order the last time
    raises     OutputError when it cannot be used; sqlite3.DatabaseError when it is corrupt
    """

    def __init__(self, path: Path, is_durable: bool = True) -> None:
        self.path = path
        self._mutex = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._read_mutex = threading.Lock()
        self._patients: dict[tuple[str, str], int] = {}
        self._studies: dict[str, int] = {}
        self._series: dict[str, int] = {}
        self._writer = self._connect()
        try:
            self._prepare(is_durable)
            self._reader = self._connect()
        except sqlite3.Error as error:
            self._writer.close()
            if isinstance(error, sqlite3.OperationalError):
                raise OutputError(f"cannot use {path} as an index: {error}") from None
            raise
        except OutputError:
            self._writer.close()
            raise

    def add(self, row: InstanceRow) -> bool:
        """Commit a row; return False when there is one for that SOP instance already.

        Rows of threads that call at the same time are committed together, by whichever comes
        first. raises OutputError when the row could not be committed.
        """
        waiting = _Waiting(row)
        self._waiting.append(waiting)
        with self._mutex:
            if not waiting.is_done:
                self._commit([self._waiting.popleft() for _ in range(len(self._waiting))])
        if waiting.error:
            raise OutputError(waiting.error)
        return waiting.is_new

    def find_path(self, sop_instance_uid: str) -> str | None:
        """Return where an object lies below the archive's root, None when there is none."""
        query = "SELECT path FROM instance WHERE sop_instance_uid = ?"
        rows = self._read(query, (sop_instance_uid,))
        return str(rows[0][0]) if rows else None

    def counts(self) -> tuple[int, int, int, int]:
        """Return the numbers of patients, studies, series and instances."""
        tables = ("patient", "study", "series", "instance")
        columns = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
        (row,) = self._read(f"SELECT {columns}")
        return row[0], row[1], row[2], row[3]

    def tree(self) -> list[SeriesEntry]:
        """Return every series with its study and patient, in their order."""
        rows = self._read(
            "SELECT patient_id, patient_name, study_instance_uid, study_date, study_description,"
            " series_instance_uid, modality, series_description, count(*), sum(size)"
            " FROM patient JOIN study ON study.patient = patient.id"
            " JOIN series ON series.study = study.id JOIN instance ON instance.series = series.id"
            " GROUP BY series.id ORDER BY patient_id, study_date, study.id, series.id"
        )
        return [SeriesEntry(*row) for row in rows]

    def paths(self) -> Iterator[tuple[str, str]]:
        """Yield SOP instance UID and path of every row."""
        last = 0
        query = (
            "SELECT id, sop_instance_uid, path FROM instance WHERE id > ? ORDER BY id LIMIT 10000"
        )
        while rows := self._read(query, (last,)):
            yield from ((uid, path) for _, uid, path in rows)
            last = rows[-1][0]

    def remove(self, sop_instance_uid: str) -> None:
        """Delete the row of an object whose file is gone."""
        with self._mutex:
            self._writer.execute(
                "DELETE FROM instance WHERE sop_instance_uid = ?", (sop_instance_uid,)
            )
            self._writer.commit()

    def close(self) -> None:
        """Note that all is in order, fold the WAL into the file, close it."""
        with self._mutex, self._read_mutex:
            self._reader.close()
            try:
                self._writer.execute("UPDATE state SET is_clean = 1")
                self._writer.commit()
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise OutputError(f"cannot close the index {self.path}: {error}") from None
            finally:
                self._writer.close()

    # -- inside ------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(
                self.path, timeout=_BUSY_TIMEOUT, check_same_thread=False, isolation_level=None
            )
        except sqlite3.OperationalError as error:
            raise OutputError(f"cannot open the index {self.path}: {error}") from None

    def _prepare(self, is_durable: bool) -> None:
        writer = self._writer
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'OFF'}")
        writer.execute("PRAGMA foreign_keys = ON")
        (problem,) = writer.execute("PRAGMA quick_check(1)").fetchone()
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        (version,) = writer.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise OutputError(
                f"the index {self.path} has version {version}, this pacs knows up to "
                f"{len(_MIGRATIONS)}; use the newer pacs that made it"
            )
        for number in range(version, len(_MIGRATIONS)):
            script = Path(__file__).with_name(_MIGRATIONS[number]).read_text()
            writer.executescript(f"BEGIN; {script}; PRAGMA user_version = {number + 1}; COMMIT")
        (self.was_clean,) = writer.execute("SELECT is_clean FROM state").fetchone()
        writer.execute("UPDATE state SET is_clean = 0")

    def _read(self, query: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        with self._read_mutex:
            try:
                return self._reader.execute(query, parameters).fetchall()
            except sqlite3.Error as error:
                raise OutputError(f"cannot read the index {self.path}: {error}") from None

    def _commit(self, group: list[_Waiting]) -> None:
        writer = self._writer
        try:
            writer.execute("BEGIN IMMEDIATE")
            for waiting in group:
                waiting.is_new = self._insert(waiting.row)
            writer.execute("COMMIT")
        except sqlite3.Error as error:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            self._forget()
            for waiting in group:
                waiting.error = f"cannot write the index {self.path}: {error}"
        for waiting in group:
            waiting.is_done = True

    def _insert(self, row: InstanceRow) -> bool:
        key = self._series.get(row.series_instance_uid)
        if key is None:
            key = self._series_key(row)
        columns = ", ".join(_INSTANCE)
        cursor = self._writer.execute(
            "INSERT INTO instance (series, sop_instance_uid, sop_class_uid, transfer_syntax_uid,"
            f" size, path, source_ae_title, received, {columns})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                key,
                row.sop_instance_uid,
                row.sop_class_uid,
                row.transfer_syntax_uid,
                row.size,
                row.path,
                row.source_ae_title,
                row.received,
                *(row.attributes.get(name) for name in _INSTANCE),
            ),
        )
        return cursor.rowcount == 1

    def _series_key(self, row: InstanceRow) -> int:
        """Return the key of the row's series, made with its study and patient when new."""
        if len(self._series) >= _CACHED_KEYS:
            self._forget()
        attributes = row.attributes
        identity = (attributes.get("patient_id", ""), attributes.get("issuer_of_patient_id", ""))
        patient = self._patients.get(identity)
        if patient is None:
            names = {"patient_id": identity[0], "issuer_of_patient_id": identity[1]}
            patient = self._key("patient", names, _PATIENT, attributes)
            self._patients[identity] = patient
        study = self._studies.get(row.study_instance_uid)
        if study is None:
            # a study stays with the patient of its first object
            names = {"study_instance_uid": row.study_instance_uid}
            study = self._key("study", names, _STUDY, attributes, patient=patient)
            self._studies[row.study_instance_uid] = study
        names = {"series_instance_uid": row.series_instance_uid}
        series = self._key("series", names, _SERIES, attributes, study=study)
        self._series[row.series_instance_uid] = series
        return series

    def _key(
        self,
        table: str,
        unique: Mapping[str, str],
        columns: tuple[str, ...],
        attributes: Mapping[str, str],
        **parent: int,
    ) -> int:
        where = " AND ".join(f"{name} = ?" for name in unique)
        found = self._writer.execute(
            f"SELECT id FROM {table} WHERE {where}",
            tuple(unique.values()),
        ).fetchone()
        if found:
            return int(found[0])
        values: dict[str, object] = {**unique, **parent}
        values |= {name: attributes.get(name) for name in columns}
        marks = ", ".join("?" * len(values))
        cursor = self._writer.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})",
            tuple(values.values()),
        )
        return int(cursor.lastrowid or 0)

    def _forget(self) -> None:
        """Drop the remembered keys: some may belong to a transaction that was rolled back."""
        self._patients.clear()
        self._studies.clear()
        self._series.clear()
