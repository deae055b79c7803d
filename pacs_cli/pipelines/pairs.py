"""Which files are compared with which: two files, or those of two folders by SOP Instance UID."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from pacs_cli.dicom.columns import read_row
from pacs_cli.dicom.compare import (
    PIXEL_TAGS,
    Comparison,
    Difference,
    Trees,
    differences,
    is_same_file,
    read_trees,
)
from pacs_cli.dicom.document import Document, open_document
from pacs_cli.dicom.json_dump import Bulk, bulk_of
from pacs_cli.dicom.selectors import parse_keys
from pacs_cli.errors import InputError, MalformedDataset, UsageError
from pacs_cli.pipelines.documents import Unreadable, find_documents, opened
from pacs_cli.pipelines.files import Passed
from pacs_cli.pipelines.pixel_compare import PixelDifference, compare_pixels
from pacs_cli.pixels.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files that are to be compared, None where there is none."""

    left: str | None
    right: str | None


def find_pairs(left: str, right: str, follow: bool) -> Iterator[Pair | Unreadable | Passed]:
    """Yield the files to compare, and what cannot be or is no DICOM.

    Files of two folders are matched by their SOP Instance UID, whatever their names; of several
    with one UID, and of those without, in the order of their names.

    raises  UsageError when one is a folder and the other is not
    """
    folders = os.path.isdir(left), os.path.isdir(right)  # noqa: PTH112
    if not any(folders):
        yield Pair(left, right)
        return
    if not all(folders):
        folder, file = (left, right) if folders[0] else (right, left)
        raise UsageError(f"{folder} is a folder and {file} is none; compare two of a kind")
    ours: dict[str, list[str]] = defaultdict(list)
    theirs: dict[str, list[str]] = defaultdict(list)
    for folder, known in ((left, ours), (right, theirs)):
        for found in find_documents([folder], follow):
            entry = opened(found)
            if isinstance(entry, Document):
                known[_identity(entry)].append(entry.path)
            else:
                yield entry
    if not ours and not theirs:
        raise InputError(f"nothing to compare: no DICOM file in {left} and {right}")
    for identity in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(identity, []), theirs.get(identity, [])
        for number in range(max(len(one), len(other))):
            yield Pair(
                one[number] if number < len(one) else None,
                other[number] if number < len(other) else None,
            )


def _identity(document: Document) -> str:
    """Return the SOP Instance UID, "" when there is none, or none that can be read."""
    try:
        (uid,) = read_row(document, parse_keys(["SOPInstanceUID"], ""), 0)
    except MalformedDataset:
        return ""
    return uid if isinstance(uid, str) else ""


class Files:
    """Two files that are open to be compared.

    raises  InputError with the path when one cannot be read
    """

    def __init__(self, left: str, right: str) -> None:
        self.left = open_document(left)
        self.right = open_document(right)

    def compare(
        self,
        comparison: Comparison,
        tolerance: float | None,
        sandbox: Sandbox | None = None,
    ) -> Iterator[Difference | PixelDifference]:
        """Yield what differs.

        sandbox    where pixels are decoded
        tolerance  of decoded pixels, which are compared then; None to compare their bytes
        raises     InputError with the path when one is broken, or its pixels cannot be decoded
        """
        if is_same_file(self.left, self.right, comparison.has_meta):
            return
        left, right = (_trees(each, comparison.has_meta) for each in (self.left, self.right))
        yield from differences(left, right, comparison)
        is_asked = not any(comparison.is_ignored(((tag, None),)) for tag in PIXEL_TAGS)
        if tolerance is not None and is_asked:
            trees = ((self.left, left.dataset), (self.right, right.dataset))
            found = compare_pixels(*trees, tolerance, sandbox)
            if found is not None:
                yield found

    def bulks(self, difference: Difference, limit: int) -> tuple[Bulk, Bulk]:
        """Return when values of either are references: those of more than `limit` bytes."""
        is_meta = difference.path[0][0] >> 16 == 2
        return bulk_of(self.left, limit, is_meta), bulk_of(self.right, limit, is_meta)


def _trees(document: Document, has_meta: bool) -> Trees:
    try:
        return read_trees(document, has_meta)
    except MalformedDataset as error:
        message = f"cannot compare {document.path}: {error}"
        raise type(error)(message, error.offset) from None
