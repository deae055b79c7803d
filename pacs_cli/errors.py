"""The exception tree and the exit codes it maps to.

    PacsError
      UsageError                 2   the command line is wrong
        ConfigError              2   the configuration file is wrong
      ConnectError               3   name, TCP or TLS
      AssociationError           4   no usable association
        AssociationRejected      4   A-ASSOCIATE-RJ
        AssociationAborted       4   A-ABORT, or the peer closed the connection
        PeerTimeout              4   the peer did not answer in time
        NoAcceptedContext        4   nothing that was offered was accepted
        PeerProtocolError        4   the peer sent bytes the standard does not allow
          PeerSpeaksTls          4   of which it is known what they are
      PeerFailure                5   a DIMSE failure status
      InputError                 6   bad, missing or no input
        MalformedDataset         6   bytes that are not a DICOM data set
      OutputError                7   a result could not be written
      LocalProtocolError        70   we called the engine in the wrong state: our bug

Every message is one line: what was attempted, on what, what happened, what to try.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    CONNECT = 3
    ASSOCIATION = 4
    PEER_FAILED = 5
    BAD_INPUT = 6
    OUTPUT = 7
    BUG = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class PacsError(Exception):
    """Base of everything this package raises on purpose; `exit` is the code it ends with."""

    exit = Exit.BUG


class UsageError(PacsError):
    """The command line is wrong."""

    exit = Exit.USAGE


class ConfigError(UsageError):
    """The configuration file or an environment variable is wrong."""


class ConnectError(PacsError):
    """The peer could not be reached: name lookup, TCP or TLS."""

    exit = Exit.CONNECT


class AssociationError(PacsError):
    """There is no usable association."""

    exit = Exit.ASSOCIATION


class AssociationRejected(AssociationError):
    """The peer answered A-ASSOCIATE-RJ (PS3.8 9.3.4)."""

    def __init__(self, message: str, result: int, source: int, reason: int) -> None:
        super().__init__(message)
        self.result = result
        self.source = source
        self.reason = reason

    @property
    def is_transient(self) -> bool:
        """Whether the peer said that trying again later may help."""
        return self.result == 2


class AssociationAborted(AssociationError):
    """The peer aborted, or the connection ended without a release (PS3.8 9.3.8)."""

    def __init__(self, message: str, source: int | None = None, reason: int | None = None) -> None:
        super().__init__(message)
        self.source = source
        self.reason = reason


class PeerTimeout(AssociationError):
    """The peer did not answer within the time allowed."""


class NoAcceptedContext(AssociationError):
    """The peer accepted none of the presentation contexts that were offered."""


class PeerProtocolError(AssociationError):
    """The peer sent bytes that PS3.7 or PS3.8 do not allow.

    reason  the provider reason of the A-ABORT that answers it (PS3.8 table 9-26)
    """

    def __init__(self, message: str, reason: int = 6) -> None:
        super().__init__(message)
        self.reason = reason


class PeerSpeaksTls(PeerProtocolError):
    """The peer sent a TLS record where a PDU belongs."""


class PeerFailure(PacsError):
    """The peer answered a DIMSE request with a failure status."""

    exit = Exit.PEER_FAILED

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class InputError(PacsError):
    """Input is missing, unreadable or not what it should be."""

    exit = Exit.BAD_INPUT


class MalformedDataset(InputError):
    """Bytes that are not a DICOM data set; `offset` is where reading stopped."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class OutputError(PacsError):
    """A result or an archived file could not be written."""

    exit = Exit.OUTPUT


class LocalProtocolError(PacsError):
    """The engine was called in a state that does not allow the call: our bug."""

    exit = Exit.BUG


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` for the known name most like `word`, else nothing."""
    matches = get_close_matches(word, list(known), n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def choose(option: str, value: str, choices: Sequence[str]) -> UsageError:
    """Return the error of a word that is none of those an option takes."""
    listed = f"{', '.join(choices[:-1])} or {choices[-1]}"
    return UsageError(f"{option} {value}: choose {listed}{nearest(value, choices)}")
