"""pacs storescu and storescp beside DCMTK's, on generated CTs.

    python -m tests.bench.store [--count 500] [--rounds 5] [--size 525000]

Peers come from the PATH. A and B take turns in every round; printed is the ratio of medians, peer
over ours: over 1 we are ahead. CPU is user plus system of the program itself, start-up included
for senders (from wait4) and the sending time alone for receivers (from /proc).
"Tuned" sets TCP_NODELAY=1 for both ends of DCMTK; "as installed" does not. Neither receiver
calls fsync: DCMTK has no such option, ours runs with --durability relaxed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pacs_cli.dicom.part10 import file_meta
from tests.interop.peers import PACS, await_port, free_port
from tests.peers import find
from tests.support import CT, EXPLICIT

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Seconds of one run."""

    wall: float
    cpu: float


def make_ct(folder: Path, count: int, size: int) -> None:
    """Write `count` CT objects of about `size` bytes: one study of ten series."""
    pixels = os.urandom(size // 2) * 2
    side = int((len(pixels) // 2) ** 0.5)
    for number in range(count):
        uid = f"1.2.826.0.1.3680043.10.1.{number + 1}"
        dataset = b"".join(
            _element(tag, vr, value)
            for tag, vr, value in (
                (0x00080016, b"UI", CT),
                (0x00080018, b"UI", uid),
                (0x00080020, b"DA", "20260102"),
                (0x00080060, b"CS", "CT"),
                (0x00100010, b"PN", "Bench^Mark"),
                (0x00100020, b"LO", "BENCH"),
                (0x0020000D, b"UI", "1.2.826.0.1.3680043.10.2"),
                (0x0020000E, b"UI", f"1.2.826.0.1.3680043.10.3.{number % 10 + 1}"),
                (0x00200013, b"IS", str(number + 1)),
            )
        )
        for tag, value in (
            (0x00280002, 1),
            (0x00280010, side),
            (0x00280011, side),
            (0x00280100, 16),
            (0x00280101, 16),
            (0x00280102, 15),
            (0x00280103, 0),
        ):
            dataset += _header(tag, b"US", 2) + value.to_bytes(2, "little")
        raw = pixels[: side * side * 2]
        dataset += _tag(0x7FE00010) + b"OW\0\0" + len(raw).to_bytes(4, "little") + raw
        (folder / f"{number:05}.dcm").write_bytes(file_meta(CT, uid, EXPLICIT) + dataset)


def _tag(tag: int) -> bytes:
    return (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")


def _header(tag: int, vr: bytes, size: int) -> bytes:
    return _tag(tag) + vr + size.to_bytes(2, "little")


def _element(tag: int, vr: bytes, text: str) -> bytes:
    value = text.encode()
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return _header(tag, vr, len(value)) + value


def environment(tuned: bool) -> dict[str, str]:
    """The environment of DCMTK's programs."""
    return {**os.environ, **({"TCP_NODELAY": "1"} if tuned else {})}


def timed(command: list[str], tuned: bool) -> Cost:
    """Run a program to its end; its own CPU, start-up included."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(tuned)
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:3]} ended with {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def cpu_of(pid: int) -> float:
    """User and system seconds a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def receiver(command: Callable[[int], list[str]], tuned: bool) -> Iterator[tuple[int, int]]:
    """Run a receiver; yield its port and process id."""
    port = free_port()
    with subprocess.Popen(
        command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(tuned)
    ) as process:
        try:
            await_port(port, process)
            yield port, process.pid
        finally:
            process.terminate()


def senders(port: int, data: Path) -> dict[str, list[str]]:
    """The two senders, towards one port."""
    target = ["127.0.0.1", str(port)]
    return {
        "ours": [*PACS, "storescu", *target, str(data), "-q"],
        "peer": [_program("storescu"), "+sd", *target, str(data)],
    }


def _program(name: str) -> str:
    return find(name) or sys.exit(f"{name} is not on the PATH; install dcmtk")


def compare_senders(data: Path, rounds: int, tuned: bool) -> dict[str, list[Cost]]:
    """Both senders to one DCMTK storescp --ignore."""
    costs: dict[str, list[Cost]] = {"ours": [], "peer": []}
    ignore = [_program("storescp"), "--ignore"]
    with receiver(lambda port: [*ignore, str(port)], tuned) as (port, _):
        for _ in range(rounds):
            for who, command in senders(port, data).items():
                costs[who].append(timed(command, tuned))
    return costs


def compare_receivers(data: Path, rounds: int) -> dict[str, list[Cost]]:
    """Both receivers fed by DCMTK's storescu, tuned; ours keeps its index, DCMTK has none."""
    costs: dict[str, list[Cost]] = {"ours": [], "peer": []}
    for _ in range(rounds):
        for who in costs:
            with tempfile.TemporaryDirectory(prefix="pacs-bench-") as folder:
                commands: dict[str, Callable[[int], list[str]]] = {
                    "ours": lambda port, out=folder: [
                        *(*PACS, "storescp", str(port), "--out", out),
                        *("--durability", "relaxed", "-q"),
                    ],
                    "peer": lambda port, out=folder: [_program("storescp"), "-od", out, str(port)],
                }
                with receiver(commands[who], tuned=True) as (port, pid):
                    before = cpu_of(pid)
                    wall = timed(senders(port, data)["peer"], tuned=True).wall
                    costs[who].append(Cost(wall, cpu_of(pid) - before))
    return costs


def show(title: str, costs: dict[str, list[Cost]]) -> None:
    """Print the medians and their ratios."""
    wall = {who: statistics.median(c.wall for c in runs) for who, runs in costs.items()}
    cpu = {who: statistics.median(c.cpu for c in runs) for who, runs in costs.items()}
    print(
        f"{title:52} wall {wall['peer']:6.2f} / {wall['ours']:5.2f} s = "
        f"{wall['peer'] / wall['ours']:5.2f}   cpu {cpu['peer']:5.2f} / {cpu['ours']:5.2f} s = "
        f"{cpu['peer'] / cpu['ours']:5.2f}",
        flush=True,
    )


def main() -> None:
    """Run all comparisons and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=525_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pacs-bench-") as folder:
        data = Path(folder)
        make_ct(data, options.count, options.size)
        print(f"{options.count} CTs of {options.size} bytes, {options.rounds} rounds; peer / ours")
        rounds = options.rounds
        show("storescu, to tuned storescp --ignore", compare_senders(data, rounds, True))
        show("storescp, files + index, from tuned storescu", compare_receivers(data, rounds))
        # as installed every message stalls some 45 ms, so one round of it is long enough
        show("storescu, to storescp --ignore as installed", compare_senders(data, 1, False))


if __name__ == "__main__":
    main()
