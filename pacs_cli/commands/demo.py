"""`pacs demo`: the whole loop on this machine, on real files, with nothing left behind."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.demo_loop import compare, go_round, ignore, running
from pacs_cli.commands.listing import list_index
from pacs_cli.commands.totals import Totals
from pacs_cli.errors import Exit, InputError, PacsError
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report
from pacs_cli.wire.negotiation import EXPLICIT_VR_LITTLE_ENDIAN, VERIFICATION_SOP_CLASS, Proposal

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive
    from pacs_cli.net.target import Target
    from pacs_cli.pipelines.send import Item

EXAMPLES = (
    ("pacs demo", "with the sample files that come with pydicom"),
    ("pacs demo scans/", "with files of your own; they are only read"),
)
CONFORMANCE = "That of storescu, movescu, getscu and storescp --qr, run against each other."

_OFFER = (Proposal(VERIFICATION_SOP_CLASS, (EXPLICIT_VR_LITTLE_ENDIAN,)),)


def demo(
    output: OutputOptions,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Files and folders instead of the samples."),
    ] = None,
) -> Exit:
    """Start an archive, echo it, send it files, find, move and get them, compare them all.

    Everything happens on this machine in a temporary folder, between three archives. Every object
    is read back from each and its data set compared byte for byte with the file it came from.
    Exits 0 only when all are equal.
    """
    from pacs_cli.archive.handler import open_archive
    from pacs_cli.pipelines.send import collect, send
    from pacs_cli.services.scu import Session

    report = Report.for_output(output)
    items, failures, _ = collect(paths or [str(_sample_folder())])
    if not paths:
        items, failures = _fileable(items), []
    if not items and not failures:
        raise InputError("nothing to send: no DICOM file in what was named; check the paths")
    with (
        TemporaryDirectory(prefix="pacs-demo-") as folder,
        running(Path(folder, "second")) as (second, destination),
        running(Path(folder, "first"), destination) as (archive, target),
        open_archive(Path(folder, "third")) as third,
    ):
        report.line(f"an archive listens on {target.address}, in {folder}")
        with Session(target, _OFFER) as session:
            report.line(f"C-ECHO answered in {session.echo(1).seconds * 1000:.1f} ms")
        totals = Totals(report)
        for sent in (*failures, *send(target, items, ignore)):
            totals.add(sent)
        fields = totals.fields()
        report.line(totals.text())
        list_index(report, archive.index)
        failure = _go_round(report, target, third) if fields["stored"] else Exit.OK
        began = time.monotonic()
        equal = different = 0
        for each in (archive, second, third):
            numbers = compare(report, each, items, archive)
            equal, different = equal + numbers[0], different + numbers[1]
        seconds = time.monotonic() - began
    report.summary(
        {**fields, "equal": equal, "different": different, "compare_seconds": round(seconds, 6)},
        f"read back from three archives in {seconds:.2f} s: {equal} data sets equal byte for byte, "
        f"{different} different; everything is removed again",
    )
    return totals.exit or failure or (Exit.SOME_FAILED if different else Exit.OK)


def _go_round(report: Report, target: Target, third: Archive) -> Exit:
    """Find, move and get, and show it; what fails is told, and missed in the comparison."""
    try:
        for step in go_round(target, third):
            report.record(step.name, {"count": step.number, "seconds": round(step.seconds, 6)})
            report.line(f"{step.words}: {step.number} {step.unit} in {step.seconds:.2f} s")
    except PacsError as error:
        report.error(str(error))
        return error.exit
    return Exit.OK


def _sample_folder() -> Path:
    import pydicom

    return Path(pydicom.__file__).parent / "data" / "test_files"


def _fileable(items: Iterable[Item]) -> list[Item]:
    """Keep of the samples what an archive can hold.

    Some are broken on purpose or have no study, and some are variants of one object under one
    SOP instance UID, of which an archive holds one.
    """
    from pacs_cli.archive.handler import row_of_file
    from pacs_cli.errors import MalformedDataset

    kept: dict[str, Item] = {}
    for item in items:
        try:
            row_of_file(Path(item.path))
        except MalformedDataset:
            continue
        kept.setdefault(item.header.sop_instance_uid, item)
    return list(kept.values())
