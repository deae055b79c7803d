"""Codestreams of strangers: a bad one costs its file, in time, memory and output nothing else."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy
import pytest

from pacs_cli.errors import Exit, InputError, MalformedDataset
from pacs_cli.pixels import workers
from pacs_cli.pixels.files import Done, Task
from pacs_cli.pixels.workers import Workers
from tests.pixels.images import UID, convert, encoded, image, noise, samples, wrapped, write

imagecodecs = pytest.importorskip("imagecodecs")

GREY = noise((1, 64, 64), 12)
BYTES = noise((1, 64, 64), 8)
SYNTAXES = [
    "rle",
    "jpeg",
    "jpeg-lossless",
    "jpegls",
    "j2k",
    "htj2k",
    "jpegxl",
    "deflated-frame",
]


def codestream(name: str) -> tuple[bytes, numpy.ndarray, int]:
    from pydicom.encaps import generate_fragments

    from tests.pixels.images import read

    pixels, bits = (BYTES, 8) if name == "jpeg" else (GREY, 12)
    data = convert(encoded(image(pixels, bits)), "explicit", name)
    return list(generate_fragments(read(data, name).PixelData))[1], pixels, bits


def damaged(kind: str, stream: bytes) -> bytes:
    half = len(stream) // 2
    cut = {
        "half": stream[:half],
        "head": stream[:20],
        "zeroed": bytes(len(stream)),
        "short": stream[:-6],
        "emptied": stream[:half] + bytes(len(stream) - half),
    }[kind]
    return cut + b"\0" * (len(cut) % 2)


@pytest.mark.parametrize("name", SYNTAXES)
@pytest.mark.parametrize("kind", ["half", "head", "zeroed", "short", "emptied"])
def test_damaged_codestream_is_an_error_of_the_input(name, kind):
    stream, pixels, bits = codestream(name)
    data = wrapped(image(pixels, bits), [damaged(kind, stream)])
    with pytest.raises((InputError, MalformedDataset)):
        samples(data, name)


@pytest.mark.parametrize("name", ["jpeg", "jpeg-lossless", "jpegls", "j2k", "htj2k", "jpegxl"])
def test_bomb_is_refused_by_its_header(name):
    """A codestream of 30000 x 30000 where the data set says 64 x 64 is never decoded."""
    stream, pixels, bits = codestream(name)
    size = 30000
    header = bytearray(stream)
    if name in ("j2k", "htj2k"):
        header[8:16] = size.to_bytes(4, "big") * 2
    elif name == "jpegxl":
        # SizeHeader: not small, both of 18 bits
        field = 0 | 2 << 1 | (size - 1) << 3 | 0 << 21 | 2 << 24 | (size - 1) << 26
        header[2:8] = field.to_bytes(6, "little")
    else:
        marker = {"jpeg": b"\xff\xc0", "jpeg-lossless": b"\xff\xc3", "jpegls": b"\xff\xf7"}[name]
        start = stream.index(marker) + 5
        header[start : start + 4] = size.to_bytes(2, "big") * 2
    with pytest.raises(InputError, match="30000 x 30000 in its codestream"):
        samples(wrapped(image(pixels, bits), [bytes(header)]), name)


def test_frame_of_too_many_pixels_is_refused_before_it_is_decoded():
    stream, pixels, bits = codestream("j2k")
    dataset = image(pixels, bits)
    with pytest.raises(InputError, match="--max-pixels"):
        convert(wrapped(dataset, [stream]), "j2k", "explicit", max_pixels=4095)
    assert convert(wrapped(dataset, [stream]), "j2k", "explicit", max_pixels=4096)


def test_any_byte_may_be_another():
    """Whatever becomes of a codestream, it is decoded or refused: nothing else is raised."""
    random = numpy.random.default_rng(11)
    outcomes = set()
    for name in ("rle", "deflated-frame", "jpegls", "j2k"):
        stream, pixels, bits = codestream(name)
        for _ in range(40):
            mutated = bytearray(stream)
            for _ in range(3):
                mutated[random.integers(len(mutated))] = random.integers(256)
            try:
                samples(wrapped(image(pixels, bits), [bytes(mutated)]), name)
                outcomes.add("decoded")
            except InputError:
                outcomes.add("refused")
    assert outcomes == {"decoded", "refused"}


# -- workers


def task(tmp_path: Path, name: str = "explicit") -> Task:
    path = write(tmp_path / "in.dcm", encoded(image(GREY, 12)), "explicit")
    return Task(str(path), str(tmp_path / "out.part"), UID["j2k"])


@pytest.fixture
def as_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is changed here only a copy of this process knows, and it is copied with one thread."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


def crash(given: Task, tick: object) -> Done:
    Path(given.part).write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGSEGV)
    return Done()


def hang(given: Task, tick: object) -> Done:
    Path(given.part).write_bytes(b"half")
    signal.pause()
    return Done()


def devour(given: Task, tick: object) -> Done:
    try:
        bytearray(1 << 40)
    except MemoryError:
        return Done(error="no memory")
    return Done()


@pytest.mark.usefixtures("as_copy")
def test_decoder_that_crashes_costs_its_file_only(tmp_path, monkeypatch):
    given = task(tmp_path)
    with Workers(1) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(workers, "transcode_file", crash)
            done = pool.one(given)
        assert done.error == "its decoder crashed, SIGSEGV"
        assert done.exit is Exit.BAD_INPUT
        assert not Path(given.part).exists()
        assert pool.one(given).error is None
    assert Path(given.part).stat().st_size > 1000


@pytest.mark.usefixtures("as_copy")
def test_decoder_that_hangs_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "transcode_file", hang)
    given = task(tmp_path)
    with Workers(2, patience=0.2) as pool:
        done = pool.one(given)
    assert "without progress" in (done.error or "")
    assert not Path(given.part).exists()


@pytest.mark.usefixtures("as_copy")
def test_memory_of_a_worker_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "transcode_file", devour)
    with Workers(1) as pool:
        assert pool.one(task(tmp_path)).error == "no memory"


@pytest.mark.usefixtures("as_copy")
@pytest.mark.parametrize("said", [b'{"exit": 0, "other": 1}', b"[]", b"{}", b"\x80\x04N."])
def test_worker_that_says_what_makes_no_sense_is_not_believed(said, tmp_path, monkeypatch):
    given = task(tmp_path)
    with Workers(1) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(workers, "_told", lambda done: said)
            assert (pool.one(given).error or "").startswith("its decoder crashed")
        assert pool.one(given).error is None


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd_open is Linux's")
def test_worker_does_not_outlast_who_started_it():
    """Killed without a chance to end anything, while a codec computes for ever."""
    program = (
        "from pacs_cli.pixels import workers\n"
        "from pacs_cli.pixels.files import Task\n"
        "def loop(task, tick):\n"
        "    import os; print(os.getpid(), flush=True)\n"
        "    while True: pass\n"
        "workers.PATIENCE, workers.transcode_file = 1, loop\n"
        "workers.Workers(1, 600).one(Task('a', 'b', 'c'))\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        descriptor = os.pidfd_open(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    # its second of the processor, on a machine that has others to serve
    assert poll.poll(60_000)
    os.close(descriptor)
