"""`pacs send-batch` whose destination hangs, whose disk is full, whose job is of another year."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from pacs_cli.errors import Exit
from pacs_cli.jobs.file import MIGRATIONS
from tests.commands.test_send_batch import scans, state, states, summary  # noqa: F401 fixtures
from tests.interop.peers import PACS
from tests.pipelines.scripted import Recording, scripted_peer, serves
from tests.pipelines.sendings import write
from tests.support import CT, MR, running_provider

DATA = Path(__file__).parent / "data"

# -- a destination that hangs ----------------------------------------------------------------------


class Hanging(Recording):
    """Takes some objects whole and answers them never; until the test is over."""

    def __init__(self, hangs_at: frozenset[str]) -> None:
        super().__init__()
        self.over = threading.Event()
        self.hangs_at = hangs_at

    def open_store(self, request):
        sink = super().open_store(request)
        if request.affected_sop_instance_uid in self.hangs_at:
            self.over.wait(30)
        return sink


@pytest.mark.parametrize("jobs", [1, 3])
def test_object_on_which_the_destination_hangs_is_isolated(pacs, scans, state, jobs):  # noqa: F811
    write(scans, 12)
    handler = Hanging(frozenset(["1.2.3.4"]))
    with running_provider(handler) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--jobs", jobs, "-td", "0.5", "--retry-wait", "0.01", "--json"),
        )
        handler.over.set()
    assert result.exit == Exit.SOME_FAILED, result
    assert summary(result)["classes"] == {"lost": 1}
    assert states(pacs, state)["0004.dcm"][:2] == ("failed", "lost")
    assert set(handler.answered) >= {f"1.2.3.{n}" for n in range(12)} - {"1.2.3.4"}


def hangs_after_accepting(sock: socket.socket, over: threading.Event) -> None:
    """Accept what is proposed and say nothing more, though it reads."""
    from tests.services.retrieving import accept

    accept(sock)
    over.wait(30)


def hangs_at_once(sock: socket.socket, over: threading.Event) -> None:
    over.wait(30)


@pytest.mark.parametrize(
    ("act", "calls", "timeouts"),
    [(hangs_at_once, 3, ("-ta", "0.3")), (hangs_after_accepting, 5, ("-td", "0.3"))],
    ids=["before the association", "in it"],
)
def test_destination_that_hangs_is_given_up_and_nothing_is_lost(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    act,
    calls,
    timeouts,
):
    write(scans, 6)
    handler = Recording()
    with scripted_peer(*[act] * calls, serves(handler)) as (_, target):
        command = ("send-batch", "127.0.0.1", target.port, scans, "--state", state)
        hung = pacs(*command, *timeouts, "--retries", "2", "--retry-wait", "0.01", "--json")
        assert hung.exit == Exit.ASSOCIATION, hung
        found = summary(hung)
        # an object on which it died twice is failed, as nobody knows that it is not to blame
        assert found["left"] + found["failed"] == 6
        assert found["failed"] == (2 if act is hangs_after_accepting else 0)
        pacs("send-batch", "retry-failed", state)
        assert pacs("send-batch", "resume", state).exit == Exit.OK
    assert handler.answered == Counter({f"1.2.3.{n}": 1 for n in range(6)})


def test_destination_that_hangs_for_good_does_not_keep_the_other_waiting(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
):
    write(scans, 6)
    with scripted_peer(hangs_at_once) as (_, target), running_provider() as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--to", f"127.0.0.1:{target.port}", "-ta", "0.3", "--retries", "0", "--json"),
        )
    assert result.exit == Exit.SOME_FAILED
    found = summary(result)
    assert (found["sent"], found["left"]) == (6, 6)


# -- a full disk -----------------------------------------------------------------------------------


def planned_elsewhere(scans, state) -> int:  # noqa: F811
    """Make a job, and return the size of its file."""
    command = [*PACS, "send-batch", "127.0.0.1", "1", str(scans), "--state", str(state)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == Exit.CONNECT, done
    return state.stat().st_size


def point_to(state, port: int) -> None:  # noqa: F811
    from pacs_cli.jobs.file import JobFile

    with JobFile(state) as job:
        ((_, name, kept),) = job.destinations()
        job.add_destination(name, {**kept, "port": port})


def test_job_that_may_not_grow_stops_cleanly_and_goes_on_later(scans, state):  # noqa: F811
    """The system refuses to let any file grow beyond the job's size: its log cannot."""
    write(scans, 600)
    size = planned_elsewhere(scans, state)
    handler = Recording()
    with running_provider(handler) as running:
        point_to(state, running.listener.port)

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2))

        command = [*PACS, "send-batch", "resume", str(state)]
        full = subprocess.run(
            command, capture_output=True, text=True, check=False, preexec_fn=limited
        )
        sent = len(handler.answered)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert full.returncode == Exit.OUTPUT, full
    assert "cannot write the job" in full.stderr
    assert "Traceback" not in full.stderr
    assert 0 < sent < 600
    assert done.returncode == Exit.OK, done
    assert len(handler.answered) == 600
    assert handler.answered.total() <= 601


