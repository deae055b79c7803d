"""Every command that reads files, over files that were changed: exit codes, time and memory.

    python -m tests.fuzz.commands [--seconds 600] [--seed N]

No command may end with a traceback or exit 70, take longer than its bound, or make the process grow
without end. A round is made again from its seed.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from pacs_cli import cli
from pacs_cli.dicom.part10 import file_meta
from tests.fuzz.mutating import mutated
from tests.interop.vitals import vitals
from tests.pipelines.deid.objects import dataset
from tests.pixels.images import UID, convert, encoded, image, noise
from tests.pixels.test_hostile import SYNTAXES
from tests.samples import every_file
from tests.support import CT, EXPLICIT
from tests.validation.objects import KINDS, file
from tests.writing import element

#: Files of one round, and seconds that a command may take for all of them.
_FILES, _BOUND = 24, 120.0
#: What a bad file, or some bad files, end a command with.
_EXPECTED = {0, 1, 6}
#: MiB that the process may grow by after its first round.
_GROWTH_MIB = 150

_LARGEST = 20_000
_RULES = '[[rule]]\nmatch = { Rows = { regexp = "." } }\nblank = [[0, 0, 9, 9]]\n'

Arguments = list[str]


class Trouble(NamedTuple):
    """A command, the files it was given, and how it ended."""

    command: Arguments
    files: list[Path]
    reason: str

    def __str__(self) -> str:
        return f"pacs {' '.join(self.command)}: {self.reason}"


@cache
def originals() -> tuple[bytes, ...]:
    """Return valid files of every kind: ours, and pydicom's smaller ones."""
    made = [file(make()) for make in KINDS.values()]
    made += [path.read_bytes() for path in every_file() if path.stat().st_size < _LARGEST]
    for name in SYNTAXES:
        bits = 8 if name == "jpeg" else 12
        native = encoded(image(noise((2, 24, 24), bits), bits))
        made.append(file_meta(CT, "1.2.3", UID[name]) + convert(native, "explicit", name))
    burned = element(0x00280301, "CS", "YES")
    made.append(file_meta(CT, "1.2.3.1", EXPLICIT) + dataset(burned))
    return tuple(each for each in made if len(each) < _LARGEST)


def commands(folder: Path, out: Path) -> Iterator[Arguments]:
    """Yield what is run over a folder of changed files; `out` is for what they write."""
    files, other = str(folder), str(folder.parent / "whole")
    (rules := out / "rules.toml").write_text(_RULES)
    for form in ((), ("--json",), ("--keys", "PatientName,Rows", "--csv")):
        yield ["dump", files, *form]
    yield ["diff", files, other]
    yield ["diff", files, other, "--pixels", "--json"]
    yield ["validate", files, "--json"]
    yield ["validate", files]
    yield ["anonymize", files, str(out / "a"), "-j", "1"]
    blanked = ("--burned-in", "clean", "--pixel-rules", str(rules))
    yield ["anonymize", files, str(out / "b"), "-j", "1", *blanked, "--clean", "pixels"]
    yield ["transcode", files, str(out / "c"), "--to", "explicit", "-j", "1"]
    yield ["transcode", files, str(out / "d"), "--to", "j2k", "-j", "1"]
    yield ["index", "add", files, "--db", str(out / "index.db")]
    yield ["index", "dicomdir", files, "--copy-to", str(out / "disc")]
    yield ["storescu", "127.0.0.1", "1", files, "--dry-run", "--json"]
    yield ["storescu", "127.0.0.1", "1", files, "--dry-run", "--set", "PatientName=Made^Up"]


def run(arguments: Arguments) -> tuple[int, str, float]:
    """Run one command in this process; return exit code, what it said on stderr, seconds."""
    said, began = io.StringIO(), time.monotonic()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        code = cli.main(arguments)
    return code, said.getvalue(), time.monotonic() - began


def trouble(arguments: Arguments) -> str:
    """Return what is wrong with how a command ends, "" when nothing is."""
    code, said, seconds = run(arguments)
    if code not in _EXPECTED or "Traceback" in said:
        return f"exit {code}: {said[-2000:]}"
    return f"it took {seconds:.0f} s" if seconds > _BOUND else ""


def one_round(work: Path, seed: int) -> Iterator[Trouble]:
    """Change some files, run every command over them, and yield what is wrong."""
    random = Random(seed)
    folder, whole, out = work / "in", work / "whole", work / "out"
    for each in (folder, whole, out):
        shutil.rmtree(each, ignore_errors=True)
        each.mkdir(parents=True)
    for number in range(_FILES):
        original = random.choice(originals())
        most = random.choice((1, 3, 12))
        (whole / f"{number}.dcm").write_bytes(original)
        changed = mutated(original, random, originals(), most)
        (folder / f"{number}.dcm").write_bytes(changed)
    for arguments in commands(folder, out):
        if reason := trouble(arguments):
            yield Trouble(arguments, sorted(folder.iterdir()), reason)


def fuzz(
    work: Path, seconds: float, seed: int, tell: Callable[[str], None] = print
) -> tuple[Counter[str], list[Trouble]]:
    """Run rounds for so long; return the counts, and what was wrong."""
    counts: Counter[str] = Counter()
    troubles: list[Trouble] = []
    ends, first = time.monotonic() + seconds, 0
    while not counts or time.monotonic() < ends:
        for each in one_round(work, seed + counts["rounds"]):
            troubles.append(each)
            tell(f"seed {seed + counts['rounds']}: {each}")
        counts["rounds"] += 1
        counts["files"] += _FILES
        now = vitals(os.getpid()).rss_kib
        first = first or now
        counts["growth, KiB"] = now - first
        if now - first > _GROWTH_MIB * 1024:
            troubles.append(Trouble([], [], f"it has grown by {(now - first) // 1024} MiB"))
            break
    return counts, troubles


def main() -> int:
    """Fuzz, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    os.nice(19)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder
        counts, troubles = fuzz(Path(folder), asked.seconds, asked.seed)
    print(f"seed {asked.seed}: {dict(counts)}, {len(troubles)} troubles")
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
