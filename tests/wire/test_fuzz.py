"""Mutated input raises only PeerProtocolError, within a memory bound."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_cli.errors import PeerProtocolError
from pacs_cli.wire.association import Association, Limits, Role
from pacs_cli.wire.command import decode_command
from tests.wire.dialogue import ANSWER, ECHO, STORE, answered, requestor, requestor_bytes, taken

SAID = requestor_bytes(b"x" * 3000)
LIMITS = Limits(max_pdu_length=8192)

#: (kind, position, bytes): position is taken modulo the length.
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "delete", "repeat", "cut"]),
        st.integers(0, 100_000),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=6,
)
CUTS = st.lists(st.integers(1, 3000), max_size=10)


def mutated(data: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    for kind, position, value in changes:
        at = position % (len(data) or 1)
        if kind == "set":
            data = data[:at] + value + data[at + len(value) :]
        elif kind == "insert":
            data = data[:at] + value + data[at:]
        elif kind == "delete":
            data = data[:at] + data[at + len(value) :]
        elif kind == "repeat":
            data = data[: at + 100] + data[at:]
        else:
            data = data[:at]
    return data


def feed(association: Association, data: bytes, sizes: list[int]) -> None:
    """Feed in parts as a driver would, until the association is over."""
    position = 0
    for size in [*sizes, len(data)]:
        for _ in answered(association, association.receive(data[position : position + size])):
            taken(association)
        taken(association)
        position += size


def check_acceptor(changes: list[tuple[str, int, bytes]], sizes: list[int]) -> None:
    data = mutated(SAID, changes)
    tracemalloc.start()
    try:
        feed(Association(Role.ACCEPTOR, LIMITS), data, sizes)
    except PeerProtocolError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # the input and its copy, one PDU of each kind, and what is decoded of it
    assert peak < 3 * len(data) + LIMITS.max_pdu_length + LIMITS.association_pdu + 200_000


def check_requestor(changes: list[tuple[str, int, bytes]], sizes: list[int]) -> None:
    association = requestor(LIMITS)
    try:
        feed(association, mutated(ANSWER.encode() + SAID[-10:], changes), sizes)
    except PeerProtocolError:
        return


def check_command(changes: list[tuple[str, int, bytes]]) -> None:
    for command in (ECHO, STORE):
        try:
            decode_command(mutated(command, changes))
        except PeerProtocolError:
            continue


SHORT = settings(max_examples=300, derandomize=True, deadline=None)
LONG = settings(max_examples=50_000, deadline=None)


@SHORT
@given(CHANGES, CUTS)
def test_acceptor_survives_mutations(changes, sizes):
    check_acceptor(changes, sizes)


@SHORT
@given(CHANGES, CUTS)
def test_requestor_survives_mutations(changes, sizes):
    check_requestor(changes, sizes)


@SHORT
@given(CHANGES)
def test_command_sets_survive_mutations(changes):
    check_command(changes)


@pytest.mark.slow
@LONG
@given(CHANGES, CUTS)
def test_acceptor_survives_many_mutations(changes, sizes):
    check_acceptor(changes, sizes)


@pytest.mark.slow
@LONG
@given(CHANGES, CUTS)
def test_requestor_survives_many_mutations(changes, sizes):
    check_requestor(changes, sizes)
