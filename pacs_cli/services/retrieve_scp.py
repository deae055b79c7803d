"""C-MOVE and C-GET as SCP: every object is a sub-operation, counted in every response.

source  PS3.4 C.4.2 and C.4.3, PS3.7 9.1.3 and 9.1.4
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from pacs_cli.errors import (
    AssociationAborted,
    AssociationError,
    ConnectError,
    InputError,
    NoAcceptedContext,
    OutputError,
    PeerTimeout,
)
from pacs_cli.net.target import Target
from pacs_cli.services.conversation import Conversation
from pacs_cli.services.opening import Opening
from pacs_cli.services.query_scp import CANCELLED, SUCCESS, QueryRetrieve, failure_of
from pacs_cli.services.results import StoreResult
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import (
    AssociationInfo,
    Library,
    QueryRefused,
    QueryRequest,
    Receiver,
    Retrieval,
    Retrieved,
    Step,
    StoredObject,
    StudyTransferred,
)
from pacs_cli.services.transfers import Transfers
from pacs_cli.wire.command import Command, CommandField, Priority, Value
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Context,
    Proposal,
    batches,
)

PENDING = 0xFF00
WARNING = 0xB000
UNABLE_TO_COUNT = 0xA701
UNABLE_TO_PERFORM = 0xA702
UNKNOWN_DESTINATION = 0xA801

#: US, so there is no way to say more.
_MAX_COUNT = 0xFFFF
#: SOP instance UIDs that are told as failed, of 64 characters as many as two bytes of length hold.
_MAX_FAILED = 1000

#: Seconds for a destination to answer once all is to stop: who cancels waits for that long.
_GRACE = 0.5

_ENDED = "it was ended before the destination had answered"

#: What an object is brought into when it is not accepted as it is stored.
_NATIVE = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


class Sender(Protocol):
    """Where the objects of a retrieve go."""

    def send(self, stored: StoredObject) -> int:
        """Send one object and return the status of the answer.

        raises  InputError, AssociationError or ConnectError when that fails
        """


@dataclass(slots=True)
class Tally:
    """The sub-operations of one retrieve."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)
    reason: str = ""

    def fail(self, sop_instance_uid: str, reason: str) -> None:
        """Count one that failed."""
        self.failed += 1
        self.reason = self.reason or reason
        if sop_instance_uid and len(self.failed_uids) < _MAX_FAILED:
            self.failed_uids.append(sop_instance_uid)

    def elements(self, has_remaining: bool) -> dict[str, Value]:
        """Return the counters of a response; no remaining ones in the last (PS3.7 9.1.3.1)."""
        counts = {
            "NumberOfCompletedSuboperations": self.completed,
            "NumberOfFailedSuboperations": self.failed,
            "NumberOfWarningSuboperations": self.warning,
        }
        if has_remaining:
            counts["NumberOfRemainingSuboperations"] = self.remaining
        return {keyword: min(count, _MAX_COUNT) for keyword, count in counts.items()}

    def status(self) -> int:
        """Return the status of all (PS3.4 tables C.4-2 and C.4-3)."""
        if not self.failed and not self.warning:
            return SUCCESS
        return WARNING if self.completed or self.warning else UNABLE_TO_PERFORM


def answer_move(
    conversation: Conversation, queries: QueryRetrieve, request: QueryRequest
) -> Retrieved:
    """Answer a C-MOVE to its end; return what became of it."""
    title = conversation.request.text("MoveDestination")
    target = queries.destinations.get(title)
    if target is None:
        refusal = QueryRefused(UNKNOWN_DESTINATION, "the move destination is not known here")
        return _refused(conversation, request, "move", title, refusal)
    try:
        retrieval = _retrieval(conversation, queries.library, request)
    except (QueryRefused, OutputError) as error:
        return _refused(conversation, request, "move", title, error)
    originator = request.association.calling_ae_title, request.message_id
    destination = Destination(conversation, target, retrieval.contexts, originator)
    sender: Sender = destination
    if queries.tell is not None:
        receiver = Receiver(title, target.host)
        sender = Told(destination, request.association, queries.tell, receiver)
    try:
        return _run(conversation, request, retrieval, sender, "move", title)
    finally:
        destination.close()


