"""What a peer can do to a sender: each act is given its end of the connection.

`over` is set once the sender has given up; an act that never ends by itself waits for it.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from pacs_cli.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectError,
    PacsError,
    PeerProtocolError,
    PeerTimeout,
)
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.pdu import RELEASE_RQ, Abort, AssociateAccept, AssociateReject, ContextResult
from pacs_cli.wire.userinfo import UserInformation
from tests.services import raw
from tests.services.raw import command, data, pdu, read_pdu, stored
from tests.support import CT, EXPLICIT, MR

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

#: What the acts are for: the object goes over context 1, and 5 is refused.
OFFER = tuple(Proposal(sop_class, (EXPLICIT,)) for sop_class in (CT, MR, SECONDARY_CAPTURE))

Act = Callable[[socket.socket, threading.Event], None]


def patient(target: Target, **timeouts: float) -> Target:
    """The same peer with timeouts that a busy machine keeps, and these."""
    return replace(target, timeouts=replace(Timeouts(10, 10, 10, 10), **timeouts))


def acceptance(maximum_length: int = 16384, **changes: object) -> bytes:
    """An A-ASSOCIATE-AC of `OFFER`."""
    results = (ContextResult(1, 0, EXPLICIT), ContextResult(3, 0, EXPLICIT), ContextResult(5, 3))
    answer = {"contexts": results, "user_information": UserInformation(maximum_length), **changes}
    return AssociateAccept("A", "B", **answer).encode()


def read_message(sock: socket.socket) -> list[bytes]:
    """Read one message and its data set; return its PDUs."""
    pdus = [read_pdu(sock)]
    while pdus[-1] and pdus[-1][11] != 2:
        pdus.append(read_pdu(sock))
    return pdus


def read_all(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        pass


def answers(*whole: bytes, before: Callable[[socket.socket], object] = read_pdu) -> Act:
    """Read, say this, and read on until the sender closes."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        before(sock)
        sock.sendall(b"".join(whole))
        read_all(sock)

    return act


def answers_store(*whole: bytes) -> Act:
    """Accept, read an object, say this."""
    return answers(*whole, before=accept_and_read)


def accept(sock: socket.socket) -> None:
    read_pdu(sock)
    sock.sendall(acceptance())


def accept_and_read(sock: socket.socket) -> None:
    accept(sock)
    read_message(sock)


