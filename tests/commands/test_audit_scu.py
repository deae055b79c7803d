"""`--audit` of the commands that call a peer."""

from __future__ import annotations

import pytest

from tests.auditing import details, event, instances, messages, name, names, objects, participants
from tests.interop.peers import free_port, pacs_storescp, run_pacs
from tests.support import CT, MR
from tests.writing import STUDY, write_object

START = "Application Activity, Application Start"
STOP = "Application Activity, Application Stop"
TRANSFERRED = "DICOM Instances Transferred"
QUERY = "Query"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """An archive that has two objects, and that says what it was asked."""
    folder = tmp_path_factory.mktemp("archive")
    with pacs_storescp(folder / "a", "--qr", "--aet", "ARCHIVE") as running:
        scans = folder / "scans"
        scans.mkdir()
        write_object(scans / "ct.dcm", CT, "1.2.3.1")
        write_object(scans / "mr.dcm", MR, "1.2.3.2")
        assert run_pacs("storescu", "127.0.0.1", running.port, scans).returncode == 0
        running.scans = scans
        yield running


def peer(archive) -> tuple[object, ...]:
    return f"ARCHIVE@127.0.0.1:{archive.port}", "--aet", "WS1"


def ends(message) -> list[tuple[str, str, str]]:
    """The participants, ours without the number of its process."""
    return [
        ("us" if user.isdigit() else user, role, wanted)
        for user, role, wanted in participants(message)
    ]


SENT = [
    ("us", "Source Role ID", "true"),
    ("ARCHIVE@127.0.0.1", "Destination Role ID", "false"),
]
RECEIVED = [
    ("ARCHIVE@127.0.0.1", "Source Role ID", "false"),
    ("us", "Destination Role ID", "true"),
]


def test_storescu_tells_what_was_sent(archive, tmp_path, pacs):
    log = tmp_path / "audit"
    broken = tmp_path / "broken.dcm"
    broken.write_bytes((archive.scans / "ct.dcm").read_bytes()[:-40])
    result = pacs("storescu", *peer(archive), archive.scans, broken, "--audit", log)
    assert result.exit == 1
    found = messages(log)
    assert names(found) == [START, TRANSFERRED, TRANSFERRED, STOP]
    sent, failed = sorted(found[1:3], key=event)
    assert [event(sent), event(failed)] == [("R", "0"), ("R", "8")]
    assert instances(sent) == {CT: 1, MR: 1}
    assert objects(sent) == {"Study Instance UID": STUDY, "Patient Number": "TEST-1"}
    assert ends(sent) == ends(failed) == SENT


def test_storescu_tells_of_objects_as_they_are_sent(archive, tmp_path, pacs):
    log = tmp_path / "audit"
    edits = ("--set", "PatientID=OTHER", "--uid-suffix", ".7")
    result = pacs("storescu", *peer(archive), archive.scans, *edits, "--audit", log)
    assert result.exit == 0, result.stderr
    expected = {"Study Instance UID": f"{STUDY}.7", "Patient Number": "OTHER"}
    assert objects(messages(log)[1]) == expected


def test_findscu_tells_that_it_asked(archive, tmp_path, pacs):
    log = tmp_path / "audit"
    result = pacs("findscu", *peer(archive), "-k", "PatientID=TEST-1", "--audit", log)
    assert result.exit == 0, result.stderr
    found = messages(log)
    assert names(found) == [START, QUERY, STOP]
    assert ends(found[1]) == SENT
    assert objects(found[1]) == {"SOP Class UID": "1.2.840.10008.5.1.4.1.2.2.1"}
    assert "TransferSyntax" in details(found[1])


def test_getscu_tells_what_it_asked_and_what_came(archive, tmp_path, pacs):
    log = tmp_path / "audit"
    keys = ("-k", f"StudyInstanceUID={STUDY}", "--out", tmp_path / "got")
    result = pacs("getscu", *peer(archive), *keys, "--audit", log)
    assert result.exit == 0, result.stderr
    found = messages(log)
    assert {*names(found)} == {START, QUERY, TRANSFERRED, STOP}
    (came,) = (each for each in found if name(each) == TRANSFERRED)
    assert instances(came) == {CT: 1, MR: 1}
    assert event(came) == ("C", "0")
    assert ends(came) == RECEIVED


def test_movescu_tells_what_it_asked_and_what_came(tmp_path, archive):
    log, port = tmp_path / "audit", free_port()
    with pacs_storescp(tmp_path / "a", "--qr", "--move-to", f"WS1@127.0.0.1:{port}") as running:
        assert run_pacs("storescu", "127.0.0.1", running.port, archive.scans).returncode == 0
        keys = ("-k", f"StudyInstanceUID={STUDY}", "--out", tmp_path / "got")
        command = ("movescu", "127.0.0.1", running.port, "--aet", "WS1", "--receive", port)
        done = run_pacs(*command, *keys, "--audit", log)
        assert done.returncode == 0, done.stderr
    found = messages(log)
    assert names(found) == [START, QUERY, TRANSFERRED, STOP]
    assert objects(found[1]) == {"SOP Class UID": "1.2.840.10008.5.1.4.1.2.2.2"}
    assert instances(found[2]) == {CT: 1, MR: 1}
    # whom we asked has called us
    assert ends(found[2]) == [
        ("PACS@127.0.0.1", "Source Role ID", "true"),
        ("us", "Destination Role ID", "false"),
    ]


def test_nothing_is_done_without_the_audit_trail_that_is_required(archive, tmp_path, pacs):
    address = f"syslog-tls://127.0.0.1:{free_port()}"
    before = len(archive.kind("association_opened"))
    command = ("findscu", *peer(archive), "-k", "PatientID=TEST-1")
    result = pacs(*command, "--audit", address, "--audit-required")
    assert result.exit == 7
    assert "nothing is done" in result.stderr
    assert len(archive.kind("association_opened")) == before


def test_what_a_collector_missed_is_said_and_changes_nothing_else(archive, pacs):
    address = f"syslog-tls://127.0.0.1:{free_port()}"
    result = pacs("findscu", *peer(archive), "-k", "PatientID=TEST-1", "--audit", address)
    assert result.exit == 0
    assert f"3 audit messages for {address} are lost" in result.stderr
