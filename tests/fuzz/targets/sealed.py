"""What is sealed in a de-identified object (CMS, RFC 5652), read with a key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from pacs_cli.dicom.encoding import EXPLICIT_LITTLE
from pacs_cli.errors import InputError
from pacs_cli.pipelines.deid.encrypt import open_, restored, seal, sealed_in
from tests.writing import element


@cache
def _pair() -> tuple[Any, bytes]:
    """Return a key, and a certificate of it."""
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "made up")])
    built = x509.CertificateBuilder(name, name, key.public_key(), 7)
    built = built.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    built = built.not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
    return key, built.sign(key, SHA256()).public_bytes(Encoding.PEM)


def seeds() -> Iterator[bytes]:
    made = seal(element(0x00100010, "PN", "Made^Up"), _pair()[1], EXPLICIT_LITTLE)
    yield from sealed_in(made, EXPLICIT_LITTLE)


def check(data: bytes) -> None:
    try:
        attributes = open_(data, _pair()[0])
        restored(element(0x00100020, "LO", "X"), EXPLICIT_LITTLE, attributes, frozenset())
    except InputError:
        return
