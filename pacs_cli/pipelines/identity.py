"""Of which study and which patient an object is, as it is sent: for the audit trail alone."""

from __future__ import annotations

from collections.abc import Sequence

from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.dicom.values import Scope
from pacs_cli.errors import InputError, MalformedDataset
from pacs_cli.pipelines.items import Item
from pacs_cli.pipelines.loading import Loader
from pacs_cli.wire.message import Buffer

_CHARACTER_SET, _PATIENT_ID, _STUDY = 0x00080005, 0x00100020, 0x0020000D
_TAGS = frozenset((_CHARACTER_SET, _PATIENT_ID, _STUDY))

#: Both stand before everything large, but for what private elements hold.
_HEADS = (16 * 1024, 1024 * 1024)
#: The longest of either that may be (PS3.5 6.2): what is longer is none.
_LONGEST = 64


def identity_of(loader: Loader, item: Item) -> tuple[str, str]:
    """Return study and patient ID of a file with the edits of `loader`; "" for what is not there.

    It reads the file once more, which is in the cache of the system when it was just sent.
    """
    encoding = encoding_of(item.header.transfer_syntax_uid)
    try:
        buffers = loader.load(item)
        for size in _HEADS:
            head, is_whole = _head(buffers, size)
            try:
                found = pick(head, encoding, _TAGS, complete=is_whole)
            except MalformedDataset:
                continue
            scope = Scope(encoding)
            scope.character_set = found.get(_CHARACTER_SET, b"")
            study = found.get(_STUDY, b"").decode("latin-1").strip(" \0")
            patient_id = scope.text_of("LO", found.get(_PATIENT_ID, b"")).strip(" \0")
            return study[:_LONGEST], patient_id[:_LONGEST]
    except InputError:
        # it was sent: what has become of it since is another matter
        pass
    return "", ""


def _head(buffers: Sequence[Buffer], size: int) -> tuple[bytes, bool]:
    """Return the first bytes, and whether that is all of them."""
    head = b""
    for buffer in buffers:
        head += buffer[: size - len(head)]
        if len(head) == size:
            return head, sum(map(len, buffers)) == size
    return head, True
