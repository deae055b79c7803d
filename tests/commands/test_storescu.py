"""`pacs storescu` through its entry point."""

from __future__ import annotations

import csv
import io
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import Exit
from pacs_cli.services.serving import AssociationOpened
from tests.interop.peers import dcmtk_storescp
from tests.pipelines.scripted import Recording, scripted_peer, serves
from tests.pipelines.test_dicomdir import record, write_dicomdir
from tests.pipelines.test_retry import rejects
from tests.samples import dataset_bytes, storable
from tests.support import CT, MR, MemoryHandler, running_provider
from tests.writing import write_object


@pytest.fixture
def ct(tmp_path):
    return write_object(tmp_path / "ct.dcm", CT, "1.2.3.1")


@pytest.fixture
def nobody():
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def send(pacs):
    """Run the command against a provider; return its result and the provider's handler."""

    def run(*arguments, handler=None, **settings):
        with running_provider(handler, **settings) as running:
            result = pacs("storescu", "127.0.0.1", running.listener.port, *arguments)
        return result, running.handler

    return run


def sent_uids(handler) -> list[str]:
    return [request.affected_sop_instance_uid for request, _ in handler.stored]


def files(result) -> list[dict]:
    return [line for line in result.json if line["type"] == "file"]


# -- files and folders ---------------------------------------------------------------------------


def test_files_and_folders_are_sent_as_they_are(send, tmp_path):
    folder = tmp_path / "scans"
    (folder / "deep" / "deeper").mkdir(parents=True)
    paths = [
        write_object(folder / "a.dcm", CT, "1.2.3.1"),
        write_object(folder / "deep" / "deeper" / "b", MR, "1.2.3.2"),
        write_object(tmp_path / "c.dcm", CT, "1.2.3.3"),
    ]
    write_object(folder / ".hidden.dcm", CT, "1.2.3.9")
    result, handler = send(folder, paths[2])
    assert result.exit == 0, result.stderr
    assert [data for _, data in handler.stored] == [dataset_bytes(path) for path in paths]
    assert result.stdout.startswith("stored 3, failed 0; ")


def test_every_file_has_a_json_line_and_a_summary_comes_last(send, tmp_path, ct):
    (tmp_path / "notes.txt").write_text("not an image")
    result, _ = send(tmp_path, "--json")
    assert result.exit == 1
    by_path = {line["path"]: line for line in files(result)}
    stored, failed = by_path[str(ct)], by_path[str(tmp_path / "notes.txt")]
    assert (stored["outcome"], stored["status"], stored["error"]) == ("stored", "0000", None)
    assert (stored["sop_class_uid"], stored["sop_instance_uid"]) == (CT, "1.2.3.1")
    assert (stored["attempts"], failed["attempts"]) == (1, 0)
    assert (failed["outcome"], failed["status"]) == ("not sent", None)
    assert "not a DICOM file" in failed["error"]
    assert result.json[-1]["type"] == "summary"
    assert (result.json[-1]["stored"], result.json[-1]["failed"]) == (1, 1)


def test_csv_has_a_row_for_each_file(send, tmp_path, ct):
    write_object(tmp_path / "mr.dcm", MR, "1.2.3.2")
    result, _ = send(tmp_path, "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["path"], row["outcome"]) for row in rows] == [
        (str(ct), "stored"),
        (str(tmp_path / "mr.dcm"), "stored"),
    ]


def test_warning_counts_as_stored_and_is_shown(send, ct):
    result, _ = send(ct, handler=MemoryHandler(0xB000))
    assert result.exit == 0
    assert "B000H" in result.stderr
    assert "1 with a warning" in result.stdout


def test_one_refused_context_does_not_stop_the_others(send, tmp_path, ct):
    mr = write_object(tmp_path / "mr.dcm", MR, "1.2.3.2")
    result, handler = send(mr, ct, abstract_syntaxes=frozenset([CT]))
    assert result.exit == 1
    assert f"cannot send {mr}" in result.stderr
    assert "abstract syntax not supported" in result.stderr
    assert len(handler.stored) == 1


