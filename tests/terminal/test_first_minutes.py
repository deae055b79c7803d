"""The first five minutes with pacs, typed into bash, zsh and fish at 80 columns."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_cli.dicom.part10 import file_meta
from tests.interop.peers import Archive, pacs_storescp
from tests.peers import require
from tests.support import CT, EXPLICIT, MR
from tests.terminal.tmux import Tmux, width
from tests.writing import dataset, element, write_object

#: What a user has in the file that the shell reads at its start.
_STARTUP = {
    "bash": (".bashrc", "PS1='> '; . /usr/share/bash-completion/bash_completion\n"),
    "zsh": (
        ".zshrc",
        "PS1='> '\nfpath=({home}/.local/share/zsh/site-functions $fpath)\n"
        "autoload -U compinit && compinit -u\n",
    ),
    "fish": (
        ".config/fish/config.fish",
        "function fish_prompt; echo '> '; end; set -g fish_greeting ''\n"
        "set -g fish_autosuggestion_enabled 0\n",
    ),
}
_KEYS = {"bash": "\t\t", "zsh": "\t", "fish": "\t"}


@pytest.fixture(params=_STARTUP)
def shell(request) -> str:
    """Name a shell that is there."""
    require(request.param)
    if request.param == "bash" and not Path("/usr/share/bash-completion").is_dir():
        pytest.skip("bash-completion is not installed")
    return request.param


@pytest.fixture
def archive(tmp_path) -> Iterator[Archive]:
    """A receiver that answers queries."""
    with pacs_storescp(tmp_path / "archive", "--aet", "ARCHIVE", "--qr") as running:
        yield running


@pytest.fixture
def environment(tmp_path, archive, shell) -> dict[str, str]:
    """A user's home with two scans, a configured peer and a pacs on the path."""
    home = tmp_path / "home"
    (home / "scans").mkdir(parents=True)
    write_object(home / "scans" / "ct.dcm", CT, "1.2.3.1")
    write_object(home / "scans" / "mr.dcm", MR, "1.2.3.2")
    data = dataset(CT, "1.2.3.3", study="1.2.3").replace(
        element(0x00100010, "PN", "Made^Up"), element(0x00100010, "PN", "山田^太郎")
    )
    data = data.replace(b"TEST-1", b"TEST-2")
    (home / "yamada.dcm").write_bytes(
        file_meta(CT, "1.2.3.3", EXPLICIT) + element(0x00080005, "CS", "ISO_IR 192") + data
    )
    (home / "bin").mkdir()
    program = home / "bin" / "pacs"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pacs_cli "$@"\n')
    program.chmod(0o755)
    config = home / ".config" / "pacs" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[peers.ward]\naddress = "ARCHIVE@127.0.0.1:{archive.port}"\n')
    name, text = _STARTUP[shell]
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text.replace("{home}", str(home)))
    return {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "SHELL": "/bin/sh",
        "TERM": "screen",
        "LC_ALL": "C.UTF-8",
    }


@pytest.fixture
def terminal(shell, environment) -> Iterator[Tmux]:
    """A shell in a terminal of 80 columns, at its first prompt."""
    running = Tmux(f"{shell} -i", environment)
    running.wait(">")
    yield running
    running.close()


def test_first_five_minutes(terminal, shell, environment):
    terminal.type("pacs completion install\r")
    terminal.wait("written", "pacs.keywords", "new shells" if shell != "fish" else "next TAB")
    terminal.type(f"exec {shell}\r")
    terminal.clear(">")
    _complete(terminal, shell)
    _talk(terminal)
    _tables(terminal)
    _pipes(terminal, Path(environment["HOME"]))


