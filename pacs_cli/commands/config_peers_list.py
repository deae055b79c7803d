"""`pacs config peers list`: the peers of the configuration."""

from __future__ import annotations

import os

from pacs_cli import config as configuration
from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs config peers list", "a table"),
    ("pacs config peers list --json", "as JSON lines"),
)
CONFORMANCE = "None: it calls nobody."

_COLUMNS = ("name", "address", "aet", "tls", "besides")


def list(output: OutputOptions) -> Exit:
    """List the peers of the configuration, and what is set for each."""
    from pacs_cli.origins import peer_table

    report = Report.for_output(output)
    config = configuration.load(os.environ)
    rows = []
    for name, peer in config.peers.items():
        table = peer_table(peer)
        report.record("peer", {"name": name, **table})
        shown = ("address", "aet", "tls")
        besides = {k: v for k, v in table.items() if k not in shown and v is not None}
        words = ", ".join(f"{key} {_text(value)}" for key, value in besides.items())
        rows.append((name, peer.address, table["aet"] or "", "yes" if peer.tls else "no", words))
    if rows:
        report.table(f"peers of {config.path}", _COLUMNS, rows)
    else:
        report.line("no peers; add one with: pacs config peers add NAME AET@HOST:PORT")
    return Exit.OK


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
