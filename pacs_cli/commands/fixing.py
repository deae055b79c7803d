"""How often each row of a job's table of fixes was used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.jobs.file import JobFile

#: Warnings of rows that nothing has; a table may be of another archive altogether.
_MOST_WARNINGS = 20


def uses_of(job: JobFile) -> dict[int, int]:
    """Return line of the table -> files that it counts for; empty without a table."""
    kept = (job.get("changes") or {}).get("fixes")
    if kept is None:
        return {}
    uses = job.fix_uses()
    return {line: uses.get(line, 0) for line in kept["lines"]}


def unused_of(uses: dict[int, int]) -> dict[str, Any]:
    """Return the lines that nothing has, as a field of a record."""
    return {"fixes_unused": [line for line, count in uses.items() if not count]}


def say_unused(report: Report, job: JobFile) -> None:
    """Warn of rows that matched nothing."""
    unused = [line for line, count in uses_of(job).items() if not count]
    if not unused:
        return
    path = job.get("changes")["fixes"]["path"]
    for line in unused[:_MOST_WARNINGS]:
        report.warning(f"{path}, line {line}: it matches no object")
    if (more := len(unused) - _MOST_WARNINGS) > 0:
        report.warning(f"{path}: {more} more lines match no object")
