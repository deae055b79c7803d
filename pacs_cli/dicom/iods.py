"""What PS3.3 asks of an IOD: its modules, and the type of each attribute where it stands.

The table is packaged (`iods.bin`, made by `tools/make_iods.py`) and read module by module: an IOD
of thousands of attributes costs some milliseconds once.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

_TABLE = Path(__file__).with_name("iods.bin")

#: The strictest first (PS3.5 7.4): what an attribute of two modules is (PS3.3 A.1.3).
TYPES = ("1", "1C", "2", "2C", "3", "")
_STRICTNESS = {kind: place for place, kind in enumerate(TYPES)}


class Attribute(NamedTuple):
    """An attribute of a module (PS3.3 C); `items` are those in the items of a sequence.

    type   "1", "1C", "2", "2C" or "3" (PS3.5 7.4); "" where the table tells none
    """

    tag: int
    type: str
    items: dict[int, Attribute]


class Module(NamedTuple):
    """A module of an IOD (PS3.3 A); `usage` is M, C or U (PS3.3 A.1.3), `attributes` by tag."""

    name: str
    ie: str
    usage: str
    attributes: dict[int, Attribute]


@dataclass(frozen=True)
class Iod:
    """An Information Object Definition: name (`ct-image`), modules. Any thread may use it."""

    name: str
    modules: tuple[Module, ...]
    _types: dict[tuple[int, ...], str] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def attributes_at(self, path: Sequence[int]) -> Iterator[tuple[Module, Attribute]]:
        """Yield every module that has the attribute at a path, and what it says of it.

        path  the tags from the top: of the sequence, of the attribute in its items. Attributes of
              repeating groups (PS3.5 7.6) count as those of the first of the groups
        """
        tags = [_first_group(tag) for tag in path]
        for module in self.modules:
            level = module.attributes
            found = None
            for tag in tags:
                found = level.get(tag)
                if found is None:
                    break
                level = found.items
            if found is not None:
                yield module, found

    def type_at(self, path: tuple[int, ...]) -> str | None:
        """Return the strictest type that a module gives the attribute at a path, None for none.

        Modules that are optional count: an attribute that stands in a data set is taken to be
        there as its module asks.
        """
        kind = self._types.get(path)
        if kind is None:
            kinds = [attribute.type for _, attribute in self.attributes_at(path)]
            kind = min(kinds, key=_STRICTNESS.__getitem__) if kinds else "-"
            if len(self._types) < 65536:  # a hostile file has any number of paths
                self._types[path] = kind
        return None if kind == "-" else kind

    @cached_property
    def mandatory(self) -> tuple[Module, ...]:
        """The modules that every object of the IOD has."""
        return tuple(module for module in self.modules if module.usage == "M")


def iod_of(sop_class_uid: str) -> Iod | None:
    """Return the IOD of a storage SOP class (PS3.4 table B.5-1), None when the table has none."""
    name = _head()["sop_classes"].get(sop_class_uid)
    return None if name is None else _iod(name)


def iod_names() -> list[str]:
    """Return the names of all IODs of the table, in its order."""
    return list(_head()["iods"])


def sop_classes() -> dict[str, str]:
    """Return the table's SOP classes with the name of their IOD."""
    return dict(_head()["sop_classes"])


def source() -> str:
    """Say what the table was made from."""
    return str(_head()["source"])


@lru_cache(maxsize=64)
def _iod(name: str) -> Iod:
    rows = _head()["iods"][name]
    return Iod(
        name, tuple(Module(module, ie, usage, _attributes(module)) for module, ie, usage in rows)
    )


@lru_cache(maxsize=1)
def _content() -> tuple[dict[str, Any], bytes]:
    content = _TABLE.read_bytes()
    (length,) = struct.unpack_from(">I", content)
    head = json.loads(zlib.decompress(content[4 : 4 + length]))
    return head, content[4 + length :]


def _head() -> dict[str, Any]:
    return _content()[0]


@lru_cache(maxsize=512)
def _attributes(module: str) -> dict[int, Attribute]:
    """Read a module; one that an IOD names and the source does not describe is empty."""
    head, body = _content()
    if module not in head["modules"]:
        return {}
    offset, length = head["modules"][module]
    levels: list[dict[int, Attribute]] = [{}]
    for line in zlib.decompress(body[offset : offset + length]).decode("ascii").splitlines():
        depth, tag = int(line[0]), int(line[1:9], 16)
        attribute = Attribute(tag, line[9:], {})
        levels[depth][tag] = attribute
        levels[depth + 1 :] = [attribute.items]
    return levels[0]


def _first_group(tag: int) -> int:
    """Return the tag in group 5000 or 6000 for one of a repeating group (PS3.5 7.6)."""
    group = tag >> 24
    return (tag & 0xFF00FFFF) if group in (0x50, 0x60) else tag


def demanded(iod: Iod | None) -> tuple[frozenset[int], frozenset[int]]:
    """Return the top-level tags of mandatory modules: those of type 1, and of type 1 or 2."""
    kinds: dict[int, set[str]] = {}
    for module in iod.mandatory if iod is not None else ():
        for tag, attribute in module.attributes.items():
            kinds.setdefault(tag, set()).add(attribute.type)
    valued = frozenset(tag for tag, types in kinds.items() if "1" in types)
    return valued, valued | {tag for tag, types in kinds.items() if "2" in types}
