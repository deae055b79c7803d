"""What becomes of every attribute: profile, options and rules, resolved in the order of PS3.15."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pacs_cli.dicom.dictionary import vr_at
from pacs_cli.dicom.iods import Iod
from pacs_cli.errors import InputError, UsageError, nearest
from pacs_cli.pipelines.deid.profile import EDITION, REPEATING, SAFE_PRIVATE, TABLE, Row
from pacs_cli.pipelines.deid.rules import Rule, parse_rule
from pacs_cli.pipelines.deid.values import DATES, TEXTS

PROFILES = ("basic", "tcia", "safe-harbor")
RETAIN = (
    *("uids", "device", "institution", "patient", "full-dates", "modified-dates"),
    "safe-private",
)
CLEAN = ("descriptors", "structured", "graphics", "pixels")
BURNED_IN = ("warn", "quarantine", "clean", "ignore")
DOCUMENTS = ("quarantine", "replace")

#: What a named profile adds to the Basic Profile.
_PRESETS = {
    "basic": ((), ()),
    "tcia": (("modified-dates", "patient", "device", "safe-private"), ("descriptors",)),
    "safe-harbor": ((), ()),
}

#: Option -> its column in table E.1-1.
_COLUMNS = {
    "uids": "uids",
    "device": "device",
    "institution": "institution",
    "patient": "patient",
    "full-dates": "full_dates",
    "modified-dates": "modified_dates",
    "descriptors": "clean_desc",
    "structured": "clean_struct",
    "graphics": "clean_graph",
}

#: Options, and the Basic Profile itself -> their code of CID 7050.
METHOD_CODES = {
    "basic": "113100",
    "pixels": "113101",
    "graphics": "113103",
    "structured": "113104",
    "descriptors": "113105",
    "full-dates": "113106",
    "modified-dates": "113107",
    "patient": "113108",
    "device": "113109",
    "uids": "113110",
    "safe-private": "113111",
    "institution": "113112",
}

PATIENT_NAME, PATIENT_ID, BIRTH_DATE = 0x00100010, 0x00100020, 0x00100030
_LENGTH_TO_END, _PADDING = 0x00080001, 0xFFFCFFFC
_CODING_SCHEME_UID = 0x0008010C
#: Date and time, date, time, name and text of content items (PS3.3 table C.17.3-7).
_CONTENT_VALUES = frozenset({0x0040A120, 0x0040A121, 0x0040A122, 0x0040A123, 0x0040A160})

#: Compiled decisions that are kept; what a hostile file adds beyond them is decided each time.
_MOST_LEVELS = 20_000
_MOST_TAGS = 8192


class Kind(IntEnum):
    """What is done with one element."""

    KEEP = 0
    REMOVE = 1
    EMPTY = 2
    DUMMY = 3
    UID = 4
    SHIFT = 5
    CLEAN = 6
    HASH = 7
    REPLACE = 8
    PSEUDONYM = 9
    AGE = 10
    CHECK_DATE = 11
    CONTENT = 12


class Mode(IntEnum):
    """How the unlisted elements in the items of a sequence are treated.

    DUMMY  as the sequence is to be a dummy: structure and references stay, texts, codes and
           measurements do not
    CLEAN  as the sequence is to be cleaned: texts are
    CONTENT  as they are content items, whose values have been decided by their concepts
    """

    NORMAL = 0
    DUMMY = 1
    CLEAN = 2
    CONTENT = 3


class Decision(NamedTuple):
    """What is done with an element, and why.

    vr        of the dictionary, with which a value that is written anew is written
    value     of `Kind.REPLACE`
    fallback  what is done instead where a value cannot be shifted, cleaned or kept
    why       of those who ask: "basic X/Z -> Z", "retain patient K", a rule
    """

    kind: Kind
    vr: str
    why: str
    value: bytes = b""
    fallback: Kind = Kind.REMOVE
    is_listed: bool = True


@dataclass(frozen=True)
class Policy:
    """One reproducible way to de-identify; `digest` tells it from others.

    safe_private  (group, lower half of the element, creator) beside those of table E.3.10-1
    pixel_rules   content of the file of device rules, which is part of what is reproducible
    """

    profile: str = "basic"
    retain: frozenset[str] = frozenset()
    clean: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    burned_in: str = "warn"
    documents: str = "quarantine"
    date_shift: str = "auto"
    safe_private: frozenset[tuple[int, int, str]] = frozenset()
    pixel_rules: str = ""
    _levels: list[int] = field(default_factory=lambda: [0], repr=False, compare=False)

    def __post_init__(self) -> None:
        for option in self.retain:
            _check("--retain", option, RETAIN)
        for option in self.clean:
            _check("--clean", option, CLEAN)
        _check("--burned-in", self.burned_in, BURNED_IN)
        _check("--documents", self.documents, DOCUMENTS)
        if {"full-dates", "modified-dates"} <= self.retain:
            raise UsageError("--retain: full-dates and modified-dates exclude each other")

    @cached_property
    def digest(self) -> str:
        """64 bits, in hexadecimal, of what it is: the same for the same policy, anywhere."""
        fields = asdict(self)
        del fields["_levels"]
        fields["edition"] = EDITION
        fields["rules"] = [rule.text for rule in self.rules]
        text = json.dumps(fields, default=sorted, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def options(self) -> tuple[str, ...]:
        """The Basic Profile and the options, as `METHOD_CODES` names them."""
        chosen = self.retain | self.clean
        return ("basic", *(name for name in METHOD_CODES if name in chosen))

    @property
    def temporal(self) -> str:
        """LongitudinalTemporalInformationModified (0028,0303)."""
        if "full-dates" in self.retain:
            return "UNMODIFIED"
        return "MODIFIED" if "modified-dates" in self.retain else "REMOVED"

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns of tables E.1-1 and E.3.4-1 that count."""
        return frozenset(_COLUMNS[name] for name in self.retain | self.clean if name in _COLUMNS)

    @cached_property
    def keeps_private(self) -> bool:
        """Whether any private element can stay."""
        by_rule = any(rule.action != "remove" for rule in self.rules)
        return by_rule or "safe-private" in self.retain

    def level(self, iod: Iod | None) -> Level:
        """Return the decisions for the top level of an object of one kind."""
        return Level(self, iod, (), Mode.NORMAL)

    def decide(
        self, iod: Iod | None, path: tuple[int, ...], vr: str, creator: str, mode: Mode
    ) -> Decision:
        """Return what becomes of an element, in the order of decision.

        path     of tags from the top to the element
        vr       as written, or by the dictionary
        creator  of a private element, else ""
        """
        tag = path[-1]
        known = "" if tag & 0x10000 else vr_at(tag)
        own = known.split(" ")[0] or vr
        vrs = frozenset((vr, *known.split(" or ")))
        if tag & 0xFFFF == 0 or tag in (_LENGTH_TO_END, _PADDING):
            # lengths and offsets would be wrong, padding may hold anything
            return Decision(Kind.REMOVE, own, "length or padding")
        rule = self._rule(path, vrs, creator)
        if rule is not None:
            return self._by_rule(rule, own, iod, path)
        if mode is Mode.CONTENT and tag in _CONTENT_VALUES:
            return Decision(Kind.KEEP, own, "by its concept, table E.3.4-1")
        if tag & 0x10000:
            if not self._is_safe(tag, creator):
                return Decision(Kind.REMOVE, own, "private")
            return self._by_vr(iod, path, own, vrs, mode, "safe private")
        row = TABLE.get(tag) or _repeating(tag)
        if row is not None:
            return self._by_row(row, iod, path, own, vrs)
        if tag >> 24 == 0x60 and self._is_overlay_removed(iod, path, tag):
            return Decision(Kind.REMOVE, own, "of an overlay that is removed")
        if not known and not self._is_private_type(tag):
            return Decision(Kind.REMOVE, own, "unknown")
        return self._by_vr(iod, path, own, vrs, mode, "not listed")

    def _rule(self, path: tuple[int, ...], vrs: frozenset[str], creator: str) -> Rule | None:
        """Return the most specific rule for an element, of equals the last."""
        matching = [rule for rule in self.rules if rule.matches(path, vrs, creator)]
        return max(reversed(matching), key=lambda rule: rule.rank) if matching else None

    def _by_rule(self, rule: Rule, vr: str, iod: Iod | None, path: tuple[int, ...]) -> Decision:
        kinds = {
            "keep": Kind.KEEP,
            "remove": Kind.REMOVE,
            "empty": Kind.EMPTY,
            "dummy": Kind.DUMMY,
            "replace": Kind.REPLACE,
            "uid": Kind.UID,
            "hash": Kind.HASH,
            "shift": Kind.SHIFT,
            "clean": Kind.CLEAN,
        }
        fallback = _by_type("X/Z/D", iod, path)
        return Decision(
            kinds[rule.action], vr, f"rule {rule.text}", rule.value.encode("ascii"), fallback
        )

    def _by_row(
        self, row: Row, iod: Iod | None, path: tuple[int, ...], vr: str, vrs: frozenset[str]
    ) -> Decision:
        basic = _by_type(row.basic, iod, path)
        codes = {row.options[name]: name for name in self.columns if name in row.options}
        tag = path[-1]
        if self.profile == "safe-harbor" and tag == BIRTH_DATE:
            return Decision(Kind.EMPTY, vr, "safe-harbor: birth dates")
        if "C" in codes:
            why = f"{codes['C']} C"
            kind = _cleaning(vrs, codes["C"])
            if kind is not None:
                return Decision(kind, vr, why, fallback=basic)
        elif "K" in codes:
            why = f"{codes['K']} K"
            if vrs & DATES:
                return Decision(Kind.CHECK_DATE, vr, why, fallback=basic)
            if "AS" in vrs and self.profile == "safe-harbor":
                return Decision(Kind.AGE, vr, "safe-harbor: ages of 90 and over", fallback=basic)
            return Decision(Kind.KEEP, vr, why)
        if tag in (PATIENT_ID, PATIENT_NAME):
            return Decision(Kind.PSEUDONYM, vr, f"basic {row.basic}, a pseudonym")
        return Decision(basic, vr, f"basic {row.basic}", fallback=_by_type("X/Z/D", iod, path))

    def _by_vr(
        self,
        iod: Iod | None,
        path: tuple[int, ...],
        vr: str,
        vrs: frozenset[str],
        mode: Mode,
        why: str,
    ) -> Decision:
        basic = _by_type("X/Z/D", iod, path)
        if "PN" in vrs:
            return Decision(basic, vr, f"{why}, PN", is_listed=False)
        if vrs & DATES:
            kind = basic
            if "full-dates" in self.retain:
                kind = Kind.CHECK_DATE
            elif "modified-dates" in self.retain:
                kind = Kind.SHIFT
            return Decision(kind, vr, f"{why}, a date or time", fallback=basic, is_listed=False)
        if "UI" in vrs:
            kind = Kind.KEEP if "uids" in self.retain else Kind.UID
            return Decision(kind, vr, f"{why}, UI", is_listed=False)
        if mode is Mode.DUMMY and not vrs & {"SQ", "CS", "IS", "US", "UL", "SS", "SL", "AT"}:
            return Decision(Kind.DUMMY, vr, f"{why}, in a dummy", is_listed=False)
        if mode is Mode.CLEAN and vrs & TEXTS:
            return Decision(Kind.CLEAN, vr, f"{why}, cleaned", fallback=basic, is_listed=False)
        if "AS" in vrs and self.profile == "safe-harbor":
            return Decision(Kind.AGE, vr, why, fallback=basic, is_listed=False)
        return Decision(Kind.KEEP, vr, why, is_listed=False)

    def _is_safe(self, tag: int, creator: str) -> bool:
        if "safe-private" not in self.retain or not creator:
            return False
        key = (tag >> 16, tag & 0xFF, creator)
        return key in SAFE_PRIVATE or key in self.safe_private

    def _is_overlay_removed(self, iod: Iod | None, path: tuple[int, ...], tag: int) -> bool:
        """Whether the data of the plane goes: without it the rest describes nothing."""
        data = (*path[:-1], tag & 0xFFFF0000 | 0x3000)
        return self.decide(iod, data, "OW", "", Mode.NORMAL).kind is Kind.REMOVE

    def _is_private_type(self, tag: int) -> bool:
        """Whether it is of a group that the dictionary has no rows for, and known all the same."""
        return tag >> 16 == 0x7FE0


