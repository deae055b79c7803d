"""Where the command lines of the documents run: files, peers and programs by the names they have.

A line runs in this process, as a shell would run it: words in quotes, `|`, `&&`, `||` and `>`.
"""

from __future__ import annotations

import io
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from pacs_cli import cli
from tests.interop.peers import pacs_storescp

_BETWEEN = ("|", "&&", "||")


class Done(NamedTuple):
    """What a command line gave back: both streams as they came, and the exit code."""

    exit: int
    output: str


class _Stream(io.TextIOWrapper):
    """A text stream over bytes in memory."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8", write_through=True)

    @property
    def data(self) -> bytes:
        return self.buffer.getvalue()  # type: ignore[attr-defined]


class World:
    """A folder with what the documents name.

    places  text that stands for an address in documents -> what it is here
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, places: Mapping[str, str]) -> None:
        self.folder = folder
        self._patch = patch
        self._places = places

    def here(self, text: str) -> str:
        """Return text of a document with the addresses and folders of this world."""
        for known, place in self._places.items():
            text = text.replace(known, place)
        return text

    def run(self, line: str) -> Done:
        """Run a command line; what stands behind `#` is left out."""
        stages = _stages(self.here(line))
        shown, code, data = _Stream(), 0, b""
        for number, (operator, words) in enumerate(stages):
            if (operator == "&&" and code) or (operator == "||" and not code):
                continue
            is_piped = number + 1 < len(stages) and stages[number + 1][0] == "|"
            *words, target = words if ">" in words else [*words, ""]
            # what goes nowhere else is shown in its order among what goes to stderr
            stdout = _Stream() if is_piped or target else shown
            code = self._command([w for w in words if w != ">"], data, code, stdout, shown)
            data = stdout.data if is_piped else b""
            if target:
                (self.folder / target).write_bytes(stdout.data)
        return Done(code, shown.data.decode())

    def _command(
        self, words: Sequence[str], data: bytes, code: int, stdout: _Stream, stderr: _Stream
    ) -> int:
        if words[0] == "echo":
            stdout.write(" ".join(words[1:]).replace("$?", str(code)) + "\n")
            return 0
        if words[0] != "pacs":
            done = subprocess.run(
                words, cwd=self.folder, input=data, capture_output=True, timeout=60, check=False
            )
            stdout.write(done.stdout.decode())
            stderr.write(done.stderr.decode())
            return done.returncode
        with self._patch.context() as patch:
            patch.chdir(self.folder)
            if words[1] == "storescp":
                return _receive(words[2:])
            patch.setattr("sys.stdin", _Stream(data))
            patch.setattr("sys.stdout", stdout)
            patch.setattr("sys.stderr", stderr)
            return cli.main(words[1:])


def _receive(options: Sequence[str]) -> int:
    """Start a receiver in a process of its own; it has to listen, and to end in order."""
    rest = [each for each in options[options[0].isdigit() :] if each != "--json"]
    position = rest.index("--out")
    folder = rest[position + 1]
    with pacs_storescp(Path(folder), *rest[:position], *rest[position + 2 :]) as archive:
        return archive.stop()


def _stages(line: str) -> list[tuple[str, list[str]]]:
    """Return operator and words of each command of a line; the first has no operator."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    found: list[tuple[str, list[str]]] = [("", [])]
    for token in lexer:
        if token in _BETWEEN:
            found.append((token, []))
        else:
            found[-1][1].append(token)
    return found
