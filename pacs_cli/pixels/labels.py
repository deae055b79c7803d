"""What a data set has to say of its pixels after they were brought into another syntax.

source  PS3.3 C.7.6.1.1.5 (lossy compression), C.7.6.3, PS3.5 8.2
"""

from __future__ import annotations

from pacs_cli.pixels.image import (
    ALLOCATED,
    HIGH_BIT,
    PHOTOMETRIC,
    PLANAR,
    STORED,
    Image,
)
from pacs_cli.pixels.syntaxes import Family, Syntax
from pacs_cli.pixels.tree import Item, Later, Node, put, put_node

IMAGE_TYPE, SOP_CLASS, SOP_INSTANCE = 0x00080008, 0x00080016, 0x00080018
DERIVATION, SOURCE_IMAGES, DERIVATION_CODES = 0x00082111, 0x00082112, 0x00089215
LOSSY, RATIO, METHOD = 0x00282110, 0x00282112, 0x00282114

#: Lossy Image Compression Method (C.7.6.1.1.5.1).
METHODS = {
    Family.JPEG: "ISO_10918_1",
    Family.JPEG_LS: "ISO_14495_1",
    Family.JPEG_2000: "ISO_15444_1",
    Family.HTJ2K: "ISO_15444_15",
    Family.JPEG_XL: "ISO_18181_1",
}

#: Characters of a ratio: it is known only once all is written, and has its room until then.
RATIO_WIDTH = 12


def relabel(root: Item, before: Image, after: Image, little: bool) -> None:
    """Make the Image Pixel Module say what `after` is, where that differs."""
    if before.photometric != after.photometric:
        put(root, PHOTOMETRIC, "CS", after.photometric.encode())
    if after.samples > 1 and before.planar != after.planar:
        _put_number(root, PLANAR, int(after.planar), little)
    for tag, old, new in (
        (ALLOCATED, before.allocated, after.allocated),
        (STORED, before.stored, after.stored),
        (HIGH_BIT, before.high_bit, after.high_bit),
    ):
        if old != new:
            _put_number(root, tag, new, little)


def _put_number(root: Item, tag: int, number: int, little: bool) -> None:
    put_node(root, Node(tag, "US", value=number.to_bytes(2, "little" if little else "big")))


def texts(root: Item, tag: int) -> list[str]:
    """Return the values of an element of text; none when it is not there or empty."""
    text = (root.value(tag) or b"").decode("latin-1").strip("\0 ")
    return [each.strip() for each in text.split("\\")] if text else []


def mark_source(root: Item, source: Syntax, ratio: float) -> None:
    """Say that the pixels were lossy before, if a lossy source does not say it itself."""
    if texts(root, LOSSY) == ["01"]:
        return
    put(root, LOSSY, "CS", b"01")
    if not texts(root, RATIO) and not texts(root, METHOD):
        put(root, RATIO, "DS", f"{ratio:.2f}".encode())
        put(root, METHOD, "CS", METHODS[source.family].encode())


def mark_lossy(root: Item, target: Syntax, quality: str) -> Later:
    """Say that the pixels are lossy now; return the value of the ratios, for `fill_ratio`."""
    ratios, methods = texts(root, RATIO), texts(root, METHOD)
    count = max(len(ratios), len(methods))
    ratios += [""] * (count - len(ratios))
    methods += [""] * (count - len(methods))
    earlier = "".join(f"{each}\\" for each in ratios).encode()
    put(root, LOSSY, "CS", b"01")
    put(root, METHOD, "CS", "\\".join((*methods, METHODS[target.family])).encode())
    value = Later(earlier + b" " * RATIO_WIDTH)
    value += b" " * (len(value) % 2)
    put_node(root, Node(RATIO, "DS", value=value))
    description = texts(root, DERIVATION)
    said = "\\".join(description)
    text = f"Lossy compression, {target.name}{quality}"
    # ST has 1024 characters
    if said:
        text = f"{said}; {text}"
    put(root, DERIVATION, "ST", text.encode("latin-1")[-1024:])
    codes = [*_items(root, DERIVATION_CODES), _code(root)]
    put_node(root, Node(DERIVATION_CODES, "SQ", items=codes))
    return value


def fill_ratio(value: Later, native: int, encoded: int) -> None:
    """Put the ratio into the room at the end of the element's value."""
    place = value.rfind(b"\\") + 1
    text = f"{native / max(encoded, 1):.2f}"
    value[place : place + RATIO_WIDTH] = text.encode().ljust(RATIO_WIDTH)


def mark_derived(root: Item, uid: str) -> None:
    """Make another object of it: a UID of its own, and where it comes from (C.7.6.1.1.4)."""
    image_type = texts(root, IMAGE_TYPE)
    put(root, IMAGE_TYPE, "CS", "\\".join(("DERIVED", *(image_type[1:] or ["PRIMARY"]))).encode())
    reference = Item(root.encoding)
    put(reference, 0x00081150, "UI", (root.value(SOP_CLASS) or b"").strip(b"\0 "))
    put(reference, 0x00081155, "UI", (root.value(SOP_INSTANCE) or b"").strip(b"\0 "))
    sources = [*_items(root, SOURCE_IMAGES), reference]
    put_node(root, Node(SOURCE_IMAGES, "SQ", items=sources))
    put(root, SOP_INSTANCE, "UI", uid.encode())


def _items(root: Item, tag: int) -> list[Item]:
    node = root.find(tag)
    return list(node.items) if node is not None and node.items is not None else []


def _code(root: Item) -> Item:
    code = Item(root.encoding)
    put(code, 0x00080100, "SH", b"113040")
    put(code, 0x00080102, "SH", b"DCM")
    put(code, 0x00080104, "LO", b"Lossy Compression")
    return code