class Level:
    """The decisions for the elements of a data set at one place of one kind of object.

    table  of public elements, filled as asked: tag -> the VR as written, the decision, and whether
           such an element stays and nobody wants to know of it
    """

    __slots__ = (
        "_children",
        "_decisions",
        "_policy",
        "iod",
        "keeps_private",
        "mode",
        "path",
        "table",
    )

    def __init__(self, policy: Policy, iod: Iod | None, path: tuple[int, ...], mode: Mode) -> None:
        self._policy = policy
        self.iod = iod
        self.path = path
        self.mode = mode
        self.table: dict[int, tuple[str, Decision, bool]] = {}
        self.keeps_private = policy.keeps_private
        self._children: dict[tuple[int, Mode], Level] = {}
        self._decisions: dict[tuple[int, str, str], Decision] = {}

    def decide(self, tag: int, vr: str, creator: str = "") -> Decision:
        """Return what becomes of an element here."""
        decision = self._decisions.get((tag, vr, creator))
        if decision is None:
            decision = self._policy.decide(self.iod, (*self.path, tag), vr, creator, self.mode)
            if len(self._decisions) < _MOST_TAGS:
                self._decisions[tag, vr, creator] = decision
        return decision

    def learn(self, tag: int, entry: tuple[str, Decision, bool]) -> None:
        """Remember what becomes of a public element here."""
        if len(self.table) < _MOST_TAGS:
            self.table[tag] = entry

    def child(self, tag: int, mode: Mode) -> Level:
        """Return the decisions for the items of a sequence."""
        level = self._children.get((tag, mode))
        if level is None:
            level = Level(self._policy, self.iod, (*self.path, tag), mode)
            count = self._policy._levels
            if count[0] < _MOST_LEVELS:
                count[0] += 1
                self._children[tag, mode] = level
        return level


