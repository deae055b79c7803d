"""What has to be done to the frames, whether the target can hold them, and the work on one.

source  PS3.5 8.2
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pacs_cli.errors import InputError
from pacs_cli.pixels.codecs import (
    Quality,
    decode_again,
    decode_frame,
    decode_native,
    decoded_photometric,
    deflate_frame,
    encode_frame,
    encoded_photometric,
    recompress_jpeg,
    require_codecs,
    restore_jpeg,
)
from pacs_cli.pixels.codestream import Codestream, trimmed
from pacs_cli.pixels.image import Image
from pacs_cli.pixels.overlays import embedded, move_overlays
from pacs_cli.pixels.syntaxes import RECOMPRESS, Family, Syntax
from pacs_cli.pixels.tree import Item

if TYPE_CHECKING:
    from pacs_cli.pixels.transcoding import Options

Buffer = bytes | bytearray | memoryview
_PLAIN = (Family.NATIVE, Family.DEFLATED_FRAME)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the frames of one data set are brought from a syntax into another.

    before   as the source says
    decoded  what frames are once they are decoded, and as such given to the encoder
    after    what the data set has to say in the end
    shift    bits below the stored ones, which go
    is_lossy whether something is lost by this
    is_stream whether the codestreams are only put into or out of JPEG XL
    """

    source: Syntax
    target: Syntax
    before: Image
    decoded: Image
    after: Image
    source_is_lossy: bool = False
    is_lossy: bool = False
    is_stream: bool = False
    shift: int = 0
    window: tuple[float, float] | None = None

    def described(self, quality: Quality) -> str:
        """Return what was asked for beside the syntax, for the derivation."""
        fields = {"quality": quality.quality, "near": quality.near, "ratio": quality.ratio}
        return "".join(f", {name} {value:g}" for name, value in fields.items() if value is not None)

    def prepared(self, root: Item, frames: Callable[[], Iterator[Buffer]], little: bool) -> Plan:
        """Look at what stands above and below the stored bits, before it goes.

        Overlays are moved, other values are kept by storing more bits, and low bits that are set
        are an error.
        """
        image = self.before
        is_kept = self.target.family in (*_PLAIN, Family.RLE)
        if self.is_stream or is_kept or image.allocated == 1 or image.stored == image.allocated:
            return self
        if self.source.family not in (*_PLAIN, Family.RLE):
            return self

        def stored() -> Iterator[Any]:
            import numpy

            kind = numpy.dtype(f"<u{image.allocated // 8}")
            for frame in frames():
                native = self._native(frame)
                yield numpy.frombuffer(native, kind)

        overlays = embedded(root, little)
        if overlays:
            move_overlays(root, image, overlays, stored, little)
        return self._widened(stored(), overlays)

    def _widened(self, frames: Iterator[Any], overlays: dict[int, int]) -> Plan:
        image = self.before
        shift = image.high_bit + 1 - image.stored
        known = sum(1 << bit for bit in overlays.values())
        low, above = ((1 << shift) - 1) & ~known, clean_above(image) & ~known
        is_wide = False
        for frame in frames:
            if low and (frame & low).any():
                raise InputError(f"its pixels have values below the {image.stored} bits stored")
            high = frame & above
            is_odd = high != 0
            if image.signed:
                # all set, and the sign as well: the sign extended
                is_odd &= (high != above) | (frame & (1 << image.high_bit) == 0)
            is_wide = is_wide or bool(is_odd.any())
        stored = image.allocated if is_wide else image.stored
        if is_wide and (overlays or shift or self.target.max_bits < stored):
            raise InputError(
                f"its pixels have values beyond the {image.stored} bits stored, which "
                f"{self.target.name} cannot hold"
            )
        decoded = replace(self.decoded, stored=stored, high_bit=stored - 1)
        if self.after.stored > stored:
            # what the encoder stores is more than that
            return replace(self, shift=shift, decoded=decoded)
        after = replace(self.after, stored=stored, high_bit=stored - 1)
        return replace(self, shift=shift, decoded=decoded, after=after)

    def _native(self, frame: Buffer) -> Buffer:
        if self.source.is_native:
            return frame
        return decode_native(memoryview(frame), self.source, self.before)

    def work(self, options: Options) -> Callable[[Buffer], Buffer]:
        """Return what makes of a frame as it stands what is written; any thread may call it."""
        if self.is_stream:
            return self._stream_work
        if self.target.family is Family.NATIVE:
            return self._native
        if self.target.family is Family.DEFLATED_FRAME and self.before == self.decoded:
            return lambda frame: self._deflated(frame, options.is_verified)
        require_codecs()

        def coded(frame: Buffer) -> bytes:
            array = self._array(frame)
            data = encode_frame(array, self.target, self.decoded, options.quality)
            if options.is_verified:
                self._prove(array, data)
            return data

        return coded

    def _deflated(self, frame: Buffer, is_verified: bool) -> bytes:
        native = self._native(frame)
        data = deflate_frame(native)
        if is_verified and decode_native(data, self.target, self.decoded) != native:
            raise InputError(f"a frame does not come back from {self.target.name} as it was")
        return data

    def _stream_work(self, frame: Buffer) -> bytes:
        if self.target.uid != RECOMPRESS:
            return restore_jpeg(frame if isinstance(frame, bytes) else bytes(frame))
        jpeg = bytes(trimmed(frame if isinstance(frame, bytes) else memoryview(frame)))
        data = recompress_jpeg(jpeg)
        if restore_jpeg(data) != jpeg:
            raise InputError("a frame does not come back from JPEG XL as it was")
        return data

    def _array(self, frame: Buffer) -> Any:
        import numpy

        image = self.before
        if self.source.family not in (*_PLAIN, Family.RLE):
            array = decode_frame(memoryview(frame), self.source, image)
        else:
            # what is decoded from RLE has its colours together
            is_planar = image.planar and self.source.is_native
            flat = numpy.frombuffer(self._native(frame), image.dtype)
            if image.is_subsampled:
                array = _replicated(flat, image)
            elif is_planar and image.samples > 1:
                planes = flat.reshape(image.samples, image.rows, image.columns)
                array = numpy.ascontiguousarray(planes.transpose(1, 2, 0))
            else:
                array = flat.reshape(image.shape)
        if self.window is not None:
            return _rendered(array, self.window)
        return self._aligned(array)

    def _aligned(self, array: Any) -> Any:
        """Bring the stored bits down, with nothing but the sign above them."""
        image = self.decoded
        unused = image.allocated - image.stored
        if not unused or image.allocated == 1:
            return array
        if self.target.family in (*_PLAIN, Family.RLE):
            return array
        is_wide_codestream = self.source.family not in (*_PLAIN, Family.RLE)
        if is_wide_codestream:
            low, high = (-(1 << image.stored - 1), (1 << image.stored - 1) - 1)
            if not image.signed:
                low, high = 0, (1 << image.stored) - 1
            if array.min() < low or array.max() > high:
                raise InputError(f"a frame has values beyond the {image.stored} bits stored")
            return array
        # shifted up and down: what stands above goes, and the sign takes its place
        return (array << (unused - self.shift)) >> unused

    def _prove(self, array: Any, data: bytes) -> None:
        """Decode what was encoded; raises InputError unless it is what it should be."""
        import numpy

        back = decode_again(data, self.target, self.decoded)
        if not self.target.is_lossy and not numpy.array_equal(back, array):
            raise InputError(f"a frame does not come back from {self.target.name} as it was")


