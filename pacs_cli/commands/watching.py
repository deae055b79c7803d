"""What watches `storescp`: hooks, the audit trail, metrics."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pacs_cli.commands.measuring import Watched, source_of

if TYPE_CHECKING:
    from pacs_cli.net.pages import Pages
    from pacs_cli.observing import AuditOptions, MetricsOptions
    from pacs_cli.pipelines.audit import AuditTrail
    from pacs_cli.pipelines.hooks import HookCounts, Hooks
    from pacs_cli.report import Report
    from pacs_cli.securing import TlsOptions
    from pacs_cli.services.figures import Figures
    from pacs_cli.services.scp import Settings
    from pacs_cli.services.serving import ProviderEvent

#: Seconds for the first audit message to be written, where it is required, and for the last.
_START_SECONDS, _AUDIT_SECONDS = 10.0, 3.0

#: Signals that do not end a provider.
PASSING = bytes([signal.SIGHUP]) if hasattr(signal, "SIGHUP") else b""


def audited(settings: Settings, audit: AuditOptions) -> Settings:
    """Return settings with what an audit trail needs, if there is to be one."""
    from pacs_cli.services.shutter import Shutter

    if not audit.check():
        return settings
    return replace(
        settings, is_audited=True, shutter=Shutter() if audit.is_audit_required else None
    )


@contextmanager
def auditing(
    report: Report, audit: AuditOptions, settings: Settings, title: str, tls: TlsOptions
) -> Iterator[AuditTrail | None]:
    """Give the audit trail, None without one; its last message is that all has ended."""
    if not settings.is_audited:
        yield None
        return
    trail = audit.trail("pacs storescp", title, tls, settings.shutter, report.warning)
    is_failure = True
    try:
        trail.started(_START_SECONDS)
        if PASSING:
            signal.signal(signal.SIGHUP, lambda *_: trail.reopen())
        yield trail
        is_failure = False
    finally:
        trail.stop(_AUDIT_SECONDS, is_failure)


class Watch:
    """All that watch one provider; each may be missing. `hooks` may be set."""

    def __init__(self, watched: Watched, figures: Figures | None, trail: AuditTrail | None) -> None:
        self.hooks: Hooks | None = None
        self._watched = watched
        self._figures = figures
        self._trail = trail
        self._pages: Pages | None = None
        self._is_ending = False

    @property
    def hook_counts(self) -> HookCounts | None:
        """What became of the runs of hooks."""
        return self.hooks.counts if self.hooks else None

    def open(self, metrics: MetricsOptions) -> None:
        """Open the port of metrics, if they are wanted; raises ConnectError."""
        if metrics.metrics is None or self._figures is None:
            return
        from pacs_cli.net.pages import Pages
        from pacs_cli.pipelines.metrics import Metrics

        source = source_of(self._watched, self._figures, self._trail, lambda: self._is_ending)
        bind, pages = metrics.metrics_bind or "127.0.0.1", Metrics(source).pages()
        self._pages = Pages(bind, metrics.metrics, pages, self._watched.report.warning)

    def observers(self) -> list[Callable[[ProviderEvent], None]]:
        """Return what is to be told of events."""
        figures = None if self._watched.server.counts_itself else self._figures
        return [each.observe for each in (figures, self._trail, self.hooks) if each is not None]

    def say(self) -> None:
        """Show where metrics are."""
        if self._pages is None:
            return
        address, port = self._pages.address, self._pages.port
        self._watched.report.record("metrics", {"address": address, "port": port})
        self._watched.report.line(f"metrics at http://{address}:{port}/metrics")

    def ending(self) -> None:
        """Let those who ask know that it ends."""
        self._is_ending = True

    def end(self, expiry: float) -> None:
        """End what is on its way, until then."""
        if self.hooks is not None:
            self.hooks.drain(max(expiry - time.monotonic(), 0.0))

    def close(self) -> None:
        """Close the port of metrics, if one is open."""
        if self._pages is not None:
            self._pages.close()
