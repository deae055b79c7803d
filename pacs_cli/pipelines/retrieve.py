"""Retrieving: one request after the other, each judged by what the peer says and by what came.

Nothing is asked for twice by itself: whether what did not come is to be asked for again, the user
knows best.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pacs_cli.dicom.identifier import encode_identifier
from pacs_cli.dicom.keys import keyword_of
from pacs_cli.dicom.retrieval import RetrieveRequest, failed_instances
from pacs_cli.errors import (
    AssociationAborted,
    AssociationError,
    MalformedDataset,
    NoAcceptedContext,
    PacsError,
    PeerFailure,
)
from pacs_cli.pipelines.calling import Calling
from pacs_cli.pipelines.find import Remark
from pacs_cli.pipelines.operations import Operation
from pacs_cli.pipelines.receiver import Arrivals
from pacs_cli.services.diagnosis import explain_context
from pacs_cli.services.query_diagnosis import explain_retrieve_status
from pacs_cli.services.results import RetrieveResponse
from pacs_cli.services.retrieve import RetrieveSession

_CANCELLED = 0xFE00
_SOME_FAILED = 0xB000

#: Associations that may be lost one after the other before the rest is given up.
_MAX_LOSSES = 2


class Progress(NamedTuple):
    """How far a request has come; `total` is None when the peer does not say."""

    ended: int
    total: int | None
    response: RetrieveResponse


@dataclass(slots=True)
class Result:
    """What became of one request.

    completed, warnings, failed, remaining  as the peer last counted them, None where it did not
    status      None when it did not end
    arrived     objects stored here meanwhile, None when they go elsewhere
    failed_uids  what the peer says that it could not send
    error       why not all of it was done, None when it was
    """

    request: RetrieveRequest
    status: int | None = None
    comment: str = ""
    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warnings: int | None = None
    arrived: int | None = None
    failed_uids: list[str] = field(default_factory=list)
    error: PacsError | None = None
    is_cancelled: bool = False
    seconds: float = 0.0

    @property
    def stored(self) -> int:
        """Objects that the peer says were stored."""
        return (self.completed or 0) + (self.warnings or 0)

    @property
    def done(self) -> int:
        """Objects that are known to be where they were to go."""
        return self.stored if self.arrived is None else self.arrived

    def add(self, earlier: Result) -> None:
        """Take in what came before, none of which can have come again."""
        for name in ("completed", "warnings", "arrived"):
            if (number := getattr(earlier, name)) is not None:
                setattr(self, name, number + (getattr(self, name) or 0))
        if self.failed is not None:
            self.failed = max(self.failed - earlier.stored, 0)
        self.seconds += earlier.seconds

    def count(self, response: RetrieveResponse) -> None:
        """Take over what a response says; what an end leaves out stays."""
        for name in ("remaining", "completed", "failed", "warnings"):
            number = getattr(response, name)
            if number is not None:
                setattr(self, name, number)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to retrieve.

    limit     objects in all, after which it is cancelled
    wait      seconds to wait for another object that the peer says it has sent
    arrivals  of what comes here, None when it goes elsewhere
    earlier   what came of a request in earlier associations, which now fails for want of a
              presentation context
    """

    limit: int | None = None
    wait: float = 5.0
    arrivals: Arrivals | None = None
    earlier: dict[RetrieveRequest, Result] = field(default_factory=dict)


