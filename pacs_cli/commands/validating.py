"""The options of `pacs validate`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pacs_cli.errors import UsageError


class FailOn(StrEnum):
    """From which severity on a finding makes the exit code 1."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """Which rules are looked at, and what they mean for the exit code."""

    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="RULE",
            help="Look at this rule only. Can be repeated.",
            rich_help_panel="Rules",
        ),
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="RULE",
            help="Do not look at this rule. Can be repeated.",
            rich_help_panel="Rules",
        ),
    ] = None
    fail_on: Annotated[
        FailOn,
        typer.Option(
            "--fail-on",
            metavar="error|warning|never",
            help="Exit 1 on findings of this severity, or above.",
            rich_help_panel="Rules",
        ),
    ] = FailOn.ERROR
    list_rules: Annotated[
        bool,
        typer.Option(
            "--list-rules", help="List the rules and do nothing.", rich_help_panel="Rules"
        ),
    ] = False

    def active(self) -> frozenset[str]:
        """Return the ids of the rules that are looked at; UsageError when one is none."""
        from pacs_cli.pipelines.validation.rules import RULES, check_ids

        chosen = check_ids(self.rule or [], "--rule") or frozenset(RULES)
        active = chosen - check_ids(self.ignore or [], "--ignore")
        if not active:
            raise UsageError("no rule is left: --ignore names every --rule")
        return active


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """What is written for CI systems."""

    junit: Annotated[
        Path | None,
        typer.Option(
            "--junit", metavar="FILE", help="Write JUnit XML.", rich_help_panel="Documents"
        ),
    ] = None
    sarif: Annotated[
        Path | None,
        typer.Option(
            "--sarif", metavar="FILE", help="Write SARIF 2.1.0.", rich_help_panel="Documents"
        ),
    ] = None
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="FILE",
            help="Leave out the findings that this file knows.",
            rich_help_panel="Documents",
        ),
    ] = None
    write_baseline: Annotated[
        bool,
        typer.Option(
            "--write-baseline",
            help="Write the findings to the file of --baseline, and exit 0.",
            rich_help_panel="Documents",
        ),
    ] = False
