"""Writes what is derived from the code: man pages, completions, docs/cli.md, docs/rules.

    python -m pacs_cli.generate [--check]

`--check` writes nothing and exits 1 when a file differs from a fresh generation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pacs_cli import __version__
from pacs_cli.cli import COMMANDS, Command, application
from pacs_cli.completions import bash, fish, keywords, zsh
from pacs_cli.dicom.dictionary import tags_of_keywords, vr_at
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import OutputOptions
from pacs_cli.pipelines.validation.pages import rule_pages
from pacs_cli.report import Report

ROOT = Path(__file__).parent.parent

_CODES = {
    Exit.OK: "all done; objects stored with a warning count as done",
    Exit.SOME_FAILED: "some items failed",
    Exit.USAGE: "the command line or the configuration is wrong",
    Exit.CONNECT: "host name, connection, TLS, or a port that cannot be listened on",
    Exit.ASSOCIATION: "rejected, aborted, no accepted presentation context, no answer",
    Exit.PEER_FAILED: "the peer answered a failure status",
    Exit.BAD_INPUT: "input is missing, not DICOM, or there is nothing to send",
    Exit.OUTPUT: "a result cannot be written, the archive or its index not be used",
    Exit.BUG: "a bug of ours",
    Exit.INTERRUPTED: "Ctrl-C",
    Exit.BROKEN_PIPE: "whoever read stdout has gone",
}

_ENVIRONMENT = (
    ("PACS_CONFIG", "the configuration file, instead of $XDG_CONFIG_HOME/pacs/config.toml"),
    ("PACS_AET", "our own AE title"),
    ("PACS_CONNECT_TIMEOUT, PACS_ACSE_TIMEOUT, PACS_DIMSE_TIMEOUT, PACS_TIMEOUT", "seconds"),
    ("PACS_MAX_PDU", "bytes, 0 for no limit"),
    ("PACS_TLS_KEY_PASS", "decrypts the key of --tls-key"),
    ("NO_COLOR", "no colour in tables"),
)


@dataclass(frozen=True, slots=True)
class Option:
    """One option or argument as its help shows it; `names` is empty for an argument."""

    names: tuple[str, ...]
    metavar: str
    help: str
    takes_value: bool
    panel: str


@dataclass(frozen=True, slots=True)
class Page:
    """One command, ready to be described; of a group's `name` has two words.

    commands  of a group: those that it has, each with its summary
    """

    name: str
    summary: str
    usage: str
    description: str
    options: tuple[Option, ...]
    examples: tuple[tuple[str, str], ...]
    conformance: str
    commands: tuple[tuple[str, str], ...] = ()

    @property
    def file(self) -> str:
        """What its man page is called, without the section."""
        return f"pacs-{self.name.replace(' ', '-')}"


def _attributes() -> Iterator[tuple[str, int, str]]:
    """Yield every attribute that a data set can have."""
    for keyword, tag in tags_of_keywords().items():
        if tag >> 16 >= 8:
            yield keyword, tag, vr_at(tag)


def pages() -> list[Page]:
    """Return every command of the table as its own declaration describes it.

    raises  UsageError when a command lacks EXAMPLES or CONFORMANCE
    """
    return list(_pages(application(), COMMANDS, ""))


def _pages(group: Any, table: Sequence[Command], above: str) -> Iterator[Page]:
    """Yield the pages of a table's commands, those of a group after its own."""
    for name, module_name, summary in table:
        module = import_module(module_name)
        for constant in ("EXAMPLES", "CONFORMANCE"):
            if not hasattr(module, constant):
                raise UsageError(f"{module_name} has no {constant}; every command needs them")
        command: Any = group.get_command(None, name)
        context = command.make_context(name, [], resilient_parsing=True)
        rows = tuple(Command(*row) for row in getattr(module, "COMMANDS", ()))
        yield Page(
            name=f"{above}{name}",
            summary=summary,
            usage=" ".join([f"pacs {above}{name}", *command.collect_usage_pieces(context)]),
            description="\n".join(map(str.strip, (command.help or "").splitlines())).strip(),
            options=tuple(_options(command, context)),
            examples=tuple(module.EXAMPLES),
            conformance=module.CONFORMANCE,
            commands=tuple((each.name, each.summary) for each in rows),
        )
        if rows:
            yield from _pages(command, rows, f"{name} ")


def _options(command: Any, context: Any) -> Iterator[Option]:
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is None:
            continue
        is_argument = param.param_type_name == "argument"
        typed = () if is_argument else (*param.opts, *param.secondary_opts)
        names = tuple(sorted(typed, key=lambda o: (len(o), o)))
        takes_value = not is_argument and not param.is_flag and not param.count
        metavar = record[0].rpartition(" ")[2] if takes_value else ""
        if is_argument:
            metavar = record[0]
        panel = "Arguments" if is_argument else getattr(param, "rich_help_panel", None) or "Options"
        yield Option(names, metavar, record[1].strip(), takes_value, panel)


def files() -> dict[str, str]:
    """Return path below the project's root -> contents of every generated file."""
    all_pages = pages()
    made = {
        "docs/cli.md": _markdown(all_pages),
        "man/pacs.1": _man_of_all(all_pages),
        "completions/pacs.bash": bash(all_pages),
        "completions/_pacs": zsh(all_pages),
        "completions/pacs.fish": fish(all_pages),
        "completions/pacs.keywords": keywords(_attributes()),
        **rule_pages(),
    }
    for page in all_pages:
        made[f"man/{page.file}.1"] = _man(page, all_pages)
    return made


