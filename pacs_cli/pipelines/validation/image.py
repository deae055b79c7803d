"""The arithmetic of an image: bits, samples, sizes, spacings, orientation, windows, palettes."""

from __future__ import annotations

from math import isclose
from typing import NamedTuple

from pacs_cli.dicom.dictionary import tags_of_keywords
from pacs_cli.pipelines.validation.findings import Findings, Place
from pacs_cli.pipelines.validation.levels import Level

_TAG = tags_of_keywords()
_SAMPLES, _PHOTOMETRIC = _TAG["SamplesPerPixel"], _TAG["PhotometricInterpretation"]
_ROWS, _COLUMNS, _FRAMES = _TAG["Rows"], _TAG["Columns"], _TAG["NumberOfFrames"]
_ALLOCATED, _STORED, _HIGH = _TAG["BitsAllocated"], _TAG["BitsStored"], _TAG["HighBit"]
_PLANAR = _TAG["PlanarConfiguration"]
_ORIENTATION, _SPACING = _TAG["ImageOrientationPatient"], _TAG["PixelSpacing"]
_CENTER, _WIDTH, _FUNCTION = _TAG["WindowCenter"], _TAG["WindowWidth"], _TAG["VOILUTFunction"]

#: Photometric interpretation -> samples (PS3.3 C.7.6.3.1.2); retired ones too.
_SAMPLES_OF = {
    **dict.fromkeys(("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"), 1),
    **dict.fromkeys(("RGB", "HSV", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422"), 3),
    **dict.fromkeys(("YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"), 3),
    **dict.fromkeys(("ARGB", "CMYK"), 4),
}

#: How far cosines written with six digits are from a unit vector, and then some; as dciodvfy.
_TOLERANCE = 1e-3


class Geometry(NamedTuple):
    """What the size of the pixel data follows from; 0 for what is not said."""

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    frames: int
    photometric: str
    planar: int

    @property
    def is_known(self) -> bool:
        """Whether the size of a frame can be computed."""
        return all((self.rows, self.columns, self.samples, self.allocated, self.frames))

    def native_length(self) -> int:
        """Return the bytes of all frames, without padding (PS3.5 8.1.1)."""
        samples = self.samples
        pixels = self.rows * self.columns * self.frames
        if self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422") and samples == 3:
            samples = 2
        elif self.photometric == "YBR_PARTIAL_420" and samples == 3:
            return (pixels * 3 * self.allocated // 2 + 7) // 8
        return (pixels * samples * self.allocated + 7) // 8


def geometry(top: Level) -> Geometry:
    """Return what a data set says of its pixels."""
    frames = top.numbers(_FRAMES)
    return Geometry(
        rows=top.short(_ROWS) or 0,
        columns=top.short(_COLUMNS) or 0,
        samples=top.short(_SAMPLES) or 0,
        allocated=top.short(_ALLOCATED) or 0,
        stored=top.short(_STORED) or 0,
        frames=int(frames[0]) if frames and 0 <= frames[0] < 2**31 else 0 if frames else 1,
        photometric=top.text(_PHOTOMETRIC),
        planar=top.short(_PLANAR) or 0,
    )


def check_image(top: Level, findings: Findings) -> None:
    """Check the attributes of an image that stand at the top."""
    _sizes(top, findings)
    _bits(top, findings)
    photometric, samples = top.text(_PHOTOMETRIC), top.short(_SAMPLES)
    expected = _SAMPLES_OF.get(photometric)
    if samples is not None and expected is not None and samples != expected:
        message = f"{samples} samples, and {photometric} has {expected}"
        findings.add("image-samples", Place((_SAMPLES,)), message)
    _palettes(top, findings)


def check_plane(level: Level, findings: Findings) -> None:
    """Check orientation, spacing and windows, at the top or in the items of functional groups."""
    elements = level.elements
    if _ORIENTATION in elements:
        _orientation(level, findings)
    if _SPACING in elements and any(each <= 0 for each in level.numbers(_SPACING)):
        _add(findings, "image-spacing", level, _SPACING, "a spacing that is not above 0")
    if _WIDTH in elements or _CENTER in elements:
        _windows(level, findings)


def _add(findings: Findings, rule: str, level: Level, tag: int, message: str) -> None:
    findings.add(rule, Place((*level.path, tag), level.items), message)


def _sizes(top: Level, findings: Findings) -> None:
    for tag in (_ROWS, _COLUMNS):
        if top.short(tag) == 0:
            _add(findings, "image-size", top, tag, "is 0")
    if any(each < 1 for each in top.numbers(_FRAMES)):
        _add(findings, "image-size", top, _FRAMES, "is less than 1")


def _bits(top: Level, findings: Findings) -> None:
    allocated, stored, high = (top.short(tag) for tag in (_ALLOCATED, _STORED, _HIGH))
    if allocated is not None and allocated != 1 and (allocated % 8 or not allocated):
        message = f"{allocated}; it is 1 or a multiple of 8"
        _add(findings, "image-bits", top, _ALLOCATED, message)
    if stored is None:
        return
    if allocated is not None and not 1 <= stored <= allocated:
        message = f"{stored} of {allocated} allocated"
        _add(findings, "image-bits", top, _STORED, message)
    if high is not None and high != stored - 1:
        message = f"{high}; one less than Bits Stored is {stored - 1}"
        _add(findings, "image-bits", top, _HIGH, message)


def _orientation(level: Level, findings: Findings) -> None:
    cosines = level.numbers(_ORIENTATION)
    if len(cosines) != 6:
        return
    row, column = cosines[:3], cosines[3:]
    lengths = [sum(each * each for each in vector) for vector in (row, column)]
    product = sum(a * b for a, b in zip(row, column, strict=True))
    if not all(isclose(each, 1, abs_tol=_TOLERANCE) for each in lengths):
        _add(findings, "image-orientation", level, _ORIENTATION, "not unit vectors")
    elif abs(product) > _TOLERANCE:
        _add(findings, "image-orientation", level, _ORIENTATION, "not orthogonal")


def _windows(level: Level, findings: Findings) -> None:
    centers, widths = level.numbers(_CENTER), level.numbers(_WIDTH)
    if centers and widths and len(centers) != len(widths):
        message = f"{len(widths)} widths for {len(centers)} centers"
        _add(findings, "image-window", level, _WIDTH, message)
    is_linear = level.text(_FUNCTION) in ("", "LINEAR")
    if any(width < 1 if is_linear else width <= 0 for width in widths):
        least = "less than 1" if is_linear else "not above 0"
        _add(findings, "image-window", level, _WIDTH, f"a width {least}")


def _palettes(top: Level, findings: Findings) -> None:
    for number in range(3):
        descriptor = top.shorts(0x00281101 + number)
        tag = 0x00281201 + number
        value = top.elements.get(tag)
        if len(descriptor) != 3 or not isinstance(value, memoryview):
            continue
        entries = descriptor[0] or 65536
        # 8 bit entries may be written as words (PS3.3 C.7.6.3.1.6)
        lengths = {entries * 2} if descriptor[2] > 8 else {entries * 2, entries + entries % 2}
        if len(value) not in lengths:
            message = f"{len(value)} bytes for {entries} entries of {descriptor[2]} bits"
            _add(findings, "image-palette", top, tag, message)
