"""A CSV file with one row for each thing that was done, which appears when it is whole."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from pacs_cli.pipelines.whole import WholeFile


class TableFile:
    """Collects rows beside `path`; `finish` puts them in place of what was there.

    raises  OutputError at once when nothing can be written there
    """

    def __init__(self, path: Path) -> None:
        self._whole = WholeFile(path)
        self._rows = csv.writer(self._whole.text, lineterminator="\n")
        self._has_header = False

    def add(self, fields: Mapping[str, object]) -> None:
        """Add a row; the fields of the first are the columns of all."""
        try:
            if not self._has_header:
                self._rows.writerow(fields)
                self._has_header = True
            self._rows.writerow(["" if each is None else each for each in fields.values()])
        except OSError as error:
            raise self._whole.failure(error) from None

    def finish(self) -> None:
        """Make the file safe and put it into its place."""
        self._whole.finish()

    def discard(self) -> None:
        """Leave nothing behind; what was there stays."""
        self._whole.discard()
