"""Data sets written byte by byte in any encoding, and drawn at random and written by pydicom."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from pacs_cli.dicom.encoding import UNDEFINED, Encoding

LITTLE = Encoding(explicit=True, little=True)
BIG = Encoding(explicit=True, little=False)
IMPLICIT = Encoding(explicit=False, little=True)
DEFLATED = Encoding(explicit=True, little=True, deflated=True)
ENCODINGS = {"little": LITTLE, "big": BIG, "implicit": IMPLICIT, "deflated": DEFLATED}

#: PS3.5 table 7.1-1; all other VRs have two bytes of length.
LONG_VRS = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}

DELIMITERS = ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def header(encoding: Encoding, tag: int, vr: str, length: int) -> bytes:
    """Tag, VR ("" writes none) and length of an element."""
    order = "<" if encoding.little else ">"
    start = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if not encoding.explicit or not vr:
        return start + struct.pack(order + "L", length)
    if vr in LONG_VRS:
        return start + vr.encode() + struct.pack(order + "xxL", length)
    return start + vr.encode() + struct.pack(order + "H", length)


def element(encoding: Encoding, tag: int, vr: str, value: bytes) -> bytes:
    return header(encoding, tag, vr, len(value)) + value


def item(encoding: Encoding, *elements: bytes, undefined: bool = False) -> bytes:
    value = b"".join(elements)
    if undefined:
        end = header(encoding, ITEM_DELIMITER, "", 0)
        return header(encoding, ITEM, "", UNDEFINED) + value + end
    return element(encoding, ITEM, "", value)


def sequence(
    encoding: Encoding, tag: int, *items: bytes, vr: str = "SQ", undefined: bool = False
) -> bytes:
    value = b"".join(items)
    if undefined:
        end = header(encoding, SEQUENCE_DELIMITER, "", 0)
        return header(encoding, tag, vr, UNDEFINED) + value + end
    return element(encoding, tag, vr, value)


def nested(encoding: Encoding, depth: int, undefined: bool) -> bytes:
    """Sequences in sequences, `depth` of them."""
    data = b""
    for _ in range(depth):
        data = sequence(
            encoding,
            0x0040A730,
            item(encoding, data, undefined=undefined),
            undefined=undefined,
        )
    return data


def deflated(data: bytes) -> bytes:
    """As PS3.5 A.5 has it, without the padding to an even length."""
    return zlib.compress(data, wbits=-zlib.MAX_WBITS)


def of_everything(encoding: Encoding) -> bytes:
    """A small data set with sequences and items of both kinds of length, and pixel data."""
    plain = Encoding(encoding.explicit, encoding.little)
    name = element(plain, 0x00100010, "PN", b"Made^Up ")
    code = element(plain, 0x00080100, "SH", b"CODE")
    inner = sequence(plain, 0x0040A730, item(plain, code, undefined=True), undefined=True)
    data = b"".join(
        (
            element(plain, 0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
            sequence(plain, 0x00081140, item(plain, code), item(plain, inner), item(plain)),
            name,
            sequence(plain, 0x00400275, item(plain, inner, undefined=True), undefined=True),
            element(plain, 0x7FE00010, "OW", b"\1\2\3\4"),
        )
    )
    return deflated(data) if encoding.deflated else data


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """Fail when more than this is allocated at any time inside the block."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


TEXT = st.text("abcXYZ019 ^-_", min_size=1, max_size=9).map(lambda text: f"A{text}A")
UIDS = st.lists(st.integers(0, 99).map(str), max_size=5).map(lambda rest: ".".join(("1", *rest)))
WORDS = st.binary(max_size=5).map(lambda value: value * 8)


