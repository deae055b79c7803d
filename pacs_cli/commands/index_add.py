"""`pacs index add`: index files and folders where they lie."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from pacs_cli.commands.filing_totals import FilingTotals
from pacs_cli.commands.indexing import IndexOptions, ReadingOptions, absolute
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import InputOptions, OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs index add scans/", "in scans/index.db, which can be moved with the folder"),
    ("pacs index add /data/ct /data/mr --db all.db", "several folders, in an index elsewhere"),
    ("find /data -name '*.dcm' | pacs index add - --db all.db", "what find names"),
    ("pacs index add scans/ --hash --json", "with hashes; a JSON line for each new file"),
)
CONFORMANCE = (
    "Reads files of PS3.10 with or without preamble and file meta, in every transfer syntax. Files "
    "are never changed."
)


def add(
    index: IndexOptions,
    files: InputOptions,
    reading: ReadingOptions,
    output: OutputOptions,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Files, folders and DICOMDIRs to index, - for a list of them on stdin.",
            show_default=False,
        ),
    ] = None,
) -> Exit:
    """Index files and folders where they lie.

    What has the size and the time of change that the index knows is not read again. It may be
    ended at any moment and run again. What is no DICOM is skipped; what is broken is reported.
    Exits 0 when every DICOM file is in the index.
    """
    from pacs_cli.archive.catalog import open_for_writing
    from pacs_cli.pipelines.files import find_files, named_files

    report = Report.for_output(output)
    if not paths and files.from_file is None:
        raise UsageError("nothing to index: write PATH..., - or --from-file FILE")
    path = index.path_for(paths or [])
    named = list(named_files(paths or [], files.from_file))
    with open_for_writing(path) as catalog:
        totals = FilingTotals(report, catalog.path)
        # whatever the folder that the command is run in, a file has one path
        sources = [absolute(each) for each in named]
        catalog.add_sources(each for each in sources if os.path.isdir(each))  # noqa: PTH112
        totals.run(catalog, find_files(sources, files.follow), reading)
    return totals.exit
