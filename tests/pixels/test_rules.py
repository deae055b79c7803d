"""The rules of a change of transfer syntax, each from a failure that some program has shown."""

from __future__ import annotations

import zlib

import numpy
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs_cli.errors import InputError, MalformedDataset
from pacs_cli.pixels import transcoding
from pacs_cli.pixels.syntaxes import syntax_of
from tests.pixels.images import (
    LOSSLESS,
    LOSSY,
    UID,
    convert,
    encoded,
    image,
    noise,
    read,
    samples,
    wrapped,
)
from tests.support import IMPLICIT

imagecodecs = pytest.importorskip("imagecodecs")

GREY = noise((2, 31, 17), 12)
COLOUR = noise((1, 30, 22, 3), 8)


def fragments(data: bytes, name: str) -> list[bytes]:
    from pydicom.encaps import generate_fragments

    return list(generate_fragments(read(data, name).PixelData))


# -- 1: only what changes is rewritten


def test_same_syntax_is_a_byte_copy():
    data = b"no data set at all"
    result = transcoding.transcode(memoryview(data), UID["j2k"], UID["j2k"])
    assert b"".join(result.buffers) == data


def test_everything_but_the_pixels_is_kept_byte_by_byte():
    dataset = image(GREY, 12)
    # values that a library would write otherwise
    data = encoded(dataset).replace(b"Made^Up ", b"Made^Up\0").replace(b"TEST-1", b"TEST\xff1")
    start = data.index(b"\xe0\x7f\x10\x00")
    coded = convert(data, "explicit", "j2k")
    assert coded[:start] == data[:start]
    assert convert(coded, "j2k", "explicit") == data


# -- 2: lossless is proven


@pytest.mark.parametrize("syntax", [each for each in LOSSLESS if not each.is_native], ids=str)
def test_encoder_that_loses_a_bit_is_caught(syntax, monkeypatch):
    from pacs_cli.pixels import plan

    encode = plan.encode_frame

    def lose(frame, *rest):
        changed = frame.copy()
        changed.flat[5] ^= 1
        return encode(changed, *rest)

    monkeypatch.setattr(plan, "encode_frame", lose)
    deflate = plan.deflate_frame
    monkeypatch.setattr(plan, "deflate_frame", lambda frame: deflate(bytes(frame)[1:] + b"\xff"))
    dataset = image(numpy.abs(noise((1, 16, 16), 8)), 8)
    with pytest.raises(InputError, match="does not come back"):
        convert(encoded(dataset), "explicit", syntax.name)
    assert convert(encoded(dataset), "explicit", syntax.name, is_verified=False)


# -- 3: lossy only when asked, and said for ever


@pytest.mark.parametrize("syntax", LOSSY, ids=lambda each: each.name)
def test_lossy_makes_another_object_that_says_so(syntax):
    pixels = noise((1, 64, 64), 8)
    before = image(pixels, 8, LossyImageCompression="01", LossyImageCompressionRatio="3.5")
    before.LossyImageCompressionMethod = "ISO_10918_1"
    result = transcoding.transcode(
        memoryview(encoded(before)), UID["explicit"], syntax.uid, transcoding.Options()
    )
    data = b"".join(list(result.buffers))
    after = read(data, syntax.name)
    assert after.SOPInstanceUID == result.sop_instance_uid != before.SOPInstanceUID
    source = after.SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == before.SOPInstanceUID
    assert after.ImageType[0] == "DERIVED"
    assert after.DerivationCodeSequence[0].CodeValue == "113040"
    assert after.LossyImageCompression == "01"
    assert len(after.LossyImageCompressionRatio) == len(after.LossyImageCompressionMethod) == 2
    codestream = fragments(data, syntax.name)[1]
    ratio = pixels.nbytes / len(codestream)
    assert float(after.LossyImageCompressionRatio[1]) == pytest.approx(ratio, rel=0.05)
    assert numpy.abs(samples(data, syntax.name).astype(int) - pixels).max() < 64


