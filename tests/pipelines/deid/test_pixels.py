"""Pixels that something is written in: told, withheld or blanked, and nothing else touched."""

from __future__ import annotations

import re
import subprocess

import numpy
import pytest
from pydicom import dcmread

from pacs_cli.dicom.encoding import EXPLICIT_LITTLE
from pacs_cli.errors import InputError, UsageError
from pacs_cli.pipelines.deid.blanking import blank
from pacs_cli.pipelines.deid.pixels import (
    Box,
    DeviceRules,
    PixelDecision,
    PixelFacts,
    decide,
    load_rules,
    suspicion,
)
from pacs_cli.pipelines.deid.policy import make_policy
from pacs_cli.pixels.sandbox import Sandbox
from tests.pipelines.deid.objects import released, worker
from tests.pipelines.deid.pictures import pydicoms, save, save_dataset, ultrasound
from tests.pixels.images import UID, convert, encoded, image, noise, samples

KEPT = (4, 6, 20, 15)
INSIDE = (slice(6, 16), slice(4, 21))


def cleaned(tmp_path, path, policy=None, code=""):
    outcome = worker(tmp_path / "out", policy or make_policy(clean=["pixels"])).one(str(path))
    assert outcome.code == code, outcome
    return outcome if code else released(outcome).read_bytes()


def outside():
    mask = numpy.ones((24, 32), bool)
    mask[INSIDE] = False
    return mask


def gray(bits=12, signed=False, frames=2, photometric="MONOCHROME2", **more):
    return image(noise((frames, 24, 32), bits, signed), bits, photometric, **more)


def colour(photometric="RGB", frames=2):
    return image(noise((frames, 24, 32, 3), 8), 8, photometric)


# -- native, read again by pydicom --------------------------------------------------------------


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big", "deflated"])
@pytest.mark.parametrize(
    ("kind", "black"),
    [
        (lambda: gray(8), 0),
        (lambda: gray(12), 0),
        (lambda: gray(12, photometric="MONOCHROME1"), 4095),
        (lambda: gray(16, signed=True), -32768),
        (lambda: gray(12, signed=True), -2048),
        (lambda: gray(12, PixelPaddingValue=77), 77),
        (lambda: colour(), 0),
        (lambda: colour("YBR_FULL"), (0, 128, 128)),
    ],
    ids=["8", "12", "inverse", "16s", "12s", "padding", "rgb", "ybr"],
)
def test_outside_of_regions_is_black_and_inside_as_it_was(tmp_path, syntax, kind, black):
    dataset = ultrasound(kind(), KEPT)
    data = encoded(dataset, UID["explicit"])
    data = data if syntax == "explicit" else convert(data, "explicit", syntax)
    path = save(tmp_path / "in.dcm", data, syntax)
    written = cleaned(tmp_path, path)
    before, after = pydicoms(path.read_bytes()), pydicoms(written)
    assert (before[:, INSIDE[0], INSIDE[1]] == after[:, INSIDE[0], INSIDE[1]]).all()
    assert (after[:, outside()] == black).all()
    assert (before[:, outside()] != black).any()
    read = dcmread(next((tmp_path / "out").rglob("*.dcm")))
    assert read.BurnedInAnnotation == "NO"
    assert read.file_meta.TransferSyntaxUID == UID[syntax]
    assert "113101" in [each.CodeValue for each in read.DeidentificationMethodCodeSequence]


def blanked(dataset, box, syntax="explicit", outside=None):
    """The value of the pixel data with a box blank, and what else changes."""
    data = encoded(dataset, UID[syntax])
    from pacs_cli.dicom.elements import pick, walk
    from pacs_cli.dicom.encoding import encoding_of
    from pacs_cli.pipelines.deid.blanking import IMAGE_TAGS

    encoding = encoding_of(UID[syntax])
    offset = next(each.offset for each in walk(data, encoding) if each.tag == 0x7FE00010)
    decision = PixelDecision("clean", "", outside, (box,) if box else ())
    values = pick(data, encoding, IMAGE_TAGS)
    with Sandbox() as sandbox:
        return blank(data[offset:], encoding, UID[syntax], values, decision, sandbox)


