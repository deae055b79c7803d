"""Session and Provider against each other, over real sockets."""

from __future__ import annotations

import socket
import threading

import pytest

from pacs_cli.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectError,
    PeerProtocolError,
    PeerTimeout,
)
from pacs_cli.net.listener import Caps
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.results import (
    AssociationEnded,
    AssociationOpened,
    AssociationRefused,
    Echoed,
    InstanceReceived,
)
from pacs_cli.services.scu import Session
from pacs_cli.wire.association import Limits
from pacs_cli.wire.command import Command, CommandField, encode_command
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.pdu import Abort, AssociateAccept, AssociateReject, ContextResult, pdata_header
from tests.support import (
    CT,
    EXPLICIT,
    IMPLICIT,
    MR,
    VERIFICATION,
    MemoryHandler,
    misbehaving_peer,
    running_provider,
)

OFFER = (Proposal(VERIFICATION, (IMPLICIT,)), Proposal(CT, (EXPLICIT,)))


def test_echo_and_store_when_all_is_well():
    data = bytes(range(256)) * 4000
    with running_provider() as running:
        with Session(running.target(), OFFER) as session:
            assert session.echo(1).status == 0
            result = session.store(3, CT, "1.2.3", [data[:1000], data[1000:]])
        ended = running.wait_for(AssociationEnded)[0]
    request, stored = running.handler.stored[0]
    assert result.is_stored
    assert stored == data
    assert (request.affected_sop_instance_uid, request.transfer_syntax_uid) == ("1.2.3", EXPLICIT)
    assert [type(event) for event in running.events] == [
        AssociationOpened,
        Echoed,
        InstanceReceived,
        AssociationEnded,
    ]
    assert (ended.how, ended.stored, ended.size) == ("released", 1, len(data))
    assert session.phases.release > 0


@pytest.mark.parametrize("maximum", [128, 129, 4096, 16384, 0, 2**32 - 1])
def test_store_arrives_whole_whatever_the_maximum_length(maximum):
    data = bytes(range(251)) * 500
    limits = Limits(max_pdu_length=maximum)
    with running_provider(limits=limits) as running:
        with Session(running.target(max_pdu=maximum), OFFER) as session:
            session.store(3, CT, "1.2.3", [data])
    assert running.handler.stored[0][1] == data


@pytest.mark.parametrize("size", [0, 1, 2, 16378, 16379, 300_001])
def test_store_arrives_whole_whatever_its_size(size):
    data = b"x" * size
    with running_provider(limits=Limits(max_pdu_length=16384)) as running:
        with Session(running.target(), OFFER) as session:
            session.store(3, CT, "1.2.3", [data])
    assert running.handler.stored[0][1] == data


def test_failure_status_and_comment_reach_the_sender():
    with running_provider(MemoryHandler(0xA700, "disk full")) as running:
        with Session(running.target(), OFFER) as session:
            result = session.store(3, CT, "1.2.3", [b"data"])
    assert (result.status, result.comment, result.is_stored) == (0xA700, "disk full", False)


def test_warning_counts_as_stored():
    with running_provider(MemoryHandler(0xB000)) as running:
        with Session(running.target(), OFFER) as session:
            result = session.store(3, CT, "1.2.3", [b"data"])
    assert result.is_stored
    assert result.is_warning


def test_sop_class_that_is_not_the_contexts_is_answered_0122():
    with running_provider() as running:
        with Session(running.target(), OFFER) as session:
            assert session.store(3, MR, "1.2.3", [b"data"]).status == 0x0122
            assert session.store(3, CT, "1.2.3", [b"data"]).status == 0
    assert len(running.handler.stored) == 1


def test_unserved_contexts_are_refused_and_the_rest_stands():
    with running_provider(abstract_syntaxes=frozenset([VERIFICATION])) as running:
        with Session(running.target(), OFFER) as session:
            assert session.context_for(VERIFICATION) is not None
            assert session.context_for(CT) is None
            assert session.contexts[3].result == 3


def test_wrong_called_title_is_rejected():
    with running_provider(called_ae_titles=frozenset(["RIGHT"])) as running:
        with pytest.raises(AssociationRejected, match="called AE title") as caught:
            Session(running.target(called_ae_title="WRONG"), OFFER)
        running.wait_for(AssociationRefused)
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 7)
    assert not caught.value.is_transient


