"""`pacs storescu`: send files and folders, and say what became of each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.negotiation import Display
from pacs_cli.errors import Exit, InputError
from pacs_cli.options import NetworkOptions, OutputOptions, PeerOptions, resolve_target, split_port
from pacs_cli.report import Report
from pacs_cli.services.diagnosis import explain_status

if TYPE_CHECKING:
    from pacs_cli.pipelines.send import Sent

EXAMPLES = (
    ("pacs storescu 10.0.0.5 104 -aec ARCHIVE scans/", "send a folder"),
    ("pacs storescu ARCHIVE@10.0.0.5:104 a.dcm b.dcm", "send two files"),
    ("pacs storescu pacs1 scans/ --json", "one JSON line per file, a summary last"),
)
CONFORMANCE = (
    "Every SOP class of the storage service as SCU, in the transfer syntax each object is stored "
    "in (PS3.4 Annex B, PS3.7 9.1.1). Data sets are sent byte for byte as they stand in the file."
)


def storescu(
    peer: PeerOptions,
    network: NetworkOptions,
    output: OutputOptions,
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="[PORT] PATH...",
            help="Files and folders to send; a first one made of digits is the peer's TCP port.",
        ),
    ],
) -> Exit:
    """Send DICOM files, and folders of them, to a peer with C-STORE.

    Presentation contexts are made from the files: every SOP class in the transfer syntax it is
    stored in. More than 128 of them are spread over several associations. Exits 0 only when the
    peer acknowledged every object.
    """
    from pacs_cli.pipelines.send import collect, send

    report = Report.for_output(output)
    port, names = split_port(paths)
    target = resolve_target(peer, port, network)
    items, failures, passed = collect(names)
    totals = Totals(report)
    for left_out in passed:
        report.note(f"left out {left_out.path}: {left_out.reason}")
    for failure in failures:
        totals.add(failure)
    if not items and not failures:
        raise InputError("nothing to send: no DICOM file in what was named; check the paths")
    display = Display(report)
    label = f"sending to {target.called_ae_title}"
    try:
        with report.progress(len(items), sum(item.size for item in items), label) as progress:
            for sent in send(target, items, display.opened, display.trace):
                totals.add(sent)
                progress.advance(1, sent.item.size if sent.item else 0)
    finally:
        totals.show()
    return totals.exit


class Totals:
    """Adds up what became of the files, and shows each and all."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._began = time.monotonic()
        self._stored = self._warnings = self._failed = self._size = 0
        self._first_failure = Exit.OK
        self._said = ""

    @property
    def exit(self) -> Exit:
        """The exit code: the class of the first failure when nothing was stored."""
        if not self._failed:
            return Exit.OK
        return Exit.SOME_FAILED if self._stored else self._first_failure

    def add(self, sent: Sent) -> None:
        """Count one file and show it."""
        report, item = self._report, sent.item
        size = item.size if item else 0
        if sent.error is None:
            self._stored += 1
            self._size += size
            if sent.is_warning:
                self._warnings += 1
                report.warning(f"{sent.path}: {explain_status(sent.status or 0)}")
            report.note(f"stored {sent.path}")
        else:
            self._failed += 1
            self._first_failure = self._first_failure or sent.exit
            # what ended an association is the reason of all that was left: said once
            if sent.error != self._said:
                report.error(sent.error)
                self._said = sent.error
        header = item.header if item else None
        report.record(
            "file",
            {
                "path": sent.path,
                "outcome": _outcome(sent),
                "status": None if sent.status is None else f"{sent.status:04X}",
                "error": sent.error,
                "sop_class_uid": header.sop_class_uid if header else None,
                "sop_instance_uid": header.sop_instance_uid if header else None,
                "transfer_syntax_uid": header.transfer_syntax_uid if header else None,
                "bytes": size,
                "seconds": round(sent.seconds, 6),
            },
        )

    def show(self) -> None:
        """Show the totals."""
        seconds = time.monotonic() - self._began
        megabytes = self._size / 1e6
        fields = {
            "stored": self._stored,
            "warnings": self._warnings,
            "failed": self._failed,
            "bytes": self._size,
            "seconds": round(seconds, 6),
            "megabytes_per_second": round(megabytes / seconds, 3),
        }
        text = (
            f"stored {self._stored}, failed {self._failed}; {megabytes:.1f} MB in {seconds:.2f} s, "
            f"{megabytes / seconds:.1f} MB/s"
        )
        if self._warnings:
            text += f"; {self._warnings} with a warning"
        self._report.summary(fields, text)


def _outcome(sent: Sent) -> str:
    if sent.error is None:
        return "warning" if sent.is_warning else "stored"
    return "failed" if sent.status is not None else "not sent"
