"""Many senders, many connections and floods against the real `pacs storescp`."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import AssociationRejected
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.interop.peers import Archive, pacs_storescp
from tests.peers import require
from tests.samples import dataset_bytes
from tests.support import CT, EXPLICIT
from tests.writing import dataset, write_object

SENDERS, EACH = 16, 100
IDLE = 2000


def session(archive: Archive) -> Session:
    target = Target("test", "127.0.0.1", archive.port, timeouts=Timeouts(20, 20, 20))
    return Session(target, (Proposal(CT, (EXPLICIT,)),))


def indexed(archive: Archive) -> set[str]:
    """Return the SOP instance UIDs in the index; the archive has ended."""
    index = sqlite3.connect(f"file:{archive.folder}/index.db?mode=ro", uri=True)
    uids = {uid for (uid,) in index.execute("SELECT sop_instance_uid FROM instance")}
    index.close()
    return uids


def wake_ups(archive: Archive) -> int:
    """How often a thread of the archive has gone to sleep, which it must have woken for."""
    states = Path(f"/proc/{archive.process.pid}/task").glob("*/status")
    numbers = (re.search(r"^voluntary_ctxt_switches:\s*(\d+)", s.read_text(), re.M) for s in states)
    return sum(int(number[1]) for number in numbers)


@pytest.mark.interop
@pytest.mark.parametrize("workers", ["1", "2"])
def test_sixteen_senders_of_dcmtk_fill_one_study(workers, tmp_path):
    storescu = require("storescu")
    for sender in range(SENDERS):
        (tmp_path / f"s{sender}").mkdir()
        for number in range(EACH):
            uid = f"1.2.3.{sender}.{number}"
            write_object(tmp_path / f"s{sender}" / f"{number}.dcm", CT, uid, os.urandom(2000))
    with pacs_storescp(tmp_path / "archive", "--workers", workers) as archive:
        senders = [
            subprocess.Popen([storescu, "+sd", "127.0.0.1", str(archive.port), folder])
            for folder in tmp_path.glob("s*")
        ]
        assert [sender.wait(120) for sender in senders] == [0] * SENDERS
        assert archive.stop() == 0
    stored = archive.files()
    sent = {probe(path).sop_instance_uid: path for path in tmp_path.glob("s*/*.dcm")}
    assert len(sent) == SENDERS * EACH
    assert indexed(archive) == stored.keys() == sent.keys()
    assert all(dataset_bytes(stored[uid]) == dataset_bytes(path) for uid, path in sent.items())


def test_same_uid_with_other_bytes_from_eight_senders_has_one_winner(tmp_path):
    def send(number: int) -> int:
        with session(archive) as association:
            data = dataset(CT, "1.2.3.1", pixels=bytes([number]) * 64)
            return association.store(1, CT, "1.2.3.1", [data]).status

    with pacs_storescp(tmp_path / "archive") as archive:
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(send, range(8)))
        archive.stop()
    assert sorted(statuses) == [0] + [0x0111] * 7
    (path,) = archive.files().values()
    assert dataset_bytes(path) == dataset(CT, "1.2.3.1", pixels=bytes([statuses.index(0)]) * 64)


def test_two_thousand_idle_connections_cost_nothing_and_delay_nobody(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--timeout", "60") as archive, ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(socket.create_connection(("127.0.0.1", archive.port), 20))
        with session(archive) as association:
            # the listener takes connections in their order: now it has all of them
            assert association.store(1, CT, "1.2.3.1", [dataset(CT, "1.2.3.1")]).status == 0
        before = wake_ups(archive)
        with pytest.raises(subprocess.TimeoutExpired):
            # a second in which nothing happens
            archive.process.wait(1.0)
        assert wake_ups(archive) == before
        with session(archive) as association:
            assert association.store(1, CT, "1.2.3.2", [dataset(CT, "1.2.3.2")]).status == 0
    assert len(archive.files()) == 2


def test_flood_of_connections_is_capped_and_then_forgotten(tmp_path):
    options = ("--max-associations", "4", "--timeout", "20")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        with ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(session(archive))
            for _ in range(36):
                with pytest.raises(AssociationRejected, match="local limit"):
                    session(archive)
        for _ in range(300):
            socket.create_connection(("127.0.0.1", archive.port), 20).close()
        with session(archive) as association:
            assert association.store(1, CT, "1.2.3.1", [dataset(CT, "1.2.3.1")]).status == 0
        assert archive.stop() == 0


@pytest.mark.parametrize("attribute", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("value", ["../../x", "..", "/etc/x", "1.2\\..\\x", "1.2/3", "1.2\0/3"])
def test_no_uid_leads_out_of_the_archive(tmp_path, attribute, value):
    good = {
        "StudyInstanceUID": "1.2.826.0.1.3680043.10.2",
        "SeriesInstanceUID": "1.2.826.0.1.3680043.10.3",
        "SOPInstanceUID": "1.2.3.1",
    }
    data = dataset(CT, "1.2.3.1")
    old = good[attribute].encode()
    padded = old + b"\0" * (len(old) % 2)
    assert data.count(padded) == 1
    new = value.encode().ljust(len(padded), b"\0")[: len(padded)]
    data = data.replace(padded, new)
    with pacs_storescp(tmp_path / "deep" / "er" / "archive") as archive:
        with session(archive) as association:
            status = association.store(1, CT, "1.2.3.1", [data]).status
        archive.stop()
    # a UID cut at its padding may be one; whatever is not is refused
    is_uid = re.fullmatch(rb"[0-9.]+\0*", new) and not new.startswith(b".")
    assert (status == 0) is bool(is_uid)
    outside = [path for path in tmp_path.rglob("*.dcm") if archive.folder not in path.parents]
    assert outside == []
