"""What peers do to a provider over real sockets: as they should, and in each way that they do not.

A visit connects, does something, and returns a word for what came of it. Objects are made from
their UIDs, so that whoever finds one in an archive can tell whether it is what was sent.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from pacs_cli.wire.pdu import RELEASE_RQ, Abort
from tests.services.raw import data, echo, pdu, read_pdu, read_response, request, reset, store
from tests.support import CT
from tests.writing import dataset

#: Seconds for an answer: a machine that is busy takes its time.
PATIENCE = 60.0
#: The root of UIDs of objects that are sent.
ROOT = "1.2.826.0.1.3680043.10.77"

Visit = Callable[[int, Random], str]


def object_of(uid: str) -> bytes:
    """Return the data set of an object: as long as its UID says."""
    random = Random(uid)
    study = study_of(uid)
    return dataset(CT, uid, random.randbytes(random.choice((64, 2_000, 8_000, 40_000))), study)


def study_of(uid: str) -> str:
    """Return the UID of the study of an object, one of fifty."""
    return f"{ROOT}.0.{int(uid.rpartition('.')[2]) % 50}"


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


@contextmanager
def _associated(port: int) -> Iterator[socket.socket]:
    with _connected(port) as sock:
        sock.sendall(request())
        answer = read_pdu(sock)
        if answer[:1] != b"\x02":
            raise ConnectionError(f"not accepted: {answer[:12].hex()}")
        yield sock


def _end(sock: socket.socket) -> str:
    """Read on until the provider closes; the last PDU tells how it took it."""
    last = b""
    while answer := read_pdu(sock):
        last = answer
    return {b"\x03": "rejected", b"\x06": "released", b"\x07": "aborted"}.get(last[:1], "closed")


def echoes(port: int, random: Random) -> str:
    with _associated(port) as sock:
        sock.sendall(data(1, 3, echo()))
        if read_response(sock).status != 0:
            return "failed"
        sock.sendall(RELEASE_RQ)
        return _end(sock)


def is_rejected(port: int, random: Random) -> str:
    """Ask for another application context, or in a protocol version that is none."""
    asked = bytearray(request())
    if random.random() < 0.5:
        asked[6:8] = b"\0\2"
    else:
        at = asked.index(b"1.2.840.10008.3.1.1.1")
        asked[at : at + 3] = b"1.3"
    with _connected(port) as sock:
        sock.sendall(asked)
        return _end(sock)


def aborts(port: int, random: Random) -> str:
    with _associated(port) as sock:
        sock.sendall(data(3, 3, store()) + data(3, 0, bytes(500)) + Abort(0, 0).encode())
        sock.shutdown(socket.SHUT_WR)
        return _end(sock)


def aborts_in_a_pdu(port: int, random: Random) -> str:
    with _associated(port) as sock:
        whole = data(3, 3, store()) + data(3, 2, bytes(9000))
        sock.sendall(whole[: random.randrange(1, len(whole))] + Abort(0, 0).encode())
        sock.shutdown(socket.SHUT_WR)
        return _end(sock)


def resets(port: int, random: Random) -> str:
    with _connected(port) as sock:
        said = request() + data(3, 3, store()) + data(3, 0, bytes(2000))
        sock.sendall(said[: random.randrange(len(said))])
        reset(sock)
    return "reset"


def stays_half_open(port: int, random: Random) -> str:
    """Ask for half of an association and say nothing more than that it is over."""
    with _connected(port) as sock:
        asked = request()
        sock.sendall(asked[: random.randrange(len(asked))])
        sock.shutdown(socket.SHUT_WR)
        return _end(sock)


def talks_garbage(port: int, random: Random) -> str:
    said = (
        b"GET / HTTP/1.1\r\nHost: made.up\r\n\r\n",
        b"\x16\3\1\2\0\1\0\1\xfc\3\3" + random.randbytes(500),
        random.randbytes(random.randrange(1, 3000)),
        pdu(1, random.randbytes(300)),
        b"\1\0\xff\xff\xff\xff" + random.randbytes(100),
    )
    with _connected(port) as sock:
        sock.sendall(random.choice(said))
        sock.shutdown(socket.SHUT_WR)
        return _end(sock)


def breaks_the_protocol(port: int, random: Random) -> str:
    wrong = (
        data(9, 3, echo()),
        data(1, 2, b"no command"),
        data(1, 3, random.randbytes(60)),
        data(3, 3, store()) + data(3, 3, store(2)),
        pdu(2, bytes(80)),
        pdu(9),
        b"\4\0\0\0\0\7\0\0\0\1\1\3\0",
    )
    with _associated(port) as sock:
        sock.sendall(random.choice(wrong))
        return _end(sock)


def is_slow(port: int, random: Random) -> str:
    """Say everything byte by byte, each in a segment of its own."""
    with _connected(port) as sock:
        for byte in request():
            sock.sendall(bytes((byte,)))
        read_pdu(sock)
        for byte in data(1, 3, echo()) + RELEASE_RQ:
            sock.sendall(bytes((byte,)))
        return _end(sock)


def stores_half(port: int, random: Random) -> str:
    """Send the beginning of an object, and be gone."""
    uid = f"{ROOT}.9.{random.randrange(1 << 60)}"
    whole = object_of(uid)
    with _associated(port) as sock:
        sock.sendall(data(3, 3, store(1, uid)))
        sock.sendall(data(3, 0, whole[: random.randrange(min(len(whole), 16000))]))
    return "gone"


def stores_damaged(port: int, random: Random) -> str:
    """Send what is no data set, which is refused with a status."""
    uid = f"{ROOT}.8.{random.randrange(1 << 60)}"
    broken = object_of(uid)[:-50] if random.random() < 0.5 else random.randbytes(400)
    with _associated(port) as sock:
        sock.sendall(data(3, 3, store(1, uid)))
        pieces = [broken[at : at + 16000] for at in range(0, len(broken), 16000)]
        for piece in pieces[:-1]:
            sock.sendall(data(3, 0, piece))
        sock.sendall(data(3, 2, pieces[-1]))
        if read_response(sock).status == 0:
            return "failed"
        sock.sendall(RELEASE_RQ)
        return _end(sock)


#: Each with how often it comes.
VISITS: tuple[tuple[Visit, int], ...] = (
    *((echoes, 30), (is_rejected, 10), (aborts, 10), (aborts_in_a_pdu, 10), (resets, 10)),
    *((stays_half_open, 8), (talks_garbage, 10), (breaks_the_protocol, 8), (is_slow, 1)),
    *((stores_half, 6), (stores_damaged, 4)),
)


def a_visit(random: Random) -> Visit:
    """Return one of them, by how often it comes."""
    visits, weights = zip(*VISITS, strict=True)
    return random.choices(visits, weights)[0]
