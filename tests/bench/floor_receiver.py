"""What hardly a receiver in Python can be faster than, beside DCMTK's: a bound for `store`.

    python -m tests.bench.floor_receiver [--rounds 5] [--scale 1.0]

The floor is one thread with epoll that answers success to whatever it is sent: it follows PDU
headers and the three elements that an answer repeats, writes each object to a file and renames it.
It checks nothing, reads no data set, keeps no index and no deadline. Printed as by
`tests.bench.store`, start-up taken out: over 1 even that is ahead of the peer.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import struct
import sys
from pathlib import Path

from tests.bench.measuring import storage_of
from tests.bench.store import Run, dcmtk_scp, make_data, ours_scp

_HEADER, _PDV = struct.Struct(">BxI"), struct.Struct(">IBB")
_RESPONSE = struct.Struct(">BxIIBB")
_LARGEST = 128 * 1024
_META = bytes(128) + b"DICM" + bytes(200)


class Peer:
    """One connection: what came and is not yet understood, and the object on its way."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = memoryview(bytearray(512 * 1024))
        self.count = 0
        self.message = self.sop_class = self.uid = b""
        self.descriptor = -1
        self.part = ""


class Floor:
    """Receives from everybody, in one thread."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.objects = 0

    def serve(self, port: int) -> None:
        """Serve until the process is ended."""
        listener = socket.create_server(("127.0.0.1", port), backlog=64)
        peers: dict[int, Peer] = {}
        poll = select.epoll()
        poll.register(listener, select.EPOLLIN)
        while True:
            for number, _ in poll.poll():
                if number == listener.fileno():
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    peers[sock.fileno()] = Peer(sock)
                    poll.register(sock, select.EPOLLIN)
                elif not self.receive(peers[number]):
                    peers.pop(number).sock.close()

    def receive(self, peer: Peer) -> bool:
        """Take what is there; False when the peer has gone."""
        while True:
            try:
                count = peer.sock.recv_into(peer.buffer[peer.count :])
            except BlockingIOError:
                peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                return True
            if not count:
                return False
            peer.count += count
            used = self.understand(peer)
            peer.buffer[: peer.count - used] = bytes(peer.buffer[used : peer.count])
            peer.count -= used

    def understand(self, peer: Peer) -> int:
        """Act on every whole PDU; return their bytes."""
        at, buffer = 0, peer.buffer
        views: list[bytes | memoryview] = []
        while peer.count - at >= 6:
            kind, length = _HEADER.unpack_from(buffer, at)
            if peer.count - at < 6 + length:
                break
            body = buffer[at + 6 : at + 6 + length]
            at += 6 + length
            if kind == 1:
                peer.sock.send(_accept(bytes(body)))
            elif kind == 5:
                peer.sock.send(b"\6\0\0\0\0\4\0\0\0\0")
            elif kind == 4:
                _, context, control = _PDV.unpack_from(body)
                if control & 1:
                    self.begin(peer, bytes(body[6:]))
                    views.append(_META)
                    continue
                views.append(body[6:])
                if control & 2:
                    os.writev(peer.descriptor, views)
                    views = []
                    os.close(peer.descriptor)
                    name = peer.uid.rstrip(b"\0").decode()
                    Path(peer.part).rename(f"{self.folder}/{name}.dcm")
                    peer.sock.send(_success(peer, context))
        if views:
            os.writev(peer.descriptor, views)
        return at

    def begin(self, peer: Peer, command: bytes) -> None:
        """Take what an answer repeats, and open a file."""
        at = 0
        while at < len(command):
            _, element, length = struct.unpack_from("<HHI", command, at)
            value = command[at + 8 : at + 8 + length]
            at += 8 + length
            if element == 0x0110:
                peer.message = value
            elif element == 0x0002:
                peer.sop_class = value
            elif element == 0x1000:
                peer.uid = value
        self.objects += 1
        peer.part = f"{self.folder}/.{self.objects}"
        peer.descriptor = os.open(peer.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)


def _accept(request: bytes) -> bytes:
    """Return an A-ASSOCIATE-AC with the first transfer syntax of every context."""
    items = [_item(0x10, b"1.2.840.10008.3.1.1.1")]
    at = 68
    while at < len(request):
        kind, length = struct.unpack_from(">BxH", request, at)
        context = request[at + 4 : at + 4 + length]
        at += 4 + length
        if kind == 0x20:
            inner = 4
            while context[inner] != 0x40:
                inner += 4 + struct.unpack_from(">H", context, inner + 2)[0]
            size = struct.unpack_from(">H", context, inner + 2)[0]
            syntax = _item(0x40, context[inner + 4 : inner + 4 + size])
            items.append(_item(0x21, bytes((context[0], 0, 0, 0)) + syntax))
    items.append(_item(0x50, _item(0x51, _LARGEST.to_bytes(4, "big")) + _item(0x52, b"1.2.3")))
    body = b"\0\1\0\0" + request[4:36] + bytes(32) + b"".join(items)
    return b"\2\0" + len(body).to_bytes(4, "big") + body


def _item(kind: int, value: bytes) -> bytes:
    return bytes((kind, 0)) + len(value).to_bytes(2, "big") + value


def _success(peer: Peer, context: int) -> bytes:
    elements = (
        (0x0002, peer.sop_class),
        (0x0100, b"\1\x80"),
        (0x0120, peer.message),
        (0x0800, b"\1\1"),
        (0x0900, b"\0\0"),
        (0x1000, peer.uid),
    )
    body = b"".join(struct.pack("<HHI", 0, tag, len(value)) + value for tag, value in elements)
    body = struct.pack("<HHII", 0, 0, 4, len(body)) + body
    return _RESPONSE.pack(4, len(body) + 6, len(body) + 2, context, 3) + body


def floor_scp(port: int, out: str) -> list[str]:
    """The floor, as a program."""
    return [sys.executable, "-m", "tests.bench.floor_receiver", "--serve", str(port), out]


def main() -> None:
    """Measure small objects, from one and from sixteen senders."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "FOLDER"))
    options = parser.parse_args()
    if options.serve:
        Floor(options.serve[1]).serve(int(options.serve[0]))
    with storage_of(None, int(3e9 * options.scale)) as root:
        run = Run(options.rounds, root)
        for senders, count, goal in ((1, 5000, "1, 0.9"), (16, 300, "1")):
            scale = max(1, int(count * options.scale))
            data = make_data(root, f"small{senders}", scale, (10_000, 20_000, 30_000), senders)
            peer = dcmtk_scp("--fork") if senders > 1 else dcmtk_scp()
            for name, receiver in (("floor", floor_scp), ("storescp", ours_scp())):
                run.receivers(f"{name}, small, {senders} senders", data, goal, receiver, peer)


if __name__ == "__main__":
    main()
