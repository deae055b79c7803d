"""Processes that transcode files and may be killed: a decoder that crashes costs one file.

Codecs are large programs in C that read what strangers wrote. None is run in the process that has
the network, the index or the other files in its hands.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from pacs_cli.errors import Exit
from pacs_cli.pixels.files import Done, Task, transcode_file

#: Seconds without a part written after which a worker is taken for stuck: the slowest encoder takes
#: a second for four megapixels.
PATIENCE = 120.0
#: Bytes of address space beyond what the process has: a frame of the most pixels in 16 bits, as its
#: decoder and we hold it. What asks for more gets a MemoryError.
_MEMORY = 6 << 30
#: Seconds between two ticks.
_TICK = 1.0


class Workers:
    """A number of processes; each is started when there is work for it, and again when it died.

    count     how many
    patience  seconds without progress after which a worker is killed
    """

    def __init__(self, count: int, patience: float = PATIENCE) -> None:
        self._count = count
        self._patience = patience
        self._free: list[_Worker] = []
        self._busy: dict[Connection, _Worker] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes, whatever they are at; what they were writing goes."""
        for worker in (*self._free, *self._busy.values()):
            worker.end()
        self._free, self._busy = [], {}

    def one(self, task: Task) -> Done:
        """Transcode one file and wait for it."""
        return next(iter(self.run((task,))))[1]

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Done]]:
        """Yield each task with what became of it, as they get done."""
        waiting = iter(tasks)
        task = next(waiting, None)
        while task is not None or self._busy:
            while task is not None and len(self._busy) < self._count:
                worker = self._free.pop() if self._free else _Worker()
                worker.begin(task)
                self._busy[worker.results] = worker
                task = next(waiting, None)
            yield from self._finished()

    def _finished(self) -> Iterator[tuple[Task, Done]]:
        earliest = min(worker.heard for worker in self._busy.values()) + self._patience
        ready = wait(list(self._busy), max(0.0, earliest - time.monotonic()))
        for connection in ready:
            assert isinstance(connection, Connection)
            worker = self._busy[connection]
            task, done = worker.task, worker.hear()
            if done is None:
                continue
            del self._busy[connection]
            if worker.is_alive:
                self._free.append(worker)
            yield task, done
        now = time.monotonic()
        for connection, worker in list(self._busy.items()):
            if now - worker.heard > self._patience:
                del self._busy[connection]
                worker.end()
                reason = f"it was given up after {self._patience:g} s without progress"
                yield worker.task, Done(error=reason, exit=Exit.BAD_INPUT)


class _Worker:
    """One process, its task, and when it was last heard of."""

    def __init__(self) -> None:
        # a copy of this process is there at once, but must not be made while threads run
        can_fork = sys.platform == "linux" and threading.active_count() == 1
        context: Any = multiprocessing.get_context("fork" if can_fork else "spawn")
        tasks, self._tasks = context.Pipe(duplex=False)
        self.results, results = context.Pipe(duplex=False)
        ours = (self._tasks, self.results) if can_fork else ()
        self._process = context.Process(
            target=_serve, args=(tasks, results, ours), name="pacs transcoder", daemon=True
        )
        self._process.start()
        tasks.close()
        results.close()
        self.is_alive = True
        self.heard = 0.0
        self.task = Task("", "", "")

    def begin(self, task: Task) -> None:
        self.task, self.heard = task, time.monotonic()
        # it has died: that shows when its answer is awaited
        with suppress(OSError):
            self._tasks.send(task)

    def hear(self) -> Done | None:
        """Return what it made of its task; None while it is at it."""
        try:
            done: Done | None = self.results.recv()
        except (EOFError, OSError):
            self.end()
            code = self._exit_code
            how = signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}"
            return Done(error=f"its decoder crashed, {how}", exit=Exit.BAD_INPUT)
        self.heard = time.monotonic()
        return done

    def end(self) -> None:
        if not self.is_alive:
            return
        self.is_alive = False
        self._tasks.close()
        self.results.close()
        # one that has died is left its own end
        self._process.join(0.1 if self.task.path and not self._process.is_alive() else 0)
        self._process.kill()
        self._process.join()
        self._exit_code = self._process.exitcode
        self._process.close()
        if self.task.part:
            # what it was writing; when it was done, that has another name by now
            with suppress(OSError):
                Path(self.task.part).unlink()


def _serve(tasks: Connection, results: Connection, others: tuple[Connection, ...]) -> None:
    """Work until there is nothing more or nobody who wants it."""
    # Ctrl-C goes to the whole group; the one that told us what to do decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for end in others:
        end.close()
    _bound_memory()
    said = time.monotonic()

    def tick() -> None:
        nonlocal said
        if time.monotonic() - said >= _TICK:
            said = time.monotonic()
            results.send(None)

    try:
        while True:
            results.send(transcode_file(tasks.recv(), tick))
    except (EOFError, OSError):
        # the other end is closed
        return


def _bound_memory() -> None:
    """Let no codestream take the machine's memory; a crash leaves no core file."""
    try:
        import resource
    except ImportError:
        # not on every system
        return
    in_use = 1 << 30
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        in_use = pages * resource.getpagesize()
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (in_use + _MEMORY, in_use + _MEMORY))
