"""What the benchmarks share: the cost of a program and all it started, two of them in turns."""

from __future__ import annotations

import ctypes
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.peers import await_port
from tests.peers import find

#: prctl(2): what a program leaves behind becomes ours, so that its time is counted too.
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Cost:
    """Seconds of one run, and the largest resident set of any of its processes in MB."""

    wall: float
    cpu: float
    rss: float = 0.0


def program(name: str) -> str:
    """Return the path of one of the field's programs; without it the benchmark ends."""
    return (
        find(name)
        or shutil.which(name, path="/usr/sbin")
        or sys.exit(f"{name} is not on the PATH; see .ci/run for the packages")
    )


def environment(tuned: bool) -> dict[str, str]:
    """The environment of all programs; "tuned" switches Nagle's algorithm off in DCMTK's.

    Python may keep what it compiles, as it does where a program is installed.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    compiled = {"PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "pacs-bench-compiled")}
    return {**compiled, **kept, **({"TCP_NODELAY": "1"} if tuned else {})}


def start(command: Sequence[str], tuned: bool = True) -> subprocess.Popen[bytes]:
    """Start a program without a voice."""
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(tuned)
    )


def timed(commands: Sequence[Sequence[str]], tuned: bool = True) -> Cost:
    """Run programs at the same time to their ends; their CPU, start-up included."""
    began = time.perf_counter()
    running = [start(command, tuned) for command in commands]
    cpu = 0.0
    for process in running:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu += usage.ru_utime + usage.ru_stime
    failed = [process.args for process in running if process.returncode]
    if failed:
        raise SystemExit(f"failed: {failed[0]}")
    return Cost(time.perf_counter() - began, cpu)


def served(
    command: Callable[[int, str], Sequence[str]],
    port: int,
    storage: Path,
    work: Callable[[int], Cost],
    tuned: bool = True,
) -> Cost:
    """Run a receiver with a folder of its own while `work` is done: its wall, the receiver's CPU.

    Start-up and end are in the CPU; `without` takes them out.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(dir=storage, prefix="pacs-bench-") as folder:
        process = start(command(port, folder), tuned)
        await_port(port, process)
        wall = work(port).wall
        process.terminate()
        cpu = rss = 0.0
        for usage in _reaped(process):
            cpu += usage.ru_utime + usage.ru_stime
            rss = max(rss, usage.ru_maxrss / 1024)
        return Cost(wall, cpu, rss)


def _reaped(process: subprocess.Popen[bytes]) -> Iterator[os.struct_rusage]:
    """Wait for a program and whatever it left behind."""
    while True:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
        yield usage


def in_turns(
    rounds: int, cost_of: Callable[[str], Cost], names: Sequence[str] = ("ours", "peer")
) -> dict[str, list[Cost]]:
    """Measure each as often as asked, in turns; a first round only warms up."""
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names if number % 2 else tuple(reversed(names)):
            cost = cost_of(name)
            if number:
                costs[name].append(cost)
    return costs


def median(costs: Sequence[Cost]) -> Cost:
    """Return the medians, each of its own."""
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.cpu for cost in costs),
        statistics.median(cost.rss for cost in costs),
    )


def without(costs: Mapping[str, list[Cost]], idle: Mapping[str, Cost]) -> dict[str, list[Cost]]:
    """Return the costs without the CPU of starting and ending."""
    return {
        name: [Cost(cost.wall, cost.cpu - idle[name].cpu, cost.rss) for cost in runs]
        for name, runs in costs.items()
    }


def show(title: str, costs: Mapping[str, list[Cost]], goal: str) -> None:
    """Print the medians and their ratios, peer over ours: over 1 we are ahead."""
    ours, peer = median(costs["ours"]), median(costs["peer"])
    print(
        f"{title:50} wall {peer.wall:6.2f} / {ours.wall:5.2f} s = {peer.wall / ours.wall:6.2f}"
        f"   cpu {peer.cpu:6.2f} / {ours.cpu:5.2f} s = {peer.cpu / ours.cpu:6.2f}   goal {goal}"
        + (f"   rss {ours.rss:.0f} MB" if ours.rss else ""),
        flush=True,
    )


@contextmanager
def storage_of(wanted: str | None, need: int) -> Iterator[Path]:
    """Give the folder under which everything is kept.

    In memory where there is room: on disk the receivers are as fast as the file system lets them,
    and ext4 looks for a new inode for 200 us as long as others were removed within five seconds.
    """
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > need
    base = Path(wanted) if wanted else memory if has_room else Path(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(dir=base, prefix="pacs-bench-") as folder:
        yield Path(folder)
