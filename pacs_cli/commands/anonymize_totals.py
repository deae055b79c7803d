"""What became of the files that were to be de-identified: shown, added up, and the exit code."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pacs_cli.errors import Exit, InputError
from pacs_cli.report import Report
from pacs_cli.tables import shown_size

if TYPE_CHECKING:
    from pacs_cli.pipelines.deid.work import Outcome, Settings

#: Reasons that say nothing of what is in a file but that it is none.
_NO_INPUT = frozenset({"not-dicom", "unreadable", "unparseable"})


class ReleaseTotals:
    """Adds up what became of files, and shows what is withheld."""

    def __init__(
        self, report: Report, settings: Settings, report_file: Path | None, mapping: Path | None
    ) -> None:
        from pacs_cli.pipelines.deid.records import Mapping, ReportFile

        self._report = report
        self._policy = settings.policy
        self._is_dry_run = settings.dry_run
        self._began = time.monotonic()
        self._released = self._warnings = self._skipped = self._size = 0
        self._codes: Counter[str] = Counter()
        self._file = ReportFile(report_file, settings.policy) if report_file else None
        self._mapping = Mapping(mapping) if mapping else None

    @property
    def exit(self) -> Exit:
        """The exit code: that of bad input when nothing of it could be used."""
        if self._codes["output"]:
            return Exit.OUTPUT
        if not self._codes:
            return Exit.OK
        is_empty = not self._released and self._codes.keys() <= _NO_INPUT
        return Exit.BAD_INPUT if is_empty else Exit.SOME_FAILED

    def add(self, outcome: Outcome) -> None:
        """Count one file and show it."""
        report = self._report
        word = "would release" if self._is_dry_run else "released"
        if outcome.output is not None:
            self._released += 1
            self._size += outcome.size
            if report.is_verbose:
                report.note(f"{outcome.path} -> {outcome.output}")
            if outcome.warning:
                self._warnings += 1
                report.warning(f"{outcome.path}: {outcome.warning}; look at its pixels")
        elif outcome.code == "dicomdir":
            # it lists files and is none to release; without them it would list nothing
            word = "skipped"
            self._skipped += 1
            report.note(f"skipped {outcome.path}: {outcome.message}")
        else:
            word = "withheld"
            self._codes[outcome.code] += 1
            report.error(f"withheld {outcome.path}: {outcome.code}: {outcome.message}")
        fields = {
            "path": outcome.path,
            "outcome": word,
            "output": outcome.output,
            "code": outcome.code or None,
            "reason": outcome.message or outcome.warning or None,
        }
        report.record("file", fields)
        if self._file is not None:
            self._file.add(fields)
        if self._mapping is not None:
            self._mapping.add(outcome)
        for path, vr, action, why in outcome.changes:
            report.line(f"{outcome.path}: {path} {vr} {action} ({why})")
            if not report.is_text:
                change = {"path": outcome.path, "attribute": path, "vr": vr}
                report.record("change", {**change, "action": action, "why": why})

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the totals, and put the report into its place, however the block is left.

        raises  InputError instead when there was nothing to do
        """
        try:
            yield
        finally:
            if self._released or self._codes:
                self._report.summary(self.fields(), self.text())
            if self._file is not None:
                self._file.finish(self.fields())
            if self._mapping is not None:
                self._mapping.finish()
        if not self._released and not self._codes:
            raise InputError("nothing to de-identify: no file in what was named; check the paths")

    def fields(self) -> dict[str, Any]:
        """Return the totals for the summary record and the report."""
        return {
            "released": self._released,
            "withheld": sum(self._codes.values()),
            "by_code": dict(sorted(self._codes.items())),
            "skipped": self._skipped,
            "warnings": self._warnings,
            "bytes": self._size,
            "policy": self._policy.digest,
            "dry_run": self._is_dry_run,
            "seconds": round(time.monotonic() - self._began, 6),
        }

    def text(self) -> str:
        """Return the totals on one line."""
        seconds = time.monotonic() - self._began
        word = "would release" if self._is_dry_run else "released"
        return (
            f"{word} {self._released}, withheld {sum(self._codes.values())}; policy "
            f"{self._policy.digest}; {shown_size(self._size)} in {seconds:.2f} s"
        )
