"""`pacs echoscu`: does the peer answer, and how fast?"""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.commands.negotiation import Display
from pacs_cli.errors import Exit, NoAcceptedContext, PeerFailure
from pacs_cli.net.target import Target
from pacs_cli.options import NetworkOptions, OutputOptions, PeerOptions, Port, resolve_target
from pacs_cli.report import Report
from pacs_cli.securing import TlsOptions
from pacs_cli.services.diagnosis import explain_context, explain_status
from pacs_cli.services.results import EchoResult, Phases
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    VERIFICATION_SOP_CLASS,
    Proposal,
)

EXAMPLES = (
    ("pacs echoscu 10.0.0.5 104 -aec ARCHIVE", "echo a peer by host and port"),
    ("pacs echoscu ARCHIVE@10.0.0.5:104 -v", "the same, showing what was negotiated"),
    ("pacs echoscu pacs1 --repeat 10 --json", "ten echoes of a configured peer, as JSON lines"),
)
CONFORMANCE = (
    "Verification SOP Class (1.2.840.10008.1.1) as SCU, in Implicit and Explicit VR Little "
    "Endian (PS3.4 Annex A, PS3.7 9.1.5)."
)

_OFFER = (Proposal(VERIFICATION_SOP_CLASS, (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)),)


def echoscu(
    peer: PeerOptions,
    network: NetworkOptions,
    tls: TlsOptions,
    output: OutputOptions,
    port: Port = None,
    repeat: Annotated[
        int,
        typer.Option(
            "--repeat",
            metavar="N",
            min=1,
            help="Echo this many times on one association.",
            rich_help_panel="Echo",
        ),
    ] = 1,
) -> Exit:
    """Ask a peer for a C-ECHO and time each phase.

    Exits 0 only when every echo was answered with success.
    """
    report = Report.for_output(output)
    target = resolve_target(peer, port, network, tls=tls)
    display = Display(report)
    with Session(target, _OFFER, trace=display.trace) as session:
        display.opened(session)
        context = session.contexts[1]
        if not context.is_accepted:
            raise NoAcceptedContext(
                f"cannot echo {target}: verification was not accepted, "
                f"{explain_context(context.result)}; the peer does not serve C-ECHO to this AE"
            )
        results = []
        for number in range(1, repeat + 1):
            results.append(session.echo(context.id))
            _show_echo(report, target, number, results[-1])
    _show_summary(report, target, results, session.phases)
    failed = [result for result in results if result.status]
    if failed:
        status = failed[0].status
        raise PeerFailure(f"{target} answered C-ECHO with {explain_status(status)}", status)
    return Exit.OK


def _show_echo(report: Report, target: Target, number: int, result: EchoResult) -> None:
    report.record(
        "echo",
        {
            "peer": target.name,
            "number": number,
            "status": f"{result.status:04X}",
            "seconds": round(result.seconds, 6),
        },
    )
    words = explain_status(result.status).partition(";")[0]
    report.line(f"{target} answered C-ECHO {number}: {words}, {result.seconds * 1000:.2f} ms")


def _show_summary(
    report: Report, target: Target, results: list[EchoResult], phases: Phases
) -> None:
    seconds = sorted(result.seconds for result in results)
    succeeded = sum(result.status == 0 for result in results)
    figures = {
        "min": seconds[0],
        "avg": sum(seconds) / len(seconds),
        "p95": seconds[-(-95 * len(seconds) // 100) - 1],
        "max": seconds[-1],
    }
    spent = {
        "name": phases.name,
        "tcp": phases.tcp,
        "association": phases.association,
        "release": phases.release,
    }
    text = "phases in ms: " + ", ".join(f"{k} {v * 1000:.2f}" for k, v in spent.items())
    if len(results) > 1:
        echoes = ", ".join(f"{k} {v * 1000:.2f}" for k, v in figures.items())
        text = f"{succeeded} of {len(results)} succeeded; echo in ms: {echoes}; {text}"
    fields = {f"{k}_seconds": round(v, 6) for k, v in {**figures, **spent}.items()}
    report.summary(
        {"peer": target.name, "echoes": len(results), "succeeded": succeeded, **fields}, text
    )
