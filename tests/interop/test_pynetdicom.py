"""pynetdicom on the other end, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.dsutils import encode

from pacs_cli.dicom.part10 import probe
from tests.interop.peers import pacs_storescp, run_pacs
from tests.samples import dataset_bytes, storable
from tests.support import CT, VERIFICATION

pytestmark = pytest.mark.interop

SYNTAXES = sorted({probe(sample).transfer_syntax_uid for sample in storable()})
CLASSES = sorted({probe(sample).sop_class_uid for sample in storable()})


@contextmanager
def pynetdicom_scp(received: list[bytes], status: int = 0) -> Iterator[int]:
    """A pynetdicom receiver of everything the samples need."""

    def store(event: evt.Event) -> int:
        received.append(event.request.DataSet.getvalue())
        return status

    ae = AE("PYNETDICOM")
    ae.add_supported_context(VERIFICATION)
    for sop_class in CLASSES:
        ae.add_supported_context(sop_class, SYNTAXES)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


def test_echo_to_pynetdicom_succeeds():
    with pynetdicom_scp([]) as port:
        assert run_pacs("echoscu", "127.0.0.1", port, "--repeat", "5").returncode == 0


def test_every_sample_arrives_at_pynetdicom_byte_for_byte():
    received: list[bytes] = []
    with pynetdicom_scp(received) as port:
        done = run_pacs("storescu", "127.0.0.1", port, *storable())
    assert done.returncode == 0, done.stderr
    assert sorted(received) == sorted(dataset_bytes(sample) for sample in storable())


def test_failure_of_pynetdicom_is_our_failure():
    ct = next(sample for sample in storable() if sample.name == "CT_small.dcm")
    with pynetdicom_scp([], status=0xC210) as port:
        done = run_pacs("storescu", "127.0.0.1", port, ct)
    assert done.returncode == 5
    assert "C210H" in done.stderr


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
    ids=lambda uid: uid.name,
)
def test_pynetdicom_stores_into_our_archive(tmp_path, syntax):
    sample = next(
        sample
        for sample in storable()
        if probe(sample).transfer_syntax_uid == syntax
        and probe(sample).sop_class_uid in CLASSES
        and _has_study(sample)
    )
    dataset = dcmread(sample)
    with pacs_storescp(tmp_path / "archive") as archive:
        ae = AE("SENDER")
        ae.add_requested_context(dataset.SOPClassUID, syntax)
        ae.add_requested_context(VERIFICATION)
        association = ae.associate("127.0.0.1", archive.port, ae_title="ARCHIVE")
        assert association.is_established
        assert association.send_c_echo().Status == 0
        assert association.send_c_store(dataset).Status == 0
        association.release()
        assert archive.stop() == 0
    (event,) = archive.kind("instance")
    assert (event["status"], event["transfer_syntax_uid"]) == ("0000", syntax)
    kept = archive.files()[dataset.SOPInstanceUID]
    sent = encode(
        dataset, syntax.is_implicit_VR, syntax.is_little_endian, deflated=syntax.is_deflated
    )
    assert dataset_bytes(kept) == sent
    assert dcmread(kept).file_meta.SourceApplicationEntityTitle == "SENDER"


def _has_study(sample) -> bool:
    return bool(dcmread(sample, stop_before_pixels=True).get("StudyInstanceUID"))


def test_roles_that_pynetdicom_proposes_are_answered_as_scp_only(tmp_path):
    with pacs_storescp(tmp_path / "archive") as archive:
        ae = AE()
        ae.add_requested_context(CT)
        association = ae.associate(
            "127.0.0.1", archive.port, ext_neg=[build_role(CT, scu_role=True, scp_role=True)]
        )
        assert association.is_established
        (context,) = association.accepted_contexts
        assert (context.as_scu, context.as_scp) == (True, False)
        association.release()
