"""The provider: answers associations, C-ECHO and C-STORE; what it keeps is the handler's.

Query/retrieve is answered in `query_scp` and `retrieve_scp`; here it is only told apart.

source  PS3.7 9.1.1 and 9.1.5, PS3.4 Annexes A and B, PS3.8 9.3
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, MutableSequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from pacs_cli.errors import ConnectError, PeerProtocolError, PeerTimeout
from pacs_cli.net.baton import Baton
from pacs_cli.net.channel import Channel, Wakeup
from pacs_cli.net.tls_peer import TlsPeer
from pacs_cli.services.access import ASSOCIATION, NOTHING, SERVICE_OF_COMMAND
from pacs_cli.services.commitment import (
    INVALID_ARGUMENT,
    NO_SUCH_ACTION,
    PUSH_MODEL,
    REQUEST_COMMITMENT,
    Commitment,
    Committer,
    ReportReceiver,
    report_request,
    with_commitment,
)
from pacs_cli.services.conversation import Conversation, PeerLeft
from pacs_cli.services.faults import GARBAGE, FaultInjected, FaultKind, pause
from pacs_cli.services.gate import Admitted, NotAdmitted, admit, answer_to
from pacs_cli.services.incoming import Incoming, Refusal
from pacs_cli.services.query_scp import (
    OPERATIONS,
    Identifier,
    QueryRetrieve,
    answer_find,
    negotiated_for,
    with_queries,
)
from pacs_cli.services.retrieve_scp import answer_get, answer_move
from pacs_cli.services.serving import (
    AssociationEnded,
    AssociationInfo,
    AssociationOpened,
    AssociationRefused,
    Denied,
    Echoed,
    Handler,
    InstanceReceived,
    ProviderEvent,
    QueryRequest,
    Sink,
    StoreRequest,
)
from pacs_cli.services.settings import Settings
from pacs_cli.services.transfers import Studies, queried
from pacs_cli.wire.association import (
    Aborted,
    Association,
    AssociationEvent,
    Closed,
    CommandReceived,
    Fragment,
    Rejected,
    Released,
    ReleaseRequested,
    Requested,
    Role,
)
from pacs_cli.wire.command import Command, CommandField, Value, encode_command, response_to
from pacs_cli.wire.pdu import AssociateRequest

#: Bytes from which on copying them takes longer than waiting for the interpreter.
_LARGE = 64 * 1024

__all__ = ["Provider", "Settings"]

#: PS3.7 Annex C.
SUCCESS = 0x0000
SOP_CLASS_NOT_SUPPORTED = 0x0122
NOT_AUTHORIZED = 0x0124
UNRECOGNIZED_OPERATION = 0x0211
CANNOT_UNDERSTAND = 0xC000
DOES_NOT_MATCH_SOP_CLASS = 0xA900

_COMMITMENT = (CommandField.N_ACTION_RQ, CommandField.N_EVENT_REPORT_RQ)


class Provider:
    """Serves connections, one thread each; `drain` may be called from any other.

    handler  takes the objects
    observe  told of every event, from the thread in which it happens
    queries  answers C-FIND, C-MOVE and C-GET; None refuses them
    places   how many associations each of the processes has that serve together; ours is the one
             at `place`
    """

    def __init__(
        self,
        settings: Settings,
        handler: Handler,
        observe: Callable[[ProviderEvent], None],
        queries: QueryRetrieve | None = None,
        places: MutableSequence[int] | memoryview | None = None,
        place: int = 0,
    ) -> None:
        if queries is not None:
            settings = replace(settings, policy=with_queries(settings.policy))
        if isinstance(handler, Committer | ReportReceiver):
            settings = replace(settings, policy=with_commitment(settings.policy))
        self.settings = settings
        self.handler = handler
        self.observe = Studies(observe).observe if settings.is_audited else observe
        told = self.observe if settings.is_audited else None
        self.queries = queries and replace(queries, tell=told)
        self.wakeup = Wakeup()
        self.baton = Baton()
        self._lock = threading.Lock()
        self._admitted: set[_Connection] = set()
        self._places = [0] if places is None else places
        self._place = place
        self._count = 0
        self._objects = 0

    @property
    def is_draining(self) -> bool:
        """Whether every association is to end."""
        return self.wakeup.is_set

    def serve(self, sock: socket.socket, address: str, number: int | None = None) -> None:
        """Run one accepted connection to its end; the socket is closed then.

        number  what it is told by, counted here unless given
        """
        _Connection(self, sock, address, number or self._next_number()).run()

    def admit(self, connection: _Connection) -> bool:
        """Take one of the places for associations, if one is free."""
        with self._lock:
            if self.is_draining or (
                self.settings.shutter is not None and self.settings.shutter.is_shut
            ):
                return False
            # first taken, then counted: two processes may both find it full, never both one left
            self._places[self._place] += 1
            if sum(self._places) > self.settings.max_associations:
                self._places[self._place] -= 1
                return False
            self._admitted.add(connection)
            return True

    def give_back(self, connection: _Connection) -> None:
        """Free the place of an association that is over; its connection may still linger."""
        with self._lock:
            if connection in self._admitted:
                self._admitted.remove(connection)
                self._places[self._place] -= 1

    def drain(self) -> None:
        """End every association after the object it is receiving; refuse new ones."""
        self.wakeup.set()

    def next_object(self) -> int:
        """Count one C-STORE request and return its number, from 1."""
        with self._lock:
            self._objects += 1
            return self._objects

    def _next_number(self) -> int:
        with self._lock:
            self._count += 1
            return self._count


class _Connection:
    """One peer's association, from its first byte to its last."""

    def __init__(self, provider: Provider, sock: socket.socket, address: str, number: int) -> None:
        self._provider = provider
        self._faults = provider.settings.faults
        self._association = Association(Role.ACCEPTOR, provider.settings.limits)
        self._channel = Channel(
            sock, self._association, address, wakeup=provider.wakeup, baton=provider.baton
        )
        self._channel.write_timeout = provider.settings.write_timeout
        self._info = AssociationInfo(number, address, "", "")
        self._tls_peer: TlsPeer | None = None
        self._grant = NOTHING
        self._began = time.monotonic()
        self._how = ""
        self._stored = self._failed = self._size = 0
        self._store: Incoming | None = None
        #: the report of a commitment that the peer has not acknowledged, and its transfer syntax
        self._unreported: tuple[str, Commitment] | None = None
        # the query that has arrived, answered once all that came with it is understood
        self._query: tuple[Conversation, QueryRequest] | None = None

    def run(self) -> None:
        """Serve until the association is over, and tell how it ended."""
        error = ""
        try:
            tls = self._provider.settings.tls
            # a handshake disturbs nobody else
            if tls is None or self._channel.secure(tls):
                self._tls_peer = self._channel.tls_peer
                with self._provider.baton:
                    self._serve()
        except FaultInjected as wanted:
            self._how, error = "fault", str(wanted)
        except ConnectError as failed:
            self._how, error = "tls", str(failed)
        except PeerProtocolError as broken:
            self._how, error = "protocol error", str(broken)
        except PeerTimeout as late:
            self._how, error = "timeout", str(late)
            self._give_up()
        except OSError as lost:
            self._how, error = "closed", (lost.strerror or str(lost)).lower()
        finally:
            if self._store is not None:
                self._store.sink.discard()
            self._provider.give_back(self)
            if self._unreported is not None and isinstance(self._provider.handler, Committer):
                title = self._info.calling_ae_title
                self._provider.handler.report_later(title, *self._unreported)
            if self._association.associate_request is not None or error:
                self._tell_end(error)
            self._channel.close()

    def _serve(self) -> None:
        if refusal := self._faults.on_connect(self._info.number):
            raise FaultInjected(refusal)
        while not self._how:
            self._turn()

    def _turn(self) -> None:
        """Read once and act; views of fragments are written before the next read."""
        views: list[memoryview] = []
        for event in self._channel.receive():
            if isinstance(event, Fragment):
                views.append(event.data)
                if event.is_last:
                    self._complete(event.context_id, views)
                    views = []
            else:
                self._act(event)
        if views and self._store is not None:
            self._write(self._store, views)
        if self._query is not None and not self._how:
            self._converse(*self._query)
            self._query = None
        if self._association.is_over and not self._how:
            # closed (AA-5) or aborted (AA-2) before a request, as port scans and health checks do
            self._how = "closed"
        if self._provider.is_draining and self._store is None and not self._how:
            # source 2, reason 0: the provider ends it for reasons of its own (PS3.8 table 9-26)
            self._association.abort(2, 0)
            self._how = "shut down"

    def _act(self, event: AssociationEvent) -> None:
        if isinstance(event, CommandReceived):
            self._command(event.context_id, event.command)
        elif isinstance(event, Requested):
            self._answer(event.request)
        elif isinstance(event, ReleaseRequested):
            self._association.confirm_release()
            self._how = "released"
        elif isinstance(event, Rejected):
            self._identify()
            self._refused(event.result, event.source, event.reason)
        elif isinstance(event, Aborted):
            self._how = "aborted"
        elif isinstance(event, Closed):
            self._how = "closed"
        else:
            assert isinstance(event, Released)
            self._how = "released"

    # -- the association ---------------------------------------------------------------------

    def _identify(self) -> AssociateRequest:
        request = self._association.associate_request
        assert request is not None
        self._info = AssociationInfo(
            self._info.number,
            self._info.address,
            request.calling_ae_title,
            request.called_ae_title,
            tls_subject=self._tls_peer.subject if self._tls_peer else "",
        )
        return request

    def _answer(self, request: AssociateRequest) -> None:
        self._identify()
        self._pause(self._faults.accept_delay(self._info.number))
        try:
            self._accept(request, self._admitted(request))
        except NotAdmitted as refused:
            if refused.denial:
                self._deny(ASSOCIATION, refused.denial)
            self._reject(*refused.rejection)

    def _admitted(self, request: AssociateRequest) -> Admitted:
        settings = self._provider.settings
        if refusal := self._faults.on_request(self._info.number):
            raise NotAdmitted(refusal)
        is_waiting = settings.identification.is_checking
        # a passcode costs a part of a second, and a program whatever it likes
        with self._provider.baton.rest() if is_waiting else nullcontext():
            admitted = admit(settings, request, self._info, self._tls_peer, self._provider.wakeup)
        self._info = admitted.about
        if not self._provider.admit(self):
            raise NotAdmitted((2, 3, 2))
        return admitted

    def _accept(self, request: AssociateRequest, admitted: Admitted) -> None:
        self._grant = grant = admitted.grant
        answer, denied = answer_to(
            request, admitted, self._provider.settings, self._provider.queries
        )
        self._association.accept(answer)
        refused = sum(result.result != 0 for result in answer.contexts)
        opened = AssociationOpened(self._info, len(answer.contexts) - refused, refused)
        self._provider.observe(opened)
        for service in denied:
            self._deny(service, grant.refusal_of(service))

    def _deny(self, service: str, reason: str, status: int = 0) -> None:
        self._provider.observe(Denied(self._info, service, status, reason))

    def _reject(self, result: int, source: int, reason: int) -> None:
        self._association.reject(result, source, reason)
        self._refused(result, source, reason)

    def _refused(self, result: int, source: int, reason: int) -> None:
        self._provider.observe(AssociationRefused(self._info, result, source, reason))
        self._how = "rejected"

    def _give_up(self) -> None:
        """A deadline has passed: a connection without a request is closed, others aborted."""
        if self._association.associate_request is None:
            self._association.expire()
        else:
            self._association.abort(2, 0)

    def _tell_end(self, error: str) -> None:
        if self._how == "rejected":
            return
        self._provider.observe(
            AssociationEnded(
                self._info,
                self._how,
                error,
                self._stored,
                self._failed,
                self._size,
                time.monotonic() - self._began,
            )
        )

    # -- messages ----------------------------------------------------------------------------

    def _command(self, context_id: int, command: Command) -> None:
        if self._query is not None:
            self._query[0].take(command)
            return
        if command.field == CommandField.C_CANCEL_RQ:
            # PS3.7 9.3.2.3: a cancel of nothing has no answer
            return
        if command.field == CommandField.N_EVENT_REPORT_RSP and self._unreported is not None:
            # one that was refused is tried once more, over an association of our own
            self._unreported = None if command.status == SUCCESS else self._unreported
            return
        if command.is_response:
            self._association.abort(2, 6)
            raise PeerProtocolError(f"{command.name} where a request belongs")
        context = self._association.contexts[context_id]
        refusal = self._refusal_of(command)
        if context.abstract_syntax == PUSH_MODEL and command.field in _COMMITMENT:
            self._begin_store(context_id, command, refusal, Identifier())
            return
        if refusal is None and command.text("AffectedSOPClassUID") != context.abstract_syntax:
            refusal = SOP_CLASS_NOT_SUPPORTED, "SOP class is not that of the context"
        if command.field == CommandField.C_STORE_RQ:
            if not command.has_data_set:
                refusal = refusal or (CANNOT_UNDERSTAND, "C-STORE without a data set")
            self._begin_store(context_id, command, refusal)
            return
        is_query = self._provider.queries and context.abstract_syntax in OPERATIONS
        if is_query and command.field == OPERATIONS[context.abstract_syntax]:
            if command.has_data_set:
                self._begin_store(context_id, command, refusal, Identifier())
                return
            refusal = refusal or (DOES_NOT_MATCH_SOP_CLASS, "a query without an identifier")
        elif command.field != CommandField.C_ECHO_RQ:
            refusal = refusal or (UNRECOGNIZED_OPERATION, "")
        if command.has_data_set:
            # drained, then answered: only a store has a data set here
            self._begin_store(context_id, command, refusal or (CANNOT_UNDERSTAND, ""))
            return
        status, comment = refusal or (SUCCESS, "")
        self._pause(self._faults.response_delay())
        self._respond(context_id, command, status, comment)
        if refusal is None:
            self._provider.observe(Echoed(self._info))

    def _refusal_of(self, command: Command) -> tuple[int, str] | None:
        """Return status and comment for a request that the peer may not make, and tell of it."""
        service = SERVICE_OF_COMMAND.get(command.field)
        if service is None or self._grant.allows(service):
            return None
        self._deny(service, self._grant.refusal_of(service), NOT_AUTHORIZED)
        return NOT_AUTHORIZED, "not authorized"

    def _begin_store(
        self,
        context_id: int,
        command: Command,
        refusal: tuple[int, str] | None,
        identifier: Identifier | None = None,
    ) -> None:
        request = StoreRequest(
            self._info,
            command.message_id,
            command.text("AffectedSOPClassUID"),
            command.text("AffectedSOPInstanceUID"),
            self._association.contexts[context_id].transfer_syntax,
        )
        number = self._provider.next_object() if command.field == CommandField.C_STORE_RQ else 0
        fault = self._faults.on_store(number) if number else None
        if fault and fault.kind is FaultKind.STATUS:
            refusal = refusal or (fault.status, str(fault))
        sink: Sink | Identifier
        if refusal:
            sink = Refusal(*refusal)
        elif identifier is not None:
            sink = identifier
        else:
            with self._handling():
                sink = self._provider.handler.open_store(request)
        self._store = Incoming(command, request, sink, number, fault)
        if not command.has_data_set:
            self._complete(context_id, [])

    def _complete(self, context_id: int, views: list[memoryview]) -> None:
        """The data set is whole: let the handler make it safe, then answer."""
        store = self._store
        if store is None:
            # of a C-CANCEL, which should have none and gets no answer
            return
        self._write(store, views)
        if isinstance(store.sink, Identifier):
            self._store = None
            if store.command.field in _COMMITMENT:
                self._commit(context_id, store.command, store.sink)
                return
            self._begin_query(context_id, store.command, store.sink)
            return
        with self._handling():
            outcome = store.sink.finish()
        fault, self._store = store.fault, None
        if fault and fault.kind is FaultKind.WARNING and outcome.status == SUCCESS:
            outcome = replace(outcome, status=fault.status, comment=str(fault))
        is_store = store.command.field == CommandField.C_STORE_RQ
        if is_store:
            self._stored += outcome.is_kept
            self._failed += not outcome.is_kept
            self._size += store.size
        self._pause(self._faults.response_delay(store.number))
        try:
            if fault and fault.kind is FaultKind.GARBAGE:
                self._channel.write(GARBAGE)
            elif not fault or fault.kind is not FaultKind.NO_ANSWER:
                self._respond(context_id, store.command, outcome.status, outcome.comment)
        finally:
            # also of a peer that has gone: what is kept is kept
            if is_store:
                seconds = time.monotonic() - store.began
                self._provider.observe(InstanceReceived(store.request, outcome, seconds))

    def _handling(self, size: int = 0) -> AbstractContextManager[None]:
        """Let others work while the handler takes so many bytes, if that is a wait."""
        if size >= _LARGE or self._provider.settings.handler_waits:
            return self._provider.baton.rest()
        return nullcontext()

    def _pause(self, seconds: float) -> None:
        """Delay what a fault delays."""
        if seconds > 0:
            with self._provider.baton.rest():
                pause(seconds, self._provider.wakeup)

    def _commit(self, context_id: int, command: Command, information: Identifier) -> None:
        """Answer a request for storage commitment and report at once, or take a report."""
        handler, data = self._provider.handler, bytes(information.data)
        syntax = self._association.contexts[context_id].transfer_syntax
        if command.field == CommandField.N_EVENT_REPORT_RQ:
            status = UNRECOGNIZED_OPERATION
            if isinstance(handler, ReportReceiver):
                with self._provider.baton.rest():
                    status = handler.take_report(syntax, data)
            self._respond(context_id, command, status, "")
            return
        if not isinstance(handler, Committer):
            commitment = Commitment(UNRECOGNIZED_OPERATION)
        elif command.number("ActionTypeID") != REQUEST_COMMITMENT:
            commitment = Commitment(NO_SUCH_ACTION)
        elif not data:
            commitment = Commitment(INVALID_ARGUMENT, "no or too long an action information")
        else:
            # it reads the index and files
            with self._provider.baton.rest():
                commitment = handler.commit(syntax, data)
        self._respond(context_id, command, commitment.status, commitment.comment)
        if commitment.status == SUCCESS:
            self._unreported = syntax, commitment
            request = encode_command(report_request(commitment, 1))
            self._association.send(context_id, request, (commitment.report,))
            self._channel.flush()

    def _begin_query(self, context_id: int, command: Command, identifier: Identifier) -> None:
        if identifier.is_too_long:
            self._respond(context_id, command, CANNOT_UNDERSTAND, "the identifier is too long")
            return
        context = self._association.contexts[context_id]
        request = QueryRequest(
            self._info,
            command.message_id,
            context.abstract_syntax,
            context.transfer_syntax,
            bytes(identifier.data),
            negotiated_for(self._association.associate_answer, context.abstract_syntax),
        )
        if self._provider.settings.is_audited:
            self._provider.observe(queried(request))
        patience = self._provider.settings.limits.idle
        conversation = Conversation(
            self._channel, context_id, command, lambda: self._provider.is_draining, patience
        )
        self._query = conversation, request

    def _converse(self, conversation: Conversation, request: QueryRequest) -> None:
        """Answer a query or a retrieve to its end."""
        queries = self._provider.queries
        assert queries is not None
        operation = OPERATIONS[request.sop_class_uid]
        event: ProviderEvent
        try:
            # it waits for an index, files, a destination
            with self._provider.baton.rest():
                if operation == CommandField.C_FIND_RQ:
                    event = answer_find(conversation, queries.library, request)
                elif operation == CommandField.C_MOVE_RQ:
                    event = answer_move(conversation, queries, request)
                else:
                    contexts = list(self._association.contexts.values())
                    event = answer_get(conversation, queries, request, contexts)
        except PeerLeft as left:
            self._how = left.how
        else:
            self._provider.observe(event)

    def _write(self, store: Incoming, views: list[memoryview]) -> None:
        """Hand bytes of a data set on; a fault may end the association on them."""
        size = sum(map(len, views))
        with self._handling(size):
            store.write(views, size)
        fault = self._faults.on_data(self._info.number, self._size + store.size)
        if fault is None:
            return
        if fault.kind is FaultKind.ABORT_AFTER:
            self._association.abort(0, 0)
        raise FaultInjected(fault)

    def _respond(self, context_id: int, command: Command, status: int, comment: str) -> None:
        more: dict[str, Value] = {"ErrorComment": comment[:64]} if comment and status else {}
        self._association.send(context_id, encode_command(response_to(command, status, **more)))
        self._channel.flush()
