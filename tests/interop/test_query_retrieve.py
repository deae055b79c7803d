"""`pacs storescp --qr` asked by the programs of the field, and sending to them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from tests.archive.large import make_index
from tests.interop.find_peers import PATIENTS, Peer, fill, write_archive
from tests.interop.peers import (
    Archive,
    await_port,
    dcmtk_storescp,
    free_port,
    pacs_storescp,
    run,
    running,
)
from tests.peers import require
from tests.samples import dataset_bytes

pytestmark = pytest.mark.interop

STUDY = "1.2.3.1.2"
OF_STUDY = {f"{STUDY}.{series}.{number}" for series in (1, 2) for number in (1, 2)}


@contextmanager
def archive(folder: Path, *options: str) -> Iterator[Archive]:
    """Our archive with the objects of `write_archive`."""
    with pacs_storescp(folder / "held", "--qr", "--aet", "PACS", *options) as started:
        fill(Peer("PACS", started.port), write_archive(folder / "objects"))
        yield started


@pytest.fixture(scope="module")
def held(tmp_path_factory) -> Iterator[Archive]:
    with archive(tmp_path_factory.mktemp("archive")) as started:
        yield started


def uids(folder: Path) -> set[str]:
    """The SOP instance UIDs of the files that a program has written."""
    return {str(dcmread(path, force=True).SOPInstanceUID) for path in folder.rglob("*.*")}


def keys(level: str, *more: str) -> list[str]:
    return [word for key in (f"QueryRetrieveLevel={level}", *more) for word in ("-k", key)]


GETS = {
    "a study": ("-S", "STUDY", [f"StudyInstanceUID={STUDY}"], OF_STUDY),
    "a series": (
        "-S",
        "SERIES",
        [f"StudyInstanceUID={STUDY}", f"SeriesInstanceUID={STUDY}.1"],
        {f"{STUDY}.1.1", f"{STUDY}.1.2"},
    ),
    "an image": (
        "-S",
        "IMAGE",
        [
            *(f"StudyInstanceUID={STUDY}", f"SeriesInstanceUID={STUDY}.1"),
            f"SOPInstanceUID={STUDY}.1.2",
        ],
        {f"{STUDY}.1.2"},
    ),
    "a patient": (
        "-P",
        "PATIENT",
        ["PatientID=TEST-2"],
        {f"1.2.3.2.{a}.{b}.{c}" for a in (1, 2) for b in (1, 2) for c in (1, 2)},
    ),
}


@pytest.mark.parametrize("name", GETS)
def test_getscu_of_dcmtk_gets_everything(held, tmp_path, name):
    model, level, typed, expected = GETS[name]
    done = run(
        *("getscu", model, "-aec", "PACS", "-od", tmp_path, *keys(level, *typed)),
        *("127.0.0.1", str(held.port)),
    )
    assert done.returncode == 0, done.stderr
    assert uids(tmp_path) == expected


@pytest.mark.parametrize("name", GETS)
def test_movescu_of_dcmtk_moves_everything_to_storescp(tmp_path, name):
    model, level, typed, expected = GETS[name]
    came = tmp_path / "came"
    with (
        dcmtk_storescp(came) as port,
        archive(tmp_path, "--move-to", f"DCMTK@127.0.0.1:{port}") as started,
    ):
        done = run(
            *("movescu", model, "-aec", "PACS", "-aem", "DCMTK", *keys(level, *typed)),
            *("127.0.0.1", str(started.port)),
        )
        assert done.returncode == 0, done.stderr
        sent = {path.name.partition(".")[2]: path for path in came.iterdir()}
        assert set(sent) == expected
        held_files = started.files()
        for uid, path in sent.items():
            assert dataset_bytes(path) == dataset_bytes(held_files[uid])
    (event,) = started.kind("move")
    assert (event["destination"], event["status"]) == ("DCMTK", "0000")
    assert (event["completed"], event["failed"], event["remaining"]) == (len(expected), 0, 0)
    assert not any(name in json.dumps(started.events) for each in PATIENTS for name in each)


def test_unknown_destination_is_a801(held):
    done = run(
        *("movescu", "-S", "-d", "-aec", "PACS", "-aem", "NOBODY"),
        *keys("STUDY", f"StudyInstanceUID={STUDY}"),
        *("127.0.0.1", str(held.port)),
    )
    assert "0xa801" in done.stderr


class Receiver:
    """pynetdicom as a move destination that answers as the test says."""

    def __init__(self, statuses: dict[int, int] | None = None) -> None:
        self.requests: list[tuple[str, str, int]] = []
        self._statuses = statuses or {}
        self._ae = AE("RECEIVER")
        self._ae.supported_contexts = StoragePresentationContexts
        self._server = self._ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        self.port: int = self._server.socket.getsockname()[1]

    def _store(self, event) -> int:
        request = event.request
        self.requests.append(
            (
                str(request.AffectedSOPInstanceUID),
                request.MoveOriginatorApplicationEntityTitle,
                request.MoveOriginatorMessageID,
            )
        )
        return self._statuses.get(len(self.requests), 0)

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


def of_study(level: str = "STUDY", uid: str = STUDY) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    identifier.StudyInstanceUID = uid
    return identifier


def counters(status: Dataset) -> tuple[int, int, int]:
    return (
        status.NumberOfCompletedSuboperations,
        status.NumberOfFailedSuboperations,
        status.NumberOfWarningSuboperations,
    )


def move(port: int, title: str = "RECEIVER", uid: str = STUDY) -> list[tuple[Dataset, Dataset]]:
    """Ask with pynetdicom; every response with its identifier."""
    ae = AE("MOVER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = ae.associate("127.0.0.1", port)
    assert association.is_established
    responses = list(
        association.send_c_move(
            of_study(uid=uid), title, StudyRootQueryRetrieveInformationModelMove, msg_id=7
        )
    )
    association.release()
    return responses


def test_every_response_of_a_move_counts_and_the_objects_say_who_asked(tmp_path):
    # PS3.7 9.3.4.2 and 9.1.1.1.8
    with (
        Receiver() as receiver,
        archive(tmp_path, "--move-to", f"RECEIVER@127.0.0.1:{receiver.port}") as started,
    ):
        *pending, (final, _) = move(started.port)
    assert [each.Status for each, _ in pending] == [0xFF00] * 3
    assert [each.NumberOfRemainingSuboperations for each, _ in pending] == [3, 2, 1]
    assert (final.Status, counters(final)) == (0x0000, (4, 0, 0))
    assert "NumberOfRemainingSuboperations" not in final
    assert {uid for uid, _, _ in receiver.requests} == OF_STUDY
    assert {request[1:] for request in receiver.requests} == {("MOVER", 7)}


@pytest.mark.parametrize(
    ("statuses", "status", "counts", "failed"),
    [
        ({2: 0xA700}, 0xB000, (3, 1, 0), 1),
        ({1: 0xB000}, 0xB000, (3, 0, 1), 0),
        (dict.fromkeys(range(1, 5), 0xA700), 0xA702, (0, 4, 0), 4),
    ],
)
def test_what_the_destination_refuses_is_counted_and_named(
    tmp_path, statuses, status, counts, failed
):
    # PS3.4 tables C.4-2 and C.4.2.1.4.2
    with (
        Receiver(statuses) as receiver,
        archive(tmp_path, "--move-to", f"RECEIVER@127.0.0.1:{receiver.port}") as started,
    ):
        *_, (final, identifier) = move(started.port)
    assert (final.Status, counters(final)) == (status, counts)
    named = identifier.get("FailedSOPInstanceUIDList") or []
    named = [named] if isinstance(named, str) else list(named)
    refused = [receiver.requests[number - 1][0] for number in statuses if failed]
    assert sorted(named) == sorted(refused)


def test_destination_that_is_not_there_fails_all(tmp_path):
    with archive(tmp_path, "--move-to", f"RECEIVER@127.0.0.1:{free_port()}") as started:
        *_, (final, identifier) = move(started.port)
    assert (final.Status, counters(final)) == (0xA702, (0, 4, 0))
    assert set(identifier.FailedSOPInstanceUIDList) == OF_STUDY
    assert "refused" in started.kind("move")[0]["reason"]


def test_file_that_is_gone_is_one_failed_sub_operation(tmp_path):
    with (
        Receiver() as receiver,
        archive(tmp_path, "--move-to", f"RECEIVER@127.0.0.1:{receiver.port}") as started,
    ):
        gone = f"{STUDY}.2.1"
        started.files()[gone].unlink()
        *_, (final, identifier) = move(started.port)
    assert (final.Status, counters(final)) == (0xB000, (3, 1, 0))
    assert identifier.FailedSOPInstanceUIDList == gone


def test_pynetdicom_gets_everything_over_its_own_association(held):
    # PS3.4 C.4.3, PS3.7 D.3.3.4
    came: list[Dataset] = []

    def store(event) -> int:
        came.append(event.dataset)
        return 0

    ae = AE("GETTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(CTImageStorage)
    association = ae.associate(
        *("127.0.0.1", held.port),
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, store)],
    )
    *pending, (final, _) = association.send_c_get(
        of_study(), StudyRootQueryRetrieveInformationModelGet
    )
    association.release()
    assert {str(each.SOPInstanceUID) for each in came} == OF_STUDY
    assert len(pending) == 3
    assert (final.Status, counters(final)) == (0x0000, (4, 0, 0))


def test_get_without_a_context_for_the_objects_fails_all(held):
    ae = AE("GETTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    association = ae.associate("127.0.0.1", held.port)
    *_, (final, identifier) = association.send_c_get(
        of_study(), StudyRootQueryRetrieveInformationModelGet
    )
    association.release()
    assert final.Status == 0xA702
    assert set(identifier.FailedSOPInstanceUIDList) == OF_STUDY


def test_pynetdicom_finds_what_is_held_by_several_at_once(held):
    def find(results: list[int]) -> None:
        ae = AE("FINDER")
        ae.add_requested_context(PatientRootQueryRetrieveInformationModelFind)
        association = ae.associate("127.0.0.1", held.port)
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "PATIENT"
        identifier.PatientName = "*"
        found = list(
            association.send_c_find(identifier, PatientRootQueryRetrieveInformationModelFind)
        )
        association.release()
        results.append(sum(each.Status == 0xFF00 for each, _ in found))

    results: list[int] = []
    threads = [threading.Thread(target=find, args=(results,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [3] * 8


def test_identifier_without_a_level_is_refused(held):
    ae = AE("FINDER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association = ae.associate("127.0.0.1", held.port)
    identifier = Dataset()
    identifier.PatientName = "*"
    ((final, _),) = association.send_c_find(identifier, StudyRootQueryRetrieveInformationModelFind)
    association.release()
    assert final.Status == 0xA900
    assert final.OffendingElement == 0x00080052


def test_findscu_of_dcmtk_cancels(tmp_path):
    make_index(tmp_path, 100_000)
    with pacs_storescp(tmp_path, "--qr", "--aet", "PACS") as started:
        done = run(
            *("findscu", "-S", "--cancel", "3", "-aec", "PACS"),
            *keys("STUDY", "StudyInstanceUID", "PatientName"),
            *("127.0.0.1", str(started.port)),
        )
    assert done.returncode == 0, done.stderr
    (event,) = started.kind("find")
    assert event["status"] == "FE00"
    assert 3 <= event["matches"] < 100_000


APPLICATIONS = {
    "findscu": ("-S", 6),
    "getscu": ("-S", 4),
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications_of_pynetdicom_ask(held, tmp_path, name):
    model, count = APPLICATIONS[name]
    typed = keys("STUDY", f"StudyInstanceUID={STUDY if name == 'getscu' else ''}")
    options = ["-w"] if name == "findscu" else ["-od", "."]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pynetdicom", name, "127.0.0.1", str(held.port)),
            *("-aec", "PACS", model, *options, *typed),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == count


def test_movescu_of_pynetdicom_moves(tmp_path):
    with (
        Receiver() as receiver,
        archive(tmp_path, "--move-to", f"RECEIVER@127.0.0.1:{receiver.port}") as started,
    ):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pynetdicom", "movescu", "127.0.0.1", str(started.port)),
                *("-aec", "PACS", "-aem", "RECEIVER", "-S"),
                *keys("STUDY", f"StudyInstanceUID={STUDY}"),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert {uid for uid, _, _ in receiver.requests} == OF_STUDY


# -- Orthanc, which asks and is sent to ------------------------------------------------------


@contextmanager
def orthanc(folder: Path, archive_port: int, port: int) -> Iterator[str]:
    """An Orthanc that knows our archive; yields the address of its interface."""
    program, http = require("Orthanc", "/usr/sbin/Orthanc"), free_port()
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": "ORTHANC",
        "DicomPort": port,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {"pacs": ["PACS", "127.0.0.1", archive_port]},
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    with running(program, config) as process:
        await_port(port, process)
        await_port(http, process)
        yield f"http://127.0.0.1:{http}"


def rest(address: str, body: dict | str | None = None) -> object:
    data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    with urllib.request.urlopen(address, data, timeout=60) as answer:
        return json.load(answer)


def test_orthanc_queries_and_retrieves(tmp_path):
    port = free_port()
    with (
        archive(tmp_path, "--move-to", f"ORTHANC@127.0.0.1:{port}") as started,
        orthanc(tmp_path / "orthanc", started.port, port) as address,
    ):
        query = rest(
            f"{address}/modalities/pacs/query",
            {"Level": "Study", "Query": {"PatientName": "*müller*"}},
        )
        answers = rest(f"{address}{query['Path']}/answers")
        assert len(answers) == 2
        rest(f"{address}{query['Path']}/retrieve", "ORTHANC")
        instances = rest(f"{address}/instances?expand")
        found = {each["MainDicomTags"]["SOPInstanceUID"] for each in instances}
        expected = {f"1.2.3.3.{a}.{b}.{c}" for a in (1, 2) for b in (1, 2) for c in (1, 2)}
        assert found == expected
