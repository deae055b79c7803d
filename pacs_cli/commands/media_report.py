"""A DICOMDIR, shown as it is read or written."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import Exit, InputError, OutputError
from pacs_cli.report import Report


def show_records(report: MatchReport, path: str) -> Exit:
    """Show the records of a DICOMDIR, and what is wrong with any; return the exit code."""
    from pacs_cli.pipelines.media import read_records

    began = time.monotonic()
    count = files = problems = 0
    try:
        for record in read_records(path):
            count += 1
            files += bool(record.path)
            problems += bool(record.problem)
            if report.is_text:
                start = f"{'  ' * record.depth}{record.type.lower()}"
                report.row([start, *record.keys.values(), record.path])
            if record.problem:
                report.error(f"{record.path or path}: {record.problem}")
            fields = {
                "record_type": record.type,
                "depth": record.depth,
                "keys": "\\".join(record.keys.values()) if report.is_csv else dict(record.keys),
                "path": record.path or None,
                "sop_class_uid": record.sop_class_uid or None,
                "sop_instance_uid": record.sop_instance_uid or None,
                "transfer_syntax_uid": record.transfer_syntax_uid or None,
                "problem": record.problem or None,
            }
            report.record("record", fields)
    except InputError as error:
        raise InputError(f"cannot read {path}: {error}") from None
    seconds = time.monotonic() - began
    report.summary(
        {
            "dicomdir": path,
            "records": count,
            "files": files,
            "problems": problems,
            "seconds": round(seconds, 6),
        },
        f"{count} records, {files} files, {problems} problems in {path}",
    )
    if not problems:
        return Exit.OK
    return Exit.SOME_FAILED if problems < count else Exit.BAD_INPUT


def write_records(
    report: Report, paths: Iterable[str], folder: Path, copy_to: Path | None, file_set_id: str
) -> Exit:
    """Write a DICOMDIR and show what became of each file; return the exit code.

    folder   that of the files, where the DICOMDIR goes unless they are copied
    raises   InputError when no file has a place in it, OutputError
    """
    from pacs_cli.pipelines.media_writer import NAME, MediaWriter

    began = time.monotonic()
    if copy_to is not None:
        try:
            copy_to.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make {copy_to}: {error.strerror}") from None
    target = copy_to or folder
    writer = MediaWriter(target, copy_to is not None, file_set_id)
    written = failed = skipped = 0
    with report.progress(0, 0, "writing") as progress:
        for path in paths:
            entered = writer.enter(path)
            progress.advance()
            if entered.is_skipped:
                skipped += 1
                report.note(f"skipped {path}: {entered.error}")
                continue
            written += not entered.error
            failed += bool(entered.error)
            if entered.error:
                report.error(f"cannot enter {path}: {entered.error}")
            else:
                report.note(f"{entered.type.lower()} {path} as {entered.file_id}")
            fields = {
                "path": path,
                "file_id": entered.file_id or None,
                "record_type": entered.type or None,
                "error": entered.error or None,
            }
            report.record("file", fields)
    count = writer.write()
    for keyword, number in writer.made_up.items():
        report.warning(
            f"{number} records have a {keyword} that is made up: their objects have none"
        )
    seconds = time.monotonic() - began
    report.summary(
        {
            "dicomdir": str(target / NAME),
            "written": written,
            "failed": failed,
            "skipped": skipped,
            "records": count,
            "seconds": round(seconds, 6),
        },
        f"{count} records of {written} files, failed {failed}, in {target / NAME}; {seconds:.2f} s",
    )
    return Exit.SOME_FAILED if failed else Exit.OK