def clean_above(image: Image) -> int:
    """Return the bits above the stored ones."""
    return (1 << image.allocated) - (1 << (image.high_bit + 1))


def plan_pixels(source: Syntax, target: Syntax, image: Image, header: Codestream | None) -> Plan:
    """Return what is to be done; `header` is that of the first codestream.

    raises  InputError when the source is of no use
    """
    decoded = image
    if source.family not in _PLAIN:
        photometric = decoded_photometric(image.photometric, header, source.family)
        decoded = replace(image, photometric=photometric, planar=False)
    elif image.is_subsampled and not target.is_native:
        decoded = replace(image, photometric="YBR_FULL", planar=False)
    elif target.family not in _PLAIN and target.family is not Family.RLE:
        decoded = replace(image, planar=False)
    streams = {source.uid, target.uid}
    is_stream = streams == {RECOMPRESS, "1.2.840.10008.1.2.4.50"}
    source_is_lossy = _was_lossy(source, header)
    if is_stream:
        return Plan(source, target, image, image, image, source_is_lossy, is_stream=True)
    after = replace(decoded, photometric=encoded_photometric(decoded, target))
    return Plan(source, target, image, decoded, after, source_is_lossy, target.is_lossy)


def _was_lossy(source: Syntax, header: Codestream | None) -> bool:
    if source.family is Family.JPEG or source.uid == RECOMPRESS:
        return True
    if source.family in (Family.JPEG_LS, Family.JPEG_2000, Family.HTJ2K):
        return header is not None and header.near > 0
    return source.is_lossy


