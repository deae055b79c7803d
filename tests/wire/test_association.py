"""Associations wired back to back, under every cut of the bytes, and against broken peers."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate, pairwise

import pytest

from pacs_cli.errors import LocalProtocolError, PeerProtocolError
from pacs_cli.wire.association import (
    Aborted,
    Accepted,
    Association,
    Closed,
    CommandReceived,
    Limits,
    Rejected,
    Released,
    ReleaseRequested,
    Requested,
    Role,
)
from pacs_cli.wire.command import decode_command, encode_command, response_to
from pacs_cli.wire.message import fragments
from pacs_cli.wire.pdu import RELEASE_RP, RELEASE_RQ, Abort, AssociateReject, pdata_header
from pacs_cli.wire.states import State
from tests.wire.dialogue import (
    ANSWER,
    ECHO,
    OFFER,
    STORE,
    answered,
    calling,
    conversation,
    established,
    in_state,
    plain,
    pump,
    requestor,
    taken,
)


def test_whole_dialogue_back_to_back():
    user, provider = Association(Role.REQUESTOR), Association(Role.ACCEPTOR)
    data = bytes(range(256)) * 100
    user.request(OFFER)
    assert pump(user, provider) == [Requested(OFFER)]
    assert pump(provider, user) == [Accepted(ANSWER)]
    assert user.contexts == provider.contexts
    user.send(1, ECHO)
    (echo,) = pump(user, provider)
    assert echo.command.name == "C-ECHO-RQ"
    (response,) = pump(provider, user)
    assert (response.command.name, response.command.status) == ("C-ECHO-RSP", 0)
    user.send(3, STORE, [data[:5], data[5:]])
    command, *pieces = pump(user, provider)
    assert isinstance(command, CommandReceived)
    assert b"".join(piece for _, piece, _ in pieces) == data
    assert [is_last for *_, is_last in pieces] == [False] * (len(pieces) - 1) + [True]
    pump(provider, user)
    user.release()
    assert pump(user, provider) == [ReleaseRequested()]
    assert pump(provider, user) == [Released()]
    assert user.is_over
    assert provider.is_closing
    assert provider.peer_closed() == []
    assert provider.is_over


ECHOED = encode_command(response_to(decode_command(ECHO), 0))
ASKED, REPLIED = conversation()
UNKNOWN_PDU = b"\x99\0\0\0\0\0"
#: What an end of an association hears, and with which events it ends.
STREAMS = {
    "whole dialogue": (Role.ACCEPTOR, ASKED, [ReleaseRequested]),
    "its answers": (Role.REQUESTOR, REPLIED, [Released]),
    "rejected, then garbage": (
        Role.REQUESTOR,
        AssociateReject(1, 1, 7).encode() + UNKNOWN_PDU,
        [Rejected],
    ),
    "aborted, then garbage": (
        Role.ACCEPTOR,
        ASKED[:-10] + Abort(0, 0).encode() + UNKNOWN_PDU,
        [tuple, Aborted],
    ),
    "data after the release": (
        Role.ACCEPTOR,
        ASKED + b"\x04\0\0\0\0\x06" + b"\0\0\0\2\1\3",
        [ReleaseRequested],
    ),
    "request after the release": (Role.ACCEPTOR, ASKED * 2, [ReleaseRequested, 2]),
    "unknown PDU": (Role.ACCEPTOR, ASKED[:-10] + UNKNOWN_PDU * 3, [tuple, 1]),
    "too long": (Role.ACCEPTOR, ASKED[:-10] + b"\x04\0\0\x04\0\1", [tuple, 6]),
    "wrong context": (
        Role.ACCEPTOR,
        ASKED[:-10] + pdata_header(5, 3, len(ECHO)) + ECHO,
        [tuple, 6],
    ),
    "answer to another request": (
        Role.REQUESTOR,
        replace(ANSWER, contexts=(*ANSWER.contexts, replace(ANSWER.contexts[0], id=9))).encode(),
        [6],
    ),
}


def through_receive(association: Association, part: bytes) -> Iterator[object]:
    yield from association.receive(part)


def through_space(association: Association, part: bytes) -> Iterator[object]:
    """Feed as a driver does: as much as there is space for at a time."""
    while part:
        space = association.space()
        count = min(len(space), len(part))
        space[:count], part = part[:count], part[count:]
        yield from association.received(count)


def outcome(role: Role, parts: Iterable[bytes], through=through_receive) -> tuple[object, ...]:
    """What an association makes of bytes: events, abort reason, what it says, where it ends."""
    association = requestor() if role is Role.REQUESTOR else Association(role)
    reacting = calling if role is Role.REQUESTOR else answered
    events: list[object] = []
    try:
        for part in parts:
            events += map(plain, reacting(association, through(association, part)))
    except PeerProtocolError as error:
        events.append(error.reason)
    return events, taken(association), association.state


def cut(data: bytes, kind: int | str) -> list[bytes]:
    if isinstance(kind, str):
        chosen = random.Random(kind)
        edges = sorted(chosen.sample(range(1, len(data)), min(60, len(data) - 1)))
    else:
        edges = list(range(kind, len(data), kind))
    return [data[first:last] for first, last in pairwise([0, *edges, len(data)])]


@pytest.mark.parametrize("through", [through_receive, through_space])
@pytest.mark.parametrize("kind", [1, 2, 5, 7, 13, 4093, "random", "other", "third"])
@pytest.mark.parametrize("name", STREAMS)
def test_events_are_equal_however_the_bytes_are_cut(name, kind, through):
    role, data, _ = STREAMS[name]
    assert outcome(role, cut(data, kind), through) == outcome(role, [data])


@pytest.mark.parametrize("name", STREAMS)
def test_stream_ends_as_it_should(name):
    role, data, expected = STREAMS[name]
    events, _, _ = outcome(role, [data])
    ends = [each if isinstance(each, int) else type(each) for each in events[-len(expected) :]]
    assert ends == expected


def pdu_lengths(stream: bytes) -> list[int]:
    lengths = []
    offset = 0
    while offset < len(stream):
        lengths.append(int.from_bytes(stream[offset + 2 : offset + 6], "big"))
        offset += 6 + lengths[-1]
    return lengths


@pytest.mark.parametrize("maximum", [8, 128, 4096, 16384])
@pytest.mark.parametrize("size", [0, 1, 2, 121, 122, 123, 4090, 4091, 100_000])
def test_fragments_keep_the_peers_maximum(maximum, size):
    stream = b"".join(fragments(3, 0, [bytes(size)], maximum - 6))
    lengths = pdu_lengths(stream)
    assert max(lengths) <= maximum
    assert sum(lengths) - 6 * len(lengths) == size
    # no more of them than needed, and the last one says so
    assert len(lengths) == max(1, -(-size // (maximum - 6)))
    starts = accumulate((length + 6 for length in lengths[:-1]), initial=0)
    flags = [stream[start + 11] for start in starts]
    assert flags == [0] * (len(flags) - 1) + [2]


@pytest.mark.parametrize(
    ("maximum", "longest"),
    [
        (8, 8),
        (9, 8),
        (128, 128),
        (129, 128),
        (16383, 16382),
        (16384, 16384),
        # without a limit, or with one that is none, fragments stay at 256 KiB
        (0, 256 * 1024 + 6),
        (2**32 - 1, 256 * 1024 + 6),
    ],
)
def test_association_honours_what_the_peer_announced(maximum, longest):
    announced = replace(OFFER.user_information, maximum_length=maximum)
    provider = Association(Role.ACCEPTOR)
    list(provider.receive(replace(OFFER, user_information=announced).encode()))
    provider.accept(ANSWER)
    taken(provider)
    data = bytes(3 * longest + 1)
    provider.send(3, STORE, [data])
    lengths = pdu_lengths(taken(provider))
    assert max(lengths) == longest
    assert all(length % 2 == 0 for length in lengths[:-1])
    assert sum(lengths) - 6 * len(lengths) == len(STORE) + len(data)


def test_batches_of_tiny_fragments_fit_one_system_call():
    announced = replace(OFFER.user_information, maximum_length=128)
    provider = Association(Role.ACCEPTOR)
    list(provider.receive(replace(OFFER, user_information=announced).encode()))
    provider.accept(ANSWER)
    provider.send(3, STORE, [bytes(200_000)])
    sizes = []
    while batch := provider.outgoing():
        sizes.append(len(batch))
    assert max(sizes) == 1000
    # the answer; header and payload of the command, then of 122 bytes at a time
    assert sum(sizes) == 1 + 2 + 2 * -(-200_000 // 122)


def test_dropped_output_is_not_said():
    association = established()
    association.send(3, STORE, [bytes(5_000_000)])
    association.outgoing()
    association.drop_outgoing()
    assert association.outgoing() == []


def test_cut_data_set_in_pieces_equals_one_piece():
    data = bytes(range(256)) * 50
    pieces = [data[:1], data[1:4000], b"", data[4000:]]
    assert b"".join(fragments(3, 0, pieces, 122)) == b"".join(fragments(3, 0, [data], 122))


def test_payload_is_never_copied_and_batches_are_bounded():
    association = established()
    data = bytes(5_000_000)
    association.send(3, STORE, [data])
    batches = []
    while batch := association.outgoing():
        batches.append(batch)
        assert len(batch) <= 1000
        assert sum(map(len, batch)) < 1.2 * 1024 * 1024
    views = [each for batch in batches for each in batch if isinstance(each, memoryview)]
    payload = [view for view in views if view.obj is data]
    assert sum(map(len, payload)) == len(data)
    assert [bytes(view) for view in views if view.obj is not data] == [STORE]


# -- what the peer must not do -------------------------------------------------------------------


def refused(association: Association, data: bytes, reason: int = 6) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        list(association.receive(data))
    assert caught.value.reason == reason
    assert taken(association) == Abort(2, reason).encode()
    assert association.is_closing
    # it hears nothing more
    assert list(association.receive(data)) == []


def pdv(context_id: int, control: int, data: bytes) -> bytes:
    return pdata_header(context_id, control, len(data)) + data


@pytest.mark.parametrize(
    "data",
    [
        pdv(5, 3, ECHO),
        pdv(1, 2, b"data before a command"),
        pdv(3, 3, STORE) + pdv(3, 3, STORE),
        pdv(3, 3, STORE) + pdv(1, 2, b"data on another context"),
        pdv(3, 1, STORE[:10]) + pdv(1, 3, STORE[10:]),
        pdv(1, 3, b"garbage"),
        pdv(1, 3, b""),
        pdv(1, 3, bytes(16_385)),
        pdv(1, 1, bytes(16_000)) + pdv(1, 3, bytes(385)),
        b"\x04\0\0\0\0\0",
        b"\x04\0\0\0\0\x05\0\0\0\x01\x01",
        b"\x04\0\0\0\0\x06\0\0\0\x01\x01\x03",
        b"\x04\0\0\0\0\x06\0\0\0\x03\x01\x03",
        b"\x04\0\x7f\xff\xff\xff",
    ],
)
def test_broken_order_or_length_is_aborted(data):
    refused(established(Role.ACCEPTOR), data)


def test_context_that_was_refused_carries_nothing():
    association = Association(Role.ACCEPTOR)
    list(association.receive(OFFER.encode()))
    results = (ANSWER.contexts[0], type(ANSWER.contexts[1])(3, 3, ""))
    association.accept(type(ANSWER)("A", "B", results, ANSWER.user_information))
    taken(association)
    refused(association, pdv(3, 3, STORE))


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01", b"\0" * 6])
def test_other_protocols_are_known_by_six_bytes(first):
    refused(Association(Role.ACCEPTOR), first[:6], reason=1)


def test_declared_length_allocates_nothing():
    association = Association(Role.ACCEPTOR)
    tracemalloc.start()
    try:
        refused(association, b"\x01\0\xff\xff\xff\xff")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("maximum", [0, 1024 * 1024])
def test_data_before_the_association_has_no_room_of_its_own(maximum):
    limits = Limits(max_pdu_length=maximum)
    too_long = b"\x04\0" + (limits.association_pdu + 1).to_bytes(4, "big")
    refused(Association(Role.ACCEPTOR, limits), too_long)
    refused(requestor(limits), too_long)


@pytest.mark.parametrize("maximum", [4096, 256 * 1024, 1024 * 1024])
def test_declared_length_allocates_nothing_once_data_flows(maximum):
    association = established(Role.ACCEPTOR, Limits(max_pdu_length=maximum))
    association.space()
    tracemalloc.start()
    try:
        association.space()[:6] = b"\x04\0" + maximum.to_bytes(4, "big")
        list(association.received(6))
        association.space()
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()


def test_memory_of_a_long_object_is_that_of_one_buffer():
    limits = Limits(max_pdu_length=1024 * 1024)
    association = established(Role.ACCEPTOR, limits)
    list(association.receive(pdv(3, 3, STORE)))
    longest = pdv(3, 0, bytes(limits.max_pdu_length - 6))
    tracemalloc.start()
    try:
        for _ in range(10):
            for event in through_space(association, longest):
                assert len(event.data) == limits.max_pdu_length - 6
        # the buffer, the one it grew out of, and what of `longest` is still to be fed
        assert tracemalloc.get_traced_memory()[1] < 4.2 * limits.max_pdu_length
        assert tracemalloc.get_traced_memory()[0] < 2.1 * limits.max_pdu_length
    finally:
        tracemalloc.stop()


def test_pipelined_dialogue_is_answered_in_order():
    provider = Association(Role.ACCEPTOR)
    echoes = pdv(1, 3, ECHO) * 3
    events = list(answered(provider, provider.receive(OFFER.encode() + echoes + RELEASE_RQ)))
    assert [type(event) for event in events] == [
        Requested,
        *[CommandReceived] * 3,
        ReleaseRequested,
    ]
    assert taken(provider) == ANSWER.encode() + pdv(1, 3, ECHOED) * 3 + RELEASE_RP


def test_empty_and_many_fragments_are_accepted():
    association = established(Role.ACCEPTOR)
    command = b"".join(pdv(1, 1, ECHO[i : i + 1]) for i in range(len(ECHO))) + pdv(1, 3, b"")
    (event,) = list(association.receive(command))
    assert event.command.name == "C-ECHO-RQ"
    two = pdv(3, 3, STORE)[6:] + pdv(3, 0, b"")[6:] + pdv(3, 2, b"end")[6:]
    events = list(association.receive(b"\x04\0" + len(two).to_bytes(4, "big") + two))
    assert [type(event).__name__ for event in events] == ["CommandReceived", "Fragment", "Fragment"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"protocol_version": 2}, Rejected(1, 2, 2)),
        ({"application_context_name": "1.2.3"}, Rejected(1, 1, 2)),
    ],
)
def test_request_the_service_provider_refuses(changes, expected):
    association = Association(Role.ACCEPTOR)
    assert list(association.receive(replace(OFFER, **changes).encode())) == [expected]
    result = AssociateReject(expected.result, expected.source, expected.reason)
    assert taken(association) == result.encode()
    assert association.is_closing


def test_protocol_version_needs_only_its_first_bit():
    association = Association(Role.ACCEPTOR)
    (event,) = association.receive(replace(OFFER, protocol_version=0xFFFF).encode())
    assert isinstance(event, Requested)


# -- ends ----------------------------------------------------------------------------------------


def test_release_collision_ends_well_at_both_ends():
    user, provider = established(Role.REQUESTOR), established(Role.ACCEPTOR)
    user.release()
    provider.release()
    ours, theirs = taken(user), taken(provider)
    assert [plain(e) for e in answered(user, user.receive(theirs))] == [ReleaseRequested()]
    assert [plain(e) for e in answered(provider, provider.receive(ours))] == [ReleaseRequested()]
    assert pump(user, provider) == [Released()]
    assert pump(provider, user) == [Released()]
    assert user.is_over
    assert provider.is_closing


def test_abort_of_the_peer_drops_what_was_to_be_said():
    association = established()
    association.send(3, STORE, [bytes(100_000)])
    assert list(association.receive(Abort(0, 0).encode())) == [Aborted(0, 0)]
    assert taken(association) == b""
    assert association.is_over


def test_nothing_more_of_a_pdu_is_told_once_we_aborted():
    association = established(Role.ACCEPTOR)
    values = pdv(1, 3, ECHO)[6:] + pdv(1, 3, ECHO)[6:] + pdv(5, 3, b"garbage")[6:]
    events = []
    for event in association.receive(b"\x04\0" + len(values).to_bytes(4, "big") + values):
        events.append(event)
        association.abort()
    assert len(events) == 1
    assert taken(association) == Abort(0, 0).encode()


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.AWAITING_ASSOCIATE_REPLY])
def test_early_close_is_told(state):
    assert in_state(state).peer_closed() == [Closed()]


# -- time ----------------------------------------------------------------------------------------


def test_request_deadline_is_one_total():
    association = Association(Role.ACCEPTOR, Limits(request=15))
    before = association.deadline
    for byte in OFFER.encode()[:-1]:
        list(association.receive(bytes([byte])))
        assert association.deadline == before
    assert before.seconds == 15


def test_pdu_deadline_begins_with_its_first_byte_and_is_one_total():
    association = established(Role.ACCEPTOR, Limits(pdu=30, idle=60))
    idle = association.deadline
    data = pdv(1, 3, ECHO)
    list(association.receive(data[:1]))
    begun = association.deadline
    assert (idle.seconds, begun.seconds) == (60, 30)
    assert idle.serial != begun.serial
    for byte in data[1:-1]:
        list(association.receive(bytes([byte])))
        assert association.deadline == begun
    list(association.receive(data[-1:]))
    assert association.deadline.seconds == 60
    assert association.deadline.serial != idle.serial


LIMITS = Limits(request=1, reply=2, pdu=3, idle=4, close=5)


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (State.IDLE, None),
        (State.AWAITING_ASSOCIATE_RQ, 1),
        (State.AWAITING_LOCAL_RESPONSE, None),
        (State.AWAITING_ASSOCIATE_REPLY, 2),
        (State.ESTABLISHED, 4),
        (State.AWAITING_RELEASE_RP, 2),
        (State.AWAITING_LOCAL_RELEASE, 4),
        (State.COLLISION_REQUESTOR_LOCAL, 4),
        (State.COLLISION_ACCEPTOR_RP, 4),
        (State.COLLISION_REQUESTOR_RP, 4),
        (State.AWAITING_CLOSE, 5),
    ],
)
def test_deadline_is_that_of_what_is_awaited(state, seconds):
    association = in_state(state)
    association.limits = LIMITS
    deadline = association.deadline
    assert (deadline.seconds if deadline else None) == seconds


@pytest.mark.parametrize("state", [State.AWAITING_ASSOCIATE_REPLY, State.AWAITING_RELEASE_RP])
def test_answer_deadline_is_one_total(state):
    association = in_state(state)
    before = association.deadline
    for byte in b"\x02\0\0\0\x01\0" + bytes(100):
        list(association.receive(bytes([byte])))
        assert association.deadline == before


def test_data_does_not_delay_the_answer_to_a_release():
    association = in_state(State.AWAITING_RELEASE_RP)
    before = association.deadline
    for _ in range(5):
        assert len(list(association.receive(pdv(1, 3, ECHO)))) == 1
    assert association.deadline == before


def test_clock_starts_again_with_every_pdu_and_every_message():
    association = established(limits=LIMITS)
    serials = [association.deadline.serial]
    association.send(1, ECHO)
    serials.append(association.deadline.serial)
    two = pdv(3, 3, STORE) + pdv(3, 0, b"")
    for part in (two, two[-12:-8], two[-8:]):
        list(association.receive(part))
        serials.append(association.deadline.serial)
    assert len(set(serials)) == len(serials)


def test_clock_starts_again_when_something_else_is_awaited():
    association = Association(Role.REQUESTOR, LIMITS)
    association.request(OFFER)
    serials = [association.deadline.serial]
    list(association.receive(ANSWER.encode()))
    for call in (association.release, association.abort):
        serials.append(association.deadline.serial)
        call()
    serials.append(association.deadline.serial)
    assert len(set(serials)) == len(serials)


def test_clock_of_the_next_pdu_starts_when_its_first_byte_follows_a_whole_one():
    association = established(Role.ACCEPTOR, LIMITS)
    data = pdv(1, 1, ECHO[:4])
    list(association.receive(data[:1]))
    first = association.deadline
    list(association.receive(data[1:] + data[:1]))
    second = association.deadline
    assert (first.seconds, second.seconds) == (3, 3)
    assert first.serial != second.serial


def test_flood_does_not_delay_the_close():
    association = established(Role.ACCEPTOR)
    association.abort()
    closing = association.deadline
    for _ in range(10):
        list(association.receive(pdv(1, 3, ECHO)))
    assert association.deadline == closing


def test_nothing_is_awaited_of_a_closed_association():
    assert in_state(State.IDLE).deadline is None


def test_response_where_no_context_is_accepted_is_our_bug():
    with pytest.raises(LocalProtocolError):
        established().send(5, ECHO)


@pytest.mark.parametrize("maximum", range(1, 8))
def test_peer_whose_maximum_leaves_no_room_is_refused(maximum):
    tiny = replace(ANSWER.user_information, maximum_length=maximum)
    answer, request = (replace(pdu, user_information=tiny).encode() for pdu in (ANSWER, OFFER))
    refused(in_state(State.AWAITING_ASSOCIATE_REPLY), answer)
    refused(in_state(State.AWAITING_ASSOCIATE_RQ), request)