def test_planes_of_colours_are_each_blanked():
    dataset = colour(frames=2)
    planes = noise((2, 3, 24, 32), 8)
    dataset.PlanarConfiguration = 1
    dataset.PixelData = planes.tobytes()
    made = blanked(dataset, Box(0, 0, 32, 4)).element[12:]
    after = numpy.frombuffer(made, "u1").reshape(2, 3, 24, 32)
    assert not after[:, :, :4].any()
    assert (after[:, :, 4:] == planes[:, :, 4:]).all()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_pixels_of_one_bit_are_blanked_over_the_ends_of_bytes(photometric):
    bits = noise((3, 5, 7), 8) & 1
    dataset = image(bits, 8, photometric)
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    packed = numpy.packbits(bits.reshape(-1), bitorder="little").tobytes()
    dataset.PixelData = packed + bytes(len(packed) % 2)
    made = blanked(dataset, Box(2, 1, 3, 2)).element[12:]
    after = numpy.unpackbits(numpy.frombuffer(made, "u1"), bitorder="little")[: bits.size]
    wanted = bits.copy()
    wanted[:, 1:3, 2:5] = photometric == "MONOCHROME1"
    assert (after.reshape(bits.shape) == wanted).all()


def test_chroma_that_two_pixels_share_stays_where_one_does():
    dataset = image(noise((1, 2, 4, 3), 8), 8, "YBR_FULL_422")
    dataset.PixelData = bytes(range(1, 17))
    made = blanked(dataset, Box(0, 0, 3, 1)).element[12:]
    assert made == bytes([0, 0, 128, 128, 0, 6, 7, 8, *range(9, 17)])


def test_black_of_a_palette_is_its_darkest_colour():
    dataset = image(noise((1, 4, 4), 8), 8, "PALETTE COLOR")
    table = numpy.full(256, 900, "<u2")
    table[37] = 3
    for name in ("Red", "Green", "Blue"):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{name}PaletteColorLookupTableData", table.tobytes())
    made = blanked(dataset, Box(0, 0, 4, 1)).element[12:]
    assert made[:4] == bytes([37] * 4)


def test_words_of_big_endian_bytes_are_blanked_where_they_are():
    dataset = gray(8, frames=1)
    dataset["PixelData"].VR = "OB"
    plain = blanked(dataset, Box(1, 0, 1, 1)).element[12:]
    dataset["PixelData"].VR = "OW"
    words = numpy.frombuffer(dataset.PixelData, "u1").reshape(-1, 2)[:, ::-1].tobytes()
    dataset.PixelData = words
    made = blanked(dataset, Box(1, 0, 1, 1), "big").element[12:]
    assert numpy.frombuffer(made, "u1").reshape(-1, 2)[:, ::-1].tobytes() == plain


# -- compressed ---------------------------------------------------------------------------------

LOSSLESS = ["rle", "jpeg-lossless", "jpegls", "j2k", "htj2k", "jpegxl", "deflated-frame"]


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("kind", [lambda: gray(12), lambda: colour()], ids=["gray", "rgb"])
def test_lossless_stays_in_its_syntax_and_inside_the_same(tmp_path, syntax, kind):
    native = encoded(ultrasound(kind(), KEPT), UID["explicit"])
    data = convert(native, "explicit", syntax)
    written = cleaned(tmp_path, save(tmp_path / "in.dcm", data, syntax))
    read = next((tmp_path / "out").rglob("*.dcm"))
    meta = dcmread(read)
    assert meta.file_meta.TransferSyntaxUID == UID[syntax]
    before = samples(native, "explicit")
    body = written[_offset(read) :]
    after = samples(body, syntax)
    assert (before[:, INSIDE[0], INSIDE[1]] == after[:, INSIDE[0], INSIDE[1]]).all()
    assert not after[:, outside()].any()


