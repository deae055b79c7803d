"""One file into another transfer syntax: read by mapping it, written beside its place."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import BinaryIO

from pacs_cli.dicom.mapping import kept_whole, mapped
from pacs_cli.dicom.part10 import Header, file_meta, probe
from pacs_cli.errors import Exit, InputError, PacsError
from pacs_cli.pixels.pooling import threads
from pacs_cli.pixels.transcoding import NoPixels, Options, Transcoded, transcode
from pacs_cli.pixels.tree import Later

Buffer = bytes | bytearray | memoryview

#: Elements of the file meta that say what we know better (PS3.10 7.1); the others stay.
_OURS = frozenset({0x0000, 0x0001, 0x0002, 0x0003, 0x0010, 0x0012, 0x0013})
_SHORT = struct.Struct("<HH2sH")
_LONG_VRS = frozenset({b"OB", b"OW", b"UN", b"UT"})


@dataclass(frozen=True, slots=True)
class Task:
    """A file to be brought into a transfer syntax.

    part     where to write; it is created, and is not there unless all went well
    is_bare  whether only the data set is written, without preamble and file meta
    threads  how many frames at a time
    """

    path: str
    part: str
    target: str
    options: Options = field(default_factory=Options)
    is_bare: bool = False
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it.

    error    None when it is written; else why not, without the path
    is_kept  whether there is nothing to transcode and nothing was written
    """

    source: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    new_uid: str = ""
    frames: int = 0
    is_lossy: bool = False
    size: int = 0
    written: int = 0
    seconds: float = 0.0
    error: str | None = None
    exit: Exit = Exit.OK
    is_kept: bool = False


def transcode_file(task: Task, tick: Callable[[], None] = lambda: None) -> Done:
    """Transcode one file; never raises what a file can cause.

    tick  called after every part that is written
    """
    began = time.monotonic()
    header: Header | None = None
    try:
        header = probe(task.path)
        done = _transcoded(task, header, tick)
    except MemoryError:
        error, code = "it needs more memory than it may", Exit.BAD_INPUT
    except OSError as failure:
        error = f"cannot write {task.part}: {(failure.strerror or str(failure)).lower()}"
        code = Exit.OUTPUT
    except PacsError as failure:
        error, code = str(failure).removeprefix(f"cannot read {task.path}: "), failure.exit
    else:
        return done
    _discard(task.part)
    done = Done() if header is None else seen(header)
    return replace(done, error=error, exit=code, seconds=time.monotonic() - began)


def seen(header: Header) -> Done:
    """Return what a file says of itself, before anything is done to it."""
    return Done(
        header.transfer_syntax_uid,
        header.sop_class_uid,
        header.sop_instance_uid,
        size=header.file_size,
    )


def _transcoded(task: Task, header: Header, tick: Callable[[], None]) -> Done:
    began = time.monotonic()
    with _opened(task.path) as file:
        whole = _mapped(file, header.file_size)
        try:
            with kept_whole(whole):
                result, written = _written(task, header, whole, tick)
        except NoPixels:
            return replace(seen(header), is_kept=True, seconds=time.monotonic() - began)
    return Done(
        header.transfer_syntax_uid,
        header.sop_class_uid,
        header.sop_instance_uid,
        result.sop_instance_uid,
        result.frames,
        result.is_lossy,
        header.file_size,
        written,
        time.monotonic() - began,
    )


def _written(
    task: Task, header: Header, whole: memoryview, tick: Callable[[], None]
) -> tuple[Transcoded, int]:
    """Write the part; return what it is, and its bytes."""
    data = whole[header.dataset_offset :]
    result = transcode(
        data, header.transfer_syntax_uid, task.target, task.options, threads(task.threads)
    )
    instance = result.sop_instance_uid or header.sop_instance_uid
    meta = b"" if task.is_bare else _meta(whole, header, instance, task.target)
    with open(task.part, "xb", buffering=0) as part:  # noqa: PTH123 names that are no text
        return result, write_buffers(part, chain((meta,), result.buffers), tick)


def _opened(path: str) -> BinaryIO:
    try:
        return open(path, "rb")  # noqa: PTH123 names that are no text; closed by the caller
    except OSError as error:
        raise InputError((error.strerror or str(error)).lower()) from None


def _mapped(file: BinaryIO, size: int) -> memoryview:
    try:
        return mapped(file.fileno(), size)
    except (OSError, ValueError) as error:
        raise InputError(f"it cannot be mapped: {error}") from None


#: Buffers of one system call, and bytes to collect for it: frames go as they are.
_MOST_BUFFERS, _ENOUGH = 512, 1 << 20


def write_buffers(
    file: BinaryIO, buffers: Iterable[Buffer], tick: Callable[[], None] = lambda: None
) -> int:
    """Write all, then again what was not known before; return how many bytes that is."""
    offset, collected = 0, 0
    later: list[tuple[int, Later]] = []
    waiting: list[Buffer] = []
    for each in buffers:
        if isinstance(each, Later):
            later.append((offset, each))
        offset += len(each)
        collected += len(each)
        waiting.append(each)
        if collected >= _ENOUGH or len(waiting) >= _MOST_BUFFERS:
            _write(file, waiting)
            waiting, collected = [], 0
            tick()
    _write(file, waiting)
    for place, each in later:
        file.seek(place)
        _write(file, [each])
    return offset


def _write(file: BinaryIO, buffers: list[Buffer]) -> None:
    views = [memoryview(each).cast("B") for each in buffers if len(each)]
    while views:
        written = os.writev(file.fileno(), views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views and written:
            views[0] = views[0][written:]


def _meta(whole: memoryview, header: Header, instance: str, target: str) -> bytes:
    """Return preamble and file meta: ours, and of the old one what is still true.

    The UIDs are the data set's. A preamble may make the file one of another format too, which it
    is no more, so it is left empty.
    """
    ours = file_meta(header.sop_class_uid, instance, target)
    kept = b"".join(_others(whole, header.dataset_offset))
    length = len(ours) - 144 + len(kept)
    return ours[:140] + length.to_bytes(4, "little") + ours[144:] + kept


def _others(whole: memoryview, end: int) -> Iterable[bytes]:
    offset = 132 if bytes(whole[128:132]) == b"DICM" else 0
    while offset + 8 <= end:
        group, element, vr, length = _SHORT.unpack_from(whole, offset)
        start = offset + 8
        if group != 2 or not vr.isalpha():
            # without a VR it is not what it should be
            return
        if vr in _LONG_VRS:
            length, start = int.from_bytes(whole[start : start + 4], "little"), start + 4
        if element not in _OURS and element > 0x13:
            yield bytes(whole[offset : start + length])
        offset = start + length


def _discard(part: str) -> None:
    try:
        os.unlink(part)  # noqa: PTH108 names that are no text
    except OSError:
        # it was never made
        return
