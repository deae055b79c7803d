"""What a peer says it holds of what is to be retrieved, down to the instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pacs_cli.dicom.json_model import text_at
from pacs_cli.dicom.keys import parse_key, put
from pacs_cli.dicom.query import UNIQUE_KEYS, Level, Model, Query
from pacs_cli.dicom.retrieval import RetrieveRequest, Wanted, wanted_of_match
from pacs_cli.errors import Exit, InputError
from pacs_cli.net.channel import Wakeup
from pacs_cli.pipelines.find import Match, Problem, Remark, Search
from pacs_cli.services.scu import Session

_SOP_CLASS_TAG = 0x00080016


@dataclass(frozen=True, slots=True)
class Instance:
    """One object that a peer says it has; its SOP class is empty when the peer does not tell it."""

    wanted: Wanted
    sop_class_uid: str


class Survey:
    """Asks a peer for what it has.

    wanted     what the queries matched, at their own level
    instances  every instance below that, by its UID; only when it was asked for
    """

    def __init__(self, model: Model, wakeup: Wakeup | None = None) -> None:
        self._model = model
        self._wakeup = wakeup
        self.wanted: list[Wanted] = []
        self.instances: dict[str, Instance] = {}

    def run(
        self, session: Session, queries: Iterable[Query], has_instances: bool
    ) -> Iterator[Remark | Problem]:
        """Ask the queries, with their instances or without; yield what is to be said.

        raises  NoAcceptedContext, PeerFailure when a query fails, AssociationError
        """
        for query in queries:
            if self._wakeup is not None and self._wakeup.is_set:
                return
            asked = _lean(query, has_instances)
            for found in Search(session, asked, None, self._wakeup).run():
                if not isinstance(found, Match):
                    yield found
                    continue
                try:
                    self._take(found)
                except InputError as error:
                    yield Problem(str(error), Exit.ASSOCIATION)

    def _take(self, match: Match) -> None:
        level = match.request.level
        wanted = wanted_of_match(self._model, level, match.dataset)
        if match.depth == 0:
            self.wanted.append(wanted)
        if level is Level.IMAGE:
            sop_class = text_at(match.dataset, [_SOP_CLASS_TAG])
            self.instances[wanted.own] = Instance(wanted, sop_class)


def queries_for(model: Model, requests: Sequence[RetrieveRequest]) -> list[Query]:
    """Return the queries for what requests would retrieve."""
    from pydicom.dataset import Dataset

    queries = []
    for request in requests:
        asked = Dataset()
        own = (UNIQUE_KEYS[request.level], "\\".join(request.values))
        for tag, value in (*request.above, own):
            put(asked, parse_key(f"{tag:08X}={value}"))
        queries.append(Query(model, asked, request.level))
    return queries


def _lean(query: Query, has_instances: bool) -> Query:
    """Return the query so that it returns no more than is needed."""
    if has_instances:
        put(query.asked, parse_key(f"{_SOP_CLASS_TAG:08X}"), is_default=True)
    return replace(query, has_defaults=False, drills=has_instances)
