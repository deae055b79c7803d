"""A query from a file: DICOM, the DICOM JSON model, or text with a key on each line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.dicom.identifier import decode_identifier, encode_identifier
from pacs_cli.dicom.json_model import from_dicom_json
from pacs_cli.dicom.keys import assemble, parse_key
from pacs_cli.errors import InputError, MalformedDataset

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: A query has some hundred bytes; what is much longer is an image by mistake.
_MAX_SIZE = 1024 * 1024

_IMPLICIT_LITTLE = "1.2.840.10008.1.2"
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def read_query(path: Path) -> Dataset:
    """Return what a file asks for; what it is shows in its first bytes.

    A DICOM file may lack its file meta. A line of text is a key as after `-k`; empty lines and
    those that begin with # say nothing.

    raises  InputError when it cannot be read or is none of the three; UsageError when a line is no
            key
    """
    data = _read(path)
    text = _text_of(data)
    if text is not None and text.lstrip()[:1] not in ("{", "["):
        return _from_lines(text, path)
    try:
        dataset = _from_dicom(data) if text is None else _from_json(text)
        _check_writable(dataset)
    except InputError as error:
        raise InputError(f"cannot use {path} as a query: {error}") from None
    return dataset


def _check_writable(dataset: Dataset) -> None:
    """Refuse what pydicom reads and cannot write, such as a VR that is none."""
    try:
        encode_identifier(dataset, _EXPLICIT_LITTLE)
    except Exception as error:  # noqa: BLE001 pydicom raises whatever a wrong value leads to
        raise InputError(f"it has a value that is none: {type(error).__name__}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIZE + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot read {path}: {reason}") from None
    if len(data) > _MAX_SIZE:
        raise InputError(f"cannot use {path} as a query: it is longer than {_MAX_SIZE} bytes")
    return data


def _text_of(data: bytes) -> str | None:
    """Return the text of a file, None when it is not text."""
    if b"\0" in data:
        return None
    try:
        # a byte order mark, as some editors write, is none of it
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _from_lines(text: str, path: Path) -> Dataset:
    from pydicom.dataset import Dataset

    lines = enumerate(text.splitlines(), 1)
    keys = [
        parse_key(line.strip(), f"{path}:{number}")
        for number, line in lines
        if line.strip() and not line.lstrip().startswith("#")
    ]
    return assemble(keys, Dataset(), str(path))


def _from_json(text: str) -> Dataset:
    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from None
    if isinstance(members, list):
        # as a server gives it; one query is one object
        if len(members) != 1:
            raise InputError(f"an array of {len(members)} objects; one is expected")
        (members,) = members
    return from_dicom_json(members)


def _from_dicom(data: bytes) -> Dataset:
    from pacs_cli.dicom.encoding import header_at

    offset = 132 if data[128:132] == b"DICM" else 0
    syntax = b""
    while data[offset : offset + 2] == b"\2\0":
        tag, _, length, start = header_at(data, offset, True, True)
        offset = start + length
        if tag == 0x00020010:
            syntax = data[start:offset].strip(b"\0 ")
    transfer_syntax = syntax.decode("latin-1") or (
        _EXPLICIT_LITTLE if data[offset + 4 : offset + 6].isalpha() else _IMPLICIT_LITTLE
    )
    encoding = encoding_of(transfer_syntax)
    if encoding.deflated or not encoding.little:
        raise InputError("its transfer syntax is deflated or big endian; write it anew")
    dataset = decode_identifier(data[offset:], transfer_syntax)
    if not dataset:
        raise MalformedDataset("nothing is asked for in it")
    return dataset
