"""Programs of others: what they are given and say is bounded, and so is how long they take."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from pacs_cli.net.channel import Wakeup

#: Output that is kept; the rest is read and dropped, so that no program is held up.
OUTPUT_LIMIT = 64 * 1024

#: From SIGKILL to the end of a program. One that runs as somebody else cannot be killed.
KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How one program ended.

    failure  empty when it exited with 0, else what it did instead, to be read behind its name
    output   what it wrote to stdout and stderr, in that order of writing, at most OUTPUT_LIMIT; of
             one that was given something what it wrote to stdout
    """

    failure: str
    output: bytes = field(default=b"", repr=False)
    is_output_cut: bool = False


def run_program(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    seconds: float,
    cut: Wakeup,
    given: bytes | None = None,
) -> Ended:
    """Run one program and wait for its end; never raises.

    given  what it reads from stdin, None for nothing. It may be a secret, and what is written to
           stderr with it: that goes nowhere

    It leads a process group, which is killed as a whole when its time is over or `cut` is set.
    What it leaves running behind when it ends by itself is left alone, and not listened to.
    """
    try:
        end = _End()
    except OSError as error:
        return Ended(_not_started(error))
    with end:
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if given is None else subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            # ValueError: a NUL, or a character that the file system's encoding does not have
            return Ended(_not_started(error))
        assert process.stdout is not None
        with process.stdout, _Input(process.stdin, given) as told:
            output = _Output(process.stdout.fileno())
            return Ended(_see_through(process, end, output, told, seconds, cut), *output.taken)


def _see_through(
    process: subprocess.Popen[bytes],
    end: _End,
    output: _Output,
    told: _Input,
    seconds: float,
    cut: Wakeup,
) -> str:
    """Stay with a program until it is gone; return its failure."""
    try:
        end.watch(process)
    except RuntimeError as error:
        _kill(process)
        process.wait()
        return _not_started(error)
    overdue = _listen(end, output, told, seconds, cut)
    if overdue:
        _kill(process)
    if not end.join(KILL_SECONDS):
        return f"{overdue}, and cannot be killed"
    if overdue:
        return f"{overdue} and was killed"
    if process.returncode < 0:
        return f"was ended by signal {-process.returncode}"
    return f"exited with {process.returncode}" if process.returncode else ""


def _listen(end: _End, output: _Output, told: _Input, seconds: float, cut: Wakeup) -> str:
    """Read what a program says until it ends; return why it is not waited for any longer."""
    poll = select.poll()
    for descriptor in (end, output, cut):
        poll.register(descriptor, select.POLLIN)
    if told.is_open:
        poll.register(told, select.POLLOUT)
    expiry = time.monotonic() + seconds
    while True:
        left = expiry - time.monotonic()
        # not asked when the time is over: a program that never stops talking is always ready
        ready = [number for number, _ in poll.poll(left * 1000)] if left > 0 else []
        if end.fileno() in ready:
            output.read_rest()
            return ""
        if output.fileno() in ready and output.read() == b"":
            poll.unregister(output)
        if told.is_open and (number := told.fileno()) in ready and not told.write():
            poll.unregister(number)
            told.close()
        if not ready:
            return f"did not end within {seconds:g} s"
        if cut.fileno() in ready:
            return "did not end before the receiver"


class _End:
    """Becomes readable when a process has ended, and collects it: no zombie stays.

    subprocess itself can only wait for a time by looking again and again.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._thread: threading.Thread | None = None

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the process in a thread; RuntimeError when there can be none."""
        thread = threading.Thread(target=self._await, args=(process,), daemon=True)
        thread.start()
        self._thread = thread

    def fileno(self) -> int:
        return self._reader

    def join(self, seconds: float) -> bool:
        """Wait until the process is collected; False when it is not within that time."""
        assert self._thread is not None
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def __enter__(self) -> _End:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reader)
        if self._thread is None:
            os.close(self._writer)

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        os.close(self._writer)


class _Input:
    """What a program is given, written as it reads; it may leave it unread."""

    def __init__(self, pipe: IO[bytes] | None, data: bytes | None) -> None:
        self._pipe = pipe
        self._left = memoryview(data or b"")
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)

    @property
    def is_open(self) -> bool:
        """Whether there is more to be given, be it the end."""
        return self._pipe is not None and not self._pipe.closed

    def fileno(self) -> int:
        assert self._pipe is not None
        return self._pipe.fileno()

    def write(self) -> bool:
        """Write what the pipe takes; False when there is nothing more to be written."""
        try:
            self._left = self._left[os.write(self.fileno(), self._left) :]
        except BlockingIOError:
            return True
        except OSError:
            # it does not want to know
            return False
        return bool(self._left)

    def close(self) -> None:
        """Let the program see the end."""
        if self._pipe is not None:
            self._pipe.close()

    def __enter__(self) -> _Input:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Output:
    """The beginning of what a program says; the rest is read and forgotten."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept = bytearray()
        self._is_cut = False
        os.set_blocking(descriptor, False)

    @property
    def taken(self) -> tuple[bytes, bool]:
        """What was kept, and whether there was more."""
        return bytes(self._kept), self._is_cut

    def fileno(self) -> int:
        return self._descriptor

    def read(self) -> bytes | None:
        """Take what is there; empty at the end, None when there is nothing yet."""
        try:
            chunk = os.read(self._descriptor, OUTPUT_LIMIT)
        except BlockingIOError:
            return None
        room = OUTPUT_LIMIT - len(self._kept)
        self._kept += chunk[:room]
        self._is_cut |= len(chunk) > room
        return chunk

    def read_rest(self) -> None:
        """Take what still stands in the pipe, which others may hold open and go on writing to."""
        while not self._is_cut and self.read():
            pass


def _kill(process: subprocess.Popen[bytes]) -> None:
    # the group may be gone by itself, or be somebody else's by now (sudo)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _not_started(error: Exception) -> str:
    return f"cannot be started: {(getattr(error, 'strerror', None) or str(error)).lower()}"
