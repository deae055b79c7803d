"""Where the scenarios run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conftest import Pacs
from tests.contract.scenarios import Place
from tests.interop.peers import Archive, free_port, pacs_storescp
from tests.support import CT, MR
from tests.writing import write_object


@pytest.fixture(scope="module")
def destination() -> int:
    """A port to which the archive moves what PACS asks for."""
    return free_port()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, destination: int):
    """An archive that two scans were sent to."""
    folder = tmp_path_factory.mktemp("archive")
    options = ("--aet", "ARCHIVE", "--qr", "--move-to", f"PACS@127.0.0.1:{destination}")
    with pacs_storescp(folder, *options) as running:
        yield running


@pytest.fixture
def place(pacs: Pacs, tmp_path: Path, archive: Archive, destination: int):
    scans = tmp_path / "scans"
    scans.mkdir()
    write_object(scans / "ct.dcm", CT, "1.2.3.1")
    write_object(scans / "mr.dcm", MR, "1.2.3.2")
    os.mkfifo(scans / "pipe")
    made = Place(pacs, tmp_path, archive, destination)
    assert pacs("storescu", made.peer, scans).exit == 0
    return made
