"""The lines of a dump: what an eye sees of an element, an item, a fragment."""

from __future__ import annotations

import pytest

from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.part10 import NotDicom, file_meta
from pacs_cli.dicom.selectors import parse_selectors
from pacs_cli.dicom.text_dump import View, dump_lines, single
from pacs_cli.errors import MalformedDataset
from tests.dicom.datasets import BIG, IMPLICIT, LITTLE, element, header, item, sequence
from tests.samples import every_file
from tests.support import CT, EXPLICIT

JPEG = "1.2.840.10008.1.2.4.50"


@pytest.fixture
def dumped(tmp_path):
    """The lines of a data set, without the file meta and the heading."""

    def dump(*elements, syntax=EXPLICIT, **view):
        path = tmp_path / "file"
        path.write_bytes(file_meta(CT, "1.2", syntax) + b"".join(elements))
        lines = dump_lines(open_document(path), View(has_meta=False, **view))
        return ["".join(text for _, text in line) for line in lines if line[0][0] != "heading"]

    return dump


def line(start: str, remark: str) -> str:
    return f"{start:64}# {remark}"


def test_element_has_tag_vr_value_length_number_of_values_and_name(dumped):
    assert dumped(
        element(LITTLE, 0x00080005, "CS", b"ISO_IR 192"),
        element(LITTLE, 0x00080008, "CS", b"ORIGINAL\\PRIMARY"),
        element(LITTLE, 0x00080018, "UI", b"1.2\0"),
        element(LITTLE, 0x00080050, "SH", b""),
        element(LITTLE, 0x00100010, "PN", "Jérôme".encode()),
    ) == [
        line("(0008,0005) CS [ISO_IR 192]", "10, 1 SpecificCharacterSet"),
        line("(0008,0008) CS [ORIGINAL\\PRIMARY]", "16, 2 ImageType"),
        line("(0008,0018) UI [1.2]", "4, 1 SOPInstanceUID"),
        line("(0008,0050) SH ", "0, 0 AccessionNumber"),
        line("(0010,0010) PN [Jérôme]", "8, 1 PatientName"),
    ]


@pytest.mark.parametrize(
    ("vr", "value", "shown", "count"),
    [
        ("US", b"\1\0\2\0", "1\\2", 2),
        ("SS", b"\xff\xff", "-1", 1),
        ("FL", b"\xcd\xcc\xcc\x3d", "0.1", 1),
        ("FD", b"\x9a\x99\x99\x99\x99\x99\xb9\x3f", "0.1", 1),
        ("AT", b"\x10\0\x10\0", "(0010,0010)", 1),
        ("OB", b"\0\1\xfe\xff", "00\\01\\fe\\ff", 1),
        ("OW", b"\0\1\xfe\xff", "0100\\fffe", 1),
        ("OF", b"\0\1\2\3", "03020100", 1),
        ("US", b"\1\2\3", "01\\02\\03", 1),
        ("UN", b"looks like text ", "[looks like text]", 1),
        ("UN", b"\0\1", "00\\01", 1),
        ("LT", b"line\r\nline\\line", "[line\r\nline\\line]", 1),
        ("UI", b"1.2.840.10008.1.2\0", "[1.2.840.10008.1.2] =ImplicitVRLittleEndian", 1),
        ("DS", b"1.50\\ 2 ", "[1.50\\ 2]", 2),
    ],
)
def test_value_is_shown_as_its_vr_has_it(dumped, vr, value, shown, count):
    # 0009 without a creator: nothing else is known of it
    assert dumped(element(LITTLE, 0x00091001, vr, value)) == [
        line(f"(0009,1001) {vr} {shown}", f"{len(value)}, {count} Private")
    ]


def test_names_that_are_wide_are_aligned(dumped):
    data = element(LITTLE, 0x00080005, "CS", b"ISO_IR 192")
    (_, shown) = dumped(data, element(LITTLE, 0x00100010, "PN", "山田^太郎".encode()))
    # four of the characters are two columns wide
    assert shown.index("#") == 64 - 4


