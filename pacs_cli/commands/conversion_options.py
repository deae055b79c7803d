"""The options of `pacs transcode` that choose files and what is done with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, slots=True)
class ChoiceOptions:
    """Which files are taken, by how many processes, and what is written."""

    jobs: Annotated[
        int | None,
        typer.Option(
            "-j",
            "--jobs",
            metavar="N",
            min=1,
            max=256,
            help="Use N processes, for one file with many frames N threads. [default: one for "
            "each processor]",
            rich_help_panel="Files",
        ),
    ] = None
    if_syntax: Annotated[
        str | None,
        typer.Option(
            "--if-syntax",
            metavar="SYNTAX,...",
            help="Take only files in these transfer syntaxes.",
            rich_help_panel="Files",
        ),
    ] = None
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace outputs that are there already.", rich_help_panel="Files"
        ),
    ] = False
    skip_same: Annotated[
        bool,
        typer.Option(
            "--skip-same",
            help="Leave files out that are in SYNTAX already.",
            rich_help_panel="Files",
        ),
    ] = False
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place",
            help="Replace each file itself, once it is whole; there is no OUT.",
            rich_help_panel="Files",
        ),
    ] = False
    is_dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would be done; write nothing.", rich_help_panel="Files"
        ),
    ] = False
    table: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write a CSV row for each file; the file appears when all is done.",
            rich_help_panel="Files",
        ),
    ] = None
