"""Files of the archive: named in one place, staged, put in place without overwriting."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_cli.archive import blobs as module
from pacs_cli.archive.blobs import Blobs, Durability, place
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import MalformedDataset, OutputError
from tests.archive.storing import files
from tests.support import CT, EXPLICIT, IMPLICIT
from tests.writing import dataset

PATH = "1.2/1.3/1.4.dcm"
META = file_meta(CT, "1.4", EXPLICIT)


@pytest.fixture
def blobs(tmp_path):
    opened = Blobs(tmp_path)
    yield opened
    opened.close()


def put(blobs, relative, *buffers):
    staging = blobs.stage()
    try:
        staging.write(buffers)
        return staging.place_at(relative)
    finally:
        staging.discard()


@pytest.mark.parametrize(
    "uid",
    [
        *("..", ".", "/", "1/2", "\\", "/etc", "1\0", "1.2\n", " 1", "1 ", "", "1" * 65, "1.2.a"),
        *("-1", "1,2", "١.٢", "１", "²", ".1", "~", "1.2.dcm", "%2e", "1..\u2215"),
    ],
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_is_no_uid_gets_no_path(uid, position):
    uids = ["1.2", "1.3", "1.4"]
    uids[position] = uid
    name = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")[position]
    with pytest.raises(MalformedDataset, match=f"(missing|invalid) {name}"):
        place(*uids)


def test_longest_uid_has_a_path():
    uid = "1." + "2" * 62
    assert place(uid, uid, uid) == f"{uid}/{uid}/{uid}.dcm"


@settings(max_examples=500, derandomize=True, deadline=None)
@given(*[st.text(st.sampled_from("019./\\\0\n١²~ -"), max_size=70) | st.text()] * 3)
def test_no_text_leads_out_of_the_archive(study, series, instance):
    try:
        relative = place(study, series, instance)
    except MalformedDataset:
        return
    parts = os.path.normpath(f"/archive/{relative}").split("/")
    assert parts == ["", "archive", study, series, f"{instance}.dcm"]
    assert relative.isascii()


def test_staging_never_takes_a_file_that_is_there(blobs, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / ".staging/1.part").symlink_to(victim)
    (tmp_path / ".staging/2.part").write_bytes(b"held")
    for _ in range(2):
        with pytest.raises(FileExistsError):
            blobs.stage()
    assert victim.read_bytes() == b"precious"
    assert (tmp_path / ".staging/2.part").read_bytes() == b"held"
    blobs.stage().discard()


@pytest.mark.parametrize("sizes", [[5] * 3000, [0] * 1025, [1] * 1024, [1] * 1025, [], [0, 7, 0]])
def test_any_number_of_buffers_is_written(blobs, sizes):
    buffers = [os.urandom(size) for size in sizes]
    staging = blobs.stage()
    staging.write(list(map(memoryview, buffers)))
    whole = b"".join(buffers)
    assert os.pread(staging.descriptor, len(whole) + 1, 0) == whole
    assert staging.size == len(whole)
    staging.discard()


def test_short_writes_are_continued(blobs, monkeypatch):
    """A real short write needs a full disk or a signal; these write for real, but less."""
    write = os.write
    monkeypatch.setattr(os, "writev", lambda fd, group: write(fd, b"".join(group)[:1500]))
    monkeypatch.setattr(os, "write", lambda fd, rest: write(fd, rest[:700]))
    buffers = [bytes([number % 251]) * 3 for number in range(2000)]
    staging = blobs.stage()
    staging.write(buffers)
    assert os.pread(staging.descriptor, 10_000, 0) == b"".join(buffers)
    assert staging.size == 6000
    staging.discard()


def test_file_in_place_is_not_overwritten(blobs, tmp_path):
    assert put(blobs, PATH, b"first")
    assert not put(blobs, PATH, b"other")
    assert (tmp_path / PATH).read_bytes() == b"first"
    assert files(tmp_path) == {PATH}


def test_contents_are_durable_before_the_name_and_the_name_before_success(blobs, monkeypatch):
    """Names what is synchronised by its inode: a power cut cannot be had in a test."""
    done = []
    fsync, link = os.fsync, os.link
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(os.fstat(fd).st_ino), fsync(fd)))
    monkeypatch.setattr(os, "link", lambda *names: (done.append("link"), link(*names)))
    assert put(blobs, PATH, b"x")
    assert put(blobs, PATH.replace("1.4", "1.5"), b"y")
    first, second = blobs.path(PATH), blobs.path(PATH.replace("1.4", "1.5"))
    named = {path.stat().st_ino: path for path in (first, second, *first.parents)}
    study, series, root = first.parents[1], first.parent, blobs.root
    assert [named.get(each, each) for each in done] == [
        *(first, study, root, "link", series),
        *(second, "link", series),
    ]


def test_relaxed_durability_waits_for_no_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda fd: pytest.fail("fsync"))
    relaxed = Blobs(tmp_path, Durability.RELAXED)
    assert put(relaxed, PATH, b"x")
    relaxed.remove(PATH)
    relaxed.close()


@pytest.mark.parametrize("gone", ["1.2/1.3", "1.2"])
def test_folder_that_was_removed_is_made_again(blobs, tmp_path, gone):
    assert put(blobs, PATH, b"x")
    (tmp_path / PATH).unlink()
    for folder in ("1.2/1.3", "1.2"):
        if folder.startswith(gone):
            (tmp_path / folder).rmdir()
    assert put(blobs, PATH, b"y")
    assert (tmp_path / PATH).read_bytes() == b"y"


def without_links(code):
    def link(*_):
        raise OSError(code, os.strerror(code))

    return link


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS])
def test_file_system_without_hard_links_is_served(blobs, tmp_path, monkeypatch, code):
    """`os.link` is made to fail: a FAT disk cannot be mounted in a test without being root."""
    monkeypatch.setattr(os, "link", without_links(code))
    assert put(blobs, PATH, b"first")
    assert not put(blobs, PATH, b"other")
    (tmp_path / PATH).unlink()
    (tmp_path / PATH).parent.rmdir()
    assert put(blobs, PATH, b"again")
    assert (tmp_path / PATH).read_bytes() == b"again"
    assert files(tmp_path) == {PATH}


def test_files_are_those_of_the_layout(blobs, tmp_path):
    put(blobs, PATH, b"x")
    put(blobs, "1.2/1.3/1.5.dcm", b"x")
    staging = blobs.stage()
    for name in ("index.db", "note.dcm", "1.2/note.dcm", "1.2/1.3/note.txt", "1.2/1.3/x.dcm"):
        (tmp_path / name).touch()
    assert set(blobs.files()) == {PATH, "1.2/1.3/1.5.dcm"}
    blobs.remove(PATH)
    blobs.remove(PATH)
    assert list(blobs.files()) == ["1.2/1.3/1.5.dcm"]
    staging.discard()


def test_only_what_is_certainly_gone_is_gone(blobs, tmp_path):
    put(blobs, PATH, b"x")
    (tmp_path / "1.9").symlink_to("1.9")
    assert blobs.is_gone("1.2/1.3/1.5.dcm")
    assert blobs.is_gone("1.7/1.3/1.5.dcm")
    assert blobs.is_gone(f"{PATH}/1.dcm")
    assert not blobs.is_gone(PATH)
    # a loop, as an unreachable share cannot be looked into
    assert not blobs.is_gone("1.9/1.3/1.5.dcm")


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 64, 100])
def test_bytes_are_compared_to_the_end(blobs, monkeypatch, size):
    monkeypatch.setattr(module, "_CHUNK", 32)
    data = dataset(CT, "1.4", pixels=bytes(size))
    put(blobs, PATH, META, data)
    longer_meta = file_meta(CT, "1.4", EXPLICIT, "SOMEONE ELSE")
    for other, is_equal in (
        (data, True),
        (data[:-1], False),
        (data + b"\0", False),
        (data[:-1] + b"\1", False),
        (b"\1" + data[1:], False),
    ):
        staging = blobs.stage()
        staging.write([longer_meta, other])
        assert staging.equals(PATH, len(longer_meta), EXPLICIT) is is_equal
        assert not staging.equals(PATH, len(longer_meta), IMPLICIT)
        staging.discard()


HOLD = """
import sys
from pathlib import Path
from pacs_cli.archive.blobs import Blobs
from pacs_cli.errors import OutputError
try:
    Blobs(Path(sys.argv[1]))
