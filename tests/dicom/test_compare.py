"""Two data sets differ by exactly what was changed, however they are written."""

from __future__ import annotations

import copy
import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydicom.charset import encode_string
from pydicom.dataset import Dataset

from pacs_cli.dicom.compare import (
    Comparison,
    differences,
    first_difference,
    is_same_file,
    read_trees,
)
from pacs_cli.dicom.difference_text import difference_fields, difference_lines
from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.json_dump import Bulk
from pacs_cli.dicom.part10 import NotDicom, file_meta
from pacs_cli.dicom.selectors import parse_selectors, path_text
from pacs_cli.errors import MalformedDataset
from tests.dicom.datasets import (
    BIG,
    DEFLATED,
    ENCODINGS,
    IMPLICIT,
    LITTLE,
    datasets,
    element,
    header,
    item,
    of_everything,
    sequence,
    written,
)
from tests.samples import every_file
from tests.support import CT, EXPLICIT

SYNTAXES = {
    LITTLE: EXPLICIT,
    BIG: "1.2.840.10008.1.2.2",
    IMPLICIT: "1.2.840.10008.1.2",
    DEFLATED: "1.2.840.10008.1.2.1.99",
}


#: Bytes in each word of a VR, which pydicom writes as they are.
WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


def encoded(dataset: Dataset, encoding) -> bytes:
    """What pydicom writes, the words in the byte order of the encoding."""
    if encoding.little:
        return written(dataset, encoding)
    turned = copy.deepcopy(dataset)
    for _, place in places(turned):
        for each in place:
            size = WORDS.get(each.VR)
            if size:
                value = each.value
                each.value = b"".join(
                    value[at : at + size][::-1] for at in range(0, len(value), size)
                )
    return written(turned, encoding)


class Compare:
    """Writes two data sets into files and tells how they differ."""

    def __init__(self, folder):
        self._folder = folder

    def __call__(self, left, right, encodings=(LITTLE, LITTLE), syntaxes=None, ignore="", **given):
        documents = []
        for name, data, encoding, syntax in zip(
            ("left", "right"), (left, right), encodings, syntaxes or (None, None), strict=True
        ):
            meta = file_meta(CT, "1.2", syntax or SYNTAXES[encoding])
            (self._folder / name).write_bytes(meta + data)
            documents.append(open_document(self._folder / name))
        ignored = parse_selectors([ignore], "--ignore") if ignore else []
        comparison = Comparison(ignored, **given)
        trees = [read_trees(each, comparison.has_meta) for each in documents]
        return [*differences(*trees, comparison)]

    def told(self, *args, **options):
        return [(each.change, path_text(each.path)) for each in self(*args, **options)]


@pytest.fixture
def compare(tmp_path):
    return Compare(tmp_path)


@pytest.fixture(scope="module")
def compare_drawn(tmp_path_factory):
    """The same for a test that draws: all its examples in one folder."""
    return Compare(tmp_path_factory.mktemp("drawn"))


@pytest.mark.parametrize(
    "encodings",
    [*itertools.combinations(ENCODINGS, 2)],
    ids="-".join,
)
def test_encoding_is_no_difference(compare_drawn, encodings):
    left, right = (ENCODINGS[name] for name in encodings)

    @given(datasets())
    def check(dataset):
        found = compare_drawn(encoded(dataset, left), encoded(dataset, right), (left, right))
        assert found == []

    check()


@pytest.mark.parametrize("names", [*itertools.product(ENCODINGS, repeat=2)], ids="-".join)
def test_lengths_and_encodings_make_no_difference(compare, names):
    encodings = tuple(ENCODINGS[name] for name in names)
    found = compare.told(*map(of_everything, encodings), encodings)
    # its words are written as they are
    is_turned = encodings[0].little != encodings[1].little
    assert found == ([("changed", "PixelData")] if is_turned else [])


def places(dataset: Dataset, path=()):
    """The data sets in a data set, each with its path."""
    yield path, dataset
    for each in dataset:
        if each.VR == "SQ":
            for number, inner in enumerate(each.value):
                yield from places(inner, (*path, (int(each.tag), number)))


