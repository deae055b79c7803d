"""`pacs config peers remove`: forget a peer."""

from __future__ import annotations

import os

from pacs_cli.commands.naming import Known
from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (("pacs config peers remove ward", "forget it"),)
CONFORMANCE = "None: it calls nobody."


def remove(name: Known, output: OutputOptions) -> Exit:
    """Remove a peer's table from the configuration file; the rest of it stays as it is."""
    from pacs_cli.config_file import remove_peer, required_path

    report = Report.for_output(output)
    path = required_path(os.environ)
    remove_peer(path, name)
    report.record("removed", {"name": name, "path": str(path)})
    report.line(f"removed {name} from {path}")
    return Exit.OK