def test_over_128_contexts_go_over_several_associations(pacs, tmp_path):
    classes = [f"1.2.840.10008.5.1.4.1.1.{number}" for number in range(1, 301)]
    for number, sop_class in enumerate(classes):
        write_object(tmp_path / f"{number:03}.dcm", sop_class, f"1.2.3.{number + 1}")
    with running_provider() as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, tmp_path)
        opened = running.wait_for(AssociationOpened, 3)
    assert result.exit == 0
    assert [event.accepted for event in opened] == [128, 128, 44]
    assert [r.affected_sop_class_uid for r, _ in running.handler.stored] == classes


def test_loops_fifos_sockets_and_odd_names_are_survived(send, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    write_object(folder / "ok.dcm", CT, "1.2.3.1")
    shutil.copy(folder / "ok.dcm", os.fsencode(folder) + b"/\xff\xfe.dcm")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "socket"))
        result, handler = send(folder, "--follow", "--json")
        text, _ = send(folder, "--follow")
    assert result.exit == 0
    assert len(handler.stored) == 2
    skipped = [line for line in result.json if line["type"] == "skipped"]
    assert {(Path(each["path"]).name, each["reason"]) for each in skipped} == {
        ("fifo", "not a regular file"),
        ("socket", "not a regular file"),
    }
    assert result.json[-1]["skipped"] == 2
    assert text.stdout.startswith("stored 2, failed 0, skipped 2; ")
    assert text.stderr.count("warning: skipped ") == 2


def test_fifo_that_is_named_is_a_failure(send, tmp_path, ct):
    os.mkfifo(tmp_path / "fifo")
    result, _ = send(ct, tmp_path / "fifo")
    assert result.exit == 1
    assert "fifo: not a regular file" in result.stderr


@pytest.mark.parametrize("follow", [False, True])
def test_links_in_folders_are_followed_on_request(send, tmp_path, follow):
    (tmp_path / "scans").mkdir()
    write_object(tmp_path / "elsewhere.dcm", CT, "1.2.3.1")
    write_object(tmp_path / "scans" / "a.dcm", CT, "1.2.3.2")
    (tmp_path / "scans" / "link").symlink_to("../elsewhere.dcm")
    _, handler = send(tmp_path / "scans", *(["--follow"] if follow else []))
    assert sent_uids(handler) == ["1.2.3.2", *(["1.2.3.1"] if follow else [])]


def test_large_file_is_sent_whole(send, tmp_path):
    path = write_object(tmp_path / "big.dcm", CT, "1.2.3.1", pixels=bytes(9_000_000))
    result, handler = send(path)
    assert result.exit == 0
    assert handler.stored[0][1] == dataset_bytes(path)


