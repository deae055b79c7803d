"""Which files a command line means."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file to work on."""

    path: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A path that was left out, and why."""

    path: str
    reason: str


def find_files(paths: Iterable[str], follow: bool = False) -> Iterator[Found | Passed]:
    """Yield the files that `paths` name, folders recursively and sorted, lazily.

    Hidden files and folders inside a folder are left out silently, and symbolic links inside it
    unless `follow`; a path given by name is always taken. A folder is entered once, so loops
    end. FIFOs, sockets and devices are never opened.
    """
    entered: set[tuple[int, int]] = set()
    for path in paths:
        yield from _look(path, follow, entered)


def _look(path: str, follow: bool, entered: set[tuple[int, int]]) -> Iterator[Found | Passed]:
    """Walk with an explicit stack: the depth of a tree is no limit."""
    stack = [path]
    while stack:
        current = stack.pop()
        try:
            status = os.stat(current)  # noqa: PTH116 - a Path would not hold every name
        except (OSError, ValueError) as error:
            # ValueError: a NUL in the name
            yield Passed(current, _reason(error))
            continue
        if stat.S_ISREG(status.st_mode):
            yield Found(current)
        elif not stat.S_ISDIR(status.st_mode):
            yield Passed(current, "not a regular file")
        elif (status.st_dev, status.st_ino) not in entered:
            entered.add((status.st_dev, status.st_ino))
            try:
                stack += reversed(_children(current, follow))
            except OSError as error:
                yield Passed(current, _reason(error))


def _children(folder: str, follow: bool) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(
            entry.path
            for entry in entries
            if not entry.name.startswith(".") and (follow or not entry.is_symlink())
        )


def _reason(error: OSError | ValueError) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
