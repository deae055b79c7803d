"""What is tried again and what is not: nothing is lost, nothing acknowledged is sent twice."""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from operator import attrgetter

import pytest

from pacs_cli.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectError,
    Exit,
    NoAcceptedContext,
    PeerProtocolError,
    PeerTimeout,
)
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.pipelines.retry import LONGEST_WAIT, Retry, Stop
from pacs_cli.services.serving import AssociationEnded
from pacs_cli.wire.pdu import Abort, AssociateReject
from tests.pipelines.scripted import Recording, scripted_peer, serves
from tests.pipelines.sendings import Run, exits, write
from tests.services.misbehaviour import EVERY_ONE, SECONDARY_CAPTURE, patient, resets
from tests.services.raw import read_pdu
from tests.support import CT, MR, running_provider


def rejects(result: int, source: int = 3, reason: int = 2):
    def act(sock: socket.socket, over: threading.Event) -> None:
        read_pdu(sock)
        sock.sendall(AssociateReject(result, source, reason).encode())
        read_pdu(sock)

    return act


def closes(sock: socket.socket, over: threading.Event) -> None:
    """Close the connection at once."""


def aborts(sock: socket.socket, over: threading.Event) -> None:
    read_pdu(sock)
    sock.sendall(Abort(0, 0).encode())
    read_pdu(sock)


# -- how long ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chance", "waits"), [(1.0, [0.5, 1.0, 2.0, 4.0]), (0.0, [0.25, 0.5, 1.0, 2.0])]
)
def test_waits_double_and_half_of_each_is_chance(chance, waits):
    retry = Retry(9, chance=lambda: chance)
    assert [retry.wait_before(attempt) for attempt in (1, 2, 3, 4)] == waits


def test_waits_are_bounded():
    assert Retry(9, chance=lambda: 1.0).wait_before(10_000) == LONGEST_WAIT
    assert Retry(9, first_wait=100.0, chance=lambda: 1.0).wait_before(3) == 100.0


def test_two_senders_do_not_come_back_together():
    waits = {Retry(9).wait_before(1) for _ in range(20)}
    assert len(waits) > 1
    assert all(0.25 <= wait <= 0.5 for wait in waits)


TRANSIENT = AssociationRejected("", 2, 3, 2)
PERMANENT = AssociationRejected("", 1, 1, 7)


@pytest.mark.parametrize(
    ("error", "has_stood", "has_worked", "worth", "worth_when_asked"),
    [
        (TRANSIENT, False, False, True, True),
        (PERMANENT, False, True, False, False),
        (ConnectError(""), False, False, False, True),
        (ConnectError(""), False, True, True, True),
        (PeerTimeout(""), False, False, False, True),
        (PeerTimeout(""), True, False, False, True),
        (PeerTimeout(""), True, True, True, True),
        (AssociationAborted(""), False, False, False, True),
        (AssociationAborted(""), True, False, True, True),
        (PeerProtocolError(""), False, True, False, False),
        (PeerProtocolError(""), True, False, True, True),
        (NoAcceptedContext(""), False, True, False, False),
    ],
)
def test_class_of_the_failure_decides(error, has_stood, has_worked, worth, worth_when_asked):
    assert Retry(3).is_worth_it(error, has_stood, has_worked) is worth
    assert Retry(3, is_asked=True).is_worth_it(error, has_stood, has_worked) is worth_when_asked
    assert not Retry(0, is_asked=True).is_worth_it(error, has_stood, has_worked)


# -- connecting ----------------------------------------------------------------------------------


