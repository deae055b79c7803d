"""What the services take and give: requests, outcomes and the provider's two interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AssociationInfo:
    """Who is at the other end of one accepted association.

    number       counts the associations of this process, from 1
    address      the peer's IP address; never a name
    """

    number: int
    address: str
    calling_ae_title: str
    called_ae_title: str


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """One C-STORE-RQ as it arrived, before its data set (PS3.7 9.3.1.1)."""

    association: AssociationInfo
    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What the provider did with one object; `status` goes to the peer (PS3.4 B.2.3).

    comment     one line for the peer (ErrorComment, at most 64 characters) and the event
    size        bytes of the data set as received
    path        the final name below the archive root, empty when nothing was kept
    is_duplicate  the same bytes were already held under this UID
    """

    status: int
    comment: str = ""
    size: int = 0
    path: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    is_duplicate: bool = False


class Sink(Protocol):
    """Takes the bytes of one object. One thread calls it, in order, and ends it exactly once."""

    def write(self, views: Sequence[memoryview]) -> None:
        """Take the next bytes of the data set; the views die when the call returns.

        A failure inside (disk full) is remembered and answered by `finish`, not raised: the
        rest of the object still has to be drained from the connection.
        """

    def finish(self) -> StoreOutcome:
        """The data set is whole: make it safe and say what became of it. Never raises."""

    def discard(self) -> None:
        """The data set will not be completed: leave nothing behind."""


class Handler(Protocol):
    """Answers what peers ask of this provider. Called from one thread per association."""

    def open_store(self, request: StoreRequest) -> Sink:
        """Return the sink of one incoming object; refusals are its outcome, not exceptions."""
