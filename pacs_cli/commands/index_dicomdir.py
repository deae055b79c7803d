"""`pacs index dicomdir`: read, check or write a DICOMDIR."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.commands.media_report import show_records, write_records
from pacs_cli.errors import Exit, InputError, UsageError
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs index dicomdir /media/cdrom", "list its DICOMDIR, and check the files it refers to"),
    ("pacs index dicomdir disc --write", "write disc/DICOMDIR over the files in disc"),
    ("pacs index dicomdir scans/ --copy-to disc", "the same of copies with allowed names"),
    ("pacs index dicomdir all.db --copy-to disc", "of all the files of an index"),
)
CONFORMANCE = (
    "The Basic Directory of PS3.3 F in Explicit VR Little Endian, with the records of PS3.3 F.5; "
    "file IDs as PS3.10 8 allows. No application profile of PS3.11 is checked."
)

_INDEX_START = b"SQLite format 3\0"


def dicomdir(
    output: OutputOptions,
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A DICOMDIR, a folder, or with --copy-to an index.",
        ),
    ],
    is_written: Annotated[
        bool,
        typer.Option(
            "--write", help="Write the DICOMDIR of the folder.", rich_help_panel="DICOMDIR"
        ),
    ] = False,
    copy_to: Annotated[
        Path | None,
        typer.Option(
            "--copy-to",
            metavar="DIR",
            help="Copy the files to this new folder under names that the standard allows, and "
            "write its DICOMDIR.",
            rich_help_panel="DICOMDIR",
        ),
    ] = None,
    file_set_id: Annotated[
        str,
        typer.Option(
            "--id",
            metavar="TEXT",
            help="File-set ID: A-Z, 0-9 and _, at most 16.",
            rich_help_panel="DICOMDIR",
        ),
    ] = "",
) -> Exit:
    """List a DICOMDIR and check the files that it refers to, or write one.

    Files of a folder that is written keep their names, which must be of A-Z, 0-9 and _, at most
    8 of them: others have no place in a DICOMDIR and are reported. Values that records need and
    objects lack are made up, and that is said.
    """
    import re

    report = MatchReport.for_output(output)
    if is_written and copy_to is not None:
        raise UsageError("--write and --copy-to exclude each other; choose one")
    if not re.fullmatch(r"[A-Z0-9_]{0,16}", file_set_id):
        raise UsageError(f"--id {file_set_id}: A-Z, 0-9 and _ are allowed, at most 16")
    if not is_written and copy_to is None:
        name = Path(path, "DICOMDIR") if Path(path).is_dir() else Path(path)
        return show_records(report, str(name))
    if copy_to is None and not Path(path).is_dir():
        raise UsageError(f"cannot write a DICOMDIR over {path}: it is no folder")
    if copy_to is not None and copy_to.is_dir() and any(copy_to.iterdir()):
        raise UsageError(f"cannot copy to {copy_to}: it is not empty; choose a new folder")
    files = _files(report, path)
    return write_records(report, files, Path(path), copy_to, file_set_id)


def _files(report: Report, path: str) -> Iterator[str]:
    """Yield the files of a folder or of an index."""
    from pacs_cli.archive.catalog import open_for_reading
    from pacs_cli.archive.exporting import export
    from pacs_cli.dicom.query import Level
    from pacs_cli.pipelines.files import Found, find_files

    if Path(path).is_file():
        with Path(path).open("rb") as file:
            if file.read(len(_INDEX_START)) != _INDEX_START:
                raise InputError(f"{path} is no index and no folder")
        with open_for_reading(Path(path)) as catalog:
            yield from (str(name) for (name,) in export(catalog, Level.IMAGE, ["Path"]))
        return
    for found in find_files([path]):
        if isinstance(found, Found):
            if Path(found.path).name != "DICOMDIR":
                yield found.path
        elif found.is_failure:
            report.error(f"cannot read {found.path}: {found.reason}")
