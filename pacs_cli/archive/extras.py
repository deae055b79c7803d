"""Attributes of a query that the index has not: read from a stored file, matched, returned.

Only the beginning of the file is read, up to the last attribute that is asked for, and never
pixel data. What cannot be found or understood is as good as absent.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_cli.archive.contents import HEAD, held_header
from pacs_cli.archive.matching import MATCHABLE, Matcher, is_universal, matcher_for
from pacs_cli.dicom.elements import Element, SequenceEnd, SequenceStart, inflate_head, walk
from pacs_cli.dicom.encoding import (
    EXPLICIT_LITTLE,
    Bounds,
    Encoding,
    encoding_at,
    encoding_of,
    header_at,
)
from pacs_cli.dicom.identifier import decode_identifier
from pacs_cli.dicom.json_model import text_at
from pacs_cli.errors import InputError, MalformedDataset

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: How much of a file is read, the next when one was not enough.
_HEADS = (HEAD, 1024 * 1024)
#: The longest value that is looked at or returned: two bytes of length say no more.
_MAX_VALUE = 0xFFFE
#: And all of them of one file.
_MAX_VALUES = 256 * 1024
_BOUNDS = Bounds(depth=64, elements=200_000)

_CHARACTER_SET = 0x00080005
_EXPLICIT_LITTLE, _IMPLICIT_LITTLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
_EXPLICIT_BIG = "1.2.840.10008.1.2.2"


@dataclass(frozen=True, slots=True)
class Extra:
    """A key that the index does not answer.

    creator  who has the block of a private attribute (PS3.5 7.8.1), else ""
    matcher  None when the key is universal
    items    of a sequence: the keys of the item, empty when all of it is wanted
    """

    tag: int
    vr: str
    creator: str = ""
    matcher: Matcher | None = None
    items: tuple[Extra, ...] = field(default=())

    @property
    def is_universal(self) -> bool:
        """Whether it matches everything."""
        return self.matcher is None and all(each.is_universal for each in self.items)


def extra_of(dataset: Dataset, tag: int, is_fuzzy: bool, no_accents: bool) -> Extra:
    """Return the key that an identifier has in an element; raises matching.BadKey."""
    element = dataset[tag]
    creator = _creator_of(dataset, tag)
    if element.VR == "SQ":
        items: tuple[Extra, ...] = ()
        if element.value:
            # there is to be one (PS3.4 C.2.2.2.6)
            item = element.value[0]
            items = tuple(
                extra_of(item, int(each.tag), is_fuzzy, no_accents)
                for each in item
                if not is_creator(int(each.tag)) and int(each.tag) != _CHARACTER_SET
            )
        return Extra(tag, "SQ", creator, None, items)
    text = text_at(dataset, [tag])
    if element.VR not in MATCHABLE or is_universal(element.VR, text):
        return Extra(tag, element.VR, creator)
    return Extra(tag, element.VR, creator, matcher_for(element.VR, text, is_fuzzy, no_accents))


def is_creator(tag: int) -> bool:
    """Whether an element says who has a block of private attributes (PS3.5 7.8.1)."""
    return bool(tag & 0x10000) and 0x10 <= tag & 0xFFFF <= 0xFF


def read_extras(path: Path, extras: Sequence[Extra]) -> Dataset:
    """Return what a stored file has of the attributes that are asked for; empty without any.

    A private attribute is at the tag it is asked for, wherever its block is in the file.
    """
    from pydicom.dataset import Dataset

    try:
        found = _read(path, extras)
    except (OSError, InputError):
        return Dataset()
    return _at_asked_tags(found, extras)


def matches_all(extras: Iterable[Extra], dataset: Dataset) -> bool:
    """Whether a data set has what all keys ask for."""
    return all(_matches(extra, dataset) for extra in extras)


def reduced(extra: Extra, dataset: Dataset) -> Dataset:
    """Return a data set with what is to be returned for one key, nothing when it is absent.

    source  PS3.4 C.2.2.2.6: of a sequence, the items that match with the attributes asked for
    """
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    answer = Dataset()
    if extra.tag not in dataset:
        return answer
    element = dataset[extra.tag]
    if extra.vr == "SQ" and extra.items and element.VR == "SQ":
        items = []
        for stored in element.value:
            item = _at_asked_tags(stored, extra.items)
            if matches_all(extra.items, item):
                kept = Dataset()
                for inner in extra.items:
                    kept.update(reduced(inner, item))
                items.append(kept)
        element = DataElement(extra.tag, "SQ", items)
    answer.add(element)
    return answer


def _matches(extra: Extra, dataset: Dataset) -> bool:
    if extra.is_universal:
        return True
    if extra.tag not in dataset:
        return False
    element = dataset[extra.tag]
    if extra.items:
        return element.VR == "SQ" and any(
            matches_all(extra.items, _at_asked_tags(item, extra.items)) for item in element.value
        )
    if extra.matcher is None or element.VR == "SQ":
        return extra.matcher is None
    text = text_at(dataset, [extra.tag])
    return bool(text) and extra.matcher.matches(text)


def _creator_of(dataset: Dataset, tag: int) -> str:
    if not tag & 0x10000 or is_creator(tag):
        return ""
    return text_at(dataset, [tag & 0xFFFF0000 | (tag & 0xFF00) >> 8]).strip(" \0")


def _at_asked_tags(stored: Dataset, extras: Iterable[Extra]) -> Dataset:
    """Return the elements that are asked for, private ones in the block the query has for them."""
    from copy import copy

    from pydicom.dataset import Dataset
    from pydicom.tag import Tag

    found = Dataset()
    for extra in extras:
        for tag in _places(stored, extra):
            if tag in stored:
                element = copy(stored[tag])
                element.tag = Tag(extra.tag)
                found.add(element)
                break
    return found


def _places(stored: Dataset, extra: Extra) -> Iterator[int]:
    """Yield where an attribute can stand: of a private one, in each block of its creator."""
    if not extra.creator:
        yield extra.tag
        return
    group = extra.tag & 0xFFFF0000
    for block in range(0x10, 0x100):
        if group | block in stored and text_at(stored, [group | block]) == extra.creator:
            yield group | block << 8 | extra.tag & 0xFF


def _read(path: Path, extras: Sequence[Extra]) -> Dataset:
    header = held_header(str(path))
    written = encoding_of(header.transfer_syntax_uid)
    raw, encoding = b"", written
    for size in _HEADS:
        with path.open("rb") as file:
            head = os.pread(file.fileno(), size, header.dataset_offset)
        is_whole = len(head) < size
        if written.deflated:
            head, is_whole = inflate_head(head, size)
        encoding = encoding_at(head, 0, len(head), EXPLICIT_LITTLE if written.deflated else written)
        raw, is_complete = _collect(head, encoding, extras)
        if is_complete or is_whole:
            break
    return decode_identifier(raw, _syntax_of(encoding))


def _syntax_of(encoding: Encoding) -> str:
    if not encoding.little:
        return _EXPLICIT_BIG
    return _EXPLICIT_LITTLE if encoding.explicit else _IMPLICIT_LITTLE


def _collect(head: bytes, encoding: Encoding, extras: Sequence[Extra]) -> tuple[bytes, bool]:
    """Return the bytes of the elements that are wanted, and whether none can come after them."""
    groups = {extra.tag >> 16 for extra in extras if extra.creator}
    tags = {_CHARACTER_SET, *(extra.tag for extra in extras)}
    # a private block can be anywhere in its group
    last = max(extra.tag | 0xFFFF if extra.creator else extra.tag for extra in extras)
    parts: list[bytes] = []
    room, begun = _MAX_VALUES, 0
    try:
        for event in walk(head, encoding, _BOUNDS):
            if not isinstance(event, Element | SequenceStart | SequenceEnd) or event.depth:
                continue
            if event.tag > last:
                return b"".join(parts), True
            if event.tag not in tags and event.tag >> 16 not in groups:
                continue
            if isinstance(event, SequenceStart):
                begun = event.offset
                continue
            end = event.offset
            if isinstance(event, Element):
                begun = event.offset
                start = header_at(head, begun, encoding.explicit, encoding.little)[3]
                end = start + len(event.value)
            if end - begun <= min(room, _MAX_VALUE):
                parts.append(head[begun:end])
                room -= end - begun
    except MalformedDataset:
        # as a rule: the rest of the file is not in `head`
        return b"".join(parts), False
    return b"".join(parts), True
