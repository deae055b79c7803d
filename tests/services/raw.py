"""An association in bytes: what a peer of the tests writes, well formed or not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from pacs_cli.net.target import Target
from pacs_cli.wire.association import Limits
from pacs_cli.wire.command import Command, CommandField, Value, decode_command, encode_command
from pacs_cli.wire.negotiation import Proposal, number_contexts
from pacs_cli.wire.pdu import RELEASE_RP, RELEASE_RQ, AssociateRequest, pdata_header
from pacs_cli.wire.userinfo import UserInformation
from tests.support import CT, EXPLICIT, IMPLICIT, MR, VERIFICATION, MemoryHandler, running_provider

#: Context 1 is for echoes, 3 and 5 are for objects, 7 is refused by `SERVED`.
OFFER = (
    Proposal(VERIFICATION, (IMPLICIT,)),
    Proposal(CT, (EXPLICIT,)),
    Proposal(MR, (EXPLICIT,)),
    Proposal("1.2.3.4", (EXPLICIT,)),
)
MAXIMUM = 16384
SERVED = frozenset((VERIFICATION, CT, MR))


def request(maximum_length: int = 16384, **changes: object) -> bytes:
    """An A-ASSOCIATE-RQ with `OFFER`."""
    contexts = number_contexts(OFFER)
    offer = {"contexts": contexts, "user_information": UserInformation(maximum_length), **changes}
    return AssociateRequest("CALLED", "CALLING", **offer).encode()


def pdu(kind: int, body: bytes = bytes(4)) -> bytes:
    """A PDU of any type with any body."""
    return bytes((kind, 0)) + len(body).to_bytes(4, "big") + body


def pdv(context: int, control: int, payload: bytes = b"") -> bytes:
    """One presentation data value; control 1 is a command, 2 the last fragment."""
    return (len(payload) + 2).to_bytes(4, "big") + bytes((context, control)) + payload


def data(context: int, control: int, payload: bytes = b"") -> bytes:
    """One P-DATA-TF with one presentation data value."""
    return pdata_header(context, control, len(payload)) + payload


def command(field: int, has_data_set: bool = False, **elements: Value) -> bytes:
    """An encoded command set."""
    return encode_command(Command(field, elements, has_data_set))


def echo(number: int = 1, has_data_set: bool = False, sop_class: str = VERIFICATION) -> bytes:
    elements = {"MessageID": number, "AffectedSOPClassUID": sop_class}
    return command(CommandField.C_ECHO_RQ, has_data_set, **elements)


def store(number: int = 1, uid: str = "1.2.3", has_data_set: bool = True, sop: str = CT) -> bytes:
    elements = {"AffectedSOPClassUID": sop, "AffectedSOPInstanceUID": uid, "Priority": 0}
    return command(CommandField.C_STORE_RQ, has_data_set, MessageID=number, **elements)


def stored(number: int = 1, status: int = 0, **more: Value) -> bytes:
    elements = {"MessageIDBeingRespondedTo": number, "Status": status, **more}
    return command(CommandField.C_STORE_RSP, **elements)


def read_pdu(sock: socket.socket) -> bytes:
    """Read one PDU; empty when the peer closed instead."""
    header = _read(sock, 6)
    return header + _read(sock, int.from_bytes(header[2:], "big"))


def _read(sock: socket.socket, size: int) -> bytes:
    whole = bytearray()
    while len(whole) < size and (piece := sock.recv(size - len(whole))):
        whole += piece
    return bytes(whole)


def read_response(sock: socket.socket) -> Command:
    """Read one message without a data set, sent in one fragment."""
    answer = read_pdu(sock)
    assert answer[:1] == b"\x04", answer
    return decode_command(answer[12:])


@contextmanager
def connected(target: Target) -> Iterator[socket.socket]:
    """A connection on which nothing was said."""
    with socket.create_connection((target.host, target.port), 10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


@contextmanager
def associated(target: Target, maximum_length: int = 16384) -> Iterator[socket.socket]:
    """A connection whose association was just accepted."""
    with connected(target) as sock:
        sock.sendall(request(maximum_length))
        assert read_pdu(sock)[:1] == b"\x02"
        yield sock


def reset(sock: socket.socket) -> None:
    """Close with a reset, as a process that was killed does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def serving(handler: MemoryHandler | None = None, **settings):
    """A provider with one place for associations, so that a place not given back is noticed."""
    # a peer that keeps the connection open is to keep nothing else
    limits = settings.pop("limits", Limits(max_pdu_length=MAXIMUM, close=20))
    settings.setdefault("max_associations", 1)
    return running_provider(handler, limits, abstract_syntaxes=SERVED, **settings)


def echo_works(running) -> bool:
    """Whether a peer that came after is served."""
    with associated(running.target()) as sock:
        sock.sendall(data(1, 3, echo(9)) + RELEASE_RQ)
        is_answered = read_response(sock).status == 0
        return is_answered and read_pdu(sock) == RELEASE_RP
