"""One retrieval run to its end: what came of it, the totals, the exit code."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Self

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.commands.retrieve_output import RetrieveOutput
from pacs_cli.commands.retrieve_totals import arrival_fields, totals_text
from pacs_cli.errors import AssociationError, Exit

if TYPE_CHECKING:
    from pacs_cli.dicom.query import Model
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.net.target import Target
    from pacs_cli.pipelines.find import Problem, Remark
    from pacs_cli.pipelines.retrieve import Progress, Result


class RetrieveRun:
    """Follows what happens; leaving the `with` block reconciles and shows the totals.

    destination  where they go, None when they come to us: then `arrivals` counts them
    expected    UIDs of the instances that are to come, None while or when they are not known
    """

    def __init__(
        self,
        report: MatchReport,
        target: Target,
        model: Model,
        destination: str | None,
        wakeup: Wakeup,
    ) -> None:
        from pacs_cli.pipelines.receiver import Arrivals

        self._report = report
        self._target = target
        self._model = model
        self._destination = destination or target.calling_ae_title
        self._wakeup = wakeup
        self._output = RetrieveOutput(report, f"retrieving from {target.called_ae_title}")
        self._began = time.monotonic()
        self._results: list[Result] = []
        self._exits: list[Exit] = []
        self.arrivals = Arrivals(self._output.instance) if destination is None else None
        self.expected: Collection[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        # an association may end badly once it is interrupted; then that is not what is to be told
        is_end = kind is None or (self._wakeup.is_set and issubclass(kind, AssociationError))
        self._output.finish()
        self._close(self._reconcile(is_end), is_end)
        return is_end

    def follow(self, events: Iterable[Progress | Result | Remark | Problem]) -> None:
        """Show events as they come."""
        from pacs_cli.pipelines.find import Problem, Remark
        from pacs_cli.pipelines.retrieve import Progress

        for event in events:
            if isinstance(event, Progress):
                self._output.progress(event)
            elif isinstance(event, Remark):
                self._report.warning(event.text)
            elif isinstance(event, Problem):
                self._exits.append(event.exit)
                self._report.error(event.text)
            else:
                self._results.append(event)
                self._output.result(event, len(self._results))
                if event.error is not None:
                    self._exits.append(event.error.exit)

    def exit(self, must_match: bool) -> Exit:
        """Return the exit code of a run that came to its end; KeyboardInterrupt when it did not."""
        if self._wakeup.is_set:
            raise KeyboardInterrupt
        if self._exits:
            return Exit.SOME_FAILED if self._done else self._exits[0]
        return Exit.SOME_FAILED if must_match and not self._done else Exit.OK

    @property
    def _done(self) -> int:
        """Objects that are known to be where they were to go."""
        if self.arrivals is not None:
            return len(self.arrivals.kept)
        return sum(result.stored for result in self._results)

    def _sum(self, name: str) -> int:
        return sum(getattr(result, name) or 0 for result in self._results)

    @property
    def _is_cancelled(self) -> bool:
        return any(result.is_cancelled for result in self._results) or self._wakeup.is_set

    def _reconcile(self, is_whole: bool) -> dict[str, int]:
        """Show every object that is not as it should be; return how many there are of each kind.

        is_whole  whether it came to its end; else, or when it was cancelled, nothing is missing
        """
        from pacs_cli.pipelines.reconcile import differences, refusal, shortfall

        is_whole = is_whole and not self._is_cancelled and bool(self._results)
        expected = self.expected if is_whole else None
        failed_uids = [uid for result in self._results for uid in result.failed_uids]
        found = differences(expected, self.arrivals, failed_uids)
        self._output.differences(found, names_missing=self._done > 0)
        numbers = [refusal(self.arrivals)]
        if not any(result.error for result in self._results):
            numbers.append(
                shortfall(expected, self.arrivals, self._sum("stored"), self._sum("failed"))
            )
        for error in filter(None, numbers):
            self._report.error(str(error))
            # what failed here is the reason for what the peer then says
            self._exits.insert(0, error.exit)
        kinds = ("failed", "refused", "missing", "unexpected")
        return {kind: sum(each.kind == kind for each in found) for kind in kinds}

    def _close(self, numbers: dict[str, int], is_done: bool) -> None:
        seconds = time.monotonic() - self._began
        fields: dict[str, object] = {
            "peer": self._target.name,
            "destination": self._destination,
            "model": self._model.value,
            "requests": len(self._results),
            "failed_requests": sum(result.error is not None for result in self._results),
            "expected": None if self.expected is None else len(self.expected),
            **{name: self._sum(name) for name in ("completed", "warnings", "failed", "remaining")},
            **arrival_fields(self.arrivals, numbers),
            "cancelled": self._is_cancelled,
            "seconds": round(seconds, 6),
        }
        text = totals_text(fields, self._done, self._target, seconds)
        # nothing to add to what the error says
        says_enough = not self._done and (not is_done or bool(self._exits))
        self._report.close(fields, "" if says_enough else text, False)
