"""`pacs users remove`: remove a user."""

from __future__ import annotations

from pacs_cli.commands.users_options import UserFile, UserName
from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (("pacs users remove --file users doe", "lets doe in no more"),)
CONFORMANCE = "None: it is a local file."


def remove(file: UserFile, name: UserName, output: OutputOptions) -> Exit:
    """Remove a user from a file. A `pacs storescp` that runs has to be started again."""
    from pacs_cli.pipelines.users import changed, removed

    report = Report.for_output(output)
    with changed(file) as users:
        removed(users, name, file)
    report.record("user", {"name": name, "change": "removed"})
    report.line(f"removed {name}")
    return Exit.OK
