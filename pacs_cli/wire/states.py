"""The upper-layer state machine of PS3.8 9.2 (tables 9-1 to 9-10), as data."""

from __future__ import annotations

from enum import Enum, IntEnum


class State(IntEnum):
    """The thirteen states of PS3.8 tables 9-1 to 9-5."""

    IDLE = 1
    AWAITING_ASSOCIATE_RQ = 2
    AWAITING_LOCAL_RESPONSE = 3
    AWAITING_TRANSPORT = 4
    AWAITING_ASSOCIATE_REPLY = 5
    ESTABLISHED = 6
    AWAITING_RELEASE_RP = 7
    AWAITING_LOCAL_RELEASE = 8
    COLLISION_REQUESTOR_LOCAL = 9
    COLLISION_ACCEPTOR_RP = 10
    COLLISION_REQUESTOR_RP = 11
    COLLISION_ACCEPTOR_LOCAL = 12
    AWAITING_CLOSE = 13


class Event(IntEnum):
    """The nineteen events of PS3.8 table 9-10; `LOCAL_` marks what our own user asks."""

    LOCAL_ASSOCIATE = 1
    TRANSPORT_CONFIRMED = 2
    ASSOCIATE_AC = 3
    ASSOCIATE_RJ = 4
    TRANSPORT_INDICATED = 5
    ASSOCIATE_RQ = 6
    LOCAL_ACCEPT = 7
    LOCAL_REJECT = 8
    LOCAL_DATA = 9
    DATA = 10
    LOCAL_RELEASE = 11
    RELEASE_RQ = 12
    RELEASE_RP = 13
    LOCAL_CONFIRM_RELEASE = 14
    LOCAL_ABORT = 15
    ABORT = 16
    TRANSPORT_CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


class Action(Enum):
    """The actions of PS3.8 tables 9-6 to 9-9."""

    AE_1 = "open the transport connection"
    AE_2 = "send A-ASSOCIATE-RQ"
    AE_3 = "confirm the association"
    AE_4 = "report the rejection, close the transport"
    AE_5 = "answer the transport connection, start ARTIM"
    AE_6 = "stop ARTIM; indicate the request, or reject it and start ARTIM"
    AE_7 = "send A-ASSOCIATE-AC"
    AE_8 = "send A-ASSOCIATE-RJ, start ARTIM"
    DT_1 = "send P-DATA-TF"
    DT_2 = "indicate data"
    AR_1 = "send A-RELEASE-RQ"
    AR_2 = "indicate the release"
    AR_3 = "confirm the release, close the transport"
    AR_4 = "send A-RELEASE-RP, start ARTIM"
    AR_5 = "stop ARTIM"
    AR_6 = "indicate data while releasing"
    AR_7 = "send P-DATA-TF while the peer releases"
    AR_8 = "indicate a release collision"
    AR_9 = "send A-RELEASE-RP in a collision"
    AR_10 = "confirm the release in a collision"
    AA_1 = "send A-ABORT, start ARTIM"
    AA_2 = "stop ARTIM, close the transport"
    AA_3 = "indicate the abort, close the transport"
    AA_4 = "indicate that the connection was lost"
    AA_5 = "stop ARTIM: the connection closed before a request"
    AA_6 = "ignore the PDU"
    AA_7 = "send A-ABORT"
    AA_8 = "send A-ABORT, indicate it, start ARTIM"


#: Rows of PS3.8 table 9-10 in its order: each cell is the action, a slash, the next state. Of
#: "3|13" the engine takes the second when it rejects; of "9|10" the first is the requestor's.
_ROWS: dict[Event, dict[str, str]] = {
    Event.LOCAL_ASSOCIATE: {"1": "AE_1/4"},
    Event.TRANSPORT_CONFIRMED: {"4": "AE_2/5"},
    Event.ASSOCIATE_AC: {"2": "AA_1/13", "3 6-12": "AA_8/13", "5": "AE_3/6", "13": "AA_6/13"},
    Event.ASSOCIATE_RJ: {"2": "AA_1/13", "3 6-12": "AA_8/13", "5": "AE_4/1", "13": "AA_6/13"},
    Event.TRANSPORT_INDICATED: {"1": "AE_5/2"},
    Event.ASSOCIATE_RQ: {"2": "AE_6/3|13", "3 5 6-12": "AA_8/13", "13": "AA_7/13"},
    Event.LOCAL_ACCEPT: {"3": "AE_7/6"},
    Event.LOCAL_REJECT: {"3": "AE_8/13"},
    Event.LOCAL_DATA: {"6": "DT_1/6", "8": "AR_7/8"},
    Event.DATA: {
        "2": "AA_1/13",
        "3 5 8-12": "AA_8/13",
        "6": "DT_2/6",
        "7": "AR_6/7",
        "13": "AA_6/13",
    },
    Event.LOCAL_RELEASE: {"6": "AR_1/7"},
    Event.RELEASE_RQ: {
        "2": "AA_1/13",
        "3 5 8-12": "AA_8/13",
        "6": "AR_2/8",
        "7": "AR_8/9|10",
        "13": "AA_6/13",
    },
    Event.RELEASE_RP: {
        "2": "AA_1/13",
        "3 5 6 8 9 12": "AA_8/13",
        "7 11": "AR_3/1",
        "10": "AR_10/12",
        "13": "AA_6/13",
    },
    Event.LOCAL_CONFIRM_RELEASE: {"8 12": "AR_4/13", "9": "AR_9/11"},
    Event.LOCAL_ABORT: {"3 5-12": "AA_1/13", "4": "AA_2/1"},
    Event.ABORT: {"2 13": "AA_2/1", "3 5-12": "AA_3/1"},
    Event.TRANSPORT_CLOSED: {"2": "AA_5/1", "3-12": "AA_4/1", "13": "AR_5/1"},
    Event.ARTIM_EXPIRED: {"2 13": "AA_2/1"},
    Event.INVALID_PDU: {"2": "AA_1/13", "3 5-12": "AA_8/13", "13": "AA_7/13"},
}


def _states(cell: str) -> list[int]:
    numbers: list[int] = []
    for part in cell.split():
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


#: (event, state) -> (action, the one or two next states). What is missing cannot happen: a call
#: there is our own bug.
TABLE: dict[tuple[Event, State], tuple[Action, tuple[State, ...]]] = {
    (event, State(number)): (
        Action[outcome.partition("/")[0]],
        tuple(State(int(n)) for n in outcome.partition("/")[2].split("|")),
    )
    for event, row in _ROWS.items()
    for cell, outcome in row.items()
    for number in _states(cell)
}
