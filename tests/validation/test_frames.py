"""Functional groups that an IOD demands, against an independent validator."""

from __future__ import annotations

import subprocess
from copy import deepcopy

import pytest

from pacs_cli.dicom.dictionary import keyword_at
from pacs_cli.dicom.iods import iod_of, sop_classes
from pacs_cli.pipelines.validation.check import FileCheck
from pacs_cli.pipelines.validation.frames import _MANDATORY, mandatory
from pacs_cli.pipelines.validation.plans import FRAME_GROUPS, SHARED_GROUPS
from tests.peers import require
from tests.validation.objects import KINDS, file


def without(kind, keyword):
    elements = deepcopy(KINDS[kind]())
    groups = [
        *elements["SharedFunctionalGroupsSequence"],
        *elements["PerFrameFunctionalGroupsSequence"],
    ]
    assert [each.pop(keyword) for each in groups if keyword in each]
    return elements


@pytest.mark.interop
@pytest.mark.parametrize(
    ("kind", "keyword"),
    [
        (kind, keyword_at(tag))
        for kind, iod in (("enhanced_ct", "enhanced-ct-image"), ("seg", "segmentation"))
        for tag in mandatory(iod)
    ],
)
def test_mandatory_group_that_is_nowhere_is_told_as_dciodvfy_does(kind, keyword, tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(file(without(kind, keyword)))
    findings = FileCheck().check(str(path)).findings
    assert [(each.rule, each.keyword) for each in findings] == [("frames-macro-missing", keyword)]
    done = subprocess.run(
        [require("dciodvfy"), path], capture_output=True, encoding="latin-1", check=False
    )
    assert "Error" in done.stderr
    assert keyword in done.stderr


def test_label_map_has_no_segment_for_each_frame(tmp_path):
    elements = without("seg", "SegmentIdentificationSequence") | {"SegmentationType": "LABELMAP"}
    path = tmp_path / "a.dcm"
    path.write_bytes(file(elements))
    assert FileCheck().check(str(path)).findings == []


def test_every_mandatory_group_is_one_of_its_iod():
    uids = {name: uid for uid, name in sop_classes().items()}
    for name in _MANDATORY:
        iod = iod_of(uids[name])
        for tag in mandatory(name):
            assert any(iod.type_at((group, tag)) for group in (SHARED_GROUPS, FRAME_GROUPS)), tag
