"""An index and where its files lie, opened by `pacs index`: to be read, or to be written too.

The index may be that of an archive, which a `storescp` keeps, or one of files that stay wherever
they are. Either way its relative paths lie below one folder, its root: that of the index file
itself, unless it says otherwise. To write it the archive's folder is held, as `storescp` does.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pacs_cli.archive.blobs import STAGING
from pacs_cli.archive.filenames import as_text, from_text, real_path, stored_path
from pacs_cli.archive.index import MIGRATIONS, Index
from pacs_cli.errors import InputError, OutputError

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps a second process from the folder
    fcntl = None  # type: ignore[assignment]

#: Of the pages of the file, in KiB. New UIDs go anywhere into their index, of which 64 MiB hold
#: what a million objects have.
_CACHE_KIB = 64 * 1024
_BUSY_TIMEOUT = 5.0

#: The first version of the index that knows of files and of its root.
_NEEDED_VERSION = MIGRATIONS.index("schema-files.sql") + 1


class Catalog:
    """An index that is open. One thread uses it.

    root        the folder below which relative paths lie
    connection  raises sqlite3.Error; `failures` makes of that what is to be told
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, index: Index | None, hold: _Hold
    ) -> None:
        self.path = path
        self.root = hold.root
        self.connection = connection
        self._index = index
        self._hold = hold

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_archive(self) -> bool:
        """Whether a `storescp` keeps or has kept its objects in the root."""
        return Path(self.root, STAGING).is_dir()

    def stored(self, path: str) -> str:
        """Return how an absolute path stands in the index."""
        return stored_path(path, self.root)

    def real(self, stored: str) -> str:
        """Return the absolute path of a stored one."""
        return real_path(stored, self.root)

    def connect(self) -> sqlite3.Connection:
        """Return one more connection; raises sqlite3.Error."""
        return _reader(self.path)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside the block, or nothing of it; raises OutputError."""
        # before each: a `storescp` may have been started there meanwhile
        self._hold.take()
        with failures(self.path, is_writing=True):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            finally:
                if self.connection.in_transaction:
                    with suppress(sqlite3.Error):
                        self.connection.execute("ROLLBACK")

    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """Return the rows of a query; raises OutputError."""
        with failures(self.path):
            return self.connection.execute(query, parameters).fetchall()

    def sources(self) -> list[str]:
        """Return the absolute paths of the folders that were added; raises OutputError."""
        return [self.real(path) for (path,) in self.rows("SELECT path FROM source ORDER BY path")]

    def add_sources(self, folders: Iterable[str]) -> None:
        """Remember folders that are added, by their absolute paths; raises OutputError."""
        rows = [(self.stored(folder),) for folder in folders]
        if rows:
            with self.transaction() as connection:
                connection.executemany("INSERT OR IGNORE INTO source VALUES (?)", rows)

    def close(self) -> None:
        """Close it, fold the WAL into the file, let others have the folder; raises OutputError."""
        try:
            self._finish()
        finally:
            self._hold.release()

    def take_place_of(self, path: Path) -> None:
        """Close it and put its file into the place of another index.

        raises  OutputError, and then that is still there
        """
        try:
            self._finish()
            _empty_wal(path)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self.path.replace(path)
        except OSError as error:
            raise OutputError(f"cannot replace the index {path}: {error.strerror}") from None
        finally:
            self._hold.release()

    def _finish(self) -> None:
        self.connection.close()
        if self._index is not None:
            index, self._index = self._index, None
            index.close()


class _Hold:
    """The lock by which one process at a time has an archive's folder, where `root` is one."""

    def __init__(self, root: str, path: Path) -> None:
        self.root = root
        self._path = path
        self._lock: int | None = None

    def take(self) -> None:
        """Keep others from writing to the folder; raises OutputError when a `storescp` has it."""
        if self._lock is not None or fcntl is None:
            return
        try:
            descriptor = os.open(Path(self.root, STAGING, "lock"), os.O_RDWR | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            # no archive
            return
        except OSError as error:
            raise OutputError(f"cannot hold the archive {self.root}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise OutputError(
                f"cannot change the index {self._path}: a pacs storescp receives into "
                f"{self.root}; end that first"
            ) from None
        self._lock = descriptor

    def release(self) -> None:
        """Let others have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def failures(path: Path, is_writing: bool = False) -> Iterator[None]:
    """Make of what SQLite raises inside the block what is to be told; raises OutputError."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # UnicodeDecodeError: so sqlite3 fails on a message that quotes a damaged file
        is_corrupt = isinstance(error, UnicodeDecodeError) or _is_corrupt(error)
        hint = "; pacs index rebuild makes it again from the files" if is_corrupt else ""
        hint = "; someone else writes to it, try again" if "locked" in str(error) else hint
        verb = "write" if is_writing else "read"
        raise OutputError(f"cannot {verb} the index {path}: {error}{hint}") from None


def open_for_reading(path: Path) -> Catalog:
    """Open an index that is there; a running `storescp` may have it open too.

    raises  InputError when there is none, OutputError when it cannot be read
    """
    path = Path(os.path.realpath(path))
    if not path.is_file():
        raise InputError(f"no index {path}: pacs index add PATH --db {path} makes one")
    with failures(path):
        version, root = _peek(path)
        if version >= _NEEDED_VERSION:
            connection = _reader(path)
            connection.execute("PRAGMA query_only = ON")
            return Catalog(path, connection, None, _Hold(root, path))
    if version == 0:
        raise OutputError(f"cannot read {path}: it is no index of pacs")
    open_for_writing(path).close()
    return open_for_reading(path)


def open_for_writing(path: Path, root: Path | None = None) -> Catalog:
    """Open an index, which is made when it is missing, or brought up to date.

    root    where relative paths are to lie, of one that is made; by default its own folder
    raises  OutputError when it cannot be used, or a running `storescp` has its folder
    """
    path = Path(os.path.realpath(path))
    with failures(path, is_writing=True):
        known = str(root or path.parent)
        if path.exists() and path.stat().st_size:
            version, known = _peek(path)
            if version == 0:
                raise OutputError(f"cannot use {path} as an index: it is something else")
        hold = _Hold(known, path)
        hold.take()
        index = None
        try:
            index = Index(path)
            if not index.was_clean:
                # of an archive that was not closed in order: its next start has to compare
                index.distrust()
            catalog = Catalog(path, _writer(index), index, hold)
        except BaseException:
            if index is not None:
                index.close()
            hold.release()
            raise
    if root is not None and known == str(root) != str(path.parent):
        with catalog.transaction() as connection:
            connection.execute("DELETE FROM root")
            connection.execute("INSERT INTO root VALUES (?)", (as_text(known),))
    return catalog


def note_root(index: Index, root: Path) -> None:
    """Have an index say where its relative paths lie, if that is not where it is itself.

    raises  OutputError
    """
    path, folder = (os.path.realpath(each) for each in (index.path, root))
    if os.path.dirname(path) == folder:  # noqa: PTH120 - both are strings
        return
    with failures(index.path, is_writing=True), closing(index.connect()) as connection:
        if connection.execute("SELECT path FROM root").fetchall() != [(as_text(folder),)]:
            connection.executescript("BEGIN IMMEDIATE; DELETE FROM root")
            connection.execute("INSERT INTO root VALUES (?)", (as_text(folder),))
            connection.execute("COMMIT")


def _peek(path: Path) -> tuple[int, str]:
    """Return the version and the root of an index; raises sqlite3.Error."""
    connection = _reader(path)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        found = None
        if version >= _NEEDED_VERSION:
            found = connection.execute("SELECT path FROM root").fetchone()
        return int(version), from_text(found[0]) if found else str(path.parent)
    finally:
        connection.close()


def _empty_wal(path: Path) -> None:
    """Fold the WAL of an index that is to be replaced into it: it must not be lost before.

    Nor must it be left, for it would be taken for that of the new one.
    """
    try:
        connection = _reader(path)
        try:
            (busy, *_), *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise OutputError(f"cannot replace the index {path}: {error}") from None
        # corrupt: it is why it is replaced
        return
    if busy:
        raise OutputError(f"cannot replace the index {path}: someone reads it; try again")


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None)


def _writer(index: Index) -> sqlite3.Connection:
    connection = index.connect()
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


def _is_corrupt(error: sqlite3.Error) -> bool:
    return type(error) is sqlite3.DatabaseError
