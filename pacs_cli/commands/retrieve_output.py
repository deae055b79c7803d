"""What is shown of a retrieval while it runs: progress, a row for each request, each object."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.commands.provider_events import instance_fields
from pacs_cli.report import Progress as Bar
from pacs_cli.report import clean
from pacs_cli.services.diagnosis import name_rejection
from pacs_cli.services.serving import AssociationRefused, InstanceReceived, ProviderEvent

if TYPE_CHECKING:
    from pacs_cli.pipelines.reconcile import Difference
    from pacs_cli.pipelines.retrieve import Progress, Result

#: Lines about single objects for people; the JSON lines have them all.
_MAX_LINES = 50
_COLUMNS = ("level", "uid", "status", "completed", "warnings", "failed", "arrived", "seconds")


class RetrieveOutput:
    """Shows the events of one retrieval."""

    def __init__(self, report: MatchReport, label: str) -> None:
        self._report = report
        self._label = label
        self._bars = ExitStack()
        self._bar: Bar | None = None
        self._shown = 0
        self._rows: list[Sequence[str]] = []
        self._has_header = False

    def instance(self, event: ProviderEvent) -> None:
        """Show what comes here; from any thread."""
        if isinstance(event, InstanceReceived):
            self._report.record("instance", instance_fields(event))
        elif isinstance(event, AssociationRefused):
            who = event.association
            words = name_rejection(event.result, event.source, event.reason)
            self._report.warning(
                f"rejected {who.calling_ae_title}@{who.address}, which called "
                f"{who.called_ae_title}: {words}"
            )

    def progress(self, progress: Progress) -> None:
        """Show how far a request has come."""
        response = progress.response
        counts = {
            "remaining": response.remaining,
            "completed": response.completed,
            "warnings": response.warnings,
            "failed": response.failed,
        }
        self._report.record("progress", counts)
        if self._bar is None:
            bar = self._report.progress(progress.total or 0, 0, self._label)
            self._bar, self._shown = self._bars.enter_context(bar), 0
        if progress.ended > self._shown:
            self._bar.advance(progress.ended - self._shown)
            self._shown = progress.ended

    def result(self, result: Result, number: int) -> None:
        """Show what became of a request."""
        self.end_progress()
        report, uids = self._report, result.request.values
        status = None if result.status is None else f"{result.status:04X}"
        counts = {
            "status": status,
            "completed": result.completed,
            "warnings": result.warnings,
            "failed": result.failed,
            "remaining": result.remaining,
            "arrived": result.arrived,
        }
        fields = {
            "number": number,
            "level": str(result.request.level),
            "uids": "\\".join(uids) if self._report.is_csv else list(uids),
            **counts,
            "cancelled": result.is_cancelled,
            "comment": result.comment or None,
            "error": None if result.error is None else str(result.error),
            "seconds": round(result.seconds, 6),
        }
        report.record("request", fields)
        uid = uids[0] if len(uids) == 1 else f"{uids[0]} and {len(uids) - 1} more"
        shown = {**counts, "level": fields["level"], "uid": uid, "seconds": f"{result.seconds:.2f}"}
        self._row(["" if shown[name] is None else str(shown[name]) for name in _COLUMNS])
        if result.error is not None:
            report.error(str(result.error))

    def differences(self, found: Sequence[Difference], names_missing: bool) -> None:
        """Show the objects that are not as they should be.

        names_missing  whether people are told of what is missing too, as not all of it is
        """
        for each in found:
            self._report.record(
                "difference",
                {
                    "sop_instance_uid": each.sop_instance_uid,
                    "difference": each.kind,
                    "reason": each.reason,
                },
            )
        told = [each for each in found if names_missing or each.kind != "missing"]
        for each in told[:_MAX_LINES]:
            self._report.error(f"{each.kind}: {each.sop_instance_uid}, {each.reason}")
        if len(told) > _MAX_LINES:
            self._report.error(f"and {len(told) - _MAX_LINES} objects more; --json has them all")

    def end_progress(self) -> None:
        """Take the bar away."""
        self._bars.close()
        self._bar = None

    def finish(self) -> None:
        """Draw the table of the requests, if it is to be drawn."""
        self.end_progress()
        if self._rows:
            self._report.table(self._label, _COLUMNS, self._rows)

    def _row(self, cells: Sequence[str]) -> None:
        if not self._report.is_text:
            return
        if self._report.is_on_terminal:
            self._rows.append([clean(cell) for cell in cells])
            return
        if not self._has_header:
            self._report.row(_COLUMNS)
            self._has_header = True
        self._report.row(cells)
