"""C-FIND, C-MOVE and C-GET as provider: negotiation, cancelling, and peers that misbehave."""

from __future__ import annotations

import gc
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from pacs_cli.archive.handler import Archive, open_archive
from pacs_cli.archive.library import ArchiveLibrary
from pacs_cli.dicom.identifier import encode_identifier
from pacs_cli.errors import AssociationAborted, PeerProtocolError
from pacs_cli.net.channel import Connection, Wakeup
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services import scu
from pacs_cli.services.query_scp import MAX_IDENTIFIER, QueryRetrieve
from pacs_cli.services.results import FindResponse
from pacs_cli.services.retrieve import RetrieveSession
from pacs_cli.services.retrieve_scp import proposals_for
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import AssociationEnded, AssociationOpened, Found, Retrieved
from pacs_cli.wire.association import Limits
from pacs_cli.wire.command import Command, CommandField, encode_command
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.userinfo import ExtendedNegotiation, RoleSelection, UserInformation
from tests.archive.large import make_index
from tests.archive.querying import filled, identifier, put
from tests.services.finding import accept, acting, read_command
from tests.services.raw import read_pdu
from tests.support import (
    CT,
    EXPLICIT,
    IMPLICIT,
    MR,
    MemoryHandler,
    Running,
    misbehaving_peer,
    running_provider,
)

ROOT = "1.2.840.10008.5.1.4.1.2.2."
FIND, MOVE, GET = ROOT + "1", ROOT + "2", ROOT + "3"


@contextmanager
def answering(
    archive: Archive, *destinations: Target, is_fuzzy: bool = False, **options: object
) -> Iterator[Running]:
    """A provider that answers from an archive; it stores nothing."""
    library = ArchiveLibrary(archive.index, archive.blobs.root, "HERE", is_fuzzy)
    places = {target.called_ae_title: target for target in destinations}
    with running_provider(queries=QueryRetrieve(library, places), **options) as running:
        yield running


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with filled(tmp_path_factory.mktemp("archive")) as archive:
        yield archive


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """So many studies that what is answered in a second is a part of them."""
    root = tmp_path_factory.mktemp("many")
    make_index(root, 200_000)
    with open_archive(root) as archive:
        yield archive


def find(
    running: Running,
    query: Dataset,
    limit: int | None = None,
    negotiation: UserInformation | None = None,
) -> list[FindResponse]:
    with Session(running.target(), [Proposal(FIND, (EXPLICIT,))], negotiation) as session:
        return list(session.find(1, encode_identifier(query, EXPLICIT), limit))


def extended(sop_class: str, information: bytes) -> UserInformation:
    return UserInformation(extended_negotiations=(ExtendedNegotiation(sop_class, information),))


def asked(running: Running, sop_class: str, information: bytes) -> list[bytes]:
    with Session(
        running.target(), [Proposal(sop_class, (EXPLICIT,))], extended(sop_class, information)
    ) as session:
        answer = session.answer.user_information.extended_negotiations
    return [each.application_information for each in answer]


# -- negotiation -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sop_class", "is_fuzzy", "information", "answer"),
    [
        # PS3.4 C.5.1.1.1: relational, date-time, fuzzy, time zone; what is not done is 0
        (FIND, False, b"\1", b"\1"),
        (FIND, False, b"\0", b"\0"),
        (FIND, False, b"\1\1\1\1", b"\1\1\0\0"),
        (FIND, True, b"\1\1\1\1", b"\1\1\1\0"),
        (FIND, True, b"\0\0\1", b"\0\0\1"),
        (FIND, True, b"", b""),
        (MOVE, True, b"\1\1\1", b"\1\0\0"),
        (GET, True, b"\1", b"\1"),
    ],
)
def test_extended_negotiation_says_what_is_done(
    archive: Archive, sop_class: str, is_fuzzy: bool, information: bytes, answer: bytes
) -> None:
    with answering(archive, is_fuzzy=is_fuzzy) as running:
        assert asked(running, sop_class, information) == [answer]


