"""Retrieval, the user side: C-MOVE to anybody, and C-GET, whose objects come back to us.

source  PS3.7 9.1.3 (C-GET), 9.1.4 (C-MOVE), PS3.4 C.4.2 and C.4.3
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from pacs_cli.errors import AssociationError
from pacs_cli.services.results import RetrieveResponse
from pacs_cli.services.scu import Session, Woken
from pacs_cli.services.serving import (
    AssociationInfo,
    Handler,
    InstanceReceived,
    Sink,
    StoreOutcome,
    StoreRequest,
)
from pacs_cli.wire.association import AssociationEvent, CommandReceived, Deadline
from pacs_cli.wire.command import (
    Command,
    CommandField,
    Priority,
    Value,
    response_to,
)
from pacs_cli.wire.message import Fragment

#: Bytes of the list of what failed: more than a hundred thousand UIDs.
MAX_FAILED_LIST = 8 * 1024 * 1024

#: An object has the DIMSE timeout for each so many bytes, as what we write has its own.
_MEASURE = 1024 * 1024

_PENDING = (0xFF00, 0xFF01)

#: PS3.7 C.5.19 and PS3.4 B.2.3.
_SOP_CLASS_NOT_SUPPORTED = 0x0122
_CANNOT_UNDERSTAND = 0xC000

Observe = Callable[[InstanceReceived], None]


class RetrieveSession(Session):
    """A session for C-MOVE and C-GET; one of them at a time."""

    _max_identifier = MAX_FAILED_LIST
    #: what takes the objects of a C-GET, while there is one
    _storage: _Storage | None = None
    _is_cancelling = False

    def move(
        self, context_id: int, identifier: bytes, destination: str, limit: int | None = None
    ) -> Iterator[RetrieveResponse]:
        """Ask for a C-MOVE; yield each pending response as it comes, and last how it ended.

        identifier   what is to be moved, in the context's transfer syntax
        destination  an AE title that the peer knows
        limit        after so many sub-operations C-CANCEL is sent; what still comes is dropped

        A wakeup that is set cancels in the same way. Each response has the DIMSE timeout to itself,
        the end after a C-CANCEL has it in all. It is to be exhausted, or the association aborted.
        """
        destined: dict[str, Value] = {"MoveDestination": destination}
        self._ask(CommandField.C_MOVE_RQ, context_id, identifier, destined)
        yield from self._retrieve(limit)

    def get(
        self,
        context_id: int,
        identifier: bytes,
        handler: Handler,
        observe: Observe,
        limit: int | None = None,
    ) -> Iterator[RetrieveResponse]:
        """Ask for a C-GET; as `move`, but the objects come over this association.

        handler  takes them; each is answered when its sink has made it safe
        observe  told of each, also when the peer has gone before it had its answer
        limit    after so many objects C-CANCEL is sent; what still comes is taken

        Every object has the DIMSE timeout for each MiB of it.
        """
        self._storage = _Storage(self, handler, observe)
        try:
            self._ask(CommandField.C_GET_RQ, context_id, identifier, {})
            yield from self._retrieve(limit)
        finally:
            self._storage.discard()
            self._storage = None

    # -- inside ------------------------------------------------------------------------------

    def _ask(
        self, field: CommandField, context_id: int, identifier: bytes, more: dict[str, Value]
    ) -> None:
        elements: dict[str, Value] = {
            "AffectedSOPClassUID": self.contexts[context_id].abstract_syntax,
            "Priority": int(Priority.MEDIUM),
            **more,
        }
        self._is_cancelling = False
        self._begin_query(context_id, field, elements, identifier)

    def _retrieve(self, limit: int | None) -> Iterator[RetrieveResponse]:
        if self._storage is not None:
            self._storage.limit = limit
        ended = 0
        while not self._is_woken and (limit is None or ended < limit):
            response = self._whole_response(self._patience())
            if response is None:
                break
            told = self._told(response)
            yield told
            if not told.is_pending:
                return
            ended = told.ended
        yield self._cancel_retrieval()

    def _cancel_retrieval(self) -> RetrieveResponse:
        self._is_cancelling = True
        try:
            end = self._told(self._cancelled_end(_PENDING))
        except AssociationError as error:
            # what was retrieved stays so
            return RetrieveResponse(None, comment=str(error), is_cancelled=True)
        return replace(end, is_cancelled=True)

    def _told(self, response: Command) -> RetrieveResponse:
        def count(word: str) -> int | None:
            number = response.elements.get(f"NumberOf{word}Suboperations")
            return number if isinstance(number, int) else None

        offending = response.elements.get("OffendingElement", ())
        return RetrieveResponse(
            response.status,
            count("Remaining"),
            count("Completed"),
            count("Failed"),
            count("Warning"),
            identifier=bytes(self._identifier) if response.has_data_set else b"",
            comment=response.text("ErrorComment"),
            offending_elements=offending if isinstance(offending, tuple) else (),
        )

    def _wait(self, awaited: Deadline | None) -> AssociationEvent | Woken:
        """Return the next event that is no part of a sub-operation; those are served here."""
        storage = self._storage
        if storage is None:
            return super()._wait(awaited)
        while True:
            # once it is cancelled, whatever still comes has one time in all
            own = None if self._is_cancelling else storage.awaited
            event = super()._wait(own or awaited)
            if not storage.takes(event):
                return event
            if self._is_cancelling:
                continue
            if storage.awaited is None:
                awaited = self._patience()
            if storage.has_enough:
                return Woken()

    def _respond(self, context_id: int, request: Command, outcome: StoreOutcome) -> None:
        """Answer a C-STORE sub-operation."""
        status, comment = outcome.status, outcome.comment
        more: dict[str, Value] = {"ErrorComment": comment[:64]} if comment and status else {}
        response = response_to(request, status, **more)
        self._send(context_id, response)

    def _object_patience(self) -> Deadline:
        """Return the time for the next part of an object."""
        self._wait_number += 1
        return Deadline("the rest of an object", self.target.timeouts.dimse, self._wait_number)


class _Storage:
    """Serves the C-STORE sub-operations of one C-GET.

    limit    after so many objects there is enough
    awaited  the time for the next part of an object, None between objects
    """

    def __init__(self, session: RetrieveSession, handler: Handler, observe: Observe) -> None:
        self._session = session
        self._handler = handler
        self._observe = observe
        self._incoming: _Incoming | None = None
        self._count = 0
        self._left = 0
        self.limit: int | None = None
        self.awaited: Deadline | None = None
        target = session.target
        # who sends is the peer
        self._association = AssociationInfo(
            1, target.host, target.called_ae_title, target.calling_ae_title
        )

    @property
    def has_enough(self) -> bool:
        """Whether as much has come as was wanted."""
        return self.limit is not None and self._count >= self.limit

    def takes(self, event: AssociationEvent | Woken) -> bool:
        """Serve an event; False when it is no part of a sub-operation."""
        if isinstance(event, CommandReceived) and event.command.field == CommandField.C_STORE_RQ:
            self._begin(event.context_id, event.command)
            return True
        if isinstance(event, Fragment) and self._incoming is not None:
            self._write(self._incoming, event)
            return True
        return False

    def discard(self) -> None:
        """Leave nothing of an object that did not come whole."""
        if self._incoming is not None:
            self._incoming.discard()

    def _begin(self, context_id: int, command: Command) -> None:
        session = self._session
        if session._trace:
            session._trace("<-", context_id, command)
        context = session.contexts[context_id]
        request = StoreRequest(
            self._association,
            command.message_id,
            command.text("AffectedSOPClassUID"),
            command.text("AffectedSOPInstanceUID"),
            context.transfer_syntax,
        )
        incoming = self._incoming = _Incoming(context_id, command, request)
        if request.affected_sop_class_uid != context.abstract_syntax:
            words = "SOP class is not that of the context"
            incoming.refusal = StoreOutcome(_SOP_CLASS_NOT_SUPPORTED, words)
        elif not command.has_data_set:
            incoming.refusal = StoreOutcome(_CANNOT_UNDERSTAND, "C-STORE without a data set")
        else:
            incoming.sink = self._handler.open_store(request)
        self._renew()
        if not command.has_data_set:
            self._complete(incoming)

    def _write(self, incoming: _Incoming, fragment: Fragment) -> None:
        if incoming.sink is not None:
            incoming.sink.write([fragment.data])
        self._left -= len(fragment.data)
        if fragment.is_last:
            self._complete(incoming)
        elif self._left <= 0:
            self._renew()

    def _renew(self) -> None:
        self.awaited = self._session._object_patience()
        self._left = _MEASURE

    def _complete(self, incoming: _Incoming) -> None:
        """The data set is whole: let the handler make it safe, then answer."""
        outcome = incoming.finish()
        self._incoming = self.awaited = None
        self._count += 1
        try:
            self._session._respond(incoming.context_id, incoming.command, outcome)
        finally:
            # also of a peer that has gone: what is kept is kept
            seconds = time.monotonic() - incoming.began
            self._observe(InstanceReceived(incoming.request, outcome, seconds))


class _Incoming:
    """The object now on its way; it has a sink unless it is refused."""

    def __init__(self, context_id: int, command: Command, request: StoreRequest) -> None:
        self.context_id = context_id
        self.command = command
        self.request = request
        self.refusal = StoreOutcome(0)
        self.sink: Sink | None = None
        self.began = time.monotonic()

    def finish(self) -> StoreOutcome:
        """Make it safe, and say what became of it."""
        sink, self.sink = self.sink, None
        return self.refusal if sink is None else sink.finish()

    def discard(self) -> None:
        """Leave nothing of it."""
        if self.sink is not None:
            self.sink.discard()
