"""Objects given back their original values, for who has the private key."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pacs_cli.dicom.elements import inflate, pick
from pacs_cli.dicom.encoding import DEFAULT_BOUNDS, EXPLICIT_LITTLE, encoding_of
from pacs_cli.dicom.part10 import file_meta, header_of
from pacs_cli.errors import InputError, OutputError, PacsError
from pacs_cli.pipelines.deid.bookkeeping import OURS
from pacs_cli.pipelines.deid.encrypt import open_, restored, sealed_in
from pacs_cli.pipelines.deid.output import Output

_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


class Restored(NamedTuple):
    """What became of a file: where its object is, or why it is not."""

    path: str
    output: str | None
    message: str = ""
    is_output_fault: bool = False


def reidentify(paths: Iterable[str], out: Path, key: Any, is_file: bool) -> Iterator[Restored]:
    """Give objects back their original values, file by file; raises nothing of a file's.

    is_file  whether `out` is the one file to write, and not a folder
    """
    made: set[Path] = set()
    for path in paths:
        try:
            place, content = _restored(path, key, None if is_file else out)
            output = Output((place or out).parent, made)
            try:
                output.write(content)
                output.place(place or out)
            finally:
                output.close()
            yield Restored(path, str(place or out))
        except OutputError as error:
            yield Restored(path, None, str(error), True)
        except PacsError as error:
            yield Restored(path, None, str(error))
        except OSError as error:
            yield Restored(path, None, (error.strerror or str(error)).lower())


def _restored(path: str, key: Any, out: Path | None) -> tuple[Path | None, list[bytes]]:
    """Return where an object belongs by its original UIDs, and the file."""
    whole = Path(path).read_bytes()
    header = header_of(whole, True, len(whole))
    encoding = encoding_of(header.transfer_syntax_uid)
    data: bytes = whole[header.dataset_offset :]
    is_deflated = encoding.deflated
    if is_deflated:
        data, encoding = inflate(data, DEFAULT_BOUNDS.inflate), EXPLICIT_LITTLE
    sealed = sealed_in(data, encoding)
    if not sealed:
        raise InputError("no original values are sealed in it")
    attributes = _opened(sealed, key)
    data = restored(data, encoding, attributes, frozenset(OURS))
    found = pick(data, encoding, {_SOP_CLASS, _SOP_INSTANCE, _STUDY, _SERIES})
    uids = [_uid(found.get(tag, b"")) for tag in (_SOP_CLASS, _STUDY, _SERIES, _SOP_INSTANCE)]
    place = out.joinpath(uids[1], uids[2], f"{uids[3]}.dcm") if out is not None else None
    meta = file_meta(uids[0], uids[3], header.transfer_syntax_uid)
    if is_deflated:
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = packer.compress(data) + packer.flush()
        data += bytes(len(data) % 2)
    return place, [meta, data]


def _opened(sealed: list[bytes], key: Any) -> bytes:
    """Return what is in the first that the key opens."""
    for number, each in enumerate(sealed, 1):
        try:
            return open_(each, key)
        except InputError:
            if number == len(sealed):
                raise
    raise InputError("no original values are sealed in it")


def _uid(value: bytes) -> str:
    """Return a UID, which is to be the name of a file; anybody can seal something else."""
    text = value.decode("latin-1").strip("\0 ")
    if len(text) > 64 or not _UID.fullmatch(text):
        raise InputError("a UID that was sealed in it is none")
    return text
