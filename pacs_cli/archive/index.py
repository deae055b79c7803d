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

#: A backup or a query of someone else's holds a lock for less; senders wait 30 s and more.
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

    busy_timeout  seconds to wait for a lock that somebody else holds, before a row is refused
    was_clean     whether it was closed in order the last time
    raises        OutputError when it cannot be used; sqlite3.DatabaseError when it is corrupt
    """

    def __init__(
        self, path: Path, is_durable: bool = True, busy_timeout: float = _BUSY_TIMEOUT
    ) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._is_trusted = True
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
        except UnicodeDecodeError:
            # so sqlite3 fails on a message that quotes a damaged schema
            self._writer.close()
            raise sqlite3.DatabaseError("the schema is damaged") from None
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
        """Delete the row of an object whose file is gone; raises OutputError."""
        with self._mutex:
            writer = self._writer
            try:
                writer.execute("BEGIN IMMEDIATE")
                deleted = writer.execute(
                    "DELETE FROM instance WHERE sop_instance_uid = ? RETURNING series",
                    (sop_instance_uid,),
                ).fetchall()
                for (series,) in deleted:
                    self._drop_empty(series)
                writer.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise OutputError(self._cannot_write(error)) from None

    def distrust(self) -> None:
        """Let the next start compare files and rows: something could not be put right."""
        self._is_trusted = False

    def close(self) -> None:
        """Note that all is in order, fold the WAL into the file, close it."""
        with self._mutex, self._read_mutex:
            self._reader.close()
            try:
                self._writer.execute("UPDATE state SET is_clean = ?", (self._is_trusted,))
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise OutputError(f"cannot close the index {self.path}: {error}") from None
            finally:
                self._writer.close()

    # -- inside ------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(
                self.path,
                timeout=self._busy_timeout,
                check_same_thread=False,
                isolation_level=None,
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
        if version < 0:
            raise sqlite3.DatabaseError("the version is negative")
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
        # into the file itself: should the WAL be lost, the rows in it are missed
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

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
        except (sqlite3.Error, ValueError, OverflowError) as error:
            # the last two: a value that SQLite cannot hold, such as a lone surrogate
            self._roll_back()
            for waiting in group:
                waiting.error = self._cannot_write(error)
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
        if cursor.rowcount == 0:
            self._drop_empty(key)
        return cursor.rowcount == 1

    def _series_key(self, row: InstanceRow) -> int:
        """Return the key of the row's series, made with its study and patient when new."""
        if len(self._series) >= _CACHED_KEYS:
            self._forget()
        names = {"series_instance_uid": row.series_instance_uid}
        key = self._find("series", names)
        if key is None:
            values = {**names, "study": self._study_key(row)}
            key = self._make("series", values, _SERIES, row.attributes)
        self._series[row.series_instance_uid] = key
        return key

    def _study_key(self, row: InstanceRow) -> int:
        """Return the key of the row's study, which stays with the patient of its first object."""
        key = self._studies.get(row.study_instance_uid)
        if key is None:
            names = {"study_instance_uid": row.study_instance_uid}
            key = self._find("study", names)
            if key is None:
                values = {**names, "patient": self._patient_key(row.attributes)}
                key = self._make("study", values, _STUDY, row.attributes)
            self._studies[row.study_instance_uid] = key
        return key

    def _patient_key(self, attributes: Mapping[str, str]) -> int:
        identity = (attributes.get("patient_id", ""), attributes.get("issuer_of_patient_id", ""))
        key = self._patients.get(identity)
        if key is None:
            names = dict(zip(("patient_id", "issuer_of_patient_id"), identity, strict=True))
            key = self._find("patient", names)
            if key is None:
                key = self._make("patient", names, _PATIENT, attributes)
            self._patients[identity] = key
        return key

    def _find(self, table: str, unique: Mapping[str, str]) -> int | None:
        where = " AND ".join(f"{name} = ?" for name in unique)
        found = self._writer.execute(
            f"SELECT id FROM {table} WHERE {where}", tuple(unique.values())
        ).fetchone()
        return int(found[0]) if found else None

    def _make(
        self,
        table: str,
        values: Mapping[str, object],
        columns: tuple[str, ...],
        attributes: Mapping[str, str],
    ) -> int:
        values = {**values, **{name: attributes.get(name) for name in columns}}
        marks = ", ".join("?" * len(values))
        cursor = self._writer.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})",
            tuple(values.values()),
        )
        return int(cursor.lastrowid or 0)

    def _drop_empty(self, series: int) -> None:
        """Delete a series without objects, and its study and patient when they have no other."""
        (keys,) = self._writer.execute(
            "SELECT series.id, study.id, patient FROM series JOIN study ON study.id = study"
            " WHERE series.id = ?",
            (series,),
        )
        levels = (("series", "instance"), ("study", "series"), ("patient", "study"))
        for key, (table, below) in zip(keys, levels, strict=True):
            cursor = self._writer.execute(
                f"DELETE FROM {table} WHERE id = ?"
                f" AND NOT EXISTS (SELECT 1 FROM {below} WHERE {table} = ?)",
                (key, key),
            )
            if cursor.rowcount == 0:
                return
            self._forget()

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        self._forget()

    def _cannot_write(self, error: Exception) -> str:
        return f"cannot write the index {self.path}: {error}"

    def _forget(self) -> None:
        """Drop the remembered keys: some may belong to a transaction that was rolled back."""
        self._patients.clear()
        self._studies.clear()
        self._series.clear()
