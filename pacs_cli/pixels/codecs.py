"""One frame to an array and back: a thin layer over imagecodecs that guards its faults.

Known faults of imagecodecs 2026.3.6 and what is done: `htj2k_decode` does not clamp what is
irreversible, so OpenJPEG decodes HTJ2K; `htj2k_encode` writes 16 bits of precision for 12, which
is put right in the header; `jpegls_encode` allots too little for colour that cannot be compressed;
`jpeg8_decode` returns half an image without an error, so ends are checked (`codestream`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pacs_cli.errors import InputError, UsageError
from pacs_cli.pixels.codestream import Codestream, read_codestream
from pacs_cli.pixels.image import Image
from pacs_cli.pixels.rle import decode_rle, encode_rle
from pacs_cli.pixels.syntaxes import Family, Syntax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

#: What the three components of a frame are, as far as the decoder undoes anything.
_UNDONE = {"YBR_RCT": "RGB", "YBR_ICT": "RGB", "XYB": "RGB", "YBR_FULL_422": "YBR_FULL"}


class MissingCodecs(UsageError):
    """The codecs extra is not installed."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How much may be lost, where a lossy syntax is asked for; None for the default of each.

    quality  1 to 100, JPEG's scale
    near     the largest error of a sample, JPEG-LS
    ratio    how many times smaller, JPEG 2000
    """

    quality: int | None = None
    near: int | None = None
    ratio: float | None = None


def require_codecs() -> Any:
    """Return the imagecodecs module; MissingCodecs names the extra where there is none."""
    try:
        import imagecodecs
    except ImportError:
        raise MissingCodecs(
            "the codecs are not installed; pip install 'pacs-cli[codecs]'"
        ) from None
    return imagecodecs


# -- decoding ------------------------------------------------------------------------------------


def decode_native(data: bytes | memoryview, syntax: Syntax, image: Image) -> bytes | bytearray:
    """Return the bytes of one frame: little endian samples, the colours of a pixel together.

    raises  InputError when the codestream is not what the data set says; MissingCodecs
    """
    if syntax.family is Family.RLE:
        size = image.allocated // 8
        if not size:
            raise InputError("RLE holds no samples of one bit")
        return decode_rle(data, image.pixels, image.samples, size)
    if syntax.family is Family.DEFLATED_FRAME:
        return _inflated(data, image)
    return decode_frame(data, syntax, image).tobytes()


def decode_frame(data: bytes | memoryview, syntax: Syntax, image: Image) -> Array:
    """Return one frame as an array of `image.shape` and `image.dtype`.

    A colour transformation that is part of the codestream (RCT, ICT) is undone, none else is:
    `decoded_photometric` says what the samples are.

    raises  InputError when the codestream is not what the data set says; MissingCodecs
    """
    if syntax.family in (Family.RLE, Family.DEFLATED_FRAME):
        numpy = _numpy()
        octets = numpy.frombuffer(decode_native(data, syntax, image), image.dtype)
        return octets.reshape(image.shape)  # type: ignore[no-any-return]
    codecs = require_codecs()
    header = read_codestream(data, syntax.family)
    _check_size(header, image)
    try:
        frame = _decoded(codecs, data, syntax.family, header)
    except MemoryError:
        raise InputError("a frame needs more memory than it may") from None
    except Exception as error:  # noqa: BLE001 each codec has an exception of its own
        raise InputError(f"a frame cannot be decoded: {_reason(error)}") from None
    return _as_described(frame, header, image)


def _numpy() -> Any:
    require_codecs()
    import numpy

    return numpy


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}{f', {text[0][:120]}' if text else ''}"


def _check_size(header: Codestream, image: Image) -> None:
    if (header.rows, header.columns) != (image.rows, image.columns):
        raise InputError(
            f"a frame is {header.columns} x {header.rows} in its codestream and "
            f"{image.columns} x {image.rows} in the data set"
        )
    if header.components and header.components != image.samples:
        raise InputError(f"a frame has {header.components} components, not {image.samples}")
    if header.bits > max(image.allocated, 8):
        raise InputError(f"a frame has {header.bits} bits, and {image.allocated} are allocated")


def _decoded(codecs: Any, data: bytes | memoryview, family: Family, header: Codestream) -> Array:
    if family is Family.JPEG_LS:
        frame = codecs.jpegls_decode(data)
    elif family in (Family.JPEG_2000, Family.HTJ2K):
        frame = codecs.jpeg2k_decode(data, numthreads=1)
    elif family is Family.JPEG_XL:
        frame = codecs.jpegxl_decode(data, numthreads=1)
    else:
        frame = _decoded_jpeg(codecs, data, header)
    return frame  # type: ignore[no-any-return]


def _decoded_jpeg(codecs: Any, data: bytes | memoryview, header: Codestream) -> Array:
    # the same on both sides: samples as they are coded
    same = {3: "YCbCr", 4: "CMYK"}.get(header.components)
    if same == "YCbCr" and header.process == 0xC3:
        same = "RGB"
    return codecs.jpeg8_decode(data, colorspace=same, outcolorspace=same)  # type: ignore[no-any-return]


def _as_described(frame: Array, header: Codestream, image: Image) -> Array:
    """Return the samples in the type that the data set says; its sign wins over the codestream's.

    A codestream of n bits without a sign, of samples with one, has them as two's complement.
    """
    import numpy

    if frame.shape != image.shape:
        raise InputError(f"a frame was decoded to {frame.shape}, not {image.shape}")
    bits = header.bits or image.stored
    if image.signed and frame.dtype.kind == "u":
        size = frame.dtype.itemsize * 8
        if bits < size:
            shift = size - bits
            frame = (frame << shift).view(f"i{frame.dtype.itemsize}") >> shift
        else:
            frame = frame.view(f"i{frame.dtype.itemsize}")
    elif not image.signed and frame.dtype.kind == "i":
        if bits < frame.dtype.itemsize * 8:
            frame = frame & ((1 << bits) - 1)
        frame = frame.view(f"u{frame.dtype.itemsize}")
    return numpy.ascontiguousarray(frame, dtype=image.dtype)


def decoded_photometric(photometric: str, header: Codestream | None, family: Family) -> str:
    """Return what the samples of a decoded frame are, by the label and, of JPEG, the markers.

    source  PS3.5 8.2.1 and 8.2.4; markers are believed where the label contradicts them
    """
    if family is Family.JPEG and header is not None and header.components == 3:
        if header.is_ybr is False:
            return "RGB"
        if header.is_ybr or header.is_subsampled:
            return "YBR_FULL"
    if header is not None and header.components == 1:
        return photometric
    return _UNDONE.get(photometric, photometric)


def _inflated(data: bytes | memoryview, image: Image) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        frame = stream.decompress(data, image.frame_bytes + 2)
    except zlib.error as error:
        raise InputError(f"a frame is not deflated: {error}") from None
    if not stream.eof or not image.frame_bytes <= len(frame) <= image.frame_bytes + 1:
        raise InputError("a deflated frame is not as long as the data set says")
    return frame[: image.frame_bytes]


# -- encoding ------------------------------------------------------------------------------------


def deflate_frame(frame: bytes | bytearray | memoryview) -> bytes:
    """Return the bytes of a native frame deflated (PS3.5 A.4.13)."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(frame) + stream.flush()


