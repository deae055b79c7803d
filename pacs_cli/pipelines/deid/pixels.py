"""Whether something may be written in the pixels of an object, and where they are to be blank."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pacs_cli.dicom.dictionary import keyword_at
from pacs_cli.dicom.elements import Element, ItemStart, SequenceEnd, SequenceStart, walk
from pacs_cli.dicom.encoding import Encoding
from pacs_cli.errors import InputError, UsageError

_SOP_CLASS, _MODALITY, _CONVERSION, _IMAGE_TYPE = 0x00080016, 0x00080060, 0x00080064, 0x00080008
BURNED_IN_ANNOTATION = 0x00280301
_REGIONS = 0x00186011
_MIN_X, _MIN_Y, _MAX_X, _MAX_Y = 0x00186018, 0x0018601A, 0x0018601C, 0x0018601E

#: Values of the top level that say whether something may be written in the pixels.
FACT_TAGS = frozenset({_SOP_CLASS, _MODALITY, _CONVERSION, _IMAGE_TYPE, BURNED_IN_ANNOTATION})

#: Secondary Capture, and its multi-frame kinds: screenshots and scans of paper.
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
#: Ultrasound, and its multi-frame kinds, also those that are retired.
_ULTRASOUND = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{last}" for last in ("3", "3.1", "6", "6.1", "6.2")
)

#: Words in values 3 and on of ImageType that vendors give to pages of text and to screens.
_TELLING_TYPES = re.compile(
    r"SCREEN[ _-]?(SAVE|SHOT|CAPTURE)|SAVED? ?SCREEN|DOSE[ _-]?(INFO|REPORT|SR)"
    r"|PATIENT[ _]?PROTOCOL|REPORT|SCANNED|CAPTURE"
    r"|FOR[ _]?FILM|FILMING|DISPLAY[ _]?CAPTURE|PROT[ _]?SUMMARY"
)
#: Digitised film, paper and video, drawings, and images of a screen (PS3.3 C.8.6.1).
_CONVERSIONS = frozenset({"DV", "DF", "DRW", "SD", "SI", "WSD"})

#: Rules and rectangles that a file may have: CTP's longest script has some hundred.
_MOST = 10_000
_ACTIONS = ("clean", "quarantine", "keep")


class Box(NamedTuple):
    """A rectangle of pixels: columns from `x` and rows from `y` on, from 0."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Rule:
    """What is to be done with the images of a device.

    conditions  tag -> (how, value): `equals`, `contains` or `regexp`; all have to hold
    """

    name: str
    action: str
    conditions: tuple[tuple[int, str, str], ...]
    boxes: tuple[Box, ...]

    def matches(self, values: Mapping[int, str]) -> bool:
        """Whether an image is of this device."""
        return all(_holds(how, wanted, values.get(tag)) for tag, how, wanted in self.conditions)


@dataclass(frozen=True)
class DeviceRules:
    """Rules in their order: the first that matches counts. `tags` are those that they look at."""

    rules: tuple[Rule, ...] = ()

    @property
    def tags(self) -> frozenset[int]:
        """The attributes that conditions are about."""
        return frozenset(tag for rule in self.rules for tag, _, _ in rule.conditions)


class PixelDecision(NamedTuple):
    """What is done with the pixels of an object: `keep`, `warn`, `clean` or `quarantine`, and why.

    outside  boxes outside of which all is blanked, None for no such ones
    boxes    that are blanked
    """

    action: str
    reason: str = ""
    outside: tuple[Box, ...] | None = None
    boxes: tuple[Box, ...] = ()


class PixelFacts(NamedTuple):
    """What a decision depends on: values of the top level as they are, and the regions."""

    values: Mapping[int, bytes]
    regions: tuple[Box, ...] = ()
    little: bool = True

    def texts(self) -> dict[int, str]:
        """Return the values as text; binary ones of two bytes as a number."""
        return {tag: _text(tag, value, self.little) for tag, value in self.values.items()}