def test_lossy_source_keeps_its_flag_and_gets_it_where_it_is_missing():
    pixels = noise((1, 16, 16), 8)
    codestream = imagecodecs.jpeg8_encode(pixels[0])
    native = convert(wrapped(image(pixels, 8), [codestream]), "jpeg", "explicit")
    assert read(native, "explicit").LossyImageCompression == "01"
    assert read(native, "explicit").LossyImageCompressionMethod == "ISO_10918_1"
    again = read(convert(native, "explicit", "jpegls"), "jpegls")
    assert again.LossyImageCompression == "01"
    assert again.SOPInstanceUID == image(pixels, 8).SOPInstanceUID


def test_lossless_stays_the_same_object_unless_a_new_one_is_asked_for():
    data = encoded(image(GREY, 12))
    assert (
        read(convert(data, "explicit", "j2k"), "j2k").SOPInstanceUID
        == image(GREY, 12).SOPInstanceUID
    )
    other = read(convert(data, "explicit", "j2k", uid="new", new_uid="1.2.3.4"), "j2k")
    assert other.SOPInstanceUID == "1.2.3.4"
    assert "LossyImageCompression" not in other


# -- 4: labels follow the encoder


@pytest.mark.parametrize(
    ("target", "label"),
    [
        ("j2k", "YBR_RCT"),
        ("htj2k", "YBR_RCT"),
        ("j2k-lossy", "YBR_ICT"),
        ("jpeg", "YBR_FULL_422"),
        ("jpegls", "RGB"),
        ("jpeg-lossless", "RGB"),
        ("rle", "RGB"),
        ("jpegxl", "RGB"),
    ],
)
def test_photometric_interpretation_is_that_of_the_codestream(target, label):
    data = convert(encoded(image(COLOUR, 8, "RGB")), "explicit", target)
    assert read(data, target).PhotometricInterpretation == label
    codestream = fragments(data, target)[1]
    if target.startswith(("j2k", "htj2k")):
        cod = codestream.index(b"\xff\x52")
        assert codestream[cod + 8] == 1, "multiple component transformation"
    native = read(convert(data, target, "explicit"), "explicit")
    assert native.PhotometricInterpretation == ("YBR_FULL" if target == "jpeg" else "RGB")


@pytest.mark.parametrize("target", ["j2k", "htj2k", "jpegls", "jpeg-lossless", "rle"])
def test_ybr_full_keeps_its_samples_and_its_label(target):
    data = convert(encoded(image(COLOUR, 8, "YBR_FULL")), "explicit", target)
    assert read(data, target).PhotometricInterpretation == "YBR_FULL"
    assert numpy.array_equal(samples(data, target), COLOUR)


def test_native_ybr_full_422_is_replicated_exactly():
    full = COLOUR.copy()
    full[:, :, 1::2, 1:] = full[:, :, ::2, 1:]
    pairs = numpy.concatenate(
        [full[:, :, ::2, :1], full[:, :, 1::2, :1], full[:, :, ::2, 1:]], axis=3
    )
    dataset = image(COLOUR, 8, "YBR_FULL_422")
    dataset.PixelData = pairs.tobytes()
    data = convert(encoded(dataset), "explicit", "j2k")
    assert read(data, "j2k").PhotometricInterpretation == "YBR_FULL"
    assert numpy.array_equal(samples(data, "j2k"), full)


@pytest.mark.parametrize("target", ["htj2k", "htj2k-rpcl", "j2k", "jpeg-lossless", "jpegxl"])
def test_codestream_has_the_precision_of_bits_stored(target):
    data = convert(encoded(image(GREY, 12)), "explicit", target)
    codestream = fragments(data, target)[1]
    if target == "jpegxl":
        return
    if target == "jpeg-lossless":
        assert codestream[codestream.index(b"\xff\xc3") + 4] == 12
    else:
        assert codestream[42] == 11
    assert read(data, target).BitsStored == 12


# -- 5: what cannot be held is refused


@pytest.mark.parametrize(
    ("dataset", "target", "reason"),
    [
        (image(noise((1, 8, 8), 32), 32), "j2k", "16 bits at most"),
        (image(noise((1, 8, 8), 12), 12), "jpeg", "8 bits at most"),
        (image(noise((1, 8, 8), 12, True), 12), "jpegls-near", "no signed"),
        (image(noise((1, 8, 8), 12, True), 12), "jpegxl", "no signed"),
        (image(noise((1, 8, 8), 32), 32), "big", "cannot hold 32 bits"),
        (image(noise((1, 8, 8), 8), 8, "PALETTE COLOR"), "jpeg", "palette"),
        (image(noise((1, 8, 8), 8), 8), "jpegxl-recompress", "JPEG baseline only"),
    ],
)
def test_what_the_target_cannot_hold_is_refused_with_the_reason(dataset, target, reason):
    with pytest.raises(InputError, match=reason):
        convert(encoded(dataset), "explicit", target)


