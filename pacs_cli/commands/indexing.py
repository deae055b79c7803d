"""What the commands of `pacs index` share: which index is meant, and how many processes read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pacs_cli.errors import InputError, UsageError

#: The name of an index in the folder whose files it has, as `storescp` has it.
NAME = "index.db"

#: Beyond that the process that writes the rows is what the others wait for.
_MOST_JOBS = 8

Where = Annotated[
    str | None,
    typer.Argument(
        metavar="[INDEX]",
        help=f"The index, or a folder with one named {NAME}.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """Which index is meant."""

    db: Annotated[
        Path | None,
        typer.Option(
            "--db",
            metavar="FILE",
            help=f"Index. [default: {NAME} in the folder]",
            rich_help_panel="Index",
        ),
    ] = None

    def path(self, where: str | None) -> Path:
        """Return the index that is meant; UsageError when that is none or two."""
        if where is None:
            if self.db is None:
                raise UsageError("which index? write INDEX, its folder or --db FILE")
            return self.db
        if self.db is not None:
            raise UsageError(f"two indexes: {where} and --db {self.db}; write one")
        path = Path(where)
        return path / NAME if path.is_dir() else path

    def path_for(self, paths: Sequence[str]) -> Path:
        """Return the index of what is to be added; UsageError when it has to be said,
        InputError when there is nothing.
        """
        if self.db is not None:
            return self.db
        if len(paths) == 1 and Path(paths[0]).is_dir():
            return Path(paths[0], NAME)
        missing = next((path for path in paths if path != "-" and not Path(path).exists()), None)
        if missing is not None:
            raise InputError(f"cannot index {missing}: no such file or directory; check the path")
        raise UsageError(f"which index? write --db FILE; only one folder has its own, DIR/{NAME}")


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How files are read."""

    jobs: Annotated[
        int | None,
        typer.Option(
            "-j",
            "--jobs",
            metavar="N",
            min=1,
            max=64,
            help="Read in N processes. [default: one for each processor, at most 8]",
            rich_help_panel="Index",
        ),
    ] = None
    hashes: Annotated[
        bool,
        typer.Option(
            "--hash",
            help="Keep the SHA-256 of each file, for verify --hash; reads all of it.",
            rich_help_panel="Index",
        ),
    ] = False

    def processes(self) -> int:
        """Return in how many processes files are read."""
        return self.jobs or min(processors(), _MOST_JOBS)


def absolute(path: str) -> str:
    """Return a path without links in it, as it stands when it can be none."""
    try:
        return os.path.realpath(path)
    except ValueError:
        # a NUL in the name: who opens it says so
        return path


def processors() -> int:
    """Return how many processors this process may use; Linux alone knows which those are."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1
