"""A job of send-batch, an SQLite file, as `status`, `report` and `resume` read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache

from pacs_cli.errors import InputError, OutputError
from pacs_cli.jobs.file import JobFile, open_job
from pacs_cli.jobs.states import Planned, State
from tests.fuzz.scratch import folder, written
from tests.support import CT, EXPLICIT


@cache
def job() -> bytes:
    """A job of two objects, planned."""
    path = folder() / "whole.job"
    with JobFile(path) as made:
        made.add_destination("ward", {"host": "127.0.0.1", "port": 104})
        made.put({"planned": True, "paths": ["/made/up"]})
        planned = [
            Planned(f"/made/up/{number}", f"1.2.3.{number}", "1.2.3", (CT, EXPLICIT), 300, 900)
            for number in (1, 2)
        ]
        made.add(planned, lambda path, size: "")
    return path.read_bytes()


def seeds() -> Iterator[bytes]:
    yield job()


def check(data: bytes) -> None:
    path = written(data, "job")
    with suppress(InputError, OutputError), open_job(path) as found:
        for destination, _, _ in found.destinations():
            found.page(destination, (0, 0), 10)
            found.kinds(destination)
        found.counts()
        list(found.objects())
        assert isinstance(found.is_planned, bool)
        str(found.wish)
        list(found.studies(1, State.SENT))
    for each in folder().glob("job-*"):
        each.unlink()
