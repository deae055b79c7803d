"""Store and forward: what an archive takes in is queued in a job before it is acknowledged.

The job is one of `send-batch`, so what is queued survives whatever ends the process, and is sent
after the next start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pacs_cli.errors import OutputError, PacsError
from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import State, Wish
from pacs_cli.net.target import Target
from pacs_cli.pipelines.batch import Batch, Plan, Result
from pacs_cli.pipelines.job_plan import digest, examine
from pacs_cli.pipelines.send import Observer
from pacs_cli.services.commitment import Commitment, Committer
from pacs_cli.services.serving import Handler, Sink, StoreOutcome, StoreRequest

#: Seconds until a destination that was given up is called again, and a pause is looked at.
AGAIN = 30.0

#: Out of resources (PS3.4 table B.2-1): it is kept, but whether it will be forwarded is not sure.
_NOT_QUEUED = 0xA700


class Forwarder:
    """Sends what is queued, in a thread, until it is stopped.

    job      held by this process
    targets  number, name and address of each destination
    told     of each object that was sent or failed
    rested   told when for the time being no more is sent
    """

    def __init__(
        self,
        job: JobFile,
        targets: Sequence[tuple[int, str, Target]],
        plan: Plan,
        told: Callable[[Result], None],
        warn: Callable[[str], None],
        again: float = AGAIN,
        rested: Callable[[], None] = lambda: None,
    ) -> None:
        self._job = job
        self._rested = rested
        self._targets = targets
        self._plan = plan
        self._told = told
        self._warn = warn
        self._again = again
        self._changed = threading.Condition()
        # what an earlier process left is sent at once
        self._is_queued = True
        self._is_stopping = False
        self._batch: Batch | None = None
        self._said = ""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def handler(self, inner: Handler, root: Path) -> ForwardingHandler:
        """Return a handler that queues what `inner` keeps below `root`."""
        return ForwardingHandler(inner, self, root)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """End after what is on its way; return whether that was done in time."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
            if self._batch is not None:
                self._batch.stop()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def waiting(self) -> int:
        """Return how many objects are queued; raises OutputError."""
        counts = self._job.counts()
        return sum(each.objects for each in counts if each.state is State.QUEUED)

    def queue(self, path: Path) -> None:
        """Queue an object for every destination, on the disk; raises OutputError."""
        planned = examine(str(path), True, path.stat().st_mtime_ns)
        if planned.state is not State.QUEUED:
            raise OutputError(f"cannot queue {path}: {planned.words}")
        self._job.add([planned], digest)
        with self._changed:
            self._is_queued = True
            self._changed.notify_all()

    def _run(self) -> None:
        while self._await_work():
            try:
                is_done = self._send()
            except PacsError as error:
                self._say(f"forwarding stands still: {error}")
                is_done = False
            if not is_done:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_stopping, self._again)
                    self._is_queued = True

    def _await_work(self) -> bool:
        """Wait until something is queued; False once it is to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_queued or self._is_stopping)
            self._is_queued = False
            if self._is_stopping:
                return False
            observer = Observer(warn=self._warn)
            self._batch = Batch(self._job, self._plan, self._told, observer)
            return True

    def _send(self) -> bool:
        """Send what is queued; return whether all of it went."""
        assert self._batch is not None
        if self._job.wish is not Wish.RUN:
            self._say("forwarding is paused")
            return False
        try:
            ends = self._batch.run(self._targets)
        finally:
            self._rested()
        for name, (reason, _) in ends.reasons.items():
            if not self._is_stopping:
                self._say(f"forwarding to {name} waits: {reason}")
        if not ends.reasons:
            self._said = ""
        return not ends.reasons

    def _say(self, text: str) -> None:
        # a destination that is down all night is one line
        if text != self._said:
            self._said = text
            self._warn(text)


class ForwardingHandler:
    """Keeps objects as `inner` does, and answers success only for what is queued, too."""

    def __init__(self, inner: Handler, forwarder: Forwarder, root: Path) -> None:
        self.inner = inner
        self.forwarder = forwarder
        self.root = root

    def open_store(self, request: StoreRequest) -> Sink:
        """Return the sink of one object."""
        return _QueueingSink(self, self.inner.open_store(request))

    def commit(self, transfer_syntax_uid: str, request: bytes) -> Commitment:
        """Answer a request for storage commitment as `inner` does."""
        assert isinstance(self.inner, Committer)
        return self.inner.commit(transfer_syntax_uid, request)

    def report_later(self, ae_title: str, transfer_syntax_uid: str, commitment: Commitment) -> None:
        """Report as `inner` does."""
        assert isinstance(self.inner, Committer)
        self.inner.report_later(ae_title, transfer_syntax_uid, commitment)


class _QueueingSink:
    def __init__(self, handler: ForwardingHandler, inner: Sink) -> None:
        self._handler = handler
        self._inner = inner

    def write(self, views: Sequence[memoryview]) -> None:
        self._inner.write(views)

    def finish(self) -> StoreOutcome:
        outcome = self._inner.finish()
        if not outcome.is_kept or not outcome.path:
            return outcome
        try:
            # also what is held already: it may have been kept and not been queued
            self._handler.forwarder.queue(self._handler.root / outcome.path)
        except (OutputError, OSError) as error:
            words = getattr(error, "strerror", None) or str(error)
            return replace(
                outcome,
                status=_NOT_QUEUED,
                comment=f"not queued: {words}",
                path="",
                is_duplicate=False,
                displaced=None,
            )
        return outcome

    def discard(self) -> None:
        self._inner.discard()
