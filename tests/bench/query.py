"""pacs storescp --qr beside the archives of the field, queried and moved from.

    python -m tests.bench.query [--rows WORD...] [--rounds 5] [--studies 500] [--storage DIR]

The archives are filled once; then A and B are asked in turns, after one round that is not counted.
Of archives the CPU is what they used while they were asked, twenty times in a row by DCMTK's
findscu or once by its movescu, to a DCMTK storescp that keeps nothing; the wall is the asker's,
whose start is in it. Printed is the ratio of medians, peer over ours: over 1 we are ahead, all with
TCP_NODELAY=1. dcmqrscp holds 500 studies at the most.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pacs_cli.dicom.part10 import file_meta
from tests.bench.measuring import (
    Cost,
    environment,
    in_turns,
    program,
    show,
    storage_of,
    timed,
)
from tests.bench.store import dcmqrscp, dcmtk_scu, orthanc, ours_durable
from tests.interop.peers import await_port, free_port, running
from tests.support import CT, EXPLICIT
from tests.writing import element

_TICKS = os.sysconf("SC_CLK_TCK")

#: Queries in a row: a tick of the CPU's clock is as long as one of ours.
_QUERIES = 20
_MOVED, _PIXELS = 300, 525_000
_MOVED_STUDY = "1.2.826.0.1.3680043.10.9"


@dataclass(frozen=True)
class Archive:
    """One that is running and filled."""

    port: int
    pid: int

    def used(self) -> float:
        """Return the CPU seconds of it and of those it started and waited for, or runs."""
        own = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return _cpu_of(self.pid) + sum(_cpu_of(int(pid)) for pid in own)


def _cpu_of(pid: int) -> float:
    # utime, stime, cutime and cstime, behind a name that may have blanks in it
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def write_studies(folder: Path, count: int) -> None:
    """Write so many studies: one of CTs to be moved, the others of one small object each."""
    for number in range(count - 1):
        study = f"1.2.826.0.1.3680043.10.8.{number}"
        _write(folder, study, f"{study}.1", f"P{number:05}", number, 64)
    for number in range(_MOVED):
        _write(folder, _MOVED_STUDY, f"{_MOVED_STUDY}.{number}", "MOVED", number, _PIXELS)


def _write(folder: Path, study: str, uid: str, patient: str, number: int, size: int) -> None:
    data = (
        element(0x00080016, "UI", CT),
        element(0x00080018, "UI", uid),
        element(0x00080020, "DA", f"2026{number % 12 + 1:02}{number % 28 + 1:02}"),
        element(0x00080030, "TM", "120000"),
        element(0x00080050, "SH", f"A{number}"),
        element(0x00080060, "CS", "CT"),
        element(0x00081030, "LO", "bench"),
        element(0x00100010, "PN", f"Bench^Mark{number}"),
        element(0x00100020, "LO", patient),
        element(0x0020000D, "UI", study),
        element(0x0020000E, "UI", f"{study}.2"),
        element(0x00200010, "SH", str(number)),
        element(0x00200011, "IS", "1"),
        element(0x00200013, "IS", str(number)),
        element(0x7FE00010, "OW", b"")[:-4] + size.to_bytes(4, "little") + bytes(size),
    )
    path = folder / f"{uid}.dcm"
    path.write_bytes(file_meta(CT, uid, EXPLICIT) + b"".join(data))


def ours(port: int, out: str, sink: int) -> list[str]:
    """Our archive as it comes."""
    move = ("--move-to", f"SINK@127.0.0.1:{sink}")
    return [*ours_durable(port, out), "--qr", *move]


@contextmanager
def filled(
    command: Callable[[int, str, int], Sequence[str]], storage: Path, data: Path, sink: int
) -> Iterator[Archive]:
    """Run an archive that holds the objects of `data`."""
    port = free_port()
    folder = storage / f"archive-{port}"
    folder.mkdir()
    with running(*command(port, str(folder), sink), env=environment(True)) as process:
        await_port(port, process)
        timed([dcmtk_scu(port, data)])
        yield Archive(port, process.pid)
    shutil.rmtree(folder)


def check(archive: Archive, studies: int) -> None:
    """End the benchmark unless an archive has all: some drop what is too much for them."""
    found, moved = (
        subprocess.run(command, capture_output=True, text=True, check=True)
        for command in (find_command(archive), [*move_command(archive), "-v"])
    )
    answers = (found.stdout + found.stderr).count("(Pending)")
    sent = (moved.stdout + moved.stderr).count("Move Response")
    # the last object may have a pending response of its own, or only the end
    if answers != studies or sent not in (_MOVED, _MOVED + 1):
        raise SystemExit(f"{answers} answers, {sent} moves instead of {studies} and {_MOVED}")


def find_command(archive: Archive) -> list[str]:
    """DCMTK's findscu for every study."""
    keys = ("StudyInstanceUID", "StudyDate", "PatientName", "ModalitiesInStudy")
    asked = [word for key in keys for word in ("-k", key)]
    level = ("-k", "QueryRetrieveLevel=STUDY")
    return [
        *(program("findscu"), "-S", *level, *asked),
        *("127.0.0.1", str(archive.port)),
    ]


def move_command(archive: Archive) -> list[str]:
    """DCMTK's movescu of the study of CTs."""
    level = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={_MOVED_STUDY}")
    return [
        *(program("movescu"), "-S", "-aem", "SINK", *level),
        *("127.0.0.1", str(archive.port)),
    ]


def served(archive: Archive, command: Sequence[str], times: int) -> Cost:
    """Ask so often in a row: the wall of one, and the CPU of the archive for one."""
    before, began = archive.used(), time.perf_counter()
    for _ in range(times):
        timed([command])
    wall = (time.perf_counter() - began) / times
    return Cost(wall, (archive.used() - before) / times)


def main() -> None:
    """Run the comparisons asked for and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--storage")
    options = parser.parse_args()
    with storage_of(options.storage, int(2e9)) as root, ExitStack() as stack:
        data = root / "data"
        data.mkdir()
        write_studies(data, options.studies)
        sink = free_port()
        receiver = stack.enter_context(
            running(program("storescp"), "--ignore", "--fork", str(sink), env=environment(True))
        )
        await_port(sink, receiver)
        archives = {
            name: stack.enter_context(filled(make, root, data, sink))
            for name, make in (("ours", ours), ("Orthanc", orthanc), ("dcmqrscp", dcmqrscp))
        }
        for archive in archives.values():
            check(archive, options.studies)
        print(f"{options.rounds} rounds, {options.studies} studies, in {root.parent}; peer / ours")

        def archives_row(title: str, peer: str, goal: str, times: int, make: Make) -> None:
            def cost_of(who: str) -> Cost:
                archive = archives["ours" if who == "ours" else peer]
                return served(archive, make(archive), times)

            show(f"{title}, {peer}", in_turns(options.rounds, cost_of), goal)

        rows: list[tuple[str, Callable[[str], None]]] = [
            ("C-FIND", lambda t: archives_row(t, "Orthanc", "cpu 5", _QUERIES, find_command)),
            ("C-FIND", lambda t: archives_row(t, "dcmqrscp", "cpu 8", _QUERIES, find_command)),
            ("C-MOVE, CT", lambda t: archives_row(t, "Orthanc", "1.3", 1, move_command)),
            ("C-MOVE, CT", lambda t: archives_row(t, "dcmqrscp", "1", 1, move_command)),
        ]
        for title, measure in rows:
            if not options.rows or any(word in title for word in options.rows):
                measure(title)


Make = Callable[[Archive], Sequence[str]]


if __name__ == "__main__":
    main()
