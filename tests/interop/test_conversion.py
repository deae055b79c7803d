"""`pacs storescp --qr` sends what it holds compressed to a destination that takes no such thing."""

from __future__ import annotations

import numpy
import pytest
from pydicom import dcmread

from pacs_cli.dicom.part10 import probe
from tests.interop.peers import dcmtk_storescp, pacs_storescp, run, run_pacs
from tests.pixels.images import UID, convert, encoded, image, noise, samples, write

pytestmark = pytest.mark.interop
pytest.importorskip("imagecodecs")

GREY = noise((1, 40, 24), 12)
STORED = ("j2k", "jpegls", "jpeg-lossless", "rle", "htj2k", "deflated", "explicit")
STUDY = "1.2.826.0.1.3680043.10.9.5"


def test_move_to_a_destination_of_implicit_vr_alone_converts(tmp_path):
    scans, got = tmp_path / "scans", tmp_path / "got"
    scans.mkdir()
    for number, name in enumerate(STORED):
        uid = f"{STUDY}.{number}"
        dataset = image(GREY, 12, SOPInstanceUID=uid, StudyInstanceUID=STUDY)
        dataset.SeriesInstanceUID = f"{STUDY}.99"
        write(scans / f"{name}.dcm", convert(encoded(dataset), "explicit", name), name, uid)
    with dcmtk_storescp(got, "+xi") as destination:
        options = ("--qr", "--aet", "PACS", "--move-to", f"DCMTK@127.0.0.1:{destination}")
        with pacs_storescp(tmp_path / "held", *options) as archive:
            assert run_pacs("storescu", "127.0.0.1", archive.port, scans).returncode == 0
            done = run(
                *("movescu", "-S", "-aec", "PACS", "-aem", "DCMTK", "127.0.0.1"),
                *(str(archive.port), "-k", "QueryRetrieveLevel=STUDY"),
                *("-k", f"StudyInstanceUID={STUDY}"),
            )
            assert done.returncode == 0, done.stderr
    found = {}
    for path in got.iterdir():
        header = probe(path)
        assert header.transfer_syntax_uid == UID["implicit"]
        data = path.read_bytes()[header.dataset_offset :]
        found[str(dcmread(path).SOPInstanceUID)] = samples(data, "implicit")
    assert set(found) == {f"{STUDY}.{number}" for number in range(len(STORED))}
    assert all(numpy.array_equal(each, GREY) for each in found.values())
