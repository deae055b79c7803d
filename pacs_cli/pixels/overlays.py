"""Overlays in unused bits of Pixel Data, retired, moved to Overlay Data of their own.

source  PS3.3 C.9.2 and PS3.5 8.1.2 of 2003
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pacs_cli.errors import InputError
from pacs_cli.pixels.image import Image
from pacs_cli.pixels.tree import Item, Node, put_node

_ROWS, _COLUMNS, _FRAMES, _BITS, _POSITION, _DATA = 0x10, 0x11, 0x15, 0x100, 0x102, 0x3000


def embedded(root: Item, little: bool) -> dict[int, int]:
    """Return the overlays that lie in Pixel Data: group -> bit."""
    order = "little" if little else "big"
    found = {}
    for group in range(0x6000, 0x6020, 2):
        position = root.value(group << 16 | _POSITION)
        if position is None or root.find(group << 16 | _DATA) is not None:
            continue
        if root.find(group << 16 | _ROWS) is None:
            continue
        found[group] = int.from_bytes(position[:2], order)  # type: ignore[arg-type]
    return found


def move_overlays(
    root: Item,
    image: Image,
    bits: dict[int, int],
    frames: Callable[[], Iterable[Any]],
    little: bool,
) -> None:
    """Put each into (60xx,3000), one bit a pixel; `frames` gives the stored samples, unsigned."""
    import numpy

    order = "little" if little else "big"
    for group, bit in bits.items():
        size = [root.value(group << 16 | each) or b"" for each in (_ROWS, _COLUMNS)]
        if [int.from_bytes(each[:2], order) for each in size] != [image.rows, image.columns]:  # type: ignore[arg-type]
            raise InputError(f"the overlay {group:04X} in its pixels is not of their size")
        if bit >= image.allocated or image.samples != 1:
            raise InputError(f"the overlay {group:04X} is in bit {bit}, which its pixels have not")
        planes = [((frame >> bit) & 1).astype(numpy.uint8).ravel() for frame in frames()]
        data = numpy.packbits(numpy.concatenate(planes), bitorder="little").tobytes()
        data += b"\0" * (len(data) % 2)
        if not little:
            # of VR OW
            data = numpy.frombuffer(data, "<u2").astype(">u2").tobytes()
        put_node(root, Node(group << 16 | _DATA, "OW", value=data))
        for tag, number in ((_BITS, 1), (_POSITION, 0)):
            value = number.to_bytes(2, order)  # type: ignore[arg-type]
            put_node(root, Node(group << 16 | tag, "US", value=value))
