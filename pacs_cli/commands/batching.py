"""What the commands of `pacs send-batch` share: how a job is run, and its addresses in the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pacs_cli.commands.batch_options import RETRIES
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import NetworkOptions, PeerOptions, resolve_target

if TYPE_CHECKING:
    from pacs_cli.jobs.file import JobFile
    from pacs_cli.net.target import Target
    from pacs_cli.pipelines.batch import Commitment, Plan

JobPath = Annotated[Path, typer.Argument(metavar="FILE", help="The job.", show_default=False)]


def plan_of(kept: Mapping[str, Any]) -> Plan:
    """Return how to run a job from what it keeps."""
    from pacs_cli.pipelines.batch import Plan
    from pacs_cli.pipelines.limits import Window
    from pacs_cli.pipelines.retry import FIRST_WAIT, Retry
    from pacs_cli.pipelines.send import Settings
    from pacs_cli.pipelines.slots import state_folder

    return Plan(
        Settings(
            jobs=kept.get("jobs", 1),
            retry=Retry(
                kept.get("retries", RETRIES),
                "retries" in kept,
                kept.get("retry_wait", FIRST_WAIT),
            ),
        ),
        kept.get("rate", 0.0),
        kept.get("max_mb", 0.0) * 1e6,
        tuple(map(Window.parse, kept.get("window", ()))),
        kept.get("skips_existing", False),
        kept.get("verifies", False),
        _commitment(kept),
        state_folder(os.environ),
    )


def _commitment(kept: Mapping[str, Any]) -> Commitment | None:
    from pacs_cli.pipelines.batch import Commitment

    if not kept.get("commits"):
        return None
    bind = kept.get("commit_bind", "127.0.0.1")
    return Commitment(kept.get("commit_timeout", 60.0), bind, kept.get("commit_port"))


def address(peer: PeerOptions, port: int | None, network: NetworkOptions) -> dict[str, Any]:
    """Return how a destination was typed, as the job keeps it: the configuration may change."""
    return {"port": port, "peer": asdict(peer), "network": asdict(network)}


def targets_of(job: JobFile) -> list[tuple[int, str, Target]]:
    """Return the destinations of a job as the configuration has them now; raises UsageError."""
    return [(number, name, target_of(kept)) for number, name, kept in job.destinations()]


def target_of(kept: Mapping[str, Any]) -> Target:
    """Return an address that a job keeps as the configuration has it now; raises UsageError."""
    known = {option.name for option in fields(NetworkOptions)}
    network = {name: value for name, value in kept["network"].items() if name in known}
    peer = PeerOptions(kept["peer"]["peer"], kept["peer"]["called_ae_title"])
    return resolve_target(peer, kept["port"], NetworkOptions(**network))


#: What was the first failure, by the class that a job keeps.
EXIT_OF = {
    "input": Exit.BAD_INPUT,
    "context": Exit.ASSOCIATION,
    "lost": Exit.ASSOCIATION,
    "missing": Exit.PEER_FAILED,
    "source": Exit.PEER_FAILED,
}


def send_to(
    job: JobFile, wanted: Mapping[str, tuple[PeerOptions, int | None]], network: NetworkOptions
) -> None:
    """Give the job its destinations; UsageError when it has others."""
    known = {name for _, name, _ in job.destinations()}
    if known and known != set(wanted):
        raise UsageError(f"the job {job.path} sends to {', '.join(sorted(known))}; use another")
    for name, (each, port) in wanted.items():
        job.add_destination(name, address(each, port, network))
