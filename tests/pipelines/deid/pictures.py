"""Images whose pixels are to be cleaned, and independent readings of them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs_cli.dicom.identifier import quietly
from pacs_cli.dicom.part10 import file_meta
from tests.pixels.images import UID, encoded

US = "1.2.840.10008.5.1.4.1.1.6.1"


def region(x0: int, y0: int, x1: int, y1: int) -> Dataset:
    item = Dataset()
    item.RegionLocationMinX0, item.RegionLocationMinY0 = x0, y0
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = x1, y1
    return item


def ultrasound(dataset: Dataset, *boxes: tuple[int, int, int, int]) -> Dataset:
    """The data set as an ultrasound image with these regions."""
    dataset.SOPClassUID, dataset.Modality = US, "US"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.826.0.1.7", "1.2.826.0.1.8"
    dataset.SequenceOfUltrasoundRegions = Sequence([region(*box) for box in boxes])
    return dataset


def save(path: Path, data: bytes, syntax: str = "explicit") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file_meta(US, "1.2.826.0.1.3680043.10.9.1", UID[syntax]) + data)
    return path


def save_dataset(path: Path, dataset: Dataset, syntax: str = "explicit") -> Path:
    return save(path, encoded(dataset, UID[syntax]), syntax)


def pydicoms(content: bytes) -> Any:
    """The samples as pydicom decodes them, without a change of colours."""
    with quietly():
        dataset = dcmread(BytesIO(content))
        dataset.pixel_array_options(raw=True)
        return numpy.array(dataset.pixel_array)