def test_relational_query_is_answered_only_when_negotiated(archive: Archive) -> None:
    query = identifier("IMAGE", "SOPInstanceUID", "PatientID=P1")
    with answering(archive) as running:
        (refused,) = find(running, query)
        *matches, end = find(running, query, negotiation=extended(FIND, b"\1"))
    assert (refused.status, refused.offending_elements) == (0xA900, (0x0020000D,))
    assert (len(matches), end.status) == (4, 0)


def test_fuzzy_names_are_matched_only_when_negotiated(archive: Archive) -> None:
    query = identifier("STUDY", "PatientName=jane doe")
    with answering(archive, is_fuzzy=True) as running:
        assert len(find(running, query)) == 1
        assert len(find(running, query, negotiation=extended(FIND, b"\0\0\1"))) == 3


@pytest.mark.parametrize("has_queries", [True, False])
def test_role_of_storing_is_accepted_for_a_get_alone(archive: Archive, has_queries: bool) -> None:
    # PS3.7 D.3.3.4
    roles = UserInformation(
        role_selections=(RoleSelection(CT, True, True), RoleSelection(FIND, True, True))
    )
    provider = answering(archive) if has_queries else running_provider()
    with provider as running:
        proposals = [Proposal(CT, (EXPLICIT,)), Proposal(FIND, (EXPLICIT,))]
        with Session(running.target(), proposals, roles) as session:
            scps = [context.requestor_is_scp for context in session.contexts.values()]
    assert scps == [has_queries, False]


def test_queries_are_taken_in_native_syntaxes_alone(archive: Archive) -> None:
    proposals = [
        Proposal(FIND, ("1.2.840.10008.1.2.4.50", IMPLICIT, EXPLICIT)),
        Proposal(FIND, ("1.2.840.10008.1.2.1.99",)),
    ]
    with answering(archive) as running, Session(running.target(), proposals) as session:
        assert [each.transfer_syntax for each in session.contexts.values()] == [IMPLICIT, ""]


def test_command_that_is_not_of_its_sop_class_is_refused(archive: Archive) -> None:
    # PS3.7 C.5.20
    with (
        answering(archive) as running,
        Session(running.target(), [Proposal(MOVE, (EXPLICIT,))]) as session,
    ):
        (end,) = session.find(1, encode_identifier(identifier("STUDY"), EXPLICIT))
    assert end.status == 0x0211


def test_unsupported_key_is_said_with_every_match(archive: Archive) -> None:
    with answering(archive) as running:
        *matches, end = find(running, identifier("STUDY", "SeriesDescription=x"))
        found = running.wait_for(Found)[0]
    assert {each.status for each in matches} == {0xFF01}
    assert end.status == 0
    assert (found.level, found.matches, found.status) == ("STUDY", 4, 0)


def test_identifier_that_is_too_long_is_refused(archive: Archive) -> None:
    raw = b"".join((b"\x08\x00\x52\x00CS\x06\x00STUDY ", bytes(MAX_IDENTIFIER)))
    with (
        answering(archive) as running,
        Session(running.target(), [Proposal(FIND, (EXPLICIT,))]) as session,
    ):
        (end,) = session.find(1, raw)
        assert end.status == 0xC000
        (again,) = session.find(1, b"\x08\x00\x52\x00CS\x04\x00EXAM")
        assert again.status == 0xA900


def test_index_that_cannot_be_read_is_a_failure_and_not_the_end(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"no database" * 1000)
    nobody = Target("nobody", "127.0.0.1", 1, "BAD")
    with (
        answering(archive, nobody) as running,
        Session(running.target(), [Proposal(FIND, (EXPLICIT,))]) as session,
    ):
        query = encode_identifier(identifier("STUDY", "PatientID=P1"), EXPLICIT)
        with monkeypatch.context() as patch:
            patch.setattr(archive.index, "path", garbage)
            (end,) = session.find(1, query)
            (moved,) = move(running)
        *matches, good = session.find(1, query)
    assert (end.status, end.comment) == (0xC000, "the index cannot be read")
    # PS3.4 table C.4-2
    assert moved.Status == 0xA701
    assert (len(matches), good.status) == (2, 0)


