"""`pacs index verify`: compare an index with its files."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated

import typer

from pacs_cli.commands.indexing import IndexOptions, Where
from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions

EXAMPLES = (
    ("pacs index verify scans/", "files that are missing, changed or unreadable"),
    ("pacs index verify scans/ --hash", "and those whose contents have changed in secret"),
)
CONFORMANCE = "None: it only reads."

_STATES = ("sound", "missing", "changed", "unreadable")


def verify(
    index: IndexOptions,
    output: OutputOptions,
    where: Where = None,
    hashes: Annotated[
        bool,
        typer.Option(
            "--hash",
            help="Read each file and compare its SHA-256, where add --hash kept one.",
            rich_help_panel="Index",
        ),
    ] = False,
) -> Exit:
    """Compare an index with its files: what is missing, changed in size or time, unreadable.

    Nothing is changed; `add` reads again what has changed, `prune` removes what is gone. Exits 1
    when a file is not as it was, 6 when none is.
    """
    from pacs_cli.archive.catalog import open_for_reading
    from pacs_cli.archive.checking import State, count
    from pacs_cli.archive.checking import verify as checked

    report = MatchReport.for_output(output)
    counts: Counter[str] = Counter()
    began, hashed, size = time.monotonic(), 0, 0
    with open_for_reading(index.path(where)) as catalog:
        path = catalog.path
        with report.progress(count(catalog), 0, "verifying") as progress:
            for each in checked(catalog, hashes):
                progress.advance()
                counts[each.state] += 1
                hashed += each.is_hashed
                size += each.size
                if each.state is State.SOUND:
                    continue
                if report.is_text:
                    report.row([str(each.state), each.path, each.detail])
                fields = {
                    "path": each.path,
                    "state": str(each.state),
                    "detail": each.detail,
                    "sop_instance_uid": each.sop_instance_uid,
                }
                report.record("problem", fields)
    seconds = time.monotonic() - began
    known = {state: counts[state] for state in _STATES}
    text = ", ".join(f"{state} {number}" for state, number in known.items())
    report.summary(
        {
            "index": str(path),
            **known,
            "hashed": hashed,
            "bytes": size,
            "seconds": round(seconds, 6),
        },
        f"{text} in {path}; {f'{hashed} hashes compared; ' if hashes else ''}{seconds:.2f} s",
    )
    if counts.total() == counts["sound"]:
        return Exit.OK
    return Exit.SOME_FAILED if counts["sound"] else Exit.BAD_INPUT
