"""`pacs anonymize`: de-identify files by PS3.15 Annex E, each of them proven."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pacs_cli.commands.anonymizing import KeyOptions, PolicyOptions
from pacs_cli.errors import Exit, UsageError
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
    names: Annotated[
        str,
        typer.Option("--names", metavar="uid|pseudonym", help="What the top folders are named by."),
    ] = "uid",
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", metavar="N", min=1, max=64, help="Work in N processes.")
    ] = 1,
    quarantine: Annotated[
        Path | None,
        typer.Option("--quarantine", metavar="DIR", help="Copy what is withheld to this folder."),
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write policy, files and totals as JSON."),
    ] = None,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    has_diff: Annotated[
        bool, typer.Option("--diff", help="With --dry-run: every attribute that would change.")
    ] = False,
    is_unproven: Annotated[
        bool, typer.Option("--no-verify", help="Do not search outputs for what was removed.")
    ] = False,
    is_in_place: Annotated[
        bool, typer.Option("--in-place", help="Replace the files themselves; there is no OUT.")
    ] = False,
    is_explaining: Annotated[
        bool, typer.Option("--explain", help="Show what becomes of every attribute, and end.")
    ] = False,
    form: Annotated[
        str, typer.Option("--format", metavar="text|markdown", help="Of --explain.")
    ] = "text",
) -> Exit:
    """De-identify DICOM files by PS3.15 Annex E, and prove each output.

    What cannot be proven, or not be understood, is withheld and listed with a reason; the others go
    on. Inputs are never changed. Exits 0 when all were released, 1 when some were withheld.
    """
    from pacs_cli.commands.anonymize_run import Asked, explain, release, verify

    report = Report.for_output(output)
    chosen = policy.policy(keys.date_shift)
    typed = paths or []
    if is_explaining:
        return explain(report, chosen, form)
    if typed[:1] == ["verify"]:
        return verify(report, typed[1:], chosen)
    if has_diff and not is_dry_run:
        raise UsageError("--diff is of --dry-run")
    if names not in ("uid", "pseudonym"):
        raise UsageError(f"--names {names}: choose uid or pseudonym")
    asked = Asked(typed, files, names, is_in_place, is_dry_run, has_diff, not is_unproven, jobs)
    return release(report, asked, chosen, keys, quarantine, report_file)
