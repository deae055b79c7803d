"""`pacs findscu` against the archives of the field, beside DCMTK's findscu with the same query."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    ModalityWorklistInformationFind,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from tests.interop.find_peers import (
    Peer,
    dcmqrscp,
    fill,
    orthanc,
    ours,
    qrscp,
    wlmscpfs,
    write_archive,
)
from tests.interop.peers import run, run_pacs

pytestmark = pytest.mark.interop

PEERS = {"dcmqrscp": dcmqrscp, "orthanc": orthanc, "pacs": ours}


@pytest.fixture(scope="module", params=PEERS)
def peer(request, tmp_path_factory) -> Iterator[Peer]:
    """Each archive in turn, filled."""
    folder = tmp_path_factory.mktemp("archive")
    with PEERS[request.param](folder / request.param) as started:
        yield fill(started, write_archive(folder / "objects"))


@pytest.fixture(scope="module")
def pynetdicoms(tmp_path_factory) -> Iterator[Peer]:
    """pynetdicom's archive, filled; it answers once for every image."""
    pytest.importorskip("sqlalchemy", reason="pynetdicom's qrscp needs sqlalchemy")
    folder = tmp_path_factory.mktemp("archive")
    with qrscp(folder / "qrscp") as started:
        yield fill(started, write_archive(folder / "objects"))


#: Model, and keys for both programs; the unique keys are those that ours adds by itself.
QUERIES = {
    "studies": ("-S", "STUDY", ["PatientName", "PatientID", "StudyDate", "StudyInstanceUID"]),
    "by name": ("-S", "STUDY", ["PatientName=Do*", "PatientID", "StudyInstanceUID"]),
    "by id": ("-S", "STUDY", ["PatientID=TEST-?", "AccessionNumber", "StudyInstanceUID"]),
    "one study": ("-S", "STUDY", ["StudyInstanceUID=1.2.3.1.2", "StudyDescription", "StudyTime"]),
    "a list": ("-S", "STUDY", ["StudyInstanceUID=1.2.3.1.1\\1.2.3.2.2", "StudyDate"]),
    "a range": ("-S", "STUDY", ["StudyDate=20240102-20240104", "StudyInstanceUID"]),
    "open range": ("-S", "STUDY", ["StudyDate=20240105-", "StudyInstanceUID"]),
    "nothing": ("-S", "STUDY", ["PatientID=NOBODY", "StudyInstanceUID"]),
    "series": (
        "-S",
        "SERIES",
        ["StudyInstanceUID=1.2.3.1.2", "SeriesInstanceUID", "Modality", "SeriesNumber"],
    ),
    "images": (
        "-S",
        "IMAGE",
        [
            *("StudyInstanceUID=1.2.3.1.2", "SeriesInstanceUID=1.2.3.1.2.1"),
            *("SOPInstanceUID", "InstanceNumber"),
        ],
    ),
    "patients": ("-P", "PATIENT", ["PatientID", "PatientName", "PatientSex"]),
    "studies of a patient": ("-P", "STUDY", ["PatientID=TEST-2", "StudyInstanceUID", "StudyDate"]),
}
FOUND = dict(zip(QUERIES, (6, 2, 6, 1, 2, 3, 2, 0, 2, 2, 3, 2), strict=True))


def shown(folder: Path) -> list[dict[str, str]]:
    """Return what the files of a folder say, in any order."""
    datasets = [dcmread(path, force=True) for path in folder.glob("*.dcm")]
    said = [{e.keyword: str(e.value) for e in each if not e.is_empty} for each in datasets]
    return sorted(said, key=lambda each: sorted(each.items()))


def answers_of_both(peer: Peer, folder: Path, name: str) -> tuple[list, list]:
    """Return what findscu of DCMTK and ours get for a query."""
    model, level, keys = QUERIES[name]
    typed = [word for key in (f"QueryRetrieveLevel={level}", *keys) for word in ("-k", key)]
    theirs, own = folder / "theirs", folder / "own"
    theirs.mkdir()
    done = run(
        *("findscu", model, "-aec", peer.title, "-X", "-od", theirs, *typed),
        *("127.0.0.1", str(peer.port)),
    )
    assert done.returncode == 0, done.stderr
    mine = run_pacs("findscu", peer.address, model, *typed, "--no-defaults", "--save", own)
    assert mine.returncode == 0, mine.stderr
    return shown(theirs), shown(own)


@pytest.mark.parametrize("name", QUERIES)
def test_answers_are_those_that_findscu_of_dcmtk_gets(peer, tmp_path, name):
    theirs, ours = answers_of_both(peer, tmp_path, name)
    assert ours == theirs
    assert len(ours) == FOUND[name]


@pytest.mark.parametrize("name", [name for name in QUERIES if name != "a list"])
def test_answers_of_pynetdicoms_archive_are_those_too(pynetdicoms, tmp_path, name):
    theirs, ours = answers_of_both(pynetdicoms, tmp_path, name)
    assert ours == theirs
    assert len(ours) >= FOUND[name]


