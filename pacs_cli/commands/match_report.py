"""The report of commands whose results are data of a peer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pacs_cli.options import OutputOptions
from pacs_cli.report import Report, clean
from pacs_cli.tables import date, time

#: What has rows under --csv: of each command one kind.
_ROW_KINDS = frozenset({"match", "request", "row", "problem", "removed", "record", "file"})

#: Where a keyword may be broken into words.
_WORD_ENDS = re.compile(r"(?<=[a-z])(?=[A-Z])")

#: Of "Number Of Study Related Series" and the like the last word says it.
_COUNTED = re.compile("^Number Of .* Related |(?<=^Modalities) In Study$")


class MatchReport(Report):
    """A report that can write data as it is, and keeps its last line out of data."""

    @classmethod
    def for_output(cls, output: OutputOptions) -> MatchReport:
        """Return a report on this process's streams; OutputError when the log cannot be written."""
        report = super().for_output(output)
        assert isinstance(report, MatchReport)
        return report

    @property
    def is_on_terminal(self) -> bool:
        """Whether the results are drawn."""
        return self._stdout is not None and self._stdout.isatty()

    @property
    def is_csv(self) -> bool:
        """Whether stdout has CSV rows."""
        return self._output.csv

    def record(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write one result; under --csv only those of the kinds that have the rows."""
        if not self._output.csv or kind in _ROW_KINDS:
            super().record(kind, fields)

    def document(self, members: Mapping[str, Any]) -> None:
        """Write one JSON object on a line, without a type of ours."""
        self._write(json.dumps(members))

    def row(self, cells: Sequence[str]) -> None:
        """Write one line of cells with tabs between them; nothing with -q."""
        if self.shows_results:
            self._write("\t".join(map(clean, cells)))

    def close(self, fields: Mapping[str, Any], text: str, is_data: bool) -> None:
        """Write the summary record, or the last line for people unless it is empty.

        is_data  whether what stands on stdout is for a program; then, and when it goes into a
                 pipe, the line goes to stderr
        """
        if self._output.json:
            self.record("summary", fields)
        elif text and not self._output.quiet:
            if is_data or not self.is_on_terminal:
                self._tell([clean(text)])
            else:
                self.line(text)


def readable(tag: int, text: str) -> str:
    """Return a value as a terminal shows it: a date with dashes, a time with colons."""
    from pacs_cli.dicom.dictionary import vr_at

    shown = {"DA": date, "TM": time}.get(vr_at(tag))
    return shown(text).drawn if shown else text


def heading(keyword: str) -> str:
    """Return what stands above a column of a table that is drawn: the words of its keyword."""
    return _COUNTED.sub("", _WORD_ENDS.sub(" ", keyword))
