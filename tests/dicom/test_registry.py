"""Names as PS3.6 and PS3.7 print them; lists beside pynetdicom's and pydicom's."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    AllTransferSyntaxes,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import AllStoragePresentationContexts, sop_class
from pynetdicom import status as tables

from pacs_cli.dicom import registry
from pacs_cli.dicom.registry import (
    is_storage_sop_class,
    non_storage_uids,
    sop_class_uids,
    status_meaning,
    storage_sop_classes,
    transfer_syntax_uid,
    transfer_syntaxes,
    uid_name,
)
from pacs_cli.errors import UsageError
from tests.samples import every_file


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
        ("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"),
        ("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression"),
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


def test_uids_no_store_carries_are_all_of_the_standard_but_storage() -> None:
    others = non_storage_uids()
    assert {"1.2.840.10008.1.1", "1.2.840.10008.1.2.1", "1.2.840.10008.1.20.1"} <= others
    assert {"1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.31"} <= others  # Q/R and worklist
    assert others.isdisjoint(storage_sop_classes())
    assert all(uid.startswith("1.2.840.10008.") for uid in others)


# PS3.6 table A-1, PS3.3 C.7.3.1.1.1
@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("CT", ["CT Image Storage", "Enhanced CT Image Storage",
                "Legacy Converted Enhanced CT Image Storage"]),
        ("mr", ["MR Image Storage", "Enhanced MR Image Storage", "MR Spectroscopy Storage",
                "Enhanced MR Color Image Storage", "Legacy Converted Enhanced MR Image Storage"]),
        ("PT", ["Positron Emission Tomography Image Storage",
                "Legacy Converted Enhanced PET Image Storage", "Enhanced PET Image Storage"]),
        ("US", ["Ultrasound Multi-frame Image Storage"] * 2 + ["Ultrasound Image Storage"] * 2
         + ["Enhanced US Volume Storage"]),
        ("RTPLAN", ["RT Plan Storage", "RT Ion Plan Storage"]),
        ("CTImageStorage", ["CT Image Storage"]),
        ("ctimagestorage", ["CT Image Storage"]),
        ("LabelMapSegmentationStorage", ["Label Map Segmentation Storage"]),
        ("HangingProtocolStorage", ["Hanging Protocol Storage"]),
        ("1.2.840.10008.5.1.4.1.1.4", ["MR Image Storage"]),
    ],
)  # fmt: skip
def test_name_means_these_sop_classes(name: str, classes: list[str]) -> None:
    assert [uid_name(uid) for uid in sop_class_uids(name)] == classes


def test_modality_covers_the_real_objects_of_that_modality() -> None:
    """All but secondary captures, which take the modality of what they show."""
    captures, seen = sop_class_uids("SC"), set()
    for path in every_file():
        try:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            modality, sop_class = dataset.Modality, dataset.SOPClassUID
        except (pydicom.errors.InvalidDicomError, AttributeError, UserWarning):
            continue
        if sop_class not in captures:
            assert sop_class in sop_class_uids(modality), path
            seen.add(modality)
    assert len(seen) > 8


@pytest.mark.parametrize("uid", sorted(storage_sop_classes()))
def test_keyword_of_pydicom_means_its_sop_class(uid: str) -> None:
    keyword = UID(uid).keyword or uid_name(uid).replace(" ", "")
    assert sop_class_uids(keyword) == (uid,)


@pytest.mark.parametrize("modality", registry._MODALITIES)
def test_every_modality_means_storage_sop_classes(modality: str) -> None:
    classes = sop_class_uids(modality)
    assert len(classes) == len({*classes})
    assert {*classes} <= storage_sop_classes()


@pytest.mark.parametrize("uid", ["1.2.3.4", "1.2.840.10008.5.1.4.1.1.9999", "1.02." + "3" * 59])
def test_uid_that_is_not_known_is_taken_as_it_is(uid: str) -> None:
    assert sop_class_uids(uid) == (uid,)
    assert transfer_syntax_uid(uid) == uid


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CTX", "unknown storage SOP class 'CTX'; did you mean CT?"),
        ("CTImageStorge", "'CTImageStorge'; did you mean CTImageStorage?"),
        ("labelmapsegmentation", "did you mean LabelMapSegmentationStorage?"),
        ("", "unknown storage SOP class ''"),
        ("Verification", "unknown storage SOP class 'Verification'"),
        ("1.2.840.10008.1.1", "1.2.840.10008.1.1 is Verification SOP Class, no storage SOP class"),
        (
            "1.2.840.10008.1.2",
            "1.2.840.10008.1.2 is Implicit VR Little Endian, no storage SOP class",
        ),
        ("1.2." + "3" * 61, "unknown storage SOP class"),
        ("1.2.3.", "unknown storage SOP class"),
        ("1.2.3\n", r"unknown storage SOP class '1.2.3\n'"),
    ],
)
def test_name_of_no_sop_class_is_refused_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        sop_class_uids(name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("implicit", ImplicitVRLittleEndian),
        ("Explicit", ExplicitVRLittleEndian),
        ("jpeg-lossless", JPEGLosslessSV1),
        ("jpeg-lossless-57", JPEGLossless),
        ("JPEGLossless", JPEGLossless),
        ("j2k", JPEG2000Lossless),
        ("j2k-lossy", JPEG2000),
        ("JPEG2000", JPEG2000),
        ("jpeg2000lossless", JPEG2000Lossless),
        ("htj2k", HTJ2KLossless),
        ("htj2k-lossy", HTJ2K),
        ("rle", RLELossless),
        ("jpegxl-recompress", "1.2.840.10008.1.2.4.111"),
        ("JPEGXLLossless", "1.2.840.10008.1.2.4.110"),
        ("1.2.840.10008.1.2.4.80", JPEGLSLossless),
        ("1.2.840.113619.5.2", "1.2.840.113619.5.2"),
    ],
)
def test_name_means_this_transfer_syntax(name: str, uid: str) -> None:
    assert transfer_syntax_uid(name) == uid


KEYWORDS = {uid: UID(uid).keyword for uid in transfer_syntaxes() if UID(uid).keyword}


@pytest.mark.parametrize("uid", KEYWORDS)
def test_keyword_of_pydicom_means_its_transfer_syntax_if_it_can_mean_no_other(uid: str) -> None:
    if KEYWORDS[uid] in ("HTJ2K", "JPEGXL"):
        with pytest.raises(UsageError, match="two things"):
            transfer_syntax_uid(KEYWORDS[uid])
    else:
        assert transfer_syntax_uid(KEYWORDS[uid]) == uid


def test_every_short_name_means_a_transfer_syntax_of_the_standard() -> None:
    named = {transfer_syntax_uid(name) for name in registry._SHORT_SYNTAXES}
    assert len(named) == len(registry._SHORT_SYNTAXES)
    assert named <= {*transfer_syntaxes()}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("jp2k", "unknown transfer syntax 'jp2k'; did you mean j2k?"),
        ("JPEG2000Losless", "did you mean JPEG2000Lossless?"),
        ("", "unknown transfer syntax ''"),
        ("CTImageStorage", "unknown transfer syntax 'CTImageStorage'"),
        ("1.2.840.10008.1.1", "is Verification SOP Class, no transfer syntax"),
        ("HTJ2K", "can be two things; write htj2k for High-Throughput JPEG 2000 Image Compression "
         "(Lossless Only) or htj2k-lossy for High-Throughput JPEG 2000 Image Compression"),
        ("JPEGXL", "write jpegxl for JPEG XL Lossless or jpegxl-lossy for JPEG XL"),
    ],
)  # fmt: skip
def test_name_of_no_transfer_syntax_is_refused_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        transfer_syntax_uid(name)
    assert message in str(caught.value)


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
