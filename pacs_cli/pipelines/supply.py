"""Deals out what is to be sent, to any number of associations, in rounds.

An association can only carry what its presentation contexts were proposed for, and at most 128 of
them. So a round begins with a look ahead, proposes what is seen there, and puts aside what turns up
later and does not fit; the next round proposes that. In practice the look ahead sees it all, and
sending begins long before the last file of a large folder was looked at.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from pacs_cli.errors import Exit
from pacs_cli.pipelines.files import Found, Passed
from pacs_cli.pipelines.items import Examine, Item, Sent
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.pdu import MAX_CONTEXTS

#: Files looked at before the first association: a fraction of a second, also on a disc that has
#: to seek for each, and more than a study has kinds of objects.
LOOK_AHEAD = 256


class Pending:
    """One object that is not done with.

    attempts   how often it was begun to be sent
    losses     how often the association was lost on it
    refusals   how often the peer said that it has no room now
    syntaxes   the transfer syntaxes it can be sent in, by preference: at first the stored one
    """

    __slots__ = ("attempts", "item", "losses", "refusals", "syntaxes")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.syntaxes: tuple[str, ...] = (item.kind[1],)
        self.attempts = self.losses = self.refusals = 0

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """SOP class and transfer syntax of what it can be sent as."""
        return [(self.item.kind[0], syntax) for syntax in self.syntaxes]

    def not_sent(self, reason: str, exit_code: Exit) -> Sent:
        """Return the result of an object that the peer did not answer for."""
        item = self.item
        return Sent(item.path, item, None, reason, exit=exit_code, attempts=self.attempts)


#: What a worker is given: something to send, or something to tell.
Entry = Pending | Sent | Passed


class Supply:
    """What is still to be done. Any thread may `take` and so on; `next_round`, `resume` and `rest`
    are for when nobody does.

    found    what the command line means, looked at as late as possible
    extra    proposed on every association beside what the files need
    is_closed  whether nothing more is dealt out
    """

    def __init__(
        self,
        found: Iterable[Found | Passed | Item],
        examine: Examine,
        extra: Sequence[Proposal] = (),
    ) -> None:
        self._found = iter(found)
        self._examine = examine
        self._extra = tuple(extra)[: MAX_CONTEXTS - 1]
        self._lock = threading.Lock()
        self._ahead: deque[Entry] = deque()
        self._deferred: list[Pending] = []
        self._postponed: list[Pending] = []
        self._reserved: dict[int, Pending] = {}
        self._kinds: frozenset[tuple[str, str]] = frozenset()
        self.is_closed = False

    def next_round(self) -> list[Proposal]:
        """Return what the associations of the next round are to propose; nothing at the end."""
        if self.is_closed:
            return []
        self._ahead.extend(self._deferred)
        self._deferred = []
        count = sum(isinstance(entry, Pending) for entry in self._ahead)
        while count < LOOK_AHEAD and (entry := self._look()) is not None:
            self._ahead.append(entry)
            count += isinstance(entry, Pending)
        pending = (each for each in self._ahead if isinstance(each, Pending))
        kinds = dict.fromkeys(kind for each in pending for kind in each.kinds)
        room = MAX_CONTEXTS - len(self._extra)
        proposed = list(kinds)[:room]
        self._kinds = frozenset(proposed)
        if not proposed:
            return []
        needed = [Proposal(sop_class, (syntax,)) for sop_class, syntax in proposed]
        return needed + [each for each in self._extra if each not in needed]

    def take(self) -> Entry | None:
        """Return what is to be done next, None when the round has nothing more.

        An object is only reserved: `claim` it before it is sent. Until then whoever else has
        nothing to do is given it too, so that no object waits behind a slow one.
        """
        with self._lock:
            while not self.is_closed:
                entry = self._ahead.popleft() if self._ahead else self._look()
                if entry is None:
                    return next(iter(self._reserved.values()), None)
                if not isinstance(entry, Pending):
                    return entry
                if self._kinds.issuperset(entry.kinds):
                    self._reserved[id(entry)] = entry
                    return entry
                self._deferred.append(entry)
            return None

    def claim(self, pending: Pending) -> bool:
        """Make an object that was taken one's own; False when another thread has it by now."""
        with self._lock:
            return self._reserved.pop(id(pending), None) is not None

    def give_back(self, entry: Entry) -> None:
        """Take back what was not done; it is dealt out next."""
        with self._lock:
            self._ahead.appendleft(entry)

    def defer(self, pending: Pending) -> None:
        """Keep an object for the next round, which proposes what it can be sent as by then."""
        with self._lock:
            self._deferred.append(pending)

    def postpone(self, pending: Pending) -> None:
        """Keep an object for after everything else."""
        with self._lock:
            self._postponed.append(pending)

    def resume(self) -> None:
        """Deal out again what was postponed."""
        self._ahead.extend(self._postponed)
        self._postponed = []

    @property
    def refusals(self) -> list[int]:
        """How often each of the objects that were postponed was refused."""
        return [pending.refusals for pending in self._postponed]

    def close(self) -> None:
        """Deal out nothing more; any thread may call it."""
        self.is_closed = True

    def rest(self) -> Iterator[Entry | Found]:
        """Yield what was never done, files that were not looked at yet as they were found."""
        yield from self._ahead
        yield from self._deferred
        yield from self._postponed
        self._ahead.clear()
        self._deferred, self._postponed = [], []
        for found in self._found:
            yield Pending(found) if isinstance(found, Item) else found

    def _look(self) -> Entry | None:
        found = next(self._found, None)
        if found is None:
            return None
        entry = found if isinstance(found, Item) else self._examine(found)
        return Pending(entry) if isinstance(entry, Item) else entry
