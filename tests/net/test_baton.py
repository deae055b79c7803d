"""The baton: one thread at a time, but for those that wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pacs_cli.net.baton import Baton


def test_one_thread_at_a_time_has_it() -> None:
    baton, inside, most = Baton(), 0, 0
    start = threading.Barrier(8)

    def work() -> None:
        nonlocal inside, most
        start.wait()
        for _ in range(200):
            with baton:
                inside += 1
                most = max(most, inside)
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work) for _ in range(8)]:
            done.result()
    assert most == 1


def test_others_work_while_it_is_put_down() -> None:
    baton, worked = Baton(), threading.Event()

    def work() -> None:
        with baton:
            worked.set()

    with ThreadPoolExecutor(1) as pool, baton:
        done = pool.submit(work)
        assert not worked.wait(0.05)
        with baton.rest():
            assert worked.wait(5)
            done.result()


def test_rest_inside_a_rest_and_without_it_changes_nothing() -> None:
    baton = Baton()
    with baton.rest():
        pass
    with baton:
        with baton.rest(), baton.rest(), baton:
            pass
        assert not baton._lock.acquire(blocking=False)
    assert baton._lock.acquire(blocking=False)


def test_it_is_taken_up_again_after_an_exception() -> None:
    baton = Baton()
    with baton, pytest.raises(OSError, match="lost"):
        with baton.rest():
            raise OSError("lost")
    with baton:
        pass
