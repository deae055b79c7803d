"""`pacs storescu` against peers that do what they should not: told in one line, never believed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from operator import attrgetter

import pytest

from pacs_cli.errors import Exit, PeerTimeout
from pacs_cli.net.target import Timeouts
from pacs_cli.wire.command import decode_command
from pacs_cli.wire.pdu import RELEASE_RP, RELEASE_RQ, decode_associate_rq
from tests.pipelines.scripted import Recording, scripted_peer, serves
from tests.pipelines.sendings import write
from tests.services.misbehaviour import (
    EVERY_ONE,
    LARGE,
    SECONDARY_CAPTURE,
    acceptance,
    read_all,
    read_message,
)
from tests.services.raw import data, read_pdu, stored
from tests.support import CT, EXPLICIT, MR, MemoryHandler, running_provider
from tests.writing import write_object

#: With files of one class these make the three contexts that the acts answer; all go over the
#: first, and the third is refused.
CONTEXTS = ("--propose", f"{MR}={EXPLICIT}", "--propose", f"{SECONDARY_CAPTURE}={EXPLICIT}")


@pytest.fixture
def send(pacs, monkeypatch, tmp_path):
    """Send so many files to a peer that acts like this, with the one short timeout that it is to
    wait out."""

    def run(peer, target, count, *arguments):
        limits = {"acse": 10.0, "dimse": 10.0, "write": 10.0}
        if peer.error is PeerTimeout:
            limits[peer.timeout] = 0.15
        monkeypatch.setattr(
            "pacs_cli.options.Timeouts", lambda *times: Timeouts(*times, limits["write"])
        )
        paths = write(tmp_path, count)
        for path in paths:
            write_object(path, CT, f"1.2.3.{path.stem}", bytes(peer.size))
        times = ("-to", 10, "-ta", limits["acse"], "-td", limits["dimse"])
        return pacs("storescu", "127.0.0.1", target.port, *paths, *CONTEXTS, *times, *arguments)

    return run


def nothing_was_stored(result, peer, count) -> bool:
    """Check everything that a run promises in which nothing was acknowledged."""
    assert result.exit == peer.error.exit
    assert "Traceback" not in result.stderr
    outcomes = [line["outcome"] for line in result.json if line["type"] == "file"]
    assert outcomes == ["not sent"] * count
    summary = result.json[-1]
    assert (summary["type"], summary["stored"], summary["failed"]) == ("summary", 0, count)
    return True


def test_there_are_forty_kinds():
    assert len(EVERY_ONE) >= 40


@pytest.mark.parametrize("peer", EVERY_ONE, ids=attrgetter("name"))
def test_peer_that_misbehaves_is_told_in_one_line(send, peer):
    with scripted_peer(peer.act) as (scripted, target):
        result = send(peer, target, 3, "--retries", 0, "--json")
        scripted.over.set()
    assert nothing_was_stored(result, peer, 3)
    (line,) = result.stderr.splitlines()
    assert peer.words in line
    assert scripted.calls == 1


@pytest.mark.parametrize("peer", EVERY_ONE, ids=attrgetter("name"))
def test_peer_that_misbehaves_on_every_association_is_given_up(send, peer):
    with scripted_peer(peer.act) as (scripted, target):
        result = send(peer, target, 2, "--retries", 0, "--jobs", 2, "--json")
        scripted.over.set()
    assert nothing_was_stored(result, peer, 2)
    assert all(peer.words in line for line in result.stderr.splitlines())
    assert 1 <= scripted.calls <= 2


@pytest.mark.parametrize("peer", EVERY_ONE, ids=attrgetter("name"))
def test_peer_that_misbehaves_every_time_is_given_up(send, peer):
    with scripted_peer(peer.act) as (scripted, target):
        result = send(peer, target, 3, "--retries", 1, "--retry-wait", 0.001, "--json")
        scripted.over.set()
    assert nothing_was_stored(result, peer, 3)
    # one object twice, another once
    assert 1 <= scripted.calls <= 3
    told = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert len(told) <= 1


@pytest.mark.parametrize("status", [0x0110, 0x0122, 0x0124, 0xA700, 0xA900, 0xC000, 0xFE00, 0xFFFF])
def test_every_failure_status_is_a_failure_with_its_words(pacs, tmp_path, status):
    with running_provider(MemoryHandler(status, "a remark")) as running:
        arguments = (*write(tmp_path, 3), "--retry-wait", 0.001, "--json")
        result = pacs("storescu", "127.0.0.1", running.listener.port, *arguments)
    assert result.exit == Exit.PEER_FAILED
    assert f"{status:04X}H" in result.stderr
    assert "(a remark)" in result.stderr
    assert result.json[-1]["stored"] == 0


# -- what is on the wire -------------------------------------------------------------------------


class Attentive:
    """A peer that accepts, answers two objects and remembers what it read."""

    def __init__(self, maximum: int = 16384) -> None:
        self.maximum = maximum
        self.request = b""
        self.messages: list[list[bytes]] = []

    def __call__(self, sock: socket.socket, over: threading.Event) -> None:
        self.request = read_pdu(sock)
        sock.sendall(acceptance(self.maximum))
        for number in (1, 2):
            self.messages.append(read_message(sock))
            if self.messages[-1][-1][11] & 1:
                # that was the command, and its data set follows
                self.messages[-1] += read_message(sock)
            sock.sendall(data(1, 3, stored(number)))
        assert read_pdu(sock) == RELEASE_RQ
        sock.sendall(RELEASE_RP)
        read_all(sock)


@pytest.fixture
def attend(pacs, tmp_path):
    """Send two files to an attentive peer; return it."""

    def run(*arguments, maximum=16384, size=64):
        peer = Attentive(maximum)
        paths = [
            write_object(tmp_path / f"{n}.dcm", CT, f"1.2.3.{n}", bytes(size)) for n in range(2)
        ]
        with scripted_peer(peer) as (_, target):
            result = pacs("storescu", "127.0.0.1", target.port, *paths, *CONTEXTS, *arguments)
        assert result.exit == 0, result.stderr
        return peer

    return run


@pytest.mark.parametrize(("word", "number"), [("low", 2), ("medium", 0), ("high", 1), (None, 0)])
def test_priority_is_in_every_request(attend, word, number):
    peer = attend(*(["--priority", word] if word else []))
    commands = [decode_command(pdus[0][12:]) for pdus in peer.messages]
    assert [command["Priority"] for command in commands] == [number] * 2


@pytest.mark.parametrize("maximum", [128, 129, 16384, 0, 2**32 - 1])
def test_our_maximum_is_announced_as_typed(attend, maximum):
    request = decode_associate_rq(memoryview(attend("--max-pdu", maximum).request)[6:])
    assert request.user_information.maximum_length == maximum


@pytest.mark.parametrize(("length", "fits"), [(128, True), (130, False)])
def test_our_maximum_is_enforced_exactly(pacs, tmp_path, length, fits):
    shortest = data(1, 3, stored(1, 0xC000, ErrorComment=""))
    comment = "x" * (length - (len(shortest) - 6))
    answer = data(1, 3, stored(1, 0xC000, ErrorComment=comment))
    assert len(answer) - 6 == length

    def act(sock: socket.socket, over: threading.Event) -> None:
        read_pdu(sock)
        sock.sendall(acceptance())
        read_message(sock)
        sock.sendall(answer)
        if read_pdu(sock) == RELEASE_RQ:
            sock.sendall(RELEASE_RP)

    (path,) = write(tmp_path, 1)
    with scripted_peer(act) as (_, target):
        arguments = (*CONTEXTS, "--max-pdu", 128, "--retries", 0)
        result = pacs("storescu", "127.0.0.1", target.port, path, *arguments)
    words = f"({comment})" if fits else f"P_DATA_TF PDU of {length} bytes, the limit is 128"
    assert words in result.stderr.splitlines()[0]


@pytest.mark.parametrize("maximum", [128, 129, 16384, 0, 2**32 - 1])
def test_maximum_of_the_peer_is_honoured_exactly(attend, maximum):
    peer = attend(maximum=maximum, size=300_000)
    lengths = [len(pdu) - 6 for pdus in peer.messages for pdu in pdus]
    limit = maximum or 2**32 - 1
    assert max(lengths) <= limit
    # as much as fits, in an even number of bytes
    assert max(lengths) >= min(limit & ~1, 256 * 1024)


# -- Ctrl-C --------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
def test_ctrl_c_aborts_all_and_shows_what_was_done(tmp_path, jobs):
    """Ten objects are stored; then every association waits for an answer that does not come."""
    waiting, may_finish = threading.Semaphore(0), threading.Event()

    def answer(uid: str, number: int) -> int:
        return 0

    class Thinking(Recording):
        def open_store(self, request):
            if int(request.affected_sop_instance_uid.rpartition(".")[2]) >= 10:
                waiting.release()
                may_finish.wait(20)
            return super().open_store(request)

    handler = Thinking(answer)
    write(tmp_path, 40)
    with running_provider(handler) as running:
        command = ["storescu", "127.0.0.1", str(running.listener.port), str(tmp_path)]
        more = ["--jobs", str(jobs), "--report", str(tmp_path / "sent.csv")]
        with subprocess.Popen(
            [sys.executable, "-m", "pacs_cli", *command, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for _ in range(jobs):
                assert waiting.acquire(timeout=20)
            os.kill(process.pid, signal.SIGINT)
            stdout, stderr = process.communicate(timeout=10)
            may_finish.set()
    assert process.returncode == Exit.INTERRUPTED
    assert stderr.splitlines() == ["pacs storescu: interrupted"]
    assert stdout.startswith("stored 10, failed 0; ")
    assert (tmp_path / "sent.csv").read_text().count(",stored,") == 10


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("is_accepted", [False, True], ids=["says nothing", "stops reading"])
def test_ctrl_c_ends_every_wait(tmp_path, jobs, is_accepted):
    """Before the association stands, and while the peer does not read."""
    called = threading.Semaphore(0)

    def peer(sock: socket.socket, over: threading.Event) -> None:
        read_pdu(sock)
        if is_accepted:
            sock.sendall(acceptance())
            sock.recv(1000)
        called.release()
        over.wait(20)

    paths = [write_object(tmp_path / str(n), CT, f"1.2.3.{n}", bytes(LARGE)) for n in range(jobs)]
    with scripted_peer(peer) as (scripted, target):
        command = ["storescu", "127.0.0.1", str(target.port), *map(str, paths), *CONTEXTS]
        with subprocess.Popen(
            [sys.executable, "-m", "pacs_cli", *command, "--jobs", str(jobs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for _ in range(jobs):
                assert called.acquire(timeout=10)
            os.kill(process.pid, signal.SIGINT)
            # without it an association is waited for 30 s, an answer 60 s
            stdout, stderr = process.communicate(timeout=15)
        scripted.over.set()
    assert process.returncode == Exit.INTERRUPTED
    assert stderr == "pacs storescu: interrupted\n"
    assert stdout.startswith("stored 0, failed 0; ")


def test_ctrl_c_while_waiting_to_try_again(tmp_path):
    (path,) = write(tmp_path, 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [
        "storescu",
        "127.0.0.1",
        str(port),
        str(path),
        "--retries",
        "9",
        "--retry-wait",
        "60",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "pacs_cli", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        first = process.stderr.readline()
        os.kill(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=10)
    assert process.returncode == Exit.INTERRUPTED
    assert "trying again in" in first
    assert stderr == "pacs storescu: interrupted\n"
    assert stdout.startswith("stored 0, failed 0; ")


def test_peer_that_is_slow_for_one_association_is_served_by_the_others(pacs, tmp_path):
    others = threading.Semaphore(0)

    class Slow(MemoryHandler):
        def open_store(self, request):
            if request.affected_sop_instance_uid == "1.2.3.0":
                for _ in range(11):
                    assert others.acquire(timeout=10)
            else:
                others.release()
            return super().open_store(request)

    write(tmp_path, 12)
    with scripted_peer(serves(Slow())) as (_, target):
        result = pacs("storescu", "127.0.0.1", target.port, tmp_path, "--jobs", 2)
    assert result.exit == 0
