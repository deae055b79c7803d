"""`pacs transcode`: change of transfer syntax, pixels kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.conversion_options import ChoiceOptions
from pacs_cli.commands.conversion_totals import ConversionTotals
from pacs_cli.commands.indexing import processors
from pacs_cli.commands.syntax_list import show_syntaxes
from pacs_cli.commands.transcoding import LossOptions, warn_of_missing_bounds
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import InputOptions, OutputOptions
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.pipelines.transcode import Settings

EXAMPLES = (
    ("pacs transcode scans/ compressed/ --to j2k", "a folder, each frame proven lossless"),
    ("pacs transcode a.dcm b.dcm --to explicit", "one file, decompressed"),
    ("pacs transcode scans/ --to jpegls --in-place --if-syntax implicit,explicit", "what is not"),
    ("pacs transcode scans/ small/ --to jpeg --quality 85", "lossy, as other objects"),
    ("pacs transcode scans/ out/ --to htj2k --report done.csv -j 4", "four processes, a table"),
    ("pacs transcode --list", "every syntax, and what does it"),
)
CONFORMANCE = (
    "PS3.5 Annex A in every native, deflated, RLE, JPEG, JPEG-LS, JPEG 2000, HTJ2K and JPEG XL "
    "transfer syntax. What need not change is kept byte by byte."
)


def transcode(
    files: InputOptions,
    loss: LossOptions,
    choice: ChoiceOptions,
    output: OutputOptions,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IN... OUT",
            help="Files and folders, and where to write: a folder, or of one file a file. With "
            "--in-place there is no OUT.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="SYNTAX",
            help="The transfer syntax: a short name (--list shows them), keyword or UID.",
            rich_help_panel="Conversion",
        ),
    ] = None,
    is_list: Annotated[
        bool,
        typer.Option(
            "--list",
            help="Show every transfer syntax and what does it.",
            rich_help_panel="Conversion",
        ),
    ] = False,
) -> Exit:
    """Bring files into another transfer syntax, the pixels kept.

    Lossless is proven: every frame that is encoded is decoded again and compared. Naming a lossy
    syntax asks for loss, and makes another object of each file. What a syntax cannot hold is
    refused. Exits 1 when some files failed, 6 when all did.
    """
    from pacs_cli.pipelines.transcode import run

    report = Report.for_output(output)
    if is_list:
        show_syntaxes(report)
        return Exit.OK
    settings, named = _settings(files, loss, choice, list(paths or []), to)
    warn_of_missing_bounds(report)
    totals = ConversionTotals(report, choice.table)
    with totals.shown(), report.progress(0, 0, "transcoding") as progress:
        for entry in run(named, settings):
            totals.add(entry)
            progress.advance()
    return totals.exit


def _settings(
    files: InputOptions,
    loss: LossOptions,
    choice: ChoiceOptions,
    typed: list[str],
    to: str | None,
) -> tuple[Settings, list[str]]:
    """Return how to transcode, and what; UsageError when that makes no sense."""
    from pacs_cli.dicom.registry import transfer_syntax_uid
    from pacs_cli.pipelines.files import named_files
    from pacs_cli.pipelines.transcode import Settings

    if to is None:
        raise UsageError("missing --to SYNTAX; --list shows them")
    if not choice.in_place and not typed:
        raise UsageError("nothing to write to: write IN... OUT, or --in-place")
    destination = None if choice.in_place else Path(typed.pop())
    named = list(named_files(typed, files.from_file))
    if not named:
        raise UsageError("nothing to transcode: write IN... OUT, - or --from-file FILE")
    target = transfer_syntax_uid(to)
    wanted = choice.if_syntax.split(",") if choice.if_syntax else []
    settings = Settings(
        target,
        destination,
        choice.jobs or processors(),
        frozenset(transfer_syntax_uid(each.strip()) for each in wanted),
        choice.skip_same,
        choice.is_dry_run,
        files.follow,
        loss.options(target),
        choice.overwrite,
    )
    return settings, named
