"""The element reader on bytes written by hand, with where PS3.5 has them."""

from __future__ import annotations

import mmap
import random
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from pydicom.uid import UID
from pydicom.valuerep import AMBIGUOUS_VR, VR

from pacs_cli.dicom.elements import (
    Element,
    Event,
    Fragment,
    FragmentsEnd,
    FragmentsStart,
    ItemEnd,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    inflate,
    inflate_head,
    pick,
    walk,
)
from pacs_cli.dicom.encoding import (
    UNDEFINED,
    Bounds,
    Encoding,
    TruncatedDataset,
    encoding_of,
    header_at,
)
from pacs_cli.dicom.registry import transfer_syntaxes
from pacs_cli.errors import MalformedDataset
from tests.dicom.datasets import (
    BIG,
    DEFLATED,
    DELIMITERS,
    ENCODINGS,
    IMPLICIT,
    ITEM,
    LITTLE,
    deflated,
    element,
    header,
    item,
    memory_below,
    nested,
    of_everything,
    sequence,
)

MODALITY, SQ, PIXELS = 0x00080060, 0x00081140, 0x7FE00010
#: Data Set Trailing Padding (PS3.10 7.2), behind which nothing comes.
LAST = 0xFFFCFFFC
CT = element(LITTLE, MODALITY, "CS", b"CT")
IMPLICIT_CT = element(IMPLICIT, MODALITY, "CS", b"CT")

