"""Takes objects into the archive: success is answered only for what is safe and indexed.

source  PS3.4 B.2.3 (statuses)
"""

from __future__ import annotations

import mmap
import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from pacs_cli.archive.attributes import TAGS, describe
from pacs_cli.archive.blobs import Blobs, Durability, Staging, place
from pacs_cli.archive.index import Index, InstanceRow
from pacs_cli.dicom.elements import encoding_of, pick
from pacs_cli.dicom.part10 import file_meta, probe
from pacs_cli.errors import InputError, MalformedDataset, OutputError
from pacs_cli.services.results import StoreOutcome, StoreRequest

#: PS3.4 B.2.3 and PS3.7 C: what an archive answers besides success.
DUPLICATE_SOP_INSTANCE = 0x0111
OUT_OF_RESOURCES = 0xA700
INDEX_FAILED = 0xA701
DOES_NOT_MATCH_SOP_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000

#: No element has it, so a search for it reads every top-level header: a truncated data set shows.
_NO_TAG = 0xFFFFFFFF

#: One lock for each of so many groups of SOP instance UIDs: the same object from several senders
#: is handled one after the other, different objects hardly ever wait.
_STRIPES = 1024


class ArchiveHandler:
    """Implements services.results.Handler on files and index."""

    def __init__(self, blobs: Blobs, index: Index) -> None:
        self.blobs = blobs
        self.index = index
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    def open_store(self, request: StoreRequest) -> ArchiveSink:
        """Return the sink of one object; nothing is written before its first bytes."""
        return ArchiveSink(self, request)

    def stripe(self, sop_instance_uid: str) -> threading.Lock:
        """Return the lock of an object."""
        return self._stripes[hash(sop_instance_uid) % _STRIPES]


class ArchiveSink:
    """One object on its way into the archive."""

    def __init__(self, handler: ArchiveHandler, request: StoreRequest) -> None:
        self._handler = handler
        self._request = request
        self._staging: Staging | None = None
        self._header_size = 0
        self._refusal: StoreOutcome | None = None

    def write(self, views: Sequence[memoryview]) -> None:
        """Append to the staging file; a failure is remembered and answered by `finish`."""
        if self._refusal is not None:
            return
        try:
            if self._staging is None:
                self._staging, header = self._begin()
                self._staging.write([header, *views])
            else:
                self._staging.write(views)
        except (OSError, MalformedDataset) as error:
            self._refuse(error)

    def finish(self) -> StoreOutcome:
        """Put the object in place and into the index; the outcome says what became of it."""
        if self._staging is None:
            self.write([])
        if (staging := self._staging) is None or self._refusal is not None:
            return self._refusal or StoreOutcome(CANNOT_UNDERSTAND)
        try:
            return self._keep(staging)
        except OSError as error:
            # what fails to be put right as well shows at the next start
            self._handler.index.distrust()
            return self._refuse(error)
        except (MalformedDataset, OutputError) as error:
            return self._refuse(error)
        finally:
            staging.discard()

    def discard(self) -> None:
        """Leave nothing of an object that did not arrive whole."""
        if self._staging is not None:
            self._staging.discard()

    def _begin(self) -> tuple[Staging, bytes]:
        request = self._request
        header = file_meta(
            request.affected_sop_class_uid,
            request.affected_sop_instance_uid,
            request.transfer_syntax_uid,
            request.association.calling_ae_title,
        )
        self._header_size = len(header)
        return self._handler.blobs.stage(), header

    def _refuse(self, error: OSError | MalformedDataset | OutputError) -> StoreOutcome:
        self.discard()
        if isinstance(error, MalformedDataset):
            self._refusal = StoreOutcome(CANNOT_UNDERSTAND, str(error))
        elif isinstance(error, OutputError):
            self._refusal = StoreOutcome(INDEX_FAILED, "the index cannot be written")
        else:
            reason = (error.strerror or "write error").lower()
            self._refusal = StoreOutcome(OUT_OF_RESOURCES, f"cannot write: {reason}")
        return self._refusal

    def _keep(self, staging: Staging) -> StoreOutcome:
        request = self._request
        row = _row(staging, self._header_size, request)
        named = (request.affected_sop_class_uid, request.affected_sop_instance_uid)
        if (row.sop_class_uid, row.sop_instance_uid) != named:
            reason = "SOP class or instance UID differs between command and data set"
            return StoreOutcome(DOES_NOT_MATCH_SOP_CLASS, reason, row.size)
        with self._handler.stripe(row.sop_instance_uid):
            return self._file(staging, row)

    def _file(self, staging: Staging, row: InstanceRow) -> StoreOutcome:
        """Name, then index, then success; alone with this SOP instance UID."""
        blobs, index = self._handler.blobs, self._handler.index
        if not staging.place_at(row.path):
            return self._again(staging, row, row.path)
        try:
            is_new = index.add(row)
        except OutputError:
            blobs.remove(row.path)
            raise
        if is_new or self._replace_row(row):
            return _stored(row)
        # the UID is filed under another study or series already
        blobs.remove(row.path)
        return self._again(staging, row, index.find_path(row.sop_instance_uid) or row.path)

    def _replace_row(self, row: InstanceRow) -> bool:
        """Put the row in the place of one whose file was removed from under the archive, if so."""
        blobs, index = self._handler.blobs, self._handler.index
        try:
            held = index.find_path(row.sop_instance_uid)
            if held not in (None, row.path) and not blobs.is_gone(held):
                return False
            index.remove(row.sop_instance_uid)
            return index.add(row)
        except OutputError:
            blobs.remove(row.path)
            raise

    def _again(self, staging: Staging, row: InstanceRow, held: str) -> StoreOutcome:
        """Answer an object whose UID is held: the same bytes are success, others are refused."""
        try:
            is_same = staging.equals(held, self._header_size, row.transfer_syntax_uid)
        except InputError:
            # nothing of where it lies: the peer reads this
            raise OSError(0, "the held object cannot be read") from None
        if not is_same:
            reason = "another object with this SOP instance UID is held"
            return StoreOutcome(DUPLICATE_SOP_INSTANCE, reason, row.size)
        # a row that a crash has kept from being written is written now
        self._handler.index.add(row)
        return _stored(row, is_duplicate=True)


