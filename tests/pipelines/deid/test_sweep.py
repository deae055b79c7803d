"""Every attribute of table E.1-1, wherever it can stand and however it is written, by the letter.

Each file holds many attributes at once, each with a marker of its own, so that the whole sweep is a
few hundred files. What has to become of an attribute is told here from the table and the types of
PS3.3 alone, and looked up in the output with pydicom.
"""

from __future__ import annotations

import io
import re
import zlib
from functools import cache

import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.filereader import read_dataset

from pacs_cli.dicom.encoding import Encoding
from pacs_cli.dicom.iods import iod_of
from pacs_cli.dicom.part10 import file_meta
from pacs_cli.pipelines.deid.keys import Keys
from pacs_cli.pipelines.deid.policy import make_policy
from pacs_cli.pipelines.deid.profile import REPEATING, TABLE
from pacs_cli.pipelines.deid.work import Settings, Worker
from tests.dicom.datasets import BIG, DEFLATED, IMPLICIT, LITTLE, element, item, sequence
from tests.support import CT

KEY = b"a key of the sweep, of 32 bytes."
UIDS = {
    "explicit": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "big": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "compressed": "1.2.840.10008.1.2.4.50",
}
ENCODINGS = {
    "explicit": LITTLE,
    "implicit": IMPLICIT,
    "big": BIG,
    "deflated": DEFLATED,
    "compressed": LITTLE,
}
PLACES = ("top", "sequence", "deep", "private", "un")

#: A sequence that no row of the table names and whose items no module describes.
CARRIER = 0x00081199
DEEPER = (0x00400260, 0x00400440, 0x00081199)

OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...], frozenset[str]]] = {
    "basic": ((), (), frozenset()),
    "uids": (("uids",), (), frozenset({"uids"})),
    "device": (("device",), (), frozenset({"device"})),
    "institution": (("institution",), (), frozenset({"institution"})),
    "patient": (("patient",), (), frozenset({"patient"})),
    "full-dates": (("full-dates",), (), frozenset({"full_dates"})),
    "modified-dates": (("modified-dates",), (), frozenset({"modified_dates"})),
    "safe-private": (("safe-private",), (), frozenset()),
    "descriptors": ((), ("descriptors",), frozenset({"clean_desc"})),
    "graphics": ((), ("graphics",), frozenset({"clean_graph"})),
}

#: Of the data set that the attributes stand in, and of group 0002, which is written anew.
SKIPPED = {0x00080016, 0x00080018, 0x0020000D, 0x0020000E} | {
    tag for tag in TABLE if tag >> 16 in (0, 2, 4)
}
TAGS = sorted(
    {tag for tag in TABLE if tag not in SKIPPED}
    | {0x50003000, 0x501E3000, 0x60003000, 0x60004000, 0x601E3000, 0x601E4000}
)
IOD = iod_of(CT)


@cache
def vr_of(tag: int) -> str:
    if tag >> 24 in (0x50, 0x60):
        return "LT" if tag & 0xFFFF == 0x4000 else "OW"
    try:
        return str(dictionary_VR(tag)).split(" ")[0]
    except KeyError:
        # newer than pydicom's dictionary
        return "LO"