def check_target(plan: Plan, options: Options) -> Plan:
    """Refuse what the target cannot hold, with the reason; render to 8 bits where that is asked.

    raises  InputError
    """
    image, target = plan.decoded, plan.target
    if not target.is_encoded:
        raise InputError(f"{target.name} is read only")
    if target.is_native or target.family is Family.DEFLATED_FRAME or plan.is_stream:
        return plan
    if target.uid == RECOMPRESS:
        raise InputError(f"{target.name} takes frames of JPEG baseline only")
    if image.allocated == 1:
        raise InputError(f"pixels of 1 bit do not fit into {target.name}")
    if target.family is Family.RLE:
        if image.samples * image.allocated > 15 * 8:
            raise InputError(f"RLE has at most 15 byte planes, not {image.describe()}")
        return plan
    if image.samples == 4:
        raise InputError(f"{target.name} with four samples per pixel is not supported")
    if target.is_lossy and image.photometric == "PALETTE COLOR":
        raise InputError(f"{target.name} would lose the meaning of palette indices")
    most = 8 if target.name == "jpeg" else 16
    if options.to_8_bit and image.stored > 8 and target.is_lossy and image.samples == 1:
        return _to_8_bits(plan)
    if image.signed and not target.can_sign:
        raise InputError(f"{target.name} holds no signed samples")
    if image.stored > target.max_bits or image.allocated > most:
        raise InputError(
            f"{target.name} has {target.max_bits} bits at most, its pixels have {image.stored} "
            f"of {image.allocated}; --render-to-8bit would change them"
            if target.is_lossy
            else f"{target.name} has {target.max_bits} bits at most, its pixels have {image.stored}"
            f" of {image.allocated}"
        )
    return _with_precision_of_encoder(plan)


def _with_precision_of_encoder(plan: Plan) -> Plan:
    """Say so where the encoder stores more bits, and what is lost could reach into them."""
    image, target, bits = plan.decoded, plan.target, plan.decoded.stored
    if target.family is Family.JPEG:
        bits = 8 if image.allocated == 8 else 12
    elif target.family is Family.JPEG_LS and target.is_lossy:
        bits = image.allocated
    return replace(plan, after=replace(plan.after, stored=bits, high_bit=bits - 1))


def _to_8_bits(plan: Plan) -> Plan:
    return plan


def _replicated(flat: Any, image: Image) -> Any:
    """Return native YBR_FULL_422 with the chroma of each pair given to both (C.7.6.3.1.2)."""
    import numpy

    pairs = flat.reshape(image.rows, image.columns // 2, 4)
    frame = numpy.empty((image.rows, image.columns // 2, 2, 3), flat.dtype)
    frame[..., 0] = pairs[..., :2]
    frame[..., 1:] = pairs[:, :, None, 2:]
    return frame.reshape(image.rows, image.columns, 3)


def _rendered(array: Any, window: tuple[float, float]) -> Any:
    """Return samples between two values as 0 to 255; what lies outside is clipped."""
    import numpy

    low, high = window
    scaled = (array.astype(numpy.float64) - low) * (255 / max(high - low, 1))
    return numpy.clip(numpy.rint(scaled), 0, 255).astype(numpy.uint8)
