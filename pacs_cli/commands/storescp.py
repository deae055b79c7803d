"""`pacs storescp`: the embedded archive, receiving."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from pacs_cli.commands.forwarding import check, forwarding
from pacs_cli.commands.provider_events import EventReport
from pacs_cli.commands.provider_server import server_of, stop_on_signals, team_for
from pacs_cli.commands.provider_start import prepare_commitment, say_listening, say_recovered
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import Listen, ListenOptions, OutputOptions, resolve_listen
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
    from pacs_cli.archive.handler import Archive
    from pacs_cli.commands.provider_server import Server
    from pacs_cli.net.listener import Listener
    from pacs_cli.pipelines.hooks import Hooks
    from pacs_cli.services.scp import Settings

EXAMPLES = (
    ("pacs storescp 11112 --out archive", "receive into the folder archive"),
    ("pacs storescp 11112 --out archive --json", "the same, one JSON line per event"),
    ("pacs storescp 11112 --out archive --check-called", "refuse other called AE titles"),
    ("pacs storescp 11112 --out in --allow CT1@10.0.0.5 --accept CT,MR", "from one, of two kinds"),
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
    queries: QueryOptions,
    forward: ForwardOptions,
    hooks: HookOptions,
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
    settings = admission.provider(where, kept.waits_for_disk)
    answers_of = queries.answering(where, tls)
    is_told = report.shows_results or hook_settings is not None
    # first, as a process is divided before it opens anything
    team = team_for(
        admission.processes(),
        settings,
        lambda share: Member(folder, archive.db, kept, share),
        answers_of,
        is_told,
    )
    with (
        open_archive(folder, archive.db, kept) as opened,
        forwarding(report, opened, forward, where.ae_title) as handler,
    ):
        prepare_commitment(report, opened, where.ae_title)
        server = server_of(opened, settings, answers_of(opened), team, handler)
        # last, so that whoever finds the port open is answered at once
        listener = Listener(where.bind, where.port, admission.caps())
        runs = None
        if hook_settings is not None:
            runs = Hooks(hook_settings, folder, report.warning, report.note)
        return _serve(report, opened, listener, settings, where, runs, server)


def _serve(
    report: Report,
    archive: Archive,
    listener: Listener,
    settings: Settings,
    where: Listen,
    hooks: Hooks | None,
    server: Server,
) -> Exit:
    # first: who reads that it listens may end it
    signals = stop_on_signals(listener)
    events = EventReport(report, hooks.observe if hooks else None)
    say_listening(report, listener, where.ae_title, str(archive.blobs.root), settings)
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
        listener.close()
        is_drained = server.drain(listener, _DRAIN_SECONDS)
        if hooks:
            hooks.drain(max(expiry - time.monotonic(), 0.0))
    if server.failure is not None:
        raise server.failure
    events.ended(is_drained, hooks.counts if hooks else None)
    return Exit.INTERRUPTED if signals == [signal.SIGINT] else Exit.OK
