"""`pacs users list`: show the names of the users."""

from __future__ import annotations

from pacs_cli.commands.users_options import UserFile
from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (("pacs users list --file users", "a name on each line"),)
CONFORMANCE = "None: it is a local file."


def list(file: UserFile, output: OutputOptions) -> Exit:
    """Show the names of the users of a file, one a line, never what is kept of a passcode."""
    from pacs_cli.pipelines.users import read_users

    report = Report.for_output(output)
    for name in read_users(file).passcodes:
        report.record("user", {"name": name})
        report.line(name)
    return Exit.OK
