"""C-MOVE and C-GET over a session: what is yielded and cancelled, and peers that misbehave."""

from __future__ import annotations

import select
import socket
import threading
import time
from dataclasses import replace

import pytest

from pacs_cli.errors import AssociationAborted, PacsError, PeerProtocolError, PeerTimeout
from pacs_cli.net.channel import Wakeup
from pacs_cli.net.target import Target
from pacs_cli.services.query_diagnosis import explain_retrieve_status
from pacs_cli.services.results import RetrieveResponse
from pacs_cli.services.retrieve import RetrieveSession
from pacs_cli.services.serving import InstanceReceived
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.pdu import RELEASE_RQ, Abort
from tests.services import raw
from tests.services.misbehaviour import read_all
from tests.services.raw import command, data
from tests.services.retrieving import (
    CANCELLED,
    GET_OFFER,
    MOVE,
    MOVE_OFFER,
    PENDING,
    ROLES,
    accept,
    acting_each,
    got,
    moved,
    read_command,
    read_request,
    read_stored,
    release,
    says,
    store,
)
from tests.support import MemoryHandler

QUERY = b"what is to be moved"


def move_all(
    target: Target, limit: int | None = None, wakeup: Wakeup | None = None, **timeouts: float
) -> list[RetrieveResponse]:
    target = replace(target, timeouts=replace(target.timeouts, **timeouts))
    with RetrieveSession(target, MOVE_OFFER, wakeup=wakeup) as session:
        return list(session.move(1, QUERY, "DEST", limit))


class Getting:
    """Gets everything with a C-GET, and keeps what came."""

    def __init__(self, handler: MemoryHandler | None = None) -> None:
        self.handler = handler or MemoryHandler()
        self.told: list[InstanceReceived] = []

    def all(
        self,
        target: Target,
        limit: int | None = None,
        wakeup: Wakeup | None = None,
        **timeouts: float,
    ) -> list[RetrieveResponse]:
        target = replace(target, timeouts=replace(target.timeouts, **timeouts))
        with RetrieveSession(target, GET_OFFER, ROLES, wakeup=wakeup) as session:
            return list(session.get(1, QUERY, self.handler, self.told.append, limit))

    @property
    def uids(self) -> list[str]:
        return [each.request.affected_sop_instance_uid for each in self.told]


# -- C-MOVE --------------------------------------------------------------------------------------


def test_move_yields_progress_and_how_it_ended():
    asked = []

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        asked.append(read_request(sock))
        sock.sendall(moved(PENDING, 2, 1, 0, 0) + moved(PENDING, 1, 1, 0, 1))
        end = moved(0xB000, None, 1, 1, 1, identifier=b"failed", ErrorComment="one is broken")
        sock.sendall(end)
        release(sock)

    with acting_each(act) as target:
        *pending, end = move_all(target)
    assert pending == [RetrieveResponse(PENDING, 2, 1, 0, 0), RetrieveResponse(PENDING, 1, 1, 0, 1)]
    assert end == RetrieveResponse(0xB000, None, 1, 1, 1, b"failed", "one is broken")
    assert (end.is_pending, end.stored, end.ended) == (False, 2, 3)
    ((request, identifier),) = asked
    assert (request.field, request["AffectedSOPClassUID"]) == (CommandField.C_MOVE_RQ, MOVE)
    assert (request["MoveDestination"], request["Priority"], identifier) == ("DEST", 0, QUERY)


def test_peer_may_count_nothing():
    with acting_each(says(moved(PENDING), moved(0))) as target:
        assert move_all(target) == [RetrieveResponse(PENDING), RetrieveResponse(0)]


def test_two_moves_over_one_association_have_their_own_numbers():
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        for number in (1, 2):
            assert read_request(sock)[0].message_id == number
            sock.sendall(moved(0, number=number))
        release(sock)

    with acting_each(act) as target, RetrieveSession(target, MOVE_OFFER) as session:
        for _ in range(2):
            assert list(session.move(1, QUERY, "DEST")) == [RetrieveResponse(0)]


