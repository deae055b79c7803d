"""What a data set says of its pixels (PS3.3 C.7.6.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pacs_cli.errors import InputError

SAMPLES, PHOTOMETRIC, PLANAR = 0x00280002, 0x00280004, 0x00280006
FRAMES, ROWS, COLUMNS = 0x00280008, 0x00280010, 0x00280011
ALLOCATED, STORED, HIGH_BIT, SIGNED = 0x00280100, 0x00280101, 0x00280102, 0x00280103
PIXELS, FLOAT_PIXELS, DOUBLE_PIXELS = 0x7FE00010, 0x7FE00008, 0x7FE00009

_US = {
    "samples": SAMPLES,
    "rows": ROWS,
    "columns": COLUMNS,
    "allocated": ALLOCATED,
    "stored": STORED,
}
_MAX_FRAMES = 10_000_000


@dataclass(frozen=True, slots=True)
class Image:
    """The Image Pixel Module, checked; `planar` is True where each colour has a plane of its own.

    photometric  Photometric Interpretation as it is written
    """

    rows: int
    columns: int
    samples: int
    photometric: str
    planar: bool
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    frames: int

    @property
    def pixels(self) -> int:
        """Pixels of one frame."""
        return self.rows * self.columns

    @property
    def is_subsampled(self) -> bool:
        """Whether a native frame has two chroma samples to four of luma (C.7.6.3.1.2)."""
        return self.photometric in ("YBR_FULL_422", "YBR_PARTIAL_422") and self.samples == 3

    @property
    def native_samples(self) -> int:
        """Samples of a native frame."""
        return self.pixels * (2 if self.is_subsampled else self.samples)

    @property
    def frame_bits(self) -> int:
        """Bits of a native frame; frames of one bit a pixel follow each other without a gap."""
        return self.native_samples * self.allocated

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame that stands alone."""
        return (self.frame_bits + 7) // 8

    @property
    def native_bytes(self) -> int:
        """Bytes of the pixel data of all frames, not padded."""
        return (self.frame_bits * self.frames + 7) // 8

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a frame as an array, the colours last."""
        shape = (self.rows, self.columns)
        return shape if self.samples == 1 else (*shape, self.samples)

    @property
    def dtype(self) -> Any:
        """The type of a sample in an array, little endian."""
        import numpy

        size = max(self.allocated, 8) // 8
        return numpy.dtype(f"<{'i' if self.signed else 'u'}{size}")

    def describe(self) -> str:
        """Return what it is, for messages."""
        sign = "signed " if self.signed else ""
        return f"{self.samples} x {self.stored} of {self.allocated} bits, {sign}{self.photometric}"


def read_image(get: Callable[[int], bytes | None], little: bool = True) -> Image:
    """Return what the elements say; `get` gives the value of a tag, None where there is none.

    raises  InputError when they say nothing that can be
    source  PS3.3 table C.7-11a
    """
    numbers = {name: _number(get(tag), little) for name, tag in _US.items()}
    missing = [name for name, value in numbers.items() if value is None]
    if "samples" in missing:
        numbers["samples"] = 1
        missing.remove("samples")
    if "stored" in missing and numbers["allocated"] is not None:
        numbers["stored"] = numbers["allocated"]
        missing.remove("stored")
    if missing:
        raise InputError(f"its pixels cannot be understood: {missing[0]} is missing")
    known = {name: value for name, value in numbers.items() if value is not None}
    high_bit = _number(get(HIGH_BIT), little)
    image = Image(
        **known,
        photometric=_text(get(PHOTOMETRIC)).upper(),
        planar=_number(get(PLANAR), little) == 1,
        high_bit=known["stored"] - 1 if high_bit is None else high_bit,
        signed=_number(get(SIGNED), little) == 1,
        frames=_frames(_text(get(FRAMES))),
    )
    _check(image)
    return image


def _check(image: Image) -> None:
    if not image.rows or not image.columns:
        raise InputError(f"its pixels make no sense: {image.rows} rows of {image.columns}")
    if image.allocated not in (1, 8, 16, 32, 64):
        raise InputError(f"{image.allocated} bits allocated for a sample are not supported")
    if not 1 <= image.stored <= image.allocated:
        raise InputError(f"{image.stored} bits stored do not fit into {image.allocated}")
    if not image.stored - 1 <= image.high_bit < image.allocated:
        raise InputError(f"high bit {image.high_bit} does not fit {image.stored} bits stored")
    if image.samples not in (1, 3, 4):
        raise InputError(f"{image.samples} samples per pixel are not supported")
    if image.allocated == 1 and image.samples != 1:
        raise InputError("more than one sample of one bit is not supported")


def _number(value: bytes | None, little: bool) -> int | None:
    if value is None or len(value) < 2:
        return None
    return int.from_bytes(value[:2], "little" if little else "big")


def _text(value: bytes | None) -> str:
    return (value or b"")[:64].decode("latin-1").strip("\0 ")


def _frames(text: str) -> int:
    if not text:
        return 1
    if not text.isdecimal() or not text.isascii() or not 0 < int(text) <= _MAX_FRAMES:
        raise InputError(f"number of frames {text[:12]!r} is none")
    return int(text)
