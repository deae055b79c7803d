"""Orthanc on the other end."""

from __future__ import annotations

import pytest

from tests.interop.peers import orthanc, run_pacs
from tests.samples import storable

pytestmark = pytest.mark.interop

NAMES = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "MR_small_bigendian.dcm", "rtplan.dcm")


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with orthanc(tmp_path_factory.mktemp("orthanc")) as port:
        yield port


def test_echo_to_orthanc_succeeds(port):
    done = run_pacs("echoscu", f"ORTHANC@127.0.0.1:{port}", "--repeat", "3")
    assert done.returncode == 0, done.stderr


def test_wrong_title_is_rejected_by_orthanc(port):
    done = run_pacs("echoscu", f"WRONG@127.0.0.1:{port}")
    assert done.returncode == 4
    assert "called AE title not recognised" in done.stderr


def test_files_are_stored_by_orthanc(port):
    samples = [sample for sample in storable() if sample.name in NAMES]
    done = run_pacs("storescu", f"ORTHANC@127.0.0.1:{port}", *samples)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"stored {len(samples)}, failed 0")
