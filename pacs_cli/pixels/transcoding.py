"""One data set into another transfer syntax: only what has to change is written anew.

source  PS3.5 8 and Annex A, PS3.3 C.7.6.3
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pacs_cli.dicom.elements import inflate
from pacs_cli.dicom.encoding import DEFAULT_BOUNDS, UNDEFINED, Encoding, encoding_of
from pacs_cli.errors import InputError
from pacs_cli.pixels import labels
from pacs_cli.pixels.codecs import Quality, decode_native
from pacs_cli.pixels.codestream import read_codestream
from pacs_cli.pixels.frames import check_native, encapsulated_frames, joined_bits, whole
from pacs_cli.pixels.image import (
    DOUBLE_PIXELS,
    FLOAT_PIXELS,
    PIXELS,
    ROWS,
    Image,
    read_image,
)
from pacs_cli.pixels.plan import Plan, check_target, plan_pixels
from pacs_cli.pixels.pooling import Pool, one_by_one
from pacs_cli.pixels.syntaxes import DEFLATED, GE_BIG, Family, Syntax, syntax_of
from pacs_cli.pixels.tree import Item, Later, Node, Writer, put, read_tree, remove, swapped

Buffer = bytes | bytearray | memoryview

_EXTENDED_OFFSETS, _EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002
_LENGTH_TO_END = 0x00080001

#: The longest value with a length (PS3.5 7.1.2), and the largest offset of a Basic Offset Table.
_MAX_LENGTH = 0xFFFFFFFE
#: Native bytes from which on an Extended Offset Table is written: no encoder doubles its input.
EXTENDED_FROM = 0x7FFFFFFF


#: Pixels of one frame: a whole slide's largest tile and any radiograph have less than a tenth.
MAX_PIXELS = 1 << 28


@dataclass(frozen=True, slots=True)
class Options:
    """How to transcode.

    is_verified       whether each frame that is encoded is decoded again and compared
    new_uid           the SOP Instance UID of what becomes another object; "" for one at random
    uid               auto: new when lossy; new; keep
    to_8_bit          whether more bits than the target has may be rendered to 8
    max_pixels        of one frame
    max_inflated      bytes of a data set that was deflated
    """

    quality: Quality = field(default_factory=Quality)
    is_verified: bool = True
    uid: str = "auto"
    new_uid: str = ""
    to_8_bit: bool = False
    max_pixels: int = MAX_PIXELS
    max_inflated: int = DEFAULT_BOUNDS.inflate


class NoPixels(InputError):
    """A data set has no pixels of its own, and a syntax is for those that have."""


@dataclass(slots=True)
class Transcoded:
    """A data set on its way.

    buffers  what to write, in order; a `Later` among them has its value once all were taken
    sop_instance_uid  "" where it stays
    frames   how many were coded anew
    is_lossy whether something was lost now
    """

    buffers: Iterator[Buffer]
    sop_instance_uid: str = ""
    frames: int = 0
    is_lossy: bool = False


def _random_uid() -> str:
    import uuid

    return f"2.25.{uuid.uuid4().int}"


def transcode(
    data: memoryview,
    source_uid: str,
    target_uid: str,
    options: Options | None = None,
    pool: Pool = one_by_one,
) -> Transcoded:
    """Bring a data set from one transfer syntax into another.

    data    the whole data set; views of it are among the buffers
    pool    runs the work on frames, in order
    raises  InputError with the reason, also while the buffers are taken; MalformedDataset,
            MissingCodecs; NoPixels when a syntax for pixels is asked of what has none (PS3.5 A.4)
    """
    if source_uid == target_uid:
        return Transcoded(iter((data,)))
    source, target = syntax_of(source_uid), syntax_of(target_uid)
    if not len(data):
        raise InputError("its data set is empty")
    encoding = encoding_of(source_uid)
    if encoding.deflated:
        data = memoryview(inflate(data, (options or Options()).max_inflated))
        encoding = Encoding(explicit=True, little=True)
    job = _Job(data, read_tree(data, encoding), source, target, options or Options(), pool)
    result = job.run()
    if target_uid == DEFLATED:
        result.buffers = _deflated(result.buffers)
    return result


def _deflated(buffers: Iterator[Buffer]) -> Iterator[Buffer]:
    """Deflate a data set (PS3.5 A.5), padded to an even length with one NUL."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    size = 0
    for each in buffers:
        part = stream.compress(each)
        size += len(part)
        yield part
    end = stream.flush()
    yield end + b"\0" * ((size + len(end)) % 2)


