"""How `storescp` starts: in how many processes, and what it says of that and of the archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive, Member, Recovered, Share
    from pacs_cli.net.listener import Listener
    from pacs_cli.services.query_scp import QueryRetrieve
    from pacs_cli.services.results import ProviderEvent
    from pacs_cli.services.scp import Provider, Settings
    from pacs_cli.services.team import Opened, Team

    Observe = Callable[[ProviderEvent], None]

_LOOPBACK = ("127.0.0.1", "::1")


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
    report: Report, listener: Listener, ae_title: str, out: str, is_open: bool
) -> None:
    """Show where the provider can be reached, the first line; `is_open` is it for everyone."""
    address, port = listener.address, listener.port
    fields = {"address": address, "port": port, "ae_title": ae_title, "out": out}
    report.record("listening", fields)
    report.line(f"{ae_title} listens on {address} port {port}, archive {out}")
    warn_if_open(report, address, is_open)


def warn_if_open(report: Report, address: str, is_open: bool) -> None:
    """Say so when anybody may store here who reaches us."""
    if is_open and address not in _LOOPBACK:
        report.warning(
            f"listening on {address}: every host that reaches it may store here; "
            "--allow AET@HOST names who may, --bind 127.0.0.1 keeps to this machine"
        )


def team_for(
    processes: int,
    settings: Settings,
    join: Callable[[Share], Member],
    queries: Callable[[Member], QueryRetrieve | None],
    is_told: bool,
) -> Team | None:
    """Divide into so many processes, which begin later; None when one serves alone.

    join     opens the archive as one of them
    queries  gives what each answers queries with
    is_told  whether what becomes of each object is shown or acted on
    """
    if processes == 1:
        return None
    from pacs_cli.archive.handler import Share
    from pacs_cli.services.team import Team

    def open_for(lock: int, number: int) -> tuple[Opened, QueryRetrieve | None]:
        member = join(Share(lock, number))
        return member, queries(member)

    return Team(processes, settings, open_for, is_told)


def server_of(
    archive: Archive,
    settings: Settings,
    observe: Observe,
    queries: QueryRetrieve | None,
    team: Team | None,
) -> _Alone | _Together:
    """Return what serves connections."""
    from pacs_cli.services.scp import Provider

    if team is not None:
        return _Together(archive, observe, team)
    return _Alone(Provider(settings, archive.handler, observe, queries))


class _Alone:
    """Serves in this process."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def serve(self, listener: Listener, warn: Callable[[str], None]) -> None:
        """Serve until the listener is stopped."""
        listener.serve(self._provider.serve, warn)

    def drain(self, listener: Listener, seconds: float) -> bool:
        """End every association after its object; return whether all did in time."""
        self._provider.drain()
        return listener.join(seconds)


class _Together:
    """Serves in the processes of a team."""

    def __init__(self, archive: Archive, observe: Observe, team: Team) -> None:
        self._archive = archive
        self._observe = observe
        self._team = team

    def serve(self, listener: Listener, warn: Callable[[str], None]) -> None:
        """Serve until the listener is stopped."""
        self._team.begin(
            self._archive.blobs.lock, self._observe, warn, listener.give_back, listener.stop
        )
        listener.serve(self._team.give, warn, is_elsewhere=True)

    def drain(self, _: Listener, seconds: float) -> bool:
        """End every association after its object; return whether all did in time."""
        is_drained, is_trusted = self._team.drain(seconds)
        if not is_trusted:
            self._archive.index.distrust()
        return is_drained
