"""`pacs echoscu`: does the peer answer, and how fast?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from pacs_cli.errors import Exit, NoAcceptedContext, UsageError
from pacs_cli.net.target import Target
from pacs_cli.options import (
    CalledAet,
    NetworkOptions,
    OutputOptions,
    PeerOptions,
    Port,
    resolve_target,
)
from pacs_cli.report import Report
from pacs_cli.securing import TlsOptions, UserOptions

EXAMPLES = (
    ("pacs echoscu 10.0.0.5 104 -aec ARCHIVE", "echo a peer by host and port"),
    ("pacs echoscu ARCHIVE@10.0.0.5:104 -v", "the same, showing what was negotiated"),
    ("pacs echoscu pacs1 --repeat 10 --json", "ten echoes of a configured peer, as JSON lines"),
    ("pacs echoscu --all", "every peer of the configuration"),
    ("pacs echoscu pacs1 --propose CT=j2k,jpegls --propose MR", "what it takes CT and MR in"),
)
CONFORMANCE = (
    "Verification SOP Class (1.2.840.10008.1.1) as SCU, in Implicit and Explicit VR Little "
    "Endian (PS3.4 Annex A, PS3.7 9.1.5)."
)


@dataclass(frozen=True, slots=True)
class EchoOptions:
    """Who is echoed, how often, or what is asked instead."""

    every: Annotated[
        bool,
        typer.Option(
            "--all", help="Echo every peer of the configuration, once.", rich_help_panel="Echo"
        ),
    ] = False
    repeat: Annotated[
        int,
        typer.Option(
            "--repeat",
            metavar="N",
            min=1,
            help="Echo this many times on one association.",
            rich_help_panel="Echo",
        ),
    ] = 1
    interval: Annotated[
        float,
        typer.Option(
            "--interval",
            metavar="SECONDS",
            min=0,
            max=3600,
            help="Wait this long between two echoes.",
            rich_help_panel="Echo",
        ),
    ] = 0
    propose: Annotated[
        list[str] | None,
        typer.Option(
            "--propose",
            metavar="CLASS[=SYNTAX,...]",
            help="Instead of an echo, ask whether an SOP class (CT, a keyword, a UID; all for "
            "every storage class) is accepted, in these transfer syntaxes or in any. Can be "
            "repeated.",
            rich_help_panel="Echo",
        ),
    ] = None


def echoscu(
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions,
    echo: EchoOptions,
    output: OutputOptions,
    peer: Annotated[
        str,
        typer.Argument(
            metavar="[PEER]",
            help="HOST, HOST:PORT, AET@HOST:PORT or a peer of the configuration.",
            show_default=False,
        ),
    ] = "",
    port: Port = None,
    called_ae_title: CalledAet = None,
) -> Exit:
    """Ask a peer for a C-ECHO and time each phase.

    Exits 0 only when every echo was answered with success. With --all it is 1 when only some were.
    """
    report = Report.for_output(output)
    if echo.every:
        from pacs_cli.commands.echoing import echo_configured

        if peer or echo.propose or echo.repeat > 1:
            raise UsageError("--all echoes each peer once; leave out PEER, --propose and --repeat")
        return echo_configured(report, (), network, tls, user)
    if not peer:
        raise UsageError(
            "missing PEER; write HOST PORT or AET@HOST:PORT, or see pacs echoscu --help"
        )
    target = resolve_target(PeerOptions(peer, called_ae_title), port, network, tls=tls, user=user)
    if echo.propose:
        return _probe(report, target, echo.propose)
    from pacs_cli.commands.echo_run import EchoRun

    return EchoRun(report, target).run(echo.repeat, echo.interval)


def _probe(report: Report, target: Target, texts: list[str]) -> Exit:
    """Show what is accepted of what was asked for."""
    from pacs_cli.commands.acceptance import show_accepted
    from pacs_cli.commands.negotiation import Display
    from pacs_cli.pipelines.probe import probe_named
    from pacs_cli.services.diagnosis import explain_context

    accepted = probe_named(target, texts, Display(report).trace)
    rows = []
    for each in accepted:
        words = explain_context(each.result)
        fields = {
            "peer": target.name,
            "abstract_syntax": each.abstract_syntax,
            "transfer_syntaxes": each.transfer_syntaxes,
            "result": words,
        }
        report.record("accepted", fields)
        rows.append((each.abstract_syntax, each.transfer_syntaxes or words))
    show_accepted(report, rows)
    count = sum(bool(each.transfer_syntaxes) for each in accepted)
    report.summary(
        {"peer": target.name, "proposed": len(accepted), "accepted": count},
        f"{count} of {len(accepted)} abstract syntaxes accepted",
    )
    if not count:
        raise NoAcceptedContext(
            f"{target} accepts nothing of what was proposed; ask what it serves to this AE title"
        )
    return Exit.OK