# fmt: off
VECTORS: dict[str, tuple[Encoding, str, list[Event]]] = {
    "7.1.2 two bytes of length": (
        LITTLE, "0800 6000 4353 0200 4354",
        [Element(MODALITY, "CS", b"CT", 0, 0)]),
    "7.1.2 four bytes of length": (
        LITTLE, "e07f 1000 4f57 0000 04000000 01020304",
        [Element(PIXELS, "OW", b"\1\2\3\4", 0, 0)]),
    "7.1.2 a VR of the future has two bytes of length": (
        LITTLE, "0800 6000 4353 0000 1100 0100 5a5a 0200 4142",
        [Element(MODALITY, "CS", b"", 0, 0), Element(0x00110001, "ZZ", b"AB", 8, 0)]),
    "7.1.3 no VR: the dictionary's": (
        IMPLICIT, "0800 6000 02000000 4354 2800 0601 02000000 0100",
        [Element(MODALITY, "CS", b"CT", 0, 0), Element(0x00280106, "US or SS", b"\1\0", 10, 0)]),
    "7.1.3 no VR and in no dictionary": (
        IMPLICIT, "0800 0000 04000000 00000000 0800 ff7f 00000000",
        [Element(0x00080000, "UL", bytes(4), 0, 0), Element(0x00087FFF, "UN", b"", 12, 0)]),
    "7.3 big endian": (
        BIG, "0008 0060 4353 0002 4354 7fe0 0010 4f57 0000 00000004 01020304",
        [Element(MODALITY, "CS", b"CT", 0, 0), Element(PIXELS, "OW", b"\1\2\3\4", 10, 0)]),
    "7.5-1 defined lengths": (
        IMPLICIT, "0800 4011 1a000000 feff 00e0 0a000000 0800 6000 02000000 4354"
        "feff 00e0 00000000",
        [SequenceStart(SQ, "SQ", 26, 0, 0),
         ItemStart(10, IMPLICIT, 8, 1), Element(MODALITY, "CS", b"CT", 16, 1), ItemEnd(26, 1),
         ItemStart(0, IMPLICIT, 26, 1), ItemEnd(34, 1), SequenceEnd(SQ, 34, 0)]),
    "7.5-2 a sequence of undefined length": (
        LITTLE, "0800 4011 5351 0000 ffffffff feff 00e0 0a000000 0800 6000 4353 0200 4354"
        "feff dde0 00000000",
        [SequenceStart(SQ, "SQ", UNDEFINED, 0, 0), ItemStart(10, LITTLE, 12, 1),
         Element(MODALITY, "CS", b"CT", 20, 1), ItemEnd(30, 1), SequenceEnd(SQ, 38, 0)]),
    "7.5-3 items of both kinds of length": (
        IMPLICIT, "0800 4011 ffffffff feff 00e0 00000000 feff 00e0 ffffffff 0800 6000 00000000"
        "feff 0de0 00000000 feff dde0 00000000 1000 2000 00000000",
        [SequenceStart(SQ, "SQ", UNDEFINED, 0, 0),
         ItemStart(0, IMPLICIT, 8, 1), ItemEnd(16, 1), ItemStart(UNDEFINED, IMPLICIT, 16, 1),
         Element(MODALITY, "CS", b"", 24, 1), ItemEnd(40, 1), SequenceEnd(SQ, 48, 0),
         Element(0x00100020, "LO", b"", 48, 0)]),
    "7.5 sequences of nothing": (
        BIG, "0008 1140 5351 0000 00000000 0008 1140 5351 0000 ffffffff fffe e0dd 00000000",
        [SequenceStart(SQ, "SQ", 0, 0, 0), SequenceEnd(SQ, 12, 0),
         SequenceStart(SQ, "SQ", UNDEFINED, 12, 0), SequenceEnd(SQ, 32, 0)]),
    "7.5 nested": (
        LITTLE, "0800 4011 5351 0000 24000000 feff 00e0 ffffffff 0800 4011 5351 0000 08000000"
        "feff 00e0 00000000 feff 0de0 00000000",
        [SequenceStart(SQ, "SQ", 36, 0, 0), ItemStart(UNDEFINED, LITTLE, 12, 1),
         SequenceStart(SQ, "SQ", 8, 20, 1), ItemStart(0, LITTLE, 32, 2),
         ItemEnd(40, 2), SequenceEnd(SQ, 40, 1), ItemEnd(48, 1), SequenceEnd(SQ, 48, 0)]),
    "A.4-1 no offset table": (
        LITTLE, "e07f 1000 4f42 0000 ffffffff feff 00e0 00000000 feff 00e0 02000000 ffd8"
        "feff dde0 00000000",
        [FragmentsStart(PIXELS, "OB", 0, 0), Fragment(b"", 12), Fragment(b"\xff\xd8", 20),
         FragmentsEnd(PIXELS, 38, 0)]),
    "A.4-2 an offset table": (
        LITTLE, "e07f 1000 4f42 0000 ffffffff feff 00e0 04000000 00000000"
        "feff 00e0 02000000 ffd8 feff dde0 00000000 fcff fcff 4f42 0000 00000000",
        [FragmentsStart(PIXELS, "OB", 0, 0), Fragment(bytes(4), 12), Fragment(b"\xff\xd8", 24),
         FragmentsEnd(PIXELS, 42, 0), Element(LAST, "OB", b"", 42, 0)]),
    "A.4 in an icon, without a VR": (
        IMPLICIT, "8800 0002 ffffffff feff 00e0 ffffffff e07f 1000 ffffffff feff 00e0 00000000"
        "feff dde0 00000000 feff 0de0 00000000 feff dde0 00000000",
        [SequenceStart(0x00880200, "SQ", UNDEFINED, 0, 0), ItemStart(UNDEFINED, IMPLICIT, 8, 1),
         FragmentsStart(PIXELS, "OB or OW", 16, 1), Fragment(b"", 24), FragmentsEnd(PIXELS, 40, 1),
         ItemEnd(48, 1), SequenceEnd(0x00880200, 56, 0)]),
    "6.2.2 UN hides a sequence in Implicit VR": (
        LITTLE, "0900 0110 554e 0000 ffffffff feff 00e0 0a000000 0800 6000 02000000 4354"
        "feff dde0 00000000",
        [SequenceStart(0x00091001, "UN", UNDEFINED, 0, 0), ItemStart(10, IMPLICIT, 12, 1),
         Element(MODALITY, "CS", b"CT", 20, 1), ItemEnd(30, 1), SequenceEnd(0x00091001, 38, 0)]),
    "6.2.2 which is little endian in a big endian data set": (
        BIG, "0009 1001 554e 0000 ffffffff feff 00e0 ffffffff 0800 6000 02000000 4354"
        "feff 0de0 00000000 feff dde0 00000000",
        [SequenceStart(0x00091001, "UN", UNDEFINED, 0, 0), ItemStart(UNDEFINED, IMPLICIT, 12, 1),
         Element(MODALITY, "CS", b"CT", 20, 1), ItemEnd(38, 1), SequenceEnd(0x00091001, 46, 0)]),
    "6.2.2 UN with a length is bytes": (
        LITTLE, "0900 0110 554e 0000 08000000 feff 00e0 00000000",
        [Element(0x00091001, "UN", b"\xfe\xff\0\xe0\0\0\0\0", 0, 0)]),
    "6.2.2 a private sequence without a VR": (
        IMPLICIT, "0900 0110 ffffffff feff 00e0 00000000 feff dde0 00000000",
        [SequenceStart(0x00091001, "UN", UNDEFINED, 0, 0),
         ItemStart(0, IMPLICIT, 8, 1), ItemEnd(16, 1), SequenceEnd(0x00091001, 24, 0)]),
}
# fmt: on


