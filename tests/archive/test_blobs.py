"""Files of the archive: named in one place, staged, put in place without overwriting."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from pacs_cli.archive import blobs as module
from pacs_cli.archive.blobs import Blobs, Durability, Room
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import OutputError
from tests.archive.storing import files
from tests.support import CT, EXPLICIT
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


def test_files_are_those_of_any_layout(blobs, tmp_path):
    paths = {PATH, "1.dcm", "a/1.dcm", "deep/er/est/1.v2.dcm", "é/1.dcm"}
    for path in paths:
        put(blobs, path, b"x")
    staging = blobs.stage()
    for name in ("index.db", "1.2/note.txt", "1.dcm.aside-1", ".1.dcm", "1.2/x.DCM"):
        (tmp_path / name).touch()
    (tmp_path / "folder.dcm").mkdir()
    os.mkfifo(tmp_path / "fifo.dcm")
    assert set(blobs.files()) == paths
    assert blobs.unreadable == []
    blobs.remove(PATH)
    blobs.remove(PATH)
    assert set(blobs.files()) == paths - {PATH}
    staging.discard()


def test_files_are_not_looked_for_behind_links(blobs, tmp_path):
    put(blobs, PATH, b"x")
    outside = tmp_path.with_name("outside")
    outside.mkdir()
    (outside / "1.dcm").touch()
    (tmp_path / "out").symlink_to(outside)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "1.dcm").symlink_to(outside / "1.dcm")
    assert list(blobs.files()) == [PATH]


def test_names_that_are_no_text_are_left_out(blobs, tmp_path):
    put(blobs, PATH, b"x")
    (tmp_path / os.fsdecode(b"\xff")).mkdir()
    (tmp_path / os.fsdecode(b"\xff/1.dcm")).touch()
    (tmp_path / os.fsdecode(b"\xe9.dcm")).touch()
    assert list(blobs.files()) == [PATH]


def test_folder_that_cannot_be_read_is_told_and_looked_at_again(blobs, tmp_path, monkeypatch):
    """`scandir` is made to fail: to root no permission is missing."""
    put(blobs, PATH, b"x")
    put(blobs, "a/1.dcm", b"x")
    scandir = os.scandir

    def broken(path):
        if path.endswith("/1.2/"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", broken)
        assert list(blobs.files()) == ["a/1.dcm"]
    assert blobs.unreadable == ["1.2/"]
    assert blobs.is_untidy


# -- another one's place -------------------------------------------------------------------------


def replace(blobs, data):
    staging = blobs.stage()
    try:
        staging.write([data])
        return staging.take_place_of(PATH)
    finally:
        staging.discard()


@pytest.mark.parametrize("has_links", [True, False])
def test_replaced_file_gets_its_place_again_or_goes(blobs, tmp_path, monkeypatch, has_links):
    put(blobs, PATH, b"first")
    if not has_links:
        monkeypatch.setattr(os, "link", without_links(errno.EPERM))
    replaced = replace(blobs, b"other")
    assert (tmp_path / PATH).read_bytes() == b"other"
    replaced.restore()
    assert (tmp_path / PATH).read_bytes() == b"first"
    replace(blobs, b"third").drop()
    assert (tmp_path / PATH).read_bytes() == b"third"
    assert files(tmp_path) == {PATH}


def test_contents_are_durable_before_they_take_a_place(blobs, tmp_path, monkeypatch):
    put(blobs, PATH, b"first")
    done = []
    fsync, replacing = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(os.fstat(fd).st_ino), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("name"), replacing(*names)))
    replace(blobs, b"other").drop()
    final = tmp_path / PATH
    assert done == [final.stat().st_ino, "name", final.parent.stat().st_ino]


@pytest.mark.parametrize("name", ["link", "replace", "fsync"])
def test_file_keeps_its_place_when_it_cannot_be_taken(blobs, tmp_path, monkeypatch, name):
    put(blobs, PATH, b"first")
    with monkeypatch.context() as patch:
        real = getattr(os, name)
        calls = iter([OSError(errno.EIO, "broken")])

        def once(*arguments):
            # the second fsync: the first is that of the new file
            if name == "fsync" and os.fstat(arguments[0]).st_size == len(b"other"):
                return real(*arguments)
            if error := next(calls, None):
                raise error
            return real(*arguments)

        patch.setattr(os, name, once)
        with pytest.raises(OSError, match="broken"):
            replace(blobs, b"other")
        assert next(calls, None) is None
    assert (tmp_path / PATH).read_bytes() == b"first"
    assert files(tmp_path) == {PATH}


def test_damaged_file_is_set_aside_under_a_name_of_its_own(blobs, tmp_path):
    put(blobs, PATH, b"x")
    assert [blobs.set_aside(PATH) for _ in range(2)] == [f"{PATH}.aside-1", f"{PATH}.aside-2"]
    assert list(blobs.files()) == [PATH]


# -- room ----------------------------------------------------------------------------------------


class Disk:
    """A disk that says how much is free, and a clock that stands still."""

    def __init__(self, free):
        self.free = free
        self.asked = 0
        self.now = 0.0

    def free_bytes(self):
        self.asked += 1
        return self.free

    def room(self, min_free):
        return Room(min_free, self.free_bytes, lambda: self.now)


MIB = 1024 * 1024


def test_room_is_asked_for_once_a_second_or_every_16_mib():
    disk = Disk(1000 * MIB)
    room = disk.room(10)
    for _ in range(16):
        room.take(MIB)
    assert disk.asked == 1
    room.take(1)
    assert disk.asked == 2
    disk.now = 0.9
    room.take(1)
    assert disk.asked == 2
    disk.now = 1.0
    room.take(1)
    assert disk.asked == 3


def test_room_ends_where_it_is_to_be_kept_and_is_found_again():
    disk = Disk(1100)
    room = disk.room(1000)
    room.take(60)
    # 40 are left of what was free; the disk itself was not written to
    for _ in range(2):
        disk.free = 1040
        with pytest.raises(OSError, match="space that is to be kept free") as caught:
            room.take(40)
        assert caught.value.errno == errno.ENOSPC
    room.take(39)
    disk.free = 5000
    room.take(40)


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
        assert staging.equals(PATH, len(META), len(longer_meta)) is is_equal
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
