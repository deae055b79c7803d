"""What the first bytes of a compressed frame say: the codec, and the size of the image.

Sources: ITU-T T.81 (JPEG), T.87 (JPEG-LS), T.800 A (JPEG 2000), PS3.5 G (RLE), PS3.5 A.4.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import NamedTuple


class Codec(StrEnum):
    """The families of compressed transfer syntaxes."""

    JPEG = "JPEG"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    RLE = "RLE"
    OTHER = "other"


class Coded(NamedTuple):
    """What a codec's own header says; `process` is the JPEG frame marker, 0 for other codecs."""

    codec: Codec
    process: int = 0
    rows: int = 0
    columns: int = 0
    samples: int = 0
    bits: int = 0


#: Transfer syntax -> codec, and for JPEG the frame markers that its process may have (T.81 B).
_BASE = "1.2.840.10008.1.2.4."
_SYNTAXES: dict[str, tuple[Codec, tuple[int, ...]]] = {
    "1.2.840.10008.1.2.5": (Codec.RLE, ()),
    f"{_BASE}50": (Codec.JPEG, (0xC0,)),
    f"{_BASE}51": (Codec.JPEG, (0xC0, 0xC1)),
    f"{_BASE}57": (Codec.JPEG, (0xC3,)),
    f"{_BASE}70": (Codec.JPEG, (0xC3,)),
    f"{_BASE}80": (Codec.JPEG_LS, (0xF7,)),
    f"{_BASE}81": (Codec.JPEG_LS, (0xF7,)),
    **{f"{_BASE}{n}": (Codec.JPEG_2000, ()) for n in (90, 91, 92, 93, 201, 202, 203)},
}

_UNCOMPRESSED = frozenset(
    (
        *("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"),
        *("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.20", "1.2.840.113619.5.2"),
        *(f"{_BASE}94", f"{_BASE}95", f"{_BASE}204", f"{_BASE}205"),
    )
)

#: Deflated image frames (PS3.5 A.4.13) and encapsulated uncompressed explicit (A.4.11).
_OTHERS = frozenset(("1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.1.98"))

#: How far a frame header is looked for: behind application segments such as ICC profiles.
_LOOK = 1 << 20

_FRAME_MARKERS = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))


def expected(transfer_syntax_uid: str) -> tuple[Codec, tuple[int, ...]]:
    """Return the codec of a compressed transfer syntax, and its JPEG processes (PS3.5 10)."""
    return _SYNTAXES.get(transfer_syntax_uid, (Codec.OTHER, ()))


def is_compressed(transfer_syntax_uid: str) -> bool | None:
    """Whether pixel data is encapsulated in a transfer syntax, None for one that is not known."""
    if transfer_syntax_uid in _UNCOMPRESSED:
        return False
    is_known = expected(transfer_syntax_uid)[0] is not Codec.OTHER
    if is_known or transfer_syntax_uid in _OTHERS or transfer_syntax_uid.startswith(_BASE):
        return True
    return None


def read(frame: memoryview) -> Coded | None:
    """Return what a frame begins with, None when that is none of the codecs."""
    head = bytes(frame[:16])
    if head[:2] == b"\xff\xd8":
        return _jpeg(bytes(frame[:_LOOK]))
    if head[:4] == b"\xff\x4f\xff\x51":
        return _jpeg_2000(bytes(frame[:4096]), 2)
    if head[4:8] == b"jP  ":
        place = bytes(frame[:_LOOK]).find(b"\xff\x4f\xff\x51")
        return _jpeg_2000(bytes(frame[place : place + 4096]), 2) if place > 0 else None
    if len(frame) >= 64:
        segments = struct.unpack_from("<16L", frame)
        offsets = segments[1 : segments[0] + 1]
        is_rle = 1 <= segments[0] <= 15 and offsets[0] == 64 and sorted(offsets) == list(offsets)
        if is_rle and offsets[-1] < len(frame):
            return Coded(Codec.RLE, samples=segments[0])
    return None


def _jpeg(data: bytes) -> Coded:
    """Read the frame header of a JPEG or JPEG-LS stream (T.81 B.2.2)."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1  # fill bytes
            continue
        if marker in _ALONE:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        if marker in _FRAME_MARKERS and place + 10 <= len(data):
            bits, rows, columns, samples = struct.unpack_from(">BHHB", data, place + 4)
            codec = Codec.JPEG_LS if marker == 0xF7 else Codec.JPEG
            return Coded(codec, marker, rows, columns, samples, bits)
        if marker == 0xDA or length < 2:
            break
        place += 2 + length
    return Coded(Codec.JPEG)


def _jpeg_2000(data: bytes, place: int) -> Coded:
    """Read the SIZ segment of a JPEG 2000 codestream (T.800 A.5.1)."""
    if len(data) < place + 41:
        return Coded(Codec.JPEG_2000)
    right, bottom, left, top = struct.unpack_from(">4L", data, place + 6)
    samples, bits = struct.unpack_from(">HB", data, place + 38)
    return Coded(Codec.JPEG_2000, 0, bottom - top, right - left, samples, (bits & 0x7F) + 1)


def ends_well(codec: Codec, frame: memoryview) -> bool:
    """Whether a frame ends with its end marker, but for padding (T.81 B.1.1.3, T.800 A.4.4)."""
    if codec not in (Codec.JPEG, Codec.JPEG_LS, Codec.JPEG_2000):
        return True
    # padded with 0, and by some with the fill byte that belongs before a marker
    return bytes(frame[-16:]).rstrip(b"\0\xff").endswith(b"\xff\xd9")