def test_float_and_one_bit_pixels_are_refused():
    floats = image(noise((1, 8, 8), 32), 32)
    del floats.PixelData
    floats.FloatPixelData = bytes(8 * 8 * 4)
    with pytest.raises(InputError, match="float"):
        convert(encoded(floats), "explicit", "j2k")
    assert convert(encoded(floats), "explicit", "big")
    bits = image(noise((1, 8, 8), 8), 8)
    bits.BitsAllocated = bits.BitsStored = 1
    bits.HighBit, bits.PixelData = 0, bytes(8)
    for name in ("j2k", "rle", "jpegls"):
        with pytest.raises(InputError, match="1 bit"):
            convert(encoded(bits), "explicit", name)


def test_values_beyond_bits_stored_are_kept_and_not_masked():
    pixels = noise((1, 16, 16), 12)
    pixels[0, 3, 3] = 63536  # padding of -2000 that somebody wrote without a sign
    data = convert(encoded(image(pixels, 12)), "explicit", "j2k")
    assert read(data, "j2k").BitsStored == 16
    assert numpy.array_equal(samples(data, "j2k"), pixels)


# -- 6: overlays in the pixels


def test_embedded_overlay_is_moved_before_the_high_bits_go():
    pixels = noise((2, 15, 9), 12)
    bits = numpy.random.default_rng(3).integers(0, 2, pixels.shape).astype("u2")
    dataset = image(pixels | bits << 14, 12)
    dataset.add_new(0x60000010, "US", 15)
    dataset.add_new(0x60000011, "US", 9)
    dataset.add_new(0x60000015, "IS", 2)
    dataset.add_new(0x60000100, "US", 16)
    dataset.add_new(0x60000102, "US", 14)
    data = convert(encoded(dataset), "explicit", "j2k")
    after = read(data, "j2k")
    assert after[0x60000100].value == 1
    assert after[0x60000102].value == 0
    moved = numpy.unpackbits(
        numpy.frombuffer(after[0x60003000].value, "u1"), bitorder="little", count=bits.size
    )
    assert numpy.array_equal(moved, bits.ravel())
    assert numpy.array_equal(samples(data, "j2k"), pixels)


# -- 7: nested pixel data


@pytest.mark.parametrize("target", ["explicit", "implicit", "big", "deflated", "jpegls"])
def test_icons_are_decoded_too_at_every_depth(target):
    icon = image(noise((1, 6, 7), 8), 8)
    del icon.SOPClassUID, icon.SOPInstanceUID
    codestream = imagecodecs.jpeg2k_encode(
        noise((6, 7), 8), level=0, codecformat="j2k", reversible=True
    )
    wrapped(icon, [codestream])
    inner = Dataset()
    inner.IconImageSequence = Sequence([icon])
    outer = image(GREY, 12)
    outer.add_new(0x00110010, "LO", "MADE UP")
    outer.add_new(0x00111001, "SQ", Sequence([inner]))
    coded = convert(encoded(image(GREY, 12)), "explicit", "j2k")
    outer["PixelData"] = read(coded, "j2k")["PixelData"]
    data = convert(encoded(outer), "j2k", target)
    if target == "implicit":
        # pydicom takes a private sequence there for UN
        assert noise((6, 7), 8).tobytes() in data
        data, target = convert(data, "implicit", "explicit"), "explicit"
        data = data.replace(b"\x11\x00\x01\x10UN", b"\x11\x00\x01\x10SQ")
    found = read(data, target)[0x00111001].value[0].IconImageSequence[0]
    assert found.PixelData[:42] == noise((6, 7), 8).tobytes()
    assert not found["PixelData"].is_undefined_length


# -- 8: offset tables and fragments


def test_basic_offset_table_is_filled_and_true():
    data = convert(encoded(image(GREY, 12)), "explicit", "j2k")
    table, *frames = fragments(data, "j2k")
    offsets = numpy.frombuffer(table, "<u4")
    assert list(offsets) == [0, 8 + len(frames[0])]
    assert all(len(each) % 2 == 0 for each in frames)


