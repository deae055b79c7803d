"""`pacs index find`: ask an index as findscu asks a peer."""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.commands.finding import FindOptions
from pacs_cli.commands.indexing import IndexOptions, Where
from pacs_cli.commands.match_report import MatchReport
from pacs_cli.commands.models import ModelOptions
from pacs_cli.commands.query_output import Matches, form_of
from pacs_cli.commands.query_run import Run
from pacs_cli.commands.querying import QueryOptions
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import OutputOptions

EXAMPLES = (
    ("pacs index find scans/ -k 'PatientName=DOE*' --since 2024-01-01", "studies of a year"),
    ("pacs index find --db all.db --level series -k Modality=CT --json", "series as JSON lines"),
    ("pacs index find scans/ -k PatientID=TEST-1 --drill", "studies, series and images as a tree"),
)
CONFORMANCE = (
    "Matching of the Patient Root, Study Root and Patient/Study Only Query/Retrieve Information "
    "Models, relational (PS3.4 C.2.2.2, C.4.1.2.2), without an association."
)


def find(
    index: IndexOptions,
    models: ModelOptions,
    asked: QueryOptions,
    finding: FindOptions,
    output: OutputOptions,
    where: Where = None,
    has_date_time: Annotated[
        bool,
        typer.Option(
            "--date-time",
            help="Let ranges of a date and of a time count as one.",
            rich_help_panel="Query",
        ),
    ] = False,
    is_fuzzy: Annotated[
        bool,
        typer.Option(
            "--fuzzy", help="Match names by the beginnings of their words.", rich_help_panel="Query"
        ),
    ] = False,
) -> Exit:
    """Ask an index for patients, studies, series or images.

    Keys, levels and output are those of findscu, and nobody is called. Keys of any level can be
    asked together. What the index has not is looked for in the files. A running storescp may have
    the index open. Exits 0 whether or not something matched.
    """
    from pacs_cli.archive.catalog import open_for_reading
    from pacs_cli.archive.offline import OfflineSession
    from pacs_cli.archive.query import Abilities
    from pacs_cli.dicom.query import Model
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.pipelines.find import Search, waking
    from pacs_cli.pipelines.saving import Saver

    form = form_of(output, finding.is_dicom_json)
    report = MatchReport.for_output(output)
    model = models.model()
    if model is Model.WORKLIST:
        raise UsageError("an index has no worklist; choose -P, -S or -O")
    query = asked.query(model, finding.is_drilling)
    matches = Matches(report, form, query)
    for remark in query.remarks(is_relational=True):
        report.warning(remark)
    with open_for_reading(index.path(where)) as catalog:
        saver = Saver(finding.save, model.sop_class_uid) if finding.save else None
        wakeup = Wakeup()
        abilities = Abilities(True, has_date_time, is_fuzzy)
        session = OfflineSession(catalog, model, abilities, lambda: wakeup.is_set)
        with waking(wakeup):
            matches.announce()
            run = Run(report, matches, Search(session, query, finding.limit, wakeup), saver)
            run.to_its_end()
    if wakeup.is_set:
        raise KeyboardInterrupt
    return run.exit(finding.must_match)
