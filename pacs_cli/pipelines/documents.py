"""The DICOM files that a command line means, each opened to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pacs_cli.dicom.document import Document, open_document
from pacs_cli.dicom.part10 import NotDicom
from pacs_cli.errors import Exit, InputError
from pacs_cli.pipelines.files import Found, Passed, find_files


class Unreadable(NamedTuple):
    """A file that cannot be read: the class of the failure, and the line that says so."""

    path: str
    kind: str
    message: str
    exit: Exit


def find_documents(paths: Iterable[str], follow: bool = False) -> Iterator[Found | Passed]:
    """Yield the files that may be opened; a DICOMDIR is one, and stands for itself."""
    return find_files(paths, follow, enters_dicomdir=False)


def opened(found: Found | Passed) -> Document | Unreadable | Passed:
    """Open a file: what is no DICOM is passed by inside a folder, and a failure when it was named
    itself.
    """
    if isinstance(found, Passed):
        if not found.is_failure:
            return found
        message = f"cannot read {found.path}: {found.reason}"
        return Unreadable(found.path, "InputError", message, Exit.BAD_INPUT)
    try:
        return open_document(found.path)
    except InputError as error:
        if isinstance(error, NotDicom) and not found.is_named:
            reason = str(error).removeprefix(f"cannot read {found.path}: ")
            return Passed(found.path, reason, is_failure=False)
        return Unreadable(found.path, type(error).__name__, str(error), error.exit)
