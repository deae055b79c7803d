"""Runs the fuzz targets, each in a process of its own with bounds, and reports what came of it.

    python -m tests.fuzz.run --seconds 60 [--jobs N] [--into FOLDER] [--json] [TARGET...]

What crashes a target stays in FOLDER/crashes/TARGET, its corpus in FOLDER/corpus/TARGET, so that
the next run goes on where this one ended. Exits 1 when something was found.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fuzz.registry import NAMES

ROOT = Path(__file__).parents[2]

#: MiB of a process, and seconds of one input: what takes more is a bug.
MEMORY_MIB, INPUT_SECONDS = 2048, 20
#: No valid input of the targets is longer than twice this.
MAX_LENGTH = 8192

_STATUS = re.compile(r"#(\d+)\s+(\w+)\s+cov: (\d+) ft: (\d+).*?rss: (\d+)Mb")


@dataclass(frozen=True)
class Report:
    """What came of one target.

    executions, coverage  inputs, and edges of our modules that they reached
    rss_began, rss_ended  MiB once the seeds had run, and in the end
    """

    target: str
    seconds: float
    executions: int
    coverage: int
    rss_began: int
    rss_ended: int
    crashes: tuple[str, ...]


def fuzz(name: str, seconds: int, into: Path) -> Report:
    """Run one target for so long; it ends with the first thing that it finds."""
    corpus, crashes = into / "corpus" / name, into / "crashes" / name
    crashes.mkdir(parents=True, exist_ok=True)
    before = {*crashes.iterdir()}
    command = [
        *(sys.executable, "-W", "error", "-m", "tests.fuzz.drive", name, str(corpus)),
        *(f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH}", f"-timeout={INPUT_SECONDS}"),
        *(f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={crashes}/", "-print_final_stats=0"),
    ]
    log = into / f"{name}.log"
    began = time.monotonic()
    with log.open("wb") as told:
        # libFuzzer ends by itself; what hangs before that is killed
        subprocess.run(
            command, cwd=ROOT, stdout=told, stderr=told, check=False, timeout=2 * seconds + 300
        )
    found = sorted(str(path) for path in {*crashes.iterdir()} - before)
    return read_log(name, log.read_text(errors="replace"), time.monotonic() - began, found)


def read_log(name: str, text: str, seconds: float, crashes: list[str]) -> Report:
    """Return what libFuzzer told of a target; one that did not even start is a crash."""
    lines = [match.groups() for match in _STATUS.finditer(text)]
    begun = next((int(line[4]) for line in lines if line[1] == "INITED"), 0)
    if not lines or "Done " not in text:
        crashes = crashes or [text[-2000:]]
    last = lines[-1] if lines else ("0", "", "0", "0", "0")
    executions, coverage, rss = int(last[0]), int(last[2]), int(last[4])
    return Report(name, round(seconds, 1), executions, coverage, begun, rss, tuple(crashes))


def run(names: list[str], seconds: int, jobs: int, into: Path) -> Iterator[Report]:
    """Yield a report for each target."""
    into.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda name: fuzz(name, seconds, into), names)


def main() -> int:
    """Fuzz, print a line for each target, and say how much that was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--into", type=Path, default=Path(".fuzz"), help="corpus and crashes")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if unknown := {*asked.targets} - {*NAMES}:
        parser.error(f"no such target: {', '.join(unknown)}")
    os.nice(19)
    reports = []
    for report in run(asked.targets or list(NAMES), asked.seconds, asked.jobs, asked.into):
        reports.append(report)
        if asked.json:
            print(json.dumps(asdict(report)), flush=True)
        else:
            print(
                f"{report.target:15} {report.executions:9} inputs in {report.seconds:6.0f} s, "
                f"{report.coverage:5} edges, {report.rss_began:4} -> {report.rss_ended:4} MiB"
                + "".join(f"\n    FOUND {crash}" for crash in report.crashes),
                flush=True,
            )
    found = sum(bool(report.crashes) for report in reports)
    inputs, spent = sum(each.executions for each in reports), sum(each.seconds for each in reports)
    if not asked.json:
        print(
            f"{inputs} inputs in {spent:.0f} s, {found} of {len(reports)} targets found something"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