def test_storescu_runs_as_a_program(ct):
    with running_provider() as running:
        command = ["storescu", "127.0.0.1", str(running.listener.port), str(ct)]
        done = subprocess.run(
            [sys.executable, "-m", "pacs_cli", *command],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_input_is_never_modified(send, ct):
    before = (ct.read_bytes(), ct.stat().st_mtime_ns)
    send(ct, "--set", "PatientID=X", "--uid-suffix", ".1")
    assert (ct.read_bytes(), ct.stat().st_mtime_ns) == before


def test_every_sample_with_a_sop_class_is_sent_byte_for_byte(send):
    """Compressed, big endian and deflated ones included, to a receiver that keeps all."""
    from pacs_cli.dicom.registry import transfer_syntaxes

    samples = storable()
    result, handler = send(*samples, syntaxes=transfer_syntaxes())
    assert result.exit == 0, result.stderr
    sent = sorted(data for _, data in handler.stored)
    assert sent == sorted(dataset_bytes(sample) for sample in samples)
    used = {request.transfer_syntax_uid for request, _ in handler.stored}
    assert {"1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.90"} <= used


def test_file_that_vanishes_on_the_way_costs_itself_only(send, tmp_path):
    paths = [write_object(tmp_path / f"{n}.dcm", CT, f"1.2.3.{n}") for n in range(3)]

    class Removing(MemoryHandler):
        def open_store(self, request):
            paths[2].unlink(missing_ok=True)
            return super().open_store(request)

    # beyond what is read ahead while the first is answered
    result, handler = send(*paths[:1], *paths[:1], *paths, handler=Removing())
    assert result.exit == 1
    assert len(handler.stored) == 4
    assert f"cannot send {paths[2]}: no such file" in result.stderr


# -- lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [b"\n", b"\0"])
def test_list_names_files_whatever_they_are_called(pacs, send, monkeypatch, tmp_path, separator):
    paths = [tmp_path / os.fsdecode(name) for name in (b"\xff\xfe.dcm", b"a b.dcm", b"c.dcm")]
    for number, path in enumerate(paths):
        write_object(path, CT, f"1.2.3.{number}")
    listing = separator.join(map(os.fsencode, paths)) + separator
    (tmp_path / "list").write_bytes(listing)
    result, handler = send("--from-file", tmp_path / "list")
    assert result.exit == 0
    assert sent_uids(handler) == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]
    for arguments in (["-"], ["--from-file", "-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(listing)))
        result, handler = send(*arguments)
        assert result.exit == 0
        assert sent_uids(handler) == ["1.2.3.0", "1.2.3.1", "1.2.3.2"]


def test_port_may_stand_before_no_path_at_all(send, tmp_path, ct):
    (tmp_path / "list").write_text(f"{ct}\n")
    result, handler = send("--from-file", tmp_path / "list")
    assert (result.exit, len(handler.stored)) == (0, 1)


def test_list_that_is_missing_is_bad_input_and_no_path_a_usage_error(send, tmp_path):
    result, _ = send("--from-file", tmp_path / "missing")
    assert result.exit == Exit.BAD_INPUT
    assert "cannot read the list" in result.stderr
    result, _ = send()
    assert result.exit == Exit.USAGE
    assert "nothing to send: write PATH..." in result.stderr


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_nothing_to_send_is_one_error_and_no_summary(send, tmp_path, more):
    (tmp_path / "list").touch()
    arguments = ("--from-file", tmp_path / "list", "--report", tmp_path / "sent.csv", "--json")
    result, _ = send(*arguments, *more)
    assert result.exit == Exit.BAD_INPUT
    assert "nothing to send" in result.stderr
    assert [line["type"] for line in result.json] == ["error"]
    assert not (tmp_path / "sent.csv").exists()


def test_dicomdir_by_name_sends_what_it_refers_to(send, tmp_path):
    folder = tmp_path / "disc"
    (folder / "DIR").mkdir(parents=True)
    write_object(tmp_path / "SECRET", CT, "1.2.3.9")
    write_object(folder / "DIR" / "IM1", CT, "1.2.3.1")
    write_object(folder / "OTHER", CT, "1.2.3.8")
    path = write_dicomdir(folder, record("DIR\\IM1"), record("..\\SECRET"))
    result, handler = send(path)
    assert result.exit == 1
    assert sent_uids(handler) == ["1.2.3.1"]
    assert "no file ID, a reference in" in result.stderr
    result, handler = send(folder)
    assert result.exit == 0
    assert sent_uids(handler) == ["1.2.3.1", "1.2.3.8"]
    assert "skipped 1" in result.stdout
    assert result.stderr == ""


def test_dicomdir_by_another_name_is_told(send, tmp_path, ct):
    path = write_dicomdir(tmp_path / "disc", record("IM1"), name="DICOMDIR")
    path = path.rename(path.with_name("index.dcm"))
    result, _ = send(path)
    assert result.exit == Exit.BAD_INPUT
    assert "name its folder" in result.stderr


# -- changes on the way --------------------------------------------------------------------------


def test_edits_are_in_the_object_and_in_the_command(send, tmp_path, ct):
    edits = ["--set", "PatientID=NEW-1", "--set", "(0008,1030)=A study", "--uid-suffix", ".42"]
    result, handler = send(ct, *edits, "--json")
    assert result.exit == 0
    ((request, data),) = handler.stored
    assert request.affected_sop_instance_uid == "1.2.3.1.42"
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    assert (dataset.PatientID, dataset.StudyDescription) == ("NEW-1", "A study")
    assert dataset.SOPInstanceUID == "1.2.3.1.42"
    assert dataset.StudyInstanceUID.endswith(".42")
    assert dataset.SeriesInstanceUID.endswith(".42")
    assert dataset.PatientName == "Made^Up"
    assert files(result)[0]["sop_instance_uid"] == "1.2.3.1.42"


def test_sop_class_that_is_set_is_what_is_proposed(send, ct):
    result, handler = send(ct, "--set", f"SOPClassUID={MR}", abstract_syntaxes=frozenset([MR]))
    assert result.exit == 0
    assert handler.stored[0][0].affected_sop_class_uid == MR


def test_samples_in_every_encoding_are_edited(send):
    from pacs_cli.dicom.edit import editor_for
    from pacs_cli.dicom.registry import transfer_syntaxes

    samples = [path for path in storable() if path.name != "winter.dcm"]
    arguments = ["--set", "PatientID=NEW", "--set", "StudyID=7"]
    result, handler = send(*samples, *arguments, syntaxes=transfer_syntaxes())
    assert result.exit == 0, result.stderr
    editor = editor_for(["PatientID=NEW", "StudyID=7"], None)
    expected = []
    for path in samples:
        data = dataset_bytes(path)
        edited = editor.edit(data, encoding_of(probe(path).transfer_syntax_uid))
        expected.append(b"".join((*edited.buffers, data[edited.rest :])))
    assert sorted(data for _, data in handler.stored) == sorted(expected)


def test_edit_that_one_file_cannot_take_costs_that_file_only(send, tmp_path, ct):
    long = write_object(tmp_path / "long.dcm", CT, "1.2." + "3" * 59)
    result, handler = send(long, ct, "--uid-suffix", ".12")
    assert result.exit == 1
    assert sent_uids(handler) == ["1.2.3.1.12"]
    assert f"cannot send {long}: its SOP Instance UID with .12 would have 66" in result.stderr
    result, handler = send(ct, "--set", "PatientName=Müller")
    assert result.exit == Exit.BAD_INPUT
    assert f"cannot send {ct}: --set PatientName: the file's character set" in result.stderr
    assert handler.stored == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "PatientNam=X"], "did you mean PatientName?"),
        (["--set", "StudyDate=x"], "not a value of VR DA"),
        (["--uid-suffix", "x"], "--uid-suffix"),
        (["--propose", "CT=JPEG2000Lossles"], "did you mean JPEG2000Lossless?"),
        (["--propose", "CTX=rle"], "unknown storage SOP class"),
        (["--priority", "urgent"], "choose low, medium or high"),
        (["--jobs", "0"], "--jobs"),
        (["--jobs", "65"], "--jobs"),
        (["--retries", "-1"], "--retries"),
        (["--retry-wait", "0"], "--retry-wait"),
        (["--retry-wait", "nan"], "--retry-wait"),
        (["--repeat", "0"], "--repeat"),
        (["--max-pdu", "127"], "--max-pdu"),
        (["--max-pdu", "4294967296"], "--max-pdu"),
    ],
)
def test_option_that_makes_no_sense_is_a_usage_error_before_anything_is_sent(
    send, ct, arguments, words
):
    result, handler = send(ct, *arguments)
    assert result.exit == Exit.USAGE
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert handler.stored == []


