"""The options of `pacs send-batch` that say where its objects are, beside files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.querying import KeyOptions
from pacs_cli.errors import UsageError
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.dicom.query import Query
    from pacs_cli.pipelines.files import Found, Passed

_PANEL = "Query"


@dataclass(frozen=True, slots=True)
class SourceOptions(KeyOptions):
    """Which objects of an index are meant."""

    db: Annotated[
        Path | None,
        typer.Option(
            "--db",
            metavar="FILE",
            help="Send what keys match in this index, and everything below it.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def check(self, has_files: bool) -> None:
        """Raise UsageError unless it is said once which objects are meant."""
        if has_files and self.db:
            raise UsageError("both files and --db say what to send; choose one")
        if not has_files and not self.db:
            raise UsageError("nothing to send: write PATH..., -, --from-file FILE or --db FILE")
        if self.is_typed and not self.db:
            raise UsageError("keys go with --db FILE")
        if self.db:
            self.meant()

    def meant(self) -> Query:
        """Return the query; UsageError when it says nothing, for it would mean everything."""
        from pacs_cli.dicom.query import Model

        query = self.query(Model.STUDY_ROOT)
        if not any(not element.is_empty for element in query.asked):
            raise UsageError("nothing to send: write -k KEY=VALUE; -k 'PatientID=*' is everything")
        return query

    def indexed(self, report: Report) -> Iterator[Found | Passed]:
        """Yield the files of what matches in the index."""
        from pacs_cli.archive.catalog import open_for_reading
        from pacs_cli.archive.offline import OfflineSession
        from pacs_cli.archive.query import Abilities
        from pacs_cli.archive.selecting import files_below
        from pacs_cli.dicom.json_model import text_at
        from pacs_cli.dicom.query import UNIQUE_KEYS
        from pacs_cli.pipelines.files import find_files
        from pacs_cli.pipelines.find import Match, Search

        assert self.db is not None
        query = self.meant()
        with open_for_reading(self.db) as catalog:
            session = OfflineSession(catalog, query.model, Abilities(True), lambda: False)
            for found in Search(session, query, None).run():
                if not isinstance(found, Match):
                    report.warning(found.text)
                    continue
                level = found.request.level
                unique = text_at(found.dataset, [UNIQUE_KEYS[level]])
                yield from find_files(files_below(catalog, level, unique), enters_dicomdir=False)
