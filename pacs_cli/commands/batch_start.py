"""`pacs send-batch start`: make a job of files, and run it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.batch_fetch import announce, indexed
from pacs_cli.commands.batch_options import BatchOptions
from pacs_cli.commands.batch_run import Run
from pacs_cli.commands.batch_sources import SourceOptions, found_files
from pacs_cli.commands.batching import send_to
from pacs_cli.commands.change_options import ChangeOptions
from pacs_cli.commands.changing import agreed, changes_of
from pacs_cli.commands.fixing import say_unused
from pacs_cli.errors import Exit, InputError, UsageError
from pacs_cli.options import (
    InputOptions,
    NetworkOptions,
    OutputOptions,
    PeerOptions,
    resolve_target,
    split_port,
)
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.jobs.file import JobFile
    from pacs_cli.jobs.states import Planned
    from pacs_cli.pipelines.changes import Changes
    from pacs_cli.pipelines.files import Found, Passed

EXAMPLES = (
    ("pacs send-batch pacs2 /data --state move.job", "make a job, and run it"),
    ("pacs send-batch pacs2 --from-file list.txt --state move.job --jobs 4", "of a list"),
    ("pacs send-batch pacs2 --db all.db -k StudyDate=20240101- --state a.job", "of an index"),
    ("pacs send-batch pacs2 --from-peer pacs1 -k PatientID=T1 --state a.job", "of another PACS"),
    ("pacs send-batch pacs2 /data --state move.job --to pacs3", "to two destinations"),
    ("pacs send-batch pacs2 /data --state move.job --window 22:00-06:00", "at night"),
    ("pacs send-batch pacs2 /data --state move.job --fixes merged.csv", "with patients merged"),
    ("pacs send-batch pacs2 /data --state a.job --anonymize basic --save-key a.key", "anonymous"),
)
CONFORMANCE = (
    "Every SOP class of the storage service as SCU, in the transfer syntax each object is stored "
    "in (PS3.4 Annex B, PS3.7 9.1.1). Data sets are sent byte for byte as they stand in the file, "
    "but for what --fixes, --anonymize and --transcode change. With --from-peer Study Root "
    "Query/Retrieve C-FIND and C-GET as SCU, or C-MOVE with the storage service as SCP; with "
    "--skip-existing and --verify C-FIND, with --commit the Storage Commitment Push Model as SCU "
    "(PS3.4 Annexes C and J)."
)


def start(
    peer: PeerOptions,
    files: InputOptions,
    source: SourceOptions,
    batch: BatchOptions,
    changing: ChangeOptions,
    network: NetworkOptions,
    output: OutputOptions,
    state: Annotated[
        Path,
        typer.Option(
            "--state",
            metavar="FILE",
            help="The job; what is there is gone on with.",
            rich_help_panel="Job",
        ),
    ],
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar="PEER",
            help="Send everything to this peer too. Can be repeated.",
            rich_help_panel="Job",
        ),
    ] = None,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PORT] PATH...",
            help="Files, folders and DICOMDIRs to send, - for a list on stdin; a first one of "
            "digits is the TCP port.",
            show_default=False,
        ),
    ] = None,
) -> Exit:
    """Make a job of files and folders, and run it.

    First everything is planned, then sent, study by study. The same command again goes on with
    the job, and adds what is new. Exits 0 only when every object was acknowledged.
    """
    from pacs_cli.jobs.file import JobFile

    report = Report.for_output(output)
    port, typed = split_port(paths or [])
    source.check(has_files=bool(typed) or files.from_file is not None)
    wanted = {peer.peer: (peer, port), **{each: (PeerOptions(each), None) for each in to or ()}}
    for each, its_port in wanted.values():  # a wrong address is to be told at once
        resolve_target(each, its_port, network)
    options, changed, fetched = batch.typed(), changing.kept(), source.kept(network)
    # and a wrong table of fixes, before there is a job
    changes_of(changed)
    with JobFile(state) as job:
        job.hold()
        send_to(job, wanted, network)
        is_new = not job.counts()
        if not is_new and (fetched is None) is not (job.get("source") is None):
            raise UsageError(f"the job {state} has its objects from elsewhere; use another job")
        kept = agreed(None if is_new else job.get("changes") or {}, changed, state)
        changes, kept = changes_of(kept)
        options = {**(job.get("options") or {}), **options}
        job.put({"options": options, "changes": kept, "wish": "run", "source": fetched})
        if fetched is not None:
            announce(report, job, source.meant())
        else:
            db, meant = source.db, source.meant
            found = indexed(report, db, meant()) if db else found_files(typed, files)
            _plan(report, job, found, changes)
        say_unused(report, job)
        return Run(report, job, changes, knows_all=is_new).to_its_end()


def _plan(
    report: Report, job: JobFile, found: Iterable[Found | Passed], changes: Changes | None
) -> None:
    from pacs_cli.pipelines.job_plan import plan

    def told(planned: Planned) -> None:
        report.warning(f"{planned.state} {planned.path}: {planned.words}")

    job.put({"planned": False})
    plan(job, found, told, changes.planned if changes else None)
    job.put({"planned": True})
    if not job.counts():
        raise InputError("nothing to send: no file in what was named; check the paths or the keys")
