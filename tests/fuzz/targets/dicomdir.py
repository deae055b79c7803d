"""A DICOMDIR: its tree of records, and the files that it refers to, none outside its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import InputError
from pacs_cli.pipelines.dicomdir import referenced_files
from pacs_cli.pipelines.media import read_records
from tests.dicom.datasets import LITTLE, sequence
from tests.fuzz.scratch import folder, written
from tests.pipelines.test_dicomdir import DISCS, record

META = file_meta("1.2.840.10008.1.3.10", "1.2.3", "1.2.840.10008.1.2.1")


def seeds() -> Iterator[bytes]:
    records = (record("A\\B"), record(None, kind="STUDY"), record("C", in_use=0))
    yield META + sequence(LITTLE, 0x00041220, *records)
    yield META + sequence(LITTLE, 0x00041220, record("..\\..\\ETC\\PASSWD"))
    for name in ("DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit"):
        # a few records: the whole has 50
        yield (DISCS / name).read_bytes()[:6000]


def check(data: bytes) -> None:
    path = str(written(data, "DICOMDIR"))
    try:
        for found, problem in referenced_files(path):
            assert problem or Path(found).resolve().is_relative_to(folder().resolve())
    except InputError:
        pass
    try:
        for each in read_records(path):
            assert each.depth < 64
    except InputError:
        pass
