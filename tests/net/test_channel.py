"""The channel on a socket pair and on TCP: deadlines, partial writes, last words."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from pacs_cli.errors import ConnectError, PeerProtocolError, PeerTimeout
from pacs_cli.net.channel import Channel, Wakeup, connect, resolve
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.wire.association import (
    Accepted,
    Association,
    Closed,
    Deadline,
    Limits,
    Requested,
    Role,
)
from pacs_cli.wire.command import Command, CommandField, encode_command
from pacs_cli.wire.negotiation import Proposal, answer_contexts, number_contexts, prefer_in_order
from pacs_cli.wire.pdu import Abort, AssociateAccept, AssociateRequest, pdata_header
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


def associated(pair, clock=time.monotonic) -> tuple[Channel, Channel]:
    """A requestor's and an acceptor's channel with an association between them."""
    ours, theirs = pair
    requestor = Channel(ours, Association(Role.REQUESTOR, Limits(close=0.1)), "peer", clock)
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


def test_deadline_counts_although_the_bytes_never_stop(pair):
    """What has come when it passes still counts, once: else a flood would have no deadline."""
    now = [0.0]
    channel = Channel(
        pair[0], Association(Role.ACCEPTOR, Limits(request=10)), "peer", lambda: now[0]
    )
    pair[1].sendall(b"\1\0\0\1\0\0" + bytes(60_000))
    assert list(channel.receive()) == []
    now[0] = 11
    assert list(channel.receive()) == []
    with pytest.raises(PeerTimeout, match="an association request within 10 s"):
        list(channel.receive())


def test_total_counts_although_every_pdu_is_in_time(pair):
    now = [0.0]
    requestor, acceptor = associated(pair, lambda: now[0])
    total = Deadline("an answer", 10, 1)
    for _ in range(4):
        acceptor._sock.sendall(pdata_header(1, 1, 0))
        assert list(requestor.receive(total)) == []
        now[0] += 3
    with pytest.raises(PeerTimeout, match="peer did not send an answer within 10 s"):
        list(requestor.receive(total))


def test_total_with_a_new_serial_starts_again(pair):
    now = [0.0]
    requestor, acceptor = associated(pair, lambda: now[0])
    for serial in range(4):
        acceptor._sock.sendall(pdata_header(1, 1, 0))
        assert list(requestor.receive(Deadline("an answer", 10, serial))) == []
        now[0] += 9


def store(channel: Channel, size: int) -> None:
    elements = {"AffectedSOPClassUID": CT, "AffectedSOPInstanceUID": "1.2", "Priority": 0}
    command = Command(CommandField.C_STORE_RQ, {"MessageID": 1, **elements}, has_data_set=True)
    channel.association.send(1, encode_command(command), [bytes(size)])


def test_peer_that_does_not_read_costs_the_write_timeout(pair):
    requestor, acceptor = associated(pair)
    requestor.write_timeout = 0.05
    store(requestor, 50_000_000)
    with pytest.raises(PeerTimeout, match=r"did not read what was sent within 0\.05 s"):
        requestor.flush()
    acceptor.close()


def test_nothing_follows_a_pdu_that_was_left_half_written(pair):
    requestor, acceptor = associated(pair)
    requestor.write_timeout = 0.05
    store(requestor, 50_000_000)
    with pytest.raises(PeerTimeout):
        requestor.flush()
    requestor.association.abort()
    requestor.close()
    acceptor._sock.setblocking(True)
    read = bytearray()
    while piece := acceptor._sock.recv(1 << 20):
        read += piece
    assert read[-10:] != Abort(0, 0).encode()
    assert 0 < len(read) < 50_000_000


def test_last_words_to_a_peer_that_does_not_read_cost_the_time_to_close(pair):
    """Far less than the write timeout, which is for those who might still read."""
    requestor, _ = associated(pair)
    requestor._sock.setblocking(True)
    requestor._sock.settimeout(0.05)
    with pytest.raises(TimeoutError):
        while True:
            requestor._sock.send(pdata_header(1, 1, 0))
    requestor._sock.setblocking(False)
    requestor.association.abort()
    closing = threading.Thread(target=requestor.close)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()


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
    channel.close()
    assert theirs.recv(100) == b""


def test_wakeup_ends_every_wait_once_and_for_good(pair):
    wakeup = Wakeup()
    channels = [Channel(sock, Association(Role.ACCEPTOR), "peer", wakeup=wakeup) for sock in pair]
    waits = [threading.Thread(target=list, args=(channel.receive(),)) for channel in channels]
    for wait in waits:
        wait.start()
    wakeup.set()
    wakeup.set()
    for wait in waits:
        wait.join(10)
        assert not wait.is_alive()
    for channel in channels:
        channel.close()


def test_wakeup_comes_after_what_has_arrived_and_is_then_forgotten(pair):
    ours, theirs = pair
    wakeup = Wakeup()
    wakeup.set()
    channel = Channel(ours, Association(Role.ACCEPTOR, Limits(close=0.05)), "peer", wakeup=wakeup)
    theirs.sendall(offer().encode())
    (event,) = channel.receive()
    assert isinstance(event, Requested)
    channel.association.reject(1, 1, 1)
    assert list(channel.receive()) == []
    with pytest.raises(PeerTimeout, match="the close"):
        list(channel.receive())
    theirs.close()
    channel.close()


def test_connect_tries_every_address_of_a_name():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        good = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
        bad = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
        # a family this system does not have, as IPv6 often is
        foreign = (4711, socket.SOCK_STREAM, 0, "", ("::1", port))
        with connect(Target("x", "localhost", port), [foreign, bad, good]) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)


def test_connect_gives_up_when_its_time_is_over():
    times = iter([0.0, 11.0])
    target = Target("x", "10.255.255.1", 104, timeouts=Timeouts(connect=10))
    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.255.255.1", 104))
    with pytest.raises(ConnectError, match="no answer within 10 s"):
        connect(target, [address], lambda: next(times))


def test_connect_tells_that_a_family_is_not_supported():
    address = (4711, socket.SOCK_STREAM, 0, "", ("::1", 104))
    with pytest.raises(ConnectError, match="not supported by protocol; check the address"):
        connect(Target("x", "::1", 104), [address])


@pytest.mark.parametrize("host", ["a..b", "a" * 64, "a\0b", "no.such.host.invalid"])
def test_resolve_names_what_it_cannot_find(host):
    with pytest.raises(ConnectError, match="check the host name"):
        resolve(Target("x", host, 104))


def test_ipv6_target_is_written_with_brackets():
    assert str(Target("x", "::1", 104, "SCP")) == "SCP ([::1]:104)"
