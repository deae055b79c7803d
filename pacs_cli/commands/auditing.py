"""The audit trail of a command that calls a peer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pacs_cli.errors import OutputError

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive
    from pacs_cli.net.target import Target
    from pacs_cli.observing import AuditOptions
    from pacs_cli.pipelines.audit import AuditTrail
    from pacs_cli.pipelines.batch import Result
    from pacs_cli.pipelines.items import Sent
    from pacs_cli.pipelines.loading import Loader
    from pacs_cli.report import Report
    from pacs_cli.securing import TlsOptions
    from pacs_cli.services.scu import Session
    from pacs_cli.services.serving import ProviderEvent
    from pacs_cli.services.transfers import Sendings

#: Seconds for the first message to be written, where it is required, and for what waits in the end.
_START_SECONDS, _END_SECONDS = 10.0, 10.0


class Ledger:
    """Takes note of what goes between us and a peer; of nothing without a trail."""

    def __init__(self, trail: AuditTrail | None, target: Target) -> None:
        from pacs_cli.services.serving import AssociationInfo, Step
        from pacs_cli.services.transfers import Transfers

        self._trail = trail
        self._peer = AssociationInfo(
            0, target.host, target.called_ae_title, target.calling_ae_title
        )
        self._sent = self._received = None
        if trail is not None:
            self._sent = Transfers(self._peer, Step.SENT, trail.observe, is_ours=True)
            self._received = Transfers(self._peer, Step.RECEIVED, trail.observe, is_ours=True)

    @property
    def is_kept(self) -> bool:
        """Whether there is an audit trail."""
        return self._trail is not None

    def opened(self, show: Callable[[Session], None]) -> Callable[[Session], None]:
        """Return what is told of associations: notes their queries, and shows them."""
        if self._trail is None:
            return show

        def opened(session: Session) -> None:
            session.asked = self._asked
            show(session)

        return opened

    def sent(self, sent: Sent, loader: Loader) -> None:
        """Note what became of a file, as `loader` gives it; what was never sent is nothing."""
        from pacs_cli.pipelines.identity import identity_of

        if self._sent is None or sent.item is None or not sent.attempts:
            return
        study, patient_id = identity_of(loader, sent.item)
        self._sent.add(study, patient_id, sent.item.header.sop_class_uid, "R", sent.error or "")

    def received(self, event: ProviderEvent) -> None:
        """Note what came over an association of ours."""
        from pacs_cli.services.serving import InstanceReceived

        if self._received is not None and isinstance(event, InstanceReceived):
            self._received.received(event)

    def observe(self, event: ProviderEvent) -> None:
        """Note what a provider of ours tells."""
        if self._trail is not None:
            self._trail.observe(event)

    def close(self) -> None:
        """Tell what is noted."""
        if self._sent is not None and self._received is not None:
            self._sent.close()
            self._received.close()

    def _asked(self, sop_class_uid: str, transfer_syntax_uid: str, identifier: bytes) -> None:
        from pacs_cli.services.serving import MAX_TOLD, Queried

        told = identifier[:MAX_TOLD]
        size = len(identifier)
        query = Queried(self._peer, sop_class_uid, transfer_syntax_uid, told, size, 0, True)
        self.observe(query)


@contextmanager
def audited(
    report: Report, audit: AuditOptions, program: str, target: Target, tls: TlsOptions
) -> Iterator[Ledger]:
    """Give what takes note of a command that calls `target`.

    raises  OutputError when the trail is required, and cannot be written before, or was not whole
            in the end
    """
    if not audit.check():
        yield Ledger(None, target)
        return
    trail = audit.trail(program, target.calling_ae_title, tls, None, report.warning)
    is_required = audit.is_audit_required
    trail.started(_START_SECONDS if is_required else 0.0)
    if is_required and trail.is_failing:
        trail.stop(0.0, is_failure=True)
        raise OutputError("audit messages cannot be written, so nothing is done")
    ledger, is_failure = Ledger(trail, target), True
    try:
        yield ledger
        is_failure = False
    finally:
        ledger.close()
        lost = trail.stop(_END_SECONDS, is_failure)
    if lost and is_required:
        raise OutputError(f"{lost} audit messages are lost; what was asked for is done")


def tell_forwarded(sendings: Sendings, archive: Archive, target: Target, result: Result) -> None:
    """Count an object that was sent on; of one that is gone from the index there is no study."""
    from pacs_cli.services.serving import AssociationInfo

    if (item := result.sent.item) is None:
        return
    try:
        study, patient_id = archive.index.identity(item.header.sop_instance_uid)
    except OutputError:
        study = patient_id = ""
    # of which there are many over time: none of them has a number
    peer = AssociationInfo(0, target.host, target.called_ae_title, target.calling_ae_title)
    sendings.add(peer, study, patient_id, item.header.sop_class_uid, result.sent.error or "")
