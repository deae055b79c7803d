"""`storescp --forward`: what is received is sent on, through a job in the archive's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_cli.commands.auditing import tell_forwarded
from pacs_cli.commands.batching import address, plan_of, targets_of
from pacs_cli.errors import UsageError
from pacs_cli.options import NetworkOptions, PeerOptions, resolve_target
from pacs_cli.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from pacs_cli.archive.handler import Archive
    from pacs_cli.archive.members import Member, Share
    from pacs_cli.pipelines.audit import AuditTrail
    from pacs_cli.pipelines.batch import Result
    from pacs_cli.pipelines.forwarding import Forwarder
    from pacs_cli.receiving import ForwardOptions
    from pacs_cli.services.query_scp import QueryRetrieve
    from pacs_cli.services.serving import Handler
    from pacs_cli.services.team import Opened

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
) -> Iterator[tuple[Handler, Forwarder | None]]:
    """Give the handler that takes objects in: that of the archive, or one that queues them, too;
    and what sends them.

    trail  told what was forwarded
    """
    if not forward.peers:
        yield archive.handler, None
        return
    from pacs_cli.jobs.file import JobFile
    from pacs_cli.pipelines.forwarding import Forwarder
    from pacs_cli.services.transfers import Sendings

    sendings = None if trail is None else Sendings(trail.observe)

    def told(result: Result) -> None:
        sent = result.sent
        if sendings is not None:
            tell_forwarded(sendings, archive, peers[result.destination], result)
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
        rested = sendings.rest if sendings is not None else lambda: None
        forwarder = Forwarder(job, targets, plan, told, report.warning, rested=rested)
        forwarder.start()
        try:
            yield forwarder.handler(archive.handler, root), forwarder
        finally:
            if not forwarder.stop(_DRAIN_SECONDS):
                report.warning("an object was cut off on its way; it stays queued")


def opening(
    forward: ForwardOptions,
    join: Callable[[Share], Member],
    answers: Callable[[Member], QueryRetrieve | None],
    folder: Path,
) -> Callable[[Share], tuple[Opened, QueryRetrieve | None]]:
    """Return what opens the archive in each of several processes that take objects in.

    join     opens it as one of them
    answers  gives what that answers queries with
    """

    def open_as(share: Share) -> tuple[Opened, QueryRetrieve | None]:
        member = join(share)
        if not forward.peers:
            return member, answers(member)
        from pacs_cli.jobs.file import open_job
        from pacs_cli.pipelines.forwarding import QueueingMember

        # the owner of the archive has made the job by then, and sends what is in it
        root = folder.resolve()
        return QueueingMember(member, open_job(root / JOB), root), answers(member)

    return open_as


def check(forward: ForwardOptions, duplicate: str) -> None:
    """Raise UsageError when what is to be forwarded could be lost, or has nowhere to go."""
    if not forward.peers:
        return
    for peer in forward.peers:
        # before there is an archive, whose job would keep a mistyped one
        resolve_target(PeerOptions(peer), None, NetworkOptions())
    if duplicate == "replace":
        raise UsageError(
            "--forward sends an object once, and --duplicate replace would change it afterwards; "
            "choose reject or version"
        )
