"""Faults that a provider commits on purpose, so that others can test what they do about them.

A plan only says what is due; the provider asks it at fixed points and does it. `every=N` behind a
fault limits it to each N-th object, or to each N-th connection where it concerns a connection.
"""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pacs_cli.errors import PacsError, UsageError, nearest
from pacs_cli.net.channel import Wakeup
from pacs_cli.services.results import StoreResult

#: What `garbage` answers with: no PDU type of PS3.8 9.3, and a length nobody should wait for.
GARBAGE = bytes(range(0xFF, 0xDF, -1))

#: A week: no peer waits longer, and the system's timers overflow somewhere above.
_MAX_SECONDS = 604_800
_MAX_COUNT = 2**62

_STATUS = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{4})")


class FaultKind(StrEnum):
    """The faults there are, by the names they are asked for with."""

    REFUSE = "refuse"
    REJECT = "reject"
    DELAY_ACCEPT = "delay-accept"
    DELAY = "delay"
    STATUS = "status"
    WARNING = "warning"
    NO_ANSWER = "no-answer"
    GARBAGE = "garbage"
    ABORT_AFTER = "abort-after"
    CLOSE_AFTER = "close-after"


_ENDINGS = (FaultKind.ABORT_AFTER, FaultKind.CLOSE_AFTER)
_ANSWERS = (FaultKind.STATUS, FaultKind.WARNING, FaultKind.NO_ANSWER, FaultKind.GARBAGE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; of the values only that of its kind means anything.

    spec       as it was typed
    every      each N-th object or connection only
    rejection  result, source and reason (PS3.8 table 9-21), reserved numbers included
    size       bytes of data sets in one association, at least
    """

    kind: FaultKind
    spec: str
    every: int = 1
    rejection: tuple[int, int, int] = (1, 1, 1)
    seconds: float = 0.0
    status: int = 0
    size: int = 0

    def is_due(self, number: int) -> bool:
        """Whether it concerns the object or connection of that number, counted from 1.

        0 is what is not counted, as a C-ECHO; only a fault that is always due concerns it.
        """
        return self.every == 1 or (number > 0 and number % self.every == 0)

    def __str__(self) -> str:
        return f"--fault {self.spec}"


class FaultInjected(PacsError):
    """Ends an association as a fault wants it; raised and caught inside a provider."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What a provider is to do wrong, and when. It has no state: any thread may ask.

    Of several faults that are due at one point the first that was asked for is committed; delays
    add up. Connections and objects are counted over the whole run of the provider, so that
    `every` also means something to a peer that opens an association for each object.
    """

    faults: tuple[Fault, ...] = ()

    def on_connect(self, connection: int) -> Fault | None:
        """Return `refuse` when this connection is to be closed unread."""
        return self._first(connection, (FaultKind.REFUSE,))

    def accept_delay(self, connection: int) -> float:
        """Return the seconds to wait before an association request is answered."""
        return self._seconds(connection, FaultKind.DELAY_ACCEPT)

    def on_request(self, connection: int) -> tuple[int, int, int] | None:
        """Return result, source and reason when an association request is to be rejected."""
        fault = self._first(connection, (FaultKind.REJECT,))
        return fault.rejection if fault else None

    def on_data(self, connection: int, size: int) -> Fault | None:
        """Return how the association ends after `size` bytes of data sets, if it is to end.

        `abort-after` is an A-ABORT, `close-after` a connection that is gone without a word.
        """
        return self._first(connection, _ENDINGS, size)

    def on_store(self, number: int) -> Fault | None:
        """Return what goes wrong with the answer to one C-STORE.

        `status`     the object is not stored, and this failure is the answer
        `warning`    it is stored; when that is a success, this warning is the answer
        `no-answer`  it is stored, and nothing is said
        `garbage`    it is stored, and `GARBAGE` is said
        """
        return self._first(number, _ANSWERS)

    def response_delay(self, number: int = 0) -> float:
        """Return the seconds to wait before a response; `number` is that of the object, if any."""
        return self._seconds(number, FaultKind.DELAY)

    def _first(self, number: int, kinds: tuple[FaultKind, ...], size: int = 0) -> Fault | None:
        # a loop, for it is asked for each object and nearly always of no fault at all
        for fault in self.faults:
            if fault.kind in kinds and fault.is_due(number) and size >= fault.size:
                return fault
        return None

    def _seconds(self, number: int, kind: FaultKind) -> float:
        seconds = 0.0
        for fault in self.faults:
            if fault.kind is kind and fault.is_due(number):
                seconds += fault.seconds
        return seconds


def parse_faults(specs: Iterable[str]) -> FaultPlan:
    """Return the plan of all values of `--fault`, the forms of which are in `FORMS`.

    raises  UsageError naming the value, what is wrong with it, and the nearest known name
    """
    return FaultPlan(tuple(map(_fault, specs)))


def pause(seconds: float, wakeup: Wakeup) -> None:
    """Wait so long, or until the wakeup is set: what a fault delays does not delay the end."""
    if seconds <= 0:
        return
    poll = select.poll()
    poll.register(wakeup, select.POLLIN)
    poll.poll(seconds * 1000)


def _fault(spec: str) -> Fault:
    try:
        return _parsed(spec)
    except ValueError as error:
        raise UsageError(f"cannot use --fault {spec!r}: {error}") from None


def _parsed(spec: str) -> Fault:
    pieces = spec.split(",")
    modifiers = []
    while len(pieces) > 1 and "=" in pieces[-1]:
        modifiers.append(pieces.pop())
    name, equals, argument = ",".join(pieces).partition("=")
    if name not in _PARSERS:
        raise ValueError(f"there is no {name!r}{_nearest(name, FORMS)}")
    kind = FaultKind(name)
    form, parse = FORMS[kind], _PARSERS[kind]
    if parse is None and equals:
        raise ValueError(f"{name} takes no value")
    if parse is not None and not equals and "[" not in form:
        raise ValueError(f"{name} needs a value: {form}")
    values = parse(argument) if parse and equals else {}
    return Fault(kind, spec, _every(modifiers), **values)


def _every(modifiers: Sequence[str]) -> int:
    every = 1
    for name, _, value in (each.partition("=") for each in modifiers):
        if name != "every":
            raise ValueError(f"there is no {name!r}{_nearest(name, ['every'])}")
        every = _whole(value, "every=N", 1)
    return every


def _rejection(text: str) -> dict[str, Any]:
    numbers = [_whole(each, "a number of a rejection", 0) for each in text.split(",")]
    if len(numbers) != 3 or max(numbers) > 255:
        raise ValueError("a rejection is RESULT,SOURCE,REASON, each from 0 to 255, as in 1,1,7")
    return {"rejection": tuple(numbers)}


def _duration(text: str) -> dict[str, Any]:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    # not-a-number is in no range
    if not 0 < seconds <= _MAX_SECONDS:
        raise ValueError(f"{text!r} is not seconds, above 0 and at most {_MAX_SECONDS}")
    return {"seconds": seconds}


def _size(text: str) -> dict[str, Any]:
    return {"size": _whole(text, "BYTES", 1)}


def _whole(text: str, what: str, least: int) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    if not is_number or not least <= int(text) <= _MAX_COUNT:
        raise ValueError(f"{what} is a whole number from {least}, not {text!r}")
    return int(text)


def _failure(text: str) -> dict[str, Any]:
    status = _status(text)
    if StoreResult(status, "", 0.0).is_stored:
        # the sender would delete what nobody has
        raise ValueError(f"{text} says that the object is kept, and it is not; see warning=")
    return {"status": status}


def _warning(text: str) -> dict[str, Any]:
    status = _status(text)
    if not StoreResult(status, "", 0.0).is_warning:
        raise ValueError(f"{text} is not a warning, as B000, B006 and B007 are; see status=")
    return {"status": status}


def _status(text: str) -> int:
    match = _STATUS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a status of four hexadecimal digits, as A700")
    return int(match[1], 16)


def _nearest(word: str, known: Collection[str]) -> str:
    return nearest(word, known) or f"; choose from {', '.join(known)}"


#: How each fault is written, for the help.
FORMS: dict[FaultKind, str] = {
    FaultKind.REFUSE: "refuse",
    FaultKind.REJECT: "reject[=RESULT,SOURCE,REASON]",
    FaultKind.DELAY_ACCEPT: "delay-accept=SECONDS",
    FaultKind.DELAY: "delay=SECONDS",
    FaultKind.STATUS: "status=XXXX",
    FaultKind.WARNING: "warning=BXXX",
    FaultKind.NO_ANSWER: "no-answer",
    FaultKind.GARBAGE: "garbage",
    FaultKind.ABORT_AFTER: "abort-after=BYTES",
    FaultKind.CLOSE_AFTER: "close-after=BYTES",
}

#: What reads the value of each; None where there is none.
_PARSERS: dict[FaultKind, Callable[[str], dict[str, Any]] | None] = {
    FaultKind.REFUSE: None,
    FaultKind.REJECT: _rejection,
    FaultKind.DELAY_ACCEPT: _duration,
    FaultKind.DELAY: _duration,
    FaultKind.STATUS: _failure,
    FaultKind.WARNING: _warning,
    FaultKind.NO_ANSWER: None,
    FaultKind.GARBAGE: None,
    FaultKind.ABORT_AFTER: _size,
    FaultKind.CLOSE_AFTER: _size,
}
