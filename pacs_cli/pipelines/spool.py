"""A folder in which objects lie between two archives, and what takes them in."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.dicom.retrieval import is_uid
from pacs_cli.errors import OutputError
from pacs_cli.services.serving import Sink, StoreOutcome, StoreRequest

_SUFFIX, _PART = ".dcm", ".part"

#: PS3.4 table B.2-1.
_OUT_OF_RESOURCES, _NOT_ASKED_FOR = 0xA700, 0xC000


class Spool:
    """The folder; raises OutputError when it cannot be used.

    most  bytes from which on nothing more is asked for
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.folder = folder
        self.most = most
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot use {folder}: {(error.strerror or '').lower()}") from None

    def path(self, sop_instance_uid: str) -> str:
        """Return where an object lies; its UID was checked to be one."""
        assert is_uid(sop_instance_uid)
        return str(self.folder / f"{sop_instance_uid}{_SUFFIX}")

    @property
    def has_room(self) -> bool:
        """Whether more may be asked for."""
        with os.scandir(self.folder) as entries:
            return sum(entry.stat().st_size for entry in entries) < self.most

    def clear(self, is_needed: Callable[[str], bool]) -> None:
        """Remove what is not needed, and what never became whole."""
        with os.scandir(self.folder) as entries:
            paths = [entry.path for entry in entries]
        for path in paths:
            if path.endswith(_PART) or (path.endswith(_SUFFIX) and not is_needed(path)):
                with suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108 - as scandir gives them

    def remove(self) -> None:
        """Remove the folder when nothing is in it."""
        with suppress(OSError):
            self.folder.rmdir()


class SpoolHandler:
    """Takes objects into a spool; implements services.serving.Handler.

    wanted   UIDs of those that were asked for; no other is taken
    problem  why one of them could not be written, None when all could
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.wanted: frozenset[str] = frozenset()
        self.problem: str | None = None

    def open_store(self, request: StoreRequest) -> Sink:
        """Return the sink of one object."""
        if request.affected_sop_instance_uid not in self.wanted:
            return _Refusal(StoreOutcome(_NOT_ASKED_FOR, "this object was not asked for"))
        try:
            return _SpoolSink(self, self._spool, request)
        except OSError as error:
            return _Refusal(self.failed(error, 0))

    def failed(self, error: OSError, size: int) -> StoreOutcome:
        """Keep why an object could not be written; return what the source is answered."""
        self.problem = (error.strerror or str(error)).lower()
        return StoreOutcome(_OUT_OF_RESOURCES, self.problem, size)


class _Refusal:
    """Lets an object pass by."""

    def __init__(self, outcome: StoreOutcome) -> None:
        self._outcome = outcome

    def write(self, views: Sequence[memoryview]) -> None:
        pass

    def finish(self) -> StoreOutcome:
        return self._outcome

    def discard(self) -> None:
        pass


class _SpoolSink:
    """One object: it has its name once it is whole and on the disk."""

    def __init__(self, handler: SpoolHandler, spool: Spool, request: StoreRequest) -> None:
        self._handler = handler
        self._path = spool.path(request.affected_sop_instance_uid)
        # a peer may send one object over two associations at once
        self._part = f"{self._path}.{id(self)}{_PART}"
        self._problem: OSError | None = None
        self._size = 0
        self._file = open(self._part, "xb", buffering=0)  # noqa: PTH123, SIM115 closed by finish
        meta = file_meta(
            request.affected_sop_class_uid,
            request.affected_sop_instance_uid,
            request.transfer_syntax_uid,
            request.association.calling_ae_title,
        )
        self._write(meta)

    def write(self, views: Sequence[memoryview]) -> None:
        """Take more of it."""
        for view in views:
            self._size += len(view)
            self._write(view)

    def finish(self) -> StoreOutcome:
        """Make it safe and name it."""
        try:
            if self._problem is None:
                os.fsync(self._file.fileno())
            self._file.close()
            if self._problem is not None:
                raise self._problem
            os.rename(self._part, self._path)  # noqa: PTH104 as the names above
        except OSError as error:
            self.discard()
            return self._handler.failed(error, self._size)
        return StoreOutcome(0, "", self._size, self._path)

    def discard(self) -> None:
        """Leave nothing of it."""
        self._file.close()
        with suppress(OSError):
            os.unlink(self._part)  # noqa: PTH108 as above

    def _write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        try:
            while rest and self._problem is None:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            # the peer is told when it has sent it all
            self._problem = error
