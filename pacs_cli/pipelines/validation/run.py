"""Validates many files: in several processes, then together, against a baseline."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from pacs_cli.pipelines.crew import Crew
from pacs_cli.pipelines.files import Found, Passed, find_files
from pacs_cli.pipelines.validation.check import Checked, FileCheck
from pacs_cli.pipelines.validation.findings import Finding
from pacs_cli.pipelines.validation.rules import RULES
from pacs_cli.pipelines.validation.studies import Studies

#: Files of one task, and bytes of their names: two tasks fit into a pipe. After some of them
#: others are started, for a few files are done sooner than a process.
_BATCH, _ALONE = 32, 4
_NOT_DICOM, _UNREADABLE = "part10-not-dicom", "part10-unreadable"


def files_of(paths: Iterable[str], follow: bool) -> Iterator[Found | Passed]:
    """Yield the files to validate: of a DICOMDIR that is named itself and those it refers to."""
    return find_files(paths, follow, has_dicomdir=True)


class Validated(NamedTuple):
    """One file and what is wrong with it.

    is_dicom    whether it could be validated
    is_skipped  no DICOM, and nobody named it
    is_again    whether the file came before, and only now it is known what is missing
    """

    path: str
    findings: list[Finding]
    is_dicom: bool = True
    is_skipped: bool = False
    is_again: bool = False


class Validation:
    """Validates files; `active` are the rules that are looked at."""

    def __init__(self, active: Collection[str] = frozenset(RULES), jobs: int = 1) -> None:
        self._active = frozenset(active)
        self._jobs = jobs
        self._studies = Studies()

    def run(self, files: Iterable[Found | Passed]) -> Iterator[Validated]:
        """Yield every file with its findings, in order; last what is wrong with them together."""
        crew = Crew(FileCheck(self._active), self._jobs, _ALONE)
        for batch, checked in crew.run(_batches(files), _readable):
            results = {each.path: each for each in checked}
            for file in batch:
                if isinstance(file, Passed):
                    yield from self._passed(file)
                else:
                    yield self._one(file, results[file.path])
        for path, finding in self._studies.end():
            yield Validated(path, self._chosen([finding]), is_again=True)

    def _one(self, file: Found, checked: Checked) -> Validated:
        if not checked.is_dicom and not file.is_named and _is_no_dicom(checked):
            return Validated(file.path, [], False, True)
        findings = checked.findings
        if checked.identity is not None:
            findings = findings + self._chosen(list(self._studies.add(checked.identity)))
        return Validated(file.path, findings, checked.is_dicom)

    def _passed(self, file: Passed) -> Iterator[Validated]:
        if file.is_failure:
            finding = Finding(_UNREADABLE, "", "", file.reason)
            yield Validated(file.path, self._chosen([finding]), False)
        else:
            yield Validated(file.path, [], False, True)

    def _chosen(self, findings: list[Finding]) -> list[Finding]:
        return [each for each in findings if each.rule in self._active]


def _is_no_dicom(checked: Checked) -> bool:
    return all(finding.rule == _NOT_DICOM for finding in checked.findings)


def _batches(files: Iterable[Found | Passed]) -> Iterator[list[Found | Passed]]:
    iterator = iter(files)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _readable(batch: list[Found | Passed]) -> list[str]:
    return [file.path for file in batch if isinstance(file, Found)]
