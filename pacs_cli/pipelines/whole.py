"""A file of text that appears when it is whole."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from pacs_cli.errors import OutputError


class WholeFile:
    """Collects text in a file beside `path`; `finish` puts it in place of what was there.

    errors  what becomes of what UTF-8 has not; by default paths keep the bytes that the system
            knows them by, decodable or not
    mode    the permissions it gets, whatever the umask; None for the usual ones
    text    the open file: for who writes in a way of their own, and then gives `failure` to what
            goes wrong
    raises  OutputError at once when nothing can be written there
    """

    def __init__(
        self, path: Path, errors: str = "surrogateescape", mode: int | None = None
    ) -> None:
        self._asked = path
        # a link stays a link
        self._path = path.resolve()
        self._part = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            # a device or a FIFO must not be replaced by a file
            if self._path.exists() and not stat.S_ISREG(self._path.stat().st_mode):
                raise OutputError(f"cannot write {path}: not a regular file")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(self._part, flags, 0o666 if mode is None else 0o600)
            if mode is not None:
                # whatever the umask says, and only once it is ours
                os.fchmod(descriptor, mode)
        except OSError as error:
            raise self.failure(error) from None
        # closed by finish or discard
        self.text = os.fdopen(descriptor, "w", encoding="utf-8", errors=errors, newline="")

    def write(self, text: str) -> None:
        """Add text; raises OutputError."""
        try:
            self.text.write(text)
        except OSError as error:
            raise self.failure(error) from None

    def finish(self) -> None:
        """Make the file safe and put it into its place; raises OutputError."""
        try:
            self.text.flush()
            os.fsync(self.text.fileno())
            self.text.close()
            self._part.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            self.discard()
            raise self.failure(error) from None

    def discard(self) -> None:
        """Leave nothing behind; what was there stays."""
        with suppress(OSError):
            self.text.close()
        self._part.unlink(missing_ok=True)

    def failure(self, error: OSError) -> OutputError:
        """Return what to raise for what went wrong."""
        reason = (error.strerror or str(error)).lower()
        return OutputError(f"cannot write {self._asked}: {reason}")
