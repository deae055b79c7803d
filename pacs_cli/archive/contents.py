"""What the index keeps of a data set, read from its first kilobytes; and whether it is whole."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pacs_cli.archive.attributes import TAGS, Attributes, uid_of
from pacs_cli.archive.layout import Layout
from pacs_cli.archive.plans import DataSetPlans, Plans
from pacs_cli.archive.rows import InstanceRow
from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import Data, Encoding, encoding_of
from pacs_cli.dicom.part10 import Header, probe_open
from pacs_cli.dicom.survey import Read, survey
from pacs_cli.errors import InputError, MalformedDataset

#: What is read of a data set to begin with, or kept of one that arrives: the header of nearly all.
#: Every association may hold as much.
HEAD = 64 * 1024

#: What is read of a file to begin with where many are read: the header of most.
_FIRST = 16 * 1024

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_SOURCE = 0x00020016
_META_ENCODING = Encoding(explicit=True, little=True)
_DEFAULT = Layout()


def read_row(
    head: Data,
    size: int,
    read: Read,
    transfer_syntax_uid: str,
    source_ae_title: str,
    plans: DataSetPlans | None = None,
) -> InstanceRow:
    """Return what is to be kept of a data set but its path.

    head    its first bytes
    size    bytes of the whole
    read    called for what is not in `head`
    plans   of those read before it, from which it may be read at once
    raises  MalformedDataset when it is empty, truncated or garbage, or has no SOP class; what
            `read` raises
    """
    if not size:
        raise MalformedDataset("empty data set")
    if plans is not None:
        planned = plans.read(head, size, read, transfer_syntax_uid)
        if planned is not None:
            return _row(planned, size, transfer_syntax_uid, source_ae_title, time.time())
    try:
        values = survey(head, size, read, encoding_of(transfer_syntax_uid), TAGS)
    except MalformedDataset as error:
        raise MalformedDataset(f"cannot understand the data set: {error}") from None
    if plans is not None:
        plans.learn(head, size, read, transfer_syntax_uid)
    return _row(values, size, transfer_syntax_uid, source_ae_title, time.time())


def row_of_file(path: str | Path) -> InstanceRow:
    """Return what the index would keep of a file; its path is that of the default layout.

    raises  InputError when it cannot be kept: it cannot be read, or is no whole object
    """
    try:
        return held_row(str(path))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot read {path}: {reason}") from None


def held_row(name: str) -> InstanceRow:
    """Return the same; what cannot be read is not taken for damaged.

    raises  OSError when it cannot be read, InputError when it is no whole object
    """
    with _opened(name) as descriptor:
        return row_of_open(descriptor)


def held_header(name: str) -> Header:
    """Return what a stored file says about itself; raises OSError, InputError."""
    with _opened(name) as descriptor:
        return probe_open(descriptor)


@contextmanager
def _opened(name: str) -> Iterator[int]:
    # not waiting, should it be a FIFO
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(name, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def row_of_open(descriptor: int, plans: Plans | None = None) -> InstanceRow:
    """Return what the index would keep of a file that is open; raises OSError, InputError.

    plans  of the files read before it, from which it may be read at once
    """
    if plans is None:
        return _row_of(descriptor, os.pread(descriptor, HEAD, 0))[0]
    start = os.pread(descriptor, _FIRST, 0)
    status = os.fstat(descriptor)

    def read(position: int, count: int) -> bytes:
        return os.pread(descriptor, count, position)

    planned = plans.read(start, status.st_size, read)
    if planned is None:
        row, header = _row_of(descriptor, start)
        plans.learn(start, header, read)
        return row
    row = _row(
        planned.values,
        status.st_size - planned.dataset_offset,
        planned.transfer_syntax_uid,
        planned.source_ae_title,
        status.st_mtime,
    )
    row.path = _DEFAULT.place(row)
    return row


def _row_of(descriptor: int, start: bytes) -> tuple[InstanceRow, Header]:
    """Return what is kept of a file, and its header; `start` are its first bytes."""
    header = probe_open(descriptor)
    offset = header.dataset_offset

    def read(position: int, count: int) -> bytes:
        return os.pread(descriptor, count, offset + position)

    row = read_row(
        start[offset:],
        header.file_size - offset,
        read,
        header.transfer_syntax_uid,
        _source_of(start[:offset]),
    )
    row.received = os.fstat(descriptor).st_mtime
    row.path = _DEFAULT.place(row)
    return row, header


def _source_of(meta: bytes) -> str:
    """Return who sent the object, as the file meta says that was written when it came."""
    if meta[128:132] != b"DICM":
        return ""
    try:
        found = pick(meta[132:], _META_ENCODING, (_SOURCE,))
    except MalformedDataset:
        # meta of someone else's, longer than what was read of it or in an encoding of its own
        return ""
    return found.get(_SOURCE, b"").decode("ascii", "replace").strip(" \0")


def _row(
    values: Mapping[int, bytes], size: int, transfer_syntax_uid: str, source: str, received: float
) -> InstanceRow:
    sop_class = uid_of(values, _SOP_CLASS)
    if not sop_class:
        raise MalformedDataset("missing SOPClassUID")
    return InstanceRow(
        uid_of(values, _STUDY),
        uid_of(values, _SERIES),
        uid_of(values, _SOP_INSTANCE),
        sop_class,
        transfer_syntax_uid,
        size,
        "",
        source,
        received,
        Attributes(values),
    )
