"""What a codestream says of itself before a decoder is let near it: size, precision, its end.

source  ISO 10918-1 B, 14495-1 C, 15444-1 A, 15444-15, 18181-1 (JPEG XL)
"""

from __future__ import annotations

from dataclasses import dataclass

from pacs_cli.errors import InputError
from pacs_cli.pixels.syntaxes import Family

Data = bytes | memoryview

#: Start of frame, without DHT, JPG and DAC, which stand among them; F7 is that of JPEG-LS.
_SOF = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FIELDS = {Family.JPEG: {0xC0, 0xC1, 0xC2}, Family.JPEG_LOSSLESS: {0xC3}, Family.JPEG_LS: {0xF7}}
_JP2 = b"\0\0\0\x0cjP  "
_JXL_BOX = b"\0\0\0\x0cJXL \r\n\x87\n"


@dataclass(frozen=True, slots=True)
class Codestream:
    """The header of a codestream.

    signed     None where the codestream cannot say it
    is_ybr     whether its three components were made of RGB and a decoder gives RGB (J2K MCT), or,
               of JPEG, whether a marker says that they are YCbCr; None where none says anything
    process    the SOF marker, or 0
    near       NEAR of JPEG-LS; of JPEG 2000 1 when irreversible
    """

    rows: int
    columns: int
    components: int
    bits: int
    signed: bool | None = None
    is_ybr: bool | None = None
    process: int = 0
    near: int = 0
    is_subsampled: bool = False


def read_codestream(data: Data, family: Family) -> Codestream:
    """Return what the header of a frame says; its end is checked too.

    raises  InputError when there is no such header or end marker
    """
    if family in _FIELDS:
        return _read_jpeg(data, family)
    if family in (Family.JPEG_2000, Family.HTJ2K):
        return _read_j2k(data)
    if family is Family.JPEG_XL:
        return _read_jxl(data)
    raise InputError(f"{family.value} has no codestream")


def has_start(data: Data, family: Family) -> bool:
    """Whether a fragment begins a codestream: how frames are told apart without a table."""
    head = bytes(data[:12])
    if family in _FIELDS:
        return head[:3] == b"\xff\xd8\xff"
    if family in (Family.JPEG_2000, Family.HTJ2K):
        return head[:4] == b"\xff\x4f\xff\x51" or head[:8] == _JP2
    if family is Family.JPEG_XL:
        return head[:2] == b"\xff\x0a" or head == _JXL_BOX
    return False


def trimmed(data: Data) -> Data:
    """Return a frame without the NUL that pads it to an even length."""
    return data[:-1] if len(data) and data[-1] == 0 else data


def _ends_with(data: Data, marker: bytes) -> bool:
    # some writers pad with more than one byte
    return marker in bytes(data[-16:])


def _number(data: Data, offset: int, size: int = 2) -> int:
    value = bytes(data[offset : offset + size])
    if len(value) != size:
        raise InputError("a codestream ends inside its header")
    return int.from_bytes(value, "big")


def _read_jpeg(data: Data, family: Family) -> Codestream:
    name = family.value
    if bytes(data[:2]) != b"\xff\xd8":
        raise InputError(f"a frame is no {name} codestream")
    offset, found, adobe, is_jfif, near = 2, None, None, False, 0
    while True:
        while _number(data, offset, 1) == 0xFF and _number(data, offset + 1, 1) == 0xFF:
            offset += 1
        if _number(data, offset, 1) != 0xFF:
            raise InputError(f"a {name} codestream has no marker at byte {offset}")
        marker = _number(data, offset + 1, 1)
        if marker in _ALONE:
            offset += 2
            continue
        length = _number(data, offset + 2)
        body = data[offset + 4 : offset + 2 + length]
        if marker in _SOF:
            found = _start_of_frame(body, marker)
        elif marker == 0xE0 and bytes(body[:5]) == b"JFIF\0":
            is_jfif = True
        elif marker == 0xEE and bytes(body[:5]) == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif marker == 0xDA:
            near = _number(body, len(body) - 3, 1) if family is Family.JPEG_LS else 0
            break
        elif marker == 0xD9:
            break
        offset += 2 + max(length, 2)
    if found is None or found.process not in _FIELDS[family]:
        raise InputError(f"a frame is no {name} codestream")
    if not _ends_with(data, b"\xff\xd9"):
        raise InputError(f"a {name} codestream has no end")
    is_ybr = adobe != 0 if adobe is not None else True if is_jfif else None
    values = (found.rows, found.columns, found.components, found.bits, None, is_ybr, found.process)
    return Codestream(*values, near, found.is_subsampled)


