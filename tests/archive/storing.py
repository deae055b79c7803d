"""Objects put into an archive as a provider does it, what it then holds, and calls that fail."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pacs_cli.archive.handler import ArchiveHandler, ArchiveSettings, Duplicates, open_archive
from pacs_cli.services.serving import AssociationInfo, StoreOutcome, StoreRequest
from tests.support import CT, EXPLICIT
from tests.writing import dataset

UID = "1.2.3.1"
INFO = AssociationInfo(1, "127.0.0.1", "SENDER", "ARCHIVE")

#: What the archive asks of the system on the way to success.
CALLS = ("open", "writev", "write", "fsync", "link", "mkdir")


def request(uid: str = UID, syntax: str = EXPLICIT, sop_class: str = CT) -> StoreRequest:
    return StoreRequest(INFO, 1, sop_class, uid, syntax)


def store(
    handler: ArchiveHandler, data: bytes, uid: str = UID, syntax: str = EXPLICIT, sop: str = CT
) -> StoreOutcome:
    sink = handler.open_store(request(uid, syntax, sop))
    sink.write([memoryview(data)[:100]])
    sink.write([memoryview(data)[100:]])
    outcome = sink.finish()
    # so that another process sees the row now
    handler.index.flush()
    return outcome


def rows(root: Path) -> dict[str, str]:
    """SOP instance UID -> path as another process sees them: what is committed."""
    with closing(sqlite3.connect(f"file:{root}/index.db?mode=ro", uri=True)) as index:
        return dict(index.execute("SELECT sop_instance_uid, path FROM instance"))


def await_rows(root: Path, *uids: str) -> None:
    """Return once another process sees these rows; they are committed a little later."""
    pause = threading.Event()
    for _ in range(1000):
        if set(uids) <= rows(root).keys():
            return
        pause.wait(0.01)
    raise AssertionError(f"not indexed: {set(uids) - rows(root).keys()}")


def files(root: Path) -> set[str]:
    """Every file that is not the index's, staged ones included."""
    found = (path for path in root.rglob("*") if path.is_file() or path.is_symlink())
    names = {path.relative_to(root).as_posix() for path in found}
    return {name for name in names if not name.startswith("index.db")} - {".staging/lock"}


def assert_holds(root: Path, *uids: str) -> None:
    """Exactly these objects, each with a file and a row, and nothing half done beside them."""
    held = rows(root)
    assert held.keys() == set(uids)
    assert files(root) == set(held.values())


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the index's write lock, as a backup or an administrator's shell does."""
    with closing(sqlite3.connect(root / "index.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def killed(folder: Path, before: str = "", duplicates: str = "reject", where: str = "") -> Path:
    """Run a process for every call of a store, killed before it; return the one that lived."""
    command = [sys.executable, "-m", "tests.archive.storing", folder, before, duplicates, where]
    subprocess.run(command, cwd=Path(__file__).parents[2], timeout=120, check=True)
    (survivor,) = (path for path in folder.iterdir() if path.suffix == ".acknowledged")
    return survivor.with_suffix("")


@contextmanager
def writes_fail() -> Iterator[None]:
    """Let every write to a file fail in this process, also those that are not Python's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def before_call(number: int, act: Callable[[], None], *more: str) -> Iterator[list[str]]:
    """Act before the call with that number, from 0; yields the names of the calls so far."""
    made: list[str] = []

    def watched(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*args: object, **options: object) -> object:
            made.append(name)
            if len(made) == number + 1:
                act()
            return real(*args, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in (*CALLS, *more):
            patch.setattr(os, name, watched(name))
        yield made


def at_once(number: int, work: Callable[[int, Callable[[], int]], Any]) -> list[Any]:
    """Run in so many threads and return what they gave back; the second argument waits for all."""
    barrier = threading.Barrier(number)
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda each: work(each, lambda: barrier.wait(10)), range(number)))


#: What is stored before, and what then, by a process that is killed.
FIRST = dataset(CT, UID, pixels=bytes(80))
SECOND = dataset(CT, UID)
ELSEWHERE = dataset(CT, UID, study="1.9")


def held_before(root: Path, before: str) -> None:
    """Have an archive hold nothing, an object, or what a power cut leaves of one."""
    with open_archive(root) as archive:
        if before:
            path = store(archive.handler, FIRST).path
    if before == "damaged":
        (root / path).write_bytes((root / path).read_bytes()[:-7])


def store_and_die(root: Path, number: int, duplicates: str, data: bytes) -> None:
    """Store one object and leave a note when it is acknowledged; be killed before that call."""
    with open_archive(root, settings=ArchiveSettings(duplicates=Duplicates(duplicates))) as archive:
        kill = partial(os.kill, os.getpid(), signal.SIGKILL)
        with before_call(number, kill, "unlink", "replace"):
            assert store(archive.handler, data).status == 0
            root.with_suffix(".acknowledged").touch()


def die_before_every_call(folder: Path, before: str, duplicates: str, where: str) -> int:
    """Store in one process after the other until one lives; each has an archive of its own."""
    number = 0
    while True:
        held_before(root := folder / f"{number}", before)
        if (child := os.fork()) == 0:
            try:
                store_and_die(root, number, duplicates, ELSEWHERE if where else SECOND)
                os._exit(0)
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != -signal.SIGKILL:
            return code
        number += 1


if __name__ == "__main__":
    sys.exit(die_before_every_call(Path(sys.argv[1]), *sys.argv[2:]))
