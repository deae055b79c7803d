"""`pacs index prune`: remove the rows of files that are gone."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from pacs_cli.commands.indexing import IndexOptions, Where
from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions

EXAMPLES = (
    ("pacs index prune scans/ --dry-run", "what would be removed"),
    ("pacs index prune scans/", "remove it"),
)
CONFORMANCE = "None: files are never touched."


def prune(
    index: IndexOptions,
    output: OutputOptions,
    where: Where = None,
    is_dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only show what would be removed.", rich_help_panel="Index"),
    ] = False,
    has_all: Annotated[
        bool,
        typer.Option(
            "--missing-folders",
            help="Remove also what lies in a folder that is gone, or was added and is empty; most "
            "often it is a disk that is not mounted.",
            rich_help_panel="Index",
        ),
    ] = False,
) -> Exit:
    """Remove the rows of files that are gone.

    A file that cannot be looked at may be there, and stays. So does what lies in a folder that
    is gone itself: then it exits 1 and says so.
    """
    from pacs_cli.archive.catalog import open_for_reading, open_for_writing
    from pacs_cli.archive.checking import Prune, State, count

    report = MatchReport.for_output(output)
    path = index.path(where)
    began, removed, kept = time.monotonic(), 0, 0
    open_for_reading(path).close()
    opened = open_for_reading(path) if is_dry_run else open_for_writing(path)
    with opened as catalog:
        work = Prune(catalog, is_dry_run, has_all)
        with report.progress(count(catalog), 0, "pruning") as progress:
            for each in work.run():
                progress.advance()
                if each.state is not State.MISSING:
                    kept += 1
                    continue
                removed += 1
                if report.is_text:
                    report.row(["would remove" if is_dry_run else "removed", each.path])
                fields = {"path": each.path, "sop_instance_uid": each.sop_instance_uid}
                report.record("removed", fields)
    for folder, number in work.kept.items():
        report.error(
            f"{number} files are not there, but neither is their folder {folder}: is it mounted? "
            "--missing-folders removes their rows too"
        )
    unreachable = sum(work.kept.values())
    seconds = time.monotonic() - began
    report.summary(
        {
            "index": str(catalog.path),
            "removed": removed,
            "kept": kept - unreachable,
            "unreachable": unreachable,
            "dry_run": is_dry_run,
            "seconds": round(seconds, 6),
        },
        f"{'would remove' if is_dry_run else 'removed'} {removed}, kept {kept} in {catalog.path}; "
        f"{seconds:.2f} s",
    )
    return Exit.SOME_FAILED if unreachable else Exit.OK
