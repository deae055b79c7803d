"""Opening whatever is DICOM, and of what is broken the part before the break."""

from __future__ import annotations

import os
import re
import resource
import struct
import subprocess
import sys
from itertools import pairwise

import pytest

from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.elements import Element, ItemEnd, SequenceEnd
from pacs_cli.dicom.encoding import Bounds, TruncatedDataset
from pacs_cli.dicom.part10 import NotDicom, file_meta
from pacs_cli.errors import InputError, MalformedDataset
from tests.dicom.datasets import (
    BIG,
    ENCODINGS,
    IMPLICIT,
    LITTLE,
    deflated,
    element,
    memory_below,
    of_everything,
)
from tests.samples import every_file
from tests.support import CT, EXPLICIT
from tests.writing import dataset

SYNTAXES = {
    "little": "1.2.840.10008.1.2.1",
    "big": "1.2.840.10008.1.2.2",
    "implicit": "1.2.840.10008.1.2",
    "deflated": "1.2.840.10008.1.2.1.99",
}
#: What comes with pydicom and is no DICOM; `no_meta.dcm` has lost its NUL bytes.
NOT_DICOM = {".txt", ".icc", ".gz", ".json", ".dump"}


def tags(events):
    return [event.tag for event in events if isinstance(event, Element) and event.depth == 0]


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_is_read(tmp_path, name):
    path = tmp_path / "file"
    path.write_bytes(file_meta(CT, "1.2", SYNTAXES[name]) + of_everything(ENCODINGS[name]))
    document = open_document(path)
    assert document.encoding == ENCODINGS[name]
    assert tags(document.events()) == [0x00080016, 0x00100010, 0x7FE00010]
    assert 0x00020010 in tags(document.meta_events())


@pytest.mark.parametrize("encoding", [LITTLE, BIG, IMPLICIT], ids=["little", "big", "implicit"])
def test_data_set_alone_is_understood_by_its_first_element(tmp_path, encoding):
    path = tmp_path / "file"
    path.write_bytes(of_everything(encoding))
    document = open_document(path)
    assert (document.encoding, document.transfer_syntax_uid) == (encoding, "")
    assert len(tags(document.events())) == 3
    assert list(document.meta_events()) == []


def test_query_without_a_sop_class_is_read(tmp_path):
    path = tmp_path / "query.dcm"
    path.write_bytes(element(IMPLICIT, 0x00080052, "CS", b"STUDY "))
    assert tags(open_document(path).events()) == [0x00080052]


@pytest.mark.parametrize("path", every_file(), ids=lambda path: path.name)
def test_files_of_pydicom_are_opened_and_others_are_refused(path):
    if path.suffix in NOT_DICOM or path.name in ("README", "no_meta.dcm"):
        with pytest.raises(NotDicom, match=re.escape(path.name)):
            open_document(path)
    else:
        assert len(open_document(path).dataset) > 0


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\0", b"\0" * 1000, b"plain text, and quite enough of it to look at" * 9),
        *(b"\x89PNG\r\n\x1a\n" + bytes(200), b"%PDF-1.7\n" + b"a" * 300, b"{}", b"\xff" * 300),
        *(b"II*\0" + bytes(300), b"PK\3\4" + bytes(300), b"\x08\0\x18\0UI\xff\xff1.2"),
    ],
)
def test_what_is_no_dicom_is_refused(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(NotDicom, match=r"cannot read .*file"):
        open_document(path)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, words in (
        (tmp_path / "fifo", "not a regular file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "none", "no such file"),
        ("nul\0", "null"),
    ):
        with pytest.raises(InputError, match=words):
            open_document(path)


def test_events_before_a_cut_come_wherever_it_is(tmp_path):
    path = tmp_path / "file"
    head = file_meta(CT, "1.2", EXPLICIT)
    whole = head + of_everything(LITTLE)
    found = []
    for size in range(140, len(whole)):
        path.write_bytes(whole[:size])
        document, seen = open_document(path), []
        try:
            for events in (document.meta_events(), document.events()):
                for event in events:
                    seen.append(event)  # noqa: PERF402 what comes before the error counts
        except TruncatedDataset:
            pass
        found.append(sum(not isinstance(each, ItemEnd | SequenceEnd) for each in seen))
    # nothing that was there is lost, also within the sequences of defined length
    assert all(before <= after for before, after in pairwise(found))
    assert len(set(found)) > 15


@pytest.mark.parametrize("keep", [0, 1, 10, 40])
def test_deflated_data_set_that_is_cut_gives_what_can_be_inflated(tmp_path, keep):
    data = b"".join(
        element(LITTLE, 0x00091000 + number, "OB", os.urandom(40)) for number in range(16)
    )
    packed = deflated(element(LITTLE, 0x00080016, "UI", b"1.2\0") + data)
    path = tmp_path / "file"
    path.write_bytes(file_meta(CT, "1.2", SYNTAXES["deflated"]) + packed[: len(packed) - 20 - keep])
    seen = []
    with pytest.raises(TruncatedDataset, match="deflated data set ends early"):
        for event in open_document(path).events():
            seen.append(event.tag)  # noqa: PERF401
    assert 10 < len(seen) < 17


def test_deflate_bomb_is_bounded(tmp_path):
    bomb = deflated(element(LITTLE, 0x00080016, "UI", b"1.2\0") + bytes(32 * 1024 * 1024))
    path = tmp_path / "file"
    path.write_bytes(file_meta(CT, "1.2", SYNTAXES["deflated"]) + bomb)
    document = open_document(path)
    with (
        memory_below(4 * 1024 * 1024),
        pytest.raises(MalformedDataset, match="longer than 1048576 bytes"),
    ):
        for _ in document.events(Bounds(elements=10_000_000, inflate=1024 * 1024)):
            pass


def test_sequences_that_end_too_early_are_looked_into(tmp_path):
    item = element(LITTLE, 0x00080100, "SH", b"CODE") + element(LITTLE, 0x00080104, "LO", b"NAME")
    cut = struct.pack("<HH2sHL", 8, 0x1140, b"SQ", 0, 4000)
    cut += struct.pack("<HHL", 0xFFFE, 0xE000, 2000) + item
    path = tmp_path / "file"
    path.write_bytes(file_meta(CT, "1.2", EXPLICIT) + cut)
    seen = []
    with pytest.raises(TruncatedDataset, match=r"\(0008,1140\) at byte 0 goes past the end"):
        for event in open_document(path).events():
            seen.append(event)  # noqa: PERF402
    assert [e.tag for e in seen if isinstance(e, Element)] == [0x00080100, 0x00080104]


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    """A file of 2 GB, of which the disk holds a page."""
    path = tmp_path_factory.mktemp("huge") / "huge.dcm"
    head = file_meta(CT, "1.2.3", EXPLICIT) + dataset(CT, "1.2.3", b"")[:-12]
    with path.open("wb") as file:
        file.write(head + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 2**31))
        file.truncate(file.tell() + 2**31)
    return path


@pytest.mark.parametrize("options", [(), ("--json",), ("-k", "Modality"), ("--depth", "0")])
def test_file_of_two_gigabytes_is_shown_without_reading_it(huge, options):
    """With half as much address space as it would take to hold the pixels, beside the mapping."""
    limit = 2**31 + 2**30
    done = subprocess.run(
        [sys.executable, "-m", "pacs_cli", "dump", str(huge), *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "CT" in done.stdout
    assert len(done.stdout) < 10_000
