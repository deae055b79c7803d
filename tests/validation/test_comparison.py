"""What we find beside dciodvfy, over pydicom's files and the objects made here."""

from __future__ import annotations

import pytest

from tests.bench.validators import TARGET, compare, results
from tests.peers import require
from tests.validation.objects import KINDS

#: Errors on files that dciodvfy accepts, each a sentence of the standard (see the document).
OF_THE_STANDARD = {"pixels-vr", "private-creator-empty"}

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    require("dciodvfy")
    return list(results(tmp_path_factory.mktemp("objects")))


def test_file_that_dciodvfy_accepts_has_no_error_but_those_of_the_standard(both):
    accepted = [r for r in both if not r.crashed and not any("Error" in t for t in r.theirs)]
    assert len(accepted) > 25
    errors = {f.rule for r in accepted for f in r.ours if f.severity == "error"}
    assert errors == OF_THE_STANDARD


def test_objects_made_for_the_tests_are_accepted_by_dciodvfy(both):
    made = {r.name: r.theirs for r in both if r.name.startswith("generated ")}
    assert len(made) == len(KINDS)
    wrong = {name: [t for t in said if "Error" in t] for name, said in made.items()}
    assert not any(wrong.values()), wrong


def test_every_difference_is_explained_and_the_document_says_so(both):
    """The figures may be another version's; what rules and kinds differ may not."""
    told, now = (
        {line.split("|")[1] for line in text.splitlines() if line.startswith("| [")}
        for text in (TARGET.read_text(), compare(both))
    )
    assert len(told) > 10
    assert now == told
