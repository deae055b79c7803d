"""An index of very many made-up objects, without files."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from pacs_cli.archive.handler import open_archive

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "


def make_index(root: Path, studies: int, series: int = 1, instances: int = 1) -> None:
    """Make an archive whose index has so many studies, series of each and instances of those.

    Study number i is 1.2.i, of patient Pi, called Name{i}^Given; ten studies are of one day.
    """
    open_archive(root).__exit__(None, None, None)
    with closing(sqlite3.connect(root / "index.db", isolation_level=None)) as index:
        index.execute("BEGIN")
        index.execute(
            _NUMBERS.format(studies) + "INSERT INTO patient (id, patient_id, issuer_of_patient_id,"
            " patient_name, patient_birth_date, patient_sex)"
            " SELECT i, 'P' || i, '', 'Name' || i || '^Given', '19700101', 'O' FROM n"
        )
        index.execute(
            _NUMBERS.format(studies) + "INSERT INTO study (id, patient, study_instance_uid,"
            " study_date, study_time, accession_number, study_id, study_description)"
            " SELECT i, i, '1.2.' || i, strftime('%Y%m%d', '2000-01-01', (i / 10) || ' days'),"
            " '101500', 'A' || i, 'S', 'made up' FROM n"
        )
        index.execute(
            _NUMBERS.format(studies * series) + "INSERT INTO series (id, study,"
            " series_instance_uid, modality, series_number)"
            f" SELECT i, (i - 1) / {series} + 1, '1.3.' || i, 'CT', '1' FROM n"
        )
        index.execute(
            _NUMBERS.format(studies * series * instances) + "INSERT INTO instance (id, series,"
            " sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, size, path,"
            " received)"
            f" SELECT i, (i - 1) / {instances} + 1, '1.4.' || i, '1.2.840.10008.5.1.4.1.1.2',"
            " '1.2.840.10008.1.2.1', '1', 1, 'none/' || i, 0 FROM n"
        )
        index.execute("COMMIT")
