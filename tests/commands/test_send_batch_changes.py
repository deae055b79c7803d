"""`pacs send-batch` that de-identifies, transcodes and fixes objects on their way."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy
import pytest

from pacs_cli.dicom.part10 import file_meta, probe
from pacs_cli.errors import Exit
from tests.commands.test_send_batch import scans, state, states, summary  # noqa: F401 fixtures
from tests.interop.peers import pacs_storescp
from tests.pipelines.deid import objects
from tests.pipelines.scripted import Recording
from tests.pixels import images
from tests.samples import dataset_bytes
from tests.support import EXPLICIT, running_provider
from tests.writing import element

PDF = "1.2.840.10008.5.1.4.1.1.104.1"
SECRETS = [objects.NAME, *objects.NAME.split("^"), objects.PATIENT_ID, "ACC-55221"]


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "made.key"
    path.write_bytes(objects.KEY)
    return path


def patients(scans, count: int = 3) -> None:  # noqa: F811
    for number in range(count):
        uid = f"1.2.3.{number}"
        objects.write(scans / f"{number}.dcm", objects.dataset(uid=uid), uid)


def received(handler) -> dict[str, bytes]:
    return {request.affected_sop_instance_uid: data for request, data in handler.stored}


def report(pacs, state) -> list[dict[str, str]]:  # noqa: F811
    shown = pacs("send-batch", "report", state, "--csv").stdout
    return list(csv.DictReader(io.StringIO(shown)))


# -- de-identified ---------------------------------------------------------------------------------


def test_what_arrives_is_what_anonymize_writes(pacs, scans, state, key, tmp_path):  # noqa: F811
    patients(scans)
    pacs("anonymize", scans, tmp_path / "out", "--key-file", key)
    expected = {path.stem: dataset_bytes(path) for path in (tmp_path / "out").rglob("*.dcm")}
    handler = Recording()
    with running_provider(handler) as running:
        command = ("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state)
        result = pacs(*command, "--anonymize", "basic", "--key-file", key, "--json")
        assert result.exit == Exit.OK, result
        assert pacs("send-batch", "resume", state).exit == Exit.OK
        # the same command again, with what was typed or without
        assert pacs(*command).exit == Exit.OK
        assert pacs(*command, "--anonymize", "basic", "--key-file", key).exit == Exit.OK
    assert received(handler) == expected
    assert len(expected) == 3
    assert set(handler.answered.values()) == {1}
    for data in expected.values():
        assert not [secret for secret in SECRETS if secret.encode() in data]
    rows = report(pacs, state)
    assert {row["source_sop_instance_uid"] for row in rows} == {f"1.2.3.{n}" for n in range(3)}
    assert {row["sop_instance_uid"] for row in rows} == set(expected)


def test_new_key_is_kept_for_a_resume(pacs, scans, state, tmp_path):  # noqa: F811
    patients(scans)
    handler = Recording(lambda uid, number: 0xA700 if number == 1 else 0)
    made = tmp_path / "made.key"
    with running_provider(handler) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--anonymize", "basic", "--save-key", made, "--retries", "0"),
        )
        assert result.exit == Exit.PEER_FAILED
        first = set(handler.begun)
        pacs("send-batch", "retry-failed", state)
        assert pacs("send-batch", "resume", state).exit == Exit.OK
    assert made.stat().st_mode & 0o077 == 0
    assert set(handler.answered) == first
    assert len(first) == 3


def test_what_is_withheld_has_failed_and_is_never_sent(pacs, scans, state, key):  # noqa: F811
    patients(scans, 2)
    objects.write(
        scans / "letter.dcm", objects.dataset(uid="1.2.3.8", sop_class=PDF), "1.2.3.8", PDF
    )
    with running_provider() as running:
        command = ("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state)
        result = pacs(*command, "--anonymize", "basic", "--key-file", key, "--json")
        assert result.exit == Exit.SOME_FAILED
        assert summary(result)["classes"] == {"withheld": 1}
        assert "letter.dcm: document: " in result.stderr
        pacs("send-batch", "retry-failed", state)
        assert pacs("send-batch", "resume", state).exit == Exit.SOME_FAILED
        assert pacs(*command).exit == Exit.SOME_FAILED
    assert len(running.handler.stored) == 2


@pytest.mark.parametrize("is_resumed", [False, True])
def test_what_a_later_file_tells_of_a_patient_is_looked_for_in_all(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    key,
    is_resumed,
):
    """The first file has the patient's name in a place that is kept, and only the second says that
    it is the name."""
    nameless = [element(0x00100010, "PN", ""), element(0x00181030, "LO", "Marmalade routine")]
    policy = scans.parent / "policy.toml"
    policy.write_text('rules = ["ProtocolName = keep"]\n')
    objects.write(scans / "a.dcm", objects.dataset(*nameless, uid="1.2.3.1"), "1.2.3.1")
    objects.write(scans / "b.dcm", objects.dataset(uid="1.2.3.2"), "1.2.3.2")
    with running_provider() as running:
        port = 1 if is_resumed else running.listener.port
        result = pacs(
            *("send-batch", "127.0.0.1", port, scans, "--state", state),
            *("--anonymize", policy, "--key-file", key),
        )
        if is_resumed:
            point_to(state, running.listener.port)
            result = pacs("send-batch", "resume", state)
    assert result.exit == Exit.SOME_FAILED
    assert states(pacs, state)["a.dcm"][:2] == ("failed", "withheld")
    assert len(running.handler.stored) == 1


def point_to(state, port: int) -> None:  # noqa: F811
    from pacs_cli.jobs.file import JobFile

    with JobFile(state) as job:
        ((_, name, kept),) = job.destinations()
        job.add_destination(name, {**kept, "port": port})


def test_destination_is_asked_for_what_was_sent(pacs, scans, state, key, tmp_path):  # noqa: F811
    patients(scans)
    with pacs_storescp(tmp_path / "archive", "--qr") as archive:
        command = ("send-batch", "127.0.0.1", archive.port, scans)
        changes = ("--anonymize", "basic", "--key-file", key)
        asking = ("--verify", "--commit", "--json")
        result = pacs(*command, "--state", state, *changes, *asking)
        assert result.exit == Exit.OK, result
        assert summary(result)["committed"] == 3
        again = pacs(*command, "--state", tmp_path / "again", *changes, "--skip-existing", "--json")
        archive.stop()
    assert summary(again)["skipped"] == 3
    assert len(archive.files()) == 3


def test_other_key_or_policy_than_the_jobs_is_refused(pacs, scans, state, key):  # noqa: F811
    patients(scans, 1)
    policy = scans.parent / "policy.toml"
    policy.write_text('retain = ["device"]\n')
    command = ("send-batch", "127.0.0.1", 1, scans, "--state", state)
    pacs(*command, "--anonymize", policy, "--key-file", key)
    key.write_bytes(b"another key that is long enough")
    other_key = pacs("send-batch", "resume", state)
    key.write_bytes(objects.KEY)
    policy.write_text('retain = ["device", "patient"]\n')
    other_policy = pacs("send-batch", "resume", state)
    fewer = pacs(*command, "--transcode", "j2k")
    for result, words in ((other_key, "the key"), (other_policy, "policy"), (fewer, "--anonymize")):
        assert result.exit == Exit.USAGE, result
        assert words in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--anonymize", "basic"), "--key-file"),
        (("--anonymize", "basik", "--key-file", "KEY"), "did you mean basic"),
        (("--key-file", "KEY"), "--anonymize"),
        (("--transcode", "jpeg-3000"), "jpeg-3000"),
        (("--transcode", "1.2.840.10008.1.2.4.100"), "only read"),
    ],
)
def test_wrong_change_is_a_usage_error_and_makes_no_job(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    key,
    options,
    words,
):
    patients(scans, 1)
    typed = [key if each == "KEY" else each for each in options]
    result = pacs("send-batch", "127.0.0.1", 1, scans, "--state", state, *typed)
    assert (result.exit, words in result.stderr) == (Exit.USAGE, True), result
    assert not state.exists()


def test_file_that_changed_since_is_not_sent_in_another_way_than_planned(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    key,
):
    patients(scans, 1)
    pacs(
        *("send-batch", "127.0.0.1", 1, scans, "--state", state),
        *("--anonymize", "basic", "--key-file", key),
    )
    objects.write(scans / "0.dcm", objects.dataset(uid="1.2.3.0", pixels=128), "1.2.3.0")
    with running_provider() as running:
        point_to(state, running.listener.port)
        result = pacs("send-batch", "resume", state)
    assert result.exit == Exit.BAD_INPUT
    assert "has changed since it was planned" in result.stderr
    assert running.handler.stored == []


# -- transcoded ------------------------------------------------------------------------------------

SYNTAX = {name: images.UID[name] for name in ("j2k", "rle", "jpeg", "implicit", "explicit")}
GREY = images.noise((1, 16, 24), 12)


def pictures(scans, count: int = 3) -> None:  # noqa: F811
    for number in range(count):
        uid = f"1.2.3.{number}"
        data = images.encoded(images.image(GREY, 12, SOPInstanceUID=uid))
        images.write(scans / f"{number}.dcm", data, "explicit", uid)


@pytest.mark.parametrize("jobs", [1, 2])
def test_objects_arrive_in_the_syntax_with_their_pixels(pacs, scans, state, jobs):  # noqa: F811
    pytest.importorskip("imagecodecs")
    pictures(scans)
    with running_provider(syntaxes=(SYNTAX["j2k"],)) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--transcode", "j2k", "--jobs", jobs),
        )
    assert result.exit == Exit.OK, result
    arrived = received(running.handler)
    assert set(arrived) == {f"1.2.3.{n}" for n in range(3)}
    for request, data in running.handler.stored:
        assert request.transfer_syntax_uid == SYNTAX["j2k"]
        assert numpy.array_equal(images.samples(data, "j2k"), GREY)


def test_what_loses_something_is_another_object_and_the_same_one_each_time(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
):
    pytest.importorskip("imagecodecs")
    eight = images.noise((1, 16, 16), 8)
    data = images.encoded(images.image(eight, 8, SOPInstanceUID="1.2.3.1"))
    images.write(scans / "a.dcm", data, "explicit", "1.2.3.1")
    handler = Recording(lambda uid, number: 0xA700 if number < 3 else 0)
    with running_provider(handler, syntaxes=(SYNTAX["jpeg"],)) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--transcode", "jpeg", "--retry-wait", "0.01"),
        )
    assert result.exit == Exit.OK, result
    ((uid, times),) = handler.begun.items()
    assert (uid[:5], times) == ("2.25.", 3)
    bytes_sent = {data for _, data in handler.stored}
    assert len(bytes_sent) == 1
    sent = images.read(bytes_sent.pop(), "jpeg")
    assert (sent.SOPInstanceUID, sent.LossyImageCompression) == (uid, "01")
    (row,) = report(pacs, state)
    assert (row["sop_instance_uid"], row["source_sop_instance_uid"]) == (uid, "1.2.3.1")


def test_what_the_syntax_cannot_hold_has_failed_and_the_rest_goes_on(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
):
    pytest.importorskip("imagecodecs")
    pictures(scans, 2)
    float_image = images.image(GREY, 12, SOPInstanceUID="1.2.3.9")
    del float_image.PixelData
    float_image.FloatPixelData = b"\0" * (16 * 24 * 4)
    images.write(scans / "9.dcm", images.encoded(float_image), "explicit", "1.2.3.9")
    with running_provider(syntaxes=(SYNTAX["j2k"], EXPLICIT)) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--transcode", "j2k"),
        )
    assert result.exit == Exit.SOME_FAILED
    assert states(pacs, state)["9.dcm"][:2] == ("failed", "input")
    assert len(running.handler.stored) == 2


# -- fixed -----------------------------------------------------------------------------------------


def table(tmp_path, text: str) -> Path:
    path = tmp_path / "fixes.csv"
    path.write_text(text, encoding="utf-8")
    return path


def write_patient(path: Path, uid: str, **values: str) -> Path:
    """An object of which some elements are said, the others are those of the tests."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    more = [
        element(tag_for_keyword(name), dictionary_VR(tag_for_keyword(name)), value)
        for name, value in values.items()
    ]
    return objects.write(path, objects.dataset(*more, uid=uid), uid)


