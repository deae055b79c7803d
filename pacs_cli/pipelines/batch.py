"""Running a job: what its file has queued is sent, and written down before the next is begun."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pacs_cli.dicom.part10 import Header, probe
from pacs_cli.errors import (
    AssociationError,
    ConnectError,
    Exit,
    InputError,
    LocalProtocolError,
    PeerFailure,
)
from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import Outcome, Queued, State, Wish
from pacs_cli.net.target import Target
from pacs_cli.pipelines.files import Found, Passed
from pacs_cli.pipelines.items import ChangedItem, Item, Sent
from pacs_cli.pipelines.limits import Rate, Window, until_open
from pacs_cli.pipelines.loading import Loader
from pacs_cli.pipelines.send import Observer, Sending, Settings
from pacs_cli.pipelines.slots import slots_for
from pacs_cli.pipelines.supply import Supply

if TYPE_CHECKING:
    from pacs_cli.pipelines.changes import Changes
    from pacs_cli.pipelines.checks import Checked, Checks
    from pacs_cli.pipelines.committing import Reports

#: Rows that are in memory at a time, for each destination.
_PAGE = 500

#: Objects that a destination refused for want of room and that wait in memory; beyond, nothing more
#: is sent until some of them went.
_MAX_REFUSED = 500

#: Seconds between two looks at what other processes wish and at the clock: SQLite tells nobody.
_LOOK = 0.5

_OUTSIDE = "outside the window"
_WORDS = {Wish.PAUSE: "paused", Wish.CANCEL: "cancelled"}


def _tell_nobody(_name: str, _checked: Checked) -> None:
    """Take what nobody wants to know."""


class JobItem(ChangedItem):
    """An object of a job on its way; `row` is its number in the job file."""

    row: int


class Result(NamedTuple):
    """What became of one object of a job."""

    queued_row: int
    destination: str
    sent: Sent
    state: State
    failure: str


class Commitment(NamedTuple):
    """How storage commitment is asked for.

    patience  seconds for each report
    port      where peers report that call back, None when they report on the same association
    """

    patience: float
    address: str = "127.0.0.1"
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a job is run.

    windows        when to send, always without one
    skips_existing  whether the destination is asked first for what it has
    verifies       whether it is asked afterwards
    commits        whether it is asked for storage commitment, and how
    slots_folder   where those are by which a peer has no more associations than it is to have
    """

    settings: Settings
    objects_per_second: float = 0.0
    bytes_per_second: float = 0.0
    windows: tuple[Window, ...] = ()
    skips_existing: bool = False
    verifies: bool = False
    commits: Commitment | None = None
    slots_folder: Path | None = None


@dataclass(slots=True)
class Ends:
    """Why destinations were left with something still queued: name -> words and class."""

    reasons: dict[str, tuple[str, Exit]] = field(default_factory=dict)