def test_association_over_the_limit_is_rejected_for_now_and_frees_its_place():
    with running_provider(max_associations=1) as running:
        with Session(running.target(), OFFER):
            with pytest.raises(AssociationRejected, match="local limit") as caught:
                Session(running.target(), OFFER)
            assert caught.value.is_transient
        running.wait_for(AssociationEnded)
        with Session(running.target(), OFFER) as session:
            assert session.echo(1).status == 0


def test_connection_over_the_cap_is_closed():
    with running_provider(caps=Caps(connections=1)) as running:
        with Session(running.target(), OFFER):
            with pytest.raises(AssociationAborted):
                Session(running.target(), OFFER)


def test_unknown_operation_is_answered_0211():
    with running_provider() as running:
        with Session(running.target(), OFFER) as session:
            command = Command(
                CommandField.C_FIND_RQ,
                {"AffectedSOPClassUID": CT, "Priority": 0},
                has_data_set=True,
            )
            session._begin(3, command, [b"identifier"])
            response, _ = session._finish()
            assert response.status == 0x0211
            assert session.echo(1).status == 0


def test_object_cut_off_by_the_sender_is_discarded():
    with running_provider() as running:
        session = Session(running.target(), OFFER)
        session._association.send(
            3,
            encode_command(
                Command(
                    CommandField.C_STORE_RQ,
                    {
                        "MessageID": 1,
                        "Priority": 0,
                        "AffectedSOPClassUID": CT,
                        "AffectedSOPInstanceUID": "1.2",
                    },
                    has_data_set=True,
                )
            ),
        )
        session._channel.flush()
        session._channel._sock.sendall(pdata_header(3, 0, 4) + b"part")
        session.abort()
        ended = running.wait_for(AssociationEnded)[0]
    assert ended.how == "aborted"
    assert running.handler.stored == []
    assert running.handler.discarded == 1


def test_http_greeting_is_aborted_at_once():
    with running_provider() as running:
        with socket.create_connection(("127.0.0.1", running.listener.port), 5) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert sock.recv(100) == Abort(2, 1).encode()
            assert sock.recv(100) == b""
        ended = running.wait_for(AssociationEnded)[0]
    assert ended.how == "protocol error"


def test_request_that_never_comes_ends_at_its_deadline():
    with running_provider(limits=Limits(request=0.1)) as running:
        with socket.create_connection(("127.0.0.1", running.listener.port), 5) as sock:
            assert sock.recv(100) == b""


def test_idle_association_is_aborted_at_its_deadline():
    with running_provider(limits=Limits(idle=0.1)) as running:
        session = Session(running.target(), OFFER)
        ended = running.wait_for(AssociationEnded)[0]
        with pytest.raises(AssociationAborted):
            session.echo(1)
        session.abort()
    assert ended.how == "timeout"


def test_drain_ends_idle_associations():
    with running_provider() as running:
        session = Session(running.target(), OFFER)
        running.provider.drain()
        ended = running.wait_for(AssociationEnded)[0]
        session.abort()
    assert ended.how == "shut down"


def test_drain_lets_the_object_in_flight_finish():
    began, may_finish = threading.Event(), threading.Event()

    class Slow(MemoryHandler):
        def open_store(self, request):
            sink = super().open_store(request)
            finish = sink.finish

            def finish_when_told():
                began.set()
                assert may_finish.wait(10)
                return finish()

            sink.finish = finish_when_told
            return sink

    with running_provider(Slow()) as running:
        session = Session(running.target(), OFFER)
        session.begin_store(3, CT, "1.2.3", [b"data"])
        assert began.wait(10)
        running.provider.drain()
        may_finish.set()
        assert session.finish_store().status == 0
        ended = running.wait_for(AssociationEnded)[0]
        session.abort()
    assert (ended.how, ended.stored) == ("shut down", 1)


# -- peers that misbehave ------------------------------------------------------------------------


def _request_read(sock: socket.socket) -> None:
    header = sock.recv(6, socket.MSG_WAITALL)
    sock.recv(int.from_bytes(header[2:], "big"), socket.MSG_WAITALL)


def _accept(sock: socket.socket) -> None:
    _request_read(sock)
    answer = AssociateAccept(
        "A", "B", (ContextResult(1, 0, IMPLICIT), ContextResult(3, 0, EXPLICIT))
    )
    sock.sendall(answer.encode())


