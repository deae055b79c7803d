"""Hooks with real programs: what they are given, what they may cost, what is left of them."""

from __future__ import annotations

import gc
import os
import select
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_cli import config
from pacs_cli.errors import UsageError
from pacs_cli.pipelines import hooks as module
from pacs_cli.pipelines.hooks import (
    INSTANCE_VALUES,
    STUDY_VALUES,
    VARIABLES,
    Hook,
    HookCounts,
    Hooks,
    HookSettings,
    instance_hook,
    study_hook,
)
from pacs_cli.pipelines.identity_hook import VALUES as IDENTITY_VALUES
from pacs_cli.services.serving import (
    AssociationInfo,
    Echoed,
    InstanceReceived,
    StoreOutcome,
    StoreRequest,
)
from tests.support import CT, EXPLICIT, end_resource_tracker

VALUES = {
    "path": "/archive/my studies/1.2/1.3/1.4.dcm",
    "SOPInstanceUID": "1.4",
    "SOPClassUID": CT,
    "TransferSyntaxUID": EXPLICIT,
    "StudyInstanceUID": "1.2",
    "SeriesInstanceUID": "1.3",
    "CallingAETitle": "-rf",
    "CalledAETitle": "+B @x",
    "address": "127.0.0.1",
}


def received(
    uid: str = "1.4", study: str = "1.2", series: str = "1.3", calling: str = "SENDER", **outcome
) -> InstanceReceived:
    """The event of one object."""
    association = AssociationInfo(1, "127.0.0.1", calling, "ARCHIVE")
    fields = {"status": 0, "path": f"{study}/{series}/{uid}.dcm", **outcome}
    return InstanceReceived(
        StoreRequest(association, 1, CT, uid, EXPLICIT),
        StoreOutcome(study_instance_uid=study, series_instance_uid=series, **fields),
        0.01,
    )


class Running(Hooks):
    """Hooks, and what they told."""

    def __init__(self, folder: Path, **settings) -> None:
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self._told = threading.Condition()
        warn, note = self._telling(self.warnings), self._telling(self.notes)
        super().__init__(HookSettings(**settings), folder, warn, note)

    def _telling(self, told: list[str]) -> Callable[[str], None]:
        def tell(text: str) -> None:
            with self._told:
                told.append(text)
                self._told.notify_all()

        return tell

    def wait_for(self, is_so: Callable[[], object]) -> None:
        with self._told:
            assert self._told.wait_for(is_so, 20), (self.warnings, self.notes)

    def wait_for_notes(self, count: int) -> list[str]:
        self.wait_for(lambda: len(self.notes) >= count)
        return self.notes


@contextmanager
def running(folder: Path, **settings) -> Iterator[Running]:
    hooks = Running(folder, **settings)
    try:
        yield hooks
    finally:
        hooks.drain(0)


def instance(script: str, *words: str) -> Hook:
    """A hook for objects that is a shell script; its words are $1 and so on."""
    plain = script.replace("{", "{{").replace("}", "}}")
    return instance_hook(" ".join((shlex.join(("sh", "-c", plain, "sh")), *words)))


def study(*words: str) -> Hook:
    return study_hook("echo " + " ".join(words))


