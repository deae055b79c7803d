"""`pacs storescp` as a process whose system calls fail, or which is killed at one of them.

strace attaches to the running archive and injects the fault, so that what fails is the call itself,
in SQLite as in Python. Afterwards every object whose sender was told success is there, readable,
byte for byte and in the index; and nothing half-written stands under a final name.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pacs_cli.archive.handler import ArchiveSettings, open_archive
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.archive.storing import assert_holds, await_rows, files, locked, rows, store
from tests.archive.test_recovery import root_page, spoil
from tests.interop.peers import PACS, await_port, free_port, pacs_storescp
from tests.peers import require
from tests.samples import dataset_bytes
from tests.support import CT, EXPLICIT, VERIFICATION
from tests.writing import dataset, write_object

UIDS = [f"1.2.3.{number}" for number in range(6)]
OBJECTS = {uid: dataset(CT, uid, pixels=bytes(3000), study=f"1.{uid}") for uid in UIDS[:2]}
OBJECTS |= {uid: dataset(CT, uid, pixels=bytes(100_000)) for uid in UIDS[2:]}

#: What changes a file or a folder; those that this machine does not have are left out by "?".
CALLS = (
    *("write", "writev", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "?renameat"),
    *("?renameat2", "link", "linkat", "unlink", "?unlinkat", "mkdir", "?mkdirat"),
)
FAULTS = {"killed": "signal=SIGKILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}

#: Calls of the thread that receives, and then of the one that commits.
RECEIVING, COMMITTING = 30, 10
EVERY = [(number, fault) for number in range(RECEIVING + COMMITTING) for fault in FAULTS]
SOME = sorted(random.Random(7).sample(EVERY, 12))


def test_sample_has_every_fault_and_both_threads():
    assert {fault for _, fault in SOME} == FAULTS.keys()
    assert {number >= RECEIVING for number, _ in SOME} == {True, False}


# -- the archive, traced -------------------------------------------------------------------------


class Running:
    """A `pacs storescp` that can be traced and is left without a voice."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
        self.process = process
        self.folder = folder
        self.port = port

    @contextmanager
    def traced(self, log: Path, *options: str) -> Iterator[None]:
        """Trace it inside the block, with all its threads."""
        command = [require("strace"), "-f", "-o", log, *options, "-p", str(self.process.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            try:
                said = strace.stderr.readline()
                if "ttached" not in said:
                    pytest.skip(f"strace cannot attach: {said.strip()}")
                yield
            finally:
                strace.terminate()
                strace.communicate(timeout=20)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[Running]:
    port = free_port()
    command = (*PACS, "storescp", str(port), "--out", folder, "-q", *options)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            await_port(port, process)
            yield Running(process, folder, port)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def outbox(tmp_path_factory):
    """What is sent, in the order of its names."""
    folder = tmp_path_factory.mktemp("outbox")
    for uid, data in OBJECTS.items():
        path = write_object(folder / f"{uid}.dcm", CT, uid)
        path.write_bytes(path.read_bytes()[: -len(dataset(CT, uid))] + data)
    return folder


def send(pacs, port, outbox):
    """Send everything once; return the UIDs that the sender holds for stored, and what it said."""
    result = pacs("storescu", "127.0.0.1", port, outbox, "--json", "--retries", "0")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    stored = {each["sop_instance_uid"] for each in told if each.get("outcome") == "stored"}
    # success is said when it is all there and never else
    assert (result.exit == 0) is (stored == set(UIDS)), result
    return stored, told


def await_text(path: Path, text: str) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if text in path.read_text():
            return
        pause.wait(0.01)
    raise AssertionError(path.read_text())


def stored_files(root: Path) -> dict[str, bytes]:
    """What stands under final names, read back: every one of them a whole object."""
    names = (name for name in files(root) if not name.startswith(".staging/"))
    found = {Path(name).stem: dataset_bytes(root / name) for name in names}
    assert all(found[uid] == OBJECTS[uid] for uid in found)
    return found


@pytest.fixture(scope="module")
def calls(tmp_path_factory, outbox):
    """The calls of an archive to which nothing happens: name, and the how manieth of its thread."""
    folder = tmp_path_factory.mktemp("measured")
    log = folder / "log"
    with storescp(folder / "archive") as archive:
        with archive.traced(log, "-e", f"trace={','.join(CALLS)}"):
            run = subprocess.run(
                [*PACS, "storescu", "127.0.0.1", str(archive.port), outbox, "-q"], check=False
            )
            assert run.returncode == 0
            await_rows(archive.folder, *UIDS)
    by_thread: dict[str, list[tuple[str, int]]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for thread, name in re.findall(r"^(\d+) +(\w+)\(", log.read_text(), re.M):
        counts[thread, name] += 1
        by_thread.setdefault(thread, []).append((name, counts[thread, name]))
    names = {thread: {name for name, _ in made} for thread, made in by_thread.items()}
    (receiving,) = (thread for thread in names if "link" in names[thread])
    (committing,) = (thread for thread in names if "pwrite64" in names[thread])
    assert names[receiving] >= {"writev", "fsync", "link", "mkdir", "unlink"}
    assert receiving != committing
    return by_thread[receiving][:RECEIVING] + by_thread[committing][:COMMITTING]


def fail_at(tmp_path, pacs, outbox, call, fault):
    name, number = call
    root, log = tmp_path / "archive", tmp_path / "log"
    inject = f"inject={name}:{FAULTS[fault]}:when={number}"
    with storescp(root) as archive:
        with archive.traced(log, "-e", f"trace={name}", "-e", inject):
            acknowledged, _ = send(pacs, archive.port, outbox)
            if fault == "killed":
                assert archive.process.wait(20) == -signal.SIGKILL
            else:
                await_text(log, "INJECTED")
        found = stored_files(root)
        assert acknowledged <= found.keys()
        if fault != "killed":
            # it goes on, and needs neither a new start nor the object again
            await_rows(root, *acknowledged)
            again, _ = send(pacs, archive.port, outbox)
            assert again == set(UIDS)
            await_rows(root, *UIDS)
            assert archive.stop() == 0
            acknowledged = again
    with open_archive(root) as archive:
        assert archive.recovered.unindexed == ()
        assert archive.recovered.moved_aside is None
        for uid in acknowledged:
            assert dataset_bytes(archive.blobs.path(archive.index.find_path(uid))) == OBJECTS[uid]
        assert rows(root).keys() >= acknowledged
        assert_holds(root, *stored_files(root))
        assert all(store(archive.handler, OBJECTS[uid], uid).status == 0 for uid in UIDS)
    assert_holds(root, *UIDS)


@pytest.mark.parametrize(("number", "fault"), SOME)
def test_fault_at_a_call_loses_nothing_acknowledged(tmp_path, pacs, outbox, calls, number, fault):
    fail_at(tmp_path, pacs, outbox, calls[number], fault)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "fault"), [each for each in EVERY if each not in SOME])
def test_fault_at_any_call_loses_nothing_acknowledged(tmp_path, pacs, outbox, calls, number, fault):
    fail_at(tmp_path, pacs, outbox, calls[number], fault)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["writev", "fsync", "link", "mkdir", "pwrite64", "fdatasync"])
