"""An index of as many instances as asked for, without their files, from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from pacs_cli.archive.catalog import Catalog, open_for_writing
from pacs_cli.archive.hierarchy import Hierarchy
from pacs_cli.archive.rows import InstanceRow
from tests.support import CT, EXPLICIT

BASE = "1.2.826.0.1.3680043.10.7"
STUDIES_OF_PATIENT, SERIES_OF_STUDY, IMAGES_OF_SERIES = 2, 4, 50
_PER_TRANSACTION = 20_000


def rows(count: int, seed: int = 0) -> Iterator[InstanceRow]:
    """Yield rows of a hospital: the UIDs of the n-th are known, the rest is drawn."""
    draw = random.Random(seed)
    for number in range(count):
        series, image = divmod(number, IMAGES_OF_SERIES)
        study, series_of_study = divmod(series, SERIES_OF_STUDY)
        patient = study // STUDIES_OF_PATIENT
        if image == series_of_study == 0:
            year, month, day = draw.randint(2000, 2025), draw.randint(1, 12), draw.randint(1, 28)
            date = f"{year}{month:02}{day:02}"
        attributes = {
            "patient_id": f"TEST-{patient}",
            "patient_name": f"Made{patient}^Up",
            "study_date": date,
            "study_time": "120000",
            "accession_number": f"A{study}",
            "study_id": str(study),
            "modality": ("CT", "MR", "US", "DX")[series_of_study],
            "series_number": str(series_of_study + 1),
            "instance_number": str(image + 1),
        }
        uid = uid_of(number)
        yield InstanceRow(
            f"{BASE}.{study}",
            f"{BASE}.{study}.{series_of_study}",
            uid,
            CT,
            EXPLICIT,
            524_288,
            f"{study}/{series_of_study}/{uid}.dcm",
            "",
            1.7e9,
            attributes,
        )


def uid_of(number: int) -> str:
    """Return the SOP instance UID of the n-th row, which are in no order."""
    return f"{BASE}.9.{number * 2_654_435_761 % 2**32}"


def make_index(path: Path, count: int, seed: int = 0) -> Catalog:
    """Return an open index of so many instances."""
    catalog = open_for_writing(path)
    hierarchy = Hierarchy(catalog.connection)
    source = rows(count, seed)
    for start in range(0, count, _PER_TRANSACTION):
        with catalog.transaction() as connection:
            for _ in range(min(_PER_TRANSACTION, count - start)):
                row = next(source)
                hierarchy.insert(row)
                connection.execute(
                    "INSERT INTO file VALUES (?, ?, 0, 'object', last_insert_rowid(), NULL, NULL,"
                    " NULL)",
                    (row.path, row.size),
                )
    return catalog
