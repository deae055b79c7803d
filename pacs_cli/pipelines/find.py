"""Queries over one association: the matches of one level, or of that and all below it."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from pacs_cli.dicom.dataset import Dataset
from pacs_cli.dicom.identifier import encode_identifier, read_answer, unknown_character_sets
from pacs_cli.dicom.json_model import text_at
from pacs_cli.dicom.keys import keyword_of
from pacs_cli.dicom.query import UNIQUE_KEYS, Level, Model, Query, Request, make_query
from pacs_cli.errors import (
    Exit,
    MalformedDataset,
    NoAcceptedContext,
    PacsError,
    PeerFailure,
    PeerProtocolError,
)
from pacs_cli.net.channel import Wakeup
from pacs_cli.services.diagnosis import explain_context
from pacs_cli.services.query_diagnosis import explain_find_status
from pacs_cli.services.results import FindResponse

if TYPE_CHECKING:
    from pacs_cli.dicom.dataset import AnyDataset

_CANCELLED = 0xFE00

#: Bytes of the answers that wait until what is below them is asked for, each counted with what it
#: takes besides: some 40,000 studies in 200 MB.
MAX_HELD = 64 * 1024 * 1024
_BESIDES = 1024

#: Remarks that are each said once; a peer could go on for ever with new ones.
_MAX_SAID = 20


@dataclass(frozen=True, slots=True)
class Match:
    """One answer.

    dataset     decoded; with the unique keys it was asked with if the peer left them out
    identifier  its bytes as they came, in `transfer_syntax_uid`
    depth       levels above it that were asked
    """

    request: Request
    dataset: AnyDataset
    identifier: bytes
    transfer_syntax_uid: str
    depth: int


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know of the answers that is no failure."""

    text: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A part of the work that failed; the rest goes on. `exit` is the class of it."""

    text: str
    exit: Exit


class _Peer(Protocol):
    @property
    def name(self) -> str: ...


class _Context(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def transfer_syntax(self) -> str: ...
    @property
    def result(self) -> int: ...


class Answering(Protocol):
    """Who is asked: a peer over its `Session`, or an index as if it were one."""

    @property
    def target(self) -> _Peer:
        """Who it is, for messages."""

    @property
    def contexts(self) -> Mapping[int, _Context]:
        """What was proposed."""

    def context_for(self, abstract_syntax: str) -> _Context | None:
        """Return the context that was accepted, if any."""

    def find(
        self, context_id: int, identifier: bytes, limit: int | None = None
    ) -> Iterator[FindResponse]:
        """Yield each match as it comes, and last how it ended."""


class Search:
    """Asks one query, and what it needs for the levels below, and counts.

    session  over which the model's SOP class was proposed
    target   its peer
    limit    matches of each request, None for all
    wakeup   ends the search when it is set
    status   how the first request ended, None while or when that is not known
    raises   NoAcceptedContext when the peer does not serve the model
    """

    def __init__(
        self, session: Answering, query: Query, limit: int | None, wakeup: Wakeup | None = None
    ) -> None:
        self._session = session
        self.target = session.target
        self.query = query
        self._limit = limit
        self._wakeup = wakeup
        self._said: set[str] = set()
        self._is_lost = False
        self.matches: Counter[Level] = Counter()
        self.requests = self.problems = 0
        self.is_cancelled = False
        self.status: int | None = None
        context = session.context_for(query.model.sop_class_uid)
        if context is None:
            result = next(iter(session.contexts.values())).result
            raise NoAcceptedContext(
                f"cannot query {session.target}: the {query.model.value} model was not accepted, "
                f"{explain_context(result)}; try another model, or ask whether it serves C-FIND "
                "to this AE title"
            )
        self._context = context

    def run(self) -> Iterator[Match | Remark | Problem]:
        """Yield what comes: matches of one level as they arrive, a tree branch by branch.

        raises  PeerFailure when the peer answers the first request with a failure, after its
                matches; PeerProtocolError when there are too many to be held for a tree
        """
        yield from self._ask(self.query.first(), 0)

    @property
    def is_interrupted(self) -> bool:
        """Whether the wakeup ended it."""
        return self._wakeup is not None and self._wakeup.is_set

    def _ask(self, request: Request, depth: int) -> Iterator[Match | Remark | Problem]:
        self.requests += 1
        branches: list[Match] = []
        held = 0
        end = FindResponse(None)
        asked = encode_identifier(request.identifier, self._context.transfer_syntax)
        for response in self._session.find(self._context.id, asked, self._limit):
            if not response.is_pending:
                end = response
                continue
            for found in self._received(request, response, depth):
                if isinstance(found, Match) and self.query.drills:
                    branches.append(found)
                    held += len(found.identifier) + _BESIDES
                    if held > MAX_HELD:
                        raise PeerProtocolError(
                            f"{self.target} sent {len(branches)} matches and more, which are too "
                            "many to ask below each; ask for less, or with --limit; aborted"
                        )
                else:
                    yield found
        if depth == 0:
            self.status = end.status
        self.is_cancelled |= end.is_cancelled
        self._is_lost = end.status is None
        failure = self._failure(request, end)
        yield from self._remarks(end)
        asked_below: set[str] = set()
        for match in branches:
            yield match
            if failure is None and not (self._is_lost or self.is_interrupted):
                # a peer may answer once for every image that it has of a study
                own = text_at(match.dataset, [UNIQUE_KEYS[request.level]])
                if own not in asked_below:
                    asked_below.add(own)
                    yield from self._below(match)
        if failure is not None:
            if depth == 0:
                raise failure
            yield self._failed(str(failure), failure.exit)

    def _below(self, match: Match) -> Iterator[Match | Remark | Problem]:
        try:
            request = self.query.below(match.request, match.dataset)
        except PacsError as error:
            yield self._failed(f"cannot ask for what is below a match: {error}", Exit.SOME_FAILED)
            return
        if request is not None:
            yield from self._ask(request, match.depth + 1)

    def _received(
        self, request: Request, response: FindResponse, depth: int
    ) -> Iterator[Match | Remark | Problem]:
        peer, syntax = self.target, self._context.transfer_syntax
        if response.has_unsupported_keys:
            yield from self._once(
                f"{peer} does not match on some optional keys (FF01H): there may be more matches "
                "than were asked for"
            )
        try:
            dataset = read_answer(response.identifier, syntax)
        except MalformedDataset as error:
            # bytes of the peer that are none of the standard's
            yield self._failed(f"cannot read a match of {peer}: {error}", Exit.ASSOCIATION)
            return
        for name in unknown_character_sets(dataset):
            yield from self._once(
                f"{peer} writes in {name}, which is no character set; some text may be wrong"
            )
        self.query.complete(request, dataset)
        self.matches[request.level] += 1
        yield Match(request, dataset, response.identifier, syntax, depth)

    def _failure(self, request: Request, end: FindResponse) -> PeerFailure | None:
        """Return what to raise for how a request ended; None when it did as it should.

        After a C-CANCEL we have all we wanted, whatever the peer says of it.
        """
        if end.status is None or end.is_cancelled or end.status == 0 or end.is_warning:
            return None
        where = f"the {self.query.model.value} model at {request.level} level"
        details = [end.comment] if end.comment else []
        if end.offending_elements:
            details.append("it names " + ", ".join(map(keyword_of, end.offending_elements)))
        remark = f" ({'; '.join(details)})" if details else ""
        return PeerFailure(
            f"{self.target} answered C-FIND in {where} with "
            f"{explain_find_status(end.status)}{remark}",
            end.status,
        )

    def _remarks(self, end: FindResponse) -> Iterator[Remark]:
        peer = self.target
        if self.is_interrupted:
            return
        if end.status is None:
            yield Remark(f"after C-CANCEL the query did not end as it should: {end.comment}")
        elif end.is_warning or (end.is_cancelled and end.status not in (0, _CANCELLED)):
            yield Remark(f"{peer} ended the query with {explain_find_status(end.status)}")

    def _once(self, text: str) -> Iterator[Remark]:
        if text not in self._said and len(self._said) < _MAX_SAID:
            self._said.add(text)
            yield Remark(text)

    def _failed(self, text: str, exit: Exit) -> Problem:
        self.problems += 1
        return Problem(text, exit)


def query_for_any(session: Answering) -> Query | None:
    """Return a query for whatever is at the top of a model that the peer accepted: studies, else
    patients; None without such a model.
    """
    for model in (Model.STUDY_ROOT, Model.PATIENT_ROOT):
        if session.context_for(model.sop_class_uid) is not None:
            return make_query(model, Dataset(), model.levels[0])
    return None


@contextmanager
def waking(wakeup: Wakeup) -> Iterator[None]:
    """Set the wakeup on the first Ctrl-C inside the block; the next one interrupts as ever.

    Only in the main thread, and if nobody else has taken the signal.
    """

    def wake(number: int, frame: FrameType | None) -> None:
        if wakeup.is_set:
            signal.default_int_handler(number, frame)
        wakeup.set()

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    before = signal.signal(signal.SIGINT, wake)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
