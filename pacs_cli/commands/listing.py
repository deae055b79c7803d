"""How what an index holds is listed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pacs_cli.report import Report
from pacs_cli.tables import date, size

if TYPE_CHECKING:
    from pacs_cli.archive.index import Index


def list_index(report: Report, index: Index) -> None:
    """Show a line for each series, in the order of patients and studies, and the counts."""
    columns = ("patient", "study date", "study", "modality", "series", "objects", "bytes")
    entries = index.tree()
    rows = [
        (
            entry.patient_name or entry.patient_id,
            date(entry.study_date or ""),
            entry.study_description or entry.study_instance_uid[-20:],
            entry.modality or "",
            entry.series_description or entry.series_instance_uid[-20:],
            str(entry.instances),
            size(entry.size),
        )
        for entry in entries
    ]
    report.table("index", columns, rows)
    for entry in entries:
        report.record("series", asdict(entry))
    patients, studies, series, instances = index.counts()
    report.line(
        f"indexed {patients} patients, {studies} studies, {series} series, {instances} objects"
    )
