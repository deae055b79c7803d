"""Whatever a file holds, validation finds and never raises."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_cli.dicom.dictionary import tag_of
from pacs_cli.dicom.encoding import Bounds
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.pipelines.validation import elements
from pacs_cli.pipelines.validation.check import FileCheck, check_data
from pacs_cli.pipelines.validation.findings import Findings
from tests.samples import every_file
from tests.validation.breaking import DEFLATED, META, encapsulated, extended, raw
from tests.validation.objects import KINDS, ct, encode, file, fragments

FILES = {name: file(make()) for name, make in KINDS.items()}
FILES["jpeg"] = encapsulated(b"\xff\xd8\xff\xc0" + bytes(20), **extended((0,), (24,)))


def rules_of(content: bytes) -> set[str]:
    findings = Findings()
    check_data(memoryview(content), findings)
    return {finding.rule for finding in findings.all()}


def _ends(elements) -> set[int]:
    """Return where in a file an element ends, so that what follows may just not be there."""
    size = len(file(elements)) - len(encode(elements))
    rows = sorted(elements.items(), key=lambda row: tag_of(row[0]))
    return {size + len(encode(dict(rows[:count]))) for count in range(len(rows) + 1)}


@pytest.mark.parametrize("name", FILES)
def test_file_that_ends_anywhere_has_findings(name):
    content = FILES[name]
    cuts = range(132, len(content), max(len(content) // 150, 1))
    silent = [cut for cut in cuts if not rules_of(content[:cut])]
    # between two elements it is a whole file, if what is cut off is optional
    assert set(silent) <= (_ends(KINDS[name]()) if name in KINDS else set())
    assert len(silent) < 3


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(132, 2_000_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_changed_bytes_raise_nothing(name, changes):
    content = bytearray(FILES[name])
    for place, value in changes:
        content[132 + place % (len(content) - 132)] = value
    rules_of(bytes(content))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_bytes_of_any_kind_raise_nothing(content):
    rules_of(META + content)


@pytest.mark.parametrize("path", every_file(), ids=lambda path: path.name)
def test_real_file_cut_in_half_raises_nothing(path, tmp_path):
    content = path.read_bytes()
    half = tmp_path / "half"
    half.write_bytes(content[: len(content) // 2])
    assert FileCheck().check(str(half)).path == str(half)


def test_deflated_bomb_is_a_finding(monkeypatch):
    """The bound is lowered: half a gigabyte takes seconds to inflate."""
    real = elements.walk
    monkeypatch.setattr(elements, "walk", lambda d, e: real(d, e, Bounds(inflate=1 << 20)))
    pixel = encode(ct()) + raw(0x7FE00010, "OW", bytes(4 << 20))
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(pixel) + packer.flush()
    meta = file_meta(ct()["SOPClassUID"], ct()["SOPInstanceUID"], DEFLATED)
    assert "data-limit" in rules_of(meta + bomb)


def test_deflated_file_is_validated_inside():
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(encode({**ct(), "StudyDate": "20260230"})) + packer.flush()
    meta = file_meta(ct()["SOPClassUID"], ct()["SOPInstanceUID"], DEFLATED)
    assert rules_of(meta + body + bytes(len(body) % 2)) == {"value-date"}


def test_items_are_validated_in_the_memory_of_one():
    import tracemalloc

    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
    content = FILES["ct"] + raw(0x7FE10010, "LO", b"MADE UP ")
    body = item * 30_000
    content += struct.pack("<HH2sHL", 0x7FE1, 0x1001, b"SQ", 0, len(body)) + body
    tracemalloc.start()
    assert rules_of(content) == set()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_nested_bomb_is_a_finding():
    level = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    level += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    assert "data-limit" in rules_of(META + level * 10_000)


@pytest.mark.parametrize(
    "table", [b"\1", struct.pack("<L", 0xFFFFFFFF), struct.pack("<99L", *range(99))]
)
def test_offset_table_that_leads_nowhere_is_a_finding(table):
    assert "pixels-offset-table" in rules_of(encapsulated(b"\xff\xd8\xff\xd9", table=table))


def test_number_of_frames_beyond_all_bounds_is_no_work():
    content = file({**ct(), "NumberOfFrames": "2147483647"})
    assert rules_of(content) == {"pixels-length"}
    elements_of = {key: value for key, value in ct().items() if key != "PixelData"}
    for syntax in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"):
        many = {**elements_of, "NumberOfFrames": "2147483647", **extended((0,), (8,))}
        found = rules_of(file(many, syntax, fragments(b"\xff\xd8\xff\xd9")))
        assert {"pixels-fragments", "pixels-extended-offset-table"} <= found
