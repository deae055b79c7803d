"""How each command that calls a peer is made to call one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pacs_cli.generate import pages
from tests.support import CT
from tests.writing import write_object

OPTIONS = {page.name: {name for o in page.options for name in o.names} for page in pages()}


def commands_with(option: str) -> list[str]:
    """Return every command that has an option."""
    return [command for command, options in OPTIONS.items() if option in options]


#: Those that call a peer; those of `config` only write down how.
CALLERS = [command for command in commands_with("-aec") if not command.startswith("config")]


def _keys(folder: Path) -> tuple[object, ...]:
    return ("-k", "StudyInstanceUID=1.2")


def _file(folder: Path) -> Path:
    return write_object(folder / "ct.dcm", CT, "1.2.3.1")


#: Command -> what stands behind the peer; `folder` is empty.
_REST: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "echoscu": lambda folder: (),
    "doctor": lambda folder: ("--no-probe",),
    "storescu": lambda folder: (_file(folder), "--retries", 0),
    "findscu": _keys,
    "movescu": lambda folder: (*_keys(folder), "--dest", "WS"),
    "getscu": lambda folder: (*_keys(folder), "--out", folder / "out"),
    "send-batch start": lambda folder: (
        *(_file(folder), "--retries", 0),
        *("--state", folder / "move.job"),
    ),
}


def call(command: str, port: int, folder: Path) -> list[object]:
    """Return the words with which a command calls a peer on this machine."""
    assert command in _REST, f"say in {__name__} how pacs {command} calls a peer"
    return [*command.split(), "127.0.0.1", port, *_REST[command](folder)]
