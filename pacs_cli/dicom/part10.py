"""DICOM files: what their first bytes say, and the file meta before a data set (PS3.10 7.1)."""

from __future__ import annotations

import os
import re
import stat
import struct
from functools import lru_cache
from typing import NamedTuple

from pacs_cli import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import (
    EXPLICIT_HEADER,
    SHORT_VRS,
    UNDEFINED,
    Encoding,
    TruncatedDataset,
    encoding_of,
    header_at,
)
from pacs_cli.dicom.strangers import say_not_dicom, why_unreadable
from pacs_cli.errors import InputError, MalformedDataset

_EXPLICIT_LITTLE_UID = "1.2.840.10008.1.2.1"
_EXPLICIT_BIG_UID = "1.2.840.10008.1.2.2"
_IMPLICIT_LITTLE_UID = "1.2.840.10008.1.2"
_DIRECTORY_SOP_CLASS = "1.2.840.10008.1.3.10"

_SOP_CLASS, _SOP_INSTANCE = 0x00080016, 0x00080018
_MEDIA_SOP_CLASS, _MEDIA_SOP_INSTANCE, _TRANSFER_SYNTAX = 0x00020002, 0x00020003, 0x00020010
_WANTED = frozenset((_SOP_CLASS, _SOP_INSTANCE))

#: How much of a file is read, the next when one was not enough. The UIDs stand in the first
#: kilobyte; only private file meta (0002,0102) or an odd character set entry can push them further.
_HEADS = (16 * 1024, 256 * 1024, 4 * 1024 * 1024)

_SHORT_ELEMENT = struct.Struct("<HH2sH")

#: Preamble, prefix, and (0002,0000) up to its value; then (0002,0001), whole.
_BEFORE_META = bytes(128) + b"DICM" + _SHORT_ELEMENT.pack(2, 0, b"UL", 4)
_VERSION = struct.pack("<HH2sHL2s", 2, 1, b"OB", 0, 2, b"\0\1")

#: PS3.5 9.1; leading zeros in a component are wrong but common. Never "..", which is a folder.
_UID = re.compile(r"[0-9][0-9.]{0,63}")


class NotDicom(InputError):
    """The file is not DICOM."""


class IsDirectory(InputError):
    """The file is a DICOMDIR: it lists objects and is none itself (PS3.3 F)."""


class NoSopClass(InputError):
    """The data set does not say what it is, so it cannot be sent or archived (PS3.3 C.12.1)."""


class Header(NamedTuple):
    """What a DICOM file says about itself.

    media_storage_*      from the file meta, "" where it says nothing or nothing valid
    transfer_syntax_uid  from the file meta, else the one the first element looks like
    sop_*                from the data set: what a C-STORE must name
    dataset_offset       bytes before the data set, which goes on to the end of the file
    """

    media_storage_sop_class_uid: str
    media_storage_sop_instance_uid: str
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    dataset_offset: int
    file_size: int


