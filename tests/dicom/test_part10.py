"""Files made by hand, each with one thing of its own; file meta that pydicom reads back."""

from __future__ import annotations

import io
import os
import socket
import threading
import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info

from pacs_cli import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs_cli.dicom.encoding import UNDEFINED, TruncatedDataset
from pacs_cli.dicom.part10 import Header, IsDirectory, NoSopClass, NotDicom, file_meta, probe
from pacs_cli.errors import InputError, MalformedDataset
from tests.dicom import datasets
from tests.dicom.datasets import BIG, LITTLE, deflated, header, memory_below
from tests.dicom.test_elements_oracle import read
from tests.samples import every_file
from tests.support import CT, EXPLICIT, IMPLICIT, MR
from tests.writing import dataset, element, write_object

UID = "1.2.826.0.1.3680043.10.4"
BIG_ENDIAN, DEFLATE = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
DICOMDIR = "1.2.840.10008.1.3.10"

START = bytes(128) + b"DICM"
DATA = dataset(CT, UID)


def meta(*elements: bytes, sop_class: str = CT, syntax: str | None = EXPLICIT) -> bytes:
    """File meta without its group length, and with what else there is before the end."""
    parts = (
        element(0x00020001, "OB", b"\0\1"),
        element(0x00020002, "UI", sop_class),
        element(0x00020003, "UI", UID),
        b"" if syntax is None else element(0x00020010, "UI", syntax),
    )
    return b"".join((*parts, *elements))


def group_length(length: int) -> bytes:
    return element(0x00020000, "UL", length.to_bytes(4, "little"))


def written(encoding: datasets.Encoding, instance: bytes = UID.encode()) -> bytes:
    """The data set's first elements in any encoding."""
    start = datasets.element(encoding, 0x00080016, "UI", CT.encode() + b"\0")
    return start + datasets.element(encoding, 0x00080018, "UI", instance)


def private(size: int) -> bytes:
    """Private information in the file meta (PS3.10 table 7.1-1)."""
    return element(0x00020102, "OB", bytes(size))


IN_BIG, IN_IMPLICIT = written(BIG), written(datasets.IMPLICIT)
WITHOUT_VRS = b"".join(
    datasets.element(datasets.IMPLICIT, tag, "", value)
    for tag, value in (
        (0x00020001, b"\0\1"),
        (0x00020002, CT.encode() + b"\0"),
        (0x00020003, UID.encode()),
        (0x00020010, EXPLICIT.encode() + b"\0"),
    )
)
UP_TO_16_KIB = private(16 * 1024 - len(START + meta(private(0))))
LONG_CHARACTER_SET = element(0x00080005, "CS", "ISO_IR 100\\" * 1500)
# fmt: off
#: What is before the data set, the data set, and its transfer syntax.
UNDERSTOOD = {
    "as PS3.10 has it": (START + group_length(len(meta())) + meta(), DATA, EXPLICIT),
    "another format in the preamble": (b"II*\0" + START[4:] + meta(), DATA, EXPLICIT),
    "no preamble": (b"DICM" + meta(), DATA, EXPLICIT),
    "no prefix": (meta(), DATA, EXPLICIT),
    "no group length": (START + meta(), DATA, EXPLICIT),
    "group length too small": (START + group_length(0) + meta(), DATA, EXPLICIT),
    "group length too large": (START + group_length(2**32 - 1) + meta(), DATA, EXPLICIT),
    "file meta without VRs": (START + WITHOUT_VRS, DATA, EXPLICIT),
    "file meta of just 16 KiB": (START + meta(UP_TO_16_KIB), DATA, EXPLICIT),
    "file meta over 16 KiB": (START + meta(private(20_000)), DATA, EXPLICIT),
    "file meta over 256 KiB": (START + meta(private(300_000)), DATA, EXPLICIT),
    "data set over 16 KiB in": (START + meta(), LONG_CHARACTER_SET + DATA, EXPLICIT),
    "big endian": (START + meta(syntax=BIG_ENDIAN), IN_BIG, BIG_ENDIAN),
    "implicit": (START + meta(syntax=IMPLICIT), IN_IMPLICIT, IMPLICIT),
    "deflated": (START + meta(syntax=DEFLATE), deflated(DATA), DEFLATE),
    "not in the encoding it says": (START + meta(syntax=IMPLICIT), DATA, IMPLICIT),
    "a transfer syntax of nobody": (START + meta(syntax="1.2.3"), DATA, "1.2.3"),
    "no transfer syntax, little endian": (START + meta(syntax=None), DATA, EXPLICIT),
    "no transfer syntax, big endian": (START + meta(syntax=None), IN_BIG, BIG_ENDIAN),
    "no transfer syntax, implicit": (START + meta(syntax=None), IN_IMPLICIT, IMPLICIT),
}
NO_META = {
    "preamble, little endian": (START, DATA, EXPLICIT),
    "preamble, big endian": (START, IN_BIG, BIG_ENDIAN),
    "preamble, implicit": (START, IN_IMPLICIT, IMPLICIT),
    "prefix only": (b"DICM", DATA, EXPLICIT),
    "data set only, little endian": (b"", DATA, EXPLICIT),
    "data set only, big endian": (b"", IN_BIG, BIG_ENDIAN),
    "data set only, implicit": (b"", IN_IMPLICIT, IMPLICIT),
}
# fmt: on


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "object.dcm"


