"""Shells for the tests of completion."""

from __future__ import annotations

import os
import pty
import select
import time
from pathlib import Path

from tests.peers import require


class Zsh:
    """A zsh at a prompt of its own, for it completes nowhere else.

    before, after  commands for it, before and after its completion is set up
    """

    def __init__(
        self, environment: dict[str, str], folder: Path, before: str = ":", after: str = ":"
    ) -> None:
        program = require("zsh")
        self._process, self._terminal = pty.fork()
        if self._process == 0:  # pragma: no cover - the child becomes zsh
            os.chdir(folder)
            os.execve(program, ["zsh", "-f", "-i"], environment)
        self._send(
            f"stty rows 200 cols 200; {before}; autoload -U compinit; compinit -u -D; "
            f"{after}; PS1=; LISTMAX=9999; setopt no_beep; "
            "offer() { zle list-choices; zle -R; print -n '<e''nd>'; zle kill-whole-line; }; "
            "zle -N offer; bindkey '^T' offer; echo '<e''nd>'\n"
        )
        self._read()

    def offered(self, line: str) -> str:
        """Return what the terminal shows when this line is to be completed."""
        self._send(f"{line}\x14")
        return self._read()

    def _read(self) -> str:
        shown, end = b"", time.monotonic() + 30
        while b"<end>" not in shown:
            assert select.select([self._terminal], [], [], end - time.monotonic())[0], shown
            shown += os.read(self._terminal, 65536)
        return shown.decode(errors="replace")

    def _send(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def close(self) -> None:
        """End it."""
        self._send("\x03exit\n")
        os.close(self._terminal)
        os.waitpid(self._process, 0)
