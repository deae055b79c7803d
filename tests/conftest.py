"""What the tests of the commands share."""

from __future__ import annotations

import compileall
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

import pacs_cli
from pacs_cli import cli
from tests import schemas
from tests.pki import Pki


def pytest_configure() -> None:
    """Compile our modules, as an installation does: the tests start pacs some thousand times."""
    compileall.compile_dir(str(Path(pacs_cli.__file__).parent), quiet=2)


def pytest_xdist_auto_num_workers() -> int:
    """Twice as many processes as cores for `-n auto`: half of the time tests wait for peers."""
    return 2 * (os.cpu_count() or 1)


@dataclass(frozen=True)
class Result:
    """What one run of the command line gave back."""

    exit: int
    stdout: str
    stderr: str

    @property
    def json(self) -> list[dict[str, Any]]:
        """The JSON lines of stdout, each an object."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Pacs(Protocol):
    """Runs the command line in this process."""

    def __call__(
        self, *args: object, env: Mapping[str, str] | None = None, terminal: bool = False
    ) -> Result: ...


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Make the certificates of a run."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(autouse=True)
def _no_user_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the home directory and the environment of whoever runs the tests out of them."""
    for name in [*os.environ]:
        if name.startswith("PACS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))


@pytest.fixture
def pacs(monkeypatch: pytest.MonkeyPatch) -> Pacs:
    """Run `pacs` with these arguments, environment variables and, if asked, a terminal.

    Whatever it writes with --json is held against its schema.
    """

    def run(*args: object, env: Mapping[str, str] | None = None, terminal: bool = False) -> Result:
        stdout, stderr = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdout", stdout)
            patch.setattr("sys.stderr", stderr)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            code = cli.main([str(each) for each in args])
        schemas.check(args, stdout.getvalue().splitlines())
        return Result(code, stdout.getvalue(), stderr.getvalue())

    return run


@pytest.fixture
def install_command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a function into the table of commands, as if it stood in a module of its own."""

    def install(function: Callable[..., Any]) -> None:
        name = function.__name__
        module = ModuleType(f"commands_of_tests.{name}")
        setattr(module, name, function)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        row = cli.Command(name, module.__name__, f"Run {name}.")
        monkeypatch.setattr(cli, "COMMANDS", (*cli.COMMANDS, row))

    return install
