"""`pacs send-batch` of what an index or another PACS has."""

from __future__ import annotations

import json
import random
import resource
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import Exit
from pacs_cli.jobs.file import JobFile
from tests.commands.retrieving import finds, holds
from tests.commands.test_send_batch import state, states, summary, uids  # noqa: F401 fixture
from tests.interop.find_peers import Peer, dcmqrscp, fill, orthanc, write_archive
from tests.interop.peers import PACS, Archive, free_port, pacs_storescp, run_pacs
from tests.interop.test_batch import killed_after
from tests.pipelines.scripted import Recording
from tests.pipelines.sendings import write
from tests.pixels.images import read
from tests.samples import dataset_bytes
from tests.services.retrieving import acting_each, got, moved, says, sends
from tests.support import CT, MR, running_provider
from tests.writing import STUDY, dataset


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


# -- another PACS ----------------------------------------------------------------------------------


@contextmanager
def holding(folder: Path, objects: Path) -> Iterator[Archive]:
    """An archive of ours that answers queries and has these objects."""
    with pacs_storescp(folder, "--qr") as source:
        assert run_pacs("storescu", "127.0.0.1", source.port, objects).returncode == 0
        yield source


def migrate(pacs, state, destination: int, source: object, *options):  # noqa: F811
    return pacs(
        *("send-batch", "127.0.0.1", destination, "--state", state, "--json"),
        *("--from-peer", source, *options),
    )


def expected(objects: Path) -> dict[str, bytes]:
    files = [path for path in objects.rglob("*") if path.is_file()]
    return {probe(path).sop_instance_uid: dataset_bytes(path) for path in files}


def received(handler) -> dict[str, bytes]:
    return {request.affected_sop_instance_uid: data for request, data in handler.stored}


def spool(state) -> Path:  # noqa: F811
    return state.with_name(f"{state.name}-spool")


def test_everything_of_another_pacs_arrives_once_and_nothing_stays_in_between(
    pacs,
    archive,
    state,  # noqa: F811
    tmp_path,
):
    with holding(tmp_path / "source", archive) as source, running_provider() as running:
        port = running.listener.port
        address = f"127.0.0.1:{source.port}"
        result = migrate(pacs, state, port, address, "-k", "PatientID=*")
        again = pacs("send-batch", "resume", state, "--json")
        anew = migrate(pacs, state, port, address, "-k", "PatientID=*")
    assert (result.exit, again.exit, anew.exit) == (0, 0, 0), (result, again, anew)
    assert summary(result)["sent"] == 24
    assert received(running.handler) == expected(archive)
    assert len(running.handler.stored) == 24
    assert not spool(state).exists()


#: How archives are fetched from; ours with C-GET is in every test here.
WAYS = [
    pytest.param(orthanc, False, id="orthanc get", marks=pytest.mark.interop),
    pytest.param(orthanc, True, id="orthanc move", marks=pytest.mark.interop),
    pytest.param(dcmqrscp, False, id="dcmqrscp get", marks=pytest.mark.interop),
    pytest.param(dcmqrscp, True, id="dcmqrscp move", marks=pytest.mark.interop),
    pytest.param(None, True, id="ours move"),
]


@contextmanager
def ours(folder: Path, destinations: dict[str, int]) -> Iterator[Peer]:
    nodes = [f"{title}@127.0.0.1:{port}" for title, port in destinations.items()]
    with pacs_storescp(folder, "--qr", "--aet", "PACS", "--move-to", *nodes) as its:
        yield Peer("PACS", its.port)


@pytest.mark.parametrize(("make", "is_moved"), WAYS)
def test_archives_of_the_field_are_fetched_from(
    pacs,
    archive,
    state,  # noqa: F811
    tmp_path,
    monkeypatch,
    make,
    is_moved,
):
    receive = free_port()
    options = ("--receive", receive, "--receive-bind", "127.0.0.1") if is_moved else ()
    with (
        (make or ours)(tmp_path / "source", {"MOVER": receive}) as source,
        running_provider() as running,
    ):
        fill(source, archive)
        result = migrate(
            *(pacs, state, running.listener.port, source.address),
            *("-k", "PatientID=TEST-1", "-aet", "MOVER", *options),
        )
    assert result.exit == 0, result
    meant = {uid: data for uid, data in expected(archive).items() if uid.startswith("1.2.3.1.")}
    assert len(meant) == 8
    assert set(received(running.handler)) == set(meant)


def test_spool_is_bounded_whatever_there_is(pacs, state, tmp_path):  # noqa: F811
    """With no room for even one object, one request is fetched at a time and sent."""
    objects = tmp_path / "objects"
    objects.mkdir()
    write(objects, 120)
    most = 0

    class Counting(Recording):
        def open_store(self, request):
            nonlocal most
            most = max(most, len(list(spool(state).iterdir())))
            return super().open_store(request)

    handler = Counting()
    with holding(tmp_path / "source", objects) as source, running_provider(handler) as running:
        result = migrate(
            *(pacs, state, running.listener.port, f"127.0.0.1:{source.port}"),
            *("-k", "PatientID=*", "--spool-mb", "0.000001"),
        )
    assert result.exit == 0, result
    assert len(handler.answered) == 120
    assert set(handler.answered.values()) == {1}
    assert 1 < most <= 50


