"""Does pacs storescp --qr stay what it is, for how long and whatever peers do.

    python -m tests.bench.soak [--associations 10000] [--minutes 20] [--kill-server SECONDS]

First so many associations, most of them refused or broken, one after the other on eight threads:
memory, descriptors and threads of the archive are sampled. Then, for so many minutes, all at once:
objects are stored, looked for, moved to another archive; clients are killed in the middle, peers
misbehave, and by option the archive is killed and started again. In the end every object that was
acknowledged has to be there, byte by byte as it was sent, and in the index; and nothing else that
is not what was sent. Exits 1 when something is wrong.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from pydicom.dataset import Dataset

from pacs_cli.dicom.identifier import encode_identifier
from pacs_cli.dicom.keys import assemble, parse_key
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import PacsError
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.interop.peers import PACS, Archive, free_port, pacs_storescp
from tests.interop.visitors import ROOT, a_visit, object_of, study_of
from tests.interop.vitals import Vitals, settled, vitals
from tests.samples import dataset_bytes
from tests.support import CT, EXPLICIT
from tests.writing import SERIES

_STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
_THREADS = 8
#: Files of one sender that is killed.
_MANY = 60


def associations(port: int, pid: int, count: int, seed: int) -> tuple[Counter[str], list[Vitals]]:
    """Make so many associations; return what came of them, and samples of the archive."""
    outcomes: Counter[str] = Counter()
    # what the first of each kind brings with it, imports above all, is not growth
    _visit(port, range(400), seed, outcomes)
    samples = [settled(pid, 60)]
    each = max(count // 20, 1)
    for start in range(400, count, each):
        _visit(port, range(start, min(start + each, count)), seed, outcomes)
        samples.append(settled(pid, samples[0].descriptors))
        print(f"  {min(start + each, count):6} associations: {samples[-1]}", flush=True)
    return outcomes, samples


def _visit(port: int, numbers: range, seed: int, outcomes: Counter[str]) -> None:
    def one(number: int) -> str:
        random = Random(seed * 1_000_003 + number)
        visit = a_visit(random)
        try:
            return f"{visit.__name__}: {visit(port, random)}"
        except ConnectionError as error:
            return f"{visit.__name__}: {type(error).__name__}"

    with ThreadPoolExecutor(_THREADS) as pool:
        outcomes.update(pool.map(one, numbers))


class Load:
    """Everything at once against one archive, for a time.

    acknowledged  UIDs of what was answered with success
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.acknowledged: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.samples: list[Vitals] = []
        self.destination_port = free_port()
        self._port = free_port()
        self._lock = threading.Lock()
        self._seed = seed
        self._over = threading.Event()
        self._lives: list[Archive] = []
        self._is_up = threading.Event()

    @property
    def port(self) -> int:
        """Where the archive is; waits while it is started again."""
        assert self._is_up.wait(120)
        return self._port

    def run(self, minutes: float, kill_every: float) -> None:
        """Run all of it."""
        deeds: list[Callable[[Random], None]] = [
            *[self._store] * 3,
            *(self._find, self._echo_and_misbehave, self._move, self._kill_a_sender),
        ]
        with ExitStack() as stack:
            stack.enter_context(
                pacs_storescp(self.folder / "destination", port=self.destination_port)
            )
            threads = [
                threading.Thread(target=self._repeat, args=(deed, number))
                for number, deed in enumerate(deeds)
            ]
            life = stack.enter_context(self._life())
            ends = time.monotonic() + 60 * minutes
            for thread in threads:
                thread.start()
            try:
                while (now := time.monotonic()) < ends:
                    self._over.wait(min(kill_every or 30.0, ends - now))
                    self.samples.append(vitals(life.process.pid))
                    stored = len(self.acknowledged)
                    left = max(0, ends - time.monotonic()) / 60
                    print(
                        f"  {left:5.1f} min left, {stored:6} objects: {self.samples[-1]}",
                        flush=True,
                    )
                    if kill_every and time.monotonic() < ends:
                        self._is_up.clear()
                        os.kill(life.process.pid, signal.SIGKILL)
                        life.process.wait()
                        life = stack.enter_context(self._life())
                        self.counts["archive killed"] += 1
            finally:
                self._over.set()
                for thread in threads:
                    thread.join()
            self.samples.append(settled(life.process.pid, 60))
            if (code := life.stop()) != 0:
                self.failures.append(f"the archive ended with {code}")

    @contextmanager
    def _life(self) -> Iterator[Archive]:
        options = ("--qr", "--move-to", f"DEST@127.0.0.1:{self.destination_port}")
        with pacs_storescp(self.folder / "archive", *options, port=self._port) as archive:
            self._lives.append(archive)
            self._is_up.set()
            yield archive

    def _repeat(self, deed: Callable[[Random], None], number: int) -> None:
        random = Random(self._seed * 100 + number)
        while not self._over.is_set():
            try:
                deed(random)
            except (PacsError, OSError) as error:
                # an archive that is killed, or a peer that misbehaves at its limit
                self._count(f"{deed.__name__} ended: {type(error).__name__}")
            except Exception as error:
                self.failures.append(f"{deed.__name__}: {type(error).__name__}: {error}")
                raise

    def _count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.counts[what] += number

    def _session(self, sop_class: str) -> Session:
        timeouts = Timeouts(60, 60, 120, 60)
        target = Target("archive", "127.0.0.1", self.port, timeouts=timeouts)
        return Session(target, (Proposal(sop_class, (EXPLICIT,)),))

    def _store(self, random: Random) -> None:
        with self._session(CT) as session:
            for _ in range(random.randrange(1, 20)):
                uid = f"{ROOT}.1.{random.randrange(1 << 60)}"
                status = session.store(1, CT, uid, [object_of(uid)]).status
                if status == 0:
                    with self._lock:
                        self.acknowledged.add(uid)
                self._count(f"stored: {status:04X}")

    def _find(self, random: Random) -> None:
        with self._lock:
            uid = random.choice(sorted(self.acknowledged)) if self.acknowledged else ""
        study = study_of(uid or "1")
        keys = (
            *("QueryRetrieveLevel=IMAGE", f"StudyInstanceUID={study}"),
            *(f"SeriesInstanceUID={SERIES}", f"SOPInstanceUID={uid}"),
        )
        query = [parse_key(key) for key in keys]
        identifier = encode_identifier(assemble(query, Dataset()), EXPLICIT)
        with self._session(_STUDY_FIND) as session:
            answers = list(session.find(1, identifier))
        matches = sum(each.is_pending for each in answers)
        self._count("found")
        if uid and answers[-1].status == 0 and matches != 1:
            self.failures.append(f"{uid} was acknowledged, and is found {matches} times")

    def _echo_and_misbehave(self, random: Random) -> None:
        visit = a_visit(random)
        self._count(f"{visit.__name__}: {visit(self.port, random)}")

    def _move(self, random: Random) -> None:
        study = f"{ROOT}.0.{random.randrange(50)}"
        command = ("movescu", "127.0.0.1", str(self.port), "--dest", "DEST")
        done = _pacs(*command, "-k", f"StudyInstanceUID={study}")
        self._count(f"move: exit {done}")
        if done == 70:
            self.failures.append(f"movescu ended with {done}")
        self._over.wait(5)

    def _kill_a_sender(self, random: Random) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(_MANY):
                uid = f"{ROOT}.2.{random.randrange(1 << 60)}"
                content = file_meta(CT, uid, EXPLICIT) + object_of(uid)
                (Path(folder) / f"{number}.dcm").write_bytes(content)
            command = (*PACS, "storescu", "127.0.0.1", str(self.port), folder)
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with subprocess.Popen(command, **quiet) as sender:
                try:
                    code = sender.wait(random.uniform(0.3, 3))
                except subprocess.TimeoutExpired:
                    sender.kill()
                    code = sender.wait()
            self._count(f"sender: exit {code}")
        self._over.wait(2)