def test_every_association_asks_while_others_do(archive: Archive) -> None:
    query = identifier("IMAGE", "SOPInstanceUID")
    with answering(archive) as running, ThreadPoolExecutor(16) as pool:
        asks = [
            pool.submit(find, running, query, negotiation=extended(FIND, b"\1")) for _ in range(64)
        ]
        assert [len(each.result()) - 1 for each in asks] == [6] * 64


@pytest.fixture
def _no_collector() -> Iterator[None]:
    """Nothing is cleared away but what is let go of."""
    gc.disable()
    yield
    gc.enable()


# -- cancelling ------------------------------------------------------------------------------


def test_cancelled_query_ends_within_a_second(many: Archive) -> None:
    # PS3.7 9.3.2.3, PS3.4 table C.4-1
    with answering(many) as running:
        began = time.monotonic()
        *matches, end = find(running, identifier("STUDY", "StudyInstanceUID"), limit=5)
        assert time.monotonic() - began < 1
        found = running.wait_for(Found)[0]
    assert (len(matches), end.status, end.is_cancelled) == (5, 0xFE00, True)
    assert found.status == 0xFE00
    assert 5 <= found.matches < 200_000


@pytest.mark.parametrize("key", ["PatientComments=nowhere", "PatientName=*nobody*"])
def test_cancelled_query_ends_while_nothing_matches(many: Archive, key: str) -> None:
    wakeup = Wakeup()

    def trace(direction: str, _: int, command: Command) -> None:
        if command.field == CommandField.C_FIND_RQ:
            wakeup.set()

    with (
        answering(many) as running,
        Session(
            running.target(), [Proposal(FIND, (EXPLICIT,))], trace=trace, wakeup=wakeup
        ) as session,
    ):
        began = time.monotonic()
        query = encode_identifier(identifier("STUDY", key), EXPLICIT)
        (end,) = session.find(1, query)
        assert time.monotonic() - began < 1
        assert end.status == 0xFE00


@pytest.mark.usefixtures("_no_collector")
def test_query_ends_when_its_peer_goes(many: Archive) -> None:
    with answering(many) as running:
        session = Session(running.target(), [Proposal(FIND, (EXPLICIT,))])
        responses = session.find(
            1, encode_identifier(identifier("STUDY", "StudyInstanceUID"), EXPLICIT)
        )
        assert next(responses).is_pending
        # a reader of what was before keeps the log from being emptied
        many.index.announce("1.2.3", "new", "old")
        many.index.retract("1.2.3")
        session.abort()
        (ended,) = running.wait_for(AssociationEnded)
        # nobody reads the index any more
        with closing(sqlite3.connect(many.index.path, timeout=0)) as other:
            (is_busy, *_) = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert ended.how in ("aborted", "closed")
    assert not is_busy


def test_query_ends_when_the_provider_is_to_end(many: Archive) -> None:
    with answering(many) as running:
        session = Session(running.target(), [Proposal(FIND, (EXPLICIT,))])
        responses = session.find(
            1, encode_identifier(identifier("STUDY", "StudyInstanceUID"), EXPLICIT)
        )
        assert next(responses).is_pending
        began = time.monotonic()
        running.provider.drain()
        *_, end = responses
        assert time.monotonic() - began < 2
        assert end.status == 0xA700
        session.abort()


def test_request_while_another_is_answered_breaks_the_protocol(many: Archive) -> None:
    # PS3.7 D.3.3.3: without asynchronous operations
    with answering(many) as running:
        session = Session(running.target(), [Proposal(FIND, (EXPLICIT,))])
        query = encode_identifier(identifier("STUDY", "StudyInstanceUID"), EXPLICIT)
        assert next(session.find(1, query)).is_pending
        with pytest.raises((AssociationAborted, PeerProtocolError)):
            list(session.find(1, query))
        session.abort()
        (ended,) = running.wait_for(AssociationEnded)
    assert ended.how == "protocol error"


