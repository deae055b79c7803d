"""Write docs/validate-comparison.md: what `pacs validate` finds, beside dciodvfy.

    python -m tests.bench.validators [--stdout]

Over pydicom's test files and the objects that the tests make. It ends with an error when there is
a difference that the tables below do not explain, so the document has none.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pydicom

from pacs_cli.pipelines.validation.check import FileCheck
from pacs_cli.pipelines.validation.findings import Finding
from tests.bench.measuring import program
from tests.samples import every_file
from tests.validation.objects import KINDS, file

TARGET = Path(__file__).parent.parent.parent / "docs" / "validate-comparison.md"


class Kind(NamedTuple):
    """One kind of message of dciodvfy: which rules of ours say the same, and why not always."""

    name: str
    pattern: re.Pattern[str]
    rules: frozenset[str]
    difference: str


def _kind(name: str, pattern: str, rules: str, difference: str) -> Kind:
    return Kind(name, re.compile(pattern), frozenset(rules.split()), difference)


_MISSING = "iod-type-1-missing iod-type-2-missing iod-module-missing iod-optional-module"
_VALUES = (
    "value-uid value-date value-time value-datetime value-number value-age value-characters "
    "value-padding value-length value-name charset-undecodable charset-undeclared"
)
_BROKEN = "data-truncated data-malformed data-limit data-encoding element-order private-group"
_JUDGEMENT = "a judgement of plausibility, not of the standard: not a rule"

KINDS_OF_THEIRS = (
    _kind(
        "Missing attribute Type 1 or 2",
        r"Missing attribute Type [12] Required",
        _MISSING,
        "the frame of reference of a structure set, which the table has as optional; and offsets "
        "of a DICOMDIR in an item whose length is wrong, so that nothing behind it can be told",
    ),
    _kind(
        "Missing attribute Type 1C or 2C",
        r"Missing attribute Type [12]C",
        "iod-type-1c-missing iod-type-2c-missing",
        "the condition cannot be evaluated from the file (Laterality: whether the body part is "
        "paired; Patient Orientation; Structure Set of a plan), or the data set ends early",
    ),
    _kind(
        "Empty attribute Type 1 or 1C",
        r"Empty attribute \(no value\)",
        "iod-type-1-empty",
        "the attribute is of a type 3 in another module that may be the one that is there",
    ),
    _kind(
        "Attribute present though its condition does not hold",
        r"Attribute present when condition unsatisfied|Shall not be present",
        "",
        "'may not be present otherwise' is not in the table that rules are made from",
    ),
    _kind(
        "Enumerated value",
        r"Unrecognized enumerated",
        "iod-enumerated-value",
        "only enumerations that stand in docs/rules/iod-enumerated-value.md with their source",
    ),
    _kind("Defined term", r"Unrecognized defined term", "", "defined terms may be extended"),
    _kind(
        "Value needed at a position",
        r"A value is required for value",
        "",
        "value 3 of Image Type (PS3.3 C.8.2.1.1.1) is a rule of one IOD, and not in the table",
    ),
    _kind(
        "Value not of its VR",
        r"Value invalid for this VR|Illegal root for UID|contains invalid data values",
        _VALUES,
        "values that are written as UN, which says more; and XML in a private UT, in which tabs "
        "and line ends are allowed (PS3.5 table 6.2-1)",
    ),
    _kind("Name without ^", r"Retired Person Name form", "", _JUDGEMENT),
    _kind("Value zero, short or unusual", r"Value is zero|Value dubious|dubious", "", _JUDGEMENT),
    _kind("Only when unknown", r"only permitted to be empty when actually unknown", "", _JUDGEMENT),
    _kind(
        "Retired attribute",
        r"Retired attribute|contains retired attributes|is deprecated",
        "element-group-length",
        "retired attributes may stand in files made when they were not; only group lengths, which "
        "become wrong, are a rule",
    ),
    _kind(
        "Attribute not in the IOD",
        r"not present in standard DICOM IOD",
        "",
        "a Standard Extended SOP Class may have any attribute (PS3.4)",
    ),
    _kind("Missing for a DICOMDIR", r"needed to build DICOMDIR", "", "no rule of the object's IOD"),
    _kind(
        "One UID for two things",
        r"has same value as",
        "",
        "not compared: which two UIDs may be the same is not said in one place",
    ),
    _kind(
        "IOD not known",
        r"Information Object Not found",
        "iod-unknown-sop-class iod-no-sop-class",
        "the same deflated data set",
    ),
    _kind(
        "File meta against data set",
        r"MediaStorageSOP(Class|Instance)UID|Metaheader present",
        "part10-meta-mismatch iod-no-sop-class part10-meta-missing iod-type-1-missing",
        "a deflated data set, which Debian's dciodvfy cannot read",
    ),
    _kind(
        "File meta version",
        r"Bad FileMetaInformationVersion",
        "part10-meta-version",
        "",
    ),
    _kind("Group length", r"Bad group length", "element-group-length part10-group-length", ""),
    _kind(
        "Length of Pixel Data",
        r"PixelData has incorrect value length",
        "pixels-length",
        "dciodvfy counts three samples in native YBR_FULL_422, which has two (PS3.3 C.7.6.3.1.2)",
    ),
    _kind(
        "Number of functional groups",
        r"Number of items in PerFrameFunctionalGroups",
        "frames-count",
        "Number of Frames is missing, which ours says instead; dciodvfy takes it for 1",
    ),
    _kind(
        "Broken bytes",
        r"read failed|Seek failed|Tags out of order|giving up",
        _BROKEN,
        "a deflated data set, which Debian's dciodvfy cannot read",
    ),
    _kind(
        "Structured report",
        r"Content Item|CurrentRequestedProcedureEvidence|CodingSchemeDesignator in a units",
        "",
        "templates and relationships of content items (PS3.16, PS3.3 A.35) are not validated",
    ),
)

#: Why a rule finds what dciodvfy does not say.
OURS_ONLY = {
    "element-vr-un": "dciodvfy reads UN as the dictionary's VR and says nothing",
    "sequence-vr": "the same, of a sequence",
    "element-vm": "number of values against PS3.6, also where the IOD is not known",
    "element-odd-length": "dciodvfy reads odd lengths as they are",
    "element-group-length": "dciodvfy says it as a retired attribute, and not in every file",
    "private-group": "groups that may have no private elements are read as others",
    "private-creator-missing": "dciodvfy does not look at private creators",
    "private-creator-empty": "dciodvfy does not look at private creators",
    "part10-prefix": "dciodvfy reads bare data sets",
    "part10-group-length": "dciodvfy does not need the group length",
    "part10-meta-missing": "dciodvfy looks only at some elements of the file meta",
    "part10-meta-mismatch": "files on which dciodvfy ends early or aborts",
    "part10-transfer-syntax": "dciodvfy does not look the transfer syntax up",
    "pixels-vr": "encapsulated pixel data is OB (PS3.5 A.4); dciodvfy does not look",
    "pixels-codestream": "dciodvfy does not look into compressed frames",
    "pixels-codestream-end": "dciodvfy does not look into compressed frames",
    "pixels-codestream-size": "dciodvfy does not look into compressed frames",
    "pixels-fragments": "dciodvfy does not count fragments",
    "pixels-length": "files on which dciodvfy aborts",
    "data-encoding": "dciodvfy takes the encoding that it finds",
    "data-truncated": "dciodvfy stops before the pixel data, or follows a DICOMDIR",
    "data-malformed": "dciodvfy stops at another element",
    "value-uid": "files on which dciodvfy aborts",
    "value-number": "files on which dciodvfy aborts",
    "value-length": "dciodvfy names the same value for its characters alone",
    "value-padding": "NUL behind text",
    "iod-optional-module": "decided by an attribute that only this module has",
    "directory-record-type": "dciodvfy does not look at the types of records",
    "iod-unknown-sop-class": "dciodvfy knows retired and DICOMDIR SOP classes",
    "iod-type-1-missing": "Modality of Secondary Capture, type 1 in General Series (C.7.3.1), "
    "which dciodvfy takes from SC Equipment; and files on which it ends early",
    "iod-type-2-missing": "files on which dciodvfy aborts or ends early",
    "iod-type-1c-missing": "files whose SOP class dciodvfy does not find",
    "iod-type-2c-missing": "dciodvfy evaluates fewer conditions",
    "iod-module-missing": "files whose SOP class dciodvfy does not find, or on which it ends early",
    "iod-no-sop-class": "dciodvfy goes by the file meta",
    "charset-unknown": "dciodvfy has no table of character sets",
    "charset-undecodable": "dciodvfy does not decode",
    "charset-undeclared": "dciodvfy does not decode",
}


class Result(NamedTuple):
    """What both say of one file."""

    name: str
    ours: list[Finding]
    theirs: list[str]
    crashed: bool


def results(folder: Path) -> Iterator[Result]:
    """Validate every file with both."""
    made = []
    for name, make in KINDS.items():
        path = folder / f"generated {name}.dcm"
        path.write_bytes(file(make()))
        made.append(path)
    verify, check = program("dciodvfy"), FileCheck()
    for path in [*every_file(), *made]:
        checked = check.check(str(path))
        if not checked.is_dicom:
            continue
        done = subprocess.run(
            [verify, str(path)], capture_output=True, encoding="latin-1", check=False, timeout=120
        )
        lines = [
            line
            for line in dict.fromkeys(done.stderr.splitlines())
            if line.startswith(("Error - ", "Warning - "))
        ]
        yield Result(path.name, checked.findings, lines, done.returncode < 0)


def kind_of(line: str) -> Kind | None:
    """Return the kind of a message of dciodvfy."""
    return next((kind for kind in KINDS_OF_THEIRS if kind.pattern.search(line)), None)


def same(line: str, kind: Kind, ours: list[Finding]) -> list[Finding]:
    """Return our findings that say it too: of the same element, where the message names one."""
    found = [finding for finding in ours if finding.rule in kind.rules]
    element = re.search(r"Element=<(\w+)>", line)
    module = re.search(r"Module=<(\w+)>", line)
    tag = re.search(r"\(0x([0-9a-f]{4}),0x([0-9a-f]{4})\)", line)
    if element is None and tag is None:
        return found
    matching = []
    name = re.sub(r"\W", "", module.group(1)).lower() if module else ""
    for finding in found:
        if finding.rule == "iod-module-missing":
            words = finding.message.split(":")[0].removeprefix("module ").replace("-", "")
            if words and (words in name or name in words):
                matching.append(finding)
        if element is not None and finding.keyword == element.group(1):
            matching.append(finding)
        if tag is not None and finding.place.endswith(f"({tag[1]},{tag[2]})".upper()):
            matching.append(finding)
    return matching


def compare(all_results: list[Result]) -> str:
    """Return the document."""
    shared: dict[str, int] = defaultdict(int)
    theirs: dict[str, set[str]] = defaultdict(set)
    theirs_count: dict[str, int] = defaultdict(int)
    ours: dict[str, set[str]] = defaultdict(set)
    unexplained = []
    for result in all_results:
        said: list[Finding] = []
        for line in result.theirs:
            kind = kind_of(line)
            if kind is None:
                unexplained.append(f"{result.name}: {line}")
            elif found := same(line, kind, result.ours):
                shared[kind.name] += 1
                said += found
            else:
                theirs[kind.name].add(result.name)
                theirs_count[kind.name] += 1
                if not kind.difference:
                    unexplained.append(f"{result.name}: {line}")
        for finding in result.ours:
            if finding not in said:
                ours[finding.rule].add(result.name)
    unexplained += [rule for rule in ours if rule not in OURS_ONLY]
    if unexplained:
        raise SystemExit("not explained:\n" + "\n".join(unexplained))
    accepted = [r for r in all_results if not _errors(r.theirs) and not r.crashed]
    return _document(all_results, accepted, shared, theirs, theirs_count, ours)


def _errors(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("Error")]


def _document(all_results, accepted, shared, theirs, theirs_count, ours) -> str:  # type: ignore[no-untyped-def]
    """Return the tables in Markdown."""
    kinds = {kind.name: kind for kind in KINDS_OF_THEIRS}
    generated = [r for r in all_results if r.name.startswith("generated ")]
    crashed = [r.name for r in all_results if r.crashed]
    disputed = [r for r in accepted if any(f.severity == "error" for f in r.ours)]
    lines = [
        "# `pacs validate` beside other validators",
        "",
        "Written by `python -m tests.bench.validators`, which fails on a difference that it cannot",
        "explain. One finding is one message about one element of one file.",
        "",
        f"- {len(all_results)} files: all DICOM files of pydicom {pydicom.__version__}, "
        f"and {len(generated)} objects made by `tests/validation/objects.py`: "
        f"{', '.join(KINDS)}.",
        f"- dciodvfy of Debian's dicom3tools, which aborts on {len(crashed)} of them: "
        f"{', '.join(crashed)}.",
        "- dicom-validator 0.9.0 (PyPI) is not in the tables: before it validates it downloads the",
        "  DocBook of the standard, of which its package has nothing. Offline it ends with `Failed",
        "  to get DICOM editions`.",
        "",
        "## Files that dciodvfy accepts",
        "",
        f"dciodvfy has no error on {len(accepted)} files. `pacs validate` has errors on "
        f"{len(disputed)} of these, each a sentence of the standard:",
        "",
        "| file | rule | |",
        "|---|---|---|",
    ]
    for result in disputed:
        lines += [
            f"| {result.name} | [{finding.rule}](rules/{finding.rule}.md) | "
            f"{finding.place} {finding.message} |"
            for finding in result.ours
            if finding.severity == "error"
        ]
    lines += [
        "",
        "## Findings of both",
        "",
        "| dciodvfy says | findings | rules |",
        "|---|---|---|",
    ]
    for name, count in sorted(shared.items(), key=lambda row: -row[1]):
        rules = ", ".join(f"[{each}](rules/{each}.md)" for each in sorted(kinds[name].rules))
        lines.append(f"| {name} | {count} | {rules} |")
    lines += ["", "## Only `pacs validate`", "", "| rule | files | why |", "|---|---|---|"]
    for rule, files in sorted(ours.items(), key=lambda row: -len(row[1])):
        few = f" ({', '.join(sorted(files))})" if len(files) < 5 else ""
        lines.append(f"| [{rule}](rules/{rule}.md) | {len(files)}{few} | {OURS_ONLY[rule]} |")
    lines += ["", "## Only dciodvfy", "", "| dciodvfy says | findings | files | why |"]
    lines.append("|---|---|---|---|")
    for name, files in sorted(theirs.items(), key=lambda row: -theirs_count[row[0]]):
        why = kinds[name].difference
        few = f" ({', '.join(sorted(files))})" if len(files) < 5 else ""
        lines.append(f"| {name} | {theirs_count[name]} | {len(files)}{few} | {why} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pacs-compare-") as name:
        text = compare(list(results(Path(name))))
    if "--stdout" in sys.argv[1:]:
        print(text, end="")
    else:
        TARGET.write_text(text, encoding="utf-8")