def sent_with(pacs, scans, state, *options):  # noqa: F811
    with running_provider() as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *(*options, "--json"),
        )
    return result, {
        uid: images.read(data, "explicit") for uid, data in received(running.handler).items()
    }


def test_patients_are_merged_and_accession_numbers_mended(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    tmp_path,
):
    write_patient(scans / "a.dcm", "1.2.3.1", PatientID="OLD-17", AccessionNumber="A1")
    write_patient(scans / "b.dcm", "1.2.3.2", PatientID="OLD-17", AccessionNumber="A2")
    write_patient(scans / "c.dcm", "1.2.3.3", PatientID="OTHER", AccessionNumber="A1")
    fixes = table(
        tmp_path,
        "PatientID,AccessionNumber,new:PatientID,new:PatientName,new:AccessionNumber\n"
        "OLD-17,,17,Merged^Made,\n"
        ",A1,,,ACC-1\n"
        "OLD-17,A2,,,(empty)\n"
        "GONE,,18,,\n",
    )
    result, sent = sent_with(pacs, scans, state, "--fixes", fixes)
    assert result.exit == Exit.OK, result
    shown = {
        uid: (str(each.PatientID), str(each.PatientName), str(each.AccessionNumber))
        for uid, each in sent.items()
    }
    assert shown == {
        "1.2.3.1": ("17", "Merged^Made", "ACC-1"),
        "1.2.3.2": ("17", "Merged^Made", ""),
        "1.2.3.3": ("OTHER", objects.NAME, "ACC-1"),
    }
    assert "line 5: it matches no object" in result.stderr
    told = pacs("send-batch", "report", state, "--json").json
    assert {each["line"]: each["uses"] for each in told if each["type"] == "fix"} == {
        2: 2,
        3: 2,
        4: 1,
        5: 0,
    }
    assert told[-1]["fixes_unused"] == [5]


