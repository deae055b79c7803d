"""The preamble, prefix and file meta of a file (PS3.10 7.1)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from pacs_cli.dicom.encoding import UNDEFINED, TruncatedDataset, header_at
from pacs_cli.pipelines.validation.codestreams import is_compressed
from pacs_cli.pipelines.validation.dictionary import known
from pacs_cli.pipelines.validation.findings import Findings, Place
from pacs_cli.pipelines.validation.values import problems_of

_LENGTH, _VERSION = 0x00020000, 0x00020001
_SOP_CLASS, _SOP_INSTANCE, _SYNTAX = 0x00020002, 0x00020003, 0x00020010
_IMPLEMENTATION = 0x00020012
_NEEDED = (_VERSION, _SOP_CLASS, _SOP_INSTANCE, _SYNTAX, _IMPLEMENTATION)

_IMPLICIT, _EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_BIG = "1.2.840.10008.1.2.2"
_STANDARD = "1.2.840.10008.1.2"


class Meta(NamedTuple):
    """What the file meta says; `offset` is where the data set begins."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    offset: int


def is_dicom(head: bytes) -> bool:
    """Whether a file can be DICOM: by its prefix, else by its first element.

    Without a prefix the first element is of group 0002 or 0008 in an encoding that makes sense.
    """
    if head[128:132] == b"DICM":
        return True
    if len(head) < 8 or head[:2] not in (b"\x02\x00", b"\x08\x00", b"\x00\x08"):
        return False
    little = head[:2] != b"\x00\x08"
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    tag, _, length, _ = header_at(head, 0, explicit, little)
    return tag & 0xFFFF <= 0x0018 and length <= 0xFFFF


def read_meta(data: memoryview, findings: Findings) -> Meta:
    """Check all before the data set, and return what it says.

    raises  MalformedDataset, TruncatedDataset when the file ends within
    """
    head = bytes(data[:132])
    has_prefix = head[128:132] == b"DICM"
    if not has_prefix:
        findings.add("part10-prefix", Place(), "no preamble and prefix DICM")
    elements, start, offset = _elements(data, 132 if has_prefix else 0, findings)
    if elements or has_prefix:
        _needed(elements, findings)
        _group_length(elements, start, offset, findings)
    syntax = _uid(elements, _SYNTAX) or _guessed(data, offset)
    if is_compressed(syntax) is None:
        kind = "of no known name" if syntax.startswith(_STANDARD) else "private"
        findings.add("part10-transfer-syntax", Place((_SYNTAX,)), f"{kind}")
    return Meta(_uid(elements, _SOP_CLASS), _uid(elements, _SOP_INSTANCE), syntax, offset)


def check_match(meta: Meta, sop_class_uid: str, sop_instance_uid: str, findings: Findings) -> None:
    """Compare the file meta with the data set."""
    for tag, inside, outside in (
        (_SOP_CLASS, sop_class_uid, meta.sop_class_uid),
        (_SOP_INSTANCE, sop_instance_uid, meta.sop_instance_uid),
    ):
        if inside and outside and inside != outside:
            findings.add("part10-meta-mismatch", Place((tag,)), "not that of the data set")


def _elements(
    data: memoryview, offset: int, findings: Findings
) -> tuple[dict[int, bytes], int, int]:
    """Return the elements, the offset past the group length, and that of the data set."""
    elements: dict[int, bytes] = {}
    after_length, last = offset, -1
    while bytes(data[offset : offset + 2]) == b"\x02\x00":
        tag, vr, length, start = header_at(data, offset, True, True)
        place = Place((tag,))
        if not vr:
            findings.add("part10-meta-encoding", Place(), "elements without a VR")
        if length == UNDEFINED or start + length > len(data):
            raise TruncatedDataset(f"the file ends inside the file meta, at byte {offset}", offset)
        if tag <= last:
            rule = "element-duplicate" if tag == last else "element-order"
            findings.add(rule, place, "occurs twice" if tag == last else "after a larger tag")
        last = tag
        value = bytes(data[start : start + length])
        elements.setdefault(tag, value)
        if vr:
            _value(tag, vr, value, place, findings)
        offset = start + length
        if tag == _LENGTH:
            after_length = offset
    return elements, after_length, offset


def _value(tag: int, vr: str, value: bytes, place: Place, findings: Findings) -> None:
    about = known(tag, vr)
    # the group is that of the file meta here, so nothing is wrong with that
    problems = [each for each in about.problems if each[0] != "element-group"]
    if len(value) & 1:
        problems.append(("element-odd-length", f"{len(value)} bytes"))
    if value:
        problems += problems_of(about.vr, value)
    for rule, message in problems:
        if rule != "element-group-length":
            findings.add(rule, place, message)


def _needed(elements: dict[int, bytes], findings: Findings) -> None:
    for tag in _NEEDED:
        if not elements.get(tag, b"").strip(b" \0"):
            what = "empty" if tag in elements else "missing"
            # the version is 00 01, which is not empty without its padding
            if tag != _VERSION or not elements.get(tag):
                findings.add("part10-meta-missing", Place((tag,)), what)
    version = elements.get(_VERSION, b"")
    if version and version != b"\0\1":
        message = f"{version[:4].hex(' ')}, and it is 00 01"
        findings.add("part10-meta-version", Place((_VERSION,)), message)


def _group_length(elements: dict[int, bytes], start: int, end: int, findings: Findings) -> None:
    value = elements.get(_LENGTH, b"")
    if len(value) != 4:
        findings.add("part10-group-length", Place((_LENGTH,)), "missing")
        return
    (length,) = struct.unpack("<L", value)
    if length != end - start:
        message = f"{length} bytes, and there are {end - start}"
        findings.add("part10-group-length", Place((_LENGTH,)), message)


def _uid(elements: dict[int, bytes], tag: int) -> str:
    return elements.get(tag, b"").strip(b" \0").decode("latin-1")


def _guessed(data: memoryview, offset: int) -> str:
    """Return the transfer syntax that the first element looks like."""
    head = bytes(data[offset : offset + 6])
    if not head[4:6].isalpha():
        return _IMPLICIT
    return _EXPLICIT if head[1:2] == b"\0" else _BIG
