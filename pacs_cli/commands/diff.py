"""`pacs diff`: what differs between two files, or the files of two folders."""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.commands.diff_run import Differ
from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import Exit, UsageError
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

_PANEL = "What is compared"

#: As of `pacs dump`.
_TEXT_LENGTH, _JSON_LENGTH = 64, 65536


def diff(
    output: OutputOptions,
    left: Annotated[str, typer.Argument(metavar="LEFT", help="A file or a folder.")],
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="Another of the same kind.")],
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="KEY,...",
            help="Leave these out, at any depth: a keyword, a tag (60xx,3000 too), a group "
            "(0009), a path, private. Can be repeated, as two groups need.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    has_meta: Annotated[
        bool,
        typer.Option("--meta", help="Compare the file meta too.", rich_help_panel=_PANEL),
    ] = False,
    has_pixels: Annotated[
        bool,
        typer.Option(
            "--pixels",
            help="Compare decoded pixels, and not how they are encoded.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            metavar="N",
            min=0,
            help="With --pixels, let samples differ by so much.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Follow symbolic links inside folders.")
    ] = False,
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            metavar="N",
            min=0,
            help=f"Show N characters of a value [default: {_TEXT_LENGTH}]; in JSON, refer to the "
            f"file for what has more bytes [default: {_JSON_LENGTH}]. 0 for no limit.",
            rich_help_panel="Output",
        ),
    ] = None,
) -> Exit:
    """Show what differs between two DICOM files, or between the files of two folders.

    Values count, and not how they are written: VRs, byte order, lengths, deflate, character set and
    padding make no difference. Files of folders are matched by SOP Instance UID. Exits 0 when
    nothing differs, 1 when something does, 6 when something cannot be compared.
    """
    from pacs_cli.dicom.compare import Comparison
    from pacs_cli.dicom.selectors import parse_selectors
    from pacs_cli.pipelines.documents import Unreadable
    from pacs_cli.pipelines.pairs import Pair, find_pairs

    report = MatchReport.for_output(output)
    if output.csv:
        raise UsageError("differences have no columns; write --json instead of --csv")
    if tolerance is not None and not has_pixels:
        raise UsageError("--tolerance is of pixels; write --pixels too")
    default = _TEXT_LENGTH if report.is_text else _JSON_LENGTH
    limit = default if max_length is None else max_length
    comparison = Comparison(parse_selectors(ignore or [], "--ignore"), has_meta, not has_pixels)
    differ = Differ(report, comparison, (tolerance or 0) if has_pixels else None, limit)
    for entry in find_pairs(left, right, follow):
        if isinstance(entry, Pair):
            differ.add(entry)
        elif isinstance(entry, Unreadable):
            differ.fail(entry.kind, entry.message, entry.exit)
        else:
            report.note(f"skipped {entry.path}: {entry.reason}")
    differ.finish()
    return differ.exit
