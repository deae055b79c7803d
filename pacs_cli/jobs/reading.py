"""What a job file is asked."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from pacs_cli.jobs.states import Count, Queued, State, Wish

#: What is still to be sent.
OPEN = "state IN ('queued', 'sending')"


class Reader(ABC):
    """The questions; raises OutputError from all of them."""

    @abstractmethod
    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        """Return the rows of a query."""

    @abstractmethod
    def _failures(self, is_writing: bool = False) -> AbstractContextManager[None]:
        """Say what fails inside as an OutputError: of what was read, that the job is damaged."""

    def get(self, name: str) -> Any:
        """Return what the job keeps by that name, None without it."""
        rows = self.rows("SELECT value FROM job WHERE name = ?", (name,))
        with self._failures():
            return json.loads(rows[0][0]) if rows else None

    @property
    def wish(self) -> Wish:
        """What the job is to do."""
        with self._failures():
            return Wish(self.get("wish") or Wish.RUN)

    @property
    def is_planned(self) -> bool:
        """Whether it has everything that it is to send."""
        return bool(self.get("planned"))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was planned yet."""
        return not self.rows("SELECT 1 FROM object LIMIT 1")

    def destinations(self) -> list[tuple[int, str, dict[str, Any]]]:
        """Return number, name and how it is reached of each destination."""
        rows = self.rows("SELECT id, name, target FROM destination ORDER BY id")
        with self._failures():
            return [(number, name, json.loads(target)) for number, name, target in rows]

    def knows(self, path: str, modified_ns: int, file_size: int) -> bool:
        """Whether a file is in the job for every destination, as it is."""
        rows = self.rows(
            "SELECT count(*) FROM object WHERE path = ? AND modified_ns = ? AND file_size = ?"
            " AND sop_instance_uid IS NOT NULL",
            (stored_path(path), modified_ns, file_size),
        )
        return bool(rows[0][0] and rows[0][0] >= len(self.destinations()))

    def page(self, destination: int, after: tuple[int, int], size: int) -> list[Queued]:
        """Return what is to be sent next, study by study, after this study and row."""
        rows = self.rows(
            "SELECT object.id, path, sop_instance_uid, study_instance_uid, sop_class_uid,"
            " transfer_syntax_uid, dataset_offset, file_size, modified_ns, tries, study,"
            " source_sop_instance_uid, fixes"
            " FROM object JOIN study ON study.id = study JOIN kind ON kind.id = kind"
            f" WHERE destination = ? AND {OPEN} AND (study, object.id) > (?, ?)"
            " ORDER BY study, object.id LIMIT ?",
            (destination, *after, size),
        )
        return [
            Queued(
                *(row, os.fsdecode(path), instance, study_uid, (sop_class, syntax)),
                *(*rest, tuple(map(int, fixes.split()))),
            )
            for row, path, instance, study_uid, sop_class, syntax, *rest, fixes in rows
        ]

    def kinds(self, destination: int) -> list[tuple[str, str]]:
        """Return SOP class and transfer syntax of everything that is to be sent."""
        rows = self.rows(
            "SELECT sop_class_uid, transfer_syntax_uid FROM kind WHERE EXISTS"
            f" (SELECT 1 FROM object WHERE destination = ? AND {OPEN} AND kind = kind.id)"
            " ORDER BY id",
            (destination,),
        )
        return [(sop_class, syntax) for sop_class, syntax in rows]

    def studies(self, destination: int, state: State, is_verified: bool | None = None) -> list[int]:
        """Return the numbers of the studies that have objects in a state, in their order."""
        condition = "" if is_verified is None else f"AND verified = {int(is_verified)}"
        rows = self.rows(
            f"SELECT DISTINCT study FROM object WHERE destination = ? AND state = '{state}'"
            f" {condition} AND study IS NOT NULL ORDER BY study",
            (destination,),
        )
        return [study for (study,) in rows]

    def of_study(self, destination: int, study: int, state: State) -> tuple[str, dict[int, str]]:
        """Return a study's UID, and its objects in a state: number -> SOP instance UID."""
        ((uid,),) = self.rows("SELECT study_instance_uid FROM study WHERE id = ?", (study,))
        rows = self.rows(
            "SELECT id, sop_instance_uid FROM object WHERE destination = ? AND study = ?"
            f" AND state = '{state}' ORDER BY id",
            (destination, study),
        )
        return uid, dict(rows)

    def sent(
        self, destination: int, after: tuple[int, int], size: int
    ) -> list[tuple[int, int, str, str]]:
        """Return study, number, SOP class and instance of what is sent and not committed."""
        return self.rows(
            "SELECT study, object.id, sop_class_uid, sop_instance_uid FROM object"
            " JOIN kind ON kind.id = kind WHERE destination = ? AND state = 'sent'"
            " AND (study, object.id) > (?, ?) ORDER BY study, object.id LIMIT ?",
            (destination, *after, size),
        )

    def fix_uses(self) -> dict[int, int]:
        """Return line of the table of fixes -> files that it counts for."""
        rows = self.rows(
            "SELECT fixes, count(DISTINCT path) FROM object WHERE fixes <> '' GROUP BY fixes"
        )
        uses: dict[int, int] = {}
        for lines, count in rows:
            for line in map(int, lines.split()):
                uses[line] = uses.get(line, 0) + count
        return uses

    def paths_left(self) -> Iterator[str]:
        """Yield every file of the studies of which something is to be sent."""
        last = 0
        while rows := self.rows(
            "SELECT id, path FROM object WHERE id > ? AND kind IS NOT NULL"
            " AND destination = (SELECT min(id) FROM destination)"
            f" AND study IN (SELECT study FROM object WHERE {OPEN}) ORDER BY id LIMIT 10000",
            (last,),
        ):
            yield from (os.fsdecode(path) for _, path in rows)
            last = rows[-1][0]

    def counts(self) -> list[Count]:
        """Return how many objects there are, by destination, state and class of failure."""
        rows = self.rows(
            "SELECT name, state, class, count(*), sum(file_size) FROM object"
            " JOIN destination ON destination.id = destination"
            " GROUP BY destination, state, class ORDER BY destination, state, class"
        )
        with self._failures():
            return [Count(name, State(state), *rest) for name, state, *rest in rows]

    def objects(self, states: Iterable[State] = ()) -> Iterator[dict[str, Any]]:
        """Yield every object, of these states or of all, in the order in which it was planned."""
        chosen = list(states) or list(State)
        marks = ", ".join("?" * len(chosen))
        last = 0
        while rows := self.rows(
            "SELECT object.id, name, path, state, sop_class_uid, sop_instance_uid,"
            " transfer_syntax_uid, study_instance_uid, file_size, tries, class, code, words,"
            " source_sop_instance_uid, fixes"
            " FROM object JOIN destination ON destination.id = destination"
            " LEFT JOIN study ON study.id = study LEFT JOIN kind ON kind.id = kind"
            f" WHERE object.id > ? AND state IN ({marks}) ORDER BY object.id LIMIT 1000",
            (last, *chosen),
        ):
            with self._failures():
                found = [_fields(row) for row in rows]
            yield from found
            last = rows[-1][0]


def stored_path(path: str) -> str | bytes:
    """Return a path as SQLite can hold it: text where it is any, else its bytes."""
    encoded = os.fsencode(path)
    try:
        return encoded.decode()
    except UnicodeDecodeError:
        return encoded


def _fields(row: tuple[Any, ...]) -> dict[str, Any]:
    _, name, path, state, sop_class, instance, syntax, study, size, tries, *rest = row
    kind, code, words, source, fixes = rest
    return {
        "destination": name,
        "path": os.fsdecode(path),
        "state": state,
        "sop_class_uid": sop_class,
        "sop_instance_uid": instance,
        "transfer_syntax_uid": syntax,
        "study_instance_uid": study,
        "bytes": size,
        "tries": tries,
        "class": kind,
        "status": None if code is None else f"{code:04X}",
        "words": words,
        "source_sop_instance_uid": source,
        "fixes": fixes,
    }
