"""Codecs that do in the sandbox what a hostile codestream makes real ones do."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pacs_cli.errors import InputError

Part = tuple[Any, Any]


def crash(data: memoryview, *_: object) -> Iterator[Part]:
    """Read from where nothing is, as a codec in C does."""
    ctypes.string_at(0)
    yield None, b""


def hang(data: memoryview, *_: object) -> Iterator[Part]:
    """Wait for ever, without the processor."""
    threading.Event().wait()
    yield None, b""


def loop(data: memoryview, *_: object) -> Iterator[Part]:
    """Compute for ever."""
    while True:
        pass
    yield None, b""


def devour(data: memoryview, *_: object) -> Iterator[Part]:
    """Take memory until there is none."""
    taken = []
    while True:
        taken.append(bytearray(64 << 20))
    yield None, b""


def crash_later(data: memoryview, count: int) -> Iterator[Part]:
    for number in range(count):
        yield number, bytes(data)
    ctypes.string_at(0)


def refuse(data: memoryview, *_: object) -> Iterator[Part]:
    raise InputError("it is of another kind")
    yield None, b""


def fail(data: memoryview, *_: object) -> Iterator[Part]:
    """Raise what nobody thought of, with a name of a patient in it."""
    raise ZeroDivisionError("Made^Up")
    yield None, b""


def leave(data: memoryview, *_: object) -> Iterator[Part]:
    os._exit(7)
    yield None, b""


def echo(data: memoryview, *_: object) -> Iterator[Part]:
    """Tick, and give back what was given."""
    yield None, None
    yield ["seen", len(data)], bytes(data)


def grow(data: memoryview, sizes: list[int]) -> Iterator[Part]:
    """Give parts of many sizes, each made of the bytes that were given."""
    for size in sizes:
        yield size, (bytes(data) * (size // max(len(data), 1) + 1))[:size]


def slowly(data: memoryview, count: int, pause: float) -> Iterator[Part]:
    """Take longer than the patience in all, with signs of life."""
    for _ in range(count):
        threading.Event().wait(pause)
        yield None, None
    yield "done", b""


def surroundings(data: memoryview, *_: object) -> Iterator[Part]:
    """Tell what of its parent a codec that was taken over would find."""
    descriptors = {each.name: os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()}
    names = [key for key in os.environ if key.startswith("PACS_")]
    core = None
    if sys.platform == "linux":
        import resource

        core = [resource.getrlimit(getattr(resource, f"RLIMIT_{each}")) for each in ("CORE", "AS")]
    handler = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    yield {"descriptors": descriptors, "names": names, "limits": core, "sigint": handler}, b""


def lie(data: memoryview, *_: object) -> Iterator[Part]:
    """Say in place of the process that a part is where no memory is."""
    import gc
    from multiprocessing.connection import Connection

    (ends,) = [each for each in gc.get_objects() if isinstance(each, Connection)]
    ends.send_bytes(b'{"kind": "part", "words": null, "start": 0, "size": 99999999999}')
    yield None, b""


def babble(data: memoryview, *_: object) -> Iterator[Part]:
    import gc
    from multiprocessing.connection import Connection

    (ends,) = [each for each in gc.get_objects() if isinstance(each, Connection)]
    ends.send_bytes(b"\x80\x04N.")
    yield None, b""


def shrink(data: memoryview, *_: object) -> Iterator[Part]:
    """Try to take away the memory that both map."""
    for each in Path("/proc/self/fd").iterdir():
        if "pacs frames" in os.path.realpath(each):
            os.ftruncate(int(each.name), 0)
    yield None, b""
