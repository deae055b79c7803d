"""One association as a machine without I/O: calls and bytes in, events and bytes out.

The driver owns the socket and the clock. It reads into `space()`, tells `received(count)` and
acts on the events; it writes `outgoing()` until that is empty; it gives up when `deadline`
passes. Everything the standard decides is decided here, from the table in `wire.states`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain, islice
from typing import NamedTuple

from pacs_cli.errors import LocalProtocolError, PeerProtocolError, PeerSpeaksTls
from pacs_cli.wire.message import Buffer, CommandReceived, Fragment, MessageReader, fragments
from pacs_cli.wire.negotiation import Context, negotiated
from pacs_cli.wire.pdu import (
    APPLICATION_CONTEXT_NAME,
    RELEASE_RP,
    RELEASE_RQ,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    PduType,
    decode_abort,
    decode_associate_ac,
    decode_associate_rj,
    decode_associate_rq,
    decode_header,
    decode_release,
    split_pdata,
)
from pacs_cli.wire.states import TABLE, Action, Event, State


class Role(Enum):
    """Which end of the association this is (PS3.8 7.1)."""

    REQUESTOR = "requestor"
    ACCEPTOR = "acceptor"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one end allows, in bytes and seconds; every time is a total, not per read.

    max_pdu_length   announced in user information and enforced; 0 announces no limit
    association_pdu  bytes of an association PDU: 128 contexts with 60 transfer syntaxes each are
                     70 KiB, and no peer of the field sends more
    request          from the transport connection to the whole A-ASSOCIATE-RQ
    reply            for an A-ASSOCIATE or A-RELEASE answer
    pdu              from the first to the last byte of one PDU
    idle             between PDUs: for an acceptor until the next request, for a requestor until
                     the next answer
    close            after our last PDU until the peer closes (ARTIM of PS3.8 9.1.5)
    """

    max_pdu_length: int = 256 * 1024
    association_pdu: int = 128 * 1024
    request: float = 15.0
    reply: float = 30.0
    pdu: float = 30.0
    idle: float = 60.0
    close: float = 2.0


class Deadline(NamedTuple):
    """How long the peer may take for what it is waited for.

    serial  changes when the clock starts again; the same serial means the same running clock
    """

    awaiting: str
    seconds: float
    serial: int


@dataclass(frozen=True, slots=True)
class Requested:
    """The peer asks for an association; answer with `accept` or `reject`."""

    request: AssociateRequest


@dataclass(frozen=True, slots=True)
class Accepted:
    """The association stands; `Association.contexts` says with what."""

    answer: AssociateAccept


@dataclass(frozen=True, slots=True)
class Rejected:
    """The association was refused, by the peer or (as acceptor) by this engine."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer wants to release; answer with `confirm_release`."""


