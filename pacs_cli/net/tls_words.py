"""Why a TLS handshake failed, in plain words, with what to try."""

from __future__ import annotations

import ssl

_UNKNOWN_CA = "the peer's certificate is of a CA that is not trusted here; check --tls-ca"
_WRONG_NAME = (
    "the peer's certificate is for another host; check the address, or give the name it has "
    "with --tls-server-name"
)

#: X509_V_ERR_... of OpenSSL's x509_vfy.h
_VERIFY = {
    2: _UNKNOWN_CA,
    9: "the peer's certificate is not yet valid; check both clocks, or have it replaced",
    10: "the peer's certificate has expired; have it renewed, and check the clock here",
    18: _UNKNOWN_CA,
    19: _UNKNOWN_CA,
    20: _UNKNOWN_CA,
    21: _UNKNOWN_CA,
    26: "the peer's certificate is not for this use; its extended key usage has to allow it",
    62: _WRONG_NAME,
    64: _WRONG_NAME,
    66: "the peer's certificate has too weak a key; have it renewed",
    68: "the peer's certificate has too weak a signature; have it renewed",
}

_NOT_TLS = "the peer does not speak TLS; check the port, and use TLS on both sides or on neither"
_TOO_OLD = "the peer speaks no TLS that is new enough, TLS 1.2 or as --tls-min says; update it"
_NO_SHARED = (
    "no cipher suite in common; the peer has to offer one of BCP 195 (ECDHE with AES-GCM or "
    "ChaCha20), see --tls-ciphers"
)
_NO_CERTIFICATE = "the peer presented no client certificate; give it one, or let in --tls-anonymous"

#: Reasons of OpenSSL's sslerr.h, found at this end.
_REASONS = {
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "HTTP_REQUEST": _NOT_TLS,
    "HTTPS_PROXY_REQUEST": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "VERSION_TOO_LOW": _TOO_OLD,
    "WRONG_SSL_VERSION": _TOO_OLD,
    "INAPPROPRIATE_FALLBACK": _TOO_OLD,
    "NO_PROTOCOLS_AVAILABLE": _TOO_OLD,
    "NO_SHARED_CIPHER": _NO_SHARED,
    "WRONG_CIPHER_RETURNED": _NO_SHARED,
    "UNKNOWN_CIPHER_RETURNED": _NO_SHARED,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": _NO_CERTIFICATE,
    "DH_KEY_TOO_SMALL": "the peer's key exchange is too weak; update it",
}

#: Alerts of RFC 8446 6.2, that is what the peer says of us.
_ALERTS = {
    "HANDSHAKE_FAILURE": "the peer found no cipher suite in common, or wants a client certificate "
    "(--tls-cert); ask what its log says",
    "INSUFFICIENT_SECURITY": "the peer wants stronger cipher suites; see --tls-ciphers",
    "PROTOCOL_VERSION": "the peer speaks no TLS that we take, 1.2 or as --tls-min says; update it",
    "CERTIFICATE_REQUIRED": "the peer wants a client certificate; add --tls-cert and --tls-key",
    "UNKNOWN_CA": "the peer does not trust the CA of our certificate; give it that CA, or another "
    "certificate to us (--tls-cert)",
    "CERTIFICATE_EXPIRED": "the peer finds our certificate expired; renew it (--tls-cert)",
    "CERTIFICATE_REVOKED": "the peer finds our certificate revoked; renew it (--tls-cert)",
    "BAD_CERTIFICATE": "the peer refuses our certificate; ask what its log says, check --tls-cert",
    "CERTIFICATE_UNKNOWN": "the peer refuses our certificate; ask what its log says, check "
    "--tls-cert",
    "UNSUPPORTED_CERTIFICATE": "the peer finds our certificate not for this use; check --tls-cert",
    "UNRECOGNIZED_NAME": "the peer does not know the name it is called by; see --tls-server-name",
    "DECRYPT_ERROR": "the peer could not verify what our key signed; check --tls-key",
}


def is_plain(error: OSError) -> bool:
    """Whether what the peer sent is no TLS at all."""
    return _REASONS.get(str(getattr(error, "reason", None))) is _NOT_TLS


def explain(error: OSError) -> str:
    """Return what an exception of a handshake means, and what to try."""
    if isinstance(error, ssl.SSLCertVerificationError):
        other = f"the peer's certificate is refused: {error.verify_message}; have it replaced"
        return _VERIFY.get(error.verify_code, other)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return (
            "the peer closed the connection during the handshake; does it speak TLS there, and "
            "does its log say why?"
        )
    if not isinstance(error, ssl.SSLError):
        return f"{(error.strerror or str(error)).lower()}; check the network"
    reason = str(error.reason or "")
    before, alert, name = reason.rpartition("ALERT_")
    words = _ALERTS.get(name) if alert else _REASONS.get(reason)
    spoken = name if before else reason
    plain = spoken.lower().replace("_", " ") or "no reason given"
    said = "the peer said" if alert else "it failed here with"
    return words or f"{said} {plain}; check that both sides have TLS 1.2 or 1.3"
