"""Editing the top level of a data set: pydicom reads what was set, all else is the same bytes."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from pacs_cli.dicom.edit import Assignment, Edited, Editor, editor_for, parse_assignment
from pacs_cli.dicom.encoding import Encoding, TruncatedDataset, encoding_of
from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import InputError, MalformedDataset, UsageError
from tests.dicom.datasets import (
    BIG,
    DEFLATED,
    ENCODINGS,
    IMPLICIT,
    LITTLE,
    datasets,
    deflated,
    element,
    images,
    of_everything,
    written,
)
from tests.samples import dataset_bytes, storable

PATIENT_NAME, PATIENT_ID, PIXELS = 0x00100010, 0x00100020, 0x7FE00010
STUDY, SERIES, INSTANCE, SOP_CLASS = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
CHARACTER_SET, GROUP_8, GROUP_10, LENGTH_TO_END = 0x00080005, 0x00080000, 0x00100000, 0x00080001

#: Files that edits are refused for, and why.
REFUSED = {"winter.dcm": "out of order"}


def whole(data: bytes, edited: Edited) -> bytes:
    return b"".join((*edited.buffers, data[edited.rest :]))


def edit(data: bytes, encoding: Encoding, *assignments: str, suffix: str | None = None) -> bytes:
    editor = editor_for(assignments, suffix)
    assert editor is not None
    return whole(data, editor.edit(data, encoding))


def raw(data: bytes, encoding: Encoding) -> Dataset:
    """pydicom's data set, of elements that are still bytes."""
    if encoding.deflated:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    # some files of pydicom have the other kind of VR than they say
    is_explicit = data[4:6].isalpha() and data[4:6].isupper()
    return read_dataset(io.BytesIO(data), not is_explicit, encoding.little)


def values(dataset: Dataset) -> dict[int, bytes]:
    """The bytes of every top-level value."""
    found = {}
    for tag in dataset.keys():  # noqa: SIM118 - items() would decode
        each = dataset.get_item(tag)
        found[int(tag)] = each.value if isinstance(each.value, bytes) else repr(each.value)
    return found


def value(data: bytes, encoding: Encoding, tag: int) -> object:
    return raw(data, encoding)[tag].value


