"""The audit trail: messages on their way to a file and to syslog, never in the way of the rest.

Each destination has a bounded queue and a thread of its own. What cannot be written waits and is
tried again; when the queue is full, further messages are lost for that destination, counted, said,
and told in the trail itself once it goes on.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pacs_cli.errors import OutputError, PacsError
from pacs_cli.net.syslog import SyslogTls, SyslogUdp
from pacs_cli.services.audit import AuditMessage, Auditor
from pacs_cli.services.serving import ProviderEvent
from pacs_cli.services.shutter import Shutter
from pacs_cli.wire.syslog import Origin, message

#: Messages that wait for one destination, and their bytes: hours of a busy archive, as there is one
#: for each study and association.
_MAX_WAITING = 10_000
_MAX_BYTES = 32 * 1024 * 1024

#: Seconds until what failed is tried again: the first time, and at the most.
_AGAIN, _MAX_AGAIN = 0.5, 30.0


class Destination(Protocol):
    """Where messages go. One thread uses it."""

    @property
    def name(self) -> str:
        """As it was typed."""

    def write(self, audited: AuditMessage) -> None:
        """Write one message, whole or not at all; raises OSError or PacsError."""

    def reopen(self) -> None:
        """Begin anew, as its file may have been moved away; raises as `write`."""

    def close(self) -> None:
        """Close it."""


class AuditFile:
    """One message in each line of a file that its owner alone may read, appended.

    raises  OutputError when it cannot be written
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        try:
            self._number = _opened(path)
        except OSError as error:
            raise OutputError(
                f"cannot write the audit file {path}: {(error.strerror or str(error)).lower()}"
            ) from None

    @property
    def is_private(self) -> bool:
        """Whether nobody but its owner may read it."""
        return not os.fstat(self._number).st_mode & 0o077

    def write(self, audited: AuditMessage) -> None:
        """Append one line, all of it or nothing."""
        data = audited.xml.encode() + b"\n"
        written = 0
        before = os.fstat(self._number).st_size
        try:
            while written < len(data):
                written += os.write(self._number, data[written:])
        except OSError:
            # the beginning of a line on a full disk would make one with the next
            if written and os.fstat(self._number).st_size == before + written:
                os.ftruncate(self._number, before)
            raise

    def reopen(self) -> None:
        """Go on in the file of that name; in the one that is open when there can be none."""
        number = _opened(self._path)
        os.close(self._number)
        self._number = number

    def close(self) -> None:
        """Close the file."""
        os.close(self._number)


def _opened(path: Path) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    number = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(0, "it is no ordinary file")
    return number


class SyslogDestination:
    """Messages as syslog has them."""

    def __init__(self, name: str, peer: SyslogUdp | SyslogTls, origin: Origin) -> None:
        self.name = name
        self._peer = peer
        self._origin = origin

    def write(self, audited: AuditMessage) -> None:
        """Send one message."""
        text = f'<?xml version="1.0" encoding="UTF-8"?>{audited.xml}'
        self._peer.send(message(self._origin, audited.time, audited.severity, text))

    def reopen(self) -> None:
        """Nothing is to be opened again."""

    def close(self) -> None:
        """End the connection."""
        self._peer.close()


