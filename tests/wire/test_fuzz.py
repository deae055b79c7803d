"""Mutated input raises only PeerProtocolError, within a memory bound."""

from __future__ import annotations

import tracemalloc
from itertools import chain, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_cli.errors import PeerProtocolError
from pacs_cli.wire.association import Association, Limits, Role
from pacs_cli.wire.command import decode_command
from pacs_cli.wire.states import State
from pacs_cli.wire.userinfo import (
    UserIdentity,
    UserInformation,
    decode_user_information,
    encode_user_information,
)
from tests.wire.dialogue import ECHO, STORE, answered, calling, conversation, requestor, taken

ASKED, REPLIED = conversation(b"x" * 3000)
LIMITS = Limits(max_pdu_length=8192, association_pdu=16384)

#: (kind, position, other position, bytes): positions are taken modulo the length.
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "insert", "delete", "repeat", "splice", "length", "cut"]),
        st.integers(0, 100_000),
        st.integers(0, 100_000),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=6,
)
CUTS = st.lists(st.integers(1, 3000), max_size=10)
LENGTHS = (0, 1, 2, 3, 5, 6, 0x7F, 0xFF, 0x2000, 0x2001, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
Changes = list[tuple[str, int, int, bytes]]


def pdu_starts(data: bytes) -> list[int]:
    """Where PDUs begin, as far as their lengths can be followed."""
    starts, offset = [0], 0
    while (offset := offset + 6 + int.from_bytes(data[offset + 2 : offset + 6], "big")) < len(data):
        starts.append(offset)
    return starts


def mutated(data: bytes, changes: Changes) -> bytes:
    for kind, position, other, value in changes:
        at, to = sorted((position % (len(data) or 1), other % (len(data) or 1)))
        if kind == "flip":
            data = (
                data[:at]
                + bytes(byte ^ 1 << other % 8 for byte in data[at : at + 1])
                + data[at + 1 :]
            )
        elif kind == "set":
            data = data[:at] + value + data[at + len(value) :]
        elif kind == "insert":
            data = data[:at] + value + data[at:]
        elif kind == "delete":
            data = data[:at] + data[at + len(value) :]
        elif kind == "repeat":
            data = data[:to] + data[at : at + 2000] + data[to:]
        elif kind == "splice":
            data = data[:at] + data[to:]
        elif kind == "length":
            starts = pdu_starts(data)
            start = starts[position % len(starts)] + 2
            length = LENGTHS[other % len(LENGTHS)].to_bytes(4, "big")
            data = data[:start] + length + data[start + 4 :]
        else:
            data = data[:at]
    return data


def check(role: Role, changes: Changes, sizes: list[int]) -> None:
    """Feed what was mutated, in parts."""
    feed(role, mutated(ASKED if role is Role.ACCEPTOR else REPLIED, changes), sizes)


def feed(role: Role, data: bytes, sizes: list[int]) -> None:
    """Feed in parts as a driver would, reading into the association's own space."""
    reacting = answered if role is Role.ACCEPTOR else calling
    tracemalloc.start()
    try:
        association = requestor(LIMITS) if role is Role.REQUESTOR else Association(role, LIMITS)
        steps = chain(sizes, repeat(len(data)))
        position = 0
        while position < len(data):
            part = data[position : position + next(steps)]
            space = association.space()[: len(part)]
            space[:] = part[: len(space)]
            position += len(space)
            for _ in reacting(association, association.received(len(space))):
                taken(association)
            taken(association)
    except PeerProtocolError:
        assert association.state is State.AWAITING_CLOSE
        assert taken(association)[:6] == b"\7\0\0\0\0\4"
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # the first buffer and the one for data; an association PDU as bytes and as what is read from
    # it, where each four-byte item becomes an object of some 40 times that
    assert peak < 8 * 1024 + 512 * 1024 + 40 * len(data) + 100_000


def check_command(changes: Changes) -> None:
    for command in (ECHO, STORE):
        try:
            decode_command(mutated(command, changes))
        except PeerProtocolError:
            continue


INFORMATION = memoryview(
    encode_user_information(
        UserInformation(
            16384,
            "1.2.3",
            "VERSION",
            user_identity=UserIdentity(2, True, "Dœ".encode() * 20, b"passcode" * 20),
        )
    )
)[4:]


def check_user_information(changes: Changes) -> None:
    """Whatever is read of a user identity, it is no more than what came."""
    came = mutated(bytes(INFORMATION), changes)
    try:
        identity = decode_user_information(memoryview(came)).user_identity
    except PeerProtocolError:
        return
    if identity is not None:
        assert identity.primary_field in came
        assert identity.secondary_field in came
        assert isinstance(identity.name, str)


SHORT = settings(max_examples=300, derandomize=True, deadline=None)
LONG = settings(max_examples=50_000, deadline=None)


@SHORT
@given(CHANGES, CUTS)
def test_acceptor_survives_mutations(changes: Changes, sizes: list[int]) -> None:
    check(Role.ACCEPTOR, changes, sizes)


@SHORT
@given(CHANGES, CUTS)
def test_requestor_survives_mutations(changes: Changes, sizes: list[int]) -> None:
    check(Role.REQUESTOR, changes, sizes)


@SHORT
@given(CHANGES)
def test_command_sets_survive_mutations(changes: Changes) -> None:
    check_command(changes)


@SHORT
@given(CHANGES)
def test_user_information_survives_mutations(changes: Changes) -> None:
    check_user_information(changes)


@pytest.mark.slow
@LONG
@given(CHANGES)
def test_user_information_survives_many_mutations(changes: Changes) -> None:
    check_user_information(changes)


@pytest.mark.slow
@LONG
@given(CHANGES, CUTS)
def test_acceptor_survives_many_mutations(changes: Changes, sizes: list[int]) -> None:
    check(Role.ACCEPTOR, changes, sizes)


@pytest.mark.slow
@LONG
@given(CHANGES, CUTS)
def test_requestor_survives_many_mutations(changes: Changes, sizes: list[int]) -> None:
    check(Role.REQUESTOR, changes, sizes)


@pytest.mark.slow
@LONG
@given(CHANGES)
def test_command_sets_survive_many_mutations(changes: Changes) -> None:
    check_command(changes)