def minimal(encoding: Encoding, *more: tuple[int, str, bytes]) -> bytes:
    """A small data set with these elements in their places."""
    elements = [
        (SOP_CLASS, "UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
        (INSTANCE, "UI", b"1.2.3\0"),
        (PATIENT_NAME, "PN", b"Made^Up "),
        (STUDY, "UI", b"1.2.4\0"),
        (SERIES, "UI", b"1.2.5\0"),
        (PIXELS, "OW", bytes(range(64))),
        *more,
    ]
    plain = Encoding(encoding.explicit, encoding.little)
    data = b"".join(element(plain, *each) for each in sorted(elements))
    return deflated(data) if encoding.deflated else data


# -- against pydicom -----------------------------------------------------------------------------


def longest_uid(data: bytes, encoding: Encoding) -> int:
    found = values(raw(data, encoding))
    return max(len(found.get(tag, b"").rstrip(b"\0")) for tag in (INSTANCE, STUDY, SERIES))


SET = ("PatientName=Edited^Name", "InstitutionName=Nowhere", "(0020,4000)=", "Rows=7")
TOUCHED = {PATIENT_NAME, 0x00080080, 0x00204000, 0x00280010, STUDY, SERIES, INSTANCE}


@pytest.mark.parametrize("path", storable(), ids=lambda path: path.name)
def test_every_sample_keeps_all_but_what_is_set(path):
    header = probe(path)
    before, encoding = dataset_bytes(path), encoding_of(header.transfer_syntax_uid)
    if path.name in REFUSED:
        with pytest.raises(MalformedDataset, match=REFUSED[path.name]):
            edit(before, encoding, *SET)
        return
    # some have UIDs of 64 characters
    suffix = "" if longest_uid(before, encoding) > 61 else ".77"
    after = edit(before, encoding, *SET, suffix=suffix or None)
    with warnings.catch_warnings():
        # pydicom has its opinions about these files
        warnings.simplefilter("ignore")
        old, new = raw(before, encoding), raw(after, encoding)
        kept = {tag: each for tag, each in values(old).items() if tag not in TOUCHED}
        assert str(new.PatientName) == "Edited^Name"
        assert new.InstitutionName == "Nowhere"
        assert new[0x00204000].is_empty
        assert new.Rows == 7
        for tag in (INSTANCE, STUDY, SERIES):
            if tag in old and old[tag].value:
                assert new[tag].value == old[tag].value + suffix
    # group lengths of what is edited are gone, all else is there as it was
    lengths = {tag for tag in kept if tag & 0xFFFF == 0 or tag == LENGTH_TO_END}
    changed = {tag for tag in lengths if tag >> 16 in (0x08, 0x10, 0x20, 0x28)}
    assert {t: v for t, v in values(new).items() if t not in TOUCHED} == {
        tag: each for tag, each in kept.items() if tag not in changed
    }


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_data_set_keeps_all_but_what_is_set(encoding, data):
    drawn = data.draw(images() if encoding == LITTLE else datasets())
    before = written(drawn, encoding)
    after = edit(before, encoding, "PatientID=NEW", "StudyDescription=Two words", "Columns=512")
    expected = values(raw(before, encoding))
    order = "little" if encoding.little else "big"
    expected |= {
        PATIENT_ID: b"NEW ",
        0x00081030: b"Two words ",
        0x00280011: (512).to_bytes(2, order),
    }
    assert values(raw(after, encoding)) == expected
    tags = [int(tag) for tag in raw(after, encoding).keys()]  # noqa: SIM118
    assert tags == sorted(tags)


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize(
    ("text", "tag", "expected"),
    [
        ("PatientName=Neu^Er", PATIENT_NAME, "Neu^Er"),
        ("0010,0010=Neu^Er", PATIENT_NAME, "Neu^Er"),
        ("(0010,0010)=Neu^Er", PATIENT_NAME, "Neu^Er"),
        ("PatientName=Eins=Zwei", PATIENT_NAME, "Eins=Zwei"),
        ("ImageType=DERIVED\\SECONDARY", 0x00080008, ["DERIVED", "SECONDARY"]),
        ("StudyDate=20260102", 0x00080020, "20260102"),
        ("SliceThickness=1.25", 0x00180050, 1.25),
        ("InstanceNumber=-3", 0x00200013, -3),
        ("PatientComments=a\\b", 0x00104000, "a\\b"),
        ("PatientComments=two\r\nlines", 0x00104000, "two\r\nlines"),
        ("Rows=65535", 0x00280010, 65535),
        ("TagAngleSecondAxis=-2", 0x00189219, -2),
        ("EventTimeOffset=0.5", 0x00082134, 0.5),
        ("SimpleFrameList=1\\2\\3", 0x00081161, [1, 2, 3]),
        ("RetrieveURL=http://made.up/x", 0x00081190, "http://made.up/x"),
        ("PatientSize=", 0x00101020, None),
    ],
)
def test_pydicom_reads_what_was_set(encoding, text, tag, expected):
    assert value(edit(minimal(encoding), encoding, text), encoding, tag) == expected


# -- what is left alone --------------------------------------------------------------------------


def test_pixel_data_is_a_view_and_no_copy():
    data = minimal(LITTLE)
    editor = editor_for(["PatientName=X"], None)
    buffers, rest = editor.edit(data, LITTLE)
    assert data.index(bytes(range(64))) > rest
    kept = [each for each in buffers if isinstance(each, memoryview)]
    assert kept
    assert all(each.obj is data for each in kept)


@pytest.mark.parametrize("encoding", [LITTLE, BIG, IMPLICIT])
def test_sequences_of_undefined_length_before_the_edit_stay_as_they_are(encoding):
    data = of_everything(encoding)
    after = edit(data, encoding, "StudyID=7")
    new = element(encoding, 0x00200010, "SH", b"7 ")
    assert new in after
    assert after.replace(new, b"") == data


def test_reading_stops_behind_the_last_edit():
    """What follows may be cut or make no sense: it is passed on and nobody's business."""
    data = minimal(LITTLE) + b"\xff\xff\xff"
    assert edit(data, LITTLE, "PatientID=X").endswith(data[-90:])


@pytest.mark.parametrize("size", range(0, 200, 7))
def test_beginning_is_enough_or_more_is_asked_for(size):
    data = minimal(LITTLE)
    editor = editor_for(["PatientName=Other"], ".1")
    expected = whole(data, editor.edit(data, LITTLE))
    try:
        edited = editor.edit(data[:size], LITTLE, complete=False)
    except TruncatedDataset:
        # the pixel data begins behind the series UID, and need not be there
        assert size < data.index(b"1.2.5\0") + 6 + 12
    else:
        assert whole(data, edited) == expected


def test_references_in_sequences_are_not_changed():
    item = element(LITTLE, 0x00081155, "UI", b"1.2.3\0")
    inner = struct.pack("<HHL", 0xFFFE, 0xE000, len(item)) + item
    data = minimal(LITTLE, (0x00081140, "SQ", inner))
    after = edit(data, LITTLE, suffix=".9")
    assert inner in after
    assert value(after, LITTLE, INSTANCE) == "1.2.3.9"


# -- group lengths -------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", [LITTLE, BIG, IMPLICIT])
def test_group_length_of_what_is_edited_goes_and_others_stay(encoding):
    lengths = [(tag, "UL", b"\1\2\3\4") for tag in (GROUP_8, GROUP_10)]
    after = raw(edit(minimal(encoding, *lengths), encoding, "PatientID=X"), encoding)
    assert GROUP_8 in after
    assert GROUP_10 not in after


def test_length_to_end_goes():
    data = minimal(LITTLE, (LENGTH_TO_END, "UL", b"\1\2\3\4"))
    assert LENGTH_TO_END not in raw(edit(data, LITTLE, "PatientID=X"), LITTLE)


# -- UIDs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_suffix_is_appended_to_the_three_uids(encoding):
    after = edit(minimal(encoding), encoding, suffix=".99")
    got = {tag: value(after, encoding, tag) for tag in (INSTANCE, STUDY, SERIES, SOP_CLASS)}
    assert got == {
        INSTANCE: "1.2.3.99",
        STUDY: "1.2.4.99",
        SERIES: "1.2.5.99",
        SOP_CLASS: "1.2.840.10008.5.1.4.1.1.2",
    }


def test_command_is_told_what_the_data_set_says():
    editor = editor_for(["SOPClassUID=1.2.840.10008.5.1.4.1.1.4"], ".5")
    assert editor.identity("1.2.840.10008.5.1.4.1.1.2", "1.2.3") == (
        "1.2.840.10008.5.1.4.1.1.4",
        "1.2.3.5",
    )
    editor = editor_for(["SOPInstanceUID=1.9"], ".5")
    assert editor.identity("1.2", "1.2.3") == ("1.2", "1.9")
    after = whole(minimal(LITTLE), editor.edit(minimal(LITTLE), LITTLE))
    assert value(after, LITTLE, INSTANCE) == "1.9"
    assert value(after, LITTLE, STUDY) == "1.2.4.5"


@pytest.mark.parametrize("tag", [INSTANCE, STUDY, SERIES])
@pytest.mark.parametrize(("length", "fits"), [(62, True), (63, False)])
def test_uid_that_becomes_longer_than_64_is_refused(tag, length, fits):
    uid = ("1." + "2" * 80)[:length]
    old = {INSTANCE: b"1.2.3", STUDY: b"1.2.4", SERIES: b"1.2.5"}[tag]
    before = element(LITTLE, tag, "UI", old + b"\0")
    data = minimal(LITTLE).replace(
        before, element(LITTLE, tag, "UI", uid.encode() + b"\0" * (length % 2))
    )
    if fits:
        assert value(edit(data, LITTLE, suffix=".9"), LITTLE, tag) == uid + ".9"
        return
    with pytest.raises(InputError, match=r"Instance UID with \.9 would have 65 characters"):
        edit(data, LITTLE, suffix=".9")


def test_absent_and_empty_uids_get_no_suffix():
    data = element(LITTLE, SOP_CLASS, "UI", b"1.2\0") + element(LITTLE, STUDY, "UI", b"")
    assert edit(data, LITTLE, suffix=".9") == data


# -- character sets ------------------------------------------------------------------------------


def in_set(character_set: str, encoding: Encoding = LITTLE) -> bytes:
    text = character_set.encode()
    return minimal(encoding, (CHARACTER_SET, "CS", text + b" " * (len(text) % 2)))


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 101", "Wałęsa"),
        ("ISO_IR 126", "Διονυσιος"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 192", "山田^太郎=Müller"),
        ("GB18030", "王^小东"),
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ],
)
@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_value_is_written_in_the_character_set_of_the_file(encoding, character_set, name):
    after = edit(in_set(character_set, encoding), encoding, f"PatientName={name}")
    assert str(value(after, encoding, PATIENT_NAME)) == name


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("", "Müller"),
        ("ISO_IR 6", "Müller"),
        ("\\ISO 2022 IR 87", "Müller"),
        ("ISO_IR 100", "山田"),
        ("ISO_IR 100", "Wałęsa"),
        ("\\ISO 2022 IR 87", "홍"),
        ("ISO_IR 13", "山田"),
        ("NO SUCH SET", "Müller"),
    ],
)
def test_value_that_the_character_set_cannot_say_is_refused(character_set, name):
    with pytest.raises(InputError, match="--set PatientName: the file's character set") as caught:
        edit(in_set(character_set), LITTLE, f"PatientName={name}")
    assert name not in str(caught.value)


