"""An index compared with its files: what is missing, changed, unreadable; what is gone goes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from pacs_cli.archive.catalog import Catalog
from pacs_cli.archive.contents import held_row
from pacs_cli.archive.hierarchy import Hierarchy
from pacs_cli.archive.layout import version_of
from pacs_cli.archive.reading import sha256_of
from pacs_cli.errors import InputError

#: Rows in memory at a time, and in a transaction.
_PAGE = 2000

#: Every object, older versions included; what `id` counts is told by `kind`.
_OBJECTS = """
SELECT held.id, held.sop_instance_uid, held.path, held.size, file.size, file.mtime_ns, file.sha256
FROM {table} AS held LEFT JOIN file ON file.path = held.path WHERE held.id > ?
ORDER BY held.id LIMIT {page}
"""
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | os.O_CLOEXEC


class State(StrEnum):
    """How a file is, beside what the index knows of it."""

    SOUND = "sound"
    MISSING = "missing"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


class Checked(NamedTuple):
    """One file; `detail` says what is wrong with it.

    is_hashed  whether its hash was compared; False when the index has none
    """

    path: str
    sop_instance_uid: str
    state: State
    detail: str = ""
    is_hashed: bool = False
    size: int = 0


class _Object(NamedTuple):
    """What the index knows of a file; None where it was never looked at."""

    id: int
    sop_instance_uid: str
    path: str
    dataset_size: int
    size: int | None
    modified_ns: int | None
    sha256: str | None


def verify(catalog: Catalog, hashes: bool = False) -> Iterator[Checked]:
    """Yield every object with the state of its file; raises OutputError.

    hashes  whether what is whole otherwise is read and compared with the hash that was kept
    """
    for table in ("instance", "version"):
        for held in _objects(catalog, table):
            path = catalog.real(held.path)
            yield _check(path, held, hashes)


def count(catalog: Catalog) -> int:
    """Return how many objects `verify` and `prune` look at; raises OutputError."""
    ((total,),) = catalog.rows(
        "SELECT (SELECT count(*) FROM instance) + (SELECT count(*) FROM version)"
    )
    return int(total)


def _objects(catalog: Catalog, table: str) -> Iterator[_Object]:
    last = 0
    query = _OBJECTS.format(table=table, page=_PAGE)
    while rows := catalog.rows(query, (last,)):
        yield from map(_Object._make, rows)
        last = rows[-1][0]


def _check(path: str, held: _Object, hashes: bool) -> Checked:
    uid = held.sop_instance_uid
    try:
        descriptor = os.open(path, _OPEN)
        try:
            status = os.fstat(descriptor)
            # permissions are one thing, a bad sector another
            is_readable = stat.S_ISREG(status.st_mode) and os.pread(descriptor, 1, 0)
        finally:
            os.close(descriptor)
        problem = "" if is_readable or not status.st_size else "not a regular file"
        if problem:
            return Checked(path, uid, State.CHANGED, problem)
        if problem := _difference(status, held):
            return Checked(path, uid, State.CHANGED, problem, size=status.st_size)
        if not hashes or held.sha256 is None:
            return Checked(path, uid, State.SOUND, size=status.st_size)
        is_same = sha256_of(path) == held.sha256
    except (FileNotFoundError, NotADirectoryError):
        return Checked(path, uid, State.MISSING, "the file is gone")
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).lower()
        return Checked(path, uid, State.UNREADABLE, reason)
    state = State.SOUND if is_same else State.CHANGED
    detail = "" if is_same else "other contents, of the same size and time"
    return Checked(path, uid, state, detail, True, status.st_size)


def _difference(status: os.stat_result, held: _Object) -> str:
    if held.size is None:
        # of an archive whose files were never looked at
        is_whole = status.st_size >= held.dataset_size
        return "" if is_whole else f"{status.st_size} bytes, less than its data set"
    if status.st_size != held.size:
        return f"{status.st_size} bytes, {held.size} when it was indexed"
    return "" if status.st_mtime_ns == held.modified_ns else "written to since it was indexed"


class Prune:
    """Takes out the rows of files that are gone.

    is_dry  only tells
    all     takes out also what lies in a folder that was added and is gone or empty: most often
            it is a disk that is not mounted
    kept    how many rows stay because of such a folder, by folder
    """

    def __init__(self, catalog: Catalog, is_dry: bool, all: bool) -> None:
        self._catalog = catalog
        self._is_dry = is_dry
        self._all = all
        self._hierarchy = Hierarchy(catalog.connection)
        # the longest first: what is nearest to a file counts
        self._sources = sorted(catalog.sources(), key=len, reverse=True)
        self._lost: dict[str, bool] = {}
        self.kept: dict[str, int] = {}

    def run(self) -> Iterator[Checked]:
        """Yield every object: those that are MISSING are taken out; raises OutputError."""
        for table in ("instance", "version"):
            page: list[Checked] = []
            for held in _objects(self._catalog, table):
                page.append(self._look(held))
                if len(page) >= _PAGE:
                    self._take_out(table, page)
                    yield from page
                    page = []
            self._take_out(table, page)
            yield from page
        if not self._is_dry:
            self._forget_files()

    def _look(self, held: _Object) -> Checked:
        path = self._catalog.real(held.path)
        uid = held.sop_instance_uid
        if not _is_gone(path):
            return Checked(path, uid, State.SOUND)
        folder = next((each for each in self._sources if path.startswith(f"{each}/")), "")
        if self._all or not self._is_lost(folder or os.path.dirname(path), bool(folder)):  # noqa: PTH120
            return Checked(path, uid, State.MISSING, "the file is gone")
        folder = folder or os.path.dirname(path)  # noqa: PTH120
        self.kept[folder] = self.kept.get(folder, 0) + 1
        return Checked(path, uid, State.UNREADABLE, f"the folder {folder} is gone or empty")

    def _is_lost(self, folder: str, is_source: bool) -> bool:
        """Whether a folder is gone, or one that was added is empty."""
        known = self._lost.get(folder)
        if known is None:
            try:
                with os.scandir(folder) as entries:
                    known = is_source and next(entries, None) is None
            except OSError:
                known = True
            self._lost[folder] = known
        return known

    def _take_out(self, table: str, page: list[Checked]) -> None:
        gone = [each for each in page if each.state is State.MISSING]
        if self._is_dry or not gone:
            return
        with self._catalog.transaction() as connection:
            self._hierarchy.forget()
            for each in gone:
                path = self._catalog.stored(each.path)
                if table == "version":
                    connection.execute("DELETE FROM version WHERE path = ?", (path,))
                    continue
                # somebody may have put another in its place meanwhile
                found = connection.execute(
                    "SELECT 1 FROM instance WHERE sop_instance_uid = ? AND path = ?",
                    (each.sop_instance_uid, path),
                ).fetchone()
                if found:
                    self._hierarchy.remove(each.sop_instance_uid)
                    self._promote(each.sop_instance_uid)

    def _promote(self, sop_instance_uid: str) -> None:
        """Serve the newest version that is left."""
        connection = self._catalog.connection
        versions = connection.execute(
            "SELECT path FROM version WHERE sop_instance_uid = ? ORDER BY number DESC",
            (sop_instance_uid,),
        ).fetchall()
        for (path,) in versions:
            try:
                row = held_row(self._catalog.real(path))
            except (OSError, InputError):
                continue
            row.path, row.version = path, version_of(path)
            if self._hierarchy.insert(row):
                connection.execute("DELETE FROM version WHERE path = ?", (path,))
                return

    def _forget_files(self) -> None:
        """Drop what is remembered of files that are no objects and are gone."""
        last = ""
        query = (
            "SELECT path FROM file WHERE path > ? AND outcome <> 'object'"
            f" ORDER BY path LIMIT {_PAGE}"
        )
        while rows := self._catalog.rows(query, (last,)):
            gone = [(path,) for (path,) in rows if _is_gone(self._catalog.real(path))]
            if gone:
                with self._catalog.transaction() as connection:
                    connection.executemany("DELETE FROM file WHERE path = ?", gone)
            last = rows[-1][0]


def _is_gone(path: str) -> bool:
    """Return whether a file is certainly not there; what cannot be looked at may be."""
    try:
        os.stat(path)  # noqa: PTH116 - a Path would not hold every name
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
