"""Values are what pydicom says they are, in every character set, byte order and VR."""

from __future__ import annotations

import struct
import warnings

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes, encode_string
from pydicom.valuerep import TEXT_VR_DELIMS

from pacs_cli.dicom.elements import Element, ItemStart, SequenceStart, walk
from pacs_cli.dicom.values import Malformed, Scope, number_of, scoped
from tests.dicom.datasets import BIG, IMPLICIT, LITTLE, element, item, sequence

#: Text, and the character set that has it (PS3.3 C.12.1.1.2).
TEXTS = [
    ("", "plain"),
    ("ISO_IR 100", "Jérôme"),
    ("ISO_IR 101", "Wałęsa"),
    ("ISO_IR 109", "ĦŬ"),
    ("ISO_IR 110", "Ķļ"),
    ("ISO_IR 148", "İstanbul"),
    ("ISO_IR 166", "ไทย"),
    ("ISO_IR 144", "Люкceмбypг"),
    ("ISO_IR 127", "قباني"),
    ("ISO_IR 126", "Διονυσιος"),
    ("ISO_IR 138", "שרון"),
    ("ISO_IR 192", "王^小東 🙂"),
    ("GB18030", "王^小东"),
    ("GBK", "王^小东"),
    ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ("\\ISO 2022 IR 87", "山田"),
    ("\\ISO 2022 IR 149", "洪"),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田"),
]


def scope_of(character_set: bytes = b"", encoding=LITTLE) -> Scope:
    scope = Scope(encoding)
    scope.note(Element(0x00080005, "CS", memoryview(character_set), 0, 0))
    return scope


@pytest.mark.parametrize(("character_set", "text"), TEXTS)
@pytest.mark.parametrize("vr", ["LO", "PN", "UT"])
def test_text_of_every_character_set_is_decoded(character_set, text, vr):
    if character_set == "ISO_IR 13":
        # pydicom does not write it alone
        data = text.encode("shift_jis")
    else:
        data = encode_string(text, convert_encodings(character_set.split("\\")))
    assert scope_of(character_set.encode()).text_of(vr, data) == text


