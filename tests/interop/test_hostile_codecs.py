"""Codecs that really crash, hang or take all memory, under every command that decodes.

The programs run as their users run them, with a library in place of imagecodecs whose JPEG-LS
decoder does that in C; the other file of each run is not to notice.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.peers import PACS, Archive, dcmtk_storescp, run_pacs
from tests.pipelines.deid.test_pixels import INSIDE, KEPT, ultrasound
from tests.pixels.images import convert, encoded, image, noise, samples, write
from tests.samples import dataset_bytes
from tests.support import CT

pytest.importorskip("imagecodecs")

BAD, GOOD = "1.2.826.0.1.3680043.10.9.1", "1.2.826.0.1.3680043.10.9.2"
LIBRARY = """
import ctypes

def jpegls_decode(data, *_, **__):
    ctypes.string_at(0)
"""


@pytest.fixture
def library(tmp_path):
    """The environment in which imagecodecs is that."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "imagecodecs.py").write_text(LIBRARY)
    return {**os.environ, "PYTHONPATH": str(folder), "XDG_CONFIG_HOME": str(tmp_path)}


@pytest.fixture
def scans(tmp_path):
    """An image in JPEG-LS and one that nothing has to decode."""
    folder = tmp_path / "in"
    folder.mkdir()
    for uid, name in ((BAD, "jpegls"), (GOOD, "explicit")):
        made = ultrasound(image(noise((2, 24, 32), 12), 12), KEPT)
        made.SOPClassUID, made.SOPInstanceUID = CT, uid
        made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.4"
        data = encoded(made)
        data = data if name == "explicit" else convert(data, "explicit", name)
        write(folder / f"{name}.dcm", data, name, uid)
    return folder


def pacs(environment, *arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PACS, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_transcode_goes_on(library, scans, tmp_path):
    done = pacs(library, "transcode", scans, tmp_path / "out", "--to", "implicit")
    assert done.returncode == 1, done.stderr
    assert "jpegls.dcm: its decoder crashed, SIGSEGV" in done.stderr + done.stdout
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["explicit.dcm"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_anonymize_withholds_the_file_and_goes_on(library, scans, tmp_path, jobs):
    options = ("--clean", "pixels", "-j", jobs)
    done = pacs(library, "anonymize", scans, tmp_path / "out", *options, "--json")
    assert done.returncode == 1, done.stderr
    assert "cannot clean its pixels: its decoder crashed, SIGSEGV" in done.stdout
    (out,) = (tmp_path / "out").rglob("*.dcm")
    native = samples(dataset_bytes(scans / "explicit.dcm"), "explicit")
    after = samples(dataset_bytes(out), "explicit")
    assert (after[:, INSIDE[0], INSIDE[1]] == native[:, INSIDE[0], INSIDE[1]]).all()


def test_diff_goes_on(pacs, scans, tmp_path, monkeypatch):
    monkeypatch.setattr("pacs_cli.pipelines.pixel_compare._WORK", "tests.pixels.hostile_work:crash")
    other = tmp_path / "other"
    other.mkdir()
    for name in ("jpegls", "explicit"):
        (other / f"{name}.dcm").write_bytes((scans / f"{name}.dcm").read_bytes())
    changed = bytearray((other / "jpegls.dcm").read_bytes())
    changed[-20] ^= 1
    (other / "jpegls.dcm").write_bytes(changed)
    done = pacs("diff", scans, other, "--pixels", "--json")
    assert done.exit == 6
    errors = [each for each in done.json if each["type"] == "error"]
    assert [each["message"].partition(": ")[2] for each in errors] == [
        "its decoder crashed, SIGSEGV"
    ]
    assert (done.json[-1]["compared"], done.json[-1]["equal"]) == (2, 1)


@pytest.mark.interop
def test_storescu_sends_the_others(library, scans, tmp_path):
    with dcmtk_storescp(tmp_path / "peer") as port:
        done = pacs(library, "storescu", "127.0.0.1", port, scans)
    assert done.returncode == 1, done.stderr
    assert "its decoder crashed, SIGSEGV" in done.stderr + done.stdout
    assert [GOOD in each.name for each in (tmp_path / "peer").iterdir()] == [True]


@contextmanager
def archive_with(environment, folder: Path, *options: str):
    command = (*PACS, "storescp", "0", "--out", str(folder), "--json", "--qr", *options)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        archive = Archive(process, folder)
        try:
            yield archive
        finally:
            archive.stop()


@pytest.mark.interop
def test_storescp_moves_the_others_and_serves_on(library, scans, tmp_path):
    peer = tmp_path / "peer"
    with dcmtk_storescp(peer) as port:
        move_to = ("--move-to", f"PEER@127.0.0.1:{port}")
        with archive_with(library, tmp_path / "archive", *move_to) as archive:
            assert run_pacs("storescu", "127.0.0.1", archive.port, scans).returncode == 0
            move = ("movescu", "127.0.0.1", archive.port, "--dest", "PEER")
            done = run_pacs(*move, "-k", "StudyInstanceUID=1.2.3", "--json")
            assert done.returncode == 1, done.stderr
            assert BAD in done.stdout
            assert run_pacs("echoscu", "127.0.0.1", archive.port).returncode == 0
            assert archive.stop() == 0
    assert [GOOD in each.name for each in peer.iterdir()] == [True]