def answer_get(
    conversation: Conversation,
    queries: QueryRetrieve,
    request: QueryRequest,
    contexts: Sequence[Context],
) -> Retrieved:
    """Answer a C-GET to its end; return what became of it.

    contexts  of the association; objects go over those in which the requestor is SCP
    """
    try:
        retrieval = _retrieval(conversation, queries.library, request)
    except (QueryRefused, OutputError) as error:
        return _refused(conversation, request, "get", "", error)
    sender: Sender = SameAssociation(conversation, contexts)
    if queries.tell is not None:
        sender = Told(sender, request.association, queries.tell)
    return _run(conversation, request, retrieval, sender, "get", "")


def _retrieval(conversation: Conversation, library: Library, request: QueryRequest) -> Retrieval:
    retrieval = library.retrieve(request, conversation.is_over)
    conversation.check()
    return retrieval


def _refused(
    conversation: Conversation,
    request: QueryRequest,
    kind: str,
    destination: str,
    error: QueryRefused | OutputError,
) -> Retrieved:
    status, comment, elements = failure_of(error, UNABLE_TO_COUNT)
    conversation.respond(status, elements)
    return Retrieved(
        request.association, kind, "", destination, status, comment, 0, 0, 0, 0, "", 0.0
    )


def _run(
    conversation: Conversation,
    request: QueryRequest,
    retrieval: Retrieval,
    sender: Sender,
    kind: str,
    destination: str,
) -> Retrieved:
    began, tally = time.monotonic(), Tally(retrieval.count)
    if isinstance(sender, Told):
        sender.begin(retrieval)
    try:
        for stored in retrieval.objects():
            conversation.look()
            if conversation.is_over():
                break
            _perform(sender, stored, tally)
            if tally.remaining:
                conversation.respond(PENDING, tally.elements(has_remaining=True))
    except OutputError:
        # what could not be looked up any more
        tally.failed += tally.remaining
        tally.remaining, tally.reason = 0, tally.reason or "the index cannot be read"
    finally:
        if isinstance(sender, Told):
            sender.end()
    conversation.check()
    status = tally.status()
    if tally.remaining:
        status = CANCELLED if conversation.is_cancelled else UNABLE_TO_PERFORM
    identifier = retrieval.failed_list(tally.failed_uids) if status != SUCCESS else None
    elements = tally.elements(has_remaining=status == CANCELLED)
    if status == UNABLE_TO_PERFORM:
        elements["ErrorComment"] = (tally.reason or "shutting down")[:64]
    conversation.respond(status, elements, identifier)
    return Retrieved(
        request.association,
        kind,
        retrieval.level,
        destination,
        status,
        "",
        tally.completed,
        tally.failed,
        tally.warning,
        tally.remaining,
        tally.reason,
        time.monotonic() - began,
    )


def _perform(sender: Sender, stored: StoredObject | None, tally: Tally) -> None:
    """Send one object and count it; a peer of a C-GET that is gone is raised."""
    tally.remaining -= 1
    if stored is None:
        tally.fail("", "the object is gone")
        return
    try:
        status = sender.send(stored)
    except (InputError, SubOperationFailed) as error:
        tally.fail(stored.sop_instance_uid, str(error))
        return
    answer = StoreResult(status, "", 0.0)
    if not answer.is_stored:
        tally.fail(stored.sop_instance_uid, f"answered with {status:04X}")
    elif answer.is_warning:
        tally.warning += 1
    else:
        tally.completed += 1


class SubOperationFailed(Exception):
    """One object could not be sent; others may be."""


