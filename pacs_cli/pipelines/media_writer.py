"""Writes a DICOMDIR over files, which stay, or are copied under names of the standard.

source  PS3.3 F.3 (module), F.5 (records), PS3.10 8.2 (file IDs), 8.6 (the DICOMDIR)
"""

from __future__ import annotations

import os
import re
import shutil
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pacs_cli.dicom.identifier import quietly
from pacs_cli.dicom.part10 import Header, IsDirectory, NotDicom, file_meta, probe
from pacs_cli.dicom.records import record_type
from pacs_cli.errors import InputError, OutputError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DIRECTORY_SOP_CLASS = "1.2.840.10008.1.3.10"
_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
NAME = "DICOMDIR"

#: PS3.10 8.2 and 8.5.
_COMPONENT = re.compile(r"[A-Z0-9_]{1,8}")
_MAX_COMPONENTS = 8

#: Longer values stay in the file: none of them goes into a record.
_LARGE_VALUE = 64 * 1024

#: Records need these (type 1), and objects may lack them (type 2): what they get then. DCMTK makes
#: up the same. `{}` is a number.
_MADE_UP = {
    "PATIENT": {"PatientID": "UNKNOWN{}"},
    "STUDY": {"StudyDate": "19000101", "StudyTime": "000000", "StudyID": "{}"},
    "SERIES": {"Modality": "OT", "SeriesNumber": "{}"},
}
_ELEMENT = struct.Struct("<HH2sH")
_ITEM, _ITEM_HEADER = b"\xfe\xff\x00\xe0", 8
#: The three elements that each record begins with: next, in use, below.
_LINKS = struct.Struct("<HH2sHLHH2sHHHH2sHL")