def main(arguments: Sequence[str]) -> Exit:
    """Write the files, or with --check name those that differ."""
    report = Report.for_output(OutputOptions())
    is_check = "--check" in arguments
    different = 0
    for name, text in files().items():
        path = ROOT / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        different += 1
        report.line(f"{'differs' if is_check else 'written'}: {name}")
        if not is_check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return Exit.SOME_FAILED if is_check and different else Exit.OK


# -- docs/cli.md -----------------------------------------------------------------------------


def _markdown(all_pages: list[Page]) -> str:
    parts = [
        "# Commands\n\nWritten by `python -m pacs_cli.generate` from the commands themselves.\n"
    ]
    for page in all_pages:
        parts.append(f"## pacs {page.name}\n\n    {page.usage}\n\n{page.description}\n")
        if page.commands:
            rows_of = "".join(f"| `{name}` | {text} |\n" for name, text in page.commands)
            parts.append(f"| commands | |\n|---|---|\n{rows_of}")
        for panel in dict.fromkeys(option.panel for option in page.options):
            rows = [o for o in page.options if o.panel == panel]
            parts.append(f"| {panel.lower()} | |\n|---|---|\n" + "".join(map(_table_row, rows)))
        examples = "".join(f"    {line}\n        {what}\n" for line, what in page.examples)
        parts.append(f"Examples:\n\n{examples}")
        parts.append(f"Conformance: {page.conformance}\n")
    return "\n".join(parts)


def _table_row(option: Option) -> str:
    label, text = (cell.replace("|", "\\|") for cell in (_label(option), option.help))
    return f"| `{label}` | {text} |\n"


def _label(option: Option) -> str:
    return " ".join(filter(None, (", ".join(option.names), option.metavar)))


# -- man pages -------------------------------------------------------------------------------


def _man(page: Page, all_pages: Sequence[Page]) -> str:
    lines = _man_head(page.file, page.summary)
    lines += [".SH SYNOPSIS", f".B {_roff(page.usage)}", ".SH DESCRIPTION"]
    lines += _paragraphs(page.description)
    lines += _man_commands(page.commands)
    for panel in dict.fromkeys(option.panel for option in page.options):
        lines.append(f".SH {panel.upper()}")
        for option in page.options:
            if option.panel == panel:
                lines += [".TP", f".B {_roff(_label(option))}", _roff(option.help)]
    lines.append(".SH EXAMPLES")
    for line, what in page.examples:
        lines += [".TP", f".B {_roff(line)}", _roff(what)]
    lines += [".SH CONFORMANCE", _roff(page.conformance)]
    # of a group its commands, of one of those the group
    above = page.name.split(" ")[0]
    related = [
        each.file
        for each in all_pages
        if each is not page and (each.name.startswith(f"{page.name} ") or each.name == above)
    ]
    return "\n".join([*lines, *_man_tail(("pacs", *related))]) + "\n"


def _man_of_all(all_pages: list[Page]) -> str:
    lines = _man_head("pacs", "the DICOM command-line suite")
    lines += [".SH SYNOPSIS", ".B pacs", ".I COMMAND", "[OPTIONS] [ARGUMENTS]", ".SH DESCRIPTION"]
    lines += ["One command over one small engine. Results go to stdout, everything else to stderr."]
    lines += _man_commands([(page.name, page.summary) for page in all_pages])
    return "\n".join([*lines, *_man_tail([page.file for page in all_pages])]) + "\n"


def _man_commands(commands: Sequence[tuple[str, str]]) -> list[str]:
    lines = [".SH COMMANDS"] if commands else []
    for name, summary in commands:
        lines += [".TP", f".B {_roff(name)}", _roff(summary)]
    return lines


def _man_head(name: str, summary: str) -> list[str]:
    title = name.upper().replace("-", "\\-")
    return [
        f'.TH {title} 1 "" "pacs {__version__}" "pacs"',
        ".SH NAME",
        f"{_roff(name)} \\- {_roff(summary[:1].lower() + summary[1:].rstrip('.'))}",
    ]


def _man_tail(see_also: Sequence[str]) -> list[str]:
    lines = [".SH EXIT STATUS"]
    for code, meaning in _CODES.items():
        lines += [".TP", f".B {int(code)}", _roff(meaning)]
    lines.append(".SH ENVIRONMENT")
    for name, meaning in _ENVIRONMENT:
        lines += [".TP", f".B {_roff(name)}", _roff(meaning)]
    lines += [".SH FILES", ".I $XDG_CONFIG_HOME/pacs/config.toml", ".SH SEE ALSO"]
    lines += [f".BR {_roff(name)} (1){',' * (name != see_also[-1])}" for name in see_also]
    return lines


def _paragraphs(text: str) -> list[str]:
    paragraphs = [" ".join(block.split()) for block in text.split("\n\n")]
    return [line for block in paragraphs for line in (".PP", _roff(block))][1:]


def _roff(text: str) -> str:
    """Escape text for roff; a line that begins with a dot or quote would be a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{text}" if text.startswith(".") else text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
