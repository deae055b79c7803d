"""Structured content by its concepts: what goes, is a dummy, is cleaned and what stays."""

from __future__ import annotations

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs_cli.dicom.encoding import EXPLICIT_LITTLE, encoding_of
from pacs_cli.pipelines.deid.policy import make_policy
from pacs_cli.pipelines.deid.profile import CONCEPTS
from pacs_cli.pipelines.deid.structured import Cleaning, clean_content
from tests.pipelines.deid.objects import released, worker
from tests.pipelines.deid.pictures import save
from tests.pixels.images import UID, encoded
from tests.writing import element

SR = "1.2.840.10008.5.1.4.1.1.88.33"
VALUES = {
    "TEXT": ("TextValue", "Zanzibarine text"),
    "PNAME": ("PersonName", "Zanzibarine^Person"),
    "DATE": ("Date", "20260203"),
    "TIME": ("Time", "131415"),
    "DATETIME": ("DateTime", "20260203131415"),
    "UIDREF": ("UID", "1.2.826.0.1.55.66"),
}
CODED = {"X": 0, "D": 1}


def code(value: str, scheme: str, meaning: str = "a meaning") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def reference(uid: str = "1.2.826.0.1.99.1") -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    item.ReferencedSOPInstanceUID = uid
    return item


def content(kind: str, value: str, scheme: str = "DCM", *inner: Dataset, text=None) -> Dataset:
    """A content item of a concept, with a value of its type."""
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", kind
    item.ConceptNameCodeSequence = Sequence([code(value, scheme)])
    if kind in VALUES:
        keyword, usual = VALUES[kind]
        setattr(item, keyword, text or usual)
    elif kind in ("IMAGE", "COMPOSITE", "WAVEFORM"):
        item.ReferencedSOPSequence = Sequence([reference()])
    elif kind == "NUM":
        measured = Dataset()
        measured.NumericValue = "42"
        item.MeasuredValueSequence = Sequence([measured])
    elif kind == "CODE":
        item.ConceptCodeSequence = Sequence([code("T-1", "99X")])
    elif kind == "CONTAINER":
        item.ContinuityOfContent = "SEPARATE"
    if inner:
        item.ContentSequence = Sequence(inner)
    return item


def report(*items: Dataset) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = SR, "1.2.826.0.1.77.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.1.7", "1.2.826.0.1.8"
    dataset.Modality, dataset.PatientName, dataset.PatientID = "SR", "Quixotic^Marmalade", "MRN-7"
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = Sequence([code("126000", "DCM")])
    if items:
        dataset.ContentSequence = Sequence(items)
    return dataset


def cleaned(*items: Dataset, columns=(), syntax="explicit", **more) -> tuple[list[Dataset], list]:
    """The items that are left, and the values that are gone."""
    wrapper = Dataset()
    wrapper.ContentSequence = Sequence(items)
    data, removed = encoded(wrapper, UID[syntax]), []
    cleaning = Cleaning(frozenset(columns), **more)
    made = clean_content(data, encoding_of(UID[syntax]), cleaning, removed)
    if not made:
        return [], removed
    from tests.pixels.images import read

    return list(read(made, syntax).ContentSequence), removed


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big"])
@pytest.mark.parametrize("depth", [0, 2])
def test_every_concept_is_treated_by_the_letter(syntax, depth):
    for row in CONCEPTS:
        item = content(row.value_type, row.value, row.scheme)
        for _ in range(depth):
            item = content("CONTAINER", "126010", "DCM", item)
        left, removed = cleaned(item, syntax=syntax)
        for _ in range(depth):
            left = list(left[0].get("ContentSequence", []))
        is_gone = row.basic == "X"
        assert (not left) is is_gone, row
        if row.value_type in VALUES and not (row.value_type == "UIDREF" and not is_gone):
            keyword, value = VALUES[row.value_type]
            assert value in [each.value.decode().strip(" \0") for each in removed], row
            assert is_gone or str(left[0][keyword].value) != value


@pytest.mark.parametrize("scheme", ["SRT", "SNM3", "99SDM"])
def test_snomed_rt_codes_are_those_of_the_table_in_snomed_ct(scheme):
    from pydicom.sr._snomed_dict import mapping

    rows = [row for row in CONCEPTS if row.scheme == "SCT"]
    assert len(rows) > 10
    for row in rows:
        old, new = (
            cleaned(content(row.value_type, value, name))[0]
            for value, name in ((mapping["SCT"][row.value], scheme), (row.value, "SCT"))
        )
        assert (not old) is (not new) is (row.basic == "X"), row
        for one, other in zip(old, new, strict=True):
            del one.ConceptNameCodeSequence, other.ConceptNameCodeSequence
            assert one == other, row


