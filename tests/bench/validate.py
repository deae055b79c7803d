"""CT headers validated per second: `pacs validate` beside dciodvfy, both on one core.

    python -m tests.bench.validate [FILES] [ROUNDS]

The files are the CT that comes with pydicom, each with a UID and slice position of its own.
dciodvfy takes one file, so it is started for each. Ours also without starting Python.
"""

from __future__ import annotations

import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

from pacs_cli.pipelines.files import find_files
from pacs_cli.pipelines.validation.run import Validation
from tests.bench.measuring import Cost, in_turns, median, program, timed

#: dciodvfy takes milliseconds for each file.
_PEER_SHARE = 10


def make(folder: Path, count: int) -> None:
    """Write the files of a series."""
    image = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    uid = image.SOPInstanceUID
    for number in range(count):
        image.SOPInstanceUID = f"{uid}.{number + 1}"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.InstanceNumber = number + 1
        image.ImagePositionPatient = [-158.1, -179.0, number * 0.75]
        buffer = io.BytesIO()
        image.save_as(buffer)
        (folder / f"{number:06}.dcm").write_bytes(buffer.getvalue())


def engine(folder: Path) -> float:
    """Return the CPU seconds of validating all files in this process."""
    began = time.process_time()
    for _ in Validation().run(find_files([str(folder)])):
        pass
    return time.process_time() - began


def peer(files: list[Path]) -> Cost:
    """Return the cost of dciodvfy for some files, one after another."""
    verify = program("dciodvfy")
    costs = [timed([[verify, str(path)]]) for path in files]
    return Cost(sum(each.wall for each in costs), sum(each.cpu for each in costs))


def main(count: int, rounds: int) -> None:
    """Print headers per CPU second."""
    with tempfile.TemporaryDirectory(prefix="pacs-bench-") as name:
        folder = Path(name)
        make(folder, count)
        few = sorted(folder.iterdir())[: max(count // _PEER_SHARE, 1)]
        ours = [sys.executable, "-m", "pacs_cli", "validate", name, "--jobs", "1", "-q"]

        def cost_of(which: str) -> Cost:
            return timed([ours]) if which == "ours" else peer(few)

        costs = in_turns(rounds, cost_of)
        alone = statistics.median(engine(folder) for _ in range(rounds))
        rates = {
            "pacs validate, start-up counted": count / median(costs["ours"]).cpu,
            "pacs validate, the engine": count / alone,
            "dciodvfy, one start for each file": len(few) / median(costs["peer"]).cpu,
        }
        for what, rate in rates.items():
            print(f"{what:36} {rate:10,.0f} headers per CPU second")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 2000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 3,
    )
