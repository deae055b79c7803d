"""What a codec may do, and what that costs: its file."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pacs_cli.errors import InputError
from pacs_cli.pixels import bounds
from pacs_cli.pixels.sandbox import Sandbox
from tests.support import CT
from tests.writing import write_object

WORK = "tests.pixels.hostile_work:"


def run(sandbox: Sandbox, name: str, data: bytes = b"made up", *arguments: object):
    """Everything that comes of it, copied."""
    return [(words, bytes(part)) for words, part in sandbox.run(WORK + name, data, *arguments)]


@pytest.fixture
def sandbox():
    with Sandbox(patience=60, most=512 << 20) as made:
        yield made


def pid(sandbox: Sandbox) -> int:
    return sandbox._child._process.pid


def test_bytes_come_back_and_the_process_is_kept(sandbox):
    assert run(sandbox, "echo") == [(["seen", 7], b"made up")]
    first = pid(sandbox)
    assert run(sandbox, "echo", b"") == [(["seen", 0], b"")]
    assert pid(sandbox) == first


def test_memory_grows_on_either_side(sandbox):
    large = os.urandom(5 << 20)
    assert run(sandbox, "echo", large) == [(["seen", len(large)], large)]
    sizes = [1, 3 << 20, 10, 20 << 20, 7]
    assert [len(part) for _, part in run(sandbox, "grow", large, sizes)] == sizes
    assert run(sandbox, "grow", b"ab", [5]) == [(5, b"ababa")]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash", "its decoder crashed, SIGSEGV"),
        ("leave", "its decoder crashed, exit 7"),
        ("devour", "it needs more memory than it may"),
        ("refuse", "it is of another kind"),
        ("fail", "ZeroDivisionError in it"),
        ("lie", "its decoder said what makes no sense"),
        ("babble", "its decoder said what makes no sense"),
        ("no_such_work", "AttributeError in it"),
    ],
)
def test_whatever_a_codec_does_is_a_reason_and_the_next_is_served(sandbox, name, reason):
    with pytest.raises(InputError) as refused:
        run(sandbox, name)
    assert str(refused.value) == reason
    assert run(sandbox, "echo") == [(["seen", 7], b"made up")]


@pytest.mark.parametrize("name", ["hang", "loop"])
def test_codec_without_an_end_is_given_up(name):
    with Sandbox(patience=2) as sandbox:
        with pytest.raises(InputError, match=r"given up after 2 s without progress"):
            run(sandbox, name)
        assert sandbox._child is None
        assert run(sandbox, "echo") == [(["seen", 7], b"made up")]


def test_patience_is_with_what_makes_progress():
    with Sandbox(patience=3) as sandbox:
        assert run(sandbox, "echo")
        began = time.monotonic()
        assert run(sandbox, "slowly", b"", 8, 0.5) == [("done", b"")]
        assert time.monotonic() - began > 3


def test_crash_after_parts_keeps_what_came_before(sandbox):
    got = []
    with pytest.raises(InputError, match="SIGSEGV"):
        for words, part in sandbox.run(WORK + "crash_later", b"x", 3):
            got.append((words, bytes(part)))
    assert got == [(0, b"x"), (1, b"x"), (2, b"x")]


def test_work_that_is_left_in_the_middle_is_ended(sandbox):
    parts = sandbox.run(WORK + "grow", b"x", [1, 2, 3])
    assert next(parts)[0] == 1
    parts.close()
    assert sandbox._child is None
    assert run(sandbox, "echo")


@pytest.mark.skipif(sys.platform != "linux", reason="sealing is Linux's")
def test_memory_cannot_be_taken_away_while_it_is_read(sandbox):
    with pytest.raises(InputError):
        run(sandbox, "shrink")
    assert os.fstat(sandbox._child._shared._descriptor).st_size if sandbox._child else True
    assert run(sandbox, "echo")


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_process_has_nothing_of_ours(sandbox, monkeypatch, tmp_path):
    monkeypatch.setenv("PACS_ANON_KEY", "secret")
    with (tmp_path / "open").open("wb") as file:
        os.set_inheritable(file.fileno(), True)
        ((found, _),) = run(sandbox, "surroundings")
    others = {
        path
        for path in found["descriptors"].values()
        if path != os.devnull and not path.startswith("/proc/") and "pacs frames" not in path
    }
    assert others == set()
    assert found["names"] == []
    assert found["sigint"]
    core, space = found["limits"]
    assert core == [0, 0]
    assert 512 << 20 <= space[0] < 1 << 30


def test_copy_of_this_process_has_one_of_its_own(sandbox):
    assert run(sandbox, "echo")
    first = pid(sandbox)
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)

    def child() -> None:
        answer = run(sandbox, "echo", b"of the copy")
        send.send((answer, pid(sandbox)))
        sandbox.close()

    process = context.Process(target=child)
    process.start()
    answer, other = receive.recv()
    process.join()
    assert answer == [(["seen", 11], b"of the copy")]
    assert other != first
    # and the copy has not ended ours
    assert run(sandbox, "echo")
    assert pid(sandbox) == first


def test_sandbox_goes_to_another_process_without_its_own(sandbox):
    assert run(sandbox, "echo")
    with pickle.loads(pickle.dumps(sandbox)) as other:
        assert other._child is None
        assert (other._patience, other._most) == (60, 512 << 20)


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd_open is Linux's")
def test_process_does_not_outlast_who_started_it(tmp_path):
    """Killed without a chance to end anything, while a codec computes for ever."""
    program = (
        "from pacs_cli.pixels.sandbox import Sandbox; s = Sandbox(1)\n"
        f"list(s.run({WORK + 'echo'!r}, b''))\n"
        "print(s._child._process.pid, flush=True)\n"
        "s._patience = s._child._patience = 600\n"
        f"list(s.run({WORK + 'loop'!r}, b''))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as process:
        descriptor = os.pidfd_open(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    # its second of the processor, on a machine that has others to serve
    assert poll.poll(60_000)
    os.close(descriptor)


def test_system_that_bounds_nothing_says_so(monkeypatch):
    assert bounds.missing_bounds() == "" or sys.platform != "linux"
    monkeypatch.setattr(sys, "platform", "sunos5")
    assert "(sunos5) does not bound the memory" in bounds.missing_bounds()
    monkeypatch.setitem(sys.modules, "resource", None)
    bounds.bound_memory()
    bounds.bound_processor(1)


@pytest.mark.parametrize(
    "command",
    [
        ("transcode", "in", "out", "--to", "implicit"),
        ("anonymize", "in", "out", "--clean", "pixels"),
        ("diff", "in", "in", "--pixels"),
    ],
    ids=lambda command: command[0],
)
def test_commands_that_decode_say_what_the_system_does_not_bound(
    pacs, monkeypatch, tmp_path, command
):
    write_object(tmp_path / "in", CT, "1.2.3.1")
    told = "does not bound the memory of a process"
    arguments = [tmp_path / each if each in ("in", "out") else each for each in command]
    assert told not in pacs(*arguments).stderr
    monkeypatch.setattr(bounds, "missing_bounds", lambda: f"this system {told}")
    assert told in pacs(*arguments).stderr