def dribbles(
    pieces: Iterable[bytes], before: Callable[[socket.socket], object], pause: float
) -> Act:
    """Say the pieces with a pause after each, until the sender says something."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        before(sock)
        for piece in pieces:
            sock.sendall(piece)
            if select.select([sock], [], [], pause)[0]:
                return

    return act


def stops_reading(sock: socket.socket, over: threading.Event) -> None:
    accept(sock)
    over.wait(10)


def closes_midway(sock: socket.socket, over: threading.Event) -> None:
    accept(sock)
    sock.recv(1000)


def resets_midway(sock: socket.socket, over: threading.Event) -> None:
    accept(sock)
    sock.recv(1000)
    raw.reset(sock)


def aborts_midway(sock: socket.socket, over: threading.Event) -> None:
    accept(sock)
    sock.recv(1000)
    sock.sendall(Abort(2, 6).encode())
    sock.shutdown(socket.SHUT_WR)
    read_all(sock)


def with_uid(uid: bytes) -> bytes:
    """An acceptance with these bytes for a UID in place of one of the same length."""
    return acceptance().replace(EXPLICIT.encode(), uid.ljust(len(EXPLICIT), b"\0"))


def one_by_one(whole: bytes) -> list[bytes]:
    return [whole[at : at + 1] for at in range(len(whole))]


def accepts(*results: ContextResult) -> Act:
    return answers(acceptance(contexts=results))


def dribbles_answer(pieces: Iterable[bytes], pause: float = 0.02) -> Act:
    return dribbles(pieces, accept_and_read, pause)


def resets(sock: socket.socket, over: threading.Event) -> None:
    read_pdu(sock)
    raw.reset(sock)


EMPTY = data(1, 1)
IN_FRAGMENTS = [data(1, 1, byte) for byte in one_by_one(stored() + bytes(200))]
HAS_DATA_SET = command(CommandField.C_STORE_RSP, True, MessageIDBeingRespondedTo=1, Status=0)
ECHO_RESPONSE = command(CommandField.C_ECHO_RSP, MessageIDBeingRespondedTo=1, Status=0)
OURS = ContextResult(1, 0, EXPLICIT)
JPEG = ContextResult(1, 0, "1.2.840.10008.1.2.4.50")
ABORTS, HTTP = Abort(0, 0).encode(), b"HTTP/1.1 400 Bad\r\n"
LATE, GONE, BROKEN = PeerTimeout, AssociationAborted, PeerProtocolError
REFUSED = AssociationRejected


@dataclass(frozen=True)
class Misbehaviour:
    """What it does, the act, the exception it ends in, and words in its message."""

    name: str
    act: Act
    error: type[PacsError]
    words: str
    timeout: str
    size: int

    def target(self, peer: Target) -> Target:
        """The peer with a short timeout, if that is what is waited out, and for that alone."""
        return patient(peer, **{self.timeout: 0.15} if self.error is PeerTimeout else {})


#: More than the buffers between two sockets hold.
LARGE = 30_000_000

Rows = list[tuple[str, Act, type[PacsError], str]]

_BEFORE_THE_ASSOCIATION: Rows = [
    ("says nothing", answers(), LATE, "an answer within 0.15 s"),
    ("dribbles", dribbles(one_by_one(acceptance()), read_pdu, 0.02), LATE, "an answer"),
    ("closes", lambda sock, over: read_pdu(sock) and None, GONE, "without a word"),
    ("resets", resets, GONE, "without a word"),
    ("speaks HTTP", answers(HTTP), BROKEN, "type 48H"),
    ("speaks TLS", answers(b"\x15\3\3\0\2\2\x46"), ConnectError, "speaks TLS there; add --tls"),
    ("declares 4 GiB", answers(b"\2\0\xff\xff\xff\xff"), BROKEN, "the limit is"),
    ("aborts", answers(ABORTS), GONE, "application ended it"),
    ("rejects", answers(AssociateReject(1, 1, 3).encode()), REFUSED, "calling AE"),
    ("rejects oddly", answers(AssociateReject(9, 8, 7).encode()), REFUSED, "reason 7"),
    ("requests back", answers(raw.request()), BROKEN, "unexpected A_ASSOCIATE_RQ"),
    ("sends data", answers(data(1, 3, stored())), BROKEN, "unexpected P_DATA_TF"),
    ("releases", answers(RELEASE_RQ), BROKEN, "unexpected A_RELEASE_RQ"),
    ("cuts it", answers(pdu(2, acceptance()[6:60])), BROKEN, "fixed part"),
    ("accepts more", accepts(ContextResult(9, 0, EXPLICIT)), BROKEN, "never proposed"),
    ("accepts another syntax", accepts(JPEG), BROKEN, "syntax not offered"),
    ("accepts an even id", accepts(ContextResult(2, 0, EXPLICIT)), BROKEN, "even id"),
    ("accepts nothing", accepts(), BROKEN, "no presentation context"),
    ("accepts twice", accepts(OURS, OURS), BROKEN, "used twice"),
    ("accepts in Latin", answers(with_uid(b"\xe9")), BROKEN, "not ASCII"),
    ("has no room", answers(acceptance(7)), BROKEN, "no room for data"),
]
_INSTEAD_OF_THE_ANSWER: Rows = [
    ("never answers", answers_store(), LATE, "an answer to C-STORE-RQ within 0.15 s"),
    ("dribbles later", dribbles_answer(one_by_one(data(1, 3, stored()))), LATE, "an answer to"),
    ("answers in fragments", dribbles_answer(IN_FRAGMENTS), LATE, "an answer to"),
    ("sends empty values", dribbles_answer(500 * [EMPTY]), LATE, "an answer to"),
    ("floods", dribbles_answer(100_000 * [EMPTY * 50], pause=0), LATE, "an answer to"),
    ("aborts later", answers_store(ABORTS), GONE, "application ended it"),
    ("releases later", answers_store(RELEASE_RQ), GONE, "released the association instead"),
    ("speaks HTTP later", answers_store(HTTP), BROKEN, "type 48H"),
    ("accepts again", answers_store(acceptance()), BROKEN, "unexpected A_ASSOCIATE_AC"),
    ("answers another id", answers_store(data(1, 3, stored(7))), BROKEN, "number 7"),
    ("answers elsewhere", answers_store(data(3, 3, stored())), BROKEN, "number 1 on 3"),
    ("answers where refused", answers_store(data(5, 3, stored())), BROKEN, "not accepted"),
    ("answers an echo", answers_store(data(1, 3, ECHO_RESPONSE)), BROKEN, "with C-ECHO-RSP"),
    ("asks back", answers_store(data(1, 3, raw.store())), BROKEN, "with C-STORE-RQ"),
    ("adds a data set", answers_store(data(1, 3, HAS_DATA_SET)), BROKEN, "a data set"),
    ("answers garbage", answers_store(data(1, 3, b"\xff" * 20)), BROKEN, "broke the protocol"),
    ("answers nothing", answers_store(data(1, 3)), BROKEN, "broke the protocol"),
    ("sends a data set", answers_store(data(1, 2, b"x")), BROKEN, "no command"),
    ("sends no value", answers_store(pdu(4, b"")), BROKEN, "without a presentation"),
]
_MIDWAY: Rows = [
    ("stops reading", stops_reading, LATE, "did not read what was sent within 0.15 s"),
    ("closes midway", closes_midway, GONE, "without a word"),
    ("resets midway", resets_midway, GONE, "without a word"),
    ("aborts midway", aborts_midway, GONE, "invalid PDU parameter"),
]

EVERY_ONE = [
    Misbehaviour(*row, timeout, size)
    for timeout, size, rows in (
        ("acse", 64, _BEFORE_THE_ASSOCIATION),
        ("write", LARGE, _MIDWAY),
        ("dimse", 64, _INSTEAD_OF_THE_ANSWER),
    )
    for row in rows
]