#: Makes a job on a file system of 8 MB, leaves it little room, runs it, makes room and goes on.
SCRIPT = """
set -u
mount -t tmpfs -o size=8m none "$PLACE" || exit 99
"$PYTHON" -m pacs_cli send-batch 127.0.0.1 "$PORT" "$SCANS" --state "$PLACE/move.job" \
    --window "$CLOSED" & planner=$!
until "$PYTHON" -m pacs_cli send-batch status "$PLACE/move.job" --json 2>/dev/null \
    | grep -q '"is_planned": true'; do :; done
"$PYTHON" -m pacs_cli send-batch pause "$PLACE/move.job"
wait $planner
room=$(df --output=avail -k "$PLACE" | tail -1)
head -c $(( (room - 120) * 1024 )) /dev/zero > "$PLACE/ballast"
"$PYTHON" -m pacs_cli send-batch resume "$PLACE/move.job" --window 00:00-24:00; echo "full $?"
rm "$PLACE/ballast"
"$PYTHON" -m pacs_cli send-batch resume "$PLACE/move.job"; echo "done $?"
"""


def test_full_file_system_under_the_job_stops_it_cleanly(scans, tmp_path):  # noqa: F811
    """A real one, in a mount namespace that ends with the test."""
    unshare = shutil.which("unshare")
    probe = [unshare or "", "-rm", "mount", "-t", "tmpfs", "none", str(tmp_path)]
    if unshare is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here; the limit on the size of files is tried")
    write(scans, 600)
    place = tmp_path / "small"
    place.mkdir()
    handler = Recording()
    with running_provider(handler) as running:
        environment = {
            **os.environ,
            "PLACE": str(place),
            "SCANS": str(scans),
            "PORT": str(running.listener.port),
            "PYTHON": sys.executable,
            "CLOSED": closed_window(),
        }
        done = subprocess.run(
            [unshare, "-rm", "sh", "-c", SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
    assert f"full {int(Exit.OUTPUT)}" in done.stdout, done
    assert "done 0" in done.stdout, done
    assert "is full" in done.stderr or "No space left" in done.stderr, done
    assert "Traceback" not in done.stderr
    assert len(handler.answered) == 600
    assert handler.answered.total() <= 601


def closed_window() -> str:
    """A minute of the day that is not now, nor soon."""
    import time

    hour = (time.localtime().tm_hour + 12) % 24
    return f"{hour:02}:00-{hour:02}:01"


# -- a job of an older version ---------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2])
def test_job_that_an_older_version_has_left_is_gone_on_with(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    version,
):
    """A dump of a file of that version, killed while it sent: no script of ours made it."""
    write(scans, 8, CT, MR)
    with running_provider() as running:
        text = (DATA / f"job-v{version}.sql").read_text()
        text = text.replace("@FOLDER@", str(scans)).replace("@PORT@", str(running.listener.port))
        with closing(sqlite3.connect(state, isolation_level=None)) as connection:
            connection.executescript(text)
            assert connection.execute("PRAGMA user_version").fetchone() == (version,)
        before = pacs("send-batch", "status", state, "--json").json[-1]
        assert (before["found"], before["sent"], before["failed"], before["left"]) == (8, 2, 1, 4)
        assert before["skipped"] == 1
        result = pacs("send-batch", "resume", state, "--json")
        pacs("send-batch", "retry-failed", state)
        again = pacs("send-batch", "resume", state, "--json")
    assert (result.exit, again.exit) == (Exit.SOME_FAILED, Exit.OK), again
    assert summary(again)["sent"] == 7
    sent = Counter(request.affected_sop_instance_uid for request, _ in running.handler.stored)
    assert sent == Counter({f"1.2.3.{n}": 1 for n in (2, 3, 4, 5, 6)})
    with closing(sqlite3.connect(state)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