def _repeating(tag: int) -> Row | None:
    """Return the row of a tag of groups 50xx and 60xx (PS3.5 7.6)."""
    group = tag >> 24
    if group == 0x50:
        return REPEATING["50XXXXXX"]
    return REPEATING.get(f"60XX{tag & 0xFFFF:04X}") if group == 0x60 else None


def _by_type(code: str, iod: Iod | None, path: tuple[int, ...]) -> Kind:
    """Return what a code of the Basic Profile means for an attribute of its type (PS3.15 E.1).

    Of an object whose IOD is not known any type is possible: the code that breaks least is taken.
    """
    if code == "U":
        return Kind.UID
    if code == "D":
        return Kind.DUMMY
    kind = iod.type_at(path) if iod is not None else None
    if path[-1] >> 24 in (0x50, 0x60):
        # an overlay goes as a whole
        kind = None
    if code.endswith("U*") and kind in ("1", "1C", "2", "2C"):
        # its UIDs are replaced "to maintain IOD conformance" (table E.1-1a). All IODs where it is
        # of type 2 have the Common Instance Reference Module, which lists what the object refers to
        # and nothing else (PS3.3 C.12.2): it would list what is referred to nowhere
        return Kind.KEEP
    if kind == "1" or (kind == "1C" and code != "X"):
        return Kind.DUMMY
    if kind in ("2", "2C") or code in ("Z", "Z/D"):
        return Kind.EMPTY
    if iod is None and code != "X":
        return Kind.DUMMY if code.endswith("D") else Kind.EMPTY
    return Kind.REMOVE


