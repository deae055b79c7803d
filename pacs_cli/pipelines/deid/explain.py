"""What a policy does, attribute by attribute, and to one object."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.dicom.dictionary import keyword_at, vr_at
from pacs_cli.dicom.elements import Element, ItemEnd, SequenceEnd, SequenceStart, walk
from pacs_cli.dicom.encoding import Encoding, tag_text
from pacs_cli.dicom.iods import iod_of
from pacs_cli.pipelines.deid.policy import Decision, Kind, Level, Mode, Policy
from pacs_cli.pipelines.deid.profile import REPEATING, SAFE_PRIVATE, TABLE


def explain(policy: Policy, sop_class_uid: str) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield tag, keyword, VR, action and why of every attribute of table E.1-1.

    sop_class_uid  whose types decide between X, Z and D at the top level
    """
    level = policy.level(iod_of(sop_class_uid))
    for tag in sorted(TABLE):
        yield _line(tag_text(tag), tag, level.decide(tag, vr_at(tag).split(" ")[0] or "UN"))
    for digits in REPEATING:
        tag = int(digits.replace("X", "0"), 16)
        name = f"({digits[:4]},{digits[4:]})"
        yield _line(name, tag, level.decide(tag, vr_at(tag).split(" ")[0] or "OW"))
    if "safe-private" in policy.retain:
        for group, offset, creator in sorted({*SAFE_PRIVATE, *policy.safe_private}):
            vr = SAFE_PRIVATE.get((group, offset, creator), "") or "UN"
            tag = group << 16 | 0x1000 | offset
            decision = policy.decide(None, (tag,), vr[:2], creator, Mode.NORMAL)
            yield _line(f'({group:04X},xx{offset:02X}):"{creator}"', tag, decision)
    for rule in policy.rules:
        yield rule.text.partition("=")[0].strip(), "", "", rule.action, f"rule {rule.text}"


def action(kind: Kind) -> str:
    """Return what is done, in a word."""
    return {
        Kind.SHIFT: "shift",
        Kind.UID: "new uid",
        Kind.PSEUDONYM: "pseudonym",
        Kind.AGE: "keep below 90",
        Kind.CHECK_DATE: "keep if valid",
        Kind.CONTENT: "clean by concept",
    }.get(kind, kind.name.lower())


def changes(
    data: bytes | memoryview, encoding: Encoding, level: Level
) -> Iterator[tuple[str, str, str, str]]:
    """Yield path, VR, action and why of each element of an object that does not just stay.

    No value is told.
    """
    levels, names = [level], [""]
    gone = 0
    creators: list[dict[int, str]] = [{}]
    for event in walk(data, encoding):
        if isinstance(event, SequenceEnd):
            if gone:
                gone -= 1
            else:
                levels.pop()
                names.pop()
                creators.pop()
        elif gone:
            gone += isinstance(event, SequenceStart)
        elif isinstance(event, Element | SequenceStart):
            tag = event.tag
            if isinstance(event, Element) and tag & 0x1FF00 == 0x10000:
                creators[-1][tag] = bytes(event.value[:64]).decode("latin-1").rstrip("\0 ")
            creator = creators[-1].get(tag & 0xFFFF0000 | (tag & 0xFF00) >> 8, "")
            decision = levels[-1].decide(tag, event.vr, creator)
            path = names[-1] + (keyword_at(tag) or tag_text(tag))
            if decision.kind is not Kind.KEEP:
                yield path, event.vr, action(decision.kind), decision.why
            if isinstance(event, SequenceStart):
                if decision.kind in (Kind.REMOVE, Kind.EMPTY):
                    gone = 1
                    continue
                mode = {Kind.DUMMY: Mode.DUMMY, Kind.CLEAN: Mode.CLEAN}.get(
                    decision.kind, levels[-1].mode
                )
                levels.append(levels[-1].child(tag, mode))
                names.append(f"{path}.")
                creators.append({})
        elif isinstance(event, ItemEnd):
            creators[-1].clear()


def _line(name: str, tag: int, decision: Decision) -> tuple[str, str, str, str, str]:
    keyword = keyword_at(tag) if not tag & 0x10000 else ""
    return name, keyword, decision.vr, action(decision.kind), decision.why
