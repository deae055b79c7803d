"""`pacs getscu` through its entry point."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from pacs_cli.dicom.registry import storage_sop_classes
from pacs_cli.net.target import Target
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.pdu import Abort
from tests.commands.retrieving import OBJECTS, UIDS, failed_list, finds, holds, parsed
from tests.commands.test_movescu import kept
from tests.services.misbehaviour import read_all
from tests.services.raw import data
from tests.services.retrieving import (
    CANCELLED,
    GET,
    PENDING,
    Act,
    accept,
    acting_each,
    got,
    read_command,
    read_request,
    read_stored,
    release,
    sends,
    store,
)
from tests.support import CT, MR
from tests.writing import STUDY, dataset

KEY = ("-k", f"StudyInstanceUID={STUDY}")
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"


def place(target: Target) -> tuple[str, int]:
    return "127.0.0.1", target.port


@pytest.fixture
def get(pacs, tmp_path):
    """Run getscu against a peer whose associations are served by these acts."""

    def run(*acts: Act, typed: Sequence[object] = KEY, **options: object):
        with acting_each(*acts) as target:
            return pacs("getscu", *place(target), "--out", tmp_path / "out", *typed, **options)

    return run


def summary(result) -> dict:
    assert result.json[-1]["type"] == "summary"
    return result.json[-1]


def refuses_queries(sock: socket.socket, over: threading.Event) -> None:
    """Serve one association in which C-FIND is not accepted."""
    accept(sock, STUDY_ROOT)
    release(sock)


def without(act: Act) -> tuple[Act, Act]:
    """The same of a peer that serves no C-FIND."""
    return refuses_queries, act


def says(*said: bytes, then=release) -> Act:
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(b"".join(said))
        then(sock)

    return act


# -- what comes ----------------------------------------------------------------------------------


def test_what_comes_is_in_the_archive_byte_for_byte(get, tmp_path):
    statuses: list[int] = []
    act = sends(
        OBJECTS,
        got(0, None, 3, 0, 0),
        pending=lambda n: got(PENDING, 3 - n, n, 0, 0),
        answered=statuses,
    )
    result = get(finds(holds()), act, typed=(*KEY, "--json"))
    assert (result.exit, result.stderr, statuses) == (0, "", [0, 0, 0])
    assert kept(tmp_path / "out") == dict(OBJECTS)
    kinds = [each["type"] for each in result.json]
    assert kinds == ["instance", "progress"] * 3 + ["request", "summary"]
    last = summary(result)
    assert (last["expected"], last["arrived"], last["missing"], last["unexpected"]) == (3, 3, 0, 0)
    assert (last["completed"], last["bytes"]) == (3, sum(len(whole) for _, whole in OBJECTS))


def test_people_see_a_row_and_the_totals(get):
    result = get(finds(holds()), sends(OBJECTS, got(0, None, 3, 0, 0)))
    assert result.exit == 0
    header, row = [line.split("\t") for line in result.stdout.splitlines()]
    shown = dict(zip(header, row, strict=True))
    assert (shown["level"], shown["uid"], shown["arrived"]) == ("STUDY", STUDY, "3")
    assert "3 objects of 3 expected arrived from ANY-SCP" in result.stderr


def test_contexts_and_roles_are_those_of_what_the_peer_holds(get):
    proposed = []

    def act(sock: socket.socket, over: threading.Event) -> None:
        proposed.append(accept(sock))
        asked, identifier = read_request(sock)
        assert asked.field == CommandField.C_GET_RQ
        assert parsed(identifier).StudyInstanceUID == STUDY
        sock.sendall(got(0, None, 0, 0, 0))
        release(sock)

    queries: list = []
    get(finds(holds(sop_class=MR), queries), act)
    levels = [query.QueryRetrieveLevel for query in queries]
    assert levels == ["STUDY", "SERIES", "IMAGE"]
    assert "SOPClassUID" in queries[2]
    (request,) = proposed
    own, *others = request.contexts
    assert own.abstract_syntax == GET
    assert {each.abstract_syntax for each in others} == {MR}
    (role,) = request.user_information.role_selections
    assert (role.sop_class_uid, role.scu_role, role.scp_role) == (MR, False, True)


@pytest.mark.parametrize("held", [holds(sop_class=""), holds(sop_class="0")])
def test_peer_that_does_not_tell_its_sop_classes_is_proposed_all_of_them(get, held, tmp_path):
    act = sends(OBJECTS, got(0, None, 3, 0, 0))
    result = get(finds(held), act, typed=(*KEY, "--json"))
    assert result.exit == 0
    assert len(kept(tmp_path / "out")) == summary(result)["expected"] == 3


def test_peer_without_queries_is_asked_in_as_many_associations_as_it_takes(get, tmp_path):
    """What an association has no context for fails in it, and comes in a later one."""
    rare = max(storage_sop_classes())
    odd = ("1.2.3.7", dataset(rare, "1.2.3.7"))
    proposed: list[str] = []

    def act(sock: socket.socket, over: threading.Event) -> None:
        contexts = {each.abstract_syntax: each.id for each in reversed(accept(sock).contexts)}
        proposed.extend(uid for uid in contexts if uid != GET)
        read_request(sock)
        number = 0
        for sop_class, (uid, whole) in ((CT, OBJECTS[0]), (rare, odd)):
            if sop_class in contexts:
                number += 1
                sock.sendall(store(number, uid, whole, contexts[sop_class], sop_class))
                assert read_stored(sock).status == 0
        failed = [uid for c, uid in ((CT, UIDS[0]), (rare, odd[0])) if c not in contexts]
        end = (None, number, 2 - number, 0)
        sock.sendall(got(0xB000, *end, identifier=failed_list(*failed)))
        release(sock)

    rounds = [act] * 10
    result = get(refuses_queries, *rounds, typed=(*KEY, "--json"))
    assert result.exit == 0, result
    assert set(kept(tmp_path / "out")) == {UIDS[0], "1.2.3.7"}
    assert len(set(proposed)) == len(proposed) <= len(storage_sop_classes())
    requests = [each for each in result.json if each["type"] == "request"]
    assert [(each["completed"], each["failed"], each["arrived"]) for each in requests] == [
        (2, 0, 2)
    ]
    assert not [each for each in result.json if each["type"] == "difference"]
    assert "what it holds is not known before it comes" in result.stderr


def test_what_no_association_gets_has_failed(get):
    end = got(0xB000, None, 0, 2, 0, identifier=failed_list("1.2.8", "1.2.9"))
    result = get(refuses_queries, *[says(end)] * 10, typed=(*KEY, "--json"))
    assert result.exit == 5
    assert summary(result)["failed"] == 2
    assert [each["sop_instance_uid"] for each in result.json if each["type"] == "difference"] == [
        "1.2.8",
        "1.2.9",
    ]


def test_list_of_images_is_got_in_one_request(get, tmp_path):
    from tests.writing import SERIES

    (tmp_path / "list").write_text("".join(f"{STUDY} {SERIES} {uid}\n" for uid in UIDS))
    queries: list = []
    act = sends(OBJECTS, got(0, None, 3, 0, 0))
    typed = ("--from-file", tmp_path / "list", "--json")
    result = get(finds(holds(), queries), act, typed=typed)
    assert result.exit == 0, result
    assert [query.QueryRetrieveLevel for query in queries] == ["IMAGE"]
    (request,) = [each for each in result.json if each["type"] == "request"]
    assert (request["level"], request["uids"]) == ("IMAGE", list(UIDS))


def test_nothing_held_is_nothing_to_get(get):
    result = get(finds(holds([])), typed=(*KEY, "--json"))
    assert (result.exit, result.stderr, summary(result)["requests"]) == (0, "", 0)
    assert get(finds(holds([])), typed=(*KEY, "--fail-if-empty")).exit == 1


# -- what does not come --------------------------------------------------------------------------


def test_object_that_does_not_come_is_named(get):
    end = got(0xB000, None, 2, 1, 0, identifier=failed_list(UIDS[2]))
    result = get(finds(holds()), sends(OBJECTS[:2], end), typed=(*KEY, "--json"))
    assert result.exit == 1
    (difference,) = [each for each in result.json if each["type"] == "difference"]
    assert (difference["sop_instance_uid"], difference["difference"]) == (UIDS[2], "failed")
    assert "could not send 1 of 3 objects" in result.stderr


def test_peer_that_says_success_and_sends_less_than_it_holds_is_found_out(get):
    result = get(finds(holds()), sends(OBJECTS[:2], got(0, None, 2, 0, 0)), typed=(*KEY, "--json"))
    assert result.exit == 1
    assert "1 of 3 expected objects did not come" in result.stderr
    assert summary(result)["missing"] == 1


def test_peer_that_counts_more_than_it_sent_is_found_out(get):
    result = get(finds(holds()), sends(OBJECTS[:1], got(0, None, 3, 0, 0)), typed=(*KEY, "--json"))
    assert result.exit == 1
    assert "says that it has sent 3 objects, 1 came" in result.stderr
    assert summary(result)["missing"] == 2


def test_truncated_object_is_refused_and_not_said_to_have_arrived(get, tmp_path):
    statuses: list[int] = []
    cut = [OBJECTS[0], (UIDS[1], OBJECTS[1][1][:-30]), OBJECTS[2]]
    act = sends(cut, got(0xB000, None, 2, 1, 0), answered=statuses)
    result = get(finds(holds()), act, typed=(*KEY, "--json"))
    assert (result.exit, statuses) == (1, [0, 0xC000, 0])
    assert set(kept(tmp_path / "out")) == {UIDS[0], UIDS[2]}
    assert (summary(result)["arrived"], summary(result)["refused"]) == (2, 1)


def test_object_of_another_uid_than_its_command_says_is_refused(get, tmp_path):
    statuses: list[int] = []
    act = sends([("../../x", OBJECTS[0][1]), (UIDS[1], OBJECTS[0][1])], got(0xB000, None, 0, 2, 0),
                answered=statuses)  # fmt: skip
    result = get(finds(holds()), act)
    assert result.exit == 5
    assert statuses == [0xC000, 0xA900]
    assert kept(tmp_path / "out") == {}
    assert not list(tmp_path.glob("x*"))


def test_full_disk_is_our_failure(get):
    statuses: list[int] = []
    act = sends(OBJECTS, got(0xA702, None, 0, 3, 0), answered=statuses)
    result = get(finds(holds()), act, typed=(*KEY, "--min-free", "900T"))
    assert (result.exit, statuses) == (7, [0xA700] * 3)
    assert "objects were not kept here: A700H out of resources" in result.stderr


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (got(0xA701), "A701H out of resources, the matches cannot be counted"),
        (got(0xA702, None, 0, 3, 0), "A702H out of resources, the sub-operations cannot be"),
        (got(0xA900), "A900H the identifier does not match the SOP class"),
        (got(0xC000), "C000H the peer cannot process it"),
        (got(0xB000), "does not say how many"),
    ],
    ids=range(5),
)
def test_failure_is_told_on_one_line(get, end, words):
    result = get(finds(holds()), says(end))
    assert (result.exit, result.stderr.count("\n")) == (5, 1)
    assert words in result.stderr


def test_operation_that_is_not_accepted_is_told(get):
    def refuses(*uids: str) -> Act:
        def act(sock: socket.socket, over: threading.Event) -> None:
            accept(sock, *uids)
            read_all(sock)

        return act

    result = get(finds(holds()), refuses(GET))
    assert (result.exit, result.stderr.count("\n")) == (4, 1)
    assert "C-GET in the study root model was not accepted" in result.stderr
    result = get(finds(holds()), refuses(CT))
    assert (result.exit, result.stderr.count("\n")) == (4, 1)
    assert "accepted none to be sent over C-GET" in result.stderr


@pytest.mark.parametrize(
    "said",
    [b"", got(PENDING, 3, 0, 0, 0), store(1, "1.2", OBJECTS[0][1])[:200]],
    ids=["nothing", "after progress", "in an object"],
)
def test_peer_that_hangs_costs_the_timeout(get, said, tmp_path):
    result = get(finds(holds()), says(said, then=read_all), typed=(*KEY, "-td", 0.3))
    assert (result.exit, result.stderr.count("\n")) == (4, 1)
    assert "within 0.3 s" in result.stderr
    assert kept(tmp_path / "out") == {}


@pytest.mark.parametrize(
    "said",
    [
        got(0, number=9),
        data(1, 3, b"\xff" * 20),
        b"HTTP/1.1 400 Bad\r\n",
        Abort(2, 6).encode(),
        store(2, UIDS[1], b"")[:-12] + data(3, 0, OBJECTS[1][1][:90]) + Abort(0, 0).encode(),
    ],
    ids=["another id", "garbage", "HTTP", "abort", "abort in an object"],
)
def test_what_came_before_the_peer_broke_the_protocol_is_kept(get, said, tmp_path):
    def then(sock: socket.socket) -> None:
        read_stored(sock)
        sock.sendall(said)
        read_all(sock)

    act = says(store(1, *OBJECTS[0]), then=then)
    result = get(finds(holds()), act, typed=(*KEY, "--json"))
    assert result.exit == 1
    assert kept(tmp_path / "out") == dict(OBJECTS[:1])
    assert [path.name for path in (tmp_path / "out" / ".staging").iterdir()] == ["lock"]
    assert (summary(result)["arrived"], summary(result)["missing"]) == (1, 2)
    assert "Traceback" not in result.stderr


def test_limit_cancels_and_is_no_failure(get, tmp_path):
    def then(sock: socket.socket) -> None:
        read_stored(sock)
        assert read_command(sock).field == CommandField.C_CANCEL_RQ
        sock.sendall(got(CANCELLED, 2, 1, 0, 0))
        release(sock)

    act = says(store(1, *OBJECTS[0]), then=then)
    result = get(finds(holds()), act, typed=(*KEY, "--limit", 1, "--json"))
    assert (result.exit, result.stderr) == (0, "")
    assert (summary(result)["arrived"], summary(result)["cancelled"]) == (1, True)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ((), "nothing to retrieve: write -k KEY=VALUE"),
        (("-k", "PatientNam=x"), "did you mean PatientName?"),
        (("-k", "StudyInstanceUID=1.2", "-"), "both keys and a list"),
        (("x.dcm",), "cannot use x.dcm"),
        ((*KEY, "--duplicate", "keep"), "--duplicate keep"),
        ((*KEY, "--layout", "{PatientID}"), "SOPInstanceUID"),
    ],
)
def test_usage_error_is_told_on_one_line_before_anybody_is_called(pacs, tmp_path, typed, words):
    result = pacs("getscu", "127.0.0.1", 1, "--out", tmp_path / "out", *typed)
    assert (result.exit, result.stdout, result.stderr.count("\n")) == (2, "", 1), result
    assert words in result.stderr
    assert not (tmp_path / "out").exists()


def test_folder_has_to_be_said_and_usable(pacs, tmp_path):
    result = pacs("getscu", "127.0.0.1", 1, *KEY)
    assert (result.exit, "no folder to receive into" in result.stderr) == (2, True)
    (tmp_path / "file").write_text("")
    assert pacs("getscu", "127.0.0.1", 1, *KEY, "--out", tmp_path / "file").exit == 7


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["text", "json"])
def test_ctrl_c_in_the_middle_of_an_object_cancels_and_keeps_what_came(json, tmp_path):
    whole = store(2, *OBJECTS[1])

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(store(1, *OBJECTS[0]))
        read_stored(sock)
        sock.sendall(whole[:200])
        began.set()
        assert read_command(sock).field == CommandField.C_CANCEL_RQ
        sock.sendall(whole[200:])
        read_stored(sock)
        sock.sendall(got(CANCELLED, 1, 2, 0, 0))
        release(sock)

    began = threading.Event()
    with acting_each(finds(holds()), act) as target:
        out = ("--out", str(tmp_path / "out"))
        command = ["getscu", *map(str, place(target)), *out, *KEY, *json]
        with subprocess.Popen(
            [sys.executable, "-m", "pacs_cli", *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert began.wait(20)
            os.kill(process.pid, signal.SIGINT)
            stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == "pacs getscu: interrupted"
    assert "Traceback" not in stderr
    assert kept(tmp_path / "out") == dict(OBJECTS[:2])
    told = stdout if json else stderr
    assert ('"arrived": 2' if json else "2 objects of 3 expected arrived") in told
    assert "missing" not in stderr
