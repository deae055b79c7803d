"""pacs dump beside dcmdump and gdcmdump: one file, many, and one of 2 GB; pacs diff for itself.

    python -m tests.bench.dump [--rounds N] [--files N] [--storage DIR]

One file is a start-up. Many are CTs of 258 elements in one folder. Of the file of 2 GB, which the
disk does not hold, nobody should read the pixels. dcmdump is asked for what we show: names, private
ones too, and values cut; gdcmdump cuts none.
"""

from __future__ import annotations

import argparse
import shutil
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from pydicom.data import get_testdata_file

from pacs_cli.dicom.part10 import file_meta
from tests.bench.measuring import Cost, in_turns, program, show, storage_of, timed
from tests.support import CT, EXPLICIT
from tests.writing import dataset

PACS = (sys.executable, "-m", "pacs_cli")


def side_by_side(title: str, ours: Sequence[str], peer: Sequence[str], rounds: int) -> None:
    """Run both in turns and print their medians."""
    commands = {"ours": ours, "peer": peer}

    def cost_of(name: str) -> Cost:
        return timed([commands[name]])

    show(title, in_turns(rounds, cost_of), "-")


def alone(title: str, command: Sequence[str], rounds: int) -> None:
    """Run a command that no peer has, and print its median."""
    costs = in_turns(rounds, lambda _: timed([command]), ("ours",))["ours"]
    costs.sort(key=lambda cost: cost.wall)
    middle = costs[len(costs) // 2]
    print(f"{title:50} wall {middle.wall:6.2f} s   cpu {middle.cpu:6.2f} s", flush=True)


def huge(path: Path, patient: bytes = b"TEST-1") -> Path:
    """Write an image of 2 GB of which the disk holds a page."""
    start = dataset(CT, "1.2.3", b"")[:-12].replace(b"TEST-1", patient)
    with path.open("wb") as file:
        file.write(file_meta(CT, "1.2.3", EXPLICIT) + start)
        file.write(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 2**31))
        file.truncate(file.tell() + 2**31)
    return path


def measure(folder: Path, rounds: int, count: int) -> None:
    """Print every comparison."""
    sample = str(get_testdata_file("CT_small.dcm"))
    many = folder / "many"
    many.mkdir()
    paths = [many / f"{number:05}.dcm" for number in range(count)]
    for path in paths:
        shutil.copy(sample, path)
    names = [str(path) for path in paths]
    big, other = str(huge(folder / "big")), str(huge(folder / "other", b"TEST-2"))
    dcmdump, gdcmdump = program("dcmdump"), program("gdcmdump")
    dump = (*PACS, "dump")
    side_by_side("one CT, dcmdump", (*dump, sample), (dcmdump, "-M", sample), rounds)
    side_by_side("one CT, gdcmdump", (*dump, sample), (gdcmdump, sample), rounds)
    side_by_side(
        "one CT as JSON, dcm2json",
        (*dump, "--json", sample),
        (program("dcm2json"), "-fc", sample),
        rounds,
    )
    title = f"{count} CT"
    side_by_side(f"{title}, dcmdump", (*dump, str(many)), (dcmdump, "-M", *names), rounds)
    side_by_side(f"{title}, gdcmdump", (*dump, str(many)), (gdcmdump, "-r", str(many)), rounds)
    searched = ("+P", "PatientID", "+P", "Modality", "+P", "Rows")
    side_by_side(
        f"{title}, three keys of each, dcmdump +P",
        (*dump, "-k", "PatientID,Modality,Rows", str(many)),
        (dcmdump, "-M", *searched, *names),
        rounds,
    )
    side_by_side("one of 2 GB, dcmdump", (*dump, big), (dcmdump, "-M", big), rounds)
    side_by_side("one of 2 GB, dcmdump, loading it", (*dump, big), (dcmdump, "+M", big), 1)
    side_by_side("one of 2 GB, gdcmdump", (*dump, big), (gdcmdump, big), 1)
    alone("pacs diff, one CT with its copy", (*PACS, "diff", sample, names[0]), rounds)
    alone(
        "pacs diff, two of 2 GB that differ in one element",
        ("sh", "-c", '! "$@"', "sh", *PACS, "diff", big, other),
        1,
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--storage")
    options = parser.parse_args()
    with storage_of(options.storage, options.files * 60_000) as folder:
        measure(folder, options.rounds, options.files)


if __name__ == "__main__":
    main()
