"""Where the metrics of `storescp` come from, and when it is not well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive
    from pacs_cli.commands.provider_server import Server
    from pacs_cli.observing import MetricsOptions
    from pacs_cli.options import Listen
    from pacs_cli.pipelines.audit import AuditTrail
    from pacs_cli.pipelines.metrics import Source
    from pacs_cli.report import Report
    from pacs_cli.services.figures import Counts, Figures
    from pacs_cli.services.scp import Settings
    from pacs_cli.services.serving import Handler

#: Seconds for the other processes to tell what they have counted: they only have to look up.
_COUNT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Watched:
    """One provider, not yet serving."""

    report: Report
    archive: Archive
    handler: Handler
    server: Server
    settings: Settings
    where: Listen


def figures_for(metrics: MetricsOptions) -> Figures | None:
    """Return what counts for metrics, None without them; made before a process is divided."""
    if not metrics.check():
        return None
    from pacs_cli.dicom.registry import modality_of
    from pacs_cli.services.figures import Figures

    return Figures(modality_of)


def source_of(
    watched: Watched,
    figures: Figures,
    trail: AuditTrail | None,
    is_ending: Callable[[], bool],
) -> Source:
    """Return where the figures of a provider come from."""
    from pacs_cli.archive import health
    from pacs_cli.pipelines.forwarding import ForwardingHandler
    from pacs_cli.pipelines.metrics import Source
    from pacs_cli.services.figures import total

    archive, handler, settings = watched.archive, watched.handler, watched.settings

    def counts() -> dict[str, Counts]:
        return {"main": figures.snapshot(), **watched.server.counts(_COUNT_SECONDS)}

    def why_not() -> str:
        if is_ending():
            return "it is ending"
        if settings.shutter is not None and settings.shutter.is_shut:
            return "audit messages cannot be written"
        if total(counts().values()).standing >= settings.max_associations:
            return f"all {settings.max_associations} associations are taken"
        return health.why_not_writable(archive.blobs, archive.index)

    queued = handler.forwarder.waiting if isinstance(handler, ForwardingHandler) else None
    return Source(
        counts,
        lambda: health.counts(archive.index),
        queued,
        trail.figures if trail else None,
        why_not,
    )
