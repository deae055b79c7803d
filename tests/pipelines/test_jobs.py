"""Several associations at once: all work is shared, none waits for another, all end together."""

from __future__ import annotations

import threading

import pytest

from pacs_cli.errors import Exit
from pacs_cli.services.serving import AssociationEnded, AssociationOpened, AssociationRefused
from tests.pipelines.scripted import Recording, scripted_peer, serves
from tests.pipelines.sendings import Run, exits, write
from tests.pipelines.test_retry import rejects
from tests.support import MemoryHandler, running_provider


def test_as_many_associations_as_jobs_send_at_once(tmp_path):
    together = threading.Barrier(4, timeout=10)

    class Together(MemoryHandler):
        def open_store(self, request):
            together.wait()
            return super().open_store(request)

    with running_provider(Together()) as running:
        results = Run(running.target(), jobs=4).send(*write(tmp_path, 4))
    assert exits(results) == [Exit.OK] * 4


def test_slow_association_holds_nothing_back(tmp_path):
    """One object takes as long as all the others together: those go over the other association."""
    others = threading.Semaphore(0)

    class Slow(MemoryHandler):
        def open_store(self, request):
            if request.affected_sop_instance_uid == "1.2.3.0":
                for _ in range(29):
                    assert others.acquire(timeout=10)
            else:
                others.release()
            return super().open_store(request)

    with running_provider(Slow()) as running:
        results = Run(running.target(), jobs=2).send(*write(tmp_path, 30))
    assert exits(results) == [Exit.OK] * 30


def test_no_association_is_opened_that_has_nothing_to_send(tmp_path):
    with running_provider() as running:
        Run(running.target(), jobs=16).send(*write(tmp_path, 2))
        running.wait_for(AssociationEnded)
        opened = [each for each in running.events if isinstance(each, AssociationOpened)]
    assert 1 <= len(opened) <= 2


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_more_than_128_kinds_go_over_rounds_of_associations(tmp_path, jobs):
    classes = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(1, 301)]
    with running_provider() as running:
        results = Run(running.target(), jobs=jobs).send(*write(tmp_path, 300, *classes))
        opened = [each for each in running.events if isinstance(each, AssociationOpened)]
    assert exits(results) == [Exit.OK] * 300
    assert {event.accepted for event in opened} == {128, 44}


def test_peer_that_takes_fewer_associations_is_sent_everything(tmp_path):
    class Waiting(MemoryHandler):
        def open_store(self, request):
            running.wait_for(AssociationRefused)
            return super().open_store(request)

    with running_provider(Waiting(), max_associations=1) as running:
        run = Run(running.target(), jobs=2)
        results = run.send(*write(tmp_path, 5))
    assert exits(results) == [Exit.OK] * 5
    (warning,) = run.warnings
    assert "local limit exceeded" in warning
    assert warning.endswith("1 of 2 associations were given up, the others sent what was left")


def test_every_worker_that_is_refused_is_one_reason_for_all(tmp_path):
    with scripted_peer(rejects(1, 1, 7)) as (peer, target):
        results = Run(target, jobs=3).send(*write(tmp_path, 7))
    assert exits(results) == [Exit.ASSOCIATION] * 7
    assert len({result.error for result in results}) == 1
    assert 1 <= peer.calls <= 3


def test_object_of_an_association_that_cannot_be_opened_again_goes_over_another(tmp_path):
    """One worker loses its association for good, after the other has long had nothing to do."""
    handler = Recording()
    lost = threading.Event()

    def dies(sock, over):
        def answer(uid: str, number: int) -> None:
            lost.set()

        serves(Recording(answer))(sock, over)

    with scripted_peer(dies, rejects(1, 1, 7), serves(handler)) as (_, target):
        results = Run(target, retries=3, jobs=1).send(*write(tmp_path, 1))
        assert exits(results) == [Exit.ASSOCIATION]
    with scripted_peer(serves(handler), dies, serves(handler)) as (_, target):
        results = Run(target, retries=3, jobs=2).send(*write(tmp_path, 6))
    assert exits(results) == [Exit.OK] * 6
    assert set(handler.answered.values()) == {1}


@pytest.mark.parametrize("jobs", [1, 3])
def test_nothing_is_sent_after_the_first_failure(tmp_path, jobs):
    def answer(uid: str, number: int) -> int:
        return 0xC000 if uid == "1.2.3.4" else 0

    handler = Recording(answer)
    with running_provider(handler) as running:
        run = Run(running.target(), jobs=jobs, stops_at_failure=True)
        results = run.send(*write(tmp_path, 400))
    by_exit = [result for result in results if result.exit is Exit.PEER_FAILED]
    (failed,) = [result for result in by_exit if result.status is not None]
    assert failed.path == str(tmp_path / "0004.dcm")
    rest = [result for result in by_exit if result.status is None]
    assert {result.error for result in rest} == {"not sent: stopped at the first failure"}
    # what was on its way on other associations is finished, and nothing begun after that
    assert len(results) == 400
    assert handler.begun.total() == 400 - len(rest)
    assert len(rest) > 200
    if jobs == 1:
        assert set(handler.begun) == {f"1.2.3.{n}" for n in range(5)}


def test_file_that_cannot_be_read_is_a_first_failure_too(tmp_path):
    paths = write(tmp_path, 5)
    paths[2].write_text("no DICOM")
    with running_provider() as running:
        results = Run(running.target(), stops_at_failure=True).send(*paths)
    assert exits(results) == [Exit.OK, Exit.OK, *[Exit.BAD_INPUT] * 3]
    assert len(running.handler.stored) == 2


def test_error_in_a_worker_is_the_error_of_the_run(tmp_path):
    class Broken(Exception):
        pass

    def trace(*_: object) -> None:
        raise Broken

    with running_provider(MemoryHandler()) as running:
        sending = Run(running.target(), jobs=3).sending(*write(tmp_path, 6))
        sending.observer = sending.observer._replace(trace=trace)
        with pytest.raises(Broken):
            sending.run(lambda sent: None)
