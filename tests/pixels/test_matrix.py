"""Every source syntax into every target, read again by programs that are not ours.

The independent decoders: DCMTK for RLE, JPEG and JPEG-LS, OpenJPEG for JPEG 2000, OpenJPH for
HTJ2K, libjxl for JPEG XL. OpenJPEG and libjxl are also inside imagecodecs, in other versions.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy
import pytest
from pydicom.encaps import generate_frames

from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import InputError
from tests.pixels.images import LOSSLESS, UID, convert, encoded, image, noise, read, samples, write
from tests.samples import storable

imagecodecs = pytest.importorskip("imagecodecs")

#: What an image can be: its data set, by name.
IMAGES = {
    "8-bit": image(noise((1, 24, 20), 8), 8),
    "odd": image(noise((1, 1, 3), 8), 8),
    "10-bit": image(noise((1, 17, 23), 10), 10),
    "12-bit": image(noise((1, 24, 20), 12), 12),
    "12-bit signed": image(noise((1, 24, 20), 12, True), 12),
    "16-bit": image(noise((1, 24, 20), 16), 16),
    "16-bit signed": image(noise((1, 24, 20), 16, True), 16),
    "8-bit signed": image(noise((1, 24, 20), 8, True), 8),
    "8 in 16": image(noise((1, 24, 20), 8).astype("u2"), 8),
    "RGB": image(noise((1, 24, 20, 3), 8), 8, "RGB"),
    "RGB odd": image(noise((1, 5, 7, 3), 8), 8, "RGB"),
    "RGB 16-bit": image(noise((1, 24, 20, 3), 16), 16, "RGB"),
    "YBR_FULL": image(noise((1, 24, 20, 3), 8), 8, "YBR_FULL"),
    "palette": image(noise((1, 24, 20), 8), 8, "PALETTE COLOR"),
    "frames": image(noise((3, 24, 20), 12), 12),
    "RGB frames": image(noise((3, 9, 11, 3), 8), 8, "RGB"),
}
NAMES = [each.name for each in LOSSLESS]


@cache
def native(kind: str) -> tuple[bytes, Any]:
    data = encoded(IMAGES[kind])
    return data, samples(data, "explicit")


@cache
def stored(kind: str, name: str) -> bytes | None:
    """An image in a syntax; None when that refuses it."""
    data, _ = native(kind)
    try:
        return data if name == "explicit" else convert(data, "explicit", name)
    except InputError:
        return None


@pytest.mark.parametrize("kind", IMAGES)
def test_every_lossless_syntax_into_every_other_keeps_the_samples(kind):
    pixels = native(kind)[1]
    pairs = 0
    for source, target in itertools.permutations(NAMES, 2):
        before = stored(kind, source)
        if before is None or stored(kind, target) is None:
            continue
        after = convert(before, source, target, is_verified=False)
        pairs += 1
        assert numpy.array_equal(samples(after, target), pixels), (source, target)
        head = after.find(b"Made^Up ") if target != "deflated" else -1
        assert target == "deflated" or head > 0, (source, target)
        dataset = read(after, target)
        assert dataset.PatientID == "TEST-1"
        assert "LossyImageCompression" not in dataset
    assert pairs >= 100


REFUSED = {
    "8-bit signed": {"jpegxl"},
    "12-bit signed": {"jpegxl"},
    "16-bit signed": {"jpegxl"},
}


def test_only_what_cannot_be_held_is_refused():
    refused = {kind: {name for name in NAMES if stored(kind, name) is None} for kind in IMAGES}
    assert {kind: names for kind, names in refused.items() if names} == REFUSED


@pytest.mark.parametrize("bits", [17, 24, 32])
def test_more_than_16_bits_go_where_they_are_proven_and_are_else_refused_with_the_reason(bits):
    pixels = noise((1, 24, 20), bits)
    data = encoded(image(pixels, bits))
    held = {"implicit", "explicit", "deflated", "deflated-frame", "rle"}
    for name in NAMES:
        if name in held:
            assert numpy.array_equal(samples(convert(data, "explicit", name), name), pixels), name
            continue
        with pytest.raises(InputError, match=f"16 bits|{bits} of 32|32 bits in both byte orders"):
            convert(data, "explicit", name)


# -- independent decoders, one process for a syntax


def _run(*command: str | Path) -> None:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, (command, done.stderr, done.stdout)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.interop
@pytest.mark.parametrize(
    ("name", "program", "options"),
    [
        ("rle", "dcmdrle", ()),
        ("jpeg-lossless", "dcmdjpeg", ("+cn",)),
        ("jpeg-lossless-57", "dcmdjpeg", ("+cn",)),
        ("jpegls", "dcmdjpls", ()),
    ],
)
def test_dcmtk_decodes_what_we_encode(name, program, options, tmp_path):
    program, seen = _program(program), 0
    for kind in IMAGES:
        data = stored(kind, name)
        if data is None:
            continue
        path = write(tmp_path / "in.dcm", data, name)
        _run(program, *options, path, tmp_path / "out.dcm")
        theirs = (tmp_path / "out.dcm").read_bytes()
        header = probe(tmp_path / "out.dcm")
        assert _interleaved(theirs[header.dataset_offset :], kind) == native(kind)[1].tobytes(), (
            kind
        )
        seen += 1
    assert seen == len(IMAGES)


def _interleaved(data: bytes, kind: str) -> bytes:
    """The samples of a native data set of DCMTK, the colours of a pixel together."""
    dataset = read(data, "explicit")
    pixels = native(kind)[1]
    raw = dataset.PixelData[: pixels.nbytes]
    if dataset.SamplesPerPixel == 1 or dataset.PlanarConfiguration == 0:
        return raw
    frames, rows, columns, colours = pixels.shape
    planes = numpy.frombuffer(raw, pixels.dtype).reshape(frames, colours, rows, columns)
    return planes.transpose(0, 2, 3, 1).tobytes()


@pytest.mark.interop
@pytest.mark.parametrize("name", ["j2k", "jpegls", "rle", "jpeg-lossless"])
def test_gdcm_decodes_what_we_encode(name, tmp_path):
    program, seen = _program("gdcmconv"), 0
    # gdcm 3.0.21 garbles colour of 16 bits in RLE, that of DCMTK too
    kinds = ["8-bit", "12-bit", "12-bit signed", "16-bit", "RGB", "RGB 16-bit", "frames"]
    kinds = [kind for kind in kinds if (kind, name) != ("RGB 16-bit", "rle")]
    for kind in kinds:
        path = write(tmp_path / "in.dcm", stored(kind, name), name)
        _run(program, "--raw", path, tmp_path / "out.dcm")
        header = probe(tmp_path / "out.dcm")
        theirs = (tmp_path / "out.dcm").read_bytes()[header.dataset_offset :]
        if header.transfer_syntax_uid == UID["implicit"]:
            theirs = convert(theirs, "implicit", "explicit")
        assert _interleaved(theirs, kind) == native(kind)[1].tobytes(), kind
        seen += 1
    assert seen == len(kinds)


#: Syntax -> the suffix of its codestreams, and the program with its options.
DECODERS = {
    "j2k": ("j2k", "opj_decompress", ()),
    "htj2k": ("j2c", "ojph_expand", ()),
    "htj2k-rpcl": ("j2c", "ojph_expand", ()),
    "jpegxl": ("jxl", "djxl", ()),
}


@pytest.mark.interop
@pytest.mark.parametrize("name", DECODERS)
def test_codestreams_are_those_of_the_field(name, tmp_path):
    suffix, program, _ = DECODERS[name]
    program = _program(program)
    for kind in ("8-bit", "10-bit", "12-bit", "16-bit", "RGB", "RGB 16-bit"):
        pixels = native(kind)[1][0]
        frame = next(generate_frames(read(stored(kind, name), name).PixelData, number_of_frames=1))
        path = tmp_path / f"frame.{suffix}"
        path.write_bytes(frame)
        out = tmp_path / ("out.ppm" if pixels.ndim == 3 else "out.pgm")
        out.unlink(missing_ok=True)
        _run(program, *((path, out) if name == "jpegxl" else ("-i", path, "-o", out)))
        theirs = _netpbm(out)
        if name == "jpegxl" and pixels.dtype.itemsize == 2:
            # djxl stretches all to the whole range
            top = float((1 << IMAGES[kind].BitsStored) - 1)
            theirs = numpy.rint(theirs * (top / 65535))
        assert numpy.array_equal(theirs, pixels), kind


def _netpbm(path: Path) -> Any:
    """The samples of a PGM or PPM file."""
    data = path.read_bytes()
    fields: list[bytes] = []
    offset = 0
    while len(fields) < 4:
        end = offset
        while not data[end : end + 1].isspace():
            end += 1
        if data[offset : offset + 1] == b"#":
            offset = data.index(b"\n", offset) + 1
            continue
        fields.append(data[offset:end])
        offset = end + 1
    columns, rows, top = map(int, fields[1:])
    shape = (rows, columns, 3) if fields[0] == b"P6" else (rows, columns)
    return numpy.frombuffer(data[offset:], ">u2" if top > 255 else "u1").reshape(shape)


# -- the files of pydicom


@cache
def _sources() -> tuple[tuple[Path, str], ...]:
    names = {uid: name for name, uid in UID.items()}
    found = []
    for path in storable():
        header = probe(path)
        size = path.stat().st_size
        is_image = path.name != "badVR.dcm"  # which pydicom warns of
        if is_image and header.transfer_syntax_uid in names and size < 400_000:
            found.append((path, names[header.transfer_syntax_uid]))
    return tuple(found)


def _sweep(path: Path, name: str, targets: list[str]) -> int:
    data = path.read_bytes()[probe(path).dataset_offset :]
    try:
        pixels = samples(data, name)
    except (InputError, AttributeError, ValueError, TypeError):
        # no pixels, damaged ones, or of one bit
        return 0
    done = 0
    for target in targets:
        if target == name:
            continue
        try:
            after = convert(data, name, target)
        except InputError:
            continue
        done += 1
        again = samples(after, target)
        assert again.shape == pixels.shape, (path.name, target)
        assert numpy.array_equal(again, pixels), (path.name, target)
    return done


def test_files_of_pydicom_keep_their_samples():
    targets = ["implicit", "rle", "jpegls", "j2k"]
    done = sum(_sweep(path, name, targets) for path, name in _sources())
    assert done > 100


@pytest.mark.slow
def test_files_of_pydicom_keep_their_samples_in_every_syntax():
    done = sum(_sweep(path, name, NAMES) for path, name in _sources())
    assert done > 300
