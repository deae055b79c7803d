"""One association on one socket: the driver of `wire.association`.

It blocks, with total deadlines, and neither polls in a loop nor sleeps. One thread drives a
channel; a `Wakeup` ends the waits of any number of them.
"""

from __future__ import annotations

import os
import select
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pacs_cli.errors import ConnectError, PeerProtocolError, PeerTimeout
from pacs_cli.net.baton import Baton
from pacs_cli.net.target import WRITE_TIMEOUT, Target
from pacs_cli.wire.association import Association, AssociationEvent, Deadline
from pacs_cli.wire.message import Buffer

if TYPE_CHECKING:
    from pacs_cli.net.tls import TlsServer
    from pacs_cli.net.tls_peer import TlsPeer
    from pacs_cli.net.tls_socket import Poll, TlsSocket

#: Linux only. Without it peers with Nagle's algorithm on, which write the header of a PDU apart
#: (DCMTK 3.6.7, Orthanc), wait 40 ms per message for our delayed acknowledgement.
_TCP_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


#: Address family, socket type, protocol, canonical name, socket address: as getaddrinfo gives it.
Address = tuple[int, int, int, str, Any]


def resolve(target: Target) -> list[Address]:
    """Return the addresses of the target's host name.

    raises  ConnectError when there is none. The system's resolver has its own time limit.
    """
    # as bytes, which need no codec for names beyond ASCII: that alone takes 2 ms to import
    host = target.host.encode() if target.host.isascii() else target.host
    try:
        return list(socket.getaddrinfo(host, target.port, type=socket.SOCK_STREAM))
    except (socket.gaierror, ValueError) as error:
        # ValueError: a label too long or empty, or a NUL
        reason = error.strerror if isinstance(error, socket.gaierror) else "not a host name"
        raise ConnectError(
            f"cannot find {target.host}: {str(reason).lower()}; check the host name"
        ) from None