def encoded_photometric(image: Image, syntax: Syntax) -> str:
    """Return what the label is to be once frames of `image` are encoded (PS3.5 8.2)."""
    if image.samples != 3 or image.photometric != "RGB":
        return image.photometric
    if syntax.family in (Family.JPEG_2000, Family.HTJ2K):
        return "YBR_ICT" if syntax.is_lossy else "YBR_RCT"
    if syntax.family is Family.JPEG:
        return "YBR_FULL_422"
    return "XYB" if syntax.family is Family.JPEG_XL and syntax.is_lossy else "RGB"


def encode_frame(frame: Array, syntax: Syntax, image: Image, quality: Quality) -> bytes:
    """Return one frame, of `image.shape`, compressed in a syntax that can hold it.

    raises  InputError when the encoder fails; MissingCodecs
    """
    family = syntax.family
    if family is Family.DEFLATED_FRAME:
        return deflate_frame(frame.tobytes())
    codecs = require_codecs()
    try:
        if family is Family.RLE:
            return encode_rle(frame)
        data: bytes = _ENCODERS[family](codecs, frame, syntax, image, quality)
        return data
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 each codec has an exception of its own
        raise InputError(f"a frame cannot be encoded: {_reason(error)}") from None


def _encode_jpeg(
    codecs: Any, frame: Array, syntax: Syntax, image: Image, quality: Quality
) -> bytes:
    colours: dict[str, Any] = {}
    if image.samples == 3:
        source = "RGB" if image.photometric == "RGB" else "YCbCr"
        colours = {"colorspace": source, "outcolorspace": "YCbCr"}
        colours["subsampling"] = "422" if image.photometric == "RGB" else "444"
    bits = 12 if syntax.name == "jpeg-extended" and image.allocated > 8 else 8
    level = 90 if quality.quality is None else quality.quality
    return codecs.jpeg8_encode(frame, level=level, bitspersample=bits, **colours)  # type: ignore[no-any-return]


