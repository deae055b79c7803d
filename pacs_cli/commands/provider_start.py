"""What `storescp` says at its start: where it listens, what it put right; and its signals."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from pacs_cli.options import move_destinations
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive, Recovered
    from pacs_cli.net.listener import Listener
    from pacs_cli.services.scp import Settings

_LOOPBACK = ("127.0.0.1", "::1")


def prepare_commitment(report: Report, archive: Archive, ae_title: str) -> None:
    """Let reports of storage commitment go to the configured peers."""
    commitments = archive.handler.commitments
    commitments.destinations = move_destinations((), ae_title)
    commitments.warn = report.warning


def say_recovered(report: Report, recovered: Recovered) -> None:
    """Say what the start had to put right, if anything."""
    if recovered == type(recovered)():
        return
    moved = recovered.moved_aside
    report.record(
        "recovered",
        {
            "rows_added": recovered.rows_added,
            "rows_removed": recovered.rows_removed,
            "unindexed": list(recovered.unindexed),
            "moved_aside": None if moved is None else str(moved),
        },
    )
    if moved is not None:
        report.warning(f"the index was corrupt: made again, the old one is {moved}")
    report.warning(
        "the archive was not closed in order: "
        f"{recovered.rows_added} files were indexed, {recovered.rows_removed} rows of files "
        f"that are gone removed, {len(recovered.unindexed)} files cannot be indexed"
    )
    for path in recovered.unindexed:
        report.note(f"not indexed: {path}")


def say_listening(
    report: Report, listener: Listener, ae_title: str, out: str, settings: Settings
) -> None:
    """Show where the provider can be reached, the first line."""
    address, port = listener.address, listener.port
    fields = {"address": address, "port": port, "ae_title": ae_title, "out": out}
    report.record("listening", fields)
    report.line(f"{ae_title} listens on {address} port {port}, archive {out}")
    warn_if_open(report, address, settings)


def warn_if_open(report: Report, address: str, settings: Settings) -> None:
    """Say so when anybody may store here who reaches us."""
    access = settings.access
    is_checked = (
        settings.allow.rules
        or (settings.tls and settings.tls.is_mutual)
        or settings.identification.is_required
        or "store" not in access.roles[access.default]
    )
    if not is_checked and address not in _LOOPBACK:
        report.warning(
            f"listening on {address}: every host that reaches it may store here; "
            "--allow AET@HOST, --access FILE or --tls-ca FILE say who may, --bind 127.0.0.1 keeps "
            "to this machine"
        )


def stop_on_signals(listener: Listener) -> list[int]:
    """Stop the listener on SIGTERM and Ctrl-C; the returned list gets the signals that came."""
    came: list[int] = []

    def note(number: int, _: object) -> None:
        came.append(number)
        listener.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    signal.set_wakeup_fd(listener.wake_descriptor, warn_on_full_buffer=False)
    return came
