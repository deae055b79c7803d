"""What became of the files that were to be indexed: shown, added up, and the exit code of all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_cli.commands.indexing import ReadingOptions
from pacs_cli.errors import Exit, InputError
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.archive.catalog import Catalog
    from pacs_cli.archive.filing import File, Filed
    from pacs_cli.pipelines.files import Found, Passed

#: Batches that this process reads before it starts others: as much as they cost.
_ALONE = 4


class FilingTotals:
    """Adds up what became of files, and shows each that is new or that is not indexed."""

    def __init__(self, report: Report, path: Path) -> None:
        self._report = report
        self._path = path
        self._began = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._bytes = 0

    @property
    def exit(self) -> Exit:
        """The exit code: that of bad input when nothing is in the index."""
        if not self._counts["failed"]:
            return Exit.OK
        return Exit.SOME_FAILED if self._indexed else Exit.BAD_INPUT

    def run(
        self,
        catalog: Catalog,
        found: Iterable[Found | Passed],
        reading: ReadingOptions,
    ) -> None:
        """Put files into the index, and show the totals however that ends.

        raises  OutputError, and InputError when there was no file at all
        """
        from pacs_cli.archive.filing import Batch, Filing
        from pacs_cli.archive.reading import FileReader
        from pacs_cli.pipelines.crew import Crew

        crew = Crew(FileReader(reading.hashes), reading.processes(), _ALONE)
        filing = Filing(
            catalog,
            lambda batches: crew.run(batches, Batch.paths),
            reading.hashes,
            self._path,
        )
        try:
            with self._report.progress(0, 0, "indexing") as progress:
                for filed in filing.add(self._files(found)):
                    self._show(filed)
                    progress.advance()
        except BaseException:
            self._close()
            raise
        if not self._counts:
            raise InputError("nothing to index: no file in what was named; check the paths")
        self._close()

    @property
    def _indexed(self) -> int:
        return sum(self._counts[kind] for kind in ("added", "changed", "moved", "unchanged"))

    def _files(self, found: Iterable[Found | Passed]) -> Iterator[File]:
        from pacs_cli.archive.filing import File
        from pacs_cli.pipelines.files import Passed

        for each in found:
            if isinstance(each, Passed):
                self._pass(each)
            else:
                yield File(each.path, each.size, each.modified_ns, each.is_named)

    def _pass(self, passed: Passed) -> None:
        kind = "failed" if passed.is_failure else "skipped"
        self._tell(kind, passed.path, passed.reason, passed.is_failure)

    def _show(self, filed: Filed) -> None:
        kind, path = str(filed.outcome), filed.file.path
        if kind in ("skipped", "failed"):
            # what was named itself is not there by chance
            is_failure = kind == "failed" or filed.file.is_named
            self._tell("failed" if is_failure else kind, path, filed.reason, is_failure)
            return
        self._counts[kind] += 1
        if kind == "unchanged":
            return
        row = filed.row
        self._bytes += filed.file.size
        if self._report.is_verbose:
            self._report.note(f"{kind} {path}{f': {filed.reason}' if filed.reason else ''}")
        if not self._report.is_text:
            self._record(kind, path, filed.reason, row.sop_instance_uid if row else None)

    def _tell(self, kind: str, path: str, reason: str, is_failure: bool) -> None:
        self._counts[kind] += 1
        if is_failure:
            self._report.error(f"cannot index {path}: {reason}")
        else:
            self._report.note(f"skipped {path}: {reason}")
        self._record(kind, path, reason, None)

    def _record(self, kind: str, path: str, reason: str, uid: str | None) -> None:
        fields = {"path": path, "outcome": kind, "reason": reason or None, "sop_instance_uid": uid}
        self._report.record("file", fields)

    def _close(self) -> None:
        seconds = time.monotonic() - self._began
        kinds = ("added", "changed", "moved", "unchanged", "duplicate", "skipped", "failed")
        counts = {kind: self._counts[kind] for kind in kinds}
        shown = ", ".join(
            f"{kind} {count}" for kind, count in counts.items() if count or kind == "added"
        )
        total = sum(counts.values())
        self._report.summary(
            {
                "index": str(self._path),
                **counts,
                "bytes": self._bytes,
                "seconds": round(seconds, 6),
            },
            f"{shown} in {self._path}; {seconds:.2f} s, {total / max(seconds, 1e-6):.0f} files/s",
        )