def test_kill_while_fetching_and_sending_loses_and_repeats_next_to_nothing(
    pacs,
    state,  # noqa: F811
    tmp_path,
):
    objects = tmp_path / "objects"
    objects.mkdir()
    write(objects, 110, CT, MR)
    chance = random.Random(8)
    with holding(tmp_path / "source", objects) as source, running_provider() as running:
        first = (
            *("127.0.0.1", running.listener.port, "--state", state, "--jobs", "2"),
            *("--from-peer", f"127.0.0.1:{source.port}", "-k", "PatientID=*"),
        )
        kills = 2
        assert killed_after(chance.randint(1, 40), *first, "--spool-mb", "0.000001")
        for _ in range(kills - 1):
            assert killed_after(chance.randint(1, 40), "resume", state)
        # one of them in the middle of what it fetches
        (spool(state)).mkdir(exist_ok=True)
        (spool(state) / "1.2.3.109.dcm.7.part").write_bytes(b"cut off")
        done = pacs("send-batch", "resume", state, "--json")
    assert done.exit == 0, done
    assert (summary(done)["found"], summary(done)["sent"]) == (110, 110)
    assert received(running.handler) == expected(objects)
    assert len(running.handler.stored) - 110 <= 2 * kills
    assert not spool(state).exists()


def test_what_the_source_does_not_deliver_has_failed_with_its_reason_and_comes_later(
    pacs,
    archive,
    state,  # noqa: F811
    tmp_path,
):
    with holding(tmp_path / "source", archive) as source, running_provider() as running:
        gone = source.files()["1.2.3.1.1.1.1"]
        kept = gone.read_bytes()
        gone.unlink()
        port = running.listener.port
        result = migrate(pacs, state, port, f"127.0.0.1:{source.port}", "-k", "PatientID=TEST-1")
        assert result.exit == Exit.SOME_FAILED
        found = summary(result)
        assert (found["found"], found["sent"], found["classes"]) == (8, 7, {"source": 1})
        assert "1.2.3.1.1.1.1 did not come: " in result.stderr
        gone.write_bytes(kept)
        assert pacs("send-batch", "resume", state).exit == Exit.SOME_FAILED
        assert pacs("send-batch", "retry-failed", state).stdout == "queued 1 again\n"
        assert pacs("send-batch", "resume", state).exit == Exit.OK
    assert len(received(running.handler)) == len(running.handler.stored) == 8


def test_source_that_is_down_leaves_everything_announced(
    pacs,
    archive,
    state,  # noqa: F811
    tmp_path,
):
    with holding(tmp_path / "source", archive) as source:
        address = f"127.0.0.1:{source.port}"
        # asks the destination before it fetches anything
        down = migrate(pacs, state, 1, address, "-k", "PatientID=*", "--skip-existing")
    assert (down.exit, summary(down)["left"]) == (Exit.CONNECT, 24)
    with running_provider() as running:
        with JobFile(state) as job:
            ((_, name, kept),) = job.destinations()
            job.add_destination(name, {**kept, "port": running.listener.port})
            job.put({"options": {}})
        result = pacs("send-batch", "resume", state, "--json", "--retries", "1")
        assert result.exit == Exit.CONNECT
        assert summary(result)["left"] == 24
        assert address in result.stderr
        assert set(states(pacs, state).values()) == {("announced", "", "")}
        with pacs_storescp(tmp_path / "source", "--qr", port=source.port):
            assert pacs("send-batch", "resume", state).exit == Exit.OK
    assert len(running.handler.stored) == 24


def test_what_the_destination_has_is_not_fetched(pacs, archive, state, tmp_path):  # noqa: F811
    with (
        holding(tmp_path / "source", archive) as source,
        pacs_storescp(tmp_path / "there", "--qr") as there,
    ):
        have = [path for path in archive.rglob("*") if path.is_file()][:20]
        assert pacs("storescu", "127.0.0.1", there.port, *have).exit == Exit.OK
        result = migrate(
            *(pacs, state, there.port, f"127.0.0.1:{source.port}"),
            *("-k", "PatientID=*", "--skip-existing", "--verify"),
        )
        there.stop()
        source.stop()
    assert result.exit == 0, result
    assert (summary(result)["sent"], summary(result)["skipped"]) == (4, 20)
    assert len(there.kind("instance")) == 24


