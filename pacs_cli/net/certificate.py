"""What a TLS connection came to: version, suite, and the peer's certificate."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """A handshake that was made, and whom the peer says it is.

    subject, issuer  names as `CN=pacs, O=Hospital`
    names            hosts and addresses that the certificate is for (subjectAltName)
    not_before, not_after  seconds since 1970; None without a certificate
    """

    version: str
    cipher: str
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_before: float | None = None
    not_after: float | None = None

    def days_left(self, now: float) -> int | None:
        """Return the whole days until the certificate expires, less than 0 after that."""
        return None if self.not_after is None else int((self.not_after - now) // _DAY)


def facts_of(sock: ssl.SSLSocket) -> TlsFacts:
    """Return what is known of a connection whose handshake is made."""
    cipher = sock.cipher()
    # one that is not verified is given as well, once the context says that it would be
    certificate: Mapping[str, Any] = sock.getpeercert() or {}
    return TlsFacts(
        version=(sock.version() or "").replace("TLSv", "TLS "),
        cipher=cipher[0] if cipher else "",
        subject=_name(certificate.get("subject", ())),
        issuer=_name(certificate.get("issuer", ())),
        names=tuple(str(name) for _, name in certificate.get("subjectAltName", ())),
        not_before=_seconds(certificate.get("notBefore")),
        not_after=_seconds(certificate.get("notAfter")),
    )


#: RFC 4514 3, the short names of attribute types.
_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
}


def _name(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    return ", ".join(f"{_SHORT.get(kind, kind)}={value}" for part in parts for kind, value in part)


def _seconds(text: str | None) -> float | None:
    return None if text is None else float(ssl.cert_time_to_seconds(text))