def decide(
    facts: PixelFacts, rules: DeviceRules, mode: str, clean_requested: bool
) -> PixelDecision:
    """Return what is to be done about what may be written in the pixels of an object.

    mode             of `--burned-in`, for what is suspicious
    clean_requested  whether the Clean Pixel Data Option is asked for: then every image is cleaned
                     of which it is known where to, and a suspicious one that cannot be is withheld

    source  PS3.15 E.3.1
    """
    texts = facts.texts()
    why = suspicion(texts)
    rule = next((each for each in rules.rules if each.matches(texts)), None)
    if rule is not None and rule.action == "keep":
        return PixelDecision("keep")
    if rule is not None and rule.action == "quarantine":
        return PixelDecision("quarantine", f"by the rule {rule.name}")
    is_cleaned = clean_requested or rule is not None or (mode == "clean" and bool(why))
    if is_cleaned and (rule is not None or facts.regions):
        outside = facts.regions or None if clean_requested or mode == "clean" else None
        reason = f"by the rule {rule.name}" if rule else "outside of the declared regions"
        return PixelDecision("clean", reason, outside, rule.boxes if rule else ())
    if not why or mode == "ignore":
        return PixelDecision("keep")
    if clean_requested or mode == "clean":
        return PixelDecision("quarantine", f"{why}, and nothing tells where to clean it")
    return PixelDecision(mode, why)


def suspicion(texts: Mapping[int, str]) -> str:
    """Return why something may be written in the pixels of an object, "" for no reason to think so.

    What says that nothing is (BurnedInAnnotation NO) is believed.
    """
    burned_in = texts.get(BURNED_IN_ANNOTATION, "").upper()
    if burned_in == "YES":
        return "BurnedInAnnotation is YES"
    if burned_in == "NO":
        return ""
    sop_class = texts.get(_SOP_CLASS, "")
    if sop_class == _SECONDARY_CAPTURE or sop_class.startswith(f"{_SECONDARY_CAPTURE}."):
        return "a secondary capture"
    if sop_class in _ULTRASOUND:
        return "an ultrasound image that does not say that nothing is written in it"
    kinds = texts.get(_IMAGE_TYPE, "").upper().split("\\")[2:]
    if any(_TELLING_TYPES.search(kind) for kind in kinds):
        return "by its ImageType a screen or a page of text"
    if texts.get(_CONVERSION, "").upper() in _CONVERSIONS:
        return "by its ConversionType a digitised film, page or screen"
    return ""


def regions_in(value: bytes, encoding: Encoding) -> tuple[Box, ...]:
    """Return the regions of an ultrasound image: of the value of (0018,6011), its items.

    raises  InputError when one has no place

    source  PS3.3 C.8.5.5
    """
    from pacs_cli.pipelines.deid.changing import header

    wrapped = header(encoding, _REGIONS, "SQ", len(value)) + value
    found: list[dict[int, int]] = []
    depth = 0
    for event in walk(wrapped, encoding):
        if isinstance(event, SequenceStart):
            depth += 1
        elif isinstance(event, SequenceEnd):
            depth -= 1
        elif isinstance(event, ItemStart) and depth == 1:
            found.append({})
        elif isinstance(event, Element) and depth == 1 and len(event.value) == 4:
            order: Literal["little", "big"] = "little" if encoding.little else "big"
            if event.tag in _CORNERS:
                found[-1][event.tag] = int.from_bytes(event.value, order)
    return tuple(_region(corners) for corners in found)


_CORNERS = frozenset({_MIN_X, _MIN_Y, _MAX_X, _MAX_Y})


