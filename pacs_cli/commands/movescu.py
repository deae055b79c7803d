"""`pacs movescu`: have a peer send what it holds, to another node or to us."""

from __future__ import annotations

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.commands.models import RootOptions
from pacs_cli.commands.moving import MoveOptions
from pacs_cli.commands.negotiation import Display
from pacs_cli.commands.querying import KeyOptions
from pacs_cli.commands.retrieving import Rest, RetrieveOptions, say_relational
from pacs_cli.errors import Exit
from pacs_cli.options import (
    NetworkOptions,
    OutputOptions,
    PeerOptions,
    resolve_target,
    split_port,
)
from pacs_cli.receiving import ArchiveOptions
from pacs_cli.securing import TlsOptions, UserOptions

EXAMPLES = (
    ("pacs movescu pacs1 --dest WORKSTATION -k StudyInstanceUID=1.2.3", "a study to a node"),
    (
        "pacs movescu pacs1 --receive 11112 --out in -k PatientID=TEST-1",
        "all studies of a patient, received here and checked",
    ),
    (
        "pacs findscu pacs1 -k 'PatientName=DOE*' --json | pacs movescu pacs1 --dest WS -",
        "what a query finds",
    ),
    ("pacs movescu pacs1 --dest WS --from-file uids.txt", "the studies of a list"),
    (
        "pacs movescu pacs1 --receive 11112 --out in -k StudyInstanceUID=1.2.3 --expect-from-find",
        "a study, with every instance accounted for",
    ),
)
CONFORMANCE = (
    "C-MOVE as SCU of the Patient Root (1.2.840.10008.5.1.4.1.2.1.2), Study Root "
    "(1.2.840.10008.5.1.4.1.2.2.2) and Patient/Study Only (1.2.840.10008.5.1.4.1.2.3.2) "
    "Query/Retrieve Information Models, in Explicit and Implicit VR Little Endian (PS3.4 Annex C), "
    "by unique keys alone; other keys are looked for with C-FIND first. C-CANCEL after --limit "
    "objects and on Ctrl-C. With --receive the storage service as SCP, as storescp."
)


def movescu(
    peer: PeerOptions,
    models: RootOptions,
    keys: KeyOptions,
    retrieving: RetrieveOptions,
    moving: MoveOptions,
    archive: ArchiveOptions,
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions,
    output: OutputOptions,
    rest: Rest = None,
) -> Exit:
    """Have a peer send objects with C-MOVE, to another node or to us.

    With --receive what arrives is compared with what the peer says it has sent, and is said to have
    arrived only when it is safely in the archive. Exits 0 only when everything was moved.
    """
    from pacs_cli.commands.retrieve_run import RetrieveRun
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.pipelines.calling import Calling
    from pacs_cli.pipelines.find import waking
    from pacs_cli.pipelines.planning import Planner
    from pacs_cli.pipelines.retrieve import Retrieval, Settings

    report = MatchReport.for_output(output)
    port, typed = split_port(rest or [])
    wait = moving.check(archive)
    target, model = resolve_target(peer, port, network, tls=tls, user=user), models.model()
    asked = retrieving.asked(model, keys, typed)
    display, wakeup = Display(report), Wakeup()
    run = RetrieveRun(report, target, model, moving.dest, wakeup)
    calling = Calling(target, model, wakeup, display.opened, display.trace)
    planner = Planner(calling, asked, retrieving.batch)
    say_relational(report, planner.missing)
    with (
        run,
        waking(wakeup),
        moving.destination(report, target, (network, tls), archive, run.arrivals) as move,
    ):
        run.follow(planner.run(moving.is_expecting, must_tell=True))
        run.expected = planner.instances
        settings = Settings(retrieving.limit, wait, run.arrivals)
        run.follow(Retrieval(calling, move, settings).run(planner.requests))
    return run.exit(retrieving.must_match)
