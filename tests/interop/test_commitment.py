"""Storage commitment, both roles, against ourselves, pynetdicom and Orthanc."""

from __future__ import annotations

import gc
import json
import threading
import urllib.request
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_cli.dicom.commitment import Reference, Report, decode_report, encode_report
from pacs_cli.errors import Exit
from tests.commands.test_send_batch import scans, state, states, summary  # noqa: F401 fixtures
from tests.interop.find_peers import orthanc
from tests.interop.peers import await_port, free_port, pacs_storescp, running
from tests.peers import require
from tests.pipelines.sendings import write
from tests.support import CT, EXPLICIT, MR, running_provider

PUSH_MODEL = "1.2.840.10008.1.20.1"
INSTANCE = "1.2.840.10008.1.20.1.1"
REFERENCES = (Reference(CT, "1.2.3.0"), Reference(CT, "1.2.3.9"))


@pytest.mark.parametrize("syntax", [EXPLICIT, "1.2.840.10008.1.2"])
def test_report_is_read_as_it_was_written(syntax):
    report = Report("2.25.1", REFERENCES[:1], ((REFERENCES[1], 0x0112),))
    assert decode_report(encode_report(report, syntax), syntax) == report
    assert report.event_type == 2


def test_our_archive_commits_what_it_holds(pacs, scans, state, tmp_path):  # noqa: F811
    write(scans, 7, CT, MR)
    with pacs_storescp(tmp_path / "archive") as archive:
        result = pacs(
            *("send-batch", "127.0.0.1", archive.port, scans, "--state", state),
            *("--commit", "--json"),
        )
    assert result.exit == Exit.OK, result
    found = summary(result)
    assert (found["sent"], found["committed"]) == (7, 7)


def test_our_archive_does_not_commit_what_is_gone(pacs, scans, state, tmp_path):  # noqa: F811
    write(scans, 3)
    with pacs_storescp(tmp_path / "archive") as archive:
        command = ("send-batch", "127.0.0.1", archive.port, scans, "--state", state)
        assert pacs(*command).exit == Exit.OK
        archive.files()["1.2.3.1"].unlink()
        result = pacs("send-batch", "resume", state, "--commit", "--json")
    assert result.exit == Exit.SOME_FAILED
    assert "1.2.3.1 was not committed: 0112H no such object instance" in result.stderr
    assert Counter(row[:2] for row in states(pacs, state).values()) == {
        ("committed", ""): 2,
        ("failed", "uncommitted"): 1,
    }


def test_peer_without_commitment_is_told_and_nothing_is_committed(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
):
    write(scans, 2)
    with running_provider(abstract_syntaxes=frozenset([CT])) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--commit", "--json"),
        )
    assert result.exit == Exit.SOME_FAILED
    assert "does not offer storage commitment" in result.stderr
    assert (summary(result)["sent"], summary(result)["committed"]) == (2, 0)


# -- pynetdicom ------------------------------------------------------------------------------------


def shut_down(server) -> None:
    """End a server of pynetdicom and its associations, which close their sockets themselves."""
    from pynetdicom.association import Association

    server.shutdown()
    for thread in threading.enumerate():
        if isinstance(thread, Association):
            thread.join(20)
            assert not thread.is_alive()
    del thread
    with warnings.catch_warnings():
        # pynetdicom drops, unclosed, the socket of an association that its peer closed first
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Reporting:
    """A pynetdicom SCP that stores, and commits over the same association or one of its own."""

    def __init__(self, calls_back_to: int | None, refused: frozenset[str], is_silent: bool) -> None:
        from pynetdicom import AE, evt

        self.refused = refused
        self.is_silent = is_silent
        self.calls_back_to = calls_back_to
        self.threads: list[threading.Thread] = []
        ae = AE(ae_title="PYNET")
        ae.add_supported_context(PUSH_MODEL)
        for sop_class in (CT, MR):
            ae.add_supported_context(sop_class)
        handlers = [(evt.EVT_C_STORE, lambda event: 0), (evt.EVT_N_ACTION, self.act)]
        self.server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.port = self.server.server_address[1]

    def act(self, event):
        from pydicom.dataset import Dataset

        asked = event.action_information
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        items = list(asked.ReferencedSOPSequence)
        failed = [item for item in items if item.ReferencedSOPInstanceUID in self.refused]
        report.ReferencedSOPSequence = [item for item in items if item not in failed]
        for item in failed:
            item.FailureReason = 0x0213
        if failed:
            report.FailedSOPSequence = failed
        if not self.is_silent:
            thread = threading.Thread(target=self.report, args=(event.assoc, report, bool(failed)))
            self.threads.append(thread)
            thread.start()
        return 0, None

    def report(self, assoc, report, has_failed):
        from pynetdicom import AE, build_role

        kind = 2 if has_failed else 1
        if self.calls_back_to is None:
            assoc.send_n_event_report(report, kind, PUSH_MODEL, INSTANCE)
            return
        ae = AE(ae_title="PYNET")
        ae.add_requested_context(PUSH_MODEL)
        role = build_role(PUSH_MODEL, scp_role=True)
        back = ae.associate("127.0.0.1", self.calls_back_to, ext_neg=[role])
        assert back.is_established
        back.send_n_event_report(report, kind, PUSH_MODEL, INSTANCE)
        back.release()

    def stop(self) -> None:
        for thread in self.threads:
            thread.join(20)
        shut_down(self.server)


