"""`pacs completion uninstall`: remove what install wrote."""

from __future__ import annotations

import os

from pacs_cli.commands.completing import ShellName, shell_of, tell
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs completion uninstall", "for the shell in which it is typed"),
    ("pacs completion uninstall fish", "for fish"),
)
CONFORMANCE = "None: it removes two files of this user."


def uninstall(output: OutputOptions, shell: ShellName = None) -> None:
    """Remove the completion script of a shell, and with the last one the list of keywords.

    A line that was added to a file of the shell's own stays there; it does no harm.
    """
    from pacs_cli.pipelines import shells

    report = Report.for_output(output)
    chosen = shell_of(shell)
    tell(report, chosen, shells.uninstall(chosen, os.environ), "removed", "absent")
