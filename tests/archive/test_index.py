"""Rows of the archive's index: committed or refused, never lost, never without a meaning."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from pacs_cli.archive.index import Index, InstanceRow, SeriesEntry
from pacs_cli.errors import OutputError
from tests.archive.storing import at_once, locked
from tests.support import CT, EXPLICIT


@pytest.fixture
def index(tmp_path):
    opened = Index(tmp_path / "index.db", busy_timeout=0.05)
    yield opened
    opened.close()


def row(uid, series="1.3", study="1.2", size=10, **attributes):
    path = f"{study}/{series}/{uid}.dcm"
    return InstanceRow(
        study,
        series,
        uid,
        CT,
        EXPLICIT,
        size,
        path,
        "SENDER",
        1.5,
        {"patient_id": "P", **attributes},
    )


def query(tmp_path, sql):
    """Ask as another process: of what is committed, and not through what is tested."""
    with closing(sqlite3.connect(tmp_path / "index.db")) as other:
        return other.execute(sql).fetchall()


# -- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_there", [False, True])
def test_empty_file_becomes_an_index(tmp_path, is_there):
    if is_there:
        (tmp_path / "index.db").touch()
    with closing(Index(tmp_path / "index.db")) as index:
        assert not index.was_clean
        assert index.counts() == (0, 0, 0, 0)
        assert query(tmp_path, "PRAGMA user_version") == [(1,)]
        assert query(tmp_path, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("name", ["missing/index.db", "folder"])
def test_file_that_cannot_be_opened_is_told(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"cannot open the index .*: unable to open"):
        Index(tmp_path / name)


def test_it_was_clean_only_after_an_orderly_end(tmp_path):
    first = Index(tmp_path / "index.db")
    first.add(row("1.4"))
    # what kill -9 leaves; and what is left when the WAL is lost on top of that
    for crashed, names in (("killed", ("index.db", "index.db-wal")), ("no wal", ("index.db",))):
        (tmp_path / crashed).mkdir()
        for name in names:
            shutil.copy(tmp_path / name, tmp_path / crashed)
    first.close()
    for folder, was_clean in ((".", True), ("killed", False), ("no wal", False), (".", False)):
        again = Index(tmp_path / folder / "index.db")
        assert again.was_clean == was_clean
        again.distrust()
        again.close()


# -- rows ---------------------------------------------------------------------------------------


def test_row_is_committed_when_add_returns(index, tmp_path):
    assert index.add(row("1.4", instance_number="7"))
    found = query(tmp_path, "SELECT sop_instance_uid, path, size, instance_number FROM instance")
    assert found == [("1.4", "1.2/1.3/1.4.dcm", 10, "7")]
    assert index.find_path("1.4") == "1.2/1.3/1.4.dcm"
    assert index.find_path("1.5") is None


def test_tree_has_a_line_for_each_series(index):
    index.add(row("1", "1.1", "1.1", patient_id="B", patient_name="Made^Up", study_date="20260102"))
    index.add(row("2", "1.2", "1.2", patient_id="A", study_description="head", modality="CT"))
    index.add(row("3", "1.2", "1.2", size=5, patient_id="A"))
    index.add(row("4", "1.3", "1.1", patient_id="B", series_description="scout"))
    index.add(row("5", "1.4", "1.4", patient_id="B", study_date="20260101"))
    assert index.tree() == [
        SeriesEntry("A", None, "1.2", None, "head", "1.2", "CT", None, 2, 15),
        SeriesEntry("B", "Made^Up", "1.4", "20260101", None, "1.4", None, None, 1, 10),
        SeriesEntry("B", "Made^Up", "1.1", "20260102", None, "1.1", None, None, 1, 10),
        SeriesEntry("B", "Made^Up", "1.1", "20260102", None, "1.3", None, "scout", 1, 10),
    ]
    assert index.counts() == (2, 3, 4, 5)


def test_every_path_is_told_also_of_many_rows(tmp_path):
    with closing(Index(tmp_path / "index.db", is_durable=False)) as index:
        rows = [row(f"1.{number}") for number in range(10_001)]
        for each in rows:
            index.add(each)
        assert list(index.paths()) == [(each.sop_instance_uid, each.path) for each in rows]


def test_duplicate_changes_nothing(index):
    index.add(row("1", "1.1", "1.1", patient_name="Made^Up"))
    before = index.tree()
    assert not index.add(row("1", "1.1", "1.1", patient_name="Other"))
    # no study, series or patient is left that has no object
    assert not index.add(row("1", "1.2", "1.2", patient_id="Q"))
    assert index.tree() == before
    assert index.counts() == (1, 1, 1, 1)
    assert index.add(row("2", "1.2", "1.2", patient_id="Q"))
    assert index.counts() == (2, 2, 2, 2)


def test_removing_takes_what_has_become_empty_and_no_more(index):
    uids = [("1", "1.1", "1.1"), ("2", "1.1", "1.1"), ("3", "1.2", "1.1"), ("4", "1.3", "1.3")]
    for each in uids:
        index.add(row(*each))
    counts = []
    for uid, *_ in uids:
        index.remove(uid)
        index.remove(uid)
        counts.append(index.counts())
    assert counts == [(1, 2, 3, 3), (1, 2, 2, 2), (1, 1, 1, 1), (0, 0, 0, 0)]
    for each in uids:
        assert index.add(row(*each))
    assert index.counts() == (1, 2, 3, 4)


def test_rows_find_their_patient_study_and_series_when_it_is_opened_again(tmp_path):
    rows = [
        (row("1", "1.1", "1.1"), (1, 1, 1, 1)),
        (row("2", "1.1", "1.1"), (1, 1, 1, 2)),
        (row("3", "1.2", "1.1"), (1, 1, 2, 3)),
        (row("4", "1.3", "1.3"), (1, 2, 3, 4)),
        # a study stays with its first patient, and the other is not made
        (row("5", "1.4", "1.3", patient_id="MISSPELT"), (1, 2, 4, 5)),
        (row("6", "1.5", "1.5", issuer_of_patient_id="OTHER"), (2, 3, 5, 6)),
    ]
    for each, counts in rows:
        with closing(Index(tmp_path / "index.db")) as index:
            assert index.add(each)
            assert not index.add(each)
            assert index.counts() == counts


# -- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [{"size": "many"}, {"modality": "\ud800"}, {"size": 2**70}])
def test_row_that_fails_leaves_no_keys_behind(index, bad):
    """Patient, study and series of the row are made before it fails, and remembered."""
    index.add(row("1"))
    failing = row("2", "1.9", "1.8", patient_id="Q", **{"size": 10, **bad})
    with pytest.raises(OutputError, match="cannot write the index"):
        index.add(failing)
    assert index.counts() == (1, 1, 1, 1)
    assert index.add(row("3", "1.9", "1.8", patient_id="Q"))
    assert index.add(row("4"))
    assert index.counts() == (2, 2, 2, 3)


def test_locked_index_refuses_in_time_and_goes_on_after(index, tmp_path):
    index.add(row("1"))
    # milliseconds, where an archive has five seconds
    assert index._writer.execute("PRAGMA busy_timeout").fetchone() == (50,)
    with locked(tmp_path):
        with pytest.raises(OutputError, match=r"cannot write the index .*: database is locked"):
            index.add(row("2"))
        with pytest.raises(OutputError, match=r"cannot write the index .*: database is locked"):
            index.remove("1")
        # what is asked is answered all the while
        assert index.find_path("1") == "1.2/1.3/1.dcm"
        assert index.counts() == (1, 1, 1, 1)
    assert index.add(row("2"))
    index.remove("1")
    assert [uid for uid, _ in index.paths()] == ["2"]


def test_index_locked_at_its_start_and_end_is_told(tmp_path):
    path = tmp_path / "index.db"
    index = Index(path, busy_timeout=0.05)
    with locked(tmp_path):
        with pytest.raises(OutputError, match=r"cannot use .* as an index: database is locked"):
            Index(path, busy_timeout=0.05)
        with pytest.raises(OutputError, match=r"cannot close the index .*: database is locked"):
            index.close()
    with closing(Index(path)) as again:
        assert not again.was_clean


# -- threads ------------------------------------------------------------------------------------


class Counted(deque):
    """A queue that tells when a row has come."""

    def __init__(self):
        super().__init__()
        self.came = threading.Semaphore(0)

    def append(self, item):
        super().append(item)
        self.came.release()


def test_rows_that_come_at_the_same_time_are_committed_together(tmp_path):
    with closing(Index(tmp_path / "index.db")) as index, ThreadPoolExecutor(16) as pool:
        index._waiting = Counted()
        commits = []
        index._writer.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else 0)
        with locked(tmp_path):
            added = [pool.submit(index.add, row(f"1.{number}")) for number in range(16)]
            for _ in added:
                assert index._waiting.came.acquire(timeout=10)
        assert all(each.result(timeout=10) for each in added)
        # one by the first that came, who may have seen no other, and one for all the rest
        assert len(commits) in (1, 2)
        assert index.counts() == (1, 1, 1, 16)


def test_each_thread_is_told_its_own_outcome(index):
    for uid in map(str, range(10)):

        def add(_, wait, uid=uid):
            wait()
            return index.add(row(uid))

        assert sorted(at_once(16, add)) == [False] * 15 + [True]
    assert index.counts() == (1, 1, 1, 10)


def test_new_series_from_two_threads_is_one(index):
    for number in range(20):

        def add(each, wait, series=f"1.{number}"):
            wait()
            assert index.add(row(f"{each}.{series}", series, series))

        at_once(2, add)
    assert index.counts() == (1, 20, 20, 40)
    assert all(entry.instances == 2 for entry in index.tree())


def test_failure_is_told_to_every_thread_of_the_group(index, tmp_path):
    def refused(number, wait):
        wait()
        with pytest.raises(OutputError, match="database is locked"):
            index.add(row(f"1.{number}"))
        return True

    with locked(tmp_path):
        assert all(at_once(4, refused))
    assert index.counts() == (0, 0, 0, 0)
