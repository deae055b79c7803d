"""The archive's files: staged, made durable, put in place without overwriting anything."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path

from pacs_cli.archive.layout import SUFFIX
from pacs_cli.archive.turns import Turns
from pacs_cli.errors import OutputError
from pacs_cli.placing import NO_LINKS, place

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps a second process from the folder
    fcntl = None  # type: ignore[assignment]

#: Dot-folders are no part of the archive's layout.
STAGING = ".staging"

#: writev takes at most IOV_MAX buffers, 1024 on Linux, macOS and the BSDs.
_IOV_MAX = 1024
#: What is compared or hashed in one step; every association may be at it.
_CHUNK = 128 * 1024
#: Folders remembered as made; far more than are filled at the same time.
_KNOWN_FOLDERS = 10_000
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL
_CREATE |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
#: Never waits, should there be a FIFO.
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

#: Seconds and bytes after which the free space is asked for again. Others fill a disk at some
#: GB/s at the most, and so does a burst of ours in a second.
_ROOM_SECONDS = 1.0
_ROOM_BYTES = 16 * 1024 * 1024


class Durability(StrEnum):
    """What an acknowledged object survives: a power cut, or only the end of the process."""

    FULL = "full"
    RELAXED = "relaxed"


class Room:
    """Keeps so many bytes of the disk free. Any thread may call it.

    free_bytes  asks the system; at most once a second or every 16 MiB that are taken, and
                whenever there would be too few
    """

    def __init__(
        self,
        min_free: int,
        free_bytes: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._min_free = min_free
        self._free_bytes = free_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at = -_ROOM_SECONDS
        self._left = self._taken = 0

    def take(self, size: int) -> None:
        """Make sure that `size` more bytes may be written; raises OSError when not."""
        with self._lock:
            is_old = self._clock() - self._asked_at >= _ROOM_SECONDS
            if is_old or self._taken + size > _ROOM_BYTES or self._left <= size:
                self._left = self._free_bytes() - self._min_free
                self._taken = 0
                self._asked_at = self._clock()
            if self._left <= size:
                raise OSError(errno.ENOSPC, "less than the space that is to be kept free")
            self._left -= size
            self._taken += size


@dataclass(frozen=True, slots=True)
class Share:
    """What lets a further process use the folder of an archive that is open.

    lock    the descriptor that holds the folder: it stays held until the last of them has ended
    number  of the process, another one for each
    """

    lock: int
    number: int


class Blobs:
    """The folder of an archive, held by one process at a time, or by some that share it.

    min_free  bytes of the disk that are not to be filled, 0 for none
    share     of a process that joins the one which has opened the archive
    raises    OutputError when the folder cannot be used or another process holds it
    Any thread may stage; one staging belongs to one thread.
    """

    def __init__(
        self,
        root: Path,
        durability: Durability = Durability.FULL,
        min_free: int = 0,
        share: Share | None = None,
    ) -> None:
        self.root = root
        self.is_durable = durability is Durability.FULL
        # strings: of one of millions, a Path costs 5 us
        self._prefix = os.path.join(root, "")  # noqa: PTH118
        self._staging = os.path.join(root, STAGING, "")  # noqa: PTH118
        self._numbers = count(1)
        self._known: set[str] = set()
        self._room = Room(min_free, self._free_bytes) if min_free else None
        #: whether the next start has to look after the files: something may be left that was to
        #: be taken out, or something could not be looked at
        self.is_untidy = False
        self.unreadable: list[str] = []
        self.unfinished: list[str] = []
        self._unfinished: set[int] = set()
        if share is not None:
            self._staging += f"{share.number}-"
            self._lock = share.lock
            return
        try:
            Path(self._staging).mkdir(parents=True, exist_ok=True)
            self._lock = os.open(f"{self._staging}lock", os.O_RDWR | os.O_CREAT, 0o600)
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

    @property
    def lock(self) -> int:
        """The descriptor that holds the folder, for those who are to share it."""
        return self._lock

    def turns(self) -> Turns:
        """Return the turns of those who share the folder; raises OutputError."""
        try:
            return Turns(self._prefix + STAGING + "/turns")
        except OSError as error:
            raise OutputError(_unusable(self.root, error)) from None

    def take(self, size: int) -> None:
        """Make sure that so many more bytes may be written; raises OSError when not."""
        if self._room is not None:
            self._room.take(size)

    def stage(self) -> Staging:
        """Return a new empty file outside the layout."""
        return Staging(self, f"{self._staging}{next(self._numbers)}.part")

    def try_out(self, size: int) -> None:
        """Write so many bytes and take them away again; raises OSError when that cannot be."""
        self.take(size)
        staging = self.stage()
        try:
            staging.write([bytes(size)])
        finally:
            staging.discard()

    def path(self, relative: str) -> Path:
        """Return the file of a path that `Layout.place` made."""
        return self.root / relative

    def name(self, relative: str) -> str:
        """Return the same as a string; files that `pacs index` added may lie elsewhere."""
        return relative if relative.startswith("/") else self._prefix + relative

    def files(self) -> Iterator[str]:
        """Yield the relative path of every stored file, whatever layout it was placed by.

        Links are not followed: what is behind them is not in the archive. Nor are names told
        that are no text. After that `unreadable` has the folders that cannot be read, and
        `unfinished` those of the files that got their name, but were not acknowledged any more.
        """
        self.unreadable, self.unfinished = [], []
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self._prefix + folder) as entries:
                    for entry in entries:
                        name = entry.name
                        if name.startswith(".") or not _is_text(name):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(f"{folder}{name}/")
                        elif name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                            if entry.inode() in self._unfinished:
                                self.unfinished.append(folder + name)
                            yield folder + name
            except OSError:
                self.is_untidy = True
                self.unreadable.append(folder)

    def is_gone(self, relative: str) -> bool:
        """Return whether a file is certainly not there; what cannot be looked at may be."""
        try:
            os.stat(self.name(relative))  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return False

    def remove(self, relative: str) -> None:
        """Take a file out again; raises OSError, and a start has to look after it then."""
        try:
            with suppress(FileNotFoundError):
                os.unlink(self.name(relative))  # noqa: PTH108
            self.sync_folder(relative)
        except OSError:
            self.is_untidy = True
            raise

    def clear_away(self, relative: str) -> None:
        """Take a file out that no row leads to any more, now or at the next start."""
        with suppress(OSError):
            self.remove(relative)

    def size(self, relative: str) -> int:
        """Return the bytes of a file; raises OSError."""
        return os.stat(self.name(relative)).st_size  # noqa: PTH116

    def digest(self, relative: str) -> tuple[int, str]:
        """Return the size of a file and its SHA-256 in hexadecimal."""
        with open(self.name(relative), "rb", buffering=0) as file:  # noqa: PTH123
            digest = hashlib.file_digest(file, "sha256")
            return os.fstat(file.fileno()).st_size, digest.hexdigest()

    def set_aside(self, relative: str) -> str:
        """Give a file a second name that is none of an object, and return that."""
        for number in count(1):
            aside = f"{relative}.aside-{number}"
            try:
                place(self.name(relative), self.name(aside))
            except FileExistsError:
                continue
            return aside
        raise AssertionError

    def sync_folder(self, relative: str) -> None:
        """Make the names in the folder of a path durable, where that is asked for."""
        if self.is_durable:
            descriptor = os.open(self._prefix + relative.rpartition("/")[0], os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def make_folder(self, relative: str) -> None:
        """Make the folders of a path, durably, once."""
        folder = relative.rpartition("/")[0]
        if folder in self._known or not folder:
            return
        os.makedirs(self._prefix + folder, exist_ok=True)  # noqa: PTH103
        while folder:
            self.sync_folder(folder)
            folder = folder.rpartition("/")[0]
        if len(self._known) >= _KNOWN_FOLDERS:
            self._known.clear()
        self._known.add(relative.rpartition("/")[0])

    def forget_folders(self) -> None:
        """Look again which folders exist: one that was known is gone."""
        self._known.clear()

    def close(self) -> None:
        """Let other processes use the folder."""
        os.close(self._lock)

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._prefix).free

    def _sweep(self) -> None:
        """Remove what an earlier process did not finish: none of it was acknowledged."""
        for path in Path(self._staging).glob("*.part"):
            status = path.lstat()
            if status.st_nlink > 1:
                self._unfinished.add(status.st_ino)
            path.unlink()
        for path in Path(self._staging).glob("*.old"):
            path.unlink()


class Staging:
    """One file on its way; ends with `discard`, also when it got its place. `size` counts bytes."""

    __slots__ = ("_blobs", "_path", "descriptor", "size")

    def __init__(self, blobs: Blobs, path: str) -> None:
        self._blobs = blobs
        self._path = path
        self.size = 0
        self.descriptor = os.open(path, _CREATE, 0o644)

    def write(self, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
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
        blobs, final = self._blobs, self._blobs.name(relative)
        if blobs.is_durable:
            os.fsync(self.descriptor)
        try:
            blobs.make_folder(relative)
            place(self._path, final)
        except FileExistsError:
            return False
        except FileNotFoundError:
            blobs.forget_folders()
            blobs.make_folder(relative)
            place(self._path, final)
        if blobs.is_durable:
            try:
                blobs.sync_folder(relative)
            except OSError:
                blobs.remove(relative)
                raise
        return True

    def take_place_of(self, relative: str) -> Replaced:
        """Put the file in the place of another one, which can be given its place again.

        At every moment one of the two stands there, whole.
        raises  OSError, and then it is the other one
        """
        blobs, final = self._blobs, self._blobs.name(relative)
        if blobs.is_durable:
            os.fsync(self.descriptor)
        replaced = Replaced(blobs, relative, self._path.replace(".part", ".old"))
        try:
            os.replace(self._path, final)  # noqa: PTH105
            blobs.sync_folder(relative)
        except OSError:
            replaced.restore()
            raise
        return replaced

    def equals(self, relative: str, held_offset: int, offset: int) -> bool:
        """Return whether the bytes from `offset` are those of a stored file from `held_offset`.

        raises  OSError
        """
        descriptor = os.open(self._blobs.name(relative), _OPEN)
        try:
            while True:
                ours = os.pread(self.descriptor, _CHUNK, offset)
                if ours != os.pread(descriptor, _CHUNK, held_offset):
                    return False
                if not ours:
                    return True
                offset += len(ours)
                held_offset += len(ours)
        finally:
            os.close(descriptor)

    def discard(self) -> None:
        """Close the file and remove its staging name; does nothing a second time."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
            # swept at the next start should this fail
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108

    def _write_rest(self, rest: bytes) -> None:
        while rest:
            written = os.write(self.descriptor, rest)
            self.size += written
            rest = rest[written:]


class Replaced:
    """A file whose place another one takes: ends with `restore` or `drop`."""

    def __init__(self, blobs: Blobs, relative: str, kept: str) -> None:
        self._blobs = blobs
        self._relative = relative
        self._kept = kept
        try:
            os.link(blobs.name(relative), kept)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            shutil.copyfile(blobs.name(relative), kept)

    def restore(self) -> None:
        """Give it its place again; raises OSError, and a start has to look after it then."""
        try:
            os.replace(self._kept, self._blobs.name(self._relative))  # noqa: PTH105
            self._blobs.sync_folder(self._relative)
        except OSError:
            self._blobs.is_untidy = True
            raise
        # of two names of one file, rename leaves both
        self.drop()

    def drop(self) -> None:
        """Let it go."""
        # swept at the next start should this fail
        with suppress(OSError):
            os.unlink(self._kept)  # noqa: PTH108


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unusable(root: Path, error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    return f"cannot use {root} as an archive: {reason}; choose a folder that can be written"