class Gate:
    """A FIFO of lines between a test and its programs, both ends of which stay open."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR)

    def write(self, count: int = 1) -> None:
        os.write(self._descriptor, b"go\n" * count)

    def read(self, count: int = 1) -> None:
        for _ in range(count):
            assert select.select([self._descriptor], [], [], 20)[0]
            os.read(self._descriptor, len(b"go\n"))

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def gates(tmp_path: Path) -> Iterator[tuple[Gate, Gate]]:
    """What a program writes to when it has started, and what it waits for."""
    both = Gate(tmp_path / "started"), Gate(tmp_path / "go")
    yield both
    for gate in both:
        gate.close()


def held(gates: tuple[Gate, Gate]) -> Hook:
    started, go = gates
    return instance('echo go > "$1"; read x < "$2"', str(started.path), str(go.path))


# -- commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("echo", []),
        ("echo {path}", ["/archive/my studies/1.2/1.3/1.4.dcm"]),
        ("echo a{StudyInstanceUID}b {SeriesInstanceUID}", ["a1.2b", "1.3"]),
        ("echo 'one word {path}' two", ["one word /archive/my studies/1.2/1.3/1.4.dcm", "two"]),
        ("echo {SOPClassUID}{TransferSyntaxUID}", [CT + EXPLICIT]),
        # inside a word a value is whole; at its beginning it cannot make an option of it
        ("echo --aet={CallingAETitle}", ["--aet=-rf"]),
        ("echo {CallingAETitle}", ["_rf"]),
        ("echo {CalledAETitle}", ["_B @x"]),
        ("echo -{CallingAETitle}", ["--rf"]),
        ("echo {{path}} '{{{SOPInstanceUID}}}' {{{{", ["{path}", "{1.4}", "{{"]),
        # nothing of a shell
        ("echo $HOME `id` ; > *.dcm '|'", ["$HOME", "`id`", ";", ">", "*.dcm", "|"]),
        ('echo "a\\"b" a\\ b', ['a"b', "a b"]),
        ("echo '' {address}", ["", "127.0.0.1"]),
    ],
)  # fmt: skip
def test_values_stand_in_their_places_and_stay_inside_their_words(command, arguments):
    assert instance_hook(command).arguments(VALUES) == ["echo", *arguments]


def test_value_behind_an_empty_one_makes_no_option_either():
    hook = instance_hook("echo {SeriesInstanceUID}{CallingAETitle}")
    assert hook.arguments({**VALUES, "SeriesInstanceUID": ""}) == ["echo", "_rf"]
    assert hook.arguments({**VALUES, "SeriesInstanceUID": "", "CallingAETitle": ""}) == ["echo", ""]


@pytest.mark.parametrize(
    ("parse", "command", "reason"),
    [
        (instance_hook, "", "there is no program ''"),
        (instance_hook, "no-such-program {path}", "there is no program 'no-such-program'; check"),
        (instance_hook, "/etc/passwd", "there is no program '/etc/passwd'"),
        (instance_hook, "echo 'a", "No closing quotation"),
        (instance_hook, "{path}", "the program cannot be a value"),
        (instance_hook, "/opt/{CallingAETitle}/x", "the program cannot be a value"),
        (instance_hook, "echo {Path}", "there is no {Path}; did you mean {path}?"),
        (instance_hook, "echo {SOPInstanceUid}", "did you mean {SOPInstanceUID}?"),
        (instance_hook, "echo {StudyUID}", "did you mean {StudyInstanceUID}?"),
        (instance_hook, "echo {PatientName}", "there is no {PatientName}; known are path, SOP"),
        (instance_hook, "echo {count}", "there is no {count}"),
        (study_hook, "echo {SOPInstanceUID}", "did you mean {StudyInstanceUID}?"),
        (instance_hook, "echo {}", "there is no {}; known are"),
        (instance_hook, "awk '{print $1}'", "and {{ is a brace"),
        (instance_hook, "echo {path!r}", "{path} takes nothing behind its name"),
        (instance_hook, "echo {path:>80}", "{path} takes nothing behind its name"),
        (instance_hook, "echo {path.parent}", "there is no {path.parent}"),
        (instance_hook, "echo {path[0]}", "there is no {path[0]}"),
        (instance_hook, "echo {path", "a brace for itself is written {{ or }}"),
        (instance_hook, "echo }", "a brace for itself is written {{ or }}"),
    ],
)
def test_command_that_cannot_work_is_a_usage_error(parse, command, reason):
    with pytest.raises(UsageError) as caught:
        parse(command)
    option = "--on-study" if parse is study_hook else "--on-instance"
    assert str(caught.value).startswith(f"cannot use {option} {command!r}: ")
    assert reason in str(caught.value)


def test_variables_are_none_of_our_own_settings():
    assert config.load(dict.fromkeys(VARIABLES.values(), "!")).environment == config.Settings()


def test_values_are_in_the_environment_and_none_of_an_outer_hook(tmp_path, monkeypatch):
    monkeypatch.setenv("PACS_COUNT", "12")
    monkeypatch.setenv("PACS_AET", "OURS")
    with running(tmp_path, on_instance=instance("env | grep PACS_ | sort")) as hooks:
        hooks.observe(received(calling="-a\0é\x1b"))
        assert hooks.wait_for_notes(10) == [
            f"sh: {each}"
            for each in (
                "PACS_ADDRESS=127.0.0.1",
                "PACS_AET=OURS",
                "PACS_CALLED_AE_TITLE=ARCHIVE",
                "PACS_CALLING_AE_TITLE=-a___",
                f"PACS_PATH={tmp_path}/1.2/1.3/1.4.dcm",
                "PACS_SERIES_INSTANCE_UID=1.3",
                f"PACS_SOP_CLASS_UID={CT}",
                "PACS_SOP_INSTANCE_UID=1.4",
                "PACS_STUDY_INSTANCE_UID=1.2",
                f"PACS_TRANSFER_SYNTAX_UID={EXPLICIT}",
            )
        ]


def test_path_is_absolute_wherever_the_archive_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with running(Path("-archive"), on_instance=instance_hook("echo {path}")) as hooks:
        hooks.observe(received())
        assert hooks.wait_for_notes(1) == [f"echo: {tmp_path}/-archive/1.2/1.3/1.4.dcm"]


def test_path_that_cannot_be_decoded_is_given_as_it_is(tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff")
    (folder / "1.2/1.3").mkdir(parents=True)
    (folder / "1.2/1.3/1.4.dcm").write_text("found")
    script = 'cat "$1" "$PACS_PATH"'
    with running(folder, on_instance=instance(script, "{path}")) as hooks:
        hooks.observe(received())
        assert hooks.wait_for_notes(1) == ["sh: foundfound"]


def test_names_of_values_are_all_documented_ones():
    assert {*INSTANCE_VALUES, *STUDY_VALUES, *IDENTITY_VALUES} == {*VARIABLES}


# -- objects -------------------------------------------------------------------------------------


def test_only_what_is_newly_kept_is_run_for(tmp_path):
    events = [
        received("1", status=0xA700),
        received("2", status=0x0111),
        received("3", path=""),
        received("4", is_duplicate=True),
        Echoed(AssociationInfo(1, "127.0.0.1", "SENDER", "ARCHIVE")),
        received("5", status=0xB000),
        received("6"),
    ]
    with running(tmp_path, on_instance=instance_hook("echo {SOPInstanceUID}")) as hooks:
        for event in events:
            hooks.observe(event)
        assert hooks.drain(20) == 0
    assert sorted(hooks.notes) == ["echo: 5", "echo: 6"]


def open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208


def test_burst_is_run_whole_and_leaves_nothing_behind(tmp_path):
    gc.collect()
    end_resource_tracker()
    descriptors, threads = open_descriptors(), threading.active_count()
    hooks = Running(tmp_path, on_instance=instance_hook(f"mkdir {tmp_path}/{{SOPInstanceUID}}"))
    for number in range(100):
        hooks.observe(received(f"1.{number}"))
    assert hooks.drain(60) == 0
    assert len([*tmp_path.iterdir()]) == 100
    assert hooks.counts == HookCounts(succeeded=100)
    assert hooks.warnings == []
    del hooks
    gc.collect()
    assert (open_descriptors(), threading.active_count()) == (descriptors, threads)
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def test_receiving_never_waits_for_a_program(tmp_path, gates):
    """The programs wait for a gate that nobody opens."""
    with running(tmp_path, on_instance=held(gates), queue_limit=10, workers=1) as hooks:
        events = [received(f"1.{number}") for number in range(1000)]
        receiving = threading.Thread(target=lambda: [*map(hooks.observe, events)])
        receiving.start()
        receiving.join(20)
        assert not receiving.is_alive()
        assert hooks.counts.dropped >= 989


def test_failure_is_one_warning_without_a_value_and_counted(tmp_path):
    hook = instance("exit $1", "{SOPInstanceUID}")
    with running(tmp_path, on_instance=hook) as hooks:
        hooks.observe(received("7"))
        hooks.drain(20)
    assert hooks.warnings == ["--on-instance sh exited with 7"]
    assert hooks.counts == HookCounts(failed=1)


def test_program_over_its_time_is_a_failure(tmp_path):
    with running(tmp_path, on_instance=instance("sleep 100"), timeout=0.2) as hooks:
        hooks.observe(received())
        hooks.drain(20)
    assert hooks.warnings == ["--on-instance sh did not end within 0.2 s and was killed"]
    assert hooks.counts == HookCounts(failed=1)


def test_program_that_is_gone_by_the_time_is_a_failure(tmp_path):
    program = tmp_path / "notify"
    program.touch(mode=0o755)
    hook = instance_hook(str(program))
    program.unlink()
    with running(tmp_path, on_instance=hook) as hooks:
        hooks.observe(received())
        hooks.drain(20)
    reason = "cannot be started: no such file or directory"
    assert hooks.warnings == [f"--on-instance {program} {reason}"]
    assert hooks.counts == HookCounts(failed=1)


def test_a_thousand_failures_change_nothing_for_the_next(tmp_path):
    hook = instance('test "$1" = 1.1000', "{SOPInstanceUID}")
    with running(tmp_path, on_instance=hook) as hooks:
        for number in range(1001):
            hooks.observe(received(f"1.{number}"))
        assert hooks.drain(120) == 0
    assert hooks.counts == HookCounts(succeeded=1, failed=1000)
    assert hooks.warnings == ["--on-instance sh exited with 1"] * 1000


def test_what_a_program_says_is_noted_line_by_line_up_to_the_limit(tmp_path):
    script = "echo one; echo two >&2; printf '\\377\\n'; yes | head -c 100000"
    with running(tmp_path, on_instance=instance(script)) as hooks:
        hooks.observe(received())
        hooks.drain(20)
    assert hooks.notes[:3] == ["sh: one", "sh: two", "sh: \ufffd"]
    assert hooks.notes[-1] == "sh: what it says after 65536 bytes is left out"
    assert len(hooks.notes) < 2**15 + 10
    assert hooks.warnings == []


def test_full_queue_drops_says_so_once_names_what_and_recovers(tmp_path, gates):
    started, go = gates
    with running(tmp_path, on_instance=held(gates), workers=1, queue_limit=2) as hooks:
        hooks.observe(received("1.0"))
        started.read()
        for number in range(1, 6):
            hooks.observe(received(f"1.{number}"))
        assert hooks.notes == [f"--on-instance was not run for 1.{number}" for number in (3, 4, 5)]
        assert hooks.warnings == [
            "--on-instance sh is too slow: 2 runs wait, and until there is room further ones are "
            "dropped; -v names them"
        ]
        go.write(3)
        assert hooks.drain(20) == 0
    assert hooks.warnings[1:] == ["there is room for runs of hooks again: 3 were dropped"]
    assert hooks.counts == HookCounts(succeeded=3, dropped=3)


def test_drain_without_time_kills_what_runs_and_counts_what_waits(tmp_path, gates):
    started, _ = gates
    with running(tmp_path, on_instance=held(gates), workers=2) as hooks:
        for number in range(5):
            hooks.observe(received(f"1.{number}"))
        started.read(2)
        began = time.monotonic()
        assert hooks.drain(0.2) == 3
        assert time.monotonic() - began < 10
        hooks.observe(received("1.5"))
        assert hooks.drain(0) == 4
    killed = "--on-instance sh did not end before the receiver and was killed"
    late = "3 runs of hooks could not start in time; -v names them"
    assert sorted(hooks.warnings) == sorted([killed, killed, late])
    assert hooks.notes == [f"--on-instance was not run for 1.{number}" for number in (2, 3, 4, 5)]
    assert hooks.counts == HookCounts(failed=2, not_run=4)


def test_drain_gives_what_runs_and_waits_its_time(tmp_path, gates):
    started, go = gates
    with running(tmp_path, on_instance=held(gates), workers=1) as hooks:
        hooks.observe(received("1"))
        hooks.observe(received("2"))
        started.read()
        opening = threading.Thread(target=lambda: (go.write(), started.read(), go.write()))
        opening.start()
        assert hooks.drain(60) == 0
        opening.join(20)
    assert hooks.counts == HookCounts(succeeded=2)


# -- studies -------------------------------------------------------------------------------------


def test_study_is_run_for_once_with_all_that_is_new(tmp_path):
    words = "{StudyInstanceUID} {count} {path} {CallingAETitle} {CalledAETitle} {address}"
    with running(tmp_path, on_study=study(words), study_idle=100_000) as hooks:
        hooks.observe(received("1", series="1.3"))
        hooks.observe(received("2", series="1.5", is_duplicate=True))
        hooks.observe(received("3", series="1.4", calling="LAST"))
        assert hooks.drain(20) == 0
    assert hooks.notes == [f"echo: 1.2 2 {tmp_path}/1.2 LAST ARCHIVE 127.0.0.1"]
    assert hooks.counts == HookCounts(succeeded=1)


def test_study_at_rest_is_run_for_and_begins_anew_with_its_next_object(tmp_path):
    with running(tmp_path, on_study=study("{count} {path}"), study_idle=0.1) as hooks:
        hooks.observe(received("1", series="1.3"))
        assert hooks.wait_for_notes(1) == [f"echo: 1 {tmp_path}/1.2/1.3"]
        hooks.observe(received("2", series="1.4"))
        assert hooks.wait_for_notes(2)[1:] == [f"echo: 1 {tmp_path}/1.2/1.4"]


def test_study_is_not_run_for_when_nothing_of_it_is_new(tmp_path):
    with running(tmp_path, on_study=study("{count}"), study_idle=1000) as hooks:
        hooks.observe(received(is_duplicate=True))
        hooks.observe(received("2", status=0xA700))
        assert hooks.drain(20) == 0
    assert hooks.notes == []


@pytest.mark.parametrize("is_duplicate", [False, True])
def test_study_rests_from_its_last_object_held_before_or_not(tmp_path, is_duplicate):
    """One worker takes the studies in the order in which they came to rest."""
    hook = study("{StudyInstanceUID}")
    with running(tmp_path, on_study=hook, study_idle=0.8, workers=1) as hooks:
        hooks.observe(received("1", study="1.1"))
        hooks.observe(received("2", study="1.2"))
        deadline = hooks._studies._pending["1.1"].deadline
        hooks.observe(received("3", study="1.1", is_duplicate=is_duplicate))
        assert hooks._studies._pending["1.1"].deadline > deadline
        assert hooks.wait_for_notes(2) == ["echo: 1.2", "echo: 1.1"]


def test_studies_that_come_to_rest_later_than_the_first_are_not_forgotten(tmp_path):
    with running(tmp_path, on_study=study("{StudyInstanceUID}"), study_idle=0.1) as hooks:
        for number in range(3):
            hooks.observe(received(study=f"1.{number}"))
            hooks.wait_for_notes(number + 1)
    assert hooks.notes == ["echo: 1.0", "echo: 1.1", "echo: 1.2"]


def test_end_runs_pending_studies_at_once(tmp_path):
    hook = study("{StudyInstanceUID} {count}")
    with running(tmp_path, on_study=hook, study_idle=100_000, workers=1) as hooks:
        for uid, of in (("1", "1.1"), ("2", "1.2"), ("3", "1.1")):
            hooks.observe(received(uid, study=of))
        assert hooks.drain(20) == 0
        hooks.observe(received("4", study="1.1"))
        assert hooks.drain(20) == 1
    assert hooks.notes == ["echo: 1.2 1", "echo: 1.1 2", "--on-study was not run for 1.1"]


def test_pending_study_is_owed_its_run_at_the_end_also_by_a_full_queue(tmp_path, gates):
    started, go = gates
    settings = {"on_instance": held(gates), "workers": 1, "queue_limit": 1}
    with running(tmp_path, on_study=study("{count}"), study_idle=100_000, **settings) as hooks:
        hooks.observe(received("1"))
        started.read()
        hooks.observe(received("2"))
        draining = threading.Thread(target=hooks.drain, args=(60,))
        draining.start()
        pause, tries = threading.Event(), iter(range(2000))
        while not hooks._runner._is_closed:
            assert next(tries, None) is not None
            pause.wait(0.01)
        go.write(2)
        draining.join(20)
        assert hooks.counts == HookCounts(succeeded=3)
    assert hooks.notes == ["echo: 2"]


def test_objects_are_run_for_before_the_study_at_the_end(tmp_path):
    settings = {"on_instance": instance_hook("echo {SOPInstanceUID}"), "workers": 1}
    hook = study("{StudyInstanceUID}")
    with running(tmp_path, on_study=hook, study_idle=100_000, **settings) as hooks:
        for number in range(20):
            hooks.observe(received(str(number)))
        assert hooks.drain(20) == 0
    assert hooks.notes == [*(f"echo: {number}" for number in range(20)), "echo: 1.2"]


@pytest.fixture
def full(tmp_path, gates) -> Iterator[Running]:
    """A program that waits, an object in the only place of the queue, a study that has none."""
    settings = {"on_instance": held(gates), "workers": 1, "queue_limit": 1}
    with running(tmp_path, on_study=study("{count}"), study_idle=0.8, **settings) as hooks:
        hooks.observe(received("1"))
        gates[0].read()
        hooks.observe(received("2"))
        # nothing tells that a study waits
        pause, tries = threading.Event(), iter(range(2000))
        while hooks._studies._pending:
            assert next(tries, None) is not None
            pause.wait(0.01)
        yield hooks


def test_study_waits_for_room_in_a_full_queue(full, gates):
    assert len(full._runner._queue) == 1
    gates[1].write(2)
    assert full.wait_for_notes(1) == ["echo: 2"]
    assert full.drain(20) == 0
    assert full.counts == HookCounts(succeeded=3)


def test_study_that_waits_for_room_does_not_hold_up_the_end(full):
    began = time.monotonic()
    assert full.drain(0.2) == 2
    assert time.monotonic() - began < 10
    assert full.counts == HookCounts(failed=1, not_run=2)


def test_more_studies_than_can_be_remembered_are_said_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_STUDY_LIMIT", 2)
    with running(tmp_path, on_study=study("{count}"), study_idle=100_000) as hooks:
        for number in range(4):
            hooks.observe(received(study=f"1.{number}"))
        assert hooks.drain(20) == 0
    assert hooks.counts == HookCounts(succeeded=2, dropped=2)
    assert hooks.warnings == [
        "--on-study echo is too slow: 2 studies are waited for, and until there is room further "
        "ones are dropped; -v names them"
    ]
