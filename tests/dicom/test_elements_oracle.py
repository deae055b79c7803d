"""Every file that comes with pydicom parses to the elements pydicom sees before it decodes."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import _read_file_meta_info, read_dataset, read_preamble
from pydicom.hooks import hooks

from pacs_cli.dicom.elements import (
    Element,
    Event,
    Fragment,
    FragmentsEnd,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    pick,
    walk,
)
from pacs_cli.dicom.encoding import Encoding, TruncatedDataset, header_at

DATA = Path(pydicom.__file__).parent / "data"

NOT_DICOM = {".py", ".pyc", ".json", ".md", ".txt", ".dump", ".icc", ".gz"}

#: Left out of the comparison, with the reason.
SKIPPED = {
    "README": "a text",
    "no_meta.dcm": "its NUL bytes are lost or have become spaces; pydicom reads a huge element",
}

#: Here pydicom returns less than the length says; ours agrees up to there, then refuses.
TRUNCATED = {
    "rtplan_truncated.dcm": "cut inside a sequence",
    "MR_truncated.dcm": "cut inside the pixel data",
    "DICOMDIR-nooffset": "its last item is 24 bytes longer than the file",
}

#: Here an element stands twice. Ours gives both, pydicom's dictionary keeps the last one.
TWICE = {"winter.dcm": {0x00080018}}

FILES = sorted(
    path
    for path in DATA.rglob("*")
    if path.is_file() and path.suffix not in NOT_DICOM and path.name not in SKIPPED
)

Tree = list[tuple[int, str, Any]]


def read(path: Path) -> tuple[bytes, Encoding]:
    """The bytes of the data set of a file, and how pydicom says they are encoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        file = io.BytesIO(path.read_bytes())
        read_preamble(file, force=True)
        _read_file_meta_info(file)
    implicit, little = dataset.original_encoding
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    deflated = syntax == pydicom.uid.DeflatedExplicitVRLittleEndian
    return file.read(), Encoding(not implicit, bool(little), deflated)


def raw_dataset(data: bytes, encoding: Encoding) -> Dataset:
    """pydicom's data set of elements that are still bytes."""
    if encoding.deflated:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    return read_dataset(io.BytesIO(data), not encoding.explicit, encoding.little)


def pydicom_tree(dataset: Dataset) -> Tree:
    return [(int(e.tag), *pydicom_value(dataset, e)) for e in list(dataset.values())]


def pydicom_value(dataset: Dataset, element: Any) -> tuple[str, Any]:
    found = {"VR": element.VR}
    if element.VR is None:
        hooks.raw_element_vr(element, found, ds=dataset)
    vr = str(found["VR"])
    if vr == "SQ":
        return vr, [pydicom_tree(item) for item in dataset[element.tag].value]
    return vr, element.value or b""


def our_tree(events: Iterable[Event], little: bool) -> Tree:
    """The events as `pydicom_tree` has them: fragments joined, with the headers of their items."""
    top: Tree = []
    stack: list[Any] = [top]
    for event in events:
        if isinstance(event, Element):
            stack[-1].append((event.tag, event.vr, bytes(event.value)))
        elif isinstance(event, SequenceStart):
            items: list[Tree] = []
            stack[-1].append((event.tag, "SQ", items))
            stack.append(items)
        elif isinstance(event, ItemStart):
            stack[-1].append([])
            stack.append(stack[-1][-1])
        elif isinstance(event, FragmentsStart):
            joined = bytearray()
            stack[-1].append((event.tag, event.vr, joined))
            stack.append(joined)
        elif isinstance(event, Fragment):
            item = struct.pack("<HHL" if little else ">HHL", 0xFFFE, 0xE000, len(event.value))
            stack[-1] += item + event.value
        else:
            assert isinstance(event, ItemEnd | SequenceEnd | FragmentsEnd)
            stack.pop()
    return top


def test_oracle_finds_the_files() -> None:
    assert len(FILES) > 170
    assert {path.name for path in FILES} >= TRUNCATED.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_walk_gives_the_elements_pydicom_reads(path: Path) -> None:
    data, encoding = read(path)
    theirs = pydicom_tree(raw_dataset(data, encoding))
    if path.name not in TRUNCATED:
        ours = our_tree(walk(data, encoding), encoding.little)
        assert {tag for tag, n in Counter(tag for tag, *_ in ours).items() if n > 1} == TWICE.get(
            path.name, set()
        )
        assert list({tag: (tag, vr, value) for tag, vr, value in ours}.values()) == theirs
        return
    events: deque[Event] = deque()
    with pytest.raises(TruncatedDataset):
        events.extend(walk(data, encoding))
    whole = len(theirs) - 1  # the last is the one that was cut
    assert our_tree(events, encoding.little)[:whole] == theirs[:whole]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_top_level_events_leave_no_gap(path: Path) -> None:
    data, encoding = read(path)
    if encoding.deflated or path.name in TRUNCATED:
        pytest.skip("offsets are into the inflated bytes, or the file is cut")
    at = 0
    for event in walk(data, encoding):
        if isinstance(event, Element) and event.depth == 0:
            start = header_at(data, event.offset, encoding.explicit, encoding.little)[3]
            assert event.offset == at
            assert data[start : start + len(event.value)] == event.value
            at = start + len(event.value)
        elif isinstance(event, SequenceStart | FragmentsStart) and event.depth == 0:
            assert event.offset == at
        elif isinstance(event, SequenceEnd | FragmentsEnd) and event.depth == 0:
            at = event.offset
    assert at == len(data)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_pick_finds_what_walk_finds(path: Path) -> None:
    data, encoding = read(path)
    if path.name in TRUNCATED:
        pytest.skip(TRUNCATED[path.name])
    expected = {
        event.tag: bytes(event.value)
        for event in walk(data, encoding)
        if isinstance(event, Element) and event.depth == 0
    }
    # up to the last element, so that every sequence and all pixel data are skipped
    picked = pick(data, encoding, frozenset((*expected, 0xFFFCFFFC)))
    assert picked == expected