def probe(path: str | os.PathLike[str]) -> Header:
    """Return what the first bytes of a DICOM file say; pixels are not read.

    Files without preamble, file meta, its group length or its transfer syntax are understood.
    Never waits on a FIFO.

    raises  InputError when it cannot be read, is no regular file or is empty; NotDicom,
            IsDirectory, NoSopClass; MalformedDataset, TruncatedDataset. Each names the path
    source  PS3.10 7.1
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return _probe(descriptor)
        finally:
            os.close(descriptor)
    except MalformedDataset as error:
        raise type(error)(f"cannot read {path}: {error}", error.offset) from None
    except InputError as error:
        raise type(error)(f"cannot read {path}: {error}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {why_unreadable(error)}") from None
    except ValueError as error:
        # a NUL in the name
        raise InputError(f"cannot read {path!r}: {error}") from None


def probe_open(descriptor: int) -> Header:
    """Return what `probe` does, of a file that is open; its errors do not name the file.

    raises  OSError when it cannot be read, and else as `probe`
    """
    return _probe(descriptor)


def header_of(head: bytes, is_whole: bool, file_size: int) -> Header:
    """Return what `probe` does, of the first bytes of a file; its errors do not name the file.

    is_whole  whether that is all of it
    raises    NotDicom, IsDirectory, NoSopClass, MalformedDataset; TruncatedDataset when more of the
              file is needed, or when it ends too early
    """
    return _parse(head, is_whole, file_size)


def file_meta(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    source_ae_title: str = "",
) -> bytes:
    """Return the preamble, prefix and file meta that go before a data set in a file.

    source_ae_title  who sent it; "" leaves it out
    raises  MalformedDataset when one of the three is not a UID
    source  PS3.10 7.1 and table 7.1-1; the preamble is zeros, as a file has no other format here
    """
    sop_class = _uid_element(_MEDIA_SOP_CLASS, sop_class_uid)
    # not through the cache: every object has its own
    sop_instance = _uid_element.__wrapped__(_MEDIA_SOP_INSTANCE, sop_instance_uid)
    rest = _meta_rest(transfer_syntax_uid, source_ae_title)
    length = len(_VERSION) + len(sop_class) + len(sop_instance) + len(rest)
    return b"".join(
        (_BEFORE_META, length.to_bytes(4, "little"), _VERSION, sop_class, sop_instance, rest)
    )


@lru_cache(maxsize=512)
def _uid_element(tag: int, uid: str) -> bytes:
    if not _UID.fullmatch(uid):
        raise MalformedDataset(f"({tag >> 16:04X},{tag & 0xFFFF:04X}) would not be a UID")
    return _short_element(tag, "UI", uid, "\0")


@lru_cache(maxsize=512)
def _meta_rest(transfer_syntax_uid: str, source_ae_title: str) -> bytes:
    """Return what follows the instance: the same for a whole association."""
    rest = (
        _uid_element(_TRANSFER_SYNTAX, transfer_syntax_uid)
        + _uid_element(0x00020012, IMPLEMENTATION_CLASS_UID)
        + _short_element(0x00020013, "SH", IMPLEMENTATION_VERSION_NAME, " ")
    )
    if source_ae_title:
        rest += _short_element(0x00020016, "AE", source_ae_title, " ")
    return rest


def _short_element(tag: int, vr: str, text: str, padding: str) -> bytes:
    value = (text + padding if len(text) % 2 else text).encode("ascii", "replace")
    return _SHORT_ELEMENT.pack(tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value


def _probe(descriptor: int) -> Header:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise InputError("not a regular file")
    if status.st_size == 0:
        raise NotDicom("the file is empty")
    for size in _HEADS:
        head = os.pread(descriptor, size, 0)
        is_whole = len(head) < size
        try:
            return _parse(head, is_whole, status.st_size)
        except TruncatedDataset:
            if is_whole:
                raise
    raise NoSopClass(f"no SOP class and instance UID in its first {_HEADS[-1]} bytes")


def _parse(head: bytes, is_whole: bool, file_size: int) -> Header:
    """Read `head`; raises TruncatedDataset when it is too short, which may be the file's fault."""
    meta, offset = _read_meta(head, is_whole)
    media_sop_class = _common_uid(meta.get(_MEDIA_SOP_CLASS, b""))
    if media_sop_class == _DIRECTORY_SOP_CLASS:
        raise IsDirectory("it is a DICOMDIR, which lists objects and is none itself")
    if _TRANSFER_SYNTAX in meta:
        transfer_syntax = _common_uid(meta[_TRANSFER_SYNTAX])
        if not transfer_syntax:
            raise MalformedDataset("its transfer syntax is not a UID")
    else:
        transfer_syntax = _guess(head, offset)
    encoding = encoding_of(transfer_syntax)
    if not meta:
        _check_first(head, offset, encoding)
    found = pick(memoryview(head)[offset:], encoding, _WANTED, complete=is_whole)
    sop_class = _common_uid(found.get(_SOP_CLASS, b""))
    sop_instance = _uid(found.get(_SOP_INSTANCE, b""))
    if not sop_class or not sop_instance:
        which = "instance" if sop_class else "class"
        raise NoSopClass(f"its data set has no valid SOP {which} UID")
    return Header(
        media_storage_sop_class_uid=media_sop_class,
        media_storage_sop_instance_uid=_uid(meta.get(_MEDIA_SOP_INSTANCE, b"")),
        transfer_syntax_uid=transfer_syntax,
        sop_class_uid=sop_class,
        sop_instance_uid=sop_instance,
        dataset_offset=offset,
        file_size=file_size,
    )


def _read_meta(head: bytes, is_whole: bool) -> tuple[dict[int, bytes], int]:
    """Return the elements of group 0002, wherever they begin, and the offset past them.

    The group length is not needed, and wrong often enough not to be believed. Elements without a
    VR are understood, as some writers put the file meta in Implicit VR.
    """
    offset = 132 if head[128:132] == b"DICM" else 4 if head[:4] == b"DICM" else 0
    meta: dict[int, bytes] = {}
    size, unpack = len(head), EXPLICIT_HEADER[True]
    while head.startswith(b"\x02\x00", offset):
        # the common case in place: a call would cost as much as all the rest
        start = offset + 8
        if start <= size:
            _, element, code, length = unpack(head, offset)
            tag = 0x00020000 | element
        if start > size or code not in SHORT_VRS:
            tag, _, length, start = header_at(head, offset, True, True)
            if length == UNDEFINED:
                raise MalformedDataset(f"no length in the file meta at byte {offset}", offset)
        offset = start + length
        meta[tag] = head[start:offset]
    if offset > len(head) or (offset == len(head) and not is_whole):
        raise TruncatedDataset(f"the file ends inside the file meta, at byte {len(head)}")
    return meta, offset


def _guess(head: bytes, offset: int) -> str:
    """Return the transfer syntax that the first element looks like; a low group tells the order."""
    if not head[offset + 4 : offset + 6].isalpha():
        return _IMPLICIT_LITTLE_UID
    return _EXPLICIT_LITTLE_UID if head[offset + 1] == 0 else _EXPLICIT_BIG_UID


def _check_first(head: bytes, offset: int, encoding: Encoding) -> None:
    """Without file meta only the first element can tell a data set from anything else.

    It has a SOP class, so nothing in it can come after that.
    """
    if len(head) - offset >= 8:
        tag, _, length, _ = header_at(head, offset, encoding.explicit, encoding.little)
        if tag >> 16 == 8 and tag <= _SOP_CLASS and length <= 0xFFFF:
            return
    raise NotDicom(say_not_dicom(head))


def _uid(value: bytes) -> str:
    """Return a UID without its padding, "" when it is not one."""
    uid = value.strip(b"\0 ").decode("latin-1")
    return uid if _UID.fullmatch(uid) else ""


#: For those of which a folder has few: classes and syntaxes.
_common_uid = lru_cache(maxsize=512)(_uid)
