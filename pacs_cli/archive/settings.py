"""How an archive is to be kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pacs_cli.archive.blobs import Durability
from pacs_cli.archive.layout import Layout


class Duplicates(StrEnum):
    """What becomes of other bytes under a SOP instance UID that is held.

    The same bytes are success in every case, and one copy.
    """

    REJECT = "reject"
    REPLACE = "replace"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """How an archive is to be kept; each of it may be changed from one start to the next.

    layout      where new objects go; those that are there stay and are found
    duplicates  reject: the first stays, 0111 is answered. replace: the new one takes its place.
                version: both stay, the newest is served
    min_free    bytes of the disk that are kept free: an object for which there is no room beside
                them is answered with A700. 0 for none
    durability  what an acknowledged object survives
    """

    layout: Layout = field(default_factory=Layout)
    duplicates: Duplicates = Duplicates.REJECT
    min_free: int = 0
    durability: Durability = Durability.FULL

    @property
    def waits_for_disk(self) -> bool:
        """Whether an object is acknowledged only when the disk has it."""
        return self.durability is Durability.FULL
