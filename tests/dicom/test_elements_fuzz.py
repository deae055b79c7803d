"""Data sets drawn at random read as pydicom reads them; broken ones raise MalformedDataset only.

Every test runs short and the same in each run, and long and different with `-m slow`.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.valuerep import AMBIGUOUS_VR, VR

from pacs_cli.dicom import elements
from pacs_cli.dicom.dictionary import private_entry
from pacs_cli.dicom.elements import (
    Element,
    Fragment,
    FragmentsEnd,
    FragmentsStart,
    ItemStart,
    SequenceEnd,
    SequenceStart,
    inflate,
    pick,
    walk,
)
from pacs_cli.dicom.encoding import UNDEFINED, Bounds, Encoding, TruncatedDataset, encoding_of
from pacs_cli.dicom.part10 import probe
from pacs_cli.errors import InputError, MalformedDataset
from tests.dicom import datasets as made
from tests.dicom.datasets import BIG, DEFLATED, DELIMITERS, ENCODINGS, LITTLE, memory_below
from tests.dicom.test_elements_oracle import FILES, our_tree, pydicom_tree, raw_dataset, read
from tests.samples import storable


def runs(short: int, long: int) -> pytest.MarkDecorator:
    """Give a test the settings of its short and of its long run."""
    long_run = pytest.param(settings(max_examples=long, deadline=None), marks=pytest.mark.slow)
    short_run = settings(max_examples=short, derandomize=True, deadline=None)
    return pytest.mark.parametrize("run", [short_run, long_run], ids=["short", "long"])


ENCODED = st.sampled_from([*ENCODINGS.values()])
NUMBER = st.integers(0, 100_000)
BOUNDS = Bounds(inflate=64 * 1024)
#: Data Set Trailing Padding, behind which nothing comes.
LAST = 0xFFFCFFFC

#: Delimiters, VRs and lengths, which mean something where they should not be.
TELLING = (
    *(made.header(each, tag, "", 0) for each in (LITTLE, BIG) for tag in DELIMITERS),
    *(made.header(LITTLE, 0, vr, UNDEFINED)[4:] for vr in ("SQ", "UN", "OB", "")),
    *(b"SQ", b"UN", b"OB", b"UI", b"ZZ", b"\0\0\0\0", b"BB\0\0", b"\x08\0\0\0"),
)
KINDS = ("flip", "set", "insert", "delete", "repeat", "splice", "cut")
VALUE = st.sampled_from(TELLING) | st.binary(min_size=1, max_size=8)
#: What to change, what to splice with; and how: which header, bytes from there, any number, bytes.
BREAKS = st.tuples(
    NUMBER,
    NUMBER,
    st.lists(
        st.tuples(st.sampled_from(KINDS), NUMBER, st.integers(-2, 14), NUMBER, VALUE),
        min_size=1,
        max_size=5,
    ),
)
Break = tuple[int, int, list[tuple[str, int, int, int, bytes]]]
#: Valid bytes and where the headers of elements in them begin.
Seed = tuple[bytes, list[int]]


def broken(seeds: list[Seed], changes: Break) -> bytes:
    """Change one of the seeds near its headers: there it hurts most."""
    data, headers = seeds[changes[0] % len(seeds)]
    donor, _ = seeds[changes[1] % len(seeds)]
    for kind, which, delta, number, value in changes[2]:
        at = max(0, min(len(data), headers[which % len(headers)] + delta))
        before, after = data[:at], data[at:]
        if kind == "flip":
            after = bytes(byte ^ 1 << number % 8 for byte in after[:1]) + after[1:]
        elif kind == "set":
            after = value + after[len(value) :]
        elif kind == "insert":
            after = value + after
        elif kind == "delete":
            after = after[len(value) :]
        elif kind == "repeat":
            after = data[number % (len(data) + 1) :][:2000] + after
        else:
            after = donor[number % (len(donor) + 1) :] if kind == "splice" else b""
        data = before + after
    return data


def headers(data: bytes, encoding: Encoding) -> list[int]:
    found = [0]
    with suppress(TruncatedDataset):
        found += [event.offset for event in walk(data, encoding)]
    return [0] if encoding.deflated else found


@cache
def seeds(encoding: Encoding) -> list[Seed]:
    """Data sets of one encoding: ours, and pydicom's smaller ones."""
    found = [made.of_everything(encoding)]
    # many files of one length differ in their UIDs only
    found += {len(data): data for data, its in map(read, FILES) if its == encoding}.values()
    return [(data, headers(data, encoding)) for data in found if len(data) < 5000]


@cache
def files() -> list[Seed]:
    """pydicom's smaller files."""
    found = []
    for path in storable():
        if path.stat().st_size < 5000:
            file, its = path.read_bytes(), probe(path)
            meta = [132 + at for at in headers(file[132 : its.dataset_offset], LITTLE)]
            data = headers(file[its.dataset_offset :], encoding_of(its.transfer_syntax_uid))
            found.append((file, [0, 128, *meta, *(its.dataset_offset + at for at in data[:20])]))
    return found


