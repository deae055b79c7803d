"""The user side: one association with a peer, and what is asked over it.

source  PS3.7 9.1.1 (C-STORE), 9.1.2 (C-FIND), 9.1.5 (C-ECHO), PS3.8 7
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from pacs_cli import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs_cli.errors import (
    AssociationAborted,
    AssociationError,
    AssociationRejected,
    ConnectError,
    InputError,
    PacsError,
    PeerProtocolError,
    PeerSpeaksTls,
    PeerTimeout,
)
from pacs_cli.net.channel import Channel, Connection, Wakeup, call
from pacs_cli.net.target import Target
from pacs_cli.services.diagnosis import explain_abort, explain_rejection
from pacs_cli.services.results import EchoResult, FindResponse, Phases, StoreResult
from pacs_cli.wire.association import (
    Aborted,
    Accepted,
    Association,
    AssociationEvent,
    Closed,
    CommandReceived,
    Deadline,
    Limits,
    Rejected,
    ReleaseRequested,
    Role,
)
from pacs_cli.wire.command import Command, CommandField, Priority, Value, encode_command
from pacs_cli.wire.message import Buffer, Fragment
from pacs_cli.wire.negotiation import (
    VERIFICATION_SOP_CLASS,
    Context,
    Proposal,
    number_contexts,
)
from pacs_cli.wire.pdu import AssociateAccept, AssociateRequest
from pacs_cli.wire.userinfo import UserInformation

#: Bytes of the data set of one response. An identifier has a few hundred, with every attribute of
#: a worklist item some ten thousand.
MAX_IDENTIFIER = 1024 * 1024

#: Seconds for the end of an operation, and for that of the association, once we are to stop.
_HURRY = 1.0

_NEVER_ANSWERED = (
    "is that a DICOM port, and is the peer well? pacs doctor looks closer (-ta S waits)"
)
_TOO_SLOW = "is the peer well, what does its log say? (-td S waits)"

_FIND_PENDING = (0xFF00, 0xFF01)

_ENDS = (Rejected, Aborted, Closed)

#: Told of every command set: "->" or "<-", the presentation context id, the command.
Trace = Callable[[str, int, Command], None]


@dataclass(frozen=True, slots=True)
class Woken:
    """There is a reason to cancel: the wakeup was set, told once, between the events."""


class Session:
    """An association that stands; leaving the `with` block releases it, an exception aborts it.

    contexts       id -> Context, the refused ones included
    request, answer  the two association PDUs, for display
    phases         seconds for name, TCP, TLS, association and (in the end) release
    priority       of the objects that are sent
    originator     AE title and message id of the C-MOVE that objects are sent for; None for none
    One thread uses it.
    """

    _max_identifier = MAX_IDENTIFIER

    def __init__(
        self,
        target: Target,
        proposals: Sequence[Proposal],
        negotiation: UserInformation | None = None,
        trace: Trace | None = None,
        wakeup: Wakeup | None = None,
        connection: Connection | None = None,
    ) -> None:
        """Connect and associate.

        negotiation  what is negotiated besides the contexts; what says who we are and how much we
                     take is filled in
        wakeup  when it is set, `find` cancels, and what is then to be awaited has a second
        connection  that is there already, and owned from here on
        raises  ConnectError, AssociationRejected, AssociationAborted, PeerTimeout,
                PeerProtocolError
        """
        self.target = target
        self.priority = Priority.MEDIUM
        self.originator: tuple[str, int] | None = None
        self._trace = trace
        self._wakeup = wakeup
        self._message_id = self._wait_number = 0
        self._outstanding: tuple[int, Command] = (0, Command(0, {}))
        self._began = 0.0
        self._response: Command | None = None
        self._identifier = bytearray()
        self._events = self._incoming()
        self.request = AssociateRequest(
            target.called_ae_title,
            target.calling_ae_title,
            number_contexts(proposals),
            replace(
                negotiation or UserInformation(),
                maximum_length=target.max_pdu,
                implementation_class_uid=IMPLEMENTATION_CLASS_UID,
                implementation_version_name=IMPLEMENTATION_VERSION_NAME,
                user_identity=target.user,
            ),
        )
        connection = connection or call(target)
        connected = time.monotonic()
        limits = Limits(
            max_pdu_length=target.max_pdu,
            reply=target.timeouts.acse,
            idle=target.timeouts.dimse,
            close=1.0,
        )
        self._association = Association(Role.REQUESTOR, limits)
        self._channel = Channel(connection.sock, self._association, str(target), wakeup=wakeup)
        self._channel.write_timeout = target.timeouts.write
        self._awaited: Deadline | None = None
        self.answer = self._associate()
        self.phases = Phases(
            connection.name, connection.tcp, connection.tls, time.monotonic() - connected
        )

    @property
    def contexts(self) -> dict[int, Context]:
        """Every proposed presentation context and what the peer made of it."""
        return self._association.contexts

    @property
    def is_over(self) -> bool:
        """Whether the association has ended, however it did."""
        return self._association.is_over or self._association.is_closing

    def context_for(self, abstract_syntax: str, transfer_syntax: str = "") -> Context | None:
        """Return an accepted context for the SOP class, in that transfer syntax if one is given."""
        for context in self.contexts.values():
            is_served = context.is_accepted and context.abstract_syntax == abstract_syntax
            if is_served and transfer_syntax in ("", context.transfer_syntax):
                return context
        return None

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the peer says something."""
        return self._channel.fileno()

    def has_arrived(self, seconds: float) -> bool:
        """Whether the peer says something by then, or has said more than was asked for yet."""
        return self._association.has_unread or self._channel.has_arrived(seconds)

    def wait_for_room_by(self, await_room: Callable[[int, float], bool]) -> None:
        """Have somebody else wait when the peer does not read: see `Channel.await_room`."""
        self._channel.await_room = await_room

    def echo(self, context_id: int) -> EchoResult:
        """Ask for a C-ECHO; the peer's status is the result, whatever it is."""
        elements: dict[str, Value] = {"AffectedSOPClassUID": VERIFICATION_SOP_CLASS}
        self._begin(context_id, CommandField.C_ECHO_RQ, elements)
        response, seconds = self._finish()
        return EchoResult(response.status, seconds)

    def store(
        self,
        context_id: int,
        affected_sop_class_uid: str,
        affected_sop_instance_uid: str,
        data: Iterable[Buffer],
    ) -> StoreResult:
        """Send one object; the peer's status is the result, whatever it is.

        data    the data set's bytes in the context's transfer syntax, sent as they are
        raises  InputError when they are mapped from a file that was cut off meanwhile; the
                association is over then, as a message cannot be left half sent
        """
        self.begin_store(context_id, affected_sop_class_uid, affected_sop_instance_uid, data)
        return self.finish_store()

    def begin_store(
        self,
        context_id: int,
        affected_sop_class_uid: str,
        affected_sop_instance_uid: str,
        data: Iterable[Buffer],
    ) -> None:
        """Send one object and return once the system has its bytes; `finish_store` comes next."""
        elements: dict[str, Value] = {
            "AffectedSOPClassUID": affected_sop_class_uid,
            "AffectedSOPInstanceUID": affected_sop_instance_uid,
            "Priority": self.priority,
        }
        if self.originator is not None:
            elements["MoveOriginatorApplicationEntityTitle"] = self.originator[0]
            elements["MoveOriginatorMessageID"] = self.originator[1]
        self._begin(context_id, CommandField.C_STORE_RQ, elements, data)

    def finish_store(self) -> StoreResult:
        """Return the answer to the object that was begun."""
        response, seconds = self._finish()
        return StoreResult(response.status, response.text("ErrorComment"), seconds)

    def find(
        self, context_id: int, identifier: bytes, limit: int | None = None
    ) -> Iterator[FindResponse]:
        """Ask for a C-FIND; yield each match as it comes, and last how it ended, whatever it is.

        identifier  the query, in the context's transfer syntax
        limit       after so many matches C-CANCEL is sent; what still comes is dropped

        A wakeup that is set cancels in the same way. Each match has the DIMSE timeout to itself,
        the end after a C-CANCEL has it in all. It is to be exhausted, or the association aborted.

        source  PS3.7 9.1.2 and 9.3.2
        """
        elements: dict[str, Value] = {
            "AffectedSOPClassUID": self.contexts[context_id].abstract_syntax,
            "Priority": int(Priority.MEDIUM),
        }
        self._begin(context_id, CommandField.C_FIND_RQ, elements, (identifier,))
        matches = 0
        while matches != limit and not self._is_woken:
            response = self._find_response(self._patience())
            if response is None:
                break
            yield response
            if not response.is_pending:
                return
            matches += 1
        yield self._cancel()

    def release(self) -> None:
        """Release the association and close the connection."""
        began = time.monotonic()
        try:
            self._association.release()
            while not self._association.is_over:
                # a release collision: we confirm the peer's and still await our own (AR-8)
                if isinstance(self._next(), ReleaseRequested):
                    self._association.confirm_release()
        finally:
            self._channel.close()
        self.phases = replace(self.phases, release=time.monotonic() - began)

    def give_up(self) -> None:
        """Have nothing more to say but that it is aborted, which `abort` says and waits for."""
        self._association.abort()

    def abort(self) -> None:
        """Abort the association if it still stands, and close the connection."""
        self._association.abort()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and not self.is_over:
            self.release()
        else:
            self.abort()

    # -- inside ------------------------------------------------------------------------------

    def _associate(self) -> AssociateAccept:
        try:
            self._association.request(self.request)
            event = self._next()
            # nothing else can come in this state: the table has an abort for it
            assert isinstance(event, Accepted)
            self._check_user(event.answer)
            return event.answer
        except BaseException:
            self.abort()
            raise

    def _check_user(self, answer: AssociateAccept) -> None:
        """See that the user was confirmed, where that was asked for.

        A peer that does not check users accepts without a response, and whether to go on is then
        ours to decide (PS3.7 D.3.3.7): who asks for a response wants to know.
        """
        user = self.target.user
        if user is None or not user.positive_response_requested:
            return
        if answer.user_information.user_identity_response is None:
            raise AssociationError(
                f"cannot associate with {self.target}: it accepted, but did not confirm the user, "
                "so it may not check users at all; without --user-response that is not asked for"
            )

    def _begin(
        self,
        context_id: int,
        field: CommandField,
        elements: dict[str, Value],
        data: Iterable[Buffer] | None = None,
    ) -> None:
        """Write a request; its response is the next thing to be received.

        elements  without the message id, which is put in
        """
        # PS3.7 E.1: unique among the outstanding; 16 bits, and some peers dislike 0
        self._message_id = self._message_id % 0xFFFF + 1
        elements["MessageID"] = self._message_id
        request = Command(field, elements, data is not None)
        self._began = time.monotonic()
        self._outstanding = context_id, request
        self._send(context_id, request, data)

    def _send(
        self, context_id: int, command: Command, data: Iterable[Buffer] | None = None
    ) -> None:
        self._association.send(context_id, encode_command(command), data)
        if self._trace:
            self._trace("->", context_id, command)
        try:
            self._channel.send()
        except (PeerProtocolError, PeerTimeout, OSError) as error:
            raise self._explained(error) from None

    def _patience(self) -> Deadline:
        """Return the time for one response to the request that was begun.

        In all: every PDU of it could come in time, and the last of them never.
        """
        self._wait_number += 1
        answer = f"an answer to {self._outstanding[1].name}"
        return Deadline(answer, self.target.timeouts.dimse, self._wait_number)

    def _finish(self) -> tuple[Command, float]:
        """Return the response to the request that was begun, and the seconds it took."""
        event = self._next(self._patience())
        if isinstance(event, CommandReceived):
            self._check(event, may_have_data_set=False)
            return event.command, time.monotonic() - self._began
        raise self._released_instead(event)

    def _find_response(self, awaited: Deadline) -> FindResponse | None:
        """Return the next match or the end; None once, when the wakeup was set."""
        response = self._whole_response(awaited)
        return None if response is None else self._found(response)

    def _whole_response(self, awaited: Deadline) -> Command | None:
        """Return the next response, with its data set, if it has one, in `_identifier`; None once,
        when the wakeup was set.

        What had arrived of it by then is kept for the next call.
        """
        while True:
            event = self._wait(awaited)
            if isinstance(event, Woken):
                return None
            if isinstance(event, CommandReceived):
                self._check(event, may_have_data_set=True)
                self._response, self._identifier = event.command, bytearray()
                is_whole = not event.command.has_data_set
            elif isinstance(event, Fragment):
                self._collect(event)
                is_whole = event.is_last
            else:
                raise self._released_instead(event)
            if is_whole and self._response is not None:
                return self._response

    def _collect(self, fragment: Fragment) -> None:
        size = len(self._identifier) + len(fragment.data)
        if size > self._max_identifier:
            raise self._broken(f"sent an identifier of over {self._max_identifier} bytes")
        self._identifier += fragment.data

    def _found(self, response: Command) -> FindResponse:
        offending = response.elements.get("OffendingElement", ())
        found = FindResponse(
            response.status,
            comment=response.text("ErrorComment"),
            offending_elements=offending if isinstance(offending, tuple) else (),
        )
        if not found.is_pending:
            return found
        if not response.has_data_set:
            raise self._broken("sent a match without an identifier")
        return replace(found, identifier=bytes(self._identifier))

    def _cancel(self) -> FindResponse:
        """Cancel the C-FIND that was begun and return how the peer ended it."""
        try:
            end = self._found(self._cancelled_end(_FIND_PENDING))
        except AssociationError as error:
            # the matches we have stay what they are
            return FindResponse(None, comment=str(error), is_cancelled=True)
        return replace(end, is_cancelled=True)

    def _cancelled_end(self, pending: tuple[int, ...]) -> Command:
        """Cancel what was begun; return how the peer ended it, dropping the responses before.

        A peer may have ended it by itself meanwhile, not heed a C-CANCEL, or abort because of it.

        source  PS3.7 9.3.2.3
        """
        context_id, request = self._outstanding
        elements: dict[str, Value] = {"MessageIDBeingRespondedTo": request.message_id}
        cancel = Command(CommandField.C_CANCEL_RQ, elements)
        awaited = self._last_patience()
        self._send(context_id, cancel)
        while (response := self._whole_response(awaited)) is None or response.status in pending:
            if response is None:
                awaited = self._last_patience()
        return response

    def _last_patience(self) -> Deadline:
        """Return the time for the end of a cancelled operation; hurry once the wakeup is set."""
        self._wait_number += 1
        seconds = self.target.timeouts.dimse
        if self._is_woken:
            seconds = min(seconds, _HURRY)
            self._channel.write_timeout = min(self._channel.write_timeout, _HURRY)
            limits = self._association.limits
            self._association.limits = replace(limits, reply=min(limits.reply, _HURRY))
        return Deadline("the end of what was cancelled", seconds, self._wait_number)

    def _check(self, event: CommandReceived, may_have_data_set: bool) -> None:
        if self._trace:
            self._trace("<-", event.context_id, event.command)
        context_id, request = self._outstanding
        response = event.command
        is_ours = (
            response.field == request.field | 0x8000
            and response.message_id == request.message_id
            and event.context_id == context_id
            and (may_have_data_set or not response.has_data_set)
        )
        if not is_ours:
            raise self._broken(
                f"answered {request.name} number {request.message_id} on "
                f"presentation context {context_id} with {response.name} number "
                f"{response.message_id} on {event.context_id}"
                f"{' and a data set' if response.has_data_set else ''}"
            )

    def _broken(self, deed: str) -> PeerProtocolError:
        """Abort for what the peer did; return what to raise."""
        self._association.abort(2, 6)
        return PeerProtocolError(f"{self.target} {deed}; aborted")

    def _released_instead(self, event: AssociationEvent) -> AssociationAborted:
        assert isinstance(event, ReleaseRequested)
        self._association.confirm_release()
        return AssociationAborted(
            f"{self.target} released the association instead of an answer to "
            f"{self._outstanding[1].name}; try again, or ask what its log says"
        )

    def _explained(self, error: PeerProtocolError | PeerTimeout | OSError) -> PacsError:
        """Return what to raise for what went wrong on the connection, with the peer's name."""
        if isinstance(error, PeerSpeaksTls):
            return ConnectError(
                f"cannot associate with {self.target}: it speaks TLS there; add --tls"
            )
        if isinstance(error, PeerProtocolError):
            return PeerProtocolError(
                f"{self.target} broke the protocol: {error}; is that a DICOM port?", error.reason
            )
        if isinstance(error, PeerTimeout):
            is_new = not self.contexts
            self._association.abort()
            return PeerTimeout(f"{error}; {_NEVER_ANSWERED if is_new else _TOO_SLOW}")
        if error.errno == errno.EFAULT:
            return InputError("it became shorter while it was being sent")
        reason = (error.strerror or str(error)).lower()
        return AssociationAborted(
            f"the connection to {self.target} was lost: {reason}; does its log say why?"
        )

    @property
    def _is_woken(self) -> bool:
        return self._wakeup is not None and self._wakeup.is_set

    def _next(self, awaited: Deadline | None = None) -> AssociationEvent:
        """Return the next event, whatever wakes us."""
        while isinstance(event := self._wait(awaited), Woken):
            pass
        return event

    def _wait(self, awaited: Deadline | None) -> AssociationEvent | Woken:
        """Write, wait, return the next event; one at a time, so that an answer which arrives
        together with the end of the association still counts.
        """
        self._awaited = awaited
        event = next(self._events, None)
        if event is None:
            raise AssociationAborted(f"the association with {self.target} is over")
        return event

    def _incoming(self) -> Iterator[AssociationEvent | Woken]:
        was_woken = False
        while True:
            try:
                for event in self._channel.receive(self._awaited):
                    if isinstance(event, _ENDS):
                        raise self._end(event)
                    yield event
            except (PeerProtocolError, PeerTimeout, OSError) as error:
                raise self._explained(error) from None
            if self._is_woken and not was_woken:
                was_woken = True
                yield Woken()

    def _end(self, event: Rejected | Aborted | Closed) -> AssociationError:
        """Return the exception for an end of the association."""
        if isinstance(event, Rejected):
            titles = self.target.called_ae_title, self.target.calling_ae_title
            has_user = self.target.user is not None
            words = explain_rejection(event.result, event.source, event.reason, *titles, has_user)
            return AssociationRejected(
                f"cannot associate with {self.target}: rejected, {words}",
                event.result,
                event.source,
                event.reason,
            )
        if isinstance(event, Aborted):
            words = explain_abort(event.source, event.reason)
            return AssociationAborted(
                f"{self.target} aborted the association: {words}", event.source, event.reason
            )
        return AssociationAborted(
            f"{self.target} closed the connection without a word; "
            "is that a DICOM port, does it want TLS (--tls), does its log say why?"
        )
