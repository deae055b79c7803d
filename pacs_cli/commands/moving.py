"""The options of movescu alone: where the objects go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli import config as configuration
from pacs_cli.errors import UsageError

if TYPE_CHECKING:
    from pacs_cli.commands.match_report import MatchReport
    from pacs_cli.net.target import Target
    from pacs_cli.options import NetworkOptions
    from pacs_cli.pipelines.operations import Move
    from pacs_cli.pipelines.receiver import Arrivals
    from pacs_cli.receiving import ArchiveOptions
    from pacs_cli.securing import TlsOptions


@dataclass(frozen=True, slots=True)
class MoveOptions:
    """Where the objects go."""

    dest: Annotated[
        str | None,
        typer.Option(
            "--dest",
            "-aem",
            metavar="AET",
            help="AE title of another node.",
            rich_help_panel="Retrieval",
        ),
    ] = None
    receive: Annotated[
        int | None,
        typer.Option(
            "--receive",
            metavar="PORT",
            min=1,
            max=65535,
            help="Receive them here into --out; the peer must know our AE title, host and this "
            "port.",
            rich_help_panel="Retrieval",
        ),
    ] = None
    bind: Annotated[
        str | None,
        typer.Option(
            "--bind",
            metavar="ADDRESS",
            help="Receive on this address. [default: the one from which the peer is reached]",
            rich_help_panel="Retrieval",
        ),
    ] = None
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="AET[@HOST]",
            help="Serve only these: an AE title, a host or network behind @, or both. Can "
            "be repeated.",
            rich_help_panel="Retrieval",
        ),
    ] = None
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            help="Wait this long for each object that the peer says it has sent.",
            rich_help_panel="Retrieval",
        ),
    ] = 5.0
    is_expecting: Annotated[
        bool,
        typer.Option(
            "--expect-from-find",
            help="Ask first which instances there are, and reconcile them with what was moved.",
            rich_help_panel="Retrieval",
        ),
    ] = False

    def check(self, archive: ArchiveOptions) -> float:
        """Return the seconds to wait; UsageError unless it is said where the objects go, once."""
        if (self.dest is None) == (self.receive is None):
            raise UsageError("write where the objects go: --dest AET, or --receive PORT --out DIR")
        if self.dest is not None and (archive.out or archive.db or self.bind or self.allow):
            raise UsageError("--out, --db, --bind and --allow go with --receive, not with --dest")
        try:
            if self.dest is not None:
                configuration.ae_title(self.dest)
        except ValueError as error:
            raise UsageError(f"--dest: {error}") from None
        try:
            return configuration.seconds(self.wait)
        except ValueError as error:
            raise UsageError(f"--wait: {error}") from None

    @contextmanager
    def destination(
        self,
        report: MatchReport,
        target: Target,
        options: tuple[NetworkOptions, TlsOptions],
        archive: ArchiveOptions,
        arrivals: Arrivals | None,
    ) -> Iterator[Move]:
        """Give where the objects go; inside the block they are received, if they come here.

        options  with which the peer is called; it calls us in the same way
        """
        from pacs_cli.commands.move_receiver import receiving
        from pacs_cli.pipelines.operations import Move

        if self.dest is not None:
            yield Move(self.dest.strip(" "), "with its host and port")
            return
        assert arrivals is not None
        with receiving(self, report, target, options, archive, arrivals) as where:
            yield Move(target.calling_ae_title, where)
