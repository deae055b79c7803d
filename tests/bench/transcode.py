"""`pacs transcode` against DCMTK's tools and gdcmconv: `python -m tests.bench.transcode`.

A batch of made-up CTs, start-up counted on both sides (theirs is a process for each file), and one
file of many frames, from which the time for one frame is taken off. CPU of all processes, ratios of
medians: peer over ours, over 1 we are ahead. Everything in /dev/shm.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy

from tests.bench.measuring import Cost, program, timed
from tests.pixels.images import convert, encoded, image, write

#: Syntax -> DCMTK's encoder and decoder, and gdcmconv's option; "" where there is none.
PEERS = {
    "rle": (("dcmcrle",), ("dcmdrle",), "--rle"),
    "jpeg-lossless": (("dcmcjpeg", "+e1"), ("dcmdjpeg",), "--jpeg"),
    "jpegls": (("dcmcjpls",), ("dcmdjpls",), "--jpegls"),
    "j2k": ((), (), "--j2k"),
    "jpeg": (("dcmcjpeg", "+eb"), ("dcmdjpeg",), ""),
}


def slices(count: int, bits: int, size: int = 512) -> numpy.ndarray:
    """Something like CT slices: smooth shapes, noise, and air around."""
    random = numpy.random.default_rng(3)
    y, x = numpy.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    frames = []
    for number in range(count):
        body = (x**2 + (y * 1.3) ** 2 < 0.7) * (1000 + 300 * numpy.sin(9 * x + number) * y)
        noise = random.normal(0, 12, (size, size)) * (body > 0)
        frames.append(numpy.clip(body + noise, 0, 4095))
    whole = numpy.stack(frames)
    return (whole / 16).astype("u1") if bits == 8 else whole.astype("u2")


def each_by_a_process(command: Sequence[str], files: Sequence[Path], out: Path) -> Cost:
    """What a loop of a shell over the files costs."""
    name, *options = command
    path = program(name)
    lines = [f"{path} {' '.join(options)} {each} {out / each.name}" for each in files]
    return timed([["sh", "-e", "-c", "\n".join(lines)]])


def ours(files: Sequence[Path], out: Path, name: str, jobs: int) -> Cost:
    """What one run of ours costs."""
    command = [sys.executable, "-m", "pacs_cli", "transcode", *map(str, files), str(out) + "/"]
    options = ["--overwrite", "-j", str(jobs), "-q", *VERIFY]
    return timed([[*command, "--to", name, *options]])


VERIFY: list[str] = []


def median(run: Callable[[], Cost], rounds: int) -> Cost:
    costs = [run() for _ in range(rounds)]
    walls, cpus = ([each.wall for each in costs], [each.cpu for each in costs])
    return Cost(statistics.median(walls), statistics.median(cpus))


def row(title: str, own: Cost, theirs: Cost) -> None:
    print(
        f"{title:42} ours {own.wall:6.2f} s, CPU {own.cpu:6.2f}; "
        f"peer/ours wall {theirs.wall / own.wall:5.2f} CPU {theirs.cpu / own.cpu:5.2f}",
        flush=True,
    )


def compare(folder: Path, arguments: argparse.Namespace) -> None:
    """Print a row for every syntax, direction and peer."""
    out = folder / "out"
    out.mkdir()
    for name, (encoder, decoder, gdcm) in PEERS.items():
        if arguments.only and name not in arguments.only:
            continue
        bits = 8 if name == "jpeg" else 12
        native, coded = files_of(folder / name, name, bits, arguments.files, arguments.frames)
        for title, sources, target, tool, option in (
            ("encode", native, name, encoder, gdcm),
            ("decode", coded, "explicit", decoder, "--raw" if gdcm else ""),
        ):
            own = partial(ours, out=out, name=target, jobs=1)
            peers = [tool] if tool else []
            for command in (*peers, *([("gdcmconv", option)] if option else [])):
                theirs = partial(each_by_a_process, command, out=out)
                against(f"{name} {title}, {command[0]}", sources, own, theirs, arguments.rounds)
        one, two = (
            median(partial(ours, native[0], out, name, jobs), arguments.rounds) for jobs in (1, 2)
        )
        print(f"{name} encode, two workers: {one.wall / two.wall:.2f} times the speed of one")


def against(
    title: str,
    sources: tuple[list[Path], Path, Path],
    own: Callable[[list[Path]], Cost],
    theirs: Callable[[list[Path]], Cost],
    rounds: int,
) -> None:
    """Print the rows of one peer: the batch, and frames net of start-up."""
    batch, one, many = sources
    row(f"{title}, batch", *(median(partial(run, batch), rounds) for run in (own, theirs)))
    net = []
    for run in (own, theirs):
        start, whole = (median(partial(run, [path]), rounds) for path in (one, many))
        net.append(less(whole, start))
    row(f"{title}, net per frame", *net)


def less(more: Cost, start: Cost) -> Cost:
    return Cost(max(more.wall - start.wall, 1e-3), max(more.cpu - start.cpu, 1e-3))


def files_of(
    folder: Path, name: str, bits: int, count: int, frames: int
) -> tuple[tuple[list[Path], Path, Path], tuple[list[Path], Path, Path]]:
    """Write the batch, a file of one frame and one of many, native and coded."""
    folder.mkdir()
    result = []
    pixels = slices(max(frames, 8), bits)
    for syntax in ("explicit", name):
        paths = []
        parts = [(f"{number}", pixels[number % 8][None]) for number in range(count)]
        for title, part in (*parts, ("one", pixels[:1]), ("many", pixels[:frames])):
            data = encoded(image(part, bits))
            if syntax != "explicit":
                data = convert(data, "explicit", syntax, is_verified=False)
            paths.append(write(folder / f"{title}-{syntax}.dcm", data, syntax))
        result.append((paths[:-2], paths[-2], paths[-1]))
    return result[0], result[1]


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(PEERS))
    parser.add_argument("--no-verify", action="store_true", help="encode without the proof")
    arguments = parser.parse_args()
    if arguments.no_verify:
        VERIFY.append("--no-verify")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        compare(Path(folder), arguments)


if __name__ == "__main__":
    main()
