"""`pacs demo` through its entry point."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support import CT, MR
from tests.writing import dataset, write_object


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A temporary folder of the test's own, to see that nothing is left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_samples_are_sent_stored_indexed_and_equal(pacs, temporary):
    result = pacs("demo", "--json")
    assert result.exit == 0, result.stderr
    summary = result.json[-1]
    assert summary["type"] == "summary"
    assert 3 * summary["stored"] == summary["equal"] > 180
    assert (summary["failed"], summary["different"]) == (0, 0)
    series = [line for line in result.json if line["type"] == "series"]
    assert sum(line["instances"] for line in series) == summary["stored"]
    steps = {line["type"]: line["count"] for line in result.json if "count" in line}
    assert steps["move"] == steps["get"] == summary["stored"]
    assert steps["find"] == len({line["study_instance_uid"] for line in series})
    assert list(temporary.iterdir()) == []


def test_own_files_are_listed_and_left_as_they_are(pacs, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    path = write_object(folder / "a.dcm", CT, "1.2.3.1")
    write_object(folder / "b.dcm", MR, "1.2.3.2")
    before = path.read_bytes()
    result = pacs("demo", folder)
    assert result.exit == 0, result.stderr
    assert "Made^Up" in result.stdout
    assert "6 data sets equal byte for byte, 0 different" in result.stdout
    assert path.read_bytes() == before


def test_object_that_is_refused_is_said_and_the_rest_compared(pacs, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    write_object(folder / "a.dcm", CT, "1.2.3.1")
    other = write_object(folder / "b.dcm", CT, "1.2.3.1", pixels=b"\1" * 64)
    result = pacs("demo", folder)
    assert result.exit == 1
    assert f"{other} was not stored: 0111H duplicate SOP instance" in result.stderr
    assert "3 data sets equal byte for byte" in result.stdout


def test_nothing_to_send_is_bad_input(pacs, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert pacs("demo", empty).exit == 6


def test_demo_runs_as_a_program(tmp_path):
    path = Path(tmp_path / "a.dcm")
    write_object(path, CT, "1.2.3.1")
    done = subprocess.run(
        [sys.executable, "-m", "pacs_cli", "demo", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert dataset(CT, "1.2.3.1") in path.read_bytes()


def test_object_that_does_not_come_round_is_missed(pacs, tmp_path, monkeypatch):
    """Whatever the archives say of it: here one claims to have moved what it has not."""
    folder = tmp_path / "own"
    folder.mkdir()
    path = write_object(folder / "a.dcm", CT, "1.2.3.1")
    monkeypatch.setattr("pacs_cli.services.retrieve_scp.Destination.send", lambda *_: 0)
    result = pacs("demo", folder)
    assert result.exit == 1
    assert f"{path} did not come to the archive in" in result.stderr
    assert "2 data sets equal byte for byte, 1 different" in result.stdout


def test_step_that_fails_is_told_and_the_rest_compared(pacs, tmp_path, monkeypatch):
    folder = tmp_path / "own"
    folder.mkdir()
    write_object(folder / "a.dcm", CT, "1.2.3.1")
    monkeypatch.setattr("pacs_cli.services.retrieve_scp.Destination.send", lambda *_: 0xA700)
    result = pacs("demo", folder)
    assert result.exit == 5
    assert "A702" in result.stderr
    assert "1 data sets equal byte for byte, 2 different" in result.stdout