@dataclass(frozen=True, slots=True)
class Released:
    """The association ended as both wanted."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The peer sent A-ABORT."""

    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection ended without release or abort."""


AssociationEvent = (
    Requested
    | Accepted
    | Rejected
    | CommandReceived
    | Fragment
    | ReleaseRequested
    | Released
    | Aborted
    | Closed
)

#: Enough for every association PDU in practice, so idle connections cost little memory.
_FIRST_BUFFER = 8 * 1024
#: Once data flows: several PDUs per system call without leaving the second-level cache.
_DATA_BUFFER = 512 * 1024
#: Alert and handshake, with which the two sides of TLS begin (RFC 8446 5.1).
_TLS_RECORDS = (0x15, 0x16)

#: Bytes handed out by one `outgoing()`, about: one write deadline covers them.
_BATCH = 1024 * 1024
#: Buffers of one sendmsg; IOV_MAX is 1024 on Linux, macOS and the BSDs.
_BATCH_BUFFERS = 1000
#: Fragment size towards a peer that announced no limit.
_UNLIMITED_FRAGMENT = 256 * 1024

_KINDS = {int(kind): kind for kind in PduType}
_EVENTS = {
    PduType.A_ASSOCIATE_RQ: Event.ASSOCIATE_RQ,
    PduType.A_ASSOCIATE_AC: Event.ASSOCIATE_AC,
    PduType.A_ASSOCIATE_RJ: Event.ASSOCIATE_RJ,
    PduType.P_DATA_TF: Event.DATA,
    PduType.A_RELEASE_RQ: Event.RELEASE_RQ,
    PduType.A_RELEASE_RP: Event.RELEASE_RP,
    PduType.A_ABORT: Event.ABORT,
}
_ABORTING = (Action.AA_1, Action.AA_7, Action.AA_8)
_LAST_WORDS = (State.IDLE, State.AWAITING_CLOSE)
_UNCONNECTED = (State.IDLE, State.AWAITING_TRANSPORT)


class Association:
    """One end of an association.

    request, answer  the two A-ASSOCIATE PDUs once known
    contexts         id -> Context after acceptance, refused ones included
    Not thread-safe: one driver owns it.
    """

    def __init__(self, role: Role, limits: Limits | None = None) -> None:
        self.role = role
        self.limits = limits or Limits()
        self.state = State.IDLE
        self.associate_request: AssociateRequest | None = None
        self.associate_answer: AssociateAccept | None = None
        self.contexts: dict[int, Context] = {}
        self._messages = MessageReader(self.contexts)
        self._pending: deque[Iterator[Buffer]] = deque()
        self._buffer = bytearray(_FIRST_BUFFER)
        self._start = self._end = 0
        self._batch_buffers = _BATCH_BUFFERS
        self._fragment = 0
        self._has_part = False
        self._is_deaf = False
        self._serial = 0
        if role is Role.ACCEPTOR:
            self._fire(Event.TRANSPORT_INDICATED)

    # -- what our user asks ------------------------------------------------------------------

    def request(self, offer: AssociateRequest) -> None:
        """Ask for an association over a connection that stands."""
        self._fire(Event.LOCAL_ASSOCIATE)
        self._fire(Event.TRANSPORT_CONFIRMED)
        self.associate_request = offer
        self._queue(offer.encode())

    def accept(self, answer: AssociateAccept) -> None:
        """Answer a Requested event with A-ASSOCIATE-AC."""
        self._fire(Event.LOCAL_ACCEPT)
        assert self.associate_request is not None
        try:
            contexts = negotiated(self.associate_request, answer)
        except PeerProtocolError as error:
            raise LocalProtocolError(f"cannot accept: {error}") from None
        self._queue(answer.encode())
        self._establish(answer, contexts)

    def reject(self, result: int, source: int, reason: int) -> None:
        """Answer a Requested event with A-ASSOCIATE-RJ (PS3.8 table 9-21)."""
        self._fire(Event.LOCAL_REJECT)
        self._queue(AssociateReject(result, source, reason).encode())

    def send(self, context_id: int, command: bytes, data: Iterable[Buffer] | None = None) -> None:
        """Queue one message: an encoded command set and the buffers of its data set, if any.

        data  sent as they are, in order, fragmented to the peer's maximum length; kept by
              reference until `outgoing` has handed them out
        """
        context = self.contexts.get(context_id)
        if context is None or not context.is_accepted:
            raise LocalProtocolError(f"presentation context {context_id} was not accepted")
        if self.state is State.ESTABLISHED:
            # DT-1 without a look at the table: the state stays
            self._serial += 1
        else:
            self._fire(Event.LOCAL_DATA)
        size = self._fragment
        parts = fragments(context_id, 1, (command,), size)
        if data is not None:
            parts = chain(parts, fragments(context_id, 0, data, size))
        self._pending.append(iter(parts))

    def release(self) -> None:
        """Ask the peer for the release."""
        self._fire(Event.LOCAL_RELEASE)
        self._queue(RELEASE_RQ)

    def confirm_release(self) -> None:
        """Answer a ReleaseRequested event; in a collision the acceptor's answer waits (AR-10)."""
        if self.state is State.COLLISION_ACCEPTOR_RP:
            return
        self._fire(Event.LOCAL_CONFIRM_RELEASE)
        self._queue(RELEASE_RP)

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """Abort; what was queued and not yet handed out is dropped (PS3.8 table 9-26).

        Does nothing once the association is over, so that a driver can always call it.
        """
        if self.state in _LAST_WORDS or self.state is State.AWAITING_ASSOCIATE_RQ:
            return
        if self._fire(Event.LOCAL_ABORT) is Action.AA_1:
            self._queue_abort(source, reason)

    # -- what the connection does ------------------------------------------------------------

    def space(self) -> memoryview:
        """Return where the next bytes of the connection belong; views given before are dead."""
        if self._start:
            tail = self._buffer[self._start : self._end]
            self._buffer[: len(tail)] = tail
            self._start, self._end = 0, len(tail)
        wanted = _DATA_BUFFER if self.state >= State.ESTABLISHED else _FIRST_BUFFER
        if self._end == len(self._buffer) or len(self._buffer) < wanted:
            # a PDU's header was checked when it arrived, so doubling ends at the limit
            grown = bytearray(max(wanted, 2 * self._end))
            grown[: self._end] = self._buffer[: self._end]
            self._buffer = grown
        return memoryview(self._buffer)[self._end :]

    def received(self, count: int) -> Iterator[AssociationEvent]:
        """Yield the events of the `count` bytes just read into `space()`; to be exhausted.

        raises  PeerProtocolError, once, when the peer broke the protocol; the A-ABORT for it
                is in `outgoing()` by then
        """
        self._end += count
        return self._parse(memoryview(self._buffer)[self._start : self._end])

    def receive(self, data: bytes | bytearray | memoryview) -> Iterator[AssociationEvent]:
        """Yield the events of `data`, however the peer's bytes were cut; else as `received`."""
        if self._start == self._end:
            self._buffer, self._start = bytearray(data), 0
        else:
            self._buffer = self._buffer[self._start : self._end] + data
            self._start = 0
        self._end = len(self._buffer)
        return self._parse(memoryview(self._buffer))

    def peer_closed(self) -> list[AssociationEvent]:
        """The connection is gone; return Closed when that was too early."""
        was = self.state
        self._pending.clear()
        if was is State.IDLE:
            return []
        self._fire(Event.TRANSPORT_CLOSED)
        return [] if was in (State.AWAITING_CLOSE, State.AWAITING_ASSOCIATE_RQ) else [Closed()]

    def expire(self) -> None:
        """The deadline for a first request or for the peer's close has passed (ARTIM)."""
        self._fire(Event.ARTIM_EXPIRED)

    def outgoing(self) -> list[Buffer]:
        """Return the next buffers to write, in order: about 1 MiB, empty when all is said."""
        batch: list[Buffer] = []
        while self._pending and (room := self._batch_buffers - len(batch)):
            batch.extend(islice(self._pending[0], room))
            if len(batch) < self._batch_buffers:
                self._pending.popleft()
        return batch

    def drop_outgoing(self) -> None:
        """Forget what was still to be written: the peer takes nothing any more."""
        self._pending.clear()

    @property
    def has_unread(self) -> bool:
        """Whether bytes have come of which no event was told yet, be it in the middle of one."""
        return self._start != self._end

    @property
    def is_over(self) -> bool:
        """Whether the connection has no further use: nothing to say and nothing to hear."""
        return self.state is State.IDLE and not self._pending

    @property
    def is_closing(self) -> bool:
        """Whether only the peer's close is awaited."""
        return self.state is State.AWAITING_CLOSE

    @property
    def deadline(self) -> Deadline | None:
        """What is waited for and how long it may take; None when nothing is."""
        limits = self.limits
        if self.state is State.ESTABLISHED and self._start == self._end:
            return Deadline("the next message", limits.idle, self._serial)
        if self.state is State.AWAITING_ASSOCIATE_RQ:
            return Deadline("an association request", limits.request, self._serial)
        if self.state in (State.AWAITING_ASSOCIATE_REPLY, State.AWAITING_RELEASE_RP):
            return Deadline("an answer", limits.reply, self._serial)
        if self.state is State.AWAITING_CLOSE:
            return Deadline("the close", limits.close, self._serial)
        if self._start != self._end:
            return Deadline("the rest of a PDU", limits.pdu, self._serial)
        if self.state >= State.ESTABLISHED:
            return Deadline("the next message", limits.idle, self._serial)
        return None

    # -- inside ------------------------------------------------------------------------------

    def _fire(self, event: Event) -> Action:
        entry = TABLE.get((event, self.state))
        if entry is None:
            raise LocalProtocolError(f"{event.name} in state {self.state.name}")
        action, states = entry
        if action is Action.AR_8 and self.role is Role.ACCEPTOR:
            states = states[1:]
        if states[0] is not self.state:
            self._serial += 1
        self.state = states[0]
        return action

    def _queue(self, *buffers: Buffer) -> None:
        self._pending.append(iter(buffers))

    def _queue_abort(self, source: int, reason: int) -> None:
        self._pending.clear()
        self._queue(Abort(source, reason).encode())

    def _establish(self, answer: AssociateAccept, contexts: dict[int, Context]) -> None:
        self.associate_answer = answer
        self.contexts.update(contexts)
        # each fragment has a header and a payload
        self._fragment = self._fragment_size()
        self._batch_buffers = min(2 * (_BATCH // max(self._fragment, 2)) + 2, _BATCH_BUFFERS)

    def _fragment_size(self) -> int:
        """Payload bytes of one PDV: the peer's maximum less the PDV's six header bytes."""
        assert self.associate_request is not None
        assert self.associate_answer is not None
        theirs = self.associate_answer if self.role is Role.REQUESTOR else self.associate_request
        maximum = theirs.user_information.maximum_length
        # fragments stay even, as PS3.8 Annex E and picky peers expect
        return min(maximum - 6, _UNLIMITED_FRAGMENT) & ~1 if maximum else _UNLIMITED_FRAGMENT

    @property
    def _is_listening(self) -> bool:
        """Whether what arrives still means anything."""
        return not self._is_deaf and self.state not in _UNCONNECTED

    def _parse(self, view: memoryview) -> Iterator[AssociationEvent]:
        end = len(view)
        offset = 0
        while end - offset >= 6 and self._is_listening:
            kind, length = self._checked_header(view, offset)
            if end - offset - 6 < length:
                break
            body = view[offset + 6 : offset + 6 + length]
            offset += 6 + length
            self._start += 6 + length
            self._has_part = False
            self._restart_clock()
            yield from self._data(body) if kind is PduType.P_DATA_TF else self._pdu(kind, body)
        if not self._is_listening:
            self._start = self._end
        elif offset < end and not self._has_part:
            self._has_part = True
            self._restart_clock()

    def _restart_clock(self) -> None:
        """Between messages each PDU starts the clock again; every other wait is a total."""
        if self.state is State.ESTABLISHED:
            self._serial += 1

    def _checked_header(self, view: memoryview, offset: int) -> tuple[PduType, int]:
        number, length = decode_header(view, offset)
        kind = _KINDS.get(number)
        if kind is None:
            message = f"unknown PDU type {number:02X}H"
            if number in _TLS_RECORDS:
                raise self._violation(PeerSpeaksTls(f"{message}: that is TLS", reason=1))
            raise self._violation(PeerProtocolError(message, reason=1))
        limit = self.limits.association_pdu
        if kind is PduType.P_DATA_TF and self.state >= State.ESTABLISHED:
            limit = self.limits.max_pdu_length or 0xFFFFFFFF
        if length > limit:
            raise self._violation(
                PeerProtocolError(f"{kind.name} PDU of {length} bytes, the limit is {limit}")
            )
        return kind, length

    def _violation(self, error: PeerProtocolError) -> PeerProtocolError:
        """Answer a broken PDU (event 19) and hear nothing more; return what to raise."""
        self._is_deaf = True
        self._fire(Event.INVALID_PDU)
        self._queue_abort(2, error.reason)
        return error

    def _pdu(self, kind: PduType, body: memoryview) -> Iterator[AssociationEvent]:
        try:
            decoded = _DECODERS[kind](body)
            contexts = self._contexts_of(decoded)
        except PeerProtocolError as error:
            raise self._violation(error) from None
        action = self._fire_from_peer(kind)
        if action is Action.AE_6:
            yield self._request_received(decoded)
        elif action is Action.AE_3:
            assert isinstance(decoded, AssociateAccept)
            self._establish(decoded, contexts)
            yield Accepted(decoded)
        elif action is Action.AE_4:
            assert isinstance(decoded, AssociateReject)
            yield Rejected(decoded.result, decoded.source, decoded.reason)
        elif action is Action.AA_3:
            assert isinstance(decoded, Abort)
            self._pending.clear()
            yield Aborted(decoded.source, decoded.reason)
        elif action in (Action.AR_2, Action.AR_8):
            yield ReleaseRequested()
        elif action is Action.AR_10:
            self.confirm_release()
            yield Released()
        elif action is Action.AR_3:
            yield Released()

    def _contexts_of(self, decoded: object) -> dict[int, Context]:
        """Return what an answer makes of our request, before the state says it counts."""
        is_answer = self.state is State.AWAITING_ASSOCIATE_REPLY
        if is_answer and isinstance(decoded, AssociateAccept):
            assert self.associate_request is not None
            return negotiated(self.associate_request, decoded)
        return {}

    def _fire_from_peer(self, kind: PduType) -> Action:
        was = self.state
        action = self._fire(_EVENTS[kind])
        if action in _ABORTING:
            error = PeerProtocolError(f"unexpected {kind.name} PDU in state Sta{was}", reason=2)
            self._is_deaf = True
            self._queue_abort(2, error.reason)
            raise error
        return action

    def _request_received(self, request: object) -> Requested | Rejected:
        """AE-6: refuse what the service provider refuses by itself (PS3.8 table 9-21)."""
        assert isinstance(request, AssociateRequest)
        self.associate_request = request
        if not request.protocol_version & 1:
            refusal = Rejected(1, 2, 2)
        elif request.application_context_name != APPLICATION_CONTEXT_NAME:
            refusal = Rejected(1, 1, 2)
        else:
            return Requested(request)
        self.reject(refusal.result, refusal.source, refusal.reason)
        return refusal

    def _data(self, body: memoryview) -> Iterator[AssociationEvent]:
        # the common case without a look at the table: DT-2, and the state stays
        if self.state is not State.ESTABLISHED:
            action = self._fire_from_peer(PduType.P_DATA_TF)
            if action is Action.AA_6:
                return
        try:
            for context_id, control, payload in split_pdata(body):
                if self.state in _LAST_WORDS:
                    # our user aborted on what stood before it
                    return
                event = self._messages.feed(context_id, control, payload)
                if event is not None:
                    yield event
        except PeerProtocolError as error:
            raise self._violation(error) from None


_DECODERS = {
    PduType.A_ASSOCIATE_RQ: decode_associate_rq,
    PduType.A_ASSOCIATE_AC: decode_associate_ac,
    PduType.A_ASSOCIATE_RJ: decode_associate_rj,
    PduType.A_RELEASE_RQ: decode_release,
    PduType.A_RELEASE_RP: decode_release,
    PduType.A_ABORT: decode_abort,
}

__all__ = [
    "Aborted",
    "Accepted",
    "Association",
    "AssociationEvent",
    "Closed",
    "CommandReceived",
    "Deadline",
    "Fragment",
    "Limits",
    "Rejected",
    "ReleaseRequested",
    "Released",
    "Requested",
    "Role",
]
