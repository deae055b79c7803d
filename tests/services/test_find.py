"""Session.find: matches as they come, how it ends, C-CANCEL, and peers that misbehave."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable

import pytest

from pacs_cli.errors import (
    AssociationAborted,
    PacsError,
    PeerProtocolError,
    PeerTimeout,
)
from pacs_cli.net.channel import Wakeup
from pacs_cli.services.query_diagnosis import explain_find_status
from pacs_cli.services.results import FindResponse
from pacs_cli.services.scu import MAX_IDENTIFIER, Session
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.pdu import RELEASE_RQ, Abort
from pacs_cli.wire.userinfo import ExtendedNegotiation, RoleSelection, UserInformation
from tests.services import raw
from tests.services.finding import (
    CANCELLED,
    OFFER,
    PENDING,
    PENDING_WARNING,
    STUDY_ROOT,
    Finder,
    accept,
    acting,
    match,
    read_command,
    read_query,
    release,
    response,
)
from tests.services.misbehaviour import patient, read_all
from tests.services.raw import command, data, read_pdu
from tests.support import CT

QUERY = b"what is asked"


def find_all(target, limit=None, wakeup=None, **timeouts) -> list[FindResponse]:
    with Session(patient(target, **timeouts), OFFER, wakeup=wakeup) as session:
        return list(session.find(1, QUERY, limit))


# -- what comes back -----------------------------------------------------------------------------


def test_matches_come_in_order_and_the_end_comes_last():
    def answer(query: bytes):
        return [(PENDING, b"one"), (PENDING_WARNING, b"two"), (PENDING, b""), (0, None)]

    finder = Finder(answer)
    with finder.serving() as target:
        found = find_all(target)
    assert finder.queries == [QUERY]
    assert [(each.status, each.identifier) for each in found] == [
        (PENDING, b"one"),
        (PENDING_WARNING, b"two"),
        (PENDING, b""),
        (0, b""),
    ]
    assert [each.is_pending for each in found] == [True, True, True, False]
    assert [each.has_unsupported_keys for each in found] == [False, True, False, False]
    assert not any(each.is_cancelled for each in found)
    assert finder.cancels == []


def test_request_says_class_and_priority_and_each_query_has_its_number():
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        for _ in range(2):
            asked.append(read_command(sock))
            read_pdu(sock)
            sock.sendall(response(0, asked[-1].message_id))
        release(sock)

    asked = []
    with acting(act) as target, Session(target, OFFER) as session:
        for _ in range(2):
            assert [each.status for each in session.find(1, QUERY)] == [0]
    assert [each.message_id for each in asked] == [1, 2]
    assert asked[0].elements == {
        "AffectedSOPClassUID": STUDY_ROOT,
        "Priority": 0,
        "MessageID": 1,
    }
    assert (asked[0].field, asked[0].has_data_set) == (CommandField.C_FIND_RQ, True)


@pytest.mark.parametrize(
    "pieces", [[b"a", b"", b"bc", b""], [b"", b"abc"], [b"a", b"b", b"c"]], ids=len
)
def test_identifier_may_come_in_any_fragments(pieces):
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(response(PENDING, has_data_set=True))
        for piece in pieces[:-1]:
            sock.sendall(data(1, 0, piece))
        sock.sendall(data(1, 2, pieces[-1]) + response(0))
        release(sock)

    with acting(act) as target:
        first, _ = find_all(target)
    assert first.identifier == b"abc"


def test_end_tells_the_comment_and_the_offending_elements():
    more = {"ErrorComment": "no such key", "OffendingElement": (0x00100010, 0x00080052)}
    with Finder(lambda _: [(0xA900, more)]).serving() as target:
        (end,) = find_all(target)
    assert end == FindResponse(0xA900, b"", "no such key", (0x00100010, 0x00080052))


def test_end_with_a_data_set_that_means_nothing_is_an_end():
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(match(b"nothing", status=0))
        release(sock)

    with acting(act) as target:
        assert find_all(target) == [FindResponse(0)]


@pytest.mark.parametrize(
    ("status", "is_warning"),
    [(0, False), (0xB000, True), (0x0001, True), (0xA700, False), (0xC001, False), (None, False)],
)
def test_end_with_a_warning_is_known(status, is_warning):
    assert FindResponse(status).is_warning is is_warning


def test_what_is_negotiated_besides_contexts_is_proposed():
    negotiation = UserInformation(
        maximum_length=1,
        implementation_class_uid="1.2.3",
        role_selections=(RoleSelection(CT, scu_role=True, scp_role=True),),
        extended_negotiations=(ExtendedNegotiation(STUDY_ROOT, b"\1\0\1"),),
    )
    finder = Finder(lambda _: [(0, None)], extended=b"\1\0\0")
    with finder.serving() as target, Session(target, OFFER, negotiation) as session:
        answered = session.answer.user_information.extended_negotiations
    assert answered == (ExtendedNegotiation(STUDY_ROOT, b"\1\0\0"),)
    proposed = finder.request.user_information
    assert proposed.extended_negotiations == negotiation.extended_negotiations
    assert proposed.role_selections == negotiation.role_selections
    # who we are and what we take is not the caller's to say
    assert (proposed.maximum_length, proposed.implementation_class_uid) != (1, "1.2.3")
    assert proposed.maximum_length == target.max_pdu


def test_every_match_has_the_timeout_to_itself():
    """Eight matches with a pause before each, all of them together longer than the timeout."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        for _ in range(8):
            # nothing comes meanwhile
            assert not select.select([sock], [], [], 0.2)[0]
            sock.sendall(match(b"one"))
        sock.sendall(response(0))
        release(sock)

    began = time.monotonic()
    with acting(act) as target:
        assert len(find_all(target, dimse=1.5)) == 9
    assert time.monotonic() - began > 1.5


