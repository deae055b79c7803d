"""What --audit and --metrics cost a pacs storescp that receives small objects.

    python -m tests.bench.watching [--rounds 7] [--objects 2000] [--workers 1] [--storage DIR]

Each way of running it takes its turn in each round, after one that is not counted. A sender of ours
stores objects of 20 KB over one association; printed are the medians of the wall time and of the
receiver's CPU, all its processes and start-up left out, and their ratio to a receiver that nobody
watches. With --metrics it is scraped once a second, which Prometheus does every 15 s.
"""

from __future__ import annotations

import argparse
import http.client
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.bench.measuring import Cost, in_turns, median
from tests.interop.peers import Archive, pacs_storescp
from tests.support import CT, EXPLICIT
from tests.writing import dataset

#: Title -> options; @ is a folder.
WAYS = {
    "unwatched": (),
    "--audit FILE": ("--audit", "@/audit"),
    "--metrics": ("--metrics", "0"),
    "both": ("--audit", "@/audit", "--metrics", "0"),
}


def cpu(pid: int) -> float:
    """Seconds of a process and its children that run."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = 0
    for each in (str(pid), *children):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def scraped(archive: Archive) -> Iterator[None]:
    """Ask for the figures once a second, if there are any."""
    is_over = threading.Event()
    port = next((event["port"] for event in archive.kind("metrics")), None)

    def scrape() -> None:
        while not is_over.wait(1.0):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/metrics")
            connection.getresponse().read()
            connection.close()

    thread = threading.Thread(target=scrape)
    if port is not None:
        thread.start()
    yield
    is_over.set()
    if port is not None:
        thread.join()


def run(storage: Path, options: tuple[str, ...], objects: list[tuple[str, bytes]]) -> Cost:
    """Store the objects into a new archive."""
    with TemporaryDirectory(dir=storage) as name:
        typed = [each.replace("@", name) for each in options]
        relaxed = ("--durability", "relaxed")
        with pacs_storescp(Path(name) / "archive", *relaxed, *typed) as archive:
            target = Target("bench", "127.0.0.1", archive.port, timeouts=Timeouts(30, 30, 30))
            with Session(target, (Proposal(CT, (EXPLICIT,)),)) as session, scraped(archive):
                spent, began = cpu(archive.process.pid), time.perf_counter()
                for uid, data in objects:
                    assert session.store(1, CT, uid, [data]).status == 0
                wall = time.perf_counter() - began
                return Cost(wall, cpu(archive.process.pid) - spent)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--storage", type=Path, default=Path("/dev/shm"))
    asked = parser.parse_args()
    uids = [f"1.2.3.{number}" for number in range(asked.objects)]
    objects = [(uid, dataset(CT, uid, pixels=bytes(20_000))) for uid in uids]
    workers = ("--workers", str(asked.workers))

    def cost_of(title: str) -> Cost:
        return run(asked.storage, (*WAYS[title], *workers), objects)

    found = {
        title: median(costs) for title, costs in in_turns(asked.rounds, cost_of, [*WAYS]).items()
    }
    bare = found["unwatched"]
    for title, cost in found.items():
        print(
            f"{title:14} wall {cost.wall:6.3f} s, {cost.wall / bare.wall:.2f}; "
            f"CPU {cost.cpu:6.3f} s, {cost.cpu / bare.cpu:.2f}"
        )


if __name__ == "__main__":
    main()
