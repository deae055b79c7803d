"""What differs between two data sets: elements added, removed or changed, at any depth.

Values are compared as what they say, not as how they are written: VRs that are carried or not, byte
order, lengths that are defined or not, deflate, character sets and padding make no difference.
Group lengths and trailing padding are part of how a data set is written, and left out.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pacs_cli.dicom.document import Document
from pacs_cli.dicom.encoding import EXPLICIT_LITTLE, Data
from pacs_cli.dicom.selectors import Path, Selector
from pacs_cli.dicom.tree import Node, Tree, read_tree
from pacs_cli.dicom.values import (
    BINARY_FORMATS,
    BYTES_VRS,
    WORD_SIZES,
    Malformed,
    hidden_sequence,
)

#: Data Set Trailing Padding (PS3.10 7.2).
_PADDING = 0xFFFCFFFC

#: How much of two values is compared at once: what is mapped is copied to be compared.
_STEP = 1024 * 1024

#: Elements of pixel data, which `has_pixels` leaves out: with their offset tables.
PIXEL_TAGS = frozenset((0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010))


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `path` ends with the number of an item when that is what is more or less.

    left, right  None where it is not; of an item the sequence that has it
    """

    path: Path
    left: Node | None
    right: Node | None

    @property
    def change(self) -> str:
        """One of `added`, `removed` and `changed`."""
        if self.left is None:
            return "added"
        return "removed" if self.right is None else "changed"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared.

    ignored     elements that are not, with what is in them
    has_meta    whether the file meta is, beside the data set
    has_pixels  False when pixel data that both have are left to another comparison
    """

    ignored: Sequence[Selector] = ()
    has_meta: bool = False
    has_pixels: bool = True

    def is_ignored(self, path: Path) -> bool:
        """Whether an element or item is not compared."""
        return any(selector.matches(path) for selector in self.ignored)


@dataclass(frozen=True, slots=True)
class Trees:
    """The trees of a file."""

    document: Document
    meta: Tree
    dataset: Tree


def read_trees(document: Document, has_meta: bool) -> Trees:
    """Return the trees of a file; raises MalformedDataset when it is broken."""
    meta = read_tree(document.meta_events(), EXPLICIT_LITTLE) if has_meta else {}
    return Trees(document, meta, read_tree(document.events(), document.encoding))


def is_same_file(left: Document, right: Document, has_meta: bool) -> bool:
    """Whether two files have the same bytes, so that nothing in them can differ."""
    if has_meta and not same_bytes(left.meta, right.meta):
        return False
    return left.encoding == right.encoding and same_bytes(left.dataset, right.dataset)


def differences(left: Trees, right: Trees, comparison: Comparison) -> Iterator[Difference]:
    """Yield what differs, in order of tags."""
    yield from _compare(left.meta, right.meta, (), comparison)
    yield from _compare(left.dataset, right.dataset, (), comparison)


def _compare(left: Tree, right: Tree, path: Path, comparison: Comparison) -> Iterator[Difference]:
    """Recurses for each sequence in another: the bound of nesting is the reader's."""
    for tag in sorted(left.keys() | right.keys()):
        here: Path = (*path, (tag, None))
        if not tag & 0xFFFF or tag == _PADDING or comparison.is_ignored(here):
            continue
        one, other = left.get(tag), right.get(tag)
        if one is None or other is None:
            yield Difference(here, one, other)
        elif tag in PIXEL_TAGS and not path and not comparison.has_pixels:
            continue
        else:
            one, other = _alike(one, other)
            if one.items is not None and other.items is not None:
                yield from _compare_items(one, other, path, comparison)
            elif not _is_equal(one, other):
                yield Difference(here, one, other)


def _compare_items(
    left: Node, right: Node, path: Path, comparison: Comparison
) -> Iterator[Difference]:
    ours, theirs = left.items or [], right.items or []
    for number in range(max(len(ours), len(theirs))):
        here: Path = (*path, (left.tag, number))
        if comparison.is_ignored(here):
            continue
        if number >= len(theirs):
            yield Difference(here, left, None)
        elif number >= len(ours):
            yield Difference(here, None, right)
        else:
            yield from _compare(ours[number], theirs[number], here, comparison)


