"""`pacs send-batch pause`: end a job after what is on its way."""

from __future__ import annotations

from pacs_cli.commands.batching import JobPath
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (("pacs send-batch pause move.job", "end it, to be gone on with"),)
CONFORMANCE = "Calls nobody."


def pause(job: JobPath, output: OutputOptions) -> None:
    """End a job after what is on its way; `resume` goes on with it.

    Whoever runs it is told within a second. Nothing is lost and nothing sent twice."""
    from pacs_cli.jobs.file import open_job

    report = Report.for_output(output)
    with open_job(job) as opened:
        opened.put({"wish": "pause"})
        report.note(f"the job {job} is to pause")
