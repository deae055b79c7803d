"""A DICOM file as it is to be looked at: file meta and data set as events, whatever its size.

Where `part10.probe` wants an object that can be sent, this takes whatever is DICOM: a DICOMDIR, a
query, a data set without file meta, and of a broken file what stands before the break.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from pacs_cli.dicom.dictionary import vr_at
from pacs_cli.dicom.elements import Event, walk
from pacs_cli.dicom.encoding import (
    DEFAULT_BOUNDS,
    EXPLICIT_LITTLE,
    UNDEFINED,
    Bounds,
    Encoding,
    TruncatedDataset,
    encoding_at,
    encoding_of,
    header_at,
)
from pacs_cli.dicom.mapping import mapped
from pacs_cli.dicom.part10 import NotDicom
from pacs_cli.dicom.strangers import say_not_dicom, why_unreadable
from pacs_cli.errors import InputError, MalformedDataset

_TRANSFER_SYNTAX = 0x00020010
_UID = re.compile(r"[0-9][0-9.]{0,63}")

_EXPLICIT_LITTLE_UID = "1.2.840.10008.1.2.1"
_EXPLICIT_BIG_UID = "1.2.840.10008.1.2.2"
_IMPLICIT_LITTLE_UID = "1.2.840.10008.1.2"

#: Up to here a file is read; a larger one is mapped, so that only what is looked at is read.
#: Bytes by which other formats are known.
_MAGIC = 16

_READ = 1024 * 1024

#: Of pixel data; what could come after it is the end of a file.
_LAST_GROUP = 0x7FE0

#: How much is inflated at once: what stands before a break is in the steps before it.
_STEP = 64 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """A DICOM file that is open: its bytes are mapped as long as this, or a view of it, exists.

    transfer_syntax_uid  from the file meta; "" where it says none
    encoding             how the data set is written, going by its first element too
    meta                 the bytes of the file meta, empty without one
    meta_offset          where they begin
    dataset              the bytes after it, deflated or not
    dataset_offset       where they begin
    """

    path: str
    transfer_syntax_uid: str
    encoding: Encoding
    meta: memoryview
    meta_offset: int
    dataset: memoryview
    dataset_offset: int

    def meta_events(self) -> Iterator[Event]:
        """Yield the events of the file meta; raises as `walk` does."""
        return walk(self.meta, EXPLICIT_LITTLE, salvages=True)

    def events(self, bounds: Bounds = DEFAULT_BOUNDS) -> Iterator[Event]:
        """Yield the events of the data set; raises as `walk` does, after what could be read.

        Offsets and views of a deflated data set are into the inflated bytes.
        """
        if not self.encoding.deflated:
            yield from walk(self.dataset, self.encoding, bounds, salvages=True)
            return
        inflated, problem = _inflated(self.dataset, bounds.inflate)
        try:
            yield from walk(inflated, EXPLICIT_LITTLE, bounds, salvages=True)
        except TruncatedDataset:
            if problem is None:
                raise
        if problem is not None:
            raise problem


def open_document(path: str | os.PathLike[str]) -> Document:
    """Open a DICOM file; pixel data are not read. Never waits on a FIFO.

    raises  InputError when it cannot be read, is no regular file or is empty; NotDicom. Each names
            the path
    source  PS3.10 7.1
    """
    try:
        whole = _bytes_of(path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {why_unreadable(error)}") from None
    except ValueError as error:
        # a NUL in the name
        raise InputError(f"cannot read {path!r}: {error}") from None
    try:
        return _parse(os.fspath(path), whole)
    except InputError as error:
        raise type(error)(f"cannot read {path}: {error}") from None


def _bytes_of(path: str | os.PathLike[str]) -> memoryview:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"cannot read {path}: not a regular file")
        if status.st_size > _READ:
            return mapped(descriptor, status.st_size, is_read_whole=False)
        return memoryview(os.read(descriptor, _READ))
    finally:
        os.close(descriptor)


def _parse(path: str, whole: memoryview) -> Document:
    if not whole:
        raise NotDicom("the file is empty")
    start = 132 if bytes(whole[128:132]) == b"DICM" else 4 if bytes(whole[:4]) == b"DICM" else 0
    syntax, end = _read_meta(whole, start)
    if start == end == 0:
        _check_first(whole)
    encoding = encoding_of(syntax or _guess(whole, end))
    if not encoding.deflated:
        encoding = encoding_at(whole, end, len(whole), encoding)
    return Document(path, syntax, encoding, whole[start:end], start, whole[end:], end)


def _read_meta(whole: memoryview, start: int) -> tuple[str, int]:
    """Return the transfer syntax and where the elements of group 0002 end.

    The group length is wrong often enough not to be believed. One that is cut ends with the file.
    """
    syntax, offset = "", start
    while bytes(whole[offset : offset + 2]) == b"\x02\x00":
        try:
            tag, _, length, value = header_at(whole, offset, True, True)
        except MalformedDataset:
            return syntax, len(whole)
        if length == UNDEFINED or value + length > len(whole):
            return syntax, len(whole)
        offset = value + length
        if tag == _TRANSFER_SYNTAX and length <= 1024:
            text = bytes(whole[value:offset]).strip(b"\0 ").decode("latin-1")
            syntax = text if _UID.fullmatch(text) else ""
    return syntax, offset


def _guess(whole: memoryview, offset: int) -> str:
    """Return the transfer syntax that the first element looks like; a low group tells the order."""
    if not bytes(whole[offset + 4 : offset + 6]).isalpha():
        return _IMPLICIT_LITTLE_UID
    return _EXPLICIT_LITTLE_UID if whole[offset + 1] == 0 else _EXPLICIT_BIG_UID


def _check_first(whole: memoryview) -> None:
    """Without prefix and file meta only the first element can tell a data set from anything else:
    it is in the dictionary, is what that says, and fits into the file.
    """
    try:
        encoding = encoding_at(whole, 0, len(whole), encoding_of(_guess(whole, 0)))
        tag, vr, length, start = header_at(whole, 0, encoding.explicit, encoding.little)
    except MalformedDataset:
        raise NotDicom(say_not_dicom(bytes(whole[:_MAGIC]))) from None
    known = vr_at(tag) if tag & 0xFFFF else "UL"
    fits = start + length <= len(whole) or (length == UNDEFINED and known == "SQ")
    is_agreed = known and (not vr or vr in known)
    # group 4 is of a DICOMDIR, those before it are no part of a data set
    if not (is_agreed and fits and 4 <= tag >> 16 <= _LAST_GROUP):
        raise NotDicom(say_not_dicom(bytes(whole[:_MAGIC])))


def _inflated(data: memoryview, limit: int) -> tuple[memoryview, MalformedDataset | None]:
    """Return what can be inflated, at most `limit` bytes, and what ended it before the end.

    source  PS3.5 A.5, RFC 1951
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = bytearray()
    for offset in range(0, len(data), _STEP):
        try:
            inflated += stream.decompress(data[offset : offset + _STEP], limit + 1 - len(inflated))
        except zlib.error as error:
            return memoryview(inflated), MalformedDataset(f"the data set is not deflated: {error}")
        if len(inflated) > limit:
            problem = f"the deflated data set becomes longer than {limit} bytes"
            return memoryview(inflated)[:limit], MalformedDataset(problem, limit)
        if stream.eof:
            return memoryview(inflated), None
    return memoryview(inflated), TruncatedDataset("the deflated data set ends early", len(data))
