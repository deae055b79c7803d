"""`pacs send-batch` against providers of ours, and what is in its job afterwards."""

from __future__ import annotations

import csv
import io
import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from pacs_cli.errors import Exit
from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import State, Wish
from tests.pipelines.scripted import Recording, scripted_peer, serves
from tests.pipelines.sendings import write
from tests.pipelines.test_retry import rejects
from tests.support import CT, MR, MemoryHandler, running_provider
from tests.writing import write_object


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    return folder


@pytest.fixture
def state(tmp_path):
    return tmp_path / "move.job"


def uids(handler: MemoryHandler) -> Counter[str]:
    return Counter(request.affected_sop_instance_uid for request, _ in handler.stored)


def summary(result) -> dict:
    found = result.json[-1]
    assert found["type"] == "summary", result
    total = found["sent"] + found["skipped"] + found["failed"] + found["left"]
    assert found["found"] == total, found
    return found


def states(pacs, state) -> dict[str, tuple[str, str, str]]:
    """What the report says of each object: file name -> state, class, status."""
    rows = csv.DictReader(io.StringIO(pacs("send-batch", "report", state, "--csv").stdout))
    return {Path(row["path"]).name: (row["state"], row["class"], row["status"]) for row in rows}


@pytest.mark.parametrize("jobs", [1, 3])
def test_everything_is_sent_once_and_nothing_again_by_the_same_command(pacs, scans, state, jobs):
    write(scans, 20, CT, MR)
    with running_provider() as running:
        command = ("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state)
        first = pacs(*command, "--jobs", jobs, "--json")
        again = pacs(*command, "--json")
    assert (first.exit, again.exit) == (Exit.OK, Exit.OK), first
    assert summary(first)["sent"] == summary(again)["sent"] == 20
    assert [line["type"] for line in first.json] == ["object"] * 20 + ["summary"]
    assert len(again.json) == 1
    assert set(uids(running.handler).values()) == {1}
    assert len(running.handler.stored) == 20


def test_objects_of_a_study_are_sent_one_after_the_other(pacs, scans, state):
    from pacs_cli.dicom.part10 import file_meta
    from tests.support import EXPLICIT
    from tests.writing import dataset

    for number in range(12):
        uid, study = f"1.2.3.{number}", f"1.2.9.{number % 3}"
        data = file_meta(CT, uid, EXPLICIT) + dataset(CT, uid, study=study)
        (scans / f"{number:02}.dcm").write_bytes(data)
    with running_provider() as running:
        pacs("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state)
    sent = [int(request.affected_sop_instance_uid[6:]) for request, _ in running.handler.stored]
    assert sent == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]


def test_what_is_no_object_is_told_and_counted(pacs, scans, state):
    write(scans, 2)
    (scans / "note.txt").write_text("no image")
    with running_provider() as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state, "--json")
        )
    assert result.exit == Exit.SOME_FAILED
    assert "note.txt" in result.stderr
    assert summary(result)["classes"] == {"input": 1}


