"""An archive that several processes share: one has opened it, the others join and leave before it.

They take turns wherever threads of one process would take a lock.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pacs_cli.archive.blobs import Blobs, Share
from pacs_cli.archive.handler import STRIPES, ArchiveHandler
from pacs_cli.archive.index import Index, InstanceRow, T
from pacs_cli.archive.settings import ArchiveSettings
from pacs_cli.archive.turns import Turn
from pacs_cli.errors import OutputError

__all__ = ["Member", "Share"]


class SharedIndex(Index):
    """The index of an archive as a member has it: each change is committed, in its turn.

    Nobody may wait 20 ms for the open transaction of another process.
    """

    def __init__(self, path: Path, is_durable: bool, turn: Turn) -> None:
        self._turn = turn
        super().__init__(path, is_durable)

    def add(self, row: InstanceRow) -> bool:
        """Put in a row and commit; False when there is one for that SOP instance UID already."""
        return self._change(lambda: self._hierarchy.insert(row))

    def _change(self, work: Callable[[], T], is_safe: bool = False) -> T:
        try:
            with self._turn:
                # the keys may be others' by now
                self._hierarchy.forget()
                return super()._change(work, is_safe)
        except OSError as error:
            raise OutputError(f"cannot write the index {self.path}: {error.strerror}") from None

    def _prepare(self) -> None:
        """Leave the file to who has opened it."""
        self._writer.execute(f"PRAGMA synchronous = {self._synchronous}")
        self._writer.execute("PRAGMA foreign_keys = ON")

    def _finish(self) -> None:
        """Leave that, too."""


class Member:
    """The archive as one of the processes has it that share it.

    raises  OutputError when it cannot be used
    """

    def __init__(
        self, root: Path, db: Path | None, settings: ArchiveSettings, share: Share
    ) -> None:
        self.blobs = Blobs(root, settings.durability, settings.min_free, share)
        self._turns = self.blobs.turns()
        # behind those of the objects
        turn = self._turns.turn(STRIPES)
        self.index = SharedIndex(db or root / "index.db", self.blobs.is_durable, turn)
        self.handler = ArchiveHandler(self.blobs, self.index, settings, self._turns)

    def close(self) -> bool:
        """Close it; return whether nothing is left for the next start to look after."""
        try:
            self.index.close()
            return self.index.is_trusted and not self.blobs.is_untidy
        finally:
            self._turns.close()
            self.blobs.close()
