"""Which shell is meant, and what became of its files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.pipelines.shells import Shell, Written

ShellName = Annotated[
    str | None,
    typer.Argument(
        metavar="[SHELL]",
        help="bash, zsh or fish. [default: the one in which it is typed]",
        show_default=False,
    ),
]


def shell_of(typed: str | None) -> Shell:
    """Return the shell that is meant; UsageError when that cannot be told."""
    from pacs_cli.pipelines.shells import named_shell, shell_in_use

    return named_shell(typed) if typed else shell_in_use(os.environ, os.getppid())


def tell(report: Report, shell: Shell, files: Sequence[Written], done: str, not_done: str) -> None:
    """Say of each file what was done, or that there was nothing to do."""
    for file in files:
        what = done if file.has_changed else not_done
        report.line(f"{what} {file.path}")
        report.record("file", {"shell": shell, "path": str(file.path), "outcome": what})
