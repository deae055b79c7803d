"""`pacs validate`: find what breaks the standard in DICOM files, for CI."""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.commands.validating import DocumentOptions, RuleOptions
from pacs_cli.commands.validation_output import ValidationOutput
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import InputOptions, OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs validate scans/", "every DICOM file below; exits 1 when one has an error"),
    ("pacs validate scans/ --fail-on warning --sarif out.sarif", "stricter, and for code scanning"),
    ("pacs validate scans/ --ignore iod-unknown-sop-class -q", "without one rule; only the code"),
    ("pacs validate scans/ --baseline known.json --write-baseline", "accept what is there now"),
    ("pacs validate scans/ --baseline known.json", "report only what is new since then"),
    ("pacs validate --list-rules", "every rule, its severity and source"),
)
CONFORMANCE = (
    "Rules of PS3.3, PS3.5, PS3.6 and PS3.10, each with its section in docs/rules. It validates "
    "what a file can show, offline; that nothing is found is no statement of conformance."
)


def validate(
    files: InputOptions,
    rules: RuleOptions,
    documents: DocumentOptions,
    output: OutputOptions,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="Files, folders and DICOMDIRs to validate, - for a list of them on stdin.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "-j",
            "--jobs",
            metavar="N",
            min=1,
            max=64,
            help="Validate in N processes. [default: one for each processor, at most 8]",
            rich_help_panel="Input",
        ),
    ] = None,
) -> Exit:
    """Find what breaks the standard in DICOM files.

    Each finding has a rule with a page of its own, the element where it is, and what is wrong,
    never a name or ID of a patient. Files that are no DICOM are skipped in folders, and reported
    when they were named. Exits 0 without findings of --fail-on, 1 with some, 6 when no file could
    be validated.
    """
    report = Report.for_output(output)
    shown = ValidationOutput(report, rules.fail_on, documents)
    if rules.list_rules:
        return shown.list_rules()
    if not paths and files.from_file is None:
        raise UsageError("nothing to validate: write PATH..., - or --from-file FILE")
    return shown.run(paths or [], files, rules.active(), jobs)
