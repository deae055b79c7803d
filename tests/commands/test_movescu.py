"""`pacs movescu` through its entry point."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import AssociationRejected
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scu import Session
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.pdu import Abort
from tests.commands.retrieving import OBJECTS, UIDS, failed_list, finds, holds, parsed
from tests.dicom.datasets import LITTLE, element
from tests.interop.peers import free_port
from tests.services.misbehaviour import read_all
from tests.services.raw import data
from tests.services.retrieving import (
    CANCELLED,
    MOVE,
    PENDING,
    Act,
    accept,
    acting_each,
    moved,
    read_command,
    read_request,
    release,
    says,
)
from tests.support import CT, EXPLICIT
from tests.writing import STUDY

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
KEY = ("-k", f"StudyInstanceUID={STUDY}")


def place(target: Target) -> tuple[str, int]:
    return "127.0.0.1", target.port


@pytest.fixture
def move(pacs):
    """Run movescu to another node, against a peer that acts so."""

    def run(*acts: Act, typed: Sequence[object] = KEY, **options: object):
        with acting_each(*acts) as target:
            return pacs("movescu", *place(target), "--dest", "WS", *typed, **options)

    return run


def summary(result) -> dict:
    assert result.json[-1]["type"] == "summary"
    return result.json[-1]


# -- to another node -----------------------------------------------------------------------------


def test_study_is_moved_and_counted(move):
    asked = []

    def act(sock: socket.socket, over: threading.Event) -> None:
        (context,) = accept(sock).contexts
        assert context.abstract_syntax == MOVE
        request, query = read_request(sock)
        asked.append((request["MoveDestination"], parsed(query)))
        sock.sendall(moved(PENDING, 2, 1, 0, 0) + moved(0, None, 2, 0, 1))
        release(sock)

    result = move(act)
    assert (result.exit, result.stderr.count("\n")) == (0, 1)
    header, row = [line.split("\t") for line in result.stdout.splitlines()]
    shown = dict(zip(header, row, strict=True))
    assert (shown["uid"], shown["status"], shown["completed"], shown["arrived"]) == (
        *(STUDY, "0000", "2"),
        "",
    )
    assert f"3 objects moved from ANY-SCP (127.0.0.1:{result.stderr.split(':')[1][:5]}" in (
        result.stderr
    )
    ((destination, query),) = asked
    assert destination == "WS"
    assert (query.QueryRetrieveLevel, query.StudyInstanceUID) == ("STUDY", STUDY)
    assert len(query) == 2


def test_json_has_progress_requests_and_a_summary_last(move):
    result = move(says(moved(PENDING, 1, 1, 0, 0), moved(0, None, 2, 0, 0)), typed=(*KEY, "--json"))
    assert (result.exit, result.stderr) == (0, "")
    progress, request, last = result.json
    assert progress == {
        "type": "progress", "remaining": 1, "completed": 1, "warnings": 0, "failed": 0,
    }  # fmt: skip
    assert request.pop("seconds") >= 0
    assert last.pop("seconds") > 0
    assert request == {
        "type": "request",
        "number": 1,
        "level": "STUDY",
        "uids": [STUDY],
        "status": "0000",
        "completed": 2,
        "warnings": 0,
        "failed": 0,
        "remaining": 0,
        "arrived": None,
        "cancelled": False,
        "comment": None,
        "error": None,
    }
    assert last == {
        "type": "summary",
        "peer": "127.0.0.1",
        "destination": "WS",
        "model": "study root",
        "requests": 1,
        "failed_requests": 0,
        "expected": None,
        "completed": 2,
        "warnings": 0,
        "failed": 0,
        "remaining": 0,
        "arrived": None,
        "already_held": None,
        "refused": None,
        "missing": None,
        "unexpected": None,
        "bytes": None,
        "cancelled": False,
    }
    for name in ("progress", "request", *progress, *request, *last):
        assert f"`{name}`" in DOCUMENTED


def test_csv_has_a_row_for_each_request(move):
    result = move(says(moved(PENDING, 1, 1, 0, 0), moved(0, None, 2, 0, 0)), typed=(*KEY, "--csv"))
    header, row = [line.split(",") for line in result.stdout.splitlines()]
    assert dict(zip(header, row, strict=True))["uids"] == STUDY


def test_terminal_shows_a_table(move):
    act = says(moved(PENDING, 1, 1, 0, 0), moved(0, None, 2, 0, 0))
    result = move(act, terminal=True)
    assert result.stdout.startswith("retrieving from ANY-SCP")
    assert "2 objects moved" in result.stdout
    # drawn at once, and taken away again
    assert "0/2" in result.stderr
    assert result.stderr.endswith("\r")


def test_partial_success_exits_1_and_lists_what_failed(move):
    end = moved(0xB000, None, 1, 2, 0, identifier=failed_list("1.2.8", "1.2.9"))
    result = move(says(end), typed=(*KEY, "--json"))
    assert result.exit == 1
    differences = [each for each in result.json if each["type"] == "difference"]
    assert [(each["sop_instance_uid"], each["difference"]) for each in differences] == [
        ("1.2.8", "failed"),
        ("1.2.9", "failed"),
    ]
    assert "could not send 2 of 3 objects" in result.stderr
    assert summary(result)["failed"] == 2
    for name in ("difference", *differences[0]):
        assert f"`{name}`" in DOCUMENTED


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        (moved(0xA801), 5, "A801H move destination unknown; configure it there: AE title WS"),
        (moved(0xA702, 0, 0, 3, 0), 5, "A702H out of resources, the sub-operations cannot be"),
        (moved(0xA700), 5, "A700H out of resources"),
        (moved(0xA900, ErrorComment="no level"), 5, "check the level, its unique keys and the"),
        (moved(0xC001, OffendingElement=(0x00080052,)), 5, "it names QueryRetrieveLevel"),
        (moved(0xFE00), 5, "FE00H cancelled, though nobody asked for that"),
        (moved(0xB000, 0, 0, 3, 0), 5, "could not send 3 of 3 objects"),
        (moved(0xB000), 5, "does not say how many"),
        (moved(0xA702, 0, 1, 2, 0), 1, "A702H out of resources"),
        (moved(0, None, 1, 2, 0), 1, "do not add up: success with 2 failed"),
        (moved(PENDING, 8, 1, 0, 0) + moved(0, None, 1, 0, 0), 1, "9 sub-operations were"),
        (moved(PENDING, 8, 0, 0, 0) + moved(0, None, 0, 0, 0), 5, "8 sub-operations were"),
    ],
    ids=range(12),
)  # fmt: skip
def test_failure_is_told_on_one_line_with_its_exit_code(move, end, code, words):
    result = move(says(end))
    assert result.exit == code
    lines = [line for line in result.stderr.splitlines() if " moved from" not in line]
    assert len(lines) == 1
    assert words in lines[0]


def test_warnings_are_done(move):
    assert move(says(moved(0xB000, None, 1, 0, 2))).exit == 0


def test_nothing_moved_is_no_failure_unless_asked(move):
    assert move(says(moved(0, None, 0, 0, 0))).exit == 0
    assert move(says(moved(0, None, 0, 0, 0)), typed=(*KEY, "--fail-if-empty")).exit == 1


def test_hostile_list_of_what_failed_is_a_warning(move):
    names = [element(LITTLE, 0x00080058, "UI", each) for each in (b"../../x\0", b"\x1b[2J")]
    for hostile in (b"garbage", *names):
        result = move(says(moved(0xB000, None, 1, 1, 0, identifier=hostile)))
        assert result.exit == 1
        assert "cannot read the list of what failed" in result.stderr
        assert "\x1b" not in result.stderr


# -- what is asked -------------------------------------------------------------------------------


def test_other_keys_are_looked_for_first_and_moved_by_their_unique_keys(move):
    queries, moves = [], []

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        moves.append(parsed(read_request(sock)[1]))
        sock.sendall(moved(0, None, 3, 0, 0))
        release(sock)

    result = move(finds(holds(), queries), act, typed=("-k", "PatientName=DOE*"))
    assert result.exit == 0
    assert (queries[0].PatientName, queries[0].QueryRetrieveLevel) == ("DOE*", "STUDY")
    assert (moves[0].StudyInstanceUID, len(moves[0])) == (STUDY, 2)


def test_query_that_matches_nothing_moves_nothing(move):
    typed = ("-k", "PatientName=DOE*", "--json")
    result = move(finds(holds([])), typed=typed)
    assert (result.exit, summary(result)["requests"]) == (0, 0)
    assert move(finds(holds([])), typed=(*typed, "--fail-if-empty")).exit == 1
    result = move(finds(holds([])), typed=typed[:2])
    assert "nothing to retrieve from ANY-SCP" in result.stderr


def test_failure_of_the_query_is_the_failure(move):
    result = move(finds(holds([]), status=0xA700), typed=("-k", "PatientName=DOE*"))
    assert (result.exit, result.stderr.count("\n")) == (5, 1)
    assert "answered C-FIND" in result.stderr


def answering(moves: list, *ends: bytes) -> Act:
    """Answer one request after the other with these."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        for end in ends:
            moves.append(parsed(read_request(sock)[1]))
            sock.sendall(end)
        release(sock)

    return act


