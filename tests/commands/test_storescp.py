"""`pacs storescp` as its users start it: a process of its own."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.interop.peers import PACS, pacs_storescp
from tests.samples import dataset_bytes, header, storable
from tests.support import CT, EXPLICIT, VERIFICATION
from tests.writing import STUDY, dataset

#: Samples that an archive cannot file or that are broken on purpose.
REFUSED = {
    "JPEGLSNearLossless_08.dcm": "missing StudyInstanceUID",
    "JPEGLSNearLossless_16.dcm": "missing StudyInstanceUID",
    "SC_rgb_jls_lossy_line.dcm": "missing StudyInstanceUID",
    "SC_rgb_jls_lossy_sample.dcm": "missing StudyInstanceUID",
    "MR_truncated.dcm": "ends early",
    "rtplan_truncated.dcm": "ends early",
}

OFFER = (Proposal(VERIFICATION, (EXPLICIT,)), Proposal(CT, (EXPLICIT,)))


def session(archive, **changes) -> Session:
    target = Target("test", "127.0.0.1", archive.port, timeouts=Timeouts(10, 10, 10), **changes)
    return Session(target, OFFER)


def await_row(archive, uid: str) -> None:
    """Return once the row can be seen from outside, which is milliseconds after the answer."""
    query = "SELECT count(*) FROM instance WHERE sop_instance_uid = ?"
    index = sqlite3.connect(f"file:{archive.folder}/index.db?mode=ro", uri=True)
    pause = threading.Event()
    for _ in range(1000):
        if index.execute(query, (uid,)).fetchone() == (1,):
            index.close()
            return
        pause.wait(0.01)
    raise AssertionError(f"{uid} is not indexed")


def test_object_is_in_place_and_indexed_when_it_is_acknowledged(tmp_path):
    data = dataset(CT, "1.2.3.1")
    with pacs_storescp(tmp_path / "archive") as archive:
        with session(archive) as association:
            assert association.store(3, CT, "1.2.3.1", [data]).status == 0
            # still running, nothing flushed by an orderly end
            (path,) = archive.files().values()
            assert dataset_bytes(path) == data
            await_row(archive, "1.2.3.1")
        assert archive.stop() == 0
    assert path.relative_to(archive.folder).parts[0] == STUDY


def test_every_event_is_a_json_line(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--aet", "ARCHIVE") as archive:
        with session(archive, calling_ae_title="SENDER") as association:
            association.echo(1)
            association.store(3, CT, "1.2.3.1", [dataset(CT, "1.2.3.1")])
        assert archive.stop() == 0
    assert [event["type"] for event in archive.events] == [
        "listening",
        "association_opened",
        "echo",
        "instance",
        "association_ended",
        "summary",
    ]
    instance = archive.kind("instance")[0]
    assert instance["calling_ae_title"] == "SENDER"
    assert (instance["status"], instance["sop_instance_uid"]) == ("0000", "1.2.3.1")
    assert instance["study_instance_uid"] == STUDY
    assert (archive.folder / instance["path"]).is_file()
    ended = archive.kind("association_ended")[0]
    assert (ended["how"], ended["stored"]) == ("released", 1)


def test_no_patient_data_is_told(tmp_path):
    with pacs_storescp(tmp_path / "archive", "-d", "--log-file", str(tmp_path / "log")) as archive:
        with session(archive) as association:
            association.store(3, CT, "1.2.3.1", [dataset(CT, "1.2.3.1")])
        archive.stop()
        told = str(archive.events) + archive.process.stderr.read()
    assert "Made^Up" not in told
    assert "TEST-1" not in told


def test_same_bytes_again_is_success_and_other_bytes_are_0111(tmp_path):
    first, other = dataset(CT, "1.2.3.1"), dataset(CT, "1.2.3.1", pixels=b"\1" * 64)
    with pacs_storescp(tmp_path / "archive") as archive:
        with session(archive) as association:
            statuses = [
                association.store(3, CT, "1.2.3.1", [data]).status for data in (first, first, other)
            ]
        archive.stop()
    assert statuses == [0, 0, 0x0111]
    (path,) = archive.files().values()
    assert dataset_bytes(path) == first
    assert [event["duplicate"] for event in archive.kind("instance")] == [False, True, False]


@pytest.mark.parametrize(
    ("uid", "data", "expected"),
    [
        ("1.2.3.9", dataset(CT, "1.2.3.1"), 0xA900),
        ("1.2.3.1", dataset("1.2.840.10008.5.1.4.1.1.4", "1.2.3.1"), 0xA900),
        ("1.2.3.1", b"garbage that is no data set at all", 0xC000),
        ("1.2.3.1", b"", 0xC000),
        ("1.2.3.1", dataset(CT, "1.2.3.1", study="../../../etc"), 0xC000),
        ("1.2.3.1", dataset(CT, "1.2.3.1", study=".."), 0xC000),
    ],
)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(tmp_path, uid, data, expected):
    with pacs_storescp(tmp_path / "archive") as archive:
        with session(archive) as association:
            status = association.store(3, CT, uid, [data]).status
            assert association.store(3, CT, "1.2.3.4", [dataset(CT, "1.2.3.4")]).status == 0
        archive.stop()
    assert status & (0xF000 if expected == 0xC000 else 0xFFFF) == expected
    assert list(archive.files()) == ["1.2.3.4"]
    assert not (tmp_path / "etc").exists()


def test_samples_with_a_study_are_kept_byte_for_byte(tmp_path, pacs):
    """Compressed, big endian and deflated ones included; each UID goes to the archive once."""
    samples = {header(path).sop_instance_uid: path for path in storable()}
    with pacs_storescp(tmp_path / "archive", "--durability", "relaxed") as archive:
        result = pacs("storescu", "127.0.0.1", archive.port, *samples.values(), "--json")
        assert archive.stop() == 0
    assert result.exit == 1
    refused = {
        samples[event["sop_instance_uid"]].name: event["comment"]
        for event in archive.kind("instance")
        if event["status"] != "0000"
    }
    assert refused.keys() == REFUSED.keys()
    assert all(reason in refused[name] for name, reason in REFUSED.items())
    stored = archive.files()
    assert len(stored) == len(samples) - len(REFUSED)
    for uid, path in stored.items():
        assert dataset_bytes(path) == dataset_bytes(samples[uid])
    indexed = sqlite3.connect(f"file:{archive.folder}/index.db?mode=ro", uri=True)
    rows = indexed.execute("SELECT sop_instance_uid FROM instance").fetchall()
    indexed.close()
    assert {uid for (uid,) in rows} == stored.keys()


def test_same_object_from_eight_senders_is_kept_once(tmp_path):
    data = dataset(CT, "1.2.3.1")

    def send(_: int) -> int:
        with session(archive) as association:
            return association.store(3, CT, "1.2.3.1", [data]).status

    with pacs_storescp(tmp_path / "archive") as archive:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(send, range(8))) == [0] * 8
        archive.stop()
    assert len(archive.files()) == 1
    assert sum(not event["duplicate"] for event in archive.kind("instance")) == 1


def test_sigterm_finishes_the_object_in_flight_and_exits_0(tmp_path):
    data = dataset(CT, "1.2.3.1", pixels=bytes(30_000_000))
    with pacs_storescp(tmp_path / "archive") as archive:
        idle, busy = session(archive), session(archive)
        sending = threading.Thread(target=lambda: busy.begin_store(3, CT, "1.2.3.1", [data]))
        sending.start()
        archive.process.send_signal(signal.SIGTERM)
        sending.join()
        status = _status_or_none(busy)
        code = archive.stop()
        idle.abort()
        busy.abort()
    assert code == 0
    assert archive.kind("summary")[0]["drained"]
    # either it was answered, and then it is there, or it never was, and then it is not
    assert list(archive.files()) == (["1.2.3.1"] if status == 0 else [])


def _status_or_none(association: Session) -> int | None:
    from pacs_cli.errors import AssociationAborted

    try:
        return association.finish_store().status
    except AssociationAborted:
        return None


def test_ctrl_c_exits_130(tmp_path):
    with pacs_storescp(tmp_path / "archive") as archive:
        assert archive.stop(signal.SIGINT) == 130


def test_kill_9_loses_nothing_acknowledged(tmp_path):
    with pacs_storescp(tmp_path / "archive") as archive:
        association = session(archive)
        for number in range(20):
            uid = f"1.2.3.{number}"
            assert association.store(3, CT, uid, [dataset(CT, uid)]).status == 0
        association.begin_store(3, CT, "1.2.3.99", [dataset(CT, "1.2.3.99")])
        archive.process.kill()
        archive.process.wait()
        association.abort()
    with pacs_storescp(tmp_path / "archive") as archive:
        with session(archive) as association:
            for number in range(20):
                uid = f"1.2.3.{number}"
                assert association.store(3, CT, uid, [dataset(CT, uid)]).status == 0
        archive.stop()
    assert all(event["duplicate"] for event in archive.kind("instance"))
    for uid, path in archive.files().items():
        assert dataset_bytes(path) == dataset(CT, uid)
    assert not list((archive.folder / ".staging").glob("*.part"))


def test_what_a_start_puts_right_is_told(tmp_path):
    folder = tmp_path / "archive"
    with pacs_storescp(folder) as archive:
        with session(archive) as association:
            association.store(3, CT, "1.2.3.1", [dataset(CT, "1.2.3.1")])
        archive.process.kill()
        archive.process.wait()
    (folder / "index.db").write_bytes(b"no database " * 500)
    (folder / "index.db-wal").unlink()
    (folder / "1" / "2").mkdir(parents=True)
    (folder / "1" / "2" / "3.dcm").write_bytes(b"no object")
    with pacs_storescp(folder) as archive:
        archive.stop()
        told = archive.process.stderr.read()
    (recovered,) = archive.kind("recovered")
    assert (recovered["rows_added"], recovered["unindexed"]) == (1, ["1/2/3.dcm"])
    assert recovered["moved_aside"] == str(folder / "index.db.corrupt-1")
    assert "the index was corrupt" in told
    assert "1 files were indexed" in told


def test_folder_in_use_is_refused(tmp_path):
    with pacs_storescp(tmp_path / "archive") as archive:
        done = subprocess.run(
            [*PACS, "storescp", "0", "--out", str(archive.folder)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 7
    assert len(done.stderr.splitlines()) == 1


def test_wide_bind_is_warned_about(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--bind", "0.0.0.0") as archive:
        archive.stop()
        assert "every host that reaches it may store here" in archive.process.stderr.read()


def test_called_title_is_checked_on_request(tmp_path):
    from pacs_cli.errors import AssociationRejected

    with pacs_storescp(tmp_path / "archive", "--aet", "MINE", "--check-called") as archive:
        with pytest.raises(AssociationRejected):
            session(archive, called_ae_title="OTHER")
        with session(archive, called_ae_title="MINE") as association:
            assert association.echo(1).status == 0


def test_http_client_is_sent_away(tmp_path):
    with pacs_storescp(tmp_path / "archive") as archive:
        with socket.create_connection(("127.0.0.1", archive.port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert sock.recv(100)[0] == 7
        archive.stop()
    assert archive.kind("association_ended")[0]["how"] == "protocol error"
