"""`pacs storescu` to a peer that does not take what is stored as it is."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest

from pacs_cli.errors import Exit
from tests.pixels.images import UID, convert, encoded, image, noise, read, samples, write
from tests.support import CT, EXPLICIT, IMPLICIT, running_provider

imagecodecs = pytest.importorskip("imagecodecs")

STORED = ("j2k", "jpegls", "jpeg-lossless", "rle", "explicit", "implicit", "htj2k", "deflated")
GREY = noise((1, 40, 24), 12)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with an object in each of the syntaxes, and a JPEG."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number, name in enumerate(STORED):
        uid = f"1.2.3.{number}"
        data = encoded(image(GREY, 12, SOPInstanceUID=uid))
        write(folder / f"{name}.dcm", convert(data, "explicit", name), name, uid)
    eight = image(noise((1, 16, 16), 8), 8, SOPInstanceUID="1.2.3.99")
    jpeg = convert(encoded(eight), "explicit", "jpeg", uid="keep")
    write(folder / "jpeg.dcm", jpeg, "jpeg", "1.2.3.99")
    return folder


@pytest.mark.parametrize("jobs", [1, 2])
def test_peer_that_takes_implicit_only_gets_everything(pacs, scans, jobs):
    with running_provider(syntaxes=(IMPLICIT,)) as running:
        port = running.listener.port
        result = pacs("storescu", "127.0.0.1", port, scans, "--json", "--jobs", jobs)
    assert result.exit == Exit.OK, result.stderr
    received = {request.affected_sop_instance_uid: data for request, data in running.handler.stored}
    assert len(received) == len(STORED) + 1
    for number in range(len(STORED)):
        assert numpy.array_equal(samples(received[f"1.2.3.{number}"], "implicit"), GREY)
    jpeg = next(each for each in scans.iterdir() if each.name == "jpeg.dcm")
    whole = jpeg.read_bytes()
    stored = samples(whole[whole.index(b"\x08\x00\x08\x00CS") :], "jpeg")
    assert numpy.array_equal(samples(received["1.2.3.99"], "implicit"), stored)
    assert read(received["1.2.3.99"], "implicit").LossyImageCompression == "01"
    converted = {
        Path(each["path"]).stem: each["converted_to"]
        for each in result.json
        if each["type"] == "file"
    }
    assert converted.pop("implicit") is None
    assert set(converted.values()) == {IMPLICIT}
    assert result.json[-1]["converted"] == len(STORED)


def test_never_transcode_lists_what_was_refused(pacs, scans):
    with running_provider(syntaxes=(IMPLICIT,)) as running:
        port = running.listener.port
        result = pacs("storescu", "127.0.0.1", port, scans, "--json", "--never-transcode")
    assert result.exit == Exit.SOME_FAILED
    assert len(running.handler.stored) == 1
    failed = [each for each in result.json if each["type"] == "file" and each["error"]]
    assert len(failed) == len(STORED)
    assert all("did not accept" in each["error"] for each in failed)


def test_explicit_is_preferred_and_what_is_accepted_goes_as_it_is(pacs, scans):
    with running_provider(syntaxes=(EXPLICIT, IMPLICIT, UID["j2k"])) as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, scans)
    assert result.exit == Exit.OK
    got = {each.affected_sop_instance_uid: each for each, _ in running.handler.stored}
    assert got["1.2.3.0"].transfer_syntax_uid == UID["j2k"]
    assert got["1.2.3.1"].transfer_syntax_uid == EXPLICIT
    assert "converted for the peer" in result.stdout


def test_damaged_object_fails_alone(pacs, scans):
    path = scans / "jpegls.dcm"
    path.write_bytes(path.read_bytes()[:-40] + bytes(32) + b"\xfe\xff\xdd\xe0\0\0\0\0")
    with running_provider(syntaxes=(IMPLICIT,)) as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, scans, "--json")
    assert result.exit == Exit.SOME_FAILED
    assert len(running.handler.stored) == len(STORED)
    (failed,) = [each for each in result.json if each["type"] == "file" and each["error"]]
    assert failed["path"] == str(path)
    assert failed["sop_class_uid"] == CT


def test_edits_are_made_to_what_is_converted(pacs, scans):
    with running_provider(syntaxes=(IMPLICIT,)) as running:
        args = (scans / "j2k.dcm", "--set", "PatientID=OTHER")
        assert pacs("storescu", "127.0.0.1", running.listener.port, *args).exit == Exit.OK
    (_, data) = running.handler.stored[0]
    assert read(data, "implicit").PatientID == "OTHER"
    assert numpy.array_equal(samples(data, "implicit"), GREY)
