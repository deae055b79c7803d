"""`pacs storescp`: the embedded archive, receiving."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

from pacs_cli.admitting import AccessOptions
from pacs_cli.commands.forwarding import check, forwarding
from pacs_cli.commands.measuring import Watched, figures_for
from pacs_cli.commands.provider_events import EventReport
from pacs_cli.commands.provider_server import server_of, team_for
from pacs_cli.commands.provider_start import (
    prepare_commitment,
    say_listening,
    say_recovered,
    stop_on_signals,
)
from pacs_cli.commands.watching import PASSING, Watch, audited, auditing
from pacs_cli.errors import Exit, UsageError
from pacs_cli.observing import AuditOptions, MetricsOptions
from pacs_cli.options import ListenOptions, OutputOptions, resolve_listen
from pacs_cli.receiving import (
    AdmissionOptions,
    ArchiveOptions,
    ForwardOptions,
    HookOptions,
    QueryOptions,
)
from pacs_cli.report import Report
from pacs_cli.securing import TlsOptions

if TYPE_CHECKING:
    from pacs_cli.net.listener import Listener

EXAMPLES = (
    ("pacs storescp 11112 --out archive", "receive into the folder archive"),
    ("pacs storescp 11112 --out archive --json", "the same, one JSON line per event"),
    ("pacs storescp 11112 --out archive --check-called", "refuse other called AE titles"),
    ("pacs storescp 11112 --out in --allow CT1@10.0.0.5 --accept CT,MR", "from one, of two kinds"),
    ("pacs storescp 11112 --out in --users users --access access.toml", "who may do what"),
    ("pacs storescp 11112 --out in --on-study 'route {path}' --study-idle 30", "act on studies"),
    ("pacs storescp 11112 --out in --qr --move-to WS1@10.0.0.7:104", "answer queries, send too"),
    ("pacs storescp 11112 --out in --forward pacs2", "store and forward"),
    ("pacs storescp 11112 --out in --fault status=A700,every=10", "test a sender's retries"),
)
CONFORMANCE = (
    "Verification and every SOP class of the storage service as SCP, retired ones included, in "
    "every transfer syntax of PS3.6 (PS3.4 Annexes A and B). Level 2 (full) storage: every "
    "element, private ones included, is kept as received. Storage Commitment Push Model as SCP "
    "(PS3.4 Annex J). With --qr, Query/Retrieve as SCP (PS3.4 "
    "Annex C): C-FIND, C-MOVE and C-GET of patient root, study root and patient/study only, "
    "hierarchical or relational."
)

#: From SIGTERM to exit: the object in flight is finished and answered, the rest is aborted.
_DRAIN_SECONDS = 10.0


def storescp(
    listen: ListenOptions,
    tls: TlsOptions,
    archive: ArchiveOptions,
    admission: AdmissionOptions,
    access: AccessOptions,
    queries: QueryOptions,
    forward: ForwardOptions,
    hooks: HookOptions,
    audit: AuditOptions,
    metrics: MetricsOptions,
    output: OutputOptions,
) -> Exit:
    """Receive objects into an archive: files in folders and an SQLite index of them.

    Answers C-ECHO and C-STORE, with --qr also C-FIND, C-MOVE and C-GET. Success is answered only
    when the object is safely in place and indexed. SIGTERM and Ctrl-C finish the object in flight
    and end within ten seconds.
    """
    from pacs_cli.archive.handler import open_archive
    from pacs_cli.archive.members import Member
    from pacs_cli.net.listener import Listener
    from pacs_cli.pipelines.hooks import Hooks

    report = Report.for_output(output)
    where = resolve_listen(listen, tls=tls)
    folder = archive.out or where.out
    if folder is None:
        raise UsageError("no folder to receive into: write --out DIR, or configure archive.out")
    check(forward, archive.duplicate, admission.processes())
    kept, hook_settings = archive.settings(), hooks.settings()
    provided = access.guarded(admission.provider(where, kept.waits_for_disk))
    settings = audited(provided, audit)
    answers_of = queries.answering(where, tls)
    is_told = report.shows_results or hook_settings is not None
    figures = figures_for(metrics)
    # first, as a process is divided before it opens anything
    team = team_for(
        admission.processes(),
        settings,
        lambda share: Member(folder, archive.db, kept, share),
        answers_of,
        is_told,
        figures,
    )
    with (
        auditing(report, audit, settings, where.ae_title, tls) as trail,
        open_archive(folder, archive.db, kept) as opened,
        forwarding(report, opened, forward, where.ae_title, trail) as handler,
    ):
        prepare_commitment(report, opened, where.ae_title)
        server = server_of(opened, settings, answers_of(opened), team, handler)
        watched = Watched(report, opened, handler, server, settings, where)
        with closing(Watch(watched, figures, trail)) as watch:
            watch.open(metrics)
            # last, so that whoever finds the port open is answered at once
            listener = Listener(where.bind, where.port, admission.caps(), PASSING)
            if hook_settings is not None:
                watch.hooks = Hooks(hook_settings, folder, report.warning, report.note)
            return _serve(watched, listener, watch)


def _serve(watched: Watched, listener: Listener, watch: Watch) -> Exit:
    report, archive, server = watched.report, watched.archive, watched.server
    # first: who reads that it listens may end it
    signals = stop_on_signals(listener)
    events = EventReport(report, watch.observers())
    root, settings = str(archive.blobs.root), watched.settings
    say_listening(report, listener, watched.where.ae_title, root, settings)
    watch.say()
    say_recovered(report, archive.recovered)
    for fault in settings.faults.faults:
        report.warning(f"misbehaving on purpose: {fault}")
    if not archive.blobs.is_durable:
        report.warning("--durability relaxed: a power cut may lose what was acknowledged")
    try:
        server.serve(listener, events.show, report.warning)
    finally:
        expiry = time.monotonic() + _DRAIN_SECONDS
        signal.set_wakeup_fd(-1)
        watch.ending()
        listener.close()
        is_drained = server.drain(listener, _DRAIN_SECONDS)
        watch.end(expiry)
    if server.failure is not None:
        raise server.failure
    events.ended(is_drained, watch.hook_counts)
    return Exit.INTERRUPTED if signals == [signal.SIGINT] else Exit.OK