def local_address(target: Target) -> str:
    """Return the address of ours from which the target is reached; nothing is sent.

    raises  ConnectError when there is none
    """
    failure: OSError | None = None
    for family, _, _, _, address in resolve(target):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect(address)
                return str(sock.getsockname()[0])
        except OSError as error:
            failure = error
    raise ConnectError(f"cannot reach {target}: {_why_not(failure, target)}")


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection and the seconds each step to it took; without TLS `tls` is 0."""

    sock: socket.socket | TlsSocket
    name: float
    tcp: float
    tls: float


def call(target: Target, clock: Callable[[], float] = time.monotonic) -> Connection:
    """Look up the name of `target` and connect to it.

    raises  ConnectError with the reason in plain words
    """
    began = clock()
    addresses = resolve(target)
    named = clock()
    expiry = named + target.timeouts.connect
    sock = reach(target, addresses, expiry, clock)
    reached = clock()
    secured = secure(target, sock, expiry, clock)
    spent = clock() - reached if target.tls else 0.0
    return Connection(secured, named - began, reached - named, spent)


def connect(
    target: Target, addresses: list[Address], clock: Callable[[], float] = time.monotonic
) -> socket.socket | TlsSocket:
    """Open the connection to `target`, trying each address within one deadline, TLS included.

    raises  ConnectError with the reason in plain words
    """
    expiry = clock() + target.timeouts.connect
    return secure(target, reach(target, addresses, expiry, clock), expiry, clock)


def reach(
    target: Target,
    addresses: list[Address],
    expiry: float,
    clock: Callable[[], float] = time.monotonic,
) -> socket.socket:
    """Open the TCP connection to `target`, trying each address until the clock shows `expiry`.

    raises  ConnectError with the reason in plain words
    """
    failure: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        remaining = expiry - clock()
        if remaining <= 0:
            break
        try:
            return _connect_one(socket.socket(family, kind, protocol), address, remaining)
        except OSError as error:
            # also a family that this system does not have, as IPv6 where it is switched off
            failure = error
    raise ConnectError(f"cannot connect to {target}: {_why_not(failure, target)}") from None


def secure(
    target: Target,
    sock: socket.socket,
    expiry: float,
    clock: Callable[[], float] = time.monotonic,
) -> socket.socket | TlsSocket:
    """Make the handshake of TLS if the target is called with it; the socket is owned from here on.

    raises  ConnectError with the reason in plain words
    """
    if target.tls is None:
        return sock
    return target.tls.secure(sock, target.host, str(target), expiry - clock())


def _connect_one(sock: socket.socket, address: Any, seconds: float) -> socket.socket:
    try:
        sock.settimeout(seconds)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def tune(sock: socket.socket | TlsSocket) -> None:
    """Set what every association wants of its socket."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class Wakeup:
    """Ends the waits of all channels that were given it, once and for good; from any thread.

    It only makes a descriptor readable: bytes that are on their way to a channel stay whole.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        # not by whoever made it: channels may be in use for longer
        weakref.finalize(self, _close_all, self._reader, self._writer)
        self.is_set = False

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        return self._reader

    def set(self) -> None:
        """End the waits, those that are yet to come included."""
        if not self.is_set:
            self.is_set = True
            os.write(self._writer, b"\0")


class Channel:
    """Moves bytes between a connected socket and an association until that is over.

    sock           owned from here on and closed by `close`
    name           the peer, for messages
    wakeup         ends one wait for the peer, after which it is not looked at any more
    baton          put down, if the thread has it, while the peer is waited for
    write_timeout  seconds for each batch of at most 1 MiB; may be set
    await_room     waits so many seconds until a descriptor takes bytes, False when that is too
                   late; may be set, by who has something else to wait for as well
    """

    def __init__(
        self,
        sock: socket.socket | TlsSocket,
        association: Association,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        wakeup: Wakeup | None = None,
        baton: Baton | None = None,
    ) -> None:
        self.association = association
        self.name = name
        self.write_timeout = WRITE_TIMEOUT
        self.await_room: Callable[[int, float], bool] = _has_room
        self._sock = sock
        self._clock = clock
        self._timer, self._total_timer = _Timer(clock), _Timer(clock)
        self._is_cut = False
        self._rest: Callable[[], AbstractContextManager[None]]
        self._rest = nullcontext if baton is None else baton.rest
        tune(sock)
        sock.setblocking(False)
        self._incoming: select.poll | Poll
        self._incoming = select.poll() if isinstance(sock, socket.socket) else sock.poll()
        self._incoming.register(sock, select.POLLIN)
        # kept, or its descriptor could become another's
        self._wakeup = wakeup
        self._wakeup_number = -1
        if wakeup is not None:
            self._wakeup_number = wakeup.fileno()
            self._incoming.register(wakeup, select.POLLIN)

    def secure(self, tls: TlsServer) -> bool:
        """Make the handshake of a provider, in the time for the request; before all else.

        returns  False when the wakeup came first
        raises   ConnectError when it failed, PeerTimeout when it took too long, OSError when the
                 peer was gone at once
        """
        assert isinstance(self._sock, socket.socket)
        self._sock = sock = tls.wrap(self._sock, self.name)
        incoming = self._incoming
        self._incoming = sock.poll()
        self._incoming.register(sock, select.POLLIN)
        if self._wakeup is not None:
            self._incoming.register(self._wakeup, select.POLLIN)
        try:
            while event := sock.shake():
                if not self._await_handshake(incoming, event):
                    return False
        except ConnectError:
            # the alert that says why is still on its way
            with suppress(OSError):
                self._linger(self._clock() + self.association.limits.close)
            raise
        return True

    @property
    def tls_peer(self) -> TlsPeer | None:
        """Whose certificate the peer has proven; None without TLS, or without one."""
        return None if isinstance(self._sock, socket.socket) else self._sock.peer()

    def _await_handshake(self, incoming: select.poll | Poll, event: int) -> bool:
        """Wait for the peer; False when the wakeup came."""
        nearest = self._nearest(None)
        assert nearest is not None
        seconds, deadline = nearest
        incoming.register(self._sock, event)
        ready = incoming.poll(seconds * 1000) if seconds >= 0 else []
        if not ready:
            raise PeerTimeout(
                f"{self.name} did not complete the TLS handshake within {deadline.seconds:g} s"
            )
        return all(number != self._wakeup_number for number, _ in ready)

    def flush(self) -> None:
        """Write everything the association has to say.

        raises  PeerTimeout when the peer does not read, OSError when the connection is gone
        """
        association = self.association
        while batch := association.outgoing():
            self._write(batch, self.write_timeout)

    def send(self) -> None:
        """Write everything the association has to say, unless the peer is gone.

        A lost connection is not raised here: the peer's A-ABORT may stand in our receive buffer
        and say why, so `receive` tells.
        """
        try:
            self.flush()
        except ConnectionError:
            self.association.drop_outgoing()

    def write(self, data: Buffer) -> None:
        """Write bytes the association knows nothing of: for faults that are wanted.

        raises  as `flush`
        """
        self._write([data], self.write_timeout)

    def has_arrived(self, seconds: float = 0.0) -> bool:
        """Whether `receive` would find something by then, and so not wait."""
        return bool(self._incoming.poll(seconds * 1000))

    def fileno(self) -> int:
        """Return the descriptor of the connection."""
        return self._sock.fileno()

    def await_other(self, descriptor: int, seconds: float, is_writing: bool = False) -> bool:
        """Wait until another descriptor is readable, or takes bytes; False when this has
        something, or too late.
        """
        self._incoming.register(descriptor, select.POLLOUT if is_writing else select.POLLIN)
        try:
            with self._rest():
                ready = self._incoming.poll(seconds * 1000)
        finally:
            self._incoming.unregister(descriptor)
        return any(number == descriptor for number, _ in ready)

    def receive(self, total: Deadline | None = None) -> Iterator[AssociationEvent]:
        """Write what is due, wait for the peer once, yield what came of it; to be exhausted.

        It may yield nothing: what came was not yet whole, or the wakeup was set.

        total   the time for all calls with the same serial, beside the association's deadlines
        raises  PeerTimeout when the deadline of what is awaited has passed, PeerProtocolError
                after the A-ABORT for it was sent, OSError when the connection failed
        """
        self.send()
        association = self.association
        count = self._read(association.space(), total)
        if count is None:
            return
        if not count:
            yield from association.peer_closed()
            return
        try:
            yield from association.received(count)
        except PeerProtocolError:
            self._say_last_words(association.limits.close)
            raise

    def close(self) -> None:
        """Say the last words, give the peer its time to hear them, close the socket.

        Closing with unread bytes would reset the connection and take an A-ABORT in flight with
        it, so what still comes is read and dropped until the peer closes or the time is up.
        """
        expiry = self._clock() + self.association.limits.close
        try:
            self._say_last_words(expiry - self._clock())
            if self.association.is_closing and not self._is_cut:
                self._linger(expiry)
        except OSError:
            # the peer is gone already: nobody is left to hear
            pass
        finally:
            self._sock.close()

    def _say_last_words(self, seconds: float) -> None:
        """Write what is due; whether it arrives changes nothing any more."""
        try:
            while batch := self.association.outgoing():
                self._write(batch, seconds)
        except (OSError, PeerTimeout):
            # what ended the association is told, not that the peer could not be told
            self.association.drop_outgoing()

    def _linger(self, expiry: float) -> None:
        self._sock.shutdown(socket.SHUT_WR)
        sink = bytearray(64 * 1024)
        while _is_ready(self._sock.fileno(), select.POLLIN, expiry - self._clock()):
            if not self._sock.recv_into(sink):
                break

    def _read(self, space: memoryview, total: Deadline | None) -> int | None:
        """Receive into `space` what is there, or wait for it: the bytes, 0 at the end of the
        connection, None when only the wakeup came.
        """
        nearest = self._nearest(total)
        try:
            if nearest is None or nearest[0] >= 0:
                # while data flows there is no need to ask first
                return self._sock.recv_into(space)
        except BlockingIOError:
            if _TCP_QUICKACK is not None:
                self._sock.setsockopt(socket.IPPROTO_TCP, _TCP_QUICKACK, 1)
        except ConnectionError:
            # a reset tells no more than an end: the association knows whether it was expected
            return 0
        with self._rest():
            is_there = self._await_bytes(nearest)
        if not is_there:
            return None
        try:
            return self._sock.recv_into(space)
        except BlockingIOError:
            # what made it readable was dropped by the system, as a bad checksum is
            return None
        except ConnectionError:
            return 0

    def _await_bytes(self, nearest: tuple[float, Deadline] | None) -> bool:
        """Wait until there is something to receive; False when only the wakeup came."""
        if nearest is None:
            ready = self._incoming.poll()
        else:
            seconds, deadline = nearest
            ready = self._incoming.poll(seconds * 1000) if seconds >= 0 else []
            if not ready:
                raise PeerTimeout(
                    f"{self.name} did not send {deadline.awaiting} within {deadline.seconds:g} s"
                )
        if len(ready) > 1 or ready[0][0] != self._wakeup_number:
            return True
        self._incoming.unregister(self._wakeup_number)
        return False

    def _nearest(self, total: Deadline | None) -> tuple[float, Deadline] | None:
        """Return what ends first, and the seconds until then."""
        deadline = self.association.deadline
        if total is None:
            return None if deadline is None else (self._timer.left(deadline), deadline)
        left = self._total_timer.left(total)
        if deadline is not None and (own := self._timer.left(deadline)) < left:
            return own, deadline
        return left, total

    def _write(self, batch: list[Buffer], seconds: float) -> None:
        if self._is_cut:
            # a PDU stands half written: whatever followed would be read as the rest of it
            return
        expiry = self._clock() + seconds
        while True:
            try:
                sent = self._sock.sendmsg(batch)
            except BlockingIOError:
                # no room at all is waited for like room for the rest
                sent = 0
            except OSError:
                self._is_cut = True
                raise
            batch = _after(batch, sent)
            if not batch:
                return
            with self._rest():
                has_room = self.await_room(self._sock.fileno(), expiry - self._clock())
            if not has_room:
                self._is_cut = True
                raise PeerTimeout(f"{self.name} did not read what was sent within {seconds:g} s")


class _Timer:
    """The time left of a deadline, which a new serial starts again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._serial = -1
        self._expiry = 0.0
        self._is_over = False

    def left(self, deadline: Deadline) -> float:
        """Return the seconds: 0 once, for what has already arrived, and less than 0 after that.

        Once, or a peer whose bytes never stop would not be subject to the deadline.
        """
        now = self._clock()
        if deadline.serial != self._serial:
            self._serial = deadline.serial
            self._expiry = now + deadline.seconds
            self._is_over = False
        left = self._expiry - now
        if left > 0:
            return left
        was_over, self._is_over = self._is_over, True
        return -1.0 if was_over else 0.0


def _is_ready(descriptor: int, event: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, event)
    return seconds > 0 and bool(poll.poll(seconds * 1000))


def _has_room(descriptor: int, seconds: float) -> bool:
    return _is_ready(descriptor, select.POLLOUT, seconds)


def _close_all(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


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
