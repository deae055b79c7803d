"""The receiving end of `movescu --receive`: the provider and the archive of storescp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pacs_cli.commands.provider_start import say_recovered, warn_if_open
from pacs_cli.errors import UsageError
from pacs_cli.options import ListenOptions, resolve_listen
from pacs_cli.receiving import AdmissionOptions

if TYPE_CHECKING:
    from pacs_cli.commands.match_report import MatchReport
    from pacs_cli.commands.moving import MoveOptions
    from pacs_cli.net.target import Target
    from pacs_cli.options import NetworkOptions
    from pacs_cli.pipelines.receiver import Arrivals
    from pacs_cli.receiving import ArchiveOptions
    from pacs_cli.securing import TlsOptions


@contextmanager
def receiving(
    options: MoveOptions,
    report: MatchReport,
    target: Target,
    calling: tuple[NetworkOptions, TlsOptions],
    archive: ArchiveOptions,
    arrivals: Arrivals,
) -> Iterator[str]:
    """Receive into the archive inside the block; give how the peer reaches us."""
    from pacs_cli.archive.handler import open_archive
    from pacs_cli.net.channel import local_address
    from pacs_cli.net.listener import Listener
    from pacs_cli.pipelines.receiver import serving
    from pacs_cli.services.scp import Provider

    ours = local_address(target)
    network, tls = calling
    where = resolve_listen(
        ListenOptions(
            port=options.receive,
            ae_title=target.calling_ae_title,
            bind=options.bind or ours,
            is_called_checked=True,
            acse_timeout=network.acse_timeout,
            dimse_timeout=network.dimse_timeout,
            timeout=network.timeout,
            max_pdu=network.max_pdu,
        ),
        tls=tls,
    )
    if target.tls and where.tls is None:
        # never in the clear what was asked for in secret
        raise UsageError(
            "--receive over TLS: write --tls-cert too, with which the peer is answered"
        )
    folder = archive.out or where.out
    if folder is None:
        raise UsageError("no folder to receive into: write --out DIR, or configure archive.out")
    # what is told for an audit trail is little, and dropped without one
    settings = replace(AdmissionOptions(allow=options.allow).provider(where), is_audited=True)
    with open_archive(folder, archive.db, archive.settings()) as opened:
        listener = Listener(where.bind, where.port)
        provider = Provider(settings, opened.handler, arrivals.observe)
        place = {"address": listener.address, "port": listener.port, "ae_title": where.ae_title}
        report.record("listening", {**place, "out": str(folder)})
        report.note(f"{where.ae_title} listens on {listener.address} port {listener.port}")
        warn_if_open(report, listener.address, settings)
        say_recovered(report, opened.recovered)
        with serving(listener, provider, report.warning):
            yield f"host {ours}, port {listener.port}"