def top_level(data: bytes, encoding: Encoding) -> list[tuple[int, bytes]]:
    """Tags and values `walk` finds at the top, those of sequences and fragments as bytes."""
    if encoding.deflated:
        data, encoding = inflate(data, BOUNDS.inflate), LITTLE
    found: list[tuple[int, bytes]] = []
    length, start = 0, -1
    for event in walk(data, encoding):
        if isinstance(event, Element) and event.depth == 0:
            found.append((event.tag, bytes(event.value)))
        elif isinstance(event, SequenceStart | FragmentsStart) and event.depth == 0:
            length, start = getattr(event, "length", UNDEFINED), -1
        elif isinstance(event, ItemStart | Fragment) and start < 0:
            start = event.offset
        elif isinstance(event, SequenceEnd | FragmentsEnd) and event.depth == 0:
            end = event.offset
            if length != UNDEFINED:
                start = end - length
            elif start < 0:
                start = end - 8
            found.append((event.tag, data[start:end]))
    return found


def check_survives(data: bytes, encoding: Encoding) -> None:
    """No other exception, at a cost in proportion to the bytes, and both readers agree."""
    size = BOUNDS.inflate if encoding.deflated else len(data)
    count = 0
    # what others left there does not count, but what this one adds does
    elements._public_vr.cache_clear()
    private_entry.cache_clear()
    # an element of eight bytes whose VR is looked up and kept takes some 200
    with memory_below(16 * 1024 + 32 * size), suppress(MalformedDataset):
        for _ in walk(data, encoding, BOUNDS):
            count += 1
    # what begins takes eight bytes, and only an end can take none
    assert count <= 2 * (size // 8)
    salvaged = 0
    with suppress(MalformedDataset):
        for _ in walk(data, encoding, BOUNDS, salvages=True):
            salvaged += 1
    assert count <= salvaged <= 2 * (size // 8) + 2
    try:
        found = top_level(data, encoding)
    except MalformedDataset:
        with suppress(MalformedDataset):
            pick(data, encoding, {LAST})
        return
    tags = [tag for tag, _ in found]
    # which is what `pick` may suppose
    if tags == sorted(set(tags)):
        assert pick(data, encoding, {*tags, LAST}) == dict(found)


@runs(150, 2_000)
def test_walk_reads_what_pydicom_writes(run: settings) -> None:
    @run
    @given(made.datasets(), ENCODED)
    def check(dataset: Dataset, encoding: Encoding) -> None:
        data = made.written(dataset, encoding)
        theirs = pydicom_tree(raw_dataset(data, encoding))
        assert our_tree(walk(data, encoding), encoding.little) == theirs

    check()


@runs(150, 2_000)
def test_walk_reads_the_fragments_pydicom_writes(run: settings) -> None:
    @run
    @given(made.images())
    def check(dataset: Dataset) -> None:
        data = made.written(dataset, LITTLE)
        assert our_tree(walk(data, LITTLE), True) == pydicom_tree(raw_dataset(data, LITTLE))

    check()


@runs(150, 2_000)
def test_pick_finds_what_walk_finds(run: settings) -> None:
    @run
    @given(made.datasets() | made.images(), ENCODED, st.lists(NUMBER, min_size=1), NUMBER)
    def check(dataset: Dataset, encoding: Encoding, choice: list[int], cut: int) -> None:
        data = made.written(dataset, LITTLE if "PixelData" in dataset else encoding)
        encoding = LITTLE if "PixelData" in dataset else encoding
        found = dict(top_level(data, encoding))
        assert pick(data, encoding, {*found, LAST}) == found
        tags = {[*found, 0x00080016, 0x7FE00010][index % (len(found) + 2)] for index in choice}
        expected = {tag: found[tag] for tag in tags if tag in found}
        assert pick(data, encoding, tags) == expected
        # from a part either the same, or that more is needed
        with suppress(TruncatedDataset):
            part = data[: cut % (len(data) + 1)]
            assert pick(part, encoding, tags, complete=False) == expected

    check()


def test_every_vr_is_among_what_is_drawn() -> None:
    assert made.vrs_drawn() == {str(vr) for vr in VR} - AMBIGUOUS_VR


@runs(400, 20_000)
@pytest.mark.parametrize("encoding", ENCODINGS.values(), ids=ENCODINGS)
def test_readers_survive_broken_data_sets(run: settings, encoding: Encoding) -> None:
    @run
    @given(BREAKS)
    def check(changes: Break) -> None:
        check_survives(broken(seeds(encoding), changes), encoding)

    check()


@runs(400, 20_000)
def test_readers_survive_broken_data_sets_that_are_well_deflated(run: settings) -> None:
    @run
    @given(BREAKS)
    def check(changes: Break) -> None:
        check_survives(made.deflated(broken(seeds(LITTLE), changes)), DEFLATED)

    check()


@runs(400, 20_000)
def test_probe_survives_broken_files(run: settings, tmp_path: Path) -> None:
    path = tmp_path / "broken.dcm"

    @run
    @given(BREAKS)
    def check(changes: Break) -> None:
        path.write_bytes(broken(files(), changes))
        with suppress(InputError):
            found = probe(path)
            assert found.dataset_offset < found.file_size == path.stat().st_size
            assert found.sop_class_uid
            assert found.sop_instance_uid

    check()
