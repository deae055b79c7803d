"""`pacs storescu`: send files and folders, and say what became of each."""

from __future__ import annotations

from typing import Annotated

import typer

from pacs_cli.commands.negotiation import Display
from pacs_cli.commands.totals import Totals
from pacs_cli.errors import Exit, InputError
from pacs_cli.options import NetworkOptions, OutputOptions, PeerOptions, resolve_target, split_port
from pacs_cli.report import Report

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
        report.summary(totals.fields(), totals.text())
    return totals.exit