@pytest.mark.parametrize(("before", "data", "syntax"), UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_probe_understands(path: Path, before: bytes, data: bytes, syntax: str) -> None:
    path.write_bytes(before + data)
    expected = Header(CT, UID, syntax, CT, UID, len(before), len(before + data))
    assert probe(path) == expected


@pytest.mark.parametrize(("before", "data", "syntax"), NO_META.values(), ids=NO_META)
def test_probe_needs_no_file_meta(path: Path, before: bytes, data: bytes, syntax: str) -> None:
    path.write_bytes(before + data)
    assert probe(path) == Header("", "", syntax, CT, UID, len(before), len(before + data))


def test_probe_tells_file_meta_from_data_set(path: Path) -> None:
    path.write_bytes(START + meta(sop_class=MR) + DATA)
    assert (probe(path).media_storage_sop_class_uid, probe(path).sop_class_uid) == (MR, CT)
    path.write_bytes(START + meta(sop_class="not one") + DATA)
    assert (probe(path).media_storage_sop_class_uid, probe(path).sop_class_uid) == ("", CT)


# fmt: off
REFUSED = {
    "empty": (b"", NotDicom, "the file is empty"),
    "text": (b"Dear reader, this is no image.\n" * 99, NotDicom, "not a DICOM file"),
    "a letter": (b"x", NotDicom, "not a DICOM file"),
    "zeros": (bytes(1000), NotDicom, "not a DICOM file"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", NotDicom, "not a DICOM file"),
    "no length it would have": (
        header(datasets.IMPLICIT, 0x00080005, "", 65536) + bytes(65536) + DATA, NotDicom,
        "not a DICOM file"),
    "preamble only": (START, NotDicom, "not a DICOM file"),
    "data set that begins later": (DATA[len(written(LITTLE)):], NotDicom, "not a DICOM file"),
    "DICOMDIR": (START + meta(sop_class=DICOMDIR) + DATA, IsDirectory, "it is a DICOMDIR"),
    "file meta only": (START + meta(), NoSopClass, "no valid SOP class UID"),
    "no SOP class": (START + meta() + DATA[len(written(LITTLE)):], NoSopClass, "SOP class UID"),
    "no SOP instance": (START + meta() + written(LITTLE)[:-32], NoSopClass, "SOP instance UID"),
    "UID of letters": (START + meta() + written(LITTLE, b"a.b."), NoSopClass, "instance UID"),
    "UID of dots": (START + meta() + written(LITTLE, b".."), NoSopClass, "instance UID"),
    "UID of two": (START + meta() + written(LITTLE, b"1.2\\1.3"), NoSopClass, "instance UID"),
    "UID too long": (START + meta() + written(LITTLE, b"1" * 65), NoSopClass, "instance UID"),
    "file meta of 4 MiB": (
        START + meta(private(2**22)) + DATA, NoSopClass,
        "in its first 4194304 bytes"),
    "transfer syntax of letters": (
        START + meta(syntax="explicit") + DATA, MalformedDataset, "transfer syntax is not a UID"),
    "file meta without an end": (
        START + meta(header(LITTLE, 0x00020102, "OB", UNDEFINED)) + DATA, MalformedDataset,
        "no length in the file meta"),
    "file meta cut": (START + meta()[:-1], TruncatedDataset, "inside the file meta"),
    "data set cut": (START + meta() + written(LITTLE)[:-1], TruncatedDataset, "ends early"),
    "deflated data set cut": (
        START + meta(syntax=DEFLATE) + deflated(DATA)[:9], TruncatedDataset, "ends early"),
    "not deflated": (START + meta(syntax=DEFLATE) + DATA, MalformedDataset, "not deflated"),
}
# fmt: on


@pytest.mark.parametrize(("data", "kind", "reason"), REFUSED.values(), ids=REFUSED)
def test_probe_says_why_not(path: Path, data: bytes, kind: type[InputError], reason: str) -> None:
    path.write_bytes(data)
    with pytest.raises(InputError, match=reason) as refusal:
        probe(path)
    assert type(refusal.value) is kind
    assert str(refusal.value).startswith(f"cannot read {path}: ")


def test_file_cut_at_any_byte_is_refused_or_understood(path: Path) -> None:
    whole = START + meta() + DATA
    needed = len(START + meta() + written(LITTLE))
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        if size >= needed:
            assert probe(path).sop_instance_uid == UID
        else:
            with pytest.raises(InputError):
                probe(path)


def test_probe_reads_no_pixels(path: Path) -> None:
    write_object(path, CT, UID)
    os.truncate(path, 2**33)
    with memory_below(32 * 1024):
        assert probe(path).file_size == 2**33


@pytest.mark.parametrize("has_writer", [False, True], ids=["nobody", "a silent writer"])
def test_probe_never_waits_on_a_fifo(path: Path, has_writer: bool) -> None:
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR) if has_writer else None
    errors: list[InputError] = []

    def run() -> None:
        try:
            probe(path)
        except InputError as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(5)
    if writer is not None:
        os.close(writer)
    assert [str(error) for error in errors] == [f"cannot read {path}: not a regular file"]


def test_probe_refuses_what_is_no_regular_file(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
        for path in (tmp_path, Path("/dev/zero")):
            with pytest.raises(InputError, match=f"cannot read {path}: not a regular file"):
                probe(path)
        with pytest.raises(InputError, match="no such device or address"):
            probe(tmp_path / "socket")


def test_probe_refuses_what_is_not_there(path: Path) -> None:
    for missing in (path, path / "below"):
        with pytest.raises(InputError, match=f"cannot read {missing}: no such file or directory"):
            probe(missing)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_probe_refuses_what_may_not_be_read(path: Path) -> None:
    write_object(path, CT, UID).chmod(0)
    with pytest.raises(InputError, match=f"cannot read {path}: permission denied"):
        probe(path)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"], ids=["NUL", "no bytes"])
def test_probe_refuses_names_no_file_can_have(name: str) -> None:
    with pytest.raises(InputError, match="cannot read '") as refusal:
        probe(name)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb", b"-rf", "Ä ß".encode()])
def test_probe_opens_any_name_a_file_can_have(tmp_path: Path, name: bytes) -> None:
    path = write_object(tmp_path / os.fsdecode(name), CT, UID)
    assert probe(path).sop_instance_uid == UID
    assert probe(str(path)) == probe(path)


def test_probe_closes_what_it_opened(path: Path) -> None:
    folder = Path("/dev/fd")
    before = len([*folder.iterdir()])
    for data in (START + meta() + DATA, b"", b"text", START + meta()[:-1]):
        path.write_bytes(data)
        for each in (path, path.parent):
            try:
                probe(each)
            except InputError:
                continue
    assert len([*folder.iterdir()]) == before


NO_OBJECTS = {".txt", ".json", ".py", ".icc", ".dump", ".gz", ".md"}


@pytest.mark.parametrize("path", every_file(), ids=lambda path: path.name)
def test_probe_agrees_with_pydicom(path: Path) -> None:
    # the prefix of no_meta.dcm is damaged, and all that follows
    if path.suffix in NO_OBJECTS or path.name in ("README", "no_meta.dcm"):
        with pytest.raises(NotDicom):
            probe(path)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    in_meta = theirs.file_meta.get
    if in_meta("MediaStorageSOPClassUID") == DICOMDIR:
        with pytest.raises(IsDirectory):
            probe(path)
    elif "SOPClassUID" not in theirs:
        with pytest.raises(NoSopClass):
            probe(path)
    else:
        size = path.stat().st_size
        assert probe(path) == Header(
            in_meta("MediaStorageSOPClassUID", ""),
            in_meta("MediaStorageSOPInstanceUID", ""),
            in_meta("TransferSyntaxUID") or GUESSED[theirs.original_encoding],
            theirs.SOPClassUID,
            theirs.SOPInstanceUID,
            size - len(read(path)[0]),
            size,
        )


#: By whether it is implicit and little endian.
GUESSED = {(False, True): EXPLICIT, (False, False): BIG_ENDIAN, (True, True): IMPLICIT}


@pytest.mark.parametrize("sender", ["", "EVEN", "ODD", "SIXTEEN LETTERS."])
@pytest.mark.parametrize("instance", ["1.2.3", "1.2.34", "2.25." + "1" * 59])
def test_file_meta_is_what_pydicom_writes(sender: str, instance: str) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CT
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = EXPLICIT
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    if sender:
        meta.SourceApplicationEntityTitle = sender
    file = DicomBytesIO()
    write_file_meta_info(file, meta, enforce_standard=True)
    assert file_meta(CT, instance, EXPLICIT, sender) == START + file.getvalue()


def test_file_meta_is_read_back_by_pydicom_and_by_probe(path: Path) -> None:
    before = file_meta(CT, UID, EXPLICIT, "SENDER")
    path.write_bytes(before + DATA)
    back = pydicom.dcmread(path)
    assert back.file_meta.FileMetaInformationGroupLength == len(before) - 132 - 12
    assert back.file_meta.SourceApplicationEntityTitle == "SENDER"
    assert (back.file_meta.MediaStorageSOPInstanceUID, back.PatientName) == (UID, "Made^Up")
    assert probe(path) == Header(CT, UID, EXPLICIT, CT, UID, len(before), len(before + DATA))


@pytest.mark.parametrize("wrong", ["", "..", ".1", "1.2.x", "1.2 ", "1.2\0", "١.٢", "1" * 65])
@pytest.mark.parametrize("position", [0, 1, 2], ids=["class", "instance", "syntax"])
def test_file_meta_refuses_what_is_no_uid(wrong: str, position: int) -> None:
    uids = [CT, UID, EXPLICIT]
    uids[position] = wrong
    with pytest.raises(MalformedDataset, match=r"\(0002,00(02|03|10)\) would not be a UID"):
        file_meta(*uids)


def test_file_meta_is_ascii_whoever_sent_it() -> None:
    back = pydicom.dcmread(io.BytesIO(file_meta(CT, UID, EXPLICIT, "ÄÖ")))
    assert back.file_meta.SourceApplicationEntityTitle == "??"
