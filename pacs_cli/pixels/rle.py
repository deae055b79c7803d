"""RLE compression of one frame (PS3.5 Annex G): segments of PackBits, a byte plane each.

Decoding needs neither numpy nor the codecs: what is stored in RLE can always be read.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from pacs_cli.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEADER = struct.Struct("<16L")


def encode_rle(frame: NDArray[Any]) -> bytes:
    """Return a frame compressed; little endian samples, colours last, at most 15 byte planes.

    source  PS3.5 G.3 to G.5: each row is encoded by itself, segments are of even length
    """
    import imagecodecs
    import numpy

    rows, columns = frame.shape[:2]
    octets = numpy.ascontiguousarray(frame).view(numpy.uint8).reshape(rows, columns, -1)
    size, count = frame.dtype.itemsize, octets.shape[2]
    if count > 15:
        raise InputError(f"RLE has at most 15 byte planes, not {count}")
    segments, offsets, offset = [], [0] * 15, _HEADER.size
    for number in range(count):
        # of each colour the most significant byte first
        colour, place = divmod(number, size)
        plane = octets[:, :, colour * size + size - 1 - place]
        packed = imagecodecs.packbits_encode(numpy.ascontiguousarray(plane))
        segment = packed + b"\0" * (len(packed) % 2)
        segments.append(segment)
        offsets[number] = offset
        offset += len(segment)
    return b"".join((_HEADER.pack(count, *offsets), *segments))


def decode_rle(data: bytes | memoryview, pixels: int, samples: int, size: int) -> bytearray:
    """Return the samples of a frame, little endian, the colours of a pixel together.

    size    bytes of a sample
    raises  InputError when it is not that many segments, or one is too short or too long
    source  PS3.5 G.3 to G.5
    """
    frame = bytearray(pixels * samples * size)
    step = samples * size
    for number, (start, stop) in enumerate(_bounds(data, step)):
        colour, place = divmod(number, size)
        frame[colour * size + size - 1 - place :: step] = _unpacked(data[start:stop], pixels)
    return frame


def _bounds(data: bytes | memoryview, count: int) -> list[tuple[int, int]]:
    if len(data) < _HEADER.size:
        raise InputError("an RLE frame has no header")
    number, *offsets = _HEADER.unpack_from(data)
    if number != count:
        raise InputError(f"an RLE frame has {number} segments, not {count}")
    starts = offsets[:count]
    stops = [*starts[1:], len(data)]
    bounds = list(zip(starts, stops, strict=True))
    if starts[0] < _HEADER.size or any(start >= stop for start, stop in bounds):
        raise InputError("the segments of an RLE frame make no sense")
    return bounds


def _unpacked(segment: bytes | memoryview, size: int) -> bytes | bytearray:
    try:
        from imagecodecs import PackbitsError, packbits_decode
    except ImportError:
        return _unpacked_here(segment, size)
    try:
        plane = bytes(packbits_decode(segment, out=size))  # type: ignore[arg-type]
    except PackbitsError:
        raise InputError("an RLE segment does not fit its frame") from None
    if len(plane) != size:
        raise InputError("an RLE segment ends early")
    return plane


def _unpacked_here(segment: bytes | memoryview, size: int) -> bytearray:
    """Undo PackBits; what follows the last run is padding."""
    plane, offset = bytearray(), 0
    while len(plane) < size:
        if offset + 1 >= len(segment):
            raise InputError("an RLE segment ends early")
        head = segment[offset]
        if head < 128:
            plane += segment[offset + 1 : offset + 2 + head]
            offset += head + 2
        elif head > 128:
            plane += bytes(segment[offset + 1 : offset + 2]) * (257 - head)
            offset += 2
        else:
            offset += 1
    if len(plane) != size or offset > len(segment):
        raise InputError("an RLE segment does not fit its frame")
    return plane
