"""The answers to a query as DICOM files."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import OutputError
from pacs_cli.pipelines.find import Match
from pacs_cli.placing import place


class Saver:
    """Writes each answer into a folder as it came, whole or not at all, and in place of nothing.

    The files are numbered: nothing that a peer says is part of a name. An answer is no object, so
    its file meta has the SOP class of the query and a UID of its own.

    raises  OutputError when the folder cannot be used or has answers already
    """

    def __init__(self, folder: Path, sop_class_uid: str) -> None:
        self._folder = folder
        self._sop_class_uid = sop_class_uid
        self.count = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = next(folder.glob("match-*.dcm"), None)
        except OSError as error:
            raise self._failure(error) from None
        if held is not None:
            raise OutputError(f"cannot save into {folder}: it has {held.name}; choose another")

    def save(self, match: Match) -> Path:
        """Write one answer and return its file; OutputError when that is not possible."""
        self.count += 1
        path = self._folder / f"match-{self.count:06}.dcm"
        part = self._folder / f".{path.name}.{os.getpid()}.part"
        meta = file_meta(self._sop_class_uid, f"2.25.{uuid4().int}", match.transfer_syntax_uid)
        try:
            try:
                self._write(part, meta + match.identifier)
                self._place(part, path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise self._failure(error) from None
        return path

    def finish(self) -> None:
        """Make the names durable."""
        try:
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise self._failure(error) from None

    def _write(self, part: Path, data: bytes) -> None:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _place(self, part: Path, path: Path) -> None:
        place(part, path)

    def _failure(self, error: OSError) -> OutputError:
        reason = (error.strerror or str(error)).lower()
        return OutputError(f"cannot save into {self._folder}: {reason}")
