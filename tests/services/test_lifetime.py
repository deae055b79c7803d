"""How long a peer may hold what it has of a provider, and what is left when it goes or we do."""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from pacs_cli.net.target import Target
from pacs_cli.services.serving import AssociationEnded, AssociationOpened, InstanceReceived
from pacs_cli.wire.association import Limits
from pacs_cli.wire.pdu import RELEASE_RP, RELEASE_RQ, Abort, AssociateReject
from tests.services import raw
from tests.services.raw import (
    associated,
    connected,
    data,
    echo,
    echo_works,
    read_pdu,
    read_response,
    request,
    serving,
    store,
)
from tests.support import CT, MemoryHandler
from tests.writing import dataset

OBJECT = bytes(range(251)) * 3
OPEN = data(3, 3, store()) + data(3, 0, b"part")


# -- time ----------------------------------------------------------------------------------------


def dribbled(sock: socket.socket, whole: bytes) -> bytes:
    """Write a byte every 20 ms until the other side has something to say; return what."""
    for byte in whole:
        if select.select([sock], [], [], 0.02)[0]:
            return read_pdu(sock)
        sock.sendall(bytes((byte,)))
    raise AssertionError("all of it was taken")


def test_request_that_dribbles_costs_one_total_deadline():
    with serving(limits=Limits(request=0.2)) as running, connected(running.target()) as sock:
        assert dribbled(sock, request()) == b""
        ended = running.wait_for(AssociationEnded)[0]
        assert (ended.how, "within 0.2 s" in ended.error) == ("timeout", True)


def test_pdu_that_dribbles_costs_one_total_deadline():
    with serving(limits=Limits(pdu=0.2)) as running, associated(running.target()) as sock:
        assert dribbled(sock, data(3, 3, store())) == Abort(2, 0).encode()
        assert running.wait_for(AssociationEnded)[0].how == "timeout"
        assert echo_works(running)


def test_object_that_stops_midway_is_discarded_at_its_deadline():
    with serving(limits=Limits(idle=0.5)) as running, associated(running.target()) as sock:
        sock.sendall(OPEN)
        assert read_pdu(sock) == Abort(2, 0).encode()
        running.wait_for(AssociationEnded)
    assert (running.handler.stored, running.handler.discarded) == ([], 1)


def test_peer_that_does_not_read_its_answers_costs_the_write_timeout():
    """Each request of 16 KB has an answer of 16 KB, until every buffer between us is full."""
    ask = data(3, 3, store(uid="1" * 16000)) + data(3, 2)
    with serving(write_timeout=0.2) as running, associated(running.target()) as sock:
        with pytest.raises(OSError):  # noqa: PT011 - reset or broken pipe, as the system likes
            while True:
                sock.sendall(ask)
        ended = running.wait_for(AssociationEnded)[0]
        assert (ended.how, "did not read" in ended.error) == ("timeout", True)
        assert echo_works(running)


# -- ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", OPEN, data(3, 3, store()), b"\x04\0"])
@pytest.mark.parametrize("end", [raw.reset, socket.socket.close])
def test_abrupt_close_frees_the_place_at_once(sent, end):
    with serving() as running:
        with associated(running.target()) as sock:
            sock.sendall(sent)
            end(sock)
            ended = running.wait_for(AssociationEnded)[0]
        assert ended.how == "closed"
        assert echo_works(running)
    assert running.handler.stored == []
    assert running.handler.discarded == sent.startswith(data(3, 3, store()))


def test_object_that_is_aborted_midway_is_discarded():
    with serving() as running, associated(running.target()) as sock:
        sock.sendall(OPEN + Abort(0, 0).encode())
        assert sock.recv(1) == b""
        assert running.wait_for(AssociationEnded)[0].how == "aborted"
        assert echo_works(running)
    assert (running.handler.stored, running.handler.discarded) == ([], 1)


def test_connections_reset_at_once_are_survived():
    with serving() as running:
        for _ in range(20):
            with connected(running.target()) as sock:
                raw.reset(sock)
        assert echo_works(running)


class Pausing(MemoryHandler):
    """A handler that waits at one point of a store until it is told to go on."""

    def __init__(self, point: str) -> None:
        super().__init__()
        self.point = point
        self.is_there, self.may_go_on = threading.Event(), threading.Event()

    def open_store(self, request):
        self.pause("open")
        sink = super().open_store(request)
        finish = sink.finish
        sink.finish = lambda: (self.pause("finish"), finish())[1]
        return sink

    def pause(self, point: str) -> None:
        if point == self.point:
            self.is_there.set()
            assert self.may_go_on.wait(10)


def test_object_kept_from_a_peer_that_has_gone_is_told_of():
    handler = Pausing("finish")
    with serving(handler) as running:
        with associated(running.target()) as sock:
            sock.sendall(data(3, 3, store()) + data(3, 2, OBJECT) + data(1, 3, echo()))
            assert handler.is_there.wait(10)
            raw.reset(sock)
        handler.may_go_on.set()
        ended = running.wait_for(AssociationEnded)[0]
        assert ended.stored == len(running.wait_for(InstanceReceived)) == 1


