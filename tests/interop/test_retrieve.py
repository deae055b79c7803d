"""`pacs movescu` and `pacs getscu` against the archives of the field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet

from pacs_cli.dicom.part10 import probe
from tests.interop.find_peers import (
    Peer,
    dcmqrscp,
    fill,
    image,
    orthanc,
    qrscp,
    write_archive,
)
from tests.interop.peers import free_port, pacs_storescp, run, run_pacs
from tests.samples import header, storable
from tests.support import CT, EXPLICIT, IMPLICIT

pytestmark = pytest.mark.interop


@contextmanager
def ours(folder: Path, destinations: Mapping[str, int]) -> Iterator[Peer]:
    """Our own archive."""
    known = [f"{title}@127.0.0.1:{port}" for title, port in destinations.items()]
    options = [word for each in known for word in ("--move-to", each)]
    with pacs_storescp(folder, "--qr", "--aet", "OURS", *options) as started:
        yield Peer("OURS", started.port)


PEERS = {"dcmqrscp": dcmqrscp, "orthanc": orthanc, "qrscp": qrscp, "ours": ours}


@dataclass(frozen=True)
class Filled:
    """An archive with the objects that it was given, and the port at which it takes us to be."""

    peer: Peer
    objects: dict[str, Path]
    port: int

    @property
    def address(self) -> str:
        return self.peer.address


@pytest.fixture(scope="module", params=PEERS)
def archive(request, tmp_path_factory) -> Iterator[Filled]:
    if request.param == "qrscp":
        pytest.importorskip("sqlalchemy", reason="pynetdicom's qrscp needs sqlalchemy")
    folder = tmp_path_factory.mktemp("archive")
    port = free_port()
    with PEERS[request.param](folder / "peer", {"PACS": port}) as peer:
        objects = write_archive(folder / "objects")
        fill(peer, objects)
        yield Filled(peer, {path.stem: path for path in objects.iterdir()}, port)


def data_set(path: Path) -> bytes:
    return path.read_bytes()[probe(path).dataset_offset :]


def check(folder: Path, archive: Filled, prefix: str) -> int:
    """Compare what is in a folder with the objects below a UID; return how many there are."""
    found = {path.stem: path for path in folder.rglob("*.dcm")}
    expected = {uid for uid in archive.objects if uid.startswith(prefix)}
    assert set(found) == expected
    for uid, path in found.items():
        assert dcmread(path) == dcmread(archive.objects[uid])
        assert data_set(path) == data_set(archive.objects[uid])
    return len(found)


def records(done) -> list[dict]:
    return [json.loads(line) for line in done.stdout.splitlines()]


QUERIES = {
    "a study": (["-k", "StudyInstanceUID=1.2.3.1.1"], "1.2.3.1.1.", 1),
    "a series": (
        ["-k", "StudyInstanceUID=1.2.3.1.1", "-k", "SeriesInstanceUID=1.2.3.1.1.2"],
        *("1.2.3.1.1.2.", 1),
    ),
    "an image": (
        [
            *("-k", "StudyInstanceUID=1.2.3.1.1", "-k", "SeriesInstanceUID=1.2.3.1.1.2"),
            *("-k", "SOPInstanceUID=1.2.3.1.1.2.1"),
        ],
        *("1.2.3.1.1.2.1", 1),
    ),
    "a patient": (["-P", "-k", "PatientID=TEST-2"], "1.2.3.2.", 1),
    "studies of a patient": (["-k", "PatientID=TEST-2"], "1.2.3.2.", 2),
    "by name": (["-k", "PatientName=Do*"], "1.2.3.2.", 2),
    "everything": (["-k", "PatientID=*"], "1.2.3.", 6),
}


@pytest.mark.parametrize("name", QUERIES)
def test_get_brings_the_same_objects(archive, tmp_path, name):
    keys, prefix, requests = QUERIES[name]
    done = run_pacs("getscu", archive.address, "--out", tmp_path, *keys, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    count = check(tmp_path, archive, prefix)
    summary = records(done)[-1]
    assert (summary["requests"], summary["expected"]) == (requests, count)
    assert (summary["arrived"], summary["completed"]) == (count, count)


@pytest.mark.parametrize("name", QUERIES)
def test_move_to_us_brings_the_same_objects(archive, tmp_path, name):
    keys, prefix, requests = QUERIES[name]
    where = ("--receive", str(archive.port), "--out", tmp_path)
    done = run_pacs("movescu", archive.address, *where, *keys, "--expect-from-find", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    count = check(tmp_path, archive, prefix)
    summary = records(done)[-1]
    assert (summary["requests"], summary["expected"]) == (requests, count)
    assert (summary["arrived"], summary["completed"]) == (count, count)
    assert (summary["missing"], summary["unexpected"]) == (0, 0)


def test_move_to_another_node_arrives_there(archive, tmp_path):
    options = ("--aet", "PACS", "--check-called")
    with pacs_storescp(tmp_path / "theirs", *options, port=archive.port) as node:
        keys = ("-k", "StudyInstanceUID=1.2.3.3.1", "--expect-from-find", "--json")
        done = run_pacs("movescu", archive.address, "--dest", "PACS", *keys)
        assert (done.returncode, done.stderr) == (0, "")
        node.stop()
    assert check(tmp_path / "theirs", archive, "1.2.3.3.1.") == 4
    summary = records(done)[-1]
    assert (summary["expected"], summary["completed"], summary["arrived"]) == (4, 4, None)


def test_what_findscu_finds_is_retrieved(archive, tmp_path):
    found = run_pacs("findscu", archive.address, "-k", "PatientID=TEST-3", "--json")
    (tmp_path / "list").write_text(found.stdout)
    listed = ("--from-file", tmp_path / "list", "--json")
    done = run_pacs("getscu", archive.address, *listed, "--out", tmp_path / "got")
    assert done.returncode == 0, done.stderr
    assert check(tmp_path / "got", archive, "1.2.3.3.") == 8
    where = ("--receive", str(archive.port), "--out", tmp_path / "moved")
    done = run_pacs("movescu", archive.address, *where, *listed)
    assert done.returncode == 0, done.stderr
    assert check(tmp_path / "moved", archive, "1.2.3.3.") == 8


def test_second_retrieval_holds_everything_already(archive, tmp_path):
    typed = ("-k", "StudyInstanceUID=1.2.3.1.1", "--out", tmp_path, "--json")
    for already_held in (0, 4):
        done = run_pacs("getscu", archive.address, *typed)
        assert done.returncode == 0
        assert records(done)[-1]["already_held"] == already_held


def test_destination_that_the_peer_does_not_know_is_its_failure(archive):
    key = ("-k", "StudyInstanceUID=1.2.3.1.1")
    done = run_pacs("movescu", archive.address, "--dest", "NOBODY", *key)
    assert (done.returncode, done.stderr.count("\n")) == (5, 1)
    # Orthanc has one status for everything that goes wrong
    assert "configure it there: AE title NOBODY" in done.stderr or "C000H" in done.stderr


def test_destination_where_nobody_listens_is_its_failure(archive):
    key = ("-k", "StudyInstanceUID=1.2.3.1.1")
    done = run_pacs("movescu", archive.address, "--dest", "PACS", *key)
    assert done.returncode == 5, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr


def test_nothing_that_matches_is_nothing_to_retrieve(archive, tmp_path):
    key = ("-k", "PatientName=NOBODY*")
    done = run_pacs("getscu", archive.address, *key, "--out", tmp_path)
    assert (done.returncode, "nothing to retrieve" in done.stderr) == (0, True)
    done = run_pacs("movescu", archive.address, "--dest", "PACS", *key, "--fail-if-empty")
    assert (done.returncode, "nothing to retrieve" in done.stderr) == (1, True)


def test_get_brings_what_getscu_of_dcmtk_brings(archive, tmp_path):
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    key = ("-k", "StudyInstanceUID=1.2.3.2.2")
    done = run(
        *("getscu", "-S", "-aec", archive.peer.title, "-od", theirs),
        *("-k", "QueryRetrieveLevel=STUDY", *key, "127.0.0.1", str(archive.peer.port)),
    )
    assert done.returncode == 0, done.stderr
    assert run_pacs("getscu", archive.address, "--out", ours, *key).returncode == 0
    found = {path.SOPInstanceUID: path for path in map(dcmread, theirs.iterdir())}
    own = {path.SOPInstanceUID: path for path in map(dcmread, ours.rglob("*.dcm"))}
    assert set(found) == set(own)
    assert all(found[uid] == own[uid] for uid in own)


# -- compressed objects --------------------------------------------------------------------------


#: Deflated: Orthanc waits 30 s for more of it, and aborts.
HANGS_ORTHANC = "image_dfl.dcm"


def one_of_each_syntax() -> dict[str, Path]:
    """Return samples by SOP instance UID, each in another compressed transfer syntax."""
    found: dict[str, Path] = {}
    syntaxes = {EXPLICIT, IMPLICIT}
    for path in storable():
        about = header(path)
        if path.name == HANGS_ORTHANC:
            continue
        if about.transfer_syntax_uid not in syntaxes and about.sop_instance_uid not in found:
            syntaxes.add(about.transfer_syntax_uid)
            found[about.sop_instance_uid] = path
    return found


def test_compressed_objects_come_as_they_are_stored(tmp_path):
    """Orthanc takes nearly every transfer syntax and keeps the pixels."""
    chosen = one_of_each_syntax()
    port = free_port()
    with orthanc(tmp_path / "peer", {"PACS": port}) as peer:
        # what it refuses, as out of resources, it refuses again
        sent = run_pacs("storescu", peer.address, *chosen.values(), "--retries", "0", "--json")
        stored = {
            each["sop_instance_uid"]
            for each in records(sent)
            if each["type"] == "file" and each["outcome"] == "stored"
        }
        assert len(stored) >= 6
        studies = {dcmread(chosen[uid], defer_size=1000).StudyInstanceUID for uid in stored}
        (tmp_path / "list").write_text("\n".join(studies))
        everything = ("--from-file", tmp_path / "list", "--json", "--out")
        got = run_pacs("getscu", peer.address, *everything, tmp_path / "got")
        move = ("movescu", peer.address, "--receive", str(port), "--expect-from-find")
        moved = run_pacs(*move, *everything, tmp_path / "moved")
    for done, folder in ((got, "got"), (moved, "moved")):
        assert done.returncode == 0, done.stderr
        found = {path.stem: path for path in (tmp_path / folder).rglob("*.dcm")}
        assert set(found) == stored
        for uid, path in found.items():
            assert header(path).transfer_syntax_uid == header(chosen[uid]).transfer_syntax_uid
            # all else Orthanc may write anew, as without group lengths and padding
            assert (dcmread(path).PixelData == dcmread(chosen[uid]).PixelData) is True


# -- pynetdicom in this process ------------------------------------------------------------------


@contextmanager
def pynetdicom_scp(get, *sop_classes: str) -> Iterator[Peer]:
    """A provider of C-GET that serves no C-FIND."""
    ae = AE("PYNETDICOM")
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    for uid in sop_classes:
        ae.add_supported_context(uid, EXPLICIT, scu_role=True, scp_role=True)
    handlers = [(evt.EVT_C_GET, get)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer("PYNETDICOM", server.socket.getsockname()[1])
    finally:
        server.shutdown()


def explicit(dataset: Dataset) -> Dataset:
    """Say what pynetdicom wants to know of an object that it is to send."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = EXPLICIT
    return dataset