class Retrieval:
    """Makes requests over one association, and another when it is lost.

    results  of the requests that were begun
    """

    def __init__(
        self,
        calling: Calling,
        operation: Operation,
        settings: Settings,
    ) -> None:
        self.target, self.model = calling.target, calling.model
        self._calling = calling
        self.operation = operation
        self.settings = settings
        self.results: list[Result] = []

    def run(self, requests: Sequence[RetrieveRequest]) -> Iterator[Progress | Result | Remark]:
        """Make the requests; yield how each gets on and what became of it.

        raises  ConnectError, AssociationError when no association stood at all, NoAcceptedContext
                when the peer does not serve the operation
        """
        left = deque(requests)
        losses = 0
        while left and not self._is_enough:
            begun = len(self.results)
            try:
                with self._session() as session:
                    while left and not self._is_enough and not session.is_over:
                        yield from self._ask(session, left.popleft())
                        losses = 0
            except PacsError as error:
                if not self.results:
                    raise
                if self._calling.wakeup.is_set:
                    return
                is_opened = begun < len(self.results)
                if is_opened and self.results[-1].error is not error:
                    # in the release: all answers are here
                    yield Remark(str(error))
                    continue
                losses += 1
                if not is_opened or losses == _MAX_LOSSES:
                    yield from self._give_up(left, error)
                    return

    @property
    def _is_enough(self) -> bool:
        limit = self.settings.limit
        return self._calling.wakeup.is_set or (limit is not None and self._done >= limit)

    @property
    def _done(self) -> int:
        arrivals = self.settings.arrivals
        if arrivals is not None:
            return arrivals.stored
        return sum(result.stored for result in self.results)

    def _session(self) -> RetrieveSession:
        proposals, negotiation = self.operation.offer(self.model)
        session = RetrieveSession(
            self.target, proposals, negotiation, self._calling.trace, self._calling.wakeup
        )
        try:
            self._calling.opened(session)
            if session.context_for(self.operation.sop_class_uid(self.model)) is None:
                result = session.contexts[1].result
                raise NoAcceptedContext(
                    f"cannot retrieve from {self.target}: {self.operation.name} in the "
                    f"{self.model.value} model was not accepted, {explain_context(result)}; try "
                    "another model, or ask whether it serves this AE title"
                )
            self.operation.check(session)
        except BaseException:
            session.abort()
            raise
        return session

    def _ask(
        self, session: RetrieveSession, request: RetrieveRequest
    ) -> Iterator[Progress | Result | Remark]:
        result = Result(request)
        self.results.append(result)
        began = time.monotonic()
        arrivals = self.settings.arrivals
        before = arrivals.stored if arrivals else 0
        lost: AssociationError | None = None
        try:
            yield from self._listen(session, request, result)
        except AssociationError as error:
            lost = result.error = error
        if arrivals is not None:
            if lost is None and not self._calling.wakeup.is_set:
                arrivals.wait_for(before + result.stored, self.settings.wait)
            result.arrived = arrivals.stored - before
        result.seconds = time.monotonic() - began
        if lost is None:
            yield from self._judge(result)
        yield result
        if lost is not None:
            raise lost

    def _listen(
        self, session: RetrieveSession, request: RetrieveRequest, result: Result
    ) -> Iterator[Progress | Remark]:
        context = session.context_for(self.operation.sop_class_uid(self.model))
        assert context is not None
        asked = encode_identifier(request.identifier(), context.transfer_syntax)
        limit = self.settings.limit
        left = None if limit is None else limit - self._done
        check = CounterCheck()
        for response in self.operation.start(session, context.id, asked, left):
            check.take(response)
            result.count(response)
            if response.is_pending:
                yield Progress(response.ended, check.total, response)
                continue
            if response.remaining is None and not response.is_cancelled:
                # nor may it be there (PS3.7 9.1.4.1.6)
                result.remaining = 0
            result.status, result.is_cancelled = response.status, response.is_cancelled
            result.comment = response.comment
            result.error = self._failure(request, response)
            if response.status is None and not self._calling.wakeup.is_set:
                yield Remark(f"after C-CANCEL it did not end as it should: {response.comment}")
            try:
                result.failed_uids = failed_instances(response.identifier, context.transfer_syntax)
            except MalformedDataset as error:
                yield Remark(f"cannot read the list of what failed at {self.target}: {error}")
        if result.error is None and check.contradiction:
            result.error = PeerFailure(
                f"the numbers of {self.target} do not add up: {check.contradiction}",
                result.status or 0,
            )

    def _failure(self, request: RetrieveRequest, end: RetrieveResponse) -> PeerFailure | None:
        """Return what stands for a failure status; None without one."""
        status = end.status
        is_fine = status in (None, 0, _SOME_FAILED) or (end.is_cancelled and status == _CANCELLED)
        if status is None or is_fine or status in (0x0001, 0x0107, 0x0116):
            return None
        details = [end.comment] if end.comment else []
        if end.offending_elements:
            details.append("it names " + ", ".join(map(keyword_of, end.offending_elements)))
        remark = f" ({'; '.join(details)})" if details else ""
        advice = self.operation.advice(status)
        return PeerFailure(
            f"{self.target} answered {self.operation.name} at {request.level} level with "
            f"{explain_retrieve_status(status)}{f'; {advice}' if advice else ''}{remark}",
            status,
        )

    def _judge(self, result: Result) -> Iterator[Remark]:
        """Find out whether all of it was done."""
        if (earlier := self.settings.earlier.get(result.request)) is not None:
            result.add(earlier)
            if result.failed == 0 and isinstance(result.error, PeerFailure):
                # nothing is left of what failed for want of a context
                result.error = None
        peer, stored, arrived = self.target, result.stored, result.arrived
        if result.error is None and result.failed:
            words = f"; it says {result.comment}" if result.comment else ""
            result.error = PeerFailure(
                f"{peer} could not send {result.failed} of {result.failed + stored} objects{words}",
                result.status or 0,
            )
        elif result.error is None and result.status == _SOME_FAILED and result.failed is None:
            result.error = PeerFailure(
                f"{peer} ended with {explain_retrieve_status(_SOME_FAILED)}, and does not say "
                "how many",
                _SOME_FAILED,
            )
        if arrived is not None and arrived < stored and result.error is None:
            result.error = PeerFailure(
                f"{peer} says that it has sent {stored} objects, {arrived} came", 0
            )
        elif arrived is not None and result.completed is not None and arrived > stored:
            yield Remark(f"{peer} says that it has sent {stored} objects, {arrived} came")

    def _give_up(self, left: deque[RetrieveRequest], error: PacsError) -> Iterator[Result]:
        for request in left:
            reason = AssociationAborted(f"not asked for, as the peer was given up: {error}")
            reason.exit = error.exit
            self.results.append(Result(request, error=reason))
            yield self.results[-1]


