"""Where a peer is and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pacs_cli.net.tls import TlsClient
    from pacs_cli.wire.userinfo import UserIdentity

#: Seconds the peer may take to read one batch of at most 1 MiB: 280 kbit/s, slower than any link
#: on which images are sent at all.
WRITE_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, each a total of its own.

    connect  TCP and TLS handshake
    acse     an A-ASSOCIATE or A-RELEASE answer
    dimse    from the end of a request to the whole of its answer
    write    for the peer to read each batch of at most 1 MiB
    """

    connect: float = 10.0
    acse: float = 30.0
    dimse: float = 60.0
    write: float = WRITE_TIMEOUT


@dataclass(frozen=True, slots=True)
class Target:
    """One peer: its address, the two AE titles, and the limits for talking to it.

    name         what the user called it, for messages
    max_pdu      announced to the peer as our maximum length in bytes, 0 for no limit
    tls          how it is called with TLS; None for plain TCP
    user         who we say that we are (PS3.7 D.3.3.7); None for nobody
    """

    name: str
    host: str
    port: int
    called_ae_title: str = "ANY-SCP"
    calling_ae_title: str = "PACS"
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_pdu: int = 256 * 1024
    tls: TlsClient | None = None
    user: UserIdentity | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """`host:port`, with an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether its host is this machine by its name."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def __str__(self) -> str:
        return f"{self.called_ae_title} ({self.address})"