def _echo_answered_with(**changes: int):
    def act(sock: socket.socket) -> None:
        _accept(sock)
        sock.recv(4096)
        elements = {"MessageIDBeingRespondedTo": 1, "Status": 0}
        context = changes.pop("context", 1)
        field = changes.pop("field", CommandField.C_ECHO_RSP)
        command = encode_command(Command(field, {**elements, **changes}))
        sock.sendall(pdata_header(context, 3, len(command)) + command)
        sock.recv(100)

    return act


def test_peer_that_never_answers_costs_the_timeout():
    with misbehaving_peer(lambda sock: sock.recv(1) and sock.recv(100_000)) as target:
        late = Target(target.name, target.host, target.port, timeouts=Timeouts(1, 0.1, 0.1))
        with pytest.raises((PeerTimeout, AssociationAborted)):
            Session(late, OFFER)


def test_peer_that_dribbles_costs_one_total_timeout():
    stop = threading.Event()

    def dribble(sock: socket.socket) -> None:
        for byte in AssociateReject(1, 1, 1).encode() * 100:
            sock.sendall(bytes([byte]))
            if stop.wait(0.06):
                return

    with misbehaving_peer(dribble) as target, pytest.raises((PeerTimeout, AssociationRejected)):
        try:
            Session(target, OFFER)
        finally:
            stop.set()


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda sock: None, AssociationAborted, "closed the connection"),
        (lambda sock: sock.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"), PeerProtocolError, "DICOM port"),
        (lambda sock: sock.sendall(b"\x02\0\xff\xff\xff\xff"), PeerProtocolError, "limit"),
        (lambda sock: sock.sendall(Abort(2, 1).encode()), AssociationAborted, "recognise"),
        (
            lambda sock: sock.sendall(AssociateReject(2, 3, 1).encode()),
            AssociationRejected,
            "congestion",
        ),
        (lambda sock: sock.sendall(AssociateReject(9, 9, 9).encode()), AssociationRejected, "9"),
        (lambda sock: sock.sendall(b"\x06\0\0\0\0\x04\0\0\0\0"), PeerProtocolError, "unexpected"),
    ],
)
def test_peer_that_answers_the_request_badly(act, error, words):
    def serve(sock: socket.socket) -> None:
        _request_read(sock)
        act(sock)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(100)

    with misbehaving_peer(serve) as target, pytest.raises(error, match=words):
        Session(target, OFFER)


@pytest.mark.parametrize(
    "changes",
    [
        {"MessageIDBeingRespondedTo": 7},
        {"context": 3},
        {"field": CommandField.C_FIND_RSP},
    ],
)
def test_answer_that_is_not_ours_is_aborted(changes):
    with misbehaving_peer(_echo_answered_with(**changes)) as target:
        with pytest.raises(PeerProtocolError, match="answered C-ECHO-RQ number 1"):
            with Session(target, OFFER) as session:
                session.echo(1)


def test_failure_answered_to_an_echo_is_a_result():
    with misbehaving_peer(_echo_answered_with(Status=0x0122)) as target:
        session = Session(target, OFFER)
        assert session.echo(1).status == 0x0122
        session.abort()


def test_abort_while_sending_is_told_with_its_reason():
    def act(sock: socket.socket) -> None:
        _accept(sock)
        sock.recv(100)
        sock.sendall(Abort(2, 6).encode())
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1 << 16):
            pass

    with misbehaving_peer(act) as target:
        session = Session(target, OFFER)
        with pytest.raises(AssociationAborted, match="invalid PDU parameter"):
            session.store(3, CT, "1.2.3", [bytes(1_000_000)])
        session.abort()


def test_release_instead_of_an_answer_is_told():
    def act(sock: socket.socket) -> None:
        _accept(sock)
        sock.recv(4096)
        sock.sendall(b"\x05\0\0\0\0\x04\0\0\0\0")
        assert sock.recv(10)[0] == 6

    with misbehaving_peer(act) as target:
        with pytest.raises(AssociationAborted, match="released"):
            with Session(target, OFFER) as session:
                session.echo(1)


def test_closed_port_is_refused_in_plain_words():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectError, match="connection refused"):
        Session(Target("x", "127.0.0.1", port), OFFER)


def test_unknown_host_is_told_in_plain_words():
    with pytest.raises(ConnectError, match=r"cannot find no\.such\.host\.invalid"):
        Session(Target("x", "no.such.host.invalid", 104), OFFER)
