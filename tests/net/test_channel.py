"""The channel on a socket pair and on TCP: deadlines, partial writes, last words."""

from __future__ import annotations

import socket
import threading

import pytest

from pacs_cli.errors import ConnectError, PeerProtocolError, PeerTimeout
from pacs_cli.net import channel as channels
from pacs_cli.net.channel import Channel, connect, resolve
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.wire.association import Accepted, Association, Closed, Limits, Requested, Role
from pacs_cli.wire.command import Command, CommandField, encode_command
from pacs_cli.wire.negotiation import Proposal, answer_contexts, number_contexts, prefer_in_order
from pacs_cli.wire.pdu import Abort, AssociateAccept, AssociateRequest
from pacs_cli.wire.userinfo import UserInformation
from tests.support import CT, EXPLICIT


@pytest.fixture
def pair():
    """Two ends of one TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        yield ours, theirs


def offer() -> AssociateRequest:
    return AssociateRequest(
        "A", "B", number_contexts([Proposal(CT, (EXPLICIT,))]), UserInformation(16384)
    )


def associated(pair) -> tuple[Channel, Channel]:
    """A requestor's and an acceptor's channel with an association between them."""
    ours, theirs = pair
    requestor = Channel(ours, Association(Role.REQUESTOR, Limits(close=0.1)), "peer")
    acceptor = Channel(theirs, Association(Role.ACCEPTOR, Limits(close=0.1)), "peer")
    requestor.association.request(offer())
    requestor.flush()
    (event,) = acceptor.receive()
    assert isinstance(event, Requested)
    results = answer_contexts(event.request, prefer_in_order(None, [EXPLICIT]))
    acceptor.association.accept(AssociateAccept("A", "B", results, UserInformation(16384)))
    acceptor.flush()
    (answer,) = requestor.receive()
    assert isinstance(answer, Accepted)
    return requestor, acceptor


def test_nodelay_is_set(pair):
    Channel(pair[0], Association(Role.ACCEPTOR), "peer")
    assert pair[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_deadline_is_a_total_however_the_bytes_dribble(pair):
    """A clock that moves with every byte: the bytes keep coming, the time runs out all the same."""
    now = [0.0]
    channel = Channel(
        pair[0], Association(Role.ACCEPTOR, Limits(request=10)), "peer", lambda: now[0]
    )
    for byte in offer().encode()[:3]:
        now[0] += 3
        pair[1].sendall(bytes([byte]))
        assert list(channel.receive()) == []
    now[0] += 3
    with pytest.raises(PeerTimeout, match="an association request within 10 s"):
        list(channel.receive())


def test_peer_that_does_not_read_costs_the_write_timeout(pair, monkeypatch):
    monkeypatch.setattr(channels, "WRITE_TIMEOUT", 0.05)
    requestor, acceptor = associated(pair)
    command = Command(
        CommandField.C_STORE_RQ,
        {
            "MessageID": 1,
            "Priority": 0,
            "AffectedSOPClassUID": CT,
            "AffectedSOPInstanceUID": "1.2",
        },
        has_data_set=True,
    )
    requestor.association.send(1, encode_command(command), [bytes(50_000_000)])
    with pytest.raises(PeerTimeout, match="did not read"):
        requestor.flush()
    acceptor.close()


def test_end_of_connection_is_told_once(pair):
    requestor, acceptor = associated(pair)
    requestor._sock.close()
    assert list(acceptor.receive()) == [Closed()]
    acceptor.close()


def test_garbage_is_answered_with_an_abort_that_arrives(pair):
    ours, theirs = pair
    channel = Channel(ours, Association(Role.ACCEPTOR, Limits(close=1)), "peer")
    theirs.sendall(b"GET / HTTP/1.1\r\n" * 100)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(PeerProtocolError, match="unknown PDU type 47H"):
        list(channel.receive())
    assert theirs.recv(100) == Abort(2, 1).encode()
    assert theirs.recv(100) == b""


def test_wake_ends_a_wait(pair):
    channel = Channel(pair[0], Association(Role.ACCEPTOR), "peer")
    events = []
    waiting = threading.Thread(target=lambda: events.extend(channel.receive()))
    waiting.start()
    channel.wake()
    waiting.join(10)
    assert not waiting.is_alive()
    assert channel.is_woken
    assert events == []
    channel.close()
    channel.wake()


def test_connect_tries_every_address_of_a_name():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        good = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
        bad = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
        with connect(Target("x", "localhost", port), [bad, good]) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)


def test_connect_gives_up_when_its_time_is_over():
    times = iter([0.0, 11.0])
    target = Target("x", "10.255.255.1", 104, timeouts=Timeouts(connect=10))
    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.255.255.1", 104))
    with pytest.raises(ConnectError, match="no answer within 10 s"):
        connect(target, [address], lambda: next(times))


def test_resolve_names_what_it_cannot_find():
    with pytest.raises(ConnectError, match="check the host name"):
        resolve(Target("x", "a..b", 104))


def test_ipv6_target_is_written_with_brackets():
    assert str(Target("x", "::1", 104, "SCP")) == "SCP ([::1]:104)"
