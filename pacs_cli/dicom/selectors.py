"""Which elements of a data set are meant: a keyword, tag, group or path into sequences.

PatientName    0010,0010    (0010,0010)    00100010    60xx,3000    0009    private
RequestAttributesSequence[0].ScheduledProcedureStepID    0040,0275.0040,0009
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pacs_cli.dicom.dictionary import keyword_at, tag_of, tags_of_keywords
from pacs_cli.dicom.encoding import tag_text
from pacs_cli.errors import UsageError

#: An element inside its data set: the sequences around it, each with the number of an item, and
#: itself, or the number of the item in itself, with None in place of what is not there.
Path = tuple[tuple[int, int | None], ...]

_TAG = re.compile(r"\(?([0-9A-Fa-fXx]{4}),?([0-9A-Fa-fXx]{4})\)?")
_GROUP = re.compile(r"\(?([0-9A-Fa-fXx]{4})(?:,)?\)?")
_STEP = re.compile(r"([^\[\]]+)(?:\[([0-9]{1,9})\])?")


@dataclass(frozen=True, slots=True)
class Step:
    """One element of a path, `tag & mask == pattern`; and which of its items, None for any."""

    mask: int
    pattern: int
    item: int | None = None

    def matches(self, tag: int) -> bool:
        """Whether it means this tag."""
        return tag & self.mask == self.pattern


@dataclass(frozen=True, slots=True)
class Selector:
    """Elements that are meant.

    name  what it is called in a column: keywords where there are some
    """

    steps: tuple[Step, ...]
    name: str

    @property
    def tags(self) -> tuple[int, ...]:
        """The tags of its steps; only of one that has no choice of tags."""
        return tuple(step.pattern for step in self.steps)

    @property
    def is_exact(self) -> bool:
        """Whether each step is one tag."""
        return all(step.mask == 0xFFFFFFFF for step in self.steps)

    def matches(self, path: Path) -> bool:
        """Whether a path ends with what is meant, at whatever depth."""
        steps = self.steps
        if len(path) < len(steps):
            return False
        for step, (tag, item) in zip(reversed(steps), reversed(path), strict=False):
            if not step.matches(tag) or (step.item is not None and step.item != item):
                return False
        return True


class Selection:
    """Several selectors; most elements are none of theirs, which is found by the tag alone."""

    def __init__(self, selectors: Iterable[Selector]) -> None:
        self._selectors = tuple(selectors)
        is_exact = all(each.steps[-1].mask == 0xFFFFFFFF for each in self._selectors)
        tags = frozenset(each.steps[-1].pattern for each in self._selectors)
        self._tags = tags if is_exact else None

    def __bool__(self) -> bool:
        return bool(self._selectors)

    def has(self, around: Sequence[tuple[int, int | None]], tag: int, item: int | None) -> bool:
        """Whether an element, or the item of one, is meant.

        around  the path of what it is in
        """
        if self._tags is not None and tag not in self._tags:
            return False
        path: Path = (*around, (tag, item))
        return any(each.matches(path) for each in self._selectors)


def parse_selector(text: str, source: str) -> Selector:
    """Read one selector.

    source  the option it was typed for, for the message
    raises  UsageError naming the nearest keyword
    """
    steps, names = [], []
    for part in text.strip().split("."):
        match = _STEP.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"{source} {text}: write KEYWORD, gggg,eeee or SEQUENCE[0].KEYWORD")
        item = None if match[2] is None else int(match[2])
        mask, pattern = _tag_of(match[1].strip(), f"{source} {text}")
        steps.append(Step(mask, pattern, item))
        names.append(_name(mask, pattern, match[1].strip()) + (f"[{item}]" if match[2] else ""))
    return Selector(tuple(steps), ".".join(names))


def parse_selectors(texts: Iterable[str], source: str) -> list[Selector]:
    """Read selectors, several in one text with commas between them."""
    parts = [part for text in texts for part in _split(text)]
    return [parse_selector(part, source) for part in parts]


def parse_keys(texts: Iterable[str], source: str) -> list[Selector]:
    """Read selectors each of which is one attribute: a column.

    raises  UsageError, also for one that is a choice of tags or stands there twice
    """
    keys = parse_selectors(texts, source)
    for key in keys:
        if not key.is_exact:
            raise UsageError(f"{source} {key.name}: a column is one attribute")
        if key.steps[-1].item is not None:
            raise UsageError(f"{source} {key.name}: write what of the item, {key.name}.KEYWORD")
        if sum(other.name == key.name for other in keys) > 1:
            raise UsageError(f"{source} {key.name}: given twice")
    return keys


def path_text(path: Path) -> str:
    """Return a path as it would be typed."""
    return ".".join(
        (keyword_at(tag) or tag_text(tag)) + ("" if item is None else f"[{item}]")
        for tag, item in path
    )


def _split(text: str) -> list[str]:
    """Split at commas that are in no tag: `PatientID,0010,0010,Rows` are three."""
    found: list[str] = []
    for part in text.split(","):
        is_rest = re.match(r"[0-9A-Fa-fXx]{4}(?:\)|\[|\.|$)", part.strip())
        if found and is_rest and re.search(r"(?:^|[.(])[0-9A-Fa-fXx]{4}$", found[-1]):
            found[-1] += f",{part.strip()}"
        else:
            found.append(part.strip())
    return found


def _tag_of(name: str, source: str) -> tuple[int, int]:
    """Return mask and pattern of what is named."""
    if name.lower() == "private":
        return 0x00010000, 0x00010000
    if match := _TAG.fullmatch(name):
        return _masked(match[1] + match[2])
    tag = tag_of(name)
    if tag is not None:
        return 0xFFFFFFFF, tag
    if match := _GROUP.fullmatch(name):
        return _masked(match[1] + "xxxx")
    known = {keyword.lower(): keyword for keyword in tags_of_keywords()}
    near = get_close_matches(name.lower(), known, n=1)
    hint = f"; did you mean {known[near[0]]}?" if near else ""
    raise UsageError(f"{source}: {name or 'nothing'} is no keyword of the standard{hint}")


def _masked(digits: str) -> tuple[int, int]:
    """Return mask and pattern of eight hexadecimal digits, of which each x is any digit."""
    digits = digits.lower()
    mask = int("".join("0" if digit == "x" else "f" for digit in digits), 16)
    return mask, int(digits.replace("x", "0"), 16)


def _name(mask: int, pattern: int, typed: str) -> str:
    if mask != 0xFFFFFFFF:
        return typed
    return keyword_at(pattern) or f"{pattern:08X}"
