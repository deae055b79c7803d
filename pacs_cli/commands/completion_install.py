"""`pacs completion install`: put the script where the shell looks for it."""

from __future__ import annotations

import os

from pacs_cli.commands.completing import ShellName, shell_of, tell
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs completion install", "for the shell in which it is typed"),
    ("pacs completion install fish", "for fish"),
)
CONFORMANCE = "None: it writes two files of this user."


def install(output: OutputOptions, shell: ShellName = None) -> None:
    """Put the completion script where this user's shell looks for it, and say how it is used.

    No file of another's is replaced and none of the shell's own is changed: where a line has to be
    added to one, it is shown. Run again it only writes what has changed.
    """
    from pacs_cli.pipelines import shells

    report = Report.for_output(output)
    chosen = shell_of(shell)
    tell(report, chosen, shells.install(chosen, os.environ), "written", "unchanged")
    for line in shells.activation(chosen, os.environ):
        report.line(line)