@pytest.mark.parametrize("option", ["device", "institution", "patient", "full_dates", "uids"])
def test_every_option_keeps_what_the_table_says(option):
    rows = [row for row in CONCEPTS if row.options.get(option) == "K"]
    assert rows
    for row in rows:
        item = content(row.value_type, row.value, row.scheme)
        left, removed = cleaned(item, columns=[option])
        assert left == [item], row
        assert not removed


def test_dates_are_shifted_and_those_that_are_none_go():
    rows = [row for row in CONCEPTS if row.options.get("modified_dates") == "C"]
    for row in rows:
        keyword, _ = VALUES[row.value_type]
        wanted = {"DATE": "20260201", "DATETIME": "20260201131415", "TIME": "131415"}
        item = content(row.value_type, row.value, row.scheme)
        left, _ = cleaned(item, columns=["modified_dates"], days=-2)
        assert str(left[0][keyword].value) == wanted[row.value_type], row


@pytest.mark.parametrize(("scheme_code", "is_there"), [("126201", False), ("111060", True)])
def test_date_that_is_none_is_not_kept(scheme_code, is_there):
    name = element(0x00080100, "SH", scheme_code) + element(0x00080102, "SH", "DCM")
    inner = (
        element(0x0040A040, "CS", "DATE")
        + element(0x0040A043, "SQ", wrapped(name))
        + element(0x0040A121, "DA", "Zanzibar")
    )
    removed = []
    cleaning = Cleaning(frozenset({"full_dates"}))
    sequence = element(0x0040A730, "SQ", wrapped(inner))
    made = clean_content(sequence, EXPLICIT_LITTLE, cleaning, removed)
    assert b"Zanzibar" not in made
    assert bool(made) is is_there
    assert [each.value for each in removed] == [b"Zanzibar"]


