"""Work on frames by several threads: the codecs let the interpreter go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

#: Does the work on each, in order.
Pool = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


def one_by_one(work: Callable[[Any], Any], things: Iterable[Any]) -> Iterator[Any]:
    """Do it in this thread, one when it is wanted."""
    return map(work, things)


def threads(count: int) -> Pool:
    """Return what does it in `count` threads; at most twice as many frames are in memory."""

    def pool(work: Callable[[Any], Any], things: Iterable[Any]) -> Iterator[Any]:
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(count, "pacs codec") as executor:
            try:
                for each in things:
                    waiting.append(executor.submit(work, each))
                    if len(waiting) >= 2 * count:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    return pool if count > 1 else one_by_one
