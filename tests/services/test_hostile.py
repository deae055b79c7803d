"""Provider against peers that break the rules, in bytes on a real socket (PS3.8 9.2 and 9.3)."""

from __future__ import annotations

import socket
import ssl

import pytest

from pacs_cli.services.admission import parse_allow
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import AssociationEnded, AssociationRefused
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.pdu import (
    RELEASE_RP,
    RELEASE_RQ,
    Abort,
    AssociateAccept,
    AssociateReject,
    ContextResult,
    ProposedContext,
    decode_associate_ac,
)
from tests.services import raw
from tests.services.raw import (
    MAXIMUM,
    associated,
    command,
    connected,
    data,
    echo,
    echo_works,
    pdu,
    pdv,
    read_pdu,
    read_response,
    request,
    serving,
    store,
)
from tests.support import CT, EXPLICIT, MR


def client_hello() -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="x")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


# -- before an association -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param(b"GET / ", 1, id="HTTP"),
        pytest.param(client_hello()[:6], 1, id="TLS"),
        pytest.param(b"\x00\0\0\0\0\x04", 1, id="type 00"),
        pytest.param(b"\x08\0\0\0\0\x04", 1, id="type 08"),
        pytest.param(b"\xff\0\xff\xff\xff\xff", 1, id="type FF"),
        pytest.param(b"\x01\0\0\x02\0\x01", 6, id="request over 128 KiB"),
        pytest.param(b"\x01\0\xff\xff\xff\xff", 6, id="request of 4 GiB"),
        pytest.param(b"\x04\0\xff\xff\xff\xff", 6, id="data of 4 GiB"),
        pytest.param(b"\x07\0\xff\xff\xff\xff", 6, id="abort of 4 GiB"),
    ],
)
def test_header_alone_is_enough_to_abort(header, reason):
    with serving() as running, connected(running.target()) as sock:
        sock.sendall(header)
        assert read_pdu(sock) == Abort(2, reason).encode()
        assert sock.recv(1) == b""
        assert running.wait_for(AssociationEnded)[0].how == "protocol error"
        assert echo_works(running)


def item(kind: int, body: bytes) -> bytes:
    return bytes((kind, 0)) + len(body).to_bytes(2, "big") + body


NAME = item(0x10, b"1.2.840.10008.3.1.1.1")
FIXED = request()[6:74]
CONTEXT = b"\1\0\0\0" + item(0x30, CT.encode()) + item(0x40, EXPLICIT.encode())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(FIXED[:67], id="short"),
        pytest.param(FIXED, id="no items"),
        pytest.param(FIXED + NAME, id="no contexts"),
        pytest.param(FIXED + item(0x20, CONTEXT), id="no application context"),
        pytest.param(FIXED + NAME + item(0x20, CONTEXT)[:-1], id="item overrun"),
        pytest.param(FIXED + NAME + item(0x20, CONTEXT) + b"\x50\0\0", id="item header cut"),
        pytest.param(FIXED + NAME + item(0x20, b"\1"), id="context cut"),
        pytest.param(FIXED + NAME + item(0x20, CONTEXT[:-5]), id="transfer syntax cut"),
        pytest.param(FIXED + NAME + item(0x20, b"\2" + CONTEXT[1:]), id="even id"),
        pytest.param(FIXED + NAME + item(0x20, b"\0" + CONTEXT[1:]), id="id 0"),
        pytest.param(FIXED + NAME + 2 * item(0x20, CONTEXT), id="repeated id"),
        pytest.param(FIXED + NAME + item(0x20, b"\1\0\0\0" + item(0x30, b"1.2")), id="no syntax"),
    ],
)
def test_malformed_request_is_aborted(body):
    with serving() as running, connected(running.target()) as sock:
        sock.sendall(pdu(1, body))
        assert read_pdu(sock) == Abort(2, 6).encode()
        assert sock.recv(1) == b""
        assert echo_works(running)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"protocol_version": 0}, (1, 2, 2)),
        ({"protocol_version": 0xFFFE}, (1, 2, 2)),
        ({"application_context_name": "1.2.840.10008.3.1.1.2"}, (1, 1, 2)),
    ],
)
def test_request_of_another_kind_is_rejected(changes, expected):
    with serving() as running, connected(running.target()) as sock:
        sock.sendall(request(**changes))
        assert read_pdu(sock) == AssociateReject(*expected).encode()
        assert sock.recv(1) == b""
        told = running.wait_for(AssociationRefused)[0]
        assert (told.result, told.source, told.reason) == expected
        assert told.association.calling_ae_title == "CALLING"
        assert echo_works(running)


