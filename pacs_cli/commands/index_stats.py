"""`pacs index stats`: count what an index has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from pacs_cli.commands.indexing import IndexOptions, Where
from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report
from pacs_cli.tables import date, shown_size, size

if TYPE_CHECKING:
    from pacs_cli.archive.figures import Figures, Group

EXAMPLES = (
    ("pacs index stats scans/", "of scans/index.db"),
    ("pacs index stats --db all.db --json", "as one JSON object"),
)
CONFORMANCE = "None: it only counts."

_COLUMNS = ("studies", "series", "instances", "bytes")


def stats(index: IndexOptions, output: OutputOptions, where: Where = None) -> Exit:
    """Count patients, studies, series, instances and bytes.

    Also by modality, SOP class and transfer syntax. Bytes are those of the data sets. With --csv
    there is a row for each of these groups.
    """
    from pacs_cli.archive.catalog import open_for_reading
    from pacs_cli.archive.figures import count_all

    report = Report.for_output(output)
    with open_for_reading(index.path(where)) as catalog:
        figures = count_all(catalog)
        path = str(catalog.path)
    if output.csv:
        for kind, groups in _tables(figures):
            for group in groups:
                report.record("group", {"by": kind, **_fields(kind, group)})
    elif output.json:
        report.record("stats", _record(path, figures))
    else:
        _show(report, path, figures)
    return Exit.OK


def _record(path: str, figures: Figures) -> dict[str, object]:
    fields: dict[str, object] = {"index": path, **asdict(figures)}
    for kind, groups in _tables(figures):
        fields[f"by_{kind}"] = [_fields(kind, group) for group in groups]
    return fields


def _tables(figures: Figures) -> tuple[tuple[str, Sequence[Group]], ...]:
    return (
        ("modality", figures.by_modality),
        ("sop_class", figures.by_sop_class),
        ("transfer_syntax", figures.by_transfer_syntax),
    )


def _fields(kind: str, group: Group) -> dict[str, object]:
    """Return a group with the name of what it is of; a UID has one."""
    return {**group._asdict(), "meaning": _meaning(kind, group.name)}


def _meaning(kind: str, name: str) -> str:
    from pacs_cli.dicom.registry import uid_name

    return name if kind == "modality" else uid_name(name)


def _show(report: Report, path: str, figures: Figures) -> None:
    report.line(
        f"{figures.patients} patients, {figures.studies} studies, {figures.series} series, "
        f"{figures.instances} instances, {shown_size(figures.bytes)} in {path}"
    )
    if figures.first_study_date:
        first, last = (
            date(each or "").drawn for each in (figures.first_study_date, figures.last_study_date)
        )
        report.line(f"study dates {first} to {last}")
    if figures.versions:
        report.line(f"older versions {figures.versions}")
    for outcome, count in figures.files.items():
        report.line(f"files {outcome} {count}")
    for source in figures.sources:
        report.line(f"added {source}")
    for kind, groups in _tables(figures):
        title = kind.replace("_", " ").replace("sop", "SOP")
        rows = [
            (_meaning(kind, group.name) or "none", *map(str, group[1:-1]), size(group[-1]))
            for group in groups
        ]
        report.table(f"by {title}", (title, *_COLUMNS), rows)
