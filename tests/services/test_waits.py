"""What one association waits for holds up no other: a disk, a fault, an index, its own peer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pacs_cli.net.target import Target
from pacs_cli.services.faults import parse_faults
from pacs_cli.services.query_scp import QueryRetrieve
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import QueryRefused, StoreOutcome, StoreRequest
from pacs_cli.wire.negotiation import VERIFICATION_SOP_CLASS, Proposal, number_contexts
from pacs_cli.wire.pdu import AssociateRequest
from tests.support import CT, EXPLICIT, MemoryHandler, MemorySink, running_provider

REQUEST = AssociateRequest(
    "PACS", "OTHER", number_contexts([Proposal(VERIFICATION_SOP_CLASS, (EXPLICIT,))])
).encode()
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


class Waiting(MemoryHandler):
    """A handler whose sinks wait in one of their calls until `go_on` is set."""

    def __init__(self, call: str) -> None:
        super().__init__()
        self.call = call
        self.waits, self.go_on = threading.Event(), threading.Event()

    def open_store(self, request: StoreRequest) -> MemorySink:
        self.wait("open")
        return _WaitingSink(self, request)

    def wait(self, call: str) -> None:
        if call == self.call:
            self.waits.set()
            assert self.go_on.wait(10)


class _WaitingSink(MemorySink):
    def write(self, views: object) -> None:
        self._handler.wait("write")
        super().write(views)

    def finish(self) -> StoreOutcome:
        self._handler.wait("finish")
        return super().finish()


def echo(target: Target) -> int:
    with Session(target, [Proposal(VERIFICATION_SOP_CLASS, (EXPLICIT,))]) as session:
        return session.echo(1).status


def store(target: Target, data: bytes) -> int:
    with Session(target, [Proposal(CT, (EXPLICIT,))]) as session:
        return session.store(1, CT, "1.2.3", (data,)).status


@contextmanager
def beside(work: threading.Thread) -> Iterator[None]:
    work.start()
    try:
        yield
    finally:
        work.join()


@pytest.mark.parametrize(
    ("call", "size", "handler_waits"),
    [
        ("open", 100, True),
        ("write", 100, True),
        ("finish", 100, True),
        # the archive without fsync: what copies much does not keep others from it
        ("write", 1_000_000, False),
    ],
)
def test_disk_of_one_association_holds_up_no_other(
    call: str, size: int, handler_waits: bool
) -> None:
    handler, data = Waiting(call), bytes(size)
    with running_provider(handler, handler_waits=handler_waits) as running:
        sender = threading.Thread(target=store, args=(running.target(), data))
        with beside(sender):
            assert handler.waits.wait(5)
            assert echo(running.target()) == 0
            handler.go_on.set()
    assert len(handler.stored) == 1


def test_delayed_answer_holds_up_no_other() -> None:
    # of the first two connections, the second waits to be accepted; the third does not
    with running_provider(faults=parse_faults(["delay-accept=60,every=2"])) as running:
        assert echo(running.target()) == 0
        with socket.create_connection(("127.0.0.1", running.listener.port)) as delayed:
            delayed.sendall(REQUEST)
            assert echo(running.target()) == 0


def test_query_holds_up_no_other() -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Slow:
        def negotiate(self, sop_class_uid: str, asked: bytes) -> bytes:
            return b""

        def find(self, *_: object) -> object:
            asked.set()
            assert go_on.wait(10)
            raise QueryRefused(0xC000, "refused")

    def find() -> None:
        with Session(running.target(), [Proposal(FIND, (EXPLICIT,))]) as session:
            statuses.extend(each.status for each in session.find(1, b""))

    statuses: list[int | None] = []
    with running_provider(queries=QueryRetrieve(Slow(), {})) as running:
        with beside(threading.Thread(target=find)):
            assert asked.wait(5)
            assert echo(running.target()) == 0
            go_on.set()
    assert statuses == [0xC000]
