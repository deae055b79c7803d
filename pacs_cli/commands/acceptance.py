"""What a peer accepts of what is proposed to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pacs_cli.errors import Exit, NoAcceptedContext
from pacs_cli.net.target import Target
from pacs_cli.report import Report

_COLUMNS = ("abstract syntax", "transfer syntaxes")


def show_accepted(report: Report, rows: Iterable[tuple[str, Sequence[str] | str]]) -> None:
    """Show a row for each abstract syntax: what it is accepted in, or in words why it is not."""
    from pacs_cli.dicom.registry import short_syntax_name, uid_name

    shown = [
        (
            uid_name(uid).removesuffix(" Storage"),
            accepted if isinstance(accepted, str) else ", ".join(map(short_syntax_name, accepted)),
        )
        for uid, accepted in rows
    ]
    report.table("", _COLUMNS, shown)


def show_probe(report: Report, target: Target, texts: list[str], is_csv: bool) -> Exit:
    """Show what is accepted of what was asked for; NoAcceptedContext when that is nothing."""
    from pacs_cli.commands.negotiation import Display
    from pacs_cli.pipelines.probe import probe_named
    from pacs_cli.services.diagnosis import explain_context

    accepted = probe_named(target, texts, Display(report).trace)
    rows = []
    for each in accepted:
        words = explain_context(each.result)
        syntaxes = " ".join(each.transfer_syntaxes) if is_csv else each.transfer_syntaxes
        fields = {
            "peer": target.name,
            "abstract_syntax": each.abstract_syntax,
            "transfer_syntaxes": syntaxes,
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
