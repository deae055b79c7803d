"""Results as documents for CI systems: JUnit XML, SARIF 2.1.0, and the baseline."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pacs_cli.errors import InputError, OutputError
from pacs_cli.pipelines.validation.findings import Finding
from pacs_cli.pipelines.validation.rule import Rule, Severity
from pacs_cli.pipelines.validation.rules import RULES
from pacs_cli.pipelines.validation.run import Validated
from pacs_cli.pipelines.whole import WholeFile

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_BASELINE_VERSION = 1

#: What XML 1.0 cannot hold; names of files can.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sentence(finding: Finding) -> str:
    """Return a finding on one line: where, and what is wrong."""
    where = " ".join(filter(None, (finding.place, finding.keyword)))
    times = f" ({finding.times} times)" if finding.times > 1 else ""
    return f"{where}: {finding.message}{times}" if where else f"{finding.message}{times}"


def write(path: Path, text: str) -> None:
    """Write a document, into a device or whole in place of a file; OutputError if that fails."""
    if path.exists() and not path.is_file():
        try:
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise OutputError(f"cannot write {path}: {reason}") from None
        return
    document = WholeFile(path, errors="backslashreplace")
    try:
        document.write(text)
    except OutputError:
        document.discard()
        raise
    document.finish()


def junit(results: Sequence[Validated], fails: Iterable[Severity]) -> str:
    """Return JUnit XML: a test suite, a test case for each file and each rule that it breaks.

    fails  the severities that are failures; others stand in system-out
    """
    failing = frozenset(fails)
    cases: list[str] = []
    failures = 0
    for result in results:
        name = _attribute(result.path)
        by_rule: dict[str, list[Finding]] = {}
        for finding in result.findings:
            by_rule.setdefault(finding.rule, []).append(finding)
        if not by_rule:
            cases.append(f'  <testcase classname={name} name="valid"/>')
        for rule, findings in by_rule.items():
            text = _xml("\n".join(map(sentence, findings)))
            head = f"  <testcase classname={name} name={_attribute(rule)}>"
            if RULES[rule].severity in failing:
                failures += 1
                title = _attribute(RULES[rule].title)
                kind = _attribute(str(RULES[rule].severity))
                body = f"<failure type={kind} message={title}>{text}</failure>"
            else:
                body = f"<system-out>{text}</system-out>"
            cases.append(f"{head}{body}</testcase>")
    count = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="0"'
    return "\n".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="pacs validate" {count}>',
            f' <testsuite name="pacs validate" {count}>',
            *cases,
            " </testsuite>",
            "</testsuites>",
            "",
        )
    )


def _xml(text: str) -> str:
    return escape(_NOT_XML.sub("?", text))


def _attribute(text: str) -> str:
    """Return an attribute's value in quotes; line ends in it would be read as spaces."""
    value = _xml(text).replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")
    return f'"{value}"'


def sarif(results: Sequence[Validated], version: str) -> str:
    """Return a SARIF 2.1.0 log with a result for each finding; the rules that were broken in it.

    Paths that are relative are told relative to the folder in which it ran, as code scanning wants.
    """
    broken = {finding.rule for result in results for finding in result.findings}
    rules = [rule for rule in RULES.values() if rule.id in broken]
    numbers = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": "pacs validate",
        "version": version,
        "informationUri": "https://www.dicomstandard.org/current",
        "rules": [_descriptor(rule) for rule in rules],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(result.path, finding, numbers[finding.rule])
            for result in results
            for finding in result.findings
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.explanation} Source: {rule.source}."},
        "help": {"text": f"{rule.explanation} See DICOM {rule.source}."},
        "defaultConfiguration": {"level": str(rule.severity)},
        "properties": {"tags": ["DICOM", rule.source]},
    }


def _result(path: str, finding: Finding, number: int) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(path)},
            # the files are binary, but code scanning shows only what has a region
            "region": {"startLine": 1},
        }
    }
    if finding.place:
        place = {"fullyQualifiedName": finding.place, "kind": "element"}
        location["logicalLocations"] = [place]
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": str(finding.severity),
        "message": {"text": sentence(finding)},
        "locations": [location],
        "partialFingerprints": {"pacsValidate/v1": finding.fingerprint},
        "occurrenceCount": finding.times,
    }


def _uri(path: str) -> str:
    encoded = quote(path.encode("utf-8", "surrogateescape"), safe="/~!$&'()*+,;=@")
    return f"file://{encoded}" if path.startswith("/") else encoded.removeprefix("./")


class Baseline:
    """Findings that are known, by file: what is as it was is not reported again."""

    def __init__(self, known: dict[str, Counter[str]]) -> None:
        self._known = known

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read one that `dump` wrote; InputError when it is none."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["version"] != _BASELINE_VERSION:
                raise ValueError(f"version {content['version']}")
            known = {file: Counter(map(str, each)) for file, each in content["files"].items()}
        except OSError as error:
            raise InputError(f"cannot read the baseline {path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"cannot read the baseline {path}: it is none ({error})") from None
        return cls(known)

    @staticmethod
    def dump(results: Iterable[Validated]) -> str:
        """Return the text of a baseline that knows all these findings."""
        files: dict[str, list[str]] = {}
        for result in results:
            if result.findings:
                prints = [finding.fingerprint for finding in result.findings]
                files.setdefault(_surrogates_escaped(result.path), []).extend(prints)
        content = {
            "version": _BASELINE_VERSION,
            "files": {k: sorted(files[k]) for k in sorted(files)},
        }
        return json.dumps(content, indent=1) + "\n"

    def new(self, result: Validated) -> list[Finding]:
        """Return the findings that are not known; each known one is known once."""
        known = self._known.get(_surrogates_escaped(result.path), Counter())
        fresh = []
        for finding in result.findings:
            if known[finding.fingerprint] > 0:
                known[finding.fingerprint] -= 1
            else:
                fresh.append(finding)
        return fresh


def _surrogates_escaped(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode()
