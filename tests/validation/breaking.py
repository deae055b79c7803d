"""One file that breaks each rule, and the nearest one that does not: made in code."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from pacs_cli.dicom.part10 import file_meta
from tests.support import EXPLICIT, IMPLICIT
from tests.validation.objects import (
    ROOT,
    STUDY,
    Elements,
    code,
    ct,
    encode,
    enhanced_ct,
    file,
    fragments,
    header,
    mr,
    pixels,
    us,
)

JPEG, JPEG_LS, J2K = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 80, 90))
RLE, DEFLATED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99"


class Case(NamedTuple):
    """The contents of the files that break a rule together, and of those that do not."""

    broken: list[bytes]
    sound: list[bytes]


def ct_with(**changes: Any) -> bytes:
    """A CT image with some elements changed, by keyword; None takes one away."""
    return file(changed(ct(), changes))


def changed(elements: Elements, changes: dict[Any, Any]) -> Elements:
    """Return elements with some of them others."""
    merged = {**elements, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def pair(sound: Any = None, /, **broken: Any) -> Case:
    """A CT image with wrong elements, and with `sound` instead of them."""
    return Case([ct_with(**broken)], [ct_with(**(sound or {}))])


def raw(tag: int, vr: str, value: bytes) -> bytes:
    """An element with any VR, tag and value."""
    return header(tag, vr, value) + value


def before_pixels(extra: bytes) -> bytes:
    """A CT image with bytes put before its pixel data."""
    elements = ct()
    tail = encode({"PixelData": elements.pop("PixelData")})
    return file(elements, tail=extra + tail)


def meta_changed(old: bytes, new: bytes) -> bytes:
    """A CT image with other bytes in its file meta, the group length kept right."""
    whole = file(ct())
    assert whole.count(old) >= 1, old
    content = whole.replace(old, new, 1)
    (length,) = struct.unpack_from("<L", content, 140)
    return content[:140] + struct.pack("<L", length + len(new) - len(old)) + content[144:]


# -- compressed frames ---------------------------------------------------------------------------


def jpeg(rows: int = 8, columns: int = 8, marker: int = 0xC0, end: bytes = b"\xff\xd9") -> bytes:
    """What a JPEG frame looks like from outside (T.81 B.2)."""
    frame = struct.pack(">HBHHB3B", 11, 8, rows, columns, 1, 1, 0x11, 0)
    scan = struct.pack(">HB2B3B", 8, 1, 1, 0, 0, 63, 0)
    return b"\xff\xd8\xff" + bytes([marker]) + frame + b"\xff\xda" + scan + bytes(5) + end


def encapsulated(*frames: bytes, table: bytes = b"", syntax: str = JPEG, **more: Any) -> bytes:
    """An ultrasound image of these frames, in one sample of 8 bits."""
    elements = changed(us(), {**pixels(8), "PlanarConfiguration": None, "PixelData": None})
    elements = changed(elements, {"LossyImageCompression": "01", **more})
    many = {"NumberOfFrames": str(len(frames)), "FrameTime": "40"} if len(frames) > 1 else {}
    many = {**many, "FrameIncrementPointer": 0x00181063} if many else {}
    return file({**many, **elements}, syntax, fragments(*frames, table=table))


def even(data: bytes) -> bytes:
    """Return a fragment padded."""
    return data + bytes(len(data) % 2)


FRAME = even(jpeg())
SECOND = struct.pack("<LL", 0, len(FRAME) + 8)


def extended(offsets: tuple[int, ...], lengths: tuple[int, ...]) -> dict[str, Any]:
    """Return the elements of an extended offset table."""
    return {
        "ExtendedOffsetTable": struct.pack(f"<{len(offsets)}Q", *offsets),
        "ExtendedOffsetTableLengths": struct.pack(f"<{len(lengths)}Q", *lengths),
    }


# -- functional groups, studies ------------------------------------------------------------------


def groups(change: Callable[[list[Elements], list[Elements]], object]) -> Case:
    """An enhanced CT image with changed functional groups."""
    elements = enhanced_ct()
    change(elements["SharedFunctionalGroupsSequence"], elements["PerFrameFunctionalGroupsSequence"])
    return Case([file(elements)], [file(enhanced_ct())])


def two(**changes: Any) -> Case:
    """Two CT images of one series, the second with changed elements."""
    first, second = ct(), ct(f"{ROOT}.9.11")
    return Case([file(first), file(changed(second, changes))], [file(first), file(second)])


def referring(uid: str) -> list[bytes]:
    """Two CT images, the first referring to an instance of its series."""
    item = {"ReferencedSOPClassUID": ct()["SOPClassUID"], "ReferencedSOPInstanceUID": uid}
    series = {
        "SeriesInstanceUID": ct()["SeriesInstanceUID"],
        "ReferencedInstanceSequence": [item],
    }
    first = changed(ct(), {"ReferencedSeriesSequence": [series]})
    return [file(first), file(ct(f"{ROOT}.9.11"))]


def palette(length: int) -> bytes:
    """A palette image with data of that length for 256 entries of 16 bits."""
    elements = changed(us(), {**pixels(8), "PlanarConfiguration": None})
    elements["PhotometricInterpretation"] = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = ("US", [256, 0, 16])
        elements[f"{colour}PaletteColorLookupTableData"] = ("OW", bytes(length))
    return file(elements)


def _implicit(elements: Elements) -> bytes:
    """Return a few elements of text in Implicit VR."""
    return b"".join(
        struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value
        for tag, value in sorted(elements.items())
    )


SOUND = file(ct())
META = file_meta(ct()["SOPClassUID"], ct()["SOPInstanceUID"], EXPLICIT)
BODY = encode(ct())
UID = ct()["SOPInstanceUID"].encode()
_DEEP = b"".join(
    struct.pack("<HH2sHLHHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    for _ in range(100)
)
_VERSION = raw(0x00020001, "OB", b"\0\1")
_MANY_COMPONENTS = "A^B^C^D^E^F"
_PRIVATE = raw(0x00290010, "LO", b"MADE UP ") + raw(0x00291001, "LO", b"a ")
_HIDDEN = struct.pack("<HH2sHL", 0x0008, 0x1140, b"UN", 0, 0xFFFFFFFF) + struct.pack(
    "<HHL", 0xFFFE, 0xE0DD, 0
)


def _sequence_first(content: bytes) -> bytes:
    """A CT whose data set is cut behind its SOP class, and goes on with these bytes."""
    start = {key: ct()[key] for key in ("SOPClassUID", "SOPInstanceUID")}
    return META + encode(start) + content


def record(kind: str, **keys: Any) -> Elements:
    """A directory record of a type; None takes a key away."""
    usual: Elements = {
        "OffsetOfTheNextDirectoryRecord": 0,
        "RecordInUseFlag": 0xFFFF,
        "OffsetOfReferencedLowerLevelDirectoryEntity": 0,
        "DirectoryRecordType": kind,
    }
    return changed(usual, keys)


IMAGE_KEYS: Elements = {
    "ReferencedFileID": ["IMAGES", "1"],
    "ReferencedSOPClassUIDInFile": "1.2.840.10008.5.1.4.1.1.2",
    "ReferencedSOPInstanceUIDInFile": f"{ROOT}.9.1",
    "ReferencedTransferSyntaxUIDInFile": EXPLICIT,
    "InstanceNumber": "1",
}
STUDY_KEYS: Elements = {
    "StudyDate": "20260102",
    "StudyTime": "101500",
    "StudyID": "1",
    "StudyDescription": "",
    "AccessionNumber": "",
    "StudyInstanceUID": STUDY,
}


def dicomdir(*records: Elements, **module: Any) -> bytes:
    """A DICOMDIR of some records, whose offsets lead nowhere."""
    usual: Elements = {
        "FileSetID": "SET",
        "OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity": 1,
        "OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity": 1,
        "FileSetConsistencyFlag": 0,
        "DirectoryRecordSequence": [*records],
    }
    meta = file_meta("1.2.840.10008.1.3.10", f"{ROOT}.8", EXPLICIT)
    return meta + encode(changed(usual, module))


DIRECTORY = dicomdir(
    record("PATIENT", PatientID="TEST-1", PatientName=""),
    record("STUDY", **STUDY_KEYS),
    record("SERIES", Modality="CT", SeriesInstanceUID=f"{ROOT}.2", SeriesNumber="1"),
    record("IMAGE", **IMAGE_KEYS),
    record("PRIVATE", PrivateRecordUID=f"{ROOT}.4"),
    # gone, and so of no type
    {"OffsetOfTheNextDirectoryRecord": 0, "RecordInUseFlag": 0},
)

CASES: dict[str, Case] = {
    "part10-not-dicom": Case([b"no image at all, but long enough" * 20], [SOUND]),
    "part10-unreadable": Case([b""], [SOUND]),
    "part10-prefix": Case([BODY], [SOUND]),
    "part10-meta-encoding": Case(
        [bytes(128) + b"DICM" + _implicit({0x00020010: b"1.2.840.10008.1.2.1\0"}) + BODY], [SOUND]
    ),
    "part10-group-length": Case([SOUND[:140] + b"\0\0\0\0" + SOUND[144:]], [SOUND]),
    "part10-meta-missing": Case([meta_changed(_VERSION, b"")], [SOUND]),
    "part10-meta-version": Case([meta_changed(_VERSION, raw(0x00020001, "OB", b"\1\0"))], [SOUND]),
    "part10-meta-mismatch": Case([META + encode(ct(f"{ROOT}.9.9"))], [SOUND]),
    "part10-transfer-syntax": Case([file(ct(), "1.2.3.4.5")], [SOUND]),
    "data-truncated": Case([SOUND[:-20]], [SOUND]),
    "data-malformed": Case([SOUND + struct.pack("<HHL", 0xFFFE, 0xE000, 0)], [SOUND]),
    "data-limit": Case([_sequence_first(_DEEP)], [SOUND]),
    "data-encoding": Case([file(ct(), IMPLICIT)], [SOUND]),
    "element-order": Case([SOUND + raw(0x00200013, "IS", b"1 ")], [SOUND]),
    "element-duplicate": Case([SOUND + encode({"PixelData": ct()["PixelData"]})], [SOUND]),
    "element-odd-length": pair({"StationName": b"ODD "}, StationName=b"ODD"),
    "element-vr": pair({"StationName": ("SH", "A")}, StationName=("LO", "A")),
    "element-vr-unknown": Case([before_pixels(raw(0x00290010, "ZZ", b"ab"))], [SOUND]),
    "element-vr-un": pair({"StationName": ("SH", "A")}, StationName=("UN", b"A ")),
    "element-vr-missing": Case(
        [before_pixels(_implicit({0x00324000: b"text"}))],
        [before_pixels(raw(0x00324000, "LT", b"text"))],
    ),
    "element-vm": pair(PixelSpacing=["1", "1", "1"]),
    "element-unknown": Case([before_pixels(raw(0x00300001, "LO", b"a "))], [SOUND]),
    "element-group": Case([file(ct(), tail=raw(0x00060010, "LO", b"a "))], [SOUND]),
    "element-group-length": Case([before_pixels(raw(0x00300000, "UL", bytes(4)))], [SOUND]),
    "private-creator-missing": Case([before_pixels(_PRIVATE[16:])], [before_pixels(_PRIVATE)]),
    "private-creator-empty": Case(
        [before_pixels(raw(0x00290010, "LO", b""))], [before_pixels(_PRIVATE)]
    ),
    "private-group": Case([file({0x00050010: ("LO", "A"), **ct()})], [before_pixels(_PRIVATE)]),
    "sequence-vr": Case([_sequence_first(_HIDDEN)], [SOUND]),
    "value-length": pair({"StationName": "A" * 16}, StationName="A" * 18),
    "value-size": pair({"Rows": 8}, Rows=("US", b"\x08\0\0")),
    "value-characters": pair({"BodyPartExamined": "HEAD"}, BodyPartExamined="head"),
    "value-number": pair({"KVP": "1.2E2"}, KVP="120 kV"),
    "value-date": pair({"StudyDate": "20240229"}, StudyDate="20230229"),
    "value-time": pair({"StudyTime": "235960.5"}, StudyTime="24:00"),
    "value-datetime": pair(
        {"AcquisitionDateTime": "20260102101500.5+0100"}, AcquisitionDateTime="20261302"
    ),
    "value-age": pair({"PatientAge": "045Y"}, PatientAge="45 Y"),
    "value-uid": pair(FrameOfReferenceUID="1.2.03"),
    "value-padding": pair({"StationName": "A"}, StationName=b"A\0"),
    "value-name": pair({"OperatorsName": "A^B^C^D^E"}, OperatorsName=_MANY_COMPONENTS),
    "charset-unknown": pair({"SpecificCharacterSet": "ISO_IR 192"}, SpecificCharacterSet="UTF-8"),
    "charset-undeclared": pair(
        {"SpecificCharacterSet": "ISO_IR 192", "OperatorsName": "J\u00e4ger"},
        OperatorsName="J\u00e4ger",
    ),
    "charset-undecodable": pair(
        {"SpecificCharacterSet": "ISO_IR 100", "OperatorsName": b"J\xe4ger "},
        SpecificCharacterSet="ISO_IR 192",
        OperatorsName=b"J\xe4ger ",
    ),
    "iod-no-sop-class": Case([META + encode(changed(ct(), {"SOPClassUID": None}))], [SOUND]),
    "iod-unknown-sop-class": Case([ct_with(SOPClassUID="1.2.3")], [SOUND]),
    "iod-module-missing": pair(
        **dict.fromkeys(("PatientName", "PatientID", "PatientBirthDate", "PatientSex"))
    ),
    "iod-type-1-missing": pair(Modality=None),
    "iod-type-1-empty": pair(Modality=""),
    "iod-type-2-missing": pair({"AccessionNumber": ""}, AccessionNumber=None),
    "iod-type-1c-missing": pair(
        {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "BY HAND"},
        PatientIdentityRemoved="YES",
    ),
    "iod-type-2c-missing": pair({"PatientPosition": ""}, PatientPosition=None),
    "iod-enumerated-value": pair({"PatientSex": "F"}, PatientSex="X"),
    "iod-optional-module": pair(ContainerIdentifier="1"),
    "image-bits": pair({"BitsStored": 16, "HighBit": 15}, BitsStored=16),
    "image-samples": pair(PhotometricInterpretation="RGB"),
    "image-size": pair(Rows=0),
    "image-palette": Case([palette(500)], [palette(512)]),
    "image-orientation": pair(
        {"ImageOrientationPatient": ["0.6", "0.8", "0", "-0.8", "0.6", "0"]},
        ImageOrientationPatient=["1", "0", "0", "1", "0", "0"],
    ),
    "image-spacing": pair(PixelSpacing=["0", "1"]),
    "image-window": pair({"WindowWidth": "1"}, WindowWidth="0.5"),
    "image-photometric": pair(PhotometricInterpretation="YBR_ICT", SamplesPerPixel=3),
    "pixels-length": pair(PixelData=("OW", bytes(126))),
    "pixels-vr": pair(PixelData=("OB", bytes(128))),
    "pixels-encapsulation": Case([encapsulated(FRAME, syntax=EXPLICIT)], [encapsulated(FRAME)]),
    "pixels-fragments": Case(
        [encapsulated(FRAME, NumberOfFrames="2")], [encapsulated(FRAME, FRAME)]
    ),
    "pixels-offset-table": Case(
        [encapsulated(FRAME, FRAME, table=struct.pack("<LL", 0, 9))],
        [encapsulated(FRAME, FRAME, table=SECOND)],
    ),
    "pixels-extended-offset-table": Case(
        [encapsulated(FRAME, FRAME, **extended((0, 9), (len(FRAME), len(FRAME))))],
        [encapsulated(FRAME, FRAME, **extended((0, len(FRAME) + 8), (len(FRAME), len(FRAME))))],
    ),
    "pixels-codestream": Case([encapsulated(FRAME, syntax=J2K)], [encapsulated(FRAME)]),
    "pixels-codestream-end": Case([encapsulated(even(jpeg(end=b"\1\2")))], [encapsulated(FRAME)]),
    "pixels-codestream-size": Case([encapsulated(even(jpeg(rows=16)))], [encapsulated(FRAME)]),
    "frames-count": groups(lambda _, frames: frames.pop()),
    "frames-macro-missing": groups(lambda _, frames: frames[1].pop("PlanePositionSequence")),
    "frames-macro-twice": groups(
        lambda shared, frames: [
            each.update(PixelMeasuresSequence=shared[0]["PixelMeasuresSequence"]) for each in frames
        ]
    ),
    "frames-dimension": groups(
        lambda _, frames: frames[1]["FrameContentSequence"][0].update(DimensionIndexValues=[1, 2])
    ),
    "directory-module": Case([dicomdir(FileSetID=None)], [DIRECTORY]),
    "directory-record": Case(
        [dicomdir(record("IMAGE", **{**IMAGE_KEYS, "ReferencedSOPClassUIDInFile": None}))],
        [DIRECTORY],
    ),
    "directory-record-type": Case([dicomdir(record("SLICE"))], [DIRECTORY]),
    "directory-record-key": Case(
        [dicomdir(record("STUDY", **{**STUDY_KEYS, "StudyInstanceUID": None}))], [DIRECTORY]
    ),
    "study-patient": two(PatientID="TEST-2"),
    "series-study": two(StudyInstanceUID=f"{STUDY}.1"),
    "series-modality": two(Modality="MR"),
    "series-frame-of-reference": two(FrameOfReferenceUID=f"{ROOT}.77"),
    "instance-duplicate": two(SOPInstanceUID=ct()["SOPInstanceUID"]),
    "reference-missing": Case(referring(f"{ROOT}.9.12"), referring(f"{ROOT}.9.11")),
}

#: Other ways to break a rule, and what must not be taken for one.
MORE: dict[str, Case] = {
    "directory-module": Case([dicomdir(FileSetConsistencyFlag=b"")], [DIRECTORY]),
    "directory-record": Case(
        [dicomdir(record("PRIVATE", DirectoryRecordType=""))], [dicomdir(record("PRIVATE"))]
    ),
    "directory-record-key": Case(
        [dicomdir(record("SERIES", Modality="", SeriesInstanceUID="1.2", SeriesNumber="1"))],
        [dicomdir(record("RAW DATA", ContentDate="20260102", ContentTime="10", InstanceNumber=""))],
    ),
    "iod-type-1c-missing": Case(
        [file(changed(us(), {"AnatomicRegionSequence": [{"CodeMeaning": "a"}]}))],
        [file(changed(us(), {"AnatomicRegionSequence": [code("1", "SCT", "a")]}))],
    ),
    "iod-type-2c-missing": Case(
        [file(changed(mr(), {"ScanningSequence": "IR"}))],
        [file(changed(mr(), {"ScanningSequence": "IR", "InversionTime": ""}))],
    ),
    "frames-macro-missing": groups(
        lambda shared, frames: shared[0].update(
            FrameContentSequence=[each.pop("FrameContentSequence")[0] for each in frames][:1]
        )
    ),
    "pixels-fragments": Case([encapsulated(FRAME, b"", NumberOfFrames="2")], [encapsulated(FRAME)]),
    "pixels-encapsulation": Case([file(us(), JPEG)], [file(us())]),
    "pixels-codestream": Case([encapsulated(even(jpeg(marker=0xC3)))], [encapsulated(FRAME)]),
    "value-padding": pair(FrameOfReferenceUID=b"1.2.3.4 "),
    "image-window": pair(WindowWidth=["400", "80"]),
    "image-size": Case([file(changed(us(), {"NumberOfFrames": "0"}))], [file(us())]),
    "frames-count": groups(lambda shared, _: shared.append(shared[0])),
}