@pytest.mark.parametrize("is_added", [True, False], ids=["added", "removed"])
@given(data=st.data(), original=datasets(), encoding=st.sampled_from([LITTLE, BIG, IMPLICIT]))
def test_element_more_or_less_is_the_only_difference(
    compare_drawn, data, original, encoding, is_added
):
    edited = copy.deepcopy(original)
    path, place = data.draw(st.sampled_from([*places(edited)]))
    assume("StationName" not in place)
    place.StationName = "MADE UP"
    pair = (encoded(original, LITTLE), encoded(edited, encoding))
    encodings = (LITTLE, encoding)
    if not is_added:
        pair, encodings = pair[::-1], encodings[::-1]
    (found,) = compare_drawn(*pair, encodings)
    assert found.path == (*path, (0x00081010, None))
    assert found.change == ("added" if is_added else "removed")


@given(data=st.data(), original=datasets(), encoding=st.sampled_from([LITTLE, BIG, IMPLICIT]))
def test_value_changed_is_the_only_difference(compare_drawn, data, original, encoding):
    path, place = data.draw(st.sampled_from([*places(original)]))
    place.StationName = "BEFORE"
    edited = copy.deepcopy(original)
    inner = edited
    for tag, number in path:
        inner = inner[tag].value[number]
    inner.StationName = "AFTER"
    found = compare_drawn(encoded(original, encoding), encoded(edited, LITTLE), (encoding, LITTLE))
    assert [(each.change, each.path) for each in found] == [
        ("changed", (*path, (0x00081010, None)))
    ]


@given(data=st.data(), original=datasets())
def test_item_more_is_the_only_difference(compare_drawn, data, original):
    path, place = data.draw(st.sampled_from([*places(original)]))
    place.ReferencedStudySequence = [Dataset()]
    edited = copy.deepcopy(original)
    inner = edited
    for tag, number in path:
        inner = inner[tag].value[number]
    inner.ReferencedStudySequence.append(Dataset())
    (found,) = compare_drawn(encoded(original, LITTLE), encoded(edited, LITTLE))
    assert (found.change, found.path) == ("added", (*path, (0x00081110, 1)))


@pytest.mark.parametrize("path", every_file(), ids=lambda path: path.name)
def test_file_of_pydicom_is_like_itself(path):
    try:
        document = open_document(path)
        trees = read_trees(document, True)
    except (NotDicom, MalformedDataset):
        pytest.skip("not DICOM, or broken")
    assert is_same_file(document, document, True)
    assert [*differences(trees, trees, Comparison(has_meta=True))] == []


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((0x00080060, "CS", b"CT"), (0x00080060, "CS", b"CT  ")),
        ((0x00080018, "UI", b"1.2\0"), (0x00080018, "UI", b"1.2 ")),
        ((0x00180050, "DS", b" 1.5"), (0x00180050, "DS", b"1.5 ")),
        ((0x00420011, "OB", b"\1"), (0x00420011, "OB", b"\1\0")),
        ((0x00100010, "UN", b"Made^Up "), (0x00100010, "PN", b"Made^Up")),
        ((0x00420011, "OB", b"\1\2"), (0x00420011, "OW", b"\1\2")),
        ((0x00080000, "UL", b"\1\0\0\0"), (0x00080000, "UL", b"\2\0\0\0")),
        ((0xFFFCFFFC, "OB", b"\0\0"), (0xFFFCFFFC, "OB", b"\0\0\0\0")),
    ],
)
def test_padding_and_unknown_vrs_are_no_difference(compare, left, right):
    assert compare(element(LITTLE, *left), element(LITTLE, *right)) == []


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((0x00100020, "LO", b"1 "), (0x00100020, "LO", b" 1")),
        ((0x00180050, "DS", b"1.5 "), (0x00180050, "DS", b"1.50")),
        ((0x00081030, "LO", b"TEXT"), (0x00081030, "SH", b"TEXT")),
        ((0x00420011, "OB", b"\1\2"), (0x00420011, "OB", b"\1\2\0\0")),
        ((0x00420011, "OB", b"\1\2"), (0x00420011, "OB", b"\1\2\3")),
        ((0x00280010, "US", b"\1\0"), (0x00280010, "US", b"\1\0\1\0")),
        ((0x00100010, "PN", b"A^B "), (0x00100010, "PN", b"B^A ")),
        ((0x00080060, "CS", b""), (0x00080060, "CS", b"CT")),
    ],
)
def test_what_a_value_says_is_a_difference(compare, left, right):
    (found,) = compare(element(LITTLE, *left), element(LITTLE, *right))
    assert found.change == "changed"


