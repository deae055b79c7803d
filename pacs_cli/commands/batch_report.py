"""`pacs send-batch report`: what became of each object."""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.commands.batch_figures import figures_of
from pacs_cli.commands.batching import JobPath
from pacs_cli.errors import UsageError, nearest
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs send-batch report move.job --only failed", "what failed, and why"),
    ("pacs send-batch report move.job --csv > moved.csv", "a row for each object"),
)
CONFORMANCE = "Calls nobody."


def report(
    job: JobPath,
    output: OutputOptions,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="STATE",
            help="Only objects in this state. Can be repeated.",
            rich_help_panel="Job",
        ),
    ] = None,
) -> None:
    """Show what became of each object, and in the end a balance; also while the job runs."""
    from pacs_cli.jobs.file import open_job
    from pacs_cli.jobs.states import State

    shown = Report.for_output(output)
    states = []
    for text in only or ():
        if text not in list(State):
            raise UsageError(f"--only {text}: choose {', '.join(State)}{nearest(text, State)}")
        states.append(State(text))
    with open_job(job) as opened:
        for fields in opened.objects(states):
            shown.record("object", fields)
            words = f": {fields['words']}" if fields["words"] else ""
            shown.line(f"{fields['state']}\t{fields['destination']}\t{fields['path']}{words}")
        figures = figures_of(opened)
        shown.summary(figures.fields(), figures.text())