def marker(tag: int) -> bytes:
    """A value of the VR of a tag that is found nowhere else."""
    number = TAGS.index(tag)
    vr = vr_of(tag)
    value = {
        "DA": b"19%02d%02d%02d" % (10 + number // 336, 1 + number // 28 % 12, 1 + number % 28),
        "TM": b"%02d%02d%02d.5%d" % (number // 60 % 24, number % 60, 7, number + 1000),
        "DT": b"19%02d%02d%02d112233.%06d"
        % (10 + number // 336, 1 + number // 28 % 12, 1 + number % 28, number),
        "AS": b"0%02dM" % (number % 90 + 10),
        "UI": b"1.2.826.0.1.3680043.10.9.%d.77" % (number + 4000),
        "DS": b"7.31%05d" % number,
        "IS": b"731%05d" % number,
        "US": (61000 + number).to_bytes(2, "little"),
        "SQ": b"",
        "CS": b"MARK_%d_QX" % number,
        "AE": b"MARK_%d_QX" % number,
        "SH": b"MARK_%d_QX" % number,
        "PN": b"Markus%d^Querxen" % number,
    }.get(vr, b"Marker %d Querx" % number)
    return value if len(value) % 2 == 0 else value + (b"\0" if vr == "UI" else b" ")


def planted(encoding: Encoding, tag: int) -> bytes:
    """The attribute with its marker; of a sequence in a code in its item."""
    if vr_of(tag) != "SQ":
        return element(encoding, tag, vr_of(tag), marker(tag))
    inner = element(encoding, 0x00080104, "LO", b"Marker %d Querx" % TAGS.index(tag))
    return sequence(encoding, tag, item(encoding, inner))


def in_place(encoding: Encoding, place: str, tags: list[int]) -> bytes:
    """Elements of a data set that have these attributes in a place."""
    data = b"".join(planted(encoding, tag) for tag in tags)
    if place == "sequence":
        return sequence(encoding, CARRIER, item(encoding, data), undefined=True)
    if place == "deep":
        for carrier in DEEPER:
            data = sequence(encoding, carrier, item(encoding, data, undefined=True))
        return data
    if place == "private":
        creator = element(encoding, 0x00090010, "LO", b"MADE UP ")
        return creator + sequence(encoding, 0x00091001, item(encoding, data))
    if place == "un":
        # a sequence written as UN: Implicit VR Little Endian, whatever the rest is (PS3.5 6.2.2)
        data = b"".join(planted(IMPLICIT, tag) for tag in tags)
        return element(encoding, CARRIER, "UN", item(IMPLICIT, data))
    return data


def whole(name: str, place: str, tags: list[int]) -> bytes:
    """A file in an encoding with attributes in a place."""
    encoding = ENCODINGS[name]
    plain = Encoding(encoding.explicit, encoding.little)
    pixels = element(plain, 0x7FE00010, "OW", b"\1\0" * 8)
    if name == "compressed":
        fragment = item(plain) + item(plain, b"\xff\xd8\xff\xd9")
        end = b"\xfe\xff\xdd\xe0\0\0\0\0"
        pixels = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + fragment + end
    fixed = {
        0x00080016: element(plain, 0x00080016, "UI", CT.encode() + b"\0"),
        0x00080018: element(plain, 0x00080018, "UI", b"1.2.3.10"),
        0x0020000D: element(plain, 0x0020000D, "UI", b"1.2.3.20"),
        0x0020000E: element(plain, 0x0020000E, "UI", b"1.2.3.30"),
        0x7FE00010: pixels,
    }
    if place == "top":
        elements = {**fixed, **{tag: planted(plain, tag) for tag in tags}}
    else:
        lowest = {"sequence": CARRIER, "un": CARRIER, "private": 0x00090010, "deep": DEEPER[-1]}
        elements = {**fixed, lowest[place]: in_place(plain, place, tags)}
    data = b"".join(elements[tag] for tag in sorted(elements))
    if encoding.deflated:
        data = zlib.compress(data, wbits=-zlib.MAX_WBITS)
        data += b"\0" * (len(data) % 2)
    meta = file_meta(CT, "1.2.3.10", UIDS[name])
    return b"Querx in the preamble".ljust(128, b"\1") + meta[128:] + data


def expected(tag: int, place: str, columns: frozenset[str]) -> str:
    """What the table says: keep, remove, empty, dummy, uid, shift, clean, hash."""
    row = TABLE.get(tag)
    if row is None:
        name = "50XXXXXX" if tag >> 24 == 0x50 else f"60XX{tag & 0xFFFF:04X}"
        row = REPEATING[name]
    vr = vr_of(tag)
    codes = {row.options[column] for column in columns if column in row.options}
    if "C" in codes:
        if vr in ("DA", "DT", "TM"):
            return "shift"
        if vr in ("LO", "LT", "SH", "ST", "UC", "UT", "SQ"):
            return "clean"
        if vr == "AE":
            return "hash"
    elif "K" in codes:
        return "keep"
    if tag in (0x00100010, 0x00100020):
        return "pseudonym"
    path = {"top": (tag,), "deep": (*reversed(DEEPER), tag)}.get(place, (CARRIER, tag))
    kind = None if tag >> 24 in (0x50, 0x60) or IOD is None else IOD.type_at(path)
    return by_type(row.basic, kind)


def by_type(basic: str, kind: str | None) -> str:
    if basic in ("U", "D"):
        return {"U": "uid", "D": "dummy"}[basic]
    if basic == "X":
        return {"1": "dummy", "2": "empty", "2C": "empty"}.get(kind or "", "remove")
    if basic == "X/Z/U*" and kind in ("1", "1C", "2", "2C"):
        return "keep"
    if kind in ("1", "1C"):
        return "dummy"
    if kind in ("2", "2C") or basic in ("Z", "Z/D"):
        return "empty"
    return "remove"


def found(read: pydicom.Dataset, place: str, content: bytes) -> pydicom.Dataset | None:
    """The data set in which the attributes were, None when it is gone."""
    if place == "un" and read.file_meta.TransferSyntaxUID == UIDS["big"]:
        # pydicom does not know that it is little endian
        begin = content.index(b"\0\x08\x11\x99UN") + 20
        length = int.from_bytes(content[begin - 4 : begin], "little")
        return read_dataset(io.BytesIO(content[begin : begin + length]), True, True)
    if place == "top":
        return read
    if place in ("sequence", "un"):
        return read[CARRIER].value[0]
    if place == "private":
        return None
    for tag in reversed(DEEPER):
        read = read[tag].value[0]
    return read


def check(tag: int, action: str, holder: pydicom.Dataset | None, data: bytes, days: int) -> None:
    """Assert that an attribute is what it should be."""
    where = f"({tag:08X}) {action}"
    mark = marker(tag).rstrip(b" \0") or b"Marker %d Querx" % TAGS.index(tag)
    is_numeric = vr_of(tag) == "US"
    if action not in ("keep", "shift", "clean") and not is_numeric:
        assert mark not in data, where
    if holder is None or action == "remove":
        assert holder is None or tag not in holder, where
        return
    assert tag in holder, where
    value = holder[tag].value
    if action == "empty":
        assert not value, where
    elif action == "keep":
        if vr_of(tag) != "SQ":
            assert mark in data, where
    elif action == "uid":
        assert re.fullmatch(r"2\.25\.\d+", value), where
        assert value == Keys(KEY).uid(mark).decode(), where
    elif action == "shift":
        assert_shifted(vr_of(tag), mark.decode(), str(value), days, where)
    elif action == "dummy" and vr_of(tag) != "SQ":
        assert value not in (None, "", b""), where


def assert_shifted(vr: str, old: str, new: str, days: int, where: str) -> None:
    from datetime import datetime, timedelta

    if vr == "TM":
        assert new == old, where
        return
    moved = datetime.strptime(old[:8], "%Y%m%d") + timedelta(days)
    assert new == moved.strftime("%Y%m%d") + old[8:], where


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", UIDS)
def test_every_attribute_in_every_place_is_treated_by_the_letter(name, option, tmp_path):
    retain, clean, columns = OPTIONS[option]
    policy = make_policy(retain=retain, clean=clean)
    keys = Keys(KEY)
    worker = Worker(Settings(policy, keys, tmp_path / "out"))
    for place in PLACES:
        path = tmp_path / f"{place}.dcm"
        path.write_bytes(whole(name, place, TAGS))
        worker.settings = Settings(policy, keys, tmp_path / place)
        outcome = worker.one(str(path))
        assert outcome.output is not None, (place, outcome)
        content = (tmp_path / outcome.output).read_bytes()
        read = pydicom.dcmread(io.BytesIO(content))
        assert read.file_meta.TransferSyntaxUID == UIDS[name]
        data = content
        if name == "deflated":
            begin = 144 + read.file_meta.FileMetaInformationGroupLength
            data = content[:begin] + zlib.decompress(content[begin:], -zlib.MAX_WBITS)
        assert b"Querx in the preamble" not in data
        holder = found(read, place, content)
        patient = marker(0x00100020).decode().strip() if place == "top" else ""
        for tag in TAGS:
            if tag in holder_free(place, tag):
                continue
            check(tag, expected(tag, place, columns), holder, data, keys.shift(patient))
        named = str(outcome.output).removeprefix(str(tmp_path))
        assert "MARK" not in named
        assert "Querx" not in f"{outcome.message}{named}{outcome.warning}"


def holder_free(place: str, tag: int) -> tuple[int, ...]:
    """Attributes that carry the others there, and so are what they are."""
    return {"deep": DEEPER, "sequence": (CARRIER,), "un": (CARRIER,)}.get(place, ())
