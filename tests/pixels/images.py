"""Images made in code, and what decodes them again."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from pacs_cli.dicom.identifier import quietly
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.pixels.syntaxes import TABLE
from pacs_cli.pixels.transcoding import Options, transcode
from tests.support import CT, EXPLICIT, IMPLICIT

UID = {each.name: each.uid for each in TABLE}
LOSSLESS = [each for each in TABLE if each.is_encoded and not each.is_lossy]
LOSSY = [each for each in TABLE if each.is_lossy and each.name != "jpegxl-recompress"]


def noise(shape: tuple[int, ...], bits: int, signed: bool = False, seed: int = 7) -> Any:
    """A ramp with noise, that fills its bits."""
    random = numpy.random.default_rng(seed)
    top = 1 << bits
    ramp = numpy.linspace(0, top - 1, int(numpy.prod(shape))).reshape(shape)
    values = numpy.clip(ramp + random.integers(-3, 4, shape), 0, top - 1).astype(numpy.int64)
    values.flat[0], values.flat[-1] = 0, top - 1
    if signed:
        values -= top // 2
    size = 1 if bits <= 8 else 2 if bits <= 16 else 4
    return values.astype(f"{'i' if signed else 'u'}{size}")


def image(pixels: Any, bits: int, photometric: str = "MONOCHROME2", **more: Any) -> Dataset:
    """A data set with these pixels, (frames, rows, columns[, 3])."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT, "1.2.826.0.1.3680043.10.9.1"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.PatientName, dataset.PatientID = "Made^Up", "TEST-1"
    dataset.SamplesPerPixel = 3 if pixels.ndim == 4 else 1
    dataset.PhotometricInterpretation = photometric
    if pixels.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = pixels.shape[:3]
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    raw = pixels.tobytes()
    dataset.PixelData = raw + bytes(len(raw) % 2)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    return dataset


def encoded(dataset: Dataset, uid: str = EXPLICIT) -> bytes:
    """The data set's bytes in a syntax of which it is already."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = uid == IMPLICIT, uid != UID["big"]
    with quietly():
        write_dataset(file, dataset)
    return file.getvalue()


def convert(data: bytes, source: str, target: str, **options: Any) -> bytes:
    """The bytes of a data set in another syntax, both by short name."""
    result = transcode(memoryview(data), UID[source], UID[target], Options(**options))
    return b"".join(list(result.buffers))


def read(data: bytes, name: str) -> Dataset:
    """pydicom's reading of the bytes of a data set."""
    with quietly():
        meta = file_meta(CT, "1.2.3", UID[name])
        return dcmread(BytesIO(meta + data), force=True)


def samples(data: bytes, name: str) -> Any:
    """The samples as they are native, through our decoder: (frames, rows, columns[, 3])."""
    native = read(data if name == "explicit" else convert(data, name, "explicit"), "explicit")
    kind = f"<{'i' if native.PixelRepresentation else 'u'}{native.BitsAllocated // 8}"
    shape = [int(native.get("NumberOfFrames") or 1), native.Rows, native.Columns]
    if native.SamplesPerPixel > 1:
        shape.append(native.SamplesPerPixel)
    size = int(numpy.prod(shape)) * native.BitsAllocated // 8
    return numpy.frombuffer(native.PixelData[:size], kind).reshape(shape)


def write(path: Path, data: bytes, name: str, uid: str = "1.2.826.0.1.3680043.10.9.1") -> Path:
    """A file of a data set."""
    path.write_bytes(file_meta(CT, uid, UID[name]) + data)
    return path


def wrapped(dataset: Dataset, frames: list[bytes], fragments: int = 1, table: bool = True) -> bytes:
    """A data set with these codestreams in place of its pixels."""
    data = encapsulate(frames, fragments_per_frame=fragments, has_bot=table)
    dataset.PixelData = data
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
    return encoded(dataset)
