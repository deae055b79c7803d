"""The archive: takes objects in; success is answered only for what is safe and indexed."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from zlib import crc32

from pacs_cli.archive.blobs import Blobs, Durability
from pacs_cli.archive.catalog import note_root
from pacs_cli.archive.committing import Commitments
from pacs_cli.archive.contents import row_of_file
from pacs_cli.archive.index import Index
from pacs_cli.archive.layout import Layout
from pacs_cli.archive.plans import DataSetPlans
from pacs_cli.archive.recovery import Recovered, move_aside, reconcile
from pacs_cli.archive.settings import ArchiveSettings, Duplicates
from pacs_cli.archive.sink import ArchiveSink
from pacs_cli.archive.turns import Turn, Turns
from pacs_cli.services.commitment import Commitment
from pacs_cli.services.serving import StoreRequest

__all__ = [
    "Archive",
    "ArchiveHandler",
    "ArchiveSettings",
    "Duplicates",
    "Durability",
    "Layout",
    "Recovered",
    "open_archive",
    "row_of_file",
]

#: One lock for each of so many groups of SOP instance UIDs: the same object from several senders
#: is handled one after the other, different objects hardly ever wait.
STRIPES = 1024

_DEFAULT = ArchiveSettings()


class ArchiveHandler:
    """Implements services.serving.Handler on files and index."""

    def __init__(
        self,
        blobs: Blobs,
        index: Index,
        settings: ArchiveSettings = _DEFAULT,
        turns: Turns | None = None,
    ) -> None:
        self.blobs = blobs
        self.index = index
        self.settings = settings
        self.plans = DataSetPlans()
        self.commitments = Commitments(index, blobs.root, syncs=not blobs.is_durable)
        self._stripes: list[threading.Lock] | list[Turn]
        if turns is None:
            self._stripes = [threading.Lock() for _ in range(STRIPES)]
        else:
            self._stripes = [turns.turn(number) for number in range(STRIPES)]

    def open_store(self, request: StoreRequest) -> ArchiveSink:
        """Return the sink of one object; nothing is written before its first bytes."""
        return ArchiveSink(self, request)

    def commit(self, transfer_syntax_uid: str, request: bytes) -> Commitment:
        """Answer a request for storage commitment."""
        return self.commitments.commit(transfer_syntax_uid, request)

    def report_later(self, ae_title: str, transfer_syntax_uid: str, commitment: Commitment) -> None:
        """Report what is committed over an association of our own."""
        self.commitments.report_later(ae_title, transfer_syntax_uid, commitment)

    def stripe(self, sop_instance_uid: str) -> threading.Lock | Turn:
        """Return the lock of an object, the same in every process; raises OSError when entered."""
        return self._stripes[crc32(sop_instance_uid.encode("latin-1", "replace")) % STRIPES]


class Archive:
    """A folder and its index, open; leaving the `with` block closes both in order."""

    def __init__(
        self, blobs: Blobs, index: Index, recovered: Recovered, settings: ArchiveSettings
    ) -> None:
        self.blobs = blobs
        self.index = index
        self.recovered = recovered
        self.handler = ArchiveHandler(blobs, index, settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self.blobs.is_untidy:
                self.index.distrust()
            self.index.close()
        finally:
            self.blobs.close()


def open_archive(
    root: Path, db: Path | None = None, settings: ArchiveSettings | Durability = _DEFAULT
) -> Archive:
    """Open the archive in a folder, made when it is missing, and put right what a crash left.

    db        the index file, by default `index.db` in the folder
    settings  a durability alone leaves everything else as it is by default
    raises    OutputError when folder or index cannot be used
    """
    if isinstance(settings, Durability):
        settings = ArchiveSettings(durability=settings)
    blobs = Blobs(root, settings.durability, settings.min_free)
    try:
        path = db or root / "index.db"
        moved: Path | None = None
        try:
            index = Index(path, blobs.is_durable)
        except sqlite3.DatabaseError:
            moved = move_aside(path)
            index = Index(path, blobs.is_durable)
        try:
            note_root(index, root)
            recovered = Recovered() if index.was_clean else reconcile(blobs, index)
        except BaseException:
            index.distrust()
            index.close()
            raise
        return Archive(blobs, index, replace(recovered, moved_aside=moved), settings)
    except BaseException:
        blobs.close()
        raise