def _complete(terminal: Tmux, shell: str) -> None:
    """TAB knows commands, options, peers, keywords, tags and transfer syntaxes."""
    for line, completed in (
        ("pacs ec", "> pacs echoscu"),
        ("pacs echoscu --rep", "> pacs echoscu --repeat"),
        ("pacs echoscu wa", "> pacs echoscu ward"),
        ("pacs findscu ward -k PatientBirthN", "-k PatientBirthName"),
        ("pacs findscu ward -k 0010,001", "-k 0010,0010"),
        ("pacs transcode --to htj2k-r", "--to htj2k-rpcl"),
        ("pacs storescu ward sc", "> pacs storescu ward scans/"),
        ("pacs validate --rule iod-module-m", "--rule iod-module-missing"),
    ):
        terminal.type(f"{line}\t")
        terminal.wait(completed)
        terminal.clear(">")
    terminal.type(f"pacs findscu -k PatientB{_KEYS[shell]}")
    terminal.wait("PatientBirthDate", "PatientBirthTime", "PatientBreedDescription")
    terminal.clear(">")
    terminal.type(f"pacs findscu --t{_KEYS[shell]}")
    terminal.wait("--time-zone", "--tls-ca", "--today")
    terminal.clear(">")


def _talk(terminal: Tmux) -> None:
    """A peer answers, takes files, and a slip of the fingers costs one line."""
    terminal.type("pacs echoscu ward\r")
    terminal.wait("answered C-ECHO 1: 0000H success")
    terminal.clear(">")
    terminal.type("pacs storescu ward scans yamada.dcm\r")
    terminal.wait("stored 3, failed 0")
    terminal.clear(">")
    terminal.type("pacs fidnscu ward; pacs findscu wrad; pacs findscu ward -k PatientNme\r")
    terminal.wait(
        "pacs: no such command fidnscu; did you mean findscu?",
        "no port for wrad",
        "did you mean ward?",
        "PatientNme is no keyword of the standard; did you mean PatientName?",
    )
    terminal.clear(">")


def _tables(terminal: Tmux) -> None:
    """A table fits the terminal and its borders stand below each other."""
    terminal.type("pacs findscu ward\r")
    screen = terminal.wait("2 studies found", "Made^Up", "山田^太郎")
    lines = screen.splitlines()
    (rule,) = (line for line in lines if "──" in line)
    starts = [each.start() for each in re.finditer("─+", rule)]
    assert len(starts) >= 6, screen
    assert max(width(line) for line in lines) <= 80
    for name in ("Made^Up", "山田^太郎"):
        (row,) = (line for line in lines if name in line)
        assert row.startswith("2026-01-02  ")
        # what follows the name stands below its heading, however wide the characters are
        after = row.partition(name)[2]
        begins = width(row.partition(name)[0] + name + after[: len(after) - len(after.lstrip())])
        assert begins in starts, screen
    terminal.clear(">")
    terminal.type("pacs storescp --help\r")
    screen = terminal.wait("--help-all    ")
    assert max(width(line) for line in screen.splitlines()) <= 80
    terminal.clear(">")


def _pipes(terminal: Tmux, home: Path) -> None:
    """What is no terminal gets plain lines; a terminal that wants no colour gets none."""
    terminal.type("pacs findscu ward -k PatientName --no-defaults >out.txt 2>err.txt\r")
    terminal.type("pacs storescu ward scans >>out.txt 2>>err.txt; echo do''ne\r")
    terminal.wait("done")
    rows = (home / "out.txt").read_text().splitlines()
    assert "\t" in rows[0]
    text = (home / "out.txt").read_text() + (home / "err.txt").read_text()
    # no bar was drawn, nor anything else that moves a cursor
    assert not re.search(r"[\x00-\x08\x0b-\x1f┃│]", text)
    terminal.clear(">")
    for setting, has_colour in (("PACS_X=", True), ("NO_COLOR=1", False), ("TERM=dumb", False)):
        terminal.type(f"{setting} pacs dump scans/ct.dcm --only PatientName --no-meta\r")
        screen = terminal.wait("Made^Up", colours=True)
        (line,) = (line for line in screen.splitlines() if "Made^Up" in line)
        # the colour of a VR; that of the tag may go on from the line above
        assert ("\x1b[35m" in line) is has_colour, (setting, line)
        terminal.clear(">")