# -- C-CANCEL ------------------------------------------------------------------------------------


def cancellable(matches: int, *after: bytes, then: Callable[..., object] = release):
    """Say so many matches, read a C-CANCEL, say the rest."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        for number in range(matches):
            sock.sendall(match(b"%d" % number))
        cancel = read_command(sock)
        assert (cancel.field, cancel.message_id) == (CommandField.C_CANCEL_RQ, 1)
        assert not cancel.has_data_set
        sock.sendall(b"".join(after))
        then(sock)

    return act


@pytest.mark.parametrize("status", [CANCELLED, 0, 0xA700])
@pytest.mark.parametrize("more", [0, 3])
def test_limit_cancels_and_drops_what_still_comes(status, more):
    act = cancellable(2, *[match(b"late")] * more, response(status))
    with acting(act) as target:
        found = find_all(target, limit=2)
    assert [each.identifier for each in found] == [b"0", b"1", b""]
    assert found[-1] == FindResponse(status, is_cancelled=True)


def test_limit_that_is_not_reached_cancels_nothing():
    finder = Finder(lambda _: [(PENDING, b"one"), (0, None)])
    with finder.serving() as target:
        assert find_all(target, limit=2)[-1] == FindResponse(0)
    assert finder.cancels == []


def test_query_after_a_cancelled_one_is_a_new_one():
    finder = Finder(lambda _: [(PENDING, b"one"), (PENDING, b"two"), (0, None)])
    with finder.serving() as target, Session(target, OFFER) as session:
        for _ in range(2):
            one, end = session.find(1, QUERY, limit=1)
            assert (one.identifier, end.is_cancelled) == (b"one", True)
    assert finder.cancels == [1, 2]


def endless(sock: socket.socket) -> None:
    """Send matches until the other side closes."""
    while True:
        sock.sendall(match(b"late") * 50)


@pytest.mark.parametrize(
    ("then", "words"),
    [
        (endless, "did not send the end of what was cancelled within 0.3 s"),
        (read_all, "did not send the end of what was cancelled within 0.3 s"),
        (lambda sock: sock.sendall(Abort(0, 0).encode()), "aborted the association"),
        (lambda sock: None, "closed the connection"),
        (lambda sock: raw.reset(sock), "closed the connection"),
        (lambda sock: sock.sendall(RELEASE_RQ) or read_all(sock), "released the association"),
        (lambda sock: sock.sendall(b"HTTP/1.1 400 Bad") or read_all(sock), "broke the protocol"),
        (lambda sock: sock.sendall(response(0, 7)) or read_all(sock), "number 7"),
    ],
    ids=["endless", "silent", "aborts", "closes", "resets", "releases", "HTTP", "another id"],
)
def test_matches_stay_what_they_are_when_a_cancel_ends_badly(then, words):
    with acting(cancellable(1, then=then)) as target:
        found = find_all(target, limit=1, dimse=0.3)
    assert found[0].identifier == b"0"
    assert (found[1].status, found[1].is_cancelled) == (None, True)
    assert words in found[1].comment


def test_wakeup_cancels_while_a_match_is_awaited():
    wakeup = Wakeup()

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(match(b"0"))
        assert not select.select([sock], [], [], 0.1)[0]
        wakeup.set()
        assert read_command(sock).field == CommandField.C_CANCEL_RQ
        sock.sendall(match(b"late") + response(CANCELLED))
        release(sock)

    with acting(act) as target:
        found = find_all(target, wakeup=wakeup)
    assert [each.identifier for each in found] == [b"0", b""]
    assert found[-1] == FindResponse(CANCELLED, is_cancelled=True)


def test_wakeup_cancels_in_the_middle_of_a_match():
    """What has arrived of it is kept, or its rest would make no sense."""
    wakeup = Wakeup()

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(response(PENDING, has_data_set=True) + data(1, 0, b"half"))
        assert not select.select([sock], [], [], 0.1)[0]
        wakeup.set()
        assert read_command(sock).field == CommandField.C_CANCEL_RQ
        sock.sendall(data(1, 2, b"rest") + response(CANCELLED))
        release(sock)

    with acting(act) as target:
        assert find_all(target, wakeup=wakeup) == [FindResponse(CANCELLED, is_cancelled=True)]


@pytest.mark.parametrize("then", [read_all, endless], ids=["silent", "endless"])
def test_peer_that_does_not_heed_a_wakeup_has_a_second(then):
    wakeup = Wakeup()
    wakeup.set()
    began = time.monotonic()
    with acting(cancellable(0, then=then)) as target:
        (end,) = find_all(target, wakeup=wakeup, dimse=60, acse=60)
    assert end.status is None
    assert time.monotonic() - began < 20


def test_wakeup_while_the_end_of_a_cancelled_query_is_awaited_shortens_the_wait():
    wakeup = Wakeup()

    def act(sock: socket.socket) -> None:
        wakeup.set()
        read_all(sock)

    began = time.monotonic()
    with acting(cancellable(1, then=act)) as target:
        _, end = find_all(target, limit=1, wakeup=wakeup, dimse=60)
    assert (end.status, end.comment.count("within 1 s")) == (None, 1)
    assert time.monotonic() - began < 20


def test_release_after_a_wakeup_has_a_second():
    wakeup = Wakeup()
    wakeup.set()
    began = time.monotonic()
    with acting(cancellable(0, response(CANCELLED), then=read_all)) as target:
        with pytest.raises(PeerTimeout, match="an answer within 1 s"):
            find_all(target, wakeup=wakeup, acse=60)
    assert time.monotonic() - began < 20


# -- peers that misbehave ------------------------------------------------------------------------

LATE, GONE, BROKEN = PeerTimeout, AssociationAborted, PeerProtocolError
HALF = response(PENDING, has_data_set=True) + data(1, 0, b"half")
NO_STATUS = raw.pdu(
    4,
    raw.pdv(
        1,
        3,
        b"".join(
            (
                b"\0\0\0\1\2\0\0\0\x20\x80",
                b"\0\0\x20\1\2\0\0\0\1\0",
                b"\0\0\0\x08\2\0\0\0\1\1",
            )
        ),
    ),
)
STORED = data(1, 3, command(CommandField.C_STORE_RSP, MessageIDBeingRespondedTo=1, Status=0))
LONG = [data(1, 0, bytes(16000))] * (MAX_IDENTIFIER // 16000 + 1)

ROWS = [
    ("says nothing", b"", LATE, "an answer to C-FIND-RQ within 0.3 s"),
    ("stops in a match", HALF, LATE, "an answer to C-FIND-RQ within 0.3 s"),
    ("stops after a match", match(b"one"), LATE, "an answer to C-FIND-RQ"),
    ("stops in a PDU", match(b"one")[:-1], LATE, "within 0.3 s"),
    ("answers another id", match(b"one", number=7), BROKEN, "number 7"),
    ("ends another id", response(0, number=7), BROKEN, "number 7"),
    ("answers a store", STORED, BROKEN, "with C-STORE-RSP"),
    ("asks back", data(1, 3, raw.echo(sop_class=STUDY_ROOT)), BROKEN, "with C-ECHO-RQ"),
    ("answers elsewhere", data(3, 3, command(0x8020, MessageIDBeingRespondedTo=1, Status=0)),
     BROKEN, "not accepted"),
    ("has no status", NO_STATUS, BROKEN, "without Status"),
    ("has no identifier", response(PENDING), BROKEN, "a match without an identifier"),
    ("speaks in a match", HALF + response(0), BROKEN, "command while a data set is open"),
    ("sends a data set alone", data(1, 2, b"one"), BROKEN, "belongs to no command"),
    ("sends garbage", data(1, 3, b"\xff" * 20), BROKEN, "broke the protocol"),
    ("speaks HTTP", b"HTTP/1.1 400 Bad\r\n", BROKEN, "type 48H"),
    ("sends too much", response(PENDING, has_data_set=True) + b"".join(LONG), BROKEN, "over 1048"),
    ("aborts", Abort(0, 0).encode(), GONE, "aborted the association"),
    ("aborts in a match", HALF + Abort(2, 6).encode(), GONE, "aborted the association"),
    ("releases", RELEASE_RQ, GONE, "released the association instead of an answer to C-FIND-RQ"),
    ("releases in a match", HALF + RELEASE_RQ, GONE, "released the association instead"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "error", "words"), [row[1:] for row in ROWS],
                         ids=[row[0] for row in ROWS])  # fmt: skip
def test_misbehaviour_is_told_on_one_line_and_costs_the_timeout(
    said: bytes, error: type[PacsError], words: str
):
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(said)
        read_all(sock)

    with acting(act) as target:
        with pytest.raises(error) as caught:
            find_all(target, dimse=0.3 if error is LATE else 10)
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert target.address in str(caught.value)


@pytest.mark.parametrize("end", [lambda sock: None, raw.reset])
@pytest.mark.parametrize("said", [b"", HALF, match(b"one"), b"\x04\0"])
def test_peer_that_goes_away_is_told(end, said):
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(said)
        end(sock)

    with acting(act) as target, pytest.raises(AssociationAborted, match="closed the connection"):
        find_all(target)


def test_match_that_dribbles_costs_one_total_deadline():
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(response(PENDING, has_data_set=True))
        for _ in range(500):
            sock.sendall(data(1, 0, b"x"))
            if select.select([sock], [], [], 0.02)[0]:
                return

    with acting(act) as target, pytest.raises(PeerTimeout, match="an answer to C-FIND-RQ"):
        find_all(target, dimse=0.3)


def test_longest_identifier_is_taken():
    whole = bytes(range(256)) * (MAX_IDENTIFIER // 256)

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(response(PENDING, has_data_set=True))
        for at in range(0, len(whole) - 16384, 16384):
            sock.sendall(data(1, 0, whole[at : at + 16384]))
        sock.sendall(data(1, 2, whole[-16384:]) + response(0))
        release(sock)

    with acting(act) as target:
        assert find_all(target)[0].identifier == whole


def test_matches_before_the_end_of_the_association_are_told():
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_query(sock)
        sock.sendall(match(b"one") + match(b"two") + Abort(0, 0).encode())
        read_all(sock)

    found: list[bytes] = []
    with acting(act) as target, pytest.raises(AssociationAborted):
        with Session(target, OFFER) as session:
            found.extend(each.identifier for each in session.find(1, QUERY))
    assert found == [b"one", b"two"]


# -- words ---------------------------------------------------------------------------------------


def test_every_status_has_its_code_and_words_on_one_line():
    told = [explain_find_status(status) for status in range(0x10000)]
    assert all(text.startswith(f"{status:04X}H") for status, text in enumerate(told))
    assert all(text.isprintable() and len(text) > 7 for text in told)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0x0000, "0000H success"),
        (0xA700, "A700H out of resources; the peer cannot serve it now"),
        (0xA900, "A900H the query does not match the SOP class; check the level"),
        (0xC001, "C001H the peer cannot process the query; ask for fewer keys"),
        (0x0122, "0122H SOP class not supported"),
        (0x0124, "0124H not authorised"),
        (0xFE00, "FE00H cancelled, though nobody asked"),
        (0xFF01, "FF01H pending, some optional keys are not supported"),
    ],
)
def test_status_says_what_it_means_for_a_query(status, words):
    assert explain_find_status(status).startswith(words)