def test_request_of_a_later_version_that_knows_ours_is_accepted():
    with serving() as running, connected(running.target()) as sock:
        sock.sendall(request(protocol_version=0x8003))
        answer = decode_associate_ac(memoryview(read_pdu(sock))[6:])
        assert [result.result for result in answer.contexts] == [0, 0, 0, 3]
        assert answer.protocol_version == 1


def test_calling_title_that_is_not_allowed_is_rejected():
    with serving(allow=parse_allow(["FRIEND"])) as running:
        with connected(running.target()) as sock:
            sock.sendall(request())
            assert read_pdu(sock) == AssociateReject(1, 1, 3).encode()
        with Session(running.target(calling_ae_title="FRIEND"), raw.OFFER) as session:
            assert session.echo(1).status == 0


@pytest.mark.parametrize("kind", [2, 3, 4, 5, 6])
def test_other_pdu_before_a_request_is_aborted(kind):
    body = {2: request()[6:], 4: data(1, 3, echo())[6:]}.get(kind, b"\0\1\1\1")
    with serving() as running, connected(running.target()) as sock:
        sock.sendall(pdu(kind, body))
        assert read_pdu(sock)[:1] == b"\x07"
        assert sock.recv(1) == b""
        assert echo_works(running)


def test_abort_before_a_request_ends_the_connection_without_a_word():
    with serving() as running, connected(running.target()) as sock:
        sock.sendall(Abort(0, 0).encode())
        assert sock.recv(1) == b""


@pytest.mark.parametrize("sent", [b"", b"\x01", request()[:-1], Abort(0, 0).encode()])
@pytest.mark.parametrize("end", [raw.reset, socket.socket.close])
def test_connection_that_ends_before_a_request_leaves_nothing_running(sent, end):
    with serving() as running:
        with connected(running.target()) as sock:
            sock.sendall(sent)
            end(sock)
        # whoever came later ends later
        assert echo_works(running)
        assert running.listener.join(10)
        assert [event.how for event in running.wait_for(AssociationEnded)] == ["released"]


def test_128_contexts_of_every_syntax_are_answered():
    contexts = [
        ProposedContext(number, CT, tuple(f"1.2.3.{number}.{syntax}" for syntax in range(40)))
        for number in range(1, 256, 2)
    ]
    with serving() as running, connected(running.target()) as sock:
        sock.sendall(request(contexts=contexts))
        answer = decode_associate_ac(memoryview(read_pdu(sock))[6:])
        assert [result.result for result in answer.contexts] == [4] * 128


# -- inside an association -----------------------------------------------------------------------

