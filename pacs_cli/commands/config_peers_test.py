"""`pacs config peers test`: do the peers of the configuration answer?"""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.errors import Exit
from pacs_cli.options import NetworkOptions, OutputOptions
from pacs_cli.report import Report
from pacs_cli.securing import TlsOptions

EXAMPLES = (
    ("pacs config peers test", "all of them"),
    ("pacs config peers test ward ris --timeout 3", "two of them, with patience for 3 s"),
)
CONFORMANCE = "Verification SOP Class (1.2.840.10008.1.1) as SCU, as `pacs echoscu`."


def test(
    network: NetworkOptions,
    tls: TlsOptions,
    output: OutputOptions,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PEER...]", help="Peers of the configuration.", show_default=False),
    ] = None,  # noqa: PT028 a command, no test
) -> Exit:
    """Echo peers of the configuration, all or those that are named, some at once.

    Exits 0 when all answered, 1 when some did, else as the first that did not.
    """
    from pacs_cli.commands.echoing import echo_configured

    return echo_configured(Report.for_output(output), names or (), network, tls)
