"""`pacs send-batch status`: how far a job is."""

from __future__ import annotations

from pacs_cli.commands.batch_figures import figures_of
from pacs_cli.commands.batching import JobPath
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs send-batch status move.job", "how far it is"),
    ("pacs send-batch status move.job --json", "a JSON line for each destination, a summary last"),
)
CONFORMANCE = "Calls nobody."


def status(job: JobPath, output: OutputOptions) -> None:
    """Show how far a job is, by destination and class of failure; also while it runs."""
    from pacs_cli.jobs.file import open_job

    report = Report.for_output(output)
    with open_job(job) as opened:
        rows = []
        for _, name, _ in opened.destinations():
            figures = figures_of(opened, name)
            columns = {"destination": name, **figures.fields()}
            classes = ", ".join(f"{each} {count}" for each, count in figures.classes.items())
            rows.append([*list(columns.values())[:-1], classes])
            report.record("destination", columns)
        report.table("", [*list(columns)[:-1], "failures"], rows)
        figures, run = figures_of(opened), opened.get("run") or {}
        speed = run.get("objects_per_second")
        left = round(figures.left / speed) if speed and figures.left else None
        fields = {
            **figures.fields(),
            "wish": opened.wish.value,
            "is_planned": opened.is_planned,
            "is_running": opened.is_held(),
            "objects_per_second": speed,
            "megabytes_per_second": run.get("megabytes_per_second"),
            "seconds_left": left,
        }
        text = figures.text() + ("; running" if fields["is_running"] else "; not running")
        text += f", {speed:.1f} objects/s, {left} s left" if left is not None else ""
        report.summary(fields, text)
