"""What a file is that is no DICOM file, and why one cannot be read, each with what to try."""

from __future__ import annotations

import errno

_WRAP = "wrap it first, for example with img2dcm of DCMTK"
_UNPACK = "unpack it first"

#: How it begins -> what it is, and what to do with it.
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image", _WRAP),
    (b"\xff\xd8\xff", "a JPEG image", _WRAP),
    (b"GIF8", "a GIF image", _WRAP),
    (b"II*\0", "a TIFF image", _WRAP),
    (b"MM\0*", "a TIFF image", _WRAP),
    (b"%PDF-", "a PDF", "wrap it first, for example with pdf2dcm of DCMTK"),
    (b"PK\3\4", "a ZIP archive", _UNPACK),
    (b"\x1f\x8b", "compressed with gzip", _UNPACK),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\0", "compressed with xz", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"SQLite format 3\0", "an SQLite database", ""),
)

_ADVICE = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "check the path",
    errno.EACCES: "may you read it? see ls -l",
    errno.EPERM: "may you read it? see ls -l",
}


def say_not_dicom(beginning: bytes) -> str:
    """Say that a file which begins so is none, what it is as far as that tells, and what to do."""
    for magic, kind, advice in _KINDS:
        if beginning.startswith(magic):
            return f"it is not a DICOM file but {kind}" + (advice and f"; {advice}")
    return "it is not a DICOM file"


def why_unreadable(error: OSError) -> str:
    """Say in lower case what the system says, and what to try."""
    reason = (error.strerror or str(error)).lower()
    advice = _ADVICE.get(error.errno or 0)
    return f"{reason}; {advice}" if advice else reason
