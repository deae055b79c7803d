"""What `pacs anonymize` does: the run, the explanation, the proof; shown as they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_cli.commands.anonymize_totals import ReleaseTotals
from pacs_cli.commands.anonymizing import KeyOptions
from pacs_cli.commands.transcoding import warn_of_missing_bounds
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import InputOptions
from pacs_cli.report import Report

if TYPE_CHECKING:
    from pacs_cli.pipelines.deid.policy import Policy

#: Whose types `--explain` shows: the most common kind of object.
_EXPLAINED = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed of files, and how they are to be written."""

    typed: Sequence[str]
    files: InputOptions
    names: str
    in_place: bool
    dry_run: bool
    diff: bool
    verify: bool
    jobs: int

    def inputs(self) -> tuple[list[str], Path | None]:
        """Return what is to be read and where to write; UsageError when that is not told."""
        typed = list(self.typed)
        has_list = self.files.from_file is not None
        if self.in_place:
            if not typed and not has_list:
                raise UsageError("nothing to de-identify: write IN...")
            return typed, None
        if len(typed) + has_list < 2 or not typed:
            raise UsageError("write IN... OUT: what to de-identify, and the folder to write to")
        return typed[:-1], Path(typed[-1])


def release(
    report: Report,
    asked: Asked,
    policy: Policy,
    key_options: KeyOptions,
    quarantine: Path | None,
    report_file: Path | None,
) -> Exit:
    """De-identify everything, show what became of it, and return the exit code."""
    from pacs_cli.pipelines.deid.encrypt import read_certificate
    from pacs_cli.pipelines.deid.run import Run
    from pacs_cli.pipelines.deid.work import Settings
    from pacs_cli.pipelines.files import Found, find_files, named_files

    if "pixels" in policy.clean or policy.burned_in == "clean" or policy.pixel_rules:
        warn_of_missing_bounds(report)
    sealed_to = key_options.encrypt_to
    inputs, out = asked.inputs()
    is_file = out is not None and _is_file(inputs, out)
    keys = key_options.keys(policy)
    settings = Settings(
        policy,
        keys,
        out,
        asked.names,
        is_file,
        in_place=asked.in_place,
        dry_run=asked.dry_run,
        verify=asked.verify,
        quarantine=quarantine,
        wants_mapping=key_options.mapping_out is not None,
        wants_changes=asked.diff,
        certificate=read_certificate(sealed_to) if sealed_to else b"",
    )
    found = list(find_files(named_files(inputs, asked.files.from_file), asked.files.follow))
    count = sum(isinstance(each, Found) for each in found)
    totals = ReleaseTotals(report, settings, report_file, key_options.mapping_out)
    with totals.shown(), report.progress(count, 0, "de-identifying") as progress:
        for outcome in Run(settings, asked.jobs).run(found):
            totals.add(outcome)
            progress.advance()
    return totals.exit


def explain(report: Report, policy: Policy, form: str) -> Exit:
    """Show what a policy does with every attribute."""
    from pacs_cli.pipelines.deid.explain import explain as explained
    from pacs_cli.pipelines.deid.records import policy_fields

    if form not in ("text", "markdown"):
        raise UsageError(f"--format {form}: choose text or markdown, or --json")
    columns = ("tag", "keyword", "vr", "action", "why")
    rows = list(explained(policy, _EXPLAINED))
    if not report.is_text:
        for row in rows:
            report.record("attribute", dict(zip(columns, row, strict=True)))
        report.summary(policy_fields(policy), "")
    elif form == "markdown":
        report.line(f"# Policy {policy.digest}: {policy.profile}\n")
        for cells in (columns, ("---",) * len(columns), *rows):
            report.line("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    else:
        report.table(f"policy {policy.digest}", columns, rows)
    return Exit.OK


def verify(report: Report, paths: Sequence[str], policy: Policy) -> Exit:
    """Prove what any tool has written, pair by pair."""
    from pacs_cli.pipelines.deid.proof import prove

    if len(paths) != 2:
        raise UsageError("write verify ORIGINAL OUTPUT: two files, or two folders")
    counts = {"proven": 0, "failed": 0}
    for finding in prove(Path(paths[0]), Path(paths[1]), policy):
        counts["failed" if finding.problems else "proven"] += 1
        report.record("proof", finding.fields())
        for problem in finding.problems:
            report.line(f"{finding.output}: {problem}")
    report.summary(counts, f"proven {counts['proven']}, failed {counts['failed']}")
    if not sum(counts.values()):
        return Exit.BAD_INPUT
    return Exit.SOME_FAILED if counts["failed"] else Exit.OK


def _is_file(inputs: Sequence[str], out: Path) -> bool:
    """Whether one file is to become one file."""
    return len(inputs) == 1 and Path(inputs[0]).is_file() and bool(out.suffix) and not out.is_dir()
