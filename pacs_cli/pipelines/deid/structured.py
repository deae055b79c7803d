"""Structured content cleaned by its concepts: the Clean Structured Content Option.

This decides which content items stay and what their values become. The attributes around the
values, the references to other objects among them, are left to table E.1-1.

source  PS3.15 E.3.4 and table E.3.4-1
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from functools import cache
from itertools import groupby
from typing import NamedTuple

from pacs_cli.dicom.encoding import Encoding
from pacs_cli.errors import MalformedDataset
from pacs_cli.pipelines.deid.profile import CONCEPTS, Concept
from pacs_cli.pipelines.deid.subject import MOST_SEARCHED, Removed
from pacs_cli.pipelines.deid.values import cleaned, dummy, padded, shifted
from pacs_cli.pixels.tree import Item, Node, Writer, read_tree, remove

_CONTENT, _VALUE_TYPE, _NAME = 0x0040A730, 0x0040A040, 0x0040A043
_BY_REFERENCE = 0x0040DB73
_SCHEME, _CODES = 0x00080102, (0x00080100, 0x00080119, 0x00080120)

#: Value type -> the tag and VR of its value (PS3.3 table C.17.3-7).
_VALUES = {
    "TEXT": (0x0040A160, "UT"),
    "PNAME": (0x0040A123, "PN"),
    "DATE": (0x0040A121, "DA"),
    "TIME": (0x0040A122, "TM"),
    "DATETIME": (0x0040A120, "DT"),
    "UIDREF": (0x0040A124, "UI"),
}
#: Those of which nothing can be told but by their concept, or by the references in them.
_OTHERS = frozenset(
    {"CODE", "NUM", "CONTAINER", "IMAGE", "COMPOSITE", "WAVEFORM", "SCOORD", "SCOORD3D", "TCOORD"}
)
#: In the items of other sequences of content (PS3.3 table 10-2) the value type is also NUMERIC.
_SYNONYMS = {"NUMERIC": "NUM"}

_DATES = frozenset({"DATE", "TIME", "DATETIME"})

#: Steps of a specimen's preparation, and the content items of each.
_PREPARATION, _STEP_CONTENT = 0x00400610, 0x00400612

#: Items that refer to items that refer: reports have one such step.
_MOST_PASSES = 100

#: The numbers of an item and of those that it is in, without that of the root.
_Position = tuple[int, ...]

#: What a value that goes is searched for as: an identifier, a device, an institution, a text.
_AS_IDENTIFIER, _AS_DEVICE, _AS_INSTITUTION = 0x00080050, 0x00081090, 0x00080080


class Cleaning(NamedTuple):
    """What cleaning goes by.

    columns  options of table E.3.4-1 that count: uids, device, ..., clean_desc
    words    in lower case, what is taken out of texts
    days     to shift dates by
    charset  SpecificCharacterSet, as bytes
    """

    columns: frozenset[str]
    words: Collection[bytes] = ()
    days: int = 0
    charset: bytes = b""


def clean_content(
    sequence: bytes, encoding: Encoding, cleaning: Cleaning, removed: list[Removed]
) -> bytes:
    """Return a sequence of content items cleaned; b"" when none of them stays.

    sequence  the whole element: ContentSequence, or another of table E.1-1 that has content items
    removed   gets the values that are gone
    raises    MalformedDataset
    """
    view = memoryview(sequence)
    run = _Run(cleaning)
    root = read_tree(view, encoding)
    is_changed = run.sequence(root.nodes[0])
    dangling = run.dangling()
    if dangling:
        # once more without what refers to nothing now
        run = _Run(cleaning, dangling)
        root = read_tree(view, encoding)
        is_changed = run.sequence(root.nodes[0])
    node = root.nodes[0]
    removed += run.removed
    if not node.items:
        return b""
    is_changed |= run.renumber(node)
    if not is_changed:
        return sequence
    _touch(node)
    writer = Writer(view, root.encoding, root.encoding, False)
    return b"".join(writer.nodes([node], root.encoding))


def _touch(node: Node) -> None:
    """Have a sequence, and those of content in it, written anew."""
    node.stop = 0
    for item in node.items or ():
        for each in item.nodes:
            if each.tag in (_CONTENT, _STEP_CONTENT):
                _touch(each)


class _Run:
    """The state of one `clean_content`.

    dropped  positions of items that go whatever they are
    """

    def __init__(self, cleaning: Cleaning, dropped: Collection[_Position] = ()) -> None:
        self.removed: list[Removed] = []
        self._cleaning = cleaning
        self._dropped = dropped
        self._places: dict[_Position, _Position] = {}
        self._references: dict[_Position, _Position] = {}

    def sequence(self, node: Node) -> bool:
        """Clean a sequence in place; return whether anything changed."""
        if node.tag != _PREPARATION:
            return self._items(node, (), ())
        # its items are steps, and each has content items (PS3.3 table C.7-22b)
        steps = [item.find(_STEP_CONTENT) for item in node.items or ()]
        return sum(self._items(step, (), ()) for step in steps if step is not None) > 0

    def _items(self, node: Node, place: _Position, new: _Position) -> bool:
        """Clean the items of a sequence in place; return whether anything changed.

        place, new  the position of what they are in, before and after
        """
        kept: list[Item] = []
        is_changed = False
        for number, item in enumerate(node.items or (), 1):
            at, to = (*place, number), (*new, len(kept) + 1)
            concept, kind = _concept_of(item), _kind_of(item)
            code = _code(concept, kind, self._cleaning.columns)
            if code == "K" and kind in _DATES and not self._is_date(item, kind):
                code = "X" if concept is not None and concept.basic == "X" else "D"
            is_gone = code == "X" or at in self._dropped
            if is_gone or (code == "C" and not self._clean(item, kind, concept)):
                self._note(item, concept)
                is_changed = True
                continue
            if code == "D":
                is_changed |= self._dummy(item, kind, concept)
            is_changed |= code == "C"
            is_changed |= self._strip(item, kind)
            self._places[at] = to
            self._refer(item, at)
            is_changed |= self._inner(item, at, to)
            kept.append(item)
        if node.items is not None:
            node.items[:] = kept
        return is_changed

    def _inner(self, item: Item, at: _Position, to: _Position) -> bool:
        inner = item.find(_CONTENT)
        if inner is None:
            return False
        is_changed = self._items(inner, at, to)
        if is_changed and not inner.items:
            # of type 1C: where there are items
            remove(item, _CONTENT)
        return is_changed

    def _is_date(self, item: Item, kind: str) -> bool:
        tag, vr = _VALUES[kind]
        return shifted(item.value(tag) or b"", vr, 0) is not None

    def _strip(self, item: Item, kind: str) -> bool:
        """Take out values that are of another value type than the item says."""
        is_changed = False
        for other, (tag, vr) in _VALUES.items():
            node = item.find(tag)
            if node is not None and other not in (kind, "UIDREF"):
                self._told(tag, vr, bytes(node.value or b""), None)
                remove(item, tag)
                is_changed = True
        return is_changed

    def _refer(self, item: Item, at: _Position) -> None:
        value = item.value(_BY_REFERENCE)
        if value is not None:
            self._references[at] = _numbers(value, item.encoding.little)[1:]

    def dangling(self) -> set[_Position]:
        """Return the items that refer to one that is gone, or to one that goes with them."""
        gone: set[_Position] = set()
        for _ in range(_MOST_PASSES):
            more = {
                at
                for at, target in self._references.items()
                if at not in gone
                and target
                and (
                    target not in self._places
                    or any(target[:length] in gone for length in range(1, len(target) + 1))
                )
            }
            if not more:
                return gone
            gone |= more
        raise MalformedDataset("items of its content refer to each other without an end")

    def _clean(self, item: Item, kind: str, concept: Concept | None) -> bool:
        """Clean a value; return whether anything of it can stay."""
        tag, vr = _VALUES[kind]
        node = item.find(tag)
        if node is None or node.value is None:
            return True
        value = bytes(node.value)
        if kind == "TEXT":
            new: bytes | None = cleaned(value, self._cleaning.words) or None
            new = new and padded(new, vr)
        else:
            new = shifted(value, vr, self._cleaning.days)
        if new is None:
            # what cannot be cleaned is treated as the Basic Profile does
            if concept is not None and concept.basic == "X":
                return False
            new = dummy(vr)
        self._replace(item, node, vr, new, concept)
        return True

    def _dummy(self, item: Item, kind: str, concept: Concept | None) -> bool:
        """Replace a value with one that says nothing; references are left to what replaces UIDs."""
        if kind not in _VALUES or kind == "UIDREF":
            return False
        tag, vr = _VALUES[kind]
        node = item.find(tag)
        if node is None:
            return False
        self._replace(item, node, vr, dummy(vr), concept)
        return True

    def _replace(
        self, item: Item, node: Node, vr: str, new: bytes, concept: Concept | None
    ) -> None:
        value = bytes(node.value or b"")
        if value != new:
            self._told(node.tag, vr, value, concept)
        place = item.nodes.index(node)
        item.nodes[place] = Node(node.tag, vr, value=new)

    def _note(self, item: Item, concept: Concept | None) -> None:
        """Note the values of an item that goes, and of all in it."""
        for tag, vr in _VALUES.values():
            node = item.find(tag)
            if node is not None and node.value:
                self._told(tag, vr, bytes(node.value), concept)
        for each in item.nodes:
            for one in each.items or ():
                is_content = each.tag == _CONTENT
                self._note(one, _concept_of(one) if is_content else concept)
            if each.vr == "UI" and each.value and each.tag != 0x0040A124:
                self._told(each.tag, "UI", bytes(each.value), None)

    def _told(self, tag: int, vr: str, value: bytes, concept: Concept | None) -> None:
        if concept is not None and vr == "UT":
            options = concept.options
            if "device" in options:
                tag = _AS_DEVICE
            elif "institution" in options:
                tag = _AS_INSTITUTION
            elif "clean_desc" not in options:
                tag = _AS_IDENTIFIER
        self.removed.append(Removed(tag, vr, value[:MOST_SEARCHED], self._cleaning.charset))

    def renumber(self, node: Node) -> bool:
        """Have references to items say where these are now; return whether any changed.

        source  PS3.3 C.17.3.2.5: positions from the root on, which is 1
        """
        is_changed = False
        for item in node.items or ():
            reference = item.find(_BY_REFERENCE)
            if reference is not None and reference.value is not None:
                old = _numbers(bytes(reference.value), item.encoding.little)
                new = (*old[:1], *self._places.get(old[1:], old[1:]))
                if new != old:
                    order = "<" if item.encoding.little else ">"
                    value = struct.pack(f"{order}{len(new)}L", *new)
                    place = item.nodes.index(reference)
                    item.nodes[place] = Node(_BY_REFERENCE, "UL", value=value)
                    is_changed = True
            inner = item.find(_CONTENT)
            if inner is not None:
                is_changed |= self.renumber(inner)
        return is_changed


def _numbers(value: bytes, little: bool) -> _Position:
    count = len(value) // 4
    return struct.unpack(f"{'<' if little else '>'}{count}L", value[: 4 * count])


#: SNOMED RT style codes of the concepts of table E.3.4-1 that it has by their SNOMED CT ones, and
#: the schemes that these are written in (PS3.16 8.1 and table O-1).
_SNOMED_RT_SCHEMES = frozenset({"SRT", "SNM3", "99SDM"})
_SNOMED_RT = {
    "DD-60002": "116224001",
    "DF-0068E": "398325003",
    "DF-0070B": "398164008",
    "F-00033": "271921002",
    "F-02455": "160476009",
    "G-C0E3": "363698007",
    "G-D320": "397898000",
    "G-D321": "398201009",
    "PA-30029": "440252007",
    "R-42B89": "371524004",
}


@cache
def _table() -> dict[tuple[str, str], dict[str, Concept]]:
    """Scheme and value -> value type -> row."""
    rows = sorted(CONCEPTS, key=lambda row: row[:3])
    return {
        key: {row.value_type: row for row in group}
        for key, group in groupby(rows, lambda row: (row.scheme, row.value))
    }


def _concept_of(item: Item) -> Concept | None:
    """Return the row of an item's concept and value type; of its concept, where that has one."""
    node = item.find(_NAME)
    if node is None or not node.items:
        return None
    name = node.items[0]
    scheme = _text(name.value(_SCHEME))
    kind = _kind_of(item)
    for tag in _CODES:
        value = _text(name.value(tag))
        if scheme in _SNOMED_RT_SCHEMES and value in _SNOMED_RT:
            rows = _table().get(("SCT", _SNOMED_RT[value]))
        else:
            rows = _table().get((scheme, value))
        if rows is not None:
            return rows.get(kind) or next(iter(rows.values()))
    return None


