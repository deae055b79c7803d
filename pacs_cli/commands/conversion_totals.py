"""What became of the files of `pacs transcode`, shown one by one and added up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_cli.errors import Exit, InputError
from pacs_cli.report import Report, clean
from pacs_cli.tables import shown_size

if TYPE_CHECKING:
    from pacs_cli.pipelines.files import Passed
    from pacs_cli.pipelines.transcode import Converted


class ConversionTotals:
    """Adds up what became of the files, and shows each and all."""

    def __init__(self, report: Report, table: Path | None) -> None:
        self._report = report
        self._began = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._read = self._written = 0
        self._first_failure = Exit.OK
        self._table = None
        if table is not None:
            from pacs_cli.pipelines.table import TableFile

            self._table = TableFile(table)

    @property
    def exit(self) -> Exit:
        """The exit code: the class of the first failure when nothing was done."""
        failed = self._counts["failed"]
        if not failed:
            return Exit.OK
        return Exit.SOME_FAILED if self._counts.total() > failed else self._first_failure

    def add(self, entry: Converted | Passed) -> None:
        """Count one file and show it."""
        from pacs_cli.pipelines.files import Passed

        report = self._report
        if isinstance(entry, Passed):
            self._counts["skipped"] += 1
            (report.note if entry.is_usual else report.warning)(
                f"skipped {entry.path}: {entry.reason}"
            )
            report.record("skipped", {"path": entry.path, "reason": entry.reason})
            return
        self._counts[entry.outcome] += 1
        self._read += entry.done.size
        self._written += entry.done.written
        if entry.error is not None:
            self._first_failure = self._first_failure or entry.done.exit
            report.error(entry.error)
        elif entry.outcome == "would transcode":
            report.line(f"{entry.path} -> {entry.output}")
        else:
            report.note(f"{entry.outcome} {entry.path} -> {entry.output}")
        fields = entry.fields()
        report.record("file", fields)
        if self._table is not None:
            self._table.add({**fields, "error": clean(fields["error"] or "")})

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the totals and put the table into its place when the block is left."""
        try:
            yield
        except BaseException:
            self._show()
            raise
        self._show()
        if not self._counts:
            raise InputError("nothing to transcode: no DICOM file in what was named")

    def _show(self) -> None:
        seconds = time.monotonic() - self._began
        names = ("transcoded", "copied", "skipped", "failed")
        counts: dict[str, Any] = {name: self._counts[name] for name in names}
        text = ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "nothing"
        text += f"; {shown_size(self._read)} became {shown_size(self._written)}"
        fields = {**counts, "bytes": self._read, "written": self._written}
        try:
            self._report.summary(
                {**fields, "seconds": round(seconds, 6)}, f"{text} in {seconds:.2f} s"
            )
        finally:
            if self._table is not None:
                self._table.finish()
