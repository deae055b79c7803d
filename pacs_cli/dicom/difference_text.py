"""Differences as lines for eyes, in the manner of `diff`, and as fields of a record."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from pacs_cli.dicom.compare import Difference, first_difference
from pacs_cli.dicom.json_dump import Bulk
from pacs_cli.dicom.selectors import path_text
from pacs_cli.dicom.text_dump import Line, Part, head_of, line_of, value_text
from pacs_cli.dicom.tree import Node, attribute_of
from pacs_cli.dicom.values import BINARY_FORMATS, BYTES_VRS


def difference_lines(difference: Difference, limit: int) -> Iterator[Line]:
    """Yield a line with `-` of what the first has, one with `+` of what the second has.

    limit  characters of a value, 0 for all; of two that begin alike, from where they differ
    """
    left, right = difference.left, difference.right
    item = difference.path[-1][1]
    sides = [_parts(node, item, limit) if node is not None else None for node in (left, right)]
    if left is not None and right is not None and limit and sides[0] == sides[1]:
        sides = [_excerpt(node, other, limit) for node, other in ((left, right), (right, left))]
    for sign, style, node, parts in zip(
        ("- ", "+ "), ("removed", "added"), (left, right), sides, strict=True
    ):
        if node is not None and parts is not None:
            line = line_of(0, [("", sign), *parts], path_text(difference.path), _private(node))
            yield [(style, "".join(text for _, text in line))]


def difference_fields(difference: Difference, left: Bulk, right: Bulk) -> dict[str, Any]:
    """Return what is different, and the attributes in the DICOM JSON model, None where not there.

    left, right  when values of the two files are references into them
    """
    item = difference.path[-1][1]
    return {
        "change": difference.change,
        "path": path_text(difference.path),
        "tag": f"{difference.path[-1][0]:08X}",
        "left": _attribute(difference.left, item, left),
        "right": _attribute(difference.right, item, right),
    }


def _attribute(node: Node | None, item: int | None, bulk: Bulk) -> dict[str, Any] | None:
    if node is None:
        return None
    attribute = attribute_of(node, bulk)
    # of an item the sequence with it alone
    return attribute if item is None else {"vr": "SQ", "Value": [attribute["Value"][item]]}


def _parts(node: Node, item: int | None, limit: int) -> list[Part]:
    note = ""
    if node.items is not None and item is not None:
        text = _counted(len(node.items[item]), "element")
    elif node.items is not None:
        text = _counted(len(node.items), "item")
    elif node.fragments is not None:
        size = sum(map(len, node.fragments[1:]))
        text = f"{_counted(max(len(node.fragments) - 1, 0), 'fragment')}, {size} bytes"
    else:
        text, _, note = value_text(node.value, node.vr, node.scope, limit)
    return [*head_of(node.tag, node.vr, text), ("note", f" {note}" if note else "")]


def _excerpt(node: Node, other: Node, limit: int) -> list[Part]:
    """Return the parts of a value that begins as the other does, from a little before they differ.

    Of bytes and numbers it is told at which byte that is.
    """
    if node.vr in BYTES_VRS or node.vr in BINARY_FORMATS or node.vr == "AT":
        first = first_difference(node.value, other.value)
        start = first - first % 8
        text, _, _ = value_text(node.value[start:], node.vr, node.scope, limit)
        return head_of(node.tag, node.vr, f"... byte {start}: {text}")
    ours, theirs = (each.scope.text_of(each.vr, bytes(each.value)) for each in (node, other))
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(ours, theirs, strict=False))
    start = max(sum(1 for _ in alike) - limit // 4, 0)
    shown = ours[start : start + limit]
    end = "..." if start + limit < len(ours) else ""
    return head_of(node.tag, node.vr, f"[...{shown}{end}]")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _private(node: Node) -> str:
    return node.scope.name_of(node.tag) if node.tag & 0x10000 else ""