# -- how it is sent ------------------------------------------------------------------------------


def test_jobs_send_everything_once(send, tmp_path):
    for number in range(60):
        write_object(tmp_path / f"{number:02}", CT, f"1.2.3.{number}")
    result, handler = send(tmp_path, "--jobs", 4, "--json")
    assert result.exit == 0
    assert sorted(sent_uids(handler)) == sorted(f"1.2.3.{n}" for n in range(60))
    assert len(files(result)) == 60
    assert result.json[-1]["stored"] == 60


def test_repeat_sends_the_whole_list_so_often(send, tmp_path, ct):
    mr = write_object(tmp_path / "mr.dcm", MR, "1.2.3.2")
    os.mkfifo(tmp_path / "fifo")
    result, handler = send(tmp_path, "--repeat", 3, "--json")
    assert sent_uids(handler) == ["1.2.3.1", "1.2.3.2"] * 3
    assert [line["path"] for line in files(result)] == [str(ct), str(mr)] * 3
    assert (result.json[-1]["stored"], result.json[-1]["skipped"]) == (6, 1)


def test_first_failure_ends_it_when_asked_to(send, tmp_path):
    for number in range(5):
        write_object(tmp_path / f"{number}", CT, f"1.2.3.{number}")
    handler = Recording(lambda uid, number: 0xC000 if uid == "1.2.3.2" else 0)
    result, _ = send(tmp_path, "--fail-first", "--json", handler=handler)
    assert result.exit == 1
    assert [line["outcome"] for line in files(result)] == [
        *["stored"] * 2,
        "failed",
        *["not sent"] * 2,
    ]
    assert handler.begun.total() == 3


