"""Turns that the processes of one archive take: locks on the bytes of a file.

They end with the process that holds them, however that ends, and whoever waits is woken.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from types import TracebackType

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("@hhqqi0q")


def are_possible() -> bool:
    """Whether this system has them: locks of an open file (Linux 3.15), not of a process.

    Those of a process would be lost with any other descriptor of the file, and the system takes
    two threads of one process that each wait for the other process for a deadlock.
    """
    return sys.platform == "linux" and sys.maxsize > 2**32 and hasattr(fcntl, "F_OFD_SETLKW")


class Turns:
    """One lock for each number, between processes; each process opens its own.

    raises  OSError when the file cannot be opened
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def turn(self, number: int) -> Turn:
        """Return the lock of a number, for use with `with`; one object for all threads."""
        return Turn(self._descriptor, number)

    def close(self) -> None:
        """Give back what is held."""
        os.close(self._descriptor)


class Turn:
    """Held by one thread of one process at a time; raises OSError when it cannot be had."""

    __slots__ = ("_descriptor", "_lock", "_release", "_request")

    def __init__(self, descriptor: int, number: int) -> None:
        self._descriptor = descriptor
        # of one process all threads have the same file open: they take turns before
        self._lock = threading.Lock()
        self._request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        self._release = _FLOCK.pack(fcntl.F_UNLCK, os.SEEK_SET, number, 1, 0)

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._request)
        except BaseException:
            self._lock.release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLKW, self._release)
        finally:
            self._lock.release()
