"""`pacs index rebuild`: make an index again from its files."""

from __future__ import annotations

from itertools import chain
from typing import Annotated

import typer

from pacs_cli.commands.filing_totals import FilingTotals
from pacs_cli.commands.indexing import IndexOptions, ReadingOptions, Where, absolute
from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs index rebuild scans/", "from the folders that were added to it"),
    ("pacs index rebuild --db all.db --from /data/ct --from /data/mr", "from others"),
)
CONFORMANCE = "As `pacs index add`."


def rebuild(
    index: IndexOptions,
    reading: ReadingOptions,
    output: OutputOptions,
    where: Where = None,
    folders: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Make it from the files of this folder. Can be repeated. [default: the folders "
            "that were added, or of a corrupt index the one it is in]",
            rich_help_panel="Index",
        ),
    ] = None,
) -> Exit:
    """Make an index again from its files, whatever has become of it.

    The new one is made beside the old one and takes its place when it is whole. Nothing is lost
    when that is interrupted. The folders must all be there.
    """
    from pacs_cli.archive.rebuilding import begin, discard, loose_files, plan
    from pacs_cli.pipelines.files import find_files

    report = Report.for_output(output)
    made = plan(index.path(where), [absolute(each) for each in folders or ()])
    if made.problem:
        report.warning(f"the old index is not used: {made.problem}")
    catalog = begin(made)
    totals = FilingTotals(report, made.path)
    try:
        totals.run(catalog, find_files(chain(made.folders, loose_files(made))), reading)
        catalog.take_place_of(made.path)
    except BaseException:
        catalog.close()
        discard(catalog.path)
        raise
    return totals.exit
