"""`pacs getscu`: get what a peer holds, over the association itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.commands.models import RootOptions
from pacs_cli.commands.negotiation import Display
from pacs_cli.commands.querying import KeyOptions
from pacs_cli.commands.retrieving import Rest, RetrieveOptions, say_relational
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import (
    NetworkOptions,
    OutputOptions,
    PeerOptions,
    resolve_target,
    split_port,
)
from pacs_cli.receiving import ArchiveOptions
from pacs_cli.securing import TlsOptions, UserOptions

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = (
    ("pacs getscu pacs1 -k StudyInstanceUID=1.2.3 --out in", "a study into the folder in"),
    ("pacs getscu pacs1 -k PatientID=TEST-1 --today --out in", "today's studies of a patient"),
    (
        "pacs findscu pacs1 -k ModalitiesInStudy=MR --today --json | pacs getscu pacs1 - --out in",
        "the series that a query finds",
    ),
    ("pacs getscu pacs1 -k StudyInstanceUID=1.2.3 --out in --json", "one JSON line per object"),
)
CONFORMANCE = (
    "C-GET as SCU of the Patient Root (1.2.840.10008.5.1.4.1.2.1.3), Study Root "
    "(1.2.840.10008.5.1.4.1.2.2.3) and Patient/Study Only (1.2.840.10008.5.1.4.1.2.3.3) "
    "Query/Retrieve Information Models, in Explicit and Implicit VR Little Endian (PS3.4 Annex C), "
    "by unique keys alone, after a C-FIND. The storage service as SCP by role selection "
    "(PS3.7 D.3.3.4), for the SOP classes that the C-FIND shows, or all of them. C-CANCEL after "
    "--limit objects and on Ctrl-C."
)


def getscu(
    peer: PeerOptions,
    models: RootOptions,
    keys: KeyOptions,
    retrieving: RetrieveOptions,
    archive: ArchiveOptions,
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions,
    output: OutputOptions,
    rest: Rest = None,
) -> Exit:
    """Get studies, series or images with C-GET into an archive: files in folders and an index.

    A C-FIND before it says which instances there are and which presentation contexts they need;
    what comes is compared with that, and is said to have arrived only when it is safely in the
    archive. Exits 0 only when everything came.
    """
    from pacs_cli.archive.handler import open_archive
    from pacs_cli.commands.provider_start import say_recovered
    from pacs_cli.commands.retrieve_run import RetrieveRun
    from pacs_cli.net.channel import Wakeup
    from pacs_cli.pipelines.calling import Calling
    from pacs_cli.pipelines.find import waking
    from pacs_cli.pipelines.get import GetRun, rounds_for
    from pacs_cli.pipelines.planning import Planner

    report = MatchReport.for_output(output)
    port, typed = split_port(rest or [])
    target, model = resolve_target(peer, port, network, tls=tls, user=user), models.model()
    asked = retrieving.asked(model, keys, typed)
    folder, kept = _folder(archive), archive.settings()
    display, wakeup = Display(report), Wakeup()
    run = RetrieveRun(report, target, model, None, wakeup)
    assert run.arrivals is not None
    calling = Calling(target, model, wakeup, display.opened, display.trace)
    planner = Planner(calling, asked, retrieving.batch)
    say_relational(report, planner.missing)
    with run, waking(wakeup), open_archive(folder, archive.db, kept) as opened:
        say_recovered(report, opened.recovered)
        run.follow(planner.run(has_instances=True, must_tell=False))
        run.expected = planner.instances
        rounds = rounds_for(model, planner.requests, planner.instances)
        get = GetRun(calling, opened.handler, run.arrivals, retrieving.limit)
        if planner.requests:
            run.follow(get.run(*rounds))
    return run.exit(retrieving.must_match)


def _folder(archive: ArchiveOptions) -> Path:
    """Return where the archive is; UsageError when that is not said."""
    from pacs_cli import config as configuration

    folder = archive.out or configuration.load(os.environ).archive.out
    if folder is None:
        raise UsageError("no folder to receive into: write --out DIR, or configure archive.out")
    return folder
