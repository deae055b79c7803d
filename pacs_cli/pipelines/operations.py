"""The two ways to retrieve: C-MOVE to a destination, and C-GET over the association itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pacs_cli.dicom.query import Model
from pacs_cli.errors import NoAcceptedContext
from pacs_cli.pipelines.storage_contexts import proposals_for, roles_for
from pacs_cli.services.diagnosis import explain_context
from pacs_cli.services.results import RetrieveResponse
from pacs_cli.services.retrieve import RetrieveSession
from pacs_cli.services.serving import Handler, InstanceReceived
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Proposal,
)
from pacs_cli.wire.userinfo import UserInformation

_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


class Operation(Protocol):
    """One of them."""

    @property
    def name(self) -> str:
        """Its name in the standard."""

    def advice(self, status: int) -> str:
        """Say what to try about a status, beyond what the status itself says."""

    def sop_class_uid(self, model: Model) -> str:
        """Return the SOP class of it in a model."""

    def offer(self, model: Model) -> tuple[Sequence[Proposal], UserInformation]:
        """Return what to negotiate for it."""

    def check(self, session: RetrieveSession) -> None:
        """Raise NoAcceptedContext when what is negotiated is of no use."""

    def start(
        self, session: RetrieveSession, context_id: int, identifier: bytes, limit: int | None
    ) -> Iterator[RetrieveResponse]:
        """Make one request."""


@dataclass(frozen=True, slots=True)
class Move:
    """C-MOVE.

    destination  the AE title
    where        how the peer reaches it, as `host 10.0.0.5, port 11112`
    """

    destination: str
    where: str
    name: str = "C-MOVE"

    def advice(self, status: int) -> str:
        """Say what the peer has to know of the destination."""
        if status != 0xA801:
            return ""
        return f"configure it there: AE title {self.destination}, {self.where}"

    def sop_class_uid(self, model: Model) -> str:
        """Return the SOP class of it in a model."""
        return model.move_sop_class_uid

    def offer(self, model: Model) -> tuple[Sequence[Proposal], UserInformation]:
        """Return one context."""
        return (Proposal(model.move_sop_class_uid, _SYNTAXES),), UserInformation()

    def check(self, session: RetrieveSession) -> None:
        """Find nothing wrong."""

    def start(
        self, session: RetrieveSession, context_id: int, identifier: bytes, limit: int | None
    ) -> Iterator[RetrieveResponse]:
        """Make one request."""
        return session.move(context_id, identifier, self.destination, limit)


@dataclass(frozen=True, slots=True)
class Get:
    """C-GET.

    sop_classes  what may come, at most 127
    handler, observe  take what comes and are told of it
    """

    sop_classes: tuple[str, ...]
    handler: Handler
    observe: Callable[[InstanceReceived], None]
    name: str = "C-GET"

    def advice(self, status: int) -> str:  # noqa: ARG002 nothing depends on it
        """Say nothing more."""
        return ""

    def sop_class_uid(self, model: Model) -> str:
        """Return the SOP class of it in a model."""
        return model.get_sop_class_uid

    def offer(self, model: Model) -> tuple[Sequence[Proposal], UserInformation]:
        """Return the context of the C-GET, those of the objects, and our role in these."""
        own = Proposal(model.get_sop_class_uid, _SYNTAXES)
        roles = UserInformation(role_selections=roles_for(self.sop_classes))
        return (own, *proposals_for(self.sop_classes)), roles

    def check(self, session: RetrieveSession) -> None:
        """Raise NoAcceptedContext when nothing could come.

        Peers that do not answer the roles send all the same: they were asked to.
        """
        _, *others = session.contexts.values()
        if not any(context.is_accepted for context in others):
            words = explain_context(others[0].result)
            raise NoAcceptedContext(
                f"cannot retrieve from {session.target}: of the SOP classes of the objects it "
                f"accepted none to be sent over C-GET, {words}; try movescu --receive"
            )

    def start(
        self, session: RetrieveSession, context_id: int, identifier: bytes, limit: int | None
    ) -> Iterator[RetrieveResponse]:
        """Make one request."""
        return session.get(context_id, identifier, self.handler, self.observe, limit)
