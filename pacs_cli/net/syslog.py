"""Syslog over UDP and over TLS: connections to whoever collects audit messages.

Neither has an answer: what was sent is what the system of this machine took. One thread uses each.

source  RFC 5425, RFC 5426, PS3.15 A.6 and A.7
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pacs_cli.errors import ConnectError
from pacs_cli.net.channel import connect, resolve
from pacs_cli.net.target import Target
from pacs_cli.wire.syslog import framed

if TYPE_CHECKING:
    from pacs_cli.net.tls_socket import TlsSocket

#: The ports of RFC 5426 3.3 and RFC 5425 4.1.
UDP_PORT, TLS_PORT = 514, 6514

#: Seconds for the other end to read one message, and to close once all is said.
_WRITE, _CLOSE = 10.0, 2.0
#: Seconds within which the end of a connection is an answer to its beginning.
_AT_ONCE = 5.0
#: Seconds for word that nobody listens, where that was so before.
_REFUSAL = 0.2


class SyslogUdp:
    """Sends datagrams; whether anybody gets them nobody tells.

    But where nobody listens the system of that machine may say so, which is heard when the next one
    is sent: then the one before it is sent again too, once somebody seems to listen.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._sock: socket.socket | None = None
        self._last = b""
        self._is_refused = False

    def send(self, message: bytes) -> None:
        """Send one message.

        raises  ConnectError when there is no such host, OSError when it is too long for a
                datagram, or nobody listens there
        """
        if self._sock is None:
            family, _, _, _, address = resolve(self._target)[0]
            sock = socket.socket(family, socket.SOCK_DGRAM)
            try:
                sock.connect(address)
            except BaseException:
                sock.close()
                raise
            self._sock = sock
        try:
            if self._is_refused and self._last:
                self._sock.send(self._last)
                self._await_refusal(self._sock)
            self._sock.send(message)
        except ConnectionRefusedError:
            self._is_refused = True
            raise
        self._last, self._is_refused = message, False

    def close(self) -> None:
        """Close the socket."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _await_refusal(self, sock: socket.socket) -> None:
        """Raise ConnectionRefusedError if it comes soon."""
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        if poll.poll(_REFUSAL * 1000):
            # whatever else came is not for us
            with suppress(BlockingIOError):
                sock.recv(1, socket.MSG_DONTWAIT)


class SyslogTls:
    """Keeps a connection, made when there is something to send.

    When it is found that a connection has ended, the message that was sent last is sent again over
    the next: whether it was read nobody tells, and twice is better than not at all.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._sock: TlsSocket | None = None
        self._began = 0.0
        self._last = b""

    def send(self, message: bytes) -> None:
        """Send one message.

        raises  ConnectError or OSError when the other end cannot be reached, does not trust us,
                or does not read
        """
        frame = framed(message)
        self._check()
        if self._sock is None:
            self._sock, self._began = self._opened(), time.monotonic()
            if self._last:
                self._write(self._last)
                self._last = b""
        self._write(frame)
        self._last = frame

    def close(self) -> None:
        """Say that all is said, and wait a little for the other end to have read it."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        expiry = time.monotonic() + _CLOSE
        try:
            # closed with something unread in it, the connection would be reset, our words with it
            sock.shutdown(socket.SHUT_WR)
            space = bytearray(4096)
            while _wait(sock, select.POLLIN, expiry - time.monotonic()):
                if not sock.recv_into(space):
                    break
        except (OSError, ConnectError):
            # it is gone already
            pass
        finally:
            sock.close()

    def _opened(self) -> TlsSocket:
        from pacs_cli.net.tls_socket import TlsSocket

        sock = connect(self._target, resolve(self._target))
        assert isinstance(sock, TlsSocket)
        sock.setblocking(False)
        return sock

    def _check(self) -> None:
        """Drop a connection that the other end has ended; it has nothing else to say.

        raises  ConnectError when it ended at once: as a rule it does not want us
        """
        if self._sock is None:
            return
        words = "it closed the connection at once; does it trust our certificate?"
        try:
            self._sock.recv_into(bytearray(4096))
        except BlockingIOError:
            return
        except (OSError, ConnectError) as error:
            words = getattr(error, "strerror", None) or str(error)
        self._drop()
        if time.monotonic() - self._began < _AT_ONCE:
            raise ConnectError(words)

    def _write(self, frame: bytes) -> None:
        assert self._sock is not None
        rest, expiry = frame, time.monotonic() + _WRITE
        try:
            while rest:
                try:
                    rest = rest[self._sock.sendmsg([rest]) :]
                except BlockingIOError:
                    if not _wait(self._sock, select.POLLOUT, expiry - time.monotonic()):
                        raise TimeoutError("it does not read what is sent") from None
        except BaseException:
            # half a frame may stand there: nothing may follow it
            self._drop()
            raise

    def _drop(self) -> None:
        if self._sock is not None:
            with suppress(OSError, ConnectError):
                self._sock.close()
            self._sock = None


def _wait(sock: TlsSocket, event: int, seconds: float) -> bool:
    poll = sock.poll()
    poll.register(sock, event)
    return seconds > 0 and bool(poll.poll(seconds * 1000))
