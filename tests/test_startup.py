"""What the command line imports before it has work to do: names, not times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pacs_cli.cli import COMMANDS

HEAVY = frozenset(
    {
        *("pydicom", "pynetdicom", "numpy", "PIL", "sqlite3", "ssl", "tqdm", "rich"),
        *("asyncio", "tomllib", "logging", "tomlkit"),
    }
)

PROBE = """
import sys
from pacs_cli.cli import main
code = main(sys.argv[1:])
sys.stderr.write("\\n" + " ".join(sys.modules))
sys.exit(code)
"""


def run(tmp_path: Path, *arguments: str) -> tuple[int, str, set[str]]:
    """Return the exit code, stdout and the names of the modules of one run."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PACS_", "COVERAGE"))}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environ | {"XDG_CONFIG_HOME": str(tmp_path)},
    )
    return done.returncode, done.stdout, set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        ([], 2),
        (["storscu"], 2),
        (["--verison"], 2),
        (["echoscu"], 2),
        (["echoscu", "host"], 2),
        (["storescu", "--foo"], 2),
        (["config", "peers", "add", "--help"], 0),
        (["config", "peers", "list"], 0),
        (["config", "show"], 0),
        (["doctor", "127.0.0.1", "1"], 3),
        *(([each.name, "--help"], 0) for each in COMMANDS),
    ],
)
def test_nothing_heavy_is_imported_before_there_is_work(
    tmp_path: Path, arguments: list[str], code: int
) -> None:
    exit_code, _, modules = run(tmp_path, *arguments)
    assert exit_code == code
    assert HEAVY & modules == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["storscu"]])
def test_no_command_is_imported_unless_it_runs(tmp_path: Path, arguments: list[str]) -> None:
    _, _, modules = run(tmp_path, *arguments)
    assert not {each for each in modules if each.startswith("pacs_cli.commands.")}


def test_module_of_another_command_is_not_imported(tmp_path: Path) -> None:
    _, _, modules = run(tmp_path, "echoscu", "--help")
    assert "pacs_cli.commands.echoscu" in modules
    assert not {f"pacs_cli.commands.{each.name}" for each in COMMANDS[1:]} & modules


def test_an_echo_imports_nothing_heavy(tmp_path: Path) -> None:
    exit_code, _, modules = run(tmp_path, "echoscu", "127.0.0.1", "1")
    assert exit_code == 3
    assert HEAVY & modules == set()


@pytest.mark.parametrize("module", ["pacs_cli", "pacs_cli.__main__"])
def test_python_m_runs_the_command_line(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pacs ")


def test_garbage_is_collected_once_all_is_imported() -> None:
    script = (
        "import atexit, gc, sys; from pacs_cli.__main__ import run; sys.argv[1:] = ['--version']\n"
        "atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 0))\n"
        "run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "True True"


def test_an_echo_does_not_look_names_up_through_a_codec(tmp_path: Path) -> None:
    _, _, modules = run(tmp_path, "echoscu", "127.0.0.1", "1")
    assert not {"encodings.idna", "stringprep"} & modules
