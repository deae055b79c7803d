"""How `storescp` shows what happens to it: a line and a JSON record per event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pacs_cli.report import Report
from pacs_cli.services.diagnosis import explain_rejection, explain_status
from pacs_cli.services.results import (
    AssociationEnded,
    AssociationInfo,
    AssociationOpened,
    AssociationRefused,
    Echoed,
    InstanceReceived,
    ProviderEvent,
)

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Recovered

_LOOPBACK = ("127.0.0.1", "::1")


class EventReport:
    """Shows events as they happen, from any thread, and counts them for the last line."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stored = self._failed = self._size = 0

    def recovered(self, recovered: Recovered) -> None:
        """Say what the start had to put right, if anything."""
        if recovered == type(recovered)():
            return
        moved = recovered.moved_aside
        self._report.record(
            "recovered",
            {
                "rows_added": recovered.rows_added,
                "rows_removed": recovered.rows_removed,
                "unindexed": list(recovered.unindexed),
                "moved_aside": None if moved is None else str(moved),
            },
        )
        if moved is not None:
            self._report.warning(f"the index was corrupt: made again, the old one is {moved}")
        self._report.warning(
            "the archive was not closed in order: "
            f"{recovered.rows_added} files were indexed, {recovered.rows_removed} rows of files "
            f"that are gone removed, {len(recovered.unindexed)} files cannot be indexed"
        )
        for path in recovered.unindexed:
            self._report.note(f"not indexed: {path}")

    def listening(self, address: str, port: int, ae_title: str, out: str) -> None:
        """Show where the provider can be reached: the first line, once it can be."""
        fields = {"address": address, "port": port, "ae_title": ae_title, "out": out}
        self._report.record("listening", fields)
        self._report.line(f"{ae_title} listens on {address} port {port}, archive {out}")
        if address not in _LOOPBACK:
            self._report.warning(
                f"listening on {address}: every host that reaches it may store here; "
                "--bind 127.0.0.1 keeps to this machine"
            )

    def show(self, event: ProviderEvent) -> None:
        """Show one event. UIDs, titles and sizes only: never a name or an id of a patient."""
        if isinstance(event, AssociationOpened):
            self._emit(
                "association_opened",
                event.association,
                {"accepted_contexts": event.accepted, "refused_contexts": event.refused},
                f"associated, {event.accepted} contexts accepted, {event.refused} refused",
            )
        elif isinstance(event, AssociationRefused):
            words = explain_rejection(event.result, event.source, event.reason)
            fields = {"result": event.result, "source": event.source, "reason": event.reason}
            self._emit("association_rejected", event.association, fields, f"rejected: {words}")
        elif isinstance(event, AssociationEnded):
            self._show_end(event)
        elif isinstance(event, Echoed):
            self._emit("echo", event.association, {}, "C-ECHO answered")
        else:
            self._show_instance(event)

    def ended(self, is_drained: bool) -> None:
        """Show the totals, and whether an association had to be cut off."""
        if not is_drained:
            self._report.warning("an association did not end in time and was cut off")
        fields = {"stored": self._stored, "failed": self._failed, "bytes": self._size}
        self._report.summary(
            {**fields, "drained": is_drained},
            f"stored {self._stored}, failed {self._failed}, {self._size / 1e6:.1f} MB",
        )

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
        fields = {
            "status": f"{outcome.status:04X}",
            "comment": outcome.comment or None,
            "sop_class_uid": request.affected_sop_class_uid,
            "sop_instance_uid": request.affected_sop_instance_uid,
            "transfer_syntax_uid": request.transfer_syntax_uid,
            "study_instance_uid": outcome.study_instance_uid or None,
            "series_instance_uid": outcome.series_instance_uid or None,
            "path": outcome.path or None,
            "duplicate": outcome.is_duplicate,
            "bytes": outcome.size,
            "seconds": round(event.seconds, 6),
        }
        verb = "already held" if outcome.is_duplicate else "stored"
        text = f"{verb} {request.affected_sop_instance_uid}"
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
        }
        self._report.record(kind, {**who, **fields})
        self._report.line(f"{association.calling_ae_title}@{association.address} {text}")
