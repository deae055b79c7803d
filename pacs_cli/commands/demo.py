"""`pacs demo`: the whole loop on this machine, on real files, with nothing left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.listing import list_index
from pacs_cli.commands.totals import Totals
from pacs_cli.errors import Exit, InputError
from pacs_cli.net.target import Target
from pacs_cli.options import OutputOptions
from pacs_cli.report import Report
from pacs_cli.wire.negotiation import EXPLICIT_VR_LITTLE_ENDIAN, VERIFICATION_SOP_CLASS, Proposal

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive
    from pacs_cli.pipelines.send import Item

EXAMPLES = (
    ("pacs demo", "with the sample files that come with pydicom"),
    ("pacs demo scans/", "with files of your own; they are only read"),
)
CONFORMANCE = "That of storescu and storescp, which it runs against each other."

_OFFER = (Proposal(VERIFICATION_SOP_CLASS, (EXPLICIT_VR_LITTLE_ENDIAN,)),)


def demo(
    output: OutputOptions,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Files and folders instead of the samples."),
    ] = None,
) -> Exit:
    """Start an archive, echo it, send it files, list and compare what it holds.

    Everything happens on this machine in a temporary folder. Every object is read back and its
    data set compared byte for byte with the file it came from. Exits 0 only when all are equal.
    """
    from pacs_cli.pipelines.send import collect, send
    from pacs_cli.services.scu import Session

    report = Report.for_output(output)
    items, failures, _ = collect(paths or [str(_sample_folder())])
    if not paths:
        items, failures = _fileable(items), []
    if not items and not failures:
        raise InputError("nothing to send: no DICOM file in what was named; check the paths")
    with TemporaryDirectory(prefix="pacs-demo-") as folder, _running(folder) as (archive, target):
        report.line(f"an archive listens on {target.address}, in {folder}")
        with Session(target, _OFFER) as session:
            report.line(f"C-ECHO answered in {session.echo(1).seconds * 1000:.1f} ms")
        totals = Totals(report)
        for sent in (*failures, *send(target, items, _ignore)):
            totals.add(sent)
        fields = totals.fields()
        report.line(totals.text())
        list_index(report, archive.index)
        began = time.monotonic()
        equal, different = _compare(report, archive, items)
        seconds = time.monotonic() - began
    report.summary(
        {**fields, "equal": equal, "different": different, "compare_seconds": round(seconds, 6)},
        f"read back in {seconds:.2f} s: {equal} data sets equal byte for byte, "
        f"{different} different; everything is removed again",
    )
    return totals.exit or (Exit.SOME_FAILED if different else Exit.OK)


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


def _ignore(_: object) -> None:
    """Nothing to show of an association."""


@contextmanager
def _running(folder: str) -> Iterator[tuple[Archive, Target]]:
    """Serve an archive in `folder` on a free port of this machine."""
    from pacs_cli.archive.handler import open_archive
    from pacs_cli.dicom.registry import storage_sop_classes, transfer_syntaxes
    from pacs_cli.net.listener import Listener
    from pacs_cli.services.admission import accept_policy
    from pacs_cli.services.scp import Provider, Settings

    policy = accept_policy(storage_sop_classes(), transfer_syntaxes())
    with open_archive(Path(folder)) as archive:
        listener = Listener("127.0.0.1", 0)
        provider = Provider(Settings(policy), archive.handler, _ignore)
        thread = threading.Thread(target=listener.serve, args=(provider.serve, _ignore))
        thread.start()
        try:
            yield archive, Target("demo", "127.0.0.1", listener.port, called_ae_title="DEMO")
        finally:
            listener.stop()
            thread.join()
            listener.close()
            provider.drain()
            listener.join(10)


def _compare(report: Report, archive: Archive, items: Iterable[Item]) -> tuple[int, int]:
    """Read every stored object back and compare its data set with the file it came from."""
    from pacs_cli.dicom.part10 import probe

    equal = different = 0
    for item in items:
        relative = archive.index.find_path(item.header.sop_instance_uid)
        if relative is None:
            # it was not stored, and that was said
            continue
        stored = archive.blobs.path(relative)
        theirs = stored.read_bytes()[probe(stored).dataset_offset :]
        if theirs == Path(item.path).read_bytes()[item.header.dataset_offset :]:
            equal += 1
        else:
            different += 1
            report.error(f"{item.path} differs from what the archive holds under its UID")
    return equal, different
