"""What the provider side takes and gives: requests, outcomes, events, its two interfaces."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Protocol

#: Bytes of an identifier that are told for the audit trail. With it in base 64 a message stays
#: below the 32,768 octets that every receiver of them takes (PS3.15 A.6).
MAX_TOLD = 16 * 1024


@dataclass(frozen=True, slots=True)
class AssociationInfo:
    """Who is at the other end of one accepted association.

    number       counts the associations of this process, from 1
    address      the peer's IP address; never a name
    user         the name of a user whose identity was checked; empty for nobody
    tls_subject  the distinguished name of the peer's certificate, where it had to have one
    """

    number: int
    address: str
    calling_ae_title: str
    called_ae_title: str
    user: str = ""
    tls_subject: str = ""


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """One C-STORE-RQ as it arrived, before its data set (PS3.7 9.3.1.1)."""

    association: AssociationInfo
    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Displaced:
    """A held object, or what was left of one, that gave way to another one of its UID.

    how     replaced (its file is gone), version (kept, no longer served) or damaged (it could not
            be read as an object; set aside)
    path    where its file lies below the archive root; of one that is gone, where it lay
    size    bytes of its file
    sha256  of its file in hexadecimal, when that is gone
    """

    how: str
    path: str
    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """What the provider did with one object; `status` goes to the peer (PS3.4 B.2.3).

    comment     one line for the peer (ErrorComment, at most 64 characters) and the event
    size        bytes of the data set as received
    path        the final name below the archive root, empty when nothing was kept
    is_duplicate  the same bytes were already held under this UID
    displaced   what this object took the place of, None as a rule
    patient_id  for the audit trail alone
    """

    status: int
    comment: str = ""
    size: int = 0
    path: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    is_duplicate: bool = False
    displaced: Displaced | None = None
    patient_id: str = field(default="", repr=False)

    @property
    def is_kept(self) -> bool:
        """Whether the object is held: success or a warning (PS3.4 B.2.3)."""
        return self.status == 0 or self.status & 0xF000 == 0xB000


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


class QueryRefused(Exception):
    """A query or a retrieve is answered with a failure (PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4).

    comment  for the peer, and so without a value of the archive or of the query
    """

    def __init__(self, status: int, comment: str, offending_elements: tuple[int, ...] = ()) -> None:
        super().__init__(comment)
        self.status = status
        self.comment = comment
        self.offending_elements = offending_elements


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """One C-FIND, C-MOVE or C-GET-RQ with its identifier (PS3.7 9.3.2.1, 9.3.3.1, 9.3.4.1).

    negotiated   the application information that was answered for the SOP class (PS3.4 C.5)
    """

    association: AssociationInfo
    message_id: int
    sop_class_uid: str
    transfer_syntax_uid: str
    identifier: bytes
    negotiated: bytes = b""


@dataclass(frozen=True, slots=True)
class FindAnswers:
    """The matches of a C-FIND; `status` is that of each pending response (PS3.4 table C.4-1).

    identifiers  to be closed: the archive stands still for them until then
    """

    level: str
    status: int
    identifiers: Generator[bytes]


class StoredObject(Protocol):
    """One object that is to be sent."""

    @property
    def sop_class_uid(self) -> str:
        """Its SOP class."""

    @property
    def sop_instance_uid(self) -> str:
        """Its SOP instance UID."""

    @property
    def transfer_syntax_uid(self) -> str:
        """The one it is stored in."""

    @property
    def study_instance_uid(self) -> str:
        """Its study."""

    @property
    def patient_id(self) -> str:
        """Of whom it is; for the audit trail alone."""

    def open(
        self, accepted: Sequence[str]
    ) -> AbstractContextManager[tuple[str, Iterable[bytes | memoryview]]]:
        """Give one of the accepted transfer syntaxes and the data set in it, while it is open.

        raises  InputError when it is in none of them and cannot be brought into one, or cannot
                be read
        """


class Retrieval(Protocol):
    """The objects of a C-MOVE or C-GET."""

    @property
    def level(self) -> str:
        """The level that is retrieved."""

    @property
    def count(self) -> int:
        """How many they are."""

    @property
    def contexts(self) -> Sequence[tuple[str, str]]:
        """SOP class and stored transfer syntax of all of them, each pair once."""

    def studies(self) -> Iterator[tuple[str, str, str, int]]:
        """Yield study, patient ID, SOP class and how many; raises OutputError."""

    def objects(self) -> Iterator[StoredObject | None]:
        """Yield each of them, None for one that is gone; raises OutputError."""

    def failed_list(self, sop_instance_uids: Sequence[str]) -> bytes:
        """Return the identifier that names what failed (PS3.4 C.4.2.1.4.2)."""


class Library(Protocol):
    """Answers queries about what is held. Called from one thread per association.

    `is_cancelled` is looked at every few milliseconds; once it is true nothing more comes.
    """

    def negotiate(self, sop_class_uid: str, asked: bytes) -> bytes:
        """Return the application information that answers what a peer asks for (PS3.4 C.5)."""

    def find(self, request: QueryRequest, is_cancelled: Callable[[], bool]) -> FindAnswers:
        """Return the matches; raises QueryRefused, also between them."""

    def retrieve(self, request: QueryRequest, is_cancelled: Callable[[], bool]) -> Retrieval:
        """Return what is to be sent; raises QueryRefused."""


@dataclass(frozen=True, slots=True)
class AssociationOpened:
    """A peer's association was accepted, with so many of its presentation contexts."""

    association: AssociationInfo
    accepted: int
    refused: int


