"""Original values sealed for who has the private key, and opened again.

The seal is a CMS enveloped-data object (RFC 5652) with AES-256 in CBC mode, and the content key
encrypted to an RSA key (PKCS #1 v1.5): what PS3.15 E.1 and PS3.3 C.12.1.1.4 ask for.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pacs_cli.dicom.elements import Element, ItemEnd, ItemStart, SequenceEnd, SequenceStart, walk
from pacs_cli.dicom.encoding import (
    EXPLICIT_LITTLE,
    UNDEFINED,
    Encoding,
    encoding_within,
    header_at,
    skip,
)
from pacs_cli.errors import InputError, MalformedDataset, UsageError
from pacs_cli.pipelines.deid.changing import element

ENCRYPTED_SEQUENCE, MODIFIED_SEQUENCE = 0x04000500, 0x04000550
_SYNTAX, _CONTENT = 0x04000510, 0x04000520
_EXPLICIT_LITTLE_UID = b"1.2.840.10008.1.2.1\0"

#: Numbers of pixels, waveforms and documents: they are the object and not about the patient.
_BULK = frozenset({0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010, 0x54000100})

#: Bytes of a sealed data set that are opened: those of names and numbers are some thousand.
_MOST = 64 * 1024 * 1024

_ENVELOPED = bytes.fromhex("06092a864886f70d010703")
_RSA = bytes.fromhex("06092a864886f70d010101")
#: Object identifier of the cipher -> bytes of its key.
_CIPHERS = {
    bytes.fromhex("060960864801650304012a"): 32,
    bytes.fromhex("0609608648016503040116"): 24,
    bytes.fromhex("0609608648016503040102"): 16,
}


class MissingCrypto(UsageError):
    """The crypto extra is not installed."""


def require_crypto() -> None:
    """Raise MissingCrypto, which names the extra, where it is not installed."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise MissingCrypto("encryption is not installed; pip install 'pacs-cli[crypto]'") from None


def read_certificate(path: Path) -> bytes:
    """Return a PEM certificate of an RSA key; InputError or UsageError when it is none."""
    require_crypto()
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate

    pem = _read(path)
    try:
        key = load_pem_x509_certificate(pem).public_key()
    except ValueError:
        raise UsageError(f"{path} is no certificate in PEM") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise UsageError(f"{path} is not of an RSA key of 2048 bits or more")
    return pem


def read_private_key(path: Path, password: bytes | None = None) -> Any:
    """Return an RSA private key in PEM; InputError or UsageError when it is none."""
    require_crypto()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_read(path), password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        hint = "; is its password right?" if password else "; is a password needed?"
        raise UsageError(f"{path} is no private key in PEM that can be read{hint}") from None
    if not isinstance(key, RSAPrivateKey):
        raise UsageError(f"{path} is not an RSA key")
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot read {path}: {reason}") from None


# -- sealing -------------------------------------------------------------------------------------


def originals(
    before: bytes | memoryview, after: bytes, encoding: Encoding, others: Collection[int] = ()
) -> bytes:
    """Return the top-level elements that another data set has not, or not so, in Explicit VR.

    Bulk data is left out, and `others`: what describes pixels or a document that are new. Both data
    sets are in `encoding`.
    """
    there = dict(_elements(after, encoding))
    changed = b"".join(
        whole
        for tag, whole in _elements(before, encoding)
        if tag not in _BULK and tag not in others and there.get(tag) != whole and tag & 0xFFFF
    )
    if encoding == EXPLICIT_LITTLE:
        return changed
    return _explicit(changed, encoding)


def _elements(data: bytes | memoryview, encoding: Encoding) -> Iterator[tuple[int, bytes]]:
    view, offset = memoryview(data), 0
    while offset < len(view):
        try:
            tag, vr, length, start = header_at(view, offset, encoding.explicit, encoding.little)
            stop = start + length
            if length == UNDEFINED:
                stop = skip(view, start, encoding_within(vr, view, start, encoding))
        except struct.error:
            raise MalformedDataset("the data set ends inside an element") from None
        if stop > len(view):
            raise MalformedDataset("the data set ends inside an element")
        yield tag, bytes(view[offset:stop])
        offset = stop


