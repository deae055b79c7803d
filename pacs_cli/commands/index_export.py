"""`pacs index export`: write an index as CSV or JSON lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from pacs_cli.commands.indexing import IndexOptions, Where
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs index export scans/ > scans.csv", "everything of every instance"),
    (
        "pacs index export --db all.db --level study -k StudyDate -k StudyInstanceUID --json",
        "two attributes of every study, as JSON lines",
    ),
)
CONFORMANCE = "None: it only reads. Attributes have the keywords of PS3.6."


def export(
    index: IndexOptions,
    output: OutputOptions,
    where: Where = None,
    level: Annotated[
        str,
        typer.Option(
            "--level",
            metavar="patient|study|series|image",
            help="What a row is.",
            rich_help_panel="Rows",
        ),
    ] = "image",
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "-k",
            "--key",
            metavar="KEY",
            help="Write this: a keyword or a tag, and at image level Path, Size, Version, SHA256. "
            "Can be repeated. [default: all but what would be counted for each row]",
            rich_help_panel="Rows",
        ),
    ] = None,
) -> Exit:
    """Write the rows of a level as CSV, or with --json as JSON lines, in the order they came.

    An empty value is an attribute that the object has not. Memory does not grow with the index.
    """
    from pacs_cli.archive.catalog import open_for_reading
    from pacs_cli.archive.exporting import export as exported
    from pacs_cli.archive.exporting import resolve_names, usual_names
    from pacs_cli.dicom.query import Level

    typed = {"instance": "image"}.get(level.lower(), level.lower())
    if typed.upper() not in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        raise UsageError(f"--level {level}: choose patient, study, series or image")
    chosen = Level[typed.upper()]
    names = resolve_names(chosen, keys) if keys else usual_names(chosen)
    # rows are for programs: there is no form for people
    report = Report.for_output(output if output.json else replace(output, csv=True))
    with open_for_reading(index.path(where)) as catalog:
        for values in exported(catalog, chosen, names):
            report.record("row", dict(zip(names, values, strict=True)))
    return Exit.OK
