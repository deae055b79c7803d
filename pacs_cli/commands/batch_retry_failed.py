"""`pacs send-batch retry-failed`: queue again what failed."""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.commands.batching import JobPath
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs send-batch retry-failed move.job && pacs send-batch resume move.job", "once more"),
    ("pacs send-batch retry-failed move.job --class resources", "of one class of failure"),
)
CONFORMANCE = "Calls nobody."


def retry_failed(
    job: JobPath,
    output: OutputOptions,
    failure: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="CLASS",
            help="Only what failed so; status shows them.",
            rich_help_panel="Job",
        ),
    ] = None,
) -> None:
    """Queue again what failed, for the next resume.

    What could not be read when the job was made is not in it: make it with the same command again.
    A process that runs the job takes up what comes behind what it sends now.
    """
    from pacs_cli.jobs.file import open_job

    report = Report.for_output(output)
    with open_job(job) as opened:
        count = opened.retry_failed(failure)
        report.summary({"queued": count}, f"queued {count} again")
