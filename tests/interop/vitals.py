"""What a process holds: memory, descriptors and threads."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import NamedTuple


class Vitals(NamedTuple):
    """KiB that are resident, open descriptors, threads."""

    rss_kib: int
    descriptors: int
    threads: int

    def __str__(self) -> str:
        return f"{self.rss_kib / 1024:.1f} MiB, {self.descriptors} fds, {self.threads} threads"


def vitals(pid: int) -> Vitals:
    """Return what a process holds now."""
    status = Path(f"/proc/{pid}/status").read_text()
    numbers = dict(re.findall(r"^(VmRSS|Threads):\s*(\d+)", status, re.M))
    descriptors = len([*Path(f"/proc/{pid}/fd").iterdir()])
    return Vitals(int(numbers["VmRSS"]), descriptors, int(numbers["Threads"]))


def settled(pid: int, descriptors: int, seconds: float = 20.0) -> Vitals:
    """Return what it holds once it has no more descriptors than so many, or that time is over."""
    pause = threading.Event()
    for _ in range(int(seconds * 20)):
        now = vitals(pid)
        if now.descriptors <= descriptors:
            break
        pause.wait(0.05)
    return now
