"""Values of a data set of which only the beginning is in memory, and whether all of it is there."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian

from pacs_cli.dicom.elements import pick
from pacs_cli.dicom.encoding import Bounds, TruncatedDataset, encoding_of
from pacs_cli.dicom.survey import LONGEST_VALUE, survey
from pacs_cli.errors import MalformedDataset
from tests.samples import dataset_bytes, header, storable
from tests.support import CT, EXPLICIT, IMPLICIT
from tests.writing import dataset, element

TAGS = frozenset((0x00080016, 0x00080018, 0x00100010, 0x0020000D, 0x00200013))
#: No element has it, so `pick` reads every header there is.
ALL = TAGS | {0xFFFFFFFF}
UNDEFINED = b"\xff\xff\xff\xff"
ITEM, ITEM_END, SEQUENCE_END = (bytes.fromhex(f"feff{low}e0") for low in ("00", "0d", "dd"))
NONE = bytes(4)


def noise(size):
    """Bytes that cannot be deflated."""
    return random.Random(size).randbytes(size)


#: What is in Implicit VR, as in a UN of undefined length (PS3.5 6.2.2); and has no length in it.
HIDDEN = b"\x08\0\x50\x11\x04\0\0\x001.2\0"
HIDDEN += b"\x08\0\x40\x11" + UNDEFINED + SEQUENCE_END + NONE


class Source:
    """The bytes of a data set, and what of them was read."""

    def __init__(self, data):
        self.data = data
        self.reads = []

    def read(self, offset, count):
        self.reads.append((offset, count))
        return self.data[offset : offset + count]


def surveyed(data, head, syntax=EXPLICIT, **more):
    source = Source(data)
    return survey(data[:head], len(data), source.read, encoding_of(syntax), TAGS, **more)


def picked(data, syntax=EXPLICIT):
    encoding = encoding_of(syntax)
    found = pick(data, encoding, TAGS if encoding.deflated else ALL)
    return {tag: value[:LONGEST_VALUE] for tag, value in found.items() if tag in TAGS}


def outcome(function, *arguments):
    """What it gives, or that it refuses."""
    try:
        return function(*arguments)
    except MalformedDataset:
        return MalformedDataset


def fragments(*sizes):
    parts = [ITEM + size.to_bytes(4, "little") + noise(size) for size in (0, *sizes)]
    return b"\xe0\x7f\x10\0OB\0\0" + UNDEFINED + b"".join(parts) + SEQUENCE_END + NONE


def sequence(tag, *items, vr=b"SQ"):
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr + bytes(2)
    inside = b"".join(ITEM + UNDEFINED + item + ITEM_END + NONE for item in items)
    return head + UNDEFINED + inside + SEQUENCE_END + NONE


def made(*more):
    """A data set with all that has no length, and what more is given."""
    private = element(0x00091001, "LO", "x")
    return b"".join(
        (
            element(0x00080016, "UI", CT),
            element(0x00080018, "UI", "1.2.3.1"),
            sequence(0x00081140, element(0x00081150, "UI", "1.2"), b""),
            sequence(0x00091010, private, vr=b"UN"),
            sequence(0x00091011, HIDDEN, vr=b"UN"),
            element(0x00100010, "PN", "Made^Up"),
            element(0x0020000D, "UI", "1.2"),
            element(0x00200013, "IS", "1"),
            sequence(0x00400275, sequence(0x00400008, sequence(0x00400009, b""), private)),
            *more,
        )
    )


# -- the same as in the whole -------------------------------------------------------------------


@pytest.mark.parametrize("path", storable(), ids=lambda path: path.name)
def test_samples_read_as_when_they_are_in_memory(path):
    data, syntax = dataset_bytes(path), header(path).transfer_syntax_uid
    expected = outcome(picked, data, syntax)
    for head in (0, 1, 7, 100, 1000, 5000, 64 * 1024, len(data)):
        assert outcome(surveyed, data, head, syntax) == expected


@pytest.mark.parametrize(
    "data",
    [
        made(),
        made(fragments(10, 20_000, 0, 5000)),
        made(sequence(0x52009230, *[element(0x00189074, "DT", "2026")] * 600)),
        made(sequence(0x52009230, *[sequence(0x00091010, *[HIDDEN] * 3, vr=b"UN")] * 60)),
        made(element(0x7FE00010, "OW", bytes(9000)), element(0xFFFCFFFC, "OB", bytes(10))),
    ],
    ids=["short", "fragments", "sequence", "hidden", "padding"],
)
def test_it_does_not_matter_where_the_memory_ends(data):
    expected = picked(data)
    assert len(expected) == len(TAGS)
    step = 1 if len(data) < 2000 else 37
    for head in range(0, len(data) + 1, step):
        assert surveyed(data, head) == expected


def test_data_set_that_ends_inside_an_element_is_refused_wherever_that_is():
    data = made(fragments(10, 5000, 3))
    whole = {cut for cut in range(len(data) + 1) if outcome(picked, data[:cut]) != MalformedDataset}
    # between two elements nothing is missing that could be noticed
    assert 5 < len(whole) < 20
    for head in (0, 300, len(data)):
        for cut in range(len(data) + 1):
            is_whole = outcome(surveyed, data[:cut], min(head, cut)) != MalformedDataset
            assert is_whole == (cut in whole)


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.data())
def test_damaged_data_set_is_taken_or_refused_as_when_it_is_in_memory(data):
    syntax = data.draw(st.sampled_from([EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.2"]))
    whole = bytearray(made(fragments(10, 300)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        value = data.draw(st.binary(min_size=1, max_size=8) | st.sampled_from([UNDEFINED, ITEM]))
        whole[at : at + data.draw(st.integers(0, 8))] = value
    damaged = bytes(whole)
    head = data.draw(st.integers(0, len(damaged)))
    assert outcome(surveyed, damaged, head, syntax) == outcome(picked, damaged, syntax)


# -- what it costs ------------------------------------------------------------------------------


def test_of_an_image_nothing_is_read_again():
    data = dataset(CT, "1.2.3.1", pixels=bytes(500_000))
    source = Source(data)
    survey(data[:4000], len(data), source.read, encoding_of(EXPLICIT), TAGS)
    assert source.reads == []


def test_of_a_fragment_only_the_beginning_is_read():
    data = made(fragments(*[100_000] * 20))
    source = Source(data)
    survey(data[:64_000], len(data), source.read, encoding_of(EXPLICIT), TAGS)
    assert len(source.reads) <= 22
    assert sum(count for _, count in source.reads) <= 22 * 4096


def test_long_values_are_cut_and_do_not_fill_the_memory():
    name = b"\x10\0\x10\0" + (5_000_000).to_bytes(4, "little") + b"x" * 5_000_000
    data = element(0x00080016, "UI", CT)[:4] + b"\x04\0\0\x001.2\0" + name
    tracemalloc.start()
    try:
        for head in (0, 20, 3000):
            found = survey(data[:head], len(data), Source(data).read, encoding_of(IMPLICIT), TAGS)
            assert found[0x00100010] == b"x" * LONGEST_VALUE
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_number_of_elements_is_bounded():
    data = made(*[element(0x00400001, "LO", "")] * 60_000)
    assert surveyed(data, 1000, bounds=Bounds(elements=100_000))
    with pytest.raises(MalformedDataset, match="more than 50000 elements"):
        surveyed(data, 1000, bounds=Bounds(elements=50_000))
    data = made(fragments(*[0] * 60_000))
    assert surveyed(data, 1000, bounds=Bounds(elements=100_000))
    with pytest.raises(MalformedDataset, match="more than 50000 elements"):
        surveyed(data, 1000, bounds=Bounds(elements=50_000))


@pytest.mark.parametrize(("depth", "is_taken"), [(64, True), (65, False), (2000, False)])
@pytest.mark.parametrize("head", [0, 10_000_000])
def test_sequences_are_followed_to_a_depth_of_64(depth, is_taken, head):
    inner = b""
    for _ in range(depth):
        inner = sequence(0x00400275, inner)
    assert (outcome(surveyed, made(inner), head) != MalformedDataset) is is_taken


def test_what_cannot_be_read_is_told():
    def broken(offset, count):
        raise OSError(5, "broken")

    data = made(fragments(10_000))
    with pytest.raises(OSError, match="broken"):
        survey(data[:100], len(data), broken, encoding_of(EXPLICIT), TAGS)


# -- deflated -----------------------------------------------------------------------------------

DEFLATED = str(DeflatedExplicitVRLittleEndian)


def deflated(data):
    return zlib.compress(data, 9, -zlib.MAX_WBITS)


@pytest.mark.parametrize("head", [0, 1, 100, 70_000, 10_000_000])
def test_deflated_data_set_is_read_to_its_end(head):
    data = made(element(0x7FE00010, "OW", noise(400_000)), element(0xFFFCFFFC, "OB", b"xx"))
    assert surveyed(deflated(data), head, DEFLATED) == picked(data)
    # the padding of PS3.5 A.5
    assert surveyed(deflated(data) + b"\0", head, DEFLATED) == picked(data)


@pytest.mark.parametrize("pixels", [noise(2000), bytes(2000)], ids=["noise", "zeros"])
def test_deflated_data_set_that_is_cut_is_refused_wherever_that_is(pixels):
    """The header is there long before the end is."""
    data = deflated(made(element(0x7FE00010, "OW", pixels)))
    for head in (0, 700, len(data)):
        for cut in range(len(data)):
            with pytest.raises(TruncatedDataset):
                surveyed(data[:cut], min(head, cut), DEFLATED)


def test_whole_stream_of_a_data_set_that_is_cut_is_refused():
    data = made(element(0x7FE00010, "OW", noise(400_000)))
    for cut in (1, 1000, 399_999):
        with pytest.raises(TruncatedDataset, match="the data set ends early"):
            surveyed(deflated(data[:-cut]), 1000, DEFLATED)


def test_stream_that_is_damaged_after_the_header_is_refused():
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = made(element(0x7FE00010, "OW", noise(400_000)))
    whole = stream.compress(data) + stream.flush(zlib.Z_FULL_FLUSH)
    # a block of a type that does not exist (RFC 1951 3.2.3)
    with pytest.raises(MalformedDataset, match=r"not deflated: .* invalid block type"):
        surveyed(whole + b"\x07", 1000, DEFLATED)
    assert surveyed(whole + stream.flush(), 1000, DEFLATED) == picked(data)


def test_deflated_data_set_does_not_fill_the_memory_and_is_bounded():
    bomb = deflated(made(element(0x7FE00010, "OW", bytes(40_000_000))))
    assert len(bomb) < 50_000
    tracemalloc.start()
    try:
        assert surveyed(bomb, 1000, DEFLATED)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
    with pytest.raises(MalformedDataset, match="becomes longer than 1000000 bytes"):
        surveyed(bomb, 1000, DEFLATED, bounds=Bounds(inflate=1_000_000))


@pytest.mark.parametrize("data", [b"", b"x", made()])
def test_what_is_not_deflated_is_refused(data):
    with pytest.raises(MalformedDataset, match=r"not deflated|ends early"):
        surveyed(data, 100, DEFLATED)
