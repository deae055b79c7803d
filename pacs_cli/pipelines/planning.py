"""From what is asked for to requests, with a C-FIND before them where one is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pacs_cli.dicom.query import Level, Query
from pacs_cli.dicom.retrieval import RetrieveRequest, Wanted, requests_for, wanted_directly
from pacs_cli.errors import AssociationError, NoAcceptedContext, PeerFailure
from pacs_cli.pipelines.calling import Calling
from pacs_cli.pipelines.find import Problem, Remark
from pacs_cli.pipelines.survey import Instance, Survey, queries_for
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Proposal,
)

_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


class Planner:
    """Finds out what is to be requested.

    asked      a query, or what is wanted already
    batch      UIDs of one request, None for the usual
    requests   what to request; empty when nothing matches
    instances  what has to come of it, None when that is not known
    """

    def __init__(
        self,
        calling: Calling,
        asked: Query | Sequence[Wanted],
        batch: int | None = None,
    ) -> None:
        self._calling = calling
        self._target, self._model = calling.target, calling.model
        self._batch = batch
        self._query = asked if isinstance(asked, Query) else None
        wanted = wanted_directly(asked) if isinstance(asked, Query) else list(asked)
        self._wanted = wanted
        self.requests: list[RetrieveRequest] = []
        self.instances: dict[str, Instance] | None = None
        if wanted is not None:
            self.requests = requests_for(self._model, wanted, batch)
            if wanted and all(each.level is Level.IMAGE for each in wanted):
                self.instances = {each.own: Instance(each, "") for each in wanted}

    @property
    def missing(self) -> list[str]:
        """Keywords of keys above what is wanted that are not known: its retrieval is relational."""
        found = [name for each in self._wanted or () for name in each.missing(self._model)]
        return list(dict.fromkeys(found))

    def run(self, has_instances: bool, must_tell: bool) -> Iterator[Remark | Problem]:
        """Ask the peer, if that is needed; yield what is to be said.

        has_instances  whether the instances are to be found too
        must_tell      whether to fail when the peer cannot tell them; else they stay unknown
        raises         as Survey does
        """
        if self._wanted is not None and (not has_instances or not self.requests):
            return
        survey = Survey(self._model, self._calling.wakeup)
        has_failed = False
        try:
            for said in self._asked(survey, has_instances):
                has_failed |= isinstance(said, Problem)
                yield said
        except (NoAcceptedContext, PeerFailure) as error:
            if self._wanted is None or must_tell:
                raise
            yield Remark(f"{error}; what it holds is not known before it comes")
            return
        if self._wanted is None or not survey.wanted:
            self.requests = requests_for(self._model, survey.wanted, self._batch)
        if has_instances and survey.instances and (must_tell or not has_failed):
            self.instances = survey.instances
        elif has_instances and survey.wanted and Level.IMAGE in self._model.levels:
            yield Remark(f"{self._target} does not tell the instances of what it holds")

    def _asked(self, survey: Survey, has_instances: bool) -> Iterator[Remark | Problem]:
        if self._wanted is None and self._query is not None:
            queries = [self._query]
        else:
            queries = queries_for(self._model, self.requests)
        offer = (Proposal(self._model.sop_class_uid, _SYNTAXES),)
        is_done = False
        try:
            with self._session(offer) as session:
                self._calling.opened(session)
                yield from survey.run(session, queries, has_instances)
                is_done = True
        except AssociationError as error:
            if not is_done:
                raise
            # in the release: all answers are here
            yield Remark(str(error))

    def _session(self, offer: Sequence[Proposal]) -> Session:
        calling = self._calling
        return Session(calling.target, offer, None, calling.trace, calling.wakeup)
