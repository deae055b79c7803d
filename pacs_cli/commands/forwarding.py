"""`storescp --forward`: what is received is sent on, through a job in the archive's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_cli.commands.batching import address, plan_of, targets_of
from pacs_cli.errors import OutputError, UsageError
from pacs_cli.options import NetworkOptions, PeerOptions
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive
    from pacs_cli.net.target import Target
    from pacs_cli.pipelines.audit import AuditTrail
    from pacs_cli.pipelines.batch import Result
    from pacs_cli.receiving import ForwardOptions
    from pacs_cli.services.serving import Handler
    from pacs_cli.services.transfers import Sendings

#: In the archive's folder. Hidden, as it is no object.
JOB = ".forward.job"

_DRAIN_SECONDS = 10.0


@contextmanager
def forwarding(
    report: Report,
    archive: Archive,
    forward: ForwardOptions,
    ae_title: str,
    trail: AuditTrail | None = None,
) -> Iterator[Handler]:
    """Give the handler that takes objects in: that of the archive, or one that queues them, too.

    trail  told what was forwarded
    """
    if not forward.peers:
        yield archive.handler
        return
    from pacs_cli.jobs.file import JobFile
    from pacs_cli.pipelines.forwarding import Forwarder
    from pacs_cli.services.transfers import Sendings

    sendings = None if trail is None else Sendings(trail.observe)

    def told(result: Result) -> None:
        sent = result.sent
        if sendings is not None:
            _tell(sendings, archive, peers[result.destination], result)
        if sent.error is not None:
            report.error(f"not forwarded: {sent.error}")
        uid = sent.item.header.sop_instance_uid if sent.item else None
        fields = {"destination": result.destination, "sop_instance_uid": uid}
        report.record(
            "forwarded",
            {**fields, "path": sent.path, "state": result.state, "error": sent.error},
        )

    root = Path(archive.blobs.root).resolve()
    with JobFile(root / JOB) as job:
        job.hold()
        known = {name for _, name, _ in job.destinations()}
        if gone := known - set(forward.peers):
            raise UsageError(
                f"{root / JOB} forwards to {', '.join(sorted(gone))} too: name it, or move that "
                "file away"
            )
        for peer in forward.peers:
            kept = address(PeerOptions(peer), None, NetworkOptions(calling_ae_title=ae_title))
            job.add_destination(peer, kept)
        job.put({"planned": True})
        targets = targets_of(job)
        peers = {name: target for _, name, target in targets}
        plan = plan_of({"jobs": forward.jobs})
        rested = sendings.rest if sendings is not None else _ignore
        forwarder = Forwarder(job, targets, plan, told, report.warning, rested=rested)
        forwarder.start()
        try:
            yield forwarder.handler(archive.handler, root)
        finally:
            if not forwarder.stop(_DRAIN_SECONDS):
                report.warning("an object was cut off on its way; it stays queued")


def _tell(sendings: Sendings, archive: Archive, target: Target, result: Result) -> None:
    """Count an object for the audit trail; of one that is gone from the index there is no study."""
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


def _ignore() -> None:
    """Nobody wants to know."""


def check(forward: ForwardOptions, duplicate: str, processes: int) -> None:
    """Raise UsageError when what is to be forwarded could be lost."""
    if not forward.peers:
        return
    if processes > 1:
        raise UsageError("--forward is done by one process; leave --workers out")
    if duplicate == "replace":
        raise UsageError(
            "--forward sends an object once, and --duplicate replace would change it afterwards; "
            "choose reject or version"
        )
