"""Every state of PS3.8 table 9-10 against every event."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pynetdicom.fsm import TRANSITION_TABLE

from pacs_cli.errors import LocalProtocolError, PeerProtocolError
from pacs_cli.wire.association import (
    Aborted,
    Accepted,
    Association,
    Closed,
    CommandReceived,
    Rejected,
    Released,
    ReleaseRequested,
    Requested,
    Role,
)
from pacs_cli.wire.command import decode_command
from pacs_cli.wire.pdu import RELEASE_RP, RELEASE_RQ, Abort, AssociateReject, pdata_header
from pacs_cli.wire.states import TABLE, Action, Event, State
from tests.wire.dialogue import ANSWER, ECHO, OFFER, established, in_state, taken

#: Table 9-10 of PS3.8, copied cell by cell: one row per event, one column per state Sta1 to Sta13.
#: A cell is the action and the next state; "-" cannot happen.
GRID = """
 1 AE-1:4  -       -       -       -       -       -         -       -       -        -       -       -
 2 -       -       -       AE-2:5  -       -       -         -       -       -        -       -       -
 3 -       AA-1:13 AA-8:13 -       AE-3:6  AA-8:13 AA-8:13   AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-6:13
 4 -       AA-1:13 AA-8:13 -       AE-4:1  AA-8:13 AA-8:13   AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-6:13
 5 AE-5:2  -       -       -       -       -       -         -       -       -        -       -       -
 6 -       AE-6:3/13 AA-8:13 -     AA-8:13 AA-8:13 AA-8:13   AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-7:13
 7 -       -       AE-7:6  -       -       -       -         -       -       -        -       -       -
 8 -       -       AE-8:13 -       -       -       -         -       -       -        -       -       -
 9 -       -       -       -       -       DT-1:6  -         AR-7:8  -       -        -       -       -
