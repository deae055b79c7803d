"""DICOMDIRs: written over files of every kind, read by us, pydicom, DCMTK and dicom3tools."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.fileset import FileSet

from pacs_cli.errors import InputError
from pacs_cli.pipelines.media import read_records
from pacs_cli.pipelines.media_writer import MediaWriter
from tests import samples
from tests.archive.filing import object_bytes, write_tree
from tests.peers import require

PYDICOM_DICOMDIR = Path(pydicom.__file__).parent / "data/test_files/dicomdirtests/DICOMDIR"


@pytest.fixture
def disc(tmp_path):
    """Eight files with names that the standard allows, and their DICOMDIR."""
    folder = tmp_path / "disc"
    folder.mkdir()
    write_tree(folder, 2, 1, 2, 2)
    written = MediaWriter(folder, file_set_id="MADE_UP")
    for path in sorted(folder.rglob("I*")):
        entered = written.enter(str(path))
        assert not entered.error, entered
    assert written.write() == 16
    assert not written.made_up["StudyDate"]
    return folder


def read_by_pydicom(folder: Path) -> FileSet:
    """Read a DICOMDIR; what pydicom keeps for changes to it goes at once."""
    file_set = FileSet(folder / "DICOMDIR")
    file_set._stage["t"].cleanup()
    return file_set


def test_records_come_back_in_their_tree(disc):
    records = list(read_records(str(disc / "DICOMDIR")))
    assert [record.problem for record in records] == [""] * 16
    lines = ["  " * record.depth + record.type for record in records]
    one = ["PATIENT", "  STUDY", *(["    SERIES", *["      IMAGE"] * 2] * 2)]
    assert lines == one * 2
    assert records[0].keys == {"PatientName": "Made1^Up", "PatientID": "TEST-1"}
    assert {record.path for record in records if record.path} == {
        str(path) for path in disc.rglob("I*")
    }


def test_pydicom_reads_the_same(disc):
    file_set = read_by_pydicom(disc)
    assert file_set.ID == "MADE_UP"
    assert sorted(Path(instance.path) for instance in file_set) == sorted(disc.rglob("I*"))
    found = file_set.find(PatientID="TEST-2", Modality="MR")
    assert len(found) == 2
    assert all(instance.load().SOPInstanceUID == instance.SOPInstanceUID for instance in found)


@pytest.mark.interop
def test_dcmtk_reads_it_and_adds_to_it(disc):
    done = subprocess.run(
        [require("dcmdump"), "-q", str(disc / "DICOMDIR")], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("(0004,1430) CS [IMAGE]") == 8
    (disc / "P2" / "NEW").write_bytes(object_bytes(3, 1, 1, 1))
    command = [require("dcmmkdir"), "+A", "-Nrc", "-Nxc", "-W", "+I", "+m", "P2/NEW"]
    done = subprocess.run(command, cwd=disc, capture_output=True, text=True)
    assert done.returncode == 0, done
    records = list(read_records(str(disc / "DICOMDIR")))
    assert [record.problem for record in records] == [""] * 20
    assert sum(record.type == "IMAGE" for record in records) == 9


@pytest.mark.interop
def test_dicom3tools_finds_no_error(disc):
    command = [require("dciodvfy"), str(disc / "DICOMDIR")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "BasicDirectory" in done.stderr
    assert "Error" not in done.stderr


def test_every_sample_gets_a_record_or_a_reason(tmp_path):
    writer = MediaWriter(tmp_path / "disc", copies=True)
    entered = [writer.enter(str(path)) for path in samples.every_file()]
    assert all(bool(each.file_id) != bool(each.error) for each in entered)
    writer.write()
    written = [each for each in entered if each.file_id]
    assert len(written) > 100
    assert {each.type for each in written} >= {"IMAGE", "RT DOSE", "SR DOCUMENT", "WAVEFORM"}
    records = list(read_records(str(tmp_path / "disc" / "DICOMDIR")))
    assert [record.problem for record in records if record.problem] == []
    assert sum(bool(record.path) for record in records) == len(written)
    for each in written:
        copy = tmp_path.joinpath("disc", *each.file_id.split("\\"))
        assert copy.read_bytes() == Path(each.path).read_bytes()
    with warnings.catch_warnings():
        # of values in the samples, which are as odd as they are meant to be
        warnings.simplefilter("ignore")
        assert len(read_by_pydicom(tmp_path / "disc")) == len(written)


@pytest.mark.parametrize("name", ["ct.dcm", "lower", "TOO_LONG_", "A B"])
def test_name_that_the_standard_does_not_allow_is_refused_and_can_be_copied(tmp_path, name):
    path = tmp_path / "scans" / name
    path.parent.mkdir()
    path.write_bytes(object_bytes(1, 1, 1, 1))
    entered = MediaWriter(path.parent).enter(str(path))
    assert "--copy-to" in entered.error
    entered = MediaWriter(tmp_path / "disc", copies=True).enter(str(path))
    assert entered.file_id == "DICOM\\S0000001\\I0000001"


def test_folders_may_be_eight_deep_and_no_deeper(tmp_path):
    for depth, is_allowed in ((8, True), (9, False)):
        folder = tmp_path.joinpath(*"ABCDEFGH"[: depth - 1])
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "FILE"
        path.write_bytes(object_bytes(1, 1, 1, depth))
        assert (MediaWriter(tmp_path).enter(str(path)).error == "") == is_allowed


def test_values_that_a_record_needs_are_made_up_and_counted(tmp_path):
    path = tmp_path / "FILE"
    path.write_bytes(object_bytes(1, 1, 1, 1))
    dataset = pydicom.dcmread(path)
    for keyword in ("StudyDate", "StudyID", "SeriesNumber", "InstanceNumber", "PatientID"):
        delattr(dataset, keyword)
    dataset.save_as(path)
    writer = MediaWriter(tmp_path)
    assert writer.enter(str(path)).error == ""
    assert writer.made_up == dict.fromkeys(
        (*("PatientID", "StudyDate", "StudyTime", "StudyID"), "SeriesNumber", "InstanceNumber"), 1
    )
    writer.write()
    assert [record.problem for record in read_records(str(tmp_path / "DICOMDIR"))] == [""] * 4


def test_same_object_twice_is_refused(tmp_path):
    for name in ("A", "B"):
        (tmp_path / name).write_bytes(object_bytes(1, 1, 1, 1))
    writer = MediaWriter(tmp_path)
    assert writer.enter(str(tmp_path / "A")).error == ""
    assert str(tmp_path / "A") in writer.enter(str(tmp_path / "B")).error


def test_nothing_to_write_leaves_what_is_there(disc):
    before = (disc / "DICOMDIR").read_bytes()
    with pytest.raises(InputError, match="nothing to write"):
        MediaWriter(disc).write()
    assert (disc / "DICOMDIR").read_bytes() == before


# -- reading what is wrong -----------------------------------------------------------------------


def test_dicomdir_of_pydicom_is_sound():
    records = list(read_records(str(PYDICOM_DICOMDIR)))
    assert (len(records), sum(bool(record.path) for record in records)) == (52, 31)
    assert {record.problem for record in records} == {""}


def test_files_that_are_missing_or_others_are_told(disc):
    first, second, third, *_ = sorted(disc.rglob("I*"))
    first.unlink()
    shutil.copy(third, second)
    third.write_bytes(b"no image")
    problems = {
        record.path: record.problem
        for record in read_records(str(disc / "DICOMDIR"))
        if record.problem
    }
    assert problems == {
        str(first): "the file is missing",
        str(second): "the file has another SOP class and SOP instance UID",
        str(third): "it is not a DICOM file",
    }


def test_offsets_that_lead_nowhere_and_loops_are_told(disc):
    path = disc / "DICOMDIR"
    dataset = pydicom.dcmread(path)
    patients = [each for each in dataset.DirectoryRecordSequence if "PatientID" in each]
    first, second = patients
    assert first.OffsetOfTheNextDirectoryRecord == second.seq_item_tell
    first.OffsetOfTheNextDirectoryRecord = first.seq_item_tell
    dataset.save_as(path)
    records = list(read_records(str(path)))
    problems = [record.problem for record in records if record.problem]
    assert any("where none begins" in each for each in problems)
    # the second patient and all that is below it
    assert problems.count("no offset leads to this record") == 8


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_mutated_dicomdir_is_read_or_refused(tmp_path_factory, data):
    whole = bytearray(PYDICOM_DICOMDIR.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        whole[data.draw(st.integers(132, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("mutated") / "DICOMDIR"
    path.write_bytes(whole[: data.draw(st.integers(200, len(whole)))])
    try:
        records = list(read_records(str(path)))
    except InputError:
        return
    assert len(records) < 200


def test_value_that_pydicom_cannot_read_is_a_reason(tmp_path):
    content = object_bytes(1, 1, 1, 1)
    at = content.index(b"\x20\0\x0e\0UI")
    (tmp_path / "A").write_bytes(content[: at + 4] + b"U\xe3" + content[at + 6 :])
    entered = MediaWriter(tmp_path).enter(str(tmp_path / "A"))
    assert entered.error == "its SeriesInstanceUID cannot be read, NotImplementedError"