# -- destinations that misbehave -------------------------------------------------------------


def move(running: Running) -> list[Dataset]:
    """Ask with pynetdicom for three objects and return every response."""
    ae = AE("MOVER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = ae.associate("127.0.0.1", running.listener.port)
    assert association.is_established
    responses = list(
        association.send_c_move(
            identifier("STUDY", "StudyInstanceUID=1.2.1"),
            "BAD",
            StudyRootQueryRetrieveInformationModelMove,
        )
    )
    association.release()
    return [status for status, _ in responses]


def hang(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def close_at_once(sock: socket.socket) -> None:
    sock.recv(65536)


def reject(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(bytes.fromhex("0300 00000004 00010101"))
    hang(sock)


def abort(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(bytes.fromhex("0700 00000004 00000000"))
    hang(sock)


def babble(sock: socket.socket) -> None:
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    hang(sock)


@pytest.mark.parametrize("act", [hang, close_at_once, reject, abort, babble])
def test_destination_that_misbehaves_fails_all_in_time(
    archive: Archive, act: Callable[[socket.socket], None]
) -> None:
    with misbehaving_peer(act) as place:
        target = Target(
            "bad", "127.0.0.1", place.port, called_ae_title="BAD", timeouts=place.timeouts
        )
        with answering(archive, target) as running:
            began = time.monotonic()
            *_, final = move(running)
            assert time.monotonic() - began < 5
            (moved,) = running.wait_for(Retrieved)
    assert final.Status == 0xA702
    assert final.NumberOfFailedSuboperations == 3
    assert (moved.failed, moved.completed, moved.remaining) == (3, 0, 0)
    assert moved.reason


@contextmanager
def pynetdicom_scp(store: Callable[[object], int], *classes: str) -> Iterator[Target]:
    """A destination that takes these SOP classes."""
    ae = AE("BAD")
    for sop_class in classes:
        ae.add_supported_context(sop_class)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        port = server.socket.getsockname()[1]
        yield Target("bad", "127.0.0.1", port, "BAD", timeouts=Timeouts(2, 2, 2))
    finally:
        server.shutdown()


@pytest.mark.parametrize(
    ("ending", "completed"),
    [
        # one answered, then lost: a second association is tried
        ("abort on the second", 2),
        ("refuses one class", 2),
    ],
)
def test_destination_that_takes_some_gets_them(
    archive: Archive, ending: str, completed: int
) -> None:
    came: list[str] = []

    def store(event: object) -> int:
        came.append(str(event.request.AffectedSOPInstanceUID))
        if ending.startswith("abort") and len(came) == 2:
            event.assoc.abort()
        return 0

    classes = (CT, MR) if ending.startswith("abort") else (CT,)
    with pynetdicom_scp(store, *classes) as target, answering(archive, target) as running:
        *_, final = move(running)
        (moved,) = running.wait_for(Retrieved)
    assert final.Status == 0xB000
    assert (moved.completed, moved.failed) == (completed, 1)


def cancel_of(message_id: int) -> bytes:
    """A P-DATA-TF PDU with a C-CANCEL, written past pynetdicom's queue: it arrives at once."""
    elements = {"MessageIDBeingRespondedTo": message_id}
    command = encode_command(Command(CommandField.C_CANCEL_RQ, elements))
    fragment = (len(command) + 2).to_bytes(4, "big") + b"\1\3" + command
    return b"\4\0" + len(fragment).to_bytes(4, "big") + fragment


@pytest.mark.parametrize("is_hanging", [False, True])
def test_move_is_cancelled_at_once(archive: Archive, is_hanging: bool) -> None:
    # PS3.4 C.4.2.1.5, FE00: with what remains
    came: list[str] = []
    go_on = threading.Event()

    def store(event: object) -> int:
        if not came:
            mover.dul.socket.send(cancel_of(9))
        came.append(str(event.request.AffectedSOPInstanceUID))
        if is_hanging:
            go_on.wait(10)
        return 0

    with pynetdicom_scp(store, CT, MR) as place, answering(archive, unhurried(place)) as running:
        asker = AE("MOVER")
        asker.add_requested_context(MOVE)
        mover = asker.associate("127.0.0.1", running.listener.port)
        began = time.monotonic()
        *_, (final, _) = mover.send_c_move(
            identifier("STUDY", "StudyInstanceUID=1.2.1"), "BAD", MOVE, msg_id=9
        )
        assert time.monotonic() - began < 2
        go_on.set()
        mover.release()
    assert final.Status == 0xFE00
    counts = final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations
    assert counts == ((0, 1) if is_hanging else (1, 0))
    assert final.NumberOfRemainingSuboperations == 2
    assert len(came) == 1


@contextmanager
def unreachable(is_waiting: Callable[[], None]) -> Iterator[Target]:
    """A port that answers no handshake: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        with ExitStack() as stack:
            for _ in range(3):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                sock.connect_ex(address)
            call = scu.call

            def told(target: Target) -> Connection:
                if target.called_ae_title == "BAD":
                    is_waiting()
                return call(target)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(scu, "call", told)
                yield Target("bad", *address)


@contextmanager
def silent(is_waiting: Callable[[], None]) -> Iterator[Target]:
    """A destination that does not answer the request for an association."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        read_pdu(sock)
        is_waiting()
        over.wait(10)

    with acting(act) as place:
        yield place


@contextmanager
def full(is_waiting: Callable[[], None]) -> Iterator[Target]:
    """A destination that stops to read in the middle of an object."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_command(sock)
        is_waiting()
        over.wait(10)

    with acting(act) as place:
        yield place


@pytest.mark.parametrize("destination", [unreachable, silent, full])
def test_move_is_cancelled_within_a_second_whatever_is_waited_for(
    tmp_path: Path, destination: Callable[[Callable[[], None]], AbstractContextManager[Target]]
) -> None:
    wakeup, woken = Wakeup(), []

    def cancel() -> None:
        woken.append(time.monotonic())
        wakeup.set()

    with open_archive(tmp_path) as archive, destination(cancel) as place:
        # more than the buffers of both ends of a connection hold
        put(archive, "1.2.1.1.1", {0x7FE00010: ("OW", bytes(32_000_000))})
        put(archive, "1.2.1.1.2", {})
        target = replace(place, called_ae_title="BAD", timeouts=Timeouts())
        with answering(archive, target) as running:
            proposals = [Proposal(MOVE, (EXPLICIT,))]
            with RetrieveSession(running.target(), proposals, wakeup=wakeup) as session:
                query = encode_identifier(identifier("STUDY", "StudyInstanceUID=1.2.1"), EXPLICIT)
                *_, final = session.move(1, query, "BAD")
                seconds = time.monotonic() - woken[0]
    assert final.status == 0xFE00
    assert (final.failed, final.remaining) == (1, 1)
    assert seconds < 1


def test_destination_that_stops_to_read_fails_its_object_in_time(tmp_path: Path) -> None:
    with open_archive(tmp_path) as archive, full(lambda: None) as place:
        put(archive, "1.2.1.1.1", {0x7FE00010: ("OW", bytes(32_000_000))})
        target = replace(place, called_ae_title="BAD", timeouts=Timeouts(write=0.3))
        with answering(archive, target) as running:
            *_, final = move(running)
            (moved,) = running.wait_for(Retrieved)
    assert (final.Status, final.NumberOfFailedSuboperations) == (0xA702, 1)
    assert "did not read what was sent within 0.3 s" in moved.reason


def unhurried(target: Target) -> Target:
    return replace(target, timeouts=Timeouts(5, 5, 10))


def test_get_is_cancelled_between_objects(archive: Archive) -> None:
    # PS3.4 C.4.3.1.4
    came: list[str] = []

    def store(event: object) -> int:
        if not came:
            getter.dul.socket.send(cancel_of(9))
        came.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    asker = AE("GETTER")
    asker.add_requested_context(GET)
    asker.add_requested_context(CT)
    with answering(archive) as running:
        getter = asker.associate(
            *("127.0.0.1", running.listener.port),
            ext_neg=[build_role(CT, scp_role=True)],
            evt_handlers=[(evt.EVT_C_STORE, store)],
        )
        *_, (final, _) = getter.send_c_get(
            identifier("STUDY", "StudyInstanceUID=1.2.1"), GET, msg_id=9
        )
        getter.release()
    assert final.Status == 0xFE00
    assert (final.NumberOfCompletedSuboperations, final.NumberOfRemainingSuboperations) == (1, 2)


def test_more_contexts_than_fit_are_further_associations(tmp_path: Path) -> None:
    # each SOP class is proposed as it is stored and in the other native syntax: 140 contexts
    classes = [f"1.2.826.0.1.3680043.10.7.{number}" for number in range(70)]
    handler = MemoryHandler()
    with open_archive(tmp_path) as held, running_provider(handler) as destination:
        for number, sop_class in enumerate(classes):
            put(held, f"1.2.1.1.{number}", {}, sop_class)
        target = replace(destination.target(), called_ae_title="BAD")
        with answering(held, target) as running:
            *_, final = move(running)
        opened = destination.wait_for(AssociationOpened, 2)
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, 70)
    assert [each.accepted for each in opened] == [128, 12]
    assert {request.affected_sop_class_uid for request, _ in handler.stored} == set(classes)


@pytest.mark.parametrize("is_draining", [False, True])
def test_getter_that_does_not_answer_is_aborted_in_time(
    archive: Archive, is_draining: bool
) -> None:
    with answering(archive, limits=Limits(idle=60 if is_draining else 0.3)) as running:
        roles = UserInformation(role_selections=(RoleSelection(CT, True, True),))
        proposals = [Proposal(GET, (EXPLICIT,)), Proposal(CT, (EXPLICIT,))]
        session = Session(running.target(), proposals, roles)
        query = encode_identifier(identifier("STUDY", "StudyInstanceUID=1.2.1"), EXPLICIT)
        request = {"AffectedSOPClassUID": GET, "Priority": 0}
        session._begin(1, CommandField.C_GET_RQ, request, (query,))
        # the object has come, and is not answered
        assert session.has_arrived(5)
        if is_draining:
            running.provider.drain()
        (ended,) = running.wait_for(AssociationEnded)
        session.abort()
    assert ended.how == "timeout"
    assert "C-STORE" in ended.error


# -- what is sent ----------------------------------------------------------------------------


def test_object_is_converted_when_only_another_native_syntax_is_accepted(archive: Archive) -> None:
    came: list[Dataset] = []

    def store(event: object) -> int:
        came.append(event.dataset)
        assert event.context.transfer_syntax == IMPLICIT
        return 0

    ae = AE("GETTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(CTImageStorage, IMPLICIT)
    with answering(archive) as running:
        association = ae.associate(
            *("127.0.0.1", running.listener.port),
            ext_neg=[build_role(CTImageStorage, scp_role=True)],
            evt_handlers=[(evt.EVT_C_STORE, store)],
        )
        *_, (final, _) = association.send_c_get(
            identifier("STUDY", "StudyInstanceUID=1.2.3"), StudyRootQueryRetrieveInformationModelGet
        )
        association.release()
    assert final.Status == 0
    (dataset,) = came
    assert str(dataset.SOPInstanceUID) == "1.2.3.1.1"
    assert "山田" in str(dataset.PatientName)


def test_contexts_of_a_move_are_the_stored_syntaxes_and_uncompressed() -> None:
    jpeg = "1.2.840.10008.1.2.4.50"
    assert proposals_for([(CT, EXPLICIT), (CT, jpeg), (MR, IMPLICIT)]) == [
        Proposal(CT, (EXPLICIT,)),
        Proposal(CT, (jpeg,)),
        Proposal(CT, (IMPLICIT,)),
        Proposal(MR, (IMPLICIT,)),
        Proposal(MR, (EXPLICIT,)),
    ]