def test_everything_else_stays_byte_by_byte(pacs, scans, state, tmp_path):  # noqa: F811
    path = write_patient(scans / "a.dcm", "1.2.3.1", PatientID="OLD")
    other = write_patient(scans / "b.dcm", "1.2.3.2", PatientID="KEEP")
    fixes = table(tmp_path, "PatientID,new:PatientID\nOLD,NEWER\n")
    with running_provider() as running:
        pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--fixes", fixes),
        )
    arrived = received(running.handler)
    old, new = element(0x00100020, "LO", "OLD"), element(0x00100020, "LO", "NEWER")
    assert arrived["1.2.3.1"] == dataset_bytes(path).replace(old, new)
    assert arrived["1.2.3.2"] == dataset_bytes(other)


def test_uids_are_fixed_and_asked_for_as_they_were_sent(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    tmp_path,
):
    write_patient(scans / "a.dcm", "1.2.3.1")
    write_patient(scans / "b.dcm", "1.2.3.2")
    fixes = table(
        tmp_path,
        "SOPInstanceUID,StudyInstanceUID,new:SOPInstanceUID,new:StudyInstanceUID\n"
        "1.2.3.1,,1.2.4.1,\n,1.2.826.0.1.3680043.10.2,,1.2.5\n",
    )
    with pacs_storescp(tmp_path / "archive", "--qr") as archive:
        result = pacs(
            *("send-batch", "127.0.0.1", archive.port, scans, "--state", state, "--json"),
            *("--fixes", fixes, "--verify", "--commit"),
        )
        archive.stop()
    assert result.exit == Exit.OK, result
    assert set(archive.files()) == {"1.2.4.1", "1.2.3.2"}
    assert {row["study_instance_uid"] for row in report(pacs, state)} == {"1.2.5"}
    with closing(sqlite3.connect(state)) as connection:
        assert connection.execute("SELECT sum(verified) FROM object").fetchone() == (2,)


