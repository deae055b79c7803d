"""Stored objects on their way out: as they are, or in a native transfer syntax."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filereader import read_dataset

from pacs_cli.archive.outgoing import Outgoing
from pacs_cli.archive.query import Held
from pacs_cli.dicom.identifier import quietly
from pacs_cli.dicom.part10 import file_meta, probe
from pacs_cli.errors import InputError
from tests.dicom.datasets import LITTLE, written
from tests.interop.peers import run
from tests.samples import dataset_bytes, storable
from tests.support import CT, EXPLICIT, IMPLICIT

DEFLATED, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
JPEG, BIG = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.2"

SAMPLES = {syntax: [] for syntax in (EXPLICIT, IMPLICIT, DEFLATED, RLE, JPEG, BIG)}
for _path in storable():
    _syntax = probe(_path).transfer_syntax_uid
    if _syntax in SAMPLES and probe(_path).media_storage_sop_class_uid:
        SAMPLES[_syntax].append(_path)


def outgoing(path: Path) -> Outgoing:
    header = probe(path)
    held = Held(header.sop_class_uid, header.sop_instance_uid, header.transfer_syntax_uid, "")
    return Outgoing(held, path)


def sent(path: Path, *accepted: str) -> tuple[str, bytes]:
    with outgoing(path).open(accepted) as (syntax, data):
        return syntax, b"".join(map(bytes, data))


@pytest.mark.parametrize("path", [paths[0] for paths in SAMPLES.values()], ids=lambda p: p.name)
def test_object_is_sent_as_stored_when_that_is_accepted(path: Path) -> None:
    stored = probe(path).transfer_syntax_uid
    assert sent(path, EXPLICIT, IMPLICIT, stored) == (stored, dataset_bytes(path))


@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize(
    "path",
    [path for syntax in (EXPLICIT, IMPLICIT, DEFLATED) for path in SAMPLES[syntax][:6]],
    ids=lambda path: path.name,
)
def test_native_object_is_converted_without_loss(path: Path, target: str) -> None:
    stored = probe(path).transfer_syntax_uid
    if stored == target:
        return
    if "truncated" in path.name:
        # pydicom would guess on
        with pytest.raises(InputError, match="past the end"):
            sent(path, target)
        return
    syntax, data = sent(path, target)
    assert syntax == target
    with quietly():
        before = dcmread(path)
        after = read_dataset(BytesIO(data), target == IMPLICIT, True)
        assert [each.tag for each in after] == [each.tag for each in before]
        for element in before:
            assert after[element.tag].value == element.value or element.VR == "UN"


@pytest.mark.parametrize("path", SAMPLES[RLE], ids=lambda path: path.name)
def test_rle_is_decompressed_as_dcmtk_does(path: Path, tmp_path: Path) -> None:
    done = run("dcmdrle", "+te", path, tmp_path / "theirs.dcm")
    assert done.returncode == 0, done.stderr
    syntax, data = sent(path, IMPLICIT, EXPLICIT)
    assert syntax == EXPLICIT
    with quietly():
        after = read_dataset(BytesIO(data), False, True)
        theirs = dcmread(tmp_path / "theirs.dcm")
    assert after.SOPInstanceUID == theirs.SOPInstanceUID
    assert samples(after) == samples(theirs)


def samples(dataset: Dataset) -> list[bytes]:
    """The planes of every frame, however the samples are arranged."""
    width, count = dataset.BitsAllocated // 8, dataset.SamplesPerPixel
    size = dataset.Rows * dataset.Columns * width
    frames = int(dataset.get("NumberOfFrames") or 1)
    planes = []
    for start in range(0, frames * count * size, count * size):
        frame = dataset.PixelData[start : start + count * size]
        assert len(frame) == count * size
        if dataset.get("PlanarConfiguration") == 1 or count == 1:
            planes += [frame[at : at + size] for at in range(0, count * size, size)]
        else:
            step = count * width
            planes += [
                b"".join(frame[at : at + width] for at in range(first, len(frame), step))
                for first in range(0, step, width)
            ]
    return planes


@pytest.mark.parametrize("syntax", [JPEG, BIG])
def test_what_needs_a_codec_or_other_byte_order_is_converted(syntax: str) -> None:
    pytest.importorskip("imagecodecs")
    path = SAMPLES[syntax][0]
    target, data = sent(path, EXPLICIT, IMPLICIT)
    assert target == EXPLICIT
    with quietly():
        before, after = dcmread(path), read_dataset(BytesIO(data), False, True)
    assert after.SOPInstanceUID == before.SOPInstanceUID
    samples = after.Rows * after.Columns * after.SamplesPerPixel * after.BitsAllocated // 8
    assert len(after.PixelData) == samples * int(after.get("NumberOfFrames") or 1)


def test_what_can_be_brought_into_nothing_accepted_is_not_sent() -> None:
    with pytest.raises(InputError, match=f"transfer syntax {JPEG} is not accepted"):
        sent(SAMPLES[JPEG][0], DEFLATED)


def test_rle_of_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT, "1.2.3"
    dataset.Rows = dataset.Columns = 65535
    dataset.BitsAllocated = 16
    dataset.add_new(0x7FE00010, "OB", encapsulate([bytes(64)]))
    dataset["PixelData"].is_undefined_length = True
    path = tmp_path / "large.dcm"
    path.write_bytes(file_meta(CT, "1.2.3", RLE) + written(dataset, LITTLE))
    with pytest.raises(InputError, match="pixels, and at most"):
        sent(path, EXPLICIT)


def test_deflated_bomb_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_cli.archive.outgoing._MAX_CONVERTED", 100_000)
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT, "1.2.3"
    dataset.add_new(0x7FE00010, "OW", bytes(1_000_000))
    path = tmp_path / "bomb.dcm"
    raw = zlib.compress(written(dataset, LITTLE), wbits=-15)
    path.write_bytes(file_meta(CT, "1.2.3", DEFLATED) + raw)
    with pytest.raises(InputError, match="longer than 100000"):
        sent(path, EXPLICIT)


def test_file_that_is_gone_damaged_or_anothers_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "object.dcm"
    source = SAMPLES[EXPLICIT][0]
    held = Held("1.2", "1.2.3", EXPLICIT, "")
    with pytest.raises(InputError, match="cannot be read"):
        Outgoing(held, path).open([EXPLICIT]).__enter__()
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="damaged"):
        Outgoing(held, path).open([EXPLICIT]).__enter__()
    path.write_bytes(source.read_bytes())
    with pytest.raises(InputError, match="another object"):
        Outgoing(held, path).open([EXPLICIT]).__enter__()
