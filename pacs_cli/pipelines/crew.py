"""Work of the processor shared among processes, batch by batch, the results in their order."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

Batch = TypeVar("Batch")
T = TypeVar("T")
R = TypeVar("R")

#: Batches that each process has, one to work on and the next. Both fit into a pipe, if the caller
#: sees to it: else each side could wait for the other to read.
_AHEAD = 2


class Crew(Generic[T, R]):
    """Processes that do `work` on what they are sent; none is started before there is something.

    work   of a module, so that another process can find it; must not raise
    count  how many processes; with 1 all is done in this one
    after  batches that are done in this process first: starting others costs as much

    A process that dies costs nothing but its time: its batches are done here. None outlasts this
    one, however that ends, for their pipes end with it.
    """

    def __init__(self, work: Callable[[T], R], count: int, after: int = 0) -> None:
        self._work = work
        self._count = count
        self._after = after
        self._mates: list[_Mate[T, R]] = []

    def run(
        self, batches: Iterable[Batch], task: Callable[[Batch], T]
    ) -> Iterator[tuple[Batch, R]]:
        """Yield each batch with what `work` makes of its task, in the order of the batches."""
        waiting: deque[tuple[Batch, T, _Mate[T, R] | None]] = deque()
        try:
            for number, batch in enumerate(batches):
                sent = task(batch)
                if self._count == 1 or number < self._after:
                    yield batch, self._work(sent)
                    continue
                if not self._mates:
                    self._mates = _mates(self._work, self._count)
                mate = self._mates[number % self._count]
                waiting.append((batch, sent, mate if mate.send(sent) else None))
                if len(waiting) >= _AHEAD * self._count:
                    yield self._next(waiting.popleft())
            while waiting:
                yield self._next(waiting.popleft())
        finally:
            for mate in self._mates:
                mate.close()
            self._mates = []

    def _next(self, first: tuple[Batch, T, _Mate[T, R] | None]) -> tuple[Batch, R]:
        batch, sent, mate = first
        if mate is not None:
            try:
                return batch, mate.receive()
            except (EOFError, OSError):
                # it has died
                pass
        return batch, self._work(sent)


class _Mate(Generic[T, R]):
    """One process, and the two ends by which it is told and tells."""

    def __init__(self, tasks: Connection, results: Connection) -> None:
        self._tasks = tasks
        self._results = results
        self.process: multiprocessing.process.BaseProcess | None = None

    def send(self, task: T) -> bool:
        """Have it do something; False when it has died."""
        try:
            self._tasks.send(task)
        except OSError:
            return False
        return True

    def receive(self) -> R:
        """Return what it made of its oldest task; raises EOFError or OSError when it has died."""
        result: R = self._results.recv()
        return result

    def close(self) -> None:
        """Let it end: what it still has to do is of no use."""
        self._tasks.close()
        self._results.close()
        if self.process is not None:
            self.process.terminate()
            self.process.join()
            self.process.close()


def _mates(work: Callable[[T], R], count: int) -> list[_Mate[T, R]]:
    # a copy of this process is there at once, but must not be made while threads run
    can_fork = sys.platform == "linux" and threading.active_count() == 1
    context: Any = multiprocessing.get_context("fork" if can_fork else "spawn")
    mates: list[_Mate[T, R]] = []
    ends: list[Connection] = []
    for _ in range(count):
        tasks, send = context.Pipe(duplex=False)
        receive, results = context.Pipe(duplex=False)
        mates.append(_Mate(send, receive))
        ends += (send, receive)
        # a copy has the ends of those before it too, and would keep them from ever ending
        others = tuple(ends) if can_fork else ()
        process = context.Process(
            target=_toil, args=(work, tasks, results, others), name="pacs reader", daemon=True
        )
        process.start()
        mates[-1].process = process
        tasks.close()
        results.close()
    return mates


def _toil(
    work: Callable[[T], R], tasks: Connection, results: Connection, others: tuple[Connection, ...]
) -> None:
    """Work until there is nothing more or nobody who wants it."""
    # Ctrl-C goes to the whole group; the one that told us what to do decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for end in others:
        end.close()
    try:
        while True:
            results.send(work(tasks.recv()))
    except (EOFError, OSError):
        # the other end is closed
        return