def cancellable(*before: bytes, then) -> object:
    """Say this, await the C-CANCEL, then do that."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(b"".join(before))
        cancel = read_command(sock)
        assert (cancel.field, cancel.message_id) == (CommandField.C_CANCEL_RQ, 1)
        then(sock)

    return act


def say(*whole: bytes):
    def then(sock: socket.socket) -> None:
        sock.sendall(b"".join(whole))
        release(sock)

    return then


@pytest.mark.parametrize("status", [CANCELLED, 0, 0xA702])
@pytest.mark.parametrize("late", [0, 3])
def test_limit_cancels_and_the_end_is_told(status, late):
    end = [moved(PENDING, 3, 2, 0, 0)] * late + [moved(status, 2, 3, 0, 0)]
    act = cancellable(moved(PENDING, 4, 1, 0, 0), moved(PENDING, 3, 1, 1, 0), then=say(*end))
    with acting_each(act) as target:
        found = move_all(target, limit=2)
    assert [each.status for each in found] == [PENDING, PENDING, status]
    assert found[-1] == RetrieveResponse(status, 2, 3, 0, 0, is_cancelled=True)


def test_wakeup_cancels_while_a_response_is_awaited():
    wakeup = Wakeup()

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(moved(PENDING, 1, 1, 0, 0))
        assert not select.select([sock], [], [], 0.1)[0]
        wakeup.set()
        assert read_command(sock).field == CommandField.C_CANCEL_RQ
        sock.sendall(moved(CANCELLED, 1, 1, 0, 0))
        release(sock)

    with acting_each(act) as target:
        assert move_all(target, wakeup=wakeup)[-1].is_cancelled


def endless(sock: socket.socket) -> None:
    while True:
        sock.sendall(moved(PENDING, 5, 1, 0, 0) * 50)


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (endless, "did not send the end of what was cancelled within 0.3 s"),
        (read_all, "did not send the end of what was cancelled within 0.3 s"),
        (lambda sock: sock.sendall(Abort(0, 0).encode()), "aborted the association"),
        (lambda sock: None, "closed the connection"),
        (lambda sock: sock.sendall(moved(0, number=7)) or read_all(sock), "number 7"),
    ],
    ids=["endless", "silent", "aborts", "closes", "another id"],
)
def test_what_was_moved_stays_so_when_a_cancel_ends_badly(then, words):
    with acting_each(cancellable(moved(PENDING, 1, 1, 0, 0), then=then)) as target:
        first, end = move_all(target, limit=1, dimse=0.3)
    assert first.completed == 1
    assert (end.status, end.is_cancelled) == (None, True)
    assert words in end.comment


def test_endless_progress_ends_with_a_wakeup():
    """Each response comes in time, so nothing else can end it: a long retrieval looks the same."""
    wakeup = Wakeup()
    began = time.monotonic()
    found = []
    with acting_each(says(then=endless)) as target:
        with RetrieveSession(target, MOVE_OFFER, wakeup=wakeup) as session:
            for response in session.move(1, QUERY, "DEST"):
                found.append(response)
                if len(found) == 2000:
                    wakeup.set()
    assert (found[-1].status, found[-1].is_cancelled) == (None, True)
    assert time.monotonic() - began < 20


LATE, GONE, BROKEN = PeerTimeout, AssociationAborted, PeerProtocolError


def without_status(field: int) -> bytes:
    elements = (
        b"\0\0\0\1\2\0\0\0" + field.to_bytes(2, "little"),
        b"\0\0\x20\1\2\0\0\0\1\0",
        b"\0\0\0\x08\2\0\0\0\1\1",
    )
    return raw.pdu(4, raw.pdv(1, 3, b"".join(elements)))


def rows(field: int, name: str, answered) -> list:
    """What a peer may say to a request, the exception it ends in, and words of its message."""
    half = data(1, 3, command(field, True, MessageIDBeingRespondedTo=1, Status=0xB000))
    half += data(1, 0, b"half")
    elsewhere = data(3, 3, command(field, MessageIDBeingRespondedTo=1, Status=0))
    found = command(CommandField.C_FIND_RSP, MessageIDBeingRespondedTo=1, Status=0)
    long = [data(1, 0, bytes(16000))] * (8 * 1024 * 1024 // 16000 + 1)
    return [
        ("says nothing", b"", LATE, f"an answer to {name} within 0.3 s"),
        ("stops after progress", answered(PENDING, 1, 1, 0, 0), LATE, f"an answer to {name}"),
        ("stops in the end", half, LATE, f"an answer to {name}"),
        ("stops in a PDU", answered(0)[:-1], LATE, "within 0.3 s"),
        ("answers another id", answered(PENDING, number=7), BROKEN, "number 7"),
        ("ends another id", answered(0, number=7), BROKEN, "number 7"),
        ("answers a query", data(1, 3, found), BROKEN, "with C-FIND-RSP"),
        ("asks back", data(1, 3, raw.echo(sop_class=MOVE)), BROKEN, "with C-ECHO-RQ"),
        ("answers elsewhere", elsewhere, BROKEN, "on 3" if name == "C-GET-RQ" else "not accepted"),
        ("has no status", without_status(field), BROKEN, "without Status"),
        ("speaks in the end", half + answered(0), BROKEN, "command while a data set is open"),
        ("sends a data set alone", data(1, 2, b"one"), BROKEN, "belongs to no command"),
        ("sends garbage", data(1, 3, b"\xff" * 20), BROKEN, "broke the protocol"),
        ("speaks HTTP", b"HTTP/1.1 400 Bad\r\n", BROKEN, "type 48H"),
        ("lists too much", half + b"".join(long), BROKEN, "an identifier of over 8388608"),
        ("aborts", Abort(0, 0).encode(), GONE, "aborted the association"),
        ("releases", RELEASE_RQ, GONE, f"released the association instead of an answer to {name}"),
    ]


MOVE_ROWS = rows(CommandField.C_MOVE_RSP, "C-MOVE-RQ", moved)
GET_ROWS = rows(CommandField.C_GET_RSP, "C-GET-RQ", got)


def check_misbehaviour(act, retrieve, error: type[PacsError], words: str) -> None:
    with acting_each(act) as target:
        with pytest.raises(error) as caught:
            retrieve(target, dimse=0.3 if error is LATE else 10)
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert target.address in str(caught.value)


@pytest.mark.parametrize(("said", "error", "words"), [row[1:] for row in MOVE_ROWS],
                         ids=[row[0] for row in MOVE_ROWS])  # fmt: skip
def test_misbehaviour_at_a_move_is_told_on_one_line_and_costs_the_timeout(said, error, words):
    check_misbehaviour(says(said, then=read_all), move_all, error, words)


def test_response_that_dribbles_costs_one_total_deadline():
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        head = command(CommandField.C_MOVE_RSP, True, MessageIDBeingRespondedTo=1, Status=0xB000)
        sock.sendall(data(1, 3, head))
        for _ in range(500):
            sock.sendall(data(1, 0, b"x"))
            if select.select([sock], [], [], 0.02)[0]:
                return

    with acting_each(act) as target, pytest.raises(PeerTimeout, match="an answer to C-MOVE-RQ"):
        move_all(target, dimse=0.3)


# -- C-GET ---------------------------------------------------------------------------------------


def test_get_keeps_answers_and_tells_every_object():
    statuses = []

    def act(sock: socket.socket, over: threading.Event) -> None:
        request = accept(sock)
        assert request.user_information.role_selections == ROLES.role_selections
        asked, identifier = read_request(sock)
        assert (asked.field, identifier) == (CommandField.C_GET_RQ, QUERY)
        for number in (1, 2):
            sock.sendall(store(40 + number, f"1.2.{number}", b"object %d" % number))
            answered = read_stored(sock)
            statuses.append((answered.message_id, answered.status))
            sock.sendall(got(PENDING, 2 - number, number, 0, 0))
        sock.sendall(got(0, None, 2, 0, 0))
        release(sock)

    getting = Getting()
    with acting_each(act) as target:
        found = getting.all(target)
    assert [each.completed for each in found] == [1, 2, 2]
    assert statuses == [(41, 0), (42, 0)]
    assert getting.uids == ["1.2.1", "1.2.2"]
    assert [whole for _, whole in getting.handler.stored] == [b"object 1", b"object 2"]
    who = getting.told[0].request.association
    assert (who.calling_ae_title, who.called_ae_title) == ("ANY-SCP", "PACS")


def test_object_in_many_fragments_between_progress_is_whole():
    whole = bytes(range(256)) * 1000

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(
            store(1, "1.2", b"")[:-12]
            + b"".join(data(3, 0, whole[at : at + 5000]) for at in range(0, len(whole), 5000))
            + data(3, 2)
        )
        assert read_stored(sock).status == 0
        sock.sendall(got(PENDING, 0, 1, 0, 0) + got(0, None, 1, 0, 0))
        release(sock)

    getting = Getting()
    with acting_each(act) as target:
        getting.all(target)
    assert getting.handler.stored[0][1] == whole


@pytest.mark.parametrize(
    ("sub_operation", "status"),
    [
        (store(1, "1.2", b"object", sop_class="1.2.3"), 0x0122),
        (store(1, "1.2", None), 0xC000),
        (store(1, "1.2", b"object"), 0xA700),
    ],
    ids=["another SOP class", "no data set", "no room"],
)
def test_object_that_is_not_kept_is_answered_so(sub_operation, status):
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(sub_operation)
        assert read_stored(sock).status == status
        sock.sendall(got(0xB000, None, 0, 1, 0))
        release(sock)

    getting = Getting(MemoryHandler(0xA700, "disk full"))
    with acting_each(act) as target:
        (end,) = getting.all(target)
    assert (end.status, end.failed) == (0xB000, 1)
    assert [each.outcome.status for each in getting.told] == [status]


def test_limit_of_objects_cancels_although_the_peer_tells_no_progress():
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        for number in (1, 2):
            sock.sendall(store(number, f"1.2.{number}", b"x"))
            read_stored(sock)
        assert read_command(sock).field == CommandField.C_CANCEL_RQ
        sock.sendall(store(3, "1.2.3", b"late"))
        assert read_stored(sock).status == 0
        sock.sendall(got(CANCELLED, 5, 3, 0, 0))
        release(sock)

    getting = Getting()
    with acting_each(act) as target:
        (end,) = getting.all(target, limit=2)
    assert end == RetrieveResponse(CANCELLED, 5, 3, 0, 0, is_cancelled=True)
    # what was on its way is kept and told
    assert getting.uids == ["1.2.1", "1.2.2", "1.2.3"]


def test_wakeup_in_the_middle_of_an_object_cancels_and_keeps_the_object():
    wakeup = Wakeup()

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(store(1, "1.2", b"")[:-12] + data(3, 0, b"half"))
        assert not select.select([sock], [], [], 0.1)[0]
        wakeup.set()
        assert read_command(sock).field == CommandField.C_CANCEL_RQ
        sock.sendall(data(3, 2, b"rest"))
        assert read_stored(sock).status == 0
        sock.sendall(got(CANCELLED, 5, 1, 0, 0))
        release(sock)

    getting = Getting()
    with acting_each(act) as target:
        assert getting.all(target, wakeup=wakeup)[-1].status == CANCELLED
    assert [whole for _, whole in getting.handler.stored] == [b"halfrest"]


def endless_objects(sock: socket.socket) -> None:
    number = 0
    while True:
        number += 1
        sock.sendall(store(number, f"1.2.{number}", bytes(5000)))
        # an answer, or the C-CANCEL
        read_command(sock)


def endless_object(sock: socket.socket) -> None:
    sock.sendall(store(1, "1.2", b"")[:-12])
    while True:
        sock.sendall(data(3, 0, bytes(5000)))


@pytest.mark.parametrize("then", [endless_objects, endless_object])
def test_peer_that_never_stops_sending_has_a_second_after_a_wakeup(then):
    wakeup = Wakeup()
    began = time.monotonic()
    getting = Getting()

    def act(sock: socket.socket) -> None:
        wakeup.set()
        then(sock)

    with acting_each(says(then=act)) as target:
        end = getting.all(target, wakeup=wakeup)[-1]
    assert (end.status, end.is_cancelled) == (None, True)
    assert time.monotonic() - began < 20
    assert getting.handler.discarded == (then is endless_object)


@pytest.mark.parametrize(("said", "error", "words"), [row[1:] for row in GET_ROWS],
                         ids=[row[0] for row in GET_ROWS])  # fmt: skip
def test_misbehaviour_at_a_get_is_told_on_one_line_and_costs_the_timeout(said, error, words):
    check_misbehaviour(says(said, then=read_all), Getting().all, error, words)


WHOLE = store(1, "1.2", b"x")
BEGUN = store(1, "1.2", b"")[:-12]

OBJECT_ROWS = [
    ("stops in an object", BEGUN + data(3, 0, b"half"), LATE, "the rest of an object within 0.3 s"),
    ("stops before an object", BEGUN, LATE, "the rest of an object within 0.3 s"),
    ("stops after an object", WHOLE, LATE, "an answer to C-GET-RQ within 0.3 s"),
    ("speaks in an object", BEGUN + got(0), BROKEN, "command while a data set is open"),
    ("stores elsewhere", store(1, "1.2", b"x", context=5), BROKEN, "not accepted"),
    ("goes on elsewhere", BEGUN + data(1, 0, b"x"), BROKEN, "belongs to no command"),
    ("sends garbage in an object", BEGUN + b"HTTP/1.1 400 Bad\r\n", BROKEN, "type 48H"),
    ("aborts in an object", BEGUN + Abort(2, 6).encode(), GONE, "aborted the association"),
    ("releases in an object", BEGUN + RELEASE_RQ, GONE, "released the association"),
]


@pytest.mark.parametrize(("said", "error", "words"), [row[1:] for row in OBJECT_ROWS],
                         ids=[row[0] for row in OBJECT_ROWS])  # fmt: skip
def test_object_that_does_not_come_whole_leaves_nothing(said, error, words):
    getting = Getting()
    check_misbehaviour(says(said, then=read_all), getting.all, error, words)
    assert getting.handler.discarded == (said.startswith(BEGUN) and said != WHOLE)
    assert len(getting.told) == len(getting.handler.stored) == (said == WHOLE)


def test_object_that_dribbles_costs_one_deadline_for_each_mib():
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(BEGUN)
        for _ in range(500):
            sock.sendall(data(3, 0, b"xx"))
            if select.select([sock], [], [], 0.02)[0]:
                return

    with acting_each(act) as target, pytest.raises(PeerTimeout, match="the rest of an object"):
        Getting().all(target, dimse=0.3)


def test_object_of_a_peer_that_goes_before_the_answer_is_told():
    class Slow(MemoryHandler):
        def open_store(self, request):
            sink = super().open_store(request)
            finish = sink.finish

            def finish_late():
                whole.set()
                gone.wait(20)
                return finish()

            sink.finish = finish_late
            return sink

    whole, gone = threading.Event(), threading.Event()

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(WHOLE)
        assert whole.wait(20)
        raw.reset(sock)
        gone.set()

    getting = Getting(Slow())
    with acting_each(act) as target, pytest.raises(AssociationAborted):
        getting.all(target)
    assert len(getting.told) == len(getting.handler.stored) == 1


# -- words ---------------------------------------------------------------------------------------


def test_every_status_has_its_code_and_words_on_one_line():
    told = [explain_retrieve_status(status) for status in range(0x10000)]
    assert all(text.startswith(f"{status:04X}H") for status, text in enumerate(told))
    assert all(text.isprintable() and len(text) > 7 for text in told)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA701, "A701H out of resources, the matches cannot be counted"),
        (0xA702, "A702H out of resources, the sub-operations cannot be performed"),
        (0xA801, "A801H move destination unknown"),
        (0xA900, "A900H the identifier does not match the SOP class"),
        (0xC001, "C001H the peer cannot process it"),
        (0x0122, "0122H SOP class not supported"),
    ],
)
def test_status_says_what_it_means_for_a_retrieval(status, words):
    assert explain_retrieve_status(status).startswith(words)
