"""How the answers to a query are shown: table, tree, tab-separated lines, JSON, CSV, DICOM JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from pacs_cli.commands.match_report import MatchReport, heading, readable
from pacs_cli.errors import UsageError
from pacs_cli.options import OutputOptions
from pacs_cli.report import clean

if TYPE_CHECKING:
    from pacs_cli.dicom.query import Query
    from pacs_cli.pipelines.find import Match


#: Left out of a table that is drawn, as there is little room: StudyTime, PatientBirthDate,
#: PatientSex, StudyID, and in a worklist the id of the step.
_SECONDARY = frozenset({0x00080030, 0x00100030, 0x00100040, 0x00200010, 0x00400009})

#: Rows of one table: a peer that answers for ever must not fill the memory.
_ROWS = 1000


class Form(Enum):
    """What stdout has: for people, or one of the three for programs."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    DICOM_JSON = "dicom json"


def form_of(output: OutputOptions, is_dicom_json: bool) -> Form:
    """Return the form that was asked for; UsageError when there are two."""
    if not is_dicom_json:
        return Form.JSON if output.json else Form.CSV if output.csv else Form.TEXT
    if output.json or output.csv:
        other = "--json" if output.json else "--csv"
        raise UsageError(f"--dicom-json and {other} exclude each other; choose one")
    return Form.DICOM_JSON


class Matches:
    """Shows each match as it comes, but for a table, which is drawn when it is full or in the end.

    is_data  whether that is for a program
    """

    def __init__(self, report: MatchReport, form: Form, query: Query) -> None:
        from pacs_cli.dicom.query import column_names

        self._report = report
        self._query = query
        self.is_data = form is not Form.TEXT
        self._rows: list[list[str]] = []
        self._columns = query.columns()
        self._names = column_names(self._columns)
        self._has_header = False
        self._show: Callable[[Match], None] = {
            Form.TEXT: self._branch if query.drills else self._row,
            Form.JSON: self._object,
            Form.CSV: self._record,
            Form.DICOM_JSON: self._document,
        }[form]

    def show(self, match: Match) -> None:
        """Show one match, or keep it for the table."""
        self._show(match)

    def finish(self) -> None:
        """Draw the table of what was kept, without columns that have nothing or were not typed and
        say little.
        """
        if not self._rows:
            return
        shown = [
            position
            for position, path in enumerate(self._columns)
            if (path[0] in self._query.asked or path[-1] not in _SECONDARY)
            and any(row[position] for row in self._rows)
        ]
        self._report.table(
            f"{self._query.model.value} model, {self._query.level} level",
            [heading(self._names[position]) for position in shown],
            [[row[position] for position in shown] for row in self._rows],
        )
        self._rows = []

    def announce(self) -> None:
        """Say with -v what is asked: the names of the keys, never their values."""
        where = f"the {self._query.model.value} model at {self._query.level} level"
        self._report.note(f"asking {where} for {', '.join(self._names)}")

    def _row(self, match: Match) -> None:
        cells = self._cells(match, self._columns)
        if self._report.is_on_terminal:
            self._rows.append([clean(cell) for cell in cells])
            if len(self._rows) == _ROWS:
                self.finish()
            return
        if not self._has_header:
            self._report.row(self._names)
            self._has_header = True
        self._report.row(cells)

    def _branch(self, match: Match) -> None:
        from pacs_cli.dicom.query import UNIQUE_KEYS

        columns = [
            path
            for path in match.request.columns
            # those of what stands above it
            if path[-1] not in UNIQUE_KEYS.values()
            or path[-1] == UNIQUE_KEYS.get(match.request.level)
            or not match.depth
        ]
        found = [cell for cell in self._cells(match, columns) if cell]
        start = f"{'  ' * match.depth}{match.request.level.lower()}"
        if self._report.is_on_terminal:
            self._report.line("  ".join([start, *found]))
        else:
            self._report.row([start, *found])

    def _object(self, match: Match) -> None:
        from pacs_cli.dicom.json_model import flat

        self._report.record("match", {"level": str(match.request.level), **flat(match.dataset)})

    def _record(self, match: Match) -> None:
        row = dict(zip(self._names, self._cells(match, self._columns), strict=True))
        self._report.record("match", {"level": str(match.request.level), **row})

    def _document(self, match: Match) -> None:
        from pacs_cli.dicom.json_model import dicom_json

        self._report.document(dicom_json(match.dataset))

    def _cells(self, match: Match, columns: Sequence[Sequence[int]]) -> list[str]:
        from pacs_cli.dicom.json_model import text_at

        texts = [text_at(match.dataset, path) for path in columns]
        if self.is_data or not self._report.is_on_terminal:
            return texts
        return [readable(path[-1], text) for path, text in zip(columns, texts, strict=True)]
