"""Session against peers that misbehave at every point: the cause is told, nothing is waited out."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from operator import attrgetter

import pytest

from pacs_cli.errors import AssociationAborted, PeerProtocolError, PeerTimeout
from pacs_cli.services.scu import Session
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.pdu import RELEASE_RP, RELEASE_RQ, Abort, ContextResult
from tests.services.misbehaviour import (
    EVERY_ONE,
    OFFER,
    acceptance,
    answers,
    patient,
    read_all,
    read_message,
)
from tests.services.raw import command, data, read_pdu, stored
from tests.support import CT, IMPLICIT, VERIFICATION, misbehaving_peer


@contextmanager
def acting(act):
    """A peer that does this until the block is left."""
    over = threading.Event()
    with misbehaving_peer(lambda sock: act(sock, over)) as target:
        try:
            yield patient(target)
        finally:
            over.set()


@pytest.mark.parametrize("peer", EVERY_ONE, ids=attrgetter("name"))
def test_misbehaviour_is_told_on_one_line_and_costs_the_timeouts(peer):
    with acting(peer.act) as target:
        with pytest.raises(peer.error, match=peer.words) as caught:
            with Session(peer.target(target), OFFER) as session:
                session.store(1, CT, "1.2.3", [bytes(peer.size)])
    assert type(caught.value) is peer.error
    assert "\n" not in str(caught.value)
    assert target.address in str(caught.value)


@pytest.mark.parametrize("more", [data(1, 3, stored()), data(1, 3, stored(1, 0xA700))])
def test_second_answer_to_one_object_is_none_to_the_next(more):
    def act(sock: socket.socket, over: threading.Event) -> None:
        read_pdu(sock)
        sock.sendall(acceptance())
        read_message(sock)
        sock.sendall(data(1, 3, stored()) + more)
        read_all(sock)

    with acting(act) as target:
        with pytest.raises(PeerProtocolError, match="answered C-STORE-RQ number 2"):
            with Session(target, OFFER) as session:
                assert session.store(1, CT, "1.2.3", [b"data"]).is_stored
                session.store(1, CT, "1.2.4", [b"data"])


@pytest.mark.parametrize("end", [Abort(0, 0).encode(), RELEASE_RQ, b""])
def test_answer_counts_although_the_end_comes_with_it(end):
    """Both in one segment: what was acknowledged stays acknowledged."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        read_pdu(sock)
        sock.sendall(acceptance())
        read_message(sock)
        sock.sendall(data(1, 3, stored()) + end)
        if end != RELEASE_RQ:
            sock.shutdown(socket.SHUT_WR)
        read_all(sock)

    with acting(act) as target:
        session = Session(target, OFFER)
        assert session.store(1, CT, "1.2.3", [b"data"]).is_stored
        with pytest.raises(AssociationAborted):
            session.store(1, CT, "1.2.4", [b"data"])
        session.abort()


@pytest.mark.parametrize("status", [0x0001, 0xB000, 0xB006, 0xB007, 0xBFFF])
def test_warning_is_stored(status):
    with answering(status) as target, Session(target, OFFER) as session:
        result = session.store(1, CT, "1.2.3", [b"data"])
    assert (result.is_stored, result.is_warning) == (True, True)


@pytest.mark.parametrize("status", [0x0110, 0x0122, 0xA700, 0xA900, 0xC000, 0xFE00, 0xFF00, 0xFFFF])
def test_every_other_status_is_not_stored(status):
    with answering(status) as target, Session(target, OFFER) as session:
        assert not session.store(1, CT, "1.2.3", [b"data"]).is_stored


def test_failure_answered_to_an_echo_is_a_result():
    refused = command(CommandField.C_ECHO_RSP, MessageIDBeingRespondedTo=1, Status=0x0122)

    def before(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(acceptance(contexts=(ContextResult(1, 0, IMPLICIT),)))
        read_pdu(sock)

    with acting(answers(data(1, 3, refused), before=before)) as target:
        session = Session(target, [Proposal(VERIFICATION, (IMPLICIT,))])
        assert session.echo(1).status == 0x0122
        session.abort()


@contextmanager
def answering(status: int):
    """A peer that answers one object with this and releases as it should."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        read_pdu(sock)
        sock.sendall(acceptance())
        read_message(sock)
        sock.sendall(data(1, 3, stored(1, status)))
        assert read_pdu(sock) == RELEASE_RQ
        sock.sendall(RELEASE_RP)
        read_all(sock)

    with acting(act) as target:
        yield target


@pytest.mark.parametrize("maximum", [8, 9, 128, 129, 16384, 0, 2**32 - 1])
def test_maximum_length_of_the_peer_is_honoured_exactly(maximum):
    """No fragment is longer, and only the last of the command and of the data set is shorter."""
    whole = bytes(range(256)) * (2 if maximum in (8, 9) else 2000)
    seen: list[bytes] = []

    def act(sock: socket.socket, over: threading.Event) -> None:
        read_pdu(sock)
        sock.sendall(acceptance(maximum))
        seen.extend(read_message(sock))
        sock.sendall(data(1, 3, stored()))
        assert read_pdu(sock) == RELEASE_RQ
        sock.sendall(RELEASE_RP)

    with acting(act) as target, Session(target, OFFER) as session:
        session.store(1, CT, "1.2.3", [whole])
    fragments = [pdu[12:] for pdu in seen if not pdu[11] & 1]
    assert b"".join(fragments) == whole
    allowed = (maximum or 2**32 - 1) - 6
    full = min(allowed - allowed % 2, 256 * 1024)
    assert {len(fragment) for fragment in fragments[:-1]} == {full}
    assert len(fragments[-1]) <= full


# -- the release ---------------------------------------------------------------------------------


def released_with(*whole: bytes):
    def before(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(acceptance())
        assert read_pdu(sock) == RELEASE_RQ

    return answers(*whole, before=before)


def collides(sock: socket.socket, over: threading.Event) -> None:
    """PS3.8 9.2 AR-8 and AR-9: the requestor answers first, then gets its own answer."""
    read_pdu(sock)
    sock.sendall(acceptance())
    assert read_pdu(sock) == RELEASE_RQ
    sock.sendall(RELEASE_RQ)
    assert read_pdu(sock) == RELEASE_RP
    sock.sendall(RELEASE_RP)


@pytest.mark.parametrize(
    "act", [released_with(RELEASE_RP), released_with(data(1, 3, stored(9)), RELEASE_RP), collides]
)
def test_release_ends_well(act):
    with acting(act) as target:
        with Session(target, OFFER) as session:
            pass
    assert session.phases.release > 0


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (released_with(), PeerTimeout, "an answer within 0.5 s"),
        (released_with(RELEASE_RQ), PeerTimeout, "within 0.5 s"),
        (released_with(RELEASE_RP[:-1]), PeerTimeout, "an answer within 0.5 s"),
        (released_with(data(1, 1) * 50_000), PeerTimeout, "an answer within 0.5 s"),
        (released_with(Abort(0, 0).encode()), AssociationAborted, "application ended it"),
        (released_with(RELEASE_RQ, RELEASE_RQ), PeerProtocolError, "unexpected A_RELEASE_RQ"),
        (released_with(b"GET / HTTP/1.1"), PeerProtocolError, "type 47H"),
    ],
)
def test_release_that_goes_wrong_is_told(act, error, words):
    seconds = 0.5 if error is PeerTimeout else 10
    with acting(act) as target:
        with pytest.raises(error, match=words):
            with Session(patient(target, acse=seconds, dimse=seconds), OFFER):
                pass
