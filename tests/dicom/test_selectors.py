"""Which elements a selector means."""

from __future__ import annotations

import pytest

from pacs_cli.dicom.selectors import parse_keys, parse_selector, parse_selectors, path_text
from pacs_cli.errors import UsageError

NAME, STEPS, STEP_ID, OVERLAY, PRIVATE = 0x00100010, 0x00400275, 0x00400009, 0x60023000, 0x00091001
TOP = ((NAME, None),)
NESTED = ((STEPS, 1), (STEP_ID, None))


@pytest.mark.parametrize(
    ("text", "path", "is_meant"),
    [
        *[(text, TOP, True) for text in ("PatientName", "0010,0010", "(0010,0010)", "00100010")],
        *[(text, TOP, True) for text in ("0010", "0010,xxxx", "001x,0010", " PatientName ")],
        *[(text, TOP, False) for text in ("PatientID", "0008", "private", "0011,0010")],
        # at any depth, and by the end of a path
        ("ScheduledProcedureStepID", NESTED, True),
        ("RequestAttributesSequence.ScheduledProcedureStepID", NESTED, True),
        ("RequestAttributesSequence[1].ScheduledProcedureStepID", NESTED, True),
        ("RequestAttributesSequence[0].ScheduledProcedureStepID", NESTED, False),
        ("0040,0275[1].0040,0009", NESTED, True),
        ("RequestAttributesSequence", NESTED, False),
        ("ContentSequence.ScheduledProcedureStepID", NESTED, False),
        ("RequestAttributesSequence[1]", ((STEPS, 1),), True),
        ("RequestAttributesSequence[1]", ((STEPS, None),), False),
        ("RequestAttributesSequence", ((STEPS, None),), True),
        ("60xx,3000", ((OVERLAY, None),), True),
        ("60XX3000", ((OVERLAY, None),), True),
        ("60xx,0010", ((OVERLAY, None),), False),
        ("private", ((PRIVATE, None),), True),
        ("0009", ((PRIVATE, None),), True),
    ],
)
def test_selector_means_what_it_says(text, path, is_meant):
    assert parse_selector(text, "--only").matches(path) is is_meant


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("PatientID,0010,0010,Rows", ["PatientID", "PatientName", "Rows"]),
        ("(0010,0010),0009", ["PatientName", "0009"]),
        ("0009,xxxx", ["0009,xxxx"]),
        ("00100010,00100020", ["PatientName", "PatientID"]),
        (
            "0040,0275[0].0040,0009,Rows",
            ["RequestAttributesSequence[0].ScheduledProcedureStepID", "Rows"],
        ),
    ],
)
def test_several_are_split_at_commas_that_are_in_no_tag(text, names):
    assert [each.name for each in parse_selectors([text], "-k")] == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PatientNam", "did you mean PatientName?"),
        ("patientname", "did you mean PatientName?"),
        *[(text, "--only") for text in ("", "A..B", "PatientName[", "PatientName[x]", "0010,00zz")],
        ("PatientName[9999999999]", "--only"),
    ],
)
def test_what_means_nothing_is_a_usage_error(text, words):
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        parse_selector(text, "--only")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0009", "a column is one attribute"),
        ("private", "a column is one attribute"),
        ("BeamSequence[0]", r"BeamSequence\[0\].KEYWORD"),
        ("PatientID,0010,0020", "given twice"),
    ],
)
def test_column_is_one_attribute(text, words):
    with pytest.raises(UsageError, match=words):
        parse_keys([text], "-k")


@pytest.mark.parametrize(
    "path", [TOP, NESTED, ((STEPS, 3),), ((PRIVATE, None),), ((STEPS, 0), (PRIVATE, None))]
)
def test_path_is_written_as_it_would_be_typed(path):
    assert parse_selector(path_text(path), "--only").matches(path)
