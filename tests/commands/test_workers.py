"""`pacs storescp --workers`: several processes, one archive."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pacs_cli.errors import AssociationRejected, PacsError
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.interop.peers import pacs_storescp, run_pacs
from tests.samples import dataset_bytes
from tests.support import CT, EXPLICIT
from tests.writing import STUDY, dataset

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes share it on Linux alone")


def session(archive) -> Session:
    target = Target("test", "127.0.0.1", archive.port, timeouts=Timeouts(10, 10, 10))
    return Session(target, (Proposal(CT, (EXPLICIT,)),))


def store(archive, uid: str, count: int = 1) -> list[int]:
    """Store objects over one association: `uid` itself, then those below it."""
    uids = [uid, *(f"{uid}.{number}" for number in range(1, count))]
    with session(archive) as association:
        return [association.store(1, CT, each, [dataset(CT, each)]).status for each in uids]


def members(archive) -> list[int]:
    pid = archive.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def indexed(folder: Path) -> set[str]:
    index = sqlite3.connect(f"file:{folder}/index.db?mode=ro", uri=True)
    uids = {uid for (uid,) in index.execute("SELECT sop_instance_uid FROM instance")}
    index.close()
    return uids


def test_every_member_serves_and_every_object_is_there(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--workers", "3") as archive:
        assert len(members(archive)) == 3
        with ThreadPoolExecutor(9) as senders:
            statuses = senders.map(lambda n: store(archive, f"1.2.3.{n}", 20), range(9))
            assert {status for each in statuses for status in each} == {0}
        assert archive.stop() == 0
    assert len(archive.kind("instance")) == 180
    assert archive.kind("summary")[0]["stored"] == 180
    assert sorted(end["association"] for end in archive.kind("association_ended")) == [
        *range(1, 10)
    ]
    assert len(indexed(archive.folder)) == 180
    for uid, path in archive.files().items():
        assert dataset_bytes(path) == dataset(CT, uid)


def test_members_agree_about_an_object_that_all_are_sent(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--workers", "3") as archive:
        with ThreadPoolExecutor(8) as senders:
            statuses = list(senders.map(lambda _: store(archive, "1.2.3.1", 20), range(8)))
        assert {status for each in statuses for status in each} == {0}
        # other bytes, filed elsewhere, by whichever process
        other = dataset(CT, "1.2.3.1", study="1.2.3.99")
        for _ in range(4):
            with session(archive) as association:
                assert association.store(1, CT, "1.2.3.1", [other]).status == 0x0111
        assert archive.stop() == 0
    assert len(archive.files()) == 20
    assert sum(not each["duplicate"] for each in archive.kind("instance")) == 24
    assert len(indexed(archive.folder)) == 20


def test_limit_of_associations_is_that_of_all_members(tmp_path):
    with (
        pacs_storescp(tmp_path / "archive", "--workers", "2", "--max-associations", "3") as archive,
        session(archive),
        session(archive),
        session(archive),
    ):
        with pytest.raises(AssociationRejected) as refused:
            session(archive)
        assert (refused.value.result, refused.value.source, refused.value.reason) == (2, 3, 2)


def test_member_that_is_killed_takes_nothing_with_it_that_was_acknowledged(tmp_path):
    folder = tmp_path / "archive"
    with pacs_storescp(folder, "--workers", "2") as archive:
        assert store(archive, "1.2.3.1", 50) == [0] * 50
        with session(archive) as association:
            assert association.store(1, CT, "1.2.3.2", [dataset(CT, "1.2.3.2")]).status == 0
            # it serves this association or not
            kill(members(archive)[0])
            lost = False
            try:
                association.store(1, CT, "1.2.3.3", [dataset(CT, "1.2.3.3")])
            except PacsError:
                lost = True
        # the other one goes on
        assert store(archive, "1.2.3.4") == [0]
        assert archive.stop() == 0
        assert "a worker process has ended by itself" in archive.process.stderr.read()
    with pacs_storescp(folder) as again:
        again.stop()
    assert len(indexed(folder)) == 53 - lost
    assert {*again.files()} == indexed(folder)


def test_provider_without_members_ends_and_says_why(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--workers", "2") as archive:
        for pid in members(archive):
            kill(pid)
        assert archive.process.wait(20) == 7
        assert "no worker process is left to serve" in archive.process.stderr.read()


def test_members_end_with_a_provider_that_is_killed(tmp_path):
    folder = tmp_path / "archive"
    with pacs_storescp(folder, "--workers", "2") as archive, session(archive) as association:
        assert association.store(1, CT, "1.2.3.1", [dataset(CT, "1.2.3.1")]).status == 0
        pids = [os.pidfd_open(pid) for pid in members(archive)]
        archive.process.kill()
        archive.process.wait()
        for pid in pids:
            # readable once that process has ended
            assert is_readable(pid)
            os.close(pid)
        with pytest.raises(PacsError):
            association.store(1, CT, "1.2.3.2", [dataset(CT, "1.2.3.2")])
    with pacs_storescp(folder) as again:
        again.stop()
    assert indexed(folder) == {"1.2.3.1"}


def kill(pid: int) -> None:
    """Kill a process and return once it is gone, with the sockets that it had."""
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert is_readable(descriptor)
    os.close(descriptor)


def is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(10_000))


def test_faults_count_in_one_process(tmp_path):
    done = run_pacs(
        *("storescp", "0", "--out", tmp_path / "a", "--fault", "no-answer", "--workers", "2")
    )
    assert done.returncode == 2
    assert "--fault counts in one process" in done.stderr


def test_member_that_is_asked_knows_what_the_others_have_acknowledged(tmp_path):
    with pacs_storescp(tmp_path / "archive", "--workers", "3", "--qr") as archive:
        query = ("-k", "StudyInstanceUID=" + STUDY, "-k", "SOPInstanceUID", "--level", "image")
        for count in range(1, 7):
            assert store(archive, f"1.2.3.{count}") == [0]
            done = run_pacs("findscu", "127.0.0.1", archive.port, *query, "--relational", "--json")
            assert done.returncode == 0, done.stderr
            assert done.stdout.count('"type": "match"') == count
        assert archive.stop() == 0
    assert [event["matches"] for event in archive.kind("find")] == [*range(1, 7)]