def _offset(path):
    from pacs_cli.dicom.part10 import probe

    return probe(path).dataset_offset


@pytest.mark.parametrize("syntax", ["rle", "jpegls", "j2k"])
def test_lossless_is_the_same_by_a_decoder_of_another_program(tmp_path, syntax):
    native = encoded(ultrasound(gray(12), KEPT), UID["explicit"])
    path = save(tmp_path / "in.dcm", convert(native, "explicit", syntax), syntax)
    cleaned(tmp_path, path)
    out = next((tmp_path / "out").rglob("*.dcm"))
    raw = tmp_path / "raw.dcm"
    subprocess.run(["gdcmconv", "--raw", out, raw], check=True, capture_output=True)
    after, before = pydicoms(raw.read_bytes()), samples(native, "explicit")
    assert (before[:, INSIDE[0], INSIDE[1]] == after[:, INSIDE[0], INSIDE[1]]).all()
    assert not after[:, outside()].any()


@pytest.mark.parametrize("syntax", ["j2k-lossy", "jpegls-near", "htj2k-lossy"])
def test_what_was_lossy_loses_nothing_more_where_its_syntax_can(tmp_path, syntax):
    native = encoded(ultrasound(gray(12), KEPT), UID["explicit"])
    data = convert(native, "explicit", syntax)
    written = cleaned(tmp_path, save(tmp_path / "in.dcm", data, syntax))
    path = next((tmp_path / "out").rglob("*.dcm"))
    before, after = samples(data, syntax), samples(written[_offset(path) :], syntax)
    assert dcmread(path).file_meta.TransferSyntaxUID == UID[syntax]
    assert (before[:, INSIDE[0], INSIDE[1]] == after[:, INSIDE[0], INSIDE[1]]).all()
    assert not after[:, outside()].any()


def test_jpeg_becomes_native_as_it_cannot_be_encoded_again_without_loss(tmp_path):
    native = encoded(ultrasound(colour(), KEPT), UID["explicit"])
    data = convert(native, "explicit", "jpeg")
    cleaned(tmp_path, save(tmp_path / "in.dcm", data, "jpeg"))
    path = next((tmp_path / "out").rglob("*.dcm"))
    read = dcmread(path)
    assert read.file_meta.TransferSyntaxUID == UID["explicit"]
    assert read.PhotometricInterpretation == "YBR_FULL"
    assert read.LossyImageCompression == "01"
    before, after = samples(data, "jpeg"), pydicoms(path.read_bytes())
    assert (before[:, INSIDE[0], INSIDE[1]] == after[:, INSIDE[0], INSIDE[1]]).all()
    assert (after[:, outside()] == (0, 128, 128)).all()


def test_extended_offset_table_says_where_frames_are_now():
    native = encoded(gray(12), UID["explicit"])
    data = convert(native, "explicit", "rle")
    from pacs_cli.dicom.elements import pick, walk
    from pacs_cli.pipelines.deid.blanking import IMAGE_TAGS

    offset = next(
        e.offset for e in walk(data, EXPLICIT_LITTLE) if getattr(e, "tag", 0) == 0x7FE00010
    )
    values = pick(data, EXPLICIT_LITTLE, IMAGE_TAGS)
    values |= {0x7FE00001: bytes(16), 0x7FE00002: bytes(16)}
    decision = PixelDecision("clean", "", None, (Box(0, 0, 32, 12),))
    with Sandbox() as sandbox:
        made = blank(data[offset:], EXPLICIT_LITTLE, UID["rle"], values, decision, sandbox)
    first, second = numpy.frombuffer(made.changes[0x7FE00001][12:], "<u8")
    start = 12 + 8
    assert first == 0
    assert made.element[start + second : start + second + 4] == b"\xfe\xff\x00\xe0"


# -- what cannot be done is withheld ------------------------------------------------------------


