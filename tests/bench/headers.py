"""Headers read per second of CPU: `pick` and `probe` against pydicom, interleaved.

    python -m tests.bench.headers [FILE] [ROUNDS]

Without a file, the CT that comes with pydicom. The index's tags are looked for; pydicom stops
before the pixels. "bytes" has the file in memory, "file" opens it each time.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file

from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import encoding_of
from pacs_cli.dicom.part10 import probe

#: What an archive's index wants of every object, from Specific Character Set to Columns.
INDEX_TAGS = frozenset(
    (
        *(0x00080005, 0x00080016, 0x00080018, 0x00080020, 0x00080030, 0x00080050, 0x00080060),
        *(0x00081030, 0x0008103E, 0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x0020000D),
        *(0x0020000E, 0x00200010, 0x00200011, 0x00200013, 0x00280008, 0x00280010, 0x00280011),
    )
)


def rate(work: Callable[[], object], seconds: float = 0.25) -> float:
    """Return how often `work` is done per second of this process's CPU."""
    done, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for _ in range(20):
            work()
        done += 20
    return done / spent


def main(path: str, rounds: int) -> None:
    """Print the medians and their ratios to pydicom's."""
    header = probe(path)
    whole = Path(path).read_bytes()
    head = memoryview(whole)[header.dataset_offset : header.dataset_offset + 16384]
    encoding = encoding_of(header.transfer_syntax_uid)
    work: dict[str, Callable[[], object]] = {
        "pydicom, bytes": lambda: pydicom.dcmread(io.BytesIO(whole), stop_before_pixels=True),
        "pick, bytes": lambda: pick(head, encoding, INDEX_TAGS, complete=False),
        "pydicom, file": lambda: pydicom.dcmread(path, stop_before_pixels=True),
        "probe, file": lambda: probe(path),
    }
    rates: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, function in work.items():
            rates[name].append(rate(function))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, median in medians.items():
        peer = medians["pydicom, " + name.split(", ")[1]]
        print(f"{name:16} {median:10,.0f} headers per CPU second, {median / peer:6.1f} x pydicom")


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else str(get_testdata_file("CT_small.dcm"))
    main(given, int(sys.argv[2]) if len(sys.argv) > 2 else 5)