@pytest.mark.parametrize(("encoding", "data", "events"), VECTORS.values(), ids=VECTORS)
def test_walk_gives_what_the_standard_says(
    encoding: Encoding, data: str, events: list[Event]
) -> None:
    assert [*walk(bytes.fromhex(data), encoding)] == events


@pytest.mark.parametrize("name", [name for name in VECTORS if VECTORS[name][0] == LITTLE])
def test_walk_gives_the_same_of_deflated_bytes(name: str) -> None:
    """PS3.5 A.5, with the padding to an even length."""
    _, data, events = VECTORS[name]
    assert [*walk(deflated(bytes.fromhex(data)) + b"\0", DEFLATED)] == events


@pytest.mark.parametrize("encoding", [LITTLE, BIG], ids=["little", "big"])
@pytest.mark.parametrize("vr", sorted({str(vr) for vr in VR} - AMBIGUOUS_VR - {"SQ"}))
def test_header_has_the_length_of_its_vr(vr: str, encoding: Encoding) -> None:
    """PS3.5 tables 7.1-1 and 7.1-2, for every VR of 6.2."""
    data = element(encoding, 0x00090001, vr, b"12345678")
    assert header_at(data, 0, True, encoding.little) == (0x00090001, vr, 8, len(data) - 8)
    assert [*walk(data, encoding)] == [Element(0x00090001, vr, b"12345678", 0, 0)]


ITEM_END, SEQUENCE_END = (header(LITTLE, tag, "", 0) for tag in DELIMITERS[1:])
OPEN_ITEM = header(LITTLE, ITEM, "", UNDEFINED)
LONG_ITEM = header(LITTLE, ITEM, "", 100)


def undefined(*content: bytes, vr: str = "SQ") -> bytes:
    """The beginning of a sequence or of fragments, without an end."""
    return header(LITTLE, SQ, vr, UNDEFINED) + b"".join(content)


