"""The options of retrieving, whichever way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.querying import KeyOptions
from pacs_cli.errors import UsageError

if TYPE_CHECKING:
    from pacs_cli.dicom.query import Level, Model, Query
    from pacs_cli.dicom.retrieval import Wanted
    from pacs_cli.report import Report

#: Positional arguments behind PEER.
Rest = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PORT] [-]",
        help="TCP port, and - for a list on stdin of what to retrieve.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class RetrieveOptions:
    """What is retrieved beside what keys say, and how."""

    from_file: Annotated[
        str | None,
        typer.Option(
            "--from-file",
            metavar="FILE",
            help="Retrieve what this list says, - for stdin: lines of findscu --json, or UIDs of "
            "study, series and instance.",
            rich_help_panel="Query",
        ),
    ] = None
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            metavar="N",
            min=1,
            max=1000,
            help="Ask for up to N UIDs in one request. [default: 1; of images 100]",
            rich_help_panel="Query details",
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Cancel after N objects.",
            rich_help_panel="Retrieval",
        ),
    ] = None
    must_match: Annotated[
        bool,
        typer.Option(
            "--fail-if-empty",
            help="Exit 1 when there is nothing to retrieve.",
            rich_help_panel="Retrieval",
        ),
    ] = False

    def asked(self, model: Model, keys: KeyOptions, typed: list[str]) -> Query | list[Wanted]:
        """Return a query, or what a list says; UsageError when it is neither or both.

        raises  InputError when the list cannot be used
        """
        if unknown := [word for word in typed if word != "-"]:
            raise UsageError(f"cannot use {unknown[0]}: write what to retrieve as -k KEY=VALUE")
        is_list = bool(typed) or self.from_file is not None
        if is_list and keys.is_typed:
            raise UsageError("both keys and a list say what to retrieve; choose one")
        if not is_list:
            return _meaningful(keys.query(model))
        from pacs_cli.dicom.retrieval import parse_wanted
        from pacs_cli.pipelines.files import named_files

        lines = named_files(typed[:1], self.from_file)
        return list(parse_wanted(lines, model, _level(model, keys.level)))


def say_relational(report: Report, missing: list[str]) -> None:
    """Say what a peer may not like about what is asked for."""
    if missing:
        report.warning(
            f"without {' and '.join(missing)} this is a relational retrieval, which not every peer "
            "does; the lines of findscu --json have all that is needed"
        )


def _meaningful(query: Query) -> Query:
    """Return the query; UsageError when it says nothing, for it would mean everything."""
    if not any(not element.is_empty for element in query.asked):
        raise UsageError(
            "nothing to retrieve: write -k KEY=VALUE, - or --from-file FILE; -k 'PatientID=*' is "
            "everything"
        )
    return query


def _level(model: Model, name: str | None) -> Level | None:
    from pacs_cli.dicom.query import Level

    if name is None:
        return None
    if name.upper() not in model.levels or name.upper() == Level.PATIENT:
        raise UsageError(f"level {name}: a list of UIDs is of study, series or image")
    return Level(name.upper())
