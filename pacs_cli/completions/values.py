"""What may stand where on a command line, as the help says it, for all three shells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

#: What prints the names of the configured peers, in any shell of the kind of sh.
PEERS = (
    r"sed -n 's/^[[:space:]]*\[peers\.\([A-Za-z0-9_-]*\)\].*/\1/p' "
    '"${PACS_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/pacs/config.toml}" 2>/dev/null'
)

#: Name of an option, or of a value in the help -> the words that it may be.
Words = Mapping[str, Sequence[str]]


class Kind(StrEnum):
    """What completes a value."""

    NONE = "none"
    FILES = "files"
    FOLDERS = "folders"
    PEERS = "peers"
    SHELL = "shell"
    #: a keyword or tag, behind which a value may follow
    KEY = "key"
    #: several of them, with commas
    KEYS = "keys"
    WORD = "word"
    #: several words, with commas
    WORDS = "words"
    #: CLASS=SYNTAX,...
    PAIRS = "pairs"


class Option(Protocol):
    """One option, or an argument, which has no names."""

    @property
    def names(self) -> tuple[str, ...]:
        """How it is typed."""
        ...

    @property
    def metavar(self) -> str:
        """What its value is called."""
        ...

    @property
    def help(self) -> str:
        """What it does."""
        ...

    @property
    def takes_value(self) -> bool:
        """Whether a value follows."""
        ...


class Page(Protocol):
    """One command; in a group `name` has several words."""

    @property
    def name(self) -> str:
        """How it is called."""
        ...

    @property
    def summary(self) -> str:
        """What it does."""
        ...

    @property
    def options(self) -> Sequence[Option]:
        """What it takes."""
        ...

    @property
    def commands(self) -> Sequence[tuple[str, str]]:
        """Of a group the commands, each with its summary."""
        ...

    @property
    def default(self) -> str:
        """Of a group the command that is meant when none is typed, or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Value:
    """What completes the value of an option; `words` of the kinds that have some."""

    kind: Kind
    words: tuple[str, ...] = ()


_FIXED = {
    "KEY": Kind.KEY,
    "KEY[=VALUE]": Kind.KEY,
    "KEYWORD=VALUE": Kind.KEY,
    "KEY,...": Kind.KEYS,
    "CLASS=SYNTAX,...": Kind.PAIRS,
    "FILE": Kind.FILES,
    "PATH": Kind.FILES,
    "CSV": Kind.FILES,
    "DIR": Kind.FOLDERS,
    "PEER": Kind.PEERS,
}


def value_of(option: Option, words: Words) -> Value:
    """Return what completes the value of an option that takes one."""
    stem = option.metavar.removesuffix(",...")
    known = words.get(option.names[-1]) or words.get(stem)
    if known:
        return Value(Kind.WORD if stem == option.metavar else Kind.WORDS, tuple(known))
    if option.metavar in _FIXED:
        kind = _FIXED[option.metavar]
        return Value(kind, tuple(words["CLASS"]) if kind is Kind.PAIRS else ())
    if option.metavar.endswith(".pem"):
        return Value(Kind.FILES)
    # auto|DAYS|MIN:MAX: what is in capitals stands for something else
    choices = [each for each in option.metavar.split("|") if not re.search("[A-Z]", each)]
    return Value(Kind.WORD, tuple(choices)) if "|" in option.metavar else Value(Kind.NONE)


def places(page: Page) -> tuple[Kind, Kind]:
    """Return what the first positional argument is, and what the others are."""
    typed = " ".join(option.metavar for option in page.options if not option.names)
    if typed == "[SHELL]":
        return Kind.SHELL, Kind.NONE
    wanted = [re.sub(r"[\[\].]", "", word) for word in typed.split()]
    has_files = bool({*wanted} & {"PATH", "IN", "OUT", "FILE", "LEFT", "RIGHT", "INDEX"})
    rest = Kind.FILES if has_files else Kind.NONE
    return (Kind.PEERS if wanted[:1] == ["PEER"] else rest), rest


def names(page: Page) -> list[str]:
    """Return every name of every option of a command."""
    return [name for option in page.options for name in option.names]


def quoted(text: str) -> str:
    """Quote for any of the three shells."""
    return "'" + text.replace("'", "'\\''") + "'"