def test_same_object_in_two_files_is_sent_once_another_of_its_uid_is_sent_too(pacs, scans, state):
    write_object(scans / "a.dcm", CT, "1.2.3.1")
    write_object(scans / "b.dcm", CT, "1.2.3.1")
    write_object(scans / "c.dcm", CT, "1.2.3.1", b"\1" * 64)
    with running_provider() as running:
        result = pacs("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state)
    assert result.exit == Exit.OK
    assert len(running.handler.stored) == 2
    shown = states(pacs, state)
    assert [shown[f"{name}.dcm"][0] for name in "abc"] == ["sent", "skipped", "sent"]
    assert shown["b.dcm"][1] == "duplicate"


def test_same_object_is_not_another_by_the_same_command_again(pacs, scans, state):
    write_object(scans / "a.dcm", CT, "1.2.3.1")
    write_object(scans / "b.dcm", CT, "1.2.3.1")
    with running_provider() as running:
        for _ in range(3):
            pacs("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state)
            os.utime(scans / "a.dcm")
            os.utime(scans / "b.dcm")
    assert len(running.handler.stored) == 1
    assert len(states(pacs, state)) == 2


def test_file_that_changed_since_is_sent_as_it_is_another_object_is_not(pacs, scans, state):
    first, second = write(scans, 2)
    with JobFile(state):
        pass
    with running_provider() as running:
        port = running.listener.port
        with running_provider(MemoryHandler(0xA700)) as full:
            pacs(
                *("send-batch", "127.0.0.1", full.listener.port, scans, "--state", state),
                *("--retries", "0"),
            )
        write_object(first, CT, "1.2.3.0", bytes(100))
        write_object(second, CT, "1.2.3.77")
        with JobFile(state) as job:
            job.retry_failed()
            ((_, name, kept),) = job.destinations()
            job.add_destination(name, {**kept, "port": port})
        result = pacs("send-batch", "resume", state)
    assert result.exit == Exit.SOME_FAILED
    assert uids(running.handler) == {"1.2.3.0": 1}
    assert "another object is there now" in result.stderr


def test_several_destinations_each_get_everything(pacs, scans, state):
    write(scans, 5)
    with running_provider() as one, running_provider() as other:
        result = pacs(
            *("send-batch", "127.0.0.1", one.listener.port, scans, "--state", state),
            *("--to", f"127.0.0.1:{other.listener.port}", "--json"),
        )
    assert result.exit == Exit.OK
    assert summary(result)["sent"] == 10
    assert len(uids(one.handler)) == len(uids(other.handler)) == 5


def test_destination_that_is_down_does_not_keep_the_other_from_its_objects(pacs, scans, state):
    write(scans, 5)
    with running_provider() as one:
        result = pacs(
            *("send-batch", "127.0.0.1", one.listener.port, scans, "--state", state),
            *("--to", "127.0.0.1:1", "--json"),
        )
    assert result.exit == Exit.SOME_FAILED
    assert "connection refused" in result.stderr
    found = summary(result)
    assert (found["sent"], found["left"]) == (5, 5)


def test_destination_that_is_down_leaves_everything_queued(pacs, scans, state):
    write(scans, 300)
    result = pacs("send-batch", "127.0.0.1", 1, scans, "--state", state, "--json")
    assert result.exit == Exit.CONNECT
    assert summary(result)["left"] == 300
    assert {row[0] for row in states(pacs, state).values()} == {"queued"}


# -- misbehaving destinations ----------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_object_on_which_the_peer_dies_is_isolated(pacs, scans, state, jobs):
    write(scans, 12)
    handler = Recording(lambda uid, number: None if uid == "1.2.3.4" else 0)
    with running_provider(handler) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--jobs", jobs, "--retry-wait", "0.01", "--json"),
        )
    assert result.exit == Exit.SOME_FAILED
    assert summary(result)["classes"] == {"lost": 1}
    assert states(pacs, state)["0004.dcm"] == ("failed", "lost", "")
    assert set(handler.answered) == {f"1.2.3.{n}" for n in range(12)} - {"1.2.3.4"}
    assert set(handler.answered.values()) == {1}


def test_refused_sop_class_costs_its_objects_only(pacs, scans, state):
    write(scans, 10, CT, MR)
    with running_provider(abstract_syntaxes=frozenset([CT])) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state, "--json")
        )
    assert result.exit == Exit.SOME_FAILED
    assert summary(result)["classes"] == {"context": 5}
    assert len(running.handler.stored) == 5


def test_no_room_for_a_while_is_waited_out(pacs, scans, state):
    write(scans, 6)
    handler = Recording(lambda uid, number: 0xA700 if number < 4 else 0)
    with running_provider(handler) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--retry-wait", "0.01"),
        )
    assert result.exit == Exit.OK, result
    assert set(handler.answered.values()) == {1}