ANSWER = AssociateAccept("A", "B", (ContextResult(1, 3),)).encode()
OPEN = data(3, 3, store()) + data(3, 0, b"part")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(pdu(4, b""), 6, id="no value"),
        pytest.param(pdu(4, b"\0\0\0"), 6, id="value header cut"),
        pytest.param(pdu(4, b"\0\0\0\0\1\3"), 6, id="length 0"),
        pytest.param(pdu(4, b"\0\0\0\1\1\3"), 6, id="length 1"),
        pytest.param(pdu(4, b"\0\0\0\3\1\3"), 6, id="past the end"),
        pytest.param(pdu(4, b"\xff\xff\xff\xff\1\3"), 6, id="4 GiB"),
        pytest.param(pdu(4, pdv(1, 3, echo()) + b"\0"), 6, id="second value cut"),
        pytest.param(pdu(4, bytes(MAXIMUM + 1))[:6], 6, id="over the maximum"),
        pytest.param(data(9, 3, echo()), 6, id="context not proposed"),
        pytest.param(data(7, 3, store(sop="1.2.3.4")), 6, id="context refused"),
        pytest.param(data(2, 3, echo()), 6, id="even context"),
        pytest.param(data(3, 2, b"data"), 6, id="data before a command"),
        pytest.param(data(1, 3, echo()) + data(1, 2, b"data"), 6, id="data for none"),
        pytest.param(OPEN + data(3, 3, store(2)), 6, id="command in a data set"),
        pytest.param(OPEN + data(1, 3, echo(2)), 6, id="command elsewhere in a data set"),
        pytest.param(OPEN + data(5, 2, b"rest"), 6, id="data on another context"),
        pytest.param(
            data(1, 1, echo()[:20]) + data(3, 3, echo()[20:]), 6, id="command on two contexts"
        ),
        pytest.param(data(1, 1, echo()[:20]) + data(1, 2, b"data"), 6, id="data in a command"),
        pytest.param(data(1, 3, b"\xff" * 100), 6, id="garbage command"),
        pytest.param(data(1, 3), 6, id="empty command"),
        pytest.param(data(1, 3, echo()[:-1]), 6, id="command cut"),
        pytest.param(data(1, 1, bytes(16000)) + data(1, 1, bytes(385)), 6, id="command of 16 KiB"),
        pytest.param(data(3, 3, raw.stored()), 6, id="response"),
        pytest.param(data(1, 3, command(0x8002, Status=0, MessageIDBeingRespondedTo=1)), 6),
        pytest.param(request(), 2, id="second request"),
        pytest.param(
            AssociateAccept("A", "B", (ContextResult(1, 3),)).encode(), 2, id="acceptance"
        ),
        pytest.param(pdu(3, b"\0\1\1\1"), 2, id="rejection"),
        pytest.param(RELEASE_RP, 2, id="release response"),
        pytest.param(b"GET / HTTP/1.1\r\n", 1, id="HTTP"),
    ],
)
def test_broken_rule_is_aborted_and_frees_the_place_at_once(sent, reason):
    """The place is free although the one who broke the rule keeps the connection open."""
    with serving() as running, associated(running.target()) as sock:
        sock.sendall(sent)
        answers = []
        while answer := read_pdu(sock):
            answers.append(answer)
        assert answers[-1] == Abort(2, reason).encode()
        ended = running.wait_for(AssociationEnded)[0]
        assert (ended.how, ended.stored) == ("protocol error", 0)
        assert "\n" not in ended.error
        assert running.handler.stored == []
        assert echo_works(running)


REST = data(3, 2, b"rest")
N_SET = command(
    CommandField.N_SET_RQ,
    True,
    MessageID=5,
    RequestedSOPClassUID=CT,
    RequestedSOPInstanceUID="1.2",
)


@pytest.mark.parametrize(
    ("sent", "field", "status"),
    [
        (data(1, 3, command(0x0002, MessageID=5)), 0x8002, 0x0211),
        (data(1, 3, command(0x7FFE, MessageID=5, AffectedSOPClassUID=CT)), 0xFFFE, 0x0211),
        (data(3, 3, command(0x0666, True, MessageID=5)) + REST, 0x8666, 0x0211),
        (data(3, 3, N_SET) + REST, CommandField.N_SET_RSP, 0x0211),
        (data(3, 3, store(5, sop=MR)) + REST, CommandField.C_STORE_RSP, 0x0122),
        (data(3, 3, store(5, sop="")) + REST, CommandField.C_STORE_RSP, 0x0122),
        (data(3, 3, store(5, has_data_set=False)), CommandField.C_STORE_RSP, 0xC000),
        (data(3, 3, echo(5)), CommandField.C_ECHO_RSP, 0x0122),
        (data(1, 3, echo(5, sop_class=CT)), CommandField.C_ECHO_RSP, 0x0122),
        (data(1, 3, echo(5, True)) + data(1, 2, b"x"), CommandField.C_ECHO_RSP, 0xC000),
    ],
)
def test_request_that_is_not_served_is_answered_and_the_association_stands(sent, field, status):
    with serving() as running, associated(running.target()) as sock:
        sock.sendall(sent)
        answer = read_response(sock)
        assert (answer.field, answer.status, answer.message_id) == (field, status, 5)
        sock.sendall(data(1, 3, echo(6)) + RELEASE_RQ)
        assert read_response(sock).message_id == 6
        assert read_pdu(sock) == RELEASE_RP
        ended = running.wait_for(AssociationEnded)[0]
        assert ended.failed == (field == CommandField.C_STORE_RSP)
    assert running.handler.stored == []