def _pacs(*arguments: str) -> int:
    command = (*PACS, *arguments)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run(command, check=False, timeout=600, **quiet).returncode


def audit(folder: Path, acknowledged: set[str]) -> list[str]:
    """Return what is wrong with an archive that has ended."""
    index = sqlite3.connect(f"file:{folder}/index.db?mode=ro", uri=True)
    indexed = {uid for (uid,) in index.execute("SELECT sop_instance_uid FROM instance")}
    index.close()
    staged = [path for path in (folder / ".staging").iterdir() if path.name != "lock"]
    held = {path.stem: path for path in folder.rglob("*.dcm") if ".staging" not in path.parts}
    return [
        *(f"{path} was left" for path in staged),
        *(f"{uid} was acknowledged and has no file" for uid in acknowledged - held.keys()),
        *(f"{uid} was acknowledged and is not in the index" for uid in acknowledged - indexed),
        *(f"{uid} is in one of files and index" for uid in held.keys() ^ indexed),
        *(f"{path} is not what was sent" for uid, path in held.items() if not _is_whole(uid, path)),
    ]


def _is_whole(uid: str, path: Path) -> bool:
    return dataset_bytes(path) == object_of(uid)


def growth(samples: list[Vitals]) -> str:
    """Return how memory and descriptors went, from the first sample to the last."""
    first, last = samples[0], samples[-1]
    most = max(each.rss_kib for each in samples) / 1024
    rise = (last.rss_kib - first.rss_kib) / 1024
    return (
        f"{first} at first, {last} at last; {rise:+.1f} MiB, at most {most:.1f} MiB, "
        f"{last.descriptors - first.descriptors:+} fds"
    )


def main() -> int:
    """Run both parts and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--associations", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--kill-server", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--storage", type=Path, help="folder to make the archives in")
    asked = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(dir=asked.storage) as name:
        folder = Path(name)
        if asked.associations:
            wrong += _first_part(folder / "first", asked.associations, asked.seed)
        if asked.minutes:
            (folder / "second").mkdir()
            load = Load(folder / "second", asked.seed)
            load.run(asked.minutes, asked.kill_server)
            for what, count in sorted(load.counts.items()):
                print(f"  {count:7} {what}")
            print(f"mixed load: {growth(load.samples)}")
            print(f"  {len(load.acknowledged)} objects acknowledged")
            wrong += load.failures + audit(load.folder / "archive", load.acknowledged)
    for each in wrong[:50]:
        print(f"WRONG: {each}")
    print(f"{len(wrong)} things are wrong")
    return 1 if wrong else 0


def _first_part(folder: Path, count: int, seed: int) -> list[str]:
    began = time.monotonic()
    with pacs_storescp(folder, "--qr") as archive:
        outcomes, samples = associations(archive.port, archive.process.pid, count, seed)
        code = archive.stop()
    for what, number in sorted(outcomes.items()):
        print(f"  {number:7} {what}")
    print(f"{count} associations in {time.monotonic() - began:.0f} s: {growth(samples)}")
    wrong = [what for what in outcomes if what.endswith("failed")] + audit(folder, set())
    # a MiB a thousand would be a leak; what the allocator keeps is less, and ends
    if samples[-1].rss_kib - samples[0].rss_kib > 8 * 1024 + count * 0.2:
        wrong.append("its memory has grown")
    if samples[-1].descriptors > samples[0].descriptors:
        wrong.append("its descriptors have grown")
    return wrong + ([f"it ended with {code}"] if code else [])


if __name__ == "__main__":
    sys.exit(main())
