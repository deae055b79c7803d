"""What validation finds: findings, the same ones of many items counted as one."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from pacs_cli.dicom.dictionary import keyword_at
from pacs_cli.dicom.encoding import tag_text
from pacs_cli.pipelines.validation.rule import Severity
from pacs_cli.pipelines.validation.rules import RULES

#: Different findings of one rule in one file; a file made to break one everywhere says no more.
_MOST_OF_A_RULE = 100


class Place(NamedTuple):
    """Where something stands: the tags from the top, and the number of the item under each."""

    tags: tuple[int, ...] = ()
    items: tuple[int, ...] = ()

    def text(self) -> str:
        """Return `(0040,A730)[2].(0040,A043)`; items count from 1, "" is the file."""
        numbers = [f"[{number}]" for number in self.items] + [""]
        return ".".join(f"{tag_text(t)}{n}" for t, n in zip(self.tags, numbers, strict=False))


class Finding(NamedTuple):
    """A rule that a file breaks.

    place    of the first, as `Place.text`
    keyword  of the element, "" when it has none
    message  what is wrong, without a value that could identify a patient
    times    how often: in so many items the same
    """

    rule: str
    place: str
    keyword: str
    message: str
    times: int = 1

    @property
    def severity(self) -> Severity:
        """That of its rule."""
        return RULES[self.rule].severity

    @property
    def fingerprint(self) -> str:
        """What stays the same when the file moves or another item is first: for baselines."""
        bare = "".join(part.split("]")[-1] for part in self.place.split("["))
        return f"{self.rule} {bare} {self.message}"


class Findings:
    """Collects the findings of one file.

    active  the ids of the rules that are looked at
    """

    def __init__(self, active: Collection[str] = frozenset(RULES)) -> None:
        self._active = active
        self._found: dict[tuple[str, tuple[int, ...], str], Finding] = {}
        self._times: dict[tuple[str, tuple[int, ...], str], int] = {}
        self._counts: dict[str, int] = {}

    def add(self, rule: str, place: Place, message: str) -> None:
        """Note that a rule is broken; the same one in another item adds to its count."""
        if rule not in self._active:
            return
        key = (rule, place.tags, message)
        if key in self._times:
            self._times[key] += 1
            return
        kinds = self._counts.get(rule, 0)
        if kinds < _MOST_OF_A_RULE:
            self._counts[rule] = kinds + 1
            keyword = keyword_at(place.tags[-1]) if place.tags else ""
            self._times[key] = 1
            self._found[key] = Finding(rule, place.text(), keyword, message)

    def all(self) -> list[Finding]:
        """Return them in the order in which they were found."""
        return [found._replace(times=self._times[key]) for key, found in self._found.items()]
