"""The files of `pacs diff` pair after pair: what differs, the totals, and the exit code."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import Exit, InputError

if TYPE_CHECKING:
    from pacs_cli.dicom.compare import Comparison, Difference
    from pacs_cli.pipelines.pairs import Files, Pair
    from pacs_cli.pipelines.pixel_compare import PixelDifference
    from pacs_cli.pixels.sandbox import Sandbox

_CHANGES = ("added", "removed", "changed")


def _sandbox(report: MatchReport) -> Sandbox:
    from pacs_cli.commands.transcoding import warn_of_missing_bounds
    from pacs_cli.pixels.sandbox import Sandbox

    warn_of_missing_bounds(report)
    return Sandbox()


class Differ:
    """Compares pairs of files and shows what differs.

    tolerance   of decoded pixels; None to compare their bytes
    max_length  characters of a value in text, bytes of one in JSON; 0 for all
    """

    def __init__(
        self,
        report: MatchReport,
        comparison: Comparison,
        tolerance: float | None,
        max_length: int,
    ) -> None:
        self._report = report
        self._comparison = comparison
        self._tolerance = tolerance
        self._max_length = max_length
        self._sandbox = _sandbox(report) if tolerance is not None else None
        self._counts: Counter[str] = Counter()
        self._compared = self._equal = self._alone = self._failed = 0
        self._began = time.monotonic()

    @property
    def exit(self) -> Exit:
        """The exit code: what could not be compared counts more than what differs."""
        if self._failed:
            return Exit.BAD_INPUT
        return Exit.OK if self._equal == self._compared and not self._alone else Exit.SOME_FAILED

    def add(self, pair: Pair) -> None:
        """Compare two files."""
        from pacs_cli.dicom.compare import Difference
        from pacs_cli.pipelines.pairs import Files

        if pair.left is None or pair.right is None:
            self._show_alone(pair)
            return
        self._compared += 1
        is_equal = True
        try:
            files = Files(pair.left, pair.right)
            for found in files.compare(self._comparison, self._tolerance, self._sandbox):
                if is_equal:
                    heads = (("removed", f"--- {pair.left}"), ("added", f"+++ {pair.right}"))
                    self._report.lines([[head] for head in heads])
                is_equal = False
                if isinstance(found, Difference):
                    self._show(pair, files, found)
                else:
                    self._show_pixels(pair, found)
        except InputError as error:
            self.fail(type(error).__name__, str(error), error.exit)
        else:
            self._equal += is_equal

    def fail(self, kind: str, message: str, exit: Exit) -> None:
        """Say what cannot be compared."""
        self._failed += 1
        self._report.error(message)
        self._report.record("error", {"error": kind, "message": message, "exit": int(exit)})

    def finish(self) -> None:
        """Show the totals; in text only when files of folders were compared."""
        if self._sandbox is not None:
            self._sandbox.close()
        counts = {change: self._counts[change] for change in _CHANGES}
        fields = {
            "compared": self._compared,
            "equal": self._equal,
            "unmatched": self._alone,
            "failed": self._failed,
            **counts,
            "seconds": round(time.monotonic() - self._began, 6),
        }
        text = ""
        if self._compared + self._alone > 1:
            text = f"{self._equal} of {self._compared} pairs are equal"
            text += f", {self._alone} files have no counterpart" if self._alone else ""
            text += f", {self._failed} not compared" if self._failed else ""
        self._report.close(fields, text, is_data=False)

    def _show(self, pair: Pair, files: Files, difference: Difference) -> None:
        from pacs_cli.dicom.difference_text import difference_fields, difference_lines

        self._counts[difference.change] += 1
        if self._report.is_text:
            self._report.lines(difference_lines(difference, self._max_length))
            return
        bulks = files.bulks(difference, self._max_length)
        self._record(pair, difference_fields(difference, *bulks))

    def _show_pixels(self, pair: Pair, found: PixelDifference) -> None:
        self._counts["changed"] += 1
        self._report.lines([[("note", f"! pixels: {found.text}")]])
        figures = {
            "differing": found.differing,
            "samples": found.samples,
            "largest": found.largest,
            "frame": found.frame,
        }
        place = {"change": "pixels", "path": "PixelData", "tag": "7FE00010"}
        self._record(pair, {**place, "left": None, "right": None, "text": found.text, **figures})

    def _show_alone(self, pair: Pair) -> None:
        self._alone += 1
        style, sign, path = (
            ("removed", "---", pair.left) if pair.right is None else ("added", "+++", pair.right)
        )
        self._report.lines([[(style, f"{sign} {path}  only there")]])
        self._report.record("unmatched", {"left_path": pair.left, "right_path": pair.right})

    def _record(self, pair: Pair, fields: dict[str, Any]) -> None:
        files = {"left_path": pair.left, "right_path": pair.right}
        self._report.record("difference", {**files, **fields})
