"""Storage commitment for what a job has sent: asked for in batches, and waited for.

source  PS3.4 Annex J
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pacs_cli.dicom.commitment import REASONS, Reference, Report, decode_report, encode_request
from pacs_cli.errors import (
    AssociationError,
    MalformedDataset,
    NoAcceptedContext,
    PeerTimeout,
)
from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import Outcome, State
from pacs_cli.net.target import Target
from pacs_cli.pipelines.checks import Checked
from pacs_cli.services.commitment import PUSH_MODEL, CommitmentSession
from pacs_cli.services.scp import CANNOT_UNDERSTAND, Provider, Settings
from pacs_cli.services.serving import StoreRequest
from pacs_cli.wire.negotiation import prefer_in_order

#: Objects of one transaction: 75 KB, far below what any peer has room for.
_BATCH = 500

#: Seconds for which the association is listened to before the listener is looked at again.
_TURN = 0.2


class Reports:
    """Takes reports, from any association; implements services.commitment.ReportReceiver."""

    def __init__(self) -> None:
        self._came = threading.Condition()
        self._reports: dict[str, Report] = {}
        self._awaited: set[str] = set()

    def take_report(self, transfer_syntax_uid: str, report: bytes) -> int:
        """Take a report, and return the status that it is answered with."""
        try:
            found = decode_report(report, transfer_syntax_uid)
        except MalformedDataset:
            return CANNOT_UNDERSTAND
        with self._came:
            # what nobody waits for is answered all the same: the peer is to forget it
            if found.transaction_uid in self._awaited:
                self._reports[found.transaction_uid] = found
                self._came.notify_all()
        return 0

    def open_store(self, request: StoreRequest) -> object:
        """Objects are not what it is for: no context for them is ever accepted."""
        raise AssertionError(f"no context for {request.affected_sop_class_uid} was accepted")

    def expect(self, transaction_uid: str) -> None:
        """Keep the report of a transaction when it comes."""
        with self._came:
            self._awaited.add(transaction_uid)

    def wait_for(self, transaction_uid: str, seconds: float) -> Report | None:
        """Return the report of a transaction, None when it has not come by then."""
        with self._came:
            self._came.wait_for(lambda: transaction_uid in self._reports, seconds)
            return self._reports.get(transaction_uid)

    def forget(self, transaction_uid: str) -> None:
        """Wait for it no longer."""
        with self._came:
            self._awaited.discard(transaction_uid)
            self._reports.pop(transaction_uid, None)


@contextmanager
def listening(
    reports: Reports, address: str, port: int, warn: Callable[[str], None]
) -> Iterator[int]:
    """Take reports on associations of the peers' inside the block; gives the port."""
    from pacs_cli.net.listener import Listener
    from pacs_cli.pipelines.receiver import serving

    # objects are not taken: with_commitment alone opens what is served
    policy = prefer_in_order(frozenset(), ())
    provider = Provider(Settings(policy), reports, lambda _: None)  # type: ignore[arg-type]
    listener = Listener(address, port)
    with serving(listener, provider, warn):
        yield listener.port


class Commits:
    """Asks one destination of a job to commit what was sent.

    reports       where they come
    has_listener  whether they may come over associations of the peer's, too
    patience      seconds for the report of each batch
    """

    def __init__(
        self,
        job: JobFile,
        destination: int,
        reports: Reports,
        has_listener: bool,
        patience: float,
        told: Callable[[Checked], None],
    ) -> None:
        self._job = job
        self._destination = destination
        self._reports = reports
        self._has_listener = has_listener
        self._patience = patience
        self._told = told

    def run(self, target: Target, is_over: Callable[[], bool]) -> None:
        """Ask for everything that is sent and not committed.

        raises  what ends an association, PeerFailure when the peer refuses, PeerTimeout when a
                report does not come: what it was for stays sent
        """
        after = (0, 0)
        while not is_over() and (rows := self._job.sent(self._destination, after, _BATCH)):
            after = rows[-1][:2]
            objects = {Reference(kind, uid): row for _, row, kind, uid in rows}
            transaction = f"2.25.{secrets.randbits(128)}"
            self._reports.expect(transaction)
            try:
                self._settle(objects, self._asked(target, transaction, list(objects)))
            finally:
                self._reports.forget(transaction)

    def _asked(self, target: Target, transaction: str, references: list[Reference]) -> Report:
        expiry = time.monotonic() + self._patience
        with CommitmentSession(target, self._reports.take_report) as session:
            context = session.context_for(PUSH_MODEL)
            if context is None:
                raise NoAcceptedContext(f"{target} does not offer storage commitment")
            session.ask(
                context.id, encode_request(transaction, references, context.transfer_syntax)
            )
            while (left := expiry - time.monotonic()) > 0:
                if report := self._reports.wait_for(transaction, 0):
                    return report
                try:
                    session.listen(min(left, _TURN) if self._has_listener else left)
                except AssociationError:
                    # it may report over an association of its own, if there is where
                    if not self._has_listener:
                        raise
                    break
        left = max(expiry - time.monotonic(), 0.0)
        if report := self._reports.wait_for(transaction, left if self._has_listener else 0):
            return report
        hint = "" if self._has_listener else "; does it call back, which --commit-port is for?"
        raise PeerTimeout(
            f"{target} sent no storage commitment report within {self._patience:g} s{hint}"
        )

    def _settle(self, objects: dict[Reference, int], report: Report) -> None:
        committed = [each for each in report.committed if each in objects]
        failed = [(each, reason) for each, reason in report.failed if each in objects]
        outcomes = [Outcome(objects[each], State.COMMITTED) for each in committed]
        told = [Checked(each.sop_instance_uid, "", State.COMMITTED) for each in committed]
        for each, reason in failed:
            meaning = REASONS.get(reason, "no reason that is known")
            words = f"{each.sop_instance_uid} was not committed: {reason:04X}H {meaning}"
            outcomes.append(Outcome(objects[each], State.FAILED, 0, "uncommitted", reason, words))
            told.append(Checked(each.sop_instance_uid, "", State.FAILED, "uncommitted", words))
        self._job.settle(outcomes)
        for checked in told:
            self._told(checked)
        if missing := len(objects) - len(outcomes):
            raise AssociationError(f"the storage commitment report leaves out {missing} objects")