10 -       AA-1:13 AA-8:13 -       AA-8:13 DT-2:6  AR-6:7    AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-6:13
11 -       -       -       -       -       AR-1:7  -         -       -       -        -       -       -
12 -       AA-1:13 AA-8:13 -       AA-8:13 AR-2:8  AR-8:9/10 AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-6:13
13 -       AA-1:13 AA-8:13 -       AA-8:13 AA-8:13 AR-3:1    AA-8:13 AA-8:13 AR-10:12 AR-3:1  AA-8:13 AA-6:13
14 -       -       -       -       -       -       -         AR-4:13 AR-9:11 -        -       AR-4:13 -
15 -       -       AA-1:13 AA-2:1  AA-1:13 AA-1:13 AA-1:13   AA-1:13 AA-1:13 AA-1:13  AA-1:13 AA-1:13 -
16 -       AA-2:1  AA-3:1  -       AA-3:1  AA-3:1  AA-3:1    AA-3:1  AA-3:1  AA-3:1   AA-3:1  AA-3:1  AA-2:1
17 -       AA-5:1  AA-4:1  AA-4:1  AA-4:1  AA-4:1  AA-4:1    AA-4:1  AA-4:1  AA-4:1   AA-4:1  AA-4:1  AR-5:1
18 -       AA-2:1  -       -       -       -       -         -       -       -        -       -       AA-2:1
19 -       AA-1:13 AA-8:13 -       AA-8:13 AA-8:13 AA-8:13   AA-8:13 AA-8:13 AA-8:13  AA-8:13 AA-8:13 AA-7:13
"""  # noqa: E501

CELLS = [
    (Event(int(row.split()[0])), State(column), cell)
    for row in GRID.strip().splitlines()
    for column, cell in enumerate(row.split()[1:], 1)
]


def test_grid_is_whole():
    assert len(CELLS) == 19 * 13


@pytest.mark.parametrize(
    ("event", "state", "cell"), CELLS, ids=[f"E{e.value}-Sta{s.value}" for e, s, _ in CELLS]
)
def test_table_says_what_the_standard_says(event, state, cell):
    if cell == "-":
        assert (event, state) not in TABLE
        return
    action, _, states = cell.partition(":")
    assert TABLE[event, state] == (
        Action[action.replace("-", "_")],
        tuple(State(int(number)) for number in states.split("/")),
    )


def test_actions_are_those_of_pynetdicom():
    ours = {
        (f"Evt{event:d}", f"Sta{state:d}"): action.name.replace("_", "-")
        for (event, state), (action, _) in TABLE.items()
    }
    assert ours == TRANSITION_TABLE


# -- real associations ---------------------------------------------------------------------------

BY_STANDARD = {(event, state): cell for event, state, cell in CELLS}


def reach(state: State, role: Role | None) -> Association:
    """Bring an association into any of the thirteen states; `role` where both ends have it."""
    if state is State.AWAITING_TRANSPORT:
        # lasts no longer than the call of `request`, which is given a connection that stands
        association = Association(Role.REQUESTOR)
    elif state is State.COLLISION_ACCEPTOR_LOCAL:
        # lasts no longer than a received PDU, since the engine answers by itself
        association = in_state(State.COLLISION_ACCEPTOR_RP)
    else:
        return established(role) if role else in_state(state)
    association.state = state
    return association


REACHED = [
    *((state, None) for state in State if state is not State.ESTABLISHED),
    (State.ESTABLISHED, Role.REQUESTOR),
    (State.ESTABLISHED, Role.ACCEPTOR),
]
in_every_state = pytest.mark.parametrize(
    ("state", "role"),
    REACHED,
    ids=[state.name + (f"-{role.name}" if role else "") for state, role in REACHED],
)

PDUS = {
    Event.ASSOCIATE_AC: ANSWER.encode(),
    Event.ASSOCIATE_RJ: AssociateReject(1, 1, 7).encode(),
    Event.ASSOCIATE_RQ: OFFER.encode(),
    Event.DATA: pdata_header(1, 3, len(ECHO)) + ECHO,
    Event.RELEASE_RQ: RELEASE_RQ,
    Event.RELEASE_RP: RELEASE_RP,
    Event.ABORT: Abort(2, 4).encode(),
}
ECHO_RECEIVED = CommandReceived(1, decode_command(ECHO))
#: What each action that is no refusal makes of a PDU: the events, and what is said at once.
INDICATED = {
    "AE-3": ([Accepted(ANSWER)], b""),
    "AE-4": ([Rejected(1, 1, 7)], b""),
    "AE-6": ([Requested(OFFER)], b""),
    "DT-2": ([ECHO_RECEIVED], b""),
    "AR-2": ([ReleaseRequested()], b""),
    "AR-3": ([Released()], b""),
    "AR-6": ([ECHO_RECEIVED], b""),
    "AR-8": ([ReleaseRequested()], b""),
    "AR-10": ([Released()], RELEASE_RP),
    "AA-2": ([], b""),
    "AA-3": ([Aborted(2, 4)], b""),
    "AA-6": ([], b""),
}


def next_state(cell: str, role: Role) -> State:
    """Return where a cell leads: of "9/10" the first is the requestor's."""
    states = cell.partition(":")[2].split("/")
    return State(int(states[-1] if role is Role.ACCEPTOR and states[0] == "9" else states[0]))


@in_every_state
def test_state_is_reached(state, role):
    association = reach(state, role)
    assert association.state is state
    assert association.outgoing() == []


@in_every_state
@pytest.mark.parametrize("event", PDUS, ids=lambda event: event.name)
def test_pdu_does_what_the_standard_says(event, state, role):
    association = reach(state, role)
    cell = BY_STANDARD[event, state]
    if cell == "-":
        # no connection yet, or none any more: what arrives can mean nothing
        assert list(association.receive(PDUS[event])) == []
        assert (association.state, taken(association)) == (state, b"")
        return
    action, after = cell.partition(":")[0], next_state(cell, association.role)
    if action in ("AA-1", "AA-7", "AA-8"):
        with pytest.raises(PeerProtocolError) as caught:
            list(association.receive(PDUS[event]))
        assert caught.value.reason == 2
        assert taken(association) == Abort(2, 2).encode()
    else:
        events, said = INDICATED[action]
        assert list(association.receive(PDUS[event])) == events
        assert taken(association) == said
        if action == "AR-10":
            # Sta12 waits for the user's answer, which the engine gives at once: AR-4
            after = State.AWAITING_CLOSE
    assert association.state is after


