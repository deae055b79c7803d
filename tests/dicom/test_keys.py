"""Keys as people type them: what they mean, and what is told when they mean nothing."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from pacs_cli.dicom.keys import Key, assemble, parse_key
from pacs_cli.errors import UsageError

PATIENT_NAME, MODALITY, STEPS = 0x00100010, 0x00080060, 0x00400100


def typed(*texts: str) -> Dataset:
    return assemble([parse_key(text) for text in texts], Dataset())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("PatientName=DOE*", "DOE*"),
        ("0010,0010=DOE*", "DOE*"),
        ("(0010,0010)=DOE*", "DOE*"),
        ("00100010=DOE*", "DOE*"),
        ("PatientName", ""),
        ("PatientName=", ""),
        ("(0010,0010)=", ""),
        ("00100010=", ""),
        (" PatientName =DOE*", "DOE*"),
        ("PatientName=YAMADA^TARO=山田", "YAMADA^TARO=山田"),
        ("PatientName= ", " "),
    ],
)
def test_every_form_of_a_key_is_the_same_attribute(text, value):
    key = parse_key(text)
    assert (key.path, key.tag, key.vr, key.value) == ((), PATIENT_NAME, "PN", value)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("ScheduledProcedureStepSequence[0].Modality=CT", ((STEPS, 0),)),
        ("ScheduledProcedureStepSequence.Modality=CT", ((STEPS, 0),)),
        ("(0040,0100)[0].(0008,0060)=CT", ((STEPS, 0),)),
        ("0040,0100.00080060=CT", ((STEPS, 0),)),
        ("ScheduledProcedureStepSequence[3].Modality=CT", ((STEPS, 3),)),
        (
            "RequestAttributesSequence.ScheduledProcedureStepSequence.Modality=CT",
            ((0x00400275, 0), (STEPS, 0)),
        ),
    ],
)
def test_key_in_a_sequence_has_a_path(text, path):
    assert parse_key(text).path == path
    assert (parse_key(text).tag, parse_key(text).value) == (MODALITY, "CT")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PatientNam=x", "-k PatientNam is no keyword of the standard; did you mean PatientName?"),
        ("patientname", "did you mean PatientName?"),
        ("Xyzzyxyzzy", "-k Xyzzyxyzzy is no keyword of the standard"),
        ("ScheduledProcedureStepSequence.Modalty=CT", "Modalty is no keyword of the standard"),
        ("", "write KEYWORD=VALUE"),
        ("=x", "write KEYWORD=VALUE"),
        ("PatientName.", "write KEYWORD=VALUE"),
        ("PatientName[x]", "write KEYWORD=VALUE"),
        ("0002,0010=1.2", "(0002,0010) is not part of a data set"),
        ("00100000=1", "(0010,0000) is not part of a data set"),
        ("FFFE,E000=1", "(FFFE,E000) is not part of a data set"),
        ("PatientName.Modality=CT", "PatientName is no sequence"),
        ("ScheduledProcedureStepSequence=CT", "a sequence has no value"),
        ("ScheduledProcedureStepSequence[0]", "ends with the number of an item"),
        ("ScheduledProcedureStepSequence[100].Modality", "item 100"),
        ("Modality=Ü", "a value of VR CS is ASCII"),
        ("StudyInstanceUID=1.2.٣", "a value of VR UI is ASCII"),
        ("PatientID=a\tb", "control character"),
        ("PatientID=a\x1b[31m", "control character"),
        ("PatientID=a\x85", "control character"),
        ("PatientID=\udcff", "cannot be decoded"),
        ("PatientID=" + "x" * 65535, "longer than 65534 bytes"),
        ("SimpleFrameList=1" + "\\1" * 8191, "there are more than 8191 values"),
        ("Rows=x", "a whole number is expected"),
        ("Rows=65536", "out of range"),
        ("Rows=-1", "out of range"),
        ("SmallestImagePixelValue=65536", "out of range"),
        ("InstanceNumber=1-5", "a whole number is expected"),
        ("InstanceNumber=2147483648", "out of range"),
        ("SliceThickness=1*", "a number of at most 16 characters"),
        ("SliceThickness=nan", "a number of at most 16 characters"),
        ("RecommendedDisplayFrameRateInFloat=1e39", "out of range"),
        ("FrameIncrementPointer=Modalty", "did you mean Modality?"),
        ("PixelData=x", "of VR OB cannot be matched"),
    ],
)
def test_key_that_means_nothing_is_a_usage_error_that_says_why(text, words):
    with pytest.raises(UsageError) as caught:
        parse_key(text)
    assert words in str(caught.value)
    assert str(caught.value).startswith("-k ")


def test_source_of_a_key_is_named():
    with pytest.raises(UsageError, match=r"^query\.txt:3 Modalty is no keyword"):
        parse_key("Modalty=CT", "query.txt:3")


def test_keys_become_elements_of_their_vr():
    dataset = typed(
        "StudyInstanceUID=1.2\\1.3",
        "Rows=512",
        "RecommendedDisplayFrameRateInFloat=1.5",
        "FrameIncrementPointer=PatientName\\0028,0010",
        "InstanceNumber=7",
        "SliceThickness=-1.5e0",
        "ImageComments=a\\b\nc",
        "SmallestImagePixelValue=5",
        "ReferencedStudySequence",
        "PixelData",
        "StudyDate",
    )
    assert list(dataset.StudyInstanceUID) == ["1.2", "1.3"]
    assert (dataset.Rows, dataset["Rows"].VR) == (512, "US")
    assert dataset.RecommendedDisplayFrameRateInFloat == 1.5
    assert list(dataset.FrameIncrementPointer) == [PATIENT_NAME, 0x00280010]
    assert (dataset.InstanceNumber, dataset.SliceThickness) == (7, -1.5)
    assert dataset.ImageComments == "a\\b\nc"
    assert dataset["SmallestImagePixelValue"].VR == "US"
    assert list(dataset.ReferencedStudySequence) == []
    assert (dataset["PixelData"].VR, dataset.PixelData) == ("OB", b"")
    assert dataset.StudyDate == ""


def test_keys_of_one_item_stand_in_one_item():
    dataset = typed(
        "ScheduledProcedureStepSequence.Modality=CT",
        "ScheduledProcedureStepSequence[0].ScheduledStationAETitle=CT1",
        "ScheduledProcedureStepSequence[2].Modality=MR",
    )
    first, second, third = dataset.ScheduledProcedureStepSequence
    assert (first.Modality, first.ScheduledStationAETitle) == ("CT", "CT1")
    assert (len(second), third.Modality) == (0, "MR")


@pytest.mark.parametrize(
    ("text", "vr"),
    [
        ("0009,0010=MADE UP", "LO"),
        ("0009,0010", "LO"),
        ("0009,1001=x", "LO"),
        ("0009,1001", "UN"),
        ("0010,FFF1", "UN"),
    ],
)
def test_attribute_of_no_dictionary_is_asked_for_as_text_or_as_un(text, vr):
    assert parse_key(text).vr == vr


def test_key_typed_twice_with_two_values_is_an_error_and_with_one_is_not():
    assert typed("PatientID=1", "0010,0020=1").PatientID == "1"
    with pytest.raises(UsageError, match="0010,0020: given twice, with two values"):
        typed("PatientID=1", "0010,0020=2")


def test_key_takes_the_place_of_what_a_data_set_has():
    dataset = typed("PatientID=1", "Modality=CT")
    assemble([parse_key("PatientID=2")], dataset)
    assert (dataset.PatientID, dataset.Modality) == ("2", "CT")


def test_key_is_a_plain_value():
    assert parse_key("Modality=CT") == Key((), MODALITY, "CS", "CT", "Modality")