@given(st.sampled_from(TEXTS), st.binary(max_size=20))
def test_any_bytes_are_decoded_as_pydicom_does(named, data):
    character_set = named[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        terms = character_set.split("\\")
        encodings = convert_encodings(terms if len(terms) > 1 else terms[0])
        with pydicom.config.disable_value_validation():
            theirs = decode_bytes(data, encodings, TEXT_VR_DELIMS)
    ours = scope_of(character_set.encode()).text_of("UT", data)
    assert ours == theirs.rstrip("\0 ")


def test_unknown_character_set_shows_what_there_is():
    assert scope_of(b"NO SUCH SET ").text_of("PN", b"Made^Up") == "Made^Up"
    assert scope_of(b"NO SUCH SET ").text_of("PN", b"M\xe4de^Up")
    # what pydicom raises on
    assert scope_of(b"A\0B\\ISO 2022 IR 87").text_of("PN", b"M\xe4de^Up") == "Mäde^Up"


@pytest.mark.parametrize(
    ("vr", "code", "values"),
    [
        *(("US", "H", [1, 65535]), ("SS", "h", [-1, 2]), ("UL", "L", [1]), ("SL", "l", [-7])),
        *(("UV", "Q", [2**63]), ("SV", "q", [-(2**63)]), ("FL", "f", [0.5]), ("FD", "d", [1e300])),
    ],
)
@pytest.mark.parametrize("encoding", [LITTLE, BIG], ids=["little", "big"])
def test_numbers_of_either_byte_order(vr, code, values, encoding):
    data = struct.pack(f"{'<' if encoding.little else '>'}{len(values)}{code}", *values)
    assert scope_of(b"", encoding).values_of(vr, data) == values
    with pytest.raises(Malformed):
        scope_of(b"", encoding).values_of(vr, data[:-1])


def test_tags_are_eight_digits():
    assert scope_of().values_of("AT", bytes.fromhex("08001811 10001000")) == [
        "00081118",
        "00100010",
    ]
    assert scope_of(b"", BIG).values_of("AT", bytes.fromhex("00081118")) == ["00081118"]
    for cut in (1, 2, 3, 6):
        with pytest.raises(Malformed):
            scope_of().values_of("AT", bytes(cut))


@pytest.mark.parametrize(
    ("vr", "data", "values"),
    [
        ("CS", b"ORIGINAL \\PRIMARY", ["ORIGINAL", "PRIMARY"]),
        ("UI", b"1.2.3\0", ["1.2.3"]),
        ("DS", b" 1.5\\2 ", ["1.5", "2"]),
        ("LO", b" kept\\", [" kept", ""]),
        ("LT", b"a\\b ", ["a\\b"]),
        ("UR", b"http://a/\\b", ["http://a/\\b"]),
        ("SH", b"  ", []),
        ("PN", b"", []),
    ],
)
def test_padding_is_gone_and_backslashes_separate_where_they_do(vr, data, values):
    assert scope_of().values_of(vr, data) == values


@pytest.mark.parametrize(
    ("text", "vr", "number"),
    [
        *(("1", "IS", 1), ("-12", "IS", -12), ("1.0", "IS", 1.0), ("1A", "IS", None)),
        *(("1.5", "DS", 1.5), ("+.5e1", "DS", 5.0), ("1e999", "DS", None), ("nan", "DS", None)),
        *(("", "DS", None), ("1_000", "DS", None), ("9" * 5000, "IS", None), ("٣", "IS", None)),
    ],
)
def test_numbers_written_as_text(text, vr, number):
    found = number_of(text, vr)
    assert found == number
    assert type(found) is type(number)


def vrs(data: bytes, encoding) -> list[str]:
    return [
        scope.vr_of(event)
        for event, scope in scoped(walk(data, encoding), encoding)
        if isinstance(event, Element)
    ]


@pytest.mark.parametrize(("representation", "vr"), [(0, "US"), (1, "SS")])
def test_choice_of_vr_is_made_by_the_pixels(representation, vr):
    pixels = element(IMPLICIT, 0x00280103, "US", struct.pack("<H", representation))
    smallest = element(IMPLICIT, 0x00280106, "SS", b"\1\0")
    assert vrs(pixels + smallest, IMPLICIT) == ["US", vr]
    nested = sequence(IMPLICIT, 0x00409096, item(IMPLICIT, smallest))
    assert vrs(pixels + nested, IMPLICIT) == ["US", vr]


def test_table_of_one_value_is_a_number():
    for count, vr in ((1, "US"), (2, "OW")):
        descriptor = element(IMPLICIT, 0x00283002, "US", struct.pack("<HHH", count, 0, 16))
        data = element(IMPLICIT, 0x00283006, "OW", bytes(2 * count))
        assert vrs(descriptor + data, IMPLICIT)[-1] == vr


def test_unknown_vr_is_that_of_the_dictionaries():
    data = b"".join(
        (
            element(LITTLE, 0x00090010, "UN", b"GEMS_IDEN_01"),
            element(LITTLE, 0x00091001, "UN", b"FF"),
            element(LITTLE, 0x00091099, "UN", b"??"),
            element(LITTLE, 0x00100010, "UN", b"Made^Up "),
        )
    )
    assert vrs(data, LITTLE) == ["LO", "LO", "UN", "PN"]


def test_sequence_written_as_un_is_one():
    code = element(IMPLICIT, 0x00080100, "SH", b"CODE")
    data = element(LITTLE, 0x00081140, "UN", item(IMPLICIT, code))
    events = [event for event, _ in scoped(walk(data, LITTLE), LITTLE)]
    assert [type(event) for event in events[:3]] == [SequenceStart, ItemStart, Element]
    assert (events[2].vr, bytes(events[2].value), events[2].depth) == ("SH", b"CODE", 1)


def test_what_is_no_sequence_though_it_should_be_stays_bytes():
    data = element(LITTLE, 0x00081140, "UN", b"no items")
    assert vrs(data, LITTLE) == ["UN"]


def test_sequences_written_as_un_in_each_other_end_somewhere():
    data = b""
    for _ in range(300):
        data = element(LITTLE, 0x00081140, "UN", item(LITTLE, data))
    for _ in scoped(walk(data, LITTLE), LITTLE):
        pass


def test_names_are_keywords_and_private_ones_by_their_creator():
    scope = scope_of()
    scope.note(Element(0x00090010, "LO", memoryview(b"GEMS_IDEN_01"), 0, 0))
    names = [
        scope.name_of(tag)
        for tag in (
            *(0x00100010, 0x60003000, 0x00080000, 0x00080001, 0x00090010, 0x00091001, 0x00091101),
        )
    ]
    assert names == [
        *("PatientName", "OverlayData", "GroupLength", "LengthToEnd", "PrivateCreator"),
        *("[Full fidelity]", "Private"),
    ]


def test_items_have_the_character_set_around_them_unless_their_own():
    name = element(LITTLE, 0x00100010, "PN", "Ä".encode())
    own = element(LITTLE, 0x00080005, "CS", b"ISO_IR 100")
    latin = element(LITTLE, 0x00100010, "PN", "Ö".encode("latin-1"))
    data = element(LITTLE, 0x00080005, "CS", b"ISO_IR 192")
    data += sequence(LITTLE, 0x00081140, item(LITTLE, name), item(LITTLE, own, latin)) + name
    names = [
        scope.values_of("PN", bytes(event.value))
        for event, scope in scoped(walk(data, LITTLE), LITTLE)
        if isinstance(event, Element) and event.vr == "PN"
    ]
    assert names == [["Ä"], ["Ö"], ["Ä"]]
