"""The options that say what of a file is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import UsageError
from pacs_cli.options import OutputOptions

if TYPE_CHECKING:
    from pacs_cli.commands.dump_output import Form

_PANEL = "What is shown"

#: Characters of a value in text, and bytes of one in JSON, that are shown unless told.
_TEXT_LENGTH, _JSON_LENGTH = 64, 65536


@dataclass(frozen=True, slots=True)
class DumpOptions:
    """What of each file is shown."""

    keys: Annotated[
        list[str] | None,
        typer.Option(
            "-k",
            "--keys",
            metavar="KEY,...",
            help="A row for each file with these as columns: PatientID, 0010,0020, "
            "BeamSequence[0].BeamName. Can be repeated.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="KEY,...",
            help="Only these, at any depth, with what they are in: a keyword, a tag (60xx,3000 "
            "too), a group (0028), a path, private. Can be repeated, as two groups need.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth",
            metavar="N",
            min=0,
            help="Count the items of sequences that are deeper than N in others; 0 for all.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            metavar="N",
            min=0,
            help=f"Show N characters of a value [default: {_TEXT_LENGTH}]; in JSON, refer to the "
            f"file for what has more bytes [default: {_JSON_LENGTH}]. 0 for no limit.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    has_meta: Annotated[
        bool | None,
        typer.Option(
            "--meta/--no-meta",
            help="Show the file meta. [default: in text, not in JSON]",
            show_default=False,
            rich_help_panel=_PANEL,
        ),
    ] = None

    def check(self, output: OutputOptions) -> None:
        """Raise UsageError for options that do not go together."""
        if output.csv and not self.keys:
            raise UsageError("--csv needs columns: write them with --keys")
        if self.keys and (self.only or self.depth is not None or self.has_meta is not None):
            raise UsageError("--keys excludes --only, --depth and --meta")
        if output.json and self.depth is not None:
            raise UsageError("--depth is of text; JSON has everything, or what --only says")

    def form(self, report: MatchReport, has_names: bool) -> Form:
        """Return how files are shown; UsageError when there is no such attribute."""
        from pacs_cli.commands.dump_output import Json, Rows, Text
        from pacs_cli.dicom.selectors import parse_keys, parse_selectors
        from pacs_cli.dicom.text_dump import View

        if self.keys:
            return Rows(report, parse_keys(self.keys, "-k"), self._limit(_JSON_LENGTH))
        only = parse_selectors(self.only or [], "--only")
        has_meta = report.is_text if self.has_meta is None else self.has_meta
        limit = self._limit(_TEXT_LENGTH if report.is_text else _JSON_LENGTH)
        view = View(self.depth, limit, only, has_meta)
        return Text(report, view, has_names) if report.is_text else Json(report, view)

    def _limit(self, default: int) -> int:
        return default if self.max_length is None else self.max_length
