"""The bytes that go out: those of the file, never all of them in memory, edited where asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pacs_cli.dicom.edit import editor_for
from pacs_cli.dicom.part10 import file_meta, probe
from pacs_cli.errors import InputError
from pacs_cli.pipelines import loading
from pacs_cli.pipelines.items import Item
from pacs_cli.pipelines.loading import Loader
from tests.dicom.datasets import DEFLATED, deflated, memory_below
from tests.samples import storable
from tests.support import CT, EXPLICIT
from tests.writing import dataset, element, write_object

DEFLATED_UID = "1.2.840.10008.1.2.1.99"


def item(path: Path) -> Item:
    return Item(str(path), probe(path))


def whole(loader: Loader, path: Path) -> bytes:
    return b"".join(loader.load(item(path)))


def write_sparse(path: Path, size: int, *before: bytes) -> Path:
    """An image with so many bytes of pixels, which take no room on the disk."""
    head = dataset(CT, "1.2.3", b"")[:-12] + b"".join(before)
    pixels = element(0x7FE00010, "OW", b"")[:-4] + size.to_bytes(4, "little")
    with path.open("wb") as file:
        start = file.write(file_meta(CT, "1.2.3", EXPLICIT) + head + pixels)
        file.truncate(start + size)
    return path


#: Read in one go, mapped at once, mapped as it is sent.
SIZES = [64, 95 * 1024, 97 * 1024, 500_000, 4_200_000, 9_000_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("populate", [True, False])
def test_data_set_of_any_size_is_loaded_byte_for_byte(tmp_path, monkeypatch, size, populate):
    if not populate:
        # as where a mapping cannot be filled at once
        monkeypatch.setattr(loading, "POPULATE", 0)
    pixels = os.urandom(1000) * (size // 1000 + 1)
    path = write_object(tmp_path / "a", CT, "1.2.3", pixels[: size & ~1])
    assert whole(Loader(), path) == path.read_bytes()[probe(path).dataset_offset :]


def test_one_loader_loads_one_object_after_the_other():
    loader = Loader()
    for path in storable():
        assert whole(loader, path) == path.read_bytes()[probe(path).dataset_offset :]


@pytest.mark.parametrize("size", SIZES)
def test_data_set_of_any_size_is_edited(tmp_path, size):
    path = write_object(tmp_path / "a", CT, "1.2.3", os.urandom(1000) * (size // 1000 + 1))
    editor = editor_for(["PatientID=NEW", "StudyID=S"], ".7")
    data = path.read_bytes()[probe(path).dataset_offset :]
    edited = editor.edit(data, loading.encoding_of(EXPLICIT))
    expected = b"".join(edited.buffers) + data[edited.rest :]
    assert whole(Loader(editor), path) == expected


@pytest.mark.parametrize("before", [100_000, 5_000_000])
def test_edit_behind_a_large_element_is_found(tmp_path, before):
    """The element before it is longer than what is read at first."""
    large = element(0x00203010, "OB", bytes(before))
    path = write_sparse(tmp_path / "a", 10_000_000, large)
    loaded = whole(Loader(editor_for(["(0020,4000)=A comment"], None)), path)
    assert loaded.count(b"A comment ") == 1
    assert len(loaded) == item(path).size + 8 + 10


def test_edit_that_is_too_far_behind_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "_HEADS", (1000, 2000))
    large = element(0x00203010, "OB", bytes(5000))
    path = write_sparse(tmp_path / "a", 10_000_000, large)
    with pytest.raises(InputError, match="not in its first 2000 bytes"):
        Loader(editor_for(["(0028,0010)=1"], None)).load(item(path))


@pytest.mark.parametrize("text", [None, "PatientID=NEW"])
def test_object_never_stands_whole_in_memory(tmp_path, text):
    path = write_sparse(tmp_path / "a", 2_000_000_000)
    loader = Loader(editor_for([text] if text else [], None))
    one = item(path)
    with memory_below(1_000_000):
        buffers = loader.load(one)
    assert sum(map(len, buffers)) >= 2_000_000_000


def test_deflated_object_is_edited_inside(tmp_path):
    data = deflated(dataset(CT, "1.2.3", os.urandom(1000) * 6000))
    path = tmp_path / "a"
    path.write_bytes(file_meta(CT, "1.2.3", DEFLATED_UID) + data)
    editor = editor_for(["PatientID=NEW"], None)
    edited = editor.edit(data, DEFLATED)
    assert whole(Loader(editor), path) == b"".join(edited.buffers)


@pytest.mark.parametrize("size", [64, 500_000, 5_000_000])
@pytest.mark.parametrize("text", [None, "PatientID=NEW"])
def test_file_that_became_shorter_is_refused(tmp_path, size, text):
    path = write_object(tmp_path / "a", CT, "1.2.3", bytes(size))
    one = item(path)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(InputError, match="became shorter"):
        Loader(editor_for([text] if text else [], None)).load(one)


@pytest.mark.parametrize("size", [64, 500_000])
def test_edit_that_cannot_be_made_says_why(tmp_path, size):
    path = write_object(tmp_path / "a", CT, "1.2.3", bytes(size))
    with pytest.raises(InputError, match="--set PatientName: the file's character set, ASCII"):
        Loader(editor_for(["PatientName=Müller"], None)).load(item(path))


def test_no_descriptor_is_left_open(tmp_path):
    paths = [
        write_object(tmp_path / str(n), CT, "1.2.3", bytes(size)) for n, size in enumerate(SIZES)
    ]
    loader = Loader()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in paths * 20:
        loader.load(item(path))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
