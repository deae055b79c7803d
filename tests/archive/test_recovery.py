"""What a crash leaves is put right at the next start: files and rows agree, staging is empty."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pacs_cli.archive.blobs import Durability
from pacs_cli.archive.handler import Recovered, open_archive
from pacs_cli.archive.index import MIGRATIONS
from pacs_cli.errors import OutputError
from tests.archive.storing import SECOND, UID, assert_holds, files, killed, rows, store
from tests.samples import dataset_bytes
from tests.support import CT
from tests.writing import SERIES, STUDY, dataset, write_object

UIDS = [f"1.2.3.{number}" for number in range(1, 6)]


@pytest.fixture
def root(tmp_path):
    """An archive with five objects, as kill -9 leaves it."""
    running, killed = tmp_path / "running", tmp_path / "killed"
    with open_archive(running, settings=Durability.RELAXED) as archive:
        for uid in UIDS:
            assert store(archive.handler, dataset(CT, uid, study=uid), uid).status == 0
        shutil.copytree(running, killed)
    return killed


def path_of(root: Path, uid: str, study: str = "") -> Path:
    path = root / (study or uid) / SERIES / f"{uid}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def recovered(root: Path) -> Recovered:
    with open_archive(root) as archive:
        return archive.recovered


def test_file_without_a_row_gets_one(root):
    write_object(path_of(root, "1.9", STUDY), CT, "1.9")
    assert recovered(root) == Recovered(rows_added=1)
    assert_holds(root, *UIDS, "1.9")


def test_row_without_a_file_is_dropped(root):
    path_of(root, UIDS[0]).unlink()
    shutil.rmtree(root / UIDS[1])
    assert recovered(root) == Recovered(rows_removed=2)
    assert_holds(root, *UIDS[2:])


def test_staged_file_is_swept_also_when_it_has_its_name_already(root):
    (root / ".staging/8.part").write_bytes(b"half")
    write_object(path_of(root, "1.9", STUDY), CT, "1.9")
    os.link(path_of(root, "1.9", STUDY), root / ".staging/9.part")
    assert recovered(root) == Recovered(rows_added=1)
    assert_holds(root, *UIDS, "1.9")


def test_row_whose_file_is_gone_makes_way_for_a_file_of_its_uid(root):
    path_of(root, UIDS[0]).unlink()
    write_object(path_of(root, UIDS[0], STUDY), CT, UIDS[0])
    assert recovered(root) == Recovered(rows_added=1, rows_removed=1)
    assert_holds(root, *UIDS)


def test_file_that_cannot_be_indexed_stays_and_is_told(root):
    study = root / "1.9" / "1.9"
    study.mkdir(parents=True)
    (study / "1.dcm").write_bytes(b"garbage")
    (study / "2.dcm").touch()
    # of a UID that is held in another study
    write_object(path_of(root, UIDS[0], STUDY), CT, UIDS[0])
    whole = write_object(path_of(root, "1.4", STUDY), CT, "1.4")
    whole.write_bytes(whole.read_bytes()[:-1])
    told = sorted(
        [
            *(f"1.9/1.9/{number}.dcm" for number in (1, 2)),
            *(f"{STUDY}/{SERIES}/{uid}.dcm" for uid in (UIDS[0], "1.4")),
        ]
    )
    assert recovered(root) == Recovered(unindexed=tuple(told))
    assert files(root) == {*rows(root).values(), *told}
    assert rows(root).keys() == set(UIDS)


def test_file_is_found_wherever_it_lies(root):
    """Also after another layout, or when somebody has moved it."""
    path = path_of(root, "1.9", STUDY)
    write_object(root / "1.9.dcm", CT, "1.9")
    (root / "a/b/c").mkdir(parents=True)
    path_of(root, UIDS[0]).rename(root / "a/b/c/moved.dcm")
    assert recovered(root) == Recovered(rows_added=2, rows_removed=1)
    assert_holds(root, *UIDS, "1.9")
    assert rows(root)[UIDS[0]] == "a/b/c/moved.dcm"
    assert not path.exists()


def test_row_made_of_a_file_is_the_one_that_was_lost(root):
    """But for when it came, to the clock tick of the file system."""
    columns = (
        "sop_instance_uid, sop_class_uid, transfer_syntax_uid, instance_number, size, path,"
        " source_ae_title, version"
    )
    query = f"SELECT {columns}, received FROM instance ORDER BY 1"
    before = asked(root, query)
    assert before[0][6] == "SENDER"
    for path in root.glob("index.db*"):
        path.unlink()
    # a copy has times of its own
    for uid, *_, received in before:
        os.utime(path_of(root, uid), (received, received))
    assert recovered(root) == Recovered(rows_added=5)
    after = asked(root, query)
    assert [row[:-1] for row in after] == [row[:-1] for row in before]
    assert [row[-1] for row in after] == pytest.approx([row[-1] for row in before], abs=1e-3)


def asked(root: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(root / "index.db")) as index:
        return index.execute(query).fetchall()


def test_paths_are_compared_page_by_page(root, monkeypatch):
    monkeypatch.setattr("pacs_cli.archive.recovery._PAGE", 2)
    for uid in UIDS[:3]:
        path_of(root, uid).unlink()
    more = [f"1.9.{number}" for number in range(5)]
    for uid in more:
        write_object(path_of(root, uid, STUDY), CT, uid)
    (root / "bad.dcm").touch()
    assert recovered(root) == Recovered(5, 3, ("bad.dcm",))
    assert_holds_but(root, {"bad.dcm"}, *UIDS[3:], *more)


def assert_holds_but(root: Path, others: set[str], *uids: str) -> None:
    assert rows(root).keys() == set(uids)
    assert files(root) == {*rows(root).values(), *others}


def test_rows_are_made_many_at_a_time(root, monkeypatch):
    for path in root.glob("index.db*"):
        path.unlink()
    commits = []
    real = sqlite3.connect

    def connect(*arguments, **options):
        made = real(*arguments, **options)
        made.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        return made

    monkeypatch.setattr(sqlite3, "connect", connect)
    assert recovered(root) == Recovered(rows_added=5)
    # of what was found, and of the rows
    assert len(commits) == 2


def test_file_that_was_not_acknowledged_makes_way_for_one_that_was(root):
    """Both are without a row. Of what is still staged under a second name nobody was told."""
    recovered(root)
    for name in ("0", "1.9"):
        path = path_of(root, UIDS[0], name)
        write_object(path, CT, UIDS[0])
        os.link(path, root / f".staging/{name}.part")
    write_object(path_of(root, "1.8", "zz"), CT, "1.8")
    write_object(path_of(root, "1.8", "1.9"), CT, "1.8")
    os.link(path_of(root, "1.8", "1.9"), root / ".staging/9.part")
    unclean(root)
    assert recovered(root) == Recovered(rows_added=1)
    assert rows(root)["1.8"] == f"zz/{SERIES}/1.8.dcm"
    assert rows(root)[UIDS[0]] == f"{UIDS[0]}/{SERIES}/{UIDS[0]}.dcm"
    assert_holds(root, *UIDS, "1.8")


def unclean(root: Path) -> None:
    with closing(sqlite3.connect(root / "index.db", isolation_level=None)) as index:
        index.execute("UPDATE state SET is_clean = 0")


def test_what_cannot_be_read_today_is_looked_at_again(root, monkeypatch):
    write_object(path_of(root, "1.9", STUDY), CT, "1.9")
    path = f"{STUDY}/{SERIES}/1.9.dcm"
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", broken)
        assert recovered(root) == Recovered(unindexed=(path,))
    assert recovered(root) == Recovered(rows_added=1)
    assert recovered(root) == Recovered()


def test_folder_that_cannot_be_read_today_keeps_its_rows_and_is_looked_at_again(root, monkeypatch):
    write_object(path_of(root, "1.9", STUDY), CT, "1.9")
    scandir = os.scandir

    def fails_in_study(path):
        return broken() if str(path).endswith(f"/{STUDY}/") else scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", fails_in_study)
        assert recovered(root) == Recovered(unindexed=(f"{STUDY}/",))
    assert recovered(root) == Recovered(rows_added=1)
    assert_holds(root, *UIDS, "1.9")


def test_study_that_cannot_be_looked_into_keeps_its_rows(root):
    """A loop of links fails to be read for everyone; a missing permission not for root."""
    shutil.move(root / UIDS[0], root.with_name("elsewhere"))
    (root / UIDS[0]).symlink_to(UIDS[0])
    assert recovered(root) == Recovered()
    assert rows(root).keys() == set(UIDS)


def test_orderly_closed_archive_is_not_compared(root):
    """That is what makes a start fast; what was removed meanwhile shows when it is asked for."""
    recovered(root)
    path_of(root, UIDS[0]).unlink()
    assert recovered(root) == Recovered()


def test_lost_wal_is_made_good_from_the_files(root):
    recovered(root)
    with open_archive(root) as archive:
        store(archive.handler, dataset(CT, "1.9"), "1.9")
        lost = shutil.copytree(root, root.with_name("lost"))
    for name in ("index.db-wal", "index.db-shm"):
        (lost / name).unlink()
    assert recovered(lost) == Recovered(rows_added=1)
    assert_holds(lost, *UIDS, "1.9")


def test_lost_index_is_made_again(root):
    for path in root.glob("index.db*"):
        path.unlink()
    assert recovered(root) == Recovered(rows_added=5)
    assert_holds(root, *UIDS)


def spoil(path: Path, at: int | bytes, value: bytes) -> None:
    data = bytearray(path.read_bytes())
    start = data.index(at) if isinstance(at, bytes) else at
    data[start : start + len(value)] = value
    path.write_bytes(data)


UNDEFINED = b"\xff\xff\xff\xff"
CORRUPT = {
    "magic": (0, b"not a database"),
    "page size": (16, b"\0\0"),
    "version": (60, UNDEFINED),
    "first page": (100, UNDEFINED * 25),
    # sqlite3 fails to decode the message about this one
    "schema": (b"(id),\n    study_instance_uid", UNDEFINED),
    **{f"page {page + 1}": (4096 * page, b"x" * 4096) for page in (1, 5, 10)},
}


@pytest.mark.parametrize(("at", "value"), CORRUPT.values(), ids=CORRUPT)
def test_corrupt_index_is_moved_aside_and_made_again(root, at, value):
    index = root / "index.db"
    for number in (1, 2):
        with open_archive(root) as archive:
            archive.index.distrust()
        spoil(index, at, value)
        spoiled = index.read_bytes()
        aside = root / f"index.db.corrupt-{number}"
        assert recovered(root) == Recovered(rows_added=5, moved_aside=aside)
        assert aside.read_bytes() == spoiled
        assert_holds(root, *UIDS)


def test_damage_that_shows_only_later_has_the_next_start_make_the_index_again(root):
    """After an orderly end the whole file is not read: that takes as long as it is large."""
    recovered(root)
    instances = root_page(root, "instance")
    spoil(root / "index.db", 4096 * (instances - 1), b"x" * 4096)
    with open_archive(root) as archive:
        assert archive.recovered == Recovered()
        for _ in range(2):
            assert store(archive.handler, dataset(CT, "1.9"), "1.9").status == 0xA701
    aside = root / "index.db.corrupt-1"
    assert recovered(root) == Recovered(rows_added=5, moved_aside=aside)
    assert_holds(root, *UIDS)


def root_page(root: Path, table: str) -> int:
    with closing(sqlite3.connect(root / "index.db")) as index:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
        return index.execute(query, (table,)).fetchone()[0]


def test_index_of_a_newer_version_is_left_where_it_is_and_the_folder_let_go(root):
    recovered(root)
    spoil(root / "index.db", 60, bytes((0, 0, 0, len(MIGRATIONS) + 1)))
    for _ in range(2):
        with pytest.raises(OutputError, match=f"has version {len(MIGRATIONS) + 1}"):
            open_archive(root)
    assert not list(root.glob("*.corrupt*"))
    spoil(root / "index.db", 60, bytes((0, 0, 0, len(MIGRATIONS))))
    assert recovered(root) == Recovered()


def test_what_could_not_be_taken_out_is_found_at_the_next_start(root, monkeypatch):
    recovered(root)
    with open_archive(root) as archive:
        monkeypatch.setattr(archive.index, "add", refuse)
        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", broken)
            assert store(archive.handler, dataset(CT, "1.9"), "1.9").status == 0xA700
    assert recovered(root) == Recovered(rows_added=1)
    assert_holds(root, *UIDS, "1.9")


def broken(*_, **__):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def refuse(*_):
    raise OutputError("cannot write the index")


def test_start_that_fails_while_comparing_is_repeated_by_the_next(root, monkeypatch):
    path_of(root, UIDS[0]).unlink()
    with monkeypatch.context() as patch:
        patch.setattr("pacs_cli.archive.index.Index.remove", refuse)
        with pytest.raises(OutputError, match="cannot write the index"):
            open_archive(root)
    assert recovered(root) == Recovered(rows_removed=1)


def test_killed_before_any_call_nothing_acknowledged_is_lost(tmp_path):
    """Processes that are really killed, each before another of its calls; the last one is not."""
    survivor = killed(tmp_path)
    roots = [path for path in tmp_path.iterdir() if path.is_dir()]
    # as many as a store makes calls, those to remove among them
    assert len(roots) > 14
    for root in roots:
        is_held = any(root.rglob(f"{UID}.dcm"))
        assert is_held or root != survivor
        # killed before the row or after it, but with nothing that has no place
        assert recovered(root) in (Recovered(), Recovered(rows_added=1))
        assert_holds(root, *([UID] if is_held else []))
        if is_held:
            assert dataset_bytes(root / rows(root)[UID]) == SECOND
