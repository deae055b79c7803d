"""Functional groups of multi-frame images (PS3.3 C.7.6.16)."""

from __future__ import annotations

from collections import Counter

from pacs_cli.dicom.dictionary import tags_of_keywords
from pacs_cli.dicom.iods import iod_of
from pacs_cli.pipelines.validation.findings import Findings, Place
from pacs_cli.pipelines.validation.levels import MOST_KEPT, Level
from pacs_cli.pipelines.validation.plans import FRAME_GROUPS, SHARED_GROUPS

_FRAMES, _SOP_CLASS, _SEGMENTATION_TYPE = 0x00280008, 0x00080016, 0x00620001
_CONTENT, _INDEX_VALUES, _DIMENSIONS = 0x00209111, 0x00209157, 0x00209222

_PLANE = "PixelMeasures PlanePosition PlaneOrientation"
_X_RAY = "FrameAnatomy FrameVOILUT IrradiationEventIdentification FramePixelDataProperties"
#: The sequences of the functional groups that are mandatory whatever the object is of, but for the
#: frame content (tables A.36-2 to A.59-2). A label map has no segment for each frame.
_MANDATORY = {
    "enhanced-mr-image": f"{_PLANE} FrameAnatomy MRImageFrameType",
    "enhanced-ct-image": f"{_PLANE} FrameAnatomy IrradiationEventIdentification CTImageFrameType "
    "PixelValueTransformation",
    "enhanced-xa-image": _X_RAY,
    "enhanced-xrf-image": _X_RAY,
    "x-ray-3d-angiographic-image": f"{_PLANE} FrameAnatomy FrameVOILUT XRay3DFrameType",
    "x-ray-3d-craniofacial-image": f"{_PLANE} FrameAnatomy FrameVOILUT XRay3DFrameType",
    "breast-tomosynthesis-image": f"{_PLANE} FrameAnatomy FrameVOILUT XRay3DFrameType "
    "PixelValueTransformation",
    "enhanced-pet-image": f"{_PLANE} FrameAnatomy FrameVOILUT PixelValueTransformation "
    "RealWorldValueMapping RadiopharmaceuticalUsage PETFrameType",
    "enhanced-us-volume": "PixelMeasures FrameVOILUT PlanePositionVolume PlaneOrientationVolume "
    "ImageDataType USImageDescription",
    "ophthalmic-tomography-image": "PixelMeasures FrameAnatomy",
    "vl-whole-slide-microscopy-image": "PixelMeasures WholeSlideMicroscopyImageFrameType",
    "segmentation": "SegmentIdentification",
}


def mandatory(iod: str) -> list[int]:
    """Return the functional groups that every object of an IOD has, but for the frame content."""
    words = _MANDATORY.get(iod, "").split()
    return [tags_of_keywords()[f"{word}Sequence"] for word in words]


class FunctionalGroups:
    """Counts functional groups as the items go by."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._shared: set[int] = set()
        self._per_frame: Counter[int] = Counter()
        self._frames = 0
        self._index_lengths: dict[int, Place] = {}

    def note(self, level: Level) -> None:
        """Take in an item: of the groups, or of the frame content in one."""
        path = level.path
        if len(path) == 1:
            if path[0] == SHARED_GROUPS:
                self._shared |= _macros(level)
            elif path[0] == FRAME_GROUPS:
                self._frames += 1
                if len(self._per_frame) < MOST_KEPT:
                    self._per_frame.update(_macros(level))
        elif path == (FRAME_GROUPS, _CONTENT) and _INDEX_VALUES in level:
            values = level.longs(_INDEX_VALUES)
            place = Place((*path, _INDEX_VALUES), level.items)
            self._index_lengths.setdefault(len(values), place)
            if not all(values):
                self._findings.add("frames-dimension", place, "an index of 0; they begin at 1")

    def check(self, top: Level) -> None:
        """Compare what was counted with the whole data set."""
        if FRAME_GROUPS not in top and SHARED_GROUPS not in top:
            return
        frames = top.numbers(_FRAMES)
        groups = Place((FRAME_GROUPS,))
        if FRAME_GROUPS in top and frames and self._frames != int(frames[0]):
            message = f"{self._frames} items for {int(frames[0])} frames"
            self._findings.add("frames-count", groups, message)
        items = top.elements.get(SHARED_GROUPS)
        if isinstance(items, int) and items > 1:
            message = f"{items} items, and it has one"
            self._findings.add("frames-count", Place((SHARED_GROUPS,)), message)
        self._macros()
        self._mandatory(top)
        dimensions = top.elements.get(_DIMENSIONS)
        for length, place in self._index_lengths.items():
            if isinstance(dimensions, int) and length != dimensions:
                message = f"{length} index values for {dimensions} dimensions"
                self._findings.add("frames-dimension", place, message)

    def _mandatory(self, top: Level) -> None:
        iod = iod_of(top.text(_SOP_CLASS))
        if iod is None or top.text(_SEGMENTATION_TYPE) == "LABELMAP":
            return
        for tag in mandatory(iod.name):
            if tag not in self._shared and not self._per_frame[tag]:
                place = Place((SHARED_GROUPS, tag), (1,))
                self._findings.add("frames-macro-missing", place, "neither shared nor per frame")

    def _macros(self) -> None:
        for tag in sorted(self._shared & self._per_frame.keys()):
            place = Place((FRAME_GROUPS, tag), (1,))
            self._findings.add("frames-macro-twice", place, "in the shared item as well")
        if _CONTENT in self._shared:
            place = Place((SHARED_GROUPS, _CONTENT), (1,))
            self._findings.add("frames-macro-missing", place, "shared, and each frame has its own")
        for tag, count in self._per_frame.items():
            if count != self._frames:
                message = f"in {count} of {self._frames} items"
                self._findings.add(
                    "frames-macro-missing", Place((FRAME_GROUPS, tag), (1,)), message
                )
        if self._frames and not self._per_frame[_CONTENT] and _CONTENT not in self._shared:
            place = Place((FRAME_GROUPS, _CONTENT), (1,))
            self._findings.add("frames-macro-missing", place, "in no item")


def _macros(level: Level) -> set[int]:
    """Return the sequences of the standard in an item; private ones may be where they like."""
    return {tag for tag, vr in level.vrs.items() if vr in ("SQ", "UN") and not tag & 0x10000}
