"""The archive's index: one SQLite file in write-ahead mode (WAL).

Rows are put in at once and committed a little later, many together: a commit of its own costs
more than all the rest of a row. The stored files are the journal: a start after an unclean end
compares files and rows, so a row that is lost with the process is made again. Whoever reads the
index has it commit first, and so sees every object that was acknowledged before.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pacs_cli.archive.hierarchy import Hierarchy
from pacs_cli.archive.rows import InstanceRow, SeriesEntry
from pacs_cli.errors import OutputError

__all__ = ["Index", "InstanceRow", "SeriesEntry"]

#: Scripts that lead from each version to the next; `PRAGMA user_version` counts those applied.
MIGRATIONS = ("schema.sql", "schema-2.sql", "schema-files.sql")

#: A backup or a query of someone else's holds a lock for less; senders wait 30 s and more.
_BUSY_TIMEOUT = 5.0

#: Seconds and rows after which there is a commit. Longer would save nothing more: at 60 rows it is
#: 1 us of a row's 5. Others who write to the index wait as long.
_COMMIT_DELAY = 0.02
_COMMIT_ROWS = 2000
#: Seconds between two attempts to save what was acknowledged when a commit failed.
_RETRY_DELAY = 1.0

#: What fails because of the row and not because of the index: a value that SQLite cannot hold.
_BAD_ROW = (
    ValueError,
    OverflowError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)

T = TypeVar("T")


class Index:
    """The index file, opened, migrated and ready. Any thread may call it.

    busy_timeout  seconds to wait for a lock that somebody else holds, before a row is refused
    commit_delay  seconds until a row is seen from outside
    was_clean     whether it was closed in order the last time
    raises        OutputError when it cannot be used; sqlite3.DatabaseError when it is corrupt
    """

    def __init__(
        self,
        path: Path,
        is_durable: bool = True,
        busy_timeout: float = _BUSY_TIMEOUT,
        commit_delay: float = _COMMIT_DELAY,
    ) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._commit_delay = commit_delay
        # the files are the journal: a commit need not be on the disk, only be there or not
        self._synchronous = "NORMAL" if is_durable else "OFF"
        self._is_trusted = True
        self._mutex = threading.Lock()
        self._changed = threading.Condition(self._mutex)
        self._committer: threading.Thread | None = None
        self._is_idle = self._is_closing = False
        # in the open transaction; and what a roll-back took out of one
        self._pending: list[InstanceRow] = []
        self._unsaved: list[InstanceRow] = []
        self._failures, self._failure = 0, ""
        self._read_mutex = threading.Lock()
        self._writer = self.connect()
        self._hierarchy = Hierarchy(self._writer)
        try:
            self._prepare()
            self._reader = self.connect()
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

    def connect(self) -> sqlite3.Connection:
        """Return a new connection to the file; raises OutputError."""
        try:
            return sqlite3.connect(
                self.path,
                timeout=self._busy_timeout,
                check_same_thread=False,
                isolation_level=None,
            )
        except sqlite3.OperationalError as error:
            raise OutputError(f"cannot open the index {self.path}: {error}") from None

    # -- rows --------------------------------------------------------------------------------

    def add(self, row: InstanceRow) -> bool:
        """Put in a row; return False when there is one for that SOP instance UID already.

        It is committed soon, and seen by every later call at once. Should the commit fail the
        row is not given up, but until it is in no other is taken.
        raises  OutputError when it could not be put in
        """
        seen = self._failures
        with self._mutex:
            self._check(seen)
            try:
                self._begin()
                is_new = self._hierarchy.insert(row)
            except (sqlite3.Error, *_BAD_ROW) as error:
                raise self._failed(error) from None
            if is_new:
                self._pending.append(row)
                if len(self._pending) >= _COMMIT_ROWS:
                    self._commit_last()
                elif len(self._pending) == 1:
                    self._wake_committer()
            return is_new

    def restore(self, row: InstanceRow) -> bool:
        """Put in the row of a file that was found, by its version; False when that is held."""
        if self.add(row):
            return True
        ((newest,),) = self._read(
            "SELECT version FROM instance WHERE sop_instance_uid = ?", (row.sop_instance_uid,)
        )
        if newest < row.version:
            self.supersede(row)
            return True
        if newest == row.version:
            return False
        return self._change(lambda: self._hierarchy.insert_version(row))

    def supersede(self, row: InstanceRow) -> None:
        """Put in a row as the newest version of its UID, and commit; raises OutputError."""
        self._change(lambda: self._hierarchy.supersede(row))

    def announce(self, sop_instance_uid: str, path: str, held: str) -> None:
        """Note, to outlast a power cut, that a file at `path` is about to replace the held one.

        `retract` ends it; a start that finds it looks at both files again. raises OutputError
        """
        values = (sop_instance_uid, path, held)
        self._change(
            lambda: self._writer.execute(
                "INSERT OR REPLACE INTO replacement VALUES (?, ?, ?)", values
            ),
            is_safe=True,
        )

    def replace(self, row: InstanceRow) -> None:
        """Put a row in the place of that of its UID, and commit; raises OutputError."""

        def work() -> None:
            self._hierarchy.remove(row.sop_instance_uid)
            self._hierarchy.insert(row)

        self._change(work)

    def retract(self, sop_instance_uid: str) -> None:
        """Forget what was announced: it is done, or not to be; raises OutputError."""
        query = "DELETE FROM replacement WHERE sop_instance_uid = ?"
        self._change(lambda: self._writer.execute(query, (sop_instance_uid,)))

    def remove(self, sop_instance_uid: str) -> None:
        """Delete the row of an object whose file is gone; raises OutputError."""
        self._change(lambda: self._hierarchy.remove(sop_instance_uid))

    def remove_version(self, path: str) -> None:
        """Delete the row of an older version whose file is gone; raises OutputError."""
        self._change(lambda: self._writer.execute("DELETE FROM version WHERE path = ?", (path,)))

    def flush(self) -> None:
        """Commit what is not committed; raises OutputError."""
        if self._pending or self._unsaved:
            with self._mutex:
                self._save()

    # -- questions ---------------------------------------------------------------------------

    def find_path(self, sop_instance_uid: str) -> str | None:
        """Return where an object lies below the archive's root, None when there is none."""
        query = "SELECT path FROM instance WHERE sop_instance_uid = ?"
        rows = self._read(query, (sop_instance_uid,))
        return str(rows[0][0]) if rows else None

    def find_instance(self, sop_instance_uid: str) -> tuple[str, str, int] | None:
        """Return path, SOP class and bytes of the object that is served; raises OutputError."""
        query = "SELECT path, sop_class_uid, size FROM instance WHERE sop_instance_uid = ?"
        rows = self._read(query, (sop_instance_uid,))
        return (str(rows[0][0]), str(rows[0][1]), int(rows[0][2])) if rows else None

    def identity(self, sop_instance_uid: str) -> tuple[str, str]:
        """Return the study and the patient ID of an object, "" when it is not there."""
        query = (
            "SELECT study_instance_uid, patient_id FROM instance"
            " JOIN series ON series.id = instance.series JOIN study ON study.id = series.study"
            " JOIN patient ON patient.id = study.patient WHERE sop_instance_uid = ?"
        )
        rows = self._read(query, (sop_instance_uid,))
        return (str(rows[0][0]), str(rows[0][1])) if rows else ("", "")

    def versions(self, sop_instance_uid: str) -> list[tuple[int, str]]:
        """Return number and path of every object of a UID that is kept, the newest first."""
        return self._read(
            "SELECT version, path FROM instance WHERE sop_instance_uid = ?1 UNION ALL"
            " SELECT number, path FROM version WHERE sop_instance_uid = ?1 ORDER BY 1 DESC",
            (sop_instance_uid,),
        )

    def unserved_versions(self) -> list[str]:
        """Return the paths of versions whose newest one has no row any more, the newest first."""
        rows = self._read(
            "SELECT path FROM version WHERE sop_instance_uid NOT IN"
            " (SELECT sop_instance_uid FROM instance) ORDER BY number DESC"
        )
        return [path for (path,) in rows]

    def replacements(self) -> list[tuple[str, str, str]]:
        """Return SOP instance UID, new path and held path of what was announced and not ended."""
        return self._read("SELECT sop_instance_uid, path, held FROM replacement")

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

    # -- the end -----------------------------------------------------------------------------

    def distrust(self) -> None:
        """Let the next start compare files and rows: something could not be put right."""
        self._is_trusted = False

    @property
    def is_trusted(self) -> bool:
        """Whether the next start may believe that files and rows agree."""
        return self._is_trusted

    @property
    def has_failed(self) -> bool:
        """Whether rows of what was acknowledged could not be committed yet."""
        return bool(self._unsaved)

    def close(self) -> None:
        """Commit, note that all is in order, fold the WAL into the file, close it.

        raises  OutputError when that fails; the next start makes good what is missing
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        if self._committer is not None:
            self._committer.join()
        with self._mutex, self._read_mutex:
            self._reader.close()
            try:
                self._finish()
            except (sqlite3.Error, OutputError) as error:
                raise OutputError(f"cannot close the index {self.path}: {error}") from None
            finally:
                self._writer.close()

    # -- inside ------------------------------------------------------------------------------

    def _prepare(self) -> None:
        writer = self._writer
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute(f"PRAGMA synchronous = {self._synchronous}")
        (version,) = writer.execute("PRAGMA user_version").fetchone()
        if version < 0:
            raise sqlite3.DatabaseError("the version is negative")
        if version > len(MIGRATIONS):
            raise OutputError(
                f"the index {self.path} has version {version}, this pacs knows up to "
                f"{len(MIGRATIONS)}; use the newer pacs that made it"
            )
        self.was_clean = bool(version) and self._is_marked_clean()
        if version and not self.was_clean:
            # it reads the whole file: too slow for every start
            (problem,) = writer.execute("PRAGMA quick_check(1)").fetchone()
            if problem != "ok":
                raise sqlite3.DatabaseError(problem)
        # so that a table may be made anew
        writer.execute("PRAGMA foreign_keys = OFF")
        for number in range(version, len(MIGRATIONS)):
            script = Path(__file__).with_name(MIGRATIONS[number]).read_text()
            writer.executescript(f"BEGIN; {script}; PRAGMA user_version = {number + 1}; COMMIT")
        writer.execute("PRAGMA foreign_keys = ON")
        writer.execute("UPDATE state SET is_clean = 0")
        # into the file itself: should the WAL be lost, the rows in it are missed
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _finish(self) -> None:
        """Note that all is in order; the last that is done with the file."""
        self._save()
        self._writer.execute("UPDATE state SET is_clean = ?", (self._is_trusted,))
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _is_marked_clean(self) -> bool:
        row = self._writer.execute("SELECT is_clean FROM state").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("its state is missing")
        return bool(row[0])

    def _read(self, query: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        self.flush()
        with self._read_mutex:
            try:
                return self._reader.execute(query, parameters).fetchall()
            except sqlite3.Error as error:
                self._note(error)
                raise OutputError(f"cannot read the index {self.path}: {error}") from None

    def _change(self, work: Callable[[], T], is_safe: bool = False) -> T:
        """Do work in a transaction of its own and commit it.

        is_safe  so that it outlasts a power cut, where that is asked for
        """
        seen = self._failures
        with self._mutex:
            self._check(seen)
            is_safe = is_safe and self._synchronous == "NORMAL"
            try:
                self._save()
                if is_safe:
                    self._writer.execute("PRAGMA synchronous = FULL")
                self._begin()
                done = work()
                self._writer.execute("COMMIT")
            except (sqlite3.Error, *_BAD_ROW) as error:
                raise self._failed(error) from None
            finally:
                if is_safe:
                    self._writer.execute("PRAGMA synchronous = NORMAL")
            return done

    def _check(self, seen: int) -> None:
        """Fail with the one before, instead of waiting for a lock as long as that did."""
        if self._failures != seen:
            raise OutputError(self._failure)

    def _begin(self) -> None:
        if self._unsaved:
            self._save()
        if not self._writer.in_transaction:
            self._writer.execute("BEGIN IMMEDIATE")

    def _save(self) -> None:
        """Commit what is pending, what an earlier attempt could not save included."""
        try:
            if self._unsaved:
                self._writer.execute("BEGIN IMMEDIATE")
                for row in self._unsaved:
                    self._hierarchy.insert(row)
            if self._writer.in_transaction:
                self._writer.execute("COMMIT")
        except (sqlite3.Error, *_BAD_ROW) as error:
            raise self._failed(error) from None
        self._unsaved.clear()
        self._pending.clear()

    def _commit_last(self) -> None:
        """Commit; should that fail, the last row is refused and only the others are kept."""
        try:
            self._save()
        except OutputError:
            self._unsaved.pop()
            raise

    def _failed(self, error: Exception) -> OutputError:
        """Roll back, keep what was acknowledged for later, return what is to be raised."""
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error as worse:
            self._note(worse)
        self._hierarchy.forget()
        self._unsaved += self._pending
        self._pending.clear()
        self._note(error)
        message = f"cannot write the index {self.path}: {error}"
        if not isinstance(error, _BAD_ROW):
            self._failures += 1
            self._failure = message
        return OutputError(message)

    def _note(self, error: Exception) -> None:
        """Have the next start look at the whole file when this one is damaged."""
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, (sqlite3.OperationalError, *_BAD_ROW)
        ):
            self._is_trusted = False

    # -- the committer -----------------------------------------------------------------------

    def _wake_committer(self) -> None:
        if self._committer is None:
            self._committer = threading.Thread(target=self._commit_late, name="index", daemon=True)
            self._committer.start()
        elif self._is_idle:
            self._changed.notify()

    def _commit_late(self) -> None:
        """Commit what has been pending for a while; asleep as long as there is nothing."""
        with self._changed:
            while not self._is_closing:
                if not self._pending and not self._unsaved:
                    self._is_idle = True
                    self._changed.wait()
                    self._is_idle = False
                    continue
                delay = _RETRY_DELAY if self._unsaved else self._commit_delay
                # rows that come meanwhile go with it
                self._changed.wait_for(lambda: self._is_closing, delay)
                try:
                    self._save()
                except OutputError:
                    # kept, and tried again
                    continue
