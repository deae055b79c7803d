"""Pixels are compared decoded, native ones also where there is no numpy."""

from __future__ import annotations

import struct
import sys

import pytest

from pacs_cli.dicom.compare import read_trees
from pacs_cli.dicom.document import open_document
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.errors import InputError
from pacs_cli.pipelines.pixel_compare import compare_pixels
from tests.dicom.datasets import BIG, LITTLE, element, header
from tests.samples import every_file
from tests.support import CT, EXPLICIT

SYNTAXES = {LITTLE: EXPLICIT, BIG: "1.2.840.10008.1.2.2"}
SAMPLES = {path.name: path for path in every_file()}


@pytest.fixture(params=[True, False], ids=["numpy", "without numpy"])
def _numpy(request, monkeypatch):
    """With and without numpy, which is an extra."""
    if not request.param:
        monkeypatch.setitem(sys.modules, "numpy", None)


@pytest.fixture
def image(tmp_path):
    """Writes an image of 2 x 3 samples; words are in the byte order of the encoding."""

    def write(name, values, encoding=LITTLE, code="H", vr="OW", tag=0x7FE00010, **attributes):
        order = "<" if encoding.little else ">"
        described = {
            "samples": 1,
            "frames": len(values) // 6,
            "allocated": 8 * struct.calcsize(code),
            "signed": int(code.islower() and code not in "fd"),
            **attributes,
        }

        def number(tag, key):
            return element(encoding, tag, "US", struct.pack(f"{order}H", described[key]))

        data = b"".join(
            (
                number(0x00280002, "samples"),
                element(encoding, 0x00280004, "CS", b"MONOCHROME2 "),
                element(encoding, 0x00280008, "IS", f"{described['frames']:2}".encode()),
                element(encoding, 0x00280010, "US", struct.pack(f"{order}H", 2)),
                element(encoding, 0x00280011, "US", struct.pack(f"{order}H", 3)),
                number(0x00280100, "allocated"),
                number(0x00280103, "signed"),
                element(encoding, tag, vr, struct.pack(f"{order}{len(values)}{code}", *values)),
            )
        )
        path = tmp_path / name
        path.write_bytes(file_meta(CT, "1.2", SYNTAXES[encoding]) + data)
        return path

    return write


def compared(left, right, tolerance=0.0):
    sides = []
    for path in (left, right):
        document = open_document(path)
        sides.append((document, read_trees(document, False).dataset))
    return compare_pixels(*sides, tolerance)


@pytest.mark.usefixtures("_numpy")
@pytest.mark.parametrize("code", ["B", "b", "H", "h", "I", "i"])
def test_native_samples_that_differ_are_counted(image, code):
    before = [1, 2, 3, 4, 5, 6] * 2
    after = [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 9, 7]
    vr = "OB" if code in "bB" else "OW"
    left, right = image("a", before, code=code, vr=vr), image("b", after, code=code, vr=vr)
    assert compared(left, left) is None
    found = compared(left, right)
    assert (found.differing, found.samples, found.largest, found.frame) == (2, 12, 4, 2)
    assert found.text == "2 of 12 samples differ, by up to 4, first in frame 2"
    assert compared(left, right, 1).differing == 1
    assert compared(left, right, 1).text.startswith("1 of 12 samples differ by more than 1,")
    assert compared(left, right, 4) is None


@pytest.mark.usefixtures("_numpy")
def test_difference_of_unsigned_samples_is_not_wrapped(image):
    left, right = image("a", [0] * 6), image("b", [65535] * 6)
    assert compared(left, right, 65534).largest == 65535
    assert compared(left, right, 65535) is None


@pytest.mark.usefixtures("_numpy")
@pytest.mark.parametrize(("code", "vr"), [("H", "OW"), ("h", "OW"), ("I", "OW")])
def test_byte_order_is_no_difference(image, code, vr):
    left = image("a", range(6), code=code, vr=vr)
    assert compared(left, image("b", range(6), BIG, code=code, vr=vr)) is None
    assert compared(left, image("c", [0, 1, 2, 3, 4, 9], BIG, code=code, vr=vr)).differing == 1


@pytest.mark.usefixtures("_numpy")
@pytest.mark.parametrize(("code", "vr", "tag"), [("f", "OF", 0x7FE00008), ("d", "OD", 0x7FE00009)])
def test_float_pixels_are_compared(image, code, vr, tag):
    nan = float("nan")
    options = {"code": code, "vr": vr, "tag": tag}
    left = image("a", [1.5, 0, 0, 0, 0, nan], **options)
    assert compared(left, image("b", [1.5, 0, 0, 0, 0, nan], **options)) is None
    found = compared(left, image("c", [1.75, 0, 0, 0, 0, nan], **options), 0.2)
    assert found.largest == 0.25


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("MR_small.dcm", "MR_small_RLE.dcm"),
        ("MR_small.dcm", "MR_small_bigendian.dcm"),
        ("MR_small.dcm", "MR_small_padded.dcm"),
        # 8 bits in words of 16, 32 bits in words of 16, 1 bit
        ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm"),
        ("rtdose.dcm", "rtdose_expb.dcm"),
        ("rtdose.dcm", "rtdose_rle.dcm"),
        ("liver_1frame.dcm", "liver_expb_1frame.dcm"),
    ],
)
def test_encoding_of_a_real_image_is_no_difference(one, other):
    assert compared(SAMPLES[one], SAMPLES[other]) is None


def test_lossy_image_is_alike_within_a_tolerance():
    left, right = SAMPLES["SC_rgb_small_odd.dcm"], SAMPLES["SC_rgb_small_odd_jpeg.dcm"]
    found = compared(left, right)
    assert found.differing > 0
    assert compared(left, right, found.largest) is None
    assert compared(left, right, found.largest - 1).differing > 0


def test_images_of_other_shapes_are_different(image):
    left = SAMPLES["MR_small.dcm"]
    assert compared(left, SAMPLES["CT_small.dcm"]).text == "frames of 64 x 64 and 128 x 128"
    one, two = SAMPLES["SC_rgb_rle.dcm"], SAMPLES["SC_rgb_rle_2frame.dcm"]
    assert compared(one, two).text == "the second has more than 1 frames"
    assert compared(two, one).text == "the first has more than 1 frames"


def test_what_cannot_be_decoded_is_said(tmp_path):
    data = b"".join(
        (
            element(LITTLE, 0x00280010, "US", b"\2\0"),
            header(LITTLE, 0x7FE00010, "OB", 0xFFFFFFFF),
            element(LITTLE, 0xFFFEE000, "", b""),
            element(LITTLE, 0xFFFEE000, "", b"no JPEG "),
            header(LITTLE, 0xFFFEE0DD, "", 0),
        )
    )
    for name, more in (("a", b""), ("b", element(LITTLE, 0x00280011, "US", b"\2\0"))):
        (tmp_path / name).write_bytes(file_meta(CT, "1.2", "1.2.840.10008.1.2.4.50") + more + data)
    assert compared(tmp_path / "a", tmp_path / "a") is None
    with pytest.raises(InputError, match=r"cannot decode the pixels of .*a: "):
        compared(tmp_path / "a", tmp_path / "b")


def test_without_numpy_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(InputError, match=r"install pacs\[codecs\]"):
        compared(SAMPLES["MR_small.dcm"], SAMPLES["MR_small_RLE.dcm"])
