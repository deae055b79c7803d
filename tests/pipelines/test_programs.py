"""Programs of others, real ones, that behave in every way programs do."""

from __future__ import annotations

import gc
import os
import resource
import select
import threading
import time
from pathlib import Path

import pytest

from pacs_cli.net.channel import Wakeup
from pacs_cli.pipelines.programs import OUTPUT_LIMIT, Ended, run_program
from tests.support import end_resource_tracker


def sh(script: str, *arguments: object, seconds: float = 60, cut: Wakeup | None = None) -> Ended:
    """Run a shell script; its arguments are $1 and so on."""
    words = ("sh", "-c", script, "sh", *map(str, arguments))
    return run_program(words, dict(os.environ), seconds, cut or Wakeup())


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def is_hung_up(descriptor: int) -> bool:
    """Whether, within ten seconds, nobody has a FIFO open for writing any more."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return bool(poll.poll(10_000))


def test_program_that_exits_with_0_has_no_failure():
    assert sh("exit 0") == Ended("")


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ("exit 1", "exited with 1"),
        ("exit 255", "exited with 255"),
        ("kill -TERM $$", "was ended by signal 15"),
        ("kill -KILL $$", "was ended by signal 9"),
    ],
)
def test_failure_says_how_it_ended(script, failure):
    assert sh(script).failure == failure


def test_output_is_both_streams_in_order():
    assert sh("echo one; echo two >&2; printf three").output == b"one\ntwo\nthree"


def test_output_over_the_limit_is_read_and_dropped():
    whole = sh("head -c $1 /dev/zero; echo end >&2; exit 4", OUTPUT_LIMIT + 1_000_000)
    assert whole == Ended("exited with 4", bytes(OUTPUT_LIMIT), is_output_cut=True)
    fits = sh("head -c $1 /dev/zero", OUTPUT_LIMIT)
    assert fits == Ended("", bytes(OUTPUT_LIMIT))


def test_input_is_empty_whatever_ours_is():
    ours = os.dup(0)
    reader, writer = os.pipe()
    os.write(writer, b"typed\n")
    os.close(writer)
    os.dup2(reader, 0)
    try:
        assert sh("wc -c").output.strip() == b"0"
    finally:
        os.dup2(ours, 0)
        os.close(ours)
        os.close(reader)


def test_descriptors_of_ours_are_closed_in_the_program():
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        assert sh("test ! -e /dev/fd/$1 && test ! -e /dev/fd/$2", reader, writer) == Ended("")
    finally:
        os.close(reader)
        os.close(writer)


def test_environment_is_what_is_given():
    told = run_program(["env"], {"PACS_PATH": "/a b", "PATH": os.environ["PATH"]}, 60, Wakeup())
    assert sorted(told.output.split(b"\n"))[1] == b"PACS_PATH=/a b"
    assert b"HOME=" not in told.output


@pytest.mark.parametrize("script", ["sleep 100", "yes", "trap '' TERM; while :; do :; done"])
def test_program_over_its_time_is_killed(script):
    began = time.monotonic()
    ended = sh(script, seconds=0.2)
    assert ended.failure == "did not end within 0.2 s and was killed"
    assert time.monotonic() - began < 50


def test_program_that_closes_its_output_is_still_watched_without_a_turn_of_the_processor():
    assert sh("exec >&- 2>&-; exit 3").failure == "exited with 3"
    began = time.thread_time()
    assert "killed" in sh("exec >&- 2>&-; sleep 100", seconds=0.5).failure
    assert time.thread_time() - began < 0.2


def test_what_a_killed_program_started_is_killed_too(fifo):
    """The grandchild holds the FIFO open as long as it lives."""
    cut = Wakeup()
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    thread = threading.Thread(
        target=lambda: (select.select([reader], [], [], 10), os.read(reader, 10), cut.set())
    )
    thread.start()
    try:
        ended = sh('{ echo up; sleep 100; } > "$1" & wait', fifo, cut=cut)
        assert ended == Ended("did not end before the receiver and was killed")
        thread.join(10)
        assert is_hung_up(reader)
    finally:
        os.close(reader)


def test_what_a_program_leaves_behind_is_neither_waited_for_nor_killed(fifo, tmp_path):
    os.mkfifo(tmp_path / "answer")
    answer = os.open(tmp_path / "answer", os.O_RDONLY | os.O_NONBLOCK)
    try:
        # its output stays open in what it leaves, so an end of output would not come
        script = '{ read x < "$1"; echo $x > "$2"; } & echo started'
        assert sh(script, fifo, tmp_path / "answer") == Ended("", b"started\n")
        fifo.write_text("alive\n")
        assert select.select([answer], [], [], 10)[0]
        assert os.read(answer, 100) == b"alive\n"
    finally:
        os.close(answer)


def test_what_a_program_leaves_behind_may_go_on_talking():
    """It does until it is told that nobody listens, by SIGPIPE."""
    ended = sh("yes & exit 3")
    assert ended.failure == "exited with 3"
    assert ended.output.strip(b"y\n") == b""


@pytest.mark.parametrize("is_early", [True, False])
def test_program_is_killed_when_the_end_of_all_has_come(fifo, is_early):
    cut = Wakeup()
    thread = threading.Thread(target=lambda: (fifo.read_text(), cut.set()))
    if is_early:
        cut.set()
    else:
        thread.start()
    ended = sh('[ -z "$2" ] && echo > "$1"; sleep 100', fifo, is_early or "", cut=cut)
    assert ended.failure == "did not end before the receiver and was killed"
    if not is_early:
        thread.join(10)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("/no/such/program", "no such file or directory"),
        ("/", "permission denied"),
        ("a\0b", "embedded null byte"),
    ],
)
def test_program_that_cannot_be_started_is_a_failure(program, reason):
    ended = run_program([program], dict(os.environ), 60, Wakeup())
    assert ended == Ended(f"cannot be started: {reason}")


def test_too_long_an_argument_is_a_failure():
    ended = run_program(["true", "x" * 2**22], dict(os.environ), 60, Wakeup())
    assert ended == Ended("cannot be started: argument list too long")


def open_descriptors() -> set[str]:
    return set(os.listdir("/dev/fd"))  # noqa: PTH208


def children() -> bool:
    """Whether this process has any, zombies included."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def test_nothing_is_left_whatever_descriptors_are_missing():
    """From none to enough: each place at which one is opened fails once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    gc.collect()  # what earlier tests left open must not be closed in between
    end_resource_tracker()
    cut, before = Wakeup(), len(open_descriptors())
    failures = []
    for limit in range(3, 200):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        try:
            ended = run_program(["true"], dict(os.environ), 60, cut)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if not ended.failure:
            break
        failures.append(ended.failure)
    assert not ended.failure
    assert len(failures) > 4
    assert set(failures) == {"cannot be started: too many open files"}
    assert len(open_descriptors()) == before
    assert not children()


def test_program_is_killed_when_no_thread_can_watch_it(monkeypatch):
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    end_resource_tracker()
    before = len(open_descriptors())
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        ended = sh("sleep 100")
    assert ended.failure == "cannot be started: can't start new thread"
    assert len(open_descriptors()) == before
    assert not children()