def test_lines_of_findscu_are_moved_each_at_its_level(move, monkeypatch):
    rows = [
        {"type": "match", "level": "STUDY", "StudyInstanceUID": "1.2"},
        {
            "type": "match", "level": "SERIES", "StudyInstanceUID": "1.3",
            "SeriesInstanceUID": "1.3.1",
        },
        {"type": "summary", "matches": 2},
    ]  # fmt: skip
    text = "".join(json.dumps(row) + "\n" for row in rows)
    for typed in (("-",), ("--from-file", "-")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        moves: list = []
        ends = [moved(0, None, 1, 0, 0, number=number) for number in (1, 2)]
        result = move(answering(moves, *ends), typed=typed)
        assert result.exit == 0, result
        assert [each.QueryRetrieveLevel for each in moves] == ["STUDY", "SERIES"]
        assert moves[1].SeriesInstanceUID == "1.3.1"


def test_list_of_uids_is_moved_and_one_failure_costs_itself_only(move, tmp_path):
    (tmp_path / "list").write_text("1.2\n1.3\n1.4\n")
    moves: list = []
    ends = [moved(0, None, 1, 0, 0), moved(0xA900, number=2), moved(0, None, 1, 0, 0, number=3)]
    typed = ("--from-file", tmp_path / "list", "--json")
    result = move(answering(moves, *ends), typed=typed)
    assert result.exit == 1
    assert [each.StudyInstanceUID for each in moves] == ["1.2", "1.3", "1.4"]
    assert (summary(result)["failed_requests"], summary(result)["completed"]) == (1, 2)


def test_batch_asks_for_several_in_one_request(move, tmp_path):
    (tmp_path / "list").write_text("1.2\n1.3\n1.4\n")
    moves: list = []
    ends = [moved(0, None, 2, 0, 0), moved(0, None, 1, 0, 0, number=2)]
    typed = ("--from-file", tmp_path / "list", "--batch", 2)
    assert move(answering(moves, *ends), typed=typed).exit == 0
    assert list(moves[0].StudyInstanceUID) == ["1.2", "1.3"]


def test_empty_list_is_nothing_to_do(pacs, tmp_path):
    (tmp_path / "list").write_text('{"type": "summary", "matches": 0}\n')
    typed = ("movescu", "127.0.0.1", 1, "--dest", "WS", "--from-file", tmp_path / "list")
    assert pacs(*typed).exit == 0
    assert pacs(*typed, "--fail-if-empty").exit == 1


def test_limit_cancels(move):
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(moved(PENDING, 4, 1, 0, 0) + moved(PENDING, 3, 2, 0, 0))
        assert read_command(sock).field == CommandField.C_CANCEL_RQ
        sock.sendall(moved(CANCELLED, 3, 2, 0, 0))
        release(sock)

    result = move(act, typed=(*KEY, "--limit", 2, "--json"))
    assert (result.exit, result.stderr) == (0, "")
    assert (summary(result)["cancelled"], summary(result)["completed"]) == (True, 2)


# -- lost associations ---------------------------------------------------------------------------


def test_next_request_goes_over_another_association_when_one_is_lost(move, tmp_path):
    (tmp_path / "list").write_text("1.2\n1.3\n")
    lost = says(moved(PENDING, 1, 1, 0, 0), Abort(0, 0).encode(), then=read_all)
    typed = ("--from-file", tmp_path / "list", "--json")
    result = move(lost, says(moved(0, None, 1, 0, 0)), typed=typed)
    assert result.exit == 1
    first, second = [each for each in result.json if each["type"] == "request"]
    assert (first["status"], first["completed"]) == (None, 1)
    assert "aborted the association" in first["error"]
    assert (second["status"], second["error"]) == ("0000", None)


def test_peer_that_is_lost_twice_is_given_up(move, tmp_path):
    (tmp_path / "list").write_text("1.2\n1.3\n1.4\n")
    lost = says(Abort(0, 0).encode(), then=read_all)
    result = move(lost, lost, typed=("--from-file", tmp_path / "list", "--json"))
    assert result.exit == 4
    errors = [each["error"] for each in result.json if each["type"] == "request"]
    assert len(errors) == 3
    assert errors[2].startswith("not asked for, as the peer was given up")


@pytest.mark.parametrize("said", [b"", moved(PENDING, 3, 0, 0, 0), moved(0)[:-1]])
def test_peer_that_hangs_costs_the_timeout(move, said):
    result = move(says(said, then=read_all), typed=(*KEY, "-td", 0.3))
    assert (result.exit, result.stderr.count("\n")) == (4, 1)
    assert "within 0.3 s" in result.stderr


@pytest.mark.parametrize(
    "said",
    [moved(0, number=9), data(1, 3, b"\xff" * 20), b"HTTP/1.1 400 Bad\r\n", Abort(2, 6).encode()],
    ids=["another id", "garbage", "HTTP", "abort"],
)
@pytest.mark.parametrize("before", [b"", moved(PENDING, 1, 2, 0, 0)], ids=["nothing", "some"])
def test_peer_that_breaks_the_protocol_is_told_once(move, said, before):
    result = move(says(before, said, then=read_all))
    assert result.exit == (1 if before else 4)
    lines = [line for line in result.stderr.splitlines() if "objects moved" not in line]
    assert len(lines) == 1


def test_failing_release_after_the_last_answer_is_a_warning(move):
    result = move(says(moved(0, None, 1, 0, 0), then=lambda sock: None))
    assert result.exit == 0
    assert result.stderr.startswith("warning: ")


# -- received here -------------------------------------------------------------------------------


def storing(
    port: int,
    objects: Sequence[tuple[str, bytes]],
    end: bytes,
    title: str = "PACS",
    statuses: list[int] | None = None,
) -> Act:
    """Accept, read a C-MOVE, send these to the port as an SCU, and say this."""

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        request, _ = read_request(sock)
        assert request["MoveDestination"] == "PACS"
        target = Target("us", "127.0.0.1", port, title, "PEER", Timeouts(10, 10, 10, 10))
        with suppress(AssociationRejected):
            with Session(target, (Proposal(CT, (EXPLICIT,)),)) as session:
                for uid, whole in objects:
                    status = session.store(1, CT, uid, (whole,)).status
                    if statuses is not None:
                        statuses.append(status)
        sock.sendall(end)
        release(sock)

    return act


@pytest.fixture
def receive(pacs, tmp_path):
    """Run movescu to itself, against a peer that sends these objects and says this."""

    def run(objects, end: bytes, *typed: object, before: Sequence[Act] = (), **options: object):
        port = free_port()
        with acting_each(*before, storing(port, objects, end, **options)) as target:
            where = ("--receive", port, "--out", tmp_path / "out")
            return pacs("movescu", *place(target), *where, *KEY, *typed)

    return run


def kept(folder: Path) -> dict[str, bytes]:
    """Return the data sets in the archive by UID."""
    return {
        path.stem: path.read_bytes()[probe(path).dataset_offset :] for path in folder.rglob("*.dcm")
    }


def test_what_arrives_is_in_the_archive_byte_for_byte(receive, tmp_path):
    result = receive(OBJECTS, moved(0, None, 3, 0, 0), "--json")
    assert (result.exit, result.stderr) == (0, "")
    assert kept(tmp_path / "out") == dict(OBJECTS)
    kinds = [each["type"] for each in result.json]
    assert kinds == ["listening", "instance", "instance", "instance", "request", "summary"]
    last = summary(result)
    assert (last["arrived"], last["completed"], last["destination"]) == (3, 3, "PACS")
    assert last["bytes"] == sum(len(whole) for _, whole in OBJECTS)
    assert result.json[0]["address"] == "127.0.0.1"
    assert [each["sop_instance_uid"] for each in result.json[1:4]] == list(UIDS)


def test_object_that_is_held_already_has_arrived(receive):
    result = receive([*OBJECTS, OBJECTS[0]], moved(0, None, 4, 0, 0), "--json")
    assert result.exit == 0
    assert (summary(result)["arrived"], summary(result)["already_held"]) == (3, 1)


def test_peer_that_says_it_sent_more_than_came_is_found_out(receive):
    result = receive(OBJECTS, moved(0, None, 5, 0, 0), "--wait", 0.1, "--json")
    assert result.exit == 1
    assert "says that it has sent 5 objects, 3 came" in result.stderr
    assert summary(result)["arrived"] == 3


def test_peer_that_says_it_sent_what_never_came_has_failed(receive):
    result = receive([], moved(0, None, 3, 0, 0), "--wait", 0.1)
    assert (result.exit, result.stderr.count("\n")) == (5, 1)
    assert "says that it has sent 3 objects, 0 came" in result.stderr


def test_peer_that_counts_fewer_than_came_is_warned_of(receive):
    result = receive(OBJECTS, moved(0, None, 2, 0, 0), "--json")
    assert result.exit == 0
    assert "warning: " in result.stderr
    assert summary(result)["arrived"] == 3


def test_truncated_object_is_refused_and_not_said_to_have_arrived(receive, tmp_path):
    statuses: list[int] = []
    cut = (UIDS[1], OBJECTS[1][1][:-30])
    end = moved(0xB000, None, 2, 1, 0, identifier=failed_list(UIDS[1]))
    result = receive([OBJECTS[0], cut, OBJECTS[2]], end, "--json", statuses=statuses)
    assert (result.exit, statuses) == (1, [0, 0xC000, 0])
    assert set(kept(tmp_path / "out")) == {UIDS[0], UIDS[2]}
    (difference,) = [each for each in result.json if each["type"] == "difference"]
    assert (difference["sop_instance_uid"], difference["difference"]) == (UIDS[1], "refused")
    assert (summary(result)["arrived"], summary(result)["refused"]) == (2, 1)


def test_full_disk_is_our_failure(receive):
    end = moved(0xA702, None, 0, 3, 0, identifier=failed_list(*UIDS))
    result = receive(OBJECTS, end, "--min-free", "900T", "--json")
    assert result.exit == 7
    assert "3 objects were not kept here: A700H out of resources" in result.stderr
    assert summary(result)["arrived"] == 0


def test_peer_that_calls_another_title_is_rejected_and_that_is_said(receive):
    result = receive(OBJECTS, moved(0xA702, None, 0, 3, 0), title="OTHER")
    assert "rejected PEER@127.0.0.1, which called OTHER" in result.stderr
    assert result.exit == 5


def test_expected_instances_are_reconciled_by_uid(receive):
    extra = ("1.2.3.9", OBJECTS[0][1].replace(b"1.2.3.1\0", b"1.2.3.9\0"))
    end = moved(0, None, 3, 0, 0)
    sent = [OBJECTS[0], OBJECTS[1], extra]
    result = receive(sent, end, "--expect-from-find", "--json", before=[finds(holds())])
    assert result.exit == 1
    found = {
        each["sop_instance_uid"]: each["difference"]
        for each in result.json
        if each["type"] == "difference"
    }
    assert found == {UIDS[2]: "missing", "1.2.3.9": "unexpected"}
    last = summary(result)
    assert (last["expected"], last["arrived"]) == (3, 3)
    assert (last["missing"], last["unexpected"]) == (1, 1)


def test_everything_expected_that_arrives_is_success(receive):
    typed = ("--expect-from-find",)
    result = receive(OBJECTS, moved(0, None, 3, 0, 0), *typed, before=[finds(holds())])
    assert result.exit == 0
    assert "3 objects of 3 expected arrived" in result.stderr


def test_expected_instances_of_another_node_are_reconciled_by_number(move):
    typed = (*KEY, "--expect-from-find")
    assert move(finds(holds()), says(moved(0, None, 3, 0, 0)), typed=typed).exit == 0
    result = move(finds(holds()), says(moved(0, None, 2, 0, 0)), typed=typed)
    assert result.exit == 1
    assert "3 objects were expected, the peer says that it stored 2" in result.stderr


def test_unknown_destination_says_what_to_configure(pacs, tmp_path):
    port = free_port()
    with acting_each(says(moved(0xA801))) as target:
        where = ("--receive", port, "--out", tmp_path / "out", "-aet", "MINE")
        result = pacs("movescu", *place(target), *where, *KEY)
    assert (result.exit, result.stderr.count("\n")) == (5, 1)
    assert f"AE title MINE, host 127.0.0.1, port {port}" in result.stderr


def test_port_in_use_and_unusable_folder_are_told_before_anybody_is_called(pacs, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        result = pacs("movescu", "127.0.0.1", 1, "--receive", port, "--out", tmp_path, *KEY)
    assert (result.exit, "cannot listen" in result.stderr) == (3, True)
    (tmp_path / "file").write_text("")
    where = ("--receive", free_port(), "--out", tmp_path / "file")
    assert pacs("movescu", "127.0.0.1", 1, *where, *KEY).exit == 7


# -- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (KEY, "--dest AET, or --receive PORT --out DIR"),
        (("--dest", "WS", "--receive", 104, *KEY), "--dest AET, or --receive PORT"),
        (("--dest", "WS", "--out", "x", *KEY), "go with --receive"),
        (("--receive", 1104, *KEY), "no folder to receive into"),
        (("--dest", "A" * 17, *KEY), "AE title"),
        (("--dest", "WS"), "nothing to retrieve: write -k KEY=VALUE"),
        (("--dest", "WS", "-k", "PatientName"), "nothing to retrieve"),
        (("--dest", "WS", "-k", "PatientNam=x"), "did you mean PatientName?"),
        (("--dest", "WS", "-k", "StudyInstanceUID=1.2", "-"), "both keys and a list"),
        (("--dest", "WS", "x.dcm"), "cannot use x.dcm"),
        (("--dest", "WS", "-P", "-S", *KEY), "two models"),
        (("--dest", "WS", "--from-file", "/dev/null", "--level", "studdy"), "level studdy"),
        (("--dest", "WS", "--batch", 0, *KEY), "--batch"),
        (("--dest", "WS", "--wait", -1, *KEY), "--wait"),
        (("--dest", "WS", "-W", *KEY), "no such option"),
    ],
)
def test_usage_error_is_told_on_one_line_before_anybody_is_called(pacs, typed, words):
    result = pacs("movescu", "127.0.0.1", 1, *typed)
    assert (result.exit, result.stdout, result.stderr.count("\n")) == (2, "", 1), result
    assert words in result.stderr