def test_archive_without_queries_is_got_from(tmp_path):
    def get(event):
        yield 2
        for number in (1, 2):
            yield 0xFF00, explicit(image(1, 1, 1, number))

    key = ("-k", "StudyInstanceUID=1.2.3.1.1", "--out", tmp_path, "--json")
    with pynetdicom_scp(get, CT) as peer:
        done = run_pacs("getscu", peer.address, *key)
    assert done.returncode == 0, done.stderr
    summary = records(done)[-1]
    assert (summary["expected"], summary["arrived"], summary["failed"]) == (None, 2, 0)
    assert "what it holds is not known before it comes" in done.stderr
    assert {path.stem for path in tmp_path.rglob("*.dcm")} == {"1.2.3.1.1.1.1", "1.2.3.1.1.1.2"}


def test_sub_operations_that_pynetdicom_cannot_send_have_failed(tmp_path):
    def get(event):
        yield 2
        for number in (1, 2):
            dataset = explicit(image(1, 1, 1, number))
            if number == 2:
                # not of the contexts that it accepts
                dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
            yield 0xFF00, dataset

    key = ("-k", "StudyInstanceUID=1.2.3.1.1", "--out", tmp_path, "--json")
    with pynetdicom_scp(get, CT) as peer:
        done = run_pacs("getscu", peer.address, *key)
    assert done.returncode == 1, done.stderr
    summary = records(done)[-1]
    assert (summary["arrived"], summary["failed"]) == (1, 1)
    (difference,) = [each for each in records(done) if each["type"] == "difference"]
    assert difference["sop_instance_uid"] == "1.2.3.1.1.1.2"


def test_pynetdicom_heeds_our_cancel(tmp_path):
    cancelled = []

    def get(event):
        yield 1000
        for number in range(1000):
            if event.is_cancelled:
                cancelled.append(True)
                yield 0xFE00, None
                return
            yield 0xFF00, explicit(image(1, 1, 1, number))

    key = ("-k", "StudyInstanceUID=1.2.3.1.1", "--limit", "5", "--out", tmp_path, "--json")
    with pynetdicom_scp(get, CT) as peer:
        done = run_pacs("getscu", peer.address, *key)
    assert done.returncode == 0, done.stderr
    summary = records(done)[-1]
    assert (summary["cancelled"], cancelled) == (True, [True])
    assert 5 <= summary["arrived"] < 1000
    assert len(list(tmp_path.rglob("*.dcm"))) == summary["arrived"]
