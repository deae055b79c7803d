"""The files of `pacs dump` one after the other, what became of them, and the exit code."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pacs_cli.commands.match_report import MatchReport
from pacs_cli.errors import Exit, InputError, MalformedDataset

if TYPE_CHECKING:
    from pacs_cli.commands.dump_output import Form
    from pacs_cli.dicom.document import Document
    from pacs_cli.pipelines.documents import Unreadable
    from pacs_cli.pipelines.files import Found, Passed


class Dump:
    """Shows files and counts what became of them."""

    def __init__(self, report: MatchReport, form: Form) -> None:
        self._report = report
        self._form = form
        self._shown = self._failed = self._skipped = 0
        self._first_failure = Exit.OK
        self._began = time.monotonic()

    def run(self, files: Iterable[Found | Passed]) -> Exit:
        """Show files; return the exit code, which is that of the first failure when none was shown.

        raises  InputError when there are none
        """
        from pacs_cli.pipelines.documents import Unreadable, opened
        from pacs_cli.pipelines.files import Passed

        for found in files:
            entry = opened(found)
            if isinstance(entry, Passed):
                self._skip(entry)
            elif isinstance(entry, Unreadable):
                self._fail(entry)
            else:
                self._show(entry)
        self._form.finish()
        if not self._shown and not self._failed:
            raise InputError("nothing to dump: no DICOM file was found")
        if not self._failed:
            return Exit.OK
        return Exit.SOME_FAILED if self._shown else self._first_failure

    def summarise(self) -> None:
        """Write the summary record under --json."""
        counts = {"shown": self._shown, "failed": self._failed, "skipped": self._skipped}
        seconds = round(time.monotonic() - self._began, 6)
        self._report.close({**counts, "seconds": seconds}, "", is_data=True)

    def _show(self, document: Document) -> None:
        from pacs_cli.dicom.mapping import kept_whole
        from pacs_cli.pipelines.documents import Unreadable

        try:
            with kept_whole(document.dataset):
                self._form.show(document)
            self._shown += 1
        except MalformedDataset as error:
            message = f"cannot read all of {document.path}: {error}"
            self._fail(Unreadable(document.path, type(error).__name__, message, error.exit))

    def _fail(self, unreadable: Unreadable) -> None:
        self._failed += 1
        self._first_failure = self._first_failure or unreadable.exit
        self._report.error(unreadable.message)
        fields = {"error": unreadable.kind, "message": unreadable.message}
        path = {"path": unreadable.path}
        self._report.record("error", {**fields, "exit": int(unreadable.exit), **path})

    def _skip(self, passed: Passed) -> None:
        self._skipped += 1
        self._report.note(f"skipped {passed.path}: {passed.reason}")
