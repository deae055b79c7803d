"""`pacs config show`: what applies, and where each value comes from."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from pacs_cli import config as configuration
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import CalledAet, NetworkOptions, OutputOptions, PeerOptions, Port
from pacs_cli.report import Report
from pacs_cli.securing import TlsOptions, UserOptions

EXAMPLES = (
    ("pacs config show", "everything, and where it comes from"),
    ("pacs config show ward", "what a command would use for that peer"),
    ("pacs config show ward --timeout 5 --json", "the same with an option typed, as JSON lines"),
)
CONFORMANCE = "None: it calls nobody."

_COLUMNS = ("key", "value", "source", "where")


def show(
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions,
    output: OutputOptions,
    peer: Annotated[
        str,
        typer.Argument(
            metavar="[PEER]",
            help="HOST, HOST:PORT, AET@HOST:PORT or a peer of the configuration: what a command "
            "would use for it.",
            show_default=False,
        ),
    ] = "",
    port: Port = None,
    called_ae_title: CalledAet = None,
) -> Exit:
    """Show the merged configuration: each value, its source and where that has it.

    Sources, in the order in which they count: typed, environment, peer, config, built-in. Options
    of a network command can be typed here too, to see what becomes of them.
    """
    from pacs_cli.origins import general, of_peer

    report = Report.for_output(output)
    config = configuration.load(os.environ)
    if peer:
        options = PeerOptions(peer, called_ae_title)
        found = of_peer(options, port, network, tls, user, config, os.environ)
    elif any(each is not None for each in (called_ae_title, tls.typed(), user.typed())):
        raise UsageError("AE title of a peer, TLS and user are of one peer; write which, as PEER")
    else:
        found = general(network, config, os.environ)
    for each in found:
        value = each.value if isinstance(each.value, int | float | bool) else str(each.value)
        fields = {"key": each.key, "value": value, "source": each.source, "where": each.where}
        report.record("setting", fields)
    rows = [(each.key, _text(each.value), each.source, each.where) for each in found]
    report.table(f"{peer or config.path or 'no configuration file'}", _COLUMNS, rows)
    if output.json:
        report.summary({"path": config.path, "peers": len(config.peers)}, "")
    return Exit.OK


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
