"""What was answered since the job file was last written, in a file beside it.

A transaction of SQLite for each object would cost as much as sending a small one. A record here is
one write: it survives the process, however that ends, and is in the job itself a moment later.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

#: Row that was answered and row that was begun, 0 for none; tries, status; CRC of these.
_RECORD = struct.Struct("<qqHH")
_SIZE = _RECORD.size + 4


class Turn(NamedTuple):
    """One object was answered with success or a warning, another was begun; 0 for none."""

    answered: int
    begun: int
    tries: int
    code: int


class AnswerFile:
    """The file; raises OSError when it cannot be written. One thread at a time uses it."""

    def __init__(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)

    def add(self, turn: Turn) -> None:
        """Keep a turn for as long as the machine runs."""
        record = _RECORD.pack(*turn)
        record += zlib.crc32(record).to_bytes(4, "little")
        if os.write(self._descriptor, record) != _SIZE:
            raise OSError("it was written in part")

    def turns(self) -> Iterator[Turn]:
        """Yield what is kept; what was cut off by the end of the machine is left out."""
        size = os.fstat(self._descriptor).st_size
        whole = os.pread(self._descriptor, size, 0)
        for start in range(0, size - _SIZE + 1, _SIZE):
            record = whole[start : start + _RECORD.size]
            if int.from_bytes(whole[start + _RECORD.size : start + _SIZE], "little") != zlib.crc32(
                record
            ):
                return
            yield Turn(*_RECORD.unpack(record))

    def clear(self) -> None:
        """Forget it: the job has it on the disk."""
        os.ftruncate(self._descriptor, 0)

    def close(self) -> None:
        """Let it go."""
        os.close(self._descriptor)