def test_lost_association_is_opened_again_and_told_once(send, tmp_path):
    for number in range(4):
        write_object(tmp_path / f"{number}", CT, f"1.2.3.{number}")
    handler = Recording(lambda uid, number: None if (uid, number) == ("1.2.3.2", 1) else 0)
    result, _ = send(tmp_path, "--retry-wait", 0.01, "--json", handler=handler)
    assert result.exit == 0
    assert handler.begun == {"1.2.3.0": 1, "1.2.3.1": 1, "1.2.3.2": 2, "1.2.3.3": 1}
    assert [line["attempts"] for line in files(result)] == [1, 1, 2, 1]
    assert result.json[-1]["retried"] == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("warning: ")
    assert "trying again in 0.0 s, 1 of 3" in line


def test_object_on_which_the_peer_dies_is_isolated(send, tmp_path):
    for number in range(4):
        write_object(tmp_path / f"{number}", CT, f"1.2.3.{number}")
    handler = Recording(lambda uid, number: None if uid == "1.2.3.1" else 0)
    result, _ = send(tmp_path, "--retry-wait", 0.01, "--json", handler=handler)
    assert result.exit == 1
    outcomes = [line["outcome"] for line in files(result)]
    assert outcomes == ["stored", "not sent", "stored", "stored"]
    assert "the association was lost on it twice" in files(result)[1]["error"]


def test_peer_that_goes_away_fails_what_is_left_when_nothing_is_tried_again(send, tmp_path):
    for number in range(3):
        write_object(tmp_path / f"{number}", CT, f"1.2.3.{number}")
    handler = Recording(lambda uid, number: None if uid == "1.2.3.1" else 0)
    result, _ = send(tmp_path, "--retries", 0, "--json", handler=handler)
    assert result.exit == 1
    assert [line["outcome"] for line in files(result)] == ["stored", "not sent", "not sent"]
    assert result.stderr.count("\n") == 1


def test_resources_that_come_back_are_waited_for_without_a_word(send, ct):
    handler = Recording(lambda uid, number: 0xA700 if number < 3 else 0)
    result, _ = send(ct, "--retry-wait", 0.01, handler=handler)
    assert (result.exit, result.stderr) == (0, "")
    assert "1 sent more than once" in result.stdout
    handler = Recording(lambda uid, number: 0xA700 if number < 3 else 0)
    result, _ = send(ct, "--retry-wait", 0.01, "-v", handler=handler)
    assert result.stderr.count("objects refused for want of resources: 1; sent again in") == 2