@pytest.mark.parametrize("character_set", ["", "NO SUCH SET", "ISO_IR 13", "\\ISO 2022 IR 58"])
def test_ascii_can_always_be_said(character_set):
    after = edit(in_set(character_set), LITTLE, "PatientID=A-1")
    assert element(LITTLE, PATIENT_ID, "LO", b"A-1 ") in after


def test_character_set_can_be_given_to_a_file_that_is_ascii():
    after = edit(minimal(LITTLE), LITTLE, "SpecificCharacterSet=ISO_IR 192", "PatientName=山田")
    assert str(value(after, LITTLE, PATIENT_NAME)) == "山田"


def test_character_set_of_a_file_that_has_one_is_not_changed():
    assert edit(in_set("ISO_IR 100"), LITTLE, "SpecificCharacterSet=ISO_IR 100")
    with pytest.raises(InputError, match="its texts are in ISO_IR 100"):
        edit(in_set("ISO_IR 100"), LITTLE, "SpecificCharacterSet=ISO_IR 192")


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PatientNam=x", "did you mean PatientName?"),
        ("PatientName", "write KEYWORD=VALUE"),
        ("=x", "no keyword"),
        ("TransferSyntaxUID=1.2", "group 0002 is not part of a data set"),
        ("(0000,0002)=1.2", "group 0000"),
        ("(0010,0000)=4", "a length"),
        ("(0008,0001)=4", "a length"),
        ("(0009,1001)=x", "not in the dictionary"),
        ("PixelData=x", "VR OB or OW cannot be set"),
        ("SmallestImagePixelValue=1", "VR US or SS cannot be set"),
        ("ReferencedImageSequence=x", "VR SQ cannot be set"),
        ("(FFFE,E000)=x", "group FFFE"),
        ("StudyDate=tomorrow", "not a value of VR DA"),
        ("StudyTime=noon", "not a value of VR TM"),
        ("Modality=x-ray", "not a value of VR CS"),
        ("PatientAge=12", "not a value of VR AS"),
        ("Rows=many", "not a value of VR US"),
        ("Rows=65536", "not a value of VR US"),
        ("Rows=-1", "not a value of VR US"),
        ("SliceThickness=thin", "not a value of VR DS"),
        ("InstanceNumber=1.5", "not a value of VR IS"),
        ("PatientID=" + "x" * 65, "not a value of VR LO"),
        ("PatientID=A\\B", "at most 1 value; a backslash"),
        ("SOPInstanceUID=", "could not be stored"),
        ("SOPInstanceUID=1..2", "not a value of VR UI"),
        ("StudyInstanceUID=" + "1" * 65, "not a value of VR UI"),
        ("Modality=ÜT", "VR CS is ASCII"),
        ("Rows=1_000", "not a value of VR US"),
        ("EventTimeOffset=1_0.5", "not a value of VR FD"),
        ("PatientName=A\x1b$B", "no such control character"),
        ("PatientName=A\nB", "no such control character"),
        ("PatientComments=A\x1b[31mB", "no such control character"),
        ("PatientComments=A\x9bB", "no such control character"),
        ("PatientName=A\udcffB", "cannot be decoded"),
        ("PatientComments=" + "x" * 10241, "VR LT"),
        ("ImageComments=" + "x" * 70000, "too long for VR LT"),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_cause(text, words):
    with pytest.raises(UsageError, match=r"^--set ") as caught:
        parse_assignment(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "suffix", ["", ".", "x", ".1.", "..1", "1..2", ".1 ", ".1\n", "." + "1" * 64]
)
def test_suffix_that_leaves_no_uid_is_refused(suffix):
    with pytest.raises(UsageError, match="--uid-suffix"):
        editor_for((), suffix)


