"""The options of sending objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.config import seconds
from pacs_cli.errors import UsageError

if TYPE_CHECKING:
    from pacs_cli.pipelines.send import Settings
    from pacs_cli.wire.negotiation import Proposal

#: With the waits below: what lasts some seconds is waited out, what lasts longer is told.
_RETRIES = 3


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How objects are sent."""

    jobs: Annotated[
        int,
        typer.Option(
            "-j",
            "--jobs",
            metavar="N",
            min=1,
            max=64,
            help="Send over N associations at once.",
            rich_help_panel="Sending",
        ),
    ] = 1
    retries: Annotated[
        int | None,
        typer.Option(
            "--retries",
            metavar="N",
            min=0,
            help="Try again up to N times what may pass: a lost association, a transient "
            "rejection, no resources (A7xx) and, only if this is typed, a peer that cannot be "
            "reached from the start. [default: 3]",
            rich_help_panel="Retries",
        ),
    ] = None
    retry_wait: Annotated[
        float,
        typer.Option(
            "--retry-wait",
            metavar="SECONDS",
            help="Wait about this long before trying again, twice as long each time, 30 s at most.",
            rich_help_panel="Retries",
        ),
    ] = 0.5
    priority: Annotated[
        str,
        typer.Option(
            "--priority",
            metavar="low|medium|high",
            help="Priority of the C-STORE requests.",
            rich_help_panel="Sending",
        ),
    ] = "medium"
    propose: Annotated[
        list[str] | None,
        typer.Option(
            "--propose",
            metavar="CLASS=SYNTAX,...",
            help="Propose these presentation contexts too, as CT=JPEG2000Lossless,rle; -v shows "
            "which are accepted. Can be repeated.",
            rich_help_panel="Negotiation",
        ),
    ] = None
    repeat: Annotated[
        int,
        typer.Option(
            "--repeat",
            metavar="N",
            min=1,
            help="Send everything this many times.",
            rich_help_panel="Sending",
        ),
    ] = 1
    is_first_failure_last: Annotated[
        bool,
        typer.Option("--fail-first", help="Stop at the first failure.", rich_help_panel="Sending"),
    ] = False
    is_never_converted: Annotated[
        bool,
        typer.Option(
            "--never-transcode",
            help="Send nothing in another transfer syntax than it is stored in. Without this, what "
            "the peer does not accept as it is stored is sent uncompressed.",
            rich_help_panel="Negotiation",
        ),
    ] = False
    is_dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show what would be sent and proposed; call nobody.",
            rich_help_panel="Sending",
        ),
    ] = False
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write a CSV row for each file; the file appears when all is done.",
            rich_help_panel="Sending",
        ),
    ] = None

    def settings(self) -> Settings:
        """Return how to send; UsageError when a value is none."""
        from pacs_cli.pipelines.retry import Retry
        from pacs_cli.pipelines.send import Settings
        from pacs_cli.wire.command import Priority

        try:
            first_wait = seconds(self.retry_wait)
        except ValueError as error:
            raise UsageError(f"--retry-wait: {error}") from None
        if self.priority.upper() not in Priority.__members__:
            raise UsageError(f"--priority {self.priority}: choose low, medium or high")
        is_asked = self.retries is not None
        count = _RETRIES if self.retries is None else self.retries
        return Settings(
            jobs=self.jobs,
            priority=Priority[self.priority.upper()],
            retry=Retry(count, is_asked, first_wait),
            stops_at_failure=self.is_first_failure_last,
            converts=not self.is_never_converted,
        )

    def proposals(self) -> tuple[Proposal, ...]:
        """Return the presentation contexts to propose beside those that the files need."""
        if not self.propose:
            return ()
        from pacs_cli.pipelines.proposals import parse_proposals

        return parse_proposals(self.propose)
