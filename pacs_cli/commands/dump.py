"""`pacs dump`: what stands in files, as text, JSON or one column per keyword."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from pacs_cli.commands.dumping import DumpOptions
from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import InputOptions, OutputOptions

EXAMPLES = (
    ("pacs dump ct.dcm", "every element, with its name"),
    ("pacs dump ct.dcm --only PatientName,0028 --depth 1", "a keyword and a group, anywhere"),
    ("pacs dump ct.dcm --json", "in the DICOM JSON model"),
    ("pacs dump scans/ -k PatientID,Modality,Rows --csv", "a row per file, a column per keyword"),
    (
        "pacs dump plans/ -k 'BeamSequence[0].BeamName' --json",
        "what is in an item, as JSON lines",
    ),
)
CONFORMANCE = (
    "Reads files of PS3.10 with or without preamble and file meta, in every transfer syntax; "
    "JSON is the DICOM JSON model of PS3.18 Annex F. Files are never changed."
)


def dump(
    files: InputOptions,
    view: DumpOptions,
    output: OutputOptions,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Files and folders, - for a list of them on stdin.",
            show_default=False,
        ),
    ] = None,
) -> Exit:
    """Show what stands in DICOM files.

    Text is decoded to Unicode and cannot steer the terminal. Pixel data are not read. Of a broken
    file what could be read is shown, then why no more. A DICOMDIR is shown itself. Exits 0 when
    every file was shown whole.
    """
    from pacs_cli.commands.dump_run import Dump
    from pacs_cli.pipelines.documents import find_documents
    from pacs_cli.pipelines.files import named_files

    report = MatchReport.for_output(output)
    if not paths and files.from_file is None:
        raise UsageError("nothing to dump: write PATH..., - or --from-file FILE")
    view.check(output)
    named = list(named_files(paths or [], files.from_file))
    has_names = len(named) > 1 or any(map(os.path.isdir, named))
    run = Dump(report, view.form(report, has_names))
    code = run.run(find_documents(named, files.follow))
    if view.keys:
        run.summarise()
    return code
