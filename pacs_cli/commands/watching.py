"""What watches `storescp`: hooks, the audit trail, metrics."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pacs_cli.commands.measuring import Watched, source_of

if TYPE_CHECKING:
    from pacs_cli.net.pages import Pages
    from pacs_cli.observing import AuditOptions, MetricsOptions
    from pacs_cli.pipelines.audit import AuditTrail
    from pacs_cli.pipelines.hooks import HookCounts, Hooks
    from pacs_cli.securing import TlsOptions
    from pacs_cli.services.figures import Figures
    from pacs_cli.services.scp import Settings
    from pacs_cli.services.serving import ProviderEvent

#: Of the time to end, what is kept for the audit trail: its last message comes last.
_AUDIT_SECONDS = 2.0

#: Signals that do not end a provider.
PASSING = bytes([signal.SIGHUP]) if hasattr(signal, "SIGHUP") else b""


def audited(settings: Settings, audit: AuditOptions) -> Settings:
    """Return settings with what an audit trail needs, if there is to be one."""
    from pacs_cli.services.gate import Gate

    if not audit.check():
        return settings
    return replace(settings, is_audited=True, gate=Gate() if audit.is_audit_required else None)


class Watch:
    """All that watch one provider; each may be missing. `hooks` may be set."""

    def __init__(self, watched: Watched, figures: Figures | None) -> None:
        self.hooks: Hooks | None = None
        self._watched = watched
        self._figures = figures
        self._trail: AuditTrail | None = None
        self._pages: Pages | None = None
        self._is_ending = False

    @property
    def hook_counts(self) -> HookCounts | None:
        """What became of the runs of hooks."""
        return self.hooks.counts if self.hooks else None

    def open(self, audit: AuditOptions, metrics: MetricsOptions, tls: TlsOptions) -> None:
        """Open the audit file and the port of metrics.

        raises  OutputError and ConnectError when that cannot be
        """
        watched = self._watched
        warn = watched.report.warning
        if watched.settings.is_audited:
            title = watched.where.ae_title
            self._trail = audit.trail("pacs storescp", title, tls, watched.settings.gate, warn)
        if metrics.metrics is None or self._figures is None:
            return
        from pacs_cli.net.pages import Pages
        from pacs_cli.pipelines.metrics import Metrics

        source = source_of(watched, self._figures, self._trail, lambda: self._is_ending)
        bind = metrics.metrics_bind or "127.0.0.1"
        self._pages = Pages(bind, metrics.metrics, Metrics(source).pages(), warn)

    def observers(self) -> list[Callable[[ProviderEvent], None]]:
        """Return what is to be told of events."""
        figures = None if self._watched.server.counts_itself else self._figures
        return [each.observe for each in (figures, self._trail, self.hooks) if each is not None]

    def begin(self, seconds: float) -> None:
        """Tell that it serves, from the main thread; in so many seconds at the most."""
        if self._trail is None:
            return
        self._trail.started(seconds)
        if PASSING:
            reopen = self._trail.reopen
            signal.signal(signal.SIGHUP, lambda *_: reopen())

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

    def end(self, expiry: float, is_failure: bool) -> None:
        """End what is on its way, until then."""
        if self.hooks is not None:
            kept = 0.0 if self._trail is None else _AUDIT_SECONDS
            self.hooks.drain(max(expiry - time.monotonic() - kept, 0.0))
        if self._trail is not None:
            self._trail.stop(max(expiry - time.monotonic(), _AUDIT_SECONDS), is_failure)
        self.close()

    def close(self) -> None:
        """Close the port of metrics, if one is open."""
        if self._pages is not None:
            self._pages.close()
