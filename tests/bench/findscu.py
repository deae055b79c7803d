"""pacs findscu beside DCMTK's, on the archives of the field filled with generated images.

    python -m tests.bench.findscu [--rounds 7] [--answers 2000] [--storage DIR]

Both ask the same archive the same keys and write every answer to a stream that nobody reads: ours
as tab-separated lines and as JSON, DCMTK's as its dump. After a round that is not counted they take
turns; printed is the ratio of medians, peer over ours: over 1 we are ahead. CPU is user plus system
of the program, start-up included, with Python's modules compiled, as they are when it is installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from pacs_cli.dicom.dictionary import vr_at
from pacs_cli.dicom.part10 import file_meta
from tests.bench.measuring import Cost, in_turns, program, show, start, storage_of, timed
from tests.bench.store import dcmqrscp, orthanc
from tests.interop.peers import PACS, await_port, free_port
from tests.support import CT, EXPLICIT
from tests.writing import element

#: Title -> AE title, and its command for a port and a folder. Our own archive becomes a row of this
#: table; what answers cost an archive is `measuring.served` around the same `asking`.
ARCHIVES: dict[str, tuple[str, Callable[[int, str], Sequence[str]]]] = {
    "dcmqrscp": ("ANY-SCP", dcmqrscp),
    "Orthanc": ("ORTHANC", orthanc),
}

_STUDY = "1.2.826.0.1.3680043.10.9"


def write_images(folder: Path, count: int) -> None:
    """Write small objects, all of one series: of 600 studies dcmqrscp keeps some 50."""
    folder.mkdir()
    for number in range(1, count + 1):
        texts = {
            0x00080016: CT,
            0x00080018: f"{_STUDY}.1.{number}",
            0x00080020: "20260102",
            0x00080030: "120000",
            0x00080050: "A1",
            0x00080060: "CT",
            0x00100010: "Bench^Mark",
            0x00100020: "BENCH",
            0x0020000D: _STUDY,
            0x0020000E: f"{_STUDY}.1",
            0x00200010: "1",
            0x00200011: "1",
            0x00200013: str(number),
        }
        data = b"".join(element(tag, vr_at(tag), text) for tag, text in texts.items())
        meta = file_meta(CT, texts[0x00080018], EXPLICIT)
        (folder / f"{number:06}.dcm").write_bytes(meta + data)


@contextmanager
def filled(
    command: Callable[[int, str], Sequence[str]], title: str, objects: Path, storage: Path
) -> Iterator[int]:
    """Run an archive that has the objects; yields its port."""
    storage.mkdir()
    port = free_port()
    process = start(command(port, str(storage)))
    try:
        await_port(port, process)
        sender = [*PACS, "storescu", f"{title}@127.0.0.1:{port}", str(objects), "-q"]
        timed([sender])
        yield port
    finally:
        process.terminate()
        process.wait()


def asking(port: int, title: str, uid: str, *options: str) -> dict[str, list[str]]:
    """Return our command and DCMTK's for one image of the series, or with "" for all."""
    keys = (f"StudyInstanceUID={_STUDY}", f"SeriesInstanceUID={_STUDY}.1", f"SOPInstanceUID={uid}")
    typed = [word for key in (*keys, "SOPClassUID", "InstanceNumber") for word in ("-k", key)]
    ours = [*PACS, "findscu", f"{title}@127.0.0.1:{port}", *typed, "--no-defaults", *options]
    peer = [program("findscu"), "-S", "-aec", title, "-k", "QueryRetrieveLevel=IMAGE", *typed]
    return {"ours": ours, "peer": [*peer, "127.0.0.1", str(port)]}


def check(command: Sequence[str], expected: int) -> None:
    """End the benchmark unless there are so many answers: archives drop what they like."""
    done = subprocess.run([*command, "--json"], capture_output=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])["matches"]
    if found != expected:
        raise SystemExit(f"{found} answers instead of {expected}: {' '.join(command)}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--answers", type=int, default=2000)
    parser.add_argument("--storage")
    arguments = parser.parse_args()
    with storage_of(arguments.storage, arguments.answers * 65536) as root:
        objects = root / "objects"
        write_images(objects, arguments.answers)
        for name, (title, command) in ARCHIVES.items():
            with filled(command, title, objects, root / name) as port:
                measure(name, title, port, arguments.answers, arguments.rounds)


def measure(name: str, title: str, port: int, count: int, rounds: int) -> None:
    """Print a line for one answer and for all of them, in each form."""
    counts = {f"{_STUDY}.1.7": 1, "": count}
    for (uid, expected), options in product(counts.items(), ((), ("--json",))):
        check(asking(port, title, uid)["ours"], expected)
        commands = asking(port, title, uid, *options)

        def cost_of(who: str, commands: dict[str, list[str]] = commands) -> Cost:
            return timed([commands[who]])

        words = f"{expected} answer{'s' * (expected > 1)}, {'JSON' if options else 'text'}"
        show(f"findscu, {name}, {words}", in_turns(rounds, cost_of), "-")


if __name__ == "__main__":
    main()
