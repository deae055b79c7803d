"""Data sets without pydicom: what is read and written is what pydicom reads and writes."""

from __future__ import annotations

import random
import subprocess
import sys

import pydicom.dataset
import pytest
from pydicom.datadict import DicomDictionary, dictionary_VR, keyword_dict, keyword_for_tag

from pacs_cli.dicom.dataset import CODECS, Dataset, Element, read_plain
from pacs_cli.dicom.dictionary import keyword_at, tag_of, tags_of_keywords, vr_at
from pacs_cli.dicom.encoding import Bounds
from pacs_cli.dicom.identifier import (
    decode_identifier,
    encode_identifier,
    label,
    read_answer,
    unknown_character_sets,
)
from pacs_cli.dicom.json_model import dicom_json, flat, text_at
from pacs_cli.dicom.keys import assemble, keyword_of, parse_key, put
from pacs_cli.errors import MalformedDataset
from tests.dicom.datasets import IMPLICIT, LITTLE, element, item, nested, sequence

EXPLICIT_UID, IMPLICIT_UID = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
SYNTAXES = {EXPLICIT_UID: LITTLE, IMPLICIT_UID: IMPLICIT}
BOUNDS = Bounds(depth=64, elements=200_000)

#: One attribute of every VR that an answer may well have, and some that it should not.
TAGS = {
    "CS": 0x00080060,
    "DA": 0x00080020,
    "TM": 0x00080030,
    "SH": 0x00080050,
    "LO": 0x00081030,
    "PN": 0x00100010,
    "DT": 0x0008002A,
    "AE": 0x00080054,
    "AS": 0x00101010,
    "UI": 0x0020000D,
    "IS": 0x00200013,
    "DS": 0x00180050,
    "LT": 0x00104000,
    "ST": 0x00081155,
    "UT": 0x0040A160,
    "US": 0x00280010,
    "UL": 0x00081161,
    "SS": 0x00189219,
    "FD": 0x00189073,
    "AT": 0x00209165,
    "UC": 0x00080119,
    "UR": 0x00081190,
    "OB": 0x00420011,
    "UN": 0x00091001,
    "FL": 0x00180081,
}
PIECES = (
    *(b"A", b"12", b"7", b"20240101") * 4,
    *(b"A", b"1.2", b"7", b"-3", b"1.50", b"20240101", b"^", b"=", b"\\", b" ", b"\0", b"\n", b"*"),
    *(b"\xfc", "ü".encode(), "山".encode(), b"\x1b$B;3\x1b(B", b"\x1b", b"\x7f", b"\x85", b"e5"),
)


def seen(dataset: object) -> object:
    """All that is ever made of an answer."""
    texts = [text_at(dataset, [each.tag]) for each in dataset]
    return flat(dataset), dicom_json(dataset), texts, unknown_character_sets(dataset)


def drawn(chance: random.Random, syntax: str, depth: int = 1) -> bytes:
    """An identifier of values that are plain, odd or wrong, in order of tags."""
    encoding = SYNTAXES[syntax]
    names = sorted(chance.sample(sorted(TAGS), chance.randrange(1, 4)), key=TAGS.__getitem__)
    parts = []
    if chance.random() < 0.7:
        name = chance.choice(["ISO_IR 100", "ISO_IR 192", "ISO_IR 6", "", "ISO_IR 999", "X\\Y"])
        parts.append(element(encoding, 0x00080005, "CS", (name + " " * (len(name) % 2)).encode()))
    for vr in names:
        value = b"".join(chance.choices(PIECES, k=chance.choice([0, 1, 1, 1, 2, 3])))
        value += chance.choice([b"", b" ", b"\0"]) if len(value) % 2 else b""
        parts.append(element(encoding, TAGS[vr], vr, value))
    if depth and chance.random() < 0.3:
        items = [item(encoding, drawn(chance, syntax, 0)) for _ in range(chance.randrange(3))]
        parts.append(sequence(encoding, 0x00400100, *items, undefined=chance.random() < 0.5))
    return b"".join(parts)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_read_without_pydicom_is_what_pydicom_reads(syntax):
    chance, plain = random.Random(5), 0
    for _ in range(6000):
        data = drawn(chance, syntax)
        found = read_plain(data, SYNTAXES[syntax], BOUNDS)
        if found is not None:
            plain += 1
            assert seen(found) == seen(decode_identifier(data, syntax)), data
    assert plain > 500


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_broken_bytes_are_refused_or_read_by_both_alike(syntax):
    chance = random.Random(6)
    for _ in range(3000):
        data = bytearray(drawn(chance, syntax))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            expected = seen(decode_identifier(bytes(data), syntax))
        except MalformedDataset:
            with pytest.raises(MalformedDataset):
                read_answer(bytes(data), syntax)
        else:
            assert seen(read_answer(bytes(data), syntax)) == expected, bytes(data)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("name", CODECS)
