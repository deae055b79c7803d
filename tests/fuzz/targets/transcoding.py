"""A data set brought from one uncompressed encoding into another, and back to what it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pacs_cli.errors import InputError
from pacs_cli.pixels.transcoding import Options, transcode
from tests.dicom.datasets import BIG, DEFLATED, LITTLE, of_everything
from tests.pixels.images import UID, encoded, image, noise
from tests.support import EXPLICIT, IMPLICIT

NAMES = ("explicit", "implicit", "big", "deflated")
OPTIONS = Options(max_pixels=1 << 16, max_inflated=1 << 20)


def seeds() -> Iterator[bytes]:
    small = image(noise((1, 8, 8), 12), 12)
    yield b"\x01" + encoded(small, EXPLICIT)
    yield b"\x02" + encoded(small, EXPLICIT)
    yield b"\x04" + encoded(small, IMPLICIT)
    yield b"\x08" + encoded(image(noise((1, 8, 8, 3), 8), 8, "RGB"), UID["big"])
    yield b"\x01" + of_everything(LITTLE)
    yield b"\x08" + of_everything(BIG)
    yield b"\x0c" + of_everything(DEFLATED)


def check(data: bytes) -> None:
    if not data:
        return
    source, target = NAMES[data[0] // 4 % 4], NAMES[data[0] % 4]
    with suppress(InputError):
        once = _through(data[1:], source, target)
        # what we wrote twice, we read and write as we did
        for _ in range(2):
            before, once = once, _through(_through(once, target, source), source, target)
        assert once == before


def _through(data: bytes, source: str, target: str) -> bytes:
    done = transcode(memoryview(data), UID[source], UID[target], OPTIONS)
    return b"".join(bytes(each) for each in done.buffers)