@pytest.mark.parametrize("fault", ["EIO", "ENOSPC", "EROFS"])
def test_call_that_fails_for_good_refuses_all_and_loses_nothing(
    tmp_path, pacs, outbox, calls, name, fault
):
    """From the second call of each thread on, until the trace ends."""
    root, log = tmp_path / "archive", tmp_path / "log"
    with storescp(root) as archive:
        inject = f"inject={name}:error={fault}:when=2+"
        with archive.traced(log, "-e", f"trace={name}", "-e", inject):
            acknowledged, _ = send(pacs, archive.port, outbox)
            more, told = send(pacs, archive.port, outbox)
            assert acknowledged | more <= stored_files(root).keys()
            if name in ("writev", "fsync", "link"):
                assert more < set(UIDS)
                assert {each["status"] for each in told if each.get("error")} == {"A700"}
        again, _ = send(pacs, archive.port, outbox)
        assert again == set(UIDS)
        await_rows(root, *UIDS)
        assert archive.stop() == 0
    assert_holds(root, *UIDS)


# -- a disk that is full -------------------------------------------------------------------------

MB = 1_000_000


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB that is really full when it is full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", disk], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("a file system can only be mounted with the privilege")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def session(port):
    target = Target("test", "127.0.0.1", port, timeouts=Timeouts(20, 20, 20))
    return Session(target, (Proposal(VERIFICATION, (EXPLICIT,)), Proposal(CT, (EXPLICIT,))))


def test_full_disk_is_a700_and_is_recovered_from_without_a_start(small_disk):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(3 * MB))
    objects = {f"1.2.3.{n}": dataset(CT, f"1.2.3.{n}", pixels=bytes(MB)) for n in range(12)}
    root = small_disk / "archive"
    with storescp(root) as archive:
        with session(archive.port) as association:

            def store_all():
                return {uid: association.store(3, CT, uid, [data]) for uid, data in objects.items()}

            first = store_all()
            stored = {uid for uid, answer in first.items() if answer.status == 0}
            refused = [answer for answer in first.values() if answer.status]
            assert 2 <= len(stored) <= 5
            assert {answer.status for answer in refused} == {0xA700}
            assert {answer.comment for answer in refused} == {
                "cannot write: no space left on device"
            }
            await_rows(root, *stored)
            assert_holds(root, *stored)
            # the association goes on, and so do objects for which there is room
            assert association.echo(1).status == 0
            small = dataset(CT, "1.2.4")
            assert association.store(3, CT, "1.2.4", [small]).status == 0
            filler.unlink()
            more = {uid for uid, answer in store_all().items() if answer.status == 0}
            assert len(more) >= len(stored) + 2
            await_rows(root, *more, "1.2.4")
        assert archive.stop() == 0
    assert_holds(root, *more, "1.2.4")
    for uid in more:
        assert dataset_bytes(root / rows(root)[uid]) == objects[uid]


