"""What files say of themselves, read many at a time: what other processes do for `pacs index`."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from pacs_cli.archive.contents import row_of_open
from pacs_cli.archive.plans import Plans
from pacs_cli.archive.rows import InstanceRow
from pacs_cli.dicom.part10 import IsDirectory, NotDicom
from pacs_cli.errors import InputError

_CHUNK = 1024 * 1024
_OPEN = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | os.O_CLOEXEC


class Reading(NamedTuple):
    """What one file is.

    row         None when it is no object, and `reason` says why
    is_failure  whether it should have been one: broken, or not to be read
    size        bytes of the file, as `modified_ns` of when it was read
    sha256      of the whole file in hexadecimal, None when that was not asked for
    """

    row: InstanceRow | None
    reason: str
    is_failure: bool
    size: int
    modified_ns: int
    sha256: str | None


class FileReader:
    """Reads files, one lot after the other, and remembers how the last ones were built.

    hashes  whether the SHA-256 of each object's file is wanted
    """

    def __init__(self, hashes: bool = False) -> None:
        self._hashes = hashes
        self._plans = Plans()

    def __reduce__(self) -> tuple[type[FileReader], tuple[bool]]:
        # a process that is started anew, and no copy of this one, remembers nothing yet
        return FileReader, (self._hashes,)

    def __call__(self, paths: Sequence[str]) -> list[Reading]:
        """Return what each of the files is; nothing is raised."""
        return [_read(path, self._hashes, self._plans) for path in paths]


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises OSError."""
    descriptor = os.open(path, _OPEN)
    try:
        return _digest(descriptor)
    finally:
        os.close(descriptor)


def _read(path: str, hashes: bool, plans: Plans) -> Reading:
    size = modified_ns = 0
    try:
        # not waiting, should it be a FIFO by now
        descriptor = os.open(path, _OPEN)
        try:
            status = os.fstat(descriptor)
            size, modified_ns = status.st_size, status.st_mtime_ns
            if not stat.S_ISREG(status.st_mode):
                return Reading(None, "not a regular file", True, size, modified_ns, None)
            row = row_of_open(descriptor, plans)
            digest = _digest(descriptor) if hashes else None
            return Reading(row, "", False, size, modified_ns, digest)
        finally:
            os.close(descriptor)
    except (NotDicom, IsDirectory) as error:
        return Reading(None, str(error), False, size, modified_ns, None)
    except InputError as error:
        return Reading(None, str(error), True, size, modified_ns, None)
    except (OSError, ValueError) as error:
        # ValueError: a NUL in the name
        reason = str(getattr(error, "strerror", None) or error).lower()
        return Reading(None, reason, True, size, modified_ns, None)


def _digest(descriptor: int) -> str:
    digest = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view, offset = memoryview(buffer), 0
    while count := os.preadv(descriptor, [view], offset):
        digest.update(view[:count])
        offset += count
    return digest.hexdigest()
