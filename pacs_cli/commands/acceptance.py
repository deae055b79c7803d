"""A table of what a peer accepts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