def wrapped(inner: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner


def test_texts_are_cleaned_of_what_is_known_of_the_patient():
    item = content("TEXT", "121071", text="Nodule seen by Dr. Foster in Marmalade, 2026-01-02")
    left, removed = cleaned(item, columns=["clean_desc"], words=[b"marmalade"])
    text = left[0].TextValue
    assert text.startswith("Nodule seen by")
    assert not any(word in text for word in ("Foster", "Marmalade", "2026"))
    assert b"Marmalade" in removed[0].value


@pytest.mark.parametrize("kind", VALUES)
def test_value_of_a_concept_that_is_not_listed_is_a_dummy(kind):
    left, _ = cleaned(content(kind, "X-1", "99LOCAL"))
    keyword, value = VALUES[kind]
    # UIDs are replaced with all others
    assert (str(left[0][keyword].value) == value) is (kind == "UIDREF")


@pytest.mark.parametrize("kind", ["NUM", "CODE", "CONTAINER", "IMAGE", "COMPOSITE", "WAVEFORM"])
def test_what_has_no_text_of_a_concept_that_is_not_listed_stays(kind):
    item = content(kind, "X-1", "99LOCAL")
    assert cleaned(item)[0] == [item]


def test_value_type_that_is_not_known_goes():
    assert cleaned(content("TABLE", "X-1", "99LOCAL")) == ([], [])


def test_value_of_another_type_than_is_told_goes():
    item = content("CODE", "X-1", "99LOCAL")
    item.TextValue = "Zanzibarine"
    left, removed = cleaned(item)
    assert "TextValue" not in left[0]
    assert removed[0].value.strip() == b"Zanzibarine"


def refer(*numbers: int) -> Dataset:
    item = Dataset()
    item.RelationshipType = "INFERRED FROM"
    item.ReferencedContentItemIdentifier = list(numbers)
    return item


def test_references_to_items_follow_them():
    gone = content("TEXT", "121022")
    kept = content("NUM", "X-1", "99LOCAL")
    left, _ = cleaned(gone, kept, content("CONTAINER", "X-2", "99LOCAL", gone, refer(1, 2)))
    assert left[1].ContentSequence[0].ReferencedContentItemIdentifier == [1, 1]


def test_reference_to_what_is_gone_goes_and_so_do_those_to_it():
    gone = content("TEXT", "121022")
    kept = content("NUM", "X-1", "99LOCAL")
    left, _ = cleaned(gone, refer(1, 1), refer(1, 2), kept, refer(1, 4))
    assert [each.get("ValueType") for each in left] == ["NUM", None]
    assert left[1].ReferencedContentItemIdentifier == [1, 1]


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big", "deflated"])
def test_report_is_released_with_nothing_of_the_patient(tmp_path, syntax):
    from tests.pixels.images import convert

    dataset = report(
        content("PNAME", "121008", text="Zanzibarine^Observer"),
        content("TEXT", "121022", text="Zanzibarine accession"),
        content("UIDREF", "110180", text="1.2.826.0.1.7"),
        content("IMAGE", "113795"),
        content(
            "CONTAINER",
            "X-1",
            "99LOCAL",
            content("TEXT", "X-2", "99LOCAL"),
            content("NUM", "X-3", "99L"),
        ),
    )
    data = encoded(dataset)
    data = data if syntax == "explicit" else convert(data, "explicit", syntax)
    path = save(tmp_path / "in.dcm", data, syntax)
    policy = make_policy(clean=["structured"])
    out = released(worker(tmp_path / "out", policy).one(str(path)))
    read = dcmread(out)
    assert "Zanzibarine" not in str(read)
    name, study, image, container = read.ContentSequence
    assert name.PersonName == "ANONYMIZED"
    assert read.StudyInstanceUID == study.UID
    uid = image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert uid.startswith("2.25.")
    assert image.ReferencedSOPSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert container.ContentSequence[1].MeasuredValueSequence[0].NumericValue == 42
    codes = [each.CodeValue for each in read.DeidentificationMethodCodeSequence]
    assert "113104" in codes


def test_observation_date_of_an_item_is_treated_as_any_attribute(tmp_path):
    item = content("NUM", "X-1", "99LOCAL")
    item.ObservationDateTime = "20260203131415"
    path = save(tmp_path / "in.dcm", encoded(report(item)))
    out = released(worker(tmp_path / "out", make_policy(clean=["structured"])).one(str(path)))
    assert "20260203" not in str(dcmread(out))


def test_text_hidden_in_another_sequence_of_an_item_does_not_stay(tmp_path):
    hidden = code("T-1", "99X")
    hidden.PersonName = "Zanzibarine^Hidden"
    item = content("CODE", "X-1", "99LOCAL")
    item.ConceptCodeSequence = Sequence([hidden])
    hidden.ContentSequence = Sequence([content("TEXT", "121022")])
    path = save(tmp_path / "in.dcm", encoded(report(item)))
    out = released(worker(tmp_path / "out", make_policy(clean=["structured"])).one(str(path)))
    assert "Zanzibarine" not in str(dcmread(out))


def test_steps_of_a_preparation_are_content(tmp_path):
    step = Dataset()
    step.SpecimenPreparationStepContentItemSequence = Sequence(
        [content("TEXT", "121041"), content("CODE", "111701")]
    )
    specimen = Dataset()
    specimen.SpecimenIdentifier, specimen.SpecimenUID = "S-1", "1.2.3"
    specimen.SpecimenPreparationSequence = Sequence([step])
    dataset = report(content("NUM", "X-1", "99LOCAL"))
    dataset.SpecimenDescriptionSequence = Sequence([specimen])
    path = save(tmp_path / "in.dcm", encoded(dataset))
    out = released(worker(tmp_path / "out", make_policy(clean=["structured"])).one(str(path)))
    read = dcmread(out)
    assert "Zanzibarine" not in str(read)
    left = read.SpecimenDescriptionSequence[0].SpecimenPreparationSequence[0]
    kinds = [each.ValueType for each in left.SpecimenPreparationStepContentItemSequence]
    assert kinds == ["CODE"]


def test_content_of_which_nothing_is_left_is_not_there(tmp_path):
    path = save(tmp_path / "in.dcm", encoded(report(content("TEXT", "121022"))))
    out = released(worker(tmp_path / "out", make_policy(clean=["structured"])).one(str(path)))
    assert "ContentSequence" not in dcmread(out)


@pytest.mark.parametrize(
    ("concept", "is_released"),
    [
        (code("121008", "DCM", "Person Observer Name"), True),
        (code("121008", "DCM", "Person Observer Name Cassandra"), False),
        (code("121008", "99LOCAL", "Person Observer Name"), False),
        (code("121012", "DCM", "Person Observer Name"), False),
    ],
    ids=["of the standard", "with a word", "of another scheme", "of another code"],
)
def test_name_may_be_a_word_of_the_standards_own_meaning_of_a_code(tmp_path, concept, is_released):
    item = content("CODE", "X-1", "99LOCAL")
    item.ConceptCodeSequence = Sequence([concept])
    dataset = report(item)
    dataset.PatientName = "Observer^Cassandra"
    path = save(tmp_path / "in.dcm", encoded(dataset))
    outcome = worker(tmp_path / "out", make_policy(clean=["structured"])).one(str(path))
    assert (outcome.code, "CodeMeaning" in outcome.message) == (
        ("", False) if is_released else ("residual", True)
    )
