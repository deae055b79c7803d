"""A provider beside other work of this process, and what came to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pacs_cli.net.listener import Listener
from pacs_cli.services.scp import Provider
from pacs_cli.services.serving import InstanceReceived, ProviderEvent, StoreOutcome

#: As for a provider of its own: the object in flight is finished and answered.
_DRAIN_SECONDS = 10.0


@contextmanager
def serving(listener: Listener, provider: Provider, warn: Callable[[str], None]) -> Iterator[None]:
    """Serve in a thread inside the block; after it every association has ended."""
    thread = threading.Thread(target=listener.serve, args=(provider.serve, warn))
    thread.start()
    try:
        yield
    finally:
        listener.stop()
        thread.join()
        listener.close()
        provider.drain()
        if not listener.join(_DRAIN_SECONDS):
            warn("an association did not end in time and was cut off")


class Arrivals:
    """What came, by SOP instance UID; told and asked from any thread.

    tell     told of each event after it was counted, by the thread that tells us
    note     told of each event before; may be set
    kept     the objects that are in the archive
    refused  those that are not, with what they were answered
    """

    def __init__(self, tell: Callable[[ProviderEvent], None]) -> None:
        self._tell = tell
        self.note: Callable[[ProviderEvent], None] = lambda _: None
        self._changed = threading.Condition()
        self.kept: dict[str, None] = {}
        self.refused: dict[str, StoreOutcome] = {}
        #: C-STOREs answered with success or a warning: an object may come twice
        self.stored = 0
        self.already_held = self.size = 0

    def observe(self, event: ProviderEvent) -> None:
        """Count one event."""
        self.note(event)
        if isinstance(event, InstanceReceived):
            with self._changed:
                self._count(event.request.affected_sop_instance_uid, event.outcome)
                self._changed.notify_all()
        self._tell(event)

    def wait_for(self, stored: int, seconds: float) -> None:
        """Return when so many were stored, or when for so long no other was."""
        with self._changed:
            seen = -1
            while seen < self.stored < stored:
                seen = self.stored
                self._changed.wait_for(lambda: self.stored > seen, seconds)  # noqa: B023

    def _count(self, uid: str, outcome: StoreOutcome) -> None:
        if not outcome.is_kept:
            if uid not in self.kept:
                self.refused[uid] = outcome
            return
        self.stored += 1
        self.kept[uid] = None
        self.refused.pop(uid, None)
        self.already_held += outcome.is_duplicate
        self.size += outcome.size
