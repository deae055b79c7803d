"""In what `storescp` serves: its own process, or several that share the archive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive
    from pacs_cli.archive.members import Member, Share
    from pacs_cli.errors import PacsError
    from pacs_cli.net.listener import Listener
    from pacs_cli.services.figures import Counts, Figures
    from pacs_cli.services.query_scp import QueryRetrieve
    from pacs_cli.services.scp import Provider, Settings
    from pacs_cli.services.serving import Handler, ProviderEvent
    from pacs_cli.services.team import Opened, Team

    Observe = Callable[[ProviderEvent], None]


def team_for(
    processes: int,
    settings: Settings,
    join: Callable[[Share], Member],
    queries: Callable[[Member], QueryRetrieve | None],
    is_told: bool,
    figures: Figures | None = None,
) -> Team | None:
    """Divide into so many processes, which begin later; None when one serves alone.

    join     opens the archive as one of them
    queries  gives what each answers queries with
    is_told  whether what becomes of each object is shown or acted on
    figures  with which each counts
    """
    if processes == 1:
        return None
    from pacs_cli.archive.members import Share
    from pacs_cli.services.team import Team

    def open_for(lock: int, number: int) -> tuple[Opened, QueryRetrieve | None]:
        member = join(Share(lock, number))
        return member, queries(member)

    return Team(processes, settings, open_for, is_told, figures)


class Server(Protocol):
    """What serves connections."""

    @property
    def failure(self) -> OSError | PacsError | None:
        """Why it had to end, None when it was told to."""

    @property
    def counts_itself(self) -> bool:
        """Whether events are counted where they happen, and `counts` tells."""

    def counts(self, seconds: float) -> dict[str, Counts]:
        """Return other process -> what it has counted; waits so long for an answer."""

    def serve(self, listener: Listener, observe: Observe, warn: Callable[[str], None]) -> None:
        """Serve until the listener is stopped; `observe` is told of every event."""

    def drain(self, listener: Listener, seconds: float) -> bool:
        """End every association after its object; return whether all did in time."""


def server_of(
    archive: Archive,
    settings: Settings,
    queries: QueryRetrieve | None,
    team: Team | None,
    handler: Handler,
) -> Server:
    """Return what serves: this process, where `handler` takes objects in, or a team."""
    if team is not None:
        return _Together(archive, team)
    return _Alone(handler, settings, queries)


class _Alone:
    """Serves in this process."""

    failure: OSError | PacsError | None = None
    counts_itself = False

    def __init__(self, handler: Handler, settings: Settings, queries: QueryRetrieve | None) -> None:
        self._handler = handler
        self._settings = settings
        self._queries = queries
        self._provider: Provider | None = None

    def counts(self, seconds: float) -> dict[str, Counts]:  # noqa: ARG002 - there is no other
        return {}

    def serve(self, listener: Listener, observe: Observe, warn: Callable[[str], None]) -> None:
        from pacs_cli.services.scp import Provider

        self._provider = Provider(self._settings, self._handler, observe, self._queries)
        listener.serve(self._provider.serve, warn)

    def drain(self, listener: Listener, seconds: float) -> bool:
        if self._provider is not None:
            self._provider.drain()
        return listener.join(seconds)


class _Together:
    """Serves in the processes of a team."""

    counts_itself = True

    def __init__(self, archive: Archive, team: Team) -> None:
        self._archive = archive
        self._team = team

    @property
    def failure(self) -> OSError | PacsError | None:
        return self._team.failure

    def counts(self, seconds: float) -> dict[str, Counts]:
        counted = self._team.counts(seconds)
        return {f"worker-{number}": counts for number, counts in enumerate(counted)}

    def serve(self, listener: Listener, observe: Observe, warn: Callable[[str], None]) -> None:
        lock = self._archive.blobs.lock
        self._team.begin(lock, observe, warn, listener.give_back, listener.stop)
        listener.serve(self._team.give, warn, is_elsewhere=True)

    def drain(self, listener: Listener, seconds: float) -> bool:  # noqa: ARG002 - they are theirs
        is_drained, is_trusted = self._team.drain(seconds)
        if not is_trusted:
            self._archive.index.distrust()
        return is_drained
