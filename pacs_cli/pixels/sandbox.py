"""A process in which codecs run on what strangers wrote: it may crash, hang or ask for all memory.

It is a program of its own and no copy of this one: nothing of what is in this memory, keys and
names above all, nothing of the environment's settings of ours and no open file is in it. Bytes go
to and fro in memory that both map. What it says is believed as little as the file is: it is JSON,
never unpickled, and the memory cannot become shorter while it is read.
"""

from __future__ import annotations

import json
import mmap
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection, Pipe
from typing import Any

from pacs_cli.errors import InputError, PacsError
from pacs_cli.pixels.bounds import MEMORY, PATIENCE, bound_memory, bound_processor

Buffer = bytes | bytearray | memoryview

#: What runs in the process: a generator that is given the bytes and its arguments. It yields words
#: for JSON and what they are about; None in place of that is a sign of life alone.
Work = Callable[..., Iterator[tuple[Any, Any]]]

#: Bytes of what the process says at once, besides the memory: offset tables of a million frames.
_MOST_WORDS = 64 << 20
#: Bytes of memory to begin with; it grows to what is needed and stays.
_FIRST = 1 << 20
_ALIGNED = 64
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[5:]; from pacs_cli.pixels.sandbox import serve; "
    "serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))"
)


class Sandbox:
    """The process: it is started when there is work, again when it died, and then kept.

    patience  seconds without a sign of life after which it is killed
    most      bytes of memory it may take

    One thread uses it. A copy of this process (os.fork) starts one of its own.
    """

    def __init__(self, patience: float = PATIENCE, most: int = MEMORY) -> None:
        self._patience = patience
        self._most = most
        self._child: _Child | None = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Sandbox], tuple[float, int]]:
        return Sandbox, (self._patience, self._most)

    def close(self) -> None:
        """End the process, whatever it is at."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def run(self, work: str, data: Buffer, *arguments: object) -> Iterator[tuple[Any, memoryview]]:
        """Yield what `work` does: its words, and a view that is valid until the next.

        work    `module:function`, of kind `Work`
        data    the bytes it is given, copied once
        raises  InputError with the reason: what it raises, and how it crashed, hung or wanted too
                much memory. The next run has a new process then
        """
        child = self._child
        if child is None or child.owner != os.getpid():
            self.close()
            child = self._child = _Child(self._patience, self._most)
        is_over = False
        try:
            child.begin(work, data, arguments)
            while (said := child.hear())["kind"] != "end":
                if said["kind"] == "error":
                    is_over = True
                    raise InputError(str(said["words"])[:500])
                if said["kind"] == "part":
                    yield said["words"], child.part(said)
                    child.go_on()
            is_over = True
        except (EOFError, OSError):
            raise InputError(child.crash()) from None
        except (KeyError, TypeError, ValueError, RecursionError):
            raise InputError("its decoder said what makes no sense") from None
        finally:
            if not is_over:
                # it died, is at something that nobody waits for, or not to be trusted
                self.close()


class _Child:
    """The process, and the ends of what leads to it; `owner` is the process that started it."""

    def __init__(self, patience: float, most: int) -> None:
        self.owner = os.getpid()
        self._patience = patience
        self._given_up = False
        descriptor = _memory()
        self._shared = _Shared(descriptor)
        self._connection, theirs = Pipe()
        arguments = (str(theirs.fileno()), str(descriptor), str(patience), str(most), *sys.path)
        with theirs:
            self._process = subprocess.Popen(
                (sys.executable, "-P", "-c", _PROGRAM, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), descriptor),
                env={key: value for key, value in os.environ.items() if key[:5] != "PACS_"},
            )

    def begin(self, work: str, data: Buffer, arguments: tuple[object, ...]) -> None:
        self._shared.write(0, data)
        self._connection.send_bytes(pickle.dumps((work, len(memoryview(data)), arguments)))

    def hear(self) -> dict[str, Any]:
        if not self._connection.poll(self._patience):
            self._given_up = True
            raise EOFError
        said: dict[str, Any] = json.loads(self._connection.recv_bytes(_MOST_WORDS))
        return said

    def part(self, said: dict[str, Any]) -> memoryview:
        start, size = int(said["start"]), int(said["size"])
        return self._shared.read(start, size)

    def go_on(self) -> None:
        self._connection.send_bytes(b"")

    def crash(self) -> str:
        """Return how it ended."""
        if self._given_up:
            return f"it was given up after {self._patience:g} s without progress"
        try:
            # its end of the connection is gone, so it is on its way
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "its decoder crashed"
        return f"its decoder crashed, {signal.Signals(-code).name if code < 0 else f'exit {code}'}"

    def end(self) -> None:
        self._connection.close()
        self._shared.close()
        if self.owner == os.getpid():
            self._process.kill()
            self._process.wait()
        else:
            # of the process that this one is a copy of
            self._process.returncode = 0


def _memory() -> int:
    """Return a descriptor of memory that has no name, and where that can be does not shrink."""
    if not hasattr(os, "memfd_create"):
        import tempfile

        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    else:
        import fcntl

        descriptor = os.memfd_create("pacs frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        # who reads beyond the end of a file that is mapped dies
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    os.ftruncate(descriptor, _FIRST)
    return descriptor


class _Shared:
    """Memory that both map. A mapping that became too short lives as long as its views."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._view = memoryview(bytearray())

    def write(self, start: int, data: Buffer) -> int:
        view = memoryview(data).cast("B")
        self._reach(start + len(view))
        self._view[start : start + len(view)] = view
        return len(view)

    def read(self, start: int, size: int) -> memoryview:
        """Return a view, after the other side has written; ValueError when that is not there."""
        if start < 0 or size < 0 or start + size > os.fstat(self._descriptor).st_size:
            raise ValueError("it is not in the memory")
        self._reach(start + size)
        return self._view[start : start + size].toreadonly()

    def _reach(self, size: int) -> None:
        if size <= len(self._view):
            return
        there = os.fstat(self._descriptor).st_size
        if there < size:
            there = max(size, 2 * there)
            os.ftruncate(self._descriptor, there)
        self._view = memoryview(mmap.mmap(self._descriptor, there))

    def close(self) -> None:
        self._view = memoryview(bytearray())
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


