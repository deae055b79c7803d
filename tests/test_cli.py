"""The command line: help, usage errors, and every way a command can end."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pytest
import typer

from pacs_cli import __version__, cli
from pacs_cli.errors import (
    AssociationAborted,
    ConnectError,
    Exit,
    InputError,
    LocalProtocolError,
    OutputError,
    PeerFailure,
    UsageError,
)
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

if TYPE_CHECKING:
    from tests.conftest import Pacs

Install = Callable[..., None]


@pytest.fixture
def failing(install_command: Install) -> Callable[[BaseException], None]:
    """Install a command `fail` that raises what it is given."""

    def install(error: BaseException) -> None:
        def fail(output: OutputOptions) -> None:
            raise error

        install_command(fail)

    return install


def test_version_is_shown(pacs: Pacs) -> None:
    assert pacs("--version") == type(pacs("--version"))(0, f"pacs {__version__}\n", "")


def test_help_lists_every_command_in_order(pacs: Pacs) -> None:
    result = pacs("--help")
    names = [each.name for each in cli.COMMANDS]
    listed = [line.split()[0] for line in result.stdout.partition("Commands:\n")[2].splitlines()]
    assert (result.exit, listed) == (0, names)


def test_help_is_shown_without_arguments_but_is_no_success(pacs: Pacs) -> None:
    result = pacs()
    assert result.exit == 2
    assert result.stdout == pacs("--help").stdout


def test_help_is_the_same_on_a_terminal(pacs: Pacs) -> None:
    assert pacs("--help", terminal=True).stdout == pacs("-h").stdout


def test_help_of_a_command_begins_with_examples_and_groups_options(
    pacs: Pacs, install_command: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(
        output: OutputOptions,
        path: Annotated[str, typer.Argument(metavar="PATH")],
        own: Annotated[int, typer.Option("--own")] = 1,
    ) -> None:
        """Probe a path."""

    install_command(probe)
    module = sys.modules["commands_of_tests.probe"]
    monkeypatch.setattr(module, "EXAMPLES", (("pacs probe x", "probe x"),), raising=False)
    help_text = pacs("probe", "--help").stdout
    assert help_text.startswith("Usage: pacs probe [OPTIONS] PATH\n\n  Probe a path.\n")
    titles = [line for line in help_text.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles == ["Examples:", "Arguments:", "Explained by --help-all:", "Help:", "Options:"]
    assert "\nExamples:\n  pacs probe x\n      probe x\n" in help_text


@pytest.fixture
def probe(install_command: Install) -> None:
    """Install a command `probe` with some options, which does nothing."""

    def probe(
        path: Annotated[str, typer.Argument(metavar="PATH")],
        output: OutputOptions,
        called: Annotated[str, typer.Option("-aec", "--called-aet")] = "",
        count: Annotated[int, typer.Option("--count", min=1)] = 1,
    ) -> None: ...

    install_command(probe)


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("probe x --cont 3", "no such option --cont; did you mean --count?"),
        ("probe x --zzzzzz", "no such option --zzzzzz"),
        ("probe x -aed Y", "no such option -aed; did you mean -aec?"),
        ("probe x --cont=3", "no such option --cont; did you mean --count?"),
        ("probe x --count three", "--count: 'three' is not a whole number"),
        ("probe x --count 0", "--count: 0 is not in the range x>=1"),
        ("probe x --count", "--count needs a value"),
        ("probe", "missing PATH"),
        ("probe x y", "there is no place for y"),
    ],
)
def test_usage_error_is_one_line_with_a_way_out(pacs: Pacs, arguments: str, problem: str) -> None:
    result = pacs(*arguments.split())
    assert result.exit == 2
    assert result.stdout == ""
    assert result.stderr == f"pacs probe: {problem}; see pacs probe --help\n"


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("storscu", "no such command storscu; did you mean storescu?"),
        ("zzz", "no such command zzz"),
        ("a\x1b[2J", "no such command a\\x1b[2J"),
        ("--versoin", "no such option --versoin; did you mean --version?"),
    ],
)
def test_unknown_command_is_answered_with_the_nearest(
    pacs: Pacs, argument: str, problem: str
) -> None:
    result = pacs(argument)
    assert (result.exit, result.stdout) == (2, "")
    assert result.stderr == f"pacs: {problem}; see pacs --help\n"


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (Exit.OK, 0), (Exit.SOME_FAILED, 1)])
def test_exit_code_is_what_the_command_returns(
    pacs: Pacs, install_command: Install, returned: Exit | None, code: int
) -> None:
    def end() -> Exit | None:
        return returned

    install_command(end)
    assert pacs("end").exit == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("it failed"), 2),
        (ConnectError("it failed"), 3),
        (AssociationAborted("it failed"), 4),
        (PeerFailure("it failed", 0xA700), 5),
        (InputError("it failed"), 6),
        (OutputError("it failed"), 7),
    ],
)
def test_error_of_ours_is_one_line_and_its_code(
    pacs: Pacs, failing: Callable[[BaseException], None], error: Exception, code: int
) -> None:
    failing(error)
    plain, lines = pacs("fail"), pacs("fail", "--json")
    assert (plain.exit, plain.stdout, plain.stderr) == (code, "", "pacs fail: it failed\n")
    assert lines.stderr == plain.stderr
    name = type(error).__name__
    assert lines.json == [{"type": "error", "error": name, "message": "it failed", "exit": code}]


def test_usage_error_is_a_json_line_too(pacs: Pacs) -> None:
    result = pacs("storscu", "--json")
    (line,) = result.json
    assert (line["type"], line["error"], line["exit"]) == ("error", "UsageError", 2)
    assert result.stderr == f"pacs: {line['message']}\n"


def test_error_text_from_outside_is_cleaned(
    pacs: Pacs, failing: Callable[[BaseException], None]
) -> None:
    failing(ConnectError("peer said \x1b[2J\n"))
    assert pacs("fail").stderr == "pacs fail: peer said \\x1b[2J\\n\n"


def test_interrupt_ends_with_130(pacs: Pacs, failing: Callable[[BaseException], None]) -> None:
    failing(KeyboardInterrupt())
    result = pacs("fail")
    assert (result.exit, result.stderr) == (130, "pacs fail: interrupted\n")


def test_broken_pipe_ends_with_141_in_silence(
    pacs: Pacs, failing: Callable[[BaseException], None]
) -> None:
    failing(BrokenPipeError())
    result = pacs("fail", "--json")
    assert (result.exit, result.stdout, result.stderr) == (141, "", "")


@pytest.mark.parametrize("error", [ValueError("DOE^JANE"), LocalProtocolError("DOE^JANE")])
def test_bug_ends_with_70_and_shows_no_value(
    pacs: Pacs, failing: Callable[[BaseException], None], error: Exception
) -> None:
    failing(error)
    result = pacs("fail")
    assert result.exit == 70
    assert result.stderr.startswith(
        f"pacs fail: internal error, {type(error).__name__} at test_cli"
    )
    assert "this is a bug" in result.stderr
    assert "DOE" not in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "env"), [(["-d"], {}), (["-vd"], {}), ([], {"PACS_DEBUG": "1"})]
)
def test_bug_shows_its_traceback_when_debugging(
    pacs: Pacs,
    failing: Callable[[BaseException], None],
    options: list[str],
    env: dict[str, str],
) -> None:
    failing(ValueError("odd"))
    result = pacs("fail", *options, env=env)
    assert "Traceback (most recent call last)" in result.stderr
    assert "ValueError: odd" in result.stderr


def test_full_disk_found_by_anyone_ends_with_7(
    pacs: Pacs, failing: Callable[[BaseException], None]
) -> None:
    failing(OSError(errno.ENOSPC, "No space left on device"))
    result = pacs("fail")
    assert (result.exit, result.stderr) == (7, "pacs fail: cannot write: No space left on device\n")


@pytest.mark.parametrize("spelling", [["--log-file", "{}"], ["--log-file={}"]])
def test_error_goes_to_the_log_file(
    pacs: Pacs, failing: Callable[[BaseException], None], tmp_path: Path, spelling: list[str]
) -> None:
    failing(ConnectError("it failed"))
    log = tmp_path / "log"
    pacs("fail", *(each.format(log) for each in spelling))
    assert log.read_text().endswith("Z pacs fail: it failed\n")


def test_options_behind_two_dashes_do_not_count(pacs: Pacs) -> None:
    assert pacs("storscu", "--", "--json").stdout == ""


@pytest.fixture
def talk(install_command: Install) -> None:
    """Install a command `talk` that writes one result."""

    def talk(output: OutputOptions) -> None:
        report = Report.for_output(output)
        report.record("said", {"text": "hello"})
        report.line("hello")

    install_command(talk)


@pytest.mark.usefixtures("talk")
@pytest.mark.parametrize("arguments", [["talk"], ["talk", "--json"], ["--help"], ["--version"]])
def test_closed_pipe_ends_with_141_in_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        assert cli.main(arguments) == 141
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("talk")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("arguments", [["talk"], ["talk", "--json"], ["--help"], ["--version"]])
def test_full_stdout_ends_with_7_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with Path("/dev/full").open("w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        assert cli.main(arguments) == 7
    error = capsys.readouterr().err
    assert "cannot write" in error
    assert "No space left on device" in error
    assert error.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("argument", ["--help", "storscu"])
def test_process_with_full_stdout_says_one_line(argument: str) -> None:
    with Path("/dev/full").open("w") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "pacs_cli", argument, "--json"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode in (2, 7)
    assert done.stderr.count("\n") == 1


def test_process_with_a_closed_pipe_ends_with_141_in_silence() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "pacs_cli", "--help"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_error_line_is_the_only_json_of_a_failed_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pacs_cli", "echoscu", "--json"], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["exit"] == 2
