"""`pacs storescp --metrics`: asked over HTTP while it works."""

from __future__ import annotations

import http.client
import signal
import socket
import sqlite3
import sys
import threading
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pacs_cli.errors import AssociationRejected
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.commands.test_workers import kill, members
from tests.interop.peers import free_port, pacs_storescp, run_pacs
from tests.services import raw
from tests.support import CT, EXPLICIT, MR
from tests.writing import dataset

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def session(archive, **changes) -> Session:
    target = Target("test", "127.0.0.1", archive.port, timeouts=Timeouts(10, 10, 10), **changes)
    return Session(target, (Proposal(CT, (EXPLICIT,)), Proposal(MR, (EXPLICIT,))))


def store(archive, *uids: str) -> list[int]:
    with session(archive) as association:
        return [association.store(1, CT, uid, [dataset(CT, uid)]).status for uid in uids]


def get(archive, path: str) -> tuple[int, str]:
    until(lambda: archive.kind("metrics"))
    port = archive.kind("metrics")[0]["port"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def samples(archive) -> Samples:
    """The figures, as Prometheus reads them."""
    status, text = get(archive, "/metrics")
    assert status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def until(condition) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come to that")


@pytest.mark.parametrize("workers", [1, 2])
def test_figures_are_those_of_all_that_was_done(tmp_path, workers):
    if workers > 1 and sys.platform != "linux":
        pytest.skip("processes share an archive on Linux alone")
    options = ("--metrics", "0", "--qr", "--workers", str(workers), "--allow", "PACS")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        for number in range(4):
            assert store(archive, *(f"1.2.{number}.{each}" for each in range(5))) == [0] * 5
        with session(archive) as association:
            association.store(3, MR, "1.2.9.1", [dataset(MR, "1.2.9.1")])
            association.store(1, CT, "1.2.9.2", [b"no data set"])
            # while that association stands
            assert value(samples(archive), "pacs_associations_open") == 1
        with pytest.raises(AssociationRejected):
            session(archive, calling_ae_title="X" * 16)
        done = run_pacs("findscu", "127.0.0.1", archive.port, "-k", "PatientID=TEST-1")
        assert done.returncode == 0, done.stderr
        until(lambda: value(samples(archive), "pacs_associations_open") == 0)
        text = get(archive, "/metrics")[1]
        found = samples(archive)
        assert archive.stop() == 0
    assert value(found, "pacs_associations_total") == 6
    assert value(found, "pacs_associations_rejected_total", reason="1-1-3") == 1
    assert value(found, "pacs_objects_total", kind="CT", outcome="stored") == 20
    assert value(found, "pacs_objects_total", kind="MR", outcome="stored") == 1
    assert value(found, "pacs_objects_total", kind="CT", outcome="refused") == 1
    assert value(found, "pacs_object_bytes_total", kind="MR") == len(dataset(MR, "1.2.9.1"))
    assert value(found, "pacs_failures_total", operation="store", status="C000") == 1
    assert value(found, "pacs_operation_seconds_count", operation="store") == 22
    assert value(found, "pacs_operation_seconds_count", operation="find") == 1
    assert value(found, "pacs_operation_seconds_bucket", operation="store", le="+Inf") == 22
    assert value(found, "pacs_healthy") == 1
    processes = {
        dict(labels)["process"]
        for name, labels in found
        if name == "pacs_process_resident_memory_bytes"
    }
    assert processes == {"main", *(f"worker-{n}" for n in range(workers) if workers > 1)}
    # whatever a peer calls itself, and whoever a patient is, has no place there
    assert "XXXX" not in text
    assert "TEST-1" not in text


def test_index_is_counted(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--metrics", "0") as archive:
        store(archive, "1.2.3.1", "1.2.3.2")
        found = samples(archive)
    counts = {level: value(found, "pacs_archive_held", level=level) for level in LEVELS}
    assert counts == {"patients": 1, "studies": 1, "series": 1, "instances": 2}


LEVELS = ("patients", "studies", "series", "instances")


def test_scrapes_while_objects_come_lose_none(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--metrics", "0") as archive:
        scraped, is_over = [], threading.Event()

        def scrape() -> None:
            while not is_over.is_set():
                found = samples(archive)
                key = "pacs_objects_total", frozenset({"kind": "CT", "outcome": "stored"}.items())
                scraped.append(found.get(key, 0))

        thread = threading.Thread(target=scrape)
        thread.start()
        assert store(archive, *(f"1.2.3.{number}" for number in range(300))) == [0] * 300
        is_over.set()
        thread.join()
        found = samples(archive)
        assert value(found, "pacs_objects_total", kind="CT", outcome="stored") == 300
    assert scraped == sorted(scraped)
    assert len(scraped) > 2


@pytest.mark.skipif(sys.platform != "linux", reason="processes share it on Linux alone")
def test_member_that_is_killed_leaves_what_it_had_counted(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--metrics", "0", "--workers", "2") as archive:
        assert store(archive, "1.2.3.1", "1.2.3.2") == [0, 0]
        key = {"kind": "CT", "outcome": "stored"}
        assert value(samples(archive), "pacs_objects_total", **key) == 2
        kill(members(archive)[0])
        assert store(archive, "1.2.3.3") == [0]
        until(lambda: value(samples(archive), "pacs_objects_total", **key) == 3)
        archive.stop()


def test_well_is_200(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--metrics", "0") as archive:
        assert get(archive, "/healthz") == (200, "ok\n")


def test_archive_that_cannot_write_is_503_until_it_can(tmp_path):
    folder = tmp_path / "archive"
    with pacs_storescp(folder, "--metrics", "0") as archive:
        staging = next(each for each in folder.iterdir() if each.name.startswith("."))
        staging.rename(tmp_path / "away")
        until(lambda: get(archive, "/healthz")[0] == 503)
        assert get(archive, "/healthz")[1] == (
            f"cannot write below {folder}: no such file or directory\n"
        )
        assert value(samples(archive), "pacs_healthy") == 0
        (tmp_path / "away").rename(staging)
        until(lambda: get(archive, "/healthz")[0] == 200)


def test_disk_without_the_space_to_be_kept_is_503(tmp_path):
    options = ("--metrics", "0", "--min-free", "900T")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        status, text = get(archive, "/healthz")
        assert status == 503
        assert "space" in text
        assert store(archive, "1.2.3.1") == [0xA700]


def test_index_that_somebody_holds_is_503(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--metrics", "0") as archive:
        holder = sqlite3.connect(archive.folder / "index.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        until(lambda: get(archive, "/healthz")[0] == 503)
        assert "database is locked" in get(archive, "/healthz")[1]
        holder.execute("ROLLBACK")
        holder.close()
        until(lambda: get(archive, "/healthz")[0] == 200)


def test_provider_that_is_full_is_503(tmp_path):
    options = ("--metrics", "0", "--max-associations", "1")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        with session(archive):
            until(lambda: get(archive, "/healthz")[0] == 503)
            assert get(archive, "/healthz")[1] == "all 1 associations are taken\n"
        until(lambda: get(archive, "/healthz")[0] == 200)


def test_audit_trail_that_is_required_and_fails_is_503(tmp_path):
    address = f"syslog-tls://127.0.0.1:{free_port()}"
    options = ("--metrics", "0", "--audit", address, "--audit-required")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        until(lambda: get(archive, "/healthz")[0] == 503)
        assert get(archive, "/healthz")[1] == "audit messages cannot be written\n"
        found = samples(archive)
        assert value(found, "pacs_audit_waiting") == 1
        assert value(found, "pacs_audit_lost_total") == 0


def test_provider_that_ends_is_503_until_it_has(tmp_path):
    whole = dataset(CT, "1.2.3.1", pixels=bytes(2_000_000))
    middle = 128 * 8192
    with pacs_storescp(tmp_path / "archive", "--metrics", "0") as archive:
        target = Target("test", "127.0.0.1", archive.port)
        with raw.associated(target) as sock:
            command = raw.store(uid="1.2.3.1")
            # more than is kept in memory, so that its file tells that it is on its way
            sock.sendall(raw.data(3, 3, command))
            for first in range(0, middle, 8192):
                sock.sendall(raw.data(3, 0, whole[first : first + 8192]))
            until(lambda: any(archive.folder.glob(".*/*.part")))
            archive.process.send_signal(signal.SIGTERM)
            until(lambda: get(archive, "/healthz") == (503, "it is ending\n"))
            for first in range(middle, len(whole), 8192):
                is_last = first + 8192 >= len(whole)
                sock.sendall(raw.data(3, 2 * is_last, whole[first : first + 8192]))
            assert raw.read_response(sock).status == 0
        assert archive.stop() == 0
    assert archive.kind("summary")[0]["stored"] == 1


def test_forwarding_tells_what_waits(tmp_path):
    # nobody listens there
    options = ("--metrics", "0", "--forward", f"127.0.0.1:{free_port()}")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        assert store(archive, "1.2.3.1", "1.2.3.2") == [0, 0]
        until(lambda: archive.kind("instance"))
        assert value(samples(archive), "pacs_forward_queued") == 2


def test_port_that_is_taken_ends_it_at_the_start(tmp_path, pacs):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = pacs("storescp", "0", "--out", tmp_path / "archive", "--metrics", port)
    assert result.exit == 3
    assert f"cannot listen on 127.0.0.1 port {port}" in result.stderr


def test_without_the_library_it_says_what_to_install(tmp_path, pacs, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    result = pacs("storescp", "0", "--out", tmp_path / "archive", "--metrics", "0")
    assert result.exit == 2
    assert "pip install 'pacs-cli[metrics]'" in result.stderr
    assert not (tmp_path / "archive").exists()


def test_address_without_a_port_is_refused(tmp_path, pacs):
    result = pacs("storescp", "0", "--out", tmp_path / "a", "--metrics-bind", "0.0.0.0")
    assert result.exit == 2
    assert "--metrics PORT" in result.stderr
