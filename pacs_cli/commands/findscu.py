"""`pacs findscu`: ask a peer what it holds."""

from __future__ import annotations

from pacs_cli.commands.extensions import ExtensionOptions
from pacs_cli.commands.finding import FindOptions
from pacs_cli.commands.match_report import MatchReport
from pacs_cli.commands.models import ModelOptions
from pacs_cli.commands.negotiation import Display
from pacs_cli.commands.query_output import Matches, form_of
from pacs_cli.commands.query_run import Run
from pacs_cli.commands.querying import QueryOptions
from pacs_cli.errors import AssociationError, Exit
from pacs_cli.options import NetworkOptions, OutputOptions, PeerOptions, Port, resolve_target
from pacs_cli.securing import TlsOptions, UserOptions
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Proposal,
)

EXAMPLES = (
    ("pacs findscu pacs1 -k 'PatientName=DOE*' --since 2024-01-01", "studies of a year"),
    ("pacs findscu pacs1 -k StudyInstanceUID=1.2.3 --level series --json", "series, as JSON lines"),
    ("pacs findscu ris -W --today -k ScheduledProcedureStepSequence.Modality=CT", "a worklist"),
    (
        "pacs findscu pacs1 -k PatientID=TEST-1 --drill",
        "studies, their series and images as a tree",
    ),
    ("pacs findscu pacs1 --query query.dcm --limit 100 --csv", "a query file, at most 100 rows"),
)
CONFORMANCE = (
    "C-FIND as SCU of the Patient Root (1.2.840.10008.5.1.4.1.2.1.1), Study Root "
    "(1.2.840.10008.5.1.4.1.2.2.1) and Patient/Study Only (1.2.840.10008.5.1.4.1.2.3.1) "
    "Query/Retrieve Information Models and of the Modality Worklist (1.2.840.10008.5.1.4.31), in "
    "Explicit and Implicit VR Little Endian (PS3.4 Annexes C and K). Extended negotiation of "
    "relational queries, combined date and time matching, fuzzy matching of names and time zone "
    "adjustment on request. C-CANCEL after --limit matches and on Ctrl-C."
)

_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


def findscu(
    peer: PeerOptions,
    models: ModelOptions,
    asked: QueryOptions,
    finding: FindOptions,
    extensions: ExtensionOptions,
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions,
    output: OutputOptions,
    port: Port = None,
) -> Exit:
    """Ask a peer with C-FIND for patients, studies, series, images or worklist items.

    Without keys everything matches. Each level has default return keys, and the unique keys it
    needs. The model is study root unless another is chosen. Exits 0 when the query ended well,
    whether or not something matched.
    """
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.pipelines.find import Search, waking
    from pacs_cli.services.scu import Session

    form = form_of(output, finding.is_dicom_json)
    report = MatchReport.for_output(output)
    target = resolve_target(peer, port, network, tls=tls, user=user)
    model = models.model()
    query = asked.query(model, finding.is_drilling)
    negotiation = extensions.negotiation(model)
    matches = Matches(report, form, query)
    saver = finding.saver(model)
    for remark in query.remarks(extensions.is_relational):
        report.warning(remark)
    display, wakeup = Display(report), Wakeup()
    offer = (Proposal(model.sop_class_uid, _SYNTAXES),)
    run = None
    try:
        with Session(target, offer, negotiation, display.trace, wakeup) as session, waking(wakeup):
            display.opened(session)
            extensions.tell(report, session, model)
            matches.announce()
            run = Run(report, matches, Search(session, query, finding.limit, wakeup), saver)
            run.to_its_end()
    except AssociationError as error:
        if wakeup.is_set:
            raise KeyboardInterrupt from None
        if run is None or not run.is_done:
            raise
        # all answers are here
        report.warning(str(error))
    if wakeup.is_set:
        raise KeyboardInterrupt
    return run.exit(finding.must_match)
