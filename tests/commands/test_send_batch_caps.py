"""`pacs send-batch` to a peer that is to have few associations, whoever opens them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from pacs_cli.errors import Exit
from pacs_cli.net.target import Target
from pacs_cli.pipelines.slots import Slots
from tests.commands.test_send_batch import scans, state, summary  # noqa: F401 fixtures
from tests.interop.peers import PACS
from tests.pipelines.scripted import Recording
from tests.pipelines.sendings import write
from tests.support import running_provider


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Write a configuration in which the peer `there` has a limit."""

    def write_it(port: int, limit: object) -> None:
        config = tmp_path / "config.toml"
        most = "" if limit is None else f"max_associations = {limit}\n"
        config.write_text(f'[peers.there]\naddress = "127.0.0.1:{port}"\n{most}')
        monkeypatch.setenv("PACS_CONFIG", str(config))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    return write_it


class _Counting(Recording):
    """Counts the objects that are on their way at the same time, and lets others come meanwhile."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.now = self.most = 0
        self.counting = threading.Condition()

    def open_store(self, request):
        with self.counting:
            self.now += 1
            self.most = max(self.most, self.now)
            self.counting.notify_all()
            self.counting.wait_for(lambda: self.now > self.limit, 0.02)
            self.now -= 1
        return super().open_store(request)


@pytest.mark.parametrize(("limit", "expected"), [(1, {1}), (2, {1, 2}), (None, {2, 3, 4, 5, 6})])
def test_limit_of_a_peer_is_kept_by_all_processes_together(
    scans,  # noqa: F811
    tmp_path,
    configured,
    limit,
    expected,
):
    write(scans, 30)
    handler = _Counting(limit or 64)
    with running_provider(handler) as running:
        configured(running.listener.port, limit)
        commands = [
            [*PACS, "send-batch", "there", str(scans), "--state", str(tmp_path / name)]
            for name in ("one.job", "two.job")
        ]
        both = [
            subprocess.Popen([*command, "--jobs", "3"], stderr=subprocess.PIPE)
            for command in commands
        ]
        for process in both:
            _, stderr = process.communicate(timeout=60)
            assert process.returncode == Exit.OK, stderr
    assert len(handler.answered) == 30
    assert set(handler.answered.values()) == {2}
    assert handler.most in expected


class _Gate(Recording):
    """Holds the first object until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_at_it, self.may_go_on = threading.Event(), threading.Event()

    def open_store(self, request):
        if not self.begun:
            self.is_at_it.set()
            assert self.may_go_on.wait(30)
        return super().open_store(request)


def test_pause_ends_the_wait_for_a_slot(pacs, scans, tmp_path, configured):  # noqa: F811
    write(scans, 3)
    handler = _Gate()
    waiting, first = tmp_path / "waiting.job", tmp_path / "first.job"
    with running_provider(handler) as running:
        configured(running.listener.port, 1)
        command = [*PACS, "send-batch", "there", str(scans), "--state"]
        with (
            subprocess.Popen([*command, str(first)]) as sends,
            subprocess.Popen([*command, str(waiting)], stderr=subprocess.PIPE) as waits,
        ):
            assert handler.is_at_it.wait(30)
            loser = held_up(pacs, (first, waiting))
            pacs("send-batch", "pause", loser)
            process = waits if loser == waiting else sends
            assert process.wait(30) == Exit.SOME_FAILED
            handler.may_go_on.set()
        assert pacs("send-batch", "resume", loser).exit == Exit.OK
    assert set(handler.answered.values()) == {2}


def held_up(pacs, jobs):
    """Of two jobs that run, the one that has sent nothing and is not sending."""
    pause = threading.Event()
    for _ in range(400):
        told = {job: pacs("send-batch", "report", job, "--json") for job in jobs if job.exists()}
        idle = [
            job
            for job, each in told.items()
            if each.exit == 0
            and {line.get("state") for line in each.json if line["type"] == "object"} == {"queued"}
        ]
        if len(told) == 2 and len(idle) == 1:
            status = pacs("send-batch", "status", idle[0], "--json").json[-1]
            if status["is_running"] and status["is_planned"]:
                return idle[0]
        pause.wait(0.05)
    raise AssertionError(told)


def test_slot_of_a_process_that_was_killed_is_free(tmp_path):
    target = Target("there", "127.0.0.1", 104, max_associations=1)
    code = (
        "import sys; from pathlib import Path\n"
        "from pacs_cli.net.target import Target; from pacs_cli.pipelines.slots import Slots\n"
        "target = Target('there', '127.0.0.1', 104, max_associations=1)\n"
        "slot = Slots(Path(sys.argv[1]), target).take(print, lambda: False)\n"
        "print(slot, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    slots = Slots(tmp_path, target)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().strip().isdigit()
        looks: list[float] = []
        assert slots.take(looks.append, lambda: len(looks) == 3) is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    slot = slots.take(looks.append, lambda: False)
    assert slot is not None
    os.close(slot)


@pytest.mark.parametrize("limit", [0, -1, 5000, '"4"', "true", 1.5])
def test_limit_that_is_none_is_a_configuration_error(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    configured,
    limit,
):
    write(scans, 1)
    configured(1, limit)
    result = pacs("send-batch", "there", scans, "--state", state)
    assert result.exit == Exit.USAGE
    assert "must be 1 to 1024 associations" in result.stderr
