"""A job file: opened, migrated, held by the one process that runs it, and changed.

What was acknowledged is in the file before the same association sends the next object, so a process
that is killed sends at most one object of each association again. It is on the disk (fsync) at
the latest after `SYNC_SECONDS`: a power failure can cost a repeat, and never an object.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pacs_cli.errors import InputError, OutputError, UsageError
from pacs_cli.jobs.states import Count, Outcome, Planned, Queued, State, Wish, object_fields

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps a second process from running a job
    fcntl = None  # type: ignore[assignment]

#: Scripts that lead from each version to the next; `PRAGMA user_version` counts those applied.
MIGRATIONS = ("schema.sql", "schema-2.sql")

#: Says that a SQLite file is a job ("pacj"), whatever its tables.
APPLICATION_ID = 0x7061636A

#: Between two fsyncs of what was acknowledged: 50 ms of a sender are some hundred small objects,
#: which a power failure could have sent again; one for each would make a disk of 5 ms the limit.
SYNC_SECONDS = 0.05

_BUSY_TIMEOUT = 5.0
_MOMENT = 0.1

#: Pages of the file in memory, in KiB: what the UIDs of a million objects need while planned.
_CACHE_KIB = 64 * 1024

_OPEN = "state IN ('queued', 'sending')"


class JobFile:
    """A job file that is open. Any thread may call it.

    raises  OutputError from everything, when the file cannot be read or written
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._mutex = threading.RLock()
        self._lock: int | None = None
        self._synced = 0.0
        self._kinds: dict[tuple[str, str], int] = {}
        self._studies: dict[str, int] = {}
        with self._failures():
            self._connection = _connect(path)
            try:
                self._migrate()
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it and let others run it."""
        with self._mutex:
            try:
                with self._failures():
                    self._connection.close()
            finally:
                if self._lock is not None:
                    os.close(self._lock)
                    self._lock = None

    def hold(self) -> None:
        """Be the one process that plans and runs it; raises UsageError when another is.

        The lock is on a file of its own: SQLite's on the job would be lost with any other
        descriptor of it. It ends with the process, however that ends.
        """
        if self._lock is not None or fcntl is None:
            return
        self._lock = self._locked()
        if self._lock is None:
            # `is_held` of another process has it for a moment
            threading.Event().wait(_MOMENT)
            self._lock = self._locked()
        if self._lock is None:
            raise UsageError(
                f"the job {self.path} is being run by another process; send-batch status "
                f"{self.path} shows how far it is"
            )

    def is_held(self) -> bool:
        """Whether a process runs it, this one included."""
        if self._lock is not None or fcntl is None:
            return self._lock is not None
        descriptor = self._locked()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def _locked(self) -> int | None:
        """Return the descriptor of the lock file that holds the lock, None when another has it."""
        name = f"{self.path}-lock"
        try:
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutputError(f"cannot hold the job {self.path}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor

    # -- what the job is -------------------------------------------------------------------------

    def get(self, name: str) -> Any:
        """Return what the job keeps by that name, None without it."""
        rows = self._rows("SELECT value FROM job WHERE name = ?", (name,))
        with self._failures():
            return json.loads(rows[0][0]) if rows else None

    def put(self, values: Mapping[str, object]) -> None:
        """Keep values by their names."""
        with self.transaction() as connection:
            _put(connection, values)

    @property
    def wish(self) -> Wish:
        """What the job is to do."""
        with self._failures():
            return Wish(self.get("wish") or Wish.RUN)

    @property
    def is_planned(self) -> bool:
        """Whether it has everything that it is to send."""
        return bool(self.get("planned"))

    def add_destination(self, name: str, target: Mapping[str, object]) -> None:
        """Add a destination, or say how one is reached from now on."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO destination (name, target) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET target = excluded.target",
                (name, json.dumps(target)),
            )

    def destinations(self) -> list[tuple[int, str, dict[str, Any]]]:
        """Return number, name and how it is reached of each destination."""
        rows = self._rows("SELECT id, name, target FROM destination ORDER BY id")
        with self._failures():
            return [(number, name, json.loads(target)) for number, name, target in rows]

    # -- planning --------------------------------------------------------------------------------

    def knows(self, path: str, modified_ns: int, file_size: int) -> bool:
        """Whether a file is in the job for every destination, as it is."""
        rows = self._rows(
            "SELECT count(*) FROM object WHERE path = ? AND modified_ns = ? AND file_size = ?"
            " AND sop_instance_uid IS NOT NULL",
            (_stored(path), modified_ns, file_size),
        )
        return bool(rows[0][0] and rows[0][0] >= len(self.destinations()))

    def add(self, planned: Iterable[Planned], digest: Callable[[str, int], str]) -> int:
        """Add files for every destination, in one transaction; return how many rows are new.

        A file that is known by its path is left as it is, unless it failed while it was planned.
        digest  the SHA-256 of the data set in the file of this path, from this offset on; asked
                for only of files whose SOP instance UID another file has
        """
        added = 0
        destinations = [number for number, _, _ in self.destinations()]
        with self.transaction() as connection:
            for each in planned:
                for destination in destinations:
                    added += self._add(connection, destination, each, digest)
        return added

    def _add(
        self,
        connection: sqlite3.Connection,
        destination: int,
        planned: Planned,
        digest: Callable[[str, int], str],
    ) -> bool:
        path = _stored(planned.path)
        if self._inserted(connection, destination, path, planned):
            return True
        # what could not be read then may be an object by now
        cursor = connection.execute(
            "DELETE FROM object WHERE path = ? AND destination = ? AND sop_instance_uid IS NULL",
            (path, destination),
        )
        if cursor.rowcount and self._inserted(connection, destination, path, planned):
            return True
        if planned.sop_instance_uid is None or _has_path(connection, path, destination):
            return False
        # another file has the UID: is it the same object?
        content = digest(planned.path, planned.dataset_offset)
        (other, other_path, offset, known), *_ = connection.execute(
            "SELECT id, path, dataset_offset, content FROM object WHERE sop_instance_uid = ?"
            " AND destination = ? AND state <> 'skipped' ORDER BY id",
            (planned.sop_instance_uid, destination),
        ).fetchall()
        if not known:
            known = digest(os.fsdecode(other_path), offset)
            connection.execute("UPDATE object SET content = ? WHERE id = ?", (known, other))
        planned = planned._replace(content=content)
        if self._inserted(connection, destination, path, planned):
            return True
        words = f"the same object as {os.fsdecode(other_path)}"
        skipped = planned._replace(state=State.SKIPPED, failure="duplicate", words=words)
        return self._inserted(connection, destination, path, skipped)

    def _inserted(
        self,
        connection: sqlite3.Connection,
        destination: int,
        path: str | bytes,
        planned: Planned,
    ) -> bool:
        is_object = planned.sop_instance_uid is not None
        cursor = connection.execute(
            "INSERT OR IGNORE INTO object (destination, study, kind, sop_instance_uid, content,"
            " path, dataset_offset, file_size, modified_ns, state, class, words)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                destination,
                self._study(connection, planned.study_instance_uid) if is_object else None,
                self._kind(connection, planned.kind) if is_object else None,
                planned.sop_instance_uid,
                planned.content,
                path,
                planned.dataset_offset,
                planned.file_size,
                planned.modified_ns,
                planned.state,
                planned.failure,
                planned.words,
            ),
        )
        return cursor.rowcount > 0

    def _study(self, connection: sqlite3.Connection, uid: str) -> int:
        if (number := self._studies.get(uid)) is None:
            connection.execute(
                "INSERT OR IGNORE INTO study (study_instance_uid) VALUES (?)", (uid,)
            )
            (number,) = connection.execute(
                "SELECT id FROM study WHERE study_instance_uid = ?", (uid,)
            ).fetchone()
            if len(self._studies) > 1000:
                self._studies.clear()
            self._studies[uid] = number
        return number

    def _kind(self, connection: sqlite3.Connection, kind: tuple[str, str]) -> int:
        if (number := self._kinds.get(kind)) is None:
            connection.execute(
                "INSERT OR IGNORE INTO kind (sop_class_uid, transfer_syntax_uid) VALUES (?, ?)",
                kind,
            )
            (number,) = connection.execute(
                "SELECT id FROM kind WHERE sop_class_uid = ? AND transfer_syntax_uid = ?", kind
            ).fetchone()
            self._kinds[kind] = number
        return number

    # -- running ---------------------------------------------------------------------------------

    def page(self, destination: int, after: tuple[int, int], size: int) -> list[Queued]:
        """Return what is to be sent next, study by study, after this study and row."""
        rows = self._rows(
            "SELECT object.id, path, sop_instance_uid, study_instance_uid, sop_class_uid,"
            " transfer_syntax_uid, dataset_offset, file_size, modified_ns, tries, study"
            " FROM object JOIN study ON study.id = study JOIN kind ON kind.id = kind"
            f" WHERE destination = ? AND {_OPEN} AND (study, object.id) > (?, ?)"
            " ORDER BY study, object.id LIMIT ?",
            (destination, *after, size),
        )
        return [
            Queued(row, os.fsdecode(path), instance, study_uid, (sop_class, syntax), *rest)
            for row, path, instance, study_uid, sop_class, syntax, *rest in rows
        ]

    def kinds(self, destination: int) -> list[tuple[str, str]]:
        """Return SOP class and transfer syntax of everything that is to be sent."""
        rows = self._rows(
            "SELECT sop_class_uid, transfer_syntax_uid FROM kind WHERE EXISTS"
            f" (SELECT 1 FROM object WHERE destination = ? AND {_OPEN} AND kind = kind.id)"
            " ORDER BY id",
            (destination,),
        )
        return [(sop_class, syntax) for sop_class, syntax in rows]

    def recover(self) -> int:
        """Queue again what a process that ended was sending; return how many there were."""
        with self.transaction() as connection:
            cursor = connection.execute(
                "UPDATE object SET state = 'queued', tries = tries + 1 WHERE state = 'sending'"
            )
            return cursor.rowcount

    def turn(self, outcome: Outcome | None, begun: int | None) -> None:
        """Write down what became of one object, and that another is being sent."""
        with self._mutex, self._failures(is_writing=True):
            now = self._clock()
            is_synced = now - self._synced >= SYNC_SECONDS
            if is_synced:
                self._connection.execute("PRAGMA synchronous = FULL")
                self._synced = now
            try:
                with _transaction(self._connection):
                    if outcome is not None:
                        _settle(self._connection, outcome)
                    if begun is not None:
                        self._connection.execute(
                            "UPDATE object SET state = 'sending' WHERE id = ?", (begun,)
                        )
            finally:
                if is_synced:
                    self._connection.execute("PRAGMA synchronous = NORMAL")

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Write down what became of objects."""
        with self.transaction() as connection:
            for outcome in outcomes:
                _settle(connection, outcome)

    def studies(self, destination: int, state: State, is_verified: bool | None = None) -> list[int]:
        """Return the numbers of the studies that have objects in a state, in their order."""
        condition = "" if is_verified is None else f"AND verified = {int(is_verified)}"
        rows = self._rows(
            f"SELECT DISTINCT study FROM object WHERE destination = ? AND state = '{state}'"
            f" {condition} AND study IS NOT NULL ORDER BY study",
            (destination,),
        )
        return [study for (study,) in rows]

    def of_study(self, destination: int, study: int, state: State) -> tuple[str, dict[int, str]]:
        """Return a study's UID, and its objects in a state: number -> SOP instance UID."""
        ((uid,),) = self._rows("SELECT study_instance_uid FROM study WHERE id = ?", (study,))
        rows = self._rows(
            "SELECT id, sop_instance_uid FROM object WHERE destination = ? AND study = ?"
            f" AND state = '{state}' ORDER BY id",
            (destination, study),
        )
        return uid, dict(rows)

    def sent(
        self, destination: int, after: tuple[int, int], size: int
    ) -> list[tuple[int, int, str, str]]:
        """Return study, number, SOP class and instance of what is sent and not committed."""
        return self._rows(
            "SELECT study, object.id, sop_class_uid, sop_instance_uid FROM object"
            " JOIN kind ON kind.id = kind WHERE destination = ? AND state = 'sent'"
            " AND (study, object.id) > (?, ?) ORDER BY study, object.id LIMIT ?",
            (destination, *after, size),
        )

    def verify(self, rows: Iterable[int]) -> None:
        """Write down that the destination shows these objects."""
        with self.transaction() as connection:
            connection.executemany(
                "UPDATE object SET verified = 1 WHERE id = ?", [(row,) for row in rows]
            )

    def retry_failed(self, failure: str | None = None) -> int:
        """Queue again what failed, of one class or all; return how many there were."""
        condition, values = ("AND class = ?", (failure,)) if failure else ("", ())
        with self.transaction() as connection:
            cursor = connection.execute(
                "UPDATE object SET state = 'queued', class = '', code = NULL, words = '',"
                f" tries = 0, verified = 0 WHERE state = 'failed' AND kind IS NOT NULL {condition}",
                values,
            )
            return cursor.rowcount

    def cancel_rest(self) -> int:
        """Skip what was not sent yet; return how many there were."""
        with self.transaction() as connection:
            cursor = connection.execute(
                "UPDATE object SET state = 'skipped', class = 'cancelled',"
                f" words = 'the job was cancelled' WHERE {_OPEN}"
            )
            return cursor.rowcount

    # -- reading ---------------------------------------------------------------------------------

    def counts(self) -> list[Count]:
        """Return how many objects there are, by destination, state and class of failure."""
        rows = self._rows(
            "SELECT name, state, class, count(*), sum(file_size) FROM object"
            " JOIN destination ON destination.id = destination"
            " GROUP BY destination, state, class ORDER BY destination, state, class"
        )
        with self._failures():
            return [Count(name, State(state), *rest) for name, state, *rest in rows]

    def objects(self, states: Iterable[State] = ()) -> Iterator[dict[str, Any]]:
        """Yield every object, of these states or of all, in the order in which it was planned."""
        chosen = list(states) or list(State)
        marks = ", ".join("?" * len(chosen))
        last = 0
        while rows := self._rows(
            "SELECT object.id, name, path, state, sop_class_uid, sop_instance_uid,"
            " transfer_syntax_uid, study_instance_uid, file_size, tries, class, code, words"
            " FROM object JOIN destination ON destination.id = destination"
            " LEFT JOIN study ON study.id = study LEFT JOIN kind ON kind.id = kind"
            f" WHERE object.id > ? AND state IN ({marks}) ORDER BY object.id LIMIT 1000",
            (last, *chosen),
        ):
            with self._failures():
                found = [object_fields(row) for row in rows]
            yield from found
            last = rows[-1][0]

    # -- inside ----------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside the block to the disk, or nothing of it."""
        with self._mutex, self._failures(is_writing=True):
            self._connection.execute("PRAGMA synchronous = FULL")
            try:
                with _transaction(self._connection):
                    yield self._connection
            finally:
                self._connection.execute("PRAGMA synchronous = NORMAL")

    def _rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        with self._mutex, self._failures():
            return self._connection.execute(query, parameters).fetchall()

    def _migrate(self) -> None:
        with _transaction(self._connection, "BEGIN"):
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            (application,) = self._connection.execute("PRAGMA application_id").fetchone()
            (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and application != APPLICATION_ID:
            raise OutputError(f"cannot use {self.path} as a job: it is something else")
        if version > len(MIGRATIONS):
            raise OutputError(
                f"cannot use the job {self.path}: version {version} is newer than this program"
            )
        if version == len(MIGRATIONS):
            return
        with self.transaction() as connection:
            # another process may have done it meanwhile
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            for name in MIGRATIONS[version:]:
                script = files("pacs_cli.jobs").joinpath(name).read_text(encoding="utf-8")
                for statement in _statements(script):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _failures(self, is_writing: bool = False) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            verb = "write" if is_writing else "use"
            hint = "; someone else writes to it, try again" if "locked" in str(error) else ""
            raise OutputError(f"cannot {verb} the job {self.path}: {error}{hint}") from None
        except (TypeError, ValueError):
            if is_writing:
                # of whoever writes
                raise
            raise OutputError(f"cannot use the job {self.path}: it is damaged") from None


def open_job(path: Path) -> JobFile:
    """Open a job that is there; raises InputError when there is none."""
    path = Path(os.path.realpath(path))
    if not path.is_file():
        raise InputError(f"no job {path}: pacs send-batch PEER PATH... --state {path} makes one")
    return JobFile(path)


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script: `executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT, check_same_thread=False, isolation_level=None
    )
    try:
        _use_wal(connection)
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Have a log beside the file; of two who make it at once SQLite lets one wait for nothing."""
    pause = threading.Event()
    for _ in range(int(_BUSY_TIMEOUT / _MOMENT)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            pause.wait(_MOMENT)
    connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def _put(connection: sqlite3.Connection, values: Mapping[str, object]) -> None:
    connection.executemany(
        "INSERT INTO job VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [(name, json.dumps(value)) for name, value in values.items()],
    )


def _settle(connection: sqlite3.Connection, outcome: Outcome) -> None:
    connection.execute(
        "UPDATE object SET state = ?, tries = tries + ?, class = ?, code = ?, words = ?"
        " WHERE id = ?",
        (
            outcome.state,
            outcome.tries,
            outcome.failure,
            outcome.code,
            outcome.words.encode(errors="replace").decode(),
            outcome.row,
        ),
    )


def _has_path(connection: sqlite3.Connection, path: str | bytes, destination: int) -> bool:
    query = "SELECT 1 FROM object WHERE path = ? AND destination = ?"
    return connection.execute(query, (path, destination)).fetchone() is not None


def _stored(path: str) -> str | bytes:
    """Return a path as SQLite can hold it: text where it is any, else its bytes."""
    encoded = os.fsencode(path)
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return encoded