def test_tree_of_an_archive_that_answers_for_every_image_has_everything(pynetdicoms):
    *matches, summary = records(pynetdicoms.address, "-P", "--drill")
    uids = {each["SOPInstanceUID"] for each in matches if each["level"] == "IMAGE"}
    assert len(uids) == 24
    assert summary["requests"] == 1 + 3 + 6 + 12


def test_list_that_pynetdicoms_archive_cannot_process_is_its_failure(pynetdicoms):
    done = run_pacs("findscu", pynetdicoms.address, "-k", "StudyInstanceUID=1.2.3.1.1\\1.2.3.2.2")
    assert done.returncode == 5
    assert "C320H the peer cannot process the query" in done.stderr


def records(*arguments: str) -> list[dict]:
    done = run_pacs("findscu", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_names_are_decoded_whatever_the_peer_writes_in(peer):
    *matches, _ = records(peer.address, "-k", "PatientID=TEST-3")
    assert {each["PatientName"] for each in matches} == {"Müller^Änne"}


@pytest.mark.parametrize("character_set", ["ISO_IR 192", "ISO_IR 100"])
def test_name_that_is_not_ascii_is_found(peer, character_set):
    typed = ("-k", "PatientName=Müller*", "--charset", character_set)
    *matches, summary = records(peer.address, *typed)
    assert summary["matches"] == 2
    assert {each["PatientID"] for each in matches} == {"TEST-3"}


def test_tree_has_everything(peer):
    *matches, summary = records(peer.address, "-P", "--drill")
    by_level = {"PATIENT": 3, "STUDY": 6, "SERIES": 12, "IMAGE": 24}
    assert summary["by_level"] == by_level
    assert (summary["requests"], summary["failed"]) == (1 + 3 + 6 + 12, 0)
    images = [each for each in matches if each["level"] == "IMAGE"]
    uids = {each["SOPInstanceUID"] for each in images}
    assert len(uids) == 24
    for each in images:
        assert each["SOPInstanceUID"].startswith(each["SeriesInstanceUID"] + ".")
        assert each["SeriesInstanceUID"].startswith(each["StudyInstanceUID"] + ".")
        assert each["PatientID"].startswith("TEST-")


def test_tree_asks_for_keys_of_lower_levels_where_they_belong(peer):
    *_, summary = records(peer.address, "-k", "PatientID=TEST-1", "-k", "Modality=MR", "--drill")
    assert summary["by_level"] == {"STUDY": 2, "SERIES": 2, "IMAGE": 4}


def test_limit_gets_so_many_and_the_association_is_fine(peer):
    *matches, summary = records(peer.address, "--limit", "2")
    assert len(matches) == summary["matches"] == 2
    assert summary["cancelled"] is True
    assert summary["status"] in ("0000", "FE00")


def test_dates_are_asked_for(peer):
    *_, summary = records(peer.address, "--since", "2024-01-02", "--before", "2024-01-05")
    assert summary["matches"] == 3


# -- worklist ------------------------------------------------------------------------------------


def item(number: int, modality: str, name: str = "Made^Up") -> Dataset:
    step = Dataset()
    step.Modality = modality
    step.ScheduledStationAETitle = f"{modality}{number}"
    step.ScheduledProcedureStepStartDate = f"2024010{number}"
    step.ScheduledProcedureStepStartTime = "090000"
    step.ScheduledPerformingPhysicianName = "Made^Doctor"
    step.ScheduledProcedureStepDescription = f"step {number}"
    step.ScheduledProcedureStepID = f"S{number}"
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.AccessionNumber = f"A{number}"
    dataset.PatientName, dataset.PatientID = name, f"TEST-{number}"
    dataset.PatientBirthDate, dataset.PatientSex = "19700101", "O"
    dataset.StudyInstanceUID = f"1.2.3.{number}"
    dataset.RequestedProcedureDescription = f"procedure {number}"
    dataset.RequestedProcedureID = f"R{number}"
    dataset.ScheduledProcedureStepSequence = [step]
    return dataset


@pytest.fixture(scope="module")
def worklist(tmp_path_factory) -> Iterator[Peer]:
    items = [item(1, "CT"), item(2, "CT", "Doe^Jane"), item(3, "MR", "Müller^Änne")]
    with wlmscpfs(tmp_path_factory.mktemp("worklist"), items) as started:
        yield started


STEP = "ScheduledProcedureStepSequence"


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        (["PatientName", "PatientID", f"{STEP}[0].Modality"], 3),
        (["PatientName=Do*", f"{STEP}[0].ScheduledStationAETitle"], 1),
        ([f"{STEP}[0].Modality=CT", f"{STEP}[0].ScheduledProcedureStepStartDate", "PatientID"], 2),
        ([f"{STEP}[0].ScheduledProcedureStepStartDate=20240102-20240103", "PatientID"], 2),
        ([f"{STEP}[0].Modality=US", "PatientID"], 0),
    ],
)
def test_worklist_is_the_one_that_findscu_of_dcmtk_gets(worklist, tmp_path, keys, count):
    typed = [word for key in keys for word in ("-k", key)]
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    done = run(
        *("findscu", "-W", "-aec", worklist.title, "-X", "-od", theirs, *typed),
        *("127.0.0.1", str(worklist.port)),
    )
    assert done.returncode == 0, done.stderr
    mine = run_pacs("findscu", worklist.address, "-W", *typed, "--no-defaults", "--save", ours)
    assert mine.returncode == 0, mine.stderr
    assert shown(ours) == shown(theirs)
    assert len(shown(ours)) == count


