"""Queries from files: DICOM, DICOM JSON and text, told apart by what is in them."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from pydicom.dataset import Dataset

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.dicom.query_file import read_query
from pacs_cli.errors import InputError, UsageError
from tests.dicom.datasets import BIG, IMPLICIT, LITTLE, written
from tests.samples import every_file

STUDY_ROOT, CT = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.1.2"
SYNTAXES = {"1.2.840.10008.1.2.1": LITTLE, "1.2.840.10008.1.2": IMPLICIT}


def asked() -> Dataset:
    step = Dataset()
    step.Modality = "CT"
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.QueryRetrieveLevel = "STUDY"
    dataset.PatientName = "Müller*"
    dataset.StudyDate = ""
    dataset.ScheduledProcedureStepSequence = [step]
    return dataset


def is_asked(dataset: Dataset) -> bool:
    return (
        dataset.PatientName == "Müller*"
        and dataset.StudyDate == ""
        and dataset.ScheduledProcedureStepSequence[0].Modality == "CT"
    )


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("has_meta", [True, False])
def test_dicom_file_with_and_without_file_meta(tmp_path, syntax, has_meta):
    path = tmp_path / "query.dcm"
    meta = file_meta(STUDY_ROOT, "1.2.3", syntax) if has_meta else b""
    path.write_bytes(meta + written(asked(), SYNTAXES[syntax]))
    dataset = read_query(path)
    assert is_asked(dataset)
    assert (dataset.QueryRetrieveLevel, dataset.SpecificCharacterSet) == ("STUDY", "ISO_IR 100")


@pytest.mark.parametrize("wrapped", [False, True])
def test_dicom_json_of_pydicom(tmp_path, wrapped):
    path = tmp_path / "query.json"
    members = asked().to_json_dict()
    path.write_text(json.dumps([members] if wrapped else members, indent=1))
    assert is_asked(read_query(path))


@pytest.mark.parametrize("start", ["", "\ufeff", "\n# what the ward asked for\n\n"])
def test_text_with_a_key_on_each_line(tmp_path, start):
    path = tmp_path / "query.txt"
    path.write_text(
        f"{start}PatientName=Müller*\n  (0008,0020)  \r\n"
        "# the step\nScheduledProcedureStepSequence.Modality=CT\n",
        encoding="utf-8",
    )
    assert is_asked(read_query(path))


def test_empty_text_asks_for_nothing(tmp_path):
    path = tmp_path / "query.txt"
    path.write_text("")
    assert len(read_query(path)) == 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "an array of 0 objects"),
        (b"[{}, {}]", "an array of 2 objects"),
        (b'{"00100010": {"vr": "XX", "Value": ["x"]}}', "a value that is none"),
        (b'{"00280010": {"vr": "US", "Value": [70000]}}', "a value that is none"),
        (b'{"00100010": "DOE"}', "not the DICOM JSON model"),
        (b"[1]", "a DICOM JSON object is expected"),
        (b"\0\1\2\3" * 50, "past the end"),
        (b"\xff\xfe" * 50, "past the end"),
        (bytes(128) + b"DICM", "nothing is asked for"),
        (bytes(2_000_000), "longer than 1048576 bytes"),
    ],
)
def test_file_that_is_no_query_is_bad_input(tmp_path, data, words):
    path = tmp_path / "query"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_query(path)
    assert str(caught.value).startswith(f"cannot use {path} as a query: ")
    assert words in str(caught.value)


def test_file_in_big_endian_is_bad_input(tmp_path):
    path = tmp_path / "query.dcm"
    meta = file_meta(STUDY_ROOT, "1.2.3", "1.2.840.10008.1.2.2")
    path.write_bytes(meta + written(asked(), BIG))
    with pytest.raises(InputError, match="big endian"):
        read_query(path)


def test_line_that_is_no_key_is_named(tmp_path):
    path = tmp_path / "query.txt"
    path.write_text("Modality=CT\n\nPatientNam=x\n")
    with pytest.raises(UsageError) as caught:
        read_query(path)
    words = f"{path}:3 PatientNam is no keyword of the standard; did you mean PatientName?"
    assert str(caught.value) == words
    path.write_text("Modality=CT\nModality=MR\n")
    with pytest.raises(UsageError, match="given twice"):
        read_query(path)


def test_missing_file_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_query(tmp_path / "missing")


def test_any_file_is_a_query_or_bad_input():
    for path in every_file():
        with suppress(InputError, UsageError):
            read_query(path)
