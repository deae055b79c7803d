"""Objects put into an archive as a provider does it, what it then holds, and calls that fail."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pacs_cli.archive.handler import ArchiveHandler, open_archive
from pacs_cli.services.results import AssociationInfo, StoreOutcome, StoreRequest
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
    return sink.finish()


def rows(root: Path) -> dict[str, str]:
    """SOP instance UID -> path as another process sees them: what is committed."""
    with closing(sqlite3.connect(f"file:{root}/index.db?mode=ro", uri=True)) as index:
        return dict(index.execute("SELECT sop_instance_uid, path FROM instance"))


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


def store_and_die(root: Path, number: int) -> None:
    """Store one object and leave a note when it is acknowledged; be killed before that call."""
    with open_archive(root) as archive:
        with before_call(number, lambda: os.kill(os.getpid(), signal.SIGKILL), "unlink"):
            assert store(archive.handler, dataset(CT, UID)).status == 0
            root.with_suffix(".acknowledged").touch()


def die_before_every_call(folder: Path) -> int:
    """Store in one process after the other until one lives; each has an archive of its own."""
    number = 0
    while True:
        if (child := os.fork()) == 0:
            try:
                store_and_die(folder / f"{number}", number)
                os._exit(0)
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != -signal.SIGKILL:
            return code
        number += 1


if __name__ == "__main__":
    sys.exit(die_before_every_call(Path(sys.argv[1])))
