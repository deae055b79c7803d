"""What is to be retrieved: from keys, answers to a query, lists of UIDs; and how to ask for it.

source  PS3.4 C.4.2.2.1 and C.4.3.2.1
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pacs_cli.dicom.identifier import decode_identifier, label
from pacs_cli.dicom.json_model import from_dicom_json, text_at
from pacs_cli.dicom.keys import keyword_of, parse_key, put
from pacs_cli.dicom.query import UNIQUE_KEYS, Level, Model, Query, is_single
from pacs_cli.errors import InputError, MalformedDataset

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from pacs_cli.dicom.dataset import AnyDataset

_LEVEL_TAG = 0x00080052
_FAILED_LIST_TAG = 0x00080058

#: A UID list in Explicit VR has two bytes of length (PS3.5 7.1.2), and a UID 64 at most.
MAX_BATCH = 1000

#: UIDs of a level in one request, unless told: one study or series, so that each has its own result
#: and one that fails costs no other; images in lists, as one request for each would take long.
_BATCHES = {Level.IMAGE: 100}

#: PS3.5 9.1, without its rule against leading zeros, which old software breaks.
_UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing to retrieve: the values of the unique keys that are known, its own one last.

    uniques  by tag, from the top level down; a level in between may be missing
    """

    level: Level
    uniques: tuple[tuple[int, str], ...]

    @property
    def own(self) -> str:
        """The value of the unique key of its level."""
        return self.uniques[-1][1]

    def missing(self, model: Model) -> list[str]:
        """Return the keywords of the unique keys above it that the model wants and are not known.

        Without them its retrieval is relational, which not every peer does (PS3.4 C.4.2.2.2).
        """
        levels = model.levels
        known = dict(self.uniques)
        above = levels[: levels.index(self.level)]
        return [keyword_of(UNIQUE_KEYS[each]) for each in above if UNIQUE_KEYS[each] not in known]


@dataclass(frozen=True, slots=True)
class RetrieveRequest:
    """One C-MOVE or C-GET.

    above   the unique keys of the levels above, each with one value
    values  of the unique key of its level
    """

    level: Level
    above: tuple[tuple[int, str], ...]
    values: tuple[str, ...]

    def identifier(self) -> Dataset:
        """Return its identifier, labelled with its character set, ready to be written."""
        from pydicom.dataset import Dataset

        identifier = Dataset()
        own = (UNIQUE_KEYS[self.level], "\\".join(self.values))
        for tag, value in (*self.above, own):
            put(identifier, parse_key(f"{tag:08X}={value}"))
        put(identifier, parse_key(f"{_LEVEL_TAG:08X}={self.level}"))
        label(identifier)
        return identifier


def requests_for(
    model: Model, wanted: Iterable[Wanted], batch: int | None = None
) -> list[RetrieveRequest]:
    """Return the requests for what is wanted, each thing once and in its order.

    batch  UIDs of one request at study level and below, by default one, or a hundred images. Only
           what has the same keys above can be asked for together, and patients never.
    """
    groups: dict[tuple[Level, tuple[tuple[int, str], ...]], dict[str, None]] = {}
    levels = [UNIQUE_KEYS[level] for level in model.levels]
    for each in wanted:
        above = tuple((tag, value) for tag, value in each.uniques[:-1] if tag in levels)
        groups.setdefault((each.level, above), {})[each.own] = None
    found = []
    for (level, above), values in groups.items():
        size = batch or _BATCHES.get(level, 1)
        if level is Level.PATIENT:
            size = 1
        ordered = tuple(values)
        found += [
            RetrieveRequest(level, above, ordered[start : start + size])
            for start in range(0, len(ordered), size)
        ]
    return found


def wanted_directly(query: Query) -> list[Wanted] | None:
    """Return what a query asks for by unique keys alone; None when it has to be looked for."""
    levels = query.model.levels
    chain = levels[: levels.index(query.level) + 1]
    uniques = [UNIQUE_KEYS[level] for level in chain]
    for element in query.asked:
        if element.tag not in uniques and text_at(query.asked, [element.tag]):
            return None
    values = {tag: text_at(query.asked, [tag]) for tag in uniques}
    own = values.pop(uniques[-1])
    parts = [own] if query.level is Level.PATIENT else own.split("\\")
    if not all(is_single(uniques[-1], part) for part in parts):
        return None
    if not all(is_single(tag, value) for tag, value in values.items()):
        return None
    return [Wanted(query.level, (*values.items(), (uniques[-1], part))) for part in parts]