# fmt: off
#: What the standard does not have, but files do, and how the items are written.
DEVIATIONS = {
    "items that differ": (
        LITTLE, sequence(LITTLE, SQ, *(item(LITTLE, each) for each in (CT, IMPLICIT_CT, CT))),
        [LITTLE, IMPLICIT, LITTLE]),
    "item in Explicit VR in a UN": (
        LITTLE, undefined(item(LITTLE, CT), SEQUENCE_END, vr="UN"), [LITTLE]),
    "sequence without a VR": (LITTLE, CT + sequence(IMPLICIT, SQ, item(LITTLE, CT)), [LITTLE]),
    "data set without VRs": (
        LITTLE, sequence(IMPLICIT, SQ, item(IMPLICIT, IMPLICIT_CT)), [IMPLICIT]),
    "data set with VRs": (IMPLICIT, sequence(LITTLE, SQ, item(LITTLE, CT)), [LITTLE]),
    "length and delimiter of a sequence": (
        LITTLE, sequence(LITTLE, SQ, item(LITTLE, CT), SEQUENCE_END), [LITTLE]),
    "length and delimiter of an item": (
        LITTLE, sequence(LITTLE, SQ, item(LITTLE, CT, ITEM_END)), [LITTLE]),
    "delimiters with a length": (
        LITTLE, undefined(OPEN_ITEM, CT, ITEM_END[:4] + b"AAAA", SEQUENCE_END[:4] + b"\xff" * 4),
        [LITTLE]),
}
# fmt: on


@pytest.mark.parametrize(("encoding", "data", "inside"), DEVIATIONS.values(), ids=DEVIATIONS)
def test_deviation_is_read(encoding: Encoding, data: bytes, inside: list[Encoding]) -> None:
    events = [*walk(data, encoding)]
    assert [each.encoding for each in events if isinstance(each, ItemStart)] == inside
    values = [each[:3] for each in events if isinstance(each, Element) and each.depth == 1]
    assert values == [(MODALITY, "CS", b"CT")] * len(inside)
    assert events[-1] == SequenceEnd(SQ, len(data), 0)
    assert pick(data, encoding, {LAST}) == {}


@pytest.mark.parametrize("is_undefined", [False, True], ids=["defined", "undefined"])
@pytest.mark.parametrize("tag", [SQ, 0x00091001], ids=["public", "private"])
def test_length_that_looks_like_a_vr_misleads_nobody(tag: int, is_undefined: bool) -> None:
    """0x4142 could be the VR "BA", but an Implicit VR data set has no VRs to look for."""
    value = bytes(0x4142)
    long = item(IMPLICIT, element(IMPLICIT, 0x00091002, "", value), undefined=is_undefined)
    data = IMPLICIT_CT + sequence(IMPLICIT, tag, long, undefined=True)
    (found,) = (each for each in walk(data, IMPLICIT) if getattr(each, "tag", 0) == 0x00091002)
    assert found == Element(0x00091002, "UN", value, len(IMPLICIT_CT) + 16, 1)
    assert pick(data, IMPLICIT, {LAST}) == {}


@pytest.mark.parametrize("length", [0, 0x4042, 0x4240, 0x425B, 0x5B42])
def test_length_that_is_not_two_letters_is_no_vr(length: int) -> None:
    long = element(IMPLICIT, 0x00091002, "", bytes(length))
    _, its, *_ = walk(sequence(LITTLE, SQ, item(LITTLE, long)), LITTLE)
    assert its == ItemStart(len(long), IMPLICIT, 12, 1)


@pytest.mark.parametrize("is_undefined", [False, True], ids=["defined", "undefined"])
def test_item_of_nothing_is_written_as_the_rest(is_undefined: bool) -> None:
    _, its, *_ = walk(sequence(LITTLE, SQ, item(LITTLE, undefined=is_undefined)), LITTLE)
    assert its == ItemStart(UNDEFINED if is_undefined else 0, LITTLE, 12, 1)


def test_length_of_a_fragment_may_look_like_a_vr() -> None:
    long = item(LITTLE, bytes(0x4142))
    data = undefined(item(LITTLE), long, SEQUENCE_END, vr="OB")
    assert [*walk(data, LITTLE)][2] == Fragment(long[8:], 20)
    assert pick(data, LITTLE, {LAST}) == {}


