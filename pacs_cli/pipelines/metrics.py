"""Figures of a provider in the text format of Prometheus, and whether it is well.

prometheus_client is imported when there is something to show.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar

from pacs_cli import __version__
from pacs_cli.errors import PacsError, UsageError
from pacs_cli.net.pages import Page
from pacs_cli.services.figures import BUCKETS, Counts, total

if TYPE_CHECKING:
    from prometheus_client.core import Metric

T = TypeVar("T")

#: Seconds for which what costs more than a look is kept: how much there is, and whether an object
#: can be written. Whoever asks without end costs no more than that.
_COUNTED, _TRIED = 15.0, 1.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from.

    counts       process -> what it has counted
    held         level -> how many the archive has; raises PacsError
    queued       how many objects wait to be forwarded; None without forwarding
    audit        messages that wait and that were lost; None without an audit trail
    why_not      why it does not serve as it should, "" when it does
    """

    counts: Callable[[], Mapping[str, Counts]]
    held: Callable[[], Mapping[str, int]]
    queued: Callable[[], int] | None
    audit: Callable[[], tuple[int, int]] | None
    why_not: Callable[[], str]


def check_installed() -> None:
    """Raise UsageError when metrics cannot be shown."""
    try:
        import prometheus_client  # noqa: F401 - only whether it is there
    except ImportError:
        raise UsageError("--metrics is not installed; pip install 'pacs-cli[metrics]'") from None


class Metrics:
    """The pages of one provider."""

    def __init__(self, source: Source, clock: Callable[[], float] = time.monotonic) -> None:
        from prometheus_client import CollectorRegistry

        self._source = source
        self._held = _Kept(source.held, _COUNTED, clock)
        self._queued = None if source.queued is None else _Kept(source.queued, _COUNTED, clock)
        self._why_not = _Kept(source.why_not, _TRIED, clock)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def pages(self) -> dict[str, Callable[[], Page]]:
        """Return the page of each path."""
        return {"/metrics": self.metrics, "/healthz": self.health}

    def metrics(self) -> Page:
        """Return all figures."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return Page(200, generate_latest(self._registry), CONTENT_TYPE_LATEST)

    def health(self) -> Page:
        """Return whether objects can be sent here now, with the reason when not."""
        reason = self._why_not()
        return Page(503, f"{reason}\n".encode()) if reason else Page(200, b"ok\n")

    def describe(self) -> Iterable[Metric]:
        """Return nothing: or all would be asked for while it is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield each family, as prometheus_client wants of a collector."""
        from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

        processes = self._source.counts()
        yield InfoMetricFamily("pacs", "The program.", {"version": __version__})
        yield from _of_provider(total(processes.values()))
        yield from _of_processes(processes)
        yield GaugeMetricFamily(
            "pacs_healthy", "1 while objects can be sent here.", int(not self._why_not())
        )
        held = GaugeMetricFamily("pacs_archive_held", "What the index has.", labels=["level"])
        try:
            for level, number in self._held().items():
                held.add_metric([level], number)
            yield held
            if self._queued is not None:
                yield GaugeMetricFamily(
                    "pacs_forward_queued", "Objects that wait to be forwarded.", self._queued()
                )
        except PacsError:
            # what cannot be read has no figure; whether that is so is a matter of /healthz
            pass
        if self._source.audit is not None:
            yield from _of_audit(*self._source.audit())


class _Kept(Generic[T]):
    """Keeps an answer for some seconds; one thread asks, others wait for it."""

    def __init__(self, ask: Callable[[], T], seconds: float, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: list[T] = []
        self._asked = 0.0

    def __call__(self) -> T:
        with self._lock:
            if not self._answers or self._clock() - self._asked >= self._seconds:
                self._answers = [self._ask()]
                self._asked = self._clock()
            return self._answers[0]


#: Counter, what it counts, its labels, and the field of `Counts` that has it.
_COUNTERS = (
    (
        "pacs_associations_ended",
        "Accepted associations, and connections without one, by how they ended.",
        ("how",),
        "ended",
    ),
    (
        "pacs_associations_rejected",
        "Associations that were rejected, by result, source and reason (PS3.8 9.3.4).",
        ("reason",),
        "rejected",
    ),
    (
        "pacs_objects",
        "C-STORE requests that were answered, by modality of the SOP class.",
        ("kind", "outcome"),
        "objects",
    ),
    ("pacs_object_bytes", "Bytes of their data sets.", ("kind",), "bytes"),
    (
        "pacs_failures",
        "Requests that were answered with a failure.",
        ("operation", "status"),
        "failures",
    ),
    (
        "pacs_sub_operations",
        "Objects that were to be sent for a C-MOVE or C-GET.",
        ("operation", "outcome"),
        "sub_operations",
    ),
    ("pacs_denied", "What was denied for want of a right.", ("service",), "denied"),
)


def _of_provider(counts: Counts) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    accepted = "Associations that were accepted."
    yield CounterMetricFamily("pacs_associations", accepted, counts.associations)
    standing = "Associations that stand now."
    yield GaugeMetricFamily("pacs_associations_open", standing, counts.standing)
    for name, words, labels, field in _COUNTERS:
        family = CounterMetricFamily(name, words, labels=labels)
        for key, value in sorted(getattr(counts, field).items()):
            family.add_metric([key] if isinstance(key, str) else list(key), value)
        yield family
    yield from _of_durations(counts)


def _of_durations(counts: Counts) -> Iterator[Metric]:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(
        "pacs_operation_seconds", "From a request to its last response.", labels=["operation"]
    )
    for name, duration in sorted(counts.durations.items()):
        sums = list(accumulate(duration.buckets))
        bounds = [*map(str, BUCKETS), "+Inf"]
        family.add_metric([name], list(zip(bounds, sums, strict=True)), duration.seconds)
    yield family


def _of_processes(processes: Mapping[str, Counts]) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    memory = GaugeMetricFamily(
        "pacs_process_resident_memory_bytes", "Bytes in memory.", labels=["process"]
    )
    descriptors = GaugeMetricFamily(
        "pacs_process_open_fds", "Descriptors that are open.", labels=["process"]
    )
    for name, counts in processes.items():
        if counts.resident:
            memory.add_metric([name], counts.resident)
            descriptors.add_metric([name], counts.descriptors)
    yield memory
    yield descriptors


def _of_audit(waiting: int, lost: int) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield GaugeMetricFamily("pacs_audit_waiting", "Audit messages not yet written.", waiting)
    yield CounterMetricFamily("pacs_audit_lost", "Audit messages that are lost.", lost)