@pytest.fixture
def nobody():
    """Where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return Target("nobody", "127.0.0.1", port, timeouts=Timeouts(5, 5, 5))


def test_connection_is_tried_as_often_as_asked_for(tmp_path, nobody):
    run = Run(nobody, retries=3, is_asked=True)
    results = run.send(*write(tmp_path, 2))
    assert exits(results) == [Exit.CONNECT] * 2
    assert run.waits == [0.5, 1.0, 2.0]
    assert all("connection refused" in each.error for each in results)
    assert all(each.error.endswith("(4 attempts)") for each in results)
    assert [each.rpartition("; ")[2] for each in run.warnings] == [
        "trying again in 0.5 s, 1 of 3",
        "trying again in 1.0 s, 2 of 3",
        "trying again in 2.0 s, 3 of 3",
    ]


def test_connection_is_tried_once_unless_asked_for(tmp_path, nobody):
    run = Run(nobody, retries=3)
    assert exits(run.send(*write(tmp_path, 2))) == [Exit.CONNECT] * 2
    assert run.waits == []


def test_peer_that_comes_up_meanwhile_is_sent_to(tmp_path, nobody):
    handler = Recording()
    peers = []

    def come_up() -> None:
        listener = socket.create_server(("127.0.0.1", nobody.port))
        thread = threading.Thread(target=lambda: serve(listener))
        thread.start()
        peers.append((listener, thread))

    def serve(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        with sock:
            serves(handler)(sock, threading.Event())

    run = Run(nobody, retries=1, is_asked=True, waited=come_up)
    results = run.send(*write(tmp_path, 3))
    ((listener, thread),) = peers
    thread.join(10)
    listener.close()
    assert exits(results) == [Exit.OK] * 3
    assert len(handler.stored) == 3


def test_transient_rejection_is_tried_again(tmp_path):
    handler = Recording()
    with scripted_peer(rejects(2), rejects(2), serves(handler)) as (peer, target):
        run = Run(target, retries=3)
        assert exits(run.send(*write(tmp_path, 2))) == [Exit.OK] * 2
    assert peer.calls == 3
    assert run.waits == [0.5, 1.0]


def test_permanent_rejection_is_not(tmp_path):
    with scripted_peer(rejects(1, 1, 7)) as (peer, target):
        run = Run(target, retries=3, is_asked=True)
        results = run.send(*write(tmp_path, 2))
    assert exits(results) == [Exit.ASSOCIATION] * 2
    assert (peer.calls, run.waits) == (1, [])


def test_transient_rejection_for_ever_ends(tmp_path):
    with scripted_peer(rejects(2)) as (peer, target):
        run = Run(target, retries=2)
        results = run.send(*write(tmp_path, 1))
    assert peer.calls == 3
    assert "local limit exceeded" in results[0].error


@pytest.mark.parametrize("act", [closes, aborts, resets])
def test_call_that_is_cut_short_is_tried_again_when_asked_for(tmp_path, act):
    handler = Recording()
    for is_asked, expected in ((False, Exit.ASSOCIATION), (True, Exit.OK)):
        with scripted_peer(act, serves(handler)) as (_, target):
            run = Run(target, retries=1, is_asked=is_asked)
            assert exits(run.send(*write(tmp_path, 1))) == [expected]


# -- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0xA700, 0xA701, 0xA7FF])
def test_object_refused_for_want_of_resources_is_sent_again_after_the_others(tmp_path, status):
    handler = Recording(lambda uid, number: status if uid == "1.2.3.0" and number < 3 else 0)
    with running_provider(handler) as running:
        run = Run(running.target(), retries=3)
        results = run.send(*write(tmp_path, 3))
        running.wait_for(AssociationEnded, 3)
    assert exits(results) == [Exit.OK] * 3
    assert [result.attempts for result in results] == [1, 1, 3]
    assert handler.begun == {"1.2.3.0": 3, "1.2.3.1": 1, "1.2.3.2": 1}
    assert run.waits == [0.5, 1.0]
    assert run.warnings == []
    assert "objects refused for want of resources: 1; sent again in 0.5 s, 1 of 3" in run.notes[0]


def test_object_that_stays_refused_is_told_once_with_the_number_of_attempts(tmp_path):
    with running_provider(Recording(lambda uid, number: 0xA700)) as running:
        run = Run(running.target(), retries=2)
        results = run.send(*write(tmp_path, 2))
    assert exits(results) == [Exit.PEER_FAILED] * 2
    assert all("was not stored in 3 attempts: A700H" in result.error for result in results)
    assert run.waits == [0.5, 1.0]


@pytest.mark.parametrize(
    "status", [0xA800, 0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0122, 0x0124, 0x0110, 0x0111, 0x0213]
)
def test_every_other_failure_is_final(tmp_path, status):
    handler = Recording(lambda uid, number: status)
    with running_provider(handler) as running:
        run = Run(running.target(), retries=3, is_asked=True)
        (result,) = run.send(*write(tmp_path, 1))
    assert (result.status, result.attempts, run.waits) == (status, 1, [])
    assert handler.begun == {"1.2.3.0": 1}


# -- associations that are lost ------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_sending_goes_on_where_the_association_was_lost(tmp_path, jobs):
    handler = Recording(lambda uid, number: None if uid == "1.2.3.4" and number == 1 else 0)
    with running_provider(handler) as running:
        run = Run(running.target(), retries=1, jobs=jobs)
        results = run.send(*write(tmp_path, 9))
    assert exits(results) == [Exit.OK] * 9
    assert handler.begun == {f"1.2.3.{n}": 2 if n == 4 else 1 for n in range(9)}
    assert set(handler.answered.values()) == {1}
    assert {result.path: result.attempts for result in results}[str(tmp_path / "0004.dcm")] == 2
    assert len(run.warnings) == 1


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("victims", [{0}, {4}, {8}, {0, 4, 8}])
def test_object_on_which_the_peer_dies_twice_is_isolated(tmp_path, jobs, victims):
    uids = {f"1.2.3.{n}" for n in victims}
    handler = Recording(lambda uid, number: None if uid in uids else 0)
    with running_provider(handler) as running:
        results = Run(running.target(), retries=3, jobs=jobs).send(*write(tmp_path, 9))
    failed = {result.path: result for result in results if result.error}
    assert set(failed) == {str(tmp_path / f"{n:04}.dcm") for n in victims}
    for result in failed.values():
        assert (result.exit, result.status, result.attempts) == (Exit.ASSOCIATION, None, 2)
        assert "the association was lost on it twice" in result.error
    assert all(handler.begun[uid] == 2 for uid in uids)
    assert sum(handler.answered.values()) == 9 - len(victims)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_peer_that_dies_on_everything_is_given_up(tmp_path, retries):
    handler = Recording(lambda uid, number: None)
    with running_provider(handler) as running:
        run = Run(running.target(), retries=retries)
        results = run.send(*write(tmp_path, 20))
    assert exits(results) == [Exit.ASSOCIATION] * 20
    # each object that is isolated costs one of the retries
    assert len(run.waits) == retries
    assert handler.begun.total() == 2 * retries + 1


def test_nothing_is_tried_again_when_nothing_is_to_be(tmp_path):
    handler = Recording(lambda uid, number: None if uid == "1.2.3.1" else 0)
    with running_provider(handler) as running:
        run = Run(running.target(), retries=0, is_asked=True)
        results = run.send(*write(tmp_path, 3))
    assert exits(results) == [Exit.OK, Exit.ASSOCIATION, Exit.ASSOCIATION]
    assert len({result.error for result in results[1:]}) == 1
    assert handler.begun == {"1.2.3.0": 1, "1.2.3.1": 1}


def test_peer_that_does_not_answer_is_waited_for_again_only_once_it_has_worked(tmp_path):
    release = threading.Event()

    def answer(uid: str, number: int) -> int:
        if uid == "1.2.3.1" and number == 1:
            release.wait(10)
        return 0

    for first, expected in ((0, Exit.OK), (1, Exit.ASSOCIATION)):
        release.clear()
        with running_provider(Recording(answer)) as running:
            run = Run(patient(running.target(), dimse=0.2), retries=1, waited=release.set)
            results = run.send(*write(tmp_path, 3)[first:])
            release.set()
        assert exits(results) == [expected] * (3 - first)


def test_file_that_vanishes_before_the_second_attempt_costs_itself_only(tmp_path):
    paths = write(tmp_path, 3)
    handler = Recording(lambda uid, number: None if uid == "1.2.3.1" else 0)
    with running_provider(handler) as running:
        results = Run(running.target(), retries=1, waited=paths[1].unlink).send(*paths)
    assert exits(results) == [Exit.OK, Exit.BAD_INPUT, Exit.OK]
    assert results[1].attempts == 1


@pytest.mark.parametrize("peer", EVERY_ONE, ids=attrgetter("name"))
def test_peer_that_misbehaves_once_is_sent_the_rest_the_second_time(tmp_path, peer):
    """Unless it was the call itself that it answered in a way that will not change."""
    handler = Recording()
    with scripted_peer(peer.act, serves(handler)) as (scripted, target):
        run = Run(peer.target(target), retries=1, is_asked=True)
        paths = write(tmp_path, 3, CT, MR, SECONDARY_CAPTURE, size=peer.size)
        results = run.send(*paths)
        scripted.over.set()
    is_hopeless = run.opened == 0
    assert exits(results) == [peer.error.exit if is_hopeless else Exit.OK] * 3
    assert handler.answered == ({} if is_hopeless else {f"1.2.3.{n}": 1 for n in range(3)})


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_peer_does_results_are_what_it_acknowledged(tmp_path, seed, jobs):
    draw = random.Random(seed)
    lock = threading.Lock()

    def answer(uid: str, number: int) -> int | None:
        with lock:
            return draw.choice([0] * 12 + [None, None, 0xA700, 0xB000, 0xC000, 0x0122])

    handler = Recording(answer)
    with running_provider(handler) as running:
        run = Run(running.target(), retries=2, jobs=jobs)
        results = run.send(*write(tmp_path, 40))
    assert Counter(result.path for result in results) == {
        str(tmp_path / f"{n:04}.dcm"): 1 for n in range(40)
    }
    stored = {r.item.header.sop_instance_uid for r in results if r.error is None}
    assert stored == set(handler.answered)
    assert set(handler.answered.values()) <= {1}
    for result in results:
        assert result.attempts == handler.begun[result.item.header.sop_instance_uid]
        assert result.attempts <= 5


# -- waits that end ------------------------------------------------------------------------------


def test_wait_can_be_interrupted(tmp_path, nobody):
    def interrupt() -> None:
        raise KeyboardInterrupt

    run = Run(nobody, retries=3, is_asked=True, waited=interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.send(*write(tmp_path, 2))
    assert len(run.waits) == 1


def test_stop_ends_waits_of_other_threads():
    stop = Stop()
    thread = threading.Thread(target=stop.wait, args=(600,))
    thread.start()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert stop.is_set
