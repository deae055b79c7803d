"""Sending files: contexts from the files, as many associations as asked for, one result each.

What a peer acknowledged is never sent again. What it did not answer before the association was lost
is: the same bytes under the same UID, which a peer that has them already holds once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pacs_cli.errors import Exit, PacsError
from pacs_cli.net.target import Target
from pacs_cli.pipelines.files import Found, Passed
from pacs_cli.pipelines.interrupts import Interrupts
from pacs_cli.pipelines.items import Item, Sent, collect
from pacs_cli.pipelines.loading import Loader
from pacs_cli.pipelines.retry import Retry, Stop
from pacs_cli.pipelines.sessions import Stopped
from pacs_cli.pipelines.slots import Slots
from pacs_cli.pipelines.supply import Pending, Supply
from pacs_cli.pipelines.worker import Worker
from pacs_cli.services.scu import Session, Trace
from pacs_cli.wire.command import Priority
from pacs_cli.wire.negotiation import Proposal

__all__ = ["Item", "Observer", "Sending", "Sent", "Settings", "collect", "send"]

#: What a caller is told of each path.
Done = Callable[[Sent | Passed], None]

#: Threads that do not end by then are left behind: they write to a peer that does not read, or
#: wait for a connection.
_END_SECONDS = 3.0


class _Untold(Exception):
    """A result could not be told, which ends everything; `error` says why."""

    def __init__(self, error: PacsError) -> None:
        super().__init__(str(error))
        self.error = error


def _ignore(_: object) -> None:
    """Take what nobody wants to know."""


def _wait(seconds: float) -> None:
    """Wait as long, or until the process is interrupted."""
    threading.Event().wait(seconds)


class Observer(NamedTuple):
    """Who is told of what happens on the way; from any thread.

    opened  each association once it stands
    warn    one line about what did not go as wanted and is tried again
    note    the same of what every object will be reported for anyway
    turn    what was answered, if anything, and what is sent next on the same association, before it
            is; what it raises ends everything
    """

    opened: Callable[[Session], None] = _ignore
    trace: Trace | None = None
    warn: Callable[[str], None] = _ignore
    note: Callable[[str], None] = _ignore
    turn: Callable[[Sent | None, Item | None], None] | None = None


class Settings(NamedTuple):
    """How to send.

    jobs               associations at once
    stops_at_failure   whether the first failure ends it all
    converts           whether what the peer refuses as it is stored is sent decompressed
    wait               waits so many seconds before something is tried again
    slots              without one no association is opened; None when there is no limit
    """

    jobs: int = 1
    priority: Priority = Priority.MEDIUM
    retry: Retry = Retry()
    stops_at_failure: bool = False
    converts: bool = False
    wait: Callable[[float], None] | None = None
    slots: Slots | None = None


def send(
    target: Target,
    items: Sequence[Item],
    opened: Callable[[Session], None],
    trace: Trace | None = None,
) -> list[Sent]:
    """Send every item over one association after the other and return what became of each.

    opened  told of each association once it stands
    Nothing is tried again: what ends an association ends all that is left, with the same reason.
    """
    results: list[Sent] = []

    def done(sent: Sent | Passed) -> None:
        assert isinstance(sent, Sent)
        results.append(sent)

    def examine(_: object) -> Sent:
        raise AssertionError("items were looked at already")

    Sending(target, Supply(items, examine), observer=Observer(opened, trace)).run(done)
    return results


class Sending:
    """Sends what a supply has, over `settings.jobs` associations at a time."""

    def __init__(
        self,
        target: Target,
        supply: Supply,
        settings: Settings | None = None,
        observer: Observer | None = None,
        loader: Callable[[], Loader] = Loader,
    ) -> None:
        self.target = target
        self.supply = supply
        self.settings = settings or Settings()
        self.observer = observer or Observer()
        self.loader = loader
        # one thread alone is interrupted, and needs nothing to be woken by
        self._stop = Stop() if self.settings.jobs > 1 else None
        self.wait = self.settings.wait or (self._stop.wait if self._stop else _wait)
        #: whether any association stood, and any object was answered
        self.has_stood = self.has_answered = False
        self._end: tuple[str, Exit] | None = None
        self._turn = self.observer.turn
        self._interrupts = Interrupts()

    def run(self, done: Done) -> None:
        """Send everything and call `done` with each result as it is known, from any thread but one
        at a time.

        KeyboardInterrupt aborts what stands; what was acknowledged by then is still told.
        """

        def tell(entry: Sent | Passed) -> None:
            if self.settings.stops_at_failure and isinstance(entry, Sent) and entry.error:
                self._end = self._end or ("not sent: stopped at the first failure", entry.exit)
            try:
                done(entry)
            except PacsError as error:
                # it must not be taken for an end of the association
                raise _Untold(error) from None

        try:
            with self._interrupts:
                self._run(tell)
        except _Untold as untold:
            raise untold.error from None

    def end(self, reason: str, exit_code: Exit) -> None:
        """Send nothing more: what is on its way is finished, the rest told with this reason; any
        thread may call it.
        """
        self._end = self._end or (reason, exit_code)
        self.supply.close()

    @property
    def ended_with(self) -> tuple[str, Exit] | None:
        """Why not everything was sent, None when it was or is still being sent."""
        return self._end

    def turn(self, answered: Sent | None, upcoming: Item | None) -> None:
        """Have it kept what was answered before the next is sent."""
        if self._turn is None or (answered is None and upcoming is None):
            return
        try:
            self._turn(answered, upcoming)
        except PacsError as error:
            # it must not be taken for an end of the association
            raise _Untold(error) from None

    def _run(self, tell: Done) -> None:
        told = self._interrupts.after(tell)
        while True:
            if proposals := self.supply.next_round():
                if self.settings.jobs == 1:
                    workers = [Worker(self, proposals, told, None)]
                    workers[0].run()
                else:
                    workers = self._run_threads(proposals, tell)
                if reasons := _reasons_to_end(workers):
                    self._end = self._end or reasons[0]
                    break
                self._warn_of_those_that_gave_up(workers)
            elif self.supply.refusals and self._end is None:
                self._wait_for_room()
            else:
                break
        self._tell_rest(told)

    def _warn_of_those_that_gave_up(self, workers: Sequence[Worker]) -> None:
        if reasons := [worker.gave_up for worker in workers if worker.gave_up]:
            self.observer.warn(
                f"{reasons[0][0]}; {len(reasons)} of {len(workers)} associations were given up, "
                "the others sent what was left"
            )

    def _wait_for_room(self) -> None:
        """Give a peer that is out of resources a moment, then deal out again what it refused."""
        retry, refusals = self.settings.retry, self.supply.refusals
        seconds = retry.wait_before(max(refusals))
        self.observer.note(
            f"objects refused for want of resources: {len(refusals)}; "
            f"sent again in {seconds:.1f} s, {max(refusals)} of {retry.times}"
        )
        self.wait(seconds)
        self.supply.resume()

    def _tell_rest(self, tell: Done) -> None:
        """Tell of what was never sent, with the reason."""
        for entry in self.supply.rest():
            if not isinstance(entry, Pending | Found):
                tell(entry)
                continue
            # without an end nothing that could be sent is left
            assert self._end is not None
            reason, exit_code = self._end
            if isinstance(entry, Found):
                tell(Sent(entry.path, None, None, reason, exit=exit_code, is_own=False))
            else:
                tell(entry.not_sent(reason, exit_code))

    def _run_threads(self, proposals: Sequence[Proposal], tell: Done) -> list[Worker]:
        """Run every worker in a thread; each tells its results itself, one at a time."""
        telling = threading.Lock()
        ended = threading.Semaphore(0)
        errors: list[BaseException] = []

        def tell_alone(entry: Sent | Passed) -> None:
            with telling:
                tell(entry)

        def run(worker: Worker) -> None:
            try:
                worker.run()
            except Stopped:
                return
            except BaseException as error:  # noqa: BLE001 - raised by the thread that asked
                errors.append(error)
            finally:
                ended.release()

        count = self.settings.jobs
        workers = [Worker(self, proposals, tell_alone, self._stop) for _ in range(count)]
        threads = [threading.Thread(target=run, args=(worker,), daemon=True) for worker in workers]
        try:
            for thread in threads:
                thread.start()
            for _ in threads:
                ended.acquire()
                if errors:
                    # kept nowhere: its traceback has this frame, and would keep all of it
                    raise errors.pop()
        except BaseException:
            self._end_threads(threads)
            raise
        return workers

    def _end_threads(self, threads: Sequence[threading.Thread]) -> None:
        import time

        self.supply.close()
        if self._stop is not None:
            self._stop.set()
        expiry = time.monotonic() + _END_SECONDS
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, expiry - time.monotonic()))


def _reasons_to_end(workers: Sequence[Worker]) -> list[tuple[str, Exit]]:
    """Return why, when the peer was given up by every worker that had something to send."""
    if any(worker.has_served and not worker.gave_up for worker in workers):
        return []
    return [worker.gave_up for worker in workers if worker.gave_up]