class Batch:
    """Runs a job that is planned and held.

    told      of each object, one at a time, after it is written down
    changes   those of the job, None when its objects are sent as they are
    told_checked  of each object that the destination was asked for, by the destination's name
    """

    def __init__(
        self,
        job: JobFile,
        plan: Plan,
        told: Callable[[Result], None],
        observer: Observer | None = None,
        changes: Changes | None = None,
        local_time: Callable[[], time.struct_time] = time.localtime,
        told_checked: Callable[[str, Checked], None] = _tell_nobody,
    ) -> None:
        self._job = job
        self._plan = plan
        self._told = told
        self._observer = observer or Observer()
        self._changes = changes
        self._local_time = local_time
        self._told_checked = told_checked
        self._telling = threading.Lock()
        self._stopping = threading.Event()
        self._sendings: list[Sending] = []
        self._why: tuple[str, Exit] | None = None
        self._is_stopped = False
        self._reports: Reports | None = None

    def run(self, targets: Sequence[tuple[int, str, Target]]) -> Ends:
        """Send until nothing is queued, a destination is given up, or somebody wishes an end.

        targets  number, name and address of each destination
        raises   OutputError when the job file cannot be written; KeyboardInterrupt
        """
        self._job.recover()
        commits = self._plan.commits
        if commits is None:
            return self._run(targets)
        from pacs_cli.pipelines.committing import Reports, listening

        self._reports = Reports()
        if commits.port is None:
            return self._run(targets)
        with listening(self._reports, commits.address, commits.port, self._observer.warn):
            return self._run(targets)

    def _run(self, targets: Sequence[tuple[int, str, Target]]) -> Ends:
        ends = Ends()
        try:
            while True:
                with self._watched():
                    self._send_to_all(targets, ends)
                self._job.recover()
                if self._why is None or self._why[0] != _OUTSIDE:
                    return ends
                ends.reasons.clear()
                self._why = None
                if (wish := self._await_window()) is not Wish.RUN:
                    words = _WORDS[wish], Exit.SOME_FAILED
                    ends.reasons.update({name: words for _, name, _ in targets})
                    return ends
        finally:
            self._job.recover()

    def stop(self) -> None:
        """End after what is on its way; any thread may call it."""
        self._why = ("stopped", Exit.SOME_FAILED)
        self._is_stopped = True
        self._end_all(*self._why)
        self._stopping.set()

    # -- destinations ----------------------------------------------------------------------------

    def _send_to_all(self, targets: Sequence[tuple[int, str, Target]], ends: Ends) -> None:
        self._sendings = [self._sending(*target) for target in targets]
        pairs = list(zip(targets, self._sendings, strict=True))
        if self._why is not None:
            self._end_all(*self._why)
        if len(pairs) == 1:
            self._send(*pairs[0], ends)
            return
        errors: list[BaseException] = []

        def run(target: tuple[int, str, Target], sending: Sending) -> None:
            try:
                self._send(target, sending, ends)
            except BaseException as error:  # noqa: BLE001 - raised by the thread that asked
                errors.append(error)
                self._end_all("another destination failed", Exit.OUTPUT)

        threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in pairs]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:
            self._end_all("interrupted", Exit.INTERRUPTED)
            self._stopping.set()
            raise
        if errors:
            raise errors[0]

    def _sending(self, number: int, name: str, target: Target) -> Sending:
        rate = Rate(self._plan.objects_per_second, self._plan.bytes_per_second)
        keeper = _Keeper(self._job, rate, self._stopping)

        def failed(queued: Queued, reason: str) -> None:
            words = f"cannot send {queued.path}: {reason}"
            sent = Sent(queued.path, None, None, words, exit=Exit.BAD_INPUT)
            self._settle(name, queued.row, sent)

        feed = _Feed(self._job, number, failed, is_changed=self._changes is not None)
        supply = Supply(feed, _never, kinds=self._job.kinds(number))
        observer = self._observer._replace(turn=keeper.turn)
        slots = slots_for(self._plan.slots_folder, target)
        settings = self._plan.settings._replace(wait=self._wait, slots=slots)
        loader = self._changes.loader if self._changes else Loader
        feed.sending = Sending(target, supply, settings, observer, loader)
        return feed.sending

    def _send(self, target: tuple[int, str, Target], sending: Sending, ends: Ends) -> None:
        number, name, address = target

        def done(entry: Sent | Passed) -> None:
            assert isinstance(entry, Sent)
            assert isinstance(entry.item, JobItem)
            self._settle(name, entry.item.row, entry)

        try:
            if self._plan.skips_existing:
                self._checks(number, name).skip_existing(address)
            sending.run(done)
            if sending.ended_with is None and self._plan.verifies:
                self._checks(number, name).verify(address)
            if sending.ended_with is None and self._plan.commits:
                self._commit(number, name, address, self._plan.commits)
        except (AssociationError, ConnectError, PeerFailure) as error:
            sending.end(str(error), error.exit)
        if sending.ended_with is not None:
            ends.reasons[name] = sending.ended_with

    def _checks(self, number: int, name: str) -> Checks:
        # what only some jobs need is not imported by the others
        from pacs_cli.pipelines.checks import Checks

        return Checks(self._job, number, lambda: self._why is not None, self._checked(name))

    def _commit(self, number: int, name: str, address: Target, how: Commitment) -> None:
        from pacs_cli.pipelines.committing import Commits

        assert self._reports is not None
        is_listening = how.port is not None
        told = self._checked(name)
        commits = Commits(self._job, number, self._reports, is_listening, how.patience, told)
        commits.run(address, lambda: self._why is not None)

    def _checked(self, name: str) -> Callable[[Checked], None]:
        def told(checked: Checked) -> None:
            with self._telling:
                self._told_checked(name, checked)

        return told

    def _settle(self, name: str, row: int, sent: Sent) -> None:
        """Write down what was not while it was sent, and tell it."""
        if not sent.is_own:
            # the peer's or ours to end it: it stays queued, or is again when all has ended
            return
        outcome = _outcome(row, sent)
        if sent.status is None:
            self._job.settle([outcome])
        with self._telling:
            self._told(Result(row, name, sent, outcome.state, outcome.failure))

    # -- ends ------------------------------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def _end_all(self, reason: str, exit_code: Exit) -> None:
        for sending in self._sendings:
            sending.end(reason, exit_code)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Heed inside the block what others wish, and the hours of the day."""
        if not self._is_stopped:
            self._stopping.clear()
        is_over = threading.Event()
        self._look()

        def watch() -> None:
            while not is_over.wait(_LOOK):
                if self._look():
                    return

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _look(self) -> bool:
        """End everything if it is to end; return whether it is."""
        wish = self._job.wish
        if wish is not Wish.RUN:
            self._why = (_WORDS[wish], Exit.SOME_FAILED)
        elif until_open(self._plan.windows, self._local_time()):
            self._why = (_OUTSIDE, Exit.SOME_FAILED)
        else:
            return False
        self._end_all(*self._why)
        self._stopping.set()
        return True

    def _await_window(self) -> Wish:
        """Wait until a window opens, or an end is wished; return what is wished."""
        idle = threading.Event()
        is_told = False
        while (wish := self._job.wish) is Wish.RUN:
            seconds = until_open(self._plan.windows, self._local_time())
            if not seconds:
                break
            if not is_told:
                self._observer.warn(f"outside the window: waiting {seconds / 60:.0f} minutes")
                is_told = True
            idle.wait(min(seconds, _LOOK))
        return wish


class _Keeper:
    """Writes down an answer before the next object is sent, when the rate lets it."""

    def __init__(self, job: JobFile, rate: Rate, stopping: threading.Event) -> None:
        self._job = job
        self._rate = rate
        self._stopping = stopping

    def turn(self, answered: Sent | None, upcoming: Item | None) -> None:
        outcome = None
        if answered is not None and isinstance(answered.item, JobItem):
            outcome = _outcome(answered.item.row, answered)
        if upcoming is not None and self._rate.is_limited:
            delay = self._rate.delay(upcoming.size)
            if delay and outcome is not None:
                self._job.turn(outcome, None)
                outcome = None
            self._stopping.wait(delay)
        begun = upcoming.row if isinstance(upcoming, JobItem) else None
        self._job.turn(outcome, begun)


class _Feed:
    """What a job has queued for a destination, page by page; an iterator that may go on later."""

    sending: Sending

    def __init__(
        self,
        job: JobFile,
        destination: int,
        failed: Callable[[Queued, str], None],
        is_changed: bool,
    ) -> None:
        self._job = job
        self._is_changed = is_changed
        self._destination = destination
        self._failed = failed
        self._page: Iterator[Queued] = iter(())
        self._last = (0, 0)

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> Item:
        while self._is_wanted():
            queued = next(self._page, None)
            if queued is None:
                page = self._job.page(self._destination, self._last, _PAGE)
                if not page:
                    break
                self._page = iter(page)
                continue
            self._last = queued.study, queued.row
            if self._is_changed is not (queued.source_sop_instance_uid is not None):
                raise LocalProtocolError(f"{queued.path} would be sent as it is not planned")
            try:
                return _item(queued)
            except InputError as error:
                self._failed(queued, str(error).removeprefix(f"cannot read {queued.path}: "))
        raise StopIteration

    def _is_wanted(self) -> bool:
        supply = self.sending.supply
        is_over = supply.is_closed or self.sending.ended_with is not None
        return not is_over and len(supply.refusals) < _MAX_REFUSED


def _item(queued: Queued) -> JobItem:
    """Return an object as it is now; raises InputError when it is gone or another."""
    try:
        status = os.stat(queued.path)  # noqa: PTH116 - a Path would not hold every name
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).lower()
        raise InputError(reason) from None
    is_same = (status.st_size, status.st_mtime_ns) == (queued.file_size, queued.modified_ns)
    if queued.source_sop_instance_uid is not None:
        if not is_same:
            raise InputError("it has changed since it was planned, and what is sent was decided")
        return _changed(queued)
    if is_same and queued.dataset_offset:
        sop_class, syntax = queued.kind
        header = Header(
            *("", "", syntax, sop_class, queued.sop_instance_uid),
            queued.dataset_offset,
            queued.file_size,
        )
    else:
        header = probe(queued.path)
        if header.sop_instance_uid != queued.sop_instance_uid:
            raise InputError("another object is there now than was planned")
    item = JobItem(queued.path, header)
    item.row = queued.row
    return item


def _changed(queued: Queued) -> JobItem:
    """Return an object that is changed on its way, as it was planned."""
    source = probe(queued.path)
    sop_class, syntax = queued.kind
    header = source._replace(
        sop_class_uid=sop_class,
        sop_instance_uid=queued.sop_instance_uid,
        transfer_syntax_uid=syntax,
    )
    item = JobItem(queued.path, header)
    item.row, item.source, item.lines = queued.row, source, queued.fixes
    return item


def _outcome(row: int, sent: Sent) -> Outcome:
    if sent.error is None:
        return Outcome(row, State.SENT, sent.attempts, "", sent.status)
    return Outcome(row, State.FAILED, sent.attempts, failure_class(sent), sent.status, sent.error)


def failure_class(sent: Sent) -> str:
    """Return the class of a failure, as a job keeps it: `docs/job-schema.md` lists them."""
    if sent.status is None:
        if sent.failure:
            return sent.failure
        if sent.exit is Exit.BAD_INPUT:
            return "input"
        return "lost" if sent.attempts else "context"
    high = sent.status >> 8
    classes = {0xA7: "resources", 0xA9: "mismatch"}
    return classes.get(high, "not understood" if high >> 4 == 0xC else "refused")


def _never(_: Found | Passed) -> Item:
    raise AssertionError("a job has items alone")