def test_flood_over_the_limit_is_rejected_for_now_and_places_return():
    with serving(max_associations=4) as running, ExitStack() as stack:
        socks = [stack.enter_context(connected(running.target())) for _ in range(40)]
        for sock in socks:
            sock.sendall(request())
        answers = [read_pdu(sock) for sock in socks]
        rejected = AssociateReject(2, 3, 2).encode()
        assert answers.count(rejected) == 36
        for sock, answer in zip(socks, answers, strict=True):
            if answer != rejected:
                sock.sendall(RELEASE_RQ)
                assert read_pdu(sock) == RELEASE_RP
        assert len(running.wait_for(AssociationOpened)) == 4
        running.wait_for(AssociationEnded, 4)
        assert echo_works(running)


def test_descriptors_above_1023_are_as_good_as_others_beside_idle_connections():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip(f"only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    try:
        with serving(max_associations=2) as running, ExitStack() as stack:
            for _ in range(1024):
                stack.callback(os.close, os.dup(0))
            idle = [stack.enter_context(connected(running.target())) for _ in range(100)]
            with associated(running.target()) as sock:
                assert sock.fileno() > 1023
                sock.sendall(data(3, 3, store()) + data(3, 2, OBJECT))
                assert read_response(sock).status == 0
            idle[0].sendall(request())
            assert read_pdu(idle[0])[:1] == b"\x02"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


NARROW = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from pacs_cli import cli
sys.exit(cli.main(sys.argv[1:]))
"""


def test_receiver_out_of_descriptors_says_so_once_a_second_and_recovers(tmp_path):
    program = (sys.executable, "-c", NARROW, "storescp", "0", "--out", tmp_path / "a", "--json")
    with (
        subprocess.Popen(program, stdout=-1, stderr=-1, text=True) as process,
        ExitStack() as stack,
    ):
        try:
            port = json.loads(process.stdout.readline())["port"]
            target = Target("narrow", "127.0.0.1", port)
            socks = [stack.enter_context(connected(target)) for _ in range(80)]
            began = time.monotonic()
            assert "Too many open files" in process.stderr.readline()
            for sock in socks:
                sock.close()
            with associated(target) as sock:
                sock.sendall(data(3, 3, store(uid="1.2.3.1")) + data(3, 2, dataset(CT, "1.2.3.1")))
                assert read_response(sock).status == 0
        finally:
            process.terminate()
        warnings = process.stderr.read().count("Too many open files")
        assert warnings <= time.monotonic() - began + 1
    assert process.returncode == 0


# -- the end of the provider ---------------------------------------------------------------------


@pytest.mark.parametrize("point", ["open", "finish"])
def test_drain_finishes_and_answers_the_object_that_has_begun(point):
    """However early: the archive may still be opening the file of it."""
    handler = Pausing(point)
    with serving(handler) as running, associated(running.target()) as sock:
        first, rest = data(3, 3, store()) + data(3, 0, OBJECT), data(3, 2, OBJECT)
        sock.sendall(first if point == "open" else first + rest)
        assert handler.is_there.wait(10)
        running.provider.drain()
        handler.may_go_on.set()
        if point == "open":
            sock.sendall(rest)
        assert read_response(sock).status == 0
        assert read_pdu(sock) == Abort(2, 0).encode()
        ended = running.wait_for(AssociationEnded)[0]
        assert (ended.how, ended.stored) == ("shut down", 1)
    assert [whole for _, whole in running.handler.stored] == [OBJECT * 2]


def test_drain_waits_for_the_rest_of_an_object_no_longer_than_its_deadline():
    handler = Pausing("open")
    with serving(handler, limits=Limits(idle=0.5)) as running:
        with associated(running.target()) as sock:
            sock.sendall(OPEN)
            assert handler.is_there.wait(10)
            running.provider.drain()
            handler.may_go_on.set()
            assert read_pdu(sock) == Abort(2, 0).encode()
            assert running.wait_for(AssociationEnded)[0].how == "timeout"
    assert (handler.stored, handler.discarded) == ([], 1)


def test_drain_ends_connections_that_have_said_nothing_and_those_that_come_after():
    with serving() as running, connected(running.target()) as before:
        with associated(running.target()) as idle:
            running.provider.drain()
            assert before.recv(1) == b""
            assert read_pdu(idle) == Abort(2, 0).encode()
        # accepted before the listener closed, its thread runs only now
        with connected(running.target()) as after:
            assert after.recv(1) == b""


def test_request_that_has_arrived_before_the_drain_is_rejected_for_now():
    with serving() as running, ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            peer = stack.enter_context(socket.create_connection(listener.getsockname(), 10))
            accepted = stack.enter_context(listener.accept()[0])
        peer.sendall(request())
        peer.shutdown(socket.SHUT_WR)
        assert select.select([accepted], [], [], 10)[0]
        running.provider.drain()
        running.provider.serve(accepted, "127.0.0.1")
        assert read_pdu(peer) == AssociateReject(2, 3, 2).encode()
