"""A set of objects that refer to each other still does, under any key that is the same."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs_cli.pipelines.deid.policy import make_policy
from tests.pipelines.deid.objects import worker

STUDY, FRAME = "1.2.826.0.1.3680043.10.2.1", "1.2.826.0.1.3680043.10.2.7"
CLASSES = {
    "ct": "1.2.840.10008.5.1.4.1.1.2",
    "seg": "1.2.840.10008.5.1.4.1.1.66.4",
    "rtstruct": "1.2.840.10008.5.1.4.1.1.481.3",
    "pr": "1.2.840.10008.5.1.4.1.1.11.1",
    "sr": "1.2.840.10008.5.1.4.1.1.88.22",
    "ko": "1.2.840.10008.5.1.4.1.1.88.59",
}
NAMES = [*CLASSES]


def uid_of(name: str, what: str) -> str:
    return f"1.2.826.0.1.3680043.10.2.{NAMES.index(name) + 1}.{1 if what == 'series' else 2}"


def items(*each: dict[str, object]) -> Sequence:
    made = []
    for fields in each:
        item = Dataset()
        for keyword, value in fields.items():
            setattr(item, keyword, value)
        made.append(item)
    return Sequence(made)


def reference(name: str) -> dict[str, object]:
    return {
        "ReferencedSOPClassUID": CLASSES[name],
        "ReferencedSOPInstanceUID": uid_of(name, "instance"),
    }


def series_of(name: str, inside: str) -> dict[str, object]:
    return {"SeriesInstanceUID": uid_of(name, "series"), inside: items(reference(name))}


def evidence(*names: str) -> Sequence:
    series = [series_of(name, "ReferencedSOPSequence") for name in names]
    return items({"StudyInstanceUID": STUDY, "ReferencedSeriesSequence": items(*series)})


def code(value: str) -> Sequence:
    return items({"CodeValue": value, "CodingSchemeDesignator": "DCM", "CodeMeaning": "Made up"})


def image(name: str) -> dict[str, object]:
    return {
        "RelationshipType": "CONTAINS",
        "ValueType": "IMAGE",
        "ReferencedSOPSequence": items(reference(name)),
    }


def particular(name: str) -> dict[str, object]:
    """What refers to others, in each kind of object."""
    return {
        "ct": {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "FrameOfReferenceUID": FRAME},
        "seg": {
            "ReferencedSeriesSequence": items(series_of("ct", "ReferencedInstanceSequence")),
            "PerFrameFunctionalGroupsSequence": items(
                {"DerivationImageSequence": items({"SourceImageSequence": items(reference("ct"))})}
            ),
            "FrameOfReferenceUID": FRAME,
        },
        "rtstruct": {
            "StructureSetLabel": "MADE UP",
            "ReferencedFrameOfReferenceSequence": items(
                {
                    "FrameOfReferenceUID": FRAME,
                    "RTReferencedStudySequence": items(
                        {
                            "ReferencedSOPClassUID": "1.2.840.10008.3.1.2.3.1",
                            "ReferencedSOPInstanceUID": STUDY,
                            "RTReferencedSeriesSequence": items(
                                series_of("ct", "ContourImageSequence")
                            ),
                        }
                    ),
                }
            ),
            "StructureSetROISequence": items(
                {"ROINumber": 1, "ReferencedFrameOfReferenceUID": FRAME, "ROIName": "Lung"}
            ),
        },
        "pr": {"ReferencedSeriesSequence": items(series_of("ct", "ReferencedImageSequence"))},
        "sr": {
            "CurrentRequestedProcedureEvidenceSequence": evidence("ct", "seg"),
            "ValueType": "CONTAINER",
            "ConceptNameCodeSequence": code("126000"),
            "ContentSequence": items(image("ct"), image("seg")),
        },
        "ko": {
            "CurrentRequestedProcedureEvidenceSequence": evidence("ct", "pr", "sr"),
            "ContentSequence": items(image("ct")),
        },
    }[name]


def write_set(folder: Path) -> list[Path]:
    folder.mkdir(parents=True)
    paths = []
    for name, sop_class in CLASSES.items():
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = UID(sop_class)
        meta.MediaStorageSOPInstanceUID = UID(uid_of(name, "instance"))
        written = FileDataset(str(folder / name), {}, file_meta=meta, preamble=bytes(128))
        written.SOPClassUID, written.SOPInstanceUID = sop_class, uid_of(name, "instance")
        written.StudyInstanceUID, written.SeriesInstanceUID = STUDY, uid_of(name, "series")
        written.PatientName, written.PatientID, written.Modality = "Link^Ed", "LINKED-1", "OT"
        for keyword, value in particular(name).items():
            setattr(written, keyword, value)
        written.save_as(folder / name, enforce_file_format=True)
        paths.append(folder / name)
    return paths


def uids(dataset: Dataset, place: str = "") -> dict[str, str]:
    """Every UID of the object, by its place, but those of classes and codes."""
    found = {}
    for element in dataset:
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                found.update(uids(item, f"{place}{element.keyword}[{number}]."))
        elif element.VR == "UI" and element.value and UID(element.value).is_private is not False:
            found[place + element.keyword] = element.value
    return found


def run(paths: list[Path], out: Path, key: bytes, **policy: object) -> dict[str, dict[str, str]]:
    """De-identify; the UIDs of each output by the name of its input."""
    made = worker(out, make_policy(**policy), key=key)
    outcomes = [made.one(str(path)) for path in paths]
    assert [outcome.code for outcome in outcomes] == [""] * len(paths), outcomes
    return {Path(outcome.path).name: uids(pydicom.dcmread(outcome.output)) for outcome in outcomes}


@pytest.mark.parametrize("clean", [(), ("descriptors", "graphics")], ids=["basic", "cleaned"])
def test_every_reference_is_kept_and_one_uid_becomes_one(clean, tmp_path):
    paths = write_set(tmp_path / "in")
    before = {path.name: uids(pydicom.dcmread(path)) for path in paths}
    after = run(paths, tmp_path / "out", b"a" * 32, clean=clean)
    new: dict[str, str] = {}
    for name, places in before.items():
        assert places.keys() == after[name].keys(), name
        for place, old in places.items():
            assert new.setdefault(old, after[name][place]) == after[name][place], (name, place)
    assert len(set(new.values())) == len(new)
    assert all(value.startswith("2.25.") and len(value) <= 64 for value in new.values())


def test_same_key_gives_the_same_in_any_order_another_key_none(tmp_path):
    paths = write_set(tmp_path / "in")
    runs = [
        run(paths, tmp_path / "1", b"a" * 32),
        run(paths[::-1], tmp_path / "2", b"a" * 32),
        run(paths[2:], tmp_path / "3", b"a" * 32),
    ]
    for one, other in pairwise(runs):
        for name in other.keys() & one.keys():
            assert one[name] == other[name]
    another = run(paths, tmp_path / "4", b"b" * 32)

    def values(each: dict[str, dict[str, str]]) -> set[str]:
        return {uid for places in each.values() for uid in places.values()}

    assert not values(another) & values(runs[0])


def test_retained_uids_stay(tmp_path):
    paths = write_set(tmp_path / "in")
    before = {path.name: uids(pydicom.dcmread(path)) for path in paths}
    assert run(paths, tmp_path / "out", b"a" * 32, retain=("uids",)) == before
