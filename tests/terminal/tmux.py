"""A terminal of its own for a shell: tmux, whose control mode tells when the screen changes."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

from tests.peers import require

#: Seconds after which a screen is not expected any more, on a machine with much else to do.
PATIENCE = 30


class Tmux:
    """A program in a terminal of `columns` by `rows`, to be typed at and looked at."""

    def __init__(
        self, command: str, environment: dict[str, str], columns: int = 80, rows: int = 50
    ) -> None:
        program = require("tmux")
        # a socket's path has 108 characters at most
        self._folder = Path(tempfile.mkdtemp(prefix="tmux-"))
        settings = self._folder / "conf"
        settings.write_text("set -g default-terminal screen\nset -g escape-time 0\n")
        self._server = (program, "-S", str(self._folder / "s"), "-f", str(settings))
        size = ("-x", str(columns), "-y", str(rows))
        # -u: the screen is in UTF-8 whatever the environment says
        subprocess.run(
            [*self._server, "-u", "new-session", "-d", "-s", "main", *size, command],
            env=environment,
            cwd=environment["HOME"],
            check=True,
        )
        self._client = subprocess.Popen(
            [*self._server, "-u", "-C", "attach", "-t", "main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._unread = b""
        self._has_changed = True
        # attaching has an answer of its own
        self._answer(time.monotonic() + PATIENCE)

    def type(self, text: str) -> None:
        """Type text; \\t and \\r are the keys."""
        self._ask("send-keys -H " + " ".join(f"{byte:02x}" for byte in text.encode()))

    def wait(self, *wanted: str, colours: bool = False) -> str:
        """Return the screen once all of `wanted` stand on it, in any order.

        colours  with the escape sequences of colours
        """
        return self._until(
            lambda screen: all(text in screen for text in wanted), str(wanted), colours
        )

    def clear(self, prompt: str) -> None:
        """Empty the line and the screen, and return when only the prompt is left."""
        self.type("\x15\x0c")
        self._until(lambda screen: screen.strip() == prompt, f"only {prompt}", False)

    def _until(self, is_reached: Callable[[str], bool], what: str, colours: bool) -> str:
        end = time.monotonic() + PATIENCE
        while True:
            self._has_changed = False
            # -J joins what the terminal has wrapped
            screen = "\n".join(self._ask(f"capture-pane -p -J{' -e' * colours}"))
            if is_reached(screen):
                return screen
            while not self._has_changed:
                line = self._line(end)
                assert line is not None, f"{what} is not on the screen:\n{screen}"
                self._has_changed = line.startswith(b"%output")

    def close(self) -> None:
        """End it, and whatever runs in it."""
        subprocess.run([*self._server, "kill-server"], check=False, capture_output=True)
        self._client.stdin.close()
        self._client.wait(10)
        self._client.stdout.close()
        shutil.rmtree(self._folder)

    def _ask(self, command: str) -> list[str]:
        self._client.stdin.write(command.encode() + b"\n")
        self._client.stdin.flush()
        return self._answer(time.monotonic() + PATIENCE)

    def _answer(self, end: float) -> list[str]:
        """Return the lines between %begin and %end; what comes between answers is noted."""
        lines: list[str] | None = None
        while (line := self._line(end)) is not None:
            if line.startswith(b"%begin"):
                lines = []
            elif line.startswith((b"%end", b"%error")) and lines is not None:
                assert line.startswith(b"%end"), lines
                return lines
            elif lines is not None:
                lines.append(line.decode(errors="replace"))
            elif line.startswith(b"%output"):
                self._has_changed = True
        raise AssertionError("tmux does not answer")

    def _line(self, end: float) -> bytes | None:
        while b"\n" not in self._unread:
            left = max(end - time.monotonic(), 0)
            if not select.select([self._client.stdout], [], [], left)[0]:
                return None
            data = os.read(self._client.stdout.fileno(), 65536)
            assert data, "tmux has ended"
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line.rstrip(b"\r")


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))