def test_extended_offset_table_is_written_past_its_limit(monkeypatch):
    monkeypatch.setattr(transcoding, "EXTENDED_FROM", 100)
    data = convert(encoded(image(GREY, 12)), "explicit", "jpegls")
    after = read(data, "jpegls")
    table, *frames = fragments(data, "jpegls")
    assert table == b""
    assert list(numpy.frombuffer(after.ExtendedOffsetTable, "<u8")) == [0, 8 + len(frames[0])]
    lengths = numpy.frombuffer(after.ExtendedOffsetTableLengths, "<u8")
    assert [each + each % 2 for each in lengths] == [len(each) for each in frames]
    back = convert(data, "jpegls", "explicit")
    assert numpy.array_equal(samples(back, "explicit"), GREY)
    assert "ExtendedOffsetTable" not in read(back, "explicit")


@pytest.mark.parametrize("has_table", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_several_fragments_of_a_frame_are_put_together(has_table, count):
    codestreams = [
        imagecodecs.jpeg2k_encode(each, level=0, codecformat="j2k", reversible=True)
        for each in GREY
    ]
    data = wrapped(image(GREY, 12), codestreams, count, has_table)
    assert numpy.array_equal(samples(data, "j2k"), GREY)


def test_false_offset_table_is_not_believed():
    codestreams = [imagecodecs.jpegls_encode(each) for each in GREY]
    data = wrapped(image(GREY, 12), codestreams, 2)
    table = data.index(b"\xfe\xff\x00\xe0\x08\x00\x00\x00") + 8
    data = data[: table + 4] + b"\x07\0\0\0" + data[table + 8 :]
    assert numpy.array_equal(samples(data, "jpegls"), GREY)


def test_deflated_stream_is_padded_with_one_nul():
    lengths = set()
    for size in range(16):
        data = convert(encoded(image(GREY, 12, PatientComments="x" * size)), "explicit", "deflated")
        stream = zlib.decompressobj(-15)
        stream.decompress(data)
        assert len(data) % 2 == 0
        assert stream.unused_data in (b"", b"\0")
        lengths.add(stream.unused_data)
    assert lengths == {b"", b"\0"}


# -- 9: frames are checked


def coded(pixels, **more) -> tuple[Dataset, list[bytes]]:
    dataset = image(pixels, 12, **more)
    frames = [
        imagecodecs.jpeg2k_encode(each, level=0, codecformat="j2k", reversible=True)
        for each in pixels
    ]
    return dataset, frames


def test_frames_that_are_missing_or_too_many_are_an_error():
    dataset, frames = coded(GREY)
    with pytest.raises(InputError, match="1 fragments for 2 frames"):
        samples(wrapped(dataset, frames[:1]), "j2k")
    with pytest.raises(InputError, match="3 codestreams for 2 frames"):
        samples(wrapped(dataset, [*frames, frames[0]]), "j2k")


def test_shape_of_the_codestream_must_be_that_of_the_data_set():
    dataset, frames = coded(GREY)
    dataset.Rows = 30
    with pytest.raises(InputError, match="17 x 31 in its codestream and 17 x 30"):
        samples(wrapped(dataset, frames), "j2k")


def test_native_pixels_that_are_too_short_are_an_error():
    dataset = image(GREY, 12)
    dataset.PixelData = dataset.PixelData[:-2]
    for target in ("j2k", "implicit", "rle"):
        with pytest.raises(InputError, match="its frames need"):
            convert(encoded(dataset), "explicit", target)


def test_empty_data_set_is_refused():
    with pytest.raises(InputError, match="empty"):
        convert(b"", "explicit", "implicit")


@pytest.mark.parametrize("target", ["j2k", "jpegls", "rle", "jpeg-lossless", "htj2k", "jpegxl"])
def test_colour_by_plane_is_understood(target):
    planes = numpy.ascontiguousarray(COLOUR.transpose(0, 3, 1, 2))
    dataset = image(COLOUR, 8, "RGB", PlanarConfiguration=1)
    dataset.PixelData = planes.tobytes()
    back = convert(convert(encoded(dataset), "explicit", target), target, "explicit")
    after = read(back, "explicit")
    assert after.PlanarConfiguration == 0
    assert numpy.array_equal(samples(back, "explicit"), COLOUR)


def test_frames_of_one_bit_have_no_gap_between_them():
    bits = numpy.random.default_rng(5).integers(0, 2, (3, 7, 5)).astype("u1")
    dataset = image(bits, 8)
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    packed = numpy.packbits(bits.ravel(), bitorder="little").tobytes()
    dataset.PixelData = packed
    data = convert(encoded(dataset), "explicit", "deflated-frame")
    _, *frames = fragments(data, "deflated-frame")
    for frame, expected in zip(frames, bits, strict=True):
        inflated = zlib.decompressobj(-15).decompress(frame)
        assert inflated == numpy.packbits(expected.ravel(), bitorder="little").tobytes()
    assert read(convert(data, "deflated-frame", "explicit"), "explicit").PixelData == packed


# -- 10: the data set's sign wins


def test_sign_of_the_data_set_wins_over_that_of_the_codestream():
    pixels = noise((1, 16, 16), 12, signed=True)
    unsigned = (pixels[0].astype("i4") & 0xFFF).astype("u2")
    stream = imagecodecs.jpeg2k_encode(
        unsigned, level=0, codecformat="j2k", reversible=True, bitspersample=12
    )
    assert numpy.array_equal(samples(wrapped(image(pixels, 12), [stream]), "j2k"), pixels)


# -- 4 and 9 again: byte order of all that is words


def test_words_of_every_element_change_their_byte_order():
    dataset = image(GREY, 12)
    dataset.add_new(0x00281201, "OW", bytes(range(8)))
    dataset.add_new(0x00720069 & 0xFFFFFFFF, "OF", bytes(range(8)))
    dataset.add_new(0x0066002F & 0xFFFFFFFF, "OL", bytes(range(8)))
    dataset.add_new(0x00720073, "OD", bytes(range(8)))
    big = convert(encoded(dataset), "explicit", "big")
    after = read(big, "big")
    assert after[0x00281201].value == bytes([1, 0, 3, 2, 5, 4, 7, 6])
    assert after[0x00720069].value == bytes([3, 2, 1, 0, 7, 6, 5, 4])
    assert after[0x0066002F].value == bytes([3, 2, 1, 0, 7, 6, 5, 4])
    assert after[0x00720073].value == bytes([7, 6, 5, 4, 3, 2, 1, 0])
    assert convert(big, "big", "explicit") == encoded(dataset)


def test_jpeg_comes_back_from_jpeg_xl_bit_by_bit():
    pixels = noise((1, 40, 40), 8)
    jpeg = imagecodecs.jpeg8_encode(pixels[0])
    data = wrapped(image(pixels, 8), [jpeg + b"\0" * (len(jpeg) % 2)])
    there = convert(data, "jpeg", "jpegxl-recompress")
    back = convert(there, "jpegxl-recompress", "jpeg")
    assert fragments(back, "jpeg")[1].removesuffix(b"\0") == jpeg


def test_video_is_passed_between_its_containers_only():
    base = "1.2.840.10008.1.2.4.102"
    data = wrapped(image(COLOUR, 8, "RGB"), [b"stream of video "], 4)
    result = transcoding.transcode(memoryview(data), base + ".1", base)
    after = read(b"".join(result.buffers), "j2k")
    from pydicom.encaps import generate_fragments

    assert list(generate_fragments(after.PixelData))[1:] == [b"stream of video "]
    with pytest.raises(InputError, match="passed on as it is"):
        transcoding.transcode(memoryview(data), base, UID["j2k"])
    assert syntax_of(base).is_encoded is False


def test_implicit_vr_gets_the_vr_of_the_dictionary_and_of_the_sign():
    dataset = image(noise((1, 8, 8), 12, True), 12, SmallestImagePixelValue=-5)
    dataset["SmallestImagePixelValue"].VR = "SS"
    data = convert(encoded(dataset, IMPLICIT), "implicit", "explicit")
    assert read(data, "explicit")["SmallestImagePixelValue"].VR == "SS"
    assert read(data, "explicit").SmallestImagePixelValue == -5
    assert data == encoded(dataset)


def test_garbage_is_an_error_of_the_input():
    with pytest.raises(MalformedDataset):
        convert(b"\x08\x00\x16\x00UI\xff\xff1.2", "explicit", "implicit")
