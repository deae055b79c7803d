"""What is to be retrieved, from keys, answers and lists; and the identifiers that ask for it."""

from __future__ import annotations

import json

import pytest
from pydicom.dataset import Dataset

from pacs_cli.dicom.identifier import encode_identifier
from pacs_cli.dicom.keys import assemble, parse_key
from pacs_cli.dicom.query import Level, Model, make_query
from pacs_cli.dicom.retrieval import (
    MAX_BATCH,
    Wanted,
    failed_instances,
    parse_wanted,
    requests_for,
    wanted_directly,
    wanted_of_match,
)
from pacs_cli.errors import InputError, MalformedDataset
from tests.support import EXPLICIT, IMPLICIT

PATIENT, STUDY, SERIES, IMAGE = 0x00100020, 0x0020000D, 0x0020000E, 0x00080018
TAGS = {Level.PATIENT: PATIENT, Level.STUDY: STUDY, Level.SERIES: SERIES, Level.IMAGE: IMAGE}
PATIENT_ROOT, STUDY_ROOT = Model.PATIENT_ROOT, Model.STUDY_ROOT


def wanted(level: Level, *values: str, model: Model = STUDY_ROOT) -> Wanted:
    levels = model.levels
    chain = levels[: levels.index(level) + 1]
    return Wanted(
        level, tuple((TAGS[each], value) for each, value in zip(chain, values, strict=True))
    )


def query(*keys: str, model: Model = STUDY_ROOT, level: str | None = None):
    return make_query(model, assemble([parse_key(each) for each in keys], Dataset()), level)


def parsed(*lines: object, model: Model = STUDY_ROOT, level: Level | None = None) -> list[Wanted]:
    texts = [each if isinstance(each, str) else json.dumps(each) for each in lines]
    return list(parse_wanted(texts, model, level))


# -- requests ------------------------------------------------------------------------------------


def test_each_study_and_series_has_its_own_request():
    asked = [wanted(Level.STUDY, "1.2"), wanted(Level.STUDY, "1.3"), wanted(Level.STUDY, "1.2")]
    requests = requests_for(STUDY_ROOT, asked)
    assert [each.values for each in requests] == [("1.2",), ("1.3",)]
    asked = [wanted(Level.SERIES, "1.2", "1.2.1"), wanted(Level.SERIES, "1.2", "1.2.2")]
    assert [each.values for each in requests_for(STUDY_ROOT, asked)] == [("1.2.1",), ("1.2.2",)]


def test_images_of_a_series_go_into_one_list_and_those_of_another_into_another():
    asked = [wanted(Level.IMAGE, "1", f"1.{series}", f"1.{series}.{number}")
             for number in range(150) for series in (1, 2)]  # fmt: skip
    requests = requests_for(STUDY_ROOT, asked)
    assert [len(each.values) for each in requests] == [100, 50, 100, 50]
    assert {each.above for each in requests} == {
        ((STUDY, "1"), (SERIES, "1.1")),
        ((STUDY, "1"), (SERIES, "1.2")),
    }


def test_batch_asks_for_several_studies_and_never_for_several_patients():
    studies = [wanted(Level.STUDY, f"1.{number}") for number in range(5)]
    assert [each.values for each in requests_for(STUDY_ROOT, studies, 3)] == [
        ("1.0", "1.1", "1.2"),
        ("1.3", "1.4"),
    ]
    patients = [wanted(Level.PATIENT, name, model=PATIENT_ROOT) for name in ("A", "B")]
    assert len(requests_for(PATIENT_ROOT, patients, 3)) == 2


def test_patient_is_no_key_of_study_root():
    asked = [wanted(Level.STUDY, "A", "1.2", model=PATIENT_ROOT)]
    assert requests_for(PATIENT_ROOT, asked)[0].above == ((PATIENT, "A"),)
    assert requests_for(STUDY_ROOT, asked)[0].above == ()