class AuditTrail:
    """Makes messages of what happens, and has them written. Any thread may call it.

    shutter  shut while a destination cannot be written, where that is wanted
    clock    seconds since the epoch
    """

    def __init__(
        self,
        auditor: Auditor,
        destinations: Sequence[Destination],
        warn: Callable[[str], None],
        shutter: Shutter | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._auditor = auditor
        self._clock = clock
        self._shutter = shutter
        self._lock = threading.Lock()
        self._writers = [_Writer(each, warn, self._lost, self._judge) for each in destinations]

    @property
    def is_failing(self) -> bool:
        """Whether a destination could not be written when that was tried last."""
        return any(writer.is_failing for writer in self._writers)

    def figures(self) -> tuple[int, int]:
        """Return how many messages wait, and how many are lost, for all destinations."""
        pairs = [writer.figures() for writer in self._writers]
        return sum(waiting for waiting, _ in pairs), sum(lost for _, lost in pairs)

    def started(self, seconds: float) -> None:
        """Tell that the application serves; wait for so long until that is written, or cannot be.

        Only who wants to serve with an audit trail alone has to wait.
        """
        self._add(self._auditor.started(self._now()))
        if self._shutter is not None:
            expiry = time.monotonic() + seconds
            for writer in self._writers:
                writer.await_first(expiry - time.monotonic())

    def observe(self, event: ProviderEvent) -> None:
        """Tell of an event, if there is a message for it; never waits."""
        if (audited := self._auditor.of(self._now(), event)) is not None:
            self._add(audited)

    def reopen(self) -> None:
        """Go on in new files, as the old ones may have been moved away."""
        for writer in self._writers:
            writer.reopen()

    def stop(self, seconds: float, is_failure: bool = False) -> int:
        """Tell that the application has ended, and write what waits; nothing may follow.

        returns  how many messages were lost, for all destinations
        """
        self._add(self._auditor.stopped(self._now(), is_failure))
        expiry = time.monotonic() + seconds
        for writer in self._writers:
            writer.end(expiry)
        return sum(writer.join(expiry) for writer in self._writers)

    def _add(self, audited: AuditMessage) -> None:
        for writer in self._writers:
            writer.add(audited)

    def _lost(self, count: int, reason: str) -> AuditMessage:
        return self._auditor.lost(self._now(), count, reason)

    def _judge(self) -> None:
        if self._shutter is not None:
            with self._lock:
                self._shutter.set(self.is_failing)

    def _now(self) -> str:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Writer:
    """Writes to one destination, in a thread of its own."""

    def __init__(
        self,
        destination: Destination,
        warn: Callable[[str], None],
        lost: Callable[[int, str], AuditMessage],
        judge: Callable[[], None],
    ) -> None:
        self._destination = destination
        self._warn = warn
        self._tell_lost = lost
        self._judge = judge
        self._changed = threading.Condition()
        self._waiting: deque[AuditMessage] = deque()
        self._size = 0
        self._missing = self._lost = 0
        self._reason = ""
        self._has_written = self._is_to_reopen = False
        self._expiry: float | None = None
        self.is_failing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, audited: AuditMessage) -> None:
        """Queue a message, or count it as lost when the queue is full."""
        size = len(audited.xml)
        with self._changed:
            if len(self._waiting) >= _MAX_WAITING or self._size + size > _MAX_BYTES:
                self._missing += 1
                is_first = self._missing == 1
            else:
                self._waiting.append(audited)
                self._size += size
                is_first = False
                self._changed.notify_all()
        if is_first:
            self._warn(
                f"audit messages for {self._destination.name} are lost from now on: too many wait"
            )

    def reopen(self) -> None:
        """Begin anew before the next message."""
        with self._changed:
            self._is_to_reopen = True
            self._changed.notify_all()

    def figures(self) -> tuple[int, int]:
        """Return how many messages wait, and how many are lost."""
        with self._changed:
            return len(self._waiting), self._lost + self._missing

    def await_first(self, seconds: float) -> None:
        """Wait until the first message is written, or could not be."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_written or self.is_failing, max(seconds, 0))

    def end(self, expiry: float) -> None:
        """Write what waits until then, and end."""
        with self._changed:
            self._expiry = expiry
            self._changed.notify_all()

    def join(self, expiry: float) -> int:
        """Wait for the end; return how many messages were lost."""
        self._thread.join(max(0.0, expiry - time.monotonic()))
        with self._changed:
            left, self._lost = len(self._waiting) + self._missing, self._lost
            self._waiting.clear()
        if left:
            reason = self._reason or "there was no time to write them"
            self._warn(f"{left} audit messages for {self._destination.name} are lost: {reason}")
        return self._lost + left

    def _run(self) -> None:
        pause = _AGAIN
        while (audited := self._next()) is not None:
            try:
                self._destination.write(audited)
            except (OSError, PacsError) as error:
                if getattr(error, "errno", None) == errno.EMSGSIZE:
                    # longer than a datagram can be, today and tomorrow
                    self._done(audited, is_lost=True)
                    continue
                self._failed(error)
                if not self._is_to_try_again(pause):
                    break
                pause = min(2 * pause, _MAX_AGAIN)
            else:
                pause = _AGAIN
                self._done(audited)
        with suppress(OSError, PacsError):
            self._destination.close()

    def _next(self) -> AuditMessage | None:
        """Wait for the next message; None when all is over."""
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._waiting or self._is_to_reopen or self._expiry is not None
                )
                is_to_reopen, self._is_to_reopen = self._is_to_reopen, False
                if not is_to_reopen:
                    return self._waiting[0] if self._waiting else None
            try:
                self._destination.reopen()
            except (OSError, PacsError) as error:
                self._warn(f"cannot reopen {self._destination.name}: {_words(error)}")

    def _is_to_try_again(self, pause: float) -> bool:
        """Wait before what failed is tried again; False when there is no time for that."""
        with self._changed:
            if self._expiry is not None:
                return False
            # when the end comes, once more
            self._changed.wait_for(lambda: self._is_to_reopen or self._expiry is not None, pause)
            return True

    def _failed(self, error: OSError | PacsError) -> None:
        with self._changed:
            was_failing, self.is_failing = self.is_failing, True
            self._reason = _words(error)
            self._changed.notify_all()
        self._judge()
        if not was_failing:
            self._warn(
                f"audit messages cannot be written to {self._destination.name}: {self._reason}; "
                f"they wait, {_MAX_WAITING} of them at the most"
            )

    def _done(self, audited: AuditMessage, is_lost: bool = False) -> None:
        """Forget a message that is written, or never can be."""
        with self._changed:
            self._waiting.popleft()
            self._size -= len(audited.xml)
            self._missing += is_lost
            was_failing, self.is_failing = self.is_failing, False
            missing, reason = 0, "it was too long" if is_lost else self._reason
            if not self._waiting or was_failing:
                missing, self._missing = self._missing, 0
            self._lost += missing
            self._has_written = True
            self._changed.notify_all()
        if was_failing:
            self._judge()
            self._warn(f"audit messages are written to {self._destination.name} again")
        if missing:
            self._warn(f"{missing} audit messages for {self._destination.name} are lost")
            self.add(self._tell_lost(missing, reason or "too many waited"))


def _words(error: OSError | PacsError) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    return str(error)
