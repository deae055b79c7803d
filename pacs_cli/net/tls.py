"""TLS for both roles: what is asked for, and the context it comes to.

Nothing weaker than the BCP 195 profile can be asked for: TLS 1.2 with ephemeral keys and
authenticated encryption, or TLS 1.3. `ssl` is imported once TLS is wanted.

source  PS3.15 B.12, RFC 9325
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_cli.errors import UsageError

if TYPE_CHECKING:
    import ssl

    from pacs_cli.net.tls_socket import TlsSocket

#: RFC 9325 4.2, and the same with ChaCha20 for machines without AES in hardware. The suites of TLS
#: 1.3 are all of this kind and not chosen from.
SUITES = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
VERSIONS = ("1.2", "1.3")

#: A passphrase longer than what OpenSSL takes of one (PEM_BUFSIZE).
_MAX_PASSPHRASE = 1024


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """What is known of the two ends; paths are of PEM files.

    ca               who is trusted; None for what the system trusts
    certificate      ours, with those between it and its CA behind it
    key              of it; None when it stands in the file of the certificate
    passphrase_file  of the key, first line; counts before `passphrase`
    ciphers          of TLS 1.2, names of `SUITES`; None for all
    server_name      looked for in the peer's certificate; None for the host it is called by
    is_anonymous     no client certificate: a user presents none, a provider asks for none
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    passphrase_file: Path | None = None
    passphrase: str | None = field(default=None, repr=False)
    minimum: str = "1.2"
    ciphers: str | None = None
    server_name: str | None = None
    is_anonymous: bool = False


class TlsClient:
    """Calls peers with TLS; a peer's certificate and its name are always checked.

    raises  UsageError for files that cannot be used
    """

    def __init__(self, settings: TlsSettings) -> None:
        import ssl

        if settings.key and not settings.certificate:
            raise UsageError("--tls-key is of a certificate; add --tls-cert")
        self._server_name = settings.server_name
        self._context = context = _context(settings, ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = True
        context.verify_mode = ssl.CERT_REQUIRED
        # RFC 9525: a name is what stands in subjectAltName
        context.hostname_checks_common_name = False
        _load_trust(context, settings.ca)
        if settings.certificate and not settings.is_anonymous:
            _load_certificate(context, settings.certificate, settings)

    def secure(self, sock: socket.socket, host: str, peer: str, seconds: float) -> TlsSocket:
        """Make the handshake on a connected socket, which is owned from here on.

        peer     for messages
        seconds  for all of it
        raises   ConnectError with the reason in plain words
        """
        from pacs_cli.net.tls_socket import secure_client

        return secure_client(self._context, sock, self._server_name or host, peer, seconds)


class TlsServer:
    """Answers peers with TLS; unless told otherwise they have to prove who they are.

    raises  UsageError for files that cannot be used, or when it is not said who may call
    """

    def __init__(self, settings: TlsSettings) -> None:
        import ssl

        if settings.certificate is None:
            raise UsageError("whoever receives over TLS needs a certificate: add --tls-cert")
        self._context = context = _context(settings, ssl.PROTOCOL_TLS_SERVER)
        _load_certificate(context, settings.certificate, settings)
        # no session is resumed: an association costs far more than a handshake, and a ticket that
        # a user leaves unread would reset the connection with our last words in it
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        if settings.is_anonymous:
            return
        if settings.ca is None:
            # what the system trusts are the authorities of the web, whose certificates all can get
            raise UsageError(
                "who may call over TLS: add --tls-ca FILE, whose certificates they need, or "
                "--tls-anonymous to let in those without one"
            )
        context.verify_mode = ssl.CERT_REQUIRED
        _load_trust(context, settings.ca)

    @property
    def is_mutual(self) -> bool:
        """Whether only those are let in who have a certificate."""
        return bool(self._context.verify_mode)

    def wrap(self, sock: socket.socket, peer: str) -> TlsSocket:
        """Return the connection before its handshake; the socket is owned by that.

        raises  OSError when the peer is gone already
        """
        from pacs_cli.net.tls_socket import wrap_server

        return wrap_server(self._context, sock, peer)


def _context(settings: TlsSettings, protocol: ssl._SSLMethod) -> ssl.SSLContext:
    import ssl

    if settings.minimum not in VERSIONS:
        raise UsageError(f"--tls-min {settings.minimum}: choose 1.2 or 1.3; older is not safe")
    context = ssl.SSLContext(protocol)
    is_newest = settings.minimum == "1.3"
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if is_newest else ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # level 2: no key or signature worth less than 112 bits, as RSA of 1,024 bits or SHA-1
    context.set_ciphers(":".join((*_suites(settings.ciphers), "@SECLEVEL=2")))
    return context


def _suites(text: str | None) -> tuple[str, ...]:
    if text is None:
        return SUITES
    names = tuple(filter(None, re.split(r"[:, ]+", text)))
    unknown = next((name for name in names if name not in SUITES), None)
    if unknown is not None or not names:
        raise UsageError(
            f"--tls-ciphers {unknown or text}: not a suite of the BCP 195 profile; choose from "
            f"{', '.join(SUITES)}"
        )
    return names


def _load_trust(context: ssl.SSLContext, ca: Path | None) -> None:
    import ssl

    if ca is None:
        context.load_default_certs()
        return
    _check_readable("CA certificates", ca)
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError:
        raise UsageError(f"cannot use {ca} as CA: no certificates in PEM form in it") from None


def _load_certificate(context: ssl.SSLContext, certificate: Path, settings: TlsSettings) -> None:
    import ssl

    key = settings.key or certificate
    _check_readable("the certificate", certificate)
    _check_readable("the key", key)
    passphrase, was_asked = _passphrase(settings), []

    def tell() -> str:
        # without this OpenSSL would ask on the terminal
        was_asked.append(True)
        return passphrase

    try:
        context.load_cert_chain(certificate, key, tell)
    except ssl.SSLError as error:
        reason = _why_unusable(error, certificate, key, bool(was_asked), bool(passphrase))
        raise UsageError(reason) from None


def _why_unusable(
    error: ssl.SSLError, certificate: Path, key: Path, is_encrypted: bool, has_passphrase: bool
) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"{key} is not the key of the certificate in {certificate}; give the two that match"
    if error.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return f"{certificate} is too weak: RSA of 2048 bits and SHA-256 are the least; renew it"
    if is_encrypted and has_passphrase:
        return f"cannot decrypt the key {key}: the passphrase does not fit"
    if is_encrypted:
        return f"the key {key} is encrypted; add --tls-key-pass-file or set PACS_TLS_KEY_PASS"
    return (
        f"cannot use the certificate {certificate} with the key {key}: PEM files of both are "
        "expected, a key of its own with --tls-key"
    )


def _passphrase(settings: TlsSettings) -> str:
    if settings.passphrase_file is None:
        text = settings.passphrase or ""
    else:
        file = settings.passphrase_file
        try:
            with file.open(encoding="utf-8") as stream:
                text = stream.readline(_MAX_PASSPHRASE + 2).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not text in UTF-8"
            raise UsageError(f"cannot read the passphrase in {file}: {reason}") from None
    if len(text.encode()) > _MAX_PASSPHRASE:
        raise UsageError(f"a passphrase of a key has at most {_MAX_PASSPHRASE} bytes")
    return text


def _check_readable(what: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise UsageError(
            f"cannot read {what} in {path}: {error.strerror or error}; check the path"
        ) from None
