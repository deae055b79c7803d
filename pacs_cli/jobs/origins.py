"""Objects of a job that another archive has: announced, fetched, or not to be had from it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pacs_cli.jobs.file import JobFile
from pacs_cli.jobs.reading import stored_path
from pacs_cli.jobs.states import Planned, State


class Announced(NamedTuple):
    """An object of which the source says that it has it.

    path           where it is to be when it is fetched
    sop_class_uid  "" when the source does not tell
    """

    path: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str


class Origins:
    """What a job is to fetch; raises OutputError from everything, as the job does."""

    def __init__(self, job: JobFile) -> None:
        self._job = job

    def announce(self, announced: Iterable[Announced]) -> None:
        """Add objects for every destination, in one transaction; those known stay as they are."""
        planned = [
            (
                each,
                Planned(
                    each.path,
                    each.sop_instance_uid,
                    each.study_instance_uid,
                    (each.sop_class_uid, ""),
                    state=State.ANNOUNCED,
                ),
            )
            for each in announced
        ]
        with self._job.transaction() as connection:
            for each, row in planned:
                self._job.insert(connection, row)
                connection.execute(
                    "INSERT OR IGNORE INTO origin SELECT id, ?, ?, ?, ? FROM object WHERE path = ?",
                    (*each[1:], stored_path(each.path)),
                )

    def next(self, count: int) -> list[Announced]:
        """Return what is to be fetched next, study by study."""
        destinations = len(self._job.destinations())
        rows = self._job.rows(
            "SELECT path, study_instance_uid, series_instance_uid, origin.sop_instance_uid,"
            " sop_class_uid FROM object JOIN origin ON origin.object = object.id"
            " WHERE state = 'announced' ORDER BY study, object.id LIMIT ?",
            (count * destinations,),
        )
        found = {path: Announced(os.fsdecode(path), *rest) for path, *rest in rows}
        return list(found.values())[:count]

    def fetched(self, planned: Iterable[Planned]) -> None:
        """Write down what has come, as what it is to be sent; or why it cannot be."""
        with self._job.transaction() as connection:
            for each in planned:
                if each.state is State.QUEUED:
                    self._queue(connection, each)
                else:
                    _fail(connection, each.path, each.failure, each.words)

    def missing(self, paths: Iterable[tuple[str, str]]) -> None:
        """Fail what the source did not deliver: path and reason of each."""
        with self._job.transaction() as connection:
            for path, words in paths:
                _fail(connection, path, "source", words)

    def announce_again(self, paths: Iterable[str]) -> None:
        """Have it fetched again what is queued and is not there."""
        with self._job.transaction() as connection:
            connection.executemany(
                "UPDATE object SET state = 'announced' WHERE path = ?"
                " AND state IN ('queued', 'sending')",
                [(stored_path(path),) for path in paths],
            )

    def queued(self) -> Iterator[str]:
        """Yield the path of everything that was fetched and is still to be sent."""
        rows = self._job.rows(
            "SELECT DISTINCT path FROM object JOIN origin ON origin.object = object.id"
            " WHERE state IN ('queued', 'sending')"
        )
        yield from (os.fsdecode(path) for (path,) in rows)

    def is_needed(self, path: str) -> bool:
        """Whether a file is still to be sent to anybody."""
        rows = self._job.rows(
            "SELECT 1 FROM object WHERE path = ?"
            " AND state IN ('announced', 'queued', 'sending') LIMIT 1",
            (stored_path(path),),
        )
        return bool(rows)

    def _queue(self, connection: sqlite3.Connection, planned: Planned) -> None:
        study, kind = self._job.numbers(connection, planned)
        cursor = connection.execute(
            "UPDATE OR IGNORE object SET state = 'queued', study = ?, kind = ?,"
            " sop_instance_uid = ?, dataset_offset = ?, file_size = ?, modified_ns = ?,"
            " source_sop_instance_uid = ?, fixes = ? WHERE path = ? AND state = 'announced'",
            (
                *(study, kind, planned.sop_instance_uid, planned.dataset_offset),
                *(planned.file_size, planned.modified_ns, planned.source_sop_instance_uid),
                *(" ".join(map(str, planned.fixes)), stored_path(planned.path)),
            ),
        )
        if not cursor.rowcount:
            words = f"another object of the job is sent as {planned.sop_instance_uid} already"
            _fail(connection, planned.path, "input", words)


def _fail(connection: sqlite3.Connection, path: str, failure: str, words: str) -> None:
    connection.execute(
        "UPDATE object SET state = 'failed', class = ?, words = ?"
        " WHERE path = ? AND state = 'announced'",
        (failure, words.encode(errors="replace").decode(), stored_path(path)),
    )
