"""Echoes of one peer or of many at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pacs_cli.errors import Exit, NoAcceptedContext, PacsError, PeerFailure
from pacs_cli.net.target import Target
from pacs_cli.services.diagnosis import explain_context, explain_status
from pacs_cli.services.results import Phases
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    VERIFICATION_SOP_CLASS,
    Context,
    Proposal,
)

OFFER = (Proposal(VERIFICATION_SOP_CLASS, (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN)),)

#: Peers that are called at once: those that do not answer cost their timeout together.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Echoed:
    """What became of the echo of one peer; `error` is None when it answered with success.

    target  None when the configuration does not say where it is
    phases  None without an association, `seconds` of the echo without an answer
    """

    name: str
    target: Target | None
    status: int | None = None
    seconds: float | None = None
    phases: Phases | None = None
    error: PacsError | None = None


def verification_context(session: Session) -> Context:
    """Return the context over which echoes go; NoAcceptedContext when it was refused."""
    context = session.context_for(VERIFICATION_SOP_CLASS)
    if context is not None:
        return context
    refused = next(iter(session.contexts.values()))
    raise NoAcceptedContext(
        f"cannot echo {session.target}: verification was not accepted, "
        f"{explain_context(refused.result)}; the peer does not serve C-ECHO to this AE"
    )


def status_failure(target: Target, status: int) -> PeerFailure:
    """Return what to raise for an echo that was answered with a failure."""
    return PeerFailure(f"{target} answered C-ECHO with {explain_status(status)}", status)


def echo_once(name: str, target: Target) -> Echoed:
    """Echo a peer over an association of its own; what goes wrong is in what is returned."""
    try:
        with Session(target, OFFER) as session:
            result = session.echo(verification_context(session).id)
    except PacsError as error:
        if error.exit is Exit.BUG:
            raise
        return Echoed(name, target, error=error)
    failure = status_failure(target, result.status) if result.status else None
    return Echoed(name, target, result.status, result.seconds, session.phases, failure)


def echo_each(targets: Mapping[str, Target | PacsError]) -> Iterator[Echoed]:
    """Echo peers, some at once, and yield what became of each in the order of the names.

    targets  name -> where it is, or why that is not known
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, Echoed | BaseException]] = queue.SimpleQueue()
    for name in targets:
        waiting.put(name)

    def work() -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            place = targets[name]
            try:
                found = (
                    Echoed(name, None, error=place)
                    if isinstance(place, PacsError)
                    else echo_once(name, place)
                )
            except BaseException as error:  # noqa: BLE001 raised where it is waited for
                done.put((name, error))
            else:
                done.put((name, found))

    # daemons: on Ctrl-C nobody waits until a peer that does not answer has had its time
    for _ in range(min(_AT_ONCE, len(targets))):
        threading.Thread(target=work, daemon=True).start()
    yield from _in_order(list(targets), done)


def _in_order(
    names: Sequence[str], done: queue.SimpleQueue[tuple[str, Echoed | BaseException]]
) -> Iterator[Echoed]:
    arrived: dict[str, Echoed] = {}
    for name in names:
        while name not in arrived:
            other, found = done.get()
            if isinstance(found, BaseException):
                raise found
            arrived[other] = found
        yield arrived[name]
