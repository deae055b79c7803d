"""How fast and when to send: objects and bytes a second, and hours of the day."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from pacs_cli.errors import UsageError

_DAY = 24 * 60
_WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]|24):([0-5]\d)")


class Rate:
    """Lets so much through a second. Any thread may call it.

    What may go out is reckoned for each object from the one before, so that a pause is not made up
    for by a rush. Zero is no limit.
    """

    def __init__(
        self,
        objects_per_second: float = 0.0,
        bytes_per_second: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._each = 1.0 / objects_per_second if objects_per_second else 0.0
        self._byte = 1.0 / bytes_per_second if bytes_per_second else 0.0
        self._clock = clock
        self._mutex = threading.Lock()
        self._next = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit at all."""
        return bool(self._each or self._byte)

    def delay(self, size: int) -> float:
        """Return the seconds to wait before an object of so many bytes; it is then to be sent."""
        with self._mutex:
            now = self._clock()
            begin = max(now, self._next)
            self._next = begin + max(self._each, self._byte * size)
            return begin - now


class Window(NamedTuple):
    """Minutes of the day, local time, between which to send; over midnight when it ends first."""

    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `22:00-06:00`; raises UsageError."""
        found = _WINDOW.fullmatch(text)
        if found is None:
            raise UsageError(f"--window {text}: write HH:MM-HH:MM, as 22:00-06:00")
        hour, minute, last_hour, last_minute = map(int, found.groups())
        window = cls(hour * 60 + minute, last_hour * 60 + last_minute)
        if window.begin == window.end or window.end > _DAY:
            raise UsageError(f"--window {text}: that is no time of the day")
        return window

    def seconds_until_open(self, now: time.struct_time) -> float:
        """Return the seconds until it opens, 0 while it is open."""
        minute = now.tm_hour * 60 + now.tm_min
        is_open = (
            self.begin <= minute < self.end
            if self.begin < self.end
            else minute >= self.begin or minute < self.end
        )
        return 0.0 if is_open else float((self.begin - minute) % _DAY * 60 - now.tm_sec)


def until_open(windows: tuple[Window, ...], now: time.struct_time) -> float:
    """Return the seconds until one of the windows opens, 0 while one is open or there is none."""
    return min((window.seconds_until_open(now) for window in windows), default=0.0)
