"""What one system has and another has not: without it commands do their work, or say why not."""

from __future__ import annotations

import errno
import multiprocessing.context
import os
import sys
from pathlib import Path

import pytest

from pacs_cli.archive import blobs, catalog
from pacs_cli.dicom import mapping
from pacs_cli.jobs import file as job_file
from pacs_cli.net import channel, listener
from pacs_cli.net.tls import TlsServer
from pacs_cli.pipelines.deid import output
from pacs_cli.pixels import bounds
from tests import samples
from tests.conftest import Pacs
from tests.pki import Pki
from tests.support import CT, MemoryHandler, running_provider
from tests.writing import write_object

IMAGE = next(path for path in samples.every_file() if path.name == "CT_small.dcm")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(3):
        write_object(folder / f"{number}.dcm", CT, f"1.2.3.{number}")
    return folder


@pytest.mark.parametrize("name", ["pread", "preadv", "writev", "O_NONBLOCK"])
def test_system_on_which_nothing_can_work_is_told_why(
    name: str, pacs: Pacs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(os, name)
    result = pacs("echoscu", "127.0.0.1", 1, "--json")
    assert result.exit == 2
    assert f"this system has no os.{name}; on Windows run it in WSL" in result.stderr
    assert result.json[-1]["error"] == "UsageError"


@pytest.mark.parametrize("command", ["index add", "validate", "transcode"])
def test_processors_are_counted_where_nobody_knows_which_may_be_used(
    command: str, pacs: Pacs, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(os, "sched_getaffinity")
    more = (tmp_path / "out", "--to", "deflated") if command == "transcode" else ()
    assert pacs(*command.split(), scans, *more).exit in (0, 1)


@pytest.mark.parametrize("command", ["index add", "validate", "anonymize", "transcode"])
def test_helpers_are_started_anew_where_there_is_no_fork(
    command: str, pacs: Pacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "fork")
    many = tmp_path / "many"
    many.mkdir()
    # so many that helpers are worth it
    for number in range(8 if command == "transcode" else 600):
        write_object(many / f"{number}.dcm", CT, f"1.2.3.{number}")
    rest = {
        "index add": ("--jobs", 2),
        "validate": ("--jobs", 2, "--fail-on", "never"),
        "anonymize": (tmp_path / "out", "-j", 2),
        "transcode": (tmp_path / "out", "--to", "deflated", "-j", 2),
    }[command]
    started = []
    start = multiprocessing.context.SpawnProcess.start
    monkeypatch.setattr(
        multiprocessing.context.SpawnProcess,
        "start",
        lambda process: (started.append(process), start(process))[1],
    )
    result = pacs(*command.split(), many, *rest, "-q")
    # what decodes is bounded by the system on Linux alone
    said = "does not bound the memory of a process" if command == "transcode" else ""
    assert result.exit == 0
    assert said in result.stderr
    assert result.stderr.count("\n") == bool(said)
    assert len(started) >= 1


def test_several_processes_are_refused_where_they_cannot_share(
    pacs: Pacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "platform", "darwin")
    result = pacs("storescp", 0, "--out", tmp_path / "archive", "--workers", 2)
    assert result.exit == 2
    assert "64-bit Linux alone; leave it out" in result.stderr


def test_objects_are_sent_without_quick_answers_and_mappings_that_are_filled(
    pacs: Pacs, scans: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(channel, "_TCP_QUICKACK", None)
    monkeypatch.setattr(mapping, "POPULATE", 0)
    handler = MemoryHandler()
    with running_provider(handler) as running:
        assert pacs("storescu", "127.0.0.1", running.listener.port, scans).exit == 0
    assert len(handler.stored) == 3


def test_tls_needs_no_files_in_memory(
    pacs: Pacs, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(os, "memfd_create")
    large = write_object(tmp_path / "large.dcm", CT, "1.2.3.9", bytes(range(256)) * 20_000)
    handler = MemoryHandler()
    with running_provider(handler, tls=TlsServer(pki.good.settings)) as running:
        port = running.listener.port
        assert pacs("storescu", "127.0.0.1", port, large, *pki.good.options).exit == 0
    ((_, data),) = handler.stored
    assert data == samples.dataset_bytes(large)


@pytest.mark.parametrize("is_there", [True, False])
def test_outputs_have_a_hidden_name_where_they_cannot_do_without(
    is_there: bool, pacs: Pacs, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if is_there:
        # the system has files without a name, but no /proc to give them one
        monkeypatch.setattr(output, "_HANDLES", tmp_path / "no-proc")
    else:
        monkeypatch.delattr(os, "O_TMPFILE")
    assert pacs("anonymize", scans, tmp_path / "out").exit == 0
    names = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(names) == 3
    assert not [name for name in names if name.startswith(".")]


def _no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_files_are_renamed_into_their_places_where_there_are_no_links(
    pacs: Pacs, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "link", _no_links)
    monkeypatch.setattr(output, "_HANDLES", tmp_path / "no-proc")
    for command in (("anonymize",), ("transcode", "--to", "deflated")):
        out = tmp_path / command[0]
        name, *more = command
        assert pacs(name, scans, out, *more).exit == 0
        files = sorted(path for path in out.rglob("*") if path.is_file())
        assert len(files) == 3
        before = [path.read_bytes() for path in files]
        # what is there stays
        assert pacs(name, scans, out, *more).exit != 0 or name == "anonymize"
        assert [path.read_bytes() for path in files] == before


def test_archives_indexes_and_jobs_do_without_locks(
    pacs: Pacs, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for module in (blobs, catalog, job_file):
        monkeypatch.setattr(module, "fcntl", None)
    assert pacs("index", "add", scans).exit == 0
    assert pacs("index", "rebuild", scans).exit == 0
    handler = MemoryHandler()
    with running_provider(handler) as running:
        target = ("127.0.0.1", running.listener.port)
        assert pacs("send-batch", *target, scans, "--state", tmp_path / "a.job").exit in (0, 1)
    assert len(handler.stored) == 3
    assert pacs("demo", IMAGE).exit == 0


def test_limits_of_a_process_are_optional(pacs: Pacs, scans: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    listener._allow_descriptors()
    bounds.bound_memory()
    with running_provider() as running:
        assert pacs("storescu", "127.0.0.1", running.listener.port, scans).exit == 0


def test_table_of_platforms_names_what_is_taken_away_here():
    text = (Path(__file__).parent.parent / "docs" / "platforms.md").read_text()
    for name in ("TCP_QUICKACK", "F_OFD_SETLKW", "sched_getaffinity", "O_TMPFILE", "memfd_create",
                 "MAP_POPULATE", "RLIMIT_AS", "RLIMIT_NOFILE", "flock", "hard links"):  # fmt: skip
        assert name in text
