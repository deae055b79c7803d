"""Identifiers both ways: character sets, and whatever a hostile peer makes of one."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from pacs_cli.dicom.identifier import (
    convert,
    decode_identifier,
    encode_identifier,
    label,
    parse_character_set,
    unknown_character_sets,
)
from pacs_cli.dicom.json_model import dicom_json, flat, text_at
from pacs_cli.dicom.keys import assemble, parse_key
from pacs_cli.errors import MalformedDataset, UsageError
from tests.dicom.datasets import IMPLICIT, LITTLE, datasets, element, nested, sequence, written

EXPLICIT_UID, IMPLICIT_UID = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
SYNTAXES = {EXPLICIT_UID: LITTLE, IMPLICIT_UID: IMPLICIT}

MUELLER, YAMADA, IVANOV, KIM = "Müller^Änne", "Yamada^Tarou=山田^太郎=やまだ", "Иванов^И", "김희중"


def asking(*texts: str) -> Dataset:
    return assemble([parse_key(text) for text in texts], Dataset())


def bytes_of(value: bytes, tag: int = 0x00100010, vr: str = "PN") -> bytes:
    return element(LITTLE, tag, vr, value)


# -- character sets ------------------------------------------------------------------------------


def test_ascii_is_not_labelled():
    dataset = asking("PatientName=DOE*")
    label(dataset)
    assert "SpecificCharacterSet" not in dataset


@pytest.mark.parametrize("name", [MUELLER, YAMADA, IVANOV, KIM])
@pytest.mark.parametrize("place", ["PatientName", "RequestAttributesSequence.PatientComments"])
def test_what_is_not_ascii_is_labelled_and_written_as_utf_8(name, place):
    dataset = asking(f"{place}={name}")
    label(dataset)
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert name.encode() in encode_identifier(dataset, EXPLICIT_UID)


@pytest.mark.parametrize(
    ("name", "character_set", "written"),
    [
        (MUELLER, "ISO_IR 100", b"M\xfcller^\xc4nne"),
        (IVANOV, "ISO_IR 144", bytes(IVANOV, "iso8859_5")),
        ("山田^太郎", "\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        ("山田*", "\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B*"),
        (KIM, "\\ISO 2022 IR 149", b"\x1b$)C" + bytes(KIM, "euc_kr")),
        ("ﾔﾏﾀﾞ", "ISO_IR 13", bytes("ﾔﾏﾀﾞ", "shift_jis")),
        ("王^小东", "GB18030", bytes("王^小东", "gb18030")),
        ("DOE", "ISO_IR 100", b"DOE"),
    ],
)
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_named_character_set_is_used_and_labelled(name, character_set, written, syntax):
    dataset = asking(f"PatientName={name}", f"RequestAttributesSequence.PatientComments={name}")
    label(dataset, character_set)
    data = encode_identifier(dataset, syntax)
    assert data.count(written) == 2
    decoded = decode_identifier(data, syntax)
    assert text_at(decoded, [0x00080005]) == character_set
    assert decoded.PatientName == name
    assert decoded.RequestAttributesSequence[0].PatientComments == name


@pytest.mark.parametrize(
    ("name", "character_set"),
    [
        (YAMADA, "ISO_IR 100"),
        (MUELLER, "ISO_IR 144"),
        (MUELLER, "ISO_IR 6"),
        (MUELLER, "\\ISO 2022 IR 87"),
        ("Ł", "ISO_IR 100"),
        ("山", "ISO_IR 13"),
    ],
)
def test_character_set_that_cannot_hold_a_value_is_a_usage_error(name, character_set):
    with pytest.raises(UsageError, match="PatientName cannot be written in"):
        label(asking(f"PatientName={name}"), character_set)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ISO_IR 100", "ISO_IR 100"),
        ("iso_ir 192", "ISO_IR 192"),
        ("utf-8", "ISO_IR 192"),
        ("UTF8", "ISO_IR 192"),
        ("latin1", "ISO_IR 100"),
        ("\\ISO 2022 IR 87", "\\ISO 2022 IR 87"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 87"),
    ],
)
def test_character_sets_are_known_by_their_terms_and_common_names(typed, meant):
    assert parse_character_set(typed) == meant


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("ISO_IR 1000", "did you mean ISO_IR 100?"),
        ("utf9", "did you mean ISO_IR 192?"),
        ("", "write a character set"),
        ("ISO_IR 100\\", "write a character set"),
        ("ISO_IR 192\\ISO 2022 IR 87", "stands alone"),
        ("\\GB18030", "stands alone"),
        ("cp1252x", "is no character set"),
    ],
)
def test_character_set_that_is_none_is_a_usage_error(typed, words):
    with pytest.raises(UsageError) as caught:
        parse_character_set(typed)
    assert words in str(caught.value)


# -- what comes back -----------------------------------------------------------------------------


def test_text_without_a_label_is_read_as_latin_1():
    assert decode_identifier(bytes_of(b"M\xfcller"), EXPLICIT_UID).PatientName == "Müller"


def test_item_may_have_a_character_set_of_its_own():
    item = Dataset()
    item.SpecificCharacterSet = "ISO_IR 192"
    item.PatientComments = IVANOV
    outer = Dataset()
    outer.SpecificCharacterSet = "ISO_IR 100"
    outer.PatientComments = MUELLER
    outer.RequestAttributesSequence = [item]
    decoded = decode_identifier(written(outer, LITTLE), EXPLICIT_UID)
    assert decoded.PatientComments == MUELLER
    assert decoded.RequestAttributesSequence[0].PatientComments == IVANOV


def test_unknown_character_set_is_told_and_the_rest_is_read():
    data = bytes_of(b"ISO_IR 999", 0x00080005, "CS") + bytes_of(b"Made^Up ")
    dataset = decode_identifier(data, EXPLICIT_UID)
    assert unknown_character_sets(dataset) == ["ISO_IR 999"]
    assert dataset.PatientName == "Made^Up"
    assert unknown_character_sets(decode_identifier(bytes_of(b"x "), EXPLICIT_UID)) == []


@pytest.mark.parametrize(
    ("tag", "vr", "value", "text"),
    [
        (0x00280010, "US", b"\1", "AQ=="),
        (0x00200013, "IS", b"1A", "1A"),
        (0x00200013, "IS", b"1.5 ", "1.5"),
        (0x00180050, "DS", b"abc ", "abc"),
        (0x0008002A, "DT", b"never ", "never"),
        (0x00080020, "DA", b"\xff\xff", "ÿÿ"),
        (0x00281052, "FD", b"\1\2\3\4", "AQIDBA=="),
        (0x00091001, "UN", b"plain ", "plain"),
        (0x00091001, "UN", b"\x1b[31", "G1szMQ=="),
        (0x0020000D, "UI", b"1.2.3\0", "1.2.3"),
        (0x00104000, "KT", b"", ""),
        (0x00209165, "AT", b"\1\2\3\4\5\6", "AQIDBAUG"),
    ],
)
def test_value_that_is_none_of_its_vr_costs_nothing_else(tag, vr, value, text):
    name = bytes_of(b"Made^Up ")
    value_element = bytes_of(value, tag, vr)
    data = name + value_element if tag > 0x00100010 else value_element + name
    dataset = decode_identifier(data, EXPLICIT_UID)
    assert dataset.PatientName == "Made^Up"
    assert text_at(dataset, [tag]) == text
    json.dumps([flat(dataset), dicom_json(dataset)], allow_nan=False)


@pytest.mark.parametrize("tag", [t for t, (vr, *_) in DicomDictionary.items() if " or " in vr])
def test_attribute_with_a_choice_of_vrs_has_one_afterwards(tag):
    other = element(IMPLICIT, 0x7FE00010, "", b"ab") if tag < 0x7FE00010 else b""
    data = element(IMPLICIT, tag, "", b"\5\0\6\0") + other
    found = decode_identifier(data, IMPLICIT_UID)[tag]
    value = found.value if found.VR in ("OB", "OW") else list(found.value)
    assert (found.VR, value) in [("US", [5, 6]), ("OB", b"\5\0\6\0"), ("OW", b"\5\0\6\0")]


@pytest.mark.parametrize(
    "data",
    [
        b"\x10\0\x10\0PN",
        bytes_of(b"Made^Up ")[:-1],
        b"garbage that is no data set at all",
        b"\xff" * 40,
        nested(LITTLE, 65, undefined=True),
        nested(LITTLE, 2000, undefined=False),
        sequence(LITTLE, 0x0040A730, b"\xfe\xff\0\xe0\xff\xff\xff\xff", undefined=True),
        bytes_of(b"", 0x00091000, "LO") * 200_001,
    ],
    ids=["header", "cut", "text", "ones", "deep", "deeper", "open item", "many"],
)
def test_identifier_that_is_no_data_set_is_refused(data):
    with pytest.raises(MalformedDataset):
        decode_identifier(data, EXPLICIT_UID)


def test_attribute_of_a_repeating_group_goes_by_its_keyword():
    dataset = decode_identifier(bytes_of(b"\5\0", 0x60020010, "US"), EXPLICIT_UID)
    assert flat(dataset) == {"OverlayRows": 5}


def test_sequences_hidden_in_un_do_not_exhaust_the_stack():
    inner = nested(LITTLE, 3000, undefined=False)
    data = bytes_of(inner, 0x0040A730, "UN")
    dataset = decode_identifier(data, EXPLICIT_UID)
    json.dumps(flat(dataset))


@pytest.mark.parametrize("syntax", SYNTAXES)
@settings(max_examples=60, derandomize=True, deadline=None)
@given(dataset=datasets())
def test_what_was_written_is_read(syntax, dataset):
    back = decode_identifier(encode_identifier(dataset, syntax), syntax)
    convert(dataset)
    assert flat(back).keys() == flat(dataset).keys()
    if syntax == EXPLICIT_UID:
        assert dicom_json(back) == dicom_json(dataset)


@pytest.mark.parametrize("syntax", SYNTAXES)
@settings(max_examples=150, derandomize=True, deadline=None)
@given(dataset=datasets(), seed=st.integers(0, 2**32))
def test_broken_identifier_is_refused_or_shown_in_every_form(syntax, dataset, seed):
    chance = random.Random(seed)
    data = bytearray(encode_identifier(dataset, syntax) or b"x")
    for _ in range(chance.randrange(1, 6)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        decoded = decode_identifier(bytes(data), syntax)
    except MalformedDataset:
        return
    json.dumps([flat(decoded), dicom_json(decoded)], allow_nan=False)
    for each in decoded:
        text_at(decoded, [each.tag])
    unknown_character_sets(decoded)


@pytest.mark.parametrize("syntax", [EXPLICIT_UID, IMPLICIT_UID])
def test_tag_that_is_cut_stays_as_its_bytes(syntax):
    head = b"\x28\x00\x09\x00"
    length = b"AT\x06\x00" if syntax == EXPLICIT_UID else b"\x06\x00\x00\x00"
    dataset = decode_identifier(head + length + b"\x18\x00\x63\x10\x00\x00", syntax)
    element = dataset[0x00280009]
    assert (element.VR, element.value) == ("OB", b"\x18\x00\x63\x10\x00\x00")
    assert text_at(dataset, [0x00280009])
