"""pacs send-batch beside storescu and dcmsend, and a job of a million rows.

    python -m tests.bench.batch [--objects 2000] [--rounds 5] [--rows 1000000] [--storage DIR]

The three senders take turns at one DCMTK `storescp --ignore --fork`, TCP_NODELAY=1 at both ends;
printed are medians of the wall and the CPU of the whole process, planning and start-up included.
The million rows are planned from made-up records, resumed (opened, recovered, a first page),
counted and settled one by one. Resident is the most of this process: `--objects 0` leaves the
senders out.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.states import Outcome, Planned, State
from pacs_cli.pipelines.job_plan import fill
from tests.bench.measuring import Cost, in_turns, median, program, start, timed
from tests.bench.store import make_data
from tests.interop.peers import PACS, await_port, free_port
from tests.support import CT, EXPLICIT

_SIZES = {"CT 525 KB": (525_000,), "small 10-30 KB": (10_000, 20_000, 30_000)}


def senders(storage: Path, objects: int, rounds: int) -> None:
    port = free_port()
    receiver = start([program("storescp"), "--ignore", "--fork", str(port)])
    await_port(port, receiver)
    try:
        for title, sizes in _SIZES.items():
            with tempfile.TemporaryDirectory(dir=storage) as name:
                data = make_data(Path(name), "ct", objects, sizes)
                for jobs in (1, 2):
                    _show_senders(
                        f"{title}, --jobs {jobs}", name, data.folders[0], port, jobs, rounds
                    )
    finally:
        receiver.terminate()
        receiver.wait()


def _show_senders(title: str, work: str, folder: Path, port: int, jobs: int, rounds: int) -> None:
    state = Path(work) / "bench.job"
    peer, at = "127.0.0.1", str(port)
    commands = {
        "send-batch": [
            *(*PACS, "send-batch", peer, at, str(folder), "--state", str(state)),
            *("--jobs", str(jobs)),
        ],
        "storescu": [*PACS, "storescu", peer, at, str(folder), "--jobs", str(jobs)],
        "dcmsend": [program("dcmsend"), "+sd", "+r", peer, at, str(folder)],
    }

    def cost_of(name: str) -> Cost:
        for path in Path(work).glob("bench.job*"):
            path.unlink()
        return timed([commands[name]])

    costs = in_turns(rounds, cost_of, tuple(commands))
    medians = {name: median(each) for name, each in costs.items()}
    for name, each in medians.items():
        print(f"{title:28} {name:12} wall {each.wall:.2f} s  cpu {each.cpu:.2f} s")
    batch = medians["send-batch"]
    for name in ("storescu", "dcmsend"):
        each = medians[name]
        wall, cpu = each.wall / batch.wall, each.cpu / batch.cpu
        print(f"{title:28} {name} / send-batch: wall {wall:.2f}, cpu {cpu:.2f}")


def rows(storage: Path, count: int) -> None:
    with tempfile.TemporaryDirectory(dir=storage) as name:
        path = Path(name) / "rows.job"
        _timed("plan", lambda: _plan(path, count))
        _timed("open, recover, first page", lambda: _resume(path))
        _timed("figures", lambda: _figures(path))
        _timed("send to a destination that is not there", lambda: _settle(path))
        print(f"{path.stat().st_size / count:.0f} bytes a row")


def _plan(path: Path, count: int) -> None:
    def planned() -> Iterator[Planned]:
        for number in range(count):
            yield Planned(
                f"/archive/{number // 100:06}/{number % 100:02}.dcm",
                f"1.2.826.0.1.3680043.10.9.{number * 7919 % 1_000_003}.{number}",
                f"1.2.826.0.1.3680043.10.8.{number // 100}",
                (CT, EXPLICIT),
                *(400, 525_000, 1),
            )

    with JobFile(path) as job:
        job.add_destination("there", {})
        fill(job, planned(), lambda _: None)


def _resume(path: Path) -> None:
    with JobFile(path) as job:
        job.hold()
        job.recover()
        assert len(job.page(1, (0, 0), 500)) == 500


def _figures(path: Path) -> None:
    with JobFile(path) as job:
        job.counts()


def _settle(path: Path) -> None:
    with JobFile(path) as job:
        after, answered = (0, 0), None
        while page := job.page(1, after, 500):
            after = page[-1].study, page[-1].row
            for queued in page:
                job.turn(answered, queued.row)
                answered = Outcome(queued.row, State.SENT, 1, "", 0)
        job.turn(answered, None)


def _timed(title: str, work: object) -> None:
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{title:42} {seconds:8.2f} s, resident at most {most:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--storage", type=Path, default=Path("/dev/shm"))
    arguments = parser.parse_args()
    if arguments.objects:
        senders(arguments.storage, arguments.objects, arguments.rounds)
    if arguments.rows:
        rows(arguments.storage, arguments.rows)


if __name__ == "__main__":
    main()
