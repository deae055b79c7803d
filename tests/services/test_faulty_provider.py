"""A provider that does wrong on purpose, and admits whom it is told, as its peers see it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest

from pacs_cli.errors import AssociationAborted, AssociationRejected, PeerProtocolError, PeerTimeout
from pacs_cli.net.target import Timeouts
from pacs_cli.services.admission import parse_allow
from pacs_cli.services.faults import GARBAGE, parse_faults
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import AssociationEnded, AssociationRefused, InstanceReceived
from pacs_cli.wire.pdu import Abort
from tests.services.raw import (
    OFFER,
    associated,
    connected,
    data,
    echo,
    read_pdu,
    read_response,
    request,
    serving,
    store,
)
from tests.support import CT


def wrong(*specs: str):
    return serving(faults=parse_faults(specs), max_associations=4)


def send(sock, uid: str = "1.2.3", body: bytes = b"x" * 100) -> None:
    sock.sendall(data(3, 3, store(uid=uid)) + data(3, 2, body))


def test_refused_connection_is_closed_unread_and_told_of():
    with wrong("refuse,every=2") as running:
        with associated(running.target()):
            pass
        with connected(running.target()) as sock:
            assert sock.recv(1) == b""
        ended = running.wait_for(AssociationEnded, 2)
    assert ("fault", "--fault refuse,every=2") in [(each.how, each.error) for each in ended]


def test_request_is_rejected_as_asked_before_anything_else():
    with wrong("reject=2,3,1") as running:
        with pytest.raises(AssociationRejected) as caught, Session(running.target(), OFFER):
            pass
        assert (caught.value.result, caught.value.source, caught.value.reason) == (2, 3, 1)
        assert running.wait_for(AssociationRefused)[0].result == 2


def test_status_is_answered_for_each_nth_object_of_all_associations_and_nothing_kept():
    with wrong("status=A700,every=2") as running:
        statuses = []
        for uid in ("1.1", "1.2", "1.3", "1.4"):
            with Session(running.target(), OFFER) as session:
                statuses.append(session.store(3, CT, uid, [b"x" * 100]).status)
    assert statuses == [0, 0xA700, 0, 0xA700]
    kept = [request.affected_sop_instance_uid for request, _ in running.handler.stored]
    assert kept == ["1.1", "1.3"]


def test_warning_is_answered_and_the_object_kept():
    with wrong("warning=B006") as running:
        with Session(running.target(), OFFER) as session:
            assert session.store(3, CT, "1.2.3", [b"x"]).status == 0xB006
        assert running.wait_for(InstanceReceived)[0].outcome.status == 0xB006
    assert len(running.handler.stored) == 1


def test_no_answer_leaves_the_sender_waiting_and_the_rest_working():
    with wrong("no-answer,every=2") as running:
        with pytest.raises(PeerTimeout):
            with Session(running.target(timeouts=Timeouts(5, 5, 0.3)), OFFER) as session:
                assert session.store(3, CT, "1.2.3", [b"x"]).status == 0
                session.store(3, CT, "1.2.4", [b"x"])
        with Session(running.target(), OFFER) as session:
            assert session.echo(1).status == 0
    assert len(running.handler.stored) == 2


def test_garbage_is_what_comes_back():
    with wrong("garbage") as running, associated(running.target()) as sock:
        send(sock)
        with suppress(ConnectionError):
            assert sock.recv(len(GARBAGE)) == GARBAGE
    with wrong("garbage") as running:
        with pytest.raises(PeerProtocolError):
            with Session(running.target(), OFFER) as session:
                session.store(3, CT, "1.2.3", [b"x"])


def test_association_is_aborted_after_so_many_bytes():
    with wrong("abort-after=150") as running, associated(running.target()) as sock:
        send(sock)
        assert read_response(sock).status == 0
        sock.sendall(data(3, 3, store(uid="1.2.4")) + data(3, 0, b"x" * 50))
        assert read_pdu(sock) == Abort(0, 0).encode()
        ended = running.wait_for(AssociationEnded)[0]
    assert (ended.how, ended.error, ended.stored) == ("fault", "--fault abort-after=150", 1)
    assert (len(running.handler.stored), running.handler.discarded) == (1, 1)


def test_connection_is_gone_without_a_word_after_so_many_bytes():
    with wrong("close-after=10") as running:
        with associated(running.target()) as sock:
            send(sock)
            with suppress(ConnectionResetError):
                assert sock.recv(1) == b""
        assert running.wait_for(AssociationEnded)[0].how == "fault"
        with pytest.raises(AssociationAborted), Session(running.target(), OFFER) as session:
            session.store(3, CT, "1.2.3", [b"x" * 100])
    assert (running.handler.stored, running.handler.discarded) == ([], 2)


@pytest.mark.parametrize("spec", ["delay=0.3", "delay-accept=0.3"])
def test_delay_comes_before_the_answer(spec):
    with wrong(spec) as running:
        began = time.monotonic()
        with Session(running.target(), OFFER) as session:
            session.echo(1)
        assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("message", [request(), None], ids=["request", "object"])
def test_drain_ends_a_delay_at_once_and_what_is_in_flight_is_answered(message):
    # over a day, so that only the drain can end it
    spec = "delay-accept=100000" if message else "delay=100000"
    with wrong(spec) as running, connected(running.target()) as sock:
        sock.sendall(message or request())
        if not message:
            assert read_pdu(sock)[:1] == b"\x02"
            send(sock)
            # an echo behind it is not answered any more
            sock.sendall(data(1, 3, echo()))
        # before or in the delay: either way it does not last
        threading.Timer(0.2, running.provider.drain).start()
        answer = read_pdu(sock)
        assert answer[:1] == (b"\x03" if message else b"\x04")


def test_peer_that_no_rule_matches_is_rejected_for_good():
    with serving(allow=parse_allow(["CALLING@127.0.0.0/8"])) as running:
        with associated(running.target()):
            pass
    with serving(allow=parse_allow(["CALLING@10.0.0.0/8", "OTHER"])) as running:
        with pytest.raises(AssociationRejected) as caught, Session(running.target(), OFFER):
            pass
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 3)
