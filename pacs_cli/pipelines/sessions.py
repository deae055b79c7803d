"""The association of a sender: with a priority, and with waits that another thread can end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum

from pacs_cli.net.channel import Channel
from pacs_cli.net.target import Target
from pacs_cli.pipelines.retry import Stop
from pacs_cli.services.scu import Session, Trace
from pacs_cli.wire.association import AssociationEvent, Deadline
from pacs_cli.wire.command import Command, CommandField
from pacs_cli.wire.message import Buffer
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.pdu import AssociateAccept


class Priority(IntEnum):
    """The priority of a C-STORE (PS3.7 9.1.1.1.7), which many peers do not look at."""

    MEDIUM = 0
    HIGH = 1
    LOW = 2


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
        self._priority = priority
        self._stop = stop
        super().__init__(target, proposals, trace=trace)

    def begin_store(
        self,
        context_id: int,
        affected_sop_class_uid: str,
        affected_sop_instance_uid: str,
        data: Iterable[Buffer],
    ) -> None:
        """Send one object and return once the system has its bytes; `finish_store` comes next."""
        elements: dict[str, int | str | tuple[int, ...]] = {
            "AffectedSOPClassUID": affected_sop_class_uid,
            "AffectedSOPInstanceUID": affected_sop_instance_uid,
            "Priority": int(self._priority),
        }
        request = Command(CommandField.C_STORE_RQ, elements, has_data_set=True)
        self._begin(context_id, request, data)

    def _associate(self) -> AssociateAccept:
        if self._stop is not None:
            # nothing was said over the other one
            self._channel = _Stoppable(self._channel, self._stop)
        return super()._associate()


class _Stoppable(Channel):
    """A channel in place of another that raises Stopped instead of waiting on."""

    def __init__(self, other: Channel, stop: Stop) -> None:
        super().__init__(other._sock, other.association, other.name, wakeup=stop.wakeup)
        self.write_timeout = other.write_timeout
        self._stop = stop

    def receive(self, total: Deadline | None = None) -> Iterator[AssociationEvent]:
        yield from super().receive(total)
        if self._stop.is_set:
            raise Stopped
