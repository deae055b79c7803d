"""The other end of a C-MOVE or C-GET: what a provider writes, and one that acts as it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from pacs_cli.net.target import Target, Timeouts
from pacs_cli.wire.command import Command, CommandField, Value, decode_command
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.pdu import (
    RELEASE_RP,
    AssociateAccept,
    AssociateRequest,
    ContextResult,
    decode_associate_rq,
)
from pacs_cli.wire.userinfo import RoleSelection, UserInformation
from tests.services.finding import read_command
from tests.services.misbehaviour import read_message
from tests.services.raw import command, data, read_pdu
from tests.support import CT, EXPLICIT, IMPLICIT

MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
MOVE_OFFER = (Proposal(MOVE, (EXPLICIT, IMPLICIT)),)
GET_OFFER = (Proposal(GET, (EXPLICIT,)), Proposal(CT, (EXPLICIT,)))
ROLES = UserInformation(role_selections=(RoleSelection(CT, scu_role=False, scp_role=True),))

PENDING, CANCELLED = 0xFF00, 0xFE00
NAMES = ("Remaining", "Completed", "Failed", "Warning")

Act = Callable[[socket.socket, threading.Event], object]


def counts(*numbers: int | None) -> dict[str, Value]:
    """The counters of a response: remaining, completed, failed, with a warning."""
    named = zip(NAMES, numbers, strict=False)
    return {f"NumberOf{name}Suboperations": n for name, n in named if n is not None}


def answer(
    field: CommandField,
    status: int,
    *numbers: int | None,
    number: int = 1,
    identifier: bytes = b"",
    context: int = 1,
    **elements: Value,
) -> bytes:
    """One response, with its data set if it has an identifier."""
    elements = {"MessageIDBeingRespondedTo": number, "Status": status, **elements}
    head = command(field, bool(identifier), **elements, **counts(*numbers))
    return data(context, 3, head) + (data(context, 2, identifier) if identifier else b"")


def moved(status: int, *numbers: int | None, **options: object) -> bytes:
    return answer(CommandField.C_MOVE_RSP, status, *numbers, **options)


def got(status: int, *numbers: int | None, **options: object) -> bytes:
    return answer(CommandField.C_GET_RSP, status, *numbers, **options)


def store(
    number: int, uid: str, whole: bytes | None, context: int = 3, sop_class: str = CT
) -> bytes:
    """One C-STORE sub-operation; without a data set if there is none."""
    head = command(
        CommandField.C_STORE_RQ,
        whole is not None,
        MessageID=number,
        AffectedSOPClassUID=sop_class,
        AffectedSOPInstanceUID=uid,
        Priority=0,
    )
    return data(context, 3, head) + (b"" if whole is None else data(context, 2, whole))


def accept(sock: socket.socket, *refused: str) -> AssociateRequest:
    """Accept every context in its first transfer syntax, and every role; but for what is named."""
    request = decode_associate_rq(memoryview(read_pdu(sock))[6:])
    results = tuple(
        ContextResult(each.id, 3)
        if each.abstract_syntax in refused
        else ContextResult(each.id, 0, each.transfer_syntaxes[0])
        for each in request.contexts
    )
    roles = request.user_information.role_selections
    info = UserInformation(16384, role_selections=roles)
    sock.sendall(AssociateAccept("A", "B", contexts=results, user_information=info).encode())
    return request


def read_request(sock: socket.socket) -> tuple[Command, bytes]:
    """Read one request with its identifier."""
    asked = read_command(sock)
    assert asked is not None
    return asked, b"".join(pdu[12:] for pdu in read_message(sock))


def read_stored(sock: socket.socket) -> Command:
    """Read the answer to a sub-operation."""
    answered = decode_command(read_pdu(sock)[12:])
    assert answered.field == CommandField.C_STORE_RSP
    return answered


def release(sock: socket.socket) -> None:
    assert read_command(sock) is None
    sock.sendall(RELEASE_RP)


@contextmanager
def acting_each(*acts: Act) -> Iterator[Target]:
    """A peer whose first association is served by the first act, and so on; fails as they do."""
    over = threading.Event()
    errors: list[BaseException] = []

    def serve() -> None:
        for act in acts:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock:
                sock.settimeout(20)
                try:
                    act(sock, over)
                except OSError:
                    # the other side ended it, which is what such tests are about
                    continue
                except BaseException as error:
                    errors.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            port = listener.getsockname()[1]
            yield Target("peer", "127.0.0.1", port, timeouts=Timeouts(10, 10, 10, 10))
        finally:
            over.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    if errors:
        raise errors[0]


def says(*whole: bytes, then: Callable[[socket.socket], object] = release) -> Act:
    """Accept, read a request, say this, and then do that."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(b"".join(whole))
        then(sock)

    return act


def sends(
    objects: Sequence[tuple[str, bytes]],
    *ends: bytes,
    pending: Callable[[int], bytes] | None = None,
    answered: list[int] | None = None,
) -> Act:
    """Accept, read a C-GET, store these one by one, say this and release.

    pending   what is said after the object of this number
    answered  gets the statuses of the objects
    """

    def act(sock: socket.socket, over: threading.Event) -> None:
        context = next(each.id for each in accept(sock).contexts if each.abstract_syntax == CT)
        read_request(sock)
        for number, (uid, whole) in enumerate(objects, 1):
            sock.sendall(store(number, uid, whole, context))
            status = read_stored(sock).status
            if answered is not None:
                answered.append(status)
            if pending is not None:
                sock.sendall(pending(number))
        sock.sendall(b"".join(ends))
        release(sock)

    return act
