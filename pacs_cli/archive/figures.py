"""What an index has, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pacs_cli.archive.catalog import Catalog

_JOINED = "FROM instance JOIN series ON series.id = instance.series"
_COLUMNS = "count(DISTINCT series.study), count(DISTINCT series.id), count(*), sum(instance.size)"


class Group(NamedTuple):
    """What has one modality, SOP class or transfer syntax; `bytes` are those of the data sets."""

    name: str
    studies: int
    series: int
    instances: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What an index has.

    versions  older objects of a SOP instance UID, beside the newest
    files     of those that were looked at, how many are no objects, by what they are
    sources   the folders that were added
    """

    patients: int
    studies: int
    series: int
    instances: int
    versions: int
    bytes: int
    first_study_date: str | None
    last_study_date: str | None
    by_modality: tuple[Group, ...]
    by_sop_class: tuple[Group, ...]
    by_transfer_syntax: tuple[Group, ...]
    files: dict[str, int]
    sources: tuple[str, ...]


def count_all(catalog: Catalog) -> Figures:
    """Return the figures of an index, which reads all of it; raises OutputError."""
    tables = ("patient", "study", "series", "instance", "version")
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
    ((patients, studies, series, instances, versions, size, first, last),) = catalog.rows(
        f"SELECT {counts}, (SELECT coalesce(sum(size), 0) FROM instance),"
        " (SELECT min(study_date) FROM study WHERE study_date <> ''),"
        " (SELECT max(study_date) FROM study)"
    )
    files = catalog.rows(
        "SELECT outcome, count(*) FROM file WHERE outcome <> 'object' GROUP BY outcome ORDER BY 1"
    )
    return Figures(
        patients,
        studies,
        series,
        instances,
        versions,
        size,
        first,
        last,
        _groups(catalog, "coalesce(series.modality, '')"),
        _groups(catalog, "instance.sop_class_uid"),
        _groups(catalog, "instance.transfer_syntax_uid"),
        dict(files),
        tuple(catalog.sources()),
    )


def _groups(catalog: Catalog, what: str) -> tuple[Group, ...]:
    """Return the groups, the largest first."""
    rows = catalog.rows(f"SELECT {what}, {_COLUMNS} {_JOINED} GROUP BY 1 ORDER BY 4 DESC, 1")
    return tuple(map(Group._make, rows))
