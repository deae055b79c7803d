"""`pacs reidentify`: give objects back the values that were sealed in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import InputOptions, OutputOptions
from pacs_cli.report import Report

EXAMPLES = (
    ("pacs reidentify --private-key trust.key out/ original/", "everything in a folder"),
    ("pacs reidentify --private-key trust.key a.dcm b.dcm", "one file"),
)
CONFORMANCE = (
    "Re-identification by PS3.15 E.1.2 of objects with an Encrypted Attributes Sequence: CMS "
    "enveloped data with an RSA key, and AES in CBC mode."
)


def reidentify(
    files: InputOptions,
    output: OutputOptions,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IN... OUT",
            help="Files and folders, - for a list of them on stdin, and where to write.",
            show_default=False,
        ),
    ] = None,
    private_key: Annotated[
        Path | None,
        typer.Option(
            "--private-key",
            metavar="KEY.pem",
            help="Of the certificate that the values were sealed to. A password is read from "
            "$PACS_KEY_PASSWORD.",
            rich_help_panel="Keys",
        ),
    ] = None,
) -> Exit:
    """Give objects back the original values that `pacs anonymize --encrypt-to` sealed in them.

    Exits 0 when all have them, 1 when some could not be opened, 6 when none could.
    """
    from pacs_cli.pipelines.deid.encrypt import read_private_key
    from pacs_cli.pipelines.deid.reidentify import reidentify as restore
    from pacs_cli.pipelines.files import Found, find_files, named_files

    report = Report.for_output(output)
    typed = list(paths or [])
    if private_key is None:
        raise UsageError("missing --private-key KEY.pem")
    if len(typed) + (files.from_file is not None) < 2 or not typed:
        raise UsageError("write IN... OUT: what to re-identify, and where to write")
    *inputs, last = typed
    out = Path(last)
    is_file = (
        len(inputs) == 1 and Path(inputs[0]).is_file() and bool(out.suffix) and not out.is_dir()
    )
    password = os.environ.get("PACS_KEY_PASSWORD", "").encode() or None
    key = read_private_key(private_key, password)
    found = find_files(named_files(inputs, files.from_file), files.follow)
    named = [str(each.path) for each in found if isinstance(each, Found)]
    counts = {"restored": 0, "failed": 0}
    has_output_fault = False
    for done in restore(named, out, key, is_file):
        counts["failed" if done.output is None else "restored"] += 1
        has_output_fault |= done.is_output_fault
        if done.output is None:
            report.error(f"{done.path}: {done.message}")
        report.record("file", done._asdict())
    report.summary(counts, f"restored {counts['restored']}, failed {counts['failed']}")
    if has_output_fault:
        return Exit.OUTPUT
    if not counts["restored"]:
        return Exit.BAD_INPUT
    return Exit.SOME_FAILED if counts["failed"] else Exit.OK
