"""Whole, valid objects of the common kinds, made in code, with made-up names."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from pacs_cli.dicom.dictionary import tag_of, vr_at
from pacs_cli.dicom.part10 import file_meta
from tests.support import EXPLICIT

ROOT = "1.2.826.0.1.3680043.10.7"
STUDY, SERIES, FRAME = f"{ROOT}.1", f"{ROOT}.2", f"{ROOT}.3"

#: Keyword or tag -> value: text, numbers, bytes, or items; (VR, value) where it is not the usual.
Elements = dict[Any, Any]

_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FD": "d", "FL": "f", "AT": "L"}
_LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")


def encode(elements: Mapping[Any, Any]) -> bytes:
    """Return elements in Explicit VR Little Endian, in ascending order."""
    rows = [
        (tag_of(key) if isinstance(key, str) else key, value) for key, value in elements.items()
    ]
    return b"".join(_element(tag, value) for tag, value in sorted(rows, key=lambda row: row[0]))


def _element(tag: int, value: Any) -> bytes:
    vr = vr_at(tag).split(" or ")[0] or ("LO" if tag & 0xFF00 == 0 else "UN")
    if isinstance(value, tuple):
        vr, value = value
    return header(tag, vr, body := _body(vr, value)) + body


def header(tag: int, vr: str, body: bytes) -> bytes:
    """Return what goes before a value."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in _LONG:
        return head + struct.pack("<HL", 0, len(body))
    return head + struct.pack("<H", len(body))


def _body(vr: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if vr == "SQ":
        items = [encode(item) for item in value]
        return b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item for item in items)
    values = value if isinstance(value, list) else [value]
    if vr == "AT":
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in values)
    if vr in _NUMBERS:
        return struct.pack(f"<{len(values)}{_NUMBERS[vr]}", *values)
    text = "\\".join(map(str, values)).encode()
    return text + (b"\0" if vr == "UI" else b" ") * (len(text) % 2)


def fragments(*values: bytes, table: bytes = b"") -> bytes:
    """Return the pixel data element, encapsulated (PS3.5 A.4)."""
    items = b"".join(
        struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value for value in (table, *values)
    )
    head = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    return head + items + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def file(elements: Elements, syntax: str = EXPLICIT, tail: bytes = b"") -> bytes:
    """Return a whole file; `tail` stands behind the elements."""
    meta = file_meta(elements["SOPClassUID"], elements["SOPInstanceUID"], syntax)
    return meta + encode(elements) + tail


def common(sop_class: str, modality: str, uid: str) -> Elements:
    """What every object has: patient, study, series, equipment, SOP common."""
    return {
        "SOPClassUID": sop_class,
        "SOPInstanceUID": uid,
        "StudyDate": "20260102",
        "StudyTime": "101500",
        "AccessionNumber": "A1",
        "Modality": modality,
        "Manufacturer": "Nobody",
        "ReferringPhysicianName": "Doctor^Invented",
        "PatientName": "Made^Up",
        "PatientID": "TEST-1",
        "PatientBirthDate": "19700101",
        "PatientSex": "O",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES + sop_class.removeprefix("1.2.840.10008.5.1.4.1.1"),
        "StudyID": "1",
        "SeriesNumber": "1",
        "InstanceNumber": "1",
    }


