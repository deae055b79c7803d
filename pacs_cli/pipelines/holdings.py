"""What a destination says it holds of a study, for a job that asks before or after it sends."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from pacs_cli.dicom.query import Level, Model
from pacs_cli.dicom.retrieval import RetrieveRequest
from pacs_cli.errors import (
    AssociationAborted,
    AssociationError,
    PeerFailure,
)
from pacs_cli.net.target import Target
from pacs_cli.pipelines.find import Problem
from pacs_cli.pipelines.survey import Survey, queries_for
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Proposal,
)

_MODEL = Model.STUDY_ROOT
_PROPOSALS = (
    Proposal(_MODEL.sop_class_uid, (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)),
)


class Holdings:
    """Asks one destination over one association, which is opened when it is needed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._session: Session | None = None

    def instances(self, study_instance_uid: str) -> set[str]:
        """Return the SOP instance UIDs that the destination shows of a study.

        raises  what ends an association (after a second attempt), and PeerFailure: an answer that
                is not whole is none
        """
        try:
            return self._asked(study_instance_uid)
        except AssociationAborted:
            # it was idle for too long while objects were sent
            self._drop()
            return self._asked(study_instance_uid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        try:
            session.__exit__(kind, error, trace)
        except AssociationError:
            # what was asked was answered
            return

    def _asked(self, study_instance_uid: str) -> set[str]:
        if self._session is None:
            self._session = Session(self._target, _PROPOSALS)
        survey = Survey(_MODEL)
        queries = queries_for(_MODEL, [RetrieveRequest(Level.STUDY, (), (study_instance_uid,))])
        for told in survey.run(self._session, queries, has_instances=True):
            if isinstance(told, Problem):
                raise PeerFailure(told.text, 0)
        return set(survey.instances)

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.abort()
