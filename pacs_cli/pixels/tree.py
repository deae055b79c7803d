"""A data set as a tree that can be written again, in the same or another encoding.

What does not change in the same encoding is written as the bytes that were read.

source  PS3.5 7 and Annex A
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from pacs_cli.dicom.elements import (
    Element,
    Fragment,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    walk,
)
from pacs_cli.dicom.encoding import (
    DEFAULT_BOUNDS,
    SHORT_VRS,
    UNDEFINED,
    Bounds,
    Encoding,
    encoding_at,
    header_at,
    tag_text,
)
from pacs_cli.errors import InputError

Buffer = bytes | bytearray | memoryview

_SHORT = frozenset(SHORT_VRS.values())
_UNITS = dict.fromkeys(("US", "SS", "OW", "AT", "US or SS", "US or OW", "US or SS or OW"), 2)
_UNITS |= dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4)
_UNITS |= dict.fromkeys(("FD", "OD", "SV", "UV", "OV"), 8)


class Later(bytearray):
    """A value that is written before it is known, and has it once all else is written."""


@dataclass(slots=True)
class Item:
    """The elements of an item, or of the whole data set; `length` as it was written."""

    encoding: Encoding
    nodes: list[Node] = field(default_factory=list)
    length: int = 0

    def value(self, tag: int) -> bytes | None:
        """Return the value of an element, little or big endian as it stands."""
        node = self.find(tag)
        return None if node is None or node.value is None else bytes(node.value)

    def find(self, tag: int) -> Node | None:
        """Return the element of a tag."""
        return next((each for each in self.nodes if each.tag == tag), None)


@dataclass(slots=True)
class Node:
    """One element: with a value, items, or fragments.

    start, stop  where its bytes are in the source; `stop` 0 for what is new
    """

    tag: int
    vr: str
    start: int = 0
    stop: int = 0
    value: Buffer | None = None
    items: list[Item] | None = None
    fragments: list[memoryview] | None = None
    length: int = 0


def read_tree(view: memoryview, encoding: Encoding, bounds: Bounds = DEFAULT_BOUNDS) -> Item:
    """Return the whole data set, not deflated; values are views of it.

    raises  MalformedDataset
    """
    root = Item(encoding_at(view, 0, len(view), encoding))
    items: list[Item] = [root]
    sequences: list[Node] = []
    for event in walk(view, encoding, bounds):
        inner = items[-1]
        if isinstance(event, Element):
            explicit, little = inner.encoding.explicit, inner.encoding.little
            start = header_at(view, event.offset, explicit, little)[3]
            stop = start + len(event.value)
            inner.nodes.append(Node(event.tag, event.vr, event.offset, stop, event.value))
        elif isinstance(event, SequenceStart):
            node = Node(event.tag, event.vr, event.offset, items=[], length=event.length)
            inner.nodes.append(node)
            sequences.append(node)
        elif isinstance(event, ItemStart):
            item = Item(event.encoding, length=event.length)
            assert sequences[-1].items is not None
            sequences[-1].items.append(item)
            items.append(item)
        elif isinstance(event, ItemEnd):
            items.pop()
        elif isinstance(event, SequenceEnd):
            sequences.pop().stop = event.offset
        elif isinstance(event, FragmentsStart):
            inner.nodes.append(Node(event.tag, event.vr, event.offset, fragments=[]))
        elif isinstance(event, Fragment):
            fragments = inner.nodes[-1].fragments
            assert fragments is not None
            fragments.append(event.value)
        else:
            inner.nodes[-1].stop = event.offset
    return root


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes elements of one data set in an encoding.

    view    the source
    source  how its top level is encoded
    signed  whether values of either sign (US or SS) have one
    """

    view: memoryview
    source: Encoding
    target: Encoding
    signed: bool

    def nodes(self, nodes: Iterable[Node], encoding: Encoding) -> list[Buffer]:
        """Return the buffers of elements that stood in a data set or item of `encoding`."""
        if (encoding.explicit, encoding.little) != (self.target.explicit, self.target.little):
            return [each for node in nodes for each in self._written(node, encoding)]
        buffers: list[Buffer] = []
        first = last = -1
        for node in nodes:
            if node.stop and node.start == last:
                last = node.stop
                continue
            if last > first:
                buffers.append(self.view[first:last])
            first, last = (node.start, node.stop) if node.stop else (-1, -1)
            if not node.stop:
                buffers += self._written(node, encoding)
        if last > first:
            buffers.append(self.view[first:last])
        return buffers

    def head(self, tag: int, vr: str, length: int) -> bytes:
        """Return the header of an element."""
        order = "<" if self.target.little else ">"
        group, element = tag >> 16, tag & 0xFFFF
        if not self.target.explicit:
            return struct.pack(order + "HHL", group, element, length)
        if vr in _SHORT:
            if length <= 0xFFFF:
                return struct.pack(order + "HH2sH", group, element, vr.encode(), length)
            # PS3.5 6.2.2 note 4: what is too long for its VR
            vr = "UN"
        return struct.pack(order + "HH2sHL", group, element, vr.encode(), 0, length)

    def _written(self, node: Node, encoding: Encoding) -> list[Buffer]:
        if node.fragments is not None:
            raise InputError(f"{tag_text(node.tag)} is encapsulated where it cannot be")
        if node.items is not None:
            return self._sequence(node)
        assert node.value is not None
        vr = self._resolved(node)
        value = node.value
        # what is new is in the target's order already
        if node.stop and encoding.little != self.target.little:
            value = swapped(value, _UNITS.get(vr, 1), node.tag)
        return [self.head(node.tag, vr, len(value)), value]

    def _resolved(self, node: Node) -> str:
        """Return one VR where the dictionary has a choice (PS3.6 6)."""
        vr = node.vr
        if " or " not in vr:
            return vr
        if vr == "US or SS":
            return "SS" if self.signed else "US"
        if vr.startswith("US"):
            assert node.value is not None
            return "US" if len(node.value) <= 2 else "OW"
        return "OW"

    def _sequence(self, node: Node) -> list[Buffer]:
        assert node.items is not None
        order = "<" if self.target.little else ">"
        body: list[Buffer] = []
        for item in node.items:
            content = self.nodes(item.nodes, item.encoding)
            length = sum(map(len, content))
            is_open = item.length == UNDEFINED
            shown = UNDEFINED if is_open else length
            body.append(struct.pack(order + "HHL", 0xFFFE, 0xE000, shown))
            body += content
            if is_open:
                body.append(struct.pack(order + "HHL", 0xFFFE, 0xE00D, 0))
        is_open = node.length == UNDEFINED
        if is_open:
            body.append(struct.pack(order + "HHL", 0xFFFE, 0xE0DD, 0))
        length = UNDEFINED if is_open else sum(map(len, body))
        return [self.head(node.tag, "SQ", length), *body]


def swapped(value: Buffer, unit: int, tag: int) -> Buffer:
    """Return a value with the bytes of each number of `unit` bytes in the other order."""
    if unit == 1:
        return value
    if len(value) % unit:
        raise InputError(f"{tag_text(tag)} has {len(value)} bytes, which are no numbers of {unit}")
    result = bytearray(len(value))
    for at in range(unit):
        result[at::unit] = value[unit - 1 - at :: unit]
    return result


def put(item: Item, tag: int, vr: str, value: bytes) -> None:
    """Give an item an element of a text or bytes, padded, in place of one it may have."""
    padded = value + (b"\0" if vr in ("UI", "OB", "OW") else b" ") * (len(value) % 2)
    put_node(item, Node(tag, vr, value=padded))


def put_node(item: Item, node: Node) -> None:
    """Put an element where its tag belongs, in place of one that is there."""
    for place, each in enumerate(item.nodes):
        if each.tag >= node.tag:
            item.nodes[place : place + (each.tag == node.tag)] = [node]
            return
    item.nodes.append(node)


def remove(item: Item, tag: int) -> None:
    """Leave an element out, if there is one."""
    item.nodes[:] = [each for each in item.nodes if each.tag != tag]
