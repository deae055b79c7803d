"""Frames are coded as they are written: many of them need no more memory than a few."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy
import pytest

from pacs_cli.pixels.files import Task, transcode_file
from tests.pixels.images import UID, encoded, image, write

pytest.importorskip("imagecodecs")


def test_file_of_ten_thousand_frames_is_never_whole_in_memory(tmp_path: Path) -> None:
    random = numpy.random.default_rng(2)
    pixels = random.integers(0, 4096, (10_000, 32, 32)).astype("u2")
    source = write(tmp_path / "native.dcm", encoded(image(pixels, 12)), "explicit")
    there, back = tmp_path / "rle.dcm", tmp_path / "back.dcm"
    for path, part, name in ((source, there, "rle"), (there, back, "explicit")):
        tracemalloc.start()
        try:
            done = transcode_file(Task(str(path), str(part), UID[name], threads=2))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert done.error is None
        assert done.frames == 10_000
        # of 20 MB: a MiB is collected for each write, and 10,000 fragments have a place each
        assert peak < 9_000_000, (name, peak)
    assert back.read_bytes()[-pixels.nbytes :] == pixels.tobytes()
