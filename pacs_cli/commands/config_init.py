"""`pacs config init`: write a commented configuration file."""

from __future__ import annotations

import os

from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs config init", "in ~/.config/pacs, unless PACS_CONFIG or XDG_CONFIG_HOME say otherwise"),
)
CONFORMANCE = "None: it only writes a file of its own."


def init(output: OutputOptions) -> Exit:
    """Write a configuration file in which every key is explained and nothing is set.

    One that is there already is never touched.
    """
    from pacs_cli.config_file import create, required_path

    report = Report.for_output(output)
    path = required_path(os.environ)
    create(path)
    report.record("path", {"path": str(path), "exists": True})
    report.line(f"wrote {path}; add a peer with: pacs config peers add NAME AET@HOST:PORT")
    return Exit.OK
