"""What the commands of `pacs send-batch` share: how a job is run, and its addresses in the file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pacs_cli.config import seconds
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import NetworkOptions, PeerOptions, resolve_target

if TYPE_CHECKING:
    from pacs_cli.jobs.file import JobFile
    from pacs_cli.net.target import Target
    from pacs_cli.pipelines.batch import Plan

#: Waits of up to 30 s add up to some minutes: a peer that is restarted is back by then.
_RETRIES = 10

JobPath = Annotated[Path, typer.Argument(metavar="FILE", help="The job.", show_default=False)]


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a job is run; None where nothing was typed, and then what the job was made with."""

    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            metavar="N",
            min=1,
            max=64,
            help="At most N associations at once to each destination. [default: 1]",
        ),
    ] = None
    retries: Annotated[
        int | None,
        typer.Option(
            "--retries",
            metavar="N",
            min=0,
            help="Try again up to N times in a row what may pass: a lost association, a transient "
            "rejection, no resources (A7xx) and, only if this is typed, a peer that cannot be "
            f"reached from the start. [default: {_RETRIES}]",
        ),
    ] = None
    retry_wait: Annotated[
        float | None,
        typer.Option(
            "--retry-wait",
            metavar="SECONDS",
            help="Wait about this long before trying again, twice as long each time, 30 s at most. "
            "[default: 0.5]",
        ),
    ] = None
    rate: Annotated[
        float | None,
        typer.Option("--rate", metavar="N", help="At most N objects a second to each destination."),
    ] = None
    max_mb: Annotated[
        float | None,
        typer.Option(
            "--max-mb", metavar="N", help="At most N MB (10^6 bytes) a second to each destination."
        ),
    ] = None
    window: Annotated[
        list[str] | None,
        typer.Option(
            "--window",
            metavar="HH:MM-HH:MM",
            help="Send between these hours only, local time, as 22:00-06:00; outside them the "
            "command waits. Can be repeated.",
        ),
    ] = None

    def typed(self) -> dict[str, Any]:
        """Return what was typed, checked, as the job keeps it; UsageError when a value is none."""
        from pacs_cli.pipelines.limits import Window

        for text in self.window or ():
            Window.parse(text)
        for name in ("rate", "max_mb"):
            value = getattr(self, name)
            if value is not None and not (0 < value < math.inf):
                raise UsageError(f"--{name.replace('_', '-')} {value:g}: write a number over 0")
        if self.retry_wait is not None:
            try:
                seconds(self.retry_wait)
            except ValueError as error:
                raise UsageError(f"--retry-wait: {error}") from None
        return {name: value for name, value in asdict(self).items() if value not in (None, [])}


def plan_of(kept: Mapping[str, Any]) -> Plan:
    """Return how to run a job from what it keeps."""
    from pacs_cli.pipelines.batch import Plan
    from pacs_cli.pipelines.limits import Window
    from pacs_cli.pipelines.retry import FIRST_WAIT, Retry
    from pacs_cli.pipelines.send import Settings

    return Plan(
        Settings(
            jobs=kept.get("jobs", 1),
            retry=Retry(
                kept.get("retries", _RETRIES),
                "retries" in kept,
                kept.get("retry_wait", FIRST_WAIT),
            ),
        ),
        kept.get("rate", 0.0),
        kept.get("max_mb", 0.0) * 1e6,
        tuple(map(Window.parse, kept.get("window", ()))),
    )


def address(peer: PeerOptions, port: int | None, network: NetworkOptions) -> dict[str, Any]:
    """Return how a destination was typed, as the job keeps it: the configuration may change."""
    return {"port": port, "peer": asdict(peer), "network": asdict(network)}


def targets_of(job: JobFile) -> list[tuple[int, str, Target]]:
    """Return the destinations of a job as the configuration has them now; raises UsageError."""
    return [(number, name, _target(kept)) for number, name, kept in job.destinations()]


def _target(kept: Mapping[str, Any]) -> Target:
    known = {option.name for option in fields(NetworkOptions)}
    network = {name: value for name, value in kept["network"].items() if name in known}
    peer = PeerOptions(kept["peer"]["peer"], kept["peer"]["called_ae_title"])
    return resolve_target(peer, kept["port"], NetworkOptions(**network))


#: What was the first failure, by the class that a job keeps.
EXIT_OF = {
    "input": Exit.BAD_INPUT,
    "context": Exit.ASSOCIATION,
    "lost": Exit.ASSOCIATION,
}