def test_what_is_fetched_is_changed_on_its_way(pacs, archive, state, tmp_path):  # noqa: F811
    key, fixes = tmp_path / "a.key", tmp_path / "fixes.csv"
    fixes.write_text("PatientID,new:PatientID\nTEST-1,TEST-2\nTEST-7,TEST-8\n")
    with holding(tmp_path / "source", archive) as source, running_provider() as running:
        result = migrate(
            *(pacs, state, running.listener.port, f"127.0.0.1:{source.port}", "-k", "PatientID=*"),
            *("--fixes", fixes, "--anonymize", "basic", "--save-key", key),
        )
    assert result.exit == 0, result
    sent = [read(data, "explicit") for _, data in running.handler.stored]
    assert len(sent) == 24
    assert len({str(each.PatientID) for each in sent}) == 2
    assert not [data for _, data in running.handler.stored if b"TEST-" in data]
    told = pacs("send-batch", "report", state, "--json").json
    assert told[-1]["fixes_unused"] == [3]
    assert {each["source_sop_instance_uid"] for each in told if each["type"] == "object"} == set(
        expected(archive)
    )


OTHER = dataset(CT, "1.2.3.77")


@pytest.mark.parametrize(
    ("objects", "status"),
    [
        pytest.param([("1.2.3.1", OTHER)], 0, id="another object under its UID"),
        pytest.param([("1.2.3.77", OTHER)], 0xC000, id="not asked for"),
        pytest.param([("../../evil", OTHER)], 0xC000, id="no UID"),
        pytest.param([("1.2.3.1", b"garbage")], 0, id="no data set"),
    ],
)
def test_source_that_sends_something_else_fails_its_object(
    pacs,
    state,  # noqa: F811
    tmp_path,
    objects,
    status,
):
    answered: list[int] = []
    query = finds(holds(["1.2.3.1"]))
    acts = (query, sends(objects, got(0, None, 1, 0, 0), answered=answered))
    with acting_each(*acts) as target, running_provider() as running:
        result = migrate(
            *(pacs, state, running.listener.port, f"127.0.0.1:{target.port}"),
            *("-k", f"StudyInstanceUID={STUDY}"),
        )
    assert result.exit in (Exit.PEER_FAILED, Exit.BAD_INPUT), result
    assert answered == [status]
    assert summary(result)["failed"] == 1
    assert running.handler.stored == []
    # nothing was written anywhere else
    assert {path.name for path in tmp_path.iterdir()} <= {"move.job", "move.job-lock", "no-config"}


@pytest.mark.parametrize("status", [0xA702, 0xA801])
def test_refused_move_fails_what_it_was_for_unless_we_are_unknown(
    pacs,
    state,  # noqa: F811
    status,
):
    receive = free_port()
    with acting_each(finds(holds()), says(moved(status))) as target, running_provider() as running:
        result = migrate(
            *(pacs, state, running.listener.port, f"127.0.0.1:{target.port}"),
            *("-k", f"StudyInstanceUID={STUDY}", "--receive", receive),
        )
    assert result.exit == Exit.PEER_FAILED, result
    found = summary(result)
    assert (found["failed"], found["left"]) == ((3, 0) if status == 0xA702 else (0, 3))
    assert f"{status:04X}" in result.stderr


@pytest.mark.parametrize(
    "typed",
    [
        ("--from-peer", "127.0.0.1:1"),
        ("--from-peer", "127.0.0.1:1", "-k", "PatientID"),
        ("--from-peer", "127.0.0.1:1", "--db", "all.db", "-k", "PatientID=1"),
        ("--db", "all.db", "-k", "PatientID=1", "--spool-mb", "1"),
    ],
)
def test_source_that_is_not_said_well_is_a_usage_error(pacs, state, typed):  # noqa: F811
    result = pacs("send-batch", "127.0.0.1", 1, "--state", state, *typed)
    assert result.exit == Exit.USAGE
    assert not state.exists()


def test_full_disk_under_the_spool_fails_no_object(state, tmp_path):  # noqa: F811
    """The system lets no file grow so far: what came before is sent, the rest stays announced."""
    objects = tmp_path / "objects"
    objects.mkdir()
    write(objects, 3, size=400_000)
    with holding(tmp_path / "source", objects) as source, running_provider() as running:

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

        first = (
            *(*PACS, "send-batch", "127.0.0.1", str(running.listener.port), "--state", str(state)),
            *("--from-peer", f"127.0.0.1:{source.port}", "-k", "PatientID=*"),
        )
        full = subprocess.run(
            first, capture_output=True, text=True, check=False, preexec_fn=limited
        )
        left = {path.suffix for path in spool(state).iterdir()}
        done = run_pacs("send-batch", "resume", state, "--json")
    assert full.returncode == Exit.OUTPUT, full
    assert "move.job-spool: file too large" in full.stderr
    assert left <= {".dcm"}
    assert done.returncode == 0, done
    assert json.loads(done.stdout.splitlines()[-1])["sent"] == 3
    assert received(running.handler) == expected(objects)