def test_disk_that_is_full_to_the_last_byte_loses_nothing_acknowledged(small_disk):
    """Neither a file nor a row: then the index cannot be written, and says so."""
    filler = small_disk / "filler"
    root = small_disk / "archive"
    acknowledged = {}
    with storescp(root) as archive:
        with session(archive.port) as association:
            filler.write_bytes(bytes(7 * MB))
            statuses = []
            for number in range(2000):
                uid = f"1.2.3.{number}"
                data = dataset(CT, uid, pixels=bytes(2000))
                statuses.append(association.store(3, CT, uid, [data]).status)
                if statuses[-1] == 0:
                    acknowledged[uid] = data
                if len(statuses) - len(acknowledged) > 20:
                    break
            assert 20 < len(acknowledged) < 2000
            assert set(statuses) <= {0, 0xA700, 0xA701}
            filler.unlink()
            assert association.store(3, CT, "1.2.4", [dataset(CT, "1.2.4")]).status == 0
            acknowledged["1.2.4"] = dataset(CT, "1.2.4")
            await_rows(root, *acknowledged)
            assert_holds(root, *acknowledged)
        assert archive.stop() == 0
    for uid, path in rows(root).items():
        assert dataset_bytes(root / path) == acknowledged[uid]


def test_space_that_is_to_be_kept_free_is(small_disk):
    filler = small_disk / "filler"
    filler.write_bytes(bytes(2 * MB))
    settings = ArchiveSettings(min_free=3 * MB)
    with open_archive(small_disk / "archive", settings=settings) as archive:

        def store_all():
            return [
                store(archive.handler, dataset(CT, uid, pixels=bytes(400_000)), uid)
                for uid in (f"1.2.3.{number}" for number in range(20))
            ]

        outcomes = store_all()
        stored = [outcome for outcome in outcomes if outcome.status == 0]
        assert 3 <= len(stored) <= 9
        assert {outcome.status for outcome in outcomes[len(stored) :]} == {0xA700}
        assert {outcome.comment for outcome in outcomes[len(stored) :]} == {
            "cannot write: less than the space that is to be kept free"
        }
        status = os.statvfs(small_disk)
        assert status.f_bavail * status.f_frsize > 2.4 * MB
        assert len(files(small_disk / "archive")) == len(stored)
        filler.unlink()
        assert sum(outcome.status == 0 for outcome in store_all()) >= len(stored) + 4


# -- the index -----------------------------------------------------------------------------------


def test_locked_index_is_a701_in_time_and_goes_on_after(tmp_path):
    root = tmp_path / "archive"
    with storescp(root) as archive:
        with session(archive.port) as association:
            assert association.store(3, CT, "1.2.3.1", [dataset(CT, "1.2.3.1")]).status == 0
            await_rows(root, "1.2.3.1")
            with locked(root):
                refused = association.store(3, CT, "1.2.3.2", [dataset(CT, "1.2.3.2")])
                assert (refused.status, refused.comment) == (0xA701, "the index cannot be written")
                assert association.echo(1).status == 0
                assert_holds(root, "1.2.3.1")
            assert association.store(3, CT, "1.2.3.2", [dataset(CT, "1.2.3.2")]).status == 0
        assert archive.stop() == 0
    assert_holds(root, "1.2.3.1", "1.2.3.2")


def test_corrupt_index_takes_nothing_and_the_next_start_makes_it_again(tmp_path):
    root = tmp_path / "archive"
    with open_archive(root) as archive:
        for uid in UIDS:
            store(archive.handler, OBJECTS[uid], uid)
    spoil(root / "index.db", 4096 * (root_page(root, "instance") - 1), b"x" * 4096)
    with pacs_storescp(root) as archive:
        with session(archive.port) as association:
            for _ in range(2):
                status = association.store(3, CT, "1.2.9", [dataset(CT, "1.2.9")]).status
                assert status == 0xA701
        archive.stop()
    assert {path for path in files(root) if path.endswith(".dcm")} == set(placed())
    with pacs_storescp(root) as archive:
        with session(archive.port) as association:
            assert association.store(3, CT, "1.2.9", [dataset(CT, "1.2.9")]).status == 0
        assert archive.stop() == 0
    (recovered,) = archive.kind("recovered")
    assert (recovered["rows_added"], recovered["unindexed"]) == (6, [])
    assert recovered["moved_aside"] == str(root / "index.db.corrupt-1")
    assert_holds(root, *UIDS, "1.2.9")
    with closing(sqlite3.connect(root / "index.db")) as index:
        assert index.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def placed():
    from tests.writing import SERIES, STUDY

    for uid in UIDS:
        study = f"1.{uid}" if uid in UIDS[:2] else STUDY
        yield f"{study}/{SERIES}/{uid}.dcm"
