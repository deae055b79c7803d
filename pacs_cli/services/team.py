"""A provider in several processes: one accepts, hands connections out and is told what happens.

Threads of one process run Python code by turns, and take the turn from each other at every system
call; processes do not. The members are forked before anything is open, end when the one that
accepts does, and leave signals to it.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, NoReturn, Protocol

from pacs_cli.errors import OutputError, PacsError
from pacs_cli.net.handover import Link, connection, pair
from pacs_cli.services.figures import Counts, Figures
from pacs_cli.services.query_scp import QueryRetrieve
from pacs_cli.services.scp import Provider, Settings
from pacs_cli.services.serving import Handler, InstanceReceived, ProviderEvent

#: Seconds that a member's threads have to end once it is to; the owner waits a little longer.
_END_SECONDS = 9.0


class Opened(Protocol):
    """What a member keeps objects with."""

    @property
    def handler(self) -> Handler:
        """Where objects go."""

    def close(self) -> bool:
        """Close it; return whether nothing is left to be put right."""


#: Opens what a member keeps objects and answers queries with, given a descriptor of the owner and
#: the member's number.
Open = Callable[[int, int], tuple[Opened, QueryRetrieve | None]]


class _Begin(NamedTuple):
    """The first message to a member, with a descriptor of what its owner has opened."""


class _Serve(NamedTuple):
    """A connection to serve, which comes with it."""

    address: str
    number: int


class _Drain(NamedTuple):
    """End as `Provider.drain` has it, then close all and say so."""


class _Ask(NamedTuple):
    """Tell what was counted."""


class _Counted(NamedTuple):
    """What a member has counted by now."""

    counts: Counts


class _Served(NamedTuple):
    """A connection has ended."""

    address: str


class _Failed(NamedTuple):
    """A member could not begin."""

    reason: str


class _Ended(NamedTuple):
    """The last message of a member: whether all ended in time, and in order."""

    is_drained: bool
    is_trusted: bool


@dataclass
class _Member:
    """What the owner knows of one; `standing` counts its connections by address."""

    number: int
    pid: int
    link: Link
    standing: Counter[str]
    thread: threading.Thread | None = None
    ended: _Ended | None = None
    is_gone: bool = False
    counts: Counts | None = None
    is_asked: bool = False


class Team:
    """The members, as their owner has them; made while the process has one thread.

    count            how many
    open_for         called in each member, once it is to begin
    failure          why events cannot be shown any more, or there is nobody left to serve
    shows_instances  whether the owner is told of objects too, each of which costs time
    figures          with which each member counts for itself
    """

    def __init__(
        self,
        count: int,
        settings: Settings,
        open_for: Open,
        shows_instances: bool = True,
        figures: Figures | None = None,
    ) -> None:
        self._places = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("i")
        self._lock = threading.Lock()
        self._counted = threading.Condition()
        self._count = 0
        self._has_begun = self._is_draining = False
        self.failure: OSError | PacsError | None = None
        self._members: list[_Member] = []
        for number in range(count):
            ours, theirs = pair()
            if (pid := os.fork()) == 0:
                for member in self._members:
                    member.link.close()
                ours.close()
                work = _Work(theirs, number, settings, self._places, shows_instances, figures)
                work.run(open_for)
            theirs.close()
            self._members.append(_Member(number, pid, ours, Counter()))

    def begin(
        self,
        descriptor: int,
        observe: Callable[[ProviderEvent], None],
        warn: Callable[[str], None],
        gave_back: Callable[[str], None],
        lost: Callable[[], None],
    ) -> None:
        """Let the members begin.

        descriptor  each is given the use of it
        observe     told of every event, from any thread
        warn        told when a member ends by itself
        gave_back   told the address of each connection that has ended
        lost        told when it cannot go on: `failure` says why
        """
        self._observe, self._warn = observe, warn
        self._gave_back, self._lost = gave_back, lost
        for member in self._members:
            # of one that has ended by now its thread tells
            with suppress(OSError):
                member.link.send(_Begin(), descriptor)
            member.thread = threading.Thread(target=self._listen, args=(member,), daemon=True)
            member.thread.start()
        self._has_begun = True

    def give(self, sock: socket.socket, address: str) -> None:
        """Hand a connection to the member that has the fewest; it is closed here.

        raises  RuntimeError when no member takes it
        """
        with self._lock:
            self._count += 1
            number = self._count
            able = [member for member in self._members if not member.is_gone]
            able.sort(key=lambda member: member.standing.total())
            for member in able:
                member.standing[address] += 1
                try:
                    member.link.send(_Serve(address, number), sock.fileno())
                except OSError:
                    member.standing[address] -= 1
                    continue
                sock.close()
                return
        raise RuntimeError("no process takes a connection")

    def counts(self, seconds: float) -> list[Counts]:
        """Return what each member has counted; of one that does not answer what it had before.

        seconds  to wait for the answers of all
        """
        if not self._has_begun:
            return []
        with self._counted:
            for member in self._members:
                member.is_asked = not member.is_gone and member.ended is None
        for member in self._members:
            with suppress(OSError):
                member.link.send(_Ask())
        with self._counted:
            self._counted.wait_for(
                lambda: not any(each.is_asked for each in self._members), seconds
            )
            return [each.counts or Counts() for each in self._members]

    def drain(self, seconds: float) -> tuple[bool, bool]:
        """End the members, by force after `seconds`; return whether all was drained and trusted."""
        expiry = time.monotonic() + seconds
        self._is_draining = True
        for member in self._members:
            with suppress(OSError):
                member.link.send(_Drain())
        for member in self._members:
            if member.thread is not None:
                member.thread.join(max(0.0, expiry - time.monotonic()))
            if member.ended is None:
                os.kill(member.pid, signal.SIGKILL)
            os.waitpid(member.pid, 0)
        ends = [member.ended or _Ended(False, False) for member in self._members]
        return all(end.is_drained for end in ends), all(end.is_trusted for end in ends)

    def _listen(self, member: _Member) -> None:
        """Hear one member to its end."""
        while True:
            try:
                message, _ = member.link.receive()
            except (EOFError, OSError):
                break
            if isinstance(message, _Served):
                with self._lock:
                    member.standing[message.address] -= 1
                self._gave_back(message.address)
            elif isinstance(message, _Ended):
                member.ended = message
            elif isinstance(message, _Counted):
                self._note(member, message.counts)
            elif isinstance(message, _Failed):
                self._warn(f"a worker process cannot begin: {message.reason}")
            elif self.failure is None:
                self._show(message)
        self._note(member, None)
        if member.ended is None:
            self._bury(member)

    def _note(self, member: _Member, counts: Counts | None) -> None:
        """Keep what a member has counted; of one that is gone what stood and was used is over."""
        with self._counted:
            member.is_asked = False
            member.counts = counts or member.counts
            if counts is None and member.counts is not None:
                member.counts.standing = member.counts.resident = member.counts.descriptors = 0
            self._counted.notify_all()

    def _show(self, event: ProviderEvent) -> None:
        try:
            self._observe(event)
        except (OSError, PacsError) as error:
            # whoever wants the events has to know that there are no more
            self.failure = error
            self._lost()

    def _bury(self, member: _Member) -> None:
        with self._lock:
            member.is_gone = True
            standing, member.standing = member.standing, Counter()
            is_last = all(other.is_gone for other in self._members)
            self._places[member.number] = 0
        for address in standing.elements():
            self._gave_back(address)
        if self._is_draining:
            return
        self._warn(
            "a worker process has ended by itself: its associations are lost, "
            "what it acknowledged is kept"
        )
        if is_last:
            self.failure = OutputError(
                "no worker process is left to serve; were they killed for want of memory?"
            )
            self._lost()


class _Work:
    """What a member does, from the fork to its end."""

    def __init__(
        self,
        link: Link,
        number: int,
        settings: Settings,
        places: memoryview,
        shows_instances: bool,
        figures: Figures | None,
    ) -> None:
        self._link = link
        self._figures = figures
        self._number = number
        self._settings = settings
        self._places = places
        self._shows_instances = shows_instances
        self._threads: set[threading.Thread] = set()

    def run(self, open_for: Open) -> NoReturn:
        """Serve what is handed over until told to end; the process ends here."""
        status = 1
        try:
            # a Ctrl-C goes to the whole group, and the owner says what becomes of it
            for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(each, signal.SIG_IGN)
            self._serve(open_for)
            status = 0
        except (EOFError, BrokenPipeError):
            # the owner is gone, and what was to be told with it
            pass
        except BaseException as error:  # noqa: BLE001 - the owner tells
            with suppress(OSError):
                self._link.send(_Failed(f"{type(error).__name__}: {error}"))
        finally:
            # not sys.exit: what the owner has not yet written is not ours to write
            os._exit(status)

    def _serve(self, open_for: Open) -> None:
        _, descriptor = self._link.receive()
        assert descriptor is not None
        opened, queries = open_for(descriptor, self._number)
        provider = Provider(
            self._settings,
            opened.handler,
            self._observe,
            queries,
            self._places,
            self._number,
        )
        self._take(provider)
        # not after the owner's end, which is an EOFError: whoever starts next is to find the
        # archive free
        provider.drain()
        expiry = time.monotonic() + _END_SECONDS
        for thread in list(self._threads):
            thread.join(max(0.0, expiry - time.monotonic()))
        is_drained = not any(thread.is_alive() for thread in self._threads)
        is_trusted = opened.close() and is_drained
        self._link.send(_Ended(is_drained, is_trusted))

    def _take(self, provider: Provider) -> None:
        """Serve each connection in a thread of its own, until there are to be no more."""
        while True:
            message, descriptor = self._link.receive()
            if isinstance(message, _Ask):
                self._tell(_Counted(self._figures.snapshot() if self._figures else Counts()))
                continue
            if not isinstance(message, _Serve) or descriptor is None:
                return
            arguments = provider, connection(descriptor), message
            thread = threading.Thread(target=self._run_one, args=arguments, daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:
                self._threads.discard(thread)
                arguments[1].close()
                self._tell(_Served(message.address))

    def _run_one(self, provider: Provider, sock: socket.socket, message: _Serve) -> None:
        try:
            provider.serve(sock, message.address, message.number)
        finally:
            sock.close()
            self._threads.discard(threading.current_thread())
            self._tell(_Served(message.address))

    def _observe(self, event: ProviderEvent) -> None:
        if self._figures is not None:
            self._figures.observe(event)
        if self._shows_instances or not isinstance(event, InstanceReceived):
            self._tell(event)

    def _tell(self, message: object) -> None:
        """Tell the owner; should it be gone, the next look at the link ends this process."""
        with suppress(OSError):
            self._link.send(message)
