"""Storage commitment, both roles: who is asked for it, and the report that comes later.

source  PS3.4 Annex J (Storage Commitment Push Model), PS3.7 10.1.1 and 10.1.4
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from pacs_cli.errors import AssociationError, PeerFailure
from pacs_cli.net.target import Target
from pacs_cli.services.diagnosis import explain_status
from pacs_cli.services.scu import Session, Woken
from pacs_cli.wire.association import AssociationEvent, CommandReceived, Deadline
from pacs_cli.wire.command import Command, CommandField, Value, response_to
from pacs_cli.wire.message import Fragment
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Policy,
    Proposal,
    taken_beside,
)
from pacs_cli.wire.states import State
from pacs_cli.wire.userinfo import RoleSelection, UserInformation

#: Storage Commitment Push Model, and its well-known instance (PS3.4 J.3.5).
PUSH_MODEL = "1.2.840.10008.1.20.1"
PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"

#: The one action (PS3.4 J.3.2.1).
REQUEST_COMMITMENT = 1

_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
PROPOSALS = (Proposal(PUSH_MODEL, _SYNTAXES),)

NO_SUCH_ACTION, INVALID_ARGUMENT = 0x0123, 0x0115


@dataclass(frozen=True, slots=True)
class Commitment:
    """The answer to a request: its status, and with success the report that follows it."""

    status: int
    comment: str = ""
    event_type: int = 0
    report: bytes = b""


@runtime_checkable
class Committer(Protocol):
    """A handler that answers requests for storage commitment."""

    def commit(self, transfer_syntax_uid: str, request: bytes) -> Commitment:
        """Say what of the request is safely held; called from the association's thread."""

    def report_later(self, ae_title: str, transfer_syntax_uid: str, commitment: Commitment) -> None:
        """Take a report that the peer did not acknowledge before it left; never raises."""


@runtime_checkable
class ReportReceiver(Protocol):
    """A handler that takes reports on associations that the peer opens for them."""

    def take_report(self, transfer_syntax_uid: str, report: bytes) -> int:
        """Take a report and return the status that it is answered with."""


def with_commitment(policy: Policy) -> Policy:
    """Return a policy that accepts the push model too."""
    return taken_beside(policy, frozenset({PUSH_MODEL}), _SYNTAXES)


def report_request(commitment: Commitment, message_id: int) -> Command:
    """Return the N-EVENT-REPORT-RQ of a report."""
    return Command(
        CommandField.N_EVENT_REPORT_RQ,
        {
            "MessageID": message_id,
            "AffectedSOPClassUID": PUSH_MODEL,
            "AffectedSOPInstanceUID": PUSH_MODEL_INSTANCE,
            "EventTypeID": commitment.event_type,
        },
        has_data_set=True,
    )


class CommitmentSession(Session):
    """An association over which commitment is asked for; reports may come over it.

    take  is given each report that comes, with its transfer syntax; returns the status to answer
    """

    def __init__(self, target: Target, take: Callable[[str, bytes], int]) -> None:
        self._take = take
        self._event: tuple[int, Command] | None = None
        self._event_data = bytearray()
        self._report_came = False
        super().__init__(target, PROPOSALS)

    def ask(self, context_id: int, information: bytes) -> None:
        """Ask for commitment; raises PeerFailure when the peer refuses it."""
        elements: dict[str, Value] = {
            "RequestedSOPClassUID": PUSH_MODEL,
            "RequestedSOPInstanceUID": PUSH_MODEL_INSTANCE,
            "ActionTypeID": REQUEST_COMMITMENT,
        }
        self._begin(context_id, CommandField.N_ACTION_RQ, elements, (information,))
        awaited = self._patience()
        # an action reply may follow, which says nothing here
        response = self._whole_response(awaited)
        while response is None:
            response = self._whole_response(awaited)
        if response.status:
            raise PeerFailure(
                f"{self.target} refused storage commitment: {explain_status(response.status)}",
                response.status,
            )

    def listen(self, seconds: float) -> None:
        """Take what comes of reports within so many seconds, one at the most."""
        if self.has_arrived(seconds):
            self._report_came = False
            self._wait_number += 1
            awaited = Deadline("a storage commitment report", seconds, self._wait_number)
            while not self._report_came:
                event = super()._wait(awaited)
                if not self._takes(event):
                    raise self._released_instead(event)  # type: ignore[arg-type]

    def _wait(self, awaited: Deadline | None) -> AssociationEvent | Woken:
        """Return the next event that is no part of a report; those are taken here."""
        while self._takes(event := super()._wait(awaited)):
            pass
        return event

    def _takes(self, event: AssociationEvent | Woken) -> bool:
        if isinstance(event, CommandReceived):
            if event.command.field != CommandField.N_EVENT_REPORT_RQ:
                return False
            self._event, self._event_data = (event.context_id, event.command), bytearray()
            return True
        if not isinstance(event, Fragment) or self._event is None:
            return False
        if len(self._event_data) + len(event.data) > self._max_identifier:
            raise self._broken(f"sent a report of over {self._max_identifier} bytes")
        self._event_data += event.data
        if event.is_last:
            self._answer_report(*self._event)
        return True

    def _answer_report(self, context_id: int, request: Command) -> None:
        self._event, self._report_came = None, True
        status = self._take(self.contexts[context_id].transfer_syntax, bytes(self._event_data))
        if self._association.state is State.ESTABLISHED:
            # once we release there is no answer: the peer reports again, to who listens then
            self._send(context_id, response_to(request, status))


def send_report(target: Target, commitment: Commitment, convert: Callable[[str], bytes]) -> None:
    """Report over an association of our own, as the SCP that we are (PS3.4 J.3.3).

    convert  gives the report in a transfer syntax
    raises   ConnectError, AssociationError, PeerFailure
    """
    roles = (RoleSelection(PUSH_MODEL, scu_role=False, scp_role=True),)
    information = UserInformation(maximum_length=target.max_pdu, role_selections=roles)
    with Session(target, PROPOSALS, information) as session:
        context = session.context_for(PUSH_MODEL)
        if context is None:
            raise AssociationError(f"{target} did not accept a storage commitment report")
        request = report_request(commitment, 1)
        data = (convert(context.transfer_syntax),)
        session._begin(context.id, CommandField.N_EVENT_REPORT_RQ, dict(request.elements), data)
        response, _ = session._finish()
        if response.status:
            raise PeerFailure(
                f"{target} refused a storage commitment report: {explain_status(response.status)}",
                response.status,
            )