def wanted_of_match(model: Model, level: Level, match: AnyDataset) -> Wanted:
    """Return what a match of a level stands for.

    raises  InputError when it lacks its unique key
    """
    levels = model.levels
    chain = levels[: levels.index(level) + 1]
    known = [(UNIQUE_KEYS[each], text_at(match, [UNIQUE_KEYS[each]])) for each in chain]
    tag, value = known[-1]
    if not is_single(tag, value):
        raise InputError(f"the peer's answer has no {keyword_of(tag)} to retrieve by")
    return Wanted(level, tuple(pair for pair in known if is_single(*pair)))


def parse_wanted(
    lines: Iterable[str], model: Model, level: Level | None = None
) -> Iterator[Wanted]:
    """Yield what the lines of a list ask for.

    lines   a JSON object as `findscu --json` or `--dicom-json` writes it, or UIDs with spaces
            between them: study; study and series; study, series and instance. Empty lines and those
            that begin with # say nothing
    level   of lines with one UID; by default a study
    raises  InputError naming the line
    """
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            if text.startswith("{"):
                found = _of_object(text, model)
            else:
                found = _of_uids(text.split(), level)
        except (InputError, ValueError, RecursionError) as error:
            raise InputError(f"cannot use line {number} of the list: {error}") from None
        if found is not None:
            if found.level not in model.levels:
                raise InputError(
                    f"cannot use line {number} of the list: the {model.value} model has no "
                    f"{found.level} level; write -P for patient root"
                )
            yield found


def failed_instances(identifier: bytes, transfer_syntax_uid: str) -> list[str]:
    """Return the UIDs of the list of what failed (PS3.4 C.4.2.1.4.2), each once.

    raises  MalformedDataset when it cannot be read
    """
    if not identifier:
        return []
    text = text_at(decode_identifier(identifier, transfer_syntax_uid), [_FAILED_LIST_TAG])
    uids = [part.strip() for part in text.split("\\") if part.strip()]
    if not all(map(is_uid, uids)):
        raise MalformedDataset("it names what is no UID")
    return list(dict.fromkeys(uids))


def is_uid(text: str) -> bool:
    """Whether a text is a UID (PS3.5 9.1), leading zeros in its parts or not."""
    return _UID.fullmatch(text) is not None


def _of_uids(words: Sequence[str], level: Level | None) -> Wanted:
    if len(words) > 3 or not all(map(is_uid, words)):
        raise InputError(
            "UIDs are expected, of study, series and instance, or a JSON line of findscu --json"
        )
    below = (Level.STUDY, Level.SERIES, Level.IMAGE)
    if len(words) == 1 and level in below:
        return Wanted(level, ((UNIQUE_KEYS[level], words[0]),))
    tags = (UNIQUE_KEYS[each] for each in below)
    return Wanted(below[len(words) - 1], tuple(zip(tags, words, strict=False)))


def _of_object(text: str, model: Model) -> Wanted | None:
    members = json.loads(text)
    kind = members.get("type")
    if kind == "error":
        raise InputError("what made the list has failed")
    if kind not in (None, "match"):
        # its summary
        return None
    values = _values_of(members) if kind else _values_of_dicom_json(members)
    named = str(members.get("level") or "").upper()
    # in study root the patient is an attribute of the study
    levels = [each for each in UNIQUE_KEYS if each is not Level.PATIENT or each in model.levels]
    lowest = next((each for each in reversed(levels) if values.get(each)), None)
    level = Level(named) if named in list(UNIQUE_KEYS) else lowest
    if level is None or not is_single(UNIQUE_KEYS[level], values.get(level, "")):
        raise InputError("it has no unique key to retrieve by")
    chain = levels[: levels.index(level) + 1] if level in levels else [level]
    known = ((UNIQUE_KEYS[each], values.get(each, "")) for each in chain)
    return Wanted(level, tuple(pair for pair in known if is_single(*pair)))


def _values_of(members: Mapping[str, object]) -> dict[Level, str]:
    return {
        level: value
        for level, tag in UNIQUE_KEYS.items()
        if isinstance(value := members.get(keyword_of(tag)), str)
    }


def _values_of_dicom_json(members: object) -> dict[Level, str]:
    dataset = from_dicom_json(members)
    return {level: text_at(dataset, [tag]) for level, tag in UNIQUE_KEYS.items()}
