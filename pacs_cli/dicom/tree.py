"""A data set as a tree of nodes, whose values are views into its file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pacs_cli.dicom.elements import (
    Element,
    Event,
    Fragment,
    FragmentsEnd,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
)
from pacs_cli.dicom.encoding import Encoding
from pacs_cli.dicom.json_dump import Bulk, Members, attribute, encapsulated
from pacs_cli.dicom.values import Scope, scoped

#: A data set, the whole or an item: tag -> node, in the order of the file. Of an element that
#: stands twice it is the last.
Tree = dict[int, "Node"]


@dataclass(slots=True)
class Node:
    """One element: a value, the items of a sequence, or the fragments of encapsulated pixel data.

    element    of a value, else None
    items      of a sequence, else None
    fragments  the first is the offset table (PS3.5 A.4); with them `start`, where the first begins
    scope      the data set it stands in, as it was when it passed
    """

    tag: int
    vr: str
    scope: Scope
    element: Element | None = None
    items: list[Tree] | None = None
    fragments: list[memoryview] | None = None
    start: int = 0

    @property
    def value(self) -> memoryview:
        """The bytes of a value; none of anything else."""
        return self.element.value if self.element is not None else memoryview(b"")


def read_tree(events: Iterator[Event], encoding: Encoding) -> Tree:
    """Return the tree of a data set; raises as `events` does."""
    top: Tree = {}
    trees: list[Tree] = [top]
    nodes: list[Node] = []
    for event, scope in scoped(events, encoding):
        if isinstance(event, Element):
            node = Node(event.tag, scope.vr_of(event), scope, element=event)
            trees[-1][event.tag] = node
        elif isinstance(event, SequenceStart):
            nodes.append(Node(event.tag, "SQ", scope, items=[]))
            trees[-1][event.tag] = nodes[-1]
        elif isinstance(event, FragmentsStart):
            vr = "OB" if " " in event.vr else event.vr
            nodes.append(Node(event.tag, vr, scope, fragments=[]))
            trees[-1][event.tag] = nodes[-1]
        elif isinstance(event, ItemStart):
            trees.append({})
            items = nodes[-1].items
            assert items is not None
            items.append(trees[-1])
        elif isinstance(event, Fragment):
            fragments = nodes[-1].fragments
            assert fragments is not None
            if not fragments:
                nodes[-1].start = event.offset
            fragments.append(event.value)
        elif isinstance(event, ItemEnd):
            trees.pop()
        elif isinstance(event, SequenceEnd | FragmentsEnd):
            nodes.pop()
    return top


def members_of(tree: Tree, bulk: Bulk) -> Members:
    """Return a tree in the DICOM JSON model (PS3.18 F)."""
    return {f"{tag:08X}": attribute_of(node, bulk) for tag, node in tree.items() if tag & 0xFFFF}


def attribute_of(node: Node, bulk: Bulk) -> Members:
    """Return one element in the DICOM JSON model."""
    if node.items is not None:
        items = [members_of(item, bulk) for item in node.items]
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    if node.fragments is not None:
        value = encapsulated(node.fragments, node.start, node.scope.little, bulk)
        return {"vr": node.vr, **value}
    assert node.element is not None
    return attribute(node.element, node.scope, bulk)
