"""The data sets of storage commitment: what is asked for, and what came of it.

source  PS3.4 J.3.2.1 (N-ACTION) and J.3.3.1 (N-EVENT-REPORT)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from pacs_cli.dicom.identifier import decode_identifier, encode_identifier
from pacs_cli.errors import MalformedDataset

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Event types (PS3.4 J.3.3.1).
ALL_COMMITTED, SOME_FAILED = 1, 2

#: Failure reasons (PS3.4 J.3.3.1.1.1, PS3.3 C.14.1.1).
PROCESSING_FAILURE, NO_SUCH_OBJECT, CLASS_CONFLICT = 0x0110, 0x0112, 0x0119

#: What they mean.
REASONS = {
    PROCESSING_FAILURE: "processing failure",
    NO_SUCH_OBJECT: "no such object instance",
    0x0213: "resource limitation",
    0x0122: "referenced SOP class not supported",
    CLASS_CONFLICT: "class and instance do not belong together",
    0x0131: "duplicate transaction UID",
}


class Reference(NamedTuple):
    """One object: its SOP class and its SOP instance UID."""

    sop_class_uid: str
    sop_instance_uid: str


class Report(NamedTuple):
    """What became of one transaction: the committed, and the failed with their reasons."""

    transaction_uid: str
    committed: tuple[Reference, ...] = ()
    failed: tuple[tuple[Reference, int], ...] = ()

    @property
    def event_type(self) -> int:
        """The event type that belongs to it."""
        return SOME_FAILED if self.failed else ALL_COMMITTED


def encode_request(
    transaction_uid: str, references: Iterable[Reference], transfer_syntax_uid: str
) -> bytes:
    """Return the action information of a request."""
    return _encode(transaction_uid, references, (), transfer_syntax_uid)


def decode_request(data: bytes, transfer_syntax_uid: str) -> tuple[str, list[Reference]]:
    """Return transaction UID and references; raises MalformedDataset when there are none."""
    report = decode_report(data, transfer_syntax_uid)
    if not report.transaction_uid or not report.committed:
        raise MalformedDataset("no Transaction UID or no Referenced SOP Sequence")
    return report.transaction_uid, list(report.committed)


def encode_report(report: Report, transfer_syntax_uid: str) -> bytes:
    """Return the event information of a report."""
    return _encode(report.transaction_uid, report.committed, report.failed, transfer_syntax_uid)


def decode_report(data: bytes, transfer_syntax_uid: str) -> Report:
    """Return a report; raises MalformedDataset when it cannot be read."""
    dataset = decode_identifier(data, transfer_syntax_uid)
    failed = [
        (_reference(item), _failure_reason(item)) for item in _items(dataset, "FailedSOPSequence")
    ]
    committed = map(_reference, _items(dataset, "ReferencedSOPSequence"))
    uid = str(dataset.get("TransactionUID") or "")
    return Report(uid, tuple(committed), tuple(failed))


def _encode(
    transaction_uid: str,
    committed: Iterable[Reference],
    failed: Iterable[tuple[Reference, int]],
    transfer_syntax_uid: str,
) -> bytes:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    dataset.TransactionUID = transaction_uid
    if done := [_item(each) for each in committed]:
        dataset.ReferencedSOPSequence = done
    items = []
    for reference, reason in failed:
        item = _item(reference)
        item.FailureReason = reason
        items.append(item)
    if items:
        dataset.FailedSOPSequence = items
    return encode_identifier(dataset, transfer_syntax_uid)


def _item(reference: Reference) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _reference(item: Dataset) -> Reference:
    sop_class = str(item.get("ReferencedSOPClassUID") or "")
    return Reference(sop_class, str(item.get("ReferencedSOPInstanceUID") or ""))


def _failure_reason(item: Dataset) -> int:
    """Return why, of which a peer may have written several, or what is no number."""
    found = item.get("FailureReason")
    return found if isinstance(found, int) and found else PROCESSING_FAILURE


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    from pydicom.sequence import Sequence

    # with another VR it is whatever a peer has written
    found = dataset.get(keyword)
    return list(found) if isinstance(found, Sequence) else []
