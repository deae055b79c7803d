"""How `storescp` shows what happens to it: a line and a JSON record per event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from pacs_cli.commands.denial_events import describe_denial
from pacs_cli.commands.query_events import describe_query
from pacs_cli.report import Report
from pacs_cli.services.diagnosis import explain_status, name_rejection
from pacs_cli.services.serving import (
    AssociationEnded,
    AssociationInfo,
    AssociationOpened,
    AssociationRefused,
    Denied,
    Echoed,
    Found,
    InstanceReceived,
    ProviderEvent,
    Retrieved,
)
from pacs_cli.tables import shown_size

if TYPE_CHECKING:
    from pacs_cli.pipelines.hooks import HookCounts


def instance_fields(event: InstanceReceived) -> dict[str, object]:
    """Return what is told of an object that was received."""
    outcome, request = event.outcome, event.request
    return {
        "status": f"{outcome.status:04X}",
        "comment": outcome.comment or None,
        "sop_class_uid": request.affected_sop_class_uid,
        "sop_instance_uid": request.affected_sop_instance_uid,
        "transfer_syntax_uid": request.transfer_syntax_uid,
        "study_instance_uid": outcome.study_instance_uid or None,
        "series_instance_uid": outcome.series_instance_uid or None,
        "path": outcome.path or None,
        "duplicate": outcome.is_duplicate,
        "displaced": outcome.displaced and asdict(outcome.displaced),
        "bytes": outcome.size,
        "seconds": round(event.seconds, 6),
    }


class EventReport:
    """Shows events as they happen, from any thread, and counts them for the last line."""

    def __init__(
        self, report: Report, first: Sequence[Callable[[ProviderEvent], None]] = ()
    ) -> None:
        """Show on `report`; `first` are told each event before, as showing may fail."""
        self._report = report
        self._first = first
        self._stored = self._failed = self._size = 0

    def show(self, event: ProviderEvent) -> None:
        """Show one event. UIDs, titles and sizes only: never a name or an id of a patient."""
        for observe in self._first:
            observe(event)
        if isinstance(event, AssociationOpened):
            self._emit(
                "association_opened",
                event.association,
                {"accepted_contexts": event.accepted, "refused_contexts": event.refused},
                f"associated, {event.accepted} contexts accepted, {event.refused} refused",
            )
        elif isinstance(event, AssociationRefused):
            words = name_rejection(event.result, event.source, event.reason)
            fields = {"result": event.result, "source": event.source, "reason": event.reason}
            self._emit("association_rejected", event.association, fields, f"rejected: {words}")
        elif isinstance(event, Denied):
            kind, about, text = describe_denial(event)
            self._emit(kind, event.association, about, text)
        elif isinstance(event, AssociationEnded):
            self._show_end(event)
        elif isinstance(event, Echoed):
            self._emit("echo", event.association, {}, "C-ECHO answered")
        elif isinstance(event, Found | Retrieved):
            kind, about, text = describe_query(event)
            self._emit(kind, event.association, about, text)
        elif isinstance(event, InstanceReceived):
            self._show_instance(event)

    def ended(self, is_drained: bool, hooks: HookCounts | None = None) -> None:
        """Show the totals, and whether something had to be cut off."""
        if not is_drained:
            self._report.warning("an association did not end in time and was cut off")
        fields: dict[str, object] = {
            "stored": self._stored,
            "failed": self._failed,
            "bytes": self._size,
        }
        text = f"stored {self._stored}, failed {self._failed}, {shown_size(self._size)}"
        if hooks is not None:
            fields["hooks"] = asdict(hooks)
            text += f"; hooks: {hooks.succeeded} ran, {hooks.failed} failed"
            if left := hooks.dropped + hooks.not_run:
                self._report.warning(f"{left} runs of hooks were left out")
        self._report.summary({**fields, "drained": is_drained}, text)

    def _show_end(self, event: AssociationEnded) -> None:
        fields = {
            "how": event.how,
            "error": event.error or None,
            "stored": event.stored,
            "failed": event.failed,
            "bytes": event.size,
            "seconds": round(event.seconds, 6),
        }
        text = f"{event.how}, stored {event.stored}, failed {event.failed}"
        if event.error:
            text += f": {event.error}"
        self._emit("association_ended", event.association, fields, text)

    def _show_instance(self, event: InstanceReceived) -> None:
        outcome, request = event.outcome, event.request
        self._stored += outcome.is_kept
        self._failed += not outcome.is_kept
        self._size += outcome.size
        if not self._report.shows_results:
            return
        fields = instance_fields(event)
        verb = "already held" if outcome.is_duplicate else "stored"
        text = f"{verb} {request.affected_sop_instance_uid}"
        if (displaced := outcome.displaced) is not None:
            text += f", the one before is {displaced.how}: {displaced.path}"
        if not outcome.is_kept:
            status = explain_status(outcome.status).partition(";")[0]
            text = f"refused {request.affected_sop_instance_uid}: {status}, {outcome.comment}"
        self._emit("instance", request.association, fields, text)

    def _emit(
        self, kind: str, association: AssociationInfo, fields: Mapping[str, object], text: str
    ) -> None:
        who = {
            "association": association.number,
            "address": association.address,
            "calling_ae_title": association.calling_ae_title,
            "called_ae_title": association.called_ae_title,
            "user": association.user or None,
            "tls_subject": association.tls_subject or None,
        }
        self._report.record(kind, {**who, **fields})
        self._report.line(f"{association.calling_ae_title}@{association.address} {text}")