def test_identifier_has_the_level_and_unique_keys_alone():
    (request,) = requests_for(STUDY_ROOT, [wanted(Level.SERIES, "1.2", "1.2.1")])
    identifier = request.identifier()
    assert {each.keyword: each.value for each in identifier} == {
        "QueryRetrieveLevel": "SERIES",
        "StudyInstanceUID": "1.2",
        "SeriesInstanceUID": "1.2.1",
    }


def test_identifier_of_a_patient_that_is_not_ascii_is_labelled():
    (request,) = requests_for(PATIENT_ROOT, [wanted(Level.PATIENT, "Ä1", model=PATIENT_ROOT)])
    assert request.identifier().SpecificCharacterSet == "ISO_IR 192"


def test_largest_list_can_be_written():
    uids = [f"1.2.{number}".ljust(64, "9") for number in range(MAX_BATCH, 2 * MAX_BATCH)]
    asked = [wanted(Level.STUDY, uid) for uid in uids]
    (request,) = requests_for(STUDY_ROOT, asked, MAX_BATCH)
    written = encode_identifier(request.identifier(), EXPLICIT)
    assert written.endswith("\\".join(uids).encode() + b"\0"[: len("\\".join(uids)) % 2])


# -- from keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "model", "expected"),
    [
        (["StudyInstanceUID=1.2"], STUDY_ROOT, [("1.2",)]),
        (["StudyInstanceUID=1.2", "PatientName"], STUDY_ROOT, [("1.2",)]),
        (["StudyInstanceUID=1.2\\1.3"], STUDY_ROOT, [("1.2",), ("1.3",)]),
        (["StudyInstanceUID=1.2", "SeriesInstanceUID=1.2.1"], STUDY_ROOT, [("1.2", "1.2.1")]),
        (["PatientID=A", "StudyInstanceUID=1.2"], PATIENT_ROOT, [("A", "1.2")]),
        (["PatientID=A"], PATIENT_ROOT, [("A",)]),
    ],
)
def test_unique_keys_are_retrieved_as_they_are(keys, model, expected):
    found = wanted_directly(query(*keys, model=model))
    assert [tuple(value for _, value in each.uniques) for each in found] == expected


@pytest.mark.parametrize(
    ("keys", "model"),
    [
        (["PatientName=DOE*"], STUDY_ROOT),
        (["PatientID=A"], STUDY_ROOT),
        (["PatientID=A", "StudyInstanceUID=1.2"], STUDY_ROOT),
        (["StudyInstanceUID=1.2", "StudyDate=20240101"], STUDY_ROOT),
        (["StudyInstanceUID=1.2", "Modality=CT"], STUDY_ROOT),
        (["StudyInstanceUID=*"], STUDY_ROOT),
        (["SeriesInstanceUID=1.2.1"], STUDY_ROOT),
        (["StudyInstanceUID=1.2\\1.3", "SeriesInstanceUID=1.2.1"], STUDY_ROOT),
        (["StudyInstanceUID=1.2"], PATIENT_ROOT),
        (["PatientID=A*"], PATIENT_ROOT),
    ],
)
def test_other_keys_have_to_be_looked_for(keys, model):
    assert wanted_directly(query(*keys, model=model)) is None


def test_match_without_its_unique_key_is_refused():
    match = Dataset()
    match.StudyInstanceUID = "1.2"
    assert wanted_of_match(STUDY_ROOT, Level.STUDY, match).own == "1.2"
    with pytest.raises(InputError, match="no SeriesInstanceUID"):
        wanted_of_match(STUDY_ROOT, Level.SERIES, match)


# -- from lists ----------------------------------------------------------------------------------

ROW = {"type": "match", "level": "STUDY", "StudyInstanceUID": "1.2", "PatientID": "A"}


