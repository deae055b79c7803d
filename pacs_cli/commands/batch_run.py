"""A job that is run: its objects shown one by one, its totals in the end, and its exit code."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pacs_cli.commands.batch_fetch import fetching
from pacs_cli.commands.batch_figures import Figures, exit_of, figures_of
from pacs_cli.commands.batching import plan_of, targets_of
from pacs_cli.commands.negotiation import Display
from pacs_cli.errors import Exit
from pacs_cli.report import Report
from pacs_cli.tables import shown_size

if TYPE_CHECKING:
    from pacs_cli.jobs.file import JobFile
    from pacs_cli.net.target import Target
    from pacs_cli.pipelines.batch import Ends, Result
    from pacs_cli.pipelines.changes import Changes
    from pacs_cli.pipelines.checks import Checked
    from pacs_cli.report import Progress


class Run:
    """Runs a job that is held and planned, and shows it.

    changes    those of the job, None when its objects are sent as they are
    knows_all  whether they have seen every file of the job already
    """

    def __init__(
        self,
        report: Report,
        job: JobFile,
        changes: Changes | None = None,
        knows_all: bool = False,
    ) -> None:
        self._report = report
        self._job = job
        self._changes = changes
        self._knows_all = knows_all
        self._objects = self._bytes = 0
        self._began = time.monotonic()
        self._noted = 0.0
        self._said = ""
        self._progress: Progress | None = None

    def to_its_end(self) -> Exit:
        """Send what is queued; return the exit code of the job as it then is."""
        from pacs_cli.jobs.states import Wish
        from pacs_cli.pipelines.batch import Ends

        targets = targets_of(self._job)
        before = figures_of(self._job)
        ends = Ends()
        try:
            ends = self._run(targets, before)
        finally:
            if self._job.wish is Wish.CANCEL:
                self._job.cancel_rest()
            figures = figures_of(self._job)
            self._report.summary({**figures.fields(), **self._rates()}, self._text(figures))
        for name, (reason, _) in ends.reasons.items():
            self._report.error(f"{name}: {reason}")
        return exit_of(figures, ends.reasons)

    def _run(self, targets: list[tuple[int, str, Target]], before: Figures) -> Ends:
        from pacs_cli.pipelines.batch import Batch
        from pacs_cli.pipelines.send import Observer

        report = self._report
        if self._changes is not None and not self._knows_all:
            self._changes.learn(self._job.paths_left())
        display = Display(report)
        observer = Observer(display.opened, display.trace, report.warning, report.note)
        plan = plan_of(self._job.get("options") or {})

        def send() -> Ends:
            batch = Batch(
                *(self._job, plan, self._show, observer, self._changes),
                told_checked=self._show_checked,
            )
            return batch.run(targets)

        label = "sending to " + ", ".join(name for _, name, _ in targets)
        retry = plan.settings.retry
        with (
            report.progress(before.left, before.left_bytes, label) as progress,
            fetching(report, self._job, self._changes, retry) as fetcher,
        ):
            self._progress = progress
            if fetcher is None:
                return send()
            from pacs_cli.pipelines.fetching import by_turns

            return by_turns(send, fetcher)

    def _show(self, result: Result) -> None:
        sent = result.sent
        self._objects += 1
        size = sent.item.size if sent.item else 0
        self._bytes += size
        if self._progress is not None:
            self._progress.advance(1, sent.item.header.file_size if sent.item else 0)
        if sent.error is not None and sent.error != self._said:
            self._said = sent.error
            self._report.error(sent.error)
        elif sent.is_warning:
            from pacs_cli.services.diagnosis import explain_status

            self._report.warning(f"{sent.path}: {explain_status(sent.status or 0)}")
        if not self._report.is_text:
            fields = {**sent.fields(), "destination": result.destination}
            self._report.record(
                "object", {**fields, "state": result.state.value, "class": result.failure}
            )
        now = time.monotonic()
        if now - self._noted >= 1.0:
            # for `status` in another shell
            self._noted = now
            self._job.put({"run": self._rates()})

    def _show_checked(self, name: str, checked: Checked) -> None:
        if checked.state == "failed":
            self._report.error(f"{name}: {checked.words}")
        self._report.record("checked", {"destination": name, **checked._asdict()})

    def _rates(self) -> dict[str, Any]:
        seconds = max(time.monotonic() - self._began, 1e-6)
        return {
            "objects_in_this_run": self._objects,
            "bytes_in_this_run": self._bytes,
            "seconds": round(seconds, 6),
            "objects_per_second": round(self._objects / seconds, 3),
            "megabytes_per_second": round(self._bytes / 1e6 / seconds, 3),
        }

    def _text(self, figures: Figures) -> str:
        rates = self._rates()
        text = f"{figures.text()}; {shown_size(self._bytes)}"
        return f"{text} in {rates['seconds']:.2f} s, {shown_size(self._bytes / rates['seconds'])}/s"
