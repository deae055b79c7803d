"""`pacs completion show`: print a script."""

from __future__ import annotations

from pacs_cli.commands.completing import ShellName, shell_of
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("source <(pacs completion show bash)", "complete in this bash alone"),
    ("pacs completion show fish | source", "complete in this fish alone"),
)
CONFORMANCE = "None: it prints a script."


def show(output: OutputOptions, shell: ShellName = None) -> None:
    """Print the completion script of a shell.

    It reads the keywords of DICOM inside this installation, which must stay where it is.
    """
    from pacs_cli.pipelines.shells import script

    report = Report.for_output(output)
    chosen = shell_of(shell)
    text = script(chosen)
    report.lines([("", line)] for line in text.splitlines())
    report.record("script", {"shell": chosen, "text": text})