def test_nothing_to_edit_is_no_editor():
    assert editor_for((), None) is None


def test_last_assignment_of_an_element_counts():
    after = edit(minimal(LITTLE), LITTLE, "PatientID=A", "(0010,0020)=B")
    assert value(after, LITTLE, PATIENT_ID) == "B"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (minimal(LITTLE)[:50], TruncatedDataset),
        (b"\x08\x00\x05\x00CS", TruncatedDataset),
        (element(LITTLE, PATIENT_NAME, "PN", b"A ") * 2, MalformedDataset),
        (element(LITTLE, 0x00100040, "CS", b"F ") + minimal(LITTLE), MalformedDataset),
        (
            element(LITTLE, 0x00081140, "SQ", b"")[:-4] + b"\xff" * 4 + b"\1\0\1\0\0\0\0\0",
            InputError,
        ),
    ],
)
def test_data_set_that_makes_no_sense_up_to_the_edit_is_refused(data, error):
    with pytest.raises(error):
        edit(data, LITTLE, "PatientSize=1.8")


def test_garbage_raises_nothing_else():
    editor = editor_for(["PatientID=X", "StudyDescription=Y"], ".1")
    for seed in range(400):
        data = bytearray(of_everything(LITTLE))
        for position in (seed * 7 % len(data), seed * 31 % len(data)):
            data[position] ^= 1 << seed % 8
        for encoding in ENCODINGS.values():
            try:
                editor.edit(bytes(data), encoding)
            except InputError:
                continue


def test_deflated_data_set_that_never_ends_is_refused(monkeypatch):
    from pacs_cli.dicom import edit as module
    from pacs_cli.dicom.encoding import Bounds

    monkeypatch.setattr(module, "DEFAULT_BOUNDS", Bounds(inflate=1000))
    with pytest.raises(MalformedDataset, match="longer than 1000"):
        edit(deflated(bytes(2000)), DEFLATED, "PatientID=X")


def test_deflated_data_set_has_an_even_length():
    lengths = {
        len(edit(minimal(DEFLATED), DEFLATED, f"PatientID={'x' * size}")) % 2
        for size in range(1, 40)
    }
    assert lengths == {0}


def test_editor_can_be_used_again_on_any_encoding():
    editor = Editor([Assignment(0x00280010, "US", "Rows", "258")])
    for encoding in (*ENCODINGS.values(), *ENCODINGS.values()):
        after = whole(minimal(encoding), editor.edit(minimal(encoding), encoding))
        assert value(after, encoding, 0x00280010) == 258
