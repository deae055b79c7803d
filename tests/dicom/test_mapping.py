"""Files that become shorter while they are mapped: zeros and a reason, never a killed process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import zlib

import pytest

from pacs_cli.dicom.mapping import CutOff, check_whole, kept_whole, mapped

SIZE = 10_000_000


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * SIZE)
    return path


def mapping_of(path, **options):
    with path.open("rb") as file:
        return mapped(file.fileno(), SIZE, **options)


@pytest.mark.parametrize("is_read_whole", [True, False])
@pytest.mark.parametrize("size", [0, 1, 4096, 5000, SIZE - 1])
def test_what_is_cut_off_reads_as_zeros_and_is_told(path, size, is_read_whole):
    view = mapping_of(path, is_read_whole=is_read_whole)
    check_whole(view)
    os.truncate(path, size)
    assert bytes(view) == b"x" * size + bytes(SIZE - size)
    with pytest.raises(CutOff, match="shorter"):
        check_whole(view[7:9])


def test_file_cut_off_again_and_another_one_are_both_survived(path, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"y" * SIZE)
    view, second = mapping_of(path), mapping_of(other)
    for size in (9_000_000, 20_000, 0):
        os.truncate(path, size)
        assert bytes(view) == b"x" * size + bytes(SIZE - size)
    assert bytes(second) == b"y" * SIZE
    check_whole(second)
    os.truncate(other, 1)
    assert bytes(second[1:]) == bytes(SIZE - 1)


def test_file_that_was_shorter_and_is_not_any_more_is_told(path):
    view = mapping_of(path)
    os.truncate(path, 0)
    assert view[SIZE - 1] == 0
    path.write_bytes(b"z" * SIZE)
    with pytest.raises(CutOff):
        check_whole(view)


def test_thread_without_the_interpreter_is_survived(path):
    view, length = mapping_of(path, is_read_whole=False), []
    os.truncate(path, 0)
    thread = threading.Thread(target=lambda: length.append(len(zlib.compress(view))))
    thread.start()
    thread.join()
    assert length == [len(zlib.compress(bytes(SIZE)))]


def test_cut_off_stands_for_what_was_found_wrong(path):
    view = mapping_of(path)
    with pytest.raises(ValueError, match="mine"), kept_whole(view):
        raise ValueError("mine")
    with pytest.raises(OSError, match="mine"), kept_whole(view):
        raise OSError("mine")
    os.truncate(path, 5)
    with pytest.raises(CutOff), kept_whole(view):
        raise OSError("mine")
    with pytest.raises(CutOff), kept_whole(view):
        pass


def test_signal_that_no_mapping_explains_still_ends_the_process(path):
    code = (
        "import os, signal, sys\n"
        "from pacs_cli.dicom.mapping import mapped\n"
        "file = open(sys.argv[1], 'rb')\n"
        "view = mapped(file.fileno(), 10)\n"
        "for _ in range(1000): os.kill(os.getpid(), signal.SIGBUS)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGBUS
