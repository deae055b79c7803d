"""The CSV file of what was done: whole or not there, and never in place of something else."""

from __future__ import annotations

import csv
import os
import resource
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_cli.errors import OutputError
from pacs_cli.pipelines.table import TableFile


def rows(path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_when_it_is_finished(tmp_path):
    path = tmp_path / "a.csv"
    table = TableFile(path)
    table.add({"path": "x", "status": None, "bytes": 3})
    table.add({"path": 'y,\n"z', "status": "0000", "bytes": 4})
    assert not path.exists()
    table.finish()
    assert rows(path) == [["path", "status", "bytes"], ["x", "", "3"], ['y,\n"z', "0000", "4"]]
    assert names(tmp_path) == ["a.csv"]


def test_what_was_there_stays_until_then_and_when_it_is_discarded(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("before")
    table = TableFile(path)
    table.add({"path": "x"})
    assert path.read_text() == "before"
    table.discard()
    assert path.read_text() == "before"
    assert names(tmp_path) == ["a.csv"]
    table = TableFile(path)
    table.finish()
    assert path.read_text() == ""


def test_names_keep_their_bytes(tmp_path):
    path = tmp_path / "a.csv"
    table = TableFile(path)
    table.add({"path": os.fsdecode(b"\xff\xfe\xc3\xa4")})
    table.finish()
    assert path.read_bytes() == b"path\n\xff\xfe\xc3\xa4\n"


def test_file_may_be_read_as_any_other(tmp_path):
    mask = os.umask(0o027)
    try:
        TableFile(tmp_path / "a.csv").finish()
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o640


def test_link_stays_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link.csv").symlink_to("elsewhere/a.csv")
    TableFile(tmp_path / "link.csv").finish()
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "elsewhere" / "a.csv").is_file()


@pytest.mark.parametrize("name", ["missing/a.csv", "folder", "fifo", "file/a.csv", "n" * 300])
def test_what_cannot_be_written_is_said_at_once(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    before = names(tmp_path)
    with pytest.raises(OutputError, match=r"^cannot write "):
        TableFile(tmp_path / name)
    assert names(tmp_path) == before


def test_device_is_not_replaced():
    with pytest.raises(OutputError, match="not a regular file"):
        TableFile(Path("/dev/null"))
    assert not Path("/dev/null").is_file()


@contextmanager
def small_files() -> Iterator[None]:
    """Let no file become longer than 4 KiB, as on a disk that is full.

    Inside a test only: what pytest writes to, in between, may be a file too.
    """
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.skipif(sys.platform != "linux", reason="how limits are told differs")
def test_full_disk_is_an_error_and_leaves_nothing_behind(tmp_path):
    table = TableFile(tmp_path / "a.csv")
    with small_files():
        with pytest.raises(OutputError, match=r"cannot write .*a\.csv: file too large"):
            for number in range(10_000):
                table.add({"path": f"a file of some length, number {number}"})
        with pytest.raises(OutputError):
            table.finish()
    assert names(tmp_path) == []
