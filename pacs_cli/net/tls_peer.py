"""Who the other end of a TLS connection is, by its certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Attribute of a distinguished name -> how it is written (RFC 4514 3).
_SHORT = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}


@dataclass(frozen=True, slots=True)
class TlsPeer:
    """A peer that has proven its certificate, which a CA of ours has signed.

    subject    its distinguished name on one line, the most special part first
    names      its common names, and what subjectAltName has but host names
    hosts      the host names of subjectAltName, in lower case, as they have none (RFC 4343)
    """

    subject: str
    names: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


def tls_peer(certificate: Mapping[str, Any] | None) -> TlsPeer | None:
    """Return whose certificate it is, as `getpeercert` gives it; None without a proven one."""
    if not certificate:
        return None
    subject = [each for part in certificate.get("subject", ()) for each in part]
    others = certificate.get("subjectAltName", ())
    # of a directory name there is no text
    texts = [(kind, value) for kind, value in others if isinstance(value, str)]
    names = [value for key, value in subject if key == "commonName"]
    names += [value for kind, value in texts if kind != "DNS"]
    hosts = [value.lower() for kind, value in texts if kind == "DNS"]
    written = ",".join(f"{_SHORT.get(key, key)}={value}" for key, value in reversed(subject))
    # a certificate may name itself by its alternative names alone (RFC 5280 4.1.2.6)
    return TlsPeer(written or ",".join((*names, *hosts)), tuple(names), tuple(hosts))
