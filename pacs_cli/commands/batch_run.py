"""A job that is run: its objects shown one by one, its totals in the end, and its exit code."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pacs_cli.commands.batch_figures import Figures, figures_of
from pacs_cli.commands.batching import EXIT_OF, plan_of, targets_of
from pacs_cli.commands.negotiation import Display
from pacs_cli.errors import Exit
from pacs_cli.report import Report
from pacs_cli.tables import shown_size

if TYPE_CHECKING:
    from pacs_cli.jobs.file import JobFile
    from pacs_cli.net.target import Target
    from pacs_cli.pipelines.batch import Ends, Result
    from pacs_cli.pipelines.checks import Checked
    from pacs_cli.pipelines.loading import Loader
    from pacs_cli.report import Progress


class Run:
    """Runs a job that is held and planned, and shows it.

    loader  gives the bytes of the objects, None as they are
    """

    def __init__(
        self, report: Report, job: JobFile, loader: Callable[[], Loader] | None = None
    ) -> None:
        self._report = report
        self._job = job
        self._loader = loader
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
        return _exit(figures, ends)

    def _run(self, targets: list[tuple[int, str, Target]], before: Figures) -> Ends:
        from pacs_cli.pipelines.batch import Batch
        from pacs_cli.pipelines.loading import Loader
        from pacs_cli.pipelines.send import Observer

        report = self._report
        display = Display(report)
        observer = Observer(display.opened, display.trace, report.warning, report.note)
        plan = plan_of(self._job.get("options") or {})
        batch = Batch(
            *(self._job, plan, self._show, observer, self._loader or Loader),
            told_checked=self._show_checked,
        )
        label = "sending to " + ", ".join(name for _, name, _ in targets)
        with report.progress(before.left, before.left_bytes, label) as progress:
            self._progress = progress
            return batch.run(targets)

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


def _exit(figures: Figures, ends: Ends) -> Exit:
    """Return the exit code: 0 only when nothing failed and nothing is left."""
    if not figures.failed and not figures.left and not ends.reasons:
        return Exit.OK
    if figures.sent:
        return Exit.SOME_FAILED
    if ends.reasons:
        return next(iter(ends.reasons.values()))[1]
    return EXIT_OF.get(next(iter(figures.classes), ""), Exit.PEER_FAILED)
