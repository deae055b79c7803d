"""Every rule has files that break it and files that do not."""

from __future__ import annotations

import pytest

from pacs_cli.pipelines.files import Found
from pacs_cli.pipelines.validation.check import FileCheck
from pacs_cli.pipelines.validation.rules import RULES
from pacs_cli.pipelines.validation.run import Validation
from tests.validation.breaking import CASES, MORE, changed, ct_with, file
from tests.validation.objects import KINDS, ct


@pytest.fixture
def broken_rules(tmp_path):
    """Return the rules that some files break, validated together."""

    def check(contents):
        files = []
        for number, content in enumerate(contents):
            path = tmp_path / f"{number}.dcm"
            path.write_bytes(content)
            files.append(Found(str(path), len(content), is_named=True))
        return {f.rule for result in Validation().run(files) for f in result.findings}

    return check


def test_every_rule_has_files_that_break_it_and_files_that_do_not():
    assert set(CASES) == set(RULES)
    assert set(MORE) <= set(RULES)


@pytest.mark.parametrize("rule", CASES)
def test_rule_is_broken_where_it_is_and_only_there(rule, broken_rules):
    assert rule in broken_rules(CASES[rule].broken)
    assert rule not in broken_rules(CASES[rule].sound)


@pytest.mark.parametrize("rule", MORE)
def test_rule_is_broken_in_another_way_too(rule, broken_rules):
    assert rule in broken_rules(MORE[rule].broken)
    assert rule not in broken_rules(MORE[rule].sound)


@pytest.mark.parametrize("rule", CASES)
def test_sound_file_breaks_no_rule_at_all(rule, broken_rules):
    assert broken_rules(CASES[rule].sound) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_valid_object_has_no_finding(kind, broken_rules):
    assert broken_rules([file(KINDS[kind]())]) == set()


def test_valid_objects_of_one_study_have_no_finding_together(broken_rules):
    assert broken_rules([file(make()) for make in KINDS.values()]) == set()


def test_file_broken_in_two_ways_names_both(broken_rules):
    both = ct_with(StudyDate="20230229", Modality=None)
    assert broken_rules([both]) == {"value-date", "iod-type-1-missing"}


def test_file_broken_in_the_same_way_in_many_items_says_so_once(tmp_path):
    item = {"ReferencedSOPClassUID": "1.2.03", "ReferencedSOPInstanceUID": "1.2"}
    path = tmp_path / "a.dcm"
    path.write_bytes(file(changed(ct(), {"ReferencedStudySequence": [item] * 1000})))
    (finding,) = FileCheck().check(str(path)).findings
    assert (finding.rule, finding.times) == ("value-uid", 1000)
    assert finding.place == "(0008,1110)[1].(0008,1150)"


def test_findings_of_a_file_are_bounded(tmp_path):
    path = tmp_path / "a.dcm"
    many = {0x00291000 + number: ("LO", "a") for number in range(1000)}
    path.write_bytes(file({**ct(), **many}))
    assert len(FileCheck().check(str(path)).findings) == 100
