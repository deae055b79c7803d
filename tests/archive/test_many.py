"""An index of many: look-ups go by an index of SQLite's, whatever it grows to."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_cli.archive.catalog import open_for_reading
from pacs_cli.archive.query import Abilities, QueryEngine, read_question
from pacs_cli.dicom.query import Model
from tests.archive.many import BASE, make_index, uid_of

COUNT = 4_000


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "index.db"
    make_index(path, COUNT, seed=1).close()
    return path


def find(db: Path, level: str, **keys: str) -> tuple[list[bytes], list[str]]:
    """Return the answers to a query, and how SQLite finds them."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    statements: list[str] = []

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(db)
        connection.set_trace_callback(statements.append)
        return connection

    question = read_question(Model.STUDY_ROOT, identifier, Abilities(is_relational=True))
    answers = [
        answer.encode("1.2.840.10008.1.2.1")
        for answer in QueryEngine(connect, db.parent).find(question)
    ]
    (query,) = [each for each in statements if each.startswith("SELECT")]
    with closing(sqlite3.connect(db)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    return answers, plan


@pytest.mark.parametrize(
    ("level", "keys", "count"),
    [
        ("IMAGE", {"SOPInstanceUID": uid_of(1234)}, 1),
        ("IMAGE", {"SOPInstanceUID": f"{uid_of(1)}\\{uid_of(3999)}"}, 2),
        ("SERIES", {"SeriesInstanceUID": f"{BASE}.3.2"}, 1),
        ("SERIES", {"StudyInstanceUID": f"{BASE}.3"}, 4),
        ("IMAGE", {"StudyInstanceUID": f"{BASE}.3", "SeriesInstanceUID": f"{BASE}.3.2"}, 50),
        ("STUDY", {"StudyInstanceUID": f"{BASE}.3"}, 1),
        ("STUDY", {"AccessionNumber": "A3"}, 1),
        ("STUDY", {"PatientID": "TEST-3"}, 2),
    ],
)
def test_look_up_reads_no_table_from_end_to_end(db, level, keys, count):
    answers, plan = find(db, level, **keys)
    assert len(answers) == count
    assert not [step for step in plan if re.match(r"SCAN (instance|series|study|patient)\b", step)]


def test_file_that_is_looked_at_is_found_by_its_path(db):
    with open_for_reading(db) as catalog:
        queries = (
            "SELECT size FROM file WHERE path = 'a'",
            "DELETE FROM file WHERE duplicate_uid = '1.2'",
            "SELECT id, path FROM instance WHERE id > 5 ORDER BY id LIMIT 10",
        )
        for query in queries:
            steps = [row[3] for row in catalog.rows(f"EXPLAIN QUERY PLAN {query}")]
            assert all(step.startswith("SEARCH") for step in steps), (query, steps)
