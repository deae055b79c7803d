"""Directory records: pydicom's tables are the oracle."""

from __future__ import annotations

import pydicom.fileset
import pytest

from pacs_cli.dicom.records import record_type
from pacs_cli.dicom.registry import storage_sop_classes
from tests.support import CT


@pytest.mark.parametrize(("uid", "kind"), pydicom.fileset._FOUR_LEVEL_SOP_CLASSES.items(), ids=str)
def test_type_below_a_series_is_that_of_pydicom(uid, kind):
    assert record_type(uid) == (kind, False)


@pytest.mark.parametrize(
    ("uid", "kind"), pydicom.fileset._SINGLE_LEVEL_SOP_CLASSES.items(), ids=str
)
def test_type_at_the_root_is_that_of_pydicom(uid, kind):
    assert record_type(uid) == (kind, True)


def test_others_are_images():
    assert record_type(CT) == ("IMAGE", False)
    # no storage class of the standard, though it ends like one
    assert record_type("1.2.3.88") == ("IMAGE", False)


def test_every_type_has_its_keys():
    kinds = {record_type(uid)[0] for uid in storage_sop_classes()}
    assert kinds <= set(pydicom.fileset.DIRECTORY_RECORDERS)
