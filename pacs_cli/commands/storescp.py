"""`pacs storescp`: the embedded archive, receiving."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pacs_cli.commands.provider_events import EventReport
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import ListenOptions, OutputOptions, resolve_listen
from pacs_cli.report import Report
from pacs_cli.wire.negotiation import VERIFICATION_SOP_CLASS, Policy, prefer_in_order

EXAMPLES = (
    ("pacs storescp 11112 --out archive", "receive into the folder archive"),
    ("pacs storescp 11112 --out archive --json", "the same, one JSON line per event"),
    ("pacs storescp 11112 --out archive --check-called", "refuse other called AE titles"),
)
CONFORMANCE = (
    "Verification and every SOP class of the storage service as SCP, retired ones included, in "
    "every transfer syntax of PS3.6 (PS3.4 Annexes A and B). Level 2 (full) storage: every "
    "element, private ones included, is kept as received."
)

#: From SIGTERM to exit: the object in flight is finished and answered, the rest is aborted.
_DRAIN_SECONDS = 10.0


def storescp(
    listen: ListenOptions,
    output: OutputOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder of the archive; made when it is missing."
        ),
    ] = None,
    db: Annotated[
        Path | None,
        typer.Option("--db", metavar="FILE", help="Index. [default: index.db in the folder]"),
    ] = None,
    durability: Annotated[
        str,
        typer.Option(
            "--durability",
            metavar="full|relaxed",
            help="relaxed skips the fsyncs: a power cut may lose acknowledged objects.",
        ),
    ] = "full",
) -> Exit:
    """Receive objects into an archive: files in folders and an SQLite index of them.

    Answers C-ECHO and C-STORE. Success is answered only when the object is safely in place and
    indexed. SIGTERM and Ctrl-C finish the object in flight and end within ten seconds.
    """
    from pacs_cli.archive.blobs import Durability
    from pacs_cli.archive.handler import open_archive
    from pacs_cli.net.listener import Listener
    from pacs_cli.services.scp import Provider

    report = Report.for_output(output)
    if durability not in tuple(Durability):
        raise UsageError(f"--durability {durability}: choose full or relaxed")
    where = resolve_listen(listen)
    folder = out or where.out
    if folder is None:
        raise UsageError("no folder to receive into: write --out DIR, or configure archive.out")
    settings = where.provider(storage_policy())
    with open_archive(folder, db, Durability(durability)) as archive:
        # last, so that whoever finds the port open is answered at once
        listener = Listener(where.bind, where.port)
        events = EventReport(report)
        provider = Provider(settings, archive.handler, events.show)
        events.listening(listener.address, listener.port, where.ae_title, str(folder))
        events.recovered(archive.recovered)
        signals = stop_on_signals(listener.stop)
        try:
            listener.serve(provider.serve, report.warning)
        finally:
            listener.close()
            provider.drain()
            is_drained = listener.join(_DRAIN_SECONDS)
        events.ended(is_drained)
    return Exit.INTERRUPTED if signals == [signal.SIGINT] else Exit.OK


def stop_on_signals(stop: Callable[[], None]) -> list[int]:
    """Call `stop` on SIGTERM and Ctrl-C; the returned list gets the signals that came."""
    came: list[int] = []

    def note(number: int, _: object) -> None:
        came.append(number)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return came


def storage_policy() -> Policy:
    """Return the policy of an archive: all of storage and verification, in every syntax."""
    from pacs_cli.dicom.registry import storage_sop_classes, transfer_syntaxes

    served = storage_sop_classes() | {VERIFICATION_SOP_CLASS}
    return prefer_in_order(served, transfer_syntaxes())