def _kind_of(item: Item) -> str:
    """Return the value type; where none is told, by the value that is there."""
    told = _text(item.value(_VALUE_TYPE)).upper()
    if told:
        return _SYNONYMS.get(told, told)
    if item.find(_BY_REFERENCE) is not None:
        return "REFERENCE"
    for kind, (tag, _) in _VALUES.items():
        if item.find(tag) is not None:
            return kind
    return "CODE" if item.find(0x0040A168) is not None else "NUM"


def _code(concept: Concept | None, kind: str, columns: frozenset[str]) -> str:
    """Return what becomes of an item: K, C, D or X.

    Concepts that the table does not list are treated by value type: texts and names as ones that
    have to be there, so that no template is broken, and dates as those of the table.
    """
    if kind == "REFERENCE":
        return "K"
    if kind not in _VALUES and kind not in _OTHERS:
        return "X"
    options = concept.options if concept is not None else _unlisted(kind)
    codes = {options[name] for name in columns if name in options}
    if "C" in codes and kind in _VALUES and kind not in ("PNAME", "UIDREF"):
        return "C"
    if "K" in codes:
        return "K"
    if concept is None:
        return "D" if kind in _VALUES else "K"
    return "X" if concept.basic == "X" else "D"


def _unlisted(kind: str) -> dict[str, str]:
    if kind in ("DATE", "TIME", "DATETIME"):
        return {"full_dates": "K", "modified_dates": "C"}
    return {"TEXT": {"clean_desc": "C"}, "UIDREF": {"uids": "K"}}.get(kind, {})


def _text(value: bytes | None) -> str:
    return (value or b"").decode("latin-1").strip("\0 ")