def _cleaning(vrs: frozenset[str], column: str) -> Kind | None:
    """Return how a value of a VR is cleaned; None when it cannot be, and the Basic code counts."""
    if column == "clean_struct":
        return Kind.CONTENT
    if "SQ" in vrs or vrs & TEXTS:
        return Kind.CLEAN
    if vrs & DATES:
        return Kind.SHIFT
    return Kind.HASH if "AE" in vrs else None


def _check(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(f"{option} {value}: choose of {', '.join(known)}{nearest(value, known)}")


def make_policy(
    profile: str = "basic",
    retain: Iterable[str] = (),
    clean: Iterable[str] = (),
    rules: Iterable[str] = (),
    **others: Any,
) -> Policy:
    """Return the policy of a named profile or a TOML file, and what is added to it.

    others  of the other fields of `Policy`, None for what the file or the default says
    raises  UsageError when something is mistyped, InputError when the file cannot be read
    """
    fields: dict[str, Any] = {}
    if profile not in PROFILES:
        if not profile.endswith(".toml"):
            near = nearest(profile, PROFILES)
            raise UsageError(
                f"--profile {profile}: choose of {', '.join(PROFILES)}, or a FILE.toml{near}"
            )
        fields = read_policy(Path(profile))
    name = fields.pop("profile", None if fields else profile) or "basic"
    if profile in PROFILES:
        name = profile
    _check("profile", name, PROFILES)
    kept, cleaned = _PRESETS[name]
    base_retain = {*kept, *fields.pop("retain", ())}
    if "full-dates" in {*retain}:
        base_retain.discard("modified-dates")
    texts = (*fields.pop("rules", ()), *rules)
    fields.update({key: value for key, value in others.items() if value is not None})
    return Policy(
        profile=name,
        retain=frozenset({*base_retain, *retain}),
        clean=frozenset({*cleaned, *fields.pop("clean", ()), *clean}),
        rules=tuple(parse_rule(text) for text in texts),
        **fields,
    )


_LISTS = ("retain", "clean", "rules", "safe_private")
_WORDS = ("profile", "burned_in", "documents", "date_shift", "pixel_rules")


def read_policy(path: Path) -> dict[str, Any]:
    """Read a policy file; `pixel_rules` becomes the content of the file it names.

    raises  InputError when it cannot be read, UsageError when it is no policy
    """
    import tomllib

    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} is no policy: {error}") from None
    for key, value in fields.items():
        _check(f"{path}: key", key, (*_LISTS, *_WORDS))
        is_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
        if not (is_list if key in _LISTS else isinstance(value, str)):
            raise UsageError(f"{path}: {key} is {'a list of words' if key in _LISTS else 'a word'}")
    if "safe_private" in fields:
        steps = [parse_rule(f"{text} = keep") for text in fields["safe_private"]]
        if not all(rule.creator for rule in steps):
            raise UsageError(f'{path}: safe_private is a list of gggg,xxee:"CREATOR"')
        fields["safe_private"] = frozenset(
            (rule.path[0][1] >> 16, rule.path[0][1] & 0xFF, rule.creator) for rule in steps
        )
    if "pixel_rules" in fields:
        fields["pixel_rules"] = read_text(path.parent / fields["pixel_rules"])
    return fields


def read_text(path: Path) -> str:
    """Return the content of a file of a policy; InputError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"cannot read {path}: {reason}") from None
