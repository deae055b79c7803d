"""Outputs that are there whole or not at all, and never instead of another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pacs_cli.dicom.mapping import mapped
from pacs_cli.errors import OutputError
from pacs_cli.placing import place

#: Where Linux shows the open files of a process, of which one without a name gets one; not there in
#: a container without /proc.
_HANDLES = Path("/proc/self/fd")

#: What the system takes in one call, IOV_MAX.
_MOST_PIECES = 1024


class Occupied(OutputError):
    """Another object is there under the name of this one."""


class Output:
    """A file that is written without a name, so that a killed process leaves none behind.

    folder  in which it will be; it is made, unless it is one of those that are
    made    known to be there
    raises  OutputError
    """

    def __init__(self, folder: Path, made: set[Path]) -> None:
        self._folder = folder
        self._part: Path | None = None
        try:
            if folder not in made:
                folder.mkdir(parents=True, exist_ok=True)
                made.add(folder)
            self._descriptor = self._open()
        except OSError as error:
            raise _failure(folder, error) from None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC
        with_no_name = getattr(os, "O_TMPFILE", 0)
        if with_no_name and _HANDLES.is_dir():
            try:
                return os.open(self._folder, flags | with_no_name, 0o666)
            except OSError:
                # a file system that has no such files
                pass
        self._part = self._folder / f".{os.getpid()}.pacs-anonymize.part"
        self._part.unlink(missing_ok=True)
        return os.open(self._part, flags | os.O_CREAT | os.O_EXCL, 0o666)

    def write(self, content: Sequence[bytes | memoryview]) -> None:
        """Write all of it."""
        try:
            for start in range(0, len(content), _MOST_PIECES):
                pieces = content[start : start + _MOST_PIECES]
                written, size = os.writev(self._descriptor, pieces), sum(map(len, pieces))
                if written < size:
                    # a large one, or a disk that is full in a moment
                    rest = memoryview(b"".join(pieces))[written:]
                    while rest:
                        rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise _failure(self._folder, error) from None

    def read(self, size: int) -> memoryview:
        """Return what is in the file.

        raises  OutputError when there is more or less than `size`
        """
        try:
            if os.fstat(self._descriptor).st_size != size:
                raise OutputError(f"cannot write to {self._folder}: not all of it is there")
            return mapped(self._descriptor, size)
        except OSError as error:
            raise _failure(self._folder, error) from None

    def place(self, path: Path) -> None:
        """Give it a name in the same file system; Occupied when that is another's."""
        try:
            if self._part is None:
                source = _HANDLES / str(self._descriptor)
                # with a folder, though none is meant: only then the link is followed
                os.link(source, path, src_dir_fd=self._descriptor, follow_symlinks=True)
            else:
                place(self._part, path)
        except FileExistsError:
            raise Occupied(f"cannot write {path}: it is there already") from None
        except OSError as error:
            raise _failure(path, error) from None

    def replace(self, path: Path) -> None:
        """Put it safely into the place of a file that is there."""
        part = path.with_name(f".{os.getpid()}.pacs-anonymize.in-place")
        try:
            part.unlink(missing_ok=True)
            os.fsync(self._descriptor)
            self.place(part)
            part.chmod(path.stat().st_mode & 0o777)
            part.replace(path)
        except OSError as error:
            raise _failure(path, error) from None
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def close(self) -> None:
        """Let it go; without a name nothing is left of it."""
        os.close(self._descriptor)
        if self._part is not None:
            self._part.unlink(missing_ok=True)


def _failure(path: Path, error: OSError) -> OutputError:
    reason = (error.strerror or str(error)).lower()
    return OutputError(f"cannot write {path}: {reason}")
