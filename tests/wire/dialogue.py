"""Associations brought into every state, and what a whole dialogue says."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from pacs_cli.wire.association import (
    Accepted,
    Association,
    AssociationEvent,
    CommandReceived,
    Fragment,
    Limits,
    ReleaseRequested,
    Requested,
    Role,
)
from pacs_cli.wire.command import Command, CommandField, decode_command, encode_command, response_to
from pacs_cli.wire.negotiation import Proposal, answer_contexts, number_contexts, prefer_in_order
from pacs_cli.wire.pdu import RELEASE_RQ, AssociateAccept, AssociateRequest
from pacs_cli.wire.states import State
from pacs_cli.wire.userinfo import UserInformation

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"

OFFER = AssociateRequest(
    "CALLED",
    "CALLING",
    number_contexts([Proposal(VERIFICATION, (EXPLICIT,)), Proposal(CT, (EXPLICIT,))]),
    UserInformation(4096, "1.2.3", "VERSION"),
)


def answer_to(request: AssociateRequest) -> AssociateAccept:
    """Take everything that is offered in Explicit VR Little Endian."""
    contexts = answer_contexts(request, prefer_in_order(None, [EXPLICIT]))
    information = UserInformation(4096, "1.2.3", "VERSION")
    return AssociateAccept("CALLED", "CALLING", contexts, information)


ANSWER = answer_to(OFFER)
ECHO = encode_command(
    Command(CommandField.C_ECHO_RQ, {"MessageID": 1, "AffectedSOPClassUID": VERIFICATION})
)
STORE = encode_command(
    Command(
        CommandField.C_STORE_RQ,
        {
            "MessageID": 2,
            "Priority": 0,
            "AffectedSOPClassUID": CT,
            "AffectedSOPInstanceUID": "1.2.3",
        },
        has_data_set=True,
    )
)


def taken(association: Association) -> bytes:
    """Everything the association has to say."""
    said = b""
    while buffers := association.outgoing():
        said += b"".join(buffers)
    return said


def requestor(limits: Limits | None = None) -> Association:
    """In Sta5."""
    association = Association(Role.REQUESTOR, limits)
    association.request(OFFER)
    taken(association)
    return association


def established(role: Role = Role.REQUESTOR, limits: Limits | None = None) -> Association:
    """In Sta6."""
    if role is Role.REQUESTOR:
        association = requestor(limits)
        list(association.receive(ANSWER.encode()))
    else:
        association = Association(role, limits)
        list(association.receive(OFFER.encode()))
        association.accept(ANSWER)
    taken(association)
    return association


def _released(role: Role, *received: bytes) -> Association:
    association = established(role)
    association.release()
    for data in received:
        list(association.receive(data))
    taken(association)
    return association


def in_state(state: State) -> Association:
    """Bring an association into a state by the calls and bytes that lead there."""
    acceptor = Association(Role.ACCEPTOR)
    if state is State.IDLE:
        return Association(Role.REQUESTOR)
    if state is State.AWAITING_ASSOCIATE_RQ:
        return acceptor
    if state is State.AWAITING_LOCAL_RESPONSE:
        list(acceptor.receive(OFFER.encode()))
        return acceptor
    if state is State.AWAITING_ASSOCIATE_REPLY:
        return requestor()
    if state is State.ESTABLISHED:
        return established()
    if state is State.AWAITING_RELEASE_RP:
        return _released(Role.REQUESTOR)
    if state is State.COLLISION_REQUESTOR_LOCAL:
        return _released(Role.REQUESTOR, RELEASE_RQ)
    if state is State.COLLISION_ACCEPTOR_RP:
        return _released(Role.ACCEPTOR, RELEASE_RQ)
    association = established()
    if state is State.AWAITING_LOCAL_RELEASE:
        list(association.receive(RELEASE_RQ))
    elif state is State.COLLISION_REQUESTOR_RP:
        association = _released(Role.REQUESTOR, RELEASE_RQ)
        association.confirm_release()
    elif state is State.AWAITING_CLOSE:
        association.abort()
    taken(association)
    return association


def plain(event: AssociationEvent) -> object:
    """An event that stays what it is when the buffers change."""
    if isinstance(event, Fragment):
        return (event.context_id, bytes(event.data), event.is_last)
    return event


def pump(source: Association, target: Association) -> list[object]:
    """Hand over all bytes; answer as a provider would. Return the target's events."""
    return [plain(event) for event in answered(target, target.receive(taken(source)))]


def answered(
    association: Association, events: Iterator[AssociationEvent]
) -> Iterator[AssociationEvent]:
    """Yield the events, answering requests, echoes, stores and releases on the way."""
    for event in events:
        yield event
        if isinstance(event, Requested):
            association.accept(answer_to(event.request))
        elif isinstance(event, CommandReceived) and "MessageID" in event.command.elements:
            if not event.command.has_data_set:
                _respond(association, event.context_id, event.command)
        elif isinstance(event, Fragment) and event.is_last:
            _respond(association, event.context_id, decode_command(STORE))
        elif isinstance(event, ReleaseRequested):
            association.confirm_release()


def _respond(association: Association, context_id: int, command: Command) -> None:
    association.send(context_id, encode_command(response_to(command, 0)))


def calling(
    association: Association, events: Iterator[AssociationEvent], data: bytes = b""
) -> Iterator[AssociationEvent]:
    """Yield the events, echoing, storing `data` and releasing on the way, one after the other."""
    for event in events:
        yield event
        is_free = association.state is State.ESTABLISHED
        if isinstance(event, Accepted) and association.contexts[1].is_accepted:
            association.send(1, ECHO)
        elif isinstance(event, CommandReceived) and is_free:
            is_echo = event.command.field == CommandField.C_ECHO_RSP
            if is_echo and association.contexts[3].is_accepted:
                association.send(3, STORE, [data])
            else:
                association.release()
        elif isinstance(event, ReleaseRequested):
            association.confirm_release()


def conversation(data: bytes = b"x" * 10_000) -> tuple[bytes, bytes]:
    """What a requestor and an acceptor say in a dialogue of echo, store and release."""
    acceptor = Association(Role.ACCEPTOR)
    association = Association(Role.REQUESTOR)
    association.request(OFFER)
    asked, replied = b"", b""
    while part := taken(association):
        asked += part
        deque(answered(acceptor, acceptor.receive(part)), 0)
        reply = taken(acceptor)
        replied += reply
        deque(calling(association, association.receive(reply), data), 0)
    return asked, replied


def requestor_bytes(data: bytes = b"x" * 10_000) -> bytes:
    """Every byte a requestor says in such a dialogue."""
    return conversation(data)[0]
