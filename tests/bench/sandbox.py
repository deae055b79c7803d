"""What it costs to run codecs in a process of their own.

    python -m tests.bench.sandbox [--rounds 7] [--frames 60]

The same work with and without the sandbox, in turns; printed are medians of the seconds of wall
and of the processor (its and ours), and how much the sandbox adds to a frame.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

from pacs_cli.dicom.elements import pick, walk
from pacs_cli.dicom.encoding import EXPLICIT_LITTLE, header_at
from pacs_cli.pipelines.deid import blanking
from pacs_cli.pipelines.deid.pixels import Box, PixelDecision
from pacs_cli.pixels.sandbox import Sandbox
from tests.pixels.images import UID, convert, encoded, image, noise

_DECISION = PixelDecision("clean", "", None, (Box(0, 0, 100, 20),))
_ECHO = "tests.pixels.hostile_work:echo"


def measured(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the median of wall and CPU seconds; what ended in a round is in it."""
    walls, processor = [], []
    for _ in range(rounds + 1):
        used, began = _used(), time.perf_counter()
        work()
        walls.append(time.perf_counter() - began)
        processor.append(_used() - used)
    return statistics.median(walls[1:]), statistics.median(processor[1:])


def _used() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    each = [resource.getrusage(kind) for kind in kinds]
    return sum(one.ru_utime + one.ru_stime for one in each)


def _start() -> None:
    with Sandbox() as sandbox:
        list(sandbox.run(_ECHO, b"x"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=60)
    asked = parser.parse_args()
    wall, cpu = measured(_start, asked.rounds)
    print(f"a process started and ended: {wall * 1000:.0f} ms, CPU {cpu * 1000:.0f} ms")
    frame = bytes(512 * 512 * 2)
    with Sandbox() as sandbox:
        wall, _ = measured(lambda: list(sandbox.run(_ECHO, frame)), 50 * asked.rounds)
    print(f"512 KiB there and back: {wall * 1e6:.0f} us")
    for name in ("rle", "jpegls", "j2k"):
        native = encoded(image(noise((asked.frames, 512, 512), 12), 12))
        data = convert(native, "explicit", name)
        offset = next(each.offset for each in walk(data, EXPLICIT_LITTLE) if each.tag == 0x7FE00010)
        values = pick(data, EXPLICIT_LITTLE, blanking.IMAGE_TAGS)
        view = memoryview(data)[offset:]
        vr = header_at(view, 0, True, True)[1]
        with Sandbox() as sandbox:

            def inside(view=view, name=name, values=values, sandbox=sandbox) -> None:
                arguments = (view, EXPLICIT_LITTLE, UID[name], values, _DECISION, sandbox)
                blanking.blank(*arguments)

            def here(view=view, vr=vr, name=name, values=values) -> None:
                list(blanking.encapsulated(view, vr, UID[name], values, _DECISION))

            pairs = [(measured(inside, 1), measured(here, 1)) for _ in range(asked.rounds)]
        ours, theirs = (statistics.median(pair[which][0] for pair in pairs) for which in (0, 1))
        added = (ours - theirs) / asked.frames
        print(
            f"{name}: {asked.frames} frames of 512 x 512 blanked in {ours:.2f} s, without the "
            f"sandbox {theirs:.2f} s: {added * 1e6:+.0f} us a frame, {ours / theirs - 1:+.1%}"
        )


if __name__ == "__main__":
    main()
