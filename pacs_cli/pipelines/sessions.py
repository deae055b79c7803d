"""The association of a sender, whose waits another thread can end."""

from __future__ import annotations

from collections.abc import Sequence

from pacs_cli.net.target import Target
from pacs_cli.pipelines.retry import Stop
from pacs_cli.services.scu import Session, Trace, Woken
from pacs_cli.wire.association import AssociationEvent, Deadline
from pacs_cli.wire.command import Priority
from pacs_cli.wire.negotiation import Proposal


class Stopped(Exception):
    """The wait was ended by this program, not by the peer."""


class SendSession(Session):
    """A session whose objects have a priority.

    stop  when another thread sets it, what is awaited raises Stopped and the association is to be
          aborted; None when only the thread itself can be interrupted
    """

    def __init__(
        self,
        target: Target,
        proposals: Sequence[Proposal],
        trace: Trace | None,
        priority: Priority = Priority.MEDIUM,
        stop: Stop | None = None,
    ) -> None:
        super().__init__(target, proposals, None, trace, stop.wakeup if stop else None)
        self.priority = priority

    def _wait(self, awaited: Deadline | None) -> AssociationEvent | Woken:
        event = super()._wait(awaited)
        if isinstance(event, Woken):
            raise Stopped
        return event
