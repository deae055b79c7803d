"""Keys that the index has not: from the files, in sequences, private; and DT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from pacs_cli.archive import query
from pacs_cli.archive.handler import Archive
from pacs_cli.archive.matching import matcher_for
from pacs_cli.archive.query import read_question
from pacs_cli.dicom.query import Model
from pacs_cli.services.serving import QueryRefused, StoreRequest
from tests.archive.querying import ask, engine, filled, identifier, put
from tests.archive.storing import INFO
from tests.dicom.datasets import LITTLE, written
from tests.support import CT, EXPLICIT
from tests.writing import element

DEFLATED = "1.2.840.10008.1.2.1.99"


def item(*elements: bytes) -> bytes:
    data = b"".join(elements)
    return b"\xfe\xff\x00\xe0" + len(data).to_bytes(4, "little") + data


def procedure(code: str, meaning: str) -> bytes:
    return item(element(0x00080100, "SH", code), element(0x00080104, "LO", meaning))


#: A study with what no index has; the private block is not where the queries have it.
EXTRA = {
    0x00081030: ("LO", "extra"),
    0x00081032: ("SQ", procedure("C1", "Chest") + procedure("C2", "Head")),
    0x00100020: ("LO", "P9"),
    0x00104000: ("LT", "likes *stars* and\\slashes"),
    0x00180050: ("DS", "2.50"),
    0x0020000D: ("UI", "1.2.9"),
    0x0020000E: ("UI", "1.2.9.1"),
    0x00290011: ("LO", "MADE UP 1.0"),
    0x00291110: ("LO", "inner"),
    0x7FE00010: ("OW", bytes(70_000)),
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with filled(tmp_path_factory.mktemp("archive")) as archive:
        put(archive, "1.2.9.1.1", EXTRA)
        yield archive


def private(value: str, creator: str = "MADE UP 1.0") -> Dataset:
    dataset = identifier("STUDY", "StudyInstanceUID")
    block = dataset.private_block(0x0029, creator, create=True)
    block.add_new(0x10, "LO", value)
    return dataset


def asked(archive: Archive, dataset: Dataset) -> list[Dataset]:
    from pacs_cli.dicom.identifier import decode_identifier

    question = read_question(Model.STUDY_ROOT, dataset)
    found = engine(archive).find(question)
    return [decode_identifier(answer.encode(EXPLICIT), EXPLICIT) for answer in found]


@pytest.mark.parametrize(
    ("key", "count"),
    [
        ("PatientComments=likes ?stars?*", 1),
        ("PatientComments=likes", 0),
        ("PatientComments", 5),
        ("SliceThickness=2.5", 1),
        ("SliceThickness=3", 0),
        ("ProcedureCodeSequence.CodeValue=C2", 1),
        ("ProcedureCodeSequence.CodeValue=C*", 1),
        ("ProcedureCodeSequence.CodeValue=C3", 0),
        ("ProcedureCodeSequence.CodeValue", 5),
        ("ProcedureCodeSequence", 5),
    ],
)
def test_a_key_that_the_index_has_not_is_matched_in_the_file(
    archive: Archive, key: str, count: int
) -> None:
    assert len(ask(archive, "STUDY", key)) == count


def test_item_keys_must_all_match_in_one_item(archive: Archive) -> None:
    # PS3.4 C.2.2.2.6
    code = "ProcedureCodeSequence.CodeValue="
    meaning = "ProcedureCodeSequence.CodeMeaning="
    assert len(ask(archive, "STUDY", f"{code}C1", f"{meaning}Chest")) == 1
    assert len(ask(archive, "STUDY", f"{code}C1", f"{meaning}Head")) == 0


def test_items_that_match_are_returned_with_what_is_asked_for(archive: Archive) -> None:
    (answer,) = ask(archive, "STUDY", "ProcedureCodeSequence.CodeValue=C2")
    (item,) = answer.ProcedureCodeSequence
    assert item.CodeValue == "C2"
    assert "CodeMeaning" not in item
    (answer,) = ask(archive, "STUDY", "StudyInstanceUID=1.2.9", "ProcedureCodeSequence")
    assert [each.CodeMeaning for each in answer.ProcedureCodeSequence] == ["Chest", "Head"]


def test_what_a_file_has_not_is_returned_empty(archive: Archive) -> None:
    (answer,) = ask(archive, "STUDY", "StudyInstanceUID=1.2.4", "PatientComments", "PatientName")
    assert answer.PatientComments == ""
    assert answer.SpecificCharacterSet == "ISO_IR 100"


@pytest.mark.parametrize(("value", "count"), [("inner", 1), ("in*", 1), ("outer", 0), ("", 5)])
def test_a_private_key_is_found_in_whatever_block_its_creator_has(
    archive: Archive, value: str, count: int
) -> None:
    # PS3.5 7.8.1
    found = asked(archive, private(value))
    assert len(found) == count
    if value:
        assert all(each[0x00290010].value == "MADE UP 1.0" for each in found)
        assert all(each[0x00291010].value == "inner" for each in found)


def test_a_private_key_of_another_creator_is_not_matched(archive: Archive) -> None:
    assert asked(archive, private("inner", "SOMEONE ELSE")) == []


def test_a_private_key_without_a_creator_is_left_out_and_said() -> None:
    question = read_question(Model.STUDY_ROOT, identifier("STUDY", "(0029,1010)=inner"))
    assert question.has_unsupported_keys


def test_pixel_data_is_never_read(archive: Archive) -> None:
    question = read_question(Model.STUDY_ROOT, identifier("STUDY", "(7FE0,0010)"))
    assert question.has_unsupported_keys
    assert not question.extras


def test_a_file_that_is_gone_has_no_values(archive: Archive) -> None:
    path = put(archive, "1.2.10.1.1", {**EXTRA, 0x0020000D: ("UI", "1.2.10")})
    (archive.blobs.root / path).unlink()
    try:
        assert len(ask(archive, "STUDY", "StudyInstanceUID=1.2.10", "PatientComments")) == 1
        assert ask(archive, "STUDY", "StudyInstanceUID=1.2.10", "PatientComments=likes*") == []
    finally:
        archive.index.remove("1.2.10.1.1")


def test_a_deflated_file_is_inflated_as_far_as_needed(archive: Archive, tmp_path: Path) -> None:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT, "1.2.11.1.1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.11", "1.2.11.1"
    dataset.PatientComments = "deflated"
    import zlib

    raw = zlib.compress(written(dataset, LITTLE), wbits=-15)
    sink = archive.handler.open_store(StoreRequest(INFO, 1, CT, "1.2.11.1.1", DEFLATED))
    sink.write([memoryview(raw)])
    assert sink.finish().status == 0
    archive.index.flush()
    try:
        (answer,) = ask(archive, "STUDY", "PatientComments=deflated")
        assert answer.PatientComments == "deflated"
    finally:
        archive.index.remove("1.2.11.1.1")


def test_too_many_files_are_refused(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "_MAX_FILES", 2)
    with pytest.raises(QueryRefused) as refused:
        ask(archive, "STUDY", "PatientComments=likes*")
    assert refused.value.status == 0xA700


def test_what_is_returned_is_what_the_file_says(archive: Archive) -> None:
    (answer,) = ask(archive, "STUDY", "StudyInstanceUID=1.2.9", "PatientComments", "SliceThickness")
    stored = dcmread(archive.blobs.root / archive.index.find_path("1.2.9.1.1"))
    assert answer.PatientComments == stored.PatientComments
    assert answer.SliceThickness == stored.SliceThickness


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        # PS3.4 C.2.2.2.5 and PS3.5 6.2, DT
        ("20260102", "20260102101500", True),
        ("20260102", "20260103", False),
        ("202601", "20260131235959.999999", True),
        ("20260101-20260131", "20260131120000", True),
        ("20260101-", "2026", True),
        ("-2025", "20251231235959", True),
        ("-2025", "20260101", False),
        ("20260102100000+0100", "20260102090000+0000", True),
        ("20260102100000-0500", "20260102150000+0000", True),
        ("20260102100000-0500-20260102110000-0500", "20260102153000+0000", True),
        ("20260102-20260103", "yesterday", False),
        ("2024022", "20240229", False),
    ],
)
def test_date_times_are_matched_by_their_range(key: str, value: str, expected: bool) -> None:
    if key == "2024022":
        with pytest.raises(ValueError, match="DT"):
            matcher_for("DT", key)
    else:
        assert matcher_for("DT", key).matches(value) is expected
