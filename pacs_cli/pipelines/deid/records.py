"""What a run leaves beside its outputs: a report without a value, and, if asked, who was whom."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

from pacs_cli import __version__
from pacs_cli.errors import OutputError
from pacs_cli.pipelines.deid.policy import METHOD_CODES, Policy
from pacs_cli.pipelines.deid.profile import EDITION, METHODS, SOURCES
from pacs_cli.pipelines.deid.work import Outcome
from pacs_cli.pipelines.whole import WholeFile


class ReportFile:
    """A JSON document with the policy, every file and the totals, which appears when it is whole.

    raises  OutputError at once when nothing can be written there
    """

    def __init__(self, path: Path, policy: Policy) -> None:
        self._whole = WholeFile(path)
        head = json.dumps(
            {"pacs": __version__, "policy": policy_fields(policy), "sources": SOURCES}, indent=1
        )
        self._separator = head.removesuffix("\n}") + ',\n "files": [\n  '

    def add(self, fields: dict[str, Any]) -> None:
        """Add a file."""
        self._whole.write(self._separator + json.dumps(fields))
        self._separator = ",\n  "

    def finish(self, totals: dict[str, Any]) -> None:
        """Put the file into its place."""
        start = self._separator if "[" in self._separator else ""
        try:
            self._whole.write(f'{start}\n ],\n "totals": {json.dumps(totals)}\n}}\n')
        except OutputError:
            self._whole.discard()
            raise
        self._whole.finish()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._whole.discard()


def policy_fields(policy: Policy) -> dict[str, Any]:
    """Return what tells one policy from another."""
    return {
        "digest": policy.digest,
        "edition": EDITION,
        "profile": policy.profile,
        "retain": sorted(policy.retain),
        "clean": sorted(policy.clean),
        "rules": [rule.text for rule in policy.rules],
        "burned_in": policy.burned_in,
        "documents": policy.documents,
        "date_shift": policy.date_shift,
        "methods": {METHOD_CODES[name]: METHODS[METHOD_CODES[name]] for name in policy.options},
    }


class Mapping:
    """A CSV file of who was whom, which only its owner can read; never instead of another.

    raises  OutputError when it is there already or cannot be written
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(f"cannot write {path}: {reason}") from None
        # closed by finish
        self._file = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(["kind", "old", "new", "shift"])
        self._seen: set[int] = set()

    def add(self, outcome: Outcome) -> None:
        """Add what was not there yet."""
        for kind, old, new, shift in outcome.mapping:
            key = hash((kind, old))
            if key not in self._seen:
                self._seen.add(key)
                self._rows.writerow([kind, old, new, shift])

    def finish(self) -> None:
        """Make it safe."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(f"cannot write {self._path}: {reason}") from None