def test_list_that_cannot_be_used_is_bad_input(pacs, tmp_path):
    (tmp_path / "list").write_text("1.2\nnonsense\n")
    for name, words in (("list", "cannot use line 2 of the list"), ("missing", "cannot read")):
        result = pacs("movescu", "h", 1, "--dest", "WS", "--from-file", tmp_path / name)
        assert (result.exit, result.stderr.count("\n")) == (6, 1)
        assert words in result.stderr


# -- interrupted ---------------------------------------------------------------------------------


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["text", "json"])
def test_ctrl_c_cancels_and_shows_what_there_is(json):
    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_request(sock)
        sock.sendall(moved(PENDING, 4, 2, 0, 0))
        began.set()
        cancels.append(read_command(sock))
        sock.sendall(moved(CANCELLED, 4, 2, 0, 0))
        release(sock)

    began, cancels = threading.Event(), []
    with acting_each(act) as target:
        command = ["movescu", *map(str, place(target)), "--dest", "WS", *KEY, *json]
        with subprocess.Popen(
            [sys.executable, "-m", "pacs_cli", *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert began.wait(20)
            os.kill(process.pid, signal.SIGINT)
            stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert cancels[0].field == CommandField.C_CANCEL_RQ
    assert stderr.splitlines()[-1] == "pacs movescu: interrupted"
    assert "Traceback" not in stderr
    told = stdout if json else stderr
    assert ('"completed": 2' if json else "2 objects moved") in told