except OutputError as error:
    sys.exit(str(error))
print("held", flush=True)
sys.stdin.read()
"""


def holding(root):
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLD, root]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_folder_is_held_against_other_processes_until_its_holder_dies(tmp_path):
    with holding(tmp_path) as first:
        assert first.stdout.readline() == "held\n"
        with holding(tmp_path) as second:
            _, error = second.communicate(timeout=30)
        assert second.returncode == 1
        assert error.startswith(f"cannot use {tmp_path} as an archive: another pacs storescp holds")
        with pytest.raises(OutputError, match="another pacs storescp holds it"):
            Blobs(tmp_path)
        first.kill()
    Blobs(tmp_path).close()


@pytest.mark.parametrize(
    ("name", "reason"), [("file", "file exists|not a directory"), ("file/below", "not a directory")]
)
def test_folder_that_cannot_be_used_is_told(tmp_path, name, reason):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=f"cannot use .* as an archive: ({reason}); choose"):
        Blobs(tmp_path / name)


def test_folder_whose_staging_cannot_be_swept_is_told_and_let_go(tmp_path):
    stuck = tmp_path / ".staging/1.part"
    stuck.mkdir(parents=True)
    with pytest.raises(OutputError, match="cannot use"):
        Blobs(tmp_path)
    stuck.rmdir()
    Blobs(tmp_path).close()
