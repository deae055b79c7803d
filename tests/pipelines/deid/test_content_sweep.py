"""Real files with everything cleaned; texts in pictures of what is drawn on images."""

from __future__ import annotations

import subprocess
from io import BytesIO

import numpy
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs_cli.dicom.identifier import quietly
from pacs_cli.dicom.part10 import probe
from pacs_cli.pipelines.deid.keys import Keys
from pacs_cli.pipelines.deid.policy import make_policy
from pacs_cli.pipelines.deid.run import Run
from pacs_cli.pipelines.deid.work import Settings
from pacs_cli.pipelines.files import Found
from tests import samples
from tests.pipelines.deid.objects import KEY, released, worker
from tests.pipelines.deid.pictures import pydicoms, save
from tests.pipelines.deid.test_structured import report
from tests.pixels.images import encoded

RULES = """
[[rule]]
match = { SOPClassUID = { regexp = "^1" } }
blank = [[0, 0, 65535, 3]]
"""
#: Why a file is rightly withheld.
REFUSALS = ("cannot clean its pixels", "its pixels are not where")

PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5")


def decoded(path, folder):
    """The samples by pydicom, after gdcm's decoder where it has none; None where neither can."""
    content = path.read_bytes()
    if probe(path).transfer_syntax_uid not in PLAIN:
        raw = folder / "raw.dcm"
        raw.unlink(missing_ok=True)
        run = subprocess.run(["gdcmconv", "--raw", path, raw], capture_output=True, check=False)
        if run.returncode or not raw.exists():
            return None
        content = raw.read_bytes()
    try:
        return pydicoms(content)
    except (AttributeError, ValueError, NotImplementedError, RuntimeError, KeyError):
        return None


def rows_last(array, dataset):
    """Frames, rows, and the rest."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    return array.reshape(frames, dataset.Rows, -1)


def test_three_rows_of_every_real_image_are_blank_and_no_others(tmp_path):
    policy = make_policy(pixel_rules=RULES)
    proven, refused, compared = 0, [], 0
    for number, path in enumerate(samples.storable()):
        folder = tmp_path / str(number)
        outcome = worker(folder, policy).one(str(path))
        if outcome.output is None:
            if outcome.code == "burned-in":
                assert outcome.message.startswith(REFUSALS), outcome
                refused.append(path.name)
            continue
        out = released(outcome)
        with quietly():
            before = dcmread(path, stop_before_pixels=True, force=True)
            after = dcmread(BytesIO(out.read_bytes()))
        if "PixelData" not in after:
            continue
        assert after.BurnedInAnnotation == "NO"
        proven += 1
        old, new = decoded(path, tmp_path), decoded(out, tmp_path)
        is_lossy = probe(path).transfer_syntax_uid.endswith((".50", ".51", ".91", ".81", ".203"))
        if old is None or new is None or is_lossy or old.shape != new.shape:
            continue
        old, new = rows_last(old, before), rows_last(new, before)
        assert (old[:, 3:] == new[:, 3:]).all(), path
        for frame in new:
            # one value all over, or one for each colour
            assert len(numpy.unique(frame[:3])) <= 3, path
        compared += 1
    assert proven > 60
    assert compared > 45
    assert len(refused) < 25, refused


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_several_processes_clean_pixels_and_reports_as_one_does(tmp_path):
    policy = make_policy(
        clean=["pixels", "structured", "descriptors", "graphics"],
        pixel_rules=RULES,
        documents="replace",
    )
    # of several objects with one UID, in different processes, any may be the first
    small = {
        samples.header(path).sop_instance_uid: path
        for path in samples.storable()
        if path.stat().st_size < 150_000
    }
    # more than the first batch, which this process does by itself
    assert len(small) > 70
    done = {}
    for jobs in (1, 2):
        out = tmp_path / str(jobs)
        found = [Found(str(path), is_named=True) for path in small.values()]
        outcomes = list(Run(Settings(policy, Keys(KEY), out), jobs).run(found))
        told = [(each.path, each.code, each.message, each.warning) for each in outcomes]
        done[jobs] = told, tree(out)
    assert done[1] == done[2]
    told, files = done[1]
    assert {"", "residual"} <= {code for _, code, _, _ in told}
    assert len(files) > 50


REPORTS = ["reportsi.dcm", "reportsi_with_empty_number_tags.dcm", "test-SR.dcm"]


@pytest.mark.parametrize("path", [p for p in samples.storable() if p.name in REPORTS], ids=str)
def test_real_report_is_withheld_where_its_names_are_words_and_else_released(tmp_path, path):
    policy = make_policy(clean=["structured"])
    outcome = worker(tmp_path / "out", policy).one(str(path))
    # of these the patient is called "Last Name^First Name", and a meaning says "Name"
    assert (outcome.code, "CodeMeaning" in outcome.message) in [("residual", True), ("", False)]
    with quietly():
        dataset = dcmread(path)
        _rename(dataset)
        dataset.save_as(tmp_path / "in.dcm")
        out = released(worker(tmp_path / "renamed", policy).one(str(tmp_path / "in.dcm")))
        before, after = dcmread(path), dcmread(out)
        assert len(after.ContentSequence) <= len(before.ContentSequence)
        assert "Quixotic" not in str(after)


def _rename(dataset: Dataset) -> None:
    """Call all persons by a name that is no word of a report."""
    for each in dataset.iterall():
        if each.VR == "PN" and each.value:
            each.value = "Quixotic^Marmalade"


def drawing(text: str) -> Dataset:
    """A presentation state with a text and a line in it."""
    dataset = report()
    del dataset.ValueType, dataset.ContinuityOfContent, dataset.ConceptNameCodeSequence
    dataset.SOPClassUID, dataset.Modality = "1.2.840.10008.5.1.4.1.1.11.1", "PR"
    writing, line = Dataset(), Dataset()
    writing.UnformattedTextValue = text
    line.GraphicType, line.GraphicData = "POLYLINE", [1, 2, 3, 4]
    annotation = Dataset()
    annotation.GraphicLayer = "LAYER"
    annotation.TextObjectSequence = Sequence([writing])
    annotation.GraphicObjectSequence = Sequence([line])
    dataset.GraphicAnnotationSequence = Sequence([annotation])
    return dataset


def test_text_that_is_drawn_says_nothing_and_lines_stay(tmp_path):
    path = save(tmp_path / "in.dcm", encoded(drawing("lesion of Marmalade, seen 2026-01-02")))
    out = released(worker(tmp_path / "out", make_policy(clean=["graphics"])).one(str(path)))
    (annotation,) = dcmread(out).GraphicAnnotationSequence
    assert annotation.TextObjectSequence[0].UnformattedTextValue == "ANONYMIZED"
    assert annotation.GraphicObjectSequence[0].GraphicData == [1, 2, 3, 4]
    assert annotation.GraphicLayer == "LAYER"


def test_overlay_goes_as_no_writing_can_be_found_in_it(tmp_path):
    dataset = report()
    dataset.add_new(0x60000010, "US", 8)
    dataset.add_new(0x60000011, "US", 8)
    dataset.add_new(0x60003000, "OW", b"\xff" * 8)
    path = save(tmp_path / "in.dcm", encoded(dataset))
    out = released(worker(tmp_path / "out", make_policy(clean=["graphics"])).one(str(path)))
    assert not [each for each in dcmread(out) if each.tag.group == 0x6000]
