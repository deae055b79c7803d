"""The options of findscu alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pacs_cli.dicom.query import Model
    from pacs_cli.pipelines.saving import Saver


@dataclass(frozen=True, slots=True)
class FindOptions:
    """How far to ask, and what becomes of the answers."""

    is_drilling: Annotated[
        bool,
        typer.Option(
            "--drill",
            help="Ask for what is below each match too, as a tree.",
            rich_help_panel="Answers",
        ),
    ] = False
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Cancel after N matches; with --drill, N below each match.",
            rich_help_panel="Answers",
        ),
    ] = None
    must_match: Annotated[
        bool,
        typer.Option(
            "--fail-if-empty", help="Exit 1 when nothing matches.", rich_help_panel="Answers"
        ),
    ] = False
    is_dicom_json: Annotated[
        bool,
        typer.Option(
            "--dicom-json",
            help="One DICOM JSON object (PS3.18 F) per line on stdout.",
            rich_help_panel="Answers",
        ),
    ] = False
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            metavar="DIR",
            help="Write each answer as a DICOM file into this folder too.",
            rich_help_panel="Answers",
        ),
    ] = None

    def saver(self, model: Model) -> Saver | None:
        """Return what writes the answers, None when they are not to be saved.

        raises  OutputError when the folder cannot be used
        """
        if self.save is None:
            return None
        from pacs_cli.pipelines.saving import Saver

        return Saver(self.save, model.sop_class_uid)
