"""Data sets as JSON, flat and in the DICOM JSON model, and the texts of a table."""

from __future__ import annotations

import json

import pytest
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from pacs_cli.dicom.identifier import convert, decode_identifier
from pacs_cli.dicom.json_model import dicom_json, flat, from_dicom_json, name_at, text_at
from pacs_cli.errors import InputError, MalformedDataset
from tests.samples import dataset_bytes, header, storable

STEPS, MODALITY, REFERENCES = 0x00400100, 0x00080060, 0x00081110


def made(**values: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def test_flat_has_one_value_as_it_is_several_as_a_list_and_none_as_null():
    dataset = made(
        PatientName="Yamada^Tarou=山田^太郎",
        ModalitiesInStudy=["CT", "MR"],
        StudyDescription="",
        NumberOfStudyRelatedInstances=12,
        PatientWeight="70.5",
        Rows=512,
        FrameIncrementPointer=0x00100010,
    )
    assert flat(dataset) == {
        "PatientName": "Yamada^Tarou=山田^太郎",
        "ModalitiesInStudy": ["CT", "MR"],
        "StudyDescription": None,
        "NumberOfStudyRelatedInstances": 12,
        "PatientWeight": 70.5,
        "Rows": 512,
        "FrameIncrementPointer": "00100010",
    }


def test_flat_nests_sequences_and_names_private_attributes_by_tag():
    step = made(Modality="CT")
    dataset = made(ScheduledProcedureStepSequence=[step, Dataset()], ReferencedStudySequence=[])
    dataset.add(DataElement(0x00090010, "LO", "MADE UP"))
    dataset.add(DataElement(0x00091001, "UN", b"text "))
    dataset.add(DataElement(0x00091002, "UN", b"\0\1\2\3"))
    assert flat(dataset) == {
        "ReferencedStudySequence": [],
        "00090010": "MADE UP",
        "00091001": "text",
        "00091002": "AAECAw==",
        "ScheduledProcedureStepSequence": [{"Modality": "CT"}, {}],
    }


def test_dicom_json_is_as_annex_f_has_it():
    dataset = made(
        SpecificCharacterSet="ISO_IR 100",
        PatientName="Wáng^XiǎoDōng=王^小東=",
        ModalitiesInStudy=["CT", "", "MR"],
        StudyDescription="",
        NumberOfStudyRelatedInstances=3,
        PatientWeight="70.5",
        FrameIncrementPointer=[0x00181063, 0x00100010],
        ReferencedStudySequence=[],
        ScheduledProcedureStepSequence=[made(Modality="CT"), Dataset()],
    )
    dataset.add(DataElement(0x00091001, "UN", b"\0\1\2"))
    dataset.add(DataElement(0x00080000, "UL", 100))
    assert dicom_json(dataset) == {
        # JSON is UTF-8 whatever the peer wrote in
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080061": {"vr": "CS", "Value": ["CT", None, "MR"]},
        "00081030": {"vr": "LO"},
        "00081110": {"vr": "SQ"},
        "00091001": {"vr": "UN", "InlineBinary": "AAEC"},
        "00100010": {
            "vr": "PN",
            "Value": [{"Alphabetic": "Wáng^XiǎoDōng", "Ideographic": "王^小東"}],
        },
        "00101030": {"vr": "DS", "Value": [70.5]},
        "00201208": {"vr": "IS", "Value": [3]},
        "00280009": {"vr": "AT", "Value": ["00181063", "00100010"]},
        "00400100": {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["CT"]}}, {}]},
    }


def test_numbers_that_json_has_not_are_text():
    dataset = Dataset()
    for tag, value in ((0x00281052, "nan"), (0x00281053, "inf")):
        dataset.add(DataElement(tag, "DS", value, validation_mode=config.IGNORE))
    dataset.add(DataElement(0x00189073, "FD", [1.5, float("-inf")]))
    text = json.dumps(flat(dataset), allow_nan=False)
    assert [*json.loads(text).values()] == [[1.5, "-inf"], "nan", "inf"]
    assert dicom_json(dataset)["00281052"] == {"vr": "DS", "Value": ["nan"]}


@pytest.mark.parametrize("path", storable(), ids=lambda path: path.name)
def test_dicom_json_of_every_sample_is_read_again_as_it_was(path):
    syntax = header(path).transfer_syntax_uid
    if syntax.endswith("1.2.1.99"):
        pytest.skip("deflated, which no identifier is")
    try:
        dataset = decode_identifier(dataset_bytes(path), syntax)
    except MalformedDataset:
        assert "truncated" in path.name
        return
    text = json.dumps(dicom_json(dataset), allow_nan=False)
    json.dumps(flat(dataset), allow_nan=False)
    if path.name == "badVR.dcm":
        # an IS of 1A, which is no number in JSON either
        with pytest.raises(InputError):
            from_dicom_json(json.loads(text))
        return
    back = from_dicom_json(json.loads(text))
    if "SpecificCharacterSet" in dataset:
        dataset.SpecificCharacterSet = "ISO_IR 192"
    for element in dataset:
        if element.tag & 0xFFFF:
            other = back[element.tag]
            assert other == element or str(other.value) == str(element.value)


@pytest.mark.parametrize(
    "members",
    [
        [],
        "text",
        None,
        {"00100010": "DOE"},
        {"00100010": {"Value": ["DOE"]}},
        {"00100010": {"vr": "PN", "Value": "DOE"}},
        {"00280010": {"vr": "US", "Value": ["x"]}},
    ],
)
def test_json_that_is_no_data_set_is_refused(members):
    with pytest.raises(InputError):
        from_dicom_json(members)


def test_text_at_a_path_is_of_every_item():
    steps = [made(Modality="CT"), Dataset(), made(Modality=["MR", "OT"])]
    dataset = made(ScheduledProcedureStepSequence=steps, ReferencedStudySequence=[Dataset()])
    convert(dataset)
    assert text_at(dataset, [STEPS, MODALITY]) == "CT\\MR\\OT"
    assert text_at(dataset, [STEPS]) == "3 items"
    assert text_at(dataset, [REFERENCES]) == "1 item"
    assert text_at(dataset, [MODALITY]) == ""
    assert text_at(dataset, [MODALITY, MODALITY]) == ""
    assert text_at(made(Modality="CT"), [MODALITY, MODALITY]) == ""


def test_path_is_named_by_its_attribute():
    assert name_at([STEPS, MODALITY]) == "Modality"
    assert name_at([0x00091001]) == "(0009,1001)"
