"""Work shared among processes: in order, without leftovers, whatever becomes of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from pacs_cli.pipelines.crew import Crew


def squares(numbers):
    return [(number * number, os.getpid()) for number in numbers]


def dies_of_seven(numbers):
    """Ends its process at 7, but only another than that of the test."""
    if 7 in numbers and os.getpid() != int(os.environ["PID_OF_TEST"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return squares(numbers)


def run(crew, batches):
    return list(crew.run(batches, lambda batch: batch))


BATCHES = [[number, number + 1] for number in range(0, 40, 2)]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_results_come_in_the_order_of_the_batches(count):
    results = run(Crew(squares, count), BATCHES)
    assert [batch for batch, _ in results] == BATCHES
    assert [value for _, result in results for value, _ in result] == [n * n for n in range(40)]
    pids = {pid for _, result in results for _, pid in result}
    assert len(pids) == count
    assert (os.getpid() in pids) == (count == 1)


def test_first_batches_are_done_here():
    results = run(Crew(squares, 2, after=3), BATCHES)
    here = [batch for batch, result in results if result[0][1] == os.getpid()]
    assert here == BATCHES[:3]


def test_batches_are_not_fetched_far_ahead():
    fetched = []

    def batches():
        for each in BATCHES:
            fetched.append(each)
            yield each

    results = Crew(squares, 2).run(batches(), lambda batch: batch)
    next(results)
    assert len(fetched) == 4
    results.close()


def test_process_that_dies_costs_nothing_but_time(monkeypatch):
    monkeypatch.setenv("PID_OF_TEST", str(os.getpid()))
    results = run(Crew(dies_of_seven, 2), BATCHES)
    assert [value for _, result in results for value, _ in result] == [n * n for n in range(40)]


def test_processes_are_started_anew_where_threads_run():
    """A copy of a process with threads may hang on a lock of theirs.

    In a process of its own: multiprocessing leaves a tracker behind until its process ends.
    """
    program = """
import multiprocessing, threading
from pacs_cli.pipelines.crew import Crew
from tests.pipelines.test_crew import squares

may_end = threading.Event()
thread = threading.Thread(target=may_end.wait)
thread.start()
multiprocessing.get_context("fork").Process = None
results = Crew(squares, 2).run(([n] for n in range(8)), lambda batch: batch)
print([result[0][0] for _, result in results])
may_end.set()
thread.join()
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[0, 1, 4, 9, 16, 25, 36, 49]\n", "")


def test_none_outlasts_a_process_that_is_killed(tmp_path):
    program = """
import os, sys
from pacs_cli.pipelines.crew import Crew
from tests.pipelines.test_crew import squares

for batch, result in Crew(squares, 2).run(([n] for n in range(10**9)), lambda batch: batch):
    print(result[0][1], flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        pids = {process.stdout.readline() for _ in range(20)}
        process.kill()
        # the pipe ends when the last of them that can write to it has gone
        process.communicate(timeout=20)
    assert len(pids) == 2
