"""`pacs send-batch resume`: go on with a job."""

from __future__ import annotations

from pacs_cli.commands.batch_options import BatchOptions
from pacs_cli.commands.batch_run import Run
from pacs_cli.commands.batching import JobPath
from pacs_cli.commands.changing import changes_of
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs send-batch resume move.job", "go on, after whatever ended it"),
    ("pacs send-batch resume move.job --jobs 8 --retries 20", "in another way, from now on"),
)
CONFORMANCE = "As pacs send-batch start."


def resume(job: JobPath, batch: BatchOptions, output: OutputOptions) -> Exit:
    """Go on with a job: what was acknowledged is not sent again.

    Options that are typed hold for this job from now on. What failed stays failed: retry-failed
    queues it. Exits 0 only when every object was acknowledged.
    """
    from pacs_cli.jobs.file import open_job

    report = Report.for_output(output)
    typed = batch.typed()
    with open_job(job) as opened:
        opened.hold()
        if not opened.is_planned:
            raise UsageError(
                f"the job {job} was ended while it was planned, and sent nothing yet; "
                "run the command that made it again"
            )
        changes, _ = changes_of(opened.get("changes") or {})
        opened.put({"options": {**(opened.get("options") or {}), **typed}, "wish": "run"})
        return Run(report, opened, changes).to_its_end()