@pytest.mark.parametrize("has_data_set", [False, True])
def test_cancel_of_nothing_is_ignored(has_data_set):
    cancel = command(CommandField.C_CANCEL_RQ, has_data_set, MessageIDBeingRespondedTo=1)
    body = data(1, 0, b"no cancel") + data(1, 2, b"has one") if has_data_set else b""
    with serving() as running, associated(running.target()) as sock:
        sock.sendall(data(1, 3, cancel) + body + data(1, 3, echo(6)))
        assert read_response(sock).message_id == 6


OBJECT = bytes(range(251)) * 3


def cut(control: int, payload: bytes, size: int) -> list[bytes]:
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    flags = [control] * (len(pieces) - 1) + [control | 2]
    return [pdv(3, flag, piece) for flag, piece in zip(flags, pieces, strict=True)]


@pytest.mark.parametrize("values_per_pdu", [1, 7, 10_000])
@pytest.mark.parametrize("size", [1, 2, 3, 100, 5000])
def test_fragments_of_any_size_and_number_are_understood(size, values_per_pdu):
    values = [pdv(3, 1), *cut(1, store(), size), pdv(3, 0), *cut(0, OBJECT, size)]
    # empty first ones, and an empty last one
    values[-1:] = [pdv(3, 0, values[-1][6:]), pdv(3, 2)]
    groups = [values[at : at + values_per_pdu] for at in range(0, len(values), values_per_pdu)]
    with serving() as running, associated(running.target()) as sock:
        sock.sendall(b"".join(pdu(4, b"".join(group)) for group in groups))
        assert read_response(sock).status == 0
    assert [whole for _, whole in running.handler.stored] == [OBJECT]


def test_whole_dialogue_is_understood_one_byte_at_a_time():
    dialogue = request() + data(3, 3, store()) + data(3, 2, OBJECT) + RELEASE_RQ
    with serving() as running, connected(running.target()) as sock:
        for byte in dialogue:
            sock.sendall(bytes((byte,)))
        assert read_pdu(sock)[:1] == b"\x02"
        assert read_response(sock).status == 0
        assert read_pdu(sock) == RELEASE_RP
    assert [whole for _, whole in running.handler.stored] == [OBJECT]


def test_pipelined_requests_are_answered_in_their_order():
    """Two objects, an echo and the release, all written before the first answer is read."""
    with serving() as running, connected(running.target()) as sock:
        objects = [data(3, 3, store(n, f"1.2.{n}")) + data(3, 2, OBJECT * n) for n in (1, 2)]
        sock.sendall(b"".join((request(), *objects, data(1, 3, echo(3)), RELEASE_RQ)))
        assert read_pdu(sock)[:1] == b"\x02"
        answers = [read_response(sock) for _ in range(3)]
        assert [(answer.message_id, answer.status) for answer in answers] == [
            (1, 0),
            (2, 0),
            (3, 0),
        ]
        assert read_pdu(sock) == RELEASE_RP
    assert [whole for _, whole in running.handler.stored] == [OBJECT, OBJECT * 2]


def test_data_after_release_is_dropped():
    with serving() as running, associated(running.target()) as sock:
        sock.sendall(RELEASE_RQ + data(3, 3, store()) + data(3, 2, OBJECT))
        assert read_pdu(sock) == RELEASE_RP
        assert sock.recv(1) == b""
        assert running.wait_for(AssociationEnded)[0].how == "released"
    assert running.handler.stored == []


def test_blank_calling_title_is_told_of_like_any_other():
    with serving() as running:
        with connected(running.target()) as sock:
            blank = request()
            sock.sendall(blank[:26] + b" " * 16 + blank[42:] + RELEASE_RQ)
            assert read_pdu(sock)[:1] == b"\x02"
        assert running.wait_for(AssociationEnded)[0].how == "released"
