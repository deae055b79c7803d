"""Index values become Unicode text, whatever a peer says about their character set."""

from __future__ import annotations

import warnings

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import python_encoding
from pydicom.dataelem import RawDataElement

from pacs_cli.archive.attributes import COLUMNS, TAGS, describe
from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import encoding_of
from tests.samples import dataset_bytes, header, storable

CHARACTER_SET, NAME, ID = 0x00080005, 0x00100010, 0x00100020
STUDY, DATE = 0x0020000D, 0x00080020
TEXT = {tag for tag in TAGS if pydicom.datadict.dictionary_VR(tag) in ("LO", "PN", "SH")}


def decoded(value: bytes, character_set: str, tag: int = NAME) -> str:
    return describe({CHARACTER_SET: character_set.encode("latin-1"), tag: value})[COLUMNS[tag]]


@pytest.mark.parametrize(
    ("character_set", "value", "text"),
    [
        ("ISO_IR 100", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        ("ISO_IR 144", b"\xbb\xee\xdace\xdc\xd1yp\xd3", "Люкceмбypг"),
        ("ISO_IR 192", b"Wang^=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1=", "Wang^=王^小東="),
        ("GB18030", b"Wang^=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^=王^小东="),
        ("GBK", b"Wang^=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^=王^小东="),
        ("ISO_IR 13", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        # PS3.5 H.3.1
        (
            r"\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        # PS3.5 H.3.2
        (
            r"ISO 2022 IR 13\ISO 2022 IR 87",
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
        ),
        # PS3.5 I.2: a delimiter ends what an escape sequence began
        (
            r"\ISO 2022 IR 149",
            b"Hong^=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^x",
            "Hong^=洪^吉洞=홍^x",
        ),
        (r"ISO 2022 IR 100\ISO 2022 IR 149", b"\x1b$)C\xfb\xf3^J\xe9r\xf4me", "洪^Jérôme"),
        # PS3.5 K.2
        (r"\ISO 2022 IR 58", b"Zhang^=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", "Zhang^=张^小东="),
        # wrong, common, and read by everybody
        ("ISO-IR 100", b"J\xe9r\xf4me", "Jérôme"),
        (r"\ISO_2022_IR_87", b"\x1b$B;3ED\x1b(B", "山田"),
        # an escape sequence of a set that was not announced, and one that does not exist
        ("ISO_IR 192", b"\xc3\xa9\x1b$B;3", "é\x1b$B;3"),
        (r"\ISO 2022 IR 87", b"a\x1b!Z\xe9", "a\x1b!Zé"),
        # nothing may extend UTF-8 (PS3.3 C.12.1.1.2)
        (r"ISO_IR 192\ISO 2022 IR 87", b"\x1b$B;3ED", "\x1b$B;3ED"),
    ],
)
def test_text_is_decoded_by_its_character_set(character_set, value, text):
    assert decoded(value, character_set) == text


@pytest.mark.parametrize("path", storable(), ids=lambda path: path.name)
def test_samples_read_as_pydicom_reads_them(path):
    values = pick(dataset_bytes(path), encoding_of(header(path).transfer_syntax_uid), TAGS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        expected = {COLUMNS[tag]: as_text(theirs, tag) for tag in TAGS if tag in theirs}
    ours = describe(values)
    if "patient_name" in ours:
        # pydicom leaves out component groups without a value
        ours["patient_name"] = ours["patient_name"].rstrip("=")
    assert ours == {column: text for column, text in expected.items() if text}


def as_text(dataset: pydicom.Dataset, tag: int) -> str:
    """What pydicom decodes; of what is not text, the bytes as they were read."""
    raw = dataset.get_item(tag)
    if isinstance(raw, RawDataElement) and tag not in TEXT:
        return (raw.value or b"").decode("ascii").strip(" \0")
    value = dataset[tag].value or ""
    return ("\\".join(map(str, value)) if dataset[tag].VM > 1 else str(value)).strip(" \0")


@pytest.mark.parametrize(
    ("character_set", "value", "text"),
    [
        ("ISO_IR 192", b"M\xe9^Up", "M\ufffd^Up"),
        ("GB18030", b"\xcd", "\ufffd"),
        (r"\ISO 2022 IR 87", b"Made\x1b$B;", "Made\ufffd"),
        (r"\ISO 2022 IR 149", b"\x1b$)C\xfb^Up", "\ufffd^Up"),
    ],
)
def test_undecodable_bytes_become_replacement_characters(character_set, value, text):
    assert decoded(value, character_set) == text


@pytest.mark.parametrize(
    "term", ["unicode_escape", "raw_unicode_escape", "utf_7", "punycode", "zlib", "X\x1b[31m", "é"]
)
def test_peer_cannot_choose_a_codec(term):
    """Some of Python's make lone surrogates, which SQLite cannot store, and one calls pydicom."""
    assert decoded(b"\xe9\\ud800+2AA-", term) == "é\\ud800+2AA-"


def test_only_text_has_a_character_set():
    """An escape sequence in a UID would else vanish, and the UID be another than in the file."""
    assert decoded(b"\x1b(B1.2.3", r"\ISO 2022 IR 87", STUDY) == "\x1b(B1.2.3"
    assert decoded(b"\xd9\xa1", "ISO_IR 192", STUDY) == "Ù¡"
    assert decoded(b"\x1b(B2026", r"\ISO 2022 IR 87", DATE) == "\x1b(B2026"


def test_padding_and_empty_values_are_left_out():
    values = {NAME: b" Made^Up \0", ID: b" \0 ", STUDY: b"1.2\0", DATE: b""}
    assert describe(values) == {"patient_name": "Made^Up", "study": "1.2"}


def test_long_values_are_cut():
    assert decoded(b"x" * 100_000, "") == "x" * 1024


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    st.lists(st.sampled_from([*python_encoding, "other"]), min_size=1, max_size=3),
    st.lists(
        st.binary(max_size=6) | st.sampled_from([b"\x1b", b"\x1b$B", b"\x1b$)C", b"\x1b)I", b"^"])
    ),
)
def test_any_bytes_become_text_that_can_be_stored(terms, parts):
    value = b"x" + b"".join(parts) + b"x"
    assert decoded(value, "\\".join(terms)).encode("utf-8")
