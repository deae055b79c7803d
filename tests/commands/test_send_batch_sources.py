"""`pacs send-batch` of what an index or another PACS has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pacs_cli.errors import Exit
from tests.commands.test_send_batch import state, summary, uids  # noqa: F401 fixture
from tests.interop.find_peers import write_archive
from tests.support import running_provider


@pytest.fixture
def archive(tmp_path) -> Path:
    """Three patients with two studies each, of two series with two images."""
    return write_archive(tmp_path / "archive")


# -- an index --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (("PatientID=TEST-2",), "1.2.3.2."),
        (("PatientName=Müller*",), "1.2.3.3."),
        (("StudyInstanceUID=1.2.3.1.2",), "1.2.3.1.2."),
        (("AccessionNumber=A12", "Modality=MR"), "1.2.3.1.2.2."),
        (("SOPInstanceUID=1.2.3.1.2.2.1",), "1.2.3.1.2.2.1"),
        (("StudyDescription=study 2", "PatientID=TEST-3"), "1.2.3.3.2."),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_what_a_query_finds_in_an_index_is_sent(
    pacs,
    archive,
    state,  # noqa: F811
    tmp_path,
    keys,
    expected,
):
    db = tmp_path / "all.db"
    assert pacs("index", "add", archive, "--db", db).exit == Exit.OK
    typed = [word for key in keys for word in ("-k", key)]
    with running_provider() as running:
        command = ("send-batch", "127.0.0.1", running.listener.port, "--state", state)
        result = pacs(*command, "--db", db, *typed, "--json")
        again = pacs("send-batch", "resume", state, "--json")
    assert (result.exit, again.exit) == (Exit.OK, Exit.OK), result
    twice = (1, 2)
    everything = {
        f"1.2.3.{patient}.{study}.{series}.{image}"
        for patient in (1, 2, 3)
        for study in twice
        for series in twice
        for image in twice
    }
    meant = {uid for uid in everything if uid.startswith(expected)}
    assert uids(running.handler) == Counter(meant)
    assert summary(result)["sent"] == len(meant)


def test_file_that_the_index_has_and_the_disk_has_not_is_counted_as_failed(
    pacs,
    archive,
    state,  # noqa: F811
    tmp_path,
):
    db = tmp_path / "all.db"
    pacs("index", "add", archive, "--db", db)
    gone = sorted(path for path in archive.rglob("*") if path.is_file())[0]
    gone.unlink()
    with running_provider() as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, "--state", state, "--json"),
            *("--db", db, "-k", "PatientID=*"),
        )
    assert result.exit == Exit.SOME_FAILED
    found = summary(result)
    assert (found["sent"], found["failed"]) == (23, 1)
    assert str(gone) in result.stderr


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("--db", "all.db"), "-k KEY=VALUE"),
        (("--db", "all.db", "-k", "PatientID"), "-k KEY=VALUE"),
        (("-k", "PatientID=1", "."), "--db"),
        (("--db", "all.db", "-k", "PatientID=1", "."), "choose one"),
        (("--db", "all.db", "-k", "PatientIdd=1"), "did you mean PatientID"),
        ((), "nothing to send"),
    ],
)
def test_query_that_says_nothing_or_too_much_is_a_usage_error(
    pacs,
    state,  # noqa: F811
    typed,
    words,
):
    result = pacs("send-batch", "127.0.0.1", 1, "--state", state, *typed)
    assert (result.exit, words in result.stderr) == (Exit.USAGE, True), result
    assert not state.exists()


def test_query_without_a_match_has_nothing_to_send(pacs, archive, state, tmp_path):  # noqa: F811
    db = tmp_path / "all.db"
    pacs("index", "add", archive, "--db", db)
    result = pacs(
        *("send-batch", "127.0.0.1", 1, "--state", state, "--db", db, "-k", "PatientID=NOBODY")
    )
    assert result.exit == Exit.BAD_INPUT
    assert "check the paths or the keys" in result.stderr