def _encode_jpeg_lossless(
    codecs: Any, frame: Array, syntax: Syntax, image: Image, quality: Quality
) -> bytes:
    del syntax, quality
    bits = _unsigned_bits(image)
    colours = {"colorspace": "RGB", "outcolorspace": "RGB"} if image.samples == 3 else {}
    unsigned = _unsigned(frame)
    return codecs.jpeg8_encode(  # type: ignore[no-any-return]
        unsigned, lossless=True, predictor=1, bitspersample=bits, **colours
    )


def _encode_jpeg_ls(
    codecs: Any, frame: Array, syntax: Syntax, image: Image, quality: Quality
) -> bytes:
    del image
    unsigned = _unsigned(frame)
    near = 0
    if syntax.is_lossy:
        near = 2 if quality.near is None else quality.near
    # the default buffer is too small for colour that cannot be compressed
    room = unsigned.nbytes * 2 + 65536
    return bytes(codecs.jpegls_encode(unsigned, level=near, out=room))


def _encode_j2k(codecs: Any, frame: Array, syntax: Syntax, image: Image, quality: Quality) -> bytes:
    wanted = 90 if quality.quality is None else quality.quality

    def encode(loss: float | None) -> bytes:
        # of a lossy one the level is a signal to noise ratio in decibels
        level = round(25 + 0.5 * wanted if loss is None else 100 - 80 * loss)
        return codecs.jpeg2k_encode(  # type: ignore[no-any-return]
            frame,
            level=level if syntax.is_lossy else 0,
            codecformat="j2k",
            bitspersample=image.stored,
            reversible=not syntax.is_lossy,
            mct=image.samples == 3 and image.photometric == "RGB",
            numthreads=1,
        )

    return _to_ratio(quality if syntax.is_lossy else Quality(), encode, frame)


def _encode_htj2k(
    codecs: Any, frame: Array, syntax: Syntax, image: Image, quality: Quality
) -> bytes:
    import numpy

    is_colour = image.samples == 3 and image.photometric == "RGB"
    options: dict[str, Any] = {"reversible": not syntax.is_lossy, "rgb": is_colour}
    if syntax.name == "htj2k-rpcl":
        # PS3.5 A.4.11: tile-part lengths, and a lowest resolution of at most 64 x 64
        options |= {"tlm": True, "tilepart": codecs.HTJ2K.TILEPART.RESOLUTIONS}
        options["resolutions"] = max(5, (max(image.rows, image.columns) - 1).bit_length() - 6)
    bits = image.stored
    if bits in (8, 16) and frame.dtype.itemsize * 8 == bits:
        return _to_ratio(quality, _ht_encoder(codecs, frame, options, syntax, quality), frame)
    # it knows 8 and 16 bits only: what is less is given with a sign, which has no level shift,
    # and the precision in the header is put right
    shifted = frame.astype(numpy.int16)
    if not image.signed:
        shifted -= 1 << (bits - 1)
    encode = _ht_encoder(codecs, shifted, options, syntax, quality)
    return _with_precision(_to_ratio(quality, encode, frame), bits, image.signed)


def _ht_encoder(
    codecs: Any, frame: Array, options: dict[str, Any], syntax: Syntax, quality: Quality
) -> Callable[[float | None], bytes]:
    """Return what encodes with so much loss: 0 little, 1 much; None as `quality` says."""

    def encode(loss: float | None) -> bytes:
        if not syntax.is_lossy:
            return codecs.htj2k_encode(frame, **options)  # type: ignore[no-any-return]
        if loss is None:
            wanted = 90 if quality.quality is None else quality.quality
            loss = (100 - wanted) / 100
        # the quantisation step, relative to the range
        return codecs.htj2k_encode(frame, level=2e-5 * 2000**loss, **options)  # type: ignore[no-any-return]

    return encode


