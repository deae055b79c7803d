"""What watches a provider: hooks, the audit trail."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pacs_cli.observing import AuditOptions
    from pacs_cli.pipelines.audit import AuditTrail
    from pacs_cli.pipelines.hooks import HookCounts, Hooks
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
    """All of them; each may be missing."""

    def __init__(self, hooks: Hooks | None = None, trail: AuditTrail | None = None) -> None:
        self._hooks = hooks
        self._trail = trail

    @property
    def hook_counts(self) -> HookCounts | None:
        """What became of the runs of hooks."""
        return self._hooks.counts if self._hooks else None

    def observers(self) -> list[Callable[[ProviderEvent], None]]:
        """Return what is to be told of events."""
        return [each.observe for each in (self._trail, self._hooks) if each is not None]

    def begin(self, seconds: float) -> None:
        """Tell that it serves, from the main thread; in so many seconds at the most."""
        if self._trail is None:
            return
        self._trail.started(seconds)
        if PASSING:
            reopen = self._trail.reopen
            signal.signal(signal.SIGHUP, lambda *_: reopen())

    def end(self, expiry: float, is_failure: bool) -> None:
        """End what is on its way, until then."""
        if self._hooks is not None:
            self._hooks.drain(max(expiry - time.monotonic() - _AUDIT_SECONDS, 0.0))
        if self._trail is not None:
            self._trail.stop(max(expiry - time.monotonic(), _AUDIT_SECONDS), is_failure)