@pytest.mark.parametrize(
    "boxes",
    [[(0, 0, 33, 5)], [(0, 0, 5, 25)], [(9, 9, 3, 20)], [(0, 0, 5, 5), (0, 0, 99, 99)]],
    ids=["wide", "high", "backwards", "second"],
)
def test_region_that_makes_no_sense_is_withheld(tmp_path, boxes):
    path = save_dataset(tmp_path / "in.dcm", ultrasound(gray(8), *boxes))
    assert "region" in cleaned(tmp_path, path, code="burned-in").message


def test_region_of_a_scanner_that_miscounts_by_one_ends_at_the_edge(tmp_path):
    path = save_dataset(tmp_path / "in.dcm", ultrasound(gray(8), (2, 3, 32, 24)))
    before, after = pydicoms(path.read_bytes()), pydicoms(cleaned(tmp_path, path))
    assert (after[:, 3:, 2:] == before[:, 3:, 2:]).all()
    assert not after[:, :3].any()
    assert not after[:, :, :2].any()


def test_region_without_a_place_is_withheld(tmp_path):
    dataset = ultrasound(gray(8), KEPT)
    del dataset.SequenceOfUltrasoundRegions[0].RegionLocationMaxX1
    path = save_dataset(tmp_path / "in.dcm", dataset)
    assert "no place" in cleaned(tmp_path, path, code="burned-in").message


def test_pixels_that_end_early_are_withheld(tmp_path):
    dataset = ultrasound(gray(8), KEPT)
    dataset.PixelData = dataset.PixelData[:-100]
    path = save_dataset(tmp_path / "in.dcm", dataset)
    assert "bytes" in cleaned(tmp_path, path, code="burned-in").message


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_damaged_codestream_is_withheld_or_decoded_to_its_end(tmp_path, syntax):
    native = encoded(ultrasound(gray(8, frames=1), KEPT), UID["explicit"])
    data = bytearray(convert(native, "explicit", syntax))
    data[-200:-8] = bytes(192)
    outcome = worker(tmp_path / "out", make_policy(clean=["pixels"])).one(
        str(save(tmp_path / "in.dcm", bytes(data), syntax))
    )
    if outcome.code:
        assert outcome.code == "burned-in", outcome
        assert not list((tmp_path / "out").rglob("*.dcm"))
    else:
        body = released(outcome).read_bytes()[_offset(released(outcome)) :]
        assert not samples(body, syntax)[:, outside()].any()


def test_suspicious_image_of_which_nothing_is_known_is_withheld(tmp_path):
    dataset = ultrasound(gray(8), KEPT)
    del dataset.SequenceOfUltrasoundRegions
    path = save_dataset(tmp_path / "in.dcm", dataset)
    assert "nothing tells where" in cleaned(tmp_path, path, code="burned-in").message


def test_what_is_black_in_cmyk_is_not_known():
    dataset = image(noise((1, 4, 4, 3), 8), 8, "HSV")
    with pytest.raises(InputError, match="what is black"):
        blanked(dataset, Box(0, 0, 1, 1))


# -- what is suspicious -------------------------------------------------------------------------

BURNED, CLASS, TYPE, CONVERSION = 0x00280301, 0x00080016, 0x00080008, 0x00080064
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize(
    ("values", "is_suspicious"),
    [
        ({BURNED: b"YES"}, True),
        ({BURNED: b"yes "}, True),
        ({CLASS: CT.encode()}, False),
        ({CLASS: b"1.2.840.10008.5.1.4.1.1.7"}, True),
        ({CLASS: b"1.2.840.10008.5.1.4.1.1.7.4\0"}, True),
        ({CLASS: b"1.2.840.10008.5.1.4.1.1.77.1.1"}, False),
        ({CLASS: b"1.2.840.10008.5.1.4.1.1.7", BURNED: b"NO"}, False),
        ({CLASS: b"1.2.840.10008.5.1.4.1.1.6.1"}, True),
        ({CLASS: CT.encode(), TYPE: b"DERIVED\\SECONDARY\\SCREEN SAVE"}, True),
        ({CLASS: CT.encode(), TYPE: b"ORIGINAL\\SECONDARY\\DOSE_INFO"}, True),
        ({CLASS: CT.encode(), TYPE: b"ORIGINAL\\PRIMARY\\AXIAL"}, False),
        ({CLASS: CT.encode(), CONVERSION: b"SD"}, True),
        ({CLASS: CT.encode(), CONVERSION: b"SYN"}, False),
    ],
)
def test_what_is_suspicious(values, is_suspicious):
    assert bool(suspicion(PixelFacts(values).texts())) is is_suspicious


