"""A job file: opened, migrated, held by the one process that runs it, and changed.

What was acknowledged is in the file, or in that of the answers beside it, before the same
association sends the next object, so a process that is killed sends at most one object of each
association again. It is in the job and on the disk (fsync) with the first answer after
`SYNC_SECONDS`: a power failure can cost a repeat, and never an object.
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
from pacs_cli.jobs.answers import AnswerFile, Turn
from pacs_cli.jobs.connecting import MOMENT, connect, statements, transaction
from pacs_cli.jobs.reading import OPEN, Reader, stored_path
from pacs_cli.jobs.states import Outcome, Planned, State

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps a second process from running a job
    fcntl = None  # type: ignore[assignment]

#: Scripts that lead from each version to the next; `PRAGMA user_version` counts those applied.
MIGRATIONS = ("schema.sql", "schema-2.sql", "schema-3.sql", "schema-4.sql")

#: Says that a SQLite file is a job ("pacj"), whatever its tables.
APPLICATION_ID = 0x7061636A

#: Between two fsyncs of what was acknowledged: 50 ms of a sender are some hundred small objects,
#: which a power failure could have sent again; one for each would make a disk of 5 ms the limit.
SYNC_SECONDS = 0.05

_NOTHING = Outcome(0, State.SENT)

#: What is fetched from elsewhere is not kept when it failed.
_AGAIN = "iif(id IN (SELECT object FROM origin), 'announced', 'queued')"


class JobFile(Reader):
    """A job file that is open. Any thread may call it.

    raises  OutputError from everything, when the file cannot be read or written
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        # by whatever link it is opened, the files beside it are the same
        self._place = os.path.realpath(path)
        self._clock = clock
        self._mutex = threading.RLock()
        self._lock: int | None = None
        self._synced = 0.0
        self._answers: AnswerFile | None = None
        self._answered: list[Turn] = []
        #: begun and not answered yet
        self._begun: set[int] = set()
        self._kinds: dict[tuple[str, str], int] = {}
        self._studies: dict[str, int] = {}
        with self._failures():
            self._connection = connect(path)
            try:
                self._migrate()
                self._take_over()
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
                self._flush()
                if self._answers is not None:
                    with suppress(OSError):
                        os.unlink(self._answers_path)  # noqa: PTH108
            finally:
                # what could not be written into the job stays beside it
                if self._answers is not None:
                    self._answers.close()
                    self._answers = None
                self._connection.close()
                if self._lock is not None:
                    os.close(self._lock)
                    self._lock = None

    def hold(self) -> None:
        """Be the one process that plans and runs it; raises UsageError when another is.

        The lock is on a file of its own: SQLite's on the job would be lost with any other
        descriptor of it. It ends with the process, however that ends.
        """
        if self._lock is not None:
            return
        if fcntl is not None:
            self._take_lock()
        self._replay()

    def _take_lock(self) -> None:
        self._lock = self._locked()
        if self._lock is None:
            # `is_held` of another process has it for a moment
            threading.Event().wait(MOMENT)
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
        name = f"{self._place}-lock"
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

    def put(self, values: Mapping[str, object]) -> None:
        """Keep values by their names."""
        with self.transaction() as connection:
            _put(connection, values)

    def add_destination(self, name: str, target: Mapping[str, object]) -> None:
        """Add a destination, or say how one is reached from now on."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT INTO destination (name, target) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET target = excluded.target",
                (name, json.dumps(target)),
            )

    # -- planning --------------------------------------------------------------------------------

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
        path = stored_path(planned.path)
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

    def insert(self, connection: sqlite3.Connection, planned: Planned) -> None:
        """Add what is not known by its path yet for every destination, in a transaction."""
        for destination, _, _ in self.destinations():
            self._inserted(connection, destination, stored_path(planned.path), planned)

    def numbers(self, connection: sqlite3.Connection, planned: Planned) -> tuple[int, int]:
        """Return the numbers of study and kind of an object, in a transaction."""
        study = self._study(connection, planned.study_instance_uid)
        return study, self._kind(connection, planned.kind)

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
            " path, dataset_offset, file_size, modified_ns, state, class, words,"
            " source_sop_instance_uid, fixes)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                planned.source_sop_instance_uid,
                " ".join(map(str, planned.fixes)),
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
            if outcome is not None and outcome.state is not State.SENT:
                self._begun.discard(outcome.row)
                with self.transaction() as connection:
                    _settle(connection, outcome)
                outcome = None
            answered = outcome or _NOTHING
            turn = Turn(answered.row, begun or 0, answered.tries, answered.code or 0)
            if self._answers is None:
                self._answers = AnswerFile(self._answers_path)
            self._answers.add(turn)
            if outcome is not None:
                self._answered.append(turn)
                self._begun.discard(outcome.row)
            if begun is not None:
                self._begun.add(begun)
            # also before a wait, in which others may want to know
            if begun is None or self._is_to_be_synced:
                self._flush()

    def settle(self, outcomes: Iterable[Outcome]) -> None:
        """Write down what became of objects."""
        with self.transaction() as connection:
            for outcome in outcomes:
                _settle(connection, outcome)

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
                f"UPDATE object SET state = {_AGAIN}, class = '', code = NULL, words = '',"
                f" tries = 0, verified = 0 WHERE state = 'failed' AND kind IS NOT NULL {condition}",
                values,
            )
            return cursor.rowcount

    def cancel_rest(self) -> int:
        """Skip what was not sent yet; return how many there were."""
        with self.transaction() as connection:
            cursor = connection.execute(
                "UPDATE object SET state = 'skipped', class = 'cancelled',"
                f" words = 'the job was cancelled' WHERE {OPEN} OR state = 'announced'"
            )
            return cursor.rowcount

    # -- inside ----------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside the block to the disk, or nothing of it."""
        self._flush()
        with self._mutex, self._failures(is_writing=True):
            try:
                with self._writing(is_synced=True) as connection:
                    yield connection
            except BaseException:
                # numbers that were given in it are none, and may be given to others
                self._studies.clear()
                self._kinds.clear()
                raise

    @contextmanager
    def _writing(self, is_synced: bool) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside the block, to the disk or for as long as the system runs."""
        if is_synced:
            self._connection.execute("PRAGMA synchronous = FULL")
        try:
            with transaction(self._connection):
                yield self._connection
        finally:
            if is_synced:
                self._connection.execute("PRAGMA synchronous = NORMAL")

    @property
    def _is_to_be_synced(self) -> bool:
        return self._clock() - self._synced >= SYNC_SECONDS

    @property
    def _answers_path(self) -> str:
        return f"{self._place}-answers"

    def _flush(self) -> None:
        """Write into the job what was answered, and what is on its way."""
        with self._mutex:
            if not self._answered and not self._begun:
                return
            turns, self._answered = self._answered, []
            begun, self._begun = self._begun, set()
            is_synced = self._is_to_be_synced
            try:
                with self._failures(is_writing=True), self._writing(is_synced) as connection:
                    _write_turns(connection, turns, begun)
            except BaseException:
                self._answered, self._begun = turns, begun
                raise
            if is_synced:
                self._synced = self._clock()
            if self._answers is not None:
                with self._failures(is_writing=True):
                    self._answers.clear()

    def _take_over(self) -> None:
        """Write into the job what a process that was killed had answered."""
        if fcntl is None or not os.path.exists(self._answers_path):  # noqa: PTH110
            return
        descriptor = self._locked()
        # one that runs does it itself
        if descriptor is not None:
            try:
                self._replay()
            finally:
                os.close(descriptor)

    def _replay(self) -> None:
        if not os.path.exists(self._answers_path):  # noqa: PTH110
            return
        with self._mutex, self._failures(is_writing=True):
            answers = AnswerFile(self._answers_path)
            try:
                turns = list(answers.turns())
                begun = {turn.begun for turn in turns} - {turn.answered for turn in turns} - {0}
                with self.transaction() as connection:
                    _write_turns(connection, [turn for turn in turns if turn.answered], begun)
                answers.clear()
            finally:
                answers.close()

    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """Return the rows of a query."""
        with self._mutex, self._failures():
            self._flush()
            return self._connection.execute(query, parameters).fetchall()

    def _migrate(self) -> None:
        with transaction(self._connection, "BEGIN"):
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
                for statement in statements(script):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    @contextmanager
    def _failures(self, is_writing: bool = False) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            verb = "write" if is_writing else "use"
            hint = "; someone else writes to it, try again" if "locked" in str(error) else ""
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"cannot {verb} the job {self.path}: {reason}{hint}") from None
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


def _write_turns(connection: sqlite3.Connection, turns: list[Turn], begun: set[int]) -> None:
    """Write what was answered; what is settled already stays: it may have been written before."""
    connection.executemany(
        "UPDATE object SET state = 'sent', tries = tries + ?, code = ?, class = '', words = ''"
        f" WHERE id = ? AND {OPEN}",
        [(turn.tries, turn.code, turn.answered) for turn in turns],
    )
    connection.executemany(
        "UPDATE object SET state = 'sending' WHERE id = ? AND state = 'queued'",
        [(row,) for row in begun],
    )


def _has_path(connection: sqlite3.Connection, path: str | bytes, destination: int) -> bool:
    query = "SELECT 1 FROM object WHERE path = ? AND destination = ?"
    return connection.execute(query, (path, destination)).fetchone() is not None
