"""What became of the files of a command: shown one by one, added up, and the exit code of all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_cli.errors import Exit, InputError
from pacs_cli.report import Report, clean
from pacs_cli.services.diagnosis import explain_status
from pacs_cli.tables import shown_size

if TYPE_CHECKING:
    from pacs_cli.pipelines.files import Passed
    from pacs_cli.pipelines.items import Sent


class Totals:
    """Adds up what became of the files, and shows each and all.

    table  a CSV file to be written with a row for each
    """

    def __init__(self, report: Report, table: Path | None = None) -> None:
        # not at the top: this is imported before it is known whether there is work to do
        from pacs_cli.pipelines.files import Passed

        self._passed = Passed
        self._report = report
        self._began = time.monotonic()
        self._stored = self._warnings = self._failed = self._skipped = self._retried = 0
        self._converted = 0
        self._size = 0
        self._first_failure = Exit.OK
        self._said = ""
        self._table = None
        if table is not None:
            from pacs_cli.pipelines.table import TableFile

            self._table = TableFile(table)

    @property
    def count(self) -> int:
        """How many files there were to send, those that could not be sent included."""
        return self._stored + self._failed

    @property
    def exit(self) -> Exit:
        """The exit code: the class of the first failure when nothing was stored."""
        if not self._failed:
            return Exit.OK
        return Exit.SOME_FAILED if self._stored else self._first_failure

    def add(self, entry: Sent | Passed) -> None:
        """Count one file and show it."""
        if isinstance(entry, self._passed):
            self._skip(entry)
        else:
            self._add(entry)

    def _add(self, sent: Sent) -> None:
        report = self._report
        self._retried += sent.attempts > 1
        if sent.error is None:
            self._stored += 1
            self._size += sent.item.size if sent.item else 0
            self._converted += bool(sent.item and sent.item.sent_as)
            if sent.is_warning:
                self._warnings += 1
                report.warning(f"{sent.path}: {explain_status(sent.status or 0)}")
            if report.is_verbose:
                report.note(f"stored {sent.path}")
        else:
            self._fail(sent)
        if self._table is not None or not report.is_text:
            self._record(sent.fields())

    def _fail(self, sent: Sent) -> None:
        self._failed += 1
        self._first_failure = self._first_failure or sent.exit
        # what ended an association is the reason of all that was left: said once
        if sent.error != self._said:
            self._said = sent.error or ""
            self._report.error(self._said)

    def _skip(self, passed: Passed) -> None:
        self._skipped += 1
        say = self._report.note if passed.is_usual else self._report.warning
        say(f"skipped {passed.path}: {passed.reason}")
        self._report.record("skipped", {"path": passed.path, "reason": passed.reason})

    def _record(self, fields: dict[str, Any]) -> None:
        self._report.record("file", fields)
        if self._table is not None:
            self._table.add({**fields, "error": clean(fields["error"] or "")})

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the totals and put the table into its place when the block is left, however that is.

        raises  InputError instead when all was done and there was nothing to do
        """
        try:
            yield
        except BaseException:
            self._show()
            raise
        if self.count:
            self._show()
            return
        if self._table is not None:
            self._table.discard()
        raise InputError("nothing to send: no DICOM file in what was named; check the paths")

    def _show(self) -> None:
        try:
            self._report.summary(self.fields(), self.text())
        finally:
            if self._table is not None:
                self._table.finish()

    def text(self) -> str:
        """Return the totals on one line."""
        seconds = time.monotonic() - self._began
        rate = shown_size(self._size / seconds)
        text = f"stored {self._stored}, failed {self._failed}"
        text += f", skipped {self._skipped}" if self._skipped else ""
        text += f"; {shown_size(self._size)} in {seconds:.2f} s, {rate}/s"
        text += f"; {self._converted} converted for the peer" if self._converted else ""
        text += f"; {self._retried} sent more than once" if self._retried else ""
        return f"{text}; {self._warnings} with a warning" if self._warnings else text

    def fields(self) -> dict[str, object]:
        """Return the totals for the summary record."""
        seconds = time.monotonic() - self._began
        return {
            "stored": self._stored,
            "warnings": self._warnings,
            "failed": self._failed,
            "skipped": self._skipped,
            "retried": self._retried,
            "converted": self._converted,
            "bytes": self._size,
            "seconds": round(seconds, 6),
            "megabytes_per_second": round(self._size / 1e6 / seconds, 3),
        }