def _explicit(data: bytes, encoding: Encoding) -> bytes:
    """Return elements in Explicit VR Little Endian (PS3.3 C.12.1.1.4.2)."""
    return _converted(data, encoding, EXPLICIT_LITTLE)


def _converted(data: bytes, source: Encoding, target: Encoding) -> bytes:
    from pacs_cli.pixels.tree import Writer, read_tree

    view = memoryview(data)
    root = read_tree(view, source)
    writer = Writer(view, root.encoding, target, False)
    return b"".join(writer.nodes(root.nodes, root.encoding))


def seal(attributes: bytes, certificate: bytes, encoding: Encoding) -> bytes:
    """Return EncryptedAttributesSequence, the whole element in an encoding.

    attributes   elements in Explicit VR Little Endian
    certificate  of `read_certificate`
    source       PS3.15 E.1.1, PS3.3 C.12.1.1.4
    """
    from cryptography.hazmat.primitives.ciphers.algorithms import AES256
    from cryptography.hazmat.primitives.serialization import Encoding as Form
    from cryptography.hazmat.primitives.serialization.pkcs7 import (
        PKCS7EnvelopeBuilder,
        PKCS7Options,
    )
    from cryptography.x509 import load_pem_x509_certificate

    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(attributes)) + attributes
    content = element(EXPLICIT_LITTLE, MODIFIED_SEQUENCE, "SQ", item)
    builder = PKCS7EnvelopeBuilder().set_data(content).set_content_encryption_algorithm(AES256)
    builder = builder.add_recipient(load_pem_x509_certificate(certificate))
    sealed = builder.encrypt(Form.DER, [PKCS7Options.Binary])
    sealed += bytes(len(sealed) % 2)
    order = "<" if encoding.little else ">"
    inner = element(encoding, _SYNTAX, "UI", _EXPLICIT_LITTLE_UID)
    inner += element(encoding, _CONTENT, "OB", sealed)
    wrapped = struct.pack(order + "HHL", 0xFFFE, 0xE000, len(inner)) + inner
    return element(encoding, ENCRYPTED_SEQUENCE, "SQ", wrapped)


# -- opening -------------------------------------------------------------------------------------


def sealed_in(data: bytes | memoryview, encoding: Encoding) -> list[bytes]:
    """Return what is sealed in a data set, an object for each recipient."""
    found, depth, is_inside = [], 0, False
    for event in walk(data, encoding):
        if isinstance(event, SequenceStart):
            is_inside = is_inside or (depth == 0 and event.tag == ENCRYPTED_SEQUENCE)
            depth += 1
        elif isinstance(event, SequenceEnd):
            depth -= 1
            is_inside = is_inside and depth > 0
        elif isinstance(event, Element) and is_inside and event.tag == _CONTENT:
            found.append(bytes(event.value))
    return found


def open_(sealed: bytes, key: Any) -> bytes:
    """Return the attributes in one sealed object, elements in Explicit VR Little Endian.

    raises  InputError when it is not for this key, or is damaged: the two cannot be told apart
    source  RFC 5652 6.1 and 6.2.1
    """
    if len(sealed) > _MOST:
        raise InputError("what is sealed in it is too long")
    try:
        keys, cipher, vector, encrypted = _enveloped(sealed)
        wanted = _CIPHERS[cipher]
    except (ValueError, KeyError, IndexError):
        raise InputError("what is sealed in it is not what can be opened here") from None
    for each in keys:
        try:
            content_key = _unwrapped(key, each)
            if len(content_key) == wanted and len(vector) == 16:
                return _modified(_decrypted(content_key, vector, encrypted))
        except (ValueError, MalformedDataset):
            # PKCS #1 v1.5 has no check of its own: another recipient's key gives anything
            continue
    raise InputError("the private key does not open it: it was sealed for another, or is damaged")


