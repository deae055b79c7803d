"""The man pages: one of each command and one of all, as man(7) and mandoc want them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pacs_cli import __version__
from pacs_cli.errors import Exit
from pacs_cli.helping import Page

#: The day of the version; a page that had the day it was made would differ from each other one.
_DATE = "2026-11-25"

#: What each exit code says.
CODES = {
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

#: Variables, what they say, and the option whose commands heed them, "" for all.
ENVIRONMENT = (
    ("PACS_CONFIG", "The configuration file.", "--aet"),
    ("PACS_AET", "Our own AE title.", "--aet"),
    (
        "PACS_CONNECT_TIMEOUT, PACS_ACSE_TIMEOUT, PACS_DIMSE_TIMEOUT, PACS_TIMEOUT",
        "Seconds, as the options of these names.",
        "--timeout",
    ),
    ("PACS_MAX_PDU", "Bytes, 0 for no limit.", "--max-pdu"),
    ("PACS_USER_PASS", "The passcode of --user.", "--user"),
    ("PACS_TLS_KEY_PASS", "Decrypts the key of --tls-key.", "--tls-key"),
    ("PACS_ANON_KEY", "The file of the key, where --key-file is not given.", "--key-file"),
    ("PACS_KEY_PASSWORD", "Decrypts the private key.", "--private-key"),
    ("PACS_DEBUG", "When it is not empty, shows where an internal error comes from.", ""),
    ("NO_COLOR", "When it is not empty, no colour is shown.", "--json"),
    ("TERM", "When it is dumb, neither colour nor a bar is shown.", "--json"),
    ("COLUMNS", "Columns of help and tables, instead of those of the terminal.", ""),
    (
        "XDG_STATE_HOME",
        "Where the places at peers are counted that have max_associations, ~/.local/state by "
        "default.",
        "--state",
    ),
    ("XDG_DATA_HOME", "Where files of this user are, ~/.local/share by default.", "install"),
)

#: Files, what they are, and the option or command that has to do with them.
_FILES = (
    (
        "$XDG_CONFIG_HOME/pacs/config.toml",
        "The configuration, with named peers; in ~/.config where XDG_CONFIG_HOME is not set.",
        "--aet",
    ),
    ("index.db", "The index, in the folder whose files it has.", "--db"),
    (".forward.job", "What is still to be sent on, in the folder of the archive.", "--forward"),
    (
        "$XDG_DATA_HOME/bash-completion/completions/pacs",
        "The script for bash.",
        "install",
    ),
    ("$XDG_DATA_HOME/zsh/site-functions/_pacs", "The script for zsh.", "install"),
    ("$XDG_CONFIG_HOME/fish/completions/pacs.fish", "The script for fish.", "install"),
    ("$XDG_DATA_HOME/pacs/pacs.keywords", "What the scripts know of DICOM.", "install"),
)


def man(page: Page, all_pages: Sequence[Page]) -> str:
    """Return the man page of a command."""
    lines = [*_head(page.file, page.summary), ".SH SYNOPSIS"]
    name = f"pacs {page.name}"
    lines += [f".B {_roff(name)}", _roff(page.usage.removeprefix(name).strip())]
    lines += [".SH DESCRIPTION", *_paragraphs(page.description)]
    lines += _commands(page.commands)
    lines.append(".SH OPTIONS")
    for panel in dict.fromkeys(option.panel for option in page.options):
        lines.append(f".SS {panel}")
        for option in page.options:
            if option.panel == panel:
                lines += [".TP", f".B {_roff(option.label)}", _roff(option.help)]
    lines.append(".SH EXAMPLES")
    for line, what in page.examples:
        lines += [".TP", f".B {_roff(line)}", _roff(_sentence(what))]
    named = {name for option in page.options for name in option.names} | set(page.name.split())
    lines += _tail(named)
    lines += [".SH CONFORMANCE", _roff(page.conformance)]
    # of a group its commands, of one of those the group
    above = page.name.rpartition(" ")[0]
    related = [
        each.file
        for each in all_pages
        if each is not page and (each.name.startswith(f"{page.name} ") or each.name == above)
    ]
    return "\n".join([*lines, *_see_also(("pacs", *related))]) + "\n"


def man_of_all(all_pages: Sequence[Page], options: Iterable[tuple[str, str]]) -> str:
    """Return the man page of the program.

    options  those it has without a command, each with what it does
    """
    lines = [*_head("pacs", "the DICOM command-line suite"), ".SH SYNOPSIS", ".B pacs"]
    lines += [".I COMMAND", "[OPTIONS] [ARGUMENTS]", ".SH DESCRIPTION"]
    lines += ["One command over one small engine."]
    lines += [
        "Results go to stdout, everything else to stderr.",
        "A peer is HOST PORT, HOST:PORT, AET@HOST:PORT or a name from the configuration.",
    ]
    lines += _commands([(page.name, page.summary) for page in all_pages])
    lines.append(".SH OPTIONS")
    for label, text in options:
        lines += [".TP", f".B {_roff(label)}", _roff(text)]
    lines.append(".SH EXAMPLES")
    for line, what in (
        ("pacs demo", "See it work on real files, with nothing left behind."),
        ("pacs echoscu ARCHIVE@10.0.0.5:104", "Ask a peer whether it answers."),
        ("pacs completion install", "Complete with TAB."),
    ):
        lines += [".TP", f".B {_roff(line)}", what]
    named = {name for page in all_pages for option in page.options for name in option.names}
    lines += _tail(named)
    lines += [".SH CONFORMANCE", "Each command says what it conforms to."]
    return "\n".join([*lines, *_see_also([page.file for page in all_pages])]) + "\n"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _commands(commands: Sequence[tuple[str, str]]) -> list[str]:
    lines = [".SH COMMANDS"] if commands else []
    for name, summary in commands:
        lines += [".TP", f".B {_roff(name)}", _roff(summary)]
    return lines


def _head(name: str, summary: str) -> list[str]:
    title = name.upper().replace("-", "\\-")
    return [
        f'.TH {title} 1 "{_DATE}" "pacs {__version__}" "pacs"',
        # options and templates are to be copied: no word is parted
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_roff(name)} \\- {_roff(summary[:1].lower() + summary[1:].rstrip('.'))}",
    ]


def _tail(named: set[str]) -> list[str]:
    """Return the sections from EXIT STATUS on.

    named  every option of the command, and the words of its name
    """
    lines = [".SH EXIT STATUS"]
    for code, meaning in CODES.items():
        lines += [".TP", f".B {int(code)}", _roff(_sentence(meaning))]
    lines.append(".SH ENVIRONMENT")
    for variable, meaning, option in ENVIRONMENT:
        if not option or option in named:
            lines += [".TP", f".B {_roff(variable)}", _roff(meaning)]
    files = [(path, meaning) for path, meaning, option in _FILES if option in named]
    lines += [".SH FILES"] if files else []
    for path, meaning in files:
        lines += [".TP", f".I {_roff(path)}", _roff(meaning)]
    return lines


def _see_also(names: Sequence[str]) -> list[str]:
    lines = [f".BR {_roff(name)} (1){',' * (name != names[-1])}" for name in names]
    return [".SH SEE ALSO", *lines]


def _paragraphs(text: str) -> list[str]:
    paragraphs = [" ".join(block.split()) for block in text.split("\n\n")]
    return [line for block in paragraphs for line in (".PP", _roff(block))][1:]


def _roff(text: str) -> str:
    """Escape text for roff; a line that begins with a dot or quote would be a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{text}" if text.startswith(".") else text
