"""What a crash leaves is put right at the next start: files and rows agree, staging is empty."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pacs_cli.archive.blobs import Durability
from pacs_cli.archive.handler import Recovered, open_archive
from pacs_cli.errors import OutputError
from tests.archive.storing import UID, assert_holds, files, rows, store
from tests.samples import dataset_bytes
from tests.support import CT
from tests.writing import SERIES, STUDY, dataset, write_object

ROOT = Path(__file__).parents[2]
UIDS = [f"1.2.3.{number}" for number in range(1, 6)]


@pytest.fixture
def root(tmp_path):
    """An archive with five objects, as kill -9 leaves it."""
    running, killed = tmp_path / "running", tmp_path / "killed"
    with open_archive(running, durability=Durability.RELAXED) as archive:
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
    # whole, but not where it belongs: a row would lead to nothing
    write_object(study / "3.dcm", CT, "3")
    # of a UID that is held in another study
    write_object(path_of(root, UIDS[0], STUDY), CT, UIDS[0])
    whole = write_object(path_of(root, "1.4", STUDY), CT, "1.4")
    whole.write_bytes(whole.read_bytes()[:-1])
    told = sorted(
        [
            *(f"1.9/1.9/{number}.dcm" for number in (1, 2, 3)),
            *(f"{STUDY}/{SERIES}/{uid}.dcm" for uid in (UIDS[0], "1.4")),
        ]
    )
    assert recovered(root) == Recovered(unindexed=tuple(told))
    assert files(root) == {*rows(root).values(), *told}
    assert rows(root).keys() == set(UIDS)


def test_study_that_cannot_be_looked_into_keeps_its_rows(root):
    """A loop of links fails to be read for everyone; a missing permission not for root."""
    shutil.move(root / UIDS[0], root / "elsewhere")
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


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, b"not a database"),
        (16, b"\0\0"),
        (60, UNDEFINED := b"\xff\xff\xff\xff"),
        (100, UNDEFINED * 25),
        # sqlite3 fails to decode the message about this one
        (b"(id),\n    study_instance_uid", UNDEFINED),
        *((4096 * page, b"x" * 4096) for page in (1, 5, 10)),
    ],
    ids=["magic", "page size", "version", "first page", "schema", "page 2", "page 6", "page 11"],
)
def test_corrupt_index_is_moved_aside_and_made_again(root, at, value):
    index = root / "index.db"
    for number in (1, 2):
        recovered(root)
        spoil(index, at, value)
        spoiled = index.read_bytes()
        aside = root / f"index.db.corrupt-{number}"
        assert recovered(root) == Recovered(rows_added=5, moved_aside=aside)
        assert aside.read_bytes() == spoiled
        assert_holds(root, *UIDS)


def test_index_of_a_newer_version_is_left_where_it_is_and_the_folder_let_go(root):
    recovered(root)
    spoil(root / "index.db", 60, b"\0\0\0\2")
    for _ in range(2):
        with pytest.raises(OutputError, match="has version 2"):
            open_archive(root)
    assert not list(root.glob("*.corrupt*"))
    spoil(root / "index.db", 60, b"\0\0\0\1")
    assert recovered(root) == Recovered()


def test_what_could_not_be_taken_out_is_found_at_the_next_start(root, monkeypatch):
    recovered(root)
    with open_archive(root) as archive:
        monkeypatch.setattr(archive.index, "add", refuse)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", broken)
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
    command = [sys.executable, "-m", "tests.archive.storing", tmp_path]
    subprocess.run(command, cwd=ROOT, timeout=60, check=True)
    roots = [path for path in tmp_path.iterdir() if path.is_dir()]
    (survivor,) = (path for path in tmp_path.iterdir() if path.suffix == ".acknowledged")
    # as many as a store makes calls, those to remove among them
    assert len(roots) > 14
    for root in roots:
        is_held = any(root.rglob(f"{UID}.dcm"))
        assert is_held or root.with_suffix(".acknowledged") != survivor
        # killed before the row or after it, but with nothing that has no place
        assert recovered(root) in (Recovered(), Recovered(rows_added=1))
        assert_holds(root, *([UID] if is_held else []))
        if is_held:
            assert dataset_bytes(root / rows(root)[UID]) == dataset(CT, UID)