@pytest.mark.parametrize(
    ("status", "failure"),
    [(0xA700, "resources"), (0xA900, "mismatch"), (0xC001, "not understood"), (0x0122, "refused")],
)
def test_failure_has_its_class_and_status_and_can_be_tried_again(
    pacs, scans, state, status, failure
):
    write(scans, 3)
    handler = Recording(lambda uid, number: status if uid == "1.2.3.1" and number == 1 else 0)
    with running_provider(handler) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--retries", "0"),
        )
        assert result.exit == Exit.SOME_FAILED
        assert states(pacs, state)["0001.dcm"] == ("failed", failure, f"{status:04X}")
        assert pacs("send-batch", "resume", state).exit == Exit.SOME_FAILED
        assert pacs("send-batch", "retry-failed", state, "--class", "other").stdout == (
            "queued 0 again\n"
        )
        assert pacs("send-batch", "retry-failed", state).stdout == "queued 1 again\n"
        assert pacs("send-batch", "resume", state).exit == Exit.OK
    assert set(handler.answered.values()) == {1}


def test_everything_that_failed_gives_the_class_of_the_failure(pacs, scans, state):
    write(scans, 2)
    with running_provider(MemoryHandler(0xC000)) as running:
        result = pacs("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state)
    assert result.exit == Exit.PEER_FAILED


def test_rejection_for_a_while_is_waited_out(pacs, scans, state):
    write(scans, 4)
    handler = Recording()
    with scripted_peer(rejects(2), rejects(2), serves(handler)) as (_, target):
        result = pacs(
            *("send-batch", "127.0.0.1", target.port, scans, "--state", state),
            *("--retry-wait", "0.01"),
        )
    assert result.exit == Exit.OK
    assert len(handler.answered) == 4


# -- from another shell ----------------------------------------------------------------------------


class _Gate(Recording):
    """Answers the third object once it may, and then all."""

    def __init__(self) -> None:
        super().__init__()
        self.is_at_it = threading.Event()
        self.may_go_on = threading.Event()

    def open_store(self, request):
        if sum(self.begun.values()) == 2:
            self.is_at_it.set()
            assert self.may_go_on.wait(20)
        return super().open_store(request)


def status_with(pacs, state, sent: int) -> dict:
    """The status once it shows so many: others see what was answered half a second later."""
    pause = threading.Event()
    for _ in range(200):
        told = pacs("send-batch", "status", state, "--json").json[-1]
        if told["sent"] >= sent:
            break
        pause.wait(0.05)
    return told


@pytest.mark.parametrize(
    ("wish", "others"), [("pause", "queued"), ("cancel", "skipped")], ids=["pause", "cancel"]
)
def test_wish_of_another_process_ends_a_run_after_what_is_on_its_way(
    pacs, scans, state, wish, others
):
    write(scans, 600)
    handler = _Gate()
    with running_provider(handler) as running:
        command = [sys.executable, "-m", "pacs_cli", "send-batch", "127.0.0.1"]
        command += [str(running.listener.port), str(scans), "--state", str(state), "--rate", "20"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert handler.is_at_it.wait(20)
            told = status_with(pacs, state, sent=2)
            refused = pacs("send-batch", "resume", state)
            pacs("send-batch", wish, state)
            handler.may_go_on.set()
            _, stderr = process.communicate(timeout=30)
        assert (told["is_running"], told["sent"]) == (True, 2)
        assert refused.exit == Exit.USAGE
        assert "run by another process" in refused.stderr
        assert process.returncode == Exit.SOME_FAILED
        assert {"pause": b"paused", "cancel": b"cancelled"}[wish] in stderr
        # all of them would be half a minute's
        sent = sum(handler.answered.values())
        assert 3 <= sent < 600
        assert Counter(row[0] for row in states(pacs, state).values()) == {
            "sent": sent,
            others: 600 - sent,
        }
        assert pacs("send-batch", "resume", state, "--rate", "100000").exit == Exit.OK
    expected = 600 if wish == "pause" else sent
    assert len(handler.answered) == expected
    assert set(handler.answered.values()) == {1}


def test_two_on_one_job_do_not_send_twice(scans, state):
    write(scans, 60)
    handler = Recording()
    with running_provider(handler) as running:
        command = [sys.executable, "-m", "pacs_cli", "send-batch", "127.0.0.1"]
        command += [str(running.listener.port), str(scans), "--state", str(state)]
        both = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
        for process in both:
            process.communicate(timeout=30)
    codes = sorted(process.returncode for process in both)
    # the one that came later found it held, or done
    assert codes in ([0, 0], [0, 2])
    assert len(handler.answered) == 60
    assert set(handler.answered.values()) == {1}


def test_cancel_while_nobody_runs_it_gives_up_what_is_left(pacs, scans, state):
    write(scans, 3)
    pacs("send-batch", "127.0.0.1", 1, scans, "--state", state)
    pacs("send-batch", "cancel", state)
    assert {row[:2] for row in states(pacs, state).values()} == {("skipped", "cancelled")}


# -- the file --------------------------------------------------------------------------------------


def test_job_that_was_being_planned_is_not_run(pacs, scans, state):
    write(scans, 1)
    pacs("send-batch", "127.0.0.1", 1, scans, "--state", state)
    with JobFile(state) as job:
        job.put({"planned": False})
    result = pacs("send-batch", "resume", state)
    assert result.exit == Exit.USAGE
    assert "run the command that made it again" in result.stderr


@pytest.mark.parametrize("command", ["resume", "status", "report", "pause", "cancel"])
def test_job_that_is_none_is_said_to_be_none(pacs, state, command):
    missing = pacs("send-batch", command, state)
    assert (missing.exit, "no job" in missing.stderr) == (Exit.BAD_INPUT, True)
    with closing(sqlite3.connect(state)) as connection:
        connection.execute("CREATE TABLE other (x)")
    other = pacs("send-batch", command, state)
    assert (other.exit, "something else" in other.stderr) == (Exit.OUTPUT, True)


def test_other_destination_than_the_jobs_is_refused(pacs, scans, state):
    write(scans, 1)
    pacs("send-batch", "127.0.0.1", 1, scans, "--state", state)
    result = pacs("send-batch", "localhost", 1, scans, "--state", state)
    assert result.exit == Exit.USAGE
    assert "sends to 127.0.0.1" in result.stderr


@pytest.mark.parametrize(
    "wrong",
    [("--rate", "0"), ("--max-mb", "-1"), ("--window", "22-6"), ("--window", "22:00-22:00")],
)
def test_wrong_value_is_a_usage_error_and_makes_no_job(pacs, scans, state, wrong):
    write(scans, 1)
    result = pacs("send-batch", "127.0.0.1", 1, scans, "--state", state, *wrong)
    assert result.exit == Exit.USAGE
    assert wrong[0] in result.stderr
    assert not state.exists()


def test_full_disk_under_the_job_stops_it_cleanly(pacs, scans, state, monkeypatch):
    """SQLite itself says so: the file may grow no more."""
    write(scans, 600)
    limit = JobFile.recover

    def recover_and_fill(job):
        done = limit(job)
        pages = job._connection.execute("PRAGMA page_count").fetchone()[0]
        job._connection.execute(f"PRAGMA max_page_count = {pages}")
        return done

    handler = Recording()
    with running_provider(handler) as running:
        with monkeypatch.context() as patch:
            patch.setattr(JobFile, "recover", recover_and_fill)
            # long words that need new pages
            handler.answer = lambda uid, number: 0xC000
            result = pacs("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state)
        assert result.exit == Exit.OUTPUT, result
        assert "disk is full" in result.stderr
        assert "Traceback" not in result.stderr
        handler.answer = lambda uid, number: 0
        pacs("send-batch", "retry-failed", state)
        assert pacs("send-batch", "resume", state).exit == Exit.OK
    assert len(handler.answered) == 600
    assert set(handler.answered.values()) == {1}


def test_wish_and_states_are_what_the_documentation_says():
    described = (Path(__file__).parents[2] / "docs" / "job-schema.md").read_text()
    for each in (*State, *Wish):
        assert f"`{each}`" in described
