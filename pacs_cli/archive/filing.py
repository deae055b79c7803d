"""Files enter an index where they lie: only what is new or has changed is read."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from pacs_cli.archive.catalog import Catalog
from pacs_cli.archive.hierarchy import Hierarchy
from pacs_cli.archive.layout import version_of
from pacs_cli.archive.reading import FileReader, Reading
from pacs_cli.archive.rows import InstanceRow

#: Files read in one go by another process, and bytes of their names: two lots of those fit into a
#: pipe, so that whoever sends them never waits.
_BATCH = 128
_BATCH_BYTES = 16 * 1024

#: Rows and seconds after which there is a commit: that much is read again after a kill.
_COMMIT_ROWS = 4000
_COMMIT_SECONDS = 1.0

#: What `file.outcome` says of a file whose object the index has.
_OBJECT = "object"
_LAST = "last_insert_rowid()"

#: Reads batch after batch, keeping their order, and gives each back with what was read of it.
Reader = Callable[[Iterable["Batch"]], Iterator[tuple["Batch", Sequence[Reading]]]]


class Outcome(StrEnum):
    """What became of a file."""

    ADDED = "added"
    CHANGED = "changed"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    FAILED = "failed"


class File(NamedTuple):
    """A file to index: its absolute path, its bytes, and when it was changed.

    is_named  whether it was named itself, and not only a folder above it
    """

    path: str
    size: int
    modified_ns: int
    is_named: bool = False


class Candidate(NamedTuple):
    """A file that is to be read: how its path stands in the index, and which row it had so far."""

    file: File
    stored: str
    instance: int | None


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of one file.

    reason  why it was left out; of a duplicate the path that has its UID
    row     what was read of it, None when it was not read or is none
    """

    file: File
    outcome: Outcome
    reason: str = ""
    row: InstanceRow | None = None


class Batch(NamedTuple):
    """Files that are to be read together, and those between them that are as they were."""

    candidates: list[Candidate]
    unchanged: list[Filed]

    def paths(self) -> list[str]:
        """Return what is to be read."""
        return [each.file.path for each in self.candidates]