def test_big_endian_is_shown_as_little_endian_is(dumped):
    values = {"US": b"\0\1\0\2", "OW": b"\1\0\xff\xfe", "AT": b"\0\x10\0\x20", "OB": b"\1\2"}
    for vr, value in values.items():
        swapped = (
            value
            if vr == "OB"
            else b"".join(value[at : at + 2][::-1] for at in range(0, len(value), 2))
        )
        big = dumped(element(BIG, 0x00091001, vr, value), syntax="1.2.840.10008.1.2.2")
        assert big == dumped(element(LITTLE, 0x00091001, vr, swapped))


def test_sequences_are_indented_and_their_items_numbered(dumped):
    code = element(LITTLE, 0x00080100, "SH", b"CODE")
    inner = sequence(LITTLE, 0x0040A730, item(LITTLE, code, undefined=True), undefined=True)
    assert dumped(sequence(LITTLE, 0x00081140, item(LITTLE, code), item(LITTLE, inner))) == [
        line("(0008,1140) SQ ", "76 ReferencedImageSequence"),
        line("  item [0]", "12"),
        line("    (0008,0100) SH [CODE]", "4, 1 CodeValue"),
        line("  item [1]", "48"),
        line("    (0040,A730) SQ ", "u/l ContentSequence"),
        line("      item [0]", "u/l"),
        line("        (0008,0100) SH [CODE]", "4, 1 CodeValue"),
    ]


def test_deeper_sequences_are_counted(dumped):
    code = element(LITTLE, 0x00080100, "SH", b"CODE")
    inner = sequence(LITTLE, 0x0040A730, item(LITTLE, code), item(LITTLE))
    outer = sequence(LITTLE, 0x00081140, item(LITTLE, code, inner))
    assert dumped(outer, depth=0) == [line("(0008,1140) SQ 1 item", "60 ReferencedImageSequence")]
    assert dumped(outer, depth=1)[-1] == line("    (0040,A730) SQ 2 items", "28 ContentSequence")
    assert dumped(outer, depth=2) == dumped(outer)


def fragments(*values: bytes) -> bytes:
    parts = [element(LITTLE, 0xFFFEE000, "", value) for value in values]
    head = header(LITTLE, 0x7FE00010, "OB", 0xFFFFFFFF)
    return b"".join((head, *parts, header(LITTLE, 0xFFFEE0DD, "", 0)))


def test_fragments_are_listed_or_counted(dumped):
    pixels = fragments(b"\0\0\0\0", b"\xff\xd8", b"\xff\xd9")
    assert dumped(pixels, syntax=JPEG) == [
        line("(7FE0,0010) OB encapsulated", "u/l PixelData"),
        line("  offset table 00000000", "4"),
        line("  fragment [0] ff\\d8", "2"),
        line("  fragment [1] ff\\d9", "2"),
    ]
    assert dumped(pixels, syntax=JPEG, depth=0) == [
        line("(7FE0,0010) OB 2 fragments, 8 bytes", "u/l PixelData")
    ]


def test_private_names_come_from_the_dictionary(dumped):
    shown = dumped(
        element(LITTLE, 0x00090010, "LO", b"GEMS_IDEN_01"),
        element(LITTLE, 0x00091001, "LO", b"FF"),
        element(LITTLE, 0x00091099, "LO", b"FF"),
        element(LITTLE, 0x00080001, "UL", bytes(4)),
        element(LITTLE, 0x00083333, "LO", b"FF"),
    )
    names = [each.split(", 1 ")[1] for each in shown]
    assert names == ["PrivateCreator", "[Full fidelity]", "Private", "LengthToEnd", "Unknown"]


def test_implicit_vr_has_the_names_and_vrs_of_the_dictionary(dumped):
    shown = dumped(
        element(IMPLICIT, 0x00090010, "LO", b"GEMS_IDEN_01"),
        element(IMPLICIT, 0x00091027, "SL", b"\1\0\0\0"),
        element(IMPLICIT, 0x7FE00010, "OW", b"\1\0"),
        syntax="1.2.840.10008.1.2",
    )
    assert shown[1:] == [
        line("(0009,1027) SL 1", "4, 1 [Image actual date]"),
        line("(7FE0,0010) OW 0001", "2, 1 PixelData"),
    ]