def test_text_is_compared_in_unicode(compare):
    def named(character_set, encodings):
        label = element(LITTLE, 0x00080005, "CS", character_set.encode())
        name = encode_string("Jérôme", encodings)
        return label + element(LITTLE, 0x00100010, "PN", name)

    latin, utf_8 = named("ISO_IR 100", ["latin-1"]), named("ISO_IR 192", ["utf-8"])
    assert compare.told(latin, utf_8) == [("changed", "SpecificCharacterSet")]
    assert compare.told(latin, utf_8, ignore="SpecificCharacterSet") == []


def test_numbers_are_compared_across_byte_orders(compare):
    def numbers(encoding, value):
        order = "little" if encoding.little else "big"
        return b"".join(
            element(encoding, tag, vr, value.to_bytes(size, order))
            for tag, vr, size in (
                *((0x00280010, "US", 2), (0x00186020, "SL", 4), (0x00187001, "UL", 4)),
                *((0x00720082, "SV", 8), (0x00720083, "UV", 8), (0x7FE00010, "OW", 2)),
            )
        )

    assert compare(numbers(LITTLE, 7), numbers(BIG, 7), (LITTLE, BIG)) == []
    assert len(compare(numbers(LITTLE, 7), numbers(BIG, 8), (LITTLE, BIG))) == 6


def test_sequence_hidden_in_un_is_compared_as_one(compare):
    code = element(IMPLICIT, 0x00080100, "SH", b"CODE")
    private = element(LITTLE, 0x00090010, "LO", b"MADE UP ")
    hidden = private + element(LITTLE, 0x00091001, "UN", item(IMPLICIT, code))
    plain = private + sequence(
        LITTLE, 0x00091001, item(LITTLE, element(LITTLE, 0x00080100, "SH", b"CODE"))
    )
    other = private + sequence(
        LITTLE, 0x00091001, item(LITTLE, element(LITTLE, 0x00080100, "SH", b"OTHER "))
    )
    assert compare(hidden, plain) == []
    assert compare.told(other, hidden) == [("changed", "(0009,1001)[0].CodeValue")]


def fragments(*values: bytes) -> bytes:
    parts = [element(LITTLE, 0xFFFEE000, "", value) for value in values]
    head = header(LITTLE, 0x7FE00010, "OB", 0xFFFFFFFF)
    return b"".join((head, *parts, header(LITTLE, 0xFFFEE0DD, "", 0)))


JPEG = ("1.2.840.10008.1.2.4.50",) * 2


def test_offset_tables_and_the_cut_into_fragments_are_no_difference(compare):
    one = fragments(b"", b"\xff\xd8\xff\xd9")
    assert compare(one, fragments(b"\0\0\0\0", b"\xff\xd8\xff\xd9"), syntaxes=JPEG) == []
    assert compare(one, fragments(b"", b"\xff\xd8", b"\xff\xd9"), syntaxes=JPEG) == []
    assert len(compare(one, fragments(b"", b"\xff\xd8\xff\xd8"), syntaxes=JPEG)) == 1
    native = element(LITTLE, 0x7FE00010, "OB", b"\xff\xd8\xff\xd9")
    assert len(compare(one, native, syntaxes=(JPEG[0], EXPLICIT))) == 1


