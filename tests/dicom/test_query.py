"""Queries: levels, default keys, unique keys, dates, drilling, and what a peer may not like."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

from pacs_cli.dicom.extended import Extension, application_information, granted
from pacs_cli.dicom.keys import assemble, keyword_of, parse_key
from pacs_cli.dicom.query import (
    Level,
    Model,
    Query,
    ask_for_dates,
    column_names,
    date_range,
    level_of,
    make_query,
)
from pacs_cli.errors import InputError, UsageError

PATIENT, STUDY, WORKLIST = Model.PATIENT_ROOT, Model.STUDY_ROOT, Model.WORKLIST


def asking(*texts: str, model: Model = STUDY, **options: object) -> Query:
    return make_query(model, assemble(map(parse_key, texts), Dataset()), **options)


def keywords(dataset: Dataset) -> set[str]:
    return {keyword_of(element.tag) for element in dataset}


@pytest.mark.parametrize("model", Model)
def test_sop_class_of_a_model_is_its_find(model):
    name = UID_dictionary[model.sop_class_uid][0]
    assert name.endswith("FIND")
    assert name.lower().replace("modality ", "").startswith(model.value)


# -- levels --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "typed", "level"),
    [
        (STUDY, [], "STUDY"),
        (STUDY, ["PatientName=DOE*"], "STUDY"),
        (STUDY, ["StudyDate", "AccessionNumber=1"], "STUDY"),
        (STUDY, ["StudyInstanceUID=1.2", "SeriesDescription"], "SERIES"),
        (STUDY, ["SeriesInstanceUID=1.2"], "SERIES"),
        (STUDY, ["StudyInstanceUID=1.2", "SeriesInstanceUID=1.3", "SOPInstanceUID"], "IMAGE"),
        (STUDY, ["InstitutionName=WARD"], "STUDY"),
        (STUDY, ["0009,1001"], "STUDY"),
        (STUDY, ["QueryRetrieveLevel=SERIES"], "SERIES"),
        (PATIENT, [], "PATIENT"),
        (PATIENT, ["PatientName=DOE*"], "PATIENT"),
        (PATIENT, ["PatientID=1", "StudyDate"], "STUDY"),
        (PATIENT, ["PatientID=1", "PatientAge"], "STUDY"),
        (Model.PATIENT_STUDY_ONLY, ["StudyDate"], "STUDY"),
        (Model.PATIENT_STUDY_ONLY, ["Modality"], "PATIENT"),
        (WORKLIST, ["PatientName=DOE*"], "WORKLIST"),
        (WORKLIST, ["ScheduledProcedureStepSequence.Modality=CT"], "WORKLIST"),
    ],
)
def test_level_is_the_lowest_of_the_keys(model, typed, level):
    assert asking(*typed, model=model).level == level


@pytest.mark.parametrize("level", ["image", "IMAGE", "Image"])
def test_level_that_is_typed_counts(level):
    assert asking("PatientName", level=level).level is Level.IMAGE


@pytest.mark.parametrize(
    ("model", "level", "words"),
    [
        (STUDY, "patient", "level patient: the study root model has study, series, image"),
        (STUDY, "stuyd", "level stuyd"),
        (Model.PATIENT_STUDY_ONLY, "series", "the patient/study only model has patient, study"),
        (WORKLIST, "study", "the worklist model has worklist"),
    ],
)
def test_level_that_the_model_has_not_is_a_usage_error(model, level, words):
    with pytest.raises(UsageError, match=words):
        asking(model=model, level=level)


def test_level_as_option_and_as_key_must_be_one():
    assert asking("QueryRetrieveLevel=SERIES", level="series").level is Level.SERIES
    with pytest.raises(UsageError, match="two levels: --level study and QueryRetrieveLevel=SERIES"):
        asking("QueryRetrieveLevel=SERIES", level="study")


@pytest.mark.parametrize(
    ("keyword", "level"),
    [
        ("PatientBirthDate", "PATIENT"),
        ("NumberOfPatientRelatedStudies", "PATIENT"),
        ("PatientAge", "STUDY"),
        ("ModalitiesInStudy", "STUDY"),
        ("NumberOfStudyRelatedInstances", "STUDY"),
        ("Modality", "SERIES"),
        ("SeriesDescription", "SERIES"),
        ("BodyPartExamined", "SERIES"),
        ("PerformedProcedureStepStartDate", "SERIES"),
        ("NumberOfSeriesRelatedInstances", "SERIES"),
        ("SOPClassUID", "IMAGE"),
        ("InstanceNumber", "IMAGE"),
        ("NumberOfFrames", "IMAGE"),
        ("InstitutionName", None),
    ],
)
def test_level_of_an_attribute(keyword, level):
    assert level_of(parse_key(keyword).tag) == level


# -- what is sent --------------------------------------------------------------------------------


def test_default_keys_of_a_study():
    request = asking("PatientName=DOE*").first()
    identifier = request.identifier
    assert (identifier.PatientName, identifier.QueryRetrieveLevel) == ("DOE*", "STUDY")
    assert keywords(identifier) == {
        *("QueryRetrieveLevel", "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy"),
        *("StudyDescription", "PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
        *("StudyInstanceUID", "StudyID"),
        *("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    }
    universal = keywords(identifier) - {"PatientName", "QueryRetrieveLevel"}
    assert all(identifier[keyword].is_empty for keyword in universal)
    assert column_names(request.columns)[0] == "StudyDate"
    assert column_names(request.columns)[-1] == "StudyInstanceUID"


def test_study_of_the_patient_root_model_has_no_keys_of_the_patient_but_the_unique_one():
    found = keywords(asking("PatientID=1", model=PATIENT, level="study").first().identifier)
    assert "PatientID" in found
    assert not found & {"PatientName", "PatientBirthDate", "PatientSex"}


@pytest.mark.parametrize(
    ("model", "level", "uniques"),
    [
        (PATIENT, "patient", {"PatientID"}),
        (PATIENT, "study", {"PatientID", "StudyInstanceUID"}),
        (PATIENT, "series", {"PatientID", "StudyInstanceUID", "SeriesInstanceUID"}),
        (
            PATIENT,
            "image",
            {"PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"},
        ),
        (STUDY, "study", {"StudyInstanceUID"}),
        (STUDY, "series", {"StudyInstanceUID", "SeriesInstanceUID"}),
        (STUDY, "image", {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}),
    ],
)
def test_unique_keys_are_asked_for_even_without_defaults(model, level, uniques):
    query = replace(asking(model=model, level=level), has_defaults=False)
    assert keywords(query.first().identifier) == {*uniques, "QueryRetrieveLevel"}


def test_without_defaults_only_what_was_typed_is_asked_for():
    query = replace(asking("StudyDate", "PatientName=DOE*"), has_defaults=False)
    request = query.first()
    expected = {"StudyDate", "PatientName", "StudyInstanceUID", "QueryRetrieveLevel"}
    assert keywords(request.identifier) == expected
    assert column_names(request.columns) == ["StudyInstanceUID", "StudyDate", "PatientName"]


def test_worklist_has_no_level_and_its_step_keeps_what_was_typed():
    query = asking("ScheduledProcedureStepSequence.Modality=CT", model=WORKLIST)
    identifier = query.first().identifier
    assert "QueryRetrieveLevel" not in identifier
    (step,) = identifier.ScheduledProcedureStepSequence
    assert step.Modality == "CT"
    assert step.ScheduledStationAETitle == ""
    # asking adds nothing to what was asked
    assert keywords(query.asked.ScheduledProcedureStepSequence[0]) == {"Modality"}
    assert "ScheduledProcedureStepStartDate" in column_names(query.columns())


def test_whole_sequence_that_is_asked_for_stays_so():
    identifier = asking("ScheduledProcedureStepSequence", model=WORKLIST).first().identifier
    assert list(identifier.ScheduledProcedureStepSequence) == []


def test_columns_of_one_name_are_told_apart():
    query = asking("PatientID", "RequestAttributesSequence.PatientID")
    names = column_names(query.columns())
    assert {"PatientID", "RequestAttributesSequence.PatientID"} <= {*names}
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("typed", "options", "labelled"),
    [
        (["PatientName=DOE"], {}, None),
        (["PatientName=Müller"], {}, "ISO_IR 192"),
        (["PatientName=Müller"], {"character_set": "latin1"}, "ISO_IR 100"),
        (["PatientName=DOE"], {"character_set": "latin1"}, "ISO_IR 100"),
        (["PatientName=Müller", "SpecificCharacterSet=ISO_IR 100"], {}, "ISO_IR 100"),
        (["PatientName=DOE", "SpecificCharacterSet"], {}, None),
    ],
)
def test_identifier_is_labelled_with_its_character_set(typed, options, labelled):
    identifier = asking(*typed, **options).first().identifier
    assert identifier.get("SpecificCharacterSet") == labelled


def test_character_set_that_does_not_fit_is_a_usage_error():
    with pytest.raises(UsageError, match="PatientName cannot be written in ISO_IR 100"):
        asking("PatientName=山田", character_set="latin1").first()


# -- dates ---------------------------------------------------------------------------------------

TODAY = date(2024, 3, 1)


@pytest.mark.parametrize(
    ("since", "before", "today", "text"),
    [
        ("2024-01-05", None, None, "20240105-"),
        ("20240105", None, None, "20240105-"),
        (None, "2024-03-01", None, "-20240229"),
        ("2024-01-05", "2024-02-01", None, "20240105-20240131"),
        ("2024-01-05", "2024-01-06", None, "20240105"),
        (None, None, TODAY, "20240301"),
        (None, None, None, ""),
    ],
)
def test_range_of_dates(since, before, today, text):
    assert date_range(since, before, today) == text


@pytest.mark.parametrize(
    ("since", "before", "today", "words"),
    [
        ("2024-02-30", None, None, "--since 2024-02-30: write a day"),
        ("2024-0101", None, None, "--since"),
        (None, "yesterday", None, "--before yesterday: write a day"),
        ("2024-01-05", "2024-01-05", None, "no day is since"),
        ("2024-01-05", None, TODAY, "--today is a range of its own"),
        (None, "٢٠٢٤٠١٠١", None, "--before"),
    ],
)
def test_range_that_is_none_is_a_usage_error(since, before, today, words):
    with pytest.raises(UsageError, match=words):
        date_range(since, before, today)


def test_dates_are_of_the_study_or_of_the_step():
    asked = Dataset()
    ask_for_dates(STUDY, asked, "20240101-")
    assert asked.StudyDate == "20240101-"
    asked = Dataset()
    ask_for_dates(WORKLIST, asked, "20240101")
    (step,) = asked.ScheduledProcedureStepSequence
    assert step.ScheduledProcedureStepStartDate == "20240101"
    for model in (STUDY, WORKLIST):
        asked = assemble([parse_key("StudyDate=20240101")], Dataset())
        ask_for_dates(WORKLIST, asked, "20240101")
        with pytest.raises(UsageError, match="asked for already"):
            ask_for_dates(model, asked, "20240102")


# -- what a peer may not like --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "options", "words"),
    [
        (["PatientName=DOE*"], {}, []),
        (["StudyDate=20240101-20240131"], {}, []),
        (["StudyInstanceUID=1.2", "Modality=CT"], {}, []),
        (["Modality=CT"], {}, ["without one StudyInstanceUID is relational"]),
        (["StudyInstanceUID=1.2\\1.3", "Modality=CT"], {}, ["without one StudyInstanceUID"]),
        (["StudyInstanceUID=1.*", "Modality=CT"], {}, ["without one StudyInstanceUID"]),
        (["Modality=CT"], {"level": "study"}, ["Modality is of the SERIES level, below"]),
        (["StudyDate=2024-01-01"], {}, ["StudyDate is neither a date nor a range"]),
        (["StudyDate=*"], {}, []),
        (
            ["ScheduledProcedureStepSequence.ScheduledProcedureStepStartDate=tomorrow"],
            {"model": WORKLIST},
            ["ScheduledProcedureStepStartDate is neither"],
        ),
        ([], {"level": "image"}, ["without one StudyInstanceUID", "without one SeriesInstanceUID"]),
    ],
)
def test_remarks_say_what_a_peer_may_not_like(typed, options, words):
    remarks = [*asking(*typed, **options).remarks()]
    assert len(remarks) == len(words)
    for remark, expected in zip(remarks, words, strict=True):
        assert expected in remark


def test_relational_query_needs_no_unique_keys():
    assert [*asking("Modality=CT").remarks(is_relational=True)] == []


# -- drilling ------------------------------------------------------------------------------------


def match(**values: str) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        key = parse_key(keyword)
        dataset.add(DataElement(key.tag, key.vr, value, validation_mode=config.IGNORE))
    return dataset


def test_drilling_begins_at_the_top_and_asks_at_each_level_for_what_belongs_there():
    query = asking("PatientName=DOE*", "Modality=CT", "InstanceNumber=1", drills=True)
    studies = query.first()
    assert studies.level is Level.STUDY
    assert (studies.identifier.PatientName, "Modality" in studies.identifier) == ("DOE*", False)
    series = query.below(studies, match(StudyInstanceUID="1.2"))
    assert (series.level, series.identifier.StudyInstanceUID) == (Level.SERIES, "1.2")
    assert (series.identifier.Modality, "PatientName" in series.identifier) == ("CT", False)
    found = match(StudyInstanceUID="1.2", SeriesInstanceUID="1.3")
    images = query.below(series, found)
    assert images.identifier.InstanceNumber == 1
    assert images.identifier.SeriesInstanceUID == "1.3"
    assert query.below(images, found) is None
    assert [*query.remarks()] == []


def test_drilling_from_the_patient_keeps_the_patient_id():
    query = asking("PatientName=DOE*", model=PATIENT, drills=True)
    patients = query.first()
    assert patients.level is Level.PATIENT
    studies = query.below(patients, match(PatientID="Ä 1"))
    assert studies.identifier.PatientID == "Ä 1"
    assert studies.identifier.SpecificCharacterSet == "ISO_IR 192"


@pytest.mark.parametrize("uid", ["", "*", "1.2.*", "1.2\\1.3", "../..", "1." * 40])
def test_match_without_a_unique_key_cannot_be_asked_below(uid):
    query = asking(drills=True)
    with pytest.raises(InputError, match="no StudyInstanceUID to ask with"):
        query.below(query.first(), match(StudyInstanceUID=uid))


@pytest.mark.parametrize("patient_id", ["", "A*", "A?", "A\\B", "A\x1b[31m"])
def test_patient_id_that_stands_for_more_cannot_be_asked_below(patient_id):
    query = asking(model=PATIENT, drills=True)
    with pytest.raises(InputError, match="no PatientID to ask with"):
        query.below(query.first(), match(PatientID=patient_id))


def test_worklist_cannot_be_drilled():
    with pytest.raises(UsageError, match="one level"):
        asking(model=WORKLIST, drills=True)


def test_unique_keys_that_a_peer_leaves_out_are_filled_in():
    query = asking("StudyInstanceUID=1.2", level="series")
    found = match(SeriesInstanceUID="1.3")
    query.complete(query.first(), found)
    assert (found.StudyInstanceUID, found.SeriesInstanceUID) == ("1.2", "1.3")
    other = match(StudyInstanceUID="1.9")
    query.complete(query.first(), other)
    assert other.StudyInstanceUID == "1.9"
    several = asking("StudyInstanceUID=1.2\\1.3", level="series")
    found = match(SeriesInstanceUID="1.3")
    several.complete(several.first(), found)
    assert "StudyInstanceUID" not in found


# -- extended negotiation ------------------------------------------------------------------------

RELATIONAL, DATE_TIME, FUZZY, ZONE = Extension


@pytest.mark.parametrize(
    ("model", "wanted", "field"),
    [
        (STUDY, set(), b""),
        (STUDY, {RELATIONAL}, b"\1"),
        (PATIENT, {DATE_TIME}, b"\0\1"),
        (STUDY, {RELATIONAL, FUZZY}, b"\1\0\1"),
        (STUDY, {*Extension}, b"\1\1\1\1"),
        # PS3.4 K.5.1: the first two are reserved
        (WORKLIST, {FUZZY}, b"\1\1\1"),
        (WORKLIST, {ZONE}, b"\1\1\0\1"),
        (WORKLIST, {FUZZY, ZONE}, b"\1\1\1\1"),
    ],
)
def test_extended_negotiation_is_proposed_as_the_standard_has_it(model, wanted, field):
    assert application_information(model, frozenset(wanted)) == field


def test_worklist_has_no_relational_queries():
    with pytest.raises(UsageError, match="a worklist has no relational queries"):
        application_information(WORKLIST, frozenset({RELATIONAL, FUZZY}))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, [False, False]),
        (b"", [False, False]),
        (b"\1", [True, False]),
        (b"\1\1\1\1\1\1", [True, True]),
        (b"\2\0\1", [False, True]),
        (b"\0\0\0", [False, False]),
    ],
)
def test_what_is_granted_is_read_from_the_answer(answer, expected):
    assert [*granted(frozenset({FUZZY, RELATIONAL}), answer).values()] == expected
