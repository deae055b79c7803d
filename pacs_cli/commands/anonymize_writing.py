"""What anonymize writes, and how."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pacs_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class WritingOptions:
    """What is written, shown or only tried."""

    names: Annotated[
        str,
        typer.Option(
            "--names",
            metavar="uid|pseudonym",
            help="What the top folders are named by.",
            rich_help_panel="Files",
        ),
    ] = "uid"
    jobs: Annotated[
        int,
        typer.Option(
            "-j",
            "--jobs",
            metavar="N",
            min=1,
            max=64,
            help="Work in N processes.",
            rich_help_panel="Files",
        ),
    ] = 1
    quarantine: Annotated[
        Path | None,
        typer.Option(
            "--quarantine",
            metavar="DIR",
            help="Copy what is withheld to this folder.",
            rich_help_panel="Files",
        ),
    ] = None
    report_file: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write policy, files and totals as JSON.",
            rich_help_panel="Files",
        ),
    ] = None
    is_dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would be done; write nothing.", rich_help_panel="Files"
        ),
    ] = False
    has_diff: Annotated[
        bool,
        typer.Option(
            "--diff",
            help="With --dry-run: every attribute that would change.",
            rich_help_panel="Files",
        ),
    ] = False
    is_unproven: Annotated[
        bool,
        typer.Option(
            "--no-verify",
            help="Do not search outputs for what was removed.",
            rich_help_panel="Files",
        ),
    ] = False
    is_in_place: Annotated[
        bool,
        typer.Option(
            "--in-place",
            help="Replace each file itself, once it is whole; there is no OUT.",
            rich_help_panel="Files",
        ),
    ] = False
    is_explaining: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Show what becomes of every attribute, and end.",
            rich_help_panel="Policy",
        ),
    ] = False
    form: Annotated[
        str,
        typer.Option(
            "--format", metavar="text|markdown", help="Of --explain.", rich_help_panel="Policy"
        ),
    ] = "text"

    def name(self) -> str:
        """Return what names the top folders; UsageError when it is neither."""
        if self.names not in ("uid", "pseudonym"):
            raise UsageError(f"--names {self.names}: choose uid or pseudonym")
        return self.names

    def shows_changes(self) -> bool:
        """Return whether every change is shown; UsageError when nothing is only tried."""
        if self.has_diff and not self.is_dry_run:
            raise UsageError("--diff is of --dry-run")
        return self.has_diff