def test_transient_rejection_is_waited_out(pacs, ct):
    handler = Recording()
    with scripted_peer(rejects(2), serves(handler)) as (peer, target):
        result = pacs("storescu", "127.0.0.1", target.port, ct, "--retry-wait", 0.01)
    assert result.exit == 0
    assert peer.calls == 2
    assert "warning: cannot associate with" in result.stderr
    assert "for now, local limit exceeded" in result.stderr


@pytest.mark.parametrize(("arguments", "tries"), [([], 1), (["--retries", "2"], 3)])
def test_connection_is_tried_again_only_when_asked_for(pacs, ct, nobody, arguments, tries):
    more = ["--retry-wait", 0.01, *arguments]
    result = pacs("storescu", "127.0.0.1", nobody, ct, *more)
    assert result.exit == Exit.CONNECT
    assert len(result.stderr.splitlines()) == tries
    assert result.stderr.count("warning: ") == tries - 1


def test_propose_is_shown_with_what_became_of_it(send, ct):
    result, handler = send(ct, "-v", "--propose", "MRImageStorage=JPEG2000Lossless,explicit")
    assert result.exit == 0
    rows = [line.split("\t")[1:] for line in result.stderr.splitlines() if "\t" in line]
    assert rows == [
        ["abstract syntax", "transfer syntax", "result"],
        ["CT Image Storage", "Explicit VR Little Endian", "accepted"],
        [
            "MR Image Storage",
            "JPEG 2000 Image Compression (Lossless Only)",
            "transfer syntaxes not supported",
        ],
        ["MR Image Storage", "Explicit VR Little Endian", "accepted"],
    ]
    assert len(handler.stored) == 1


# -- --dry-run -----------------------------------------------------------------------------------


def test_dry_run_shows_files_contexts_and_totals_and_calls_nobody(pacs, tmp_path, ct, nobody):
    write_object(tmp_path / "mr.dcm", MR, "1.2.3.2")
    arguments = ("storescu", "127.0.0.1", nobody, tmp_path, "--dry-run")
    more = ("--propose", "MRImageStorage=rle", "--uid-suffix", ".5")
    result = pacs(*arguments, *more, "--json")
    assert (result.exit, result.stderr) == (0, "")
    assert [line["type"] for line in result.json] == [*["context"] * 3, *["file"] * 2, "summary"]
    assert result.json[0] == {
        "type": "context",
        "association": 1,
        "id": 1,
        "abstract_syntax": CT,
        "transfer_syntax": "1.2.840.10008.1.2.1",
    }
    assert result.json[2]["transfer_syntax"] == "1.2.840.10008.1.2.5"
    assert [line["outcome"] for line in files(result)] == ["would be sent"] * 2
    assert files(result)[0]["sop_instance_uid"] == "1.2.3.1.5"
    size = sum(line["bytes"] for line in files(result))
    assert result.json[-1] == {
        "type": "summary",
        "would_send": 2,
        "failed": 0,
        "skipped": 0,
        "bytes": size,
    }
    text = pacs(*arguments)
    assert f"would send {ct}, {files(result)[0]['bytes']} bytes" in text.stdout
    assert "CT Image Storage\tExplicit VR Little Endian" in text.stdout
    assert text.stdout.splitlines()[-1].startswith("would send 2, failed 0; ")


