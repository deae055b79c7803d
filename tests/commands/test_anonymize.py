"""`pacs anonymize` through its entry point: what is released, withheld and said."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from pacs_cli.pipelines.deid.policy import Kind
from tests.pipelines.deid.objects import BIRTH, NAME, PATIENT_ID, dataset, write
from tests.writing import element

SECRETS = [NAME, *NAME.split("^"), PATIENT_ID, BIRTH, "ACC-55221", "SECRETAET", "PREAMBLESECRET"]
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    for number in range(3):
        uid = f"1.2.3.{number + 1}"
        write(folder / f"{number}.dcm", dataset(uid=uid), uid)
    return folder


def outputs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def said(result) -> str:
    return result.stdout + result.stderr


def test_folder_is_released_and_nothing_of_the_patient_is_left(pacs, scans, tmp_path):
    before = {path: path.read_bytes() for path in outputs(scans)}
    result = pacs("anonymize", scans, tmp_path / "out", "--report", tmp_path / "report.json", "-v")
    assert result.exit == 0, result
    written = outputs(tmp_path / "out")
    assert len(written) == 3
    for path in [*written, tmp_path / "report.json"]:
        for secret in SECRETS:
            assert secret.encode() not in path.read_bytes()
            assert secret not in str(path.relative_to(tmp_path))
            assert secret not in said(result)
    assert before == {path: path.read_bytes() for path in outputs(scans)}


def test_output_says_what_was_done_to_it(pacs, scans, tmp_path):
    assert pacs("anonymize", scans, tmp_path / "out", "--retain", "modified-dates").exit == 0
    read = pydicom.dcmread(outputs(tmp_path / "out")[0])
    assert read.PatientIdentityRemoved == "YES"
    assert read.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [
        (item.CodeValue, item.CodingSchemeDesignator)
        for item in read.DeidentificationMethodCodeSequence
    ]
    assert codes == [("113100", "DCM"), ("113107", "DCM")]
    assert "2024e" in read.DeidentificationMethod[0]
    assert read.preamble == bytes(128)
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    assert "SourceApplicationEntityTitle" not in read.file_meta
    assert read.PatientID == str(read.PatientName)
    assert read.SOPInstanceUID.startswith("2.25.")


def test_withheld_file_is_listed_and_the_others_go_on(pacs, scans, tmp_path):
    (scans / "notes.txt").write_text("no image at all, but long enough to have been one\n" * 9)
    whole = (scans / "0.dcm").read_bytes()
    (scans / "cut.dcm").write_bytes(whole[:-30])
    write(scans / "letter.dcm", dataset(uid="1.2.3.8", sop_class=PDF), "1.2.3.8", PDF)
    write(scans / "odd.dcm", dataset(uid="1.2.3.9", sop_class="1.3.9.9"), "1.2.3.9", "1.3.9.9")
    report, quarantine = tmp_path / "report.json", tmp_path / "quarantine"
    result = pacs(
        "anonymize",
        scans,
        tmp_path / "out",
        "--json",
        "--report",
        report,
        "--quarantine",
        quarantine,
    )
    assert result.exit == 1, result
    codes = {Path(line["path"]).name: line["code"] for line in result.json[:-1] if line["code"]}
    assert codes == {
        "notes.txt": "not-dicom",
        "cut.dcm": "unparseable",
        "letter.dcm": "document",
        "odd.dcm": "unknown-class",
    }
    assert (result.json[-1]["released"], result.json[-1]["withheld"]) == (3, 4)
    assert {path.name for path in outputs(quarantine)} == set(codes)
    told = json.loads(report.read_text())
    assert told["totals"]["by_code"]["document"] == 1
    assert len(told["files"]) == 7
    assert told["policy"]["digest"] == result.json[-1]["policy"]


def test_nothing_usable_is_bad_input(pacs, tmp_path):
    (tmp_path / "in").mkdir()
    assert pacs("anonymize", tmp_path / "in", tmp_path / "out").exit == 6
    (tmp_path / "in" / "notes.txt").write_text("no image, whatever else it may be\n" * 9)
    assert pacs("anonymize", tmp_path / "in", tmp_path / "out").exit == 6
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "typed",
    [
        ("--retain", "uuids"),
        ("--clean", "everything"),
        ("--profile", "basci"),
        ("--rule", "PatientNam = keep"),
        ("--rule", "PatientName = kepe"),
        ("--rule", "PatientName"),
        ("--rule", "PatientName = replace"),
        ("--rule", '0009,xx01:"X" = wipe'),
        ("--rule", '0008,xx01:"X" = keep'),
        ("--date-shift", "never"),
        ("--date-shift", "5:1"),
        ("--burned-in", "perhaps"),
        ("--documents", "burn"),
        ("--names", "real"),
        ("--retain", "full-dates,modified-dates"),
        ("--diff",),
    ],
    ids=" ".join,
)
def test_mistyped_policy_is_a_usage_error_and_nothing_is_written(pacs, scans, tmp_path, typed):
    result = pacs("anonymize", scans, tmp_path / "out", *typed)
    assert result.exit == 2, result
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_output_that_cannot_be_written_is_exit_7(pacs, scans, tmp_path):
    (tmp_path / "out").write_text("a file where the folder should be")
    assert pacs("anonymize", scans, tmp_path / "out").exit == 7


def test_same_key_gives_the_same_files_another_none_of_the_uids(pacs, scans, tmp_path):
    def run(name: str, *more: object) -> dict[str, bytes]:
        assert pacs("anonymize", scans, tmp_path / name, *more).exit == 0
        folder = tmp_path / name
        return {str(path.relative_to(folder)): path.read_bytes() for path in outputs(folder)}

    first = run("a", "--save-key", tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert run("b", "--key-file", tmp_path / "key", "-j", "2") == first
    assert not {*run("c")} & {*first}
    # again to the same place: the same files, so all is well
    assert run("a", "--key-file", tmp_path / "key") == first


def test_key_of_the_environment_is_used_and_a_short_one_refused(pacs, scans, tmp_path):
    for name in ("a", "b"):
        env = {"PACS_ANON_KEY": "sixteen characters and more"}
        assert pacs("anonymize", scans, tmp_path / name, env=env).exit == 0
    names = [{path.name for path in outputs(tmp_path / name)} for name in ("a", "b")]
    assert names[0] == names[1]
    short = pacs("anonymize", scans, tmp_path / "c", env={"PACS_ANON_KEY": "short"})
    assert short.exit == 2


def test_different_objects_of_one_uid_are_reported_and_not_merged(pacs, tmp_path):
    write(tmp_path / "in" / "a.dcm", dataset(element(0x00280010, "US", b"\x01\0")))
    write(tmp_path / "in" / "b.dcm", dataset(element(0x00280010, "US", b"\x02\0")))
    write(tmp_path / "in" / "c.dcm", dataset(element(0x00280010, "US", b"\x01\0")))
    result = pacs("anonymize", tmp_path / "in", tmp_path / "out", "--json")
    assert result.exit == 1
    codes = [line["code"] for line in result.json[:-1]]
    assert codes == [None, "exists", None]
    assert pydicom.dcmread(outputs(tmp_path / "out")[0]).Rows == 1


def test_report_takes_the_place_of_a_file_and_of_nothing_else(pacs, scans, tmp_path):
    fifo, link = tmp_path / "fifo", tmp_path / "link.json"
    os.mkfifo(fifo)
    result = pacs("anonymize", scans, tmp_path / "out", "--report", fifo)
    assert (result.exit, stat.S_ISFIFO(fifo.stat().st_mode)) == (7, True)
    assert "not a regular file" in result.stderr
    link.symlink_to(tmp_path / "real.json")
    assert pacs("anonymize", scans, tmp_path / "out", "--report", link).exit == 0
    assert link.is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["totals"]["withheld"] == 0


def test_mapping_is_for_its_owner_alone_and_never_overwrites(pacs, scans, tmp_path):
    mapping = tmp_path / "mapping.csv"
    assert pacs("anonymize", scans, tmp_path / "out", "--mapping-out", mapping).exit == 0
    assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
    rows = list(csv.DictReader(mapping.read_text().splitlines()))
    read = pydicom.dcmread(outputs(tmp_path / "out")[0])
    patients = [row for row in rows if row["kind"] == "patient"]
    assert [(row["old"], row["new"]) for row in patients] == [(PATIENT_ID, read.PatientID)]
    assert {row["old"] for row in rows if row["kind"] == "uid"} >= {"1.2.3.1", "1.2.3.2", "1.2.3.3"}
    assert pacs("anonymize", scans, tmp_path / "out2", "--mapping-out", mapping).exit == 7


def test_patient_map_names_and_shifts(pacs, scans, tmp_path):
    table = tmp_path / "map.csv"
    table.write_text(f"old,new,shift\n{PATIENT_ID},TRIAL-1,-10\n")
    options = ("--patient-map", table, "--retain", "modified-dates", "--names", "pseudonym")
    assert pacs("anonymize", scans, tmp_path / "out", *options).exit == 0
    read = pydicom.dcmread(outputs(tmp_path / "out")[0])
    assert (read.PatientID, read.StudyDate, read.StudyTime) == ("TRIAL-1", "20251223", "101112")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["TRIAL-1"]
    table.write_text(f"{PATIENT_ID},TRIAL-1,soon\n")
    assert pacs("anonymize", scans, tmp_path / "out3", *options).exit == 2


def test_dry_run_writes_nothing_and_the_diff_tells_no_value(pacs, scans, tmp_path):
    result = pacs("anonymize", scans, tmp_path / "out", "--dry-run", "--diff")
    assert result.exit == 0
    assert not (tmp_path / "out").exists()
    assert "PatientName PN pseudonym" in result.stdout
    assert "PatientBirthDate DA empty (basic Z)" in result.stdout
    assert not [secret for secret in SECRETS if secret in said(result)]
    lines = pacs("anonymize", scans, tmp_path / "out", "--dry-run", "--diff", "--json").json
    assert {line["action"] for line in lines if line["type"] == "change"} >= {"empty", "new uid"}


def test_in_place_replaces_what_can_be_proven_and_leaves_the_rest(pacs, scans):
    (scans / "notes.txt").write_text("no image, whatever else it may be\n" * 9)
    names = [path.name for path in outputs(scans)]
    result = pacs("anonymize", scans, "--in-place")
    assert result.exit == 1
    assert [path.name for path in outputs(scans)] == names
    for path in scans.glob("*.dcm"):
        assert NAME.encode() not in path.read_bytes()
        assert pydicom.dcmread(path).PatientIdentityRemoved == "YES"
    assert "no image" in (scans / "notes.txt").read_text()


def test_one_file_to_one_file(pacs, scans, tmp_path):
    target = tmp_path / "one.dcm"
    assert pacs("anonymize", scans / "0.dcm", target).exit == 0
    assert pydicom.dcmread(target).PatientIdentityRemoved == "YES"
    # what is there is of another key, and stays
    before = target.read_bytes()
    assert pacs("anonymize", scans / "0.dcm", target).exit == 1
    assert target.read_bytes() == before


def test_dicomdir_is_not_copied(pacs, scans, tmp_path):
    assert pacs("index", "dicomdir", scans, "--copy-to", tmp_path / "disc").exit == 0
    result = pacs("anonymize", tmp_path / "disc", tmp_path / "out", "--json")
    assert result.exit == 0, result
    assert result.json[-1]["released"] == 3
    assert not [path for path in outputs(tmp_path / "out") if "DICOMDIR" in path.name]
    named = pacs("anonymize", tmp_path / "disc" / "DICOMDIR", tmp_path / "named", "--json")
    assert (named.exit, named.json[-1]["released"]) == (0, 3)


# -- explain ---------------------------------------------------------------------------------------


def test_explain_shows_every_attribute_in_every_form(pacs):
    text = pacs("anonymize", "--explain")
    assert text.exit == 0
    assert "(0010,0010)\tPatientName\tPN\tpseudonym" in text.stdout
    assert "(60XX,3000)" in text.stdout
    lines = pacs("anonymize", "--explain", "--json").json
    assert len([line for line in lines if line["type"] == "attribute"]) == 655
    assert lines[-1]["methods"] == {"113100": "Basic Application Confidentiality Profile"}
    markdown = pacs("anonymize", "--explain", "--format", "markdown", "--profile", "tcia").stdout
    assert "| (0010,0040) | PatientSex | CS | keep | patient K |" in markdown
    assert "| (0008,0020) | StudyDate | DA | shift | modified_dates C |" in markdown
    assert pacs("anonymize", "--explain", "--format", "html").exit == 2


def test_every_kind_of_decision_has_a_word(pacs):
    from pacs_cli.pipelines.deid.explain import action

    assert len({action(kind) for kind in Kind}) == len(Kind)


# -- verify ----------------------------------------------------------------------------------------


def test_verify_proves_what_was_written_and_finds_what_another_left(pacs, scans, tmp_path):
    assert pacs("anonymize", scans, tmp_path / "out").exit == 0
    result = pacs("anonymize", "verify", scans, tmp_path / "out", "--json")
    assert result.exit == 0, result
    assert result.json[-1] == {"type": "summary", "proven": 3, "failed": 0}
    path = outputs(tmp_path / "out")[0]
    read = pydicom.dcmread(path)
    read.ImageComments = "seen by Dr. Marmalade"
    read.save_as(path)
    result = pacs("anonymize", "verify", scans, tmp_path / "out")
    assert result.exit == 1
    assert "stands in ImageComments" in result.stdout
    assert "Marmalade" not in said(result)
    assert pacs("anonymize", "verify", scans).exit == 2
    assert pacs("anonymize", "verify", scans, tmp_path / "none").exit == 6


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda d: setattr(d, "StudyDate", "20260102"),
            "StudyDate has a value that should be gone",
        ),
        (
            lambda d: setattr(d, "SeriesInstanceUID", "1.2.826.0.1.3680043.10.3"),
            "SeriesInstanceUID",
        ),
        (lambda d: delattr(d, "PatientSex"), "PatientSex is of a mandatory module, and gone"),
        (lambda d: setattr(d, "PixelData", b"\1\1" * 32), "its pixel data is other"),
        (lambda d: delattr(d, "PatientIdentityRemoved"), "PatientIdentityRemoved is not YES"),
        (lambda d: setattr(d, "preamble", b"x" * 128), "its preamble is not empty"),
    ],
)
def test_verify_tells_what_is_wrong(pacs, scans, tmp_path, spoil, words):
    source, target = scans / "0.dcm", tmp_path / "one.dcm"
    assert pacs("anonymize", source, target).exit == 0
    assert pacs("anonymize", "verify", source, target).exit == 0
    read = pydicom.dcmread(target)
    spoil(read)
    read.save_as(target)
    result = pacs("anonymize", "verify", source, target)
    assert result.exit == 1
    assert words in result.stdout


# -- policy files ----------------------------------------------------------------------------------


def test_policy_file_is_the_policy_and_its_digest_tells_it(pacs, scans, tmp_path):
    policy = tmp_path / "trial.toml"
    policy.write_text(
        'profile = "basic"\nretain = ["patient"]\nrules = ["StudyID = replace:TRIAL"]\n'
        'safe_private = [\'0009,xx01:"MADE UP"\']\ndate_shift = "-7"\n'
    )
    result = pacs("anonymize", scans, tmp_path / "out", "--profile", policy, "--json")
    assert result.exit == 0, result
    read = pydicom.dcmread(outputs(tmp_path / "out")[0])
    assert (read.StudyID, read.PatientSex) == ("TRIAL", "F")
    digest = result.json[-1]["policy"]
    assert digest in read.DeidentificationMethod[1]
    policy.write_text(policy.read_text().replace("TRIAL", "OTHER"))
    other = pacs("anonymize", scans, tmp_path / "out2", "--profile", policy, "--json")
    assert other.json[-1]["policy"] != digest
    policy.write_text('retian = ["uids"]\n')
    mistyped = pacs("anonymize", scans, tmp_path / "out3", "--profile", policy)
    assert mistyped.exit == 2
    assert "did you mean retain?" in mistyped.stderr
    assert pacs("anonymize", scans, tmp_path / "o", "--profile", tmp_path / "no.toml").exit == 6


def test_entry_point_runs(scans, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pacs_cli", "anonymize", str(scans), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("released 3, withheld 0; policy ")
