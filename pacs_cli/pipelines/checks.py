"""What a destination is asked about a job's objects, study by study, before and after sending."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import Outcome, State
from pacs_cli.net.target import Target
from pacs_cli.pipelines.holdings import Holdings


class Checked(NamedTuple):
    """What came of asking for one object."""

    sop_instance_uid: str
    study_instance_uid: str
    state: State
    failure: str = ""
    words: str = ""


class Checks:
    """Asks one destination of a job.

    is_over  says whether to stop between two studies; what was asked by then is written down
    """

    def __init__(
        self,
        job: JobFile,
        destination: int,
        is_over: Callable[[], bool],
        told: Callable[[Checked], None],
    ) -> None:
        self._job = job
        self._destination = destination
        self._is_over = is_over
        self._told = told

    def skip_existing(self, target: Target) -> None:
        """Skip what the destination has; raises what ends an association, and PeerFailure."""
        self._skip_existing(target, State.QUEUED)
        if not self._job.get("changes"):
            # else it is not known yet as what it will be sent
            self._skip_existing(target, State.ANNOUNCED)

    def _skip_existing(self, target: Target, state: State) -> None:
        with Holdings(target) as holdings:
            for study in self._job.studies(self._destination, state):
                if self._is_over():
                    return
                uid, objects = self._job.of_study(self._destination, study, state)
                # without a UID there is nothing to ask with
                held = holdings.instances(uid) if uid else set()
                words = "the destination has it"
                self._settle(
                    uid,
                    {row: each for row, each in objects.items() if each in held},
                    Outcome(0, State.SKIPPED, failure="existing", words=words),
                )

    def verify(self, target: Target) -> None:
        """Fail what was acknowledged and is not shown; raises as `skip_existing`."""
        with Holdings(target) as holdings:
            for study in self._job.studies(self._destination, State.SENT, is_verified=False):
                if self._is_over():
                    return
                uid, objects = self._job.of_study(self._destination, study, State.SENT)
                held = holdings.instances(uid) if uid else set()
                shown = {row: each for row, each in objects.items() if each in held}
                self._job.verify(shown)
                for each in shown.values():
                    self._told(Checked(each, uid, State.SENT))
                for row, each in objects.items():
                    if row not in shown:
                        words = f"{each} was acknowledged, but a C-FIND does not show it"
                        outcome = Outcome(0, State.FAILED, failure="missing", words=words)
                        self._settle(uid, {row: each}, outcome)

    def _settle(self, study: str, objects: dict[int, str], outcome: Outcome) -> None:
        if not objects:
            return
        self._job.settle(outcome._replace(row=row) for row in objects)
        for uid in objects.values():
            self._told(Checked(uid, study, outcome.state, outcome.failure, outcome.words))
