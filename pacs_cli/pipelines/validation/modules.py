"""What PS3.3 asks of the IOD: modules, types, conditions, enumerated values."""

from __future__ import annotations

from pacs_cli.pipelines.validation.enumerated import ENUMERATED, Enumeration
from pacs_cli.pipelines.validation.findings import Findings, Place
from pacs_cli.pipelines.validation.levels import Level
from pacs_cli.pipelines.validation.plans import Demand, Plan
from pacs_cli.pipelines.validation.plans import Level as Wanted

_SHORTS = frozenset(("US", "SS", "US or SS"))
_ENUMERATED_TAGS = frozenset(ENUMERATED)


class Modules:
    """Compares each level with what the IOD demands there; `plan` is None where that is unknown."""

    def __init__(self, findings: Findings, plan: Plan | None) -> None:
        self._findings = findings
        self._plan = plan

    def check(self, level: Level) -> None:
        """Check a whole data set or item."""
        if not _ENUMERATED_TAGS.isdisjoint(level.elements):
            self._enumerated(level)
        if self._plan is None:
            return
        wanted = self._plan.at(level.path)
        missing = wanted.required.difference(level.elements)
        if missing:
            self._missing(level, wanted, missing)
        for tag in level.empty:
            if tag in wanted.nonempty:
                self._add("iod-type-1-empty", level, tag, "empty, and of type 1 or 1C")
        for condition, kind in wanted.conditions:
            if condition.tag not in level.elements and condition.holds(level):
                message = f"missing: {condition.when} (PS3.3 {condition.source})"
                self._add(f"iod-type-{kind.lower()}-missing", level, condition.tag, message)
        for name, own, demanded in wanted.optional:
            if not own.isdisjoint(level.elements):
                for tag in sorted(demanded.difference(level.elements)):
                    self._add("iod-optional-module", level, tag, f"missing, of module {name}")

    def _missing(self, level: Level, wanted: Wanted, missing: frozenset[int]) -> None:
        told: set[int] = set()
        for demand in wanted.demands:
            if demand.tags <= missing:
                told |= demand.tags
                self._findings.add("iod-module-missing", Place(), _module_message(demand))
        for tag in sorted(missing - told):
            kind = wanted.types[tag]
            self._add(f"iod-type-{kind}-missing", level, tag, f"missing, and of type {kind}")

    def _enumerated(self, level: Level) -> None:
        # what is said of an IOD is said of its image, not of icons and the like in items
        iod = self._plan.iod.name if self._plan and not level.path else ""
        for tag in _ENUMERATED_TAGS.intersection(level.elements):
            values = _values(level, tag)
            for row in ENUMERATED[tag]:
                if row.iod in ("", iod):
                    self._listed(level, tag, values, row)

    def _listed(self, level: Level, tag: int, values: tuple[str, ...], row: Enumeration) -> None:
        if row.position is not None:
            values = values[row.position : row.position + 1]
        if any(value and value not in row.values for value in values):
            which = "" if row.position is None else f"value {row.position + 1} is "
            message = f"{which}none of {', '.join(sorted(row.values))} (PS3.3 {row.source})"
            self._add("iod-enumerated-value", level, tag, message)

    def _add(self, rule: str, level: Level, tag: int, message: str) -> None:
        self._findings.add(rule, Place((*level.path, tag), level.items), message)


def _module_message(demand: Demand) -> str:
    count = len(demand.tags)
    what = "its attribute" if count == 1 else f"all {count} of its attributes"
    return f"module {demand.module}: {what} of type 1 or 2"


def _values(level: Level, tag: int) -> tuple[str, ...]:
    if level.vrs[tag] not in _SHORTS:
        return level.texts(tag)
    signed = level.vrs[tag] == "SS"
    return tuple(
        str(value - 65536 if signed and value > 32767 else value) for value in level.shorts(tag)
    )