@dataclass(frozen=True, slots=True)
class AssociationRefused:
    """A peer's association was rejected (PS3.8 table 9-21)."""

    association: AssociationInfo
    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class Denied:
    """A peer may not do what it asked for.

    service   association, echo, store, find, move, get or commit
    status    of the answer; 0 when an association or a presentation context is refused
    reason    one line for the operator, without secrets
    """

    association: AssociationInfo
    service: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class AssociationEnded:
    """An association or a connection ended.

    how     released, aborted (by the peer), closed, protocol error, timeout, shut down, fault,
            tls (no handshake, or not in order)
    error   one line when it did not end well
    size    bytes of the data sets received
    """

    association: AssociationInfo
    how: str
    error: str
    stored: int
    failed: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Echoed:
    """A C-ECHO was answered with success."""

    association: AssociationInfo


@dataclass(frozen=True, slots=True)
class InstanceReceived:
    """A C-STORE was answered with `outcome.status`."""

    request: StoreRequest
    outcome: StoreOutcome
    seconds: float


@dataclass(frozen=True, slots=True)
class Found:
    """A C-FIND was answered with `status` after so many matches."""

    association: AssociationInfo
    level: str
    status: int
    comment: str
    matches: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A C-MOVE or C-GET was answered with `status`; the rest counts its sub-operations.

    kind         move or get
    destination  AE title, of a C-MOVE
    reason       why the first that failed did
    """

    association: AssociationInfo
    kind: str
    level: str
    destination: str
    status: int
    comment: str
    completed: int
    failed: int
    warning: int
    remaining: int
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Queried:
    """A query or a retrieve was asked for; told of an audited provider alone.

    identifier  at most the first `MAX_TOLD` bytes of its `size`
    status      that it ended with; None when the peer did not wait for that
    """

    association: AssociationInfo
    sop_class_uid: str
    transfer_syntax_uid: str
    identifier: bytes = field(repr=False)
    size: int
    status: int | None


class Step(StrEnum):
    """What becomes of objects: they are going to be sent, or have been sent, or received."""

    BEGUN = auto()
    SENT = auto()
    RECEIVED = auto()


@dataclass(frozen=True, slots=True)
class Receiver:
    """The end to which objects go that is not the one who asked for it (PS3.4 C.4.2)."""

    ae_title: str
    host: str


@dataclass(frozen=True, slots=True)
class StudyTransferred:
    """Objects of one study went over one association; told of an audited provider alone.

    action      C, R or U, as PS3.15 A.5.3.7 has them
    instances   SOP class -> how many
    error       why the first of them failed, when these are those that did
    receiver    of a C-MOVE
    is_ours     whether it was us who wanted that; the association is then ours too, and its calling
                AE title that of the peer
    """

    association: AssociationInfo
    step: Step
    study_instance_uid: str
    patient_id: str = field(repr=False)
    action: str
    instances: tuple[tuple[str, int], ...]
    error: str = ""
    receiver: Receiver | None = None
    is_ours: bool = False


ProviderEvent = (
    AssociationOpened
    | AssociationRefused
    | Denied
    | AssociationEnded
    | Echoed
    | InstanceReceived
    | Found
    | Retrieved
    | Queried
    | StudyTransferred
)
