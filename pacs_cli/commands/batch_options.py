"""How a job is run, as it is typed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from pacs_cli.commands.batch_checks import check

#: Waits of up to 30 s add up to some minutes: a peer that is restarted is back by then.
RETRIES = 10


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a job is run; None where nothing was typed, and then what the job was made with."""

    jobs: Annotated[
        int | None,
        typer.Option(
            "-j",
            "--jobs",
            metavar="N",
            min=1,
            max=64,
            help="At most N associations at once to each destination. [default: 1]",
            rich_help_panel="Job",
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
            f"reached from the start. [default: {RETRIES}]",
            rich_help_panel="Retries",
        ),
    ] = None
    retry_wait: Annotated[
        float | None,
        typer.Option(
            "--retry-wait",
            metavar="SECONDS",
            help="Wait about this long before trying again, twice as long each time, 30 s at most. "
            "[default: 0.5]",
            rich_help_panel="Retries",
        ),
    ] = None
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            help="At most N objects a second to each destination.",
            rich_help_panel="Pace",
        ),
    ] = None
    max_mb: Annotated[
        float | None,
        typer.Option(
            "--max-mb",
            metavar="N",
            help="At most N MB (10^6 bytes) a second to each destination.",
            rich_help_panel="Pace",
        ),
    ] = None
    window: Annotated[
        list[str] | None,
        typer.Option(
            "--window",
            metavar="HH:MM-HH:MM",
            help="Send between these hours only, local time, as 22:00-06:00. Can be repeated.",
            rich_help_panel="Pace",
        ),
    ] = None

    skips_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Ask the destination first, with C-FIND, and skip what it has.",
            rich_help_panel="Proof",
        ),
    ] = False
    verifies: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Ask the destination afterwards, with C-FIND; what it does not show has failed.",
            rich_help_panel="Proof",
        ),
    ] = False

    commits: Annotated[
        bool,
        typer.Option(
            "--commit",
            help="Ask for storage commitment of what was sent; 0 only when all of it is committed.",
            rich_help_panel="Proof",
        ),
    ] = False
    commit_port: Annotated[
        int | None,
        typer.Option(
            "--commit-port",
            metavar="PORT",
            min=0,
            max=65535,
            help="Listen here for peers that report over associations of their own; they must "
            "know our AE title, address and this port.",
            rich_help_panel="Commitment",
        ),
    ] = None
    commit_bind: Annotated[
        str | None,
        typer.Option(
            "--commit-bind",
            metavar="ADDRESS",
            help="Listen for them on this address. [default: 127.0.0.1]",
            rich_help_panel="Commitment",
        ),
    ] = None
    commit_timeout: Annotated[
        float | None,
        typer.Option(
            "--commit-timeout",
            metavar="SECONDS",
            help="Wait this long for each report, of up to 500 objects. [default: 60]",
            rich_help_panel="Commitment",
        ),
    ] = None

    def typed(self) -> dict[str, Any]:
        """Return what was typed, checked, as the job keeps it; UsageError when a value is none."""
        check(self)
        # zero is a value: of 0 == False nothing is to be concluded
        kept = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: value for name, value in kept.items() if value is not False and value != []}