class CounterCheck:
    """Looks whether what a peer counts can be true.

    total          sub-operations, None when the peer does not say
    contradiction  the first one, empty without
    """

    def __init__(self) -> None:
        self._last: RetrieveResponse | None = None
        self.total: int | None = None
        self.contradiction = ""

    def take(self, response: RetrieveResponse) -> None:
        """Look at the next response."""
        if not self.contradiction:
            self.contradiction = self._problem(response)
        self._last = response
        counts = (response.remaining, response.completed, response.failed, response.warnings)
        if response.is_pending and None not in counts:
            self.total = response.ended + (response.remaining or 0)

    def _problem(self, response: RetrieveResponse) -> str:
        last = self._last
        if last is not None:
            for name in ("completed", "failed", "warnings"):
                before, now = getattr(last, name), getattr(response, name)
                if before is not None and now is not None and now < before:
                    return f"{now} {name} after {before}"
        if response.is_pending or response.is_cancelled:
            return ""
        if response.status == 0 and response.failed:
            return f"success with {response.failed} failed"
        if response.status == 0 and response.remaining:
            return f"success with {response.remaining} remaining"
        all_of_it = response.ended + (response.remaining or 0)
        is_counted = response.completed is not None
        if self.total is not None and is_counted and all_of_it != self.total:
            return f"{self.total} sub-operations were announced and {all_of_it} ended"
        return ""
