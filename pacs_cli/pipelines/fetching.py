"""What another archive has, announced by C-FIND and fetched piece by piece to be sent on.

What is fetched lies in a spool until it was sent or has failed, and no more is asked for while that
is full. What the source answers for and does not deliver has failed; while it does not answer at
all, nothing is decided.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

from pacs_cli.dicom.query import UNIQUE_KEYS, Level, Query
from pacs_cli.dicom.retrieval import Wanted, is_uid, requests_for
from pacs_cli.errors import (
    AssociationError,
    ConnectError,
    InputError,
    OutputError,
    PacsError,
    PeerFailure,
    PeerTimeout,
)
from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.origins import Announced, Origins
from pacs_cli.jobs.states import Planned, State, Wish
from pacs_cli.net.channel import Wakeup
from pacs_cli.pipelines.batch import Ends
from pacs_cli.pipelines.calling import Calling
from pacs_cli.pipelines.changes import Changes
from pacs_cli.pipelines.find import Problem, Remark, waking
from pacs_cli.pipelines.get import GetRun, rounds_for
from pacs_cli.pipelines.job_plan import examine
from pacs_cli.pipelines.operations import Move
from pacs_cli.pipelines.planning import Planner
from pacs_cli.pipelines.receiver import Arrivals
from pacs_cli.pipelines.retrieve import Progress, Result, Retrieval, Settings
from pacs_cli.pipelines.retry import Retry
from pacs_cli.pipelines.spool import Spool, SpoolHandler
from pacs_cli.pipelines.survey import Instance, Survey, queries_for
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import ProviderEvent
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Proposal,
)

#: Objects of one request, and so what may come once the spool is full: as many as storescu looks
#: ahead for would be 130 MB of CT more.
_CHUNK = 50

#: Seconds to wait for another object of a C-MOVE that the source says it has sent.
_WAIT = 5.0

#: The source does not know us as a destination: nothing can ever come.
_UNKNOWN_DESTINATION = 0xA801


def instances_of(
    calling: Calling, query: Query, warn: Callable[[str], None]
) -> Iterator[list[Instance]]:
    """Ask a source what it has of a query, and yield its instances, study by study.

    raises  what ends an association, and PeerFailure: a plan that is not whole is none
    """
    planner = Planner(calling, query)
    _heard(planner.run(has_instances=False, must_tell=True), warn)
    model = calling.model
    offer = (Proposal(model.sop_class_uid, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)),)
    if not planner.requests:
        return
    session = Session(calling.target, offer, None, calling.trace, calling.wakeup)
    try:
        calling.opened(session)
        for request in planner.requests:
            survey = Survey(model, calling.wakeup)
            _heard(survey.run(session, queries_for(model, [request]), has_instances=True), warn)
            yield list(survey.instances.values())
    except BaseException:
        session.abort()
        raise
    with suppress(AssociationError):
        # in the release: all answers are here
        session.__exit__(None, None, None)


def _heard(said: Iterator[Remark | Problem], warn: Callable[[str], None]) -> None:
    for each in said:
        if isinstance(each, Problem):
            raise PeerFailure(each.text, 0)
        warn(each.text)


def announce(
    job: JobFile, spool: Spool, calling: Calling, query: Query, warn: Callable[[str], None]
) -> None:
    """Plan what a source has of a query; raises as `instances_of`, and OutputError."""
    origins = Origins(job)
    for instances in instances_of(calling, query, warn):
        announced = []
        for each in instances:
            uniques = dict(each.wanted.uniques)
            study, series = (
                uniques.get(UNIQUE_KEYS[level], "") for level in (Level.STUDY, Level.SERIES)
            )
            uid = each.wanted.own
            if not (is_uid(study) and is_uid(series) and is_uid(uid)):
                raise PeerFailure(f"{calling.target} shows an image without its UIDs", 0)
            announced.append(Announced(spool.path(uid), study, series, uid, each.sop_class_uid))
        origins.announce(announced)


class Fetcher:
    """Fetches what a job has announced, with C-GET, or with C-MOVE to ourselves.

    calling  the source
    changes  those of the job
    move     the C-MOVE whose objects come to `handler` and are told to `observe`; None for C-GET
    """

    def __init__(
        self,
        job: JobFile,
        spool: Spool,
        calling: Calling,
        changes: Changes | None,
        retry: Retry,
        warn: Callable[[str], None],
    ) -> None:
        self._job = job
        self._origins = Origins(job)
        self._spool = spool
        self._calling = calling
        self._changes = changes
        self._retry = retry
        self._warn = warn
        self._arrivals = Arrivals(lambda _: None)
        self._has_answered = False
        self.handler = SpoolHandler(spool)
        self.move: Move | None = None

    @property
    def source(self) -> str:
        """Return who it is, for messages."""
        return str(self._calling.target)

    @property
    def wakeup(self) -> Wakeup:
        """Return what ends it when it is set."""
        return self._calling.wakeup

    def observe(self, event: ProviderEvent) -> None:
        """Take what a provider tells of objects that came over a C-MOVE."""
        self._arrivals.observe(event)

    def recover(self) -> None:
        """Have it fetched again what was lost, and remove what is of no use any more."""
        gone = [path for path in self._origins.queued() if not os.path.exists(path)]  # noqa: PTH110
        self._origins.announce_again(gone)
        self.clear()

    def clear(self) -> None:
        """Remove what was sent or has failed from the spool."""
        self._spool.clear(self._origins.is_needed)

    def fill(self) -> bool:
        """Fetch until the spool is full, nothing is left or an end is wished.

        returns  whether anything was left to be fetched
        raises   what ends an association, when trying again was of no use; PeerFailure when the
                 source does not know us
        """
        is_begun = False
        setbacks = 0
        while self._job.wish is Wish.RUN and not self._calling.wakeup.is_set:
            if not self._spool.has_room or not (chunk := self._origins.next(_CHUNK)):
                break
            is_begun = True
            try:
                self._fetch(chunk)
                setbacks = 0
            except OutputError:
                raise
            except PacsError as error:
                setbacks += 1
                stood = self._has_answered
                if setbacks > self._retry.times or not self._retry.is_worth_it(error, stood, stood):
                    raise
                seconds = self._retry.wait_before(setbacks)
                self._warn(f"{error}; trying again in {seconds:.1f} s")
                threading.Event().wait(seconds)
        return is_begun

    def _fetch(self, chunk: list[Announced]) -> None:
        """Fetch some objects and write down what came of each."""
        # what came before a kill is there
        wanted = [each for each in chunk if not os.path.exists(each.path)]  # noqa: PTH110
        answers = _Answers()
        lost: PacsError | None = None
        if wanted:
            try:
                self._ask(wanted, answers)
            except PacsError as error:
                lost = error
        self._settle(chunk, answers)
        if (problem := self.handler.problem) is not None:
            # ours and not the source's: it is all still to be fetched
            raise OutputError(f"cannot write to {self._spool.folder}: {problem}")
        if lost is not None:
            raise lost
        if answers.lost is not None:
            raise answers.lost
        if wanted and not answers and not self._calling.wakeup.is_set:
            raise PeerTimeout(f"{self.source} answered none of the requests")

    def _ask(self, wanted: list[Announced], answers: _Answers) -> None:
        self.handler.wanted = frozenset(each.sop_instance_uid for each in wanted)
        self._arrivals = Arrivals(lambda _: None)
        calling = self._calling
        instances = {each.sop_instance_uid: _instance(each) for each in wanted}
        requests = requests_for(calling.model, [each.wanted for each in instances.values()])
        events: Iterator[Progress | Result | Remark]
        if self.move is not None:
            settings = Settings(None, _WAIT, self._arrivals)
            events = Retrieval(calling, self.move, settings).run(requests)
        else:
            get = GetRun(calling, self.handler, self._arrivals)
            events = get.run(*rounds_for(calling.model, requests, instances))
        for event in events:
            if isinstance(event, Remark):
                self._warn(event.text)
            elif isinstance(event, Result):
                self._has_answered |= event.status is not None
                answers.take(event)

    def _settle(self, chunk: list[Announced], answers: _Answers) -> None:
        came: list[Planned] = []
        missing: list[tuple[str, str]] = []
        for each in chunk:
            if os.path.exists(each.path):  # noqa: PTH110 - a string as the job has it
                came.append(self._examined(each))
            elif (words := answers.words(each.sop_instance_uid)) and not self.handler.problem:
                refused = self._arrivals.refused.get(each.sop_instance_uid)
                words = f"it was not taken: {refused.comment}" if refused else words
                missing.append((each.path, f"{each.sop_instance_uid} did not come: {words}"))
        self._origins.fetched(came)
        self._origins.missing(missing)
        for planned in came:
            if planned.state is not State.QUEUED:
                self._warn(f"failed {planned.path}: {planned.words}")
        for _, words in missing:
            self._warn(words)

    def _examined(self, announced: Announced) -> Planned:
        path = announced.path
        try:
            status = os.stat(path)  # noqa: PTH116 - as above
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        planned = examine(path, True, status.st_mtime_ns)
        if planned.state is not State.QUEUED:
            return planned
        if planned.sop_instance_uid != announced.sop_instance_uid:
            words = "the source sent another object under its UID"
            return Planned(path, state=State.FAILED, failure="source", words=words)
        return self._changes.planned(planned) if self._changes else planned


class _Answers:
    """What the source said of the requests.

    lost  why a request has no answer, None when all have
    """

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self.lost: PacsError | None = None

    def __bool__(self) -> bool:
        return bool(self._words)

    def take(self, result: Result) -> None:
        error = result.error
        is_hopeless = isinstance(error, PeerFailure) and result.status == _UNKNOWN_DESTINATION
        if result.status is None or is_hopeless:
            self.lost = self.lost or error or PeerTimeout("the source did not answer")
            return
        words = str(error) if error else "the source says that it has sent it"
        self._words.update(dict.fromkeys(result.request.values, words))

    def words(self, sop_instance_uid: str) -> str | None:
        """Return why an object did not come, None when that is not decided."""
        return self._words.get(sop_instance_uid)


def _instance(announced: Announced) -> Instance:
    uniques = (
        (UNIQUE_KEYS[Level.STUDY], announced.study_instance_uid),
        (UNIQUE_KEYS[Level.SERIES], announced.series_instance_uid),
        (UNIQUE_KEYS[Level.IMAGE], announced.sop_instance_uid),
    )
    return Instance(Wanted(Level.IMAGE, uniques), announced.sop_class_uid)


def by_turns(send: Callable[[], Ends], fetcher: Fetcher) -> Ends:
    """Send what was fetched, then fetch more, until nothing is left or can be had."""
    while True:
        ends = send()
        fetcher.clear()
        if ends.reasons:
            return ends
        try:
            with waking(fetcher.wakeup):
                is_begun = fetcher.fill()
        except (AssociationError, ConnectError, PeerFailure) as error:
            # what came before is sent
            ends = send()
            ends.reasons.setdefault(fetcher.source, (str(error), error.exit))
            return ends
        if fetcher.wakeup.is_set:
            raise KeyboardInterrupt
        if not is_begun:
            return ends
