"""An index made again from its files: beside the old one, which it replaces when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pacs_cli.archive.catalog import Catalog, open_for_reading, open_for_writing
from pacs_cli.errors import InputError, OutputError

_PAGE = 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """What an index is to be made of.

    folders  that were added to it, or its own where it does not say
    loose    whether it says which files it has beside those
    problem  why it cannot be read, "" when it can
    """

    path: Path
    root: str
    folders: tuple[str, ...]
    loose: bool
    problem: str = ""


def plan(path: Path, folders: Sequence[str] = ()) -> Plan:
    """Return what to make an index of.

    folders  instead of what it says itself
    raises   InputError when there is none, or one of its folders is gone
    """
    path = Path(os.path.realpath(path))
    try:
        with open_for_reading(path) as catalog:
            # it has to be read to the end to know that
            ((found,),) = catalog.rows("PRAGMA quick_check(1)")
            problem = "" if found == "ok" else str(found)
            root, known = catalog.root, catalog.sources()
    except OutputError as error:
        problem, root, known = str(error), str(path.parent), []
    chosen = tuple(folders or ([] if problem else known) or [root])
    for folder in chosen:
        if not os.path.isdir(folder):  # noqa: PTH112 - a Path would not hold every name
            raise InputError(
                f"cannot rebuild {path}: the folder {folder} is gone; is it mounted? "
                "--from names where the files are"
            )
    return Plan(path, root, chosen, not (problem or folders), problem)


def loose_files(made: Plan) -> Iterator[str]:
    """Yield the files of an index that lie in none of its folders."""
    if not made.loose:
        return
    prefixes = tuple(f"{folder}/" for folder in made.folders)
    with open_for_reading(made.path) as catalog:
        last = 0
        query = f"SELECT id, path FROM instance WHERE id > ? ORDER BY id LIMIT {_PAGE}"
        while rows := catalog.rows(query, (last,)):
            for _, stored in rows:
                path = catalog.real(stored)
                if not path.startswith(prefixes) and os.path.lexists(path):
                    yield path
            last = rows[-1][0]


def begin(made: Plan) -> Catalog:
    """Open a new index beside the old one; raises OutputError.

    What an earlier attempt left there goes.
    """
    part = made.path.with_name(f".{made.path.name}.rebuilt")
    discard(part)
    root = None if made.root == str(part.parent) else Path(made.root)
    catalog = open_for_writing(part, root)
    try:
        catalog.add_sources(made.folders)
    except BaseException:
        catalog.close()
        discard(part)
        raise
    return catalog


def discard(path: Path) -> None:
    """Remove an index that was begun."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink()
