"""Storage commitment from what an archive holds: its index and its files.

source  PS3.4 J.3.2 and J.3.3
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from pacs_cli.archive.index import Index
from pacs_cli.dicom.commitment import (
    CLASS_CONFLICT,
    NO_SUCH_OBJECT,
    PROCESSING_FAILURE,
    Reference,
    Report,
    decode_report,
    decode_request,
    encode_report,
)
from pacs_cli.errors import MalformedDataset, OutputError, PacsError
from pacs_cli.net.target import Target
from pacs_cli.services.commitment import INVALID_ARGUMENT, Commitment, send_report

#: Reports that are on their way over associations of our own, at once; more are dropped.
_MOST = 16


class Commitments:
    """Answers requests for storage commitment; any thread may call it.

    syncs         whether files are put on the disk before they are committed: with relaxed
                  durability they need not be there yet
    destinations  AE title -> where a report goes that was not acknowledged on its association
    warn          told of reports that did not arrive
    """

    def __init__(self, index: Index, root: Path, syncs: bool) -> None:
        self._index = index
        self._root = root
        self._syncs = syncs
        self.destinations: Mapping[str, Target] = {}
        self.warn: Callable[[str], None] = lambda _: None
        self._places = threading.Semaphore(_MOST)

    def commit(self, transfer_syntax_uid: str, request: bytes) -> Commitment:
        """Say what of a request is held: indexed under its class, with a whole file."""
        try:
            transaction, references = decode_request(request, transfer_syntax_uid)
        except MalformedDataset as error:
            return Commitment(INVALID_ARGUMENT, str(error))
        try:
            self._index.flush()
            reasons = [self._reason(each) for each in references]
        except OutputError as error:
            return Commitment(PROCESSING_FAILURE, str(error))
        pairs = list(zip(references, reasons, strict=True))
        report = Report(
            transaction,
            tuple(each for each, reason in pairs if not reason),
            tuple((each, reason) for each, reason in pairs if reason),
        )
        data = encode_report(report, transfer_syntax_uid)
        return Commitment(0, "", report.event_type, data)

    def report_later(self, ae_title: str, transfer_syntax_uid: str, commitment: Commitment) -> None:
        """Report over an association of our own, in a thread, if the peer is known."""
        target = self.destinations.get(ae_title)
        if target is None:
            self.warn(
                f"{ae_title} left before it was told what is committed, and is no configured peer"
            )
            return
        if not self._places.acquire(blocking=False):
            self.warn(f"too many reports at once: that of a commitment to {ae_title} is dropped")
            return
        threading.Thread(
            target=self._report, args=(target, transfer_syntax_uid, commitment), daemon=True
        ).start()

    def _report(self, target: Target, syntax: str, commitment: Commitment) -> None:
        def convert(wanted: str) -> bytes:
            if wanted == syntax:
                return commitment.report
            return encode_report(decode_report(commitment.report, syntax), wanted)

        try:
            send_report(target, commitment, convert)
        except PacsError as error:
            self.warn(f"a storage commitment report did not arrive: {error}")
        finally:
            self._places.release()

    def _reason(self, reference: Reference) -> int:
        """Return why an object is not committed, 0 when it is."""
        held = self._index.find_instance(reference.sop_instance_uid)
        if held is None:
            return NO_SUCH_OBJECT
        path, sop_class_uid, size = held
        if sop_class_uid != reference.sop_class_uid:
            return CLASS_CONFLICT
        try:
            descriptor = os.open(self._root / path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return NO_SUCH_OBJECT
        except OSError:
            return PROCESSING_FAILURE
        try:
            if os.fstat(descriptor).st_size < size:
                return PROCESSING_FAILURE
            if self._syncs:
                os.fsync(descriptor)
        except OSError:
            return PROCESSING_FAILURE
        finally:
            os.close(descriptor)
        return 0
