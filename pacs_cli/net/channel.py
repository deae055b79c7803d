"""One association on one socket: the driver of `wire.association`.

It blocks, with total deadlines, and neither polls nor sleeps. One thread drives a channel;
`wake` alone may be called from another.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from pacs_cli.errors import ConnectError, PeerProtocolError, PeerTimeout
from pacs_cli.net.target import Target
from pacs_cli.wire.association import Association, AssociationEvent
from pacs_cli.wire.message import Buffer

#: Seconds the peer may take to read one batch of at most 1 MiB: 280 kbit/s, slower than any link
#: on which images are sent at all.
WRITE_TIMEOUT = 30.0

#: Linux only. Without it peers with Nagle's algorithm on, which write the header of a PDU apart
#: (DCMTK 3.6.7, Orthanc), wait 40 ms per message for our delayed acknowledgement.
_TCP_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


#: Address family, socket type, protocol, canonical name, socket address: as getaddrinfo gives it.
Address = tuple[int, int, int, str, Any]


def resolve(target: Target) -> list[Address]:
    """Return the addresses of the target's host name.

    raises  ConnectError when there is none. The system's resolver has its own time limit.
    """
    try:
        return list(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "not a host name"
        raise ConnectError(
            f"cannot find {target.host}: {str(reason).lower()}; check the host name"
        ) from None


def connect(
    target: Target, addresses: list[Address], clock: Callable[[], float] = time.monotonic
) -> socket.socket:
    """Open the TCP connection to `target`, trying each address within one deadline.

    raises  ConnectError with the reason in plain words
    """
    expiry = clock() + target.timeouts.connect
    failure: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        remaining = expiry - clock()
        if remaining <= 0:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(remaining)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
            continue
        except BaseException:
            sock.close()
            raise
        return sock
    raise ConnectError(f"cannot connect to {target}: {_why_not(failure, target)}") from None


def tune(sock: socket.socket) -> None:
    """Set what every association wants of its socket."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class Channel:
    """Moves bytes between a connected socket and an association until that is over.

    sock  owned from here on and closed by `close`
    name  the peer, for messages
    """

    def __init__(
        self,
        sock: socket.socket,
        association: Association,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.association = association
        self.name = name
        self.is_woken = False
        self._sock = sock
        self._clock = clock
        self._serial = -1
        self._expiry = 0.0
        tune(sock)

    def flush(self) -> None:
        """Write everything the association has to say.

        raises  PeerTimeout when the peer does not read, OSError when the connection is gone
        """
        association = self.association
        while batch := association.outgoing():
            self._write(batch)

    def send(self) -> None:
        """Write everything the association has to say, unless the peer is gone.

        A lost connection is not raised here: the peer's A-ABORT may stand in our receive buffer
        and say why, so `receive` tells.
        """
        try:
            self.flush()
        except ConnectionError:
            self.association.drop_outgoing()

    def receive(self) -> Iterator[AssociationEvent]:
        """Write what is due, wait for the peer once, yield what came of it; to be exhausted.

        raises  PeerTimeout when the deadline of what is awaited has passed, PeerProtocolError
                after the A-ABORT for it was sent, OSError when the connection failed
        """
        self.send()
        association = self.association
        space = association.space()
        self._sock.settimeout(self._remaining())
        if _TCP_QUICKACK is not None:
            self._sock.setsockopt(socket.IPPROTO_TCP, _TCP_QUICKACK, 1)
        try:
            count = self._sock.recv_into(space)
        except TimeoutError:
            raise self._timed_out() from None
        except ConnectionError:
            # a reset tells no more than an end: the association knows whether it was expected
            count = 0
        if not count:
            if not self.is_woken:
                yield from association.peer_closed()
            return
        try:
            yield from association.received(count)
        except PeerProtocolError:
            self.close()
            raise

    def wake(self) -> None:
        """End a wait in `receive`, which then yields nothing; from any thread."""
        self.is_woken = True
        try:
            self._sock.shutdown(socket.SHUT_RD)
        except OSError:
            # already closed: there is no wait to end
            return

    def close(self) -> None:
        """Say the last words, give the peer its time to hear them, close the socket.

        Closing with unread bytes would reset the connection and take an A-ABORT in flight with
        it, so what still comes is read and dropped until the peer closes or the time is up.
        """
        try:
            self._linger()
        except (OSError, PeerTimeout):
            # the peer is gone already: nobody is left to tell
            pass
        finally:
            self._sock.close()

    def _linger(self) -> None:
        self.flush()
        if not self.association.is_closing:
            return
        self._sock.shutdown(socket.SHUT_WR)
        expiry = self._clock() + self.association.limits.close
        sink = bytearray(64 * 1024)
        while (remaining := expiry - self._clock()) > 0:
            self._sock.settimeout(remaining)
            if not self._sock.recv_into(sink):
                break

    def _remaining(self) -> float | None:
        deadline = self.association.deadline
        if deadline is None:
            return None
        now = self._clock()
        if deadline.serial != self._serial:
            self._serial = deadline.serial
            self._expiry = now + deadline.seconds
        # a passed deadline still takes what has already arrived: 0 would mean non-blocking
        return max(self._expiry - now, 1e-6)

    def _timed_out(self) -> PeerTimeout:
        deadline = self.association.deadline
        awaited = f"{deadline.awaiting} within {deadline.seconds:g} s" if deadline else "anything"
        return PeerTimeout(f"{self.name} did not send {awaited}")

    def _write(self, batch: list[Buffer]) -> None:
        expiry = self._clock() + WRITE_TIMEOUT
        while batch:
            self._sock.settimeout(max(expiry - self._clock(), 1e-6))
            try:
                sent = self._sock.sendmsg(batch)
            except TimeoutError:
                raise PeerTimeout(
                    f"{self.name} did not read what was sent within {WRITE_TIMEOUT:g} s"
                ) from None
            batch = _after(batch, sent)


def _after(batch: list[Buffer], sent: int) -> list[Buffer]:
    """Return what of `batch` is still to be written after `sent` bytes went out."""
    if sent == sum(map(len, batch)):
        return []
    for position, buffer in enumerate(batch):
        if sent < len(buffer):
            rest = memoryview(buffer)[sent:]
            return [rest, *batch[position + 1 :]]
        sent -= len(buffer)
    return []


def _why_not(failure: OSError | None, target: Target) -> str:
    if failure is None or isinstance(failure, TimeoutError):
        seconds = target.timeouts.connect
        return f"no answer within {seconds:g} s; check the address and the firewall (-to S waits)"
    if isinstance(failure, ConnectionRefusedError):
        return "connection refused; nothing listens there, check the port and that the peer runs"
    return f"{(failure.strerror or str(failure)).lower()}; check the address and the network"
