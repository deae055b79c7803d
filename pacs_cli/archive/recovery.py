"""What an unclean end leaves is put right: files and rows are compared, both ways."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from pacs_cli.archive.blobs import Blobs
from pacs_cli.archive.contents import held_row
from pacs_cli.archive.index import Index
from pacs_cli.archive.layout import version_of
from pacs_cli.archive.rows import InstanceRow
from pacs_cli.errors import InputError, OutputError

#: How many paths are in memory at a time: an archive may have millions.
_PAGE = 10_000

_COMPARE = """
CREATE TEMP TABLE gone AS
    SELECT sop_instance_uid, path, 1 AS is_newest FROM main.instance
    WHERE path NOT IN (SELECT path FROM found)
    UNION ALL SELECT sop_instance_uid, path, 0 FROM main.version
    WHERE path NOT IN (SELECT path FROM found);
DELETE FROM found
    WHERE path IN (SELECT path FROM main.instance UNION ALL SELECT path FROM main.version);
"""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start had to put right.

    rows_added    stored files that had no row
    rows_removed  rows whose file is gone
    unindexed     files that are no whole objects, or whose UID another file has, and folders that
                  cannot be read; they stay
    moved_aside   where a corrupt index went, None when it was sound
    """

    rows_added: int = 0
    rows_removed: int = 0
    unindexed: tuple[str, ...] = ()
    moved_aside: Path | None = None


def reconcile(blobs: Blobs, index: Index) -> Recovered:
    """Finish what was announced, index files without a row, drop rows without a file."""
    _finish_replacements(blobs, index)
    removed = 0
    with closing(_Comparison(index, blobs.files())) as comparison:
        for uid, path, is_newest in comparison.rows_without_file():
            if blobs.is_gone(path):
                if is_newest:
                    index.remove(uid)
                else:
                    index.remove_version(path)
                removed += 1
        added, unindexed = _add_rows(blobs, index, comparison.files_without_row())
    _promote_versions(blobs, index)
    return Recovered(added, removed, (*unindexed, *blobs.unreadable))


def _add_rows(blobs: Blobs, index: Index, paths: Iterable[str]) -> tuple[int, list[str]]:
    """Index files; return how many, and the paths of those that cannot be.

    Last what was not acknowledged: it has no right to the UID of what was, and goes if that is
    held.
    """
    added = 0
    unindexed = []
    late = set(blobs.unfinished)
    waiting = []
    for path in paths:
        row = None if path in late else _row_at(blobs, path)
        if path in late:
            waiting.append(path)
        elif row is not None and index.restore(row):
            added += 1
        else:
            unindexed.append(path)
    for path in waiting:
        row = _row_at(blobs, path)
        if row is None:
            unindexed.append(path)
        elif index.restore(row):
            added += 1
        else:
            blobs.clear_away(path)
    return added, unindexed


def move_aside(path: Path) -> Path:
    """Give a corrupt index another name, with its WAL, and return that."""
    for number in count(1):
        aside = path.with_name(f"{path.name}.corrupt-{number}")
        if not aside.exists():
            break
    try:
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot move the corrupt index {path} aside: {reason}") from None
    return aside


class _Comparison:
    """Paths of files beside those of rows, in temporary tables, which do not fill the memory."""

    def __init__(self, index: Index, files: Iterable[str]) -> None:
        index.flush()
        self._connection = index.connect()
        execute = self._connection.execute
        execute("CREATE TEMP TABLE found (path TEXT PRIMARY KEY) WITHOUT ROWID")
        paths = iter(files)
        while page := [(path,) for path in islice(paths, _PAGE)]:
            execute("BEGIN")
            self._connection.executemany("INSERT INTO found VALUES (?)", page)
            execute("COMMIT")
        self._connection.executescript(_COMPARE)

    def rows_without_file(self) -> Iterator[tuple[str, str, bool]]:
        """Yield SOP instance UID and path, and whether it is the newest of its UID."""
        last = 0
        query = (
            "SELECT rowid, sop_instance_uid, path, is_newest FROM gone WHERE rowid > ?"
            f" ORDER BY rowid LIMIT {_PAGE}"
        )
        while rows := self._connection.execute(query, (last,)).fetchall():
            yield from ((uid, path, bool(is_newest)) for _, uid, path, is_newest in rows)
            last = rows[-1][0]

    def files_without_row(self) -> Iterator[str]:
        """Yield paths in their order."""
        last = ""
        query = f"SELECT path FROM found WHERE path > ? ORDER BY path LIMIT {_PAGE}"
        while rows := self._connection.execute(query, (last,)).fetchall():
            yield from (path for (path,) in rows)
            last = rows[-1][0]

    def close(self) -> None:
        """Drop the tables."""
        self._connection.close()


def _row_at(blobs: Blobs, path: str) -> InstanceRow | None:
    try:
        row = held_row(blobs.name(path))
    except InputError:
        return None
    except OSError:
        # which may pass
        blobs.is_untidy = True
        return None
    row.path, row.version = path, version_of(path)
    return row


def _finish_replacements(blobs: Blobs, index: Index) -> None:
    """Index what stands where a file was to be replaced: the new one or still the old one."""
    for uid, path, held in index.replacements():
        row = None if blobs.is_gone(path) else _row_at(blobs, path)
        if row is not None and row.sop_instance_uid == uid:
            index.replace(row)
            if held != path:
                blobs.clear_away(held)
        index.retract(uid)


def _promote_versions(blobs: Blobs, index: Index) -> None:
    """Serve the newest version that is left, where the file of the newest one is gone."""
    for path in index.unserved_versions():
        row = _row_at(blobs, path)
        if row is not None and index.restore(row):
            index.remove_version(path)
