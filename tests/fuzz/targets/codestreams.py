"""Headers of codestreams, RLE, and fragments put together to frames: what no library reads."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.errors import InputError
from pacs_cli.pixels.codecs import decode_native
from pacs_cli.pixels.codestream import has_start, read_codestream
from pacs_cli.pixels.frames import encapsulated_frames, whole
from pacs_cli.pixels.image import Image, read_image
from pacs_cli.pixels.rle import decode_rle
from pacs_cli.pixels.syntaxes import TABLE, Family
from tests.pixels.images import image
from tests.pixels.test_hostile import GREY, SYNTAXES, codestream

FAMILIES = (
    *(Family.JPEG, Family.JPEG_LOSSLESS, Family.JPEG_LS, Family.JPEG_2000, Family.HTJ2K),
    Family.JPEG_XL,
)
BY_FAMILY = {each.family: each for each in reversed(TABLE)}
DATASET = image(GREY, 12)


def described() -> Image:
    values = {int(each.tag): DATASET[each.tag] for each in DATASET if each.tag >> 16 == 0x28}

    def value(tag: int, default: bytes | None = None) -> bytes | None:
        element = values.get(tag)
        if element is None:
            return default
        if element.VR == "US":
            return int(element.value).to_bytes(2, "little")
        return str(element.value).encode()

    return read_image(value, True)


IMAGE = described()


def seeds() -> Iterator[bytes]:
    for name in SYNTAXES:
        family = next(each.family for each in TABLE if each.name == name)
        if family in FAMILIES:
            yield bytes((FAMILIES.index(family),)) + codestream(name)[0][:700]
        elif family is Family.RLE:
            yield b"\x06" + codestream(name)[0]
        else:
            yield b"\x07" + codestream(name)[0]
    yield b"\x08" + b"\0\0\0\0\4\xff\xd8\xff\xd9\4\xff\xd8\xff\xd9"


def check(data: bytes) -> None:
    kind, body = (data[0] % 9, data[1:]) if data else (0, b"")
    try:
        if kind < len(FAMILIES):
            has_start(body, FAMILIES[kind])
            header = read_codestream(body, FAMILIES[kind])
            assert header.rows >= 0
            assert header.columns >= 0
        elif kind == 6:
            assert len(decode_rle(body, IMAGE.pixels, 1, 2)) == IMAGE.pixels * 2
            assert len(decode_rle(body, 100, 3, 1)) == 300
        elif kind == 7:
            syntax = BY_FAMILY[Family.DEFLATED_FRAME]
            assert len(decode_native(body, syntax, IMAGE)) == IMAGE.frame_bytes
        else:
            _frames(body)
    except InputError:
        return


def _frames(body: bytes) -> None:
    """Cut the bytes into fragments: each begins with its length."""
    fragments, at = [], 0
    while at < len(body) and len(fragments) < 50:
        size = body[at]
        fragments.append(memoryview(body)[at + 1 : at + 1 + size])
        at += 1 + size
    if not fragments:
        return
    frames = encapsulated_frames(fragments, IMAGE, BY_FAMILY[Family.JPEG])
    assert b"".join(bytes(whole(each)) for each in frames) <= b"".join(fragments[1:])
