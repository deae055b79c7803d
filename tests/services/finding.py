"""The other end of a C-FIND: what a provider writes, and one that answers from a function."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pacs_cli.net.target import Target
from pacs_cli.wire.command import Command, CommandField, Value, decode_command
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.pdu import (
    RELEASE_RP,
    RELEASE_RQ,
    AssociateAccept,
    AssociateRequest,
    ContextResult,
    decode_associate_rq,
)
from pacs_cli.wire.userinfo import ExtendedNegotiation, UserInformation
from tests.services.misbehaviour import patient, read_message
from tests.services.raw import command, data, read_pdu
from tests.support import EXPLICIT, IMPLICIT, misbehaving_peer

STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
OFFER = (Proposal(STUDY_ROOT, (EXPLICIT, IMPLICIT)),)

PENDING, PENDING_WARNING, CANCELLED = 0xFF00, 0xFF01, 0xFE00

#: One answer: a status with the bytes of an identifier, or with elements of the command.
Answer = tuple[int, "bytes | dict[str, Value] | None"]


def response(status: int, number: int = 1, has_data_set: bool = False, **elements: Value) -> bytes:
    """One C-FIND-RSP, without its data set."""
    elements = {"MessageIDBeingRespondedTo": number, "Status": status, **elements}
    return data(1, 3, command(CommandField.C_FIND_RSP, has_data_set, **elements))


def match(identifier: bytes, number: int = 1, status: int = PENDING) -> bytes:
    """One match, each part in a PDU of its own."""
    return response(status, number, has_data_set=True) + data(1, 2, identifier)


def accept(
    sock: socket.socket, syntax: str = EXPLICIT, extended: bytes | None = None
) -> AssociateRequest:
    """Accept the first context, and answer in extended negotiation if that is given."""
    request = decode_associate_rq(memoryview(read_pdu(sock))[6:])
    first = request.contexts[0]
    items = () if extended is None else (ExtendedNegotiation(first.abstract_syntax, extended),)
    answer = AssociateAccept(
        "A",
        "B",
        contexts=(ContextResult(first.id, 0, syntax),),
        user_information=UserInformation(16384, extended_negotiations=items),
    )
    sock.sendall(answer.encode())
    return request


def read_command(sock: socket.socket) -> Command | None:
    """Read one command set in one fragment; None when it is the request for the release.

    raises  ConnectionError when the other side has aborted or closed
    """
    first = read_pdu(sock)
    if first[:1] in (b"", b"\7"):
        raise ConnectionError("the other side has ended it")
    return None if first == RELEASE_RQ else decode_command(first[12:])


def read_query(sock: socket.socket) -> bytes:
    """Read a C-FIND-RQ and return its identifier."""
    asked = read_command(sock)
    assert asked is not None
    assert asked.field == CommandField.C_FIND_RQ
    return b"".join(pdu[12:] for pdu in read_message(sock))


def release(sock: socket.socket) -> None:
    assert read_pdu(sock) == RELEASE_RQ
    sock.sendall(RELEASE_RP)


@contextmanager
def acting(act: Callable[[socket.socket, threading.Event], object]) -> Iterator[Target]:
    """A peer that does this until the block is left, with timeouts that a busy machine keeps."""
    over = threading.Event()
    with misbehaving_peer(lambda sock: act(sock, over)) as target:
        try:
            yield patient(target)
        finally:
            over.set()


@dataclass
class Finder:
    """Answers every C-FIND of one association with what `answer` makes of its identifier.

    syntax    the transfer syntax it accepts
    extended  its answer in extended negotiation, None for none
    queries, cancels, request  what came
    """

    answer: Callable[[bytes], Iterable[Answer]]
    syntax: str = EXPLICIT
    extended: bytes | None = None
    queries: list[bytes] = field(default_factory=list)
    cancels: list[int] = field(default_factory=list)
    request: AssociateRequest | None = None

    @contextmanager
    def serving(self) -> Iterator[Target]:
        """Serve one association."""
        with acting(self._serve) as target:
            yield target

    def _serve(self, sock: socket.socket, over: threading.Event) -> None:
        self.request = accept(sock, self.syntax, self.extended)
        while (asked := read_command(sock)) is not None:
            if asked.field == CommandField.C_CANCEL_RQ:
                self.cancels.append(asked.message_id)
                continue
            identifier = b"".join(pdu[12:] for pdu in read_message(sock))
            self.queries.append(identifier)
            for status, content in self.answer(identifier):
                if isinstance(content, bytes):
                    sock.sendall(match(content, asked.message_id, status))
                else:
                    sock.sendall(response(status, asked.message_id, **(content or {})))
        sock.sendall(RELEASE_RP)
