"""`pacs config path`: where the configuration file is."""

from __future__ import annotations

import os

from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs config path", "where it is, or would be"),
    ('"$EDITOR" "$(pacs config path)"', "edit it"),
)
CONFORMANCE = "None: it calls nobody."


def path(output: OutputOptions) -> Exit:
    """Show where the configuration file is, whether or not there is one yet."""
    from pacs_cli.config_file import required_path

    report = Report.for_output(output)
    file = required_path(os.environ)
    report.record("path", {"path": str(file), "exists": file.exists()})
    report.line(str(file))
    if not file.exists():
        report.note("there is none yet; pacs config init writes one")
    return Exit.OK
