"""The real files that come with pydicom, as samples."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pydicom

from pacs_cli.dicom.part10 import Header, probe
from pacs_cli.errors import InputError

FOLDERS = ("test_files", "charset_files")


@cache
def every_file() -> tuple[Path, ...]:
    """Every file in pydicom's data folders."""
    root = Path(pydicom.__file__).parent / "data"
    return tuple(
        sorted(path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file())
    )


@cache
def storable() -> tuple[Path, ...]:
    """Every one that is a DICOM object with a SOP class."""
    return tuple(path for path in every_file() if header(path) is not None)


@cache
def header(path: Path) -> Header | None:
    """What the file says about itself, None when it is no object to send."""
    try:
        return probe(path)
    except InputError:
        return None


def dataset_bytes(path: Path) -> bytes:
    """The data set of a file, without preamble and file meta information."""
    return path.read_bytes()[probe(path).dataset_offset :]
