"""Real peers for the tests: a provider of ours in memory, and one that misbehaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from pacs_cli.net.listener import Caps, Listener
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.query_scp import QueryRetrieve
from pacs_cli.services.scp import Provider, Settings
from pacs_cli.services.serving import ProviderEvent, StoreOutcome, StoreRequest
from pacs_cli.wire.association import Limits
from pacs_cli.wire.negotiation import prefer_in_order

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


class MemorySink:
    """Keeps one object in memory."""

    def __init__(self, handler: MemoryHandler, request: StoreRequest) -> None:
        self._handler = handler
        self._request = request
        self._data = bytearray()

    def write(self, views: Sequence[memoryview]) -> None:
        for view in views:
            self._data += view

    def finish(self) -> StoreOutcome:
        self._handler.stored.append((self._request, bytes(self._data)))
        status = self._handler.status
        return StoreOutcome(status, self._handler.comment, len(self._data))

    def discard(self) -> None:
        self._handler.discarded += 1


class MemoryHandler:
    """A handler whose answer is set by the test."""

    def __init__(self, status: int = 0, comment: str = "") -> None:
        self.status = status
        self.comment = comment
        self.stored: list[tuple[StoreRequest, bytes]] = []
        self.discarded = 0

    def open_store(self, request: StoreRequest) -> MemorySink:
        return MemorySink(self, request)


class Running:
    """A provider that serves on a free port, with what it told."""

    def __init__(
        self,
        settings: Settings,
        handler: MemoryHandler,
        caps: Caps | None,
        queries: QueryRetrieve | None = None,
    ) -> None:
        self.handler = handler
        self.events: list[ProviderEvent] = []
        self._told = threading.Condition()
        self.provider = Provider(settings, handler, self._observe, queries)
        self.listener = Listener("127.0.0.1", 0, caps)
        self.warnings: list[str] = []
        self.thread = threading.Thread(
            target=self.listener.serve, args=(self.provider.serve, self.warnings.append)
        )

    def _observe(self, event: ProviderEvent) -> None:
        with self._told:
            self.events.append(event)
            self._told.notify_all()

    def wait_for(self, kind: type, count: int = 1) -> list[ProviderEvent]:
        """Return the events of one kind once there are `count` of them."""

        def found() -> list[ProviderEvent]:
            return [event for event in self.events if isinstance(event, kind)]

        with self._told:
            assert self._told.wait_for(lambda: len(found()) >= count, 10), self.events
            return found()

    def target(self, **changes: object) -> Target:
        """Return where to reach it, with short timeouts."""
        fields = {"timeouts": Timeouts(5, 5, 5), **changes}
        return Target("test", "127.0.0.1", self.listener.port, **fields)

    def stop(self) -> bool:
        """Drain and return whether every connection ended."""
        self.listener.stop()
        self.thread.join()
        self.listener.close()
        self.provider.drain()
        return self.listener.join(10)


@contextmanager
def running_provider(
    handler: MemoryHandler | None = None,
    limits: Limits | None = None,
    caps: Caps | None = None,
    abstract_syntaxes: frozenset[str] | None = None,
    syntaxes: Sequence[str] = (EXPLICIT, IMPLICIT),
    queries: QueryRetrieve | None = None,
    **settings: object,
) -> Iterator[Running]:
    """Serve on a free port inside the block."""
    policy = prefer_in_order(abstract_syntaxes, syntaxes)
    running = Running(
        Settings(policy, limits=limits or Limits(), **settings),
        handler or MemoryHandler(),
        caps,
        queries,
    )
    running.thread.start()
    try:
        yield running
    finally:
        assert running.stop()


@contextmanager
def misbehaving_peer(act: Callable[[socket.socket], None]) -> Iterator[Target]:
    """Accept one connection and let `act` do what it likes with it."""

    def serve() -> None:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        with sock:
            sock.settimeout(10)
            try:
                act(sock)
            except OSError:
                # the other side ended it, which is what such tests are about
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        yield Target("bad", "127.0.0.1", port, timeouts=Timeouts(2, 0.3, 0.3))
        thread.join()


def end_resource_tracker() -> None:
    """End what multiprocessing starts once and keeps: a child that is nobody's here."""
    from multiprocessing import resource_tracker

    if resource_tracker._resource_tracker._fd is not None:
        resource_tracker._resource_tracker._stop()