@pytest.mark.parametrize("arguments", [[], ["--uid-suffix", ".1"], ["--set", "PatientName=Ä"]])
@pytest.mark.parametrize("names", [[], ["ok"], ["bad"], ["ok", "bad"], ["missing"], ["bad", "ok"]])
def test_dry_run_exits_as_a_real_run_does(pacs, send, tmp_path, nobody, names, arguments):
    write_object(tmp_path / "ok", CT, "1.2.3.1")
    (tmp_path / "bad").write_text("no DICOM")
    (tmp_path / "folder").mkdir()
    paths = [tmp_path / name for name in names] or [tmp_path / "folder"]
    real, _ = send(*paths, *arguments)
    dry = pacs("storescu", "127.0.0.1", nobody, *paths, *arguments, "--dry-run")
    assert dry.exit == real.exit
    assert dry.stderr == real.stderr


# -- --report ------------------------------------------------------------------------------------


def test_report_has_a_row_for_each_file(send, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(3):
        write_object(folder / f"{number}", CT, f"1.2.3.{number}")
    write_object(folder / os.fsdecode(b"\xff"), CT, "1.2.3.3")
    (folder / "bad").write_text("no DICOM")
    handler = Recording(lambda uid, n: {"1.2.3.1": 0xC001, "1.2.3.2": 0xB007}.get(uid, 0))
    result, _ = send(folder, "--report", tmp_path / "sent.csv", handler=handler)
    assert result.exit == 1
    with (tmp_path / "sent.csv").open(newline="", errors="surrogateescape") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    told = {Path(path).name: (row["outcome"], row["status"]) for path, row in rows.items()}
    assert told == {
        "0": ("stored", "0000"),
        "1": ("failed", "C001"),
        "2": ("warning", "B007"),
        os.fsdecode(b"\xff"): ("stored", "0000"),
        "bad": ("not sent", ""),
    }
    first = rows[str(folder / "0")]
    assert (first["sop_class_uid"], first["sop_instance_uid"]) == (CT, "1.2.3.0")
    assert first["transfer_syntax_uid"] == "1.2.840.10008.1.2.1"
    assert (first["bytes"], first["attempts"], first["error"]) == (
        str(len(dataset_bytes(folder / "0"))),
        "1",
        "",
    )
    assert float(first["seconds"]) > 0
    assert "not a DICOM file" in rows[str(folder / "bad")]["error"]


def test_report_is_there_when_the_peer_is_not(pacs, tmp_path, ct, nobody):
    result = pacs("storescu", "127.0.0.1", nobody, ct, "--report", tmp_path / "sent.csv")
    assert result.exit == Exit.CONNECT
    assert "not sent" in (tmp_path / "sent.csv").read_text()


@pytest.mark.parametrize("name", ["missing/sent.csv", "folder"])
def test_report_that_cannot_be_written_is_told_before_anything_is_sent(send, tmp_path, ct, name):
    (tmp_path / "folder").mkdir()
    result, handler = send(ct, "--report", tmp_path / name)
    assert result.exit == Exit.OUTPUT
    assert "cannot write" in result.stderr
    assert handler.stored == []


# -- the field's receivers -----------------------------------------------------------------------


@pytest.mark.interop
def test_dcmtk_receives_what_is_edited_over_several_associations(pacs, tmp_path):
    (tmp_path / "scans").mkdir()
    for number in range(20):
        write_object(tmp_path / "scans" / f"{number:02}", CT, f"1.2.3.{number}", bytes(200_000))
    with dcmtk_storescp(tmp_path / "received", "--fork") as port:
        arguments = ("--jobs", 3, "--set", "PatientID=EDITED", "--uid-suffix", ".8")
        result = pacs("storescu", "127.0.0.1", port, tmp_path / "scans", *arguments)
    assert result.exit == 0, result.stderr
    received = [pydicom.dcmread(path) for path in (tmp_path / "received").iterdir()]
    assert {each.SOPInstanceUID for each in received} == {f"1.2.3.{n}.8" for n in range(20)}
    assert {each.file_meta.MediaStorageSOPInstanceUID for each in received} == {
        f"1.2.3.{n}.8" for n in range(20)
    }
    assert {(each.PatientID, each.PixelData) for each in received} == {("EDITED", bytes(200_000))}