@pytest.fixture
def reporting():
    servers = []

    def start(calls_back_to=None, refused=frozenset(), is_silent=False):
        servers.append(Reporting(calls_back_to, refused, is_silent))
        return servers[-1].port

    yield start
    for server in servers:
        server.stop()


@pytest.mark.parametrize("calls_back", [False, True])
def test_pynetdicom_commits(pacs, scans, state, reporting, calls_back):  # noqa: F811
    write(scans, 4, CT, MR)
    port = free_port() if calls_back else None
    options = ("--commit-port", port) if calls_back else ()
    peer = reporting(port, frozenset(["1.2.3.2"]))
    result = pacs(
        *("send-batch", "127.0.0.1", peer, scans, "--state", state, "--commit", "--json"), *options
    )
    assert result.exit == Exit.SOME_FAILED
    assert "1.2.3.2 was not committed: 0213H resource limitation" in result.stderr
    found = summary(result)
    assert (found["committed"], found["classes"]) == (3, {"uncommitted": 1})


@pytest.mark.parametrize("options", [(), ("--commit-port", "0")])
def test_report_that_does_not_come_leaves_everything_uncommitted(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    reporting,
    options,
):
    write(scans, 2)
    result = pacs(
        *("send-batch", "127.0.0.1", reporting(is_silent=True), scans, "--state", state),
        *("--commit", "--commit-timeout", "0.5", "--json", *options),
    )
    assert result.exit == Exit.SOME_FAILED
    assert "no storage commitment report within 0.5 s" in result.stderr
    assert (summary(result)["sent"], summary(result)["committed"]) == (2, 0)


class Asking:
    """A pynetdicom SCU, and the reports that it gets: over its own association or at its port."""

    def __init__(self) -> None:
        self.reports: list = []
        self.came = threading.Event()
        self.refused = threading.Event()

    def take(self, event):
        self.reports.append((event.event_type, event.event_information))
        self.came.set()
        return 0, None

    def note(self, event):
        if type(event.message).__name__ == "N_EVENT_REPORT_RSP":
            self.refused.set()

    def ask(self, port: int, is_listening_here: bool) -> tuple:
        """Ask our archive; return the event type and the event information."""
        from pydicom.dataset import Dataset
        from pynetdicom import AE, evt

        ae = AE(ae_title="PYNET")
        ae.add_requested_context(PUSH_MODEL)
        asked = Dataset()
        asked.TransactionUID = "2.25.77"
        asked.ReferencedSOPSequence = []
        for reference in REFERENCES:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
            asked.ReferencedSOPSequence.append(item)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.take)]
        if not is_listening_here:
            handlers = [
                (evt.EVT_N_EVENT_REPORT, lambda event: (0x0110, None)),
                (evt.EVT_DIMSE_SENT, self.note),
            ]
        assoc = ae.associate("127.0.0.1", port, evt_handlers=handlers)
        assert assoc.is_established
        status, _ = assoc.send_n_action(asked, 1, PUSH_MODEL, INSTANCE)
        assert status.Status == 0
        # pynetdicom does not expect a report once it releases
        assert (self.came if is_listening_here else self.refused).wait(20)
        assoc.release()
        assert self.came.wait(20)
        (report,) = self.reports
        return report