def _unwrapped(key: Any, encrypted: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    content_key: bytes = key.decrypt(encrypted, PKCS1v15())
    return content_key


def _decrypted(key: bytes, vector: bytes, encrypted: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC
    from cryptography.hazmat.primitives.padding import PKCS7

    decryptor = Cipher(AES(key), CBC(vector)).decryptor()
    padded = decryptor.update(encrypted) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def _modified(content: bytes) -> bytes:
    """Return the elements of the first item of ModifiedAttributesSequence."""
    if header_at(content, 0, True, True)[:2] != (MODIFIED_SEQUENCE, "SQ"):
        raise MalformedDataset("no ModifiedAttributesSequence")
    start = -1
    length = 0
    for event in walk(content, EXPLICIT_LITTLE):
        if isinstance(event, ItemStart) and start < 0:
            start, length = event.offset + 8, event.length
        elif isinstance(event, ItemEnd) and event.depth == 1:
            return content[start : event.offset - (8 if length == UNDEFINED else 0)]
    raise MalformedDataset("no item in ModifiedAttributesSequence")


def restored(data: bytes, encoding: Encoding, attributes: bytes, ours: frozenset[int]) -> bytes:
    """Return a data set with its original attributes, and without what says it had none.

    ours    tags of what de-identifying has added
    source  PS3.15 E.1.2
    """
    original = dict(_elements(attributes, EXPLICIT_LITTLE))
    elements = {
        tag: whole
        for tag, whole in _elements(data, encoding)
        if tag not in ours and tag != ENCRYPTED_SEQUENCE
    }
    if encoding != EXPLICIT_LITTLE:
        converted = _converted(attributes, EXPLICIT_LITTLE, encoding)
        original = dict(_elements(converted, encoding))
    elements.update(original)
    return b"".join(whole for _, whole in sorted(elements.items()))


# -- CMS, as far as it is needed -----------------------------------------------------------------


def _enveloped(der: bytes) -> tuple[list[bytes], bytes, bytes, bytes]:
    """Return encrypted content keys, cipher, initialisation vector and encrypted content.

    raises  ValueError or IndexError when it is not such an object
    """
    _, content, _ = _tlv(der, 0)
    kind, wrapped = _children(content)[:2]
    if kind[1] != _ENVELOPED:
        raise ValueError("not enveloped data")
    parts = _children(_children(wrapped[2])[0][2])
    infos = [value for tag, _, value in parts if tag == 0x31][0]  # noqa: RUF015 not StopIteration
    *_, (_, _, encrypted) = (each for each in parts if each[0] == 0x30)
    keys = []
    for tag, _, value in _children(infos):
        if tag != 0x30:
            # of other kinds of keys
            continue
        *_, algorithm, key = _children(value)
        if _children(algorithm[2])[0][1] == _RSA:
            keys.append(key[2])
    _, algorithm, *rest = _children(encrypted)
    cipher, vector = _children(algorithm[2])[:2]
    tag, _, body = rest[0]
    if tag == 0xA0:
        # in parts, as a stream is written
        body = b"".join(value for _, _, value in _children(body))
    return keys, cipher[1], vector[2], body


def _children(value: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return tag, the whole and the content of what is in a constructed value."""
    found, at = [], 0
    while at < len(value):
        if value[at : at + 2] == b"\0\0":
            break
        tag, content, end = _tlv(value, at)
        found.append((tag, value[at:end], content))
        at = end
    return found


def _tlv(data: bytes, at: int, depth: int = 0) -> tuple[int, bytes, int]:
    """Return the tag, the content and the end of an object in BER (X.690 8.1)."""
    tag, size = data[at], data[at + 1]
    start = at + 2
    if size == 0x80:
        # of no told length: up to two zeros
        if depth > 32 or not tag & 0x20:
            raise ValueError("BER too deep")
        end = start
        while data[end : end + 2] != b"\0\0":
            end = _tlv(data, end, depth + 1)[2]
        return tag, data[start:end], end + 2
    if size & 0x80:
        count = size & 0x7F
        if count > 4:
            raise ValueError("BER too long")
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + size > len(data):
        raise ValueError("BER ends early")
    return tag, data[start : start + size], start + size
