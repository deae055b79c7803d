"""Conditions of PS3.3 that can be evaluated from the file: when a 1C or 2C attribute must be there.

Each row has the section of PS3.3 that it is from. What depends on more than the data set (whether
a patient was an animal, images are related in time) is not here, and never reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pacs_cli.dicom.dictionary import tags_of_keywords
from pacs_cli.pipelines.validation.levels import Level

_TAG = tags_of_keywords()


class Condition(NamedTuple):
    """An attribute, and when it must be there.

    holds  whether it must, of the data set or item and the whole data set's SOP class
    """

    tag: int
    source: str
    when: str
    holds: Callable[[Level], bool]


def _text(keyword: str, *values: str) -> Callable[[Level], bool]:
    tag = _TAG[keyword]
    return lambda level: level.text(tag) in values


def _valued(*keywords: str) -> Callable[[Level], bool]:
    tags = [_TAG[each] for each in keywords]
    return lambda level: any(level.has_value(tag) for tag in tags)


def _row(
    keyword: str, source: str, when: str, holds: Callable[[Level], bool], *instead: str
) -> Condition:
    """Return a condition; any of `instead` being there does as well."""
    others = [_TAG[each] for each in instead]
    return Condition(
        _TAG[keyword],
        source,
        when,
        lambda level: holds(level) and not any(tag in level for tag in others),
    )


def _always(_: Level) -> bool:
    return True


def _many_samples(level: Level) -> bool:
    return (level.short(0x00280002) or 1) > 1


_PALETTE = _text("PhotometricInterpretation", "PALETTE COLOR")
_CT_OR_MR = _text("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4")


def _not_echo_planar(level: Level) -> bool:
    """All but EP that is not SK (PS3.3 C.8.3.1)."""
    sequences = level.texts(_TAG["ScanningSequence"])
    variants = level.texts(_TAG["SequenceVariant"])
    return bool(sequences) and ("EP" not in sequences or "SK" in variants)


def _points_to(tag: int) -> Callable[[Level], bool]:
    def holds(level: Level) -> bool:
        pointers = level.shorts(_TAG["FrameIncrementPointer"])
        return pointers[:2] == (tag >> 16, tag & 0xFFFF)

    return holds


def _any_of(keyword: str, *values: str) -> Callable[[Level], bool]:
    tag = _TAG[keyword]
    return lambda level: not set(values).isdisjoint(level.texts(tag))


_CODE = "table 8.8-1"
_SR = "C.17.3"

CONDITIONS: tuple[Condition, ...] = (
    _row("PlanarConfiguration", "C.7.6.3.1.3", "Samples per Pixel is above 1", _many_samples),
    *(
        _row(f"{colour}PaletteColorLookupTableDescriptor", "C.7.6.3", "of PALETTE COLOR", _PALETTE)
        for colour in ("Red", "Green", "Blue")
    ),
    *(
        _row(
            f"{colour}PaletteColorLookupTableData",
            "C.7.6.3",
            "of PALETTE COLOR",
            _PALETTE,
            f"Segmented{colour}PaletteColorLookupTableData",
        )
        for colour in ("Red", "Green", "Blue")
    ),
    _row(
        "PixelData",
        "C.7.6.3",
        "there is no Pixel Data Provider URL",
        _always,
        *("PixelDataProviderURL", "FloatPixelData", "DoubleFloatPixelData"),
    ),
    _row(
        "PixelPaddingValue",
        "C.7.5.1.1.2",
        "Pixel Padding Range Limit is there",
        lambda level: _valued("PixelPaddingRangeLimit")(level) and 0x7FE00010 in level,
    ),
    _row(
        "ExtendedOffsetTableLengths",
        "C.7.6.3.1.8",
        "Extended Offset Table is there",
        lambda level: 0x7FE00001 in level,
    ),
    _row("RescaleSlope", "C.11.1", "Rescale Intercept is there", _valued("RescaleIntercept")),
    _row("WindowWidth", "C.11.2", "Window Center is there", _valued("WindowCenter")),
    _row(
        "PatientPosition",
        "C.7.3.1",
        "of a CT or MR image without Patient Orientation Code Sequence",
        _CT_OR_MR,
        "PatientOrientationCodeSequence",
    ),
    _row(
        "DeidentificationMethod",
        "C.7.1.1",
        "Patient Identity Removed is YES",
        _text("PatientIdentityRemoved", "YES"),
        "DeidentificationMethodCodeSequence",
    ),
    _row("ResponsiblePersonRole", "C.7.1.1", "it has a person", _valued("ResponsiblePerson")),
    _row(
        "PatientAlternativeCalendar",
        "C.7.1.1",
        "a date in an alternative calendar is there",
        _valued("PatientBirthDateInAlternativeCalendar", "PatientDeathDateInAlternativeCalendar"),
    ),
    _row(
        "RepetitionTime",
        "C.8.3.1",
        "the sequence is not EP, or its variant SK",
        _not_echo_planar,
    ),
    _row("InversionTime", "C.8.3.1", "Scanning Sequence has IR", _any_of("ScanningSequence", "IR")),
    _row(
        "TriggerTime",
        "C.8.3.1",
        "Scan Options has cardiac gating",
        _any_of("ScanOptions", "CG", "PPG"),
    ),
    _row("FrameTime", "C.7.6.5", "Frame Increment Pointer points to it", _points_to(0x00181063)),
    _row(
        "FrameTimeVector", "C.7.6.5", "Frame Increment Pointer points to it", _points_to(0x00181065)
    ),
    _row(
        "CodeValue",
        _CODE,
        "there is no Long Code Value or URN Code Value",
        lambda level: 0x00080104 in level or 0x00080102 in level,
        *("LongCodeValue", "URNCodeValue"),
    ),
    _row(
        "CodingSchemeDesignator",
        _CODE,
        "Code Value or Long Code Value is there",
        _valued("CodeValue", "LongCodeValue"),
    ),
    _row(
        "ValueType",
        _SR,
        "it is no reference to another content item",
        _always,
        "ReferencedContentItemIdentifier",
    ),
    _row("TextValue", _SR, "Value Type is TEXT", _text("ValueType", "TEXT")),
    _row("DateTime", _SR, "Value Type is DATETIME", _text("ValueType", "DATETIME")),
    _row("Date", _SR, "Value Type is DATE", _text("ValueType", "DATE")),
    _row("Time", _SR, "Value Type is TIME", _text("ValueType", "TIME")),
    _row("PersonName", _SR, "Value Type is PNAME", _text("ValueType", "PNAME")),
    _row("UID", _SR, "Value Type is UIDREF", _text("ValueType", "UIDREF")),
    _row("ConceptCodeSequence", _SR, "Value Type is CODE", _text("ValueType", "CODE")),
    _row("MeasuredValueSequence", _SR, "Value Type is NUM", _text("ValueType", "NUM")),
    _row("ContinuityOfContent", _SR, "Value Type is CONTAINER", _text("ValueType", "CONTAINER")),
    _row(
        "ReferencedSOPSequence",
        _SR,
        "Value Type is IMAGE, COMPOSITE or WAVEFORM",
        _text("ValueType", "IMAGE", "COMPOSITE", "WAVEFORM"),
    ),
    _row("GraphicType", _SR, "Value Type is SCOORD", _text("ValueType", "SCOORD", "SCOORD3D")),
    _row(
        "SegmentationFractionalType",
        "C.8.20.2.3.2",
        "Segmentation Type is FRACTIONAL",
        _text("SegmentationType", "FRACTIONAL"),
    ),
    _row(
        "MaximumFractionalValue",
        "C.8.20.2",
        "Segmentation Type is FRACTIONAL",
        _text("SegmentationType", "FRACTIONAL"),
    ),
    _row(
        "SegmentAlgorithmName",
        "table C.8.20-4",
        "Segment Algorithm Type is not MANUAL",
        _text("SegmentAlgorithmType", "AUTOMATIC", "SEMIAUTOMATIC"),
    ),
)

BY_TAG: dict[int, Condition] = {row.tag: row for row in CONDITIONS}

#: Where the condition holds, the module is there, mandatory or not.
SHOW_THEIR_MODULE = frozenset(
    _TAG[keyword] for keyword in ("RescaleSlope", "WindowWidth", "FrameTime", "FrameTimeVector")
)