@pytest.mark.parametrize("is_listening_here", [True, False], ids=["same", "called back"])
def test_pynetdicom_is_told_what_our_archive_holds(pacs, tmp_path, monkeypatch, is_listening_here):
    """On its own association; and at its port when it takes no report there."""
    from pynetdicom import AE, evt

    asking = Asking()
    ae = AE(ae_title="PYNET")
    ae.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)
    handlers = [(evt.EVT_N_EVENT_REPORT, asking.take)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    config = tmp_path / "config.toml"
    port = server.server_address[1]
    config.write_text(f'[peers.pynet]\naddress = "127.0.0.1:{port}"\naet = "PYNET"\n')
    monkeypatch.setenv("PACS_CONFIG", str(config))
    (path,) = write(tmp_path, 1)
    try:
        with pacs_storescp(tmp_path / "archive") as archive:
            assert pacs("storescu", "127.0.0.1", archive.port, path).exit == Exit.OK
            kind, report = asking.ask(archive.port, is_listening_here)
    finally:
        shut_down(server)
    assert kind == 2
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == ["1.2.3.0"]
    (failed,) = report.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == ("1.2.3.9", 0x0112)


# -- Orthanc ---------------------------------------------------------------------------------------


@pytest.mark.interop
def test_orthanc_commits(pacs, scans, state, tmp_path):  # noqa: F811
    write(scans, 6, CT, MR)
    port = free_port()
    with orthanc(tmp_path / "orthanc", {"PACS": port}) as peer:
        result = pacs(
            *("send-batch", f"ORTHANC@127.0.0.1:{peer.port}", scans, "--state", state, "--json"),
            *("--commit", "--commit-port", port, "--aet", "PACS", "--commit-timeout", 20),
        )
    assert result.exit == Exit.OK, result
    assert summary(result)["committed"] == 6


@contextmanager
def orthanc_with_rest(folder: Path, archive_port: int) -> Iterator[tuple[int, str]]:
    """An Orthanc that knows our archive; yields its DICOM port and where its REST interface is."""
    program, port, http = require("Orthanc", "/usr/sbin/Orthanc"), free_port(), free_port()
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomModalities": {"archive": ["PACS", "127.0.0.1", archive_port]},
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    with running(program, config) as process:
        await_port(port, process)
        await_port(http, process)
        yield port, f"http://127.0.0.1:{http}"


def rest(address: str, content: object = None) -> dict:
    data = None if content is None else json.dumps(content).encode()
    with urllib.request.urlopen(address, data, timeout=20) as answer:
        return json.load(answer)


@pytest.mark.interop
@pytest.mark.parametrize(("held", "status"), [(REFERENCES[:1], "Success"), (REFERENCES, "Failure")])
def test_orthanc_is_told_what_our_archive_holds(pacs, tmp_path, monkeypatch, held, status):
    """Orthanc asks over an association that it ends, and is called back at its own port."""
    (path,) = write(tmp_path, 1)
    config, ours = tmp_path / "config.toml", free_port()
    with orthanc_with_rest(tmp_path / "orthanc", ours) as (port, address):
        config.write_text(f'[peers.orthanc]\naddress = "127.0.0.1:{port}"\naet = "ORTHANC"\n')
        monkeypatch.setenv("PACS_CONFIG", str(config))
        with pacs_storescp(tmp_path / "archive", "--aet", "PACS", port=ours) as archive:
            assert pacs("storescu", "127.0.0.1", archive.port, path).exit == Exit.OK
            asked = rest(
                f"{address}/modalities/archive/storage-commitment",
                {"DicomInstances": [list(each) for each in held]},
            )
            found = awaited(f"{address}{asked['Path']}")
    assert (found["Status"], found["RemoteAET"]) == (status, "PACS")
    (success,) = found["Success"]
    assert success["SOPInstanceUID"] == "1.2.3.0"
    failures = [each["SOPInstanceUID"] for each in found.get("Failures", [])]
    assert failures == [each.sop_instance_uid for each in held[1:]]


def awaited(address: str) -> dict:
    """What Orthanc has of a request, once that is no longer pending: it tells in no other way."""
    pause = threading.Event()
    for _ in range(400):
        found = rest(address)
        if found["Status"] != "Pending":
            return found
        pause.wait(0.05)
    raise AssertionError(found)
