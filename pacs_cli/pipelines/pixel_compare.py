"""Whether two files have the same pixels, frame by frame, however these are encoded.

Native pixels of one format are compared as they lie, without numpy where it is not installed; what
is encapsulated is decoded by pydicom, YBR as RGB, with the codecs it finds, and compared in a
process of its own, which a codestream may crash.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import zip_longest
from typing import Any

from pacs_cli.dicom.compare import same_bytes
from pacs_cli.dicom.document import Document
from pacs_cli.dicom.tree import Node, Tree
from pacs_cli.errors import InputError
from pacs_cli.pixels.sandbox import Sandbox

_INTEGERS, _FLOATS, _DOUBLES = 0x7FE00010, 0x7FE00008, 0x7FE00009
_SAMPLES, _PHOTOMETRIC, _PLANAR = 0x00280002, 0x00280004, 0x00280006
_FRAMES, _ROWS, _COLUMNS = 0x00280008, 0x00280010, 0x00280011
_ALLOCATED, _REPRESENTATION = 0x00280100, 0x00280103

#: Bits of a sample -> `array` code, without and with a sign.
_CODES = {8: ("B", "b"), 16: ("H", "h"), 32: ("I", "i"), 64: ("Q", "q")}


@dataclass(frozen=True, slots=True)
class Format:
    """How native pixels lie in their bytes (PS3.3 C.7.6.3, PS3.5 8)."""

    rows: int
    columns: int
    samples: int
    planar: int
    code: str
    frames: int

    @property
    def frame_size(self) -> int:
        """Bytes of one frame."""
        return self.rows * self.columns * self.samples * array(self.code).itemsize


@dataclass(frozen=True, slots=True)
class PixelDifference:
    """How pixels differ.

    differing  samples that differ by more than was allowed, of `samples`; None when there is
               nothing to compare one by one
    largest    the largest difference
    frame      the first frame with one, from 1
    """

    text: str
    differing: int | None = None
    samples: int | None = None
    largest: float | None = None
    frame: int | None = None


def compare_pixels(
    left: tuple[Document, Tree],
    right: tuple[Document, Tree],
    tolerance: float,
    sandbox: Sandbox | None = None,
) -> PixelDifference | None:
    """Return how the pixels of two files differ, None when they do not.

    tolerance  samples that differ by so much are alike
    sandbox    where they are decoded; None starts a process for these two
    raises     InputError when they have to be decoded and cannot be
    """
    one, other = _pixels(left[1]), _pixels(right[1])
    if one is None or other is None:
        # what only one has is a difference of elements
        return None
    if _is_same_code(left, right, one, other):
        return None
    ours, theirs = _format(left[1], one), _format(right[1], other)
    if ours is not None and theirs is not None and ours == theirs:
        pairs = zip_longest(_native(one, ours), _native(other, theirs))
        return _Sum(tolerance).of_buffers(pairs, ours)
    with ExitStack() as stack:
        where = stack.enter_context(Sandbox()) if sandbox is None else sandbox
        return _elsewhere(left[0].path, right[0].path, tolerance, where)


def _pixels(tree: Tree) -> Node | None:
    return next((tree[tag] for tag in (_INTEGERS, _FLOATS, _DOUBLES) if tag in tree), None)


def _is_same_code(
    left: tuple[Document, Tree], right: tuple[Document, Tree], one: Node, other: Node
) -> bool:
    """Whether the bytes are the same and mean the same."""
    described = (
        *(_SAMPLES, _PHOTOMETRIC, _PLANAR, _FRAMES, _ROWS, _COLUMNS),
        *(_ALLOCATED, _REPRESENTATION),
    )
    if any(_values(left[1], tag) != _values(right[1], tag) for tag in described):
        return False
    if one.fragments is not None and other.fragments is not None:
        ours, theirs = one.fragments[1:], other.fragments[1:]
        is_same_syntax = left[0].transfer_syntax_uid == right[0].transfer_syntax_uid
        is_alike = is_same_syntax and len(ours) == len(theirs)
        return is_alike and all(map(same_bytes, ours, theirs))
    if one.element is None or other.element is None or one.scope.little != other.scope.little:
        return False
    return one.tag == other.tag and same_bytes(one.value, other.value)


def _format(tree: Tree, node: Node) -> Format | None:
    """Return the format of native pixels, None when they are not native or not of whole samples."""
    if node.element is None:
        return None
    if node.tag == _INTEGERS:
        codes = _CODES.get(_number(tree, _ALLOCATED))
        if codes is None:
            return None
        code = codes[_number(tree, _REPRESENTATION) == 1]
    else:
        code = "f" if node.tag == _FLOATS else "d"
    samples = max(_number(tree, _SAMPLES), 1)
    planar = _number(tree, _PLANAR) if samples > 1 else 0
    rows, columns = _number(tree, _ROWS), _number(tree, _COLUMNS)
    found = Format(rows, columns, samples, planar, code, max(_number(tree, _FRAMES), 1))
    whole = found.frame_size * found.frames
    # subsampled colour (YBR_FULL_422) takes less, and is for who decodes
    return found if rows and columns and len(node.value) in (whole, whole + whole % 2) else None


def _values(tree: Tree, tag: int) -> list[Any]:
    node = tree.get(tag)
    if node is None or node.element is None:
        return []
    try:
        return node.scope.values_of(node.vr, bytes(node.value))
    except ValueError:
        return [bytes(node.value)]


def _number(tree: Tree, tag: int) -> int:
    """Return a whole number, 0 when there is none."""
    try:
        return int(_values(tree, tag)[0])
    except (IndexError, TypeError, ValueError):
        return 0


def _native(node: Node, format: Format) -> Iterator[memoryview | bytes]:
    """Yield the frames, in the byte order of this machine."""
    is_swapped = node.scope.little != (sys.byteorder == "little") and format.code not in "bB"
    # 8 bits in words of a Big Endian file are swapped as well (PS3.5 8.1.1)
    is_words = format.code in "bB" and node.vr == "OW" and not node.scope.little
    data: memoryview | bytes = node.value
    if is_words and len(data) % 2 == 0:
        words = array("H", bytes(data))
        words.byteswap()
        data = words.tobytes()
    for number in range(format.frames):
        frame = data[number * format.frame_size : (number + 1) * format.frame_size]
        if is_swapped:
            swapped = array(format.code, bytes(frame))
            swapped.byteswap()
            frame = swapped.tobytes()
        yield frame


_WORK = "pacs_cli.pipelines.pixel_compare:compare_decoded"


def _elsewhere(left: str, right: str, tolerance: float, sandbox: Sandbox) -> PixelDifference | None:
    """Have the pixels of two files decoded and compared where a codec may crash."""
    if find_spec("numpy") is None:
        what = f"cannot decode the pixels of {left}"
        raise InputError(f"{what}: install pacs[codecs], which has numpy and Pillow")
    what = f"cannot compare the pixels of {left} and {right}"
    try:
        ((found, _),) = sandbox.run(_WORK, b"", left, right, tolerance)
        if found is None:
            return None
        text, *figures = found
        if not all(each is None or isinstance(each, int | float) for each in figures):
            raise ValueError
        return PixelDifference(str(text), *figures)
    except (TypeError, ValueError):
        raise InputError(f"{what}: its decoder said what makes no sense") from None
    except InputError as error:
        # of the one of which it is known, that is told there
        message = str(error)
        is_told = message.startswith("cannot decode")
        raise InputError(message if is_told else f"{what}: {message}") from None


def compare_decoded(
    _: memoryview, left: str, right: str, tolerance: float
) -> Iterator[tuple[Any, bytes | None]]:
    """Compare two files frame by frame as pydicom decodes them: what `pixels.sandbox` runs.

    yields  None for each pair of frames, then the fields of the difference, None for none
    """
    found = _Sum(tolerance)
    difference = None
    for each in zip_longest(_decoded(left), _decoded(right)):
        difference = found.add_arrays(*each)
        if difference is not None:
            break
        yield None, None
    difference = difference or found.result()
    yield None if difference is None else astuple(difference), b""


def _decoded(path: str) -> Iterator[Any]:
    """Yield the frames as pydicom decodes them: (rows, columns[, samples])."""
    from pacs_cli.dicom.identifier import quietly

    what = f"cannot decode the pixels of {path}"
    numpy: Any = import_module("numpy")
    iter_pixels = import_module("pydicom.pixels").iter_pixels
    try:
        with quietly():
            for frame in iter_pixels(path):
                yield numpy.asarray(frame)
    except MemoryError:
        raise InputError(f"{what}: it needs more memory than it may") from None
    except Exception as error:  # noqa: BLE001 pydicom and its codecs raise whatever hostile bytes lead to
        reason = str(error).partition("\n")[0].rstrip(".: ")
        raise InputError(f"{what}: {reason[:200] or type(error).__name__}") from None


class _Sum:
    """Adds up the differences of frames."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._differing = self._samples = self._number = 0
        self._largest: float = 0
        self._frame: int | None = None

    def of_buffers(
        self, frames: Iterator[tuple[Any, Any]], format: Format
    ) -> PixelDifference | None:
        """Compare native frames of one format."""
        for number, (left, right) in enumerate(frames, 1):
            if same_bytes(left, right):
                self._samples += len(left) // array(format.code).itemsize
            else:
                self._add(number, *_differing(left, right, format.code, self._tolerance))
        return self.result()

    def add_arrays(self, left: Any, right: Any) -> PixelDifference | None:
        """Compare a pair of decoded frames; a difference that leaves nothing to compare ends it."""
        self._number += 1
        if left is None or right is None:
            longer = "second" if left is None else "first"
            return PixelDifference(f"the {longer} has more than {self._number - 1} frames")
        if left.shape != right.shape:
            shapes = (" x ".join(map(str, each.shape)) for each in (left, right))
            return PixelDifference("frames of {} and {}".format(*shapes))
        self._add(self._number, *_array_differing(left, right, self._tolerance))
        return None

    def _add(self, frame: int, differing: int, largest: float, samples: int) -> None:
        self._samples += samples
        self._differing += differing
        self._largest = max(self._largest, largest)
        if differing and self._frame is None:
            self._frame = frame

    def result(self) -> PixelDifference | None:
        """Return what all frames together differ by."""
        if not self._differing:
            return None
        beyond = f" by more than {self._tolerance:g}" if self._tolerance else ""
        text = (
            f"{self._differing} of {self._samples} samples differ{beyond}, by up to "
            f"{self._largest:.10g}, first in frame {self._frame}"
        )
        return PixelDifference(text, self._differing, self._samples, self._largest, self._frame)


