"""The files of what a query of an index matches."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.archive.catalog import Catalog
from pacs_cli.archive.columns import COLUMNS, FROM
from pacs_cli.dicom.query import UNIQUE_KEYS, Level


def files_below(catalog: Catalog, level: Level, unique: str) -> Iterator[str]:
    """Yield the absolute path of each object of one patient, study or series, or of one image.

    unique  the value of the unique key of that level
    raises  OutputError when the index cannot be read
    """
    column = COLUMNS[UNIQUE_KEYS[level]].expression
    statement = f"SELECT instance.path FROM {FROM[Level.IMAGE]} WHERE {column} = ?"
    for (stored,) in catalog.rows(f"{statement} ORDER BY series.id, instance.id", (unique,)):
        yield catalog.real(stored)
