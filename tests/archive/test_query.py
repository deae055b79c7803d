"""Queries of the archive: levels, roots, what is returned, and every kind of matching."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset

from pacs_cli.archive.answers import Encoder
from pacs_cli.archive.handler import Archive
from pacs_cli.archive.query import Abilities, read_question, read_selection
from pacs_cli.dicom.identifier import decode_identifier
from pacs_cli.dicom.query import Model
from pacs_cli.services.serving import QueryRefused
from tests.archive.querying import JAPANESE, PLAIN, ask, engine, filled, identifier, put
from tests.support import CT, EXPLICIT, IMPLICIT, MR

BIG_ENDIAN = "1.2.840.10008.1.2.2"
RELATIONAL = Abilities(is_relational=True)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with filled(tmp_path_factory.mktemp("archive")) as archive:
        yield archive


def studies(archive: Archive, *keys: str, abilities: Abilities = PLAIN) -> list[str]:
    """The last component of each study that matches."""
    found = ask(archive, "STUDY", "StudyInstanceUID", *keys, abilities=abilities)
    return sorted(answer.StudyInstanceUID.rpartition(".")[2] for answer in found)


#: Source in PS3.4, key, studies that match.
ROWS = (
    # single value: C.2.2.2.1
    ("C.2.2.2.1", "PatientID=P1", "12"),
    ("C.2.2.2.1", "PatientID=p1", ""),
    ("C.2.2.2.1", "AccessionNumber=A1", "1"),
    ("C.2.2.2.1 spaces around do not count", "PatientID= P1 ", "12"),
    ("C.2.2.2.1", "StudyDate=20260102", "1"),
    ("C.2.2.2.1 a name, whatever the case", "PatientName=DOE^JANE", "12"),
    ("C.2.2.2.1 a name, delimiters at its end", "PatientName=Doe^Jane^^^", "12"),
    ("C.2.2.2.1 a name is not its beginning", "PatientName=Doe", ""),
    ("C.2.2.2.1 one group of a name", "PatientName=山田^太郎", "3"),
    ("C.2.2.2.1 all groups of a name", f"PatientName={JAPANESE}", "3"),
    ("C.2.2.2.1 whatever the case, not only in ASCII", "PatientName=MÜLLER^JÜRGEN", "4"),
    ("C.2.2.2.1 marks on letters count", "PatientName=Muller^Jurgen", ""),
    ("C.2.2.2.1 time", "StudyTime=101500", "1"),
    ("C.2.2.2.1 time, as precise as it is written", "StudyTime=1015", "1"),
    ("C.2.2.2.1 an underscore is itself", "AccessionNumber=A_2", "2"),
    ("C.2.2.2.1 a bracket is itself", "StudyDescription=Chest [new] 100%", "2"),
    # list of UID: C.2.2.2.2
    ("C.2.2.2.2", "StudyInstanceUID=1.2.1", "1"),
    ("C.2.2.2.2", "StudyInstanceUID=1.2.1\\1.2.4\\1.2.99", "14"),
    ("C.2.2.2.2", "StudyInstanceUID=1.2", ""),
    # universal: C.2.2.2.3
    ("C.2.2.2.3", "PatientName=", "1234"),
    ("C.2.2.2.3 what has no value is matched", "StudyDate=", "1234"),
    # wild card: C.2.2.2.4
    ("C.2.2.2.4", "PatientName=doe*", "12"),
    ("C.2.2.2.4", "PatientName=*JANE", "12"),
    ("C.2.2.2.4", "PatientName=D?e^*", "12"),
    ("C.2.2.2.4", "PatientName=D?^*", ""),
    ("C.2.2.2.4", "PatientName=*山田*", "3"),
    ("C.2.2.2.4", "PatientName=*太郎", "3"),
    ("C.2.2.2.4", "AccessionNumber=A*", "12"),
    ("C.2.2.2.4", "AccessionNumber=A?", "1"),
    ("C.2.2.2.4 no value is no character", "AccessionNumber=*", "1234"),
    ("C.2.2.2.4 no value has no character", "AccessionNumber=?*", "123"),
    ("C.2.2.2.4 a bracket is itself", "StudyDescription=*[new]*", "2"),
    ("C.2.2.2.4 a bracket is no set of characters", "StudyDescription=*[a-z]*", ""),
    ("C.2.2.2.4 percent and underscore are themselves", "StudyDescription=%", ""),
    ("C.2.2.2.4", "StudyDescription=*100%", "2"),
    ("C.2.2.2.4 case counts but in names", "StudyDescription=head*", ""),
    ("C.2.2.2.4 more asterisks than SQLite is given", "StudyDescription=H*d*r*t*e", "13"),
    # range: C.2.2.2.5
    ("C.2.2.2.5", "StudyDate=20260101-20260131", "1"),
    ("C.2.2.2.5 both ends are in it", "StudyDate=20260102-20260315", "12"),
    ("C.2.2.2.5", "StudyDate=-20260102", "13"),
    ("C.2.2.2.5", "StudyDate=20260102-", "12"),
    ("C.2.2.2.5", "StudyDate=2026.01.02-", "12"),
    ("C.2.2.2.5 with spaces", "StudyDate=20260101 - 20260131", "1"),
    ("C.2.2.2.5 backwards", "StudyDate=20260315-20260102", ""),
    ("C.2.2.2.5", "StudyTime=08-10", "13"),
    ("C.2.2.2.5", "StudyTime=0801-1015", "1"),
    ("C.2.2.2.5", "StudyTime=235959-", "2"),
    ("C.2.2.2.5", "StudyTime=-080000", "3"),
    ("C.2.2.2.5", "StudyTime=10:15:00-10:15", "1"),
    # several values, any of which is enough
    ("C.2.2.2.1 several", "PatientID=P1\\P3", "124"),
    ("C.2.2.2.4 several", "AccessionNumber=B*\\A1", "13"),
    ("C.2.2.2.5 several", "StudyDate=20251231\\20260301-", "23"),
    # what is made of several rows: C.6.2.1
    ("C.6.1.1.3", "ModalitiesInStudy=MR", "1"),
    ("C.6.1.1.3", "ModalitiesInStudy=C?", "1234"),
    ("C.6.1.1.3", "ModalitiesInStudy=MR\\US", "1"),
    ("C.6.1.1.3", "ModalitiesInStudy=US", ""),
    ("C.6.1.1.3", f"SOPClassesInStudy={MR}", "1"),
    ("C.6.1.1.3", "NumberOfStudyRelatedInstances=3", "1"),
)


@pytest.mark.parametrize(("source", "key", "expected"), ROWS)
def test_a_key_matches(archive: Archive, source: str, key: str, expected: str) -> None:
    assert "".join(studies(archive, key)) == expected, f"PS3.4 {source}"


def test_all_keys_must_match(archive: Archive) -> None:
    # PS3.4 C.2.2.2: an entity is a match when all of its attributes are
    assert studies(archive, "PatientID=P1", "StudyDate=20260102-") == ["1", "2"]
    assert studies(archive, "PatientID=P1", "ModalitiesInStudy=MR") == ["1"]
    assert studies(archive, "PatientID=P2", "ModalitiesInStudy=MR") == []


@pytest.mark.parametrize(
    ("dates", "times", "apart", "together"),
    [
        # PS3.4 C.2.2.2.5: from the begin of the first day to the end on the last one
        ("20251231-20260102", "0900-1000", "", ""),
        ("20251231-20260315", "0800-1015", "13", "13"),
        ("20251231-20260315", "0801-1015", "1", "1"),
        ("20251230-20260316", "2300-0100", "", "123"),
        ("20260102-", "1016-", "2", "2"),
        ("20251231-", "0900-", "12", "12"),
        # not of the same form: two ranges
        ("20251231-", "-1015", "13", "13"),
        ("20251231-20260102", "1000-", "1", "1"),
    ],
)
def test_date_and_time_are_one_range_when_negotiated(
    archive: Archive, dates: str, times: str, apart: str, together: str
) -> None:
    keys = (f"StudyDate={dates}", f"StudyTime={times}")
    assert "".join(studies(archive, *keys)) == apart
    combined = Abilities(has_date_time=True)
    assert "".join(studies(archive, *keys, abilities=combined)) == together


@pytest.mark.parametrize(
    ("key", "plain", "fuzzy"),
    [
        ("jane doe", "", "12"),
        ("Ja Do", "", "12"),
        ("muller", "", "4"),
        ("Müller, J.", "", "4"),
        ("ane", "", ""),
        ("?ane", "", "12"),
        ("太郎", "", "3"),
        ("Doe^Jane", "12", "12"),
    ],
)
def test_fuzzy_names_are_matched_word_by_word(
    archive: Archive, key: str, plain: str, fuzzy: str
) -> None:
    name = f"PatientName={key}"
    assert "".join(studies(archive, name)) == plain
    assert "".join(studies(archive, name, abilities=Abilities(is_fuzzy=True))) == fuzzy


def test_marks_on_letters_do_not_count_when_told(archive: Archive) -> None:
    abilities = Abilities(no_accents=True)
    assert studies(archive, "PatientName=MULLER^*", abilities=abilities) == ["4"]
    assert studies(archive, "PatientName=jurgen muller", abilities=abilities) == []


def test_every_level_returns_what_it_has(archive: Archive) -> None:
    (patient,) = ask(
        archive,
        "PATIENT",
        "PatientID=P1",
        "PatientName",
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedSeries",
        "NumberOfPatientRelatedInstances",
        model=Model.PATIENT_ROOT,
    )
    assert (patient.QueryRetrieveLevel, patient.RetrieveAETitle) == ("PATIENT", "HERE")
    assert str(patient.PatientName) == "Doe^Jane"
    counts = (
        patient.NumberOfPatientRelatedStudies,
        patient.NumberOfPatientRelatedSeries,
        patient.NumberOfPatientRelatedInstances,
    )
    assert counts == (2, 3, 4)
    (study,) = ask(
        archive,
        "STUDY",
        "StudyInstanceUID=1.2.1",
        "PatientID",
        "ModalitiesInStudy",
        "SOPClassesInStudy",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
        "InstanceAvailability",
    )
    assert study.PatientID == "P1"
    assert list(study.ModalitiesInStudy) == ["CT", "MR"]
    assert list(study.SOPClassesInStudy) == [CT, MR]
    assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (2, 3)
    assert study.InstanceAvailability == "ONLINE"
    series = ask(
        archive,
        "SERIES",
        "StudyInstanceUID=1.2.1",
        "SeriesInstanceUID",
        "Modality",
        "NumberOfSeriesRelatedInstances",
    )
    assert {(each.Modality, each.NumberOfSeriesRelatedInstances) for each in series} == {
        ("CT", 2),
        ("MR", 1),
    }
    images = ask(
        archive,
        "IMAGE",
        "StudyInstanceUID=1.2.1",
        "SeriesInstanceUID=1.2.1.1",
        "SOPInstanceUID",
        "InstanceNumber",
        "SOPClassUID",
    )
    assert {(each.SOPInstanceUID, int(each.InstanceNumber)) for each in images} == {
        ("1.2.1.1.1", 1),
        ("1.2.1.1.2", 2),
    }


def test_an_instance_number_is_a_number(archive: Archive) -> None:
    keys = ("StudyInstanceUID=1.2.1", "SeriesInstanceUID=1.2.1.1", "SOPInstanceUID")
    for written in ("2", "02", "+2"):
        (found,) = ask(archive, "IMAGE", *keys, f"InstanceNumber={written}")
        assert found.SOPInstanceUID == "1.2.1.1.2"


@pytest.mark.parametrize(
    ("model", "level", "keys"),
    [
        (Model.STUDY_ROOT, "PATIENT", ["PatientID"]),
        (Model.STUDY_ROOT, "", ["StudyInstanceUID"]),
        (Model.STUDY_ROOT, "EXAM", []),
        (Model.STUDY_ROOT, "SERIES", ["SeriesInstanceUID"]),
        (Model.STUDY_ROOT, "SERIES", ["StudyInstanceUID=1.2.1\\1.2.2"]),
        (Model.STUDY_ROOT, "SERIES", ["StudyInstanceUID=*"]),
        (Model.STUDY_ROOT, "IMAGE", ["StudyInstanceUID=1.2.1"]),
        (Model.PATIENT_ROOT, "STUDY", ["StudyInstanceUID=1.2.1"]),
        (Model.PATIENT_ROOT, "STUDY", ["PatientID=P*"]),
        (Model.PATIENT_ROOT, "SERIES", ["StudyInstanceUID=1.2.1"]),
        (Model.PATIENT_STUDY_ONLY, "SERIES", ["PatientID=P1", "StudyInstanceUID=1.2.1"]),
    ],
)
def test_a_level_or_unique_key_that_is_missing_is_refused(
    archive: Archive, model: Model, level: str, keys: list[str]
) -> None:
    # PS3.4 C.4.1.2.1 and table C.4-1
    with pytest.raises(QueryRefused) as refused:
        ask(archive, level, *keys, model=model)
    assert refused.value.status == 0xA900
    assert refused.value.offending_elements


def test_a_relational_query_needs_no_unique_keys_above(archive: Archive) -> None:
    # PS3.4 C.4.1.2.2
    images = ask(archive, "IMAGE", "SOPInstanceUID", "PatientID=P1", abilities=RELATIONAL)
    assert len(images) == 4
    series = ask(archive, "SERIES", "SeriesInstanceUID", "Modality=CT", abilities=RELATIONAL)
    assert len(series) == 4


@pytest.mark.parametrize(
    "key",
    ["StudyDate=yesterday", "StudyDate=-", "StudyTime=noon", "StudyDate=2026*"],
)
def test_a_value_that_is_none_of_its_vr_is_refused(archive: Archive, key: str) -> None:
    with pytest.raises(QueryRefused) as refused:
        ask(archive, "STUDY", key)
    assert refused.value.status == 0xC000
    assert refused.value.comment.partition(":")[0] in key
    assert key.partition("=")[2] not in refused.value.comment


def test_a_key_below_the_level_is_left_out_and_said(archive: Archive) -> None:
    # PS3.4 table C.4-1: FF01
    question = read_question(Model.STUDY_ROOT, identifier("STUDY", "SeriesDescription=Axial"))
    assert question.has_unsupported_keys
    assert not read_question(
        Model.STUDY_ROOT, identifier("STUDY", "PatientID")
    ).has_unsupported_keys
    (answer, *_) = ask(archive, "STUDY", "SeriesDescription", "StudyInstanceUID")
    assert "SeriesDescription" not in answer


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
@pytest.mark.parametrize(
    ("patient", "name", "label"),
    [
        ("P1", "Doe^Jane", None),
        ("P2", JAPANESE, "ISO_IR 192"),
        ("P3", "Müller^Jürgen", "ISO_IR 100"),
    ],
)
def test_an_answer_is_in_the_smallest_set_that_holds_it(
    archive: Archive, syntax: str, patient: str, name: str, label: str | None
) -> None:
    question = read_question(
        Model.STUDY_ROOT, identifier("STUDY", f"PatientID={patient}", "PatientName")
    )
    for answer in engine(archive).find(question):
        dataset = decode_identifier(answer.encode(syntax), syntax)
        assert str(dataset.PatientName) == name
        assert dataset.get("SpecificCharacterSet") == label


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
def test_short_way_of_encoding_gives_the_same_bytes(archive: Archive, syntax: str) -> None:
    keys = ("StudyInstanceUID", "StudyDate", "StudyDescription", "NumberOfStudyRelatedInstances")
    question = read_question(Model.STUDY_ROOT, identifier("STUDY", *keys), ae_title="HERE")
    encoder = Encoder(question.outputs, syntax)
    for answer in engine(archive).find(question):
        assert encoder.encode(answer) == encoder._labelled(answer)


def test_what_has_no_value_is_returned_empty(archive: Archive) -> None:
    (answer,) = ask(archive, "STUDY", "StudyInstanceUID=1.2.4", "StudyDate", "PatientBirthDate")
    assert (answer.StudyDate, answer.PatientBirthDate) == ("", "")


def test_a_query_sees_one_state_while_objects_come(archive: Archive) -> None:
    question = read_question(Model.STUDY_ROOT, identifier("STUDY", "StudyInstanceUID"))
    answers = engine(archive).find(question)
    next(answers)
    uid = "1.2.9.1.1"
    put(archive, uid, {0x0020000D: ("UI", "1.2.9"), 0x00080020: ("DA", "19000101")})
    try:
        assert len(list(answers)) == 3
        assert len(list(engine(archive).find(question))) == 5
    finally:
        archive.index.remove(uid)


def test_a_cancelled_query_ends(archive: Archive) -> None:
    question = read_question(Model.STUDY_ROOT, identifier("STUDY", "PatientComments"))
    assert list(engine(archive).find(question, lambda: True)) == []


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        ("STUDY", ["StudyInstanceUID=1.2.1"], ["1.2.1.1.1", "1.2.1.1.2", "1.2.1.2.1"]),
        ("STUDY", ["StudyInstanceUID=1.2.2\\1.2.3"], ["1.2.2.1.1", "1.2.3.1.1"]),
        ("SERIES", ["StudyInstanceUID=1.2.1", "SeriesInstanceUID=1.2.1.2"], ["1.2.1.2.1"]),
        (
            "IMAGE",
            ["StudyInstanceUID=1.2.1", "SeriesInstanceUID=1.2.1.1", "SOPInstanceUID=1.2.1.1.2"],
            ["1.2.1.1.2"],
        ),
        ("STUDY", ["StudyInstanceUID=1.2.77"], []),
    ],
)
def test_a_selection_is_of_the_unique_keys(
    archive: Archive, level: str, keys: list[str], expected: list[str]
) -> None:
    # PS3.4 C.4.2.1.4
    question = read_selection(Model.STUDY_ROOT, identifier(level, *keys, "PatientName=Nobody"))
    selection = engine(archive).select(question)
    held = [each.sop_instance_uid for each in engine(archive).held(selection) if each]
    assert sorted(held) == expected
    assert {context[0] for context in selection.contexts} <= {CT, MR}


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        ("STUDY", []),
        ("STUDY", ["StudyInstanceUID=*"]),
        ("STUDY", ["PatientID=P1"]),
        ("SERIES", ["SeriesInstanceUID=1.2.1.1"]),
        ("IMAGE", ["StudyInstanceUID=1.2.1", "SOPInstanceUID=1.2.1.1.1"]),
    ],
)
def test_a_selection_without_its_unique_keys_is_refused(
    archive: Archive, level: str, keys: list[str]
) -> None:
    with pytest.raises(QueryRefused) as refused:
        read_selection(Model.STUDY_ROOT, identifier(level, *keys))
    assert refused.value.status == 0xA900


def test_a_selected_object_that_is_gone_is_none(archive: Archive) -> None:
    uid = "1.2.8.1.1"
    put(archive, uid, {0x0020000D: ("UI", "1.2.8")})
    question = read_selection(Model.STUDY_ROOT, identifier("STUDY", "StudyInstanceUID=1.2.8"))
    selection = engine(archive).select(question)
    archive.index.remove(uid)
    assert list(engine(archive).held(selection)) == [None]


def test_an_identifier_of_nothing_is_refused() -> None:
    with pytest.raises(QueryRefused):
        read_question(Model.STUDY_ROOT, Dataset())
