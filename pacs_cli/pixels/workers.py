"""Processes that transcode files and may be killed: a decoder that crashes costs one file.

Codecs are large programs in C that read what strangers wrote. None is run in the process that has
the network, the index or the other files in its hands.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from pacs_cli.errors import Exit
from pacs_cli.pixels.bounds import PATIENCE, bound_memory, bound_processor
from pacs_cli.pixels.files import Done, Task, transcode_file

#: Seconds between two ticks.
_TICK = 1.0
#: Bytes of what a process says at once: some words and UIDs.
_MOST_WORDS = 1 << 20
_IDLE = Task("", "", "")


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
        self._exit_code: int | None = None
        self.task = _IDLE

    def begin(self, task: Task) -> None:
        self.task, self.heard = task, time.monotonic()
        # it has died: that shows when its answer is awaited
        with suppress(OSError):
            self._tasks.send(task)

    def hear(self) -> Done | None:
        """Return what it made of its task; None while it is at it."""
        try:
            done = _heard(self.results.recv_bytes(_MOST_WORDS))
        except (EOFError, OSError, TypeError, ValueError):
            # its end of the pipe is gone, so it is on its way; or it has lost its senses
            self._process.join(1)
            self.end()
            code = self._exit_code
            how = signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}"
            return Done(error=f"its decoder crashed, {how}", exit=Exit.BAD_INPUT)
        self.heard = time.monotonic()
        if done is not None:
            # what it wrote is no longer its own
            self.task = _IDLE
        return done

    def end(self) -> None:
        if not self.is_alive:
            return
        self.is_alive = False
        self._tasks.close()
        self.results.close()
        self._process.kill()
        self._process.join()
        self._exit_code = self._process.exitcode
        self._process.close()
        if self.task.part:
            # what it was writing
            with suppress(OSError):
                Path(self.task.part).unlink()


def _serve(tasks: Connection, results: Connection, others: tuple[Connection, ...]) -> None:
    """Work until there is nothing more or nobody who wants it."""
    # Ctrl-C goes to the whole group; the one that told us what to do decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for end in others:
        end.close()
    bound_memory()
    said, threads = time.monotonic(), 1

    def tick() -> None:
        nonlocal said
        if time.monotonic() - said >= _TICK:
            said = time.monotonic()
            results.send_bytes(b"")
            bound_processor(threads * PATIENCE)

    try:
        while True:
            task = tasks.recv()
            threads = task.threads
            bound_processor(threads * PATIENCE)
            results.send_bytes(_told(transcode_file(task, tick)))
    except (EOFError, OSError):
        # the other end is closed
        return


def _told(done: Done) -> bytes:
    return json.dumps(asdict(done)).encode()


def _heard(words: bytes) -> Done | None:
    """Return what a process made of its task, None for a sign of life.

    It has run a codec, so it is believed as little as the file: nothing it says is unpickled.
    """
    if not words:
        return None
    said = json.loads(words)
    return Done(**{**said, "exit": Exit(said["exit"])})