# -- inside --------------------------------------------------------------------------------------


def serve(connection: int, memory: int, patience: float, most: int) -> None:
    """Work until nobody wants it any more: what runs in the process."""
    # Ctrl-C goes to the whole group; the one that told us what to do decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bound_memory(most)
    ends, shared = Connection(connection), _Shared(memory)
    with suppress(EOFError, OSError):
        while True:
            bound_processor(patience)
            work, size, arguments = pickle.loads(ends.recv_bytes())
            ends.send_bytes(_words(**_done(ends, shared, patience, work, size, arguments)))


def _done(
    ends: Connection,
    shared: _Shared,
    patience: float,
    work: str,
    size: int,
    arguments: tuple[object, ...],
) -> dict[str, Any]:
    """Do it, hand out its parts, and return the last word."""
    try:
        module, _, name = work.partition(":")
        function: Work = getattr(import_module(module), name)
        start = -(-size // _ALIGNED) * _ALIGNED
        for words, part in function(shared.read(0, size), *arguments):
            bound_processor(patience)
            if part is None:
                ends.send_bytes(_words("tick"))
                continue
            ends.send_bytes(_words("part", words, start, shared.write(start, part)))
            ends.recv_bytes()
    except PacsError as error:
        return {"kind": "error", "words": str(error)}
    except MemoryError:
        return {"kind": "error", "words": "it needs more memory than it may"}
    except (EOFError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 codecs raise whatever hostile bytes lead to
        return {"kind": "error", "words": f"{type(error).__name__} in it"}
    return {"kind": "end"}


def _words(kind: str, words: object = None, start: int = 0, size: int = 0) -> bytes:
    return json.dumps({"kind": kind, "words": words, "start": start, "size": size}).encode()
