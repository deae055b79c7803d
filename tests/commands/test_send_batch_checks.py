"""`pacs send-batch` that limits itself, asks the destination, and opens what is older."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from contextlib import closing
from importlib.resources import files

import pytest

from pacs_cli.errors import Exit
from pacs_cli.jobs.file import APPLICATION_ID, MIGRATIONS, JobFile
from pacs_cli.pipelines.batch import Batch, Plan
from pacs_cli.pipelines.limits import Window
from pacs_cli.pipelines.send import Observer, Settings
from tests.commands.test_send_batch import scans, state, states, summary  # noqa: F401 fixtures
from tests.interop.peers import pacs_storescp
from tests.pipelines.scripted import Recording
from tests.pipelines.sendings import write
from tests.samples import dataset_bytes
from tests.support import CT, running_provider


@pytest.mark.parametrize("limit", ["--rate", "--max-mb"])
def test_limit_is_kept(pacs, scans, state, limit):  # noqa: F811
    """40 objects a second, or their bytes: 11 objects need a quarter of a second."""
    first, *_ = write(scans, 11)
    most = 40 if limit == "--rate" else 40 * len(dataset_bytes(first)) / 1e6
    with running_provider() as running:
        began = time.monotonic()
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *(limit, most),
        )
        seconds = time.monotonic() - began
    assert result.exit == Exit.OK
    assert seconds > 0.245


def run_outside(job, target, times, warn):
    """Run a job whose window is 22:00-06:00, at these hours one after the other."""
    hours = iter(times)

    def local_time():
        return time.struct_time((2026, 1, 2, next(hours), 0, 0, 4, 2, 0))

    plan = Plan(Settings(), windows=(Window.parse("22:00-06:00"),))
    batch = Batch(job, plan, lambda result: None, Observer(warn=warn), local_time=local_time)
    return batch.run([(1, "127.0.0.1", target)])


@pytest.fixture
def planned(pacs, scans, state):  # noqa: F811
    """A job of three objects that nobody was sent yet."""
    write(scans, 3)
    pacs("send-batch", "127.0.0.1", 1, scans, "--state", state)
    with JobFile(state) as job:
        yield job


def test_job_waits_for_its_window(planned):
    warnings = []
    with running_provider() as running:
        ends = run_outside(planned, running.target(), [21, 21, *[23] * 100], warnings.append)
    assert warnings == ["outside the window: waiting 60 minutes"]
    assert ends.reasons == {}
    assert len(running.handler.stored) == 3


def test_wait_for_a_window_ends_with_a_pause(planned):
    with running_provider() as running:
        ends = run_outside(
            planned, running.target(), [21] * 100, lambda text: planned.put({"wish": "pause"})
        )
    assert ends.reasons == {"127.0.0.1": ("paused", Exit.SOME_FAILED)}
    assert running.handler.stored == []


def test_what_the_destination_has_is_skipped_and_what_it_shows_is_verified(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    tmp_path,
):
    paths = write(scans, 6)
    with pacs_storescp(tmp_path / "archive", "--qr") as archive:
        assert pacs("storescu", "127.0.0.1", archive.port, *paths[:2]).exit == Exit.OK
        result = pacs(
            *("send-batch", "127.0.0.1", archive.port, scans, "--state", state),
            *("--skip-existing", "--verify", "--json"),
        )
        archive.stop()
    assert result.exit == Exit.OK, result
    found = summary(result)
    assert (found["sent"], found["skipped"]) == (4, 2)
    assert len(archive.kind("instance")) == 2 + 4
    assert Counter(row[:2] for row in states(pacs, state).values()) == {
        ("sent", ""): 4,
        ("skipped", "existing"): 2,
    }
    with closing(sqlite3.connect(state)) as connection:
        (verified,) = connection.execute("SELECT sum(verified) FROM object").fetchone()
    assert verified == 4


def test_what_the_destination_does_not_show_has_failed(pacs, scans, state, tmp_path):  # noqa: F811
    """It acknowledges, and another archive answers the query: an empty one."""
    write(scans, 2)
    from pacs_cli.archive.handler import open_archive
    from pacs_cli.archive.library import ArchiveLibrary
    from pacs_cli.services.query_scp import QueryRetrieve

    with open_archive(tmp_path / "empty") as empty:
        library = ArchiveLibrary(empty.index, tmp_path / "empty", "TEST")
        with running_provider(Recording(), queries=QueryRetrieve(library)) as running:
            result = pacs(
                *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
                *("--verify", "--json"),
            )
    assert result.exit == Exit.PEER_FAILED
    assert summary(result)["classes"] == {"missing": 2}
    assert "a C-FIND does not show it" in result.stderr


@pytest.mark.parametrize(
    ("option", "code", "sent"),
    [("--skip-existing", Exit.ASSOCIATION, 0), ("--verify", Exit.SOME_FAILED, 2)],
)
def test_destination_that_answers_no_query_leaves_the_job_undone(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    option,
    code,
    sent,
):
    write(scans, 2)
    with running_provider(abstract_syntaxes=frozenset([CT])) as running:
        port = running.listener.port
        result = pacs("send-batch", "127.0.0.1", port, scans, "--state", state, option, "--json")
    assert result.exit == code
    assert "study root" in result.stderr
    assert len(running.handler.stored) == summary(result)["sent"] == sent


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_job_of_an_older_version_opens_and_is_gone_on_with(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    version,
):
    """Made by the scripts of that version, with a row in it as that version wrote it."""
    import json

    (path,) = write(scans, 1)
    with running_provider() as running:
        kept = {
            "port": running.listener.port,
            "peer": {"peer": "127.0.0.1", "called_ae_title": None},
            "network": {},
        }
        with closing(sqlite3.connect(state, isolation_level=None)) as connection:
            for name in MIGRATIONS[:version]:
                connection.executescript(files("pacs_cli.jobs").joinpath(name).read_text())
            connection.executescript(
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};"
                "INSERT INTO job VALUES ('planned', 'true');"
                "INSERT INTO study VALUES (1, '1.2');"
                "INSERT INTO kind VALUES (1, '1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.1.2.1')"
            )
            connection.execute("INSERT INTO destination VALUES (1, 'old', ?)", (json.dumps(kept),))
            connection.execute(
                "INSERT INTO object (destination, study, kind, sop_instance_uid, path, state)"
                " VALUES (1, 1, 1, '1.2.3.0', ?, 'sending')",
                (str(path),),
            )
        assert pacs("send-batch", "resume", state).exit == Exit.OK
    assert len(running.handler.stored) == 1
    with closing(sqlite3.connect(state)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_job_of_a_newer_version_is_refused(pacs, scans, state):  # noqa: F811
    with JobFile(state):
        pass
    with closing(sqlite3.connect(state)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    result = pacs("send-batch", "status", state)
    assert result.exit == Exit.OUTPUT
    assert "newer than this program" in result.stderr
