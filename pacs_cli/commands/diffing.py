"""The options that say what of two files is compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from pacs_cli.commands.diff_run import Differ
from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import UsageError
from pacs_cli.options import OutputOptions

_PANEL = "What is compared"

#: As of `pacs dump`.
_TEXT_LENGTH, _JSON_LENGTH = 64, 65536


@dataclass(frozen=True, slots=True)
class DiffOptions:
    """What is compared."""

    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="KEY,...",
            help="Leave these out, at any depth: a keyword, a tag (60xx,3000 too), a group "
            "(0009), a path, private. Can be repeated, as two groups need.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    has_meta: Annotated[
        bool,
        typer.Option("--meta", help="Compare the file meta too.", rich_help_panel=_PANEL),
    ] = False
    has_pixels: Annotated[
        bool,
        typer.Option(
            "--pixels",
            help="Compare decoded pixels, and not how they are encoded.",
            rich_help_panel=_PANEL,
        ),
    ] = False
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            metavar="N",
            min=0,
            help="With --pixels, let samples differ by so much.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="Follow symbolic links inside folders.", rich_help_panel="Input"
        ),
    ] = False
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            metavar="N",
            min=0,
            help=f"Show N characters of a value [default: {_TEXT_LENGTH}]; in JSON, refer to the "
            f"file for what has more bytes [default: {_JSON_LENGTH}]. 0 for no limit.",
            rich_help_panel="Output",
        ),
    ] = None

    def differ(self, report: MatchReport, output: OutputOptions) -> Differ:
        """Return what compares; UsageError for options that do not go together."""
        from pacs_cli.dicom.compare import Comparison
        from pacs_cli.dicom.selectors import parse_selectors

        if output.csv:
            raise UsageError("differences have no columns; write --json instead of --csv")
        if self.tolerance is not None and not self.has_pixels:
            raise UsageError("--tolerance is of pixels; write --pixels too")
        default = _TEXT_LENGTH if report.is_text else _JSON_LENGTH
        limit = default if self.max_length is None else self.max_length
        ignored = parse_selectors(self.ignore or [], "--ignore")
        comparison = Comparison(ignored, self.has_meta, not self.has_pixels)
        return Differ(report, comparison, (self.tolerance or 0) if self.has_pixels else None, limit)