def _start_of_frame(body: Data, marker: int) -> Codestream:
    bits, rows, columns = _number(body, 0, 1), _number(body, 1), _number(body, 3)
    count = _number(body, 5, 1)
    factors = {_number(body, 7 + 3 * each, 1) for each in range(count)}
    return Codestream(rows, columns, count, bits, process=marker, is_subsampled=len(factors) > 1)


def _read_j2k(data: Data) -> Codestream:
    start = 0
    if bytes(data[:8]) == _JP2:
        # a JP2 file is no codestream (PS3.5 A.4.4), but there are such
        start = bytes(data[:4096]).find(b"\xff\x4f\xff\x51")
    if start < 0 or bytes(data[start : start + 4]) != b"\xff\x4f\xff\x51":
        raise InputError("a frame is no JPEG 2000 codestream")
    at = start + 8
    columns, rows, left, top = (_number(data, at + 4 * each, 4) for each in range(4))
    count = _number(data, at + 32)
    components = [bytes(data[at + 34 + 3 * each :][:3]) for each in range(min(count, 16))]
    if not components or len(components[-1]) != 3:
        raise InputError("a codestream ends inside its header")
    bits = {(each[0] & 0x7F) + 1 for each in components}
    offset, multiple, reversible = start + 4 + _number(data, start + 4), 0, True
    while _number(data, offset) != 0xFF90:
        marker, length = _number(data, offset), _number(data, offset + 2)
        if marker == 0xFF52:
            multiple = _number(data, offset + 8, 1)
            reversible = _number(data, offset + 13, 1) == 1
        elif marker >> 8 != 0xFF or length < 2:
            raise InputError(f"a JPEG 2000 codestream has no marker at byte {offset}")
        offset += 2 + length
    if not _ends_with(data, b"\xff\xd9"):
        raise InputError("a JPEG 2000 codestream has no end")
    if rows <= top or columns <= left:
        raise InputError("a JPEG 2000 codestream makes no sense")
    return Codestream(
        rows - top,
        columns - left,
        count,
        max(bits),
        signed=bool(components[0][0] & 0x80),
        is_ybr=bool(multiple),
        near=not reversible,
        is_subsampled=any(each[1:] != b"\1\1" for each in components),
    )


class _Bits:
    """Bits of a JPEG XL header, the least significant first."""

    def __init__(self, data: Data) -> None:
        self._value = int.from_bytes(bytes(data[:32]), "little")

    def take(self, count: int) -> int:
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def size(self) -> int:
        return self.take((9, 13, 18, 30)[self.take(2)]) + 1


_RATIOS = ((0, 0), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def _read_jxl(data: Data) -> Codestream:
    """Return the size only; the rest shows in what is decoded."""
    start = 0
    if bytes(data[:12]) == _JXL_BOX:
        start = _jxl_in_boxes(data)
    if bytes(data[start : start + 2]) != b"\xff\x0a":
        raise InputError("a frame is no JPEG XL codestream")
    bits = _Bits(data[start + 2 :])
    is_small = bits.take(1)
    rows = (bits.take(5) + 1) * 8 if is_small else bits.size()
    numerator, denominator = _RATIOS[bits.take(3)]
    if numerator:
        columns = rows * numerator // denominator
    else:
        columns = (bits.take(5) + 1) * 8 if is_small else bits.size()
    return Codestream(rows, columns, 0, 0)


def _jxl_in_boxes(data: Data) -> int:
    offset = 0
    while offset + 8 <= len(data):
        length, kind = _number(data, offset, 4), bytes(data[offset + 4 : offset + 8])
        if kind == b"jxlc":
            return offset + 8
        if kind == b"jxlp":
            return offset + 12
        if length < 8:
            break
        offset += length
    raise InputError("a JPEG XL file has no codestream")
