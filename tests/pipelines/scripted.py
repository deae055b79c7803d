"""Peers for a sender that calls again: each connection has an act of its own; and what was sent."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scp import Provider, Settings
from pacs_cli.services.serving import StoreRequest
from pacs_cli.wire.association import Limits
from pacs_cli.wire.negotiation import prefer_in_order
from tests.support import EXPLICIT, IMPLICIT, MemoryHandler, MemorySink

#: What a peer does with one connection; `over` is set once the sender has given up.
Act = Callable[[socket.socket, threading.Event], None]


@dataclass
class Scripted:
    """A peer that plays its acts, one for each connection; the last one again and again.

    calls  connections so far
    """

    acts: Sequence[Act]
    calls: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listener: socket.socket) -> None:
        threads = []
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                break
            with self._lock:
                act = self.acts[min(self.calls, len(self.acts) - 1)]
                self.calls += 1
            threads.append(threading.Thread(target=self._play, args=(act, sock)))
            threads[-1].start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()

    def _play(self, act: Act, sock: socket.socket) -> None:
        with sock:
            sock.settimeout(10)
            try:
                act(sock, self.over)
            except OSError:
                # the sender ended it, which is what such tests are about
                return


@contextmanager
def scripted_peer(*acts: Act) -> Iterator[tuple[Scripted, Target]]:
    """Play the acts inside the block; the target has short timeouts."""
    peer = Scripted(acts)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=peer.serve, args=(listener,))
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield peer, Target("scripted", "127.0.0.1", port, timeouts=Timeouts(10, 10, 10, 10))
        finally:
            peer.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)
            assert not thread.is_alive()


class Recording(MemoryHandler):
    """Answers each object with what `answer` says: a status, or None to die on it.

    answered  SOP instance UID -> how often it was acknowledged with success or a warning
    begun     the same, how often it was begun to be sent
    """

    def __init__(self, answer: Callable[[str, int], int | None] = lambda uid, number: 0) -> None:
        super().__init__()
        self.answer = answer
        self.begun: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self._lock = threading.Lock()

    def open_store(self, request: StoreRequest) -> MemorySink:
        uid = request.affected_sop_instance_uid
        with self._lock:
            self.begun[uid] += 1
            status = self.answer(uid, self.begun[uid])
        if status is None:
            raise OSError("the peer dies")
        return _Sink(self, request, status)


class _Sink(MemorySink):
    def __init__(self, handler: Recording, request: StoreRequest, status: int) -> None:
        super().__init__(handler, request)
        self._status = status
        self._uid = request.affected_sop_instance_uid

    def finish(self):
        handler = self._handler
        handler.status = self._status
        with handler._lock:
            outcome = super().finish()
            if self._status == 0 or self._status & 0xF000 == 0xB000:
                handler.answered[self._uid] += 1
        return type(outcome)(self._status, "", outcome.size)


def serves(handler: MemoryHandler, limits: Limits | None = None) -> Act:
    """Be a real provider for this connection."""
    policy = prefer_in_order(None, (EXPLICIT, IMPLICIT))
    provider = Provider(Settings(policy, limits=limits or Limits()), handler, lambda event: None)

    def act(sock: socket.socket, over: threading.Event) -> None:
        provider.serve(sock, "127.0.0.1")

    return act
