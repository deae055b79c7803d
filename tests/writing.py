"""Small DICOM files made in code, with made-up names."""

from __future__ import annotations

from pathlib import Path

from pacs_cli.dicom.part10 import file_meta
from tests.support import EXPLICIT

STUDY = "1.2.826.0.1.3680043.10.2"
SERIES = "1.2.826.0.1.3680043.10.3"


def element(tag: int, vr: str, value: str | bytes) -> bytes:
    """One element in Explicit VR Little Endian."""
    data = value.encode() if isinstance(value, str) else value
    if len(data) % 2:
        data += b"\0" if vr == "UI" else b" "
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr.encode()
    if vr in ("OB", "OW", "UN", "SQ"):
        return head + bytes(2) + len(data).to_bytes(4, "little") + data
    return head + len(data).to_bytes(2, "little") + data


def dataset(sop_class: str, uid: str, pixels: bytes = b"\0" * 64, study: str = STUDY) -> bytes:
    """A small image's data set in Explicit VR Little Endian."""
    return b"".join(
        (
            element(0x00080016, "UI", sop_class),
            element(0x00080018, "UI", uid),
            element(0x00080020, "DA", "20260102"),
            element(0x00080060, "CS", "CT"),
            element(0x00100010, "PN", "Made^Up"),
            element(0x00100020, "LO", "TEST-1"),
            element(0x0020000D, "UI", study),
            element(0x0020000E, "UI", SERIES),
            element(0x00200013, "IS", "1"),
            element(0x7FE00010, "OW", pixels),
        )
    )


def write_object(path: Path, sop_class: str, uid: str, pixels: bytes = b"\0" * 64) -> Path:
    """Write one file and return its path."""
    path.write_bytes(file_meta(sop_class, uid, EXPLICIT) + dataset(sop_class, uid, pixels))
    return path
