"""Rows of the archive's index: committed or refused, never lost, never without a meaning."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import permutations
from pathlib import Path

import pytest

from pacs_cli.archive import index as module
from pacs_cli.archive.index import MIGRATIONS, Index, InstanceRow, SeriesEntry
from pacs_cli.errors import OutputError
from tests.archive.storing import at_once, await_rows, locked, writes_fail
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


COUNT = "SELECT count(*) FROM instance"


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
        assert query(tmp_path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
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


def make_version_1(path, is_clean=True):
    """An index as the first version of this program made it, with one object of each of two."""
    script = Path(module.__file__).with_name("schema.sql").read_text()
    with closing(sqlite3.connect(path)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        old.executescript(script + "; PRAGMA user_version = 1")
        old.executescript(
            "INSERT INTO patient VALUES (7, 'P', '', 'Made^Up', NULL, NULL);"
            "INSERT INTO study (id, patient, study_instance_uid) VALUES (5, 7, '1.2');"
            "INSERT INTO series (id, study, series_instance_uid) VALUES (3, 5, '1.3');"
            "INSERT INTO instance VALUES (1, 3, '1.4', 'c', 't', '1', NULL, 10, '1.2/1.3/1.4.dcm',"
            " 'SENDER', 1.5), (2, 3, '1.5', 'c', 't', '2', NULL, 10, '1.2/1.3/1.5.dcm', '', 2.5);"
            f"UPDATE state SET is_clean = {is_clean}"
        )


@pytest.mark.parametrize("is_clean", [True, False])
def test_index_of_version_1_is_migrated_and_loses_nothing(tmp_path, is_clean):
    make_version_1(tmp_path / "index.db", is_clean)
    with closing(Index(tmp_path / "index.db")) as index:
        assert index.was_clean is is_clean
        assert query(tmp_path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
        assert index.tree() == [
            SeriesEntry("P", "Made^Up", "1.2", None, None, "1.3", None, None, 2, 20)
        ]
        assert list(index.paths()) == [("1.4", "1.2/1.3/1.4.dcm"), ("1.5", "1.2/1.3/1.5.dcm")]
        assert index.versions("1.4") == [(1, "1.2/1.3/1.4.dcm")]
        # the same study and series, and the same series elsewhere
        assert index.add(row("1.6"))
        assert index.add(row("1.7", study="1.9"))
        assert index.counts() == (1, 2, 2, 4)
        index.remove("1.7")
        assert query(tmp_path, "PRAGMA foreign_key_check") == []
        assert query(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def test_migrated_index_has_the_schema_of_a_new_one(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    make_version_1(tmp_path / "old/index.db")
    for name in ("old", "new"):
        Index(tmp_path / name / "index.db").close()
    schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2"
    assert query(tmp_path / "old", schema) == query(tmp_path / "new", schema)


def test_whole_file_is_read_only_after_an_unclean_end(tmp_path, monkeypatch):
    asked = []

    class Watched(sqlite3.Connection):
        def execute(self, sql, *parameters):
            asked.append(sql)
            return super().execute(sql, *parameters)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Watched, **k))
    checked = []
    for is_trusted in (True, False, True):
        index = Index(tmp_path / "index.db")
        checked.append("PRAGMA quick_check(1)" in asked)
        asked.clear()
        if not is_trusted:
            index.distrust()
        index.close()
    # the first was new
    assert checked == [False, False, True]


# -- rows ---------------------------------------------------------------------------------------


def test_row_is_seen_by_every_question_and_committed_before_it_is_answered(tmp_path):
    """So long that nothing but the question can have committed it."""
    with closing(Index(tmp_path / "index.db", commit_delay=3600)) as index:
        for number in range(1, 4):
            assert index.add(row(f"1.{number}"))
            assert query(tmp_path, COUNT) == [(number - 1,)]
            assert index.find_path(f"1.{number}") == f"1.2/1.3/1.{number}.dcm"
            assert query(tmp_path, COUNT) == [(number,)]


def test_row_is_committed_soon_without_a_question(index, tmp_path):
    for uid in ("1.4", "1.5"):
        index.add(row(uid))
        await_rows(tmp_path, uid)


def test_rows_are_committed_many_together(tmp_path):
    with closing(Index(tmp_path / "index.db", commit_delay=3600)) as index:
        commits = counted_commits(index)
        for number in range(2000):
            index.add(row(f"1.{number}"))
        assert len(commits) == 1
        assert query(tmp_path, COUNT) == [(2000,)]
        index.add(row("1.2000"))
        assert len(commits) == 1
    assert len(commits) == 2


def counted_commits(index):
    commits = []
    index._writer.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    return commits


def test_row_has_its_columns(index, tmp_path):
    index.add(row("1.4", instance_number="7"))
    index.flush()
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


def test_series_uid_of_two_studies_is_two_series(index):
    """Also when one of them was found in the tables, and not remembered."""
    for study, number in (("1.1", 1), ("1.2", 2), ("1.1", 3), ("1.2", 4)):
        assert index.add(row(f"{number}", "1.3", study))
    assert index.counts() == (1, 2, 2, 4)
    assert [(entry.study_instance_uid, entry.instances) for entry in index.tree()] == [
        ("1.1", 2),
        ("1.2", 2),
    ]
    index.remove("1")
    index.remove("3")
    assert index.add(row("5", "1.3", "1.1"))
    assert index.counts() == (1, 2, 2, 3)


# -- versions -----------------------------------------------------------------------------------


def version(number, uid="1.4", **more):
    made = row(uid, size=number, **more)
    made.path, made.version = f"{uid}.v{number}.dcm", number
    return made


def test_newest_version_is_served_and_the_others_stay_indexed(index):
    index.add(version(1))
    index.supersede(version(2, study="1.9"))
    index.supersede(version(3))
    assert index.find_path("1.4") == "1.4.v3.dcm"
    assert index.versions("1.4") == [(3, "1.4.v3.dcm"), (2, "1.4.v2.dcm"), (1, "1.4.v1.dcm")]
    assert index.counts() == (1, 1, 1, 1)
    assert [entry.size for entry in index.tree()] == [3]
    assert not index.add(version(1))


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_versions_found_in_any_order_are_as_they_were(index, order):
    index.add(row("1.5"))
    for number in order:
        assert index.restore(version(number))
        assert not index.restore(version(number))
    assert index.versions("1.4") == [(n, f"1.4.v{n}.dcm") for n in (3, 2, 1)]
    assert index.find_path("1.4") == "1.4.v3.dcm"
    assert index.counts() == (1, 1, 1, 2)


def test_versions_without_a_newest_are_told(index):
    for number in (1, 2, 3):
        index.restore(version(number))
    assert index.unserved_versions() == []
    index.remove("1.4")
    assert index.unserved_versions() == ["1.4.v2.dcm", "1.4.v1.dcm"]
    index.remove_version("1.4.v2.dcm")
    assert index.versions("1.4") == [(1, "1.4.v1.dcm")]


def test_replacement_is_announced_to_outlast_a_power_cut_until_it_is_ended(index, tmp_path):
    index.add(row("1.4"))
    modes = []
    index._writer.set_trace_callback(
        lambda sql: modes.append(sql) if "synchronous" in sql or sql == "COMMIT" else None
    )
    index.announce("1.4", "x.dcm", "y.dcm")
    full, normal = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
    assert modes == ["COMMIT", full, "COMMIT", normal]
    announced = "SELECT * FROM replacement"
    assert query(tmp_path, announced) == [("1.4", "x.dcm", "y.dcm")] == index.replacements()
    index.replace(row("1.4", study="1.9", size=5))
    assert query(tmp_path, "SELECT path, size FROM instance") == [("1.9/1.3/1.4.dcm", 5)]
    assert index.counts() == (1, 1, 1, 1)
    assert len(index.replacements()) == 1
    index.announce("1.4", "z.dcm", "x.dcm")
    assert index.replacements() == [("1.4", "z.dcm", "x.dcm")]
    index.retract("1.4")
    assert query(tmp_path, announced) == []


# -- removing -----------------------------------------------------------------------------------


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


def test_commit_that_fails_loses_nothing_and_takes_nothing_new_until_it_succeeds(tmp_path):
    with closing(Index(tmp_path / "index.db", commit_delay=3600)) as index:
        index.add(row("1", "1.1", "1.1"))
        index.add(row("2", "1.2", "1.2"))
        with writes_fail():
            failing = pytest.raises(OutputError, match="cannot write the index")
            # also a question: its answer would leave out what was acknowledged
            for ask in (index.flush, index.counts, lambda: index.add(row("3")), index.flush):
                with failing:
                    ask()
        assert index.add(row("3", "1.2", "1.2"))
        assert index.counts() == (1, 2, 2, 3)
    assert query(tmp_path, COUNT) == [(3,)]


def test_commit_that_fails_is_tried_again_without_a_question(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_RETRY_DELAY", 0.01)
    tried = threading.Semaphore(0)
    with closing(Index(tmp_path / "index.db", commit_delay=0.01)) as index:
        index._writer.set_trace_callback(lambda sql: tried.release() if sql == "COMMIT" else None)
        with writes_fail():
            index.add(row("1"))
            for _ in range(3):
                assert tried.acquire(timeout=10)
            assert query(tmp_path, COUNT) == [(0,)]
        await_rows(tmp_path, "1")


def test_row_whose_own_commit_fails_is_refused_and_the_others_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_COMMIT_ROWS", 3)
    with closing(Index(tmp_path / "index.db", commit_delay=3600)) as index:
        with writes_fail():
            assert index.add(row("1"))
            assert index.add(row("2"))
            for uid in ("3", "4"):
                with pytest.raises(OutputError):
                    index.add(row(uid))
        assert [uid for uid, _ in index.paths()] == ["1", "2"]


def test_index_that_cannot_be_saved_at_its_end_is_unclean(tmp_path):
    index = Index(tmp_path / "index.db", commit_delay=3600)
    index.add(row("1"))
    with writes_fail(), pytest.raises(OutputError, match="cannot close the index"):
        index.close()
    with closing(Index(tmp_path / "index.db")) as again:
        assert not again.was_clean


def test_rows_that_wait_for_a_lock_are_refused_together(tmp_path):
    """One after the other, each after seconds of its own, senders would have given up."""
    with closing(Index(tmp_path / "index.db", busy_timeout=2)) as index, locked(tmp_path):
        attempts = []
        index._writer.set_trace_callback(
            lambda sql: attempts.append(sql) if sql.startswith("BEGIN") else None
        )

        def refused(number, wait):
            wait()
            with pytest.raises(OutputError, match="database is locked"):
                index.add(row(f"1.{number}"))

        at_once(8, refused)
        assert len(attempts) < 8


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


def test_rows_that_come_at_the_same_time_are_committed_together(tmp_path):
    index = Index(tmp_path / "index.db", commit_delay=3600)
    with closing(index), ThreadPoolExecutor(16) as pool:
        commits = counted_commits(index)
        added = [pool.submit(index.add, row(f"1.{number}")) for number in range(16)]
        assert all(each.result(timeout=10) for each in added)
        assert index.counts() == (1, 1, 1, 16)
        assert len(commits) == 1


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
