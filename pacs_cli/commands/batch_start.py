"""`pacs send-batch start`: make a job of files, and run it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.batch_options import BatchOptions
from pacs_cli.commands.batch_run import Run
from pacs_cli.commands.batching import address
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

EXAMPLES = (
    ("pacs send-batch pacs2 /data --state move.job", "make a job, and run it"),
    ("pacs send-batch pacs2 --from-file list.txt --state move.job --jobs 4", "of a list"),
    ("pacs send-batch pacs2 /data --state move.job --to pacs3", "to two destinations"),
    (
        "pacs send-batch pacs2 /data --state move.job --rate 20 --window 22:00-06:00",
        "slowly, at night",
    ),
)
CONFORMANCE = (
    "Every SOP class of the storage service as SCU, in the transfer syntax each object is stored "
    "in (PS3.4 Annex B, PS3.7 9.1.1). Data sets are sent byte for byte as they stand in the file. "
    "With --skip-existing and --verify Study Root Query/Retrieve C-FIND as SCU, with --commit the "
    "Storage Commitment Push Model as SCU (PS3.4 Annexes C and J)."
)


def start(
    peer: PeerOptions,
    files: InputOptions,
    batch: BatchOptions,
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
            help="Send everything to this peer too, HOST:PORT, AET@HOST:PORT or a configured one. "
            "Can be repeated.",
            rich_help_panel="Job",
        ),
    ] = None,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PORT] PATH...",
            help="Files, folders and DICOMDIRs to send, - for a list of them on stdin; a first "
            "one made of digits is the peer's TCP port.",
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
    if not typed and files.from_file is None:
        raise UsageError("nothing to send: write PATH..., - or --from-file FILE")
    wanted = {peer.peer: (peer, port), **{each: (PeerOptions(each), None) for each in to or ()}}
    for each, its_port in wanted.values():
        # before anything is made: a wrong address is to be told at once
        resolve_target(each, its_port, network)
    options = batch.typed()
    with JobFile(state) as job:
        job.hold()
        known = {name for _, name, _ in job.destinations()}
        if known and known != set(wanted):
            raise UsageError(f"the job {state} sends to {', '.join(sorted(known))}; use another")
        for name, (each, its_port) in wanted.items():
            job.add_destination(name, address(each, its_port, network))
        job.put({"options": {**(job.get("options") or {}), **options}, "wish": "run"})
        _plan(report, job, typed, files)
        return Run(report, job).to_its_end()


def _plan(report: Report, job: JobFile, typed: list[str], files: InputOptions) -> None:
    from pacs_cli.pipelines.files import find_files, named_files
    from pacs_cli.pipelines.job_plan import plan

    def told(planned: Planned) -> None:
        report.warning(f"{planned.state} {planned.path}: {planned.words}")

    job.put({"planned": False})
    plan(job, find_files(named_files(typed, files.from_file), files.follow), told)
    job.put({"planned": True})
    if not job.counts():
        raise InputError("nothing to send: no file in what was named; check the paths")