@pytest.mark.parametrize(
    ("own", "name", "expected"),
    [
        ("", "Müller^Jörg", "ISO_IR 192"),
        ("", "山田^太郎", "ISO_IR 192"),
        ("", "Plain^Ascii", None),
        ("ISO_IR 100", "Müller^Jörg", "ISO_IR 100"),
        ("ISO_IR 192", "山田^太郎", "ISO_IR 192"),
        (r"\ISO 2022 IR 87", "山田^太郎", ["", "ISO 2022 IR 87"]),
        ("ISO_IR 100", "山田^太郎", ...),
    ],
)
def test_names_are_in_a_character_set_that_has_them(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    tmp_path,
    own,
    name,
    expected,
):
    """In that of the file, or in UTF-8 where the file's texts are ASCII; else it has failed."""
    more = {"SpecificCharacterSet": own} if own else {}
    write_patient(scans / "a.dcm", "1.2.3.1", PatientID="OLD", **more)
    fixes = table(tmp_path, f"PatientID,new:PatientName\nOLD,{name}\n")
    result, sent = sent_with(pacs, scans, state, "--fixes", fixes)
    if expected is ...:
        assert result.exit == Exit.BAD_INPUT
        assert "ISO_IR 100, cannot say it" in result.stderr
        assert not sent
        return
    (only,) = sent.values()
    assert str(only.PatientName) == name
    assert only.get("SpecificCharacterSet") == expected


