"""DCMTK on the other end, both ways."""

from __future__ import annotations

import json

import pytest

from pacs_cli.dicom.part10 import probe
from tests.interop.peers import dcmtk_storescp, pacs_storescp, run, run_pacs
from tests.samples import dataset_bytes, storable

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def samples():
    """A few real files that DCMTK takes as well: uncompressed and compressed."""
    names = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "MR_small_bigendian.dcm")
    return [sample for sample in storable() if sample.name in names]


def test_echoscu_of_dcmtk_is_answered(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--aet", "MINE", "--check-called") as archive:
        assert run("echoscu", "-aec", "MINE", "127.0.0.1", str(archive.port)).returncode == 0
        assert run("echoscu", "-aec", "OTHER", "127.0.0.1", str(archive.port)).returncode != 0
        assert archive.stop() == 0
    assert len(archive.kind("echo")) == 1
    assert archive.kind("association_rejected")[0]["reason"] == 7


@pytest.mark.parametrize(
    "sender",
    [("storescu", "-R", "-xw", "-nh"), ("dcmsend", "-dn", "-nh")],
    ids=["storescu", "dcmsend"],
)
def test_senders_of_dcmtk_are_stored(tmp_path, sender):
    files = [s for s in storable() if s.name in ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm")]
    program, *options = sender
    with pacs_storescp(tmp_path / "archive") as archive:
        done = run(program, *options, "127.0.0.1", str(archive.port), *files)
        assert archive.stop() == 0
    assert done.returncode == 0, done.stderr
    stored = archive.files()
    for file in files:
        header = probe(file)
        kept = stored[header.sop_instance_uid]
        assert probe(kept).transfer_syntax_uid == header.transfer_syntax_uid
    assert {event["status"] for event in archive.kind("instance")} == {"0000"}


def test_bytes_of_dcmtk_storescu_are_kept_as_received(tmp_path):
    """DCMTK re-encodes on reading; what it sends for its own file again is the same bytes."""
    with dcmtk_storescp(tmp_path / "first", "+xa") as port:
        ours = next(s for s in storable() if s.name == "CT_small.dcm")
        assert run_pacs("storescu", "127.0.0.1", port, ours).returncode == 0
    (received,) = [path for path in (tmp_path / "first").iterdir() if path.is_file()]
    assert dataset_bytes(received) == dataset_bytes(ours)


def test_echo_to_dcmtk_succeeds(tmp_path):
    with dcmtk_storescp(tmp_path / "dcmtk") as port:
        done = run_pacs("echoscu", "127.0.0.1", port, "--repeat", "3", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [line["type"] for line in lines] == ["echo"] * 3 + ["summary"]
    assert lines[-1]["succeeded"] == 3


@pytest.mark.parametrize("tuned", [False, True])
def test_files_sent_to_dcmtk_arrive_byte_for_byte(tmp_path, samples, tuned):
    with dcmtk_storescp(tmp_path / "dcmtk", "+xa", tuned=tuned) as port:
        done = run_pacs("storescu", "127.0.0.1", port, *samples, "--json")
    assert done.returncode == 0, done.stderr
    received = {
        probe(path).sop_instance_uid: path
        for path in (tmp_path / "dcmtk").iterdir()
        if path.is_file()
    }
    assert {uid: dataset_bytes(path) for uid, path in received.items()} == {
        probe(sample).sop_instance_uid: dataset_bytes(sample) for sample in samples
    }


def test_storescu_says_what_dcmtk_refuses(tmp_path):
    deflated = next(s for s in storable() if s.name == "JPEG2000.dcm")
    with dcmtk_storescp(tmp_path / "dcmtk", "+xi") as port:
        done = run_pacs("storescu", "--never-transcode", "127.0.0.1", port, deflated)
    assert done.returncode == 4
    assert "did not accept SOP class" in done.stderr


def test_dcmtk_that_refuses_or_aborts_gives_its_exit_code(tmp_path):
    ct = next(s for s in storable() if s.name == "CT_small.dcm")
    with dcmtk_storescp(tmp_path / "refusing", "--refuse") as port:
        done = run_pacs("storescu", "127.0.0.1", port, ct)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "rejected" in done.stderr
    with dcmtk_storescp(tmp_path / "aborting", "--abort-during") as port:
        done = run_pacs("storescu", "127.0.0.1", port, ct)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
