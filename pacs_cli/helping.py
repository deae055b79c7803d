"""The help of a command: what it says, in which order, and what is only named until asked for.

`--help` shows what most people came for on about one screen; the groups that are folded are named
there with their options, so that they can be found, and `--help-all` explains them too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

#: Group of options -> whether --help only names what is in it, in the order of every help and
#: man page. Each option belongs to one of them by its `rich_help_panel`.
GROUPS = {
    "Arguments": False,
    "Job": False,
    "Query": False,
    "Retrieval": False,
    "Index": False,
    "DICOMDIR": False,
    "Rows": False,
    "Echo": False,
    "Steps": False,
    "Configuration": False,
    "Users": False,
    "Input": False,
    "What is shown": False,
    "What is compared": False,
    "Rules": False,
    "Documents": False,
    "Policy": False,
    "Keys": False,
    "Conversion": False,
    "Files": False,
    "Answers": False,
    "Sending": False,
    "Changes on the way": False,
    "Proof": False,
    "Archive": False,
    "Admission": False,
    "Query/retrieve": False,
    "Connection": False,
    "Source": True,
    "Pace": True,
    "Changes in a job": True,
    "Commitment": True,
    "Forwarding": True,
    "Query details": True,
    "Storage": True,
    "Hooks": True,
    "Negotiation": True,
    "Extended negotiation": True,
    "Identity": True,
    "Access": True,
    "TLS": True,
    "Audit": True,
    "Metrics": True,
    "Retries": True,
    "Timeouts and limits": True,
    "Testing": True,
    "Output": True,
    "Help": False,
}

#: So many examples are shown by --help; all of them by --help-all and the man page.
_FEW = 3

#: Lines longer than this are hard to read, however wide the terminal is; under 50 there is no
#: room for two columns.
WIDEST, _NARROWEST = 100, 50

#: The column of the options is as wide as most need; a longer one has a line of its own.
_LABEL_LIMIT = 28

_NOTES = re.compile(r" *\[([^][]*(?:\[[^][]*\][^][]*)*)\]$")
_RANGE = re.compile(r"(?:(\S+)<=)?x(?:>=(\S+)|<=(\S+))")


@dataclass(frozen=True, slots=True)
class Option:
    """One option or argument as its help shows it; `names` is empty for an argument."""

    names: tuple[str, ...]
    metavar: str
    help: str
    takes_value: bool
    panel: str

    @property
    def label(self) -> str:
        """Its names and its value, as they are typed."""
        return " ".join(filter(None, (", ".join(self.names), self.metavar)))


@dataclass(frozen=True, slots=True)
class Help:
    """What is known of one command.

    usage     as it is typed, `pacs index find [OPTIONS] [INDEX]`
    examples  each with what it does, the most useful first
    """

    usage: str
    description: str
    options: tuple[Option, ...]
    examples: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """One command, ready to be described in a document; in a group `name` has several words.

    commands  of a group: those that it has, each with its summary
    default   of a group: which of them is meant when none is typed
    """

    name: str
    summary: str
    usage: str
    description: str
    options: tuple[Option, ...]
    examples: tuple[tuple[str, str], ...]
    conformance: str
    commands: tuple[tuple[str, str], ...] = ()
    default: str = ""

    @property
    def file(self) -> str:
        """What its man page is called, without the section."""
        return f"pacs-{self.name.replace(' ', '-')}"


def options_of(command: Any, context: Any) -> tuple[Option, ...]:
    """Return what a command of the parser takes, group by group in the order of `GROUPS`."""
    order = list(GROUPS)
    found = list(_options(command, context))
    return tuple(sorted(found, key=lambda each: _place(each.panel, order)))


def _place(panel: str, order: Sequence[str]) -> int:
    # a group that is not in the table is shown last; the tests do not let one be
    return order.index(panel) if panel in order else len(order)


def _options(command: Any, context: Any) -> Iterator[Option]:
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is None:
            continue
        text = worded(record[1].strip(), param.metavar or "")
        if param.param_type_name == "argument":
            yield Option((), record[0], text, False, "Arguments")
            continue
        names = tuple(sorted([*param.opts, *param.secondary_opts], key=lambda o: (len(o), o)))
        takes_value = not param.is_flag and not param.count
        metavar = param.make_metavar(ctx=context) if takes_value else ""
        panel = getattr(param, "rich_help_panel", None)
        is_help = set(param.opts) & {"--help", "--help-all", "--version"}
        yield Option(names, metavar, text, takes_value, panel or ("Help" if is_help else "Options"))


def worded(text: str, metavar: str) -> str:
    """Return a help text whose notes in brackets at its end are one, in words and with units.

    text  as the parser gives it: `Wait so long.  [default: 30.0; x>=1]`
    """
    notes: list[str] = []
    while found := _NOTES.search(text):
        text = text[: found.start()]
        notes = [*found[1].split("; "), *notes]
    said = list(filter(None, (_note(each, metavar) for each in notes)))
    return f"{text} [{'; '.join(said)}]" if said else text


def _note(note: str, metavar: str) -> str:
    if limits := _RANGE.fullmatch(note):
        low, above, high = limits.groups()
        if high:
            return f"{low} to {high}" if low else f"at most {high}"
        # nobody means fewer than one or a negative number
        return "" if above in ("0", "1", "1.0") else f"at least {above}"
    if note == "required":
        return "required" if metavar == "FILE" else ""
    name, is_default, value = note.partition("default: ")
    if not is_default or name or not re.fullmatch(r"[0-9.]+", value):
        return note
    unit = {"SECONDS": " s", "BYTES": " bytes"}.get(metavar, "")
    return f"default: {value.removesuffix('.0')}{unit}"


def text_of(command: Help, width: int, is_whole: bool) -> str:
    """Return the help of a command.

    width     of the terminal, in columns
    is_whole  with what is folded, every example and the whole description
    """
    width = min(max(width, _NARROWEST), WIDEST)
    description = command.description if is_whole else command.description.partition("\n\n")[0]
    parts = [
        _wrapped(f"Usage: {command.usage}", width, "", " " * 7),
        *(_wrapped(block, width, "  ", "  ") for block in description.split("\n\n")),
        _examples(command.examples if is_whole else command.examples[:_FEW], width),
    ]
    groups = _grouped(command.options)
    folded = {} if is_whole else {title: groups[title] for title in groups if GROUPS.get(title)}
    shown = {title: rows for title, rows in groups.items() if title not in folded}
    column = _column(shown.values())
    for title, rows in shown.items():
        if title == "Help" and folded:
            parts.append(_named(folded, width))
        parts.append(section(title, [(row.label, row.help) for row in rows], width, column))
    return "\n\n".join(filter(None, parts))


def text_of_group(command: Help, commands: Sequence[tuple[str, str]], width: int) -> str:
    """Return the help of a command that has others, each with its summary."""
    width = min(max(width, _NARROWEST), WIDEST)
    options = [(each.label, each.help) for each in command.options]
    parts = [
        _wrapped(f"Usage: {command.usage}", width, "", " " * 7),
        *(_wrapped(block, width, "  ", "  ") for block in command.description.split("\n\n")),
        _examples(command.examples, width),
        section("Options", options, width),
        section("Commands", commands, width),
    ]
    return "\n\n".join(filter(None, parts))


def section(title: str, rows: Sequence[tuple[str, str]], width: int, column: int = 0) -> str:
    """Return rows of two columns below a title; the second is wrapped.

    column  where it begins; 0 for as near as the first one lets it
    """
    if not column:
        column = min(max((len(label) for label, _ in rows), default=0), _LABEL_LIMIT) + 4
    lines = [f"{title}:"]
    for label, text in rows:
        indent = " " * column
        first = f"  {label}".ljust(column)
        if len(first) > column - 2 and len(label) + 4 > column:
            lines.append(f"  {label}")
            first = indent
        lines.append(_wrapped(text, width, first, indent))
    return "\n".join(lines)


def _examples(examples: Sequence[tuple[str, str]], width: int) -> str:
    lines = [f"  {line}\n{_wrapped(text, width, ' ' * 6, ' ' * 6)}" for line, text in examples]
    return "\n".join(["Examples:", *lines]) if lines else ""


def _named(folded: dict[str, list[Option]], width: int) -> str:
    """Return the lines that only name what is folded."""
    rows = [
        (title, ", ".join(option.names[0] for option in options))
        for title, options in folded.items()
    ]
    return section("Explained by --help-all", rows, width)


def _grouped(options: Iterable[Option]) -> dict[str, list[Option]]:
    groups: dict[str, list[Option]] = {}
    for option in options:
        groups.setdefault(option.panel, []).append(option)
    return groups


def _column(groups: Iterable[Iterable[Option]]) -> int:
    """Return where the second column begins, the same in all groups."""
    labels = [len(option.label) for group in groups for option in group]
    return min(max(labels, default=0), _LABEL_LIMIT) + 4


def _wrapped(text: str, width: int, first: str, rest: str) -> str:
    """Return text in lines of `width`; a word longer than one is parted behind its slashes."""
    lines, line, room = [], first, width - len(rest)
    for word in text.split():
        pieces = re.split("(?<=/)", word) if len(word) > room else [word]
        gap = " " if line.strip() and line is not first else ""
        for piece in pieces:
            if line.strip() and len(line) + len(gap) + len(piece) > width:
                lines.append(line)
                line, gap = rest, ""
            line, gap = line + gap + piece, ""
    return "\n".join([*lines, line])