def _region(corners: dict[int, int]) -> Box:
    if corners.keys() != _CORNERS:
        raise InputError("a region of its SequenceOfUltrasoundRegions has no place")
    x, y = corners[_MIN_X], corners[_MIN_Y]
    width, height = corners[_MAX_X] - x + 1, corners[_MAX_Y] - y + 1
    if width < 1 or height < 1:
        raise InputError("a region of its SequenceOfUltrasoundRegions ends before it begins")
    return Box(x, y, width, height)


def _holds(how: str, wanted: str, value: str | None) -> bool:
    if value is None:
        return False
    if how == "regexp":
        return re.search(wanted, value, re.IGNORECASE) is not None
    value = value.casefold()
    return wanted.casefold() in value if how == "contains" else wanted.casefold() == value


def _text(tag: int, value: bytes, little: bool) -> str:
    if tag >> 16 == 0x0028 and len(value) == 2 and tag & 0xFF00 in (0x0000, 0x0100):
        return str(int.from_bytes(value, "little" if little else "big"))
    return value.decode("latin-1").strip("\0 ")


def load_rules(text: str) -> DeviceRules:
    """Return the rules of a file's content, in TOML; UsageError says what is wrong with it."""
    import tomllib

    if not text:
        return DeviceRules()
    try:
        fields = tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"the pixel rules are no TOML: {error}") from None
    rules = fields.get("rule")
    if fields.keys() != {"rule"} or not isinstance(rules, list) or len(rules) > _MOST:
        raise UsageError("the pixel rules are tables [[rule]], and nothing else")
    return DeviceRules(tuple(_rule(each, number + 1) for number, each in enumerate(rules)))


def _rule(fields: Any, number: int) -> Rule:
    def wrong(what: str) -> UsageError:
        return UsageError(f"pixel rule {number}: {what}")

    if not isinstance(fields, dict) or not fields.keys() <= {"name", "action", "match", "blank"}:
        raise wrong("it has name, action, match and blank")
    name, action = fields.get("name", str(number)), fields.get("action", "clean")
    if not isinstance(name, str) or action not in _ACTIONS:
        raise wrong(f"name is a word, and action one of {', '.join(_ACTIONS)}")
    match, blank = fields.get("match"), fields.get("blank", [])
    if not isinstance(match, dict) or not match:
        raise wrong("match is a table of attributes and what they are to be, and has one at least")
    conditions = tuple(_condition(key, value, wrong) for key, value in match.items())
    if not isinstance(blank, list) or bool(blank) != (action == "clean") or len(blank) > _MOST:
        raise wrong("blank is a list of [x, y, width, height], where it is to be cleaned")
    return Rule(name, action, conditions, tuple(_box(each, wrong) for each in blank))


def _condition(key: str, value: Any, wrong: Any) -> tuple[int, str, str]:
    from pacs_cli.pipelines.deid.rules import parse_rule

    try:
        path = parse_rule(f"{key} = keep").path
    except UsageError:
        path = ()
    if len(path) != 1 or not keyword_at(path[0][1]):
        raise wrong(f"{key} is no attribute of the top level")
    if not isinstance(value, dict):
        value = {"equals": value}
    how, wanted = next(iter(value.items()), ("", ""))
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        wanted = str(wanted)
    is_known = len(value) == 1 and how in ("equals", "contains", "regexp")
    if not is_known or not isinstance(wanted, str):
        raise wrong(f"{key} is a text, or a table of one of equals, contains and regexp")
    if how == "regexp":
        try:
            re.compile(wanted)
        except re.error as error:
            raise wrong(f"{key}: no regular expression: {error}") from None
    return path[0][1], how, wanted


def _box(numbers: Any, wrong: Any) -> Box:
    if not isinstance(numbers, list) or len(numbers) != 4:
        raise wrong("blank is a list of [x, y, width, height]")
    if not all(type(each) is int and 0 <= each <= 0xFFFF for each in numbers):
        raise wrong("x, y, width and height are numbers from 0 to 65535")
    if not numbers[2] or not numbers[3]:
        raise wrong("a rectangle has a width and a height")
    return Box(*numbers)
