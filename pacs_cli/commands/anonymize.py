"""`pacs anonymize`: de-identify files by PS3.15 Annex E, each of them proven."""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.commands.anonymize_writing import WritingOptions
from pacs_cli.commands.anonymizing import KeyOptions, PolicyOptions
from pacs_cli.errors import Exit
from pacs_cli.options import InputOptions, OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs anonymize scans/ out/", "the Basic Profile, each output proven"),
    ("pacs anonymize scans/ out/ --save-key trial.key", "to give the same UIDs again"),
    ("pacs anonymize more/ out/ --key-file trial.key -j 4", "the same patients, later"),
    ("pacs anonymize scans/ out/ --retain modified-dates,device", "with options of PS3.15"),
    ("pacs anonymize scans/ out/ --rule 'StudyDescription = keep'", "with a rule of one's own"),
    ("pacs anonymize scans/ out/ --encrypt-to trust.pem", "with the originals sealed"),
    ("pacs anonymize scans/ out/ --dry-run --diff", "what would change"),
    ("pacs anonymize --explain --profile tcia", "what becomes of every attribute"),
    ("pacs anonymize verify scans/ out/", "prove what any tool has written"),
)
CONFORMANCE = (
    "The Basic Application Level Confidentiality Profile and its options (PS3.15 Annex E) for "
    "every storage SOP class in every transfer syntax, which stays."
)


def anonymize(
    policy: PolicyOptions,
    keys: KeyOptions,
    files: InputOptions,
    writing: WritingOptions,
    output: OutputOptions,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IN... OUT",
            help="Files, folders and DICOMDIRs, - for a list of them on stdin, and where to write. "
            "`verify ORIGINAL OUTPUT` proves what is written.",
            show_default=False,
        ),
    ] = None,
) -> Exit:
    """De-identify DICOM files by PS3.15 Annex E, and prove each output.

    What cannot be proven, or not be understood, is withheld and listed with a reason; the others go
    on. Inputs are never changed. Exits 0 when all were released, 1 when some were withheld.
    """
    from pacs_cli.commands.anonymize_run import Asked, explain, release, verify

    report = Report.for_output(output)
    chosen = policy.policy(keys.date_shift)
    typed = paths or []
    if writing.is_explaining:
        return explain(report, chosen, writing.form)
    if typed[:1] == ["verify"]:
        return verify(report, typed[1:], chosen)
    asked = Asked(
        typed,
        files,
        writing.name(),
        writing.is_in_place,
        writing.is_dry_run,
        writing.shows_changes(),
        not writing.is_unproven,
        writing.jobs,
    )
    return release(report, asked, chosen, keys, writing.quarantine, writing.report_file)
