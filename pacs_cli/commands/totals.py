"""What became of the files of a command: shown one by one, added up, and the exit code of all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pacs_cli.errors import Exit
from pacs_cli.report import Report
from pacs_cli.services.diagnosis import explain_status

if TYPE_CHECKING:
    from pacs_cli.pipelines.send import Sent


class Totals:
    """Adds up what became of the files, and shows each and all."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._began = time.monotonic()
        self._stored = self._warnings = self._failed = self._size = 0
        self._first_failure = Exit.OK
        self._said = ""

    @property
    def exit(self) -> Exit:
        """The exit code: the class of the first failure when nothing was stored."""
        if not self._failed:
            return Exit.OK
        return Exit.SOME_FAILED if self._stored else self._first_failure

    def add(self, sent: Sent) -> None:
        """Count one file and show it."""
        report, item = self._report, sent.item
        size = item.size if item else 0
        if sent.error is None:
            self._stored += 1
            self._size += size
            if sent.is_warning:
                self._warnings += 1
                report.warning(f"{sent.path}: {explain_status(sent.status or 0)}")
            report.note(f"stored {sent.path}")
        else:
            self._failed += 1
            self._first_failure = self._first_failure or sent.exit
            # what ended an association is the reason of all that was left: said once
            if sent.error != self._said:
                report.error(sent.error)
                self._said = sent.error
        header = item.header if item else None
        report.record(
            "file",
            {
                "path": sent.path,
                "outcome": _outcome(sent),
                "status": None if sent.status is None else f"{sent.status:04X}",
                "error": sent.error,
                "sop_class_uid": header.sop_class_uid if header else None,
                "sop_instance_uid": header.sop_instance_uid if header else None,
                "transfer_syntax_uid": header.transfer_syntax_uid if header else None,
                "bytes": size,
                "seconds": round(sent.seconds, 6),
            },
        )

    def text(self) -> str:
        """Return the totals on one line."""
        seconds = time.monotonic() - self._began
        megabytes = self._size / 1e6
        text = (
            f"stored {self._stored}, failed {self._failed}; {megabytes:.1f} MB in {seconds:.2f} s, "
            f"{megabytes / seconds:.1f} MB/s"
        )
        return f"{text}; {self._warnings} with a warning" if self._warnings else text

    def fields(self) -> dict[str, object]:
        """Return the totals for the summary record."""
        seconds = time.monotonic() - self._began
        return {
            "stored": self._stored,
            "warnings": self._warnings,
            "failed": self._failed,
            "bytes": self._size,
            "seconds": round(seconds, 6),
            "megabytes_per_second": round(self._size / 1e6 / seconds, 3),
        }


def _outcome(sent: Sent) -> str:
    if sent.error is None:
        return "warning" if sent.is_warning else "stored"
    return "failed" if sent.status is not None else "not sent"
