"""The audit messages of tests: each is held against the schema of the standard."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import rnc2rng
from lxml import etree

SCHEMA = Path(__file__).parent / "data" / "audit-message.rnc"


@cache
def schema() -> etree.RelaxNG:
    """The schema of PS3.15 A.5.1."""
    grammar = rnc2rng.dumps(rnc2rng.load(str(SCHEMA)))
    return etree.RelaxNG(etree.fromstring(grammar.encode()))


def checked(xml: str | bytes) -> etree._Element:
    """Return a message, which is valid."""
    message = etree.fromstring(xml)
    assert schema().validate(message), schema().error_log
    return message


def messages(path: Path) -> list[etree._Element]:
    """Return the messages of a file: each line is one, and the last is whole."""
    data = path.read_bytes()
    assert not data or data.endswith(b"\n")
    return [checked(line) for line in data.splitlines()]


def name(message: etree._Element) -> str:
    """Return what a message is of, with its kind if it has one."""
    codes = [message.find("EventIdentification/EventID")]
    codes += message.findall("EventIdentification/EventTypeCode")
    return ", ".join(code.get("originalText") for code in codes)


def names(found: Iterable[etree._Element]) -> list[str]:
    return [name(message) for message in found]


def event(message: etree._Element) -> tuple[str, str]:
    """Return action and outcome."""
    head = message.find("EventIdentification")
    return head.get("EventActionCode"), head.get("EventOutcomeIndicator")


def participants(message: etree._Element) -> list[tuple[str, str, str]]:
    """Return user, role and whether it is the requestor, of each."""
    return [
        (
            each.get("UserID"),
            role.get("originalText") if (role := each.find("RoleIDCode")) is not None else "",
            each.get("UserIsRequestor"),
        )
        for each in message.findall("ActiveParticipant")
    ]


def objects(message: etree._Element) -> dict[str, str]:
    """Return what each participant object is -> its ID."""
    return {
        each.find("ParticipantObjectIDTypeCode").get("originalText"): each.get(
            "ParticipantObjectID"
        )
        for each in message.findall("ParticipantObjectIdentification")
    }


def instances(message: etree._Element) -> dict[str, int]:
    """Return SOP class -> how many."""
    return {
        each.get("UID"): int(each.get("NumberOfInstances")) for each in message.iter("SOPClass")
    }


def details(message: etree._Element) -> dict[str, str]:
    return {
        each.get("type"): b64decode(each.get("value")).decode()
        for each in message.iter("ParticipantObjectDetail")
    }
