"""How the findings of `pacs validate` are shown, added up and written."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from pacs_cli import __version__
from pacs_cli.commands.indexing import ReadingOptions
from pacs_cli.commands.validating import DocumentOptions, FailOn
from pacs_cli.errors import Exit, InputError, UsageError
from pacs_cli.options import InputOptions
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.pipelines.validation.findings import Finding
    from pacs_cli.pipelines.validation.run import Validated

#: Severities that fail, by --fail-on.
_FAILS = {"error": ("error",), "warning": ("error", "warning"), "never": ()}


class ValidationOutput:
    """Shows findings as they come, writes the documents at the end, knows the exit code."""

    def __init__(self, report: Report, fail_on: FailOn, documents: DocumentOptions) -> None:
        if documents.write_baseline and documents.baseline is None:
            raise UsageError("--write-baseline: write --baseline FILE too")
        self._report = report
        self._fails = _FAILS[fail_on]
        self._documents = documents
        self._counts: Counter[str] = Counter()
        self._broken: set[str] = set()
        self._kept: list[Validated] = []
        self._keeps = any((documents.junit, documents.sarif, documents.write_baseline))

    def list_rules(self) -> Exit:
        """Show every rule."""
        from pacs_cli.pipelines.validation.rules import RULES

        rows = [(r.id, str(r.severity), r.source, r.title) for r in RULES.values()]
        self._report.table("rules", ("rule", "severity", "source", "title"), rows)
        for rule in RULES.values():
            self._report.record("rule", {**rule._asdict(), "severity": str(rule.severity)})
        return Exit.OK

    def run(
        self, paths: list[str], files: InputOptions, active: frozenset[str], jobs: int | None
    ) -> Exit:
        """Validate files, show what is found, and return the exit code."""
        from pacs_cli.pipelines.files import named_files
        from pacs_cli.pipelines.validation.documents import Baseline
        from pacs_cli.pipelines.validation.run import Validation, files_of

        documents = self._documents
        is_compared = documents.baseline is not None and not documents.write_baseline
        baseline = Baseline.read(documents.baseline) if is_compared and documents.baseline else None
        began = time.monotonic()
        processes = ReadingOptions(jobs).processes()
        named = list(named_files(paths, files.from_file))
        try:
            with self._report.progress(0, 0, "validating") as progress:
                for result in Validation(active, processes).run(files_of(named, files.follow)):
                    self._take(result, baseline)
                    progress.advance()
        except KeyboardInterrupt:
            # no document: it would say that what was not looked at is sound
            self._summary(time.monotonic() - began)
            raise
        if not self._counts["files"] and not self._counts["skipped"]:
            raise InputError("nothing to validate: no file in what was named; check the paths")
        self._write()
        self._summary(time.monotonic() - began)
        return self._exit()

    def _take(self, result: Validated, baseline: object) -> None:
        from pacs_cli.pipelines.validation.documents import Baseline

        if result.is_skipped:
            self._counts["skipped"] += 1
            self._report.note(f"{result.path}: skipped, no DICOM")
            return
        findings = result.findings
        if isinstance(baseline, Baseline):
            findings = baseline.new(result)
            self._counts["known"] += len(result.findings) - len(findings)
        self._counts["files"] += not result.is_again
        self._counts["dicom"] += result.is_dicom
        if findings:
            self._broken.add(result.path)
        for finding in findings:
            self._counts[str(finding.severity)] += 1
        self._show(result.path, findings)
        if self._keeps:
            self._kept.append(result._replace(findings=findings))

    def _show(self, path: str, findings: list[Finding]) -> None:
        from pacs_cli.pipelines.validation.documents import sentence
        from pacs_cli.pipelines.validation.rules import RULES

        if findings:
            self._report.line(path)
        by_rule: dict[str, list[Finding]] = {}
        for finding in findings:
            by_rule.setdefault(finding.rule, []).append(finding)
        for rule, group in by_rule.items():
            about = RULES[rule]
            self._report.line(f"  {about.severity} {rule}: {about.title} ({about.source})")
            for finding in group:
                self._report.line(f"    {sentence(finding)}")
                fields = {"path": path, **finding._asdict(), "severity": str(finding.severity)}
                self._report.record("finding", {**fields, "source": about.source})

    def _write(self) -> None:
        from pacs_cli.pipelines.validation.documents import Baseline, junit, sarif, write
        from pacs_cli.pipelines.validation.rule import Severity

        documents = self._documents
        if documents.junit is not None:
            write(documents.junit, junit(self._kept, map(Severity, self._fails)))
        if documents.sarif is not None:
            write(documents.sarif, sarif(self._kept, __version__))
        if documents.write_baseline and documents.baseline is not None:
            write(documents.baseline, Baseline.dump(self._kept))

    def _summary(self, seconds: float) -> None:
        counts = self._counts
        fields = {
            "files": counts["files"],
            "broken": len(self._broken),
            "errors": counts["error"],
            "warnings": counts["warning"],
            "known": counts["known"],
            "skipped": counts["skipped"],
            "seconds": round(seconds, 6),
        }
        known = f", {counts['known']} known" if counts["known"] else ""
        text = f"{fields['files']} files, {fields['errors']} errors, {fields['warnings']} warnings"
        text += f"{known} in {fields['broken']} of them; {fields['skipped']} skipped"
        self._report.summary(fields, f"{text}; {seconds:.2f} s")

    def _exit(self) -> Exit:
        if not self._counts["dicom"]:
            return Exit.BAD_INPUT
        if self._documents.write_baseline:
            return Exit.OK
        is_failed = any(self._counts[severity] for severity in self._fails)
        return Exit.SOME_FAILED if is_failed else Exit.OK
