"""`pacs storescu` through its entry point."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys

import pytest

from pacs_cli.services.results import AssociationOpened
from tests.samples import dataset_bytes, storable
from tests.support import CT, MR, MemoryHandler, running_provider
from tests.writing import write_object


@pytest.fixture
def ct(tmp_path):
    return write_object(tmp_path / "ct.dcm", CT, "1.2.3.1")


def test_files_and_folders_are_sent_as_they_are(pacs, tmp_path):
    folder = tmp_path / "scans"
    (folder / "deep" / "deeper").mkdir(parents=True)
    paths = [
        write_object(folder / "a.dcm", CT, "1.2.3.1"),
        write_object(folder / "deep" / "deeper" / "b", MR, "1.2.3.2"),
        write_object(tmp_path / "c.dcm", CT, "1.2.3.3"),
    ]
    write_object(folder / ".hidden.dcm", CT, "1.2.3.9")
    with running_provider() as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, folder, paths[2])
    assert result.exit == 0, result.stderr
    assert [data for _, data in running.handler.stored] == [dataset_bytes(path) for path in paths]
    assert result.stdout.startswith("stored 3, failed 0")


def test_every_file_has_a_json_line_and_a_summary_comes_last(pacs, tmp_path, ct):
    (tmp_path / "notes.txt").write_text("not an image")
    with running_provider() as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, tmp_path, "--json")
    assert result.exit == 1
    by_path = {line["path"]: line for line in result.json if line["type"] == "file"}
    stored, failed = by_path[str(ct)], by_path[str(tmp_path / "notes.txt")]
    assert (stored["outcome"], stored["status"], stored["error"]) == ("stored", "0000", None)
    assert (stored["sop_class_uid"], stored["sop_instance_uid"]) == (CT, "1.2.3.1")
    assert (failed["outcome"], failed["status"]) == ("not sent", None)
    assert "not a DICOM file" in failed["error"]
    assert result.json[-1]["type"] == "summary"
    assert (result.json[-1]["stored"], result.json[-1]["failed"]) == (1, 1)


def test_warning_counts_as_stored_and_is_shown(pacs, ct):
    with running_provider(MemoryHandler(0xB000)) as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, ct)
    assert result.exit == 0
    assert "B000H" in result.stderr
    assert "1 with a warning" in result.stdout


def test_one_refused_context_does_not_stop_the_others(pacs, tmp_path, ct):
    mr = write_object(tmp_path / "mr.dcm", MR, "1.2.3.2")
    with running_provider(abstract_syntaxes=frozenset([CT])) as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, mr, ct)
    assert result.exit == 1
    assert f"cannot send {mr}" in result.stderr
    assert "abstract syntax not supported" in result.stderr
    assert len(running.handler.stored) == 1


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


def test_peer_that_goes_away_fails_what_is_left(pacs, tmp_path):
    paths = [write_object(tmp_path / f"{n}.dcm", CT, f"1.2.3.{n}") for n in range(1, 4)]

    class Leaving(MemoryHandler):
        def open_store(self, request):
            if request.affected_sop_instance_uid == "1.2.3.2":
                raise OSError("gone")
            return super().open_store(request)

    with running_provider(Leaving()) as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, *paths, "--json")
    assert result.exit == 1
    outcomes = [line["outcome"] for line in result.json if line["type"] == "file"]
    assert outcomes == ["stored", "not sent", "not sent"]
    assert result.stderr.count("\n") == 1


def test_loops_fifos_sockets_and_odd_names_are_survived(pacs, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    write_object(folder / "ok.dcm", CT, "1.2.3.1")
    shutil.copy(folder / "ok.dcm", os.fsencode(folder) + b"/\xff\xfe.dcm")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "socket"))
        with running_provider() as running:
            result = pacs("storescu", "127.0.0.1", running.listener.port, folder)
    assert result.exit == 1
    assert len(running.handler.stored) == 2
    assert result.stderr.count("not a regular file") == 2


def test_large_file_is_sent_whole(pacs, tmp_path):
    path = write_object(tmp_path / "big.dcm", CT, "1.2.3.1", pixels=bytes(9_000_000))
    with running_provider() as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, path)
    assert result.exit == 0
    assert running.handler.stored[0][1] == dataset_bytes(path)


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


def test_input_is_never_modified(pacs, ct):
    before = (ct.read_bytes(), ct.stat().st_mtime_ns)
    with running_provider() as running:
        pacs("storescu", "127.0.0.1", running.listener.port, ct)
    assert (ct.read_bytes(), ct.stat().st_mtime_ns) == before


def test_every_sample_with_a_sop_class_is_sent_byte_for_byte(pacs):
    """Compressed, big endian and deflated ones included, to a receiver that keeps all."""
    from pacs_cli.dicom.registry import transfer_syntaxes

    samples = storable()
    with running_provider(syntaxes=transfer_syntaxes()) as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, *samples)
    assert result.exit == 0, result.stderr
    sent = sorted(data for _, data in running.handler.stored)
    assert sent == sorted(dataset_bytes(sample) for sample in samples)
    used = {request.transfer_syntax_uid for request, _ in running.handler.stored}
    assert {"1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.90"} <= used