def signed(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


#: A keyword of every VR but SQ, and values of it that pydicom has nothing against.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    # AE, LO, LT, PN, SH, ST, UC, UT
    **dict.fromkeys(("RetrieveAETitle", "PatientID", "AdditionalPatientHistory"), TEXT),
    **dict.fromkeys(("PatientName", "AccessionNumber", "InstitutionAddress"), TEXT),
    **dict.fromkeys(("LongCodeValue", "TextValue"), TEXT),
    # OB, OD, OF, OL, OV, OW, UN
    **dict.fromkeys(("EncapsulatedDocument", "DoubleFloatPixelData", "FloatPixelData"), WORDS),
    **dict.fromkeys(("LongPrimitivePointIndexList", "SelectorOVValue"), WORDS),
    **dict.fromkeys(("RedPaletteColorLookupTableData", "SelectorUNValue"), WORDS),
    # AS, CS, DA, DS, DT, IS, TM, UI, UR
    "PatientAge": st.integers(0, 999).map("{:03d}Y".format),
    "Modality": st.sampled_from(["CT", "MR", "OT1", ""]),
    "StudyDate": st.dates(min_value=date(1900, 1, 1)).map("{:%Y%m%d}".format),
    "SliceThickness": signed(16),
    "AcquisitionDateTime": st.sampled_from(["20260102030405", "2026"]),
    "InstanceNumber": signed(32),
    "StudyTime": st.sampled_from(["030405", "0304", "030405.678"]),
    "StudyInstanceUID": UIDS,
    "RetrieveURL": UIDS.map("http://made.up/{}".format),
    # FL, FD, SS, SL, SV, AT, UL, US, UV
    "TableOfParameterValues": st.floats(width=32, allow_nan=False),
    "EventTimeOffset": st.floats(allow_nan=False),
    "TagAngleSecondAxis": signed(16),
    "ReferencePixelX0": signed(32),
    "SelectorSVValue": signed(64),
    "FrameIncrementPointer": unsigned(32),
    "SimpleFrameList": unsigned(32),
    "Rows": unsigned(16),
    "FileOffsetInContainer": unsigned(64),
}
SEQUENCES = ("ReferencedImageSequence", "RequestAttributesSequence", "ContentSequence")
#: One that pydicom knows the VRs of, and one that nobody does.
CREATORS = (("GEMS_ACQU_01", 0x24), ("MADE UP", 0x01))


@st.composite
def datasets(draw: st.DrawFn, depth: int = 3) -> Dataset:
    """A data set of a few elements, private ones and sequences, at most `depth` deep."""
    dataset = Dataset()
    for keyword in draw(st.lists(st.sampled_from([*VALUES]), unique=True, max_size=5)):
        setattr(dataset, keyword, draw(VALUES[keyword]))
    for creator, offset in draw(st.lists(st.sampled_from(CREATORS), unique=True, max_size=2)):
        dataset.private_block(0x0009, creator, create=True).add_new(offset, "DS", "1.5")
    keywords = st.lists(st.sampled_from(SEQUENCES), unique=True, max_size=2 if depth else 0)
    for keyword in draw(keywords):
        setattr(dataset, keyword, draw(st.lists(datasets(depth - 1), max_size=2)))
        dataset[keyword].is_undefined_length = draw(st.booleans())
    dataset.is_undefined_length_sequence_item = draw(st.booleans())
    return dataset


@st.composite
def images(draw: st.DrawFn) -> Dataset:
    """A data set with encapsulated pixel data, which PS3.5 A.4 allows in Explicit VR LE only."""
    dataset = draw(datasets())
    frames = draw(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=3))
    has_table = draw(st.booleans())
    dataset.PixelData = encapsulate(frames, has_bot=has_table)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def written(dataset: Dataset, encoding: Encoding) -> bytes:
    """What pydicom makes of it."""
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = not encoding.explicit, encoding.little
    write_dataset(file, dataset)
    return deflated(file.getvalue()) if encoding.deflated else file.getvalue()


def vrs_drawn() -> set[str]:
    """The VRs that `datasets` can have, for a test to see that none is missing."""
    return {dictionary_VR(tag_for_keyword(keyword) or 0) for keyword in (*VALUES, SEQUENCES[0])}
