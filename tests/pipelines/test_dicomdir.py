"""What a DICOMDIR refers to: all of it, and nothing outside its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pydicom
import pytest

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import InputError
from pacs_cli.pipelines.dicomdir import referenced_files
from pacs_cli.pipelines.files import Found, Passed, find_files
from tests.dicom.datasets import LITTLE, element, item, sequence

DISCS = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"


def record(file_id: str | None, in_use: int = 0xFFFF, kind: str = "IMAGE") -> bytes:
    """One directory record; its file ID is written with backslashes."""
    elements = [
        element(LITTLE, 0x00041410, "US", in_use.to_bytes(2, "little")),
        element(LITTLE, 0x00041430, "CS", kind.ljust(len(kind) + len(kind) % 2).encode()),
    ]
    if file_id is not None:
        value = os.fsencode(file_id)
        elements.append(element(LITTLE, 0x00041500, "CS", value + b" " * (len(value) % 2)))
    return item(LITTLE, *elements)


def write_dicomdir(folder: Path, *records: bytes, name: str = "DICOMDIR") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    syntax = "1.2.840.10008.1.2.1"
    data = sequence(LITTLE, 0x00041220, *records)
    path = folder / name
    path.write_bytes(file_meta("1.2.840.10008.1.3.10", "1.2.3", syntax) + data)
    return path


def make(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.mark.parametrize(
    "name",
    [
        "DICOMDIR",
        "DICOMDIR-bigEnd",
        "DICOMDIR-implicit",
        "DICOMDIR-reordered",
        "TINY_ALPHA/DICOMDIR",
    ],
)
def test_references_are_those_that_pydicom_sees(name):
    path = DISCS / name
    dataset = pydicom.dcmread(path)
    expected = [
        str(path.parent.joinpath(*each.ReferencedFileID))
        for each in dataset.DirectoryRecordSequence
        if "ReferencedFileID" in each
    ]
    assert referenced_files(str(path)) == [(each, "") for each in expected]
    assert [each.path for each in find_files([str(path)])] == expected


def test_dicomdir_inside_a_folder_is_a_file_like_others():
    found = [each.path for each in find_files([str(DISCS / "TINY_ALPHA")])]
    assert str(DISCS / "TINY_ALPHA" / "DICOMDIR") in found
    assert len(found) == 52


def test_every_file_is_named_once_in_the_order_of_the_records(tmp_path):
    make(tmp_path / "B", tmp_path / "A")
    path = write_dicomdir(tmp_path, *map(record, ("B", "A", None, "B")))
    assert [each.path for each in find_files([str(path)])] == [
        str(tmp_path / "B"),
        str(tmp_path / "A"),
    ]


def test_record_that_is_not_in_use_refers_to_nothing(tmp_path):
    make(tmp_path / "A", tmp_path / "B")
    path = write_dicomdir(tmp_path, record("A", in_use=0), record("B"))
    assert [each.path for each in find_files([str(path)])] == [str(tmp_path / "B")]


def test_disc_in_lower_case_is_read(tmp_path):
    make(tmp_path / "dir" / "im1")
    path = write_dicomdir(tmp_path, record("DIR\\IM1"), name="dicomdir")
    assert list(find_files([str(path)])) == [Found(str(tmp_path / "dir" / "im1"))]


def test_dicomdir_can_be_named_relative_to_its_own_folder(tmp_path, monkeypatch):
    make(tmp_path / "IM1")
    write_dicomdir(tmp_path, record("IM1"))
    monkeypatch.chdir(tmp_path)
    assert list(find_files(["DICOMDIR"])) == [Found("IM1")]


@pytest.mark.parametrize(
    "file_id",
    [
        "..\\SECRET",
        "DIR\\..\\..\\SECRET",
        "\\etc\\passwd",
        "/etc/passwd",
        "../SECRET",
        ".",
        "DIR\\.\\IM1",
        "DIR\\\\IM1",
        "A\0B",
    ],
)
def test_reference_that_is_no_file_id_is_not_followed(tmp_path, file_id):
    make(tmp_path / "SECRET", tmp_path / "disc" / "DIR" / "IM1", tmp_path / "disc" / "OK")
    path = write_dicomdir(tmp_path / "disc", record(file_id), record("OK"))
    passed, found = find_files([str(path)])
    assert isinstance(passed, Passed)
    assert passed.reason == f"no file ID, a reference in {path}"
    assert passed.is_failure
    assert found == Found(str(tmp_path / "disc" / "OK"))


def test_reference_through_a_link_out_of_the_folder_is_not_followed(tmp_path):
    make(tmp_path / "SECRET", tmp_path / "disc" / "OK")
    (tmp_path / "disc" / "OUT").symlink_to(tmp_path)
    (tmp_path / "disc" / "FILE").symlink_to(tmp_path / "SECRET")
    (tmp_path / "disc" / "LOOP").symlink_to("LOOP")
    (tmp_path / "disc" / "IN").symlink_to("OK")
    path = write_dicomdir(tmp_path / "disc", *map(record, ("OUT\\SECRET", "FILE", "LOOP", "IN")))
    found = list(find_files([str(path)]))
    assert [type(each) for each in found] == [Passed, Passed, Passed, Found]
    assert all("it leads out of the folder" in each.reason for each in found[:2])
    assert "symbolic links" in found[2].reason


def test_missing_and_odd_files_are_told_and_the_rest_found(tmp_path):
    make(tmp_path / "OK", tmp_path / "DIR" / "X")
    os.mkfifo(tmp_path / "FIFO")
    path = write_dicomdir(tmp_path, *map(record, ("MISSING", "FIFO", "DIR", "OK")))
    missing, fifo, folder, found = find_files([str(path)])
    assert missing.reason == f"no such file or directory, though {path} refers to it"
    assert fifo.reason == folder.reason == f"not a regular file, though {path} refers to it"
    assert found == Found(str(tmp_path / "OK"))


def test_reference_that_cannot_be_decoded_is_followed(tmp_path):
    name = os.fsdecode(b"\xff\xfe")
    make(tmp_path / name)
    path = write_dicomdir(tmp_path, record(name))
    assert list(find_files([str(path)])) == [Found(str(tmp_path / name))]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no DICOM",
        bytes(200),
        bytes(128) + b"DICM\2\0\2\0OB\0\0\xff\xff\xff\xff",
        (DISCS / "DICOMDIR-nooffset").read_bytes(),
        (DISCS / "DICOMDIR").read_bytes()[:3000],
    ],
)
def test_dicomdir_that_makes_no_sense_is_passed_with_its_reason(tmp_path, data):
    path = tmp_path / "DICOMDIR"
    path.write_bytes(data)
    (passed,) = find_files([str(path)])
    assert isinstance(passed, Passed)
    assert passed.reason.startswith("the DICOMDIR makes no sense: ")


def test_dicomdir_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "DICOMDIR"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="more than 268435456 bytes"):
        referenced_files(str(path))


def test_bytes_at_random_raise_nothing_else(tmp_path):
    original = (DISCS / "DICOMDIR").read_bytes()
    path = tmp_path / "DICOMDIR"
    for seed in range(300):
        data = bytearray(original[:4000])
        for position in (seed * 13 % 4000, seed * 101 % 4000, seed * 977 % 4000):
            data[position] ^= 0xFF >> seed % 7
        path.write_bytes(data)
        for each in find_files([str(path)]):
            assert Path(each.path).is_relative_to(tmp_path)
