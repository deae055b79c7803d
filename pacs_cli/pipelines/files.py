"""Which files a command line means."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pacs_cli.dicom.strangers import why_unreadable
from pacs_cli.errors import InputError


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file to work on.

    size         bytes
    is_named     whether it was named itself, and not only a folder above it
    modified_ns  since the epoch
    """

    path: str
    size: int = field(default=0, compare=False)
    is_named: bool = field(default=False, compare=False)
    modified_ns: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Passed:
    """A path that was left out, and why.

    is_failure  False for what nobody could want: a FIFO, socket or device inside a folder
    is_usual    whether nobody would wonder about it, as a DICOMDIR inside a folder
    """

    path: str
    reason: str
    is_failure: bool = field(default=True, compare=False)
    is_usual: bool = field(default=False, compare=False)


def find_files(
    paths: Iterable[str], follow: bool = False, enters_dicomdir: bool = True
) -> Iterator[Found | Passed]:
    """Yield the files that `paths` name, folders recursively and sorted, lazily.

    Hidden files and folders inside a folder are left out silently, and symbolic links inside it
    unless `follow`; a path given by name is always taken, and of a DICOMDIR the files that it
    refers to. A folder is entered once, so loops end. FIFOs, sockets and devices are never opened.

    enters_dicomdir  False when a DICOMDIR that is named is meant itself
    """
    entered: set[tuple[int, int]] = set()
    for path in paths:
        yield from _look(path, follow, entered, enters_dicomdir)


def named_files(typed: Iterable[str], from_file: str | None) -> Iterator[str]:
    """Yield the paths that were typed, those of the list on standard input where `-` stands, and
    those of the list `from_file`.

    A list has a name on each line, or a NUL after each when there is any. Names are bytes to the
    system: those that cannot be decoded come as `os.fsdecode` gives them.

    raises  InputError when a list cannot be read
    """
    for path in typed:
        if path == "-":
            yield from _listed(path)
        else:
            yield path
    if from_file is not None:
        yield from _listed(from_file)


def _listed(name: str) -> Iterator[str]:
    try:
        if name != "-":
            listing = Path(name).read_bytes()
        elif sys.stdin is not None:
            listing = sys.stdin.buffer.read()
        else:
            raise InputError("cannot read a list from standard input: it is closed")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the list {name}: {_reason(error)}") from None
    separator = b"\0" if b"\0" in listing else b"\n"
    yield from (os.fsdecode(path) for path in listing.split(separator) if path)


def _look(
    path: str, follow: bool, entered: set[tuple[int, int]], enters_dicomdir: bool
) -> Iterator[Found | Passed]:
    """Walk with an explicit stack: the depth of a tree is no limit."""
    stack = [path]
    is_named = True
    while stack:
        current = stack.pop()
        try:
            status = os.stat(current)  # noqa: PTH116 - a Path would not hold every name
        except (OSError, ValueError) as error:
            # ValueError: a NUL in the name
            yield Passed(current, _reason(error))
            continue
        if stat.S_ISREG(status.st_mode):
            # by its name, which PS3.10 8.6 prescribes: only that is not to be opened twice
            if is_named and enters_dicomdir and "DICOMDIR" in Path(current).name.upper():
                yield from _referenced(current)
            else:
                yield Found(current, status.st_size, is_named, status.st_mtime_ns)
        elif not stat.S_ISDIR(status.st_mode):
            yield Passed(current, "not a regular file", is_named)
        elif (status.st_dev, status.st_ino) not in entered:
            entered.add((status.st_dev, status.st_ino))
            try:
                stack += reversed(_children(current, follow))
            except OSError as error:
                yield Passed(current, _reason(error))
        is_named = False


def _referenced(dicomdir: str) -> Iterator[Found | Passed]:
    """Yield the files that a DICOMDIR refers to."""
    from pacs_cli.pipelines.dicomdir import referenced_files

    try:
        paths = referenced_files(dicomdir)
    except InputError as error:
        yield Passed(dicomdir, str(error))
        return
    for path, problem in paths:
        if problem:
            yield Passed(path, f"{problem}, a reference in {dicomdir}")
            continue
        try:
            status = os.stat(path)  # noqa: PTH116 - as above
        except (OSError, ValueError) as error:
            yield Passed(
                path, f"{_reason(error).partition(';')[0]}, though {dicomdir} refers to it"
            )
            continue
        if stat.S_ISREG(status.st_mode):
            yield Found(path, status.st_size, True, status.st_mtime_ns)
        else:
            yield Passed(path, f"not a regular file, though {dicomdir} refers to it")


def _children(folder: str, follow: bool) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(
            entry.path
            for entry in entries
            if not entry.name.startswith(".") and (follow or not entry.is_symlink())
        )


def _reason(error: OSError | ValueError) -> str:
    return why_unreadable(error) if isinstance(error, OSError) else str(error).lower()
