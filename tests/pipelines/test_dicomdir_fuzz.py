"""Broken DICOMDIRs lead nowhere outside their folder, and raise nothing but InputError.

Runs short and the same in each run, and long and different with `-m slow`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings

from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.errors import InputError
from pacs_cli.pipelines.dicomdir import dataset_of, referenced_files
from pacs_cli.pipelines.media import read_records
from tests.dicom.datasets import LITTLE, sequence
from tests.dicom.test_elements_fuzz import BREAKS, Break, Seed, broken, headers, runs
from tests.fuzz.targets.dicomdir import META
from tests.pipelines.test_dicomdir import DISCS, record


@cache
def seeds() -> list[Seed]:
    """DICOMDIRs of ours, and the beginnings of pydicom's, with where their elements begin."""
    ours = (
        record("A\\B"),
        record(None, kind="STUDY"),
        record("..\\..\\X"),
        record("A\\" * 40 + "B"),
    )
    whole = [META + sequence(LITTLE, 0x00041220, *ours)]
    whole += [(DISCS / name).read_bytes()[:5000] for name in ("DICOMDIR", "DICOMDIR-implicit")]
    found = []
    for each in whole:
        start, syntax = dataset_of(each)
        data = headers(each[start:], encoding_of(syntax))
        found.append((each, [128, 132, *(start + at for at in data)]))
    return found


@runs(300, 20_000)
def test_broken_dicomdirs_stay_inside(
    run: settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("disc")
    (folder / "A").mkdir()
    (folder / "A" / "B").touch()
    (folder / "LINK").symlink_to("/")
    path = str(folder / "DICOMDIR")

    @run
    @given(BREAKS)
    def check(changes: Break) -> None:
        Path(path).write_bytes(broken(seeds(), changes))
        try:
            for found, problem in referenced_files(path):
                assert problem or Path(found).resolve().is_relative_to(folder)
        except InputError:
            pass
        try:
            for each in read_records(path):
                assert (
                    each.problem
                    or not each.path
                    or Path(each.path).resolve().is_relative_to(folder)
                )
        except InputError:
            pass

    check()
