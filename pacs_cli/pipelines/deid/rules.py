"""Rules of one's own: `SELECTOR = ACTION`, before everything that a profile says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pacs_cli.dicom.dictionary import tag_of, tags_of_keywords
from pacs_cli.errors import UsageError, nearest

ACTIONS = ("keep", "remove", "empty", "dummy", "replace", "uid", "hash", "shift", "clean")

_TAG = re.compile(r"\(?([0-9A-Fa-fXx]{4}),([0-9A-Fa-fXx]{4})\)?")
_PRIVATE = re.compile(r'\(?([0-9A-Fa-f]{4}),[Xx]{2}([0-9A-Fa-f]{2})\)?:"([^"]+)"')
_VR = re.compile(r"vr:([A-Z]{2})")
_RULE = re.compile(r'\s*((?:[^="]|"[^"]*")+?)\s*=\s*(.*?)\s*', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """What to do with the elements that a selector names.

    text     as it was written
    path     (mask, tag) of each sequence and of the element; one of them means it at any depth
    creator  of a private element, whose block does not count then
    vr       of every element of a VR, the rest being empty
    action   one of `ACTIONS`
    value    of `replace`
    """

    text: str
    path: tuple[tuple[int, int], ...]
    creator: str
    vr: str
    action: str
    value: str = ""

    @property
    def rank(self) -> int:
        """How specific it is: a path before a tag before a VR."""
        return 0 if self.vr else 1 if len(self.path) == 1 else 2

    def matches(self, path: Sequence[int], vrs: frozenset[str], creator: str) -> bool:
        """Whether it names an element; `vrs` has its VR as written and by the dictionary."""
        if self.vr:
            return self.vr in vrs
        if self.creator and self.creator != creator:
            return False
        if len(self.path) > 1 and len(path) != len(self.path):
            return False
        return all(
            at & mask == tag
            for (mask, tag), at in zip(self.path, path[-len(self.path) :], strict=True)
        )


def parse_rule(text: str) -> Rule:
    """Read `SELECTOR = ACTION`.

    The selector is a keyword, `gggg,eeee` with x for any digit, a path of these with dots between,
    `gggg,xxee:"CREATOR"` or `vr:PN`.

    raises  UsageError when it is none
    """
    match = _RULE.fullmatch(text)
    if match is None or not match[2]:
        raise UsageError(f"--rule {text}: write SELECTOR = ACTION")
    selector, typed = match[1].strip(), match[2]
    action, colon, value = typed.partition(":")
    if action not in ACTIONS or bool(colon) != (action == "replace"):
        near = nearest(action, ACTIONS)
        raise UsageError(f"--rule {text}: the action is one of {', '.join(ACTIONS)}:VALUE{near}")
    if not value.isascii() or "\0" in value:
        raise UsageError(f"--rule {text}: a replacement is ASCII, as files differ in characters")
    vr = _VR.fullmatch(selector)
    private = _PRIVATE.fullmatch(selector)
    if vr:
        return Rule(text, (), "", vr[1], action, value)
    if private:
        group = int(private[1], 16)
        if not group & 1:
            raise UsageError(f"--rule {text}: a private group is odd")
        step = (0xFFFF00FF, group << 16 | int(private[2], 16))
        return Rule(text, (step,), private[3], "", action, value)
    path = tuple(_step(word, text) for word in selector.split("."))
    return Rule(text, path, "", "", action, value)


def _step(word: str, text: str) -> tuple[int, int]:
    """Return (mask, tag) of a keyword or a tag."""
    match = _TAG.fullmatch(word)
    if match:
        digits = (match[1] + match[2]).lower()
        mask = int("".join("0" if digit == "x" else "f" for digit in digits), 16)
        return mask, int(digits.replace("x", "0"), 16)
    tag = tag_of(word)
    if tag is not None:
        return 0xFFFFFFFF, tag
    found = _repeating().get(word)
    if found is None:
        near = nearest(word, tags_of_keywords())
        raise UsageError(f"--rule {text}: no attribute {word}{near}")
    return found


@cache
def _repeating() -> dict[str, tuple[int, int]]:
    """Return keyword -> (mask, tag) of the attributes of repeating groups (PS3.5 7.6)."""
    from pydicom import datadict

    table: dict[str, tuple[str, ...]] = datadict.__dict__["RepeatersDictionary"]

    return {
        row[4]: (
            int("".join("0" if digit == "x" else "f" for digit in digits), 16),
            int(digits.replace("x", "0"), 16),
        )
        for digits, row in table.items()
    }
