"""What `pacs dump` shows of each file: text, the DICOM JSON model, or a row of columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import MalformedDataset

if TYPE_CHECKING:
    from pacs_cli.dicom.document import Document
    from pacs_cli.dicom.selectors import Selector
    from pacs_cli.dicom.text_dump import View

#: Lines that are written at once, and rows of one table.
_LINES, _ROWS = 500, 1000


class Form(Protocol):
    """How a file is shown."""

    def show(self, document: Document) -> None:
        """Show a file; raises MalformedDataset after what could be read."""

    def finish(self) -> None:
        """Show what was kept."""


class Text:
    """Lines for eyes.

    has_names  whether each file's name stands before its lines
    """

    def __init__(self, report: MatchReport, view: View, has_names: bool) -> None:
        self._report = report
        self._view = view
        self._has_names = has_names

    def show(self, document: Document) -> None:
        """Show a file."""
        from pacs_cli.dicom.text_dump import dump_lines

        lines = dump_lines(document, self._view)
        waiting = [[("heading", f"# {document.path}")]] if self._has_names else []
        problem = None
        while problem is None:
            batch: list[Any] = []
            try:
                # not a list of them: what stands before an error is to be shown
                for line in islice(lines, _LINES):
                    batch.append(line)  # noqa: PERF402
            except MalformedDataset as error:
                problem = error
            if batch:
                self._report.lines([*waiting, *batch])
                waiting = []
            elif problem is None:
                return
        raise problem

    def finish(self) -> None:
        """Nothing was kept."""


class Json:
    """An object in the DICOM JSON model for each file."""

    def __init__(self, report: MatchReport, view: View) -> None:
        self._report = report
        self._view = view

    def show(self, document: Document) -> None:
        """Show a file."""
        from pacs_cli.dicom.json_dump import Model, read_model

        model, view = Model(), self._view
        try:
            read_model(document, model, view.max_length, view.only, view.has_meta)
        finally:
            if model.members or not view.only:
                self._report.document(model.json)

    def finish(self) -> None:
        """Nothing was kept."""


class Rows:
    """A row for each file, a column for each key: drawn, between tabs, JSON or CSV."""

    def __init__(self, report: MatchReport, keys: Sequence[Selector], max_length: int) -> None:
        self._report = report
        self._keys = keys
        self._max_length = max_length
        self._names = ["path", *(key.name for key in keys)]
        self._rows: list[list[str]] = []
        self._has_header = False

    def show(self, document: Document) -> None:
        """Show a file; nothing of one that is broken before the last key."""
        from pacs_cli.dicom.columns import read_row, value_text

        values = read_row(document, self._keys, self._max_length)
        if not self._report.is_text:
            is_csv = self._report.is_csv
            cells = [value_text(each) if is_csv else each for each in values]
            fields = dict(zip(self._names, [document.path, *cells], strict=True))
            self._report.record("row", fields)
            return
        row = [document.path, *map(value_text, values)]
        if self._report.is_on_terminal:
            self._rows.append(row)
            if len(self._rows) == _ROWS:
                self.finish()
            return
        if not self._has_header:
            self._report.row(self._names)
            self._has_header = True
        self._report.row(row)

    def finish(self) -> None:
        """Draw the table."""
        if self._rows:
            self._report.table("", self._names, self._rows)
            self._rows = []