class Told:
    """Implements Sender: sends as `inner` does, and tells what went, by study."""

    def __init__(
        self,
        inner: Sender,
        association: AssociationInfo,
        tell: Callable[[StudyTransferred], None],
        receiver: Receiver | None = None,
    ) -> None:
        self._inner = inner
        self._begun = Transfers(association, Step.BEGUN, tell, receiver)
        self._sent = Transfers(association, Step.SENT, tell, receiver)

    def begin(self, retrieval: Retrieval) -> None:
        """Tell what is going to be sent, as far as the index can be read."""
        with suppress(OutputError):
            for study, patient_id, sop_class_uid, count in retrieval.studies():
                self._begun.add(study, patient_id, sop_class_uid, "E", count=count)
        self._begun.close()

    def send(self, stored: StoredObject) -> int:
        """Send one object, and count it."""
        error = "the association has ended"
        try:
            status = self._inner.send(stored)
            error = "" if StoreResult(status, "", 0.0).is_stored else f"answered with {status:04X}"
            return status
        except (InputError, SubOperationFailed) as failure:
            error = str(failure)
            raise
        finally:
            study, patient_id = stored.study_instance_uid, stored.patient_id
            self._sent.add(study, patient_id, stored.sop_class_uid, "R", error)

    def end(self) -> None:
        """Tell what was sent."""
        self._sent.close()


def _accepted(contexts: Sequence[Context], sop_class_uid: str) -> dict[str, int]:
    """Return transfer syntax -> context id of what is accepted for a SOP class."""
    return {
        context.transfer_syntax: context.id
        for context in reversed(contexts)
        if context.is_accepted and context.abstract_syntax == sop_class_uid
    }


class SameAssociation:
    """Implements Sender for a C-GET (PS3.4 C.4.3.2)."""

    def __init__(self, conversation: Conversation, contexts: Sequence[Context]) -> None:
        self._conversation = conversation
        self._contexts = [context for context in contexts if context.requestor_is_scp]

    def send(self, stored: StoredObject) -> int:
        """Send one object to whom asked for it."""
        accepted = _accepted(self._contexts, stored.sop_class_uid)
        if not accepted:
            raise SubOperationFailed("no presentation context for its SOP class")
        elements: dict[str, Value] = {
            "AffectedSOPClassUID": stored.sop_class_uid,
            "AffectedSOPInstanceUID": stored.sop_instance_uid,
            "Priority": int(Priority.MEDIUM),
        }
        command = Command(CommandField.C_STORE_RQ, elements, has_data_set=True)
        with stored.open(list(accepted)) as (transfer_syntax, data):
            return self._conversation.store(accepted[transfer_syntax], command, data)


