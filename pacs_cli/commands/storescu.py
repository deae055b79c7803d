"""`pacs storescu`: send files and folders, and say what became of each."""

from __future__ import annotations

from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.commands.negotiation import Display
from pacs_cli.commands.sending import SendOptions
from pacs_cli.commands.totals import Totals
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import (
    EditOptions,
    InputOptions,
    NetworkOptions,
    OutputOptions,
    PeerOptions,
    resolve_target,
    split_port,
)
from pacs_cli.report import Report
from pacs_cli.securing import TlsOptions, UserOptions

if TYPE_CHECKING:
    from pacs_cli.dicom.edit import Editor
    from pacs_cli.pipelines.files import Passed
    from pacs_cli.pipelines.items import Sent
    from pacs_cli.pipelines.send import Sending

EXAMPLES = (
    ("pacs storescu 10.0.0.5 104 -aec ARCHIVE scans/", "send a folder"),
    ("pacs storescu ARCHIVE@10.0.0.5:104 a.dcm b.dcm", "send two files"),
    ("pacs storescu pacs1 scans/ --json", "one JSON line per file, a summary last"),
    ("pacs storescu pacs1 scans/ --jobs 4 --report sent.csv", "four associations, a row per file"),
    ("find scans -mtime -1 -print0 | pacs storescu pacs1 -", "what find names"),
    ("pacs storescu pacs1 scans/ --set PatientID=TEST-1 --uid-suffix .1", "as other objects"),
    ("pacs storescu pacs1 scans/ --dry-run", "what would be sent and proposed"),
)
CONFORMANCE = (
    "Every SOP class of the storage service as SCU, in the transfer syntax each object is stored "
    "in (PS3.4 Annex B, PS3.7 9.1.1). Data sets are sent byte for byte as they stand in the file, "
    "but for the elements that --set and --uid-suffix change, and where the peer refuses that "
    "transfer syntax: then in Explicit or Implicit VR Little Endian, without loss."
)


def storescu(
    peer: PeerOptions,
    files: InputOptions,
    sending: SendOptions,
    edits: EditOptions,
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions,
    output: OutputOptions,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PORT] PATH...",
            help="Files, folders and DICOMDIRs to send, - for a list of them on stdin; a first "
            "one made of digits is the peer's TCP port.",
            show_default=False,
        ),
    ] = None,
) -> Exit:
    """Send DICOM files, and folders of them, to a peer with C-STORE.

    Presentation contexts are made from the files: every SOP class in the transfer syntax it is
    stored in. More than 128 of them are spread over several associations. Exits 0 only when the
    peer acknowledged every object.
    """
    from pacs_cli.pipelines.files import Found, find_files, named_files
    from pacs_cli.pipelines.items import examiner
    from pacs_cli.pipelines.loading import Loader
    from pacs_cli.pipelines.send import Observer, Sending
    from pacs_cli.pipelines.supply import Supply

    report = Report.for_output(output)
    port, typed = split_port(paths or [])
    if not typed and files.from_file is None:
        raise UsageError("nothing to send: write PATH..., - or --from-file FILE")
    target = resolve_target(peer, port, network, tls=tls, user=user)
    settings, extra = sending.settings(), sending.proposals()
    editor = _editor(edits)
    found = list(find_files(named_files(typed, files.from_file), files.follow))
    again = [each for each in found if isinstance(each, Found)]
    repeated = chain(found, chain.from_iterable(repeat(again, sending.repeat - 1)))
    supply = Supply(repeated, examiner(editor), extra)
    if sending.is_dry_run:
        from pacs_cli.commands.rehearsal import Rehearsal

        rehearsal = Rehearsal(report, sending.report)
        rehearsal.show(supply, Loader(editor) if editor else None)
        totals: Totals = rehearsal
    else:
        display = Display(report)
        observer = Observer(display.opened, display.trace, report.warning, report.note)
        sender = Sending(target, supply, settings, observer, lambda: Loader(editor))
        count = len(found) + len(again) * (sending.repeat - 1)
        size = sum(each.size for each in again) * sending.repeat
        totals = _send(report, sender, (count, size), sending.report)
    return totals.exit


def _editor(edits: EditOptions) -> Editor | None:
    if not edits.assignments and edits.uid_suffix is None:
        return None
    from pacs_cli.dicom.edit import editor_for

    return editor_for(edits.assignments or (), edits.uid_suffix)


def _send(report: Report, sender: Sending, all_of: tuple[int, int], table: Path | None) -> Totals:
    """Send everything, show it as it is done, and in the end what there is of it.

    all_of  how many files and bytes that is
    """
    totals = Totals(report, table)
    label = f"sending to {sender.target.called_ae_title}"

    def done(entry: Sent | Passed) -> None:
        totals.add(entry)
        item = getattr(entry, "item", None)
        progress.advance(1, item.header.file_size if item else 0)

    with totals.shown(), report.progress(*all_of, label) as progress:
        sender.run(done)
    return totals
