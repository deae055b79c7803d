"""The enumerated values, against those of an independent validator."""

from __future__ import annotations

import re
import subprocess
from copy import deepcopy

import pytest

from pacs_cli.dicom.dictionary import keyword_at, name_at, vr_at
from pacs_cli.pipelines.validation.enumerated import ENUMERATED
from tests.peers import require
from tests.validation.objects import KINDS, file

OVERLAY_TYPE = 0x60000040
#: The object that an attribute is in, where that is not the CT.
KIND_OF = {
    "ImageLaterality": "mg",
    "FrameLaterality": "enhanced_ct",
    "PresentationIntentType": "mg",
    "PresentationLUTShape": "mg",
    "PixelIntensityRelationshipSign": "mg",
    "VolumetricProperties": "enhanced_ct",
    "PixelPresentation": "enhanced_ct",
    "SegmentationType": "seg",
    "SegmentAlgorithmType": "seg",
    "BeamType": "rtplan",
    "DoseUnits": "rtdose",
    "ContinuityOfContent": "sr",
    "CompletionFlag": "sr",
    "VerificationFlag": "sr",
    "PlanarConfiguration": "us",
    "MRAcquisitionType": "mr",
}
OF_IOD = {"ct-image": "ct", "mr-image": "mr", "rt-dose": "rtdose", "segmentation": "seg"}
#: Values that it does not take there: those of another IOD or of another one of its images, and
#: those that the standard got later.
NOT_THERE = {
    ("ImageLaterality", "U"),
    ("ImageType", "MIXED"),
    ("VolumetricProperties", "MIXED"),
    ("PixelPresentation", "MIXED"),
    ("PresentationLUTShape", "INVERSE"),
    ("PresentationLUTShape", "LIN OD"),
    ("PresentationIntentType", "FOR PROCESSING"),
    ("PixelPresentation", "COLOR_RANGE"),
    ("PixelPresentation", "COLOR_REF"),
    ("QualityControlImage", "BOTH"),
    ("SegmentationType", "LABELMAP"),
}
#: Only in a segmentation that is fractional, which ours is not.
UNTESTED = {"SegmentationFractionalType"}
ROWS = [
    pytest.param(tag, row, id=f"{keyword_at(tag)} {row.iod}")
    for tag, rows in ENUMERATED.items()
    for row in rows
    if keyword_at(tag) not in UNTESTED
]


def is_number(tag):
    return vr_at(tag).split(" ")[0] in ("US", "SS")


def put(elements, keyword, value):
    """Set an attribute wherever it is; False where it is nowhere."""
    if isinstance(elements, dict):
        if keyword in elements:
            elements[keyword] = value
            return True
        elements = [*elements.values()]
    if not isinstance(elements, list | tuple):
        return False
    found = [put(each, keyword, value) for each in elements]
    return any(found)


def with_value(tag, row, text):
    keyword = keyword_at(tag)
    elements = deepcopy(KINDS[OF_IOD.get(row.iod) or KIND_OF.get(keyword, "ct")]())
    value = int(text) if is_number(tag) else text
    if tag == OVERLAY_TYPE:
        plane = {0x60000010: ("US", 8), 0x60000011: ("US", 8), 0x60000050: ("SS", [1, 1])}
        plane |= {0x60000100: ("US", 1), 0x60000102: ("US", 0), 0x60003000: ("OW", bytes(8))}
        return elements | plane | {tag: ("CS", text)}
    if row.position is not None:
        value = [*elements[keyword]]
        value[row.position] = text
    if not put(elements, keyword, value):
        elements[keyword] = value
    return elements


@pytest.mark.interop
@pytest.mark.parametrize(("tag", "row"), ROWS)
def test_enumerated_values_are_those_of_dciodvfy(tag, row, tmp_path):
    verify = require("dciodvfy")
    wrong = "7" if is_number(tag) else "NONSENSE"
    refused = set()
    for text in {*row.values, wrong}:
        path = tmp_path / "a.dcm"
        path.write_bytes(file(with_value(tag, row, text)))
        done = subprocess.run(
            [verify, path], capture_output=True, encoding="latin-1", check=False, timeout=60
        )
        said = rf"Unrecognized enumerated value .* of attribute <{re.escape(name_at(tag))}>"
        if re.search(said, done.stderr):
            refused.add(text)
    assert wrong in refused
    assert {(keyword_at(tag), text) for text in refused - {wrong}} <= NOT_THERE
