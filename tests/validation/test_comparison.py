"""What we find beside other validators, over pydicom's files and the objects made here."""

from __future__ import annotations

import pytest

from tests.bench.validators import (
    DCIODVFY,
    DICOM_VALIDATOR,
    TARGET,
    Comparison,
    compare,
    errors_of,
    results,
)
from tests.peers import require
from tests.validation.objects import KINDS

#: Errors on files that dciodvfy accepts, each a sentence of the standard (see the document).
OF_THE_STANDARD = {"pixels-vr", "private-creator-empty"}

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    require("dciodvfy")
    return list(results(tmp_path_factory.mktemp("objects")))


def test_file_that_dciodvfy_accepts_has_no_error_but_those_of_the_standard(checked):
    accepted = [
        r for r in checked if DCIODVFY not in r.crashed and not errors_of(r.theirs[DCIODVFY])
    ]
    assert len(accepted) > 25
    errors = {f.rule for r in accepted for f in r.ours if f.severity == "error"}
    assert errors == OF_THE_STANDARD


def test_file_that_both_others_accept_has_no_error_but_those_of_the_standard(checked):
    accepted = [r for r in checked if r.is_accepted()]
    assert len(accepted) > 10
    assert {f.rule for r in accepted for f in r.ours if f.severity == "error"} <= OF_THE_STANDARD


def test_what_all_three_find_is_counted(checked):
    shared = Comparison(checked).shared[frozenset((DCIODVFY, DICOM_VALIDATOR))]
    assert {"iod-module-missing", "iod-type-1-missing", "iod-type-2-missing"} <= shared.keys()
    assert sum(tally.count for tally in shared.values()) > 400


def test_objects_made_for_the_tests_are_accepted_by_dciodvfy(checked):
    made = {r.name: r.theirs[DCIODVFY] for r in checked if r.name.startswith("generated ")}
    assert len(made) == len(KINDS)
    wrong = {name: errors_of(said) for name, said in made.items()}
    assert not any(wrong.values()), wrong


def test_every_difference_is_explained_and_the_document_says_so(checked):
    """The figures may be another version's; what rules and kinds differ may not."""
    told, now = (
        {line.split("|")[1] for line in text.splitlines() if line.startswith("| [")}
        for text in (TARGET.read_text(), compare(checked))
    )
    assert len(told) > 10
    assert now == told