def _stored(row: InstanceRow, is_duplicate: bool = False) -> StoreOutcome:
    return StoreOutcome(
        0,
        size=row.size,
        path=row.path,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        is_duplicate=is_duplicate,
    )


def _row(staging: Staging, offset: int, request: StoreRequest) -> InstanceRow:
    """Read from the staged file what the index keeps; its headers are in the page cache.

    raises  MalformedDataset when the data set is empty, truncated or garbage, or lacks a UID
    """
    source = request.association.calling_ae_title
    return _read_row(staging.descriptor, offset, staging.size, request.transfer_syntax_uid, source)


def _read_row(
    descriptor: int, offset: int, size: int, transfer_syntax_uid: str, source: str
) -> InstanceRow:
    if size <= offset:
        raise MalformedDataset("empty data set")
    with (
        mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as whole,
        memoryview(whole) as file,
        file[offset:] as data,
    ):
        encoding = encoding_of(transfer_syntax_uid)
        tags = TAGS if encoding.deflated else TAGS | {_NO_TAG}
        try:
            values = describe(pick(data, encoding, tags))
        except MalformedDataset as error:
            raise MalformedDataset(f"cannot understand the data set: {error}") from None
    study, series = values.pop("study", ""), values.pop("series", "")
    instance, sop_class = values.pop("instance", ""), values.pop("sop_class", "")
    if not sop_class:
        raise MalformedDataset("missing SOPClassUID")
    return InstanceRow(
        study,
        series,
        instance,
        sop_class,
        transfer_syntax_uid=transfer_syntax_uid,
        size=size - offset,
        path=place(study, series, instance),
        source_ae_title=source,
        received=time.time(),
        attributes=values,
    )


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start had to put right.

    rows_added    stored files that had no row
    rows_removed  rows whose file is gone
    unindexed     files that are no objects, do not lie where they belong, or whose UID another
                  file has; they stay where they are
    moved_aside   where a corrupt index went, None when it was sound
    """

    rows_added: int = 0
    rows_removed: int = 0
    unindexed: tuple[str, ...] = ()
    moved_aside: Path | None = None


class Archive:
    """A folder and its index, open; leaving the `with` block closes both in order."""

    def __init__(self, blobs: Blobs, index: Index, recovered: Recovered) -> None:
        self.blobs = blobs
        self.index = index
        self.recovered = recovered
        self.handler = ArchiveHandler(blobs, index)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.index.close()
        finally:
            self.blobs.close()


def open_archive(
    root: Path, db: Path | None = None, durability: Durability = Durability.FULL
) -> Archive:
    """Open the archive in a folder, made when it is missing, and put right what a crash left.

    db      the index file, by default `index.db` in the folder
    raises  OutputError when folder or index cannot be used
    """
    blobs = Blobs(root, durability)
    try:
        path = db or root / "index.db"
        moved: Path | None = None
        try:
            index = Index(path, blobs.is_durable)
        except sqlite3.DatabaseError:
            moved = _move_aside(path)
            index = Index(path, blobs.is_durable)
        try:
            recovered = Recovered() if index.was_clean else reconcile(blobs, index)
        except BaseException:
            index.distrust()
            index.close()
            raise
        return Archive(blobs, index, replace(recovered, moved_aside=moved))
    except BaseException:
        blobs.close()
        raise


def reconcile(blobs: Blobs, index: Index) -> Recovered:
    """Compare files and rows both ways: index files without a row, drop rows without a file."""
    rows = {path: uid for uid, path in index.paths()}
    files = set(blobs.files())
    gone = [path for path in rows.keys() - files if blobs.is_gone(path)]
    for path in gone:
        index.remove(rows[path])
    added = 0
    unindexed = []
    for relative in sorted(files - rows.keys()):
        try:
            row = row_of_file(blobs.path(relative))
            is_added = row.path == relative and index.add(row)
        except (InputError, OSError):
            is_added = False
        added += is_added
        if not is_added:
            unindexed.append(relative)
    return Recovered(added, len(gone), tuple(unindexed))


def row_of_file(path: Path) -> InstanceRow:
    """Return what the index would keep of a file; raises InputError when it cannot be kept."""
    header = probe(path)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # who sent it stands in the file meta, which is not read here
        return _read_row(
            descriptor, header.dataset_offset, header.file_size, header.transfer_syntax_uid, ""
        )
    finally:
        os.close(descriptor)


def _move_aside(path: Path) -> Path:
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
