"""`pacs diff`: what differs between two files, or the files of two folders."""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.commands.diffing import DiffOptions
from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import Exit
from pacs_cli.options import OutputOptions

EXAMPLES = (
    ("pacs diff before.dcm after.dcm", "what was added, removed and changed"),
    (
        "pacs diff before.dcm after.dcm --ignore 0008,0012,InstanceCreationTime,private",
        "without two attributes and all private ones",
    ),
    ("pacs diff original.dcm lossy.dcm --pixels --tolerance 3", "decoded pixels, within 3"),
    ("pacs diff sent/ received/ --json", "two folders, by SOP Instance UID"),
)
CONFORMANCE = (
    "Values are compared as PS3.5 has them, whatever the transfer syntax; reads files of PS3.10 "
    "with or without preamble and file meta, and never changes them."
)


def diff(
    compared: DiffOptions,
    output: OutputOptions,
    left: Annotated[str, typer.Argument(metavar="LEFT", help="A file or a folder.")],
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="Another of the same kind.")],
) -> Exit:
    """Show what differs between two DICOM files, or between the files of two folders.

    Values count, and not how they are written: VRs, byte order, lengths, deflate, character set and
    padding make no difference. Files of folders are matched by SOP Instance UID. Exits 0 when
    nothing differs, 1 when something does, 6 when something cannot be compared.
    """
    from pacs_cli.pipelines.documents import Unreadable
    from pacs_cli.pipelines.pairs import Pair, find_pairs

    report = MatchReport.for_output(output)
    differ = compared.differ(report, output)
    for entry in find_pairs(left, right, compared.follow):
        if isinstance(entry, Pair):
            differ.add(entry)
        elif isinstance(entry, Unreadable):
            differ.fail(entry.kind, entry.message, entry.exit)
        else:
            report.note(f"skipped {entry.path}: {entry.reason}")
    differ.finish()
    return differ.exit
