"""`pacs storescp --forward`: what is acknowledged arrives at the destination, whatever happens."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from pacs_cli.errors import Exit
from pacs_cli.jobs.file import JobFile
from tests.interop.peers import free_port, pacs_storescp
from tests.pipelines.sendings import write
from tests.support import CT, MR


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    return folder


def arrived(archive) -> dict[str, bytes]:
    return {uid: path.read_bytes()[-300:] for uid, path in archive.files().items()}


def wait_for(archive, count: int) -> None:
    """Return once the destination told of so many objects; it reads its events in a thread."""
    import threading

    pause = threading.Event()
    for _ in range(400):
        if len(archive.kind("instance")) >= count:
            return
        pause.wait(0.05)
    raise AssertionError(f"{len(archive.kind('instance'))} of {count} arrived")


def test_what_is_received_is_sent_on_once(pacs, tmp_path, scans):
    write(scans, 12, CT, MR)
    with pacs_storescp(tmp_path / "there") as there:
        with pacs_storescp(tmp_path / "here", "--forward", f"127.0.0.1:{there.port}") as here:
            for _ in range(2):
                assert pacs("storescu", "127.0.0.1", here.port, scans).exit == Exit.OK
            wait_for(there, 12)
            assert here.stop() == 0
        assert len(here.kind("forwarded")) == 12
        there.stop()
    assert arrived(there) == arrived(here)
    assert len(there.kind("instance")) == 12
    # what stands in the archive's folder is a job like any other
    done = pacs("send-batch", "status", tmp_path / "here" / ".forward.job", "--json").json[-1]
    assert (done["sent"], done["left"], done["is_running"]) == (12, 0, False)


def test_kill_loses_nothing_that_was_acknowledged(pacs, tmp_path, scans):
    """The destination is down until after the kill; then everything comes, once."""
    write(scans, 40, CT, MR)
    port = free_port()
    with pacs_storescp(tmp_path / "here", "--forward", f"127.0.0.1:{port}") as here:
        assert pacs("storescu", "127.0.0.1", here.port, scans).exit == Exit.OK
        assert here.stop(signal.SIGKILL) == -signal.SIGKILL
    with pacs_storescp(tmp_path / "there", port=port) as there:
        with pacs_storescp(tmp_path / "here", "--forward", f"127.0.0.1:{port}") as again:
            wait_for(there, 40)
            assert again.stop() == 0
        there.stop()
    assert arrived(there) == arrived(here)
    assert Counter(each["sop_instance_uid"] for each in there.kind("instance")) == {
        f"1.2.3.{n}": 1 for n in range(40)
    }


def test_kill_while_it_forwards_repeats_one_object_at_most(pacs, tmp_path, scans):
    write(scans, 60)
    with pacs_storescp(tmp_path / "there") as there:
        with pacs_storescp(tmp_path / "here", "--forward", f"127.0.0.1:{there.port}") as here:
            assert pacs("storescu", "127.0.0.1", here.port, scans).exit == Exit.OK
            wait_for(there, 3)
            here.stop(signal.SIGKILL)
        with pacs_storescp(tmp_path / "here", "--forward", f"127.0.0.1:{there.port}") as again:
            wait_for(there, 60)
            again.stop()
        there.stop()
    assert len(there.files()) == 60
    assert len(there.kind("instance")) <= 61


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_several_processes_receive_one_sends_on(pacs, tmp_path, scans, number):
    """Of a killed one what was acknowledged goes on with the next start."""
    write(scans, 40, CT, MR)
    with pacs_storescp(tmp_path / "there") as there:
        options = ("--forward", f"127.0.0.1:{there.port}", "--workers", "2")
        with pacs_storescp(tmp_path / "here", *options) as here:
            sent = pacs("storescu", "127.0.0.1", here.port, scans, "--jobs", "4")
            assert sent.exit == Exit.OK
            wait_for(there, 40 if number == signal.SIGTERM else 1)
            here.stop(number)
        with pacs_storescp(tmp_path / "here", *options) as again:
            wait_for(there, 40)
            assert again.stop() == 0
        there.stop()
    assert arrived(there) == arrived(here)
    assert len(there.files()) == 40
    assert len(there.kind("instance")) <= 41
    done = pacs("send-batch", "status", tmp_path / "here" / ".forward.job", "--json").json[-1]
    assert (done["sent"], done["left"], done["is_running"]) == (40, 0, False)


def test_processes_that_receive_wake_the_one_that_sends(pacs, tmp_path, scans):
    """What comes when everything was sent is sent at once, not after the wait for a lost peer."""
    write(scans, 6)
    with pacs_storescp(tmp_path / "there") as there:
        options = ("--forward", f"127.0.0.1:{there.port}", "--workers", "2")
        with pacs_storescp(tmp_path / "here", *options) as here:
            for number, path in enumerate(sorted(scans.iterdir()), 1):
                assert pacs("storescu", "127.0.0.1", here.port, path).exit == Exit.OK
                wait_for(there, number)
            assert here.stop() == 0
        there.stop()
    assert len(there.files()) == 6


@pytest.mark.slow
def test_what_cannot_be_queued_is_not_acknowledged(pacs, tmp_path, scans):
    """Another process holds the job's database for writing, for longer than is waited."""
    import sqlite3
    from contextlib import closing

    write(scans, 1)
    with pacs_storescp(tmp_path / "here", "--forward", "127.0.0.1:1") as here:
        path = tmp_path / "here" / ".forward.job"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            result = pacs("storescu", "127.0.0.1", here.port, scans, "--retries", "0")
        assert result.exit == Exit.PEER_FAILED
        assert "A700" in result.stderr
        # once it can be, the sender's next attempt is queued, though it is held already
        assert pacs("storescu", "127.0.0.1", here.port, scans).exit == Exit.OK
        here.stop()
    with JobFile(path) as job:
        assert sum(count.objects for count in job.counts()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--duplicate", "replace"), "--duplicate"),
    ],
)
def test_what_would_lose_something_is_a_usage_error(pacs, tmp_path, options, words):
    command = ("storescp", "0", "--out", tmp_path / "here", "--forward", "127.0.0.1:1")
    result = pacs(*command, *options)
    assert result.exit == Exit.USAGE
    assert words in result.stderr


def test_queue_of_another_destination_is_not_forgotten(pacs, tmp_path):
    with pacs_storescp(tmp_path / "here", "--forward", "127.0.0.1:1") as here:
        here.stop()
    result = pacs("storescp", "0", "--out", tmp_path / "here", "--forward", "127.0.0.1:2")
    assert result.exit == Exit.USAGE
    assert "forwards to 127.0.0.1:1 too" in result.stderr