# fmt: off
#: Bytes after which `walk` must not go on, and where it stops.
REFUSED = {
    "item at the top": (CT + item(LITTLE), 10),
    "item delimiter at the top": (CT + ITEM_END, 10),
    "sequence delimiter at the top": (CT + SEQUENCE_END + CT, 10),
    "element in place of an item": (undefined(CT, SEQUENCE_END), 12),
    "item delimiter in place of an item": (undefined(ITEM_END), 12),
    "item in an item": (undefined(OPEN_ITEM, CT, item(LITTLE)), 30),
    "sequence delimiter in an item": (undefined(OPEN_ITEM, SEQUENCE_END), 20),
    "item delimiter before the item's end": (
        sequence(LITTLE, SQ, item(LITTLE, ITEM_END, CT)), 20),
    "sequence delimiter before the sequence's end": (
        sequence(LITTLE, SQ, SEQUENCE_END, item(LITTLE)), 12),
    "element in place of a fragment": (undefined(IMPLICIT_CT, vr="OB"), 12),
    "item delimiter in place of a fragment": (undefined(ITEM_END, vr="OB"), 12),
}
AT_THE_TOP = [data for name, (data, _) in REFUSED.items() if "at the top" in name]
#: What goes past the end of what it is in, and where that begins.
PAST_THE_END = {
    "element of data set": (CT + header(LITTLE, PIXELS, "OW", 5) + bytes(4), 10),
    "element of item": (sequence(LITTLE, SQ, item(LITTLE, CT[:-1])) + CT, 20),
    "header of item": (sequence(LITTLE, SQ, item(LITTLE, CT[:7])) + CT, 20),
    "header of a sequence of item": (
        sequence(LITTLE, SQ, item(LITTLE, undefined()[:8])) + undefined()[8:] + SEQUENCE_END, 20),
    "item of sequence": (sequence(LITTLE, SQ, LONG_ITEM) + bytes(100), 12),
    "header of an item of sequence": (sequence(LITTLE, SQ, LONG_ITEM[:4]) + CT, 12),
    "sequence of data set": (header(LITTLE, SQ, "SQ", 1), 0),
    "sequence of item": (
        sequence(LITTLE, SQ, item(LITTLE, header(LITTLE, SQ, "SQ", 8))) + item(LITTLE), 20),
    "open item of sequence": (sequence(LITTLE, SQ, OPEN_ITEM, CT) + CT, 30),
    "open sequence of item": (sequence(LITTLE, SQ, item(LITTLE, undefined(item(LITTLE)))) + CT, 40),
    "fragment of data set": (undefined(LONG_ITEM, bytes(99), vr="OB"), 12),
    "fragment of item": (
        sequence(LITTLE, SQ, item(LITTLE, undefined(LONG_ITEM, vr="OB"))) + bytes(100), 32),
    "fragment of undefined length": (undefined(OPEN_ITEM, bytes(99), vr="OB"), 12),
    "open fragments": (undefined(item(LITTLE), vr="OB"), 20),
}
# fmt: on


@pytest.mark.parametrize(("data", "offset"), REFUSED.values(), ids=REFUSED)
def test_what_makes_no_sense_is_refused(data: bytes, offset: int) -> None:
    with pytest.raises(MalformedDataset, match=rf"at byte {offset}\b") as refusal:
        list(walk(data, LITTLE))
    assert type(refusal.value) is MalformedDataset
    assert refusal.value.offset == offset