def test_usual_answer_needs_no_pydicom(syntax, name):
    encoding = SYNTAXES[syntax]
    step = element(encoding, 0x00080060, "CS", b"CT")
    data = b"".join(
        (
            element(encoding, 0x00080005, "CS", f"{name}{' ' * (len(name) % 2)}".encode()),
            element(encoding, 0x00080020, "DA", b"20240101"),
            element(encoding, 0x00080061, "CS", b"CT\\MR "),
            element(encoding, 0x00100010, "PN", "Müller^".encode(CODECS[name], "replace") + b"A"),
            element(encoding, 0x0020000D, "UI", b"1.2.3\0"),
            element(encoding, 0x00201208, "IS", b"12"),
            sequence(encoding, 0x00400100, item(encoding, step), undefined=True),
        )
    )
    found = read_plain(data, encoding, BOUNDS)
    assert found is not None
    assert text_at(found, [0x00080061]) == "CT\\MR"
    assert text_at(found, [0x00400100, 0x00080060]) == "CT"
    assert text_at(found, [0x00201208]) == "12"


def test_bounds_hold():
    for data in (nested(LITTLE, 65, undefined=True), nested(LITTLE, 2000, undefined=False)):
        with pytest.raises(MalformedDataset):
            read_answer(data, EXPLICIT_UID)
    flood = element(LITTLE, 0x00091000, "LO", b"") * 200_001
    with pytest.raises(MalformedDataset):
        read_answer(flood, EXPLICIT_UID)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("character_set", "texts"),
    [
        ("", "PatientName=DOE* PatientID StudyInstanceUID=1.2\\1.3 StudyDate=20240101-"),
        ("", "PatientName=Müller* RequestAttributesSequence.PatientComments=山田"),
        ("ISO_IR 100", "PatientName=Müller* 0040,0100[1].0008,0060=CT 0009,1001=odd"),
        ("\\ISO 2022 IR 87", "PatientName=山田^太郎 ScheduledProcedureStepSequence.Modality=CT"),
        ("", "Rows=512 SimpleFrameList=1\\2 FrameIncrementPointer=00280010 EventTimeOffset=1.5"),
        ("", "PixelData SliceThickness=1.5 ReferencedImageSequence InstanceNumber=7 0009,1002"),
    ],
)
def test_what_is_written_is_what_pydicom_writes(syntax, character_set, texts):
    written = []
    for dataset in (Dataset(), pydicom.dataset.Dataset()):
        assemble(map(parse_key, texts.split()), dataset)
        label(dataset, character_set)
        written.append(encode_identifier(dataset, syntax))
    assert written[0] == written[1]


def test_put_leaves_what_is_there_and_elements_come_in_order():
    dataset = assemble([parse_key("StudyInstanceUID=1.2"), parse_key("Modality=CT")], Dataset())
    put(dataset, parse_key("Modality"), is_default=True)
    put(dataset, parse_key("ScheduledProcedureStepSequence.Modality"), is_default=True)
    assert [(keyword_of(each.tag), each.VM, each.is_empty) for each in dataset] == [
        ("Modality", 1, False),
        ("StudyInstanceUID", 1, False),
        ("ScheduledProcedureStepSequence", 1, False),
    ]
    del dataset[0x00080060]
    assert 0x00080060 not in dataset
    assert len(dataset) == 2
    assert Element(0x00080060, "CS", "").is_empty


# -- the dictionary ------------------------------------------------------------------------------


def test_dictionary_is_pydicoms():
    for tag in DicomDictionary:
        assert (keyword_at(tag), vr_at(tag)) == (keyword_for_tag(tag), dictionary_VR(tag))
    assert tags_of_keywords() == {name: tag for name, tag in keyword_dict.items() if name}
    assert tag_of("") is None
    assert tag_of("StudyDat") is None


def test_repeating_groups_are_known_and_private_and_unknown_ones_are_not():
    assert (keyword_at(0x60020010), vr_at(0x60020010)) == ("OverlayRows", "US")
    assert (keyword_at(0x00091001), vr_at(0x00091001)) == ("", "")
    assert (keyword_of(0x00080000 + 0xFFF0), vr_at(0x0008FFF0)) == ("(0008,FFF0)", "")


def test_dictionary_comes_without_pydicom():
    code = (
        "import sys; from pacs_cli.dicom.dictionary import tag_of; "
        "assert tag_of('PatientName') == 0x00100010; assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
