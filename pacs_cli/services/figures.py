"""What a provider has done, counted: what metrics are made of.

What is counted has a bounded number of names, whatever peers say of themselves.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pacs_cli.services.serving import (
    AssociationEnded,
    AssociationOpened,
    AssociationRefused,
    Denied,
    Echoed,
    Found,
    InstanceReceived,
    ProviderEvent,
    Retrieved,
)

#: Upper bounds of the seconds that operations take, from a small object to a study that is moved.
BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    60.0,
    600.0,
)

#: Statuses that are told apart; ours are some twenty, and of a fault the user may choose another.
_MAX_STATUSES = 64

OTHER = "other"


@dataclass
class Duration:
    """How long the operations of one kind took: so many in each bucket, and beyond the last."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


@dataclass
class Counts:
    """All that is counted in one process.

    ended       by how associations ended
    rejected    by the reason
    objects     by kind and what became of them: stored, duplicate, refused
    bytes       of the data sets, by kind
    failures    by operation and status, in four hexadecimal digits
    durations   by operation
    resident    bytes of memory, 0 where the system does not tell
    descriptors that are open, 0 where the system does not tell
    """

    associations: int = 0
    standing: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    objects: Counter[tuple[str, str]] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    sub_operations: Counter[tuple[str, str]] = field(default_factory=Counter)
    denied: Counter[str] = field(default_factory=Counter)
    durations: dict[str, Duration] = field(default_factory=dict)
    resident: int = 0
    descriptors: int = 0


class Figures:
    """Counts events; any thread may call it.

    kind_of   gives the kind of a SOP class, of which there are some dozen
    """

    def __init__(self, kind_of: Callable[[str], str]) -> None:
        self._kind_of = kind_of
        self._lock = threading.Lock()
        self._counts = Counts()
        self._open: set[int] = set()

    def observe(self, event: ProviderEvent) -> None:
        """Count an event."""
        with self._lock:
            if isinstance(event, InstanceReceived):
                self._count_object(event)
            else:
                self._count(event)

    def snapshot(self) -> Counts:
        """Return a copy of what is counted by now, with what this process uses."""
        with self._lock:
            copy = total((self._counts,))
            copy.standing = len(self._open)
        copy.resident, copy.descriptors = _used()
        return copy

    def _count_object(self, event: InstanceReceived) -> None:
        outcome, counts = event.outcome, self._counts
        kind = self._kind_of(event.request.affected_sop_class_uid) or OTHER
        end = "refused"
        if outcome.is_kept:
            end = "duplicate" if outcome.is_duplicate else "stored"
        counts.objects[kind, end] += 1
        counts.bytes[kind] += outcome.size
        self._operation("store", event.seconds, outcome.status)

    def _count(self, event: ProviderEvent) -> None:
        counts = self._counts
        if isinstance(event, AssociationOpened):
            counts.associations += 1
            self._open.add(event.association.number)
        elif isinstance(event, AssociationRefused):
            counts.rejected[f"{event.result}-{event.source}-{event.reason}"] += 1
        elif isinstance(event, AssociationEnded):
            counts.ended[event.how] += 1
            self._open.discard(event.association.number)
        elif isinstance(event, Echoed):
            self._operation("echo", None, 0)
        elif isinstance(event, Found):
            self._operation("find", event.seconds, event.status)
        elif isinstance(event, Retrieved):
            self._operation(event.kind, event.seconds, event.status)
            for name in ("completed", "failed", "warning"):
                counts.sub_operations[event.kind, name] += getattr(event, name)
        elif isinstance(event, Denied):
            counts.denied[event.service] += 1

    def _operation(self, name: str, seconds: float | None, status: int) -> None:
        counts = self._counts
        if seconds is not None:
            counts.durations.setdefault(name, Duration()).add(seconds)
        if status in (0, 0xFE00) or status >> 12 == 0xB:
            return
        key = name, f"{status:04X}"
        if key not in counts.failures and len(counts.failures) >= _MAX_STATUSES:
            key = name, OTHER
        counts.failures[key] += 1


def total(several: Iterable[Counts]) -> Counts:
    """Return the sums of what several processes have counted."""
    result = Counts()
    for counts in several:
        result.associations += counts.associations
        result.standing += counts.standing
        for name in ("ended", "rejected", "objects", "bytes", "failures", "sub_operations"):
            getattr(result, name).update(getattr(counts, name))
        result.denied.update(counts.denied)
        for name, duration in counts.durations.items():
            mine = result.durations.setdefault(name, Duration())
            mine.buckets = [a + b for a, b in zip(mine.buckets, duration.buckets, strict=True)]
            mine.seconds += duration.seconds
    return result


def _used() -> tuple[int, int]:
    """Return the bytes of memory and the descriptors of this process, as Linux tells them."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            pages = int(file.read().split()[1])
        return pages * os.sysconf("SC_PAGESIZE"), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    except (OSError, ValueError, IndexError):
        return 0, 0
