"""Queries of a large index: what is looked up and what is gone through."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest

from pacs_cli.archive.columns import FROM
from pacs_cli.archive.handler import Archive, open_archive
from pacs_cli.archive.query import Abilities, read_question
from pacs_cli.dicom.query import Model
from tests.archive.large import make_index
from tests.archive.querying import engine, identifier

RELATIONAL = Abilities(is_relational=True)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    root = tmp_path_factory.mktemp("archive")
    make_index(root, 2_000, 2, 10)
    with open_archive(root) as archive:
        yield archive


def plan(archive: Archive, level: str, *keys: str) -> list[str]:
    """The steps of SQLite, the outermost first; those of counts and lists left out."""
    question = read_question(Model.STUDY_ROOT, identifier(level, *keys), RELATIONAL)
    statement = f"SELECT 1 FROM {FROM[question.level]}{question.where()}"
    with engine(archive)._reading(question, lambda: False) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", question.values)
        return [row[3] for row in rows]


@pytest.mark.parametrize(
    ("level", "key", "index"),
    [
        ("STUDY", "StudyInstanceUID=1.2.5", "sqlite_autoindex_study_1 (study_instance_uid=?)"),
        ("STUDY", "StudyInstanceUID=1.2.5\\1.2.6", "autoindex_study_1 (study_instance_uid=?)"),
        ("STUDY", "StudyDate=20000101-20000131", "study_by_date (study_date>? AND study_date<?)"),
        ("STUDY", "StudyDate=20000105", "study_by_date (study_date=?)"),
        ("STUDY", "AccessionNumber=A5", "study_by_accession_number (accession_number=?)"),
        ("STUDY", "AccessionNumber=A5*", "study_by_accession_number (accession_number>?"),
        ("STUDY", "PatientID=P5", "sqlite_autoindex_patient_1 (patient_id=?)"),
        ("SERIES", "SeriesInstanceUID=1.3.5", "series_by_uid (series_instance_uid=?)"),
        ("SERIES", "StudyInstanceUID=1.2.5", "autoindex_study_1 (study_instance_uid=?)"),
        ("IMAGE", "SOPInstanceUID=1.4.5", "autoindex_instance_1 (sop_instance_uid=?)"),
        ("IMAGE", "SeriesInstanceUID=1.3.5", "series_by_uid (series_instance_uid=?)"),
    ],
)
def test_a_key_with_an_index_is_looked_up(
    archive: Archive, level: str, key: str, index: str
) -> None:
    steps = plan(archive, level, key)
    assert index in steps[0]
    # the only scan is that of a list of UIDs
    assert [step for step in steps if step.startswith("SCAN") and "json_each" not in step] == []


def test_no_query_sorts_or_collects_its_answers(archive: Archive) -> None:
    for level in ("STUDY", "SERIES", "IMAGE"):
        for key in ("PatientName=*x*", "StudyDate=20000101-", "Modality=CT"):
            assert not any("TEMP B-TREE" in step for step in plan(archive, level, key))


def test_first_answers_come_before_the_rest_is_looked_at(archive: Archive) -> None:
    looked = 0

    def count() -> bool:
        nonlocal looked
        looked += 1
        return False

    question = read_question(Model.STUDY_ROOT, identifier("IMAGE", "SOPInstanceUID"), RELATIONAL)
    assert len(list(islice(engine(archive).find(question, count), 50))) == 50
    assert looked == 0
    assert sum(1 for _ in engine(archive).find(question, count)) == 40_000
    assert looked > 0


def test_every_answer_is_right_in_a_large_index(archive: Archive) -> None:
    keys = ("StudyInstanceUID=1.2.77", "PatientName", "NumberOfStudyRelatedInstances")
    question = read_question(Model.STUDY_ROOT, identifier("STUDY", *keys))
    (answer,) = engine(archive).find(question)
    assert set(map(str, answer.row)) == {"1.2.77", "Name77^Given", "20"}
