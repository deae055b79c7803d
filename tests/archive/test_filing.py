"""Files enter an index: what is new or changed is read, what is known is not."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from pacs_cli.archive.catalog import open_for_reading, open_for_writing
from pacs_cli.archive.filing import Filing, Outcome
from pacs_cli.errors import OutputError
from tests.archive.filing import Reads, files_of, index_files, object_bytes, touch, write_tree


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "scans"
    root.mkdir()
    return root


def paths_of(db) -> dict[str, str]:
    with open_for_reading(db) as catalog:
        rows = catalog.rows("SELECT sop_instance_uid, path FROM instance")
        return {uid: catalog.real(path) for uid, path in rows}


def test_files_are_added_with_all_levels(folder):
    count = write_tree(folder, 3, 2)
    outcomes, _ = index_files(folder / "index.db", folder)
    assert outcomes == {"added": count}
    with open_for_reading(folder / "index.db") as catalog:
        tables = ("patient", "study", "series", "instance")
        counts = [catalog.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables]
    assert counts == [3, 6, 12, 24]
    assert set(paths_of(folder / "index.db").values()) == {
        each.path for each in files_of(folder) if not each.path.endswith("index.db")
    }


def test_unchanged_files_are_not_read_again(folder):
    count = write_tree(folder, 2)
    index_files(folder / "index.db", folder)
    (folder / "new").write_bytes(object_bytes(9, 1, 1, 1))
    touch(folder / "P1" / "S1" / "I1_1")
    reads = Reads()
    with open_for_writing(folder / "index.db") as catalog:
        filed = list(Filing(catalog, reads).add(files_of(folder)))
    assert sorted(reads.paths) == [str(folder / "P1" / "S1" / "I1_1"), str(folder / "new")]
    assert Counter(str(each.outcome) for each in filed) == {
        "added": 1,
        "changed": 1,
        "unchanged": count - 1,
    }


def test_changed_file_of_another_object_leaves_nothing_of_the_first(folder):
    path = folder / "a"
    path.write_bytes(object_bytes(1, 1, 1, 1))
    index_files(folder / "index.db", folder)
    path.write_bytes(object_bytes(2, 2, 2, 22))
    outcomes, _ = index_files(folder / "index.db", folder)
    assert outcomes == {"changed": 1}
    with open_for_reading(folder / "index.db") as catalog:
        assert catalog.rows("SELECT patient_id FROM patient") == [("TEST-2",)]
        assert catalog.rows("SELECT count(*) FROM file") == [(1,)]


def test_file_that_is_no_object_any_more_has_no_row(folder):
    path = folder / "a"
    path.write_bytes(object_bytes(1, 1, 1, 1))
    index_files(folder / "index.db", folder)
    path.write_bytes(object_bytes(1, 1, 1, 1)[:-10])
    outcomes, (filed,) = index_files(folder / "index.db", folder)
    assert outcomes == {"failed": 1}
    assert "ends early" in filed.reason
    assert paths_of(folder / "index.db") == {}


def test_what_is_no_object_is_remembered_with_its_reason(folder):
    (folder / "notes.txt").write_text("not an image, but long enough to have been one\n" * 10)
    (folder / "broken").write_bytes(object_bytes(1, 1, 1, 1)[:-10])
    first, filed = index_files(folder / "index.db", folder)
    assert first == {"skipped": 1, "failed": 1}
    reads = Reads()
    with open_for_writing(folder / "index.db") as catalog:
        again = list(Filing(catalog, reads).add(files_of(folder)))
    assert reads.paths == []
    assert [(each.outcome, each.reason) for each in again] == [
        (each.outcome, each.reason) for each in filed
    ]


def test_second_file_of_a_uid_is_a_duplicate_until_the_first_is_gone(folder):
    (folder / "a").write_bytes(object_bytes(1, 1, 1, 1))
    (folder / "b").write_bytes(object_bytes(1, 1, 1, 1))
    outcomes, filed = index_files(folder / "index.db", folder)
    assert outcomes == {"added": 1, "duplicate": 1}
    assert str(folder / "a") in filed[1].reason
    (folder / "a").write_bytes(object_bytes(1, 1, 1, 2))
    outcomes, _ = index_files(folder / "index.db", folder)
    assert outcomes == {"changed": 1, "added": 1}
    assert sorted(paths_of(folder / "index.db").values()) == [
        str(folder / "a"),
        str(folder / "b"),
    ]


def test_moved_file_is_followed(folder):
    write_tree(folder, 1)
    index_files(folder / "index.db", folder)
    (folder / "P1").rename(folder / "Q1")
    outcomes, _ = index_files(folder / "index.db", folder)
    assert outcomes == {"moved": 4}
    assert all(path.startswith(f"{folder}/Q1/") for path in paths_of(folder / "index.db").values())


def test_files_elsewhere_have_absolute_paths_and_those_below_move_with_the_index(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "a").write_bytes(object_bytes(1, 1, 1, 1))
    (there / "b").write_bytes(object_bytes(2, 1, 1, 1))
    index_files(here / "index.db", here, there)
    here.rename(tmp_path / "moved")
    paths = sorted(paths_of(tmp_path / "moved" / "index.db").values())
    assert paths == [str(tmp_path / "moved" / "a"), str(there / "b")]


def test_name_that_is_no_text_is_indexed_and_found(folder):
    name = os.fsencode(folder) + b"/\xff\xfe-\xee\xbe\x80"
    Path(os.fsdecode(name)).write_bytes(object_bytes(1, 1, 1, 1))
    index_files(folder / "index.db", folder)
    (path,) = paths_of(folder / "index.db").values()
    assert os.fsencode(path) == name


def test_hashes_are_kept_on_request_and_added_to_what_has_none(folder):
    write_tree(folder, 1)
    index_files(folder / "index.db", folder)
    outcomes, _ = index_files(folder / "index.db", folder, hashes=True)
    assert outcomes == {"changed": 4}
    outcomes, _ = index_files(folder / "index.db", folder, hashes=True)
    assert outcomes == {"unchanged": 4}
    with open_for_reading(folder / "index.db") as catalog:
        assert len(catalog.rows("SELECT DISTINCT sha256 FROM file WHERE length(sha256) = 64")) == 4


def test_index_does_not_index_itself(folder):
    write_tree(folder, 1)
    index_files(folder / "index.db", folder)
    outcomes, _ = index_files(folder / "index.db", folder)
    assert outcomes == {"unchanged": 4}


def test_rows_come_in_before_the_end_when_there_are_many(folder, monkeypatch):
    write_tree(folder, 20, 1, 2, 4)
    monkeypatch.setattr("pacs_cli.archive.filing._COMMIT_ROWS", 32)
    monkeypatch.setattr("pacs_cli.archive.filing._BATCH", 16)
    with open_for_writing(folder / "index.db") as catalog:
        adding = Filing(catalog, Reads()).add(files_of(folder))
        assert next(adding).outcome is Outcome.ADDED
        with open_for_reading(folder / "index.db") as other:
            assert other.rows("SELECT count(*) FROM instance") == [(32,)]
        assert sum(1 for _ in adding) == 159


def test_locked_index_is_said_and_left_as_it_was(folder, monkeypatch):
    monkeypatch.setattr("pacs_cli.archive.index._BUSY_TIMEOUT", 0.05)
    write_tree(folder, 1)
    with open_for_writing(folder / "index.db") as catalog:
        catalog.connection.execute("PRAGMA busy_timeout = 50")
        other = sqlite3.connect(folder / "index.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutputError, match="someone else writes to it"):
            list(Filing(catalog, Reads()).add(files_of(folder)))
        other.execute("ROLLBACK")
        other.close()
        assert catalog.rows("SELECT count(*) FROM instance") == [(0,)]
        filed = list(Filing(catalog, Reads()).add(files_of(folder)))
    # and the index itself is none
    assert [each.outcome for each in filed] == [Outcome.ADDED] * 4


def test_failure_of_a_commit_rolls_back_and_says_so(folder):
    write_tree(folder, 50)
    with open_for_writing(folder / "index.db") as catalog:
        (pages,) = catalog.connection.execute("PRAGMA page_count").fetchone()
        catalog.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(OutputError, match="database or disk is full"):
            list(Filing(catalog, Reads()).add(files_of(folder)))
        assert catalog.rows("SELECT count(*) FROM instance") == [(0,)]
        catalog.connection.execute(f"PRAGMA max_page_count = {pages + 10_000}")
        assert len(list(Filing(catalog, Reads()).add(files_of(folder)))) == 200