@pytest.mark.parametrize(
    ("vr", "value", "shown"),
    [
        ("LO", b"0123456789abcdef", "[0123456789...]"),
        ("LO", b"0123456789", "[0123456789]"),
        ("US", b"\1\0" * 90, "1\\1\\1\\1\\1\\..."),
        ("OB", bytes(90), "00\\00\\00\\00\\..."),
        ("OW", bytes(90), "0000\\0000\\0000\\..."),
        ("UN", b"t" * 90, "[tttttttttt...]"),
        ("LO", b"x" * 200_000, "[xxxxxxxxxx...]"),
    ],
)
def test_long_values_are_cut_where_told(dumped, vr, value, shown):
    data = element(LITTLE, 0x00091001, vr, value) if len(value) < 65536 else None
    if data is None:
        data = element(LITTLE, 0x00091001, "UC", value)
        vr = "UC"
    count = len(value) // 2 if vr == "US" else 1
    remark = f"{len(value)}, {count} Private"
    assert dumped(data, max_length=10) == [line(f"(0009,1001) {vr} {shown}", remark)]
    whole = dumped(data, max_length=0)[0]
    assert "..." not in whole
    assert len(whole) > len(shown)


def test_number_of_values_of_a_long_text_is_that_of_all(dumped):
    data = element(LITTLE, 0x00091001, "UC", b"\\".join([b"abcdefg"] * 20_000))
    assert "# 159999, 20000 Private" in dumped(data, max_length=10)[0]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("CodeMeaning", ["SQ", "item [1]", "CodeMeaning"]),
        ("ReferencedImageSequence[0]", ["SQ", "item [0]", "CodeValue"]),
        ("ReferencedImageSequence[1].CodeValue", ["SQ", "item [1]", "CodeValue"]),
        (
            "ReferencedImageSequence",
            ["SQ", "item [0]", "CodeValue", "item [1]", "CodeValue", "CodeMeaning"],
        ),
        ("0010", ["PatientName"]),
        ("CodeMeaning,PatientName", ["SQ", "item [1]", "CodeMeaning", "PatientName"]),
        ("Rows", []),
    ],
)
def test_only_what_is_meant_is_shown_with_what_it_is_in(dumped, typed, shown):
    code = element(LITTLE, 0x00080100, "SH", b"CODE")
    meaning = element(LITTLE, 0x00080104, "LO", b"TEXT")
    data = sequence(LITTLE, 0x00081140, item(LITTLE, code), item(LITTLE, code, meaning))
    name = element(LITTLE, 0x00100010, "PN", b"A^")
    lines = dumped(data, name, only=parse_selectors([typed], "--only"))
    words = [
        "SQ" if " SQ " in each else each[2:10] if "item" in each else each.split()[-1]
        for each in lines
    ]
    assert words == shown


def test_floats_of_32_bits_are_as_short_as_they_can_be():
    shortest = [single(number) for number in (0.10000000149011612, 1.5, 16777216.0, 3.4e38, -0.0)]
    assert shortest == ["0.1", "1.5", "16777216", "3.4e+38", "-0"]


@pytest.mark.parametrize("max_length", [0, 1, 64])
@pytest.mark.parametrize("path", every_file(), ids=lambda path: path.name)
def test_files_of_pydicom_are_shown_line_by_line(path, max_length):
    try:
        document = open_document(path)
    except NotDicom:
        # the matter of another test
        return
    try:
        for parts in dump_lines(document, View(max_length=max_length)):
            assert all(isinstance(text, str) for _, text in parts)
    except MalformedDataset:
        assert path.name in ("MR_truncated.dcm", "rtplan_truncated.dcm", "DICOMDIR-nooffset")
