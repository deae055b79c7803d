"""What the user side gets of its peer: results, responses, the phases of an association."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EchoResult:
    """The answer to one C-ECHO; `seconds` from the first byte sent to the answer."""

    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The answer to one C-STORE (PS3.7 9.3.1.2, PS3.4 B.2.3); `comment` is the peer's."""

    status: int
    comment: str
    seconds: float

    @property
    def is_stored(self) -> bool:
        """Whether the peer keeps the object: success or a warning."""
        return self.status == 0 or self.is_warning

    @property
    def is_warning(self) -> bool:
        """Whether the peer keeps the object, changed or with a remark (PS3.7 C.4)."""
        return self.status & 0xF000 == 0xB000 or self.status in (0x0001, 0x0107, 0x0116)


@dataclass(frozen=True, slots=True)
class FindResponse:
    """One answer to a C-FIND (PS3.7 9.3.2.2, PS3.4 C.4.1.1.4): a match, or how it ended.

    status        None when no end came after our C-CANCEL; the association is over then, and
                  `comment` says why
    identifier    of a match, in the transfer syntax of its context
    comment, offending_elements  the peer's, of an end
    is_cancelled  whether the end comes after a C-CANCEL of ours
    """

    status: int | None
    identifier: bytes = b""
    comment: str = ""
    offending_elements: tuple[int, ...] = ()
    is_cancelled: bool = False

    @property
    def is_pending(self) -> bool:
        """Whether this is a match, and more is to come."""
        return self.status in (0xFF00, 0xFF01)

    @property
    def has_unsupported_keys(self) -> bool:
        """Whether the peer does not match on some optional key that was asked for."""
        return self.status == 0xFF01

    @property
    def is_warning(self) -> bool:
        """Whether it ended well, with a remark (PS3.7 C.4)."""
        return self.status is not None and (
            self.status & 0xF000 == 0xB000 or self.status in (0x0001, 0x0107, 0x0116)
        )


@dataclass(frozen=True, slots=True)
class RetrieveResponse:
    """One answer to a C-MOVE or C-GET (PS3.7 9.3.3.2 and 9.3.4.2): progress, or how it ended.

    status        None when no end came after our C-CANCEL; the association is over then, and
                  `comment` says why
    remaining, completed, failed, warnings  sub-operations as the peer counts them, None where it
                  does not say
    identifier    of an end: the list of what failed, in the transfer syntax of the context
    comment, offending_elements  the peer's, of an end
    is_cancelled  whether the end comes after a C-CANCEL of ours
    """

    status: int | None
    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warnings: int | None = None
    identifier: bytes = b""
    comment: str = ""
    offending_elements: tuple[int, ...] = ()
    is_cancelled: bool = False

    @property
    def is_pending(self) -> bool:
        """Whether more is to come."""
        return self.status in (0xFF00, 0xFF01)

    @property
    def stored(self) -> int:
        """Objects that were stored, with a warning or without."""
        return (self.completed or 0) + (self.warnings or 0)

    @property
    def ended(self) -> int:
        """Sub-operations that are over."""
        return self.stored + (self.failed or 0)


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds each phase of an association took; 0 for what there was not, or not yet."""

    name: float = 0.0
    tcp: float = 0.0
    tls: float = 0.0
    association: float = 0.0
    release: float = 0.0
