"""A syslog message and its frame, as bytes.

source  RFC 5424 section 6, RFC 5425 section 4.3, PS3.15 A.6 and A.7
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

#: What a message of PS3.15 A.5 is called in the header (PS3.15 A.7).
MSGID = "DICOM+RFC3881"

#: Security and authorization messages (PS3.15 A.6).
_FACILITY = 10

#: What a message in UTF-8 begins with (RFC 5424 6.4).
_BOM = b"\xef\xbb\xbf"


class Severity(IntEnum):
    """Those that PS3.15 A.6 has for audit messages."""

    WARNING = 4
    NOTICE = 5


@dataclass(frozen=True, slots=True)
class Origin:
    """Who writes: what is no printable ASCII, or too long, is left out of it."""

    host: str
    application: str
    process: str


def message(origin: Origin, timestamp: str, severity: Severity, text: str) -> bytes:
    """Return the whole message.

    timestamp  as in RFC 3339, in six decimals at the most
    """
    fields = (
        f"<{_FACILITY * 8 + severity}>1",
        timestamp,
        _name(origin.host, 255),
        _name(origin.application, 48),
        _name(origin.process, 128),
        MSGID,
        # no structured data
        "-",
        "",
    )
    return " ".join(fields).encode("ascii") + _BOM + text.encode()


def framed(data: bytes) -> bytes:
    """Return a message with its length before it, as it goes over a stream."""
    return b"%d %b" % (len(data), data)


def _name(text: str, limit: int) -> str:
    kept = "".join(character for character in text if "!" <= character <= "~")
    return kept[:limit] or "-"