@pytest.mark.parametrize(
    ("mode", "is_asked", "regions", "action"),
    [
        ("warn", False, (), "warn"),
        ("quarantine", False, (), "quarantine"),
        ("ignore", False, (), "keep"),
        ("clean", False, (), "quarantine"),
        ("warn", True, (), "quarantine"),
        ("ignore", True, (), "keep"),
        ("clean", False, (Box(1, 1, 2, 2),), "clean"),
        ("warn", True, (Box(1, 1, 2, 2),), "clean"),
    ],
)
def test_what_is_done_about_it(mode, is_asked, regions, action):
    facts = PixelFacts({BURNED: b"YES"}, regions)
    assert decide(facts, DeviceRules(), mode, is_asked).action == action


# -- rules --------------------------------------------------------------------------------------

RULES = """
[[rule]]
name = "console"
match = { Manufacturer = { contains = "acme" }, Rows = 24, ImageType = { regexp = "second" } }
blank = [[0, 0, 32, 4], [28, 20, 100, 100]]

[[rule]]
action = "quarantine"
match = { Modality = "OT" }
"""


def test_rule_blanks_the_images_of_its_device_and_no_others(tmp_path):
    dataset = ultrasound(gray(8), KEPT)
    del dataset.SequenceOfUltrasoundRegions
    dataset.Manufacturer, dataset.ImageType = "ACME Medical", ["DERIVED", "SECONDARY"]
    path = save_dataset(tmp_path / "in.dcm", dataset)
    policy = make_policy(pixel_rules=RULES)
    before, after = pydicoms(path.read_bytes()), pydicoms(cleaned(tmp_path, path, policy))
    mask = numpy.zeros((24, 32), bool)
    mask[:4], mask[20:, 28:] = True, True
    assert not after[:, mask].any()
    assert (after[:, ~mask] == before[:, ~mask]).all()
    other = PixelFacts({0x00080070: b"Other", 0x00280010: b"\x18\0", 0x00080060: b"US"})
    assert decide(other, load_rules(RULES), "ignore", False).action == "keep"
    paper = PixelFacts({0x00080060: b"OT"})
    assert decide(paper, load_rules(RULES), "ignore", False).action == "quarantine"


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "a = 1",
        "[[rule]]\nmatch = {}\nblank = [[0,0,1,1]]",
        "[[rule]]\nmatch = {Modality = 'US'}",
        "[[rule]]\nmatch = {Modality = 'US'}\nblank = [[0,0,1]]",
        "[[rule]]\nmatch = {Modality = 'US'}\nblank = [[0,0,0,1]]",
        "[[rule]]\nmatch = {Modality = 'US'}\nblank = [[-1,0,1,1]]",
        "[[rule]]\nmatch = {Nonsense = 'US'}\nblank = [[0,0,1,1]]",
        "[[rule]]\nmatch = {Modality = {regexp = '('}}\nblank = [[0,0,1,1]]",
        "[[rule]]\nmatch = {Modality = {like = 'x'}}\nblank = [[0,0,1,1]]",
        "[[rule]]\naction = 'burn'\nmatch = {Modality = 'US'}\nblank = [[0,0,1,1]]",
    ],
)
def test_rules_that_are_mistyped_are_refused(text):
    with pytest.raises(UsageError, match=re.compile("pixel rule")):
        load_rules(text)