def _alike(left: Node, right: Node) -> tuple[Node, Node]:
    """Return both as sequences when one is, and the other one written as UN (PS3.5 6.2.2)."""
    if left.vr == "SQ" and right.vr == "UN":
        return left, _as_sequence(right)
    if left.vr == "UN" and right.vr == "SQ":
        return _as_sequence(left), right
    return left, right


def _as_sequence(node: Node) -> Node:
    if node.element is None:
        return node
    return read_tree(hidden_sequence(node.element), EXPLICIT_LITTLE).get(node.tag, node)


def _is_equal(left: Node, right: Node) -> bool:
    if left.fragments is not None and right.fragments is not None:
        return _same_fragments(left.fragments[1:], right.fragments[1:])
    if left.element is None or right.element is None:
        return False
    vr = _common_vr(left, right)
    return vr is not None and _same_values(vr, left, right)


def _common_vr(left: Node, right: Node) -> str | None:
    """Return as what two values are compared, None when they say themselves to be different.

    Where the file does not say the VR, the other one's counts.
    """
    if left.vr == right.vr or right.vr == "UN":
        return left.vr
    if left.vr == "UN" or not left.scope.explicit:
        return right.vr
    if not right.scope.explicit:
        return left.vr
    # pixels and overlays of 8 bits are either (PS3.5 8.1.2)
    return "OW" if {left.vr, right.vr} == {"OB", "OW"} else None


def _same_values(vr: str, left: Node, right: Node) -> bool:
    ours, theirs = left.value, right.value
    is_written_alike = (
        left.scope.little == right.scope.little
        and left.scope.character_set == right.scope.character_set
    )
    if is_written_alike and same_bytes(ours, theirs):
        return True
    if vr in BYTES_VRS or vr in BINARY_FORMATS or vr == "AT":
        return _same_words(_little(left, vr), _little(right, vr))
    if vr == "UN":
        return False
    try:
        values = left.scope.values_of(vr, bytes(ours))
        return values == right.scope.values_of(vr, bytes(theirs))
    except Malformed:
        return False


def _little(node: Node, vr: str) -> Data:
    """Return the words of a value in Little Endian."""
    size = WORD_SIZES.get(node.vr) or WORD_SIZES.get(vr) or 1
    if vr in BINARY_FORMATS:
        size = struct.calcsize("<" + BINARY_FORMATS[vr])
    # what was written as UN or OB has no words
    is_bytes = node.vr in ("OB", "UN")
    if node.scope.little or size == 1 or is_bytes or len(node.value) % size:
        return node.value
    words = array({2: "H", 4: "I", 8: "Q"}[size], bytes(node.value))
    words.byteswap()
    return words.tobytes()


def _same_words(left: Data, right: Data) -> bool:
    """Whether bytes are the same, but for a zero that makes their number even (PS3.5 6.2)."""
    if abs(len(left) - len(right)) == 1:
        longer, size = (left, len(right)) if len(left) > len(right) else (right, len(left))
        if len(longer) % 2 == 0 and not longer[-1]:
            return same_bytes(left[:size], right[:size])
    return same_bytes(left, right)


def _same_fragments(left: list[memoryview], right: list[memoryview]) -> bool:
    """Whether what is encapsulated is the same, in whatever fragments; offset tables do not count.

    A fragment's padding is part of the code stream's bytes (PS3.5 A.4).
    """
    if len(left) == len(right) and all(map(same_bytes, left, right)):
        return True
    return sum(map(len, left)) == sum(map(len, right)) and b"".join(left) == b"".join(right)


def same_bytes(left: Data, right: Data) -> bool:
    """Whether two buffers have the same bytes, read in steps."""
    if len(left) != len(right):
        return False
    return all(
        bytes(left[at : at + _STEP]) == bytes(right[at : at + _STEP])
        for at in range(0, len(left), _STEP)
    )


def first_difference(left: Data, right: Data) -> int:
    """Return the number of bytes with which both begin, read in steps."""
    size = min(len(left), len(right))
    at, step = 0, _STEP
    while at < size and step:
        end = min(at + step, size)
        if bytes(left[at:end]) == bytes(right[at:end]):
            at = end
        else:
            step //= 2
    return at
