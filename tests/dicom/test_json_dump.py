"""Files in the DICOM JSON model agree with pydicom's, but for what is told here."""

from __future__ import annotations

import base64
import json
import re
import warnings
from typing import Any
from urllib.parse import unquote, urlsplit

import pydicom
import pytest
from hypothesis import given

from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.json_dump import Model, read_model
from pacs_cli.dicom.part10 import NotDicom, file_meta
from pacs_cli.dicom.selectors import parse_selectors
from pacs_cli.errors import MalformedDataset
from tests.dicom.datasets import (
    BIG,
    IMPLICIT,
    LITTLE,
    datasets,
    element,
    header,
    images,
    item,
    sequence,
    written,
)
from tests.samples import every_file
from tests.support import CT, EXPLICIT

SYNTAXES = {LITTLE: EXPLICIT, BIG: "1.2.840.10008.1.2.2", IMPLICIT: "1.2.840.10008.1.2"}
#: Cut files: pydicom gives the cut value too.
CUT = {
    "MR_truncated.dcm": "7FE00010",
    "rtplan_truncated.dcm": "300A012C",
    "DICOMDIR-nooffset": "",
}
INFINITE = (float("inf"), float("-inf"))
#: pydicom raises, or refuses what it has read itself.
THEIRS_FAILS = {"badVR.dcm"}


@pytest.fixture
def modelled(tmp_path):
    """The model of a data set, read whole unless told."""

    def read(*elements: bytes, encoding=LITTLE, limit: int = 0, only: str = "", **options):
        path = tmp_path / "file"
        path.write_bytes(file_meta(CT, "1.2", SYNTAXES[encoding]) + b"".join(elements))
        model = Model()
        selectors = parse_selectors([only], "--only") if only else []
        read_model(open_document(path), model, limit, selectors, **options)
        return model.members

    return read


def known_differences(members: dict[str, Any], is_big: bool) -> dict[str, Any]:
    """What pydicom gives as we give it.

    JSON is UTF-8, so it says so, and has no infinite numbers; no group lengths; an empty value
    among others is null (F.2.5), and none has padding; words are Little Endian, as JSON has no
    transfer syntax to tell it.
    """
    same: dict[str, Any] = {}
    for tag, attribute in members.items():
        vr, values = attribute["vr"], attribute.get("Value")
        if tag.endswith("0000"):
            continue
        if tag == "00080005":
            attribute = {"vr": vr, "Value": ["ISO_IR 192"]}
        elif vr == "SQ":
            items = [known_differences(each, is_big) for each in values]
            attribute = {"vr": vr, "Value": items} if items else {"vr": vr}
        elif vr == "PN" and values:
            names = [{key: text for key, text in name.items() if text} for name in values]
            attribute = {"vr": vr, "Value": [name or None for name in names]}
        elif vr == "OW" and is_big and "InlineBinary" in attribute:
            data = base64.b64decode(attribute["InlineBinary"])
            swapped = b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))
            attribute = {"vr": vr, "InlineBinary": base64.b64encode(swapped).decode()}
        elif values:
            texts = [each.rstrip(" ") if isinstance(each, str) else each for each in values]
            texts = [str(each) if each in INFINITE else each for each in texts]
            attribute = {"vr": vr, "Value": [None if each == "" else each for each in texts]}
        same[tag] = attribute
    return same


def without(members: dict[str, Any], tag: str) -> dict[str, Any]:
    """The members without an attribute, at any depth."""
    return {
        key: {**each, "Value": [without(nested, tag) for nested in each["Value"]]}
        if each["vr"] == "SQ" and "Value" in each
        else each
        for key, each in members.items()
        if key != tag
    }


@pytest.mark.parametrize("path", every_file(), ids=lambda path: path.name)
def test_files_of_pydicom_are_what_pydicom_says(path):
    try:
        document = open_document(path)
    except NotDicom:
        pytest.skip("no DICOM")
    model = Model()
    if path.name in CUT:
        with pytest.raises(MalformedDataset):
            read_model(document, model, 0)
    else:
        read_model(document, model, 0)
    text = json.dumps(model.json, allow_nan=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, force=True)
        if path.name in THEIRS_FAILS:
            with pytest.raises(ValueError, match="1A"):
                dataset.to_json_dict()
            return
        theirs = json.loads(json.dumps(dataset.to_json_dict()))
    is_big = not document.encoding.little
    expected = known_differences(theirs, is_big)
    if path.name in CUT:
        expected = without(expected, CUT[path.name])
    assert json.loads(text) == expected


@pytest.mark.parametrize("encoding", [LITTLE, BIG, IMPLICIT], ids=["little", "big", "implicit"])
def test_any_data_set_is_what_pydicom_says(encoding, tmp_path_factory):
    path = tmp_path_factory.mktemp("drawn") / "file"

    @given(datasets())
    def check(dataset):
        data = written(dataset, encoding)
        path.write_bytes(file_meta(CT, "1.2", SYNTAXES[encoding]) + data)
        model = Model()
        read_model(open_document(path), model, 0)
        read = pydicom.dcmread(path)
        theirs = json.loads(json.dumps(read.to_json_dict()))
        words = {"OF": 4, "OL": 4, "OD": 8, "OV": 8}
        ours = json.loads(json.dumps(model.json))
        if encoding is BIG:
            # of the words that `known_differences` leaves alone
            ours = _swapped(ours, words)
        assert ours == known_differences(theirs, encoding is BIG)

    check()