def _differing(left: Any, right: Any, code: str, tolerance: float) -> tuple[int, float, int]:
    """Return how many samples differ by more than the tolerance, by how much, and of how many."""
    try:
        numpy: Any = import_module("numpy")
    except ImportError:
        ours, theirs = array(code, bytes(left)), array(code, bytes(right))
        gaps = [abs(one - other) for one, other in zip(ours, theirs, strict=True)]
        # a NaN is like another one, and like nothing else
        odd = [gap for gap in gaps if not gap <= tolerance]
        return len(odd), max((gap for gap in odd if gap == gap), default=0), len(gaps)
    ours, theirs = numpy.frombuffer(left, code), numpy.frombuffer(right, code)
    return _array_differing(ours, theirs, tolerance)


def _array_differing(left: Any, right: Any, tolerance: float) -> tuple[int, float, int]:
    numpy: Any = import_module("numpy")
    # what is whole has at most 32 bits in practice, and 64 hold each difference of these
    wide = numpy.int64 if left.dtype.kind in "iub" and right.dtype.kind in "iub" else numpy.float64
    gaps = numpy.abs(left.astype(wide) - right.astype(wide))
    odd = gaps[~(gaps <= tolerance)]
    largest = float(numpy.nanmax(odd)) if odd.size and not numpy.isnan(odd).all() else 0.0
    return int(odd.size), largest, int(gaps.size)
