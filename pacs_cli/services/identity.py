"""Who the user at the other end is: what checks that, and how many at once.

source  PS3.7 D.3.3.7
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from pacs_cli.net.channel import Wakeup
from pacs_cli.services.serving import AssociationInfo
from pacs_cli.wire.userinfo import UserIdentity

#: An authorization failure: rejected for good, by the service provider, ACSE (PS3.7 D.3.3.7.3).
NOT_AUTHENTICATED = (1, 2, 1)
#: Temporary congestion (PS3.8 table 9-21).
BUSY = (2, 3, 1)

#: Seconds that a peer waits for its turn to be checked: within the ten of an orderly end.
_PATIENCE = 5.0
#: Peers of one address that wait at once, so that one that floods us is not alone in the queue.
_MAX_PER_ADDRESS = 32


class IdentityRefused(Exception):
    """A user is not let in; `reason` is for the operator and has no secret in it."""

    def __init__(self, reason: str, rejection: tuple[int, int, int] = NOT_AUTHENTICATED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rejection = rejection


@dataclass(frozen=True, slots=True)
class Identified:
    """A user whose identity was checked.

    name      not empty
    response  for the peer, where it wants one: a ticket or an assertion of ours, or nothing
    """

    name: str
    response: bytes = field(default=b"", repr=False)


class Checker(Protocol):
    """Checks identities of some types; called from one thread per association.

    types    of IdentityType
    at_once  how many are checked at once
    """

    @property
    def types(self) -> Collection[int]:
        """The types of identities it can check."""

    @property
    def at_once(self) -> int:
        """How many it checks at once."""

    def check(self, identity: UserIdentity, about: AssociationInfo, stop: Wakeup) -> Identified:
        """Return whose identity it is; raises IdentityRefused.

        stop  set when it is no longer waited for
        """


class Identification:
    """Checks users, by the one of the checkers that can.

    is_required  whether nobody is let in without a user that was checked

    An identity that nothing here can check counts as none: a name without proof says nothing, and
    an acceptor that does not support an identity accepts without a response (PS3.7 D.3.3.7).
    """

    def __init__(self, checkers: Sequence[Checker] = (), is_required: bool = False) -> None:
        self.is_required = is_required
        self._checkers = [(checker, _Turns(checker.at_once)) for checker in checkers]

    @property
    def is_checking(self) -> bool:
        """Whether anything can be checked."""
        return bool(self._checkers)

    def identify(
        self, identity: UserIdentity | None, about: AssociationInfo, stop: Wakeup
    ) -> Identified | None:
        """Return who the user is, None for nobody; raises IdentityRefused. It may wait."""
        if identity is not None:
            for checker, turns in self._checkers:
                if identity.type in checker.types:
                    with turns.taken(about.address):
                        return checker.check(identity, about, stop)
        if self.is_required:
            proposed = "no user identity" if identity is None else "none that can be checked"
            raise IdentityRefused(f"a user is required, and {proposed} was proposed")
        return None


class _Turns:
    """Lets so many go on at once; the others wait, some of each address."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, address: str) -> Iterator[None]:
        """Have a turn; IdentityRefused when too many want one."""
        with self._changed:
            if self._waiting[address] >= _MAX_PER_ADDRESS:
                raise IdentityRefused("too many users are checked from this address", BUSY)
            self._waiting[address] += 1
            try:
                if not self._changed.wait_for(lambda: self._free > 0, _PATIENCE):
                    raise IdentityRefused("too many users are checked at once", BUSY)
                self._free -= 1
            finally:
                self._waiting[address] -= 1
                if not self._waiting[address]:
                    del self._waiting[address]
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify()
