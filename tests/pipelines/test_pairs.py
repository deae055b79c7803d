"""Which files are compared with which."""

from __future__ import annotations

import pytest

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import InputError, UsageError
from pacs_cli.pipelines.documents import Unreadable
from pacs_cli.pipelines.files import Passed
from pacs_cli.pipelines.pairs import Pair, find_pairs
from tests.dicom.datasets import LITTLE, element
from tests.support import CT, EXPLICIT
from tests.writing import write_object


@pytest.fixture
def folders(tmp_path):
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
    return tmp_path / "left", tmp_path / "right"


def named(pairs):
    return [tuple(path and path.rsplit("/", 1)[1] for path in (p.left, p.right)) for p in pairs]


def test_files_of_folders_are_matched_by_their_instance(folders):
    left, right = folders
    for uid, one, other in (("1.1", "a", "z"), ("1.2", "b", "y"), ("1.3", "c", "x")):
        write_object(left / one, CT, uid)
        write_object(right / other, CT, uid)
    write_object(left / "only", CT, "1.4")
    write_object(right / "alone", CT, "1.5")
    found = named(find_pairs(str(left), str(right), False))
    assert found == [("a", "z"), ("b", "y"), ("c", "x"), ("only", None), (None, "alone")]


def test_several_of_one_instance_and_of_none_are_matched_in_order(folders):
    left, right = folders
    for folder in folders:
        for name in ("a", "b"):
            write_object(folder / name, CT, "1.1")
            data = element(LITTLE, 0x00080060, "CS", b"CT")
            (folder / f"no-uid-{name}").write_bytes(file_meta(CT, "1.2", EXPLICIT) + data)
    write_object(left / "c", CT, "1.1")
    found = named(find_pairs(str(left), str(right), False))
    assert found == [
        *(("no-uid-a", "no-uid-a"), ("no-uid-b", "no-uid-b")),
        *(("a", "a"), ("b", "b"), ("c", None)),
    ]


def test_what_is_no_dicom_in_a_folder_is_passed_and_what_cannot_be_read_is_told(folders):
    left, right = folders
    write_object(left / "a", CT, "1.1")
    write_object(right / "a", CT, "1.1")
    (left / "notes.txt").write_text("text " * 50)
    (right / "dead").symlink_to(right / "nowhere")
    found = [*find_pairs(str(left), str(right), True)]
    assert [type(each) for each in found] == [Passed, Unreadable, Pair]


def test_file_and_folder_are_not_compared(folders):
    left, right = folders
    path = write_object(left / "a", CT, "1.1")
    for pair in ((path, right), (right, path)):
        with pytest.raises(UsageError, match="compare two of a kind"):
            list(find_pairs(*map(str, pair), False))


def test_folders_without_anything_are_bad_input(folders):
    with pytest.raises(InputError, match="nothing to compare"):
        list(find_pairs(*map(str, folders), False))
