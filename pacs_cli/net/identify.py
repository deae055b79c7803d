"""What it is that answers on a port, when it does not answer as it should.

Each look is a connection of its own, on which nothing is asked for but a greeting. Nothing is
trusted of what comes: a TLS handshake is made without checks and the connection closed.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from pacs_cli.errors import ConnectError
from pacs_cli.net.channel import reach, resolve
from pacs_cli.net.target import Target

if TYPE_CHECKING:
    from pacs_cli.net.certificate import TlsFacts

#: Seconds for each look. Whoever has something to say says it at once; half of this would do on a
#: line by satellite.
_PATIENCE = 3.0


class Speaks(Enum):
    """What answers, in words that follow "it is"."""

    TLS = "a port that speaks TLS"
    DICOM = "a port that speaks DICOM without TLS"
    HTTP = "a web server"
    SSH = "an SSH server"
    MAIL = "a mail or FTP server"
    OTHER = "something that is no DICOM application"
    NOTHING = "something that takes the connection and says nothing"
    CLOSES = "something that closes the connection at once"


@dataclass(frozen=True, slots=True)
class Answering:
    """What answers; `tls` of a port that speaks TLS."""

    speaks: Speaks
    tls: TlsFacts | None = None


def what_answers(target: Target) -> Answering:
    """Look at what is behind the target's port; ConnectError when that cannot be reached."""
    greeting = _greeting(target, b"HEAD / HTTP/1.0\r\n\r\n")
    for beginning, speaks in (
        (b"HTTP/", Speaks.HTTP),
        (b"SSH-", Speaks.SSH),
        (b"220", Speaks.MAIL),
        # A-ASSOCIATE-RJ and A-ABORT; an alert of TLS
        (b"\x03\x00", Speaks.DICOM),
        (b"\x07\x00", Speaks.DICOM),
    ):
        if greeting is not None and greeting.startswith(beginning):
            # a web server with TLS tells so in plain
            tls = tls_facts(target) if speaks is Speaks.HTTP else None
            return Answering(Speaks.TLS, tls) if tls else Answering(speaks)
    if tls := tls_facts(target):
        return Answering(Speaks.TLS, tls)
    if greeting is None:
        return Answering(Speaks.NOTHING)
    return Answering(Speaks.OTHER if greeting else Speaks.CLOSES)


def tls_facts(target: Target) -> TlsFacts | None:
    """Return what a handshake without any check comes to; None when there is none."""
    import ssl

    from pacs_cli.net.certificate import facts_of

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        with _connected(target) as sock, context.wrap_socket(sock) as secured:
            # to be told what it is, not to take it for true
            context.verify_mode = ssl.CERT_REQUIRED
            return facts_of(secured)
    except (OSError, ConnectError):
        return None


def _greeting(target: Target, words: bytes) -> bytes | None:
    """Return what is answered first, empty when the peer closed instead, None for silence."""
    with _connected(target) as sock:
        try:
            sock.sendall(words)
            return sock.recv(64)
        except TimeoutError:
            return None
        except OSError:
            return b""


def _connected(target: Target) -> socket.socket:
    seconds = min(target.timeouts.connect, _PATIENCE)
    hasty = replace(target, timeouts=replace(target.timeouts, connect=seconds))
    sock = reach(hasty, resolve(hasty), time.monotonic() + seconds)
    sock.settimeout(seconds)
    return sock
