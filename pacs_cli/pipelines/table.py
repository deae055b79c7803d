"""A CSV file with one row for each thing that was done, which appears when it is whole."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pacs_cli.errors import OutputError


class TableFile:
    """Collects rows in a file beside `path`; `finish` puts it in place of what was there.

    raises  OutputError at once when nothing can be written there

    Paths keep the bytes that the system knows them by, decodable or not.
    """

    def __init__(self, path: Path) -> None:
        self._asked = path
        # a link stays a link
        self._path = path.resolve()
        self._part = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            # a device or a FIFO must not be replaced by a file
            if self._path.exists() and not stat.S_ISREG(self._path.stat().st_mode):
                raise OutputError(f"cannot write {path}: not a regular file")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(self._part, flags, 0o666)
        except OSError as error:
            raise self._failure(error) from None
        # closed by finish or discard
        self._file = os.fdopen(
            descriptor, "w", encoding="utf-8", errors="surrogateescape", newline=""
        )
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._has_header = False

    def add(self, fields: Mapping[str, object]) -> None:
        """Add a row; the fields of the first are the columns of all."""
        try:
            if not self._has_header:
                self._rows.writerow(fields)
                self._has_header = True
            self._rows.writerow(["" if each is None else each for each in fields.values()])
        except OSError as error:
            raise self._failure(error) from None

    def finish(self) -> None:
        """Make the file safe and put it into its place."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._part.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            self.discard()
            raise self._failure(error) from None

    def discard(self) -> None:
        """Leave nothing behind; what was there stays."""
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)

    def _failure(self, error: OSError) -> OutputError:
        reason = (error.strerror or str(error)).lower()
        return OutputError(f"cannot write {self._asked}: {reason}")
