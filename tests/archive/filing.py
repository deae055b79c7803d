"""Folders of small objects, and an index of them made by the real command's engine."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pacs_cli.archive.catalog import open_for_writing
from pacs_cli.archive.filing import File, Filed, Filing
from pacs_cli.archive.reading import FileReader
from pacs_cli.dicom.part10 import file_meta
from tests.support import CT, EXPLICIT, MR
from tests.writing import element

BASE = "1.2.826.0.1.3680043.10.9"


def object_bytes(patient: int, study: int, series: int, number: int, seed: int = 0) -> bytes:
    """A whole small file; every number begins at 1, `seed` changes its pixels."""
    sop_class, modality = (CT, "CT") if series % 2 else (MR, "MR")
    study_uid = f"{BASE}.{patient}.{study}"
    uid = f"{study_uid}.{series}.{number}"
    dataset = (
        element(0x00080016, "UI", sop_class),
        element(0x00080018, "UI", uid),
        element(0x00080020, "DA", f"2026{study % 12 + 1:02}{patient % 28 + 1:02}"),
        element(0x00080060, "CS", modality),
        element(0x00080070, "LO", f"Maker {number}"),
        element(0x00100010, "PN", f"Made{patient}^Up"),
        element(0x00100020, "LO", f"TEST-{patient}"),
        element(0x0020000D, "UI", study_uid),
        element(0x0020000E, "UI", f"{study_uid}.{series}"),
        element(0x00200010, "SH", str(study)),
        element(0x00200011, "IS", str(series)),
        element(0x00200013, "IS", str(number)),
        element(0x7FE00010, "OW", random.Random(seed).randbytes(64)),
    )
    return file_meta(sop_class, uid, EXPLICIT) + b"".join(dataset)


def write_tree(
    root: Path, patients: int, studies: int = 1, series: int = 2, images: int = 2
) -> int:
    """Write as many objects as that makes; return their number."""
    count = 0
    for patient in range(1, patients + 1):
        for study in range(1, studies + 1):
            folder = root / f"P{patient}" / f"S{study}"
            folder.mkdir(parents=True, exist_ok=True)
            for each in range(1, series + 1):
                for number in range(1, images + 1):
                    path = folder / f"I{each}_{number}"
                    path.write_bytes(object_bytes(patient, study, each, number))
                    count += 1
    return count


def files_of(*paths: Path) -> Iterable[File]:
    """The files below some folders, or these themselves."""
    for path in paths:
        for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if each.is_file():
                status = each.stat()
                yield File(str(each), status.st_size, status.st_mtime_ns)


class Reads:
    """Reads in this process, and remembers what."""

    def __init__(self, hashes: bool = False) -> None:
        self.paths: list[str] = []
        self._work = FileReader(hashes)

    def __call__(self, batches):
        for batch in batches:
            self.paths += batch.paths()
            yield batch, self._work(batch.paths())


def index_files(db: Path, *paths: Path, hashes: bool = False) -> tuple[Counter[str], list[Filed]]:
    """Add files to an index; return how many became what, and each."""
    with open_for_writing(db) as catalog:
        filed = list(Filing(catalog, Reads(hashes), hashes).add(files_of(*paths)))
    return Counter(str(each.outcome) for each in filed), filed


def touch(path: Path) -> None:
    """Have a file look changed."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))
