"""pacs anonymize beside gdcmanon and a walk with pydicom.

    python -m tests.bench.anonymize [--rows WORD...] [--rounds 5] [--files 3000] [--many 10000]
                                    [--storage DIR]

The files are CTs of 525 KB (the one that comes with pydicom, 262 elements of which 170 are private,
made 512 by 512), each with a SOP instance UID of its own. Ours is the whole Basic Profile, with
what was written read back and searched; gdcmanon --dumb removes the name and empties the patient
ID; the walk with pydicom removes, empties and replaces by table E.1-1 in all sequences, and private
elements, and proves nothing. After one round that is not counted, A and B take turns; printed is
the ratio of medians, peer over ours, start-up included.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

from tests.bench.measuring import Cost, in_turns, median, program, show, storage_of, timed
from tests.interop.peers import PACS

WALK = """
import sys
from pathlib import Path
import pydicom
from pydicom.uid import generate_uid
from pacs_cli.pipelines.deid.profile import TABLE

def visit(dataset, element):
    row = TABLE.get(element.tag)
    if row is None:
        return
    if row.basic == "U":
        element.value = generate_uid(entropy_srcs=[str(element.value)])
    elif row.basic.startswith("X"):
        del dataset[element.tag]
    else:
        element.value = None if element.VR != "SQ" else []

source, target = map(Path, sys.argv[1:])
for path in sorted(source.iterdir()):
    dataset = pydicom.dcmread(path)
    dataset.remove_private_tags()
    dataset.walk(visit)
    dataset.save_as(target / path.name)
"""


def make_files(root: Path, count: int, side: int) -> Path:
    """Write CTs of `side` by `side` pixels, each with a SOP instance UID of its own."""
    root.mkdir()
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    size = side * side * 2
    dataset.Rows = dataset.Columns = side
    dataset.PixelData = (dataset.PixelData * (size // len(dataset.PixelData) + 1))[:size]
    for number in range(count):
        uid = f"1.2.826.0.1.3680043.10.2.{number + 10_000_000}"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.InstanceNumber = number + 1
        dataset.SliceLocation = f"{number * 1.25:.2f}"
        dataset.save_as(root / f"{number:05}.dcm")
    return root


def emptied(folder: Path) -> Path:
    """Return a folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def ours(files: Path, storage: Path, *options: str) -> Cost:
    """De-identify all files."""
    out = emptied(storage / "ours")
    return timed([[*PACS, "anonymize", str(files), str(out), "-q", *options]])


def gdcmanon(files: Path, storage: Path) -> Cost:
    """Remove the name and empty the patient ID of all files."""
    out = emptied(storage / "gdcm")
    edits = ("--dumb", "--remove", "10,10", "--empty", "10,20")
    command = [program("gdcmanon"), *edits, "-r", "-i", str(files), "-o", str(out)]
    return timed([command])


def pydicom_walk(files: Path, storage: Path) -> Cost:
    """Walk all files with pydicom."""
    out = emptied(storage / "walk")
    return timed([[sys.executable, "-c", WALK, str(files), str(out)]])


def compare(title: str, rounds: int, goal: str, *both: Callable[[], Cost]) -> None:
    """Print ours beside the peer's."""
    works = dict(zip(("ours", "peer"), both, strict=True))
    show(title, in_turns(rounds, lambda who: works[who]()), goal)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="*", help="only those of whose titles this is a part")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--many", type=int, default=10000)
    parser.add_argument("--storage")
    asked = parser.parse_args(arguments)

    def is_wanted(title: str) -> bool:
        return asked.rows is None or any(word in title for word in asked.rows)

    with storage_of(asked.storage, 2_000_000_000) as storage:
        files = make_files(storage / "files", asked.files, 512)
        rows: list[tuple[str, str, Callable[[], Cost], Callable[[], Cost]]] = [
            (
                "beside gdcmanon --dumb",
                ">= 1.2",
                lambda: ours(files, storage),
                lambda: gdcmanon(files, storage),
            ),
            (
                "beside a walk with pydicom",
                ">= 8 (cpu)",
                lambda: ours(files, storage),
                lambda: pydicom_walk(files, storage),
            ),
            (
                "-j 2 beside -j 1",
                ">= 1.6",
                lambda: ours(files, storage, "-j", "2"),
                lambda: ours(files, storage),
            ),
            (
                "proof beside --no-verify",
                "-",
                lambda: ours(files, storage),
                lambda: ours(files, storage, "--no-verify"),
            ),
        ]
        for title, goal, mine, peers in rows:
            if is_wanted(title):
                compare(title, asked.rounds, goal, mine, peers)
        if is_wanted("memory"):
            shutil.rmtree(files)
            many = make_files(storage / "many", asked.many, 64)
            few = storage / "few"
            few.mkdir()
            for path in sorted(many.iterdir())[:500]:
                shutil.copy(path, few)
            costs = [rss(folder, storage) for folder in (few, many)]
            print(f"memory of 500 and of {asked.many} files: {costs[0]:.0f} and {costs[1]:.0f} MB")


def rss(files: Path, storage: Path) -> float:
    """Return the largest resident set in MB."""
    import os
    import subprocess

    out = emptied(storage / "ours")
    command = [*PACS, "anonymize", str(files), str(out), "-q"]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024


__all__ = ["main", "median"]

if __name__ == "__main__":
    main()