def pixels(bits: int = 16, samples: int = 1, size: int = 8) -> Elements:
    """Return an image of some rows and columns of nothing."""
    color: Elements = {"PlanarConfiguration": 0} if samples > 1 else {}
    return {
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": "RGB" if samples > 1 else "MONOCHROME2",
        "Rows": size,
        "Columns": size,
        "BitsAllocated": bits,
        "BitsStored": 12 if bits == 16 else bits,
        "HighBit": 11 if bits == 16 else bits - 1,
        "PixelRepresentation": 0,
        **color,
        "PixelData": ("OW" if bits > 8 else "OB", bytes(size * size * samples * bits // 8)),
    }


def code(value: str, scheme: str, meaning: str) -> Elements:
    """Return the item of a code."""
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}


_PLANE: Elements = {
    "FrameOfReferenceUID": FRAME,
    "PositionReferenceIndicator": "",
    "PatientPosition": "HFS",
    "SliceThickness": "1",
    "ImagePositionPatient": ["0", "0", "0"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "PixelSpacing": ["0.5", "0.5"],
}


def ct(uid: str = f"{ROOT}.9.1") -> Elements:
    """A CT image."""
    return {
        **common("1.2.840.10008.5.1.4.1.1.2", "CT", uid),
        **_PLANE,
        **pixels(),
        "Laterality": "L",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "KVP": "120",
        "AcquisitionNumber": "1",
        "RescaleIntercept": "-1024",
        "RescaleSlope": "1",
        "WindowCenter": "40",
        "WindowWidth": "400",
    }


def mr(uid: str = f"{ROOT}.9.2") -> Elements:
    """An MR image."""
    return {
        **common("1.2.840.10008.5.1.4.1.1.4", "MR", uid),
        **_PLANE,
        **pixels(),
        "Laterality": "L",
        "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
        "ScanningSequence": "SE",
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "EchoTime": "20",
        "EchoTrainLength": "1",
        "RepetitionTime": "500",
    }


def us(uid: str = f"{ROOT}.9.3") -> Elements:
    """An ultrasound image in colour."""
    return {
        **common("1.2.840.10008.5.1.4.1.1.6.1", "US", uid),
        **pixels(8, 3),
        "Laterality": "L",
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "PatientOrientation": "",
        "LossyImageCompression": "00",
    }


def mg(uid: str = f"{ROOT}.9.4") -> Elements:
    """A digital mammography image for presentation."""
    breast = code("76752008", "SCT", "Breast")
    view = code("399162004", "SCT", "cranio-caudal") | {"ViewModifierCodeSequence": []}
    return {
        **common("1.2.840.10008.5.1.4.1.1.1.2", "MG", uid),
        **pixels(),
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "ContentDate": "20260102",
        "ContentTime": "101500",
        "AcquisitionDate": "20260102",
        "AcquisitionTime": "101500",
        "PresentationIntentType": "FOR PRESENTATION",
        "PatientOrientation": ["P", "L"],
        "AnatomicRegionSequence": [breast],
        "ImageLaterality": "L",
        "PositionerType": "MAMMOGRAPHIC",
        "OrganExposed": "BREAST",
        "ViewCodeSequence": [view],
        "ImagerPixelSpacing": ["0.1", "0.1"],
        "DetectorType": "DIRECT",
        "DetectorConfiguration": "",
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": -1,
        "RescaleIntercept": "0",
        "RescaleSlope": "1",
        "RescaleType": "US",
        "PresentationLUTShape": "IDENTITY",
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "AcquisitionContextSequence": [],
        "BreastImplantPresent": "NO",
        "PartialView": "NO",
        "WindowCenter": "2048",
        "WindowWidth": "4096",
    }


def sr(uid: str = f"{ROOT}.9.5") -> Elements:
    """A basic text report."""
    return {
        **common("1.2.840.10008.5.1.4.1.1.88.11", "SR", uid),
        "ReferencedPerformedProcedureStepSequence": [],
        "PerformedProcedureCodeSequence": [],
        "ContentDate": "20260102",
        "ContentTime": "101500",
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED",
        "ValueType": "CONTAINER",
        "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": [code("18748-4", "LN", "Diagnostic imaging report")],
        "ContentSequence": [
            {
                "RelationshipType": "CONTAINS",
                "ValueType": "TEXT",
                "ConceptNameCodeSequence": [code("121071", "DCM", "Finding")],
                "TextValue": "Nothing was found.",
            }
        ],
    }


_EQUIPMENT: Elements = {
    "ManufacturerModelName": "None",
    "DeviceSerialNumber": "0",
    "SoftwareVersions": "0",
}


def _dimensions() -> Elements:
    organization = f"{ROOT}.8"
    index = {
        "DimensionOrganizationUID": organization,
        "DimensionIndexPointer": 0x00200032,
        "FunctionalGroupPointer": 0x00209113,
    }
    return {
        "DimensionOrganizationSequence": [{"DimensionOrganizationUID": organization}],
        "DimensionIndexSequence": [index],
    }


def _frames(count: int, more: Elements) -> list[Elements]:
    return [
        {
            "FrameContentSequence": [{"DimensionIndexValues": number + 1}],
            "PlanePositionSequence": [{"ImagePositionPatient": ["0", "0", str(number)]}],
            **more,
        }
        for number in range(count)
    ]


_GEOMETRY: Elements = {
    "PlaneOrientationSequence": [{"ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"]}],
    "PixelMeasuresSequence": [{"SliceThickness": "1", "PixelSpacing": ["1", "1"]}],
}


def seg(uid: str = f"{ROOT}.9.6") -> Elements:
    """A segmentation of two frames, one bit a pixel."""
    return {
        **common("1.2.840.10008.5.1.4.1.1.66.4", "SEG", uid),
        **_EQUIPMENT,
        **_dimensions(),
        **pixels(8),
        "FrameOfReferenceUID": FRAME,
        "PositionReferenceIndicator": "",
        "BitsAllocated": 1,
        "BitsStored": 1,
        "HighBit": 0,
        "ImageType": ["DERIVED", "PRIMARY"],
        "ContentDate": "20260102",
        "ContentTime": "101500",
        "ContentLabel": "SEG",
        "ContentDescription": "",
        "ContentCreatorName": "Made^Up",
        "LossyImageCompression": "00",
        "SegmentationType": "BINARY",
        "SegmentSequence": [
            {
                "SegmentNumber": 1,
                "SegmentLabel": "Organ",
                "SegmentAlgorithmType": "MANUAL",
                "SegmentedPropertyCategoryCodeSequence": [code("123037004", "SCT", "Anatomy")],
                "SegmentedPropertyTypeCodeSequence": [code("10200004", "SCT", "Liver")],
            }
        ],
        "NumberOfFrames": "2",
        "SharedFunctionalGroupsSequence": [
            {
                **_GEOMETRY,
                "SegmentIdentificationSequence": [{"ReferencedSegmentNumber": 1}],
                "DerivationImageSequence": [],
            }
        ],
        "PerFrameFunctionalGroupsSequence": _frames(2, {}),
        "PixelData": ("OB", bytes(16)),
    }


def rtstruct(uid: str = f"{ROOT}.9.7") -> Elements:
    """A structure set with one contour."""
    return {
        **common("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", uid),
        "OperatorsName": "",
        "FrameOfReferenceUID": FRAME,
        "PositionReferenceIndicator": "",
        "StructureSetLabel": "SET",
        "StructureSetDate": "20260102",
        "StructureSetTime": "101500",
        "StructureSetROISequence": [
            {
                "ROINumber": "1",
                "ReferencedFrameOfReferenceUID": FRAME,
                "ROIName": "Body",
                "ROIGenerationAlgorithm": "",
            }
        ],
        "ROIContourSequence": [
            {
                "ReferencedROINumber": "1",
                "ContourSequence": [
                    {
                        "ContourGeometricType": "POINT",
                        "NumberOfContourPoints": "1",
                        "ContourData": ["0", "0", "0"],
                    }
                ],
            }
        ],
        "RTROIObservationsSequence": [
            {
                "ObservationNumber": "1",
                "ReferencedROINumber": "1",
                "RTROIInterpretedType": "",
                "ROIInterpreter": "",
            }
        ],
        "ApprovalStatus": "UNAPPROVED",
    }


def rtplan(uid: str = f"{ROOT}.9.9") -> Elements:
    """A plan of one static beam."""
    jaws = [
        {"RTBeamLimitingDeviceType": kind, "LeafJawPositions": ["-50", "50"]} for kind in ("X", "Y")
    ]
    first = {
        "ControlPointIndex": "0",
        "CumulativeMetersetWeight": "0",
        "NominalBeamEnergy": "6",
        "BeamLimitingDevicePositionSequence": jaws,
        "GantryAngle": "0",
        "GantryRotationDirection": "NONE",
        "BeamLimitingDeviceAngle": "0",
        "BeamLimitingDeviceRotationDirection": "NONE",
        "PatientSupportAngle": "0",
        "PatientSupportRotationDirection": "NONE",
        "TableTopEccentricAngle": "0",
        "TableTopEccentricRotationDirection": "NONE",
        "TableTopVerticalPosition": "",
        "TableTopLongitudinalPosition": "",
        "TableTopLateralPosition": "",
        "IsocenterPosition": ["0", "0", "0"],
        "TableTopPitchAngle": 0.0,
        "TableTopPitchRotationDirection": "NONE",
        "TableTopRollAngle": 0.0,
        "TableTopRollRotationDirection": "NONE",
    }
    beam = {
        "BeamNumber": "1",
        "BeamName": "Front",
        "BeamType": "STATIC",
        "RadiationType": "PHOTON",
        "TreatmentMachineName": "",
        "SourceAxisDistance": "1000",
        "BeamLimitingDeviceSequence": [
            {"RTBeamLimitingDeviceType": kind, "NumberOfLeafJawPairs": "1"} for kind in ("X", "Y")
        ],
        "TreatmentDeliveryType": "TREATMENT",
        "NumberOfWedges": "0",
        "NumberOfCompensators": "0",
        "NumberOfBoli": "0",
        "NumberOfBlocks": "0",
        "FinalCumulativeMetersetWeight": "1",
        "NumberOfControlPoints": "2",
        "ControlPointSequence": [
            first,
            {"ControlPointIndex": "1", "CumulativeMetersetWeight": "1"},
        ],
    }
    return {
        **common("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN", uid),
        "OperatorsName": "",
        "FrameOfReferenceUID": FRAME,
        "PositionReferenceIndicator": "",
        "RTPlanLabel": "PLAN",
        "RTPlanDate": "20260102",
        "RTPlanTime": "101500",
        "RTPlanGeometry": "TREATMENT_DEVICE",
        "FractionGroupSequence": [
            {
                "FractionGroupNumber": "1",
                "NumberOfFractionsPlanned": "5",
                "NumberOfBeams": "1",
                "NumberOfBrachyApplicationSetups": "0",
                "ReferencedBeamSequence": [{"ReferencedBeamNumber": "1"}],
            }
        ],
        "BeamSequence": [beam],
        "ApprovalStatus": "UNAPPROVED",
    }


def rtdose(uid: str = f"{ROOT}.9.10") -> Elements:
    """A dose of two planes."""
    return {
        **common("1.2.840.10008.5.1.4.1.1.481.2", "RTDOSE", uid),
        **pixels(),
        "BitsStored": 16,
        "HighBit": 15,
        "OperatorsName": "",
        "ContentDate": "20260102",
        "ContentTime": "101500",
        "FrameOfReferenceUID": FRAME,
        "PositionReferenceIndicator": "",
        "SliceThickness": "",
        "ImagePositionPatient": ["0", "0", "0"],
        "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
        "PixelSpacing": ["2", "2"],
        "NumberOfFrames": "2",
        "FrameIncrementPointer": [0x3004000C],
        "GridFrameOffsetVector": ["0", "3"],
        "DoseUnits": "GY",
        "DoseType": "PHYSICAL",
        "DoseSummationType": "PLAN",
        "DoseGridScaling": "0.001",
        "ReferencedRTPlanSequence": [
            {
                "ReferencedSOPClassUID": "1.2.840.10008.5.1.4.1.1.481.5",
                "ReferencedSOPInstanceUID": f"{ROOT}.9.9",
            }
        ],
        "PixelData": ("OW", bytes(256)),
    }


def enhanced_ct(uid: str = f"{ROOT}.9.8") -> Elements:
    """An enhanced CT image of two frames."""
    frame_type = {
        "FrameType": ["DERIVED", "PRIMARY", "VOLUME", "NONE"],
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
    }
    value = {"RescaleIntercept": "0", "RescaleSlope": "1", "RescaleType": "HU"}
    content = {
        "FrameAcquisitionNumber": 1,
        "FrameReferenceDateTime": "20260102101500",
        "FrameAcquisitionDateTime": "20260102101500",
        "FrameAcquisitionDuration": 1.0,
    }
    frames = _frames(2, {})
    for frame in frames:
        frame["FrameContentSequence"][0] |= content
    return {
        **common("1.2.840.10008.5.1.4.1.1.2.1", "CT", uid),
        **_EQUIPMENT,
        **_dimensions(),
        **pixels(),
        "FrameOfReferenceUID": FRAME,
        "PositionReferenceIndicator": "",
        "PatientPosition": "HFS",
        "ImageType": ["DERIVED", "PRIMARY", "VOLUME", "NONE"],
        "AcquisitionDateTime": "20260102101500",
        "AcquisitionDuration": 1.0,
        "AcquisitionNumber": "1",
        "ContentDate": "20260102",
        "ContentTime": "101500",
        "ContentQualification": "RESEARCH",
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
        "PresentationLUTShape": "IDENTITY",
        "MultienergyCTAcquisition": "NO",
        "AcquisitionContextSequence": [],
        "NumberOfFrames": "2",
        "SharedFunctionalGroupsSequence": [
            {
                **_GEOMETRY,
                "CTImageFrameTypeSequence": [frame_type],
                "PixelValueTransformationSequence": [value],
                "IrradiationEventIdentificationSequence": [{"IrradiationEventUID": f"{ROOT}.7"}],
                "FrameAnatomySequence": [
                    {
                        "FrameLaterality": "U",
                        "AnatomicRegionSequence": [code("818981001", "SCT", "Abdomen")],
                    }
                ],
            }
        ],
        "PerFrameFunctionalGroupsSequence": frames,
        "PixelData": ("OW", bytes(256)),
    }


#: Each kind, by the name of its generator.
KINDS: dict[str, Callable[[], Elements]] = {
    each.__name__: each for each in (ct, mr, us, mg, sr, seg, rtstruct, rtplan, rtdose, enhanced_ct)
}
