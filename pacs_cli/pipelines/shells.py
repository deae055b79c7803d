"""Completion scripts in the place where a user's shell looks for them."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pacs_cli
from pacs_cli.errors import InputError, OutputError, UsageError, nearest
from pacs_cli.pipelines.whole import WholeFile

_SCRIPTS = Path(pacs_cli.__file__).parent / "completions" / "scripts"
_KEYWORDS = "pacs.keywords"

#: Where bash-completion, without which bash looks for no script, is installed: by distributions,
#: by Homebrew for either processor, and by MacPorts.
_BASH_COMPLETION = (
    "/usr/share/bash-completion/bash_completion",
    "/usr/local/share/bash-completion/bash_completion",
    "/opt/homebrew/share/bash-completion/bash_completion",
    "/opt/local/share/bash-completion/bash_completion",
)


class Shell(StrEnum):
    """A shell that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


_NAMES = {Shell.BASH: "pacs.bash", Shell.ZSH: "_pacs", Shell.FISH: "pacs.fish"}


@dataclass(frozen=True, slots=True)
class Written:
    """A file of an installation, and whether it had to be written or removed."""

    path: Path
    has_changed: bool


def named_shell(text: str) -> Shell:
    """Return the shell of that name; UsageError when there is none."""
    try:
        return Shell(text)
    except ValueError:
        hint = nearest(text, list(Shell))
        raise UsageError(f"shell {text}: choose bash, zsh or fish{hint}") from None


def shell_in_use(environ: Mapping[str, str], parent: int) -> Shell:
    """Return the shell that started this process, else the user's own.

    parent  the process that started this one
    raises  UsageError when it is neither
    """
    for name in (_program_of(parent), Path(environ.get("SHELL", "")).name):
        # a login shell begins with a dash
        if name.lstrip("-") in list(Shell):
            return Shell(name.lstrip("-"))
    raise UsageError("cannot tell which shell this is; write bash, zsh or fish behind it")


def _program_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        # no /proc, as on macOS
        told = subprocess.run(
            ["ps", "-o", "comm=", "-p", str(process)], capture_output=True, text=True, check=False
        )
        return Path(told.stdout.strip()).name


def script(shell: Shell) -> str:
    """Return a script that finds the keywords inside this package; InputError when it is gone."""
    text = _packaged(_NAMES[shell])
    folder = shlex.quote(str(_SCRIPTS))
    return re.sub("(?m)(?<=_pacs_packaged[= ])''$", lambda _: folder, text)


def _packaged(name: str) -> str:
    try:
        return (_SCRIPTS / name).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot read {_SCRIPTS / name}: {(error.strerror or '').lower()}; install pacs again"
        ) from None


def place_of(shell: Shell, environ: Mapping[str, str]) -> Path:
    """Return where this user's shell looks for the script, or can be told to."""
    if shell is Shell.BASH:
        # bash-completion takes several folders, with colons
        own = environ.get("BASH_COMPLETION_USER_DIR", "").split(":")[0]
        folder = Path(own) if own else _data(environ) / "bash-completion"
        return folder / "completions" / "pacs"
    if shell is Shell.ZSH:
        return _data(environ) / "zsh" / "site-functions" / "_pacs"
    config = environ.get("XDG_CONFIG_HOME") or _home(environ) / ".config"
    return Path(config) / "fish" / "completions" / "pacs.fish"


def _keywords_place(environ: Mapping[str, str]) -> Path:
    return _data(environ) / "pacs" / _KEYWORDS


def _data(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_DATA_HOME") or _home(environ) / ".local" / "share")


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def install(shell: Shell, environ: Mapping[str, str]) -> list[Written]:
    """Write the script and the keywords for this user; what is there already stays.

    raises  OutputError when a file cannot be written, or what is there is somebody else's
    """
    place = place_of(shell, environ)
    return [
        _write(place, _packaged(_NAMES[shell])),
        _write(_keywords_place(environ), _packaged(_KEYWORDS)),
    ]


def _write(path: Path, text: str) -> Written:
    there = _contents(path)
    if there == text:
        return Written(path, False)
    if there is not None and not _is_ours(there):
        raise OutputError(f"cannot write {path}: it is there and not of pacs; move it away")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {(error.strerror or '').lower()}") from None
    file = WholeFile(path)
    try:
        file.write(text)
        file.finish()
    except OutputError:
        file.discard()
        raise
    return Written(path, True)


def uninstall(shell: Shell, environ: Mapping[str, str]) -> list[Written]:
    """Remove what `install` wrote; the keywords go with the last script.

    raises  OutputError when a file cannot be removed, or is somebody else's
    """
    removed = [_remove(place_of(shell, environ))]
    if not any(_contents(place_of(each, environ)) is not None for each in Shell):
        removed.append(_remove(_keywords_place(environ)))
    return removed


def _remove(path: Path) -> Written:
    there = _contents(path)
    if there is None:
        return Written(path, False)
    if not _is_ours(there):
        raise OutputError(f"cannot remove {path}: it is not of pacs")
    try:
        path.unlink()
    except OSError as error:
        raise OutputError(f"cannot remove {path}: {(error.strerror or '').lower()}") from None
    return Written(path, True)


def _contents(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"cannot read {path}: {(error.strerror or '').lower()}") from None


def _is_ours(text: str) -> bool:
    first = text.partition("\n")[0]
    return first in (
        "# bash completion for pacs",
        "#compdef pacs",
        "# fish completion for pacs",
    ) or bool(re.fullmatch(r"[A-Za-z0-9]+ [0-9a-f]{4},[0-9a-f]{4} [A-Z ]+", first))


def activation(shell: Shell, environ: Mapping[str, str]) -> list[str]:
    """Return the lines that say how the script comes into use."""
    place = place_of(shell, environ)
    quoted = shlex.quote(str(place))
    if shell is Shell.FISH:
        return ["fish reads it at the next TAB; there is nothing else to do"]
    if shell is Shell.ZSH:
        folder = shlex.quote(str(place.parent))
        if str(place.parent) in (_contents(_zshrc(environ)) or ""):
            return ["new shells have it; in this one: autoload -U compinit && compinit"]
        return [
            f"put this line into {_zshrc(environ)}, above compinit, and start a new shell:",
            f"  fpath=({folder} $fpath)",
            "without a line with compinit put this one below it:",
            "  autoload -U compinit && compinit",
        ]
    if any(Path(each).is_file() for each in _BASH_COMPLETION):
        return [f"new shells have it, by bash-completion; in this one: . {quoted}"]
    return [
        "bash-completion is not installed; without it put this line into ~/.bashrc:",
        f"  . {quoted}",
    ]


def _zshrc(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("ZDOTDIR") or _home(environ)) / ".zshrc"