class Destination:
    """Implements Sender for a C-MOVE: associations with the destination, opened when needed.

    There is one for each 128 presentation contexts. One that broke is opened again if an object
    was answered over it; else the destination is given up for the objects that belong there.

    originator  AE title and message id of the C-MOVE (PS3.7 9.1.1.1.8 and 9.1.1.1.9)
    """

    def __init__(
        self,
        conversation: Conversation,
        target: Target,
        contexts: Sequence[tuple[str, str]],
        originator: tuple[str, int],
    ) -> None:
        self._conversation = conversation
        self._target = target
        self._originator = originator
        self._batches = [list(batch) for batch in batches(proposals_for(contexts))]
        self._sessions: dict[int, Session] = {}
        #: broken; aborted when all is said, as a peer has a second to hear that
        self._broken: list[Session] = []
        self._has_answered: set[int] = set()
        self._given_up: dict[int, str] = {}

    def send(self, stored: StoredObject) -> int:
        """Send one object over the association that has its SOP class."""
        reasons = []
        for number in self._numbers(stored):
            try:
                return self._send_over(number, stored)
            except NoAcceptedContext as error:
                # another association may have one
                reasons.append(str(error))
        raise SubOperationFailed(reasons[0] if reasons else "no presentation context for it")

    def close(self) -> None:
        """Release what stands; a destination that does not answer changes nothing any more."""
        for session in self._broken:
            session.abort()
        for session in self._sessions.values():
            try:
                session.release()
            except AssociationError:
                session.abort()
        self._sessions.clear()

    def _numbers(self, stored: StoredObject) -> list[int]:
        """Return which associations may take an object, those with its own syntax first."""
        offers = {
            number: [each for each in batch if each.abstract_syntax == stored.sop_class_uid]
            for number, batch in enumerate(self._batches)
        }
        return sorted(
            (number for number, offer in offers.items() if offer),
            key=lambda number: all(
                stored.transfer_syntax_uid not in each.transfer_syntaxes for each in offers[number]
            ),
        )

    def _send_over(self, number: int, stored: StoredObject) -> int:
        session = self._session(number)
        accepted = _accepted(list(session.contexts.values()), stored.sop_class_uid)
        if not accepted:
            raise NoAcceptedContext("the destination accepts no presentation context for it")
        with stored.open(list(accepted)) as (transfer_syntax, data):
            try:
                session.begin_store(
                    accepted[transfer_syntax], stored.sop_class_uid, stored.sop_instance_uid, data
                )
                self._await_answer(session)
                answer = session.finish_store()
            except (AssociationError, InputError) as error:
                reason = _ENDED if self._conversation.is_over() else str(error)
                self._lost(number, reason)
                raise SubOperationFailed(reason) from None
        self._has_answered.add(number)
        return answer.status

    def _await_answer(self, session: Session) -> None:
        """Wait for the destination, but no longer than who asked wants to."""
        seconds = session.target.timeouts.dimse
        if self._conversation.await_other(session.fileno(), seconds):
            return
        if self._conversation.is_over():
            if session.has_arrived(_GRACE):
                return
            raise AssociationAborted(_ENDED)
        raise PeerTimeout(f"{session.target} did not answer C-STORE-RQ within {seconds:g} s")

    def _session(self, number: int) -> Session:
        if number in self._given_up:
            raise SubOperationFailed(self._given_up[number])
        if number not in self._sessions:
            try:
                session = self._opened(number)
            except (AssociationError, ConnectError) as error:
                self._given_up[number] = str(error)
                raise SubOperationFailed(str(error)) from None
            session.originator = self._originator
            session.wait_for_room_by(self._conversation.await_room)
            self._sessions[number] = session
        return self._sessions[number]

    def _opened(self, number: int) -> Session:
        """Associate, unless who asked does not want to wait for that."""
        opening = Opening(self._target, self._batches[number])
        timeouts = self._target.timeouts
        # its own timeouts end it: this only has to be longer
        if self._conversation.await_other(opening.fileno(), 2 * (timeouts.connect + timeouts.acse)):
            return opening.session()
        raise opening.abandon()

    def _lost(self, number: int, reason: str) -> None:
        session = self._sessions.pop(number)
        session.give_up()
        self._broken.append(session)
        if number in self._has_answered:
            self._has_answered.discard(number)
        else:
            self._given_up[number] = reason


def proposals_for(contexts: Sequence[tuple[str, str]]) -> list[Proposal]:
    """Return what is to be proposed: each SOP class in each stored syntax, and uncompressed."""
    stored: dict[str, list[str]] = defaultdict(list)
    for sop_class_uid, transfer_syntax_uid in contexts:
        stored[sop_class_uid].append(transfer_syntax_uid)
    proposals = []
    for sop_class_uid, syntaxes in stored.items():
        proposals += [Proposal(sop_class_uid, (syntax,)) for syntax in syntaxes]
        rest = tuple(syntax for syntax in _NATIVE if syntax not in syntaxes)
        if rest:
            proposals.append(Proposal(sop_class_uid, rest))
    return proposals