@dataclass(slots=True)
class _Node:
    """A record that is to be written, and those below it."""

    body: bytes = b""
    below: dict[tuple[str, ...], _Node] = field(default_factory=dict)
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of a file: where its record says it is, or why it has none.

    is_skipped  whether it is no object at all
    """

    path: str
    file_id: str = ""
    type: str = ""
    error: str = ""
    is_skipped: bool = False


class MediaWriter:
    """Collects the records of files; `write` puts the DICOMDIR into its place.

    folder   that of the DICOMDIR
    copies   whether files are copied into it first, under names that the standard allows
    made_up  how many records got a value that their objects lack, by keyword
    """

    def __init__(self, folder: Path, copies: bool = False, file_set_id: str = "") -> None:
        self._folder = folder
        self._copies = copies
        self._file_set_id = file_set_id
        self._root = _Node()
        self._instances: dict[str, str] = {}
        self._series = 0
        self.made_up: Counter[str] = Counter()

    def enter(self, path: str) -> Entered:
        """Make the record of a file; raises OutputError when it cannot be copied."""
        try:
            header = probe(path)
            self._check(header)
            # else it is told before anything is read of what cannot be named
            placed = "" if self._copies else self._file_id(path)
            dataset = _read(path)
            kind, is_root = record_type(header.sop_class_uid, _said(dataset, "Modality"))
            above = self._root if is_root else self._series_of(dataset)
            number = str(len(above.below) + 1)
            self._fill(dataset, {"InstanceNumber": number})
            keys = _keys(dataset, kind)
            file_id = self._copy(path, above) if self._copies else placed
        except InputError as error:
            reason = str(error).removeprefix(f"cannot read {path}: ")
            return Entered(path, "", "", reason, isinstance(error, (NotDicom, IsDirectory)))
        self._instances[header.sop_instance_uid] = path
        above.below[header.sop_instance_uid,] = _Node(_leaf(kind, file_id, header) + keys)
        return Entered(path, file_id, kind)

    def write(self) -> int:
        """Write the DICOMDIR, in place of one that is there; return the number of records.

        raises  InputError without a record, OutputError
        """
        nodes = list(_walk(self._root))
        if not nodes:
            raise InputError("nothing to write: no file has a record")
        head = file_meta(_DIRECTORY_SOP_CLASS, f"2.25.{uuid4().int}", _EXPLICIT_VR_LITTLE_ENDIAN)
        top = list(self._root.below.values())
        # everything before the first record has a length of its own
        start = len(head) + len(self._module(0, 0, 0))
        offset = start
        for node in nodes:
            node.offset = offset
            offset += _ITEM_HEADER + _LINKS.size + len(node.body)
        module = self._module(top[0].offset, top[-1].offset, offset - start)
        path = self._folder / NAME
        part = self._folder / f".{NAME}.{os.getpid()}.part"
        try:
            with part.open("wb") as file:
                file.write(head + module)
                file.writelines(_encoded(self._root))
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise OutputError(f"cannot write {path}: {_reason(error)}") from None
        return len(nodes)

    def _check(self, header: Header) -> None:
        if not header.media_storage_sop_instance_uid:
            raise InputError("it has no file meta information, which a file of a DICOMDIR needs")
        if header.sop_instance_uid in self._instances:
            held = self._instances[header.sop_instance_uid]
            raise InputError(f"the same SOP instance UID as {held}")

    def _file_id(self, path: str) -> str:
        """Return the components of a file that stays; raises InputError when they are none."""
        parts = Path(path).relative_to(self._folder).parts
        bad = [part for part in parts if not _COMPONENT.fullmatch(part)]
        if bad or len(parts) > _MAX_COMPONENTS:
            problem = f"{bad[0]!r} is no" if bad else f"{len(parts)} folders deep is no"
            raise InputError(
                f"{problem} name in a DICOMDIR (A-Z, 0-9 and _, 8 of them, 8 names); --copy-to DIR "
                "copies it under one"
            )
        return "\\".join(parts)

    def _series_of(self, dataset: Dataset) -> _Node:
        """Return the series of an object, made with its study and patient when it is new."""
        study, series = (_uid(dataset, f"{level}InstanceUID") for level in ("Study", "Series"))
        patient = _said(dataset, "PatientID")
        issuer = _said(dataset, "IssuerOfPatientID")
        # a patient without an id is told by his study
        identity = (patient, issuer) if patient else ("", "", study)
        node = self._record(self._root, identity, "PATIENT", dataset)
        node = self._record(node, (study,), "STUDY", dataset)
        return self._record(node, (series,), "SERIES", dataset)

    def _record(
        self, above: _Node, identity: tuple[str, ...], kind: str, dataset: Dataset
    ) -> _Node:
        node = above.below.get(identity)
        if node is None:
            number = len(above.below) + 1
            self._fill(
                dataset, {name: text.format(number) for name, text in _MADE_UP[kind].items()}
            )
            node = above.below[identity] = _Node(_type(kind) + _keys(dataset, kind))
        return node

    def _fill(self, dataset: Dataset, values: dict[str, str]) -> None:
        for keyword, value in values.items():
            if not _said(dataset, keyword):
                setattr(dataset, keyword, value)
                self.made_up[keyword] += 1

    def _copy(self, path: str, series: _Node) -> str:
        """Copy a file to where it has a name of the standard; raises OutputError."""
        if not series.offset:
            # of no use before it is written: until then the number of its folder
            self._series += 1
            series.offset = self._series
        parts = ("DICOM", f"S{series.offset:07}", f"I{len(series.below) + 1:07}")
        target = self._folder.joinpath(*parts)
        part = target.with_name(f".{target.name}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "rb") as source, part.open("wb") as file:  # noqa: PTH123
                shutil.copyfileobj(source, file, 1024 * 1024)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise OutputError(f"cannot copy {path} to {target}: {_reason(error)}") from None
        return "\\".join(parts)

    def _module(self, first: int, last: int, length: int) -> bytes:
        """Return what stands before the records (PS3.3 table F.3-2 and F.3-3)."""
        return b"".join(
            (
                _text(0x1130, b"CS", self._file_set_id),
                _ELEMENT.pack(4, 0x1200, b"UL", 4) + first.to_bytes(4, "little"),
                _ELEMENT.pack(4, 0x1202, b"UL", 4) + last.to_bytes(4, "little"),
                _ELEMENT.pack(4, 0x1212, b"US", 2) + bytes(2),
                _ELEMENT.pack(4, 0x1220, b"SQ", 0) + length.to_bytes(4, "little"),
            )
        )


def _walk(node: _Node) -> Iterator[_Node]:
    """Yield the records below one, each before those below it; there are four levels at most."""
    for each in node.below.values():
        yield each
        yield from _walk(each)


def _encoded(node: _Node) -> Iterator[bytes]:
    """Yield the same as bytes, with the offsets that link them."""
    siblings = list(node.below.values())
    for number, each in enumerate(siblings, 1):
        beside = siblings[number].offset if number < len(siblings) else 0
        below = next(iter(each.below.values())).offset if each.below else 0
        size = _LINKS.size + len(each.body)
        yield (
            _ITEM
            + size.to_bytes(4, "little")
            + _LINKS.pack(
                *(4, 0x1400, b"UL", 4, beside),
                *(4, 0x1410, b"US", 2, 0xFFFF),
                *(4, 0x1420, b"UL", 4, below),
            )
        )
        yield each.body
        yield from _encoded(each)


def _type(kind: str) -> bytes:
    return _text(0x1430, b"CS", kind)


def _leaf(kind: str, file_id: str, header: Header) -> bytes:
    return b"".join(
        (
            _type(kind),
            _text(0x1500, b"CS", file_id),
            _text(0x1510, b"UI", header.sop_class_uid, b"\0"),
            _text(0x1511, b"UI", header.sop_instance_uid, b"\0"),
            _text(0x1512, b"UI", header.transfer_syntax_uid, b"\0"),
        )
    )


def _text(element: int, vr: bytes, text: str, padding: bytes = b" ") -> bytes:
    value = text.encode("ascii", "replace")
    value += padding * (len(value) % 2)
    return _ELEMENT.pack(4, element, vr, len(value)) + value


def _read(path: str) -> Dataset:
    """Return the data set of a file without its pixels; raises InputError."""
    from pydicom import dcmread

    with quietly():
        try:
            return dcmread(path, force=True, stop_before_pixels=True, defer_size=_LARGE_VALUE)
        except Exception as error:  # noqa: BLE001 pydicom raises whatever a hostile file leads to
            raise InputError(f"pydicom cannot read it, {type(error).__name__}") from None


def _keys(dataset: Dataset, kind: str) -> bytes:
    """Return the keys of a record of a type, as bytes; raises InputError when one is missing."""
    from pydicom.charset import convert_encodings
    from pydicom.filebase import DicomBytesIO
    from pydicom.fileset import DIRECTORY_RECORDERS
    from pydicom.filewriter import write_dataset

    define: Callable[[Dataset], Dataset] = DIRECTORY_RECORDERS[kind]
    with quietly():
        try:
            record = define(dataset)
            terms = dataset.get("SpecificCharacterSet")
            if terms and any(element.VR in _TEXTS for element in record.iterall()):
                record.SpecificCharacterSet = terms
            file = DicomBytesIO()
            file.is_implicit_VR, file.is_little_endian = False, True
            write_dataset(file, record, convert_encodings(terms or "ISO_IR 6"))
            return bytes(file.getvalue())
        except ValueError as error:
            words = str(error).removeprefix("The instance's ")
            raise InputError(f"its {kind} record cannot be made: {words}") from None
        except Exception as error:  # noqa: BLE001 as above
            raise InputError(f"its {kind} record cannot be made, {type(error).__name__}") from None


#: VRs whose text is in the Specific Character Set (PS3.5 6.1.2.3).
_TEXTS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})


def _uid(dataset: Dataset, keyword: str) -> str:
    value = _said(dataset, keyword)
    if not value:
        raise InputError(f"it has no {keyword}")
    return value


def _said(dataset: Dataset, keyword: str) -> str:
    """Return the text of a value, "" for none; raises InputError when pydicom cannot read it."""
    try:
        value = dataset.get(keyword)
        return "" if value is None else str(value)
    except Exception as error:  # noqa: BLE001 pydicom raises whatever a hostile value leads to
        raise InputError(f"its {keyword} cannot be read, {type(error).__name__}") from None


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
