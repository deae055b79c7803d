"""How a provider presents itself and what it takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from pacs_cli.net.target import WRITE_TIMEOUT
from pacs_cli.net.tls import TlsServer
from pacs_cli.services.access import EVERYTHING, Access
from pacs_cli.services.admission import Allow
from pacs_cli.services.faults import FaultPlan
from pacs_cli.services.identity import Identification
from pacs_cli.services.shutter import Shutter
from pacs_cli.wire.association import Limits
from pacs_cli.wire.negotiation import Policy


@dataclass(frozen=True, slots=True)
class Settings:
    """How a provider presents itself and what it takes.

    policy              chooses a transfer syntax for each proposed context
    called_ae_titles    answered to; empty for every title
    max_associations    at once; one more is rejected as "local limit exceeded" (PS3.8 9.3.4).
                        256 as in the large archives: each has a thread and half a MiB
    write_timeout       seconds for the peer to read what is sent
    allow               who may associate, by calling AE title and address
    identification      checks users
    access              who may do what
    faults              what to do wrong on purpose; nothing unless told
    tls                 answers with TLS alone; None for plain TCP
    handler_waits       whether what takes the objects waits, as for a disk: others work meanwhile
    is_audited          whether queries, and what went over an association by study, are told, too
    shutter             while it is shut every association is one too many
    """

    policy: Policy
    called_ae_titles: frozenset[str] = frozenset()
    max_associations: int = 256
    limits: Limits = field(default_factory=Limits)
    write_timeout: float = WRITE_TIMEOUT
    allow: Allow = field(default_factory=Allow)
    identification: Identification = field(default_factory=Identification)
    access: Access = EVERYTHING
    faults: FaultPlan = field(default_factory=FaultPlan)
    tls: TlsServer | None = None
    handler_waits: bool = True
    is_audited: bool = False
    shutter: Shutter | None = None