class Filing:
    """Puts files into an index, a transaction for some thousand of them.

    read    reads the files, in this process or in others
    hashes  whether each object is to have its hash: those without are read again
    path    of the index, if it is to have another in the end: no index is to index itself
    """

    def __init__(
        self, catalog: Catalog, read: Reader, hashes: bool = False, path: Path | None = None
    ) -> None:
        self._catalog = catalog
        self._read = read
        self._hashes = hashes
        self._hierarchy = Hierarchy(catalog.connection)
        self._is_archive = catalog.is_archive
        # what is not there need not be looked for
        self._is_new = not catalog.rows("SELECT 1 FROM file LIMIT 1")
        own = str(path or catalog.path)
        self._own = frozenset((own, f"{own}-wal", f"{own}-shm"))
        self._aside = f"{own}.corrupt-"

    def add(self, files: Iterable[File]) -> Iterator[Filed]:
        """Yield what became of each file, once it is committed.

        raises  OutputError when the index cannot be written
        """
        found = self._read(self._batches(files))
        is_done = False
        while not is_done:
            is_done = True
            until = time.monotonic() + _COMMIT_SECONDS
            count = 0
            done: list[Filed] = []
            with self._catalog.transaction() as connection:
                # somebody else may have taken out what is remembered
                self._hierarchy.forget()
                for batch, readings in found:
                    for candidate, reading in zip(batch.candidates, readings, strict=True):
                        done.append(self._enter(connection, candidate, reading))
                    done += [self._still(connection, each) for each in batch.unchanged]
                    count += len(batch.candidates)
                    if count >= _COMMIT_ROWS or time.monotonic() > until:
                        is_done = False
                        break
            yield from done

    def _batches(self, files: Iterable[File]) -> Iterator[Batch]:
        batch, size = Batch([], []), 0
        for file in files:
            if file.path in self._own or file.path.startswith(self._aside):
                continue
            looked = self._look(file)
            if isinstance(looked, Candidate):
                batch.candidates.append(looked)
                size += len(file.path)
            else:
                batch.unchanged.append(looked)
            # of an index that has all, nothing is ever to be read
            if size >= _BATCH_BYTES or len(batch.candidates) + len(batch.unchanged) >= _BATCH:
                yield batch
                batch, size = Batch([], []), 0
        if batch.candidates or batch.unchanged:
            yield batch

    def _still(self, connection: sqlite3.Connection, filed: Filed) -> Filed:
        """Return what a file is that was as it was: the one that had its UID may have changed."""
        if filed.outcome is not Outcome.DUPLICATE:
            return filed
        stored = self._catalog.stored(filed.file.path)
        if connection.execute("SELECT 1 FROM file WHERE path = ?", (stored,)).fetchone():
            return filed
        (reading,) = FileReader(self._hashes)([filed.file.path])
        return self._enter(connection, Candidate(filed.file, stored, None), reading)

    def _look(self, file: File) -> Candidate | Filed:
        """Return a file that has to be read, or what became of one that is as it was."""
        stored = self._catalog.stored(file.path)
        if self._is_new:
            return Candidate(file, stored, None)
        found = self._catalog.connection.execute(
            "SELECT size, mtime_ns, outcome, instance, reason, sha256 IS NOT NULL FROM file"
            " WHERE path = ?",
            (stored,),
        ).fetchone()
        if found is None:
            return Candidate(file, stored, None)
        size, modified_ns, outcome, instance, reason, has_hash = found
        if (size, modified_ns) != (file.size, file.modified_ns) or (
            self._hashes and outcome == _OBJECT and not has_hash
        ):
            return Candidate(file, stored, instance)
        kind = Outcome.UNCHANGED if outcome == _OBJECT else Outcome(outcome)
        return Filed(file, kind, reason or "")

    def _enter(
        self, connection: sqlite3.Connection, candidate: Candidate, reading: Reading
    ) -> Filed:
        file, stored = candidate.file, candidate.stored
        held_before = candidate.instance is not None and self._take_out(connection, candidate)
        row = reading.row
        if row is None:
            outcome = Outcome.FAILED if reading.is_failure else Outcome.SKIPPED
            self._note(connection, stored, reading, outcome)
            return Filed(file, outcome, reading.reason)
        row.path = stored
        if self._is_archive:
            row.version = version_of(stored)
        outcome, held = self._insert(connection, row)
        if outcome is Outcome.DUPLICATE:
            reason = f"the same SOP instance UID as {self._catalog.real(held)}"
            reading = reading._replace(reason=reason, sha256=None)
            self._note(connection, stored, reading, outcome, row.sop_instance_uid)
            return Filed(file, outcome, reason, row)
        # without one that is held, its row is the last that was put in
        self._note(connection, stored, reading, _OBJECT, is_last=not held)
        if outcome is Outcome.ADDED and held_before:
            outcome = Outcome.CHANGED
        return Filed(file, outcome, row=row)

    def _take_out(self, connection: sqlite3.Connection, candidate: Candidate) -> bool:
        """Delete the row of a file that has changed: it may be another object now."""
        rows = connection.execute(
            "SELECT sop_instance_uid FROM instance WHERE id = ? AND path = ?",
            (candidate.instance, candidate.stored),
        ).fetchall()
        for (uid,) in rows:
            self._hierarchy.remove(uid)
        return bool(rows)

    def _insert(self, connection: sqlite3.Connection, row: InstanceRow) -> tuple[Outcome, str]:
        """Put in a row; return what it is, and the path of what has its UID."""
        if self._hierarchy.insert(row):
            return Outcome.ADDED, ""
        uid = row.sop_instance_uid
        held, version = connection.execute(
            "SELECT path, version FROM instance WHERE sop_instance_uid = ?", (uid,)
        ).fetchone()
        if held == row.path:
            # of an archive whose files were never looked at
            return Outcome.UNCHANGED, held
        if row.version != version:
            if row.version > version:
                self._hierarchy.supersede(row)
            else:
                self._hierarchy.insert_version(row)
            return Outcome.ADDED, held
        if not os.path.lexists(self._catalog.real(held)):
            self._hierarchy.remove(uid)
            self._hierarchy.insert(row)
            return Outcome.MOVED, held
        return Outcome.DUPLICATE, held

    def _note(
        self,
        connection: sqlite3.Connection,
        stored: str,
        reading: Reading,
        outcome: str,
        duplicate_uid: str | None = None,
        is_last: bool = False,
    ) -> None:
        """Remember the file, so that it need not be read again."""
        instance = None
        if outcome == _OBJECT and not is_last:
            found = connection.execute(
                "SELECT id FROM instance WHERE sop_instance_uid = ? AND path = ?",
                (reading.row.sop_instance_uid if reading.row else "", stored),
            ).fetchone()
            instance = found[0] if found else None
        connection.execute(
            "INSERT OR REPLACE INTO file (path, size, mtime_ns, outcome, instance, duplicate_uid,"
            f" reason, sha256) VALUES (?, ?, ?, ?, {_LAST if is_last else '?'}, ?, ?, ?)",
            (
                stored,
                reading.size,
                reading.modified_ns,
                outcome,
                *(() if is_last else (instance,)),
                duplicate_uid,
                reading.reason or None,
                reading.sha256,
            ),
        )
