"""What a DICOMDIR says: its records in their tree, and whether the files are what it says.

source  PS3.3 F.3 (module), F.5 (records), PS3.10 8 (files)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pacs_cli.dicom.elements import Element, ItemEnd, ItemStart, SequenceStart, walk
from pacs_cli.dicom.encoding import Encoding, encoding_of
from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import InputError, MalformedDataset
from pacs_cli.pipelines.dicomdir import dataset_of, placed, read_dicomdir, split_file_id

_FIRST, _NEXT, _IN_USE, _LOWER = 0x00041200, 0x00041400, 0x00041410, 0x00041420
_RECORDS = 0x00041220
_TYPE, _FILE_ID = 0x00041430, 0x00041500
_CLASS, _INSTANCE, _SYNTAX = 0x00041510, 0x00041511, 0x00041512
_CHARACTER_SET = 0x00080005

#: What tells a person which record it is.
_SHOWN = {
    0x00100010: "PatientName",
    0x00100020: "PatientID",
    0x00080020: "StudyDate",
    0x00081030: "StudyDescription",
    0x0020000D: "StudyInstanceUID",
    0x00080060: "Modality",
    0x00200011: "SeriesNumber",
    0x0020000E: "SeriesInstanceUID",
    0x00200013: "InstanceNumber",
}
_WANTED = frozenset(
    (_NEXT, _IN_USE, _LOWER, _TYPE, _FILE_ID, _CLASS, _INSTANCE, _SYNTAX, _CHARACTER_SET, *_SHOWN)
)
_MAX_VALUE = 1024
#: Where a value, a component or a group of a name ends, and with it what an escape sequence chose.
_DELIMITERS = {*b"\\^="}


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    depth    records above it
    keys     keyword -> text of what tells which it is
    path     of the file it refers to, "" for none
    problem  what is wrong with it or its file, "" when nothing is
    """

    type: str
    depth: int
    keys: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    transfer_syntax_uid: str = ""
    problem: str = ""


def read_records(path: str) -> Iterator[Record]:
    """Yield the records of a DICOMDIR as its offsets lead to them, and those they lead nowhere to.

    raises  InputError when it cannot be read or makes no sense
    """
    folder = Path(path).parent
    root = folder.resolve()
    try:
        found, first, little = _parse(read_dicomdir(path))
    except MalformedDataset as error:
        raise InputError(f"the DICOMDIR makes no sense: {error}") from None
    # an explicit stack, and each record once: neither depth nor a loop is a limit
    stack = [(first, 0)] if first else []
    while stack:
        offset, depth = stack.pop()
        values = found.pop(offset, None)
        if values is None:
            yield Record("", depth, problem=f"an offset leads to byte {offset}, where none begins")
            continue
        below, beside = (_number(values, tag, little) for tag in (_LOWER, _NEXT))
        stack += [(each, level) for each, level in ((beside, depth), (below, depth + 1)) if each]
        if _number(values, _IN_USE, little, 0xFFFF):
            yield _checked(values, depth, folder, root)
    for values in found.values():
        if _number(values, _IN_USE, little, 0xFFFF):
            yield Record(_text(values, _TYPE), 0, problem="no offset leads to this record")


def _parse(data: bytes) -> tuple[dict[int, dict[int, bytes]], int, bool]:
    """Return the records by their offset in the file, that of the first, and the byte order."""
    start, syntax = dataset_of(data)
    encoding: Encoding = encoding_of(syntax)
    found: dict[int, dict[int, bytes]] = {}
    first = b""
    values: dict[int, bytes] = {}
    begins, is_directory = 0, False
    for event in walk(memoryview(data)[start:], encoding):
        if isinstance(event, Element):
            if event.depth == 1 and event.tag in _WANTED:
                values[event.tag] = bytes(event.value[:_MAX_VALUE])
            elif event.depth == 0 and event.tag == _FIRST:
                first = bytes(event.value)
        elif isinstance(event, ItemStart) and event.depth == 1:
            begins, values = start + event.offset, {}
        elif isinstance(event, ItemEnd) and event.depth == 1:
            found[begins] = values
        elif isinstance(event, SequenceStart) and event.tag == _RECORDS:
            is_directory = True
    if not is_directory:
        raise MalformedDataset("it has no directory records")
    return found, _number({_FIRST: first}, _FIRST, encoding.little), encoding.little


def _number(values: Mapping[int, bytes], tag: int, little: bool, default: int = 0) -> int:
    value = values.get(tag, b"")
    return int.from_bytes(value[:4], "little" if little else "big") if value else default


def _text(values: Mapping[int, bytes], tag: int) -> str:
    from pydicom.charset import convert_encodings, decode_bytes

    from pacs_cli.dicom.identifier import quietly

    value = values.get(tag, b"")
    with quietly():
        if value.isascii() or tag not in _SHOWN:
            text = value.decode("latin-1")
        else:
            terms = values.get(_CHARACTER_SET, b"").decode("latin-1").strip(" \0").split("\\")
            text = decode_bytes(value, convert_encodings([*terms]), _DELIMITERS)
    return text.strip(" \0")


def _checked(values: Mapping[int, bytes], depth: int, folder: Path, root: Path) -> Record:
    """Return a record, its file looked at."""
    path = problem = ""
    if values.get(_FILE_ID):
        path, problem = placed(folder, root, split_file_id(values[_FILE_ID]))
    sop_class, instance, syntax = (_text(values, tag) for tag in (_CLASS, _INSTANCE, _SYNTAX))
    if path and not problem:
        problem = _difference(path, sop_class, instance, syntax)
    return Record(
        _text(values, _TYPE),
        depth,
        {name: text for tag, name in _SHOWN.items() if (text := _text(values, tag))},
        path,
        sop_class,
        instance,
        syntax,
        problem,
    )


def _difference(path: str, sop_class: str, instance: str, syntax: str) -> str:
    """Return in what a file is other than its record says."""
    if not os.path.lexists(path):
        return "the file is missing"
    try:
        header = probe(path)
    except InputError as error:
        return str(error).removeprefix(f"cannot read {path}: ")
    pairs = (
        ("SOP class", sop_class, header.sop_class_uid),
        ("SOP instance UID", instance, header.sop_instance_uid),
        ("transfer syntax", syntax, header.transfer_syntax_uid),
    )
    names = [name for name, said, held in pairs if said and said != held]
    return f"the file has another {' and '.join(names)}" if names else ""
