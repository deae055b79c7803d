"""Enumerated values of PS3.3, of the attributes whose section is written beside them.

Only what the standard calls Enumerated Values: Defined Terms may be extended. `position` is the
value of several that is meant, None for each.
"""

from __future__ import annotations

from typing import NamedTuple

from pacs_cli.dicom.dictionary import tags_of_keywords

_TAG = tags_of_keywords()
_CT, _MR, _DOSE, _SEG = "ct-image", "mr-image", "rt-dose", "segmentation"


class Enumeration(NamedTuple):
    """The values that an attribute can have; `iod` is the one it is said for, "" for all."""

    source: str
    values: frozenset[str]
    position: int | None = None
    iod: str = ""


def _of(source: str, *values: str, at: int | None = None, iod: str = "") -> Enumeration:
    return Enumeration(source, frozenset(values), at, iod)


_YES_NO = ("YES", "NO")
_PRESENTATIONS = ("COLOR", "MONOCHROME", "MIXED", "TRUE_COLOR", "COLOR_RANGE", "COLOR_REF")

_ROWS: tuple[tuple[str, Enumeration], ...] = (
    ("PatientSex", _of("C.7.1.1", "M", "F", "O")),
    ("PatientIdentityRemoved", _of("C.7.1.1", *_YES_NO)),
    ("Laterality", _of("C.7.3.1", "R", "L")),
    ("ImageLaterality", _of("C.8.11.2, C.8.11.7", "R", "L", "U", "B")),
    ("FrameLaterality", _of("C.7.6.16.2.8", "R", "L", "U", "B")),
    ("ImageType", _of("C.7.6.1.1.2, C.8.16.1.1", "ORIGINAL", "DERIVED", "MIXED", at=0)),
    ("ImageType", _of("C.7.6.1.1.2", "PRIMARY", "SECONDARY", at=1)),
    ("BurnedInAnnotation", _of("C.7.6.1", *_YES_NO)),
    ("RecognizableVisualFeatures", _of("C.7.6.1", *_YES_NO)),
    ("LossyImageCompression", _of("C.7.6.1", "00", "01")),
    ("QualityControlImage", _of("C.7.6.1", *_YES_NO, "BOTH")),
    ("PresentationLUTShape", _of("C.11.4, C.11.6", "IDENTITY", "INVERSE", "LIN OD")),
    ("PixelRepresentation", _of("C.7.6.3.1", "0", "1")),
    ("PlanarConfiguration", _of("C.7.6.3.1.3", "0", "1")),
    ("LongitudinalTemporalInformationModified", _of("C.12.1", "UNMODIFIED", "MODIFIED", "REMOVED")),
    ("SamplesPerPixel", _of("C.8.2.1.1.2", "1", iod=_CT)),
    ("PhotometricInterpretation", _of("C.8.2.1.1.3", "MONOCHROME1", "MONOCHROME2", iod=_CT)),
    ("BitsAllocated", _of("C.8.2.1.1.4", "16", iod=_CT)),
    ("SamplesPerPixel", _of("C.8.3.1.1.2", "1", iod=_MR)),
    ("PhotometricInterpretation", _of("C.8.3.1.1.3", "MONOCHROME1", "MONOCHROME2", iod=_MR)),
    ("BitsAllocated", _of("C.8.3.1.1.4", "16", iod=_MR)),
    ("MRAcquisitionType", _of("C.8.3.1", "2D", "3D", iod=_MR)),
    ("PresentationIntentType", _of("C.8.11.1", "FOR PRESENTATION", "FOR PROCESSING")),
    ("PixelIntensityRelationshipSign", _of("C.8.11.3", "1", "-1")),
    ("VolumetricProperties", _of("C.8.16.2.1.2", "VOLUME", "SAMPLED", "DISTORTED", "MIXED")),
    ("PixelPresentation", _of("C.8.16.2.1.1", *_PRESENTATIONS)),
    ("SamplesPerPixel", _of("C.8.20.2", "1", iod=_SEG)),
    ("PixelRepresentation", _of("C.8.20.2", "0", iod=_SEG)),
    ("SegmentationType", _of("C.8.20.2", "BINARY", "FRACTIONAL", "LABELMAP")),
    ("SegmentationFractionalType", _of("C.8.20.2.3.2", "PROBABILITY", "OCCUPANCY")),
    ("SegmentAlgorithmType", _of("table C.8.20-4", "AUTOMATIC", "SEMIAUTOMATIC", "MANUAL")),
    ("BeamType", _of("C.8.8.14", "STATIC", "DYNAMIC")),
    ("SamplesPerPixel", _of("C.8.8.3.4.1", "1", iod=_DOSE)),
    ("PhotometricInterpretation", _of("C.8.8.3.4.2", "MONOCHROME2", iod=_DOSE)),
    ("BitsAllocated", _of("C.8.8.3.4.3", "16", "32", iod=_DOSE)),
    ("DoseUnits", _of("C.8.8.3", "GY", "RELATIVE")),
    ("ContinuityOfContent", _of("C.18.8", "SEPARATE", "CONTINUOUS")),
    ("CompletionFlag", _of("C.17.2", "PARTIAL", "COMPLETE")),
    ("VerificationFlag", _of("C.17.2", "UNVERIFIED", "VERIFIED")),
    ("OverlayType", _of("C.9.2", "G", "R")),
)


def _table() -> dict[int, list[Enumeration]]:
    table: dict[int, list[Enumeration]] = {}
    for keyword, row in _ROWS:
        # overlays are of a repeating group, which has no single tag
        table.setdefault(_TAG.get(keyword, 0x60000040), []).append(row)
    return table


ENUMERATED = _table()
