"""Who collects syslog messages in tests: over real sockets, and real TLS."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.pki import Identity, Pki


class Collector:
    """Takes frames of RFC 5425 over TLS, one connection after the other.

    ends    how the first connection ends after its first message: "", "reset" or "close"
    """

    def __init__(
        self,
        pki: Pki,
        identity: Identity | None = None,
        wants_client: bool = False,
        ends: str = "",
        port: int = 0,
    ) -> None:
        self._ends = ends
        #: set once the first connection has ended so
        self.ended = threading.Event()
        identity = identity or pki.good
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(identity.certificate, identity.key)
        if wants_client:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(pki.ca)
        self.messages: list[bytes] = []
        self.versions: list[str] = []
        self._told = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._current: ssl.SSLSocket | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def wait_for(self, count: int) -> list[bytes]:
        """Return the messages once there are so many."""
        with self._told:
            assert self._told.wait_for(lambda: len(self.messages) >= count, 20), self.messages
            return list(self.messages)

    def stop(self) -> None:
        # whoever accepts wakes up with it
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._told:
            if self._current is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self._current, socket.SHUT_RDWR)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock:
                # a handshake that fails is what some tests are about
                with suppress(OSError):
                    sock.settimeout(20)
                    with self._context.wrap_socket(sock, server_side=True) as secured:
                        self._read(secured)

    def _read(self, secured: ssl.SSLSocket) -> None:
        self.versions.append(str(secured.version()))
        with self._told:
            self._current = secured
        with secured.makefile("rb") as stream:
            while digits := _until_space(stream):
                message = stream.read(int(digits))
                with self._told:
                    self.messages.append(message)
                    self._told.notify_all()
                if self._ends:
                    break
        with self._told:
            self._current = None
        self._end(secured)

    def _end(self, secured: ssl.SSLSocket) -> None:
        """End a connection, as it is wanted of the first."""
        ends, self._ends = self._ends, ""
        if ends == "reset":
            secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif ends == "close":
            secured.setblocking(False)
            # close_notify is said, theirs is not waited for
            with suppress(OSError):
                secured.unwrap()
        secured.close()
        self.ended.set()


def _until_space(stream) -> bytes:
    digits = b""
    while (byte := stream.read(1)) not in (b"", b" "):
        digits += byte
    return digits


@contextmanager
def collecting(pki: Pki, **options: object) -> Iterator[Collector]:
    collector = Collector(pki, **options)
    try:
        yield collector
    finally:
        collector.stop()
