"""One thread at a time, of those that serve peers; put down wherever one of them is waited for.

Python runs one thread at a time anyway. But each system call lets go of the interpreter, and with
sixteen peers sending small objects as many threads are woken to take it from each other: half of
all CPU. Who holds the baton is not disturbed between two waits.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType


class Baton:
    """Held inside the `with` block, by one thread at a time; `rest` puts it down inside that."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: the thread that has it; only that one ever sees itself here
        self._owner = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = threading.get_ident()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._owner = 0
        self._lock.release()

    def rest(self) -> AbstractContextManager[None]:
        """Let others work inside the `with` block; nothing happens when it is not held."""
        return _Rest(self) if self._owner == threading.get_ident() else nullcontext()


class _Rest:
    def __init__(self, baton: Baton) -> None:
        self._baton = baton

    def __enter__(self) -> None:
        self._baton.__exit__(None, None, None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._baton.__enter__()
