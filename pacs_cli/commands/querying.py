"""The options that say what is asked of a peer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pacs_cli.dicom.query import Model, Query

_PANEL = "Query"


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """What is asked for."""

    keys: Annotated[
        list[str] | None,
        typer.Option(
            "-k",
            "--key",
            metavar="KEY[=VALUE]",
            help="Match this, or have it returned: PatientName=DOE*, 0010,0010=DOE*, StudyDate, "
            "ScheduledProcedureStepSequence.Modality=CT. Can be repeated.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    query_file: Annotated[
        Path | None,
        typer.Option(
            "--query",
            metavar="FILE",
            help="Take keys from a DICOM file, DICOM JSON, or text with one on each line; -k "
            "counts first.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    level: Annotated[
        str | None,
        typer.Option(
            "--level",
            metavar="patient|study|series|image",
            help="What a match is. [default: the lowest level of the keys]",
            rich_help_panel=_PANEL,
        ),
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="DATE",
            help="Studies of this day (YYYY-MM-DD) or later; in a worklist, what is scheduled.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    before: Annotated[
        str | None,
        typer.Option(
            "--before", metavar="DATE", help="The same of earlier days.", rich_help_panel=_PANEL
        ),
    ] = None
    is_today: Annotated[
        bool, typer.Option("--today", help="The same of today.", rich_help_panel=_PANEL)
    ] = False
    character_set: Annotated[
        str,
        typer.Option(
            "--charset",
            metavar="NAME",
            help="Write the query in this character set, as ISO_IR 100. [default: ASCII, or "
            "ISO_IR 192 (UTF-8) where that is not enough]",
            rich_help_panel="Query details",
        ),
    ] = ""

    @property
    def is_typed(self) -> bool:
        """Whether anything was asked for."""
        return bool(self.keys or self.query_file or self.since or self.before or self.is_today)

    def query(self, model: Model, drills: bool = False) -> Query:
        """Return the query; UsageError or InputError when it is none.

        drills  whether the levels below are to be asked as well
        """
        from datetime import date

        from pacs_cli.dicom.dataset import Dataset
        from pacs_cli.dicom.keys import assemble, parse_key
        from pacs_cli.dicom.query import ask_for_dates, date_range, make_query
        from pacs_cli.dicom.query_file import read_query

        days = date_range(self.since, self.before, date.today() if self.is_today else None)
        keys = [parse_key(text) for text in self.keys or ()]
        start = read_query(self.query_file) if self.query_file else Dataset()
        asked = assemble(keys, start)
        if days:
            ask_for_dates(model, asked, days)
        return make_query(model, asked, self.level, self.character_set, drills)


@dataclass(frozen=True, slots=True)
class QueryOptions(KeyOptions):
    """What is asked for, and what is to come back."""

    only_typed: Annotated[
        bool,
        typer.Option(
            "--no-defaults",
            help="Have returned what the keys say, without the default return keys.",
            rich_help_panel="Query details",
        ),
    ] = False

    def query(self, model: Model, drills: bool = False) -> Query:
        """Return the query; UsageError or InputError when it is none."""
        return replace(KeyOptions.query(self, model, drills), has_defaults=not self.only_typed)
