"""What codes mean, in plain words, and what to try.

Tables from PS3.8 9.3.4 (rejection), 9.3.8 (abort), 9.3.3.2 (contexts) and PS3.7 Annex C with
PS3.4 B.2.3 (status).
"""

from __future__ import annotations

_REJECTIONS: dict[tuple[int, int], str] = {
    (1, 1): "no reason given; ask what the peer's log says",
    (1, 2): "application context name not supported; is that a DICOM application?",
    (1, 3): "calling AE title not recognised: {calling} has to be configured there, or call it as "
    "one that is, with -aet",
    (1, 7): "called AE title not recognised: it is not called {called} there; give its own title "
    "with -aec",
    (2, 1): "no reason given by its association service; does it want a user (--user)? ask what "
    "the peer's log says",
    (2, 2): "protocol version not supported; is that a DICOM application?",
    (3, 1): "temporary congestion; try again later",
    (3, 2): "local limit exceeded, it has too many associations; try again later",
}

_ABORTS: dict[int, str] = {
    0: "no reason given",
    1: "it did not recognise a PDU",
    2: "it did not expect a PDU at this point",
    4: "it did not recognise a PDU parameter",
    5: "it did not expect a PDU parameter",
    6: "it found an invalid PDU parameter value",
}

_CONTEXTS: dict[int, str] = {
    0: "accepted",
    1: "refused by the user",
    2: "refused, no reason given",
    3: "abstract syntax not supported",
    4: "transfer syntaxes not supported",
}

#: (first status, last status) -> (meaning, what to try)
_STATUSES: tuple[tuple[int, int, str, str], ...] = (
    (0x0000, 0x0000, "success", ""),
    (0x0001, 0x0001, "warning, requested optional attributes are not supported", ""),
    (0x0105, 0x0105, "no such attribute", "check what is asked for"),
    (0x0106, 0x0106, "invalid attribute value", "validate the object"),
    (0x0107, 0x0107, "warning, attribute list error", ""),
    (0x0110, 0x0110, "processing failure", "ask what the peer's log says"),
    (0x0111, 0x0111, "duplicate SOP instance", "another object with this UID is held already"),
    (0x0112, 0x0112, "no such SOP instance", "check the UID"),
    (0x0113, 0x0113, "no such event type", "the peer does not know this event"),
    (0x0114, 0x0114, "no such argument", "check what is asked for"),
    (0x0115, 0x0115, "invalid argument value", "check what is asked for"),
    (0x0116, 0x0116, "warning, attribute value out of range", ""),
    (0x0117, 0x0117, "invalid SOP instance", "validate the object's UIDs"),
    (0x0118, 0x0118, "no such SOP class", "the peer does not serve this SOP class"),
    (0x0119, 0x0119, "class-instance conflict", "the UID belongs to another SOP class"),
    (0x0120, 0x0120, "missing attribute", "validate the object"),
    (0x0121, 0x0121, "missing attribute value", "validate the object"),
    (0x0122, 0x0122, "SOP class not supported", "the peer does not serve this SOP class"),
    (0x0123, 0x0123, "no such action", "the peer does not know this action"),
    (0x0124, 0x0124, "not authorised", "the peer does not allow it to this AE title"),
    (0x0210, 0x0210, "duplicate invocation", "ask what the peer's log says"),
    (0x0211, 0x0211, "unrecognised operation", "the peer does not know this request"),
    (0x0212, 0x0212, "mistyped argument", "ask what the peer's log says"),
    (0x0213, 0x0213, "resource limitation", "the peer is short of something; try again later"),
    (0xA700, 0xA7FF, "out of resources", "the peer's disk or database is full or fails"),
    (0xA801, 0xA801, "move destination unknown", "the peer must know the destination AE title"),
    (0xA900, 0xA9FF, "data set does not match the SOP class", "validate the object"),
    (0xB000, 0xB000, "warning, data elements were coerced", ""),
    (0xB006, 0xB006, "warning, data elements were discarded", ""),
    (0xB007, 0xB007, "warning, data set does not match the SOP class", ""),
    (0xB000, 0xBFFF, "warning", ""),
    (0xC000, 0xCFFF, "the peer cannot understand the object", "validate it; see the peer's log"),
    (0xFE00, 0xFE00, "cancelled", ""),
    (0xFF00, 0xFF01, "pending", ""),
)


def explain_rejection(
    result: int,
    source: int,
    reason: int,
    called: str = "that",
    calling: str = "ours",
    has_user: bool = False,
) -> str:
    """Say what an A-ASSOCIATE-RJ means and what to try (PS3.8 table 9-21).

    called, calling  the AE titles that were used
    has_user         whether a user identity was proposed, which is refused by the association
                     service (PS3.7 D.3.3.7.3)
    """
    words = _REJECTIONS.get((source, reason))
    if has_user and source == 2 and reason == 1:
        words = "the user was not accepted; check the user name and passcode, the ticket or token"
    if words is None:
        words = f"source {source}, reason {reason}; ask what the peer's log says"
    words = words.format(called=called, calling=calling)
    return words if result == 1 else f"for now, {words}"


def name_rejection(result: int, source: int, reason: int) -> str:
    """Say what an A-ASSOCIATE-RJ means, without what to try: for who sends it."""
    return explain_rejection(result, source, reason).partition(";")[0].partition(": ")[0]


def explain_abort(source: int, reason: int) -> str:
    """Say what an A-ABORT means and what to try (PS3.8 table 9-26)."""
    if source == 0:
        return "its application ended it without a reason; ask what the peer's log says"
    words = _ABORTS.get(reason, f"reason {reason}")
    return f"its association service says {words}; ask what the peer's log says"


def explain_context(result: int) -> str:
    """Say what became of a presentation context (PS3.8 table 9-18)."""
    return _CONTEXTS.get(result, f"refused, result {result}")


def explain_status(status: int) -> str:
    """Say what a DIMSE status means and what to try, as `A700H out of resources; ...`."""
    for first, last, meaning, advice in _STATUSES:
        if first <= status <= last:
            return f"{status:04X}H {meaning}" + (f"; {advice}" if advice else "")
    return f"{status:04X}H, a status the standard does not name; ask what the peer's log says"
