"""Accepts connections: one thread each, bounded in number, without polling."""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from pacs_cli.errors import ConnectError

#: What to do when the process has no descriptor or memory left: wait, for others may end.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


@dataclass(frozen=True, slots=True)
class Caps:
    """How many connections stand at once.

    Far above what associations need (those have their own, lower limit and a proper rejection):
    these only keep a flood from taking every thread and descriptor. Over a cap a connection is
    closed unread.
    """

    connections: int = 4096
    per_address: int = 2560


class Listener:
    """One listening socket; `serve` runs until `stop`, which any thread or signal may call.

    port     0 for any free one; `address` and `port` tell what became of it
    passing  numbers of signals that may be written to `wake_descriptor` without an end
    """

    def __init__(
        self, host: str, port: int, caps: Caps | None = None, passing: bytes = b""
    ) -> None:
        self._caps = caps or Caps()
        self._passing = passing
        self._counts: Counter[str] = Counter()
        self._lock = threading.Condition()
        self._next_warning = 0.0
        _allow_descriptors()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_writer.setblocking(False)
        try:
            self._sock = _listen(host, port)
        except (OSError, OverflowError, ValueError) as error:
            # ValueError: a host name with a label too long or empty
            self._wake_reader.close()
            self._wake_writer.close()
            raise ConnectError(f"cannot listen on {host} port {port}: {_why_not(error)}") from None
        self.address, self.port = self._sock.getsockname()[:2]

    def serve(
        self,
        handle: Callable[[socket.socket, str], None],
        warn: Callable[[str], None],
        is_elsewhere: bool = False,
    ) -> None:
        """Accept until `stop`; call `handle(sock, address)` in a thread per connection.

        handle        owns the socket; what it raises goes to threading.excepthook
        warn          told, at most once a second, that the process is out of descriptors or threads
        is_elsewhere  `handle` only hands the connection over, in this thread, and raises
                      RuntimeError when nobody takes it; once it has ended `give_back` is called
        """
        start = handle if is_elsewhere else partial(self._start, handle)
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, selectors.EVENT_READ)
            selector.register(self._wake_reader, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wake_reader in ready and self._is_to_stop():
                    return
                if self._sock in ready:
                    self._accept(start, warn)

    @property
    def wake_descriptor(self) -> int:
        """What `stop` writes to, for signal.set_wakeup_fd.

        A handler of Python's alone is not enough: a signal that comes just before `serve` blocks
        would be looked at when it wakes, which may be never.
        """
        return self._wake_writer.fileno()

    def _is_to_stop(self) -> bool:
        """Whether a byte that woke us up is of anything but a signal that changes nothing here."""
        return bool(self._wake_reader.recv(4096).strip(self._passing))

    def stop(self) -> None:
        """Make `serve` return; what was accepted goes on."""
        try:
            self._wake_writer.send(b"\0")
        except OSError:
            # closed already, or full of earlier calls: `serve` returns either way
            return

    def join(self, timeout: float) -> bool:
        """Wait until every connection has ended; return whether all did within `timeout`."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._counts, timeout)

    def close(self) -> None:
        """Close the listening socket; connections that wait in its queue are refused."""
        for sock in (self._sock, self._wake_reader, self._wake_writer):
            sock.close()

    def _accept(
        self, start: Callable[[socket.socket, str], None], warn: Callable[[str], None]
    ) -> None:
        try:
            sock, peer = self._sock.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._wait_for_an_end(warn, f"cannot accept a connection: {error.strerror}")
            # everything else is the peer's: it went away while it waited in the queue
            return
        address = str(peer[0])
        if not self._take(address):
            sock.close()
            return
        try:
            start(sock, address)
        except RuntimeError as error:
            sock.close()
            self.give_back(address)
            self._wait_for_an_end(warn, str(error))

    def _wait_for_an_end(self, warn: Callable[[str], None], reason: str) -> None:
        """Let a connection end, or a second pass; each may be taken at once by the next."""
        if (now := time.monotonic()) >= self._next_warning:
            self._next_warning = now + 1.0
            warn(f"{reason}; waiting for one to end")
        with self._lock:
            standing = self._counts.total()
            self._lock.wait_for(lambda: self._counts.total() < standing, 1.0)

    def _take(self, address: str) -> bool:
        with self._lock:
            is_free = (
                self._counts.total() < self._caps.connections
                and self._counts[address] < self._caps.per_address
            )
            if is_free:
                self._counts[address] += 1
            return is_free

    def give_back(self, address: str) -> None:
        """Free the place of a connection that has ended."""
        with self._lock:
            self._counts[address] -= 1
            if not self._counts[address]:
                del self._counts[address]
            self._lock.notify_all()

    def _start(
        self, handle: Callable[[socket.socket, str], None], sock: socket.socket, address: str
    ) -> None:
        thread = threading.Thread(target=self._run, args=(handle, sock, address), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            raise RuntimeError("cannot start a thread for a connection") from None

    def _run(
        self, handle: Callable[[socket.socket, str], None], sock: socket.socket, address: str
    ) -> None:
        try:
            handle(sock, address)
        finally:
            sock.close()
            self.give_back(address)


def _allow_descriptors() -> None:
    """Ask for all the descriptors that this process may have; 1,024 are common at first.

    Those above are as good: nothing here uses select(2).
    """
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS refuses what its kernel cannot give, and then what was there is enough to begin
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _why_not(error: Exception) -> str:
    if isinstance(error, ValueError):
        return "not a host name; check the address"
    reason = str(getattr(error, "strerror", None) or error).lower()
    is_address = isinstance(error, socket.gaierror) or (
        isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL
    )
    advice = "check the address" if is_address else "choose another port or end what uses it"
    if isinstance(error, PermissionError):
        advice = "a port below 1024 needs root; choose one above, as 11112"
    return f"{reason}; {advice}"


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(1024)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
