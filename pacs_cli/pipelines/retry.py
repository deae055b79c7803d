"""What is tried again, how often, and after how long a wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from pacs_cli.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectError,
    PacsError,
    PeerProtocolError,
    PeerTimeout,
)
from pacs_cli.net.channel import Wakeup

#: Two peers that failed together must not come back together, nor a peer be asked every 10 ms.
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0


def _chance() -> float:
    import random

    return random.random()


class Retry(NamedTuple):
    """How often to try again: `times` in a row without an answer in between.

    is_asked    whether the user asked for it. If not, a peer that has not worked yet is not waited
                for: a wrong port or a black hole is to fail at once
    first_wait  seconds before the first time, doubled each time; of it half is left to chance
    chance      a number from 0 to 1
    """

    times: int = 0
    is_asked: bool = False
    first_wait: float = FIRST_WAIT
    chance: Callable[[], float] = _chance

    def wait_before(self, attempt: int) -> float:
        """Return the seconds to wait before the attempt of this number, counted from 1."""
        full = min(
            self.first_wait * 2.0 ** min(attempt - 1, 30), max(LONGEST_WAIT, self.first_wait)
        )
        return full * (0.5 + 0.5 * self.chance())

    def is_worth_it(self, error: PacsError, has_stood: bool, has_worked: bool) -> bool:
        """Whether what ended or prevented an association may pass.

        has_stood   whether this association was established before the error
        has_worked  whether the peer did in this run what it now failed to do
        """
        if not self.times:
            return False
        if isinstance(error, AssociationRejected):
            return error.is_transient
        if isinstance(error, ConnectError | PeerTimeout):
            return self.is_asked or has_worked
        if isinstance(error, AssociationAborted):
            return has_stood or self.is_asked or has_worked
        return isinstance(error, PeerProtocolError) and has_stood


class Stop:
    """Ends the waits of all threads at once and for good; any thread may set it.

    wakeup  ends those of their channels
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.wakeup = Wakeup()

    @property
    def is_set(self) -> bool:
        """Whether everything is to end."""
        return self._event.is_set()

    def set(self) -> None:
        """End the waits, those that are yet to come included."""
        self._event.set()
        self.wakeup.set()

    def wait(self, seconds: float) -> None:
        """Wait as long, or until it is set."""
        self._event.wait(seconds)
