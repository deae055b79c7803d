"""Bodies of association PDUs, user information and command sets: what is read is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pacs_cli.errors import PeerProtocolError
from pacs_cli.wire.command import decode_command, encode_command, response_to
from pacs_cli.wire.negotiation import answer_contexts, negotiated, prefer_in_order
from pacs_cli.wire.pdu import (
    AssociateAccept,
    decode_associate_ac,
    decode_associate_rq,
    split_pdata,
)
from pacs_cli.wire.userinfo import (
    AsynchronousOperationsWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
    decode_user_information,
    encode_user_information,
)
from tests.wire.dialogue import ANSWER, CT, ECHO, EXPLICIT, OFFER, STORE

EVERYTHING = UserInformation(
    16384,
    "1.2.3",
    "VERSION",
    asynchronous_operations_window=AsynchronousOperationsWindow(3, 4),
    role_selections=(RoleSelection(CT, True, True),),
    extended_negotiations=(ExtendedNegotiation(CT, b"\1\1"),),
    common_extended_negotiations=(CommonExtendedNegotiation(CT, "1.2.840.10008.4.2", ("1.2.3",)),),
    user_identity=UserIdentity(2, True, b"made", b"up"),
)


def _request(body: memoryview) -> None:
    request = decode_associate_rq(body)
    contexts = answer_contexts(request, prefer_in_order(None, [EXPLICIT]))
    answer = AssociateAccept(request.called_ae_title, request.calling_ae_title, contexts)
    negotiated(request, answer)
    answer.encode()


def _accept(body: memoryview) -> None:
    answer = decode_associate_ac(body)
    negotiated(OFFER, answer)


def _user_information(body: memoryview) -> None:
    decode_user_information(body)


def _command(body: memoryview) -> None:
    command = decode_command(body)
    if not command.is_response and "MessageID" in command.elements:
        # as a provider answers what it does not do
        said = encode_command(response_to(command, 0x0110))
        assert decode_command(said).number("MessageIDBeingRespondedTo") == command.message_id


def _data(body: memoryview) -> None:
    assert sum(len(each) + 6 for _, _, each in split_pdata(body)) == len(body)


KINDS: tuple[Callable[[memoryview], None], ...] = (
    *(_request, _accept, _user_information, _command, _data),
)


def seeds() -> Iterator[bytes]:
    yield b"\0" + OFFER.encode()[6:]
    yield b"\1" + ANSWER.encode()[6:]
    yield b"\2" + encode_user_information(EVERYTHING)[4:]
    yield b"\3" + ECHO
    yield b"\3" + STORE
    yield b"\4" + b"\0\0\0\6\1\3made" + b"\0\0\0\2\1\2"


def check(data: bytes) -> None:
    if not data:
        return
    try:
        KINDS[data[0] % len(KINDS)](memoryview(data)[1:])
    except PeerProtocolError:
        return
