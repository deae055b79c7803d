"""Many files: what one process tells another, whole patients, and what stays in mind."""

from __future__ import annotations

import random
from pathlib import Path

import pydicom
import pytest

from pacs_cli.pipelines.deid.keys import Keys
from pacs_cli.pipelines.deid.policy import make_policy
from pacs_cli.pipelines.deid.run import Run
from pacs_cli.pipelines.deid.work import Settings
from pacs_cli.pipelines.files import find_files
from tests.pipelines.deid.objects import KEY, dataset, write
from tests.writing import element


def run(folder, out, jobs=1, **policy):
    settings = Settings(make_policy(**policy), Keys(KEY), out)
    return list(Run(settings, jobs).run(find_files([str(folder)])))


@pytest.mark.parametrize("jobs", [1, 2])
def test_outcomes_come_in_the_order_of_the_files(jobs, tmp_path):
    for number in range(100):
        uid = f"1.2.3.{number + 1}"
        write(tmp_path / "in" / f"{number:03}.dcm", dataset(uid=uid), uid)
    (tmp_path / "in" / "050.txt").write_text("no image, whatever else it may be\n" * 9)
    outcomes = run(tmp_path / "in", tmp_path / "out", jobs)
    assert [outcome.path for outcome in outcomes] == sorted(o.path for o in outcomes)
    assert [outcome.code for outcome in outcomes if outcome.code] == ["not-dicom"]
    assert len({outcome.output for outcome in outcomes}) == 101


def test_every_patient_has_a_pseudonym_and_a_shift_of_its_own(tmp_path):
    for number in range(6):
        patient = element(0x00100020, "LO", f"MRN-{number % 3}")
        uid = f"1.2.3.{number + 1}"
        write(tmp_path / "in" / f"{number}.dcm", dataset(patient, uid=uid), uid)
    outcomes = run(tmp_path / "in", tmp_path / "out", retain=["modified-dates"])
    read = [pydicom.dcmread(str(outcome.output)) for outcome in outcomes]
    seen = [(each.PatientID, each.StudyDate) for each in read]
    assert seen[:3] == seen[3:]
    assert len({pseudonym for pseudonym, _ in seen}) == 3
    assert len({shift for _, shift in seen}) == 3


def test_parts_that_differ_from_the_file_before_are_seen(tmp_path):
    # the same length, another length, one element more, one less, another order of parts
    changes = [
        [element(0x00180050, "DS", "1.25")],
        [element(0x00180050, "DS", "2.50")],
        [element(0x00180050, "DS", "12.5000")],
        [element(0x00180050, "DS", "1.25"), element(0x00181030, "LO", "Querx protocol")],
        [],
        [element(0x00180050, "DS", "1.25"), element(0x00180060, "DS", "120")],
        [element(0x00080005, "CS", "ISO_IR 192"), element(0x00080070, "LO", "Grün & Söhne")],
        [element(0x00180050, "DS", "1.25")],
    ]
    for number, more in enumerate(changes):
        uid = f"1.2.3.{number + 1}"
        write(tmp_path / "in" / f"{number}.dcm", dataset(*more, uid=uid), uid)
    together = run(tmp_path / "in", tmp_path / "out")
    for number, outcome in enumerate(together):
        (alone,) = run(tmp_path / "in" / f"{number}.dcm", tmp_path / f"alone{number}")
        with open(outcome.output, "rb") as one, open(alone.output, "rb") as other:  # noqa: PTH123
            assert one.read() == other.read(), number


def test_every_file_of_a_long_series_is_as_if_it_were_alone(tmp_path):
    chosen = random.Random(7)
    values = {
        0x00080005: ("CS", ["ISO_IR 100", "ISO_IR 192"], 0.02),
        0x00080021: ("DA", ["20260102", "20260103"], 0.05),
        0x00080070: ("LO", ["Acme", "Acme & Sons", "Gr\xfcn"], 0.03),
        0x00081030: ("LO", ["Querx protocol", "Another one"], 0.1),
        0x00100020: ("LO", ["ID-1234567"], 0),
        0x00180050: ("DS", ["1.25", "2.5", "12.5000"], 0.3),
        0x00180060: ("DS", ["120", "100"], 0.02),
        0x00200013: ("IS", [str(number) for number in range(1000)], 1),
        0x00280030: ("DS", ["1\\1", "2\\2"], 0.01),
        0x00190010: ("LO", ["ACME 1.1", "ACME 1.2"], 0.05),
        0x00191001: ("LO", ["Querx private", "Others of it"], 0.3),
    }
    now = {tag: options[0] for tag, (_, options, _) in values.items()}
    for number in range(200):
        for tag, (_, options, often) in values.items():
            if chosen.random() < often:
                now[tag] = chosen.choice(options)
        left_out = chosen.choice([*values]) if chosen.random() < 0.1 else None
        more = [element(tag, values[tag][0], now[tag]) for tag in values if tag != left_out]
        uid = f"1.2.3.{number + 1}"
        write(tmp_path / "in" / f"{number:03}.dcm", dataset(*more, uid=uid), uid)
    together = run(tmp_path / "in", tmp_path / "out")
    assert len(together) == 200
    for outcome in together:
        (alone,) = run(outcome.path, tmp_path / "alone")
        assert alone.code == outcome.code == ""
        one, other = Path(outcome.output).read_bytes(), Path(alone.output).read_bytes()
        assert one == other, outcome.path


