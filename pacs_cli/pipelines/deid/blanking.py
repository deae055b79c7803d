"""Regions of pixels made blank, in the transfer syntax that they are in; the rest stays as it is.

What is compressed is decoded, blanked and compressed again without loss; it is decoded once more,
and has to be what was meant. JPEG with loss cannot be that: its pixels become native. All of that
is done in a process of its own, which a codestream may crash.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pacs_cli.dicom.elements import Fragment, walk
from pacs_cli.dicom.encoding import EXPLICIT_LITTLE, UNDEFINED, Encoding, header_at
from pacs_cli.errors import InputError
from pacs_cli.pipelines.deid.changing import element, header
from pacs_cli.pipelines.deid.pixels import BURNED_IN_ANNOTATION, Box, PixelDecision
from pacs_cli.pixels import image as images
from pacs_cli.pixels.codecs import (
    Quality,
    decode_again,
    decode_frame,
    decoded_photometric,
    encode_frame,
    encoded_photometric,
    require_codecs,
)
from pacs_cli.pixels.codestream import read_codestream
from pacs_cli.pixels.frames import check_native, encapsulated_frames, whole
from pacs_cli.pixels.image import Image, read_image
from pacs_cli.pixels.sandbox import Sandbox
from pacs_cli.pixels.syntaxes import EXPLICIT_LITTLE as EXPLICIT_LITTLE_UID
from pacs_cli.pixels.syntaxes import TABLE, Family, Syntax, syntax_of
from pacs_cli.pixels.transcoding import MAX_PIXELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

_PADDING_VALUE = 0x00280120
_DESCRIPTORS, _PALETTES = (0x00281101, 0x00281102, 0x00281103), (0x00281201, 0x00281202, 0x00281203)
_OFFSETS, _LENGTHS = 0x7FE00001, 0x7FE00002

#: What has to be known of the top level to blank pixels.
IMAGE_TAGS = frozenset(
    (
        *(images.SAMPLES, images.PHOTOMETRIC, images.PLANAR, images.FRAMES, images.ROWS),
        *(images.COLUMNS, images.ALLOCATED, images.STORED, images.HIGH_BIT, images.SIGNED),
        *(_PADDING_VALUE, *_DESCRIPTORS, *_PALETTES, _OFFSETS, _LENGTHS),
    )
)

#: Syntaxes of loss that hold what has none, too -> that which is encoded (PS3.5 A.4.3 to A.4.12).
_WITHOUT_LOSS = {
    "jpegls-near": "jpegls",
    "j2k-lossy": "j2k",
    "htj2k-lossy": "htj2k",
    "jpegxl-lossy": "jpegxl",
}
_BY_NAME = {each.name: each for each in TABLE}


class Blanked(NamedTuple):
    """Pixel data with blank regions.

    element  the whole element, in the encoding of the data set
    changes  tag -> element: other attributes that say something else now
    syntax   the transfer syntax, which is another one where JPEG with loss was decoded
    """

    element: bytes
    changes: dict[int, bytes]
    syntax: str


def blank(
    pixel_data: bytes | memoryview,
    encoding: Encoding,
    syntax_uid: str,
    values: Mapping[int, bytes],
    decision: PixelDecision,
    sandbox: Sandbox,
) -> Blanked:
    """Return an element of pixel data with the regions of a decision blank in all frames.

    values   of `IMAGE_TAGS`, as they are
    sandbox  where what is compressed is decoded
    raises   InputError with the reason when that cannot be done
    """
    require_codecs()
    view = memoryview(pixel_data)
    tag, vr, length, start = header_at(view, 0, encoding.explicit, encoding.little)
    if tag != images.PIXELS:
        raise InputError("its pixels are floating point numbers, of which none is black")
    image = read_image(values.get, encoding.little)
    if image.pixels > MAX_PIXELS:
        raise InputError(f"a frame has {image.pixels} pixels, more than {MAX_PIXELS}")
    if length == UNDEFINED:
        return _elsewhere(view, vr, syntax_uid, values, decision, sandbox)
    mask = _mask(decision, image)
    changes = {BURNED_IN_ANNOTATION: element(encoding, BURNED_IN_ANNOTATION, "CS", b"NO")}
    syntax = syntax_of(syntax_uid)
    if not syntax.is_native:
        raise InputError("its pixels are native, and its transfer syntax is not")
    if syntax_uid == "1.2.840.113619.5.2":
        raise InputError("its pixels are in another byte order than the rest")
    check_native(view[start:], image)
    blanked = _native(view[start:], vr, encoding, image, values, mask)
    return Blanked(bytes(view[:start]) + blanked, changes, syntax_uid)


def _mask(decision: PixelDecision, image: Image) -> Array:
    """Return which pixels are to be blank, (rows, columns); InputError for regions outside."""
    import numpy

    mask = numpy.zeros((image.rows, image.columns), bool)
    if decision.outside is not None:
        mask[:] = True
        for box in decision.outside:
            # scanners that count the last column as the width are common
            if box.x + box.width > image.columns + 1 or box.y + box.height > image.rows + 1:
                raise InputError("a region of its SequenceOfUltrasoundRegions is not in the image")
            mask[_slices(box)] = False
    for box in decision.boxes:
        mask[_slices(box)] = True
    return mask


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box.y, box.y + box.height), slice(box.x, box.x + box.width)


# -- what is black -------------------------------------------------------------------------------


def _black(image: Image, values: Mapping[int, bytes], little: bool) -> tuple[int, ...]:
    """Return the samples of a black pixel, as bit patterns of `stored` bits.

    source  PS3.3 C.7.6.3.1.2; C.7.5.1.1.2 for PixelPaddingValue
    """
    photometric, top = image.photometric, (1 << image.stored) - 1
    lowest = 1 << (image.stored - 1) if image.signed else 0
    if photometric in ("MONOCHROME1", "MONOCHROME2") and image.samples == 1:
        padding = values.get(_PADDING_VALUE, b"")
        if len(padding) == 2 and image.allocated == 16 and image.high_bit == image.stored - 1:
            return (int.from_bytes(padding, "little" if little else "big") & top,)
        return (lowest if photometric == "MONOCHROME2" else lowest ^ top,)
    if photometric == "PALETTE COLOR" and image.samples == 1 and not image.signed:
        return (_darkest(values, little) & top,)
    if photometric in ("RGB", "YBR_RCT", "YBR_ICT") and image.samples == 3 and not image.signed:
        return (0, 0, 0)
    if photometric.startswith("YBR_FULL") and image.samples == 3 and not image.signed:
        return (0, 1 << (image.stored - 1), 1 << (image.stored - 1))
    raise InputError(f"it is not known what is black in its pixels ({image.describe()})")


def _darkest(values: Mapping[int, bytes], little: bool) -> int:
    """Return the index of the darkest colour of a palette (PS3.3 C.7.6.3.1.5 and C.7.6.3.1.6)."""
    import numpy

    order = "<" if little else ">"
    total: Any = 0
    first = 0
    for descriptor, palette in zip(_DESCRIPTORS, _PALETTES, strict=True):
        described, data = values.get(descriptor, b""), values.get(palette, b"")
        if len(described) != 6 or not data:
            raise InputError("its palette is not there, or in segments: what is black is not known")
        count, first, bits = struct.unpack(order + "3H", described)
        count = count or 65536
        if len(data) >= 2 * count:
            table = numpy.frombuffer(data, order + "u2", count)
        elif bits == 8 and len(data) >= count:
            table = numpy.frombuffer(data, "u1", count)
        else:
            raise InputError("its palette ends early: what is black is not known")
        total = total + table.astype(numpy.int64)
    return first + int(numpy.argmin(total))


def _placed(samples: Sequence[int], image: Image) -> list[int]:
    """Return samples as they are allocated; with a sign, that is extended."""
    placed = []
    for sample in samples:
        shift = image.high_bit - image.stored + 1
        if image.signed and sample >> (image.stored - 1) and not shift:
            sample |= ((1 << image.allocated) - 1) ^ ((1 << image.stored) - 1)
        placed.append(sample << shift)
    return placed


# -- native --------------------------------------------------------------------------------------


def _native(
    value: memoryview,
    vr: str,
    encoding: Encoding,
    image: Image,
    values: Mapping[int, bytes],
    mask: Array,
) -> bytes:
    """Return a value of native pixel data with blank regions; what follows the frames is zero."""
    import numpy

    black = _placed(_black(image, values, encoding.little), image)
    octets = numpy.frombuffer(value, "u1").copy()
    # OW has words, also where a sample is a byte or less (PS3.5 7.3)
    has_words = not encoding.little and vr == "OW" and image.allocated <= 8
    if has_words:
        octets = octets.reshape(-1, 2)[:, ::-1].reshape(-1).copy()
    size = image.native_bytes
    octets[size:] = 0
    if image.allocated == 1:
        count = image.pixels * image.frames
        bits = numpy.unpackbits(octets[:size], bitorder="little")
        bits[:count].reshape(image.frames, image.rows, image.columns)[:, mask] = black[0]
        octets[:size] = numpy.packbits(bits, bitorder="little")
    else:
        kind = f"{'<' if encoding.little else '>'}u{image.allocated // 8}"
        _blank_samples(octets[:size].view(kind), image, mask, black)
    if has_words:
        octets = octets.reshape(-1, 2)[:, ::-1].reshape(-1)
    return octets.tobytes()


def _blank_samples(samples: Array, image: Image, mask: Array, black: Sequence[int]) -> None:
    """Blank samples of whole bytes in place, (frames * whatever they are,)."""
    rows, columns, count = image.rows, image.columns, image.frames
    if image.is_subsampled:
        # two of luma, then the chroma of both: that stays where one of the two does
        pairs = samples.reshape(count, rows, columns // 2, 4)
        both = mask.reshape(rows, columns // 2, 2)
        pairs[:, both[:, :, 0], 0] = black[0]
        pairs[:, both[:, :, 1], 1] = black[0]
        pairs[:, both.all(axis=2), 2:] = black[1:]
    elif image.planar and image.samples > 1:
        planes = samples.reshape(count, image.samples, rows, columns)
        for number, sample in enumerate(black):
            planes[:, number, mask] = sample
    else:
        pixels = samples.reshape(count, rows, columns, image.samples)
        pixels[:, mask] = black


# -- encapsulated --------------------------------------------------------------------------------


#: What `encapsulated` may say that it changed.
_CHANGED = frozenset({images.PHOTOMETRIC, images.PLANAR, _OFFSETS, _LENGTHS})
_WORK = "pacs_cli.pipelines.deid.blanking:encapsulated"


def _elsewhere(
    view: memoryview,
    vr: str,
    syntax_uid: str,
    values: Mapping[int, bytes],
    decision: PixelDecision,
    sandbox: Sandbox,
) -> Blanked:
    """Have encapsulated pixel data blanked where a codec may crash."""
    ((words, part),) = sandbox.run(_WORK, view, vr, syntax_uid, dict(values), decision)
    made = Blanked(
        bytes(part),
        {int(tag): bytes.fromhex(value) for tag, value in words["changes"].items()},
        words["syntax"],
    )
    is_known = made.changes.keys() <= _CHANGED and made.syntax in (syntax_uid, EXPLICIT_LITTLE_UID)
    if not is_known or header_at(made.element, 0, True, True)[0] != images.PIXELS:
        raise InputError("its decoder said what makes no sense")
    blank = element(EXPLICIT_LITTLE, BURNED_IN_ANNOTATION, "CS", b"NO")
    return made._replace(changes={BURNED_IN_ANNOTATION: blank, **made.changes})


def encapsulated(
    view: memoryview,
    vr: str,
    syntax_uid: str,
    values: Mapping[int, bytes],
    decision: PixelDecision,
) -> Iterator[tuple[Any, bytes | None]]:
    """Blank encapsulated pixel data: what `pixels.sandbox` runs.

    yields  None for each frame, then what changed and the element
    """
    image, syntax = read_image(values.get, True), syntax_of(syntax_uid)
    mask = _mask(decision, image)
    changes: dict[int, bytes] = {}
    if syntax.is_native or syntax.family is Family.VIDEO:
        raise InputError("its pixels are in a transfer syntax that cannot be encoded again")
    target = _BY_NAME[_WITHOUT_LOSS.get(syntax.name, syntax.name)]
    fragments = [each.value for each in walk(view, EXPLICIT_LITTLE) if isinstance(each, Fragment)]
    extended = None
    if _OFFSETS in values and _LENGTHS in values:
        extended = values[_OFFSETS], values[_LENGTHS]
    parts = encapsulated_frames(fragments, image, syntax, extended)
    is_native = target.is_lossy
    frames: list[bytes] = []
    decoded = image
    for part in parts:
        codestream = memoryview(whole(part))
        frame = decode_frame(codestream, syntax, image)
        said = _photometric(codestream, syntax, image)
        if frames and said != decoded.photometric:
            raise InputError("its frames are not all of one photometric interpretation")
        decoded = replace(image, photometric=said, planar=False)
        frames.append(_frame(frame, target, decoded, values, mask, is_native))
        yield None, None
    label = decoded.photometric if is_native else encoded_photometric(decoded, target)
    if label != image.photometric:
        changes[images.PHOTOMETRIC] = _label(label)
    if image.samples > 1 and is_native:
        changes[images.PLANAR] = element(EXPLICIT_LITTLE, images.PLANAR, "US", bytes(2))
    if is_native:
        data = b"".join(frames)
        wide = "OW" if image.allocated > 8 else "OB"
        made = element(EXPLICIT_LITTLE, images.PIXELS, wide, data + bytes(len(data) % 2))
        yield _said(changes, EXPLICIT_LITTLE_UID), made
    else:
        made = _wrapped(frames, vr, extended is not None, changes)
        yield _said(changes, syntax.uid), made


def _said(changes: Mapping[int, bytes], syntax: str) -> dict[str, Any]:
    return {"changes": {tag: value.hex() for tag, value in changes.items()}, "syntax": syntax}


def _photometric(codestream: Any, syntax: Syntax, image: Image) -> str:
    """Return what the samples of a decoded frame are."""
    has_header = syntax.family not in (Family.RLE, Family.DEFLATED_FRAME)
    codes = read_codestream(codestream, syntax.family) if has_header else None
    return decoded_photometric(image.photometric, codes, syntax.family)


def _frame(
    frame: Array,
    target: Syntax,
    image: Image,
    values: Mapping[int, bytes],
    mask: Array,
    is_native: bool,
) -> bytes:
    """Return one frame blanked and encoded, and proven to be that."""
    import numpy

    black = _placed(_black(image, values, True), image)
    kind = f"<u{image.allocated // 8}"
    blanked = numpy.ascontiguousarray(frame).copy()
    single = replace(image, frames=1)
    if image.is_subsampled or image.allocated == 1:
        raise InputError(f"its frames cannot be encoded again ({image.describe()})")
    _blank_samples(blanked.view(kind).reshape(-1), single, mask, black)
    if is_native:
        return blanked.tobytes()
    encoded = encode_frame(blanked, target, single, Quality())
    if not numpy.array_equal(decode_again(encoded, target, image), blanked):
        raise InputError("its frames are not the same after they have been encoded again")
    return encoded


def _label(photometric: str) -> bytes:
    text = photometric.encode("ascii")
    return element(EXPLICIT_LITTLE, images.PHOTOMETRIC, "CS", text + b" " * (len(text) % 2))


def _wrapped(
    frames: Sequence[bytes], vr: str, is_extended: bool, changes: dict[int, bytes]
) -> bytes:
    """Return encapsulated pixel data, a fragment a frame, with the table it had (PS3.5 A.4)."""
    padded = [frame + bytes(len(frame) % 2) for frame in frames]
    offsets, at = [], 0
    for frame in padded:
        offsets.append(at)
        at += 8 + len(frame)
    table = b""
    if is_extended:
        for tag, numbers in ((_OFFSETS, offsets), (_LENGTHS, [len(frame) for frame in frames])):
            value = struct.pack(f"<{len(numbers)}Q", *numbers)
            changes[tag] = element(EXPLICIT_LITTLE, tag, "OV", value)
    elif at <= 0xFFFFFFFF:
        table = struct.pack(f"<{len(offsets)}L", *offsets)
    parts = [header(EXPLICIT_LITTLE, images.PIXELS, vr if vr == "OW" else "OB", UNDEFINED)]
    for each in (table, *padded):
        parts += (struct.pack("<HHL", 0xFFFE, 0xE000, len(each)), each)
    return b"".join((*parts, struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)))
