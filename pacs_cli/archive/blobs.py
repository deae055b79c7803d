"""The archive's files: staged, made durable, put in place without overwriting anything."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from itertools import count
from pathlib import Path

from pacs_cli.errors import MalformedDataset, OutputError

try:
    import fcntl
except ImportError:  # Windows, where the exclusive open of the lock file has to do
    fcntl = None  # type: ignore[assignment]

#: Dot-folders are no part of the archive's layout.
STAGING = ".staging"

_UID = re.compile(r"[0-9][0-9.]{0,63}")
#: writev takes at most IOV_MAX buffers, 1024 on Linux, macOS and the BSDs.
_IOV_MAX = 1024
_CHUNK = 1024 * 1024
#: Folders remembered as made; far more than are filled at the same time.
_KNOWN_FOLDERS = 10_000
#: File systems without hard links (FAT, some network shares) answer one of these.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


class Durability(StrEnum):
    """What an acknowledged object survives: a power cut, or only the end of the process."""

    FULL = "full"
    RELAXED = "relaxed"


def place(study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> str:
    """Return where an object lies below the archive's root; nothing else builds such a path.

    raises  MalformedDataset when one of the three is not a UID of digits and dots (PS3.5 9.1)
    """
    for name, uid in (
        ("StudyInstanceUID", study_instance_uid),
        ("SeriesInstanceUID", series_instance_uid),
        ("SOPInstanceUID", sop_instance_uid),
    ):
        if not uid:
            raise MalformedDataset(f"missing {name}")
        if not _UID.fullmatch(uid):
            raise MalformedDataset(f"invalid {name}")
    return f"{study_instance_uid}/{series_instance_uid}/{sop_instance_uid}.dcm"


class Blobs:
    """The folder of an archive, held by one process at a time.

    raises  OutputError when the folder cannot be used or another process holds it
    Any thread may stage; one staging belongs to one thread.
    """

    def __init__(self, root: Path, durability: Durability = Durability.FULL) -> None:
        self.root = root
        self.is_durable = durability is Durability.FULL
        self._staging = root / STAGING
        self._numbers = count(1)
        self._known: set[str] = set()
        try:
            self._staging.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._staging / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise OutputError(_unusable(root, error)) from None
        try:
            if fcntl is not None:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._sweep()
        except BlockingIOError:
            os.close(self._lock)
            raise OutputError(
                f"cannot use {root} as an archive: another pacs storescp holds it; end that first"
            ) from None
        except OSError as error:
            os.close(self._lock)
            raise OutputError(_unusable(root, error)) from None

    def stage(self) -> Staging:
        """Return a new empty file outside the layout."""
        return Staging(self, str(self._staging / f"{next(self._numbers)}.part"))

    def path(self, relative: str) -> Path:
        """Return the file of a path that `place` built."""
        return self.root / relative

    def files(self) -> Iterator[str]:
        """Yield the relative path of every stored file."""
        for path in self.root.glob("[0-9]*/[0-9]*/[0-9]*.dcm"):
            yield path.relative_to(self.root).as_posix()

    def is_gone(self, relative: str) -> bool:
        """Return whether a file is certainly not there; what cannot be looked at may be."""
        try:
            self.path(relative).stat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return False

    def remove(self, relative: str) -> None:
        """Take a file out again, one that was never acknowledged."""
        path = self.path(relative)
        path.unlink(missing_ok=True)
        self.sync_folder(path.parent)

    def sync_folder(self, folder: Path) -> None:
        """Make the entries of a folder durable, where that is asked for."""
        if self.is_durable:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def make_folder(self, relative: str) -> None:
        """Make the study and series folders of an object, durably, once."""
        folder = relative.rpartition("/")[0]
        if folder in self._known:
            return
        made = self.root / folder
        made.mkdir(parents=True, exist_ok=True)
        self.sync_folder(made.parent)
        self.sync_folder(self.root)
        if len(self._known) >= _KNOWN_FOLDERS:
            self._known.clear()
        self._known.add(folder)

    def forget_folders(self) -> None:
        """Look again which folders exist: one that was known is gone."""
        self._known.clear()

    def close(self) -> None:
        """Let other processes use the folder."""
        os.close(self._lock)

    def _sweep(self) -> None:
        """Remove what an earlier process did not finish: none of it was acknowledged."""
        for path in self._staging.glob("*.part"):
            path.unlink()


class Staging:
    """One file on its way; ends with `place_at` or `discard`. `size` counts its bytes."""

    def __init__(self, blobs: Blobs, path: str) -> None:
        self._blobs = blobs
        self._path = path
        self.size = 0
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
        self.descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o644)

    def write(self, buffers: Sequence[bytes | memoryview]) -> None:
        """Append the buffers in one go where the system allows; raises OSError."""
        for first in range(0, len(buffers), _IOV_MAX):
            group = buffers[first : first + _IOV_MAX]
            wanted = sum(map(len, group))
            written = os.writev(self.descriptor, group)
            self.size += written
            if written < wanted:
                self._write_rest(b"".join(group)[written:])

    def place_at(self, relative: str) -> bool:
        """Put the file under its final name; return False when that is taken.

        Order: contents durable, name, folder durable. What stands under a final name is whole.
        raises  OSError, and then nothing stands there
        """
        blobs = self._blobs
        if blobs.is_durable:
            os.fsync(self.descriptor)
        try:
            blobs.make_folder(relative)
            self._link(relative)
        except FileExistsError:
            return False
        except FileNotFoundError:
            blobs.forget_folders()
            blobs.make_folder(relative)
            self._link(relative)
        try:
            blobs.sync_folder(blobs.path(relative).parent)
        except OSError:
            blobs.path(relative).unlink()
            raise
        return True

    def equals(self, relative: str, offset: int, transfer_syntax_uid: str) -> bool:
        """Return whether the bytes from `offset` are those of a stored file behind its header.

        The same bytes in another transfer syntax are another object: they mean other pixels.
        raises  InputError when the stored file cannot be read as an object, OSError
        """
        from pacs_cli.dicom.part10 import probe

        other = self._blobs.path(relative)
        header = probe(other)
        if header.transfer_syntax_uid != transfer_syntax_uid:
            return False
        with other.open("rb", buffering=0) as held:
            held.seek(header.dataset_offset)
            while True:
                ours = os.pread(self.descriptor, _CHUNK, offset)
                if ours != held.read(_CHUNK):
                    return False
                if not ours:
                    return True
                offset += len(ours)

    def discard(self) -> None:
        """Close the file and remove its staging name; does nothing a second time."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
            # swept at the next start should this fail
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108 - one of millions, a Path costs 5 us

    def _write_rest(self, rest: bytes) -> None:
        while rest:
            written = os.write(self.descriptor, rest)
            self.size += written
            rest = rest[written:]

    def _link(self, relative: str) -> None:
        final = self._blobs.path(relative)
        try:
            os.link(self._path, final)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            # only this process places files here, and one thread at a time each UID
            if final.exists():
                raise FileExistsError(errno.EEXIST, "exists", str(final)) from None
            os.rename(self._path, final)  # noqa: PTH104


def _unusable(root: Path, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"cannot use {root} as an archive: {reason}; choose a folder that can be written"
