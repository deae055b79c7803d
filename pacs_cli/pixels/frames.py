"""The frames of pixel data: out of fragments by their table or markers, or out of a value.

source  PS3.5 A.4 and 8.1.1, PS3.3 C.7.6.3.1.8 (Extended Offset Table)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pacs_cli.errors import InputError
from pacs_cli.pixels.codestream import has_start
from pacs_cli.pixels.image import Image
from pacs_cli.pixels.syntaxes import Syntax

Buffer = bytes | bytearray | memoryview


def native_frames(value: memoryview, image: Image) -> Iterator[Buffer]:
    """Yield the frames of native pixel data, those of one bit a pixel each from a byte's start.

    raises  InputError when the value is not as long as the data set says
    """
    check_native(value, image)
    size = image.frame_bytes
    if image.frame_bits % 8 == 0:
        for number in range(image.frames):
            yield value[number * size : (number + 1) * size]
        return
    for number in range(image.frames):
        yield _shifted(value, number * image.frame_bits, image.frame_bits)


def check_native(value: memoryview, image: Image) -> None:
    """Raise InputError unless there are as many bytes as the data set says, padding aside."""
    if image.is_subsampled and image.columns % 2:
        raise InputError(f"native {image.photometric} has an odd number of columns")
    need = image.native_bytes
    if len(value) < need:
        raise InputError(f"its pixel data has {len(value)} bytes, and its frames need {need}")
    rest = value[need:]
    if len(rest) > 1 and any(bytes(rest[:4096])):
        raise InputError(f"its pixel data has {len(value)} bytes, and its frames have {need}")


def joined_bits(frames: Sequence[Buffer], image: Image) -> bytes:
    """Return frames of one bit a pixel one after the other without a gap (PS3.5 8.1.1)."""
    whole = 0
    for number, frame in enumerate(frames):
        bits = int.from_bytes(frame, "little") & ((1 << image.frame_bits) - 1)
        whole |= bits << (number * image.frame_bits)
    return whole.to_bytes(image.native_bytes, "little")


def _shifted(value: memoryview, first: int, count: int) -> bytes:
    start, shift = divmod(first, 8)
    stop = (first + count + 7) // 8
    bits = int.from_bytes(value[start:stop], "little") >> shift
    return (bits & ((1 << count) - 1)).to_bytes((count + 7) // 8, "little")


def encapsulated_frames(
    fragments: Sequence[memoryview],
    image: Image,
    syntax: Syntax,
    extended: tuple[bytes, bytes] | None = None,
) -> list[list[memoryview]]:
    """Return the fragments of each frame.

    fragments  the Basic Offset Table first
    extended   the Extended Offset Table and its lengths, where the data set has them
    raises     InputError when they cannot be told apart, or are not as many as the data set says
    """
    if not fragments:
        raise InputError("its pixel data has no offset table and no frames")
    table, *rest = fragments
    parts = [each for each in rest if len(each)]
    if not parts:
        raise InputError("its pixel data has no frames")
    if len(parts) == image.frames:
        # a fragment for each; the table can say nothing else
        return [[each] for each in parts]
    if image.frames == 1:
        return [parts]
    if len(parts) < image.frames:
        raise InputError(f"it has {len(parts)} fragments for {image.frames} frames")
    offsets = _offsets(table, extended)
    if len(offsets) == image.frames and (grouped := _by_offsets(rest, offsets)) is not None:
        return grouped
    grouped = _by_markers(parts, syntax)
    if len(grouped) != image.frames:
        raise InputError(f"it has {len(grouped)} codestreams for {image.frames} frames")
    return grouped


def _offsets(table: memoryview, extended: tuple[bytes, bytes] | None) -> tuple[int, ...]:
    if extended is not None and len(extended[0]) % 8 == 0:
        return struct.unpack(f"<{len(extended[0]) // 8}Q", extended[0])
    return struct.unpack(f"<{len(table) // 4}L", table[: len(table) // 4 * 4])


def _by_offsets(fragments: Sequence[memoryview], offsets: Sequence[int]) -> list | None:  # type: ignore[type-arg]
    """Return the fragments by frame, None when an offset is not that of a fragment."""
    starts, at = {}, 0
    for number, fragment in enumerate(fragments):
        starts[at] = number
        at += 8 + len(fragment)
    firsts = [starts.get(offset, -1) for offset in offsets]
    if firsts[:1] != [0] or any(a >= b for a, b in pairwise(firsts)):
        return None
    lasts = [*firsts[1:], len(fragments)]
    return [list(fragments[a:b]) for a, b in zip(firsts, lasts, strict=True)]


def _by_markers(fragments: Sequence[memoryview], syntax: Syntax) -> list[list[memoryview]]:
    """Return the fragments by frame: a frame begins where a codestream does."""
    frames: list[list[memoryview]] = []
    for fragment in fragments:
        if has_start(fragment, syntax.family) or not frames:
            frames.append([])
        frames[-1].append(fragment)
    return frames


def whole(parts: Sequence[memoryview]) -> Buffer:
    """Return the bytes of a frame; a view as long as it is one fragment."""
    return parts[0] if len(parts) == 1 else b"".join(parts)
