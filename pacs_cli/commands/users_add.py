"""`pacs users add`: add a user, or give one another passcode."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pacs_cli.commands.users_options import UserFile, UserName
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs users add --file users doe", "asks for the passcode, twice"),
    ("pacs users add --file users doe --passcode-file -", "reads it from stdin"),
)
CONFORMANCE = "None: it is a local file."


def add(
    file: UserFile,
    name: UserName,
    output: OutputOptions,
    passcode_file: Annotated[
        str | None,
        typer.Option(
            "--passcode-file",
            metavar="FILE",
            help="Take the passcode from the first line of this file, - for stdin, instead of "
            "asking on the terminal.",
            rich_help_panel="Users",
        ),
    ] = None,
) -> Exit:
    """Add a user to a file, which is made when it is missing, or give one another passcode.

    The passcode has 8 to 1024 bytes. It is never on the command line.
    """
    from pacs_cli.pipelines.users import Passcode, changed, check_name, check_passcode

    report = Report.for_output(output)
    check_name(name)
    passcode = Passcode.of(check_passcode(_passcode(passcode_file)))
    with changed(file) as users:
        is_new = name not in users
        users[name] = passcode
    report.record("user", {"name": name, "change": "added" if is_new else "changed"})
    report.line(f"{'added' if is_new else 'changed'} {name}")
    return Exit.OK


def _passcode(file: str | None) -> bytes:
    """Return the passcode as it is typed or read; UsageError without a terminal to ask on."""
    if file is not None:
        from pacs_cli.securing import read_passcode

        return read_passcode(0 if file == "-" else Path(file))
    import getpass
    import os

    try:
        # without this it would be asked for on stderr, and typed in the clear
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise UsageError(
            "no terminal to ask for the passcode on: write --passcode-file FILE, or - for stdin"
        ) from None
    passcode = getpass.getpass("Passcode: ")
    if getpass.getpass("Again: ") != passcode:
        raise UsageError("the two passcodes differ; try again")
    return os.fsencode(passcode)
