"""`pacs send-batch`: a migration as a job in a file, which can be ended and gone on with."""

from __future__ import annotations

#: Name, module, summary.
COMMANDS = (
    ("start", "pacs_cli.commands.batch_start", "Make a job of files, and run it."),
    ("resume", "pacs_cli.commands.batch_resume", "Go on with a job that is not done."),
    ("status", "pacs_cli.commands.batch_status", "Show how far a job is."),
    ("report", "pacs_cli.commands.batch_report", "Show what became of each object."),
    ("pause", "pacs_cli.commands.batch_pause", "End a job after what is on its way."),
    ("cancel", "pacs_cli.commands.batch_cancel", "End a job and give up what is left."),
    (
        "retry-failed",
        "pacs_cli.commands.batch_retry_failed",
        "Queue again what failed; resume sends it.",
    ),
)

#: What is meant when the first word is none of these: `pacs send-batch PEER PATH... --state FILE`.
DEFAULT = "start"

EXAMPLES = (
    ("pacs send-batch pacs2 /data --state move.job --jobs 4", "make a job, and run it"),
    ("pacs send-batch resume move.job", "go on, after whatever ended it"),
    ("pacs send-batch status move.job", "how far it is, also while it runs"),
)
CONFORMANCE = "That of its commands."


def send_batch() -> None:
    """Send what cannot be lost: a job in a file, which survives whatever ends it.

    `pacs send-batch PEER PATH... --state FILE` is short for `pacs send-batch start`. Every object
    is written down as sent before the next one goes out, so a job that was killed goes on where it
    was. The file is one of SQLite; docs/job-schema.md describes it.
    """
