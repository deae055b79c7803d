"""Options of what works on files, and of jobs, that no other test uses."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from pacs_cli.dicom.part10 import file_meta
from pacs_cli.jobs.file import JobFile
from tests import samples
from tests.conftest import Pacs
from tests.contract.scenarios import Place
from tests.support import CT, EXPLICIT
from tests.writing import STUDY, dataset, element, write_object

IMAGE = next(path for path in samples.every_file() if path.name == "CT_small.dcm")


# -- index -----------------------------------------------------------------------------------------


@pytest.fixture
def index(place: Place, tmp_path: Path) -> Path:
    """An index of the scans, in a file elsewhere."""
    path = tmp_path / "all.db"
    place.instead("index", "add", place.scans, "--db", path)
    return path


def test_index_that_is_named_is_asked_exported_pruned_and_made_again(
    pacs: Pacs, place: Place, index: Path
):
    assert pacs("index", "find", "--db", index, "--json").json[-1]["matches"] == 1
    (place.scans / "ct.dcm").unlink()
    assert pacs("index", "prune", "--db", index, "--json").json[-1]["removed"] == 1
    assert len(pacs("index", "export", "--db", index, "--json").json) == 1
    write_object(place.scans / "ct.dcm", CT, "1.2.3.1")
    rebuilt = pacs("index", "rebuild", "--db", index, "--jobs", 2, "--json").json[-1]
    assert (rebuilt["index"], rebuilt["added"]) == (str(index), 2)


def test_index_is_asked_for_what_is_typed_alone_and_in_the_dicom_json_model(
    pacs: Pacs, index: Path
):
    key = ("-k", "PatientName")
    (match, _) = pacs("index", "find", "--db", index, *key, "--no-defaults", "--json").json
    assert set(match) == {"type", "level", "QueryRetrieveLevel", "PatientName", "StudyInstanceUID"}
    (found,) = pacs("index", "find", "--db", index, "--dicom-json").json
    assert found["0020000D"] == {"vr": "UI", "Value": [STUDY]}


def test_dates_and_times_are_one_range_and_accents_do_not_count_when_it_is_said(
    pacs: Pacs, tmp_path: Path
):
    folder = tmp_path / "made"
    folder.mkdir()
    time = element(0x00080030, "TM", "120000")
    name = element(0x00100010, "PN", "Mädé^Up")
    plain = dataset(CT, "1.2.3.1").replace(element(0x00100010, "PN", "Made^Up"), name)
    modality = element(0x00080060, "CS", "CT")
    whole = plain.replace(modality, time + modality)
    label = element(0x00080005, "CS", "ISO_IR 192")
    (folder / "a.dcm").write_bytes(file_meta(CT, "1.2.3.1", EXPLICIT) + label + whole)
    assert pacs("index", "add", folder).exit == 0

    def found(*options: object) -> int:
        return pacs("index", "find", folder, *options, "--json").json[-1]["matches"]

    night = ("-k", "StudyDate=20260101-20260103", "-k", "StudyTime=180000-060000")
    assert found(*night) == 0
    assert found(*night, "--date-time") == 1
    assert found("-k", "PatientName=made^up") == 0
    assert found("-k", "PatientName=made^up", "--fuzzy") == 1


# -- jobs ------------------------------------------------------------------------------------------


def test_port_of_reports_is_at_the_address_of_the_option(place: Place, tmp_path: Path):
    # an address of TEST-NET-1 is of nobody, least of all of this machine
    reports = ("--commit", "--commit-port", 0, "--commit-bind", "192.0.2.1")
    job = ("--state", tmp_path / "move.job")
    result = place.pacs("send-batch", place.peer, place.scans, *job, *reports)
    assert result.exit == 3
    assert "192.0.2.1" in result.stderr


def test_what_is_typed_at_resume_holds_for_the_job_from_then_on(place: Place, tmp_path: Path):
    job = tmp_path / "move.job"
    place.instead("send-batch", place.peer, place.scans, "--state", job)
    result = place.pacs(
        *("send-batch", "resume", job, "--jobs", 2, "--retries", 5, "--retry-wait", 0.2),
        *("--rate", 9, "--max-mb", 3, "--window", "00:00-23:59", "--skip-existing", "--verify"),
        *("--commit", "--commit-port", 0, "--commit-bind", "127.0.0.1", "--commit-timeout", 9),
    )
    assert result.exit == 0, result
    with JobFile(job) as opened:
        kept = opened.get("options")
    assert kept == {
        "jobs": 2,
        "retries": 5,
        "retry_wait": 0.2,
        "rate": 9,
        "max_mb": 3,
        "window": ["00:00-23:59"],
        "skips_existing": True,
        "verifies": True,
        "commits": True,
        "commit_port": 0,
        "commit_bind": "127.0.0.1",
        "commit_timeout": 9,
    }


def test_report_has_the_objects_of_a_state_alone(place: Place, tmp_path: Path):
    job = tmp_path / "move.job"
    place.instead("send-batch", place.peer, place.scans, "--state", job)

    def objects(state: str) -> int:
        return len(place.pacs("send-batch", "report", job, "--only", state, "--json").json) - 1

    assert (objects("sent"), objects("failed")) == (2, 0)
    assert place.pacs("send-batch", "report", job, "--only", "lost").exit == 2


def test_peer_takes_the_place_of_another_when_it_is_said(pacs: Pacs):
    peer = ("config", "peers", "add", "ward")
    assert pacs(*peer, "WARD@127.0.0.1:104").exit == 0
    assert pacs(*peer, "WARD@127.0.0.1:105").exit != 0
    assert pacs(*peer, "WARD@127.0.0.1:105", "--replace").exit == 0
    assert pacs("config", "peers", "list", "--json").json[0]["address"] == "127.0.0.1:105"


# -- files -----------------------------------------------------------------------------------------


def test_values_are_shown_as_far_as_the_option_says(pacs: Pacs, tmp_path: Path):
    paths = []
    for letter in "ab":
        path = tmp_path / f"{letter}.dcm"
        text = element(0x00081030, "LO", letter * 40)
        data = dataset(CT, "1.2.3.1").replace(element(0x00080060, "CS", "CT"), text)
        path.write_bytes(file_meta(CT, "1.2.3.1", EXPLICIT) + data)
        paths.append(path)
    assert "a" * 40 in pacs("diff", *paths).stdout
    short = pacs("diff", *paths, "--max-length", 8).stdout
    assert "a" * 8 in short
    assert "a" * 9 not in short


def test_output_that_is_not_searched_is_released_as_it_is(pacs: Pacs, tmp_path: Path):
    # kept by a rule, though it has the name of the patient
    modality = element(0x00080060, "CS", "CT")
    told = modality + element(0x00081030, "LO", "scan of Made")
    scan = tmp_path / "ct.dcm"
    data = dataset(CT, "1.2.3.1").replace(modality, told)
    scan.write_bytes(file_meta(CT, "1.2.3.1", EXPLICIT) + data)
    rule = ("--rule", "StudyDescription = keep")
    assert pacs("anonymize", scan, tmp_path / "proven", *rule).exit == 1
    assert pacs("anonymize", scan, tmp_path / "out", *rule, "--no-verify").exit == 0


def test_pixel_rules_of_a_file_blank_by_device(pacs: Pacs, tmp_path: Path):
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nmatch = { Modality = "CT" }\nblank = [[0, 0, 128, 10]]\n')
    assert pacs("anonymize", IMAGE, tmp_path / "out", "--pixel-rules", rules).exit == 0
    (made,) = (tmp_path / "out").rglob("*.dcm")
    pixels, before = (pydicom.dcmread(path).pixel_array for path in (made, IMAGE))
    assert (pixels[10:] == before[10:]).all()
    assert len(set(pixels[:10].flat)) == 1


def test_smaller_is_what_the_ratio_says(pacs: Pacs, tmp_path: Path):
    sizes = []
    for ratio in (4, 20):
        out = tmp_path / f"{ratio}.dcm"
        assert pacs("transcode", IMAGE, out, "--to", "j2k-lossy", "--ratio", ratio).exit == 0
        sizes.append(len(pydicom.dcmread(out).PixelData))
    assert sizes[1] * 3 < sizes[0] < 128 * 128 * 2 / 3


def test_more_than_8_bits_are_rendered_only_when_it_is_said(pacs: Pacs, tmp_path: Path):
    out = tmp_path / "out.dcm"
    refused = pacs("transcode", IMAGE, out, "--to", "jpeg")
    assert refused.exit == 6
    assert not out.exists()
    assert pacs("transcode", IMAGE, out, "--to", "jpeg", "--render-to-8bit").exit == 0
    assert pydicom.dcmread(out).BitsAllocated == 8


def test_frames_of_more_pixels_than_the_option_says_are_refused(pacs: Pacs, tmp_path: Path):
    out = tmp_path / "out.dcm"
    refused = pacs("transcode", IMAGE, out, "--to", "rle", "--max-pixels", 128 * 128 - 1)
    assert refused.exit == 6
    assert pacs("transcode", IMAGE, out, "--to", "rle", "--max-pixels", 128 * 128).exit == 0


def test_proof_of_frames_is_optional_and_changes_nothing(pacs: Pacs, tmp_path: Path):
    made = []
    for option in ("--verify", "--no-verify"):
        out = tmp_path / f"{option}.dcm"
        assert pacs("transcode", IMAGE, out, "--to", "rle", option).exit == 0
        made.append(out.read_bytes())
    assert made[0] == made[1]