@pytest.mark.parametrize(("data", "offset"), PAST_THE_END.values(), ids=PAST_THE_END)
def test_what_goes_past_the_end_is_truncated(data: bytes, offset: int) -> None:
    seen: list[Event] = []
    with pytest.raises(TruncatedDataset) as refusal:
        seen.extend(walk(data, LITTLE))
    assert refusal.value.offset == offset
    assert all(getattr(event, "offset", 0) <= offset for event in seen)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        *((data, r"^\(FFFE,E0[0D][0D]\) at byte 10 is") for data in AT_THE_TOP),
        (undefined(ITEM_END), "at byte 12 has no place there"),
        (undefined(OPEN_ITEM, SEQUENCE_END), "at byte 20 has no place there"),
    ],
    ids=["item", "item end", "sequence end", "in a sequence", "in an item"],
)
def test_pick_refuses_delimiters_where_it_sees_them(data: bytes, reason: str) -> None:
    for tag in (PIXELS, 0xFFFFFFFF):
        with pytest.raises(MalformedDataset, match=reason):
            pick(data, LITTLE, {tag})


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_cut_at_any_byte_is_truncated(encoding: Encoding) -> None:
    data = of_everything(encoding)
    events = [*walk(data, encoding)]
    # a data set may end before any of its top-level elements, unless it is deflated
    starts = {e.offset for e in events if isinstance(e, Element | SequenceStart) and e.depth == 0}
    for size in range(len(data)):
        seen: list[Event] = []
        if size in starts and not encoding.deflated:
            seen.extend(walk(data[:size], encoding))
        else:
            with pytest.raises(TruncatedDataset):
                seen.extend(walk(data[:size], encoding))
            with pytest.raises(TruncatedDataset):
                pick(data[:size], encoding, {LAST})
        assert seen == events[: len(seen)]
    assert pick(data, encoding, {LAST}) == {}


@pytest.mark.parametrize("encoding", [LITTLE, BIG, IMPLICIT], ids=["little", "big", "implicit"])
@pytest.mark.parametrize("is_undefined", [False, True], ids=["defined", "undefined"])
def test_sequences_may_nest_64_deep_and_no_deeper(encoding: Encoding, is_undefined: bool) -> None:
    deep, deeper = (nested(encoding, depth, is_undefined) for depth in (64, 65))
    assert max(event.depth for event in walk(deep, encoding)) == 64
    assert pick(deep, encoding, {LAST}) == {}
    with pytest.raises(MalformedDataset, match="nested more than 64 deep at byte"):
        list(walk(deeper, encoding))
    if is_undefined:
        # what has a length is skipped, however deep
        with pytest.raises(MalformedDataset, match="nested more than 64 deep at byte"):
            pick(deeper, encoding, {LAST})


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (CT * 100, 100),
        (sequence(LITTLE, SQ, item(LITTLE, CT), item(LITTLE, CT)), 5),
        (sequence(LITTLE, SQ, item(LITTLE, undefined=True), undefined=True), 4),
        (sequence(LITTLE, PIXELS, item(LITTLE), item(LITTLE), vr="OB", undefined=True), 4),
    ],
    ids=["elements", "items", "delimiters", "fragments"],
)
def test_elements_are_bounded(data: bytes, count: int) -> None:
    assert [*walk(data, LITTLE, Bounds(elements=count))] == [*walk(data, LITTLE)]
    with pytest.raises(MalformedDataset, match=f"more than {count - 1} elements"):
        list(walk(data, LITTLE, Bounds(elements=count - 1)))


def test_private_creators_are_bounded() -> None:
    """What is remembered for VRs may not grow with the file: 4096 of at most some 250 bytes."""
    tags = [group << 16 | low for group in range(9, 0x5000, 2) for low in (0x10, 0x11)]
    data = b"".join(element(LITTLE, tag, "LO", b"M" * 64) for tag in tags)
    with memory_below(4096 * 250 + 50_000):
        assert sum(1 for _ in walk(data, LITTLE)) == len(tags) > 20_000


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A deflated data set of 64 MiB in 64 KiB: pixels that are zero."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [stream.compress(CT + header(LITTLE, PIXELS, "OW", 2**26))]
    parts += [stream.compress(bytes(2**20)) for _ in range(64)]
    return b"".join((*parts, stream.flush()))


