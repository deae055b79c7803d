"""What an IOD demands at each path, worked out once and kept: sets to compare a level with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from pacs_cli.dicom.iods import TYPES, Attribute, Iod, Module, iod_of
from pacs_cli.pipelines.validation.conditions import BY_TAG, SHOW_THEIR_MODULE, Condition

#: The items of functional groups: all macros are in the table, and most are optional.
SHARED_GROUPS, FRAME_GROUPS = 0x52009229, 0x52009230

#: A content item has a value type and what goes with it (PS3.3 C.17.3.2): the table has every
#: macro at once, and each is there for its own value type only.
_VALUE_TYPE, _CONTENT = 0x0040A040, 0x0040A730
_OF_VALUE_TYPES = frozenset(
    (
        *(0x00081199, 0x0040A050, 0x0040A120, 0x0040A121, 0x0040A122, 0x0040A123, 0x0040A124),
        *(0x0040A130, 0x0040A160, 0x0040A168, 0x0040A300, 0x0040A801, 0x00700022, 0x00700023),
        *(0x30060024, 0x0040A30A, _VALUE_TYPE),
    )
)

#: Paths of one IOD that are kept; a hostile file has any number of them.
_MOST_PATHS = 8192

_PRESENT = ("1", "2")


@dataclass(frozen=True, slots=True)
class Demand:
    """What one module, or all that know a sequence, demand."""

    module: str
    tags: frozenset[int]


@dataclass(frozen=True, slots=True)
class Level:
    """What is demanded of a data set or item.

    types      tag -> type, of what must be there
    nonempty   what must not be empty when it is there
    demands    at the top: of each mandatory module
    optional   at the top: module, what only it has of what it demands, all it demands
    """

    types: dict[int, str]
    nonempty: frozenset[int]
    conditions: tuple[tuple[Condition, str], ...]
    demands: tuple[Demand, ...] = ()
    optional: tuple[tuple[str, frozenset[int], frozenset[int]], ...] = ()
    required: frozenset[int] = field(default=frozenset())


_NOTHING = Level({}, frozenset(), ())


class Plan:
    """What an IOD demands, path by path."""

    def __init__(self, iod: Iod) -> None:
        self.iod = iod
        self._levels: dict[tuple[int, ...], Level] = {}

    def at(self, path: tuple[int, ...]) -> Level:
        """Return what is demanded of the items of a sequence, () for the whole data set."""
        level = self._levels.get(path)
        if level is None:
            level = self._items(path) if path else self._top()
            if len(self._levels) < _MOST_PATHS:
                self._levels[path] = level
        return level

    def _top(self) -> Level:
        mandatory = self.iod.mandatory
        types = _strictest([module.attributes for module in mandatory])
        others = [module for module in self.iod.modules if module.usage != "M"]
        every = _strictest([module.attributes for module in mandatory + tuple(others)], loose=True)
        shown = {tag: every[tag] for tag in SHOW_THEIR_MODULE & every.keys()}
        valued = {tag for tag, kind in {**every, **types}.items() if kind in ("1", "1C")}
        return Level(
            {tag: kind for tag, kind in types.items() if kind in _PRESENT},
            frozenset(valued),
            _conditions({**shown, **types}),
            tuple(
                Demand(module.name, frozenset(demanded))
                for module in mandatory
                if (demanded := _demanded(module))
            ),
            tuple(_optional(others, self.iod)),
            frozenset(tag for tag, kind in types.items() if kind in _PRESENT),
        )

    def _items(self, path: tuple[int, ...]) -> Level:
        found = list(self.iod.attributes_at(_collapsed(path)))
        if not found:
            return _NOTHING
        mandatory = [attribute for module, attribute in found if module.usage == "M"]
        if mandatory:
            types = _strictest([attribute.items for attribute in mandatory])
        else:
            # which of the modules is there cannot be told: only what all of them demand
            types = _strictest([attribute.items for _, attribute in found], loose=True)
            known = [set(attribute.items) for _, attribute in found]
            types = {tag: kind for tag, kind in types.items() if all(tag in one for one in known)}
        if path[-1] in (SHARED_GROUPS, FRAME_GROUPS):
            return Level({}, frozenset(), ())
        required = frozenset(tag for tag, kind in types.items() if kind in _PRESENT)
        return Level(
            {tag: types[tag] for tag in required},
            frozenset(tag for tag, kind in types.items() if kind in ("1", "1C")),
            _conditions(types),
            required=required,
        )


def _strictest(levels: list[dict[int, Attribute]], loose: bool = False) -> dict[int, str]:
    """Return each tag's type: the strictest of all that have it, or the loosest."""
    types: dict[int, str] = {}
    choose = max if loose else min
    for level in levels:
        is_content = _VALUE_TYPE in level
        for tag, attribute in level.items():
            kind = attribute.type
            if is_content and tag in _OF_VALUE_TYPES and kind in _PRESENT:
                kind += "C"
            types[tag] = choose(types.get(tag, kind), kind, key=TYPES.index)
    return types


def _conditions(types: dict[int, str]) -> tuple[tuple[Condition, str], ...]:
    return tuple(
        (BY_TAG[tag], kind) for tag, kind in types.items() if kind in ("1C", "2C") and tag in BY_TAG
    )


def _demanded(module: Module) -> set[int]:
    types = _strictest([module.attributes])
    return {tag for tag, kind in types.items() if kind in _PRESENT}


def _collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    """Return a path with content in content as content: items are alike at every depth."""
    pairs = zip(path, (0, *path), strict=False)
    return tuple(tag for tag, above in pairs if tag != _CONTENT or above != _CONTENT)


def _optional(modules: list[Module], iod: Iod) -> list[tuple[str, frozenset[int], frozenset[int]]]:
    """Return modules that show by what they alone have that they are there."""
    found = []
    for module in modules:
        demanded = _demanded(module)
        elsewhere = {
            tag for other in iod.modules if other is not module for tag in other.attributes
        }
        own = demanded - elsewhere
        if own:
            found.append((module.name, frozenset(own), frozenset(demanded)))
    return found


@lru_cache(maxsize=64)
def plan_of(sop_class_uid: str) -> Plan | None:
    """Return what the IOD of a SOP class demands, None when the table does not have it."""
    iod = iod_of(sop_class_uid)
    return None if iod is None else Plan(iod)