def _to_ratio(quality: Quality, encode: Callable[[float | None], bytes], frame: Array) -> bytes:
    """Return the largest codestream that is `ratio` times smaller than the frame."""
    if quality.ratio is None:
        return encode(None)
    room = frame.nbytes / quality.ratio
    low, high, best = 0.0, 1.0, b""
    for _ in range(9):
        middle = (low + high) / 2
        data = encode(middle)
        if len(data) <= room:
            high, best = middle, data
        else:
            low = middle
    return best or encode(1.0)


def _with_precision(data: bytes, bits: int, signed: bool) -> bytes:
    """Return a codestream with another precision in its SIZ marker (ISO 15444-1 A.5.1)."""
    header = bytearray(data[: 42 + 3 * 16])
    for component in range(int.from_bytes(header[40:42], "big")):
        header[42 + 3 * component] = (bits - 1) | (0x80 if signed else 0)
    return bytes(header) + data[len(header) :]


def _encode_jxl(codecs: Any, frame: Array, syntax: Syntax, image: Image, quality: Quality) -> bytes:
    bits = max(image.stored, 8)
    if not syntax.is_lossy:
        return codecs.jpegxl_encode(  # type: ignore[no-any-return]
            frame, lossless=True, bitspersample=bits, effort=3, numthreads=1
        )
    wanted = 90 if quality.quality is None else quality.quality
    return codecs.jpegxl_encode(  # type: ignore[no-any-return]
        frame, distance=max(0.1, (100 - wanted) / 10), bitspersample=bits, numthreads=1
    )


def recompress_jpeg(frame: bytes | memoryview) -> bytes:
    """Return a JPEG codestream inside JPEG XL, from which it can be had back bit by bit."""
    codecs = require_codecs()
    try:
        return codecs.jpegxl_encode_jpeg(bytes(frame), usecontainer=True)  # type: ignore[no-any-return]
    except Exception as error:  # noqa: BLE001 each codec has an exception of its own
        raise InputError(f"a frame cannot be recompressed: {_reason(error)}") from None


def restore_jpeg(frame: bytes | memoryview) -> bytes:
    """Return the JPEG codestream that was recompressed."""
    codecs = require_codecs()
    try:
        return codecs.jpegxl_decode_jpeg(bytes(frame))  # type: ignore[no-any-return]
    except Exception as error:  # noqa: BLE001 each codec has an exception of its own
        raise InputError(f"a frame has no JPEG inside: {_reason(error)}") from None


def _unsigned_bits(image: Image) -> int:
    """Return the precision where the codestream has no sign: all bits, if the samples have one.

    So every decoder gives them as they were, whether or not it extends a sign.
    """
    return image.allocated if image.signed else max(image.stored, 8)


def _unsigned(frame: Array) -> Array:
    return frame.view(f"u{frame.dtype.itemsize}")


_ENCODERS = {
    Family.JPEG: _encode_jpeg,
    Family.JPEG_LOSSLESS: _encode_jpeg_lossless,
    Family.JPEG_LS: _encode_jpeg_ls,
    Family.JPEG_2000: _encode_j2k,
    Family.HTJ2K: _encode_htj2k,
    Family.JPEG_XL: _encode_jxl,
}


def decode_again(data: bytes, syntax: Syntax, image: Image) -> Array:
    """Return a frame that was just encoded, by another decoder than that of the encoder's library
    where there is one: OpenJPEG for HTJ2K, jpegsof3 for JPEG lossless.
    """
    if syntax.family is Family.JPEG_LOSSLESS and image.samples == 1 and image.allocated == 16:
        codecs = require_codecs()
        header = read_codestream(data, syntax.family)
        try:
            frame = codecs.jpegsof3_decode(data)
        except Exception as error:  # noqa: BLE001 each codec has an exception of its own
            raise InputError(f"a frame cannot be decoded: {_reason(error)}") from None
        return _as_described(frame, header, image)
    return decode_frame(data, syntax, image)