def test_worklist_item_has_its_step_nested_and_its_columns(worklist):
    *matches, summary = records(worklist.address, "-W", "-k", f"{STEP}.Modality=MR")
    (found,) = matches
    assert (summary["model"], found["level"]) == ("worklist", "WORKLIST")
    assert found["PatientName"] == "Müller^Änne"
    (step,) = found[STEP]
    assert (step["Modality"], step["ScheduledStationAETitle"]) == ("MR", "MR3")
    done = run_pacs("findscu", worklist.address, "-W", "--csv", "--since", "2024-01-03")
    header, row = [line.split(",") for line in done.stdout.splitlines()]
    assert dict(zip(header, row, strict=True))["ScheduledStationAETitle"] == "MR3"


def test_worklist_of_today_is_empty_in_2024(worklist):
    assert records(worklist.address, "-W", "--today")[-1]["matches"] == 0


# -- pynetdicom in this process ------------------------------------------------------------------


@contextmanager
def pynetdicom_scp(find, *handlers) -> Iterator[Peer]:
    ae = AE("PYNETDICOM")
    for model in (
        StudyRootQueryRetrieveInformationModelFind,
        PatientRootQueryRetrieveInformationModelFind,
        ModalityWorklistInformationFind,
    ):
        ae.add_supported_context(model)
    every = [(evt.EVT_C_FIND, find), *handlers]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=every)
    try:
        yield Peer("PYNETDICOM", server.socket.getsockname()[1])
    finally:
        server.shutdown()


def answer(number: int) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.QueryRetrieveLevel = "STUDY"
    dataset.PatientName = "Иванов^Иван"
    dataset.StudyInstanceUID = f"1.2.3.{number}"
    return dataset


def test_pynetdicom_understands_what_is_asked():
    asked: list[Dataset] = []

    def find(event):
        asked.append(event.identifier)
        yield 0xFF00, answer(1)
        yield 0xFF01, answer(2)

    with pynetdicom_scp(find) as peer:
        done = run_pacs("findscu", peer.address, "-k", "PatientName=Иван*", "--json")
    assert done.returncode == 0, done.stderr
    assert (asked[0].PatientName, asked[0].SpecificCharacterSet) == ("Иван*", "ISO_IR 192")
    assert asked[0].QueryRetrieveLevel == "STUDY"
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["PatientName"] for each in lines[:-1]] == ["Иванов^Иван"] * 2
    assert "FF01H" in done.stderr


def test_pynetdicom_heeds_our_cancel():
    cancelled: list[bool] = []

    def find(event):
        for number in range(100_000):
            if event.is_cancelled:
                cancelled.append(True)
                yield 0xFE00, None
                return
            yield 0xFF00, answer(number)

    with pynetdicom_scp(find) as peer:
        done = run_pacs("findscu", peer.address, "--limit", "5", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["matches"], summary["status"], cancelled) == (5, "FE00", [True])


def test_failure_of_pynetdicom_is_our_failure():
    def find(event):
        status = Dataset()
        status.Status = 0xA900
        status.ErrorComment = "level and keys do not agree"
        status.OffendingElement = [0x00080052]
        yield status, None

    with pynetdicom_scp(find) as peer:
        done = run_pacs("findscu", peer.address)
    assert (done.returncode, done.stderr.count("\n")) == (5, 1)
    assert "A900H" in done.stderr
    assert "(level and keys do not agree; it names QueryRetrieveLevel)" in done.stderr


def test_extended_negotiation_with_pynetdicom():
    proposed: dict[str, bytes] = {}

    def negotiate(event):
        proposed.update(event.app_info)
        return {StudyRootQueryRetrieveInformationModelFind: b"\x01\x00\x00\x00"}

    handlers = ((evt.EVT_SOP_EXTENDED, negotiate),)
    with pynetdicom_scp(lambda event: iter(()), *handlers) as peer:
        options = ("--relational", "--date-time", "--fuzzy", "--time-zone", "-v")
        done = run_pacs("findscu", peer.address, *options)
    assert done.returncode == 0, done.stderr
    assert proposed == {StudyRootQueryRetrieveInformationModelFind: b"\x01\x01\x01\x01"}
    assert done.stderr.count("does not grant") == 3
    assert "grants relational queries" in done.stderr
