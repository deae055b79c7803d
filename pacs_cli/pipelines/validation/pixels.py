"""Pixel data: its length, fragments, offset tables, and compressed frames (PS3.5 8 and A.4)."""

from __future__ import annotations

import struct

from pacs_cli.pipelines.validation.codestreams import (
    Codec,
    Coded,
    ends_well,
    expected,
    is_compressed,
    read,
)
from pacs_cli.pipelines.validation.elements import Content, Fragments
from pacs_cli.pipelines.validation.findings import Findings, Place
from pacs_cli.pipelines.validation.image import Geometry, geometry
from pacs_cli.pipelines.validation.levels import Level

_PIXEL_DATA = 0x7FE00010
_EXTENDED, _EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002
_PHOTOMETRIC, _PLANAR = 0x00280004, 0x00280006
_PIXELS = Place((_PIXEL_DATA,))

#: Frames that are looked into: the first says what a codec did, the last where it ended.
_MOST_FRAMES = 64


class Pixels:
    """Checks the pixel data of one data set."""

    def __init__(self, findings: Findings, transfer_syntax_uid: str) -> None:
        self._findings = findings
        self._syntax = transfer_syntax_uid
        self._is_compressed = is_compressed(transfer_syntax_uid)

    def check(self, content: Content) -> None:
        """Check what a pass has found; without pixel data there is nothing to say."""
        top = content.top
        if _PIXEL_DATA not in top:
            return
        form = geometry(top)
        self._photometric(form)
        if content.fragments is not None:
            self._encapsulated(top, content.fragments, form)
        else:
            self._native(top, form)

    def _add(self, rule: str, message: str, place: Place = _PIXELS) -> None:
        self._findings.add(rule, place, message)

    def _photometric(self, form: Geometry) -> None:
        codec = expected(self._syntax)[0]
        name = form.photometric
        wrong = (name in ("YBR_ICT", "YBR_RCT") and codec is not Codec.JPEG_2000) or (
            name == "YBR_PARTIAL_420" and codec is not Codec.OTHER
        )
        if wrong and self._is_compressed is not None:
            self._add(
                "image-photometric", f"{name} in this transfer syntax", Place((_PHOTOMETRIC,))
            )
        lossy = codec in (Codec.JPEG, Codec.JPEG_2000)
        if lossy and form.samples > 1 and form.planar:
            self._add("image-photometric", f"1 with {codec}; it is 0", Place((_PLANAR,)))

    def _native(self, top: Level, form: Geometry) -> None:
        if self._is_compressed:
            self._add("pixels-encapsulation", "has a length in a compressed transfer syntax")
            return
        vr = top.vrs[_PIXEL_DATA]
        if top.explicit:
            allowed = ("OW",) if form.allocated > 8 else ("OB", "OW")
            if vr not in allowed and vr in ("OB", "OW"):
                self._add("pixels-vr", f"{vr} with {form.allocated} bits allocated")
        value = top.elements[_PIXEL_DATA]
        if not form.is_known or isinstance(value, int):
            return
        length = form.native_length()
        if len(value) != length + length % 2:
            self._add("pixels-length", f"{len(value)} bytes; the image has {length + length % 2}")

    def _encapsulated(self, top: Level, fragments: Fragments, form: Geometry) -> None:
        if self._is_compressed is False:
            self._add("pixels-encapsulation", "fragments in an uncompressed transfer syntax")
            return
        if top.explicit and top.vrs[_PIXEL_DATA] != "OB":
            self._add("pixels-vr", f"{top.vrs[_PIXEL_DATA]}, and encapsulated it is OB")
        if fragments.table is None:
            self._add("pixels-fragments", "no item for the offset table")
            return
        count = len(fragments.starts)
        if count < form.frames:
            self._add("pixels-fragments", f"{count} fragments for {form.frames} frames")
        if any(not len(value) for value in fragments.values):
            self._add("pixels-fragments", "an empty fragment")
        if expected(self._syntax)[0] is Codec.RLE and form.frames and count > form.frames:
            self._add("pixels-fragments", f"{count} fragments; a frame of RLE has one")
        starts = self._table(fragments, form)
        self._extended(top, fragments, form)
        self._frames(fragments, form, starts)

    def _table(self, fragments: Fragments, form: Geometry) -> list[int] | None:
        """Check the basic offset table; return the number of each frame's first fragment."""
        table = bytes(fragments.table or b"")
        if not table:
            return None
        if len(table) % 4:
            self._add("pixels-offset-table", f"{len(table)} bytes are no multiple of 4")
            return None
        offsets = struct.unpack(f"<{len(table) // 4}L", table)
        if form.frames and len(offsets) != form.frames:
            self._add("pixels-offset-table", f"{len(offsets)} offsets for {form.frames} frames")
        starts = self._numbers(fragments, offsets)
        if starts is None:
            self._add("pixels-offset-table", "an offset at which no fragment begins")
        elif starts[0] or starts != sorted(set(starts)):
            self._add("pixels-offset-table", "offsets that do not begin at 0 or do not ascend")
        elif len(offsets) == form.frames:
            return starts
        return None

    def _numbers(self, fragments: Fragments, offsets: tuple[int, ...]) -> list[int] | None:
        if not fragments.starts:
            return None
        first = fragments.starts[0]
        numbers = {start - first: number for number, start in enumerate(fragments.starts)}
        found = [numbers.get(offset, -1) for offset in offsets]
        return None if -1 in found else found

    def _extended(self, top: Level, fragments: Fragments, form: Geometry) -> None:
        if _EXTENDED not in top:
            return
        place = Place((_EXTENDED,))
        value = top.elements[_EXTENDED]
        table = b"" if isinstance(value, int) else bytes(value)
        if len(table) != 8 * form.frames:
            message = f"{len(table)} bytes; {form.frames} frames have {8 * form.frames}"
            self._add("pixels-extended-offset-table", message, place)
            return
        offsets = struct.unpack(f"<{form.frames}Q", table)
        starts = self._numbers(fragments, offsets)
        if fragments.table:
            self._add("pixels-extended-offset-table", "beside a basic offset table", place)
        if starts is None:
            self._add("pixels-extended-offset-table", "no fragment begins at an offset", place)
            return
        self._lengths(top, fragments, starts)

    def _lengths(self, top: Level, fragments: Fragments, starts: list[int]) -> None:
        value = top.elements.get(_EXTENDED_LENGTHS)
        if not isinstance(value, memoryview):
            return  # another rule tells that it is missing
        place = Place((_EXTENDED_LENGTHS,))
        if len(value) != 8 * len(starts):
            self._add("pixels-extended-offset-table", f"{len(value)} bytes of lengths", place)
            return
        lengths = struct.unpack(f"<{len(starts)}Q", value)
        sizes = [len(fragments.values[start]) for start in starts]
        # a length may or may not count the byte of padding
        if any(not size - 1 <= length <= size for length, size in zip(lengths, sizes, strict=True)):
            self._add("pixels-extended-offset-table", "a length other than its fragment's", place)

    def _frames(self, fragments: Fragments, form: Geometry, starts: list[int] | None) -> None:
        count = len(fragments.values)
        if starts is None:
            if count == form.frames:
                starts = list(range(count))
            elif form.frames == 1 and count:
                starts = [0]
            else:
                return  # where frames begin cannot be told
        ends = [*starts[1:], count]
        for start, end in list(zip(starts, ends, strict=True))[:_MOST_FRAMES]:
            if len(fragments.values[start]):
                self._frame(fragments.values[start], fragments.values[end - 1], form)

    def _frame(self, first: memoryview, last: memoryview, form: Geometry) -> None:
        codec, processes = expected(self._syntax)
        if codec is Codec.OTHER:
            return
        coded = read(first)
        if coded is None:
            self._add("pixels-codestream", f"the bytes are no {codec}")
            return
        if coded.codec is not codec:
            self._add("pixels-codestream", f"{coded.codec}, and the transfer syntax is of {codec}")
            return
        if processes and coded.process not in processes:
            self._add("pixels-codestream", f"a frame header of process {coded.process:02X}")
        if not ends_well(codec, last):
            self._add("pixels-codestream-end", f"no end marker of {codec}")
        self._size(codec, coded, form)

    def _size(self, codec: Codec, coded: Coded, form: Geometry) -> None:
        if codec is Codec.RLE:
            segments = form.samples * ((form.allocated + 7) // 8)
            if form.is_known and coded.samples != segments:
                message = f"{coded.samples} segments of RLE; the image has {segments}"
                self._add("pixels-codestream-size", message)
            return
        pairs = (
            (coded.rows, form.rows, "rows"),
            (coded.columns, form.columns, "columns"),
            (coded.samples, form.samples, "samples"),
        )
        for inside, outside, what in pairs:
            if inside and outside and inside != outside:
                self._add("pixels-codestream-size", f"{inside} {what}; the image has {outside}")
        if coded.bits > form.allocated > 0:
            message = f"{coded.bits} bits of {form.allocated} allocated"
            self._add("pixels-codestream-size", message)
