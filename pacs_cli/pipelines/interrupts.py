"""Ctrl-C while results are told: never in the middle of one, so that what was done is counted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Interrupts:
    """Takes SIGINT inside the `with` block, in the main thread and if nobody else has taken it."""

    def __init__(self) -> None:
        self._is_telling = self._came = False
        self._before: Any = None

    def __enter__(self) -> Self:
        is_main = threading.current_thread() is threading.main_thread()
        # a shell has it ignored in what it starts in the background
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def after(self, tell: Callable[[T], None]) -> Callable[[T], None]:
        """Return `tell` so that an interrupt which comes meanwhile is raised after it."""

        def told(entry: T) -> None:
            self._is_telling = True
            try:
                tell(entry)
            finally:
                self._is_telling = False
            if self._came:
                self._came = False
                raise KeyboardInterrupt

        return told

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._is_telling:
            self._came = True
        else:
            raise KeyboardInterrupt