def test_old_value_is_read_in_the_character_set_of_the_file(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    tmp_path,
):
    latin = element(0x00100020, "LO", "Zoë-1".encode("latin-1"))
    more = (element(0x00080005, "CS", "ISO_IR 100"), latin)
    objects.write(scans / "a.dcm", objects.dataset(*more, uid="1.2.3.1"), "1.2.3.1")
    fixes = table(tmp_path, "\ufeffPatientID,new:PatientID\nZoë-1,Z1\n")
    _, sent = sent_with(pacs, scans, state, "--fixes", fixes)
    assert [str(each.PatientID) for each in sent.values()] == ["Z1"]


def test_rows_that_disagree_fail_their_objects_alone(pacs, scans, state, tmp_path):  # noqa: F811
    write_patient(scans / "a.dcm", "1.2.3.1", PatientID="OLD", AccessionNumber="A1")
    write_patient(scans / "b.dcm", "1.2.3.2", PatientID="OLD", AccessionNumber="A2")
    fixes = table(tmp_path, "PatientID,AccessionNumber,new:PatientID\nOLD,,17\n,A1,18\n")
    result, sent = sent_with(pacs, scans, state, "--fixes", fixes)
    assert result.exit == Exit.SOME_FAILED
    assert "a.dcm: lines 2 and 3 of" in result.stderr
    assert list(sent) == ["1.2.3.2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no rows"),
        ("PatientID,new:PatientID\n", "no rows"),
        ("PatientID,new:PatientID\nOLD\n", "line 2: 1 cells under 2 columns"),
        ("PatientID,new:PatientID\nOLD,NEW,MORE\n", "line 2: 3 cells under 2 columns"),
        ("PatientID,new:PatientID\nOLD,1\nOLD,2\n", "line 3: line 2 is of the same objects"),
        ("PatientId,new:PatientID\nOLD,NEW\n", "did you mean PatientID"),
        ("PatientID,new:PatientIdd\nOLD,NEW\n", "did you mean PatientID"),
        ("PatientID,PatientID,new:PatientID\nA,B,C\n", "two columns"),
        ("PatientID\nOLD\n", "columns"),
        ("new:PatientID\nOLD\n", "columns"),
        ("PatientID,new:PatientID\n,NEW\n", "line 2"),
        ("PatientID,new:PatientID\nOLD,\n", "line 2"),
        ("PatientID,new:PatientBirthDate\nOLD,1.2.1980\n", "line 2: PatientBirthDate"),
        ("PatientID,new:SOPInstanceUID\nOLD,1.2.3\n", "SOPInstanceUID"),
        ("PatientID,new:StudyInstanceUID\nOLD,(empty)\n", "StudyInstanceUID"),
        ('PatientID,new:PatientID\n"OLD,NEW\n', "no table of fixes"),
        (b"PatientID,new:PatientName\nOLD,M\xfcller\n", "not UTF-8"),
    ],
)
def test_malformed_table_is_a_usage_error_before_anything_is_sent(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    tmp_path,
    text,
    words,
):
    write_patient(scans / "a.dcm", "1.2.3.1", PatientID="OLD")
    fixes = tmp_path / "fixes.csv"
    fixes.write_bytes(text if isinstance(text, bytes) else text.encode())
    result, sent = sent_with(pacs, scans, state, "--fixes", fixes)
    assert (result.exit, words in result.stderr) == (Exit.USAGE, True), result
    assert not state.exists()
    assert not sent


def test_other_table_than_the_jobs_is_refused(pacs, scans, state, tmp_path):  # noqa: F811
    write_patient(scans / "a.dcm", "1.2.3.1", PatientID="OLD")
    fixes = table(tmp_path, "PatientID,new:PatientID\nOLD,17\n")
    command = ("send-batch", "127.0.0.1", 1, scans, "--state", state)
    pacs(*command, "--fixes", fixes)
    table(tmp_path, "PatientID,new:PatientID\nOLD,18\n")
    for result in (pacs("send-batch", "resume", state), pacs(*command, "--fixes", fixes)):
        assert result.exit == Exit.USAGE
        assert "changed since the job was made" in result.stderr
    # the same table under another name is the same
    moved = tmp_path / "moved.csv"
    moved.write_text("PatientID,new:PatientID\nOLD,17\n")
    assert pacs(*command, "--fixes", moved).exit == Exit.CONNECT
    assert pacs("send-batch", "resume", state).exit == Exit.CONNECT