# zlib gathers what it inflates in blocks, then joins them: twice the limit, and some of the input
def test_zip_bomb_stays_in_bounds(bomb: bytes) -> None:
    limit = 2**20
    with memory_below(2 * limit + 4 * len(bomb)):
        with pytest.raises(MalformedDataset, match=f"longer than {limit} bytes"):
            list(walk(bomb, DEFLATED, Bounds(inflate=limit)))


def test_pick_inflates_no_further_than_it_must(bomb: bytes) -> None:
    with memory_below(2 * 2**16 + 4 * len(bomb)):
        assert pick(bomb, DEFLATED, {MODALITY}) == {MODALITY: b"CT"}
    with memory_below(2 * 2**22 + 4 * len(bomb)):
        with pytest.raises(MalformedDataset, match="header is longer than 4194304 bytes"):
            pick(bomb, DEFLATED, {LAST})
    # random, so that it stays long; more than 64 KiB and less than 4 MiB
    long = element(LITTLE, 0x00090010, "UN", random.Random(1).randbytes(2**17))
    data = deflated(long + CT.replace(b"\x08", b"\x10", 1))
    assert pick(data, DEFLATED, {0x00100060}) == {0x00100060: b"CT"}
    assert pick(data[:-1], DEFLATED, {0x00090010}, complete=False) == {0x00090010: long[12:]}


def test_inflated_data_set_may_have_exactly_the_limit() -> None:
    assert inflate(deflated(bytes(1000)), 1000) == bytes(1000)
    with pytest.raises(MalformedDataset, match="longer than 999 bytes"):
        inflate(deflated(bytes(1000)), 999)


@pytest.mark.parametrize("read", [walk, pick], ids=["walk", "pick"])
def test_what_is_not_deflated_is_refused(read: Callable[..., Iterable[object]]) -> None:
    with pytest.raises(MalformedDataset, match="is not deflated: "):
        list(read(b"\xff" * 100, DEFLATED, {LAST} if read is pick else Bounds()))


KNOWN = "GEMS_ACQU_01"


def private(creator: str, block: int = 0x10) -> bytes:
    """A creator and an element that is DS in GE's block."""
    start = element(IMPLICIT, 0x00090000 | block, "", creator.encode())
    return start + element(IMPLICIT, 0x00090024 | block << 8, "", b"1.50")


@pytest.mark.parametrize(
    ("creator", "block", "vr"),
    [
        *((KNOWN, 0x10, "DS"), (KNOWN, 0xFF, "DS"), (KNOWN + " \0", 0x10, "DS")),
        *(("MADE UP ", 0x10, "UN"), ("", 0x10, "UN"), ("M" * 100, 0x10, "UN")),
    ],
)
def test_private_element_has_its_creators_vr(creator: str, block: int, vr: str) -> None:
    """PS3.5 7.8.1, with the VR that pydicom's dictionary has for the creator."""
    assert [event.vr for event in walk(private(creator, block), IMPLICIT)] == ["LO", vr]


def test_creator_counts_in_its_own_data_set_only() -> None:
    """PS3.5 7.8.1: an item with private elements has its own creators."""
    orphan = private(KNOWN)[-12:]
    items = (item(IMPLICIT, orphan), item(IMPLICIT, private(KNOWN)))
    data = private(KNOWN) + sequence(IMPLICIT, SQ, *items) + orphan
    found = [each for each in walk(data, IMPLICIT) if isinstance(each, Element)]
    assert [each.vr for each in found if each.tag == 0x00091024] == ["DS", "UN", "DS", "DS"]


def test_private_element_of_no_block_is_unknown() -> None:
    """PS3.5 7.8.1: creators have 0010 to 00FF; less is nobody's."""
    tags = (0x00090000, 0x00090001, 0x00090010, 0x000900FF, 0x00091124)
    data = b"".join(element(IMPLICIT, tag, "", b"") for tag in tags)
    assert [event.vr for event in walk(data, IMPLICIT)] == ["UN", "UN", "LO", "LO", "UN"]


