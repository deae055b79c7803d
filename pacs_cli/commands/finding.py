"""The options of findscu alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, slots=True)
class FindOptions:
    """How far to ask, and what becomes of the answers."""

    is_drilling: Annotated[
        bool, typer.Option("--drill", help="Ask for what is below each match too, as a tree.")
    ] = False
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Cancel after N matches; with --drill, N below each match.",
        ),
    ] = None
    must_match: Annotated[
        bool, typer.Option("--fail-if-empty", help="Exit 1 when nothing matches.")
    ] = False
    is_dicom_json: Annotated[
        bool,
        typer.Option(
            "--dicom-json",
            help="One DICOM JSON object (PS3.18 F) per line on stdout.",
            rich_help_panel="Output",
        ),
    ] = False
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="DIR",
            help="Write each answer as a DICOM file into this folder too.",
            rich_help_panel="Output",
        ),
    ] = None
