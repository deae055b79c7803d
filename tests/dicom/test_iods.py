from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, SecondaryCaptureImageStorage

from pacs_cli.dicom.iods import iod_names, iod_of, sop_classes

ROOT = Path(__file__).parent.parent.parent


def path(*keywords: str) -> tuple[int, ...]:
    tags = tuple(tag_for_keyword(keyword) for keyword in keywords)
    assert None not in tags
    return tags  # type: ignore[return-value]


def test_table_is_what_its_script_makes() -> None:
    check = [sys.executable, ROOT / "tools" / "make_iods.py", "--check"]
    assert subprocess.run(check, check=False).returncode == 0


@pytest.mark.parametrize(
    ("sop_class_uid", "keywords", "kind"),
    [
        (CTImageStorage, ["PatientName"], "2"),  # PS3.3 C.7.1.1
        (CTImageStorage, ["StudyInstanceUID"], "1"),  # PS3.3 C.7.2.1
        (CTImageStorage, ["SeriesDate"], "3"),  # PS3.3 C.7.3.1
        (CTImageStorage, ["ReferencedStudySequence", "ReferencedSOPInstanceUID"], "1"),
        (CTImageStorage, ["ModalitiesInStudy"], None),
        (SecondaryCaptureImageStorage, ["ConversionType"], "1"),  # PS3.3 C.8.6.1
        (EnhancedMRImageStorage, ["AcquisitionDateTime"], "1C"),
    ],
)
def test_type_is_that_of_ps3_3(sop_class_uid: str, keywords: list[str], kind: str | None) -> None:
    iod = iod_of(sop_class_uid)
    assert iod is not None
    assert iod.type_at(path(*keywords)) == kind


def test_strictest_of_two_modules_counts() -> None:
    iod = iod_of(CTImageStorage)
    assert iod is not None
    where = path("ImageType")
    assert {attribute.type for _, attribute in iod.attributes_at(where)} == {"1", "3"}
    assert iod.type_at(where) == "1"


def test_repeating_groups_are_known_by_their_first() -> None:
    iod = iod_of(SecondaryCaptureImageStorage)
    assert iod is not None
    assert iod.type_at((0x60003000,)) == iod.type_at((0x60223000,)) == "1"


def test_every_sop_class_has_an_iod_with_mandatory_modules() -> None:
    for sop_class_uid in sop_classes():
        iod = iod_of(sop_class_uid)
        assert iod is not None
        assert iod.name in iod_names()
        assert iod.mandatory


def test_unknown_sop_class_has_none() -> None:
    assert iod_of("1.2.3") is None
