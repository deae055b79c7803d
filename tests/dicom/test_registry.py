"""Names as PS3.6 and PS3.7 print them; lists beside pynetdicom's and pydicom's."""

from __future__ import annotations

import pytest
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AllStoragePresentationContexts, sop_class
from pynetdicom import status as tables

from pacs_cli.dicom.registry import (
    is_storage_sop_class,
    status_meaning,
    storage_sop_classes,
    transfer_syntaxes,
    uid_name,
)


# PS3.6 table A-1
@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.840.10008.1.1", "Verification SOP Class"),
        ("1.2.840.10008.1.2", "Implicit VR Little Endian"),
        ("1.2.840.10008.1.2.4.70", "JPEG Lossless, Non-Hierarchical, First-Order Prediction "
         "(Process 14 [Selection Value 1])"),
        ("1.2.840.10008.3.1.1.1", "DICOM Application Context Name"),
        ("1.2.840.10008.5.1.4.1.1.2", "CT Image Storage"),
        ("1.2.840.10008.5.1.4.1.1.66.7", "Label Map Segmentation Storage"),
        ("1.2.840.10008.5.1.4.1.2.2.1", "Study Root Query/Retrieve Information Model - FIND"),
        ("1.2.840.113619.5.2", "GE Private Implicit VR Big Endian"),
        ("1.2.3.4", "1.2.3.4"),
        ("", ""),
    ],
)  # fmt: skip
def test_uid_has_the_name_of_the_standard(uid: str, name: str) -> None:
    assert uid_name(uid) == name


def test_every_storage_sop_class_of_pynetdicom_is_one() -> None:
    theirs = {*sop_class._STORAGE_CLASSES.values()}
    theirs |= {str(each.abstract_syntax) for each in AllStoragePresentationContexts}
    assert len(theirs) > 150
    assert theirs <= storage_sop_classes()
    assert all(map(is_storage_sop_class, theirs))


def test_storage_sop_classes_beyond_pynetdicoms_are_named_so() -> None:
    """The retired ones (PS3.6 A), and those that belong to no patient (PS3.4 GG)."""
    beyond = storage_sop_classes() - {*sop_class._STORAGE_CLASSES.values()}
    assert {uid for uid in beyond if "Storage" not in uid_name(uid)} == set()
    retired, hanging_protocol = "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.38.1"
    assert {retired, hanging_protocol} <= beyond


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.1.1",  # Verification
        "1.2.840.10008.1.3.10",  # Media Storage Directory Storage: a DICOMDIR
        "1.2.840.10008.1.20.1",  # Storage Commitment Push Model
        "1.2.840.10008.4.2",  # Storage Service Class
        "1.2.840.10008.5.1.4.1.2.2.2",  # Study Root Query/Retrieve - MOVE
        "1.2.840.10008.1.2.1",  # a transfer syntax
        "1.2.3.4",
        "",
    ],
)
def test_other_uid_is_no_storage_sop_class(uid: str) -> None:
    assert not is_storage_sop_class(uid)


def test_transfer_syntaxes_are_pydicoms_and_ges_with_the_uncompressed_ones_first() -> None:
    ours = transfer_syntaxes()
    assert ours[:3] == ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2")
    assert len(ours) == len(set(ours))
    assert {*AllTransferSyntaxes, "1.2.840.113619.5.2"} <= {*ours}
    assert not [uid for uid in ours if uid_name(uid) == uid]


# PS3.7 C, PS3.4 B.2.3, C.4.1.1.4, C.4.2.1.5
@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (0x0000, "Success"),
        (0x0122, "Failure: Refused: SOP Class Not Supported"),
        (0x0211, "Failure: Unrecognised Operation"),
        (0xA700, "Failure: Refused: Out of Resources"),
        (0xA7FF, "Failure: Refused: Out of Resources"),
        (0xA801, "Failure: Move destination unknown"),
        (0xA900, "Failure: Data Set Does Not Match SOP Class"),
        (0xB000, "Warning: Coercion of Data Elements"),
        (0xB006, "Warning: Element Discarded"),
        (0xB007, "Warning: Data Set Does Not Match SOP Class"),
        (0xC000, "Failure: Cannot Understand"),
        (0xCFFF, "Failure: Cannot Understand"),
        (0xFE00, "Cancel"),
        (0xFF00, "Pending: Matches are continuing, current match supplied"),
        (0x0001, "unknown status 0001"),
        (0xFFFF, "unknown status FFFF"),
    ],
)
def test_status_has_the_meaning_of_the_standard(status: int, meaning: str) -> None:
    assert status_meaning(status) == meaning


def test_every_status_of_c_store_means_what_pynetdicom_says() -> None:
    for status, (category, meaning) in tables.STORAGE_SERVICE_CLASS_STATUS.items():
        assert status_meaning(status) == (f"{category}: {meaning}" if meaning else category)
