"""An index beside its files: verify finds what differs, prune takes out what is gone."""

from __future__ import annotations

import os

import pytest

from pacs_cli.archive.catalog import open_for_reading, open_for_writing
from pacs_cli.archive.checking import Prune, State, verify
from tests.archive.filing import index_files, object_bytes, touch, write_tree


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "scans"
    root.mkdir()
    write_tree(root, 1, 1, 2, 2)
    index_files(root / "index.db", root, hashes=True)
    with open_for_writing(root / "index.db") as catalog:
        catalog.add_sources([str(root)])
    return root


def checked(folder, hashes=False):
    with open_for_reading(folder / "index.db") as catalog:
        return {
            each.path.rpartition("/")[2]: (each.state, each.detail)
            for each in verify(catalog, hashes)
            if each.state is not State.SOUND
        }


def pruned(folder, is_dry=False, all=False):
    with open_for_writing(folder / "index.db") as catalog:
        work = Prune(catalog, is_dry, all)
        gone = sorted(each.path for each in work.run() if each.state is State.MISSING)
        left = catalog.rows("SELECT count(*) FROM instance")[0][0]
    return gone, left, work.kept


def test_sound_files_are_sound(folder):
    assert checked(folder) == checked(folder, hashes=True) == {}


def test_each_difference_is_told(folder):
    study = folder / "P1" / "S1"
    (study / "I1_1").unlink()
    touch(study / "I1_2")
    with (study / "I2_1").open("ab") as file:
        file.write(b"more")
    (study / "I2_2").unlink()
    (study / "I2_2").mkdir()
    found = checked(folder)
    assert found["I1_1"][0] is State.MISSING
    assert found["I1_2"] == (State.CHANGED, "written to since it was indexed")
    assert found["I2_1"][0] is State.CHANGED
    assert "when it was indexed" in found["I2_1"][1]
    assert found["I2_2"][0] in (State.CHANGED, State.UNREADABLE)


def test_other_contents_of_the_same_size_and_time_show_by_their_hash(folder):
    path = folder / "P1" / "S1" / "I1_1"
    status = path.stat()
    path.write_bytes(object_bytes(1, 1, 1, 1, seed=7))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert checked(folder) == {}
    assert checked(folder, hashes=True)["I1_1"][0] is State.CHANGED


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_not_taken_for_missing(folder):
    (folder / "P1" / "S1" / "I1_1").chmod(0)
    assert checked(folder)["I1_1"][0] is State.UNREADABLE


def test_loop_of_links_is_unreadable_and_not_pruned(folder):
    path = folder / "P1" / "S1" / "I1_1"
    path.unlink()
    path.symlink_to(path)
    assert checked(folder)["I1_1"][0] is State.UNREADABLE
    assert pruned(folder) == ([], 4, {})


def test_prune_takes_out_what_is_gone_and_the_levels_above(folder):
    (folder / "P1" / "S1" / "I1_1").unlink()
    (folder / "P1" / "S1" / "I1_2").unlink()
    gone, left, _ = pruned(folder, is_dry=True)
    assert (len(gone), left) == (2, 4)
    gone, left, _ = pruned(folder)
    assert (len(gone), left) == (2, 2)
    with open_for_reading(folder / "index.db") as catalog:
        assert catalog.rows("SELECT count(*) FROM series") == [(1,)]
        assert catalog.rows("SELECT count(*) FROM file") == [(2,)]


@pytest.mark.parametrize("leaves_folder", [True, False], ids=["empty", "gone"])
def test_folder_that_is_not_mounted_keeps_its_rows(tmp_path, leaves_folder):
    disk = tmp_path / "disk"
    write_tree(disk, 1)
    db = tmp_path / "index.db"
    index_files(db, disk)
    with open_for_writing(db) as catalog:
        catalog.add_sources([str(disk)])
    disk.rename(tmp_path / "elsewhere")
    if leaves_folder:
        disk.mkdir()
    for all, expected in ((False, (0, 4)), (True, (4, 0))):
        with open_for_writing(db) as catalog:
            work = Prune(catalog, False, all)
            gone = [each for each in work.run() if each.state is State.MISSING]
            left = catalog.rows("SELECT count(*) FROM instance")[0][0]
        assert (len(gone), left) == expected
        assert work.kept == ({} if all else {str(disk): 4})


def test_pruned_object_makes_room_for_its_duplicate(folder):
    copy = folder / "copy"
    copy.write_bytes((folder / "P1" / "S1" / "I1_1").read_bytes())
    assert index_files(folder / "index.db", copy)[0] == {"duplicate": 1}
    (folder / "P1" / "S1" / "I1_1").unlink()
    pruned(folder)
    assert index_files(folder / "index.db", copy)[0] == {"added": 1}


def test_files_that_are_no_objects_are_forgotten_when_they_are_gone(folder):
    path = folder / "notes"
    path.write_text("nothing of interest, at some length\n" * 9)
    index_files(folder / "index.db", folder)
    path.unlink()
    pruned(folder)
    with open_for_reading(folder / "index.db") as catalog:
        assert catalog.rows("SELECT count(*) FROM file WHERE outcome = 'skipped'") == [(0,)]