def _swapped(members: dict[str, Any], words: dict[str, int]) -> dict[str, Any]:
    same = {}
    for tag, attribute in members.items():
        size = words.get(attribute["vr"])
        if attribute["vr"] == "SQ" and "Value" in attribute:
            items = [_swapped(each, words) for each in attribute["Value"]]
            attribute = {"vr": "SQ", "Value": items}
        elif size and "InlineBinary" in attribute:
            data = base64.b64decode(attribute["InlineBinary"])
            back = b"".join(data[at : at + size][::-1] for at in range(0, len(data), size))
            attribute = {**attribute, "InlineBinary": base64.b64encode(back).decode()}
        same[tag] = attribute
    return same


def test_encapsulated_pixels_are_what_pydicom_says(tmp_path_factory):
    path = tmp_path_factory.mktemp("drawn") / "file"

    @given(images())
    def check(dataset):
        path.write_bytes(file_meta(CT, "1.2", "1.2.840.10008.1.2.4.50") + written(dataset, LITTLE))
        model = Model()
        read_model(open_document(path), model, 0)
        theirs = pydicom.dcmread(path).to_json_dict()
        assert model.dataset["7FE00010"] == theirs["7FE00010"]

    check()


def read_reference(uri: str) -> bytes:
    """What a `BulkDataURI` stands for."""
    parts = urlsplit(uri)
    offset, length = map(int, re.fullmatch(r"offset=(\d+)&length=(\d+)", parts.query).groups())
    with open(unquote(parts.path), "rb") as file:  # noqa: PTH123
        file.seek(offset)
        return file.read(length)


@pytest.mark.parametrize("encoding", [LITTLE, IMPLICIT], ids=["little", "implicit"])
@pytest.mark.parametrize("vr", ["OB", "OW", "UT", "LT", "UN", "US"])
def test_what_is_long_is_a_reference_into_the_file(modelled, encoding, vr):
    tags = {"OW": 0x7FE00010, "UT": 0x00420010, "US": 0x00081197, "LT": 0x001021B0}
    tag, value = tags.get(vr, 0x00420011), b"0123456789" * 10
    nested = sequence(encoding, 0x00081140, item(encoding, element(encoding, tag, vr, value)))
    for data, at in (
        (element(encoding, tag, vr, value), lambda members: members),
        (nested, lambda members: members["00081140"]["Value"][0]),
    ):
        found = at(modelled(data, encoding=encoding, limit=99))[f"{tag:08X}"]
        assert set(found) == {"vr", "BulkDataURI"}
        assert read_reference(found["BulkDataURI"]) == value
        inline = at(modelled(data, encoding=encoding, limit=100))[f"{tag:08X}"]
        assert "BulkDataURI" not in inline


def test_what_may_not_be_a_reference_is_none(modelled):
    members = modelled(element(LITTLE, 0x00100010, "PN", b"Made^Up^" * 8), limit=10)
    assert "Value" in members["00100010"]


def test_reference_to_fragments_is_to_all_of_them(modelled):
    parts = [element(LITTLE, 0xFFFEE000, "", value) for value in (b"", b"\xff\xd8" * 50)]
    head = header(LITTLE, 0x7FE00010, "OB", 0xFFFFFFFF)
    data = b"".join((head, *parts, header(LITTLE, 0xFFFEE0DD, "", 0)))
    uri = modelled(data, limit=50)["7FE00010"]["BulkDataURI"]
    assert read_reference(uri) == b"".join(parts)


def test_meta_is_there_when_asked_for(modelled):
    data = element(LITTLE, 0x00080060, "CS", b"CT")
    assert [*modelled(data)] == ["00080060"]
    assert modelled(data, has_meta=True)["00020010"] == {"vr": "UI", "Value": [EXPLICIT]}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("CodeMeaning", {"00081140": [{}, {"00080104": ["TEXT"]}]}),
        ("ReferencedImageSequence[0]", {"00081140": [{"00080100": ["CODE"]}, {}]}),
        ("PatientName", {"00100010": [{"Alphabetic": "A^"}]}),
        ("0008,0104,PatientName", {"00081140": [{}, {"00080104": ["TEXT"]}], "00100010": ...}),
        ("Rows", {}),
    ],
)
def test_only_what_is_meant_and_items_keep_their_places(modelled, typed, expected):
    code = element(LITTLE, 0x00080100, "SH", b"CODE")
    meaning = element(LITTLE, 0x00080104, "LO", b"TEXT")
    data = sequence(LITTLE, 0x00081140, item(LITTLE, code), item(LITTLE, meaning))
    members = modelled(data, element(LITTLE, 0x00100010, "PN", b"A^"), only=typed)

    def plain(attribute):
        if attribute["vr"] != "SQ":
            return attribute["Value"]
        return [{tag: plain(each) for tag, each in one.items()} for one in attribute["Value"]]

    found = {tag: plain(attribute) for tag, attribute in members.items()}
    assert found == {
        tag: found.get(tag) if value is ... else value for tag, value in expected.items()
    }
    assert found.keys() == expected.keys()


def test_numbers_that_json_has_not_are_text(modelled):
    members = modelled(
        element(LITTLE, 0x00180050, "DS", b"1e999 "),
        element(LITTLE, 0x00189073, "FD", b"\0\0\0\0\0\0\xf8\x7f"),
        element(LITTLE, 0x00200013, "IS", b"1A"),
        element(LITTLE, 0x00280010, "US", b"\1\0\2"),
    )
    json.dumps(members, allow_nan=False)
    assert [each.get("Value") for each in members.values()] == [["1e999"], ["nan"], ["1A"], None]
    assert members["00280010"] == {"vr": "UN", "InlineBinary": "AQAC"}
