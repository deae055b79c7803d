"""Write docs/validate-comparison.md: what `pacs validate` finds, beside two other validators.

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
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pydicom

from pacs_cli.pipelines.validation.check import FileCheck
from pacs_cli.pipelines.validation.findings import Finding
from tests.bench.dicom_validator import make_validator, messages
from tests.bench.measuring import program
from tests.samples import every_file
from tests.validation.objects import KINDS, file

TARGET = Path(__file__).parent.parent.parent / "docs" / "validate-comparison.md"


class Kind(NamedTuple):
    """One kind of message: which rules of ours say the same, and why not always."""

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

DCIODVFY, DICOM_VALIDATOR = "dciodvfy", "dicom-validator"

_DCIODVFY = (
    _kind(
        "Missing attribute Type 1 or 2",
        r"Missing attribute Type [12] Required",
        _MISSING,
        "the frame of reference of a structure set, which the table has as optional; and offsets "
        "of a DICOMDIR, whose records are not validated as modules",
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

#: Its tables are ours, so "not in the table" is never a reason.
_DICOM_VALIDATOR = (
    _kind(
        "Missing attribute Type 1 or 2",
        r"TagMissing",
        _MISSING,
        "every value of a content item at once, which go with its value type (PS3.3 C.17.3.2); "
        "every functional group in both sequences, as it is given no macros; Contrast/Bolus Agent "
        "beside a type 3 of its module, which a Standard Extended SOP Class may have alone; and "
        "items behind the end of a truncated file",
    ),
    _kind("Empty attribute Type 1 or 1C", r"TagEmpty", "iod-type-1-empty", ""),
    _kind(
        "Attribute not in the IOD",
        r"TagUnexpected",
        "",
        "a Standard Extended SOP Class may have any attribute (PS3.4)",
    ),
    _kind(
        "Value not of its VR",
        r"InvalidValue",
        _VALUES,
        "a value that is written as UN, which says more",
    ),
    _kind(
        "No SOP class",
        r"MissingSOPClassUID",
        "iod-no-sop-class",
        "a DICOMDIR, whose data set has none (PS3.3 F.3)",
    ),
    _kind("IOD not known", r"UnknownSOPClassUID", "iod-unknown-sop-class", ""),
    _kind("Not DICOM", r"InvalidFile", "part10-prefix", ""),
)

KINDS_OF = {DCIODVFY: _DCIODVFY, DICOM_VALIDATOR: _DICOM_VALIDATOR}

#: Why a rule finds what neither of the others says.
OURS_ONLY = {
    "element-vr-un": "both read UN as the dictionary's VR and say nothing",
    "sequence-vr": "the same, of a sequence",
    "element-vm": "number of values against PS3.6, also where the IOD is not known",
    "element-odd-length": "both read odd lengths as they are",
    "element-group-length": "dciodvfy says it as a retired attribute, and not in every file",
    "private-group": "groups that may have no private elements are read as others",
    "private-creator-missing": "neither looks at private creators",
    "private-creator-empty": "neither looks at private creators",
    "part10-group-length": "neither needs the group length",
    "part10-meta-missing": "dciodvfy looks only at some elements of the file meta",
    "part10-meta-mismatch": "files on which dciodvfy ends early or aborts",
    "part10-transfer-syntax": "neither looks the transfer syntax up",
    "pixels-vr": "encapsulated pixel data is OB (PS3.5 A.4); neither looks",
    "pixels-codestream": "neither looks into compressed frames",
    "pixels-codestream-end": "neither looks into compressed frames",
    "pixels-codestream-size": "neither looks into compressed frames",
    "pixels-fragments": "neither counts fragments",
    "pixels-length": "a file on which dciodvfy aborts",
    "data-encoding": "both take the encoding that they find",
    "data-truncated": "both stop before the pixel data, or follow a DICOMDIR",
    "data-malformed": "they stop at another element",
    "iod-unknown-sop-class": "dciodvfy knows retired and DICOMDIR SOP classes",
    "iod-type-2-missing": "data sets without a SOP class, where ours goes by the file meta",
    "iod-type-1c-missing": "files whose SOP class dciodvfy does not find",
    "iod-type-2c-missing": "dciodvfy evaluates fewer conditions",
    "iod-module-missing": "data sets without a SOP class, where ours goes by the file meta",
    "charset-unknown": "neither has a table of character sets",
    "charset-undecodable": "neither decodes",
    "charset-undeclared": "neither decodes",
}


class Result(NamedTuple):
    """What all say of one file.

    theirs   messages by validator; crashed has those that failed on the file
    """

    name: str
    ours: list[Finding]
    theirs: dict[str, list[str]]
    crashed: frozenset[str]

    def is_accepted(self) -> bool:
        """Whether neither of the others has an error."""
        return not self.crashed and not any(map(errors_of, self.theirs.values()))


def errors_of(lines: list[str]) -> list[str]:
    """Return the messages that are errors; dicom-validator has no others."""
    return [line for line in lines if not line.startswith("Warning")]


def results(folder: Path) -> Iterator[Result]:
    """Validate every file with all of them."""
    made = []
    for name, make in KINDS.items():
        path = folder / f"generated {name}.dcm"
        path.write_bytes(file(make()))
        made.append(path)
    verify, check, validator = program("dciodvfy"), FileCheck(), make_validator()
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
        said = messages(validator, path)
        crashed = {DCIODVFY: done.returncode < 0, DICOM_VALIDATOR: said is None}
        yield Result(
            path.name,
            checked.findings,
            {DCIODVFY: lines, DICOM_VALIDATOR: said or []},
            frozenset(name for name, has_crashed in crashed.items() if has_crashed),
        )


def kind_of(validator: str, line: str) -> Kind | None:
    """Return the kind of a message."""
    return next((kind for kind in KINDS_OF[validator] if kind.pattern.search(line)), None)


def same(line: str, kind: Kind, ours: list[Finding]) -> list[Finding]:
    """Return our findings that say it too: of the same element, where the message names one."""
    found = [finding for finding in ours if finding.rule in kind.rules]
    element = re.search(r"Element=<(\w+)>", line)
    module = re.search(r"Module=<(\w+)>", line)
    tag = re.search(r"\(0x([0-9a-f]{4}),0x([0-9a-f]{4})\)", line)
    if element is None and tag is None:
        return found
    matching = []
    name = module.group(1).lower() if module else ""
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


class Tally:
    """How often a rule or a kind of message was met, and in which files."""

    def __init__(self) -> None:
        self.count = 0
        self.files: set[str] = set()

    def add(self, name: str, count: int = 1) -> None:
        """Count it in a file."""
        self.count += count
        self.files.add(name)

    def where(self) -> str:
        """Return the number of files, and their names when they are few."""
        few = f" ({', '.join(sorted(self.files))})" if len(self.files) < 5 else ""
        return f"{len(self.files)}{few}"


Tallies = dict[str, Tally]


class Comparison:
    """Who finds what.

    shared   by the others that say it too, and by rule: our findings
    theirs   by validator and kind: their messages that ours does not say
    """

    def __init__(self, all_results: list[Result]) -> None:
        self.results = all_results
        self.shared: dict[frozenset[str], Tallies] = defaultdict(lambda: defaultdict(Tally))
        self.theirs: dict[str, Tallies] = {
            name: defaultdict(Tally) for name in (DCIODVFY, DICOM_VALIDATOR)
        }
        self._unexplained: list[str] = []
        for result in all_results:
            self._count(result)
        only_ours = self.shared[frozenset()]
        self._unexplained += [rule for rule in only_ours if rule not in OURS_ONLY]
        if self._unexplained:
            raise SystemExit("not explained:\n" + "\n".join(self._unexplained))

    def _count(self, result: Result) -> None:
        sayers: dict[int, set[str]] = defaultdict(set)
        for validator, lines in result.theirs.items():
            for line in lines:
                kind = kind_of(validator, line)
                found = same(line, kind, result.ours) if kind else []
                for finding in found:
                    sayers[id(finding)].add(validator)
                if kind is None or not (found or kind.difference):
                    self._unexplained.append(f"{result.name}: {validator}: {line}")
                elif not found:
                    self.theirs[validator][kind.name].add(result.name)
        for finding in result.ours:
            self.shared[frozenset(sayers[id(finding)])][finding.rule].add(result.name)


def compare(all_results: list[Result]) -> str:
    """Return the document."""
    told = Comparison(all_results)
    lines = [*_head(all_results), *_accepted(all_results)]
    for title, sayers in (
        ("Findings of all three", {DCIODVFY, DICOM_VALIDATOR}),
        ("Findings of `pacs validate` and dciodvfy", {DCIODVFY}),
        ("Findings of `pacs validate` and dicom-validator", {DICOM_VALIDATOR}),
    ):
        lines += ["", f"## {title}", "", "| rule | findings | files |", "|---|---|---|"]
        for rule, tally in _by_count(told.shared[frozenset(sayers)]):
            lines.append(f"| {_rule(rule)} | {tally.count} | {len(tally.files)} |")
    lines += ["", "## Only `pacs validate`", "", "| rule | files | why |", "|---|---|---|"]
    for rule, tally in _by_count(told.shared[frozenset()]):
        lines.append(f"| {_rule(rule)} | {tally.where()} | {OURS_ONLY[rule]} |")
    for validator, tallies in told.theirs.items():
        kinds = {kind.name: kind for kind in KINDS_OF[validator]}
        lines += ["", f"## Only {validator}", ""]
        lines += [f"| {validator} says | findings | files | why |", "|---|---|---|---|"]
        for name, tally in _by_count(tallies):
            lines.append(f"| {name} | {tally.count} | {tally.where()} | {kinds[name].difference} |")
    return "\n".join(lines) + "\n"


def _by_count(tallies: Tallies) -> list[tuple[str, Tally]]:
    return sorted(tallies.items(), key=lambda row: (-row[1].count, row[0]))


def _rule(name: str) -> str:
    return f"[{name}](rules/{name}.md)"


def _head(all_results: list[Result]) -> list[str]:
    generated = [r for r in all_results if r.name.startswith("generated ")]
    crashed = {
        validator: [r.name for r in all_results if validator in r.crashed] for validator in KINDS_OF
    }
    return [
        "# `pacs validate` beside other validators",
        "",
        "Written by `python -m tests.bench.validators`, which fails on a difference that it cannot",
        "explain. One finding is one message about one element of one file.",
        "",
        f"- {len(all_results)} files: all DICOM files of pydicom {pydicom.__version__}, "
        f"and {len(generated)} objects made by `tests/validation/objects.py`: "
        f"{', '.join(KINDS)}.",
        f"- dciodvfy of Debian's dicom3tools, which aborts on {len(crashed[DCIODVFY])} of them: "
        f"{', '.join(crashed[DCIODVFY])}.",
        f"- dicom-validator {version('dicom-validator')} (PyPI), which fails on "
        f"{len(crashed[DICOM_VALIDATOR])} of them. It downloads",
        "  the DocBook of the standard first, which a test cannot: its engine has the tables of",
        "  this project (`tests/bench/dicom_validator.py`). They have no words of conditions, so",
        "  it knows types 1 and 2, mandatory modules and values; where it agrees, the tables are",
        "  read alike, not right. That says dciodvfy, whose tables are its own.",
    ]


def _accepted(all_results: list[Result]) -> list[str]:
    accepted = [r for r in all_results if r.is_accepted()]
    disputed = [
        (r.name, finding) for r in accepted for finding in r.ours if finding.severity == "error"
    ]
    names = {name for name, _ in disputed}
    lines = [
        "",
        "## Files that both others accept",
        "",
        f"Neither has an error on {len(accepted)} files. `pacs validate` has errors on "
        f"{len(names)} of these, each a sentence of the standard:",
        "",
        "| file | rule | |",
        "|---|---|---|",
    ]
    for name, finding in disputed:
        lines.append(f"| {name} | {_rule(finding.rule)} | {finding.place} {finding.message} |")
    return lines


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pacs-compare-") as name:
        text = compare(list(results(Path(name))))
    if "--stdout" in sys.argv[1:]:
        print(text, end="")
    else:
        TARGET.write_text(text, encoding="utf-8")
