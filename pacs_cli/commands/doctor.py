"""`pacs doctor`: at which step does talking to a peer fail, and why?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.errors import Exit
from pacs_cli.options import NetworkOptions, OutputOptions, PeerOptions, Port, resolve_target
from pacs_cli.report import Report
from pacs_cli.securing import TlsOptions, UserOptions

if TYPE_CHECKING:
    from pacs_cli.pipelines.doctor import Step

EXAMPLES = (
    ("pacs doctor ward", "a peer of the configuration"),
    ("pacs doctor 10.0.0.5 104 -aec ARCHIVE --no-probe", "without trying what it stores"),
    ("pacs doctor ward --tls-ca ca.pem --json", "with TLS, a JSON line for each step"),
)
CONFORMANCE = (
    "Verification (1.2.840.10008.1.1) and C-FIND of the Study Root (1.2.840.10008.5.1.4.1.2.2.1) "
    "or Patient Root (1.2.840.10008.5.1.4.1.2.1.1) Query/Retrieve Information Model as SCU, with "
    "C-CANCEL. Other SOP classes are proposed and not used; nothing is stored."
)


def doctor(
    peer: PeerOptions,
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions,
    output: OutputOptions,
    port: Port = None,
    no_probe: Annotated[
        bool,
        typer.Option(
            "--no-probe",
            help="Do not try which SOP classes and syntaxes it stores.",
            rich_help_panel="Steps",
        ),
    ] = False,
) -> Exit:
    """Talk to a peer step by step, and say where and why it stops and what to do next.

    Name, TCP, TLS with the peer's certificate, association, echo, a query for one study, release,
    and which storage SOP classes and transfer syntaxes are accepted, each with its time. Nothing is
    changed at the peer. Exits 0 when no step failed, else as the first that did.
    """
    from pacs_cli.commands.negotiation import Display
    from pacs_cli.pipelines.doctor import Examination, Outcome

    report = Report.for_output(output)
    target = resolve_target(peer, port, network, tls=tls, user=user)
    display = Display(report)
    report.line(f"examining {target}, called as {target.calling_ae_title}")
    failed: list[Step] = []
    warnings, spent = 0, 0.0
    for step in Examination(target, not no_probe, display.trace, display.opened).steps():
        _show(report, target.name, step)
        spent += step.seconds
        warnings += step.outcome is Outcome.WARNING
        if step.outcome is Outcome.FAILED:
            failed.append(step)
    stopped = next((each.name for each in failed if each.is_last), None)
    first = failed[0] if failed else None
    fields = {
        "peer": target.name,
        "failed": [each.name for each in failed],
        "stopped_at": stopped,
        "warnings": warnings,
        "exit": int(first.exit) if first else 0,
        "seconds": round(spent, 6),
    }
    report.summary(fields, _verdict(failed, stopped, warnings))
    return first.exit if first else Exit.OK


def _verdict(failed: list[Step], stopped: str | None, warnings: int) -> str:
    if stopped:
        return f"stops at {stopped}"
    if failed:
        return f"{', '.join(each.name for each in failed)} failed"
    return "all is well" + (f", with {warnings} warnings" if warnings else "")


def _show(report: Report, peer: str, step: Step) -> None:
    has_failed = bool(step.exit)
    fields = {
        "peer": peer,
        "step": step.name,
        "outcome": str(step.outcome),
        "seconds": round(step.seconds, 6),
        "words": step.words,
        "details": step.details,
    }
    report.record("step", fields)
    words = "" if has_failed else step.words
    time = f"{step.seconds * 1000:.1f} ms"
    report.line(f"{step.name:12} {step.outcome:10} {time:>11}  {words}".rstrip())
    if has_failed:
        report.error(f"pacs doctor: {step.name}: {step.words}")
    if storage := step.details.get("storage"):
        from pacs_cli.commands.acceptance import show_accepted

        show_accepted(
            report, [(each["sop_class_uid"], each["transfer_syntaxes"]) for each in storage]
        )