def test_values_are_views_of_what_was_given() -> None:
    data = bytearray(CT)
    (event,) = walk(data, LITTLE)
    data[-2:] = b"MR"
    assert event.value == b"MR"


def test_mapped_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(CT)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        assert pick(data, LITTLE, {MODALITY}) == {MODALITY: b"CT"}
        assert pick(memoryview(data)[:0], LITTLE, {MODALITY}) == {}
        assert sum(1 for _ in walk(data, LITTLE)) == 1


def test_empty_data_set_has_no_elements() -> None:
    for encoding in (LITTLE, BIG, IMPLICIT, DEFLATED):
        data = deflated(b"") if encoding.deflated else b""
        assert [*walk(data, encoding)] == []
        assert pick(data, encoding, {LAST}) == {}


@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_pick_from_a_beginning_needs_all_up_to_the_largest_tag(encoding: Encoding) -> None:
    data = of_everything(encoding)
    wanted = {0x00080016, 0x00100010, 0x00100020}  # of which the last is not there
    expected = {0x00080016: b"1.2.840.10008.5.1.4.1.1.2\0", 0x00100010: b"Made^Up "}
    assert pick(data, encoding, wanted) == expected
    following = next(e.offset for e in walk(data, encoding) if getattr(e, "tag", 0) == 0x00400275)
    needed = following + (12 if encoding.explicit else 8)
    for size in range(len(data)):
        known = len(inflate_head(data[:size], 10_000)[0]) if encoding.deflated else size
        if known >= needed:
            assert pick(data[:size], encoding, wanted, complete=False) == expected
        else:
            with pytest.raises(TruncatedDataset):
                pick(data[:size], encoding, wanted, complete=False)


def test_pick_reads_nothing_behind_the_largest_tag() -> None:
    for tags in ({MODALITY}, {0x00080016, MODALITY}, {0x00080016}):
        expected = {MODALITY: b"CT"} if MODALITY in tags else {}
        assert pick(CT + b"broken", LITTLE, tags, complete=False) == expected
        assert pick(CT + b"broken", LITTLE, tags) == expected
    for part in (CT + b"broken", CT[:-1]):
        with pytest.raises(TruncatedDataset):
            pick(part, LITTLE, {MODALITY, PIXELS})


def test_pick_gives_a_sequence_as_its_bytes() -> None:
    content = item(LITTLE, CT)
    assert pick(sequence(LITTLE, SQ, content), LITTLE, {SQ}) == {SQ: content}
    data = sequence(LITTLE, SQ, content, undefined=True)
    assert pick(data, LITTLE, {SQ}) == {SQ: content + SEQUENCE_END}


@pytest.mark.parametrize("uid", transfer_syntaxes())
def test_encoding_is_that_of_the_transfer_syntax(uid: str) -> None:
    """As pydicom has it, except for what it takes for Explicit VR Little Endian."""
    elsewhere = {
        "1.2.840.10008.1.2.4.95": DEFLATED,  # PS3.5 A.7
        "1.2.840.10008.1.2.4.205": DEFLATED,  # A.11
        "1.2.840.10008.1.20": IMPLICIT,  # by its name
        "1.2.840.113619.5.2": IMPLICIT,  # GE's, by its name
        # encapsulated (A.4), and known to pydicom 3.0 only after pynetdicom was imported
        "1.2.840.10008.1.2.4.110": LITTLE,
        "1.2.840.10008.1.2.4.111": LITTLE,
        "1.2.840.10008.1.2.4.112": LITTLE,
        "1.2.840.10008.1.2.8.1": LITTLE,
    }
    if (expected := elsewhere.get(uid)) is None:
        known = UID(uid)
        expected = Encoding(not known.is_implicit_VR, known.is_little_endian, known.is_deflated)
    assert encoding_of(uid) == expected