def test_rows_of_findscu_say_their_level():
    series = {**ROW, "level": "SERIES", "SeriesInstanceUID": "1.2.1"}
    image = {**series, "level": "IMAGE", "SOPInstanceUID": "1.2.1.1"}
    assert parsed(ROW, series, image, {"type": "summary", "matches": 3}) == [
        wanted(Level.STUDY, "1.2"),
        wanted(Level.SERIES, "1.2", "1.2.1"),
        wanted(Level.IMAGE, "1.2", "1.2.1", "1.2.1.1"),
    ]


def test_rows_have_the_patient_in_patient_root():
    patient = {"type": "match", "level": "PATIENT", "PatientID": "A"}
    assert parsed(ROW, patient, model=PATIENT_ROOT) == [
        wanted(Level.STUDY, "A", "1.2", model=PATIENT_ROOT),
        wanted(Level.PATIENT, "A", model=PATIENT_ROOT),
    ]
    with pytest.raises(InputError, match=r"line 1 .* no PATIENT level; write -P"):
        parsed(patient)


def test_dicom_json_has_the_level_of_its_lowest_unique_key():
    members = {
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.1"]},
    }
    assert parsed(members) == [wanted(Level.SERIES, "1.2", "1.2.1")]


def test_uids_go_as_far_down_as_there_are():
    lines = ["# a comment", "", "1.2", "1.2\t1.2.1", " 1.2  1.2.1 1.2.1.1 "]
    assert parsed(*lines) == [
        wanted(Level.STUDY, "1.2"),
        wanted(Level.SERIES, "1.2", "1.2.1"),
        wanted(Level.IMAGE, "1.2", "1.2.1", "1.2.1.1"),
    ]


def test_single_uid_of_another_level_lacks_what_is_above():
    (found,) = parsed("1.2.1", level=Level.SERIES)
    assert found == Wanted(Level.SERIES, ((SERIES, "1.2.1"),))
    assert found.missing(STUDY_ROOT) == ["StudyInstanceUID"]
    assert parsed("1.2")[0].missing(PATIENT_ROOT) == ["PatientID"]
    assert parsed("1.2")[0].missing(STUDY_ROOT) == []


@pytest.mark.parametrize(
    "line",
    [
        "StudyInstanceUID",
        "1.2 1.3 1.4 1.5",
        "1.2 ../x",
        "1..2",
        "1.2" * 30,
        "{",
        "{}",
        '{"type": "match", "level": "STUDY"}',
        '{"type": "match", "level": "SERIES", "StudyInstanceUID": "1.2"}',
        '{"type": "match", "StudyInstanceUID": "1.2\\\\1.3"}',
        '{"type": "match", "StudyInstanceUID": ["1.2"]}',
        '{"0020000D": 3}',
        '{"type": "error", "message": "refused"}',
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_line_that_says_nothing_usable_is_named(line):
    with pytest.raises(InputError, match="cannot use line 2 of the list") as caught:
        parsed("1.2", line)
    assert "\n" not in str(caught.value)


# -- what failed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_list_of_what_failed_is_read(syntax):
    dataset = Dataset()
    dataset.FailedSOPInstanceUIDList = ["1.2", "1.3", "1.2"]
    assert failed_instances(encode_identifier(dataset, syntax), syntax) == ["1.2", "1.3"]
    dataset.FailedSOPInstanceUIDList = "1.4"
    assert failed_instances(encode_identifier(dataset, syntax), syntax) == ["1.4"]


def test_peer_that_lists_nothing_lists_nothing():
    assert failed_instances(b"", EXPLICIT) == []
    assert failed_instances(encode_identifier(Dataset(), EXPLICIT), EXPLICIT) == []


@pytest.mark.parametrize(
    "identifier", [b"x", b"\x08\0\x58\0UI\x10\x001.2", b"\x08\0\x58\0UI\x04\0\x1b[2J"]
)
def test_list_that_is_none_is_refused(identifier):
    with pytest.raises(MalformedDataset):
        failed_instances(identifier, EXPLICIT)