def test_value_that_stays_the_same_in_a_series_is_still_searched_for(tmp_path):
    """What is known of a part that stays counts for what changes beside it."""
    for number in range(100):
        uid, is_last = f"1.2.3.{number + 1}", number == 99
        comment = "seen by Querxmann" if is_last else f"slice {number}"
        more = element(0x00081050, "PN", "Querxmann^Petra"), element(0x0018106A, "CS", comment)
        write(tmp_path / "in" / f"{number:03}.dcm", dataset(*more, uid=uid), uid)
    outcomes = run(tmp_path / "in", tmp_path / "out")
    assert [outcome.code for outcome in outcomes] == [""] * 99 + ["residual"]


def test_safe_harbor_tells_no_age_of_90_and_no_birth_date(tmp_path):
    for number, age in enumerate(("045Y", "093Y")):
        uid = f"1.2.3.{number + 1}"
        data = dataset(element(0x00101010, "AS", age), uid=uid)
        write(tmp_path / "in" / f"{number}.dcm", data, uid)
    outcomes = run(
        tmp_path / "in", tmp_path / "out", profile="safe-harbor", retain=["patient", "full-dates"]
    )
    young, old = (pydicom.dcmread(str(outcome.output)) for outcome in outcomes)
    assert (young.PatientAge, young.PatientBirthDate, young.StudyDate) == ("045Y", "", "20260102")
    assert "PatientAge" not in old


@pytest.mark.parametrize(
    "rule",
    [
        "StudyInstanceUID = replace:1.2.9",
        "SOPInstanceUID = replace:1.2.9",
        "SeriesInstanceUID = replace:../../etc",
    ],
)
def test_rule_for_a_uid_counts_for_file_meta_and_names(rule, tmp_path):
    study = "1.2.826.0.1.3680043.10.2"
    write(tmp_path / "in" / "a.dcm", dataset(uid="1.2.3.77"), "1.2.3.77")
    (outcome,) = run(tmp_path / "in", tmp_path / "out", rules=[rule])
    read = pydicom.dcmread(str(outcome.output))
    assert read.file_meta.MediaStorageSOPInstanceUID == read.SOPInstanceUID
    told = str(outcome.output).removeprefix(str(tmp_path))
    assert not [old for old in (f"/{study}/", "1.2.3.77", "..", "etc") if old in told]


def test_uid_of_several_values_does_not_name_a_folder(tmp_path):
    twice = element(0x0020000D, "UI", "1.2.3.444\\1.2.3.555")
    write(tmp_path / "in" / "a.dcm", dataset(twice))
    (outcome,) = run(tmp_path / "in", tmp_path / "out")
    assert "1.2.3.444" not in str(outcome.output)


def test_link_stays_a_link_in_place(tmp_path):
    path = write(tmp_path / "real" / "a.dcm", dataset())
    link = tmp_path / "link.dcm"
    link.symlink_to(path)
    settings = Settings(make_policy(), Keys(KEY), None, in_place=True)
    (outcome,) = Run(settings).run(find_files([str(link)]))
    assert outcome.code == ""
    assert link.is_symlink()
    assert pydicom.dcmread(path).PatientIdentityRemoved == "YES"


def test_rule_that_takes_what_must_be_there_is_withheld(tmp_path):
    write(tmp_path / "in" / "a.dcm", dataset())
    (outcome,) = run(tmp_path / "in", tmp_path / "out", rules=["StudyInstanceUID = remove"])
    assert (outcome.output, outcome.code) == (None, "types")