@pytest.mark.parametrize(
    ("ignored", "told"),
    [
        ("", ["StationName", "(0009,1001)", "ReferencedStudySequence[0].StationName"]),
        ("StationName", ["(0009,1001)"]),
        ("private", ["StationName", "ReferencedStudySequence[0].StationName"]),
        ("0009,StationName", []),
        ("0008", ["(0009,1001)"]),
        ("ReferencedStudySequence", ["StationName", "(0009,1001)"]),
        ("ReferencedStudySequence[0]", ["StationName", "(0009,1001)"]),
        ("ReferencedStudySequence[0].StationName", ["StationName", "(0009,1001)"]),
        ("ReferencedStudySequence[1]", None),
        ("0009,10xx", ["StationName", "ReferencedStudySequence[0].StationName"]),
    ],
)
def test_what_is_ignored_is_no_difference(compare, ignored, told):
    def made(name: bytes) -> bytes:
        station = element(LITTLE, 0x00081010, "SH", name)
        steps = sequence(LITTLE, 0x00081110, item(LITTLE, station))
        private = element(LITTLE, 0x00090010, "LO", b"MADE UP ")
        return station + steps + private + element(LITTLE, 0x00091001, "LO", name)

    found = [path for _, path in compare.told(made(b"ONE "), made(b"TWO "), ignore=ignored)]
    everything = ["StationName", "(0009,1001)", "ReferencedStudySequence[0].StationName"]
    assert sorted(found) == sorted(everything if told is None else told)


def test_file_meta_is_compared_when_asked_for(compare):
    data = element(LITTLE, 0x00080060, "CS", b"CT")
    other = element(IMPLICIT, 0x00080060, "CS", b"CT")
    assert compare.told(data, other, (LITTLE, IMPLICIT), has_meta=True) == [
        ("changed", "TransferSyntaxUID")
    ]


def test_difference_is_shown_on_both_sides(compare):
    def made(*names: bytes) -> bytes:
        items = [item(LITTLE, element(LITTLE, 0x00081010, "SH", name)) for name in names]
        return sequence(LITTLE, 0x00081110, *items)

    found = compare(
        element(LITTLE, 0x00080060, "CS", b"CT") + made(b"ONE "), made(b"TWO ", b"MORE")
    )
    texts = [
        "".join(text for _, text in line) for each in found for line in difference_lines(each, 64)
    ]
    assert [text.split("# ") for text in texts] == [
        ["- (0008,0060) CS [CT]".ljust(64), "Modality"],
        ["- (0008,1010) SH [ONE]".ljust(64), "ReferencedStudySequence[0].StationName"],
        ["+ (0008,1010) SH [TWO]".ljust(64), "ReferencedStudySequence[0].StationName"],
        ["+ (0008,1110) SQ 1 element".ljust(64), "ReferencedStudySequence[1]"],
    ]
    bulk = Bulk(0, "", 0)
    fields = [difference_fields(each, bulk, bulk) for each in found]
    assert [each["change"] for each in fields] == ["removed", "changed", "added"]
    assert fields[0]["left"] == {"vr": "CS", "Value": ["CT"]}
    assert fields[0]["right"] is None
    assert fields[2]["right"] == {
        "vr": "SQ",
        "Value": [{"00081010": {"vr": "SH", "Value": ["MORE"]}}],
    }


@pytest.mark.parametrize(
    ("vr", "left", "right", "shown"),
    [
        (
            *("LT", b"same " * 40 + b"ONE and more", b"same " * 40 + b"TWO and more"),
            ["LT [...ame ONE and more]", "LT [...ame TWO and more]"],
        ),
        (
            *("OW", bytes(200) + b"\1\0" + bytes(200), bytes(200) + b"\2\0" + bytes(200)),
            [f"OW ... byte 200: {word}" + "\\0000" * 3 + "\\..." for word in ("0001", "0002")],
        ),
        (
            *("US", b"\7\0" * 50 + b"\1\0", b"\7\0" * 50 + b"\2\0"),
            ["US ... byte 96: 7\\7\\1", "US ... byte 96: 7\\7\\2"],
        ),
        (
            *("OB", bytes(300), bytes(302)),
            ["OB ... byte 296: 00\\00\\00\\00", "OB ... byte 296: 00\\00\\00\\00\\00\\00"],
        ),
    ],
)
def test_values_that_begin_alike_are_shown_where_they_differ(compare, vr, left, right, shown):
    (found,) = compare(*(element(LITTLE, 0x00420011, vr, value) for value in (left, right)))
    texts = ["".join(text for _, text in line) for line in difference_lines(found, 16)]
    assert [text[14:].split("#")[0].rstrip() for text in texts] == shown


@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 3_000_000))
def test_first_difference_is_where_two_values_part(left, right, before):
    same, expected = bytes(before), 0
    while left[expected : expected + 1] == right[expected : expected + 1] != b"":
        expected += 1
    assert first_difference(same + left, same + right) == before + expected