class _Job:
    """The change of one data set."""

    def __init__(
        self,
        view: memoryview,
        root: Item,
        source: Syntax,
        target: Syntax,
        options: Options,
        pool: Pool,
    ) -> None:
        self._view = view
        self._root = root
        self._source, self._target = source, target
        self._options = options
        self._pool = pool
        self._little = root.encoding.little
        wanted = encoding_of(target.uid)
        self._encoding = Encoding(wanted.explicit, wanted.little)
        sign = root.value(0x00280103) or b"\0\0"
        self._writer = Writer(view, root.encoding, self._encoding, any(sign[:2]))

    def run(self) -> Transcoded:
        tags = (PIXELS, FLOAT_PIXELS, DOUBLE_PIXELS)
        node = next((each for each in self._root.nodes if each.tag in tags), None)
        if Family.VIDEO in (self._source.family, self._target.family):
            return self._passed_on(node)
        if node is None or node.tag != PIXELS:
            if not self._target.is_native and self._target.family is not Family.VIDEO:
                if node is None:
                    raise NoPixels(f"it has no pixels, and {self._target.name} is for those alone")
                raise InputError(f"it has float pixels, which {self._target.name} cannot hold")
            self._decode_nested()
            return Transcoded(iter(self._rest()))
        if node.fragments is None and self._target.is_native:
            return self._native(node)
        if node.fragments is None and not self._source.is_native:
            raise InputError("its pixel data is not encapsulated, as its transfer syntax says")
        if node.fragments is not None and self._source.is_native:
            raise InputError("its pixel data is encapsulated, against its transfer syntax")
        return self._coded(node)

    def _rest(self) -> list[Buffer]:
        """Return all that is no pixel data of the top level."""
        self._drop_lengths()
        return self._writer.nodes(self._root.nodes, self._root.encoding)

    def _drop_lengths(self) -> None:
        """Leave out group lengths of groups that change, and Length to End: they would be wrong."""
        is_same = self._root.encoding == self._encoding
        changed = {each.tag >> 16 for each in self._root.nodes if not each.stop}
        self._root.nodes[:] = [
            each
            for each in self._root.nodes
            if each.tag != _LENGTH_TO_END
            and (each.tag & 0xFFFF or (is_same and each.tag >> 16 not in changed | {0x7FE0}))
        ]

    # -- native to native ------------------------------------------------------------------------

    def _native(self, node: Node) -> Transcoded:
        """Write it in another byte order or with other VRs, the pixels being what they are."""
        is_big = not self._little or self._source.uid == GE_BIG
        assert node.value is not None
        # what is not described cannot be checked, and need not be: it stays as it is
        allocated = 16
        if self._root.find(ROWS) is not None:
            image = self._image()
            check_native(memoryview(node.value), image)
            allocated = image.allocated
        if allocated > 16 and is_big == self._encoding.little:
            raise InputError(f"words of 16 bits cannot hold {allocated} bits in both byte orders")
        if self._source.uid == GE_BIG and self._encoding.little:
            node.value = swapped(node.value, 2 if allocated == 16 else 1, node.tag)
        vr = "OW" if allocated > 8 or not self._encoding.explicit else "OB"
        if " or " in node.vr or not self._root.encoding.explicit:
            # eight bits in words would have to be swapped
            node.vr = vr
        self._decode_nested()
        return Transcoded(iter(self._rest()))

    def _image(self) -> Image:
        image = read_image(self._root.value, self._little)
        if image.pixels > self._options.max_pixels:
            raise InputError(
                f"a frame has {image.pixels} pixels, and at most {self._options.max_pixels} are "
                "taken; see --max-pixels"
            )
        return image

    # -- nested pixel data -----------------------------------------------------------------------

    def _decode_nested(self) -> None:
        for node in self._root.nodes:
            if node.items is not None and self._decode_in(node, 0):
                node.stop = 0

    def _decode_in(self, sequence: Node, depth: int) -> bool:
        """Decode the pixel data of items, at every depth; return whether there was any."""
        has_changed = False
        for item in sequence.items or ():
            for node in item.nodes:
                if node.fragments is not None:
                    self._decode_icon(item, node)
                elif node.items is None or not self._decode_in(node, depth + 1):
                    continue
                node.stop = 0
                has_changed = True
        return has_changed

    def _decode_icon(self, item: Item, node: Node) -> None:
        assert node.fragments is not None
        little = item.encoding.little
        if len(node.fragments) > 1 or self._source.is_native:
            image = read_image(item.value, little)
            if image.native_bytes > self._options.max_pixels * 2:
                raise InputError("an image in a sequence is too large")
            parts = encapsulated_frames(node.fragments, image, self._source)
            frames = [whole(each) for each in parts]
            plan = plan_pixels(self._source, syntax_of(_EXPLICIT), image, self._header(frames[0]))
            value = b"".join(
                decode_native(memoryview(each), self._source, image) for each in frames
            )
            labels.relabel(item, image, plan.after, little)
        else:
            value = b""
            image = None
        value += b"\0" * (len(value) % 2)
        if not self._encoding.little and image is not None and image.allocated > 8:
            value = bytes(swapped(value, image.allocated // 8, node.tag))
        node.fragments = None
        node.value = value
        node.vr = "OW" if image is not None and image.allocated > 8 else "OB"

    def _header(self, frame: Buffer) -> Any:
        if self._source.family in (Family.RLE, Family.DEFLATED_FRAME, Family.NATIVE):
            return None
        return read_codestream(memoryview(frame), self._source.family)

    # -- what is coded ---------------------------------------------------------------------------

    def _passed_on(self, node: Node | None) -> Transcoded:
        """Put a video into the other container of the same stream (PS3.5 8.2.5 and A.4.6)."""
        base = {each.uid.removesuffix(".1") for each in (self._source, self._target)}
        if len(base) != 1 or node is None or node.fragments is None:
            raise InputError(
                f"{self._source.name} cannot be brought into {self._target.name}: a stream of this "
                "kind is passed on as it is"
            )
        stream = node.fragments[1:]
        self._root.nodes.remove(node)
        if not self._target.uid.endswith(".1"):
            stream = [memoryview(b"".join(stream))]
        before = self._rest()
        parts: list[Buffer] = [self._writer.head(PIXELS, "OB", UNDEFINED), _item(0)]
        for each in stream:
            parts += (_item(len(each)), each)
        return Transcoded(iter((*before, *parts, _END)))

    def _coded(self, node: Node) -> Transcoded:
        image, options = self._image(), self._options
        frames, first = self._source_frames(node, image)
        header = None if first is None else self._header(first)
        plan = plan_pixels(self._source, self._target, image, header)
        plan = check_target(plan, options)
        if plan.window is not None:
            window = labels.window_of(self._root) or plan.range(frames)
            plan = replace(plan, window=window)
            labels.forget_values(self._root)
        self._decode_nested()
        plan = plan.prepared(self._root, frames, self._little)
        root, target = self._root, self._target
        if plan.source_is_lossy:
            size = sum(len(each) for each in (node.fragments or ())[1:])
            labels.mark_source(root, self._source, plan.decoded.native_bytes / max(size, 1))
        uid, ratio = "", None
        if plan.is_lossy:
            ratio = labels.mark_lossy(root, target, plan.described(options.quality))
        if options.uid == "new" or (plan.is_lossy and options.uid == "auto"):
            uid = options.new_uid or _random_uid()
            labels.mark_derived(root, uid)
        elif plan.is_lossy:
            image_type = labels.texts(root, labels.IMAGE_TYPE)[1:] or ["PRIMARY"]
            put(root, labels.IMAGE_TYPE, "CS", "\\".join(("DERIVED", *image_type)).encode())
        labels.relabel(root, image, plan.after, self._encoding.little)
        for tag in (PIXELS, _EXTENDED_OFFSETS, _EXTENDED_LENGTHS):
            remove(root, tag)
        buffers = self._around(plan, frames, ratio)
        return Transcoded(buffers, uid, image.frames, plan.is_lossy)

    def _source_frames(
        self, node: Node, image: Image
    ) -> tuple[Callable[[], Iterator[Buffer]], Buffer | None]:
        """Return what gives the frames as they stand, and the first codestream."""
        if node.fragments is None:
            from pacs_cli.pixels.frames import native_frames

            assert node.value is not None
            value = memoryview(node.value)
            check_native(value, image)
            is_big = not self._little or self._source.uid == GE_BIG
            if is_big and image.allocated > 16:
                raise InputError("words of 16 bits hold no more in big endian")
            unit = 2 if is_big and (image.allocated == 16 or node.vr == "OW") else 1

            def native() -> Iterator[Buffer]:
                if unit == 2 and image.frame_bytes % 2:
                    yield from native_frames(memoryview(swapped(value, 2, PIXELS)), image)
                    return
                for frame in native_frames(value, image):
                    yield swapped(frame, unit, PIXELS)

            return native, None
        offsets, lengths = (self._root.value(tag) for tag in (_EXTENDED_OFFSETS, _EXTENDED_LENGTHS))
        extended = (offsets, lengths) if offsets and lengths else None
        parts = encapsulated_frames(node.fragments, image, self._source, extended)
        return (lambda: map(whole, parts)), whole(parts[0])

    def _around(
        self, plan: Plan, frames: Callable[[], Iterator[Buffer]], ratio: Later | None
    ) -> Iterator[Buffer]:
        """Yield the data set, the frames being coded as they are wanted."""
        self._drop_lengths()
        before = [each for each in self._root.nodes if each.tag < PIXELS]
        after = [each for each in self._root.nodes if each.tag > PIXELS]
        yield from self._writer.nodes(before, self._root.encoding)
        coded = self._pool(plan.work(self._options), frames())
        if self._target.is_native:
            yield from self._unpacked(plan.after, coded)
        else:
            yield from self._encapsulated(plan.decoded, coded, ratio)
        yield from self._writer.nodes(after, self._root.encoding)

    def _unpacked(self, image: Image, coded: Iterator[Buffer]) -> Iterator[Buffer]:
        length = image.native_bytes
        if length + length % 2 > _MAX_LENGTH:
            raise InputError(f"its {length} bytes of pixels are too many for a native syntax")
        is_wide = image.allocated > 8
        if not self._encoding.little and image.allocated > 16:
            raise InputError(f"words of 16 bits hold no {image.allocated} bits in big endian")
        vr = "OW" if is_wide or not self._encoding.explicit else "OB"
        yield self._writer.head(PIXELS, vr, length + length % 2)
        if image.frame_bits % 8:
            yield joined_bits(list(coded), image)
        else:
            for frame in coded:
                yield frame if self._encoding.little or not is_wide else swapped(frame, 2, PIXELS)
        if length % 2:
            yield b"\0"

    def _encapsulated(
        self, image: Image, coded: Iterator[Buffer], ratio: Later | None
    ) -> Iterator[Buffer]:
        count, is_extended = image.frames, image.native_bytes > EXTENDED_FROM
        table = Later(count * (8 if is_extended else 4))
        lengths = Later(count * 8 if is_extended else 0)
        head = self._writer.head
        if is_extended:
            yield head(_EXTENDED_OFFSETS, "OV", len(table))
            yield table
            yield head(_EXTENDED_LENGTHS, "OV", len(lengths))
            yield lengths
        yield head(PIXELS, "OB", UNDEFINED)
        yield _item(0 if is_extended else len(table))
        if not is_extended:
            yield table
        offset = number = total = 0
        for number, frame in enumerate(coded, 1):
            size = len(frame)
            if is_extended:
                struct.pack_into("<Q", table, 8 * number - 8, offset)
                struct.pack_into("<Q", lengths, 8 * number - 8, size)
            else:
                struct.pack_into("<L", table, 4 * number - 4, offset)
            total += size
            yield _item(size + size % 2)
            yield frame
            if size % 2:
                yield b"\0"
            offset += 8 + size + size % 2
        if number != count:
            raise InputError(f"it has {number} frames, and should have {count}")
        if ratio is not None:
            labels.fill_ratio(ratio, image.native_bytes, total)
        yield _END


_EXPLICIT = "1.2.840.10008.1.2.1"
_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def _item(length: int) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, length)


def transcoded_bytes(result: Transcoded) -> list[Buffer]:
    """Take all buffers; what was not known at first is in them then."""
    return list(result.buffers)