def test_job_of_unchanged_objects_is_not_gone_on_with_changes(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    tmp_path,
):
    write_patient(scans / "a.dcm", "1.2.3.1", PatientID="OLD")
    fixes = table(tmp_path, "PatientID,new:PatientID\nOLD,17\n")
    command = ("send-batch", "127.0.0.1", 1, scans, "--state", state)
    pacs(*command)
    result = pacs(*command, "--fixes", fixes)
    assert result.exit == Exit.USAGE
    assert "made with other changes: none" in result.stderr


# -- all of them -----------------------------------------------------------------------------------


def test_object_is_fixed_then_de_identified_then_transcoded(
    pacs,
    scans,  # noqa: F811
    state,  # noqa: F811
    key,
    tmp_path,
):
    """Two of a patient under an old and a new ID become one pseudonym."""
    pytest.importorskip("imagecodecs")
    for number, patient in enumerate(("OLD", "NEW")):
        uid = f"1.2.3.{number}"
        data = images.image(
            GREY,
            12,
            SOPInstanceUID=uid,
            PatientID=patient,
            StudyInstanceUID="1.2.9",
            SeriesInstanceUID="1.2.10",
        )
        images.write(scans / f"{number}.dcm", images.encoded(data), "explicit", uid)
    fixes = table(tmp_path, "PatientID,new:PatientID\nOLD,NEW\n")
    with running_provider(syntaxes=(SYNTAX["j2k"],)) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, scans, "--state", state),
            *("--fixes", fixes, "--anonymize", "basic", "--key-file", key, "--transcode", "j2k"),
        )
    assert result.exit == Exit.OK, result
    sent = [images.read(data, "j2k") for _, data in running.handler.stored]
    assert len(sent) == 2
    assert len({str(each.PatientID) for each in sent}) == 1
    assert {each.PatientIdentityRemoved for each in sent} == {"YES"}
    for _, data in running.handler.stored:
        assert b"NEW" not in data
        assert numpy.array_equal(images.samples(data, "j2k"), GREY)


def test_real_files_are_fixed_as_pydicom_would(pacs, state, tmp_path):  # noqa: F811
    """Every storable sample, in every encoding: the element changes, all others stay."""
    from tests.samples import storable

    chosen = {probe(path).sop_instance_uid: path for path in storable()}
    paths = sorted(set(chosen.values()))
    rows = [f"{uid},FIXED-1" for uid in chosen if uid]
    fixes = table(tmp_path, "\n".join(("SOPInstanceUID,new:PatientID", *rows)))
    syntaxes = tuple({probe(path).transfer_syntax_uid for path in paths})
    with running_provider(syntaxes=syntaxes) as running:
        result = pacs(
            *("send-batch", "127.0.0.1", running.listener.port, *paths, "--state", state),
            *("--fixes", fixes, "--json"),
        )
    failed = [each for each in report(pacs, state) if each["state"] == "failed"]
    assert len(running.handler.stored) == summary(result)["sent"]
    assert len(running.handler.stored) + len(failed) == len(paths)
    assert len(failed) < 5, failed
    for request, data in running.handler.stored:
        assert_fixed_alone(request, data, chosen[request.affected_sop_instance_uid])


def assert_fixed_alone(request, data: bytes, path: Path) -> None:
    from pydicom import dcmread

    from pacs_cli.dicom.identifier import quietly

    with quietly():
        uid, syntax = request.affected_sop_instance_uid, request.transfer_syntax_uid
        whole = file_meta(request.affected_sop_class_uid, uid, syntax) + data
        now = dcmread(io.BytesIO(whole), force=True)
        before = dcmread(path, force=True)
        assert now.PatientID == "FIXED-1"
        changed = {
            each.tag
            for each in now
            if each.tag not in before or before[each.tag].value != each.value
        }
        assert changed <= {0x00100020}
        gone = {each.tag for each in before if each.tag not in now}
        assert {tag & 0xFFFF for tag in gone} <= {0}
