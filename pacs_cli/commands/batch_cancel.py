"""`pacs send-batch cancel`: end a job and give up what is left."""

from __future__ import annotations

from pacs_cli.commands.batching import JobPath
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (("pacs send-batch cancel move.job", "end it for good"),)
CONFORMANCE = "Calls nobody."


def cancel(job: JobPath, output: OutputOptions) -> None:
    """End a job and give up what is left, which counts as skipped."""
    from pacs_cli.jobs.file import open_job

    report = Report.for_output(output)
    with open_job(job) as opened:
        opened.put({"wish": "cancel"})
        if not opened.is_held():
            # nobody runs it, who would do it
            opened.cancel_rest()
        report.note(f"the job {job} is to cancel")
