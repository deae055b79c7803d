"""The files that a DICOMDIR refers to (PS3.3 F.3, PS3.10 8)."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pacs_cli.dicom.elements import Element, ItemEnd, ItemStart, walk
from pacs_cli.dicom.encoding import UNDEFINED, encoding_of, header_at
from pacs_cli.errors import InputError, MalformedDataset

_TRANSFER_SYNTAX = 0x00020010
_RECORD_IN_USE = 0x00041410
_REFERENCED_FILE_ID = 0x00041500

#: A record of an image has about 500 bytes; a full DVD of small images some 100 MB of records.
_MAX_SIZE = 256 * 1024 * 1024


def referenced_files(path: str) -> list[tuple[str, str]]:
    """Return the path of every file that the records of a DICOMDIR in use refer to, once each.

    returns  the path and what is wrong with it, "" when it may be opened: a reference never leads
             out of the folder of the DICOMDIR, not by `..` nor by a symbolic link
    raises   InputError when it cannot be read or makes no sense
    """
    folder = Path(path).parent
    try:
        references = dict.fromkeys(_references(read_dicomdir(path)))
    except MalformedDataset as error:
        raise InputError(f"the DICOMDIR makes no sense: {error}") from None
    return [placed(folder, folder.resolve(), components) for components in references]


def read_dicomdir(path: str) -> bytes:
    """Return the bytes of a DICOMDIR; raises InputError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise InputError("not a regular file")
            if status.st_size > _MAX_SIZE:
                raise InputError(f"a DICOMDIR of more than {_MAX_SIZE} bytes")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError((error.strerror or str(error)).lower()) from None


def dataset_of(data: bytes) -> tuple[int, str]:
    """Return where the data set of a DICOMDIR begins, and its transfer syntax.

    raises  MalformedDataset
    """
    if data[128:132] != b"DICM":
        raise MalformedDataset("it does not begin as a DICOM file does")
    offset, syntax = 132, ""
    while data[offset : offset + 2] == b"\x02\x00":
        tag, _, length, start = header_at(data, offset, True, True)
        if length == UNDEFINED:
            raise MalformedDataset("no length in the file meta", offset)
        offset = start + length
        if tag == _TRANSFER_SYNTAX:
            syntax = data[start:offset].strip(b"\0 ").decode("latin-1")
    return offset, syntax


def split_file_id(value: bytes) -> tuple[str, ...]:
    """Return the components of a Referenced File ID."""
    return tuple(os.fsdecode(part.strip(b"\0 ")) for part in value.split(b"\\"))


def _references(data: bytes) -> Iterator[tuple[str, ...]]:
    """Yield the components of every Referenced File ID of a record that is in use."""
    offset, syntax = dataset_of(data)
    is_in_use, components = True, b""
    for event in walk(memoryview(data)[offset:], encoding_of(syntax)):
        if isinstance(event, ItemStart) and event.depth == 1:
            is_in_use, components = True, b""
        elif isinstance(event, Element) and event.depth == 1:
            if event.tag == _RECORD_IN_USE:
                # 0000H is the only other value, and retired (PS3.3 F.3.2.2)
                is_in_use = any(event.value)
            elif event.tag == _REFERENCED_FILE_ID:
                components = bytes(event.value)
        elif isinstance(event, ItemEnd) and event.depth == 1 and is_in_use and components:
            yield split_file_id(components)


def placed(folder: Path, root: Path, components: tuple[str, ...]) -> tuple[str, str]:
    """Return where a reference leads, and why it must not be followed.

    root  the folder without links in its path

    The components are upper case (PS3.10 8.2); discs are often mounted or copied in lower case.
    """
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in components):
        return str(Path(folder, "\\".join(components))), "no file ID"
    path = Path(folder, *components)
    if not os.path.lexists(path):
        lower = Path(folder, *map(str.lower, components))
        path = lower if os.path.lexists(lower) else path
    try:
        is_inside = path.resolve().is_relative_to(root)
    except (OSError, RuntimeError) as error:
        # RuntimeError: a loop of symbolic links, before Python 3.13
        return str(path), str(getattr(error, "strerror", None) or "a loop of symbolic links")
    return str(path), "" if is_inside else "it leads out of the folder"