INVALID = {
    "unknown type": (b"\x08\0\0\0\0\0", 1),
    "HTTP": (b"GET / HTTP/1.1\r\n", 1),
    "TLS": (b"\x16\x03\x01\0\xf8\x01", 1),
    "release of no bytes": (b"\x05\0\0\0\0\0", 6),
    "abort of five bytes": (b"\x07\0\0\0\0\5" + bytes(5), 6),
    "request over the limit": (b"\x01\0" + (128 * 1024 + 1).to_bytes(4, "big"), 6),
    "data over the limit": (b"\x04\0" + (256 * 1024 + 1).to_bytes(4, "big"), 6),
    "longest": (b"\x04\0\xff\xff\xff\xff", 6),
}


@in_every_state
@pytest.mark.parametrize("name", INVALID)
def test_invalid_pdu_is_answered_with_its_reason(name, state, role):
    data, reason = INVALID[name]
    association = reach(state, role)
    if BY_STANDARD[Event.INVALID_PDU, state] == "-":
        assert list(association.receive(data)) == []
        assert (association.state, taken(association)) == (state, b"")
        return
    with pytest.raises(PeerProtocolError) as caught:
        list(association.receive(data))
    assert caught.value.reason == reason
    assert taken(association) == Abort(2, reason).encode()
    assert association.state is State.AWAITING_CLOSE
    # whatever follows means nothing any more
    assert list(association.receive(data + OFFER.encode() + PDUS[Event.ABORT])) == []
    assert (association.state, taken(association)) == (State.AWAITING_CLOSE, b"")


@in_every_state
def test_closed_connection_ends_it(state, role):
    association = reach(state, role)
    is_expected = BY_STANDARD[Event.TRANSPORT_CLOSED, state] in ("-", "AA-5:1", "AR-5:1")
    assert association.peer_closed() == ([] if is_expected else [Closed()])
    assert association.state is State.IDLE
    assert association.is_over
    assert association.deadline is None


@in_every_state
def test_timer_ends_only_what_it_times(state, role):
    association = reach(state, role)
    if BY_STANDARD[Event.ARTIM_EXPIRED, state] == "-":
        with pytest.raises(LocalProtocolError):
            association.expire()
        assert association.state is state
    else:
        association.expire()
        assert association.is_over


#: Our calls: the event each is, and what it says where the standard allows it.
CALLS: dict[str, tuple[Event, Callable[[Association], None], bytes]] = {
    "request": (Event.LOCAL_ASSOCIATE, lambda a: a.request(OFFER), OFFER.encode()),
    "accept": (Event.LOCAL_ACCEPT, lambda a: a.accept(ANSWER), ANSWER.encode()),
    "reject": (Event.LOCAL_REJECT, lambda a: a.reject(1, 1, 7), PDUS[Event.ASSOCIATE_RJ]),
    "send": (Event.LOCAL_DATA, lambda a: a.send(1, ECHO), PDUS[Event.DATA]),
    "release": (Event.LOCAL_RELEASE, lambda a: a.release(), RELEASE_RQ),
    "confirm": (Event.LOCAL_CONFIRM_RELEASE, lambda a: a.confirm_release(), RELEASE_RP),
    "abort": (Event.LOCAL_ABORT, lambda a: a.abort(2, 6), Abort(2, 6).encode()),
}
#: Blank in the standard but harmless: in a collision the answer waits; an end needs no abort.
IGNORED = {
    ("confirm", State.COLLISION_ACCEPTOR_RP),
    ("abort", State.IDLE),
    ("abort", State.AWAITING_ASSOCIATE_RQ),
    ("abort", State.AWAITING_CLOSE),
}


@in_every_state
@pytest.mark.parametrize("name", CALLS)
def test_call_does_what_the_standard_says(name, state, role):
    event, call, said = CALLS[name]
    association = reach(state, role)
    cell = BY_STANDARD[event, state]
    if (name, state) in IGNORED:
        call(association)
        assert (association.state, taken(association)) == (state, b"")
    elif cell == "-":
        with pytest.raises(LocalProtocolError):
            call(association)
        assert (association.state, taken(association)) == (state, b"")
    else:
        call(association)
        # without a connection there is nobody to tell (AA-2)
        assert taken(association) == (b"" if cell == "AA-2:1" else said)
        # the connection stands when `request` is called, so event 2 follows at once
        after = State.AWAITING_ASSOCIATE_REPLY if name == "request" else None
        assert association.state is (after or next_state(cell, association.role))
