"""The transfer syntaxes that pixels can be brought into or out of, as a table.

source  PS3.5 Annex A, PS3.6 table A-1
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
GE_BIG = "1.2.840.113619.5.2"


class Family(Enum):
    """How the frames of a syntax are coded."""

    NATIVE = "native"
    RLE = "RLE"
    JPEG = "JPEG"
    JPEG_LOSSLESS = "JPEG lossless"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    HTJ2K = "HTJ2K"
    JPEG_XL = "JPEG XL"
    DEFLATED_FRAME = "deflated frame"
    #: A stream over all frames, or of a kind that is only passed on.
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Syntax:
    """One transfer syntax.

    name         the short name, as it is typed
    is_lossy     whether naming it asks for lossy compression
    max_bits     most bits of a sample that the encoder takes; 0 when nothing is encoded
    can_sign     whether it holds signed samples
    library      what encodes and decodes it
    """

    uid: str
    name: str
    family: Family
    is_lossy: bool = False
    max_bits: int = 0
    can_sign: bool = True
    is_encoded: bool = True
    library: str = "imagecodecs"

    @property
    def is_native(self) -> bool:
        """Whether pixel data stands in it as a plain value."""
        return self.family is Family.NATIVE

    @property
    def needs_codecs(self) -> bool:
        """Whether the codecs extra is needed for its frames."""
        return self.library == "imagecodecs"


_OWN = "standard library"
_JPEG = "1.2.840.10008.1.2.4."

TABLE: tuple[Syntax, ...] = (
    Syntax(IMPLICIT_LITTLE, "implicit", Family.NATIVE, max_bits=64, library=_OWN),
    Syntax(EXPLICIT_LITTLE, "explicit", Family.NATIVE, max_bits=64, library=_OWN),
    Syntax(EXPLICIT_BIG, "big", Family.NATIVE, max_bits=64, library=_OWN),
    Syntax(DEFLATED, "deflated", Family.NATIVE, max_bits=64, library=_OWN),
    Syntax(GE_BIG, "ge-big", Family.NATIVE, max_bits=64, is_encoded=False, library=_OWN),
    Syntax("1.2.840.10008.1.2.5", "rle", Family.RLE, max_bits=32, library="numpy"),
    Syntax(
        "1.2.840.10008.1.2.8.1", "deflated-frame", Family.DEFLATED_FRAME, max_bits=64, library=_OWN
    ),
    Syntax(_JPEG + "50", "jpeg", Family.JPEG, is_lossy=True, max_bits=8, can_sign=False),
    Syntax(_JPEG + "51", "jpeg-extended", Family.JPEG, is_lossy=True, max_bits=12, can_sign=False),
    Syntax(_JPEG + "57", "jpeg-lossless-57", Family.JPEG_LOSSLESS, max_bits=16),
    Syntax(_JPEG + "70", "jpeg-lossless", Family.JPEG_LOSSLESS, max_bits=16),
    Syntax(_JPEG + "80", "jpegls", Family.JPEG_LS, max_bits=16),
    Syntax(_JPEG + "81", "jpegls-near", Family.JPEG_LS, is_lossy=True, max_bits=16, can_sign=False),
    Syntax(_JPEG + "90", "j2k", Family.JPEG_2000, max_bits=16),
    Syntax(_JPEG + "91", "j2k-lossy", Family.JPEG_2000, is_lossy=True, max_bits=16),
    Syntax(_JPEG + "201", "htj2k", Family.HTJ2K, max_bits=16),
    Syntax(_JPEG + "202", "htj2k-rpcl", Family.HTJ2K, max_bits=16),
    Syntax(_JPEG + "203", "htj2k-lossy", Family.HTJ2K, is_lossy=True, max_bits=16),
    Syntax(_JPEG + "110", "jpegxl", Family.JPEG_XL, max_bits=16, can_sign=False),
    Syntax(
        _JPEG + "111",
        "jpegxl-recompress",
        Family.JPEG_XL,
        is_lossy=True,
        max_bits=8,
        can_sign=False,
    ),
    Syntax(
        _JPEG + "112", "jpegxl-lossy", Family.JPEG_XL, is_lossy=True, max_bits=16, can_sign=False
    ),
)

RECOMPRESS = _JPEG + "111"

_BY_UID = {each.uid: each for each in TABLE}


@cache
def syntax_of(uid: str) -> Syntax:
    """Return the row of a UID; one of no row is passed on only (MPEG, HEVC, SMPTE, private)."""
    known = _BY_UID.get(uid)
    return known or Syntax(uid, uid, Family.VIDEO, is_encoded=False, library="passed on")
