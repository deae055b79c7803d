"""One operation of a peer that has more than one answer, from its request to the last of them.

source  PS3.7 9.3.2 to 9.3.4 (C-FIND, C-GET, C-MOVE), 9.3.2.3 (C-CANCEL)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from pacs_cli.errors import AssociationError, PeerProtocolError
from pacs_cli.net.channel import Channel
from pacs_cli.wire.association import (
    Aborted,
    AssociationEvent,
    Closed,
    CommandReceived,
    Deadline,
    ReleaseRequested,
)
from pacs_cli.wire.command import Command, CommandField, Value, encode_command, response_to
from pacs_cli.wire.message import Buffer, Fragment

#: Seconds between two looks at whether the peer has said something: it asks that a C-CANCEL acts
#: at once, and a look costs two system calls.
_LOOK = 0.05

#: Pending responses that are written together: one at a time costs a third of an answer's time.
_QUEUE = 32


#: Seconds for the answer to what was begun, once the provider is to end: it has ten in all.
_LAST = 3.0


class PeerLeft(Exception):
    """The peer ended the association in the middle; `how` is as in AssociationEnded."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how


class Conversation:
    """The acceptor's side of an operation. One thread uses it.

    is_cancelled  whether a C-CANCEL for it came
    is_stopping   says whether the provider is to end
    patience      seconds for the peer's answer to a sub-operation
    """

    def __init__(
        self,
        channel: Channel,
        context_id: int,
        request: Command,
        is_stopping: Callable[[], bool],
        patience: float,
    ) -> None:
        self.request = request
        self.is_cancelled = False
        self._channel = channel
        self._association = channel.association
        self._context_id = context_id
        self._is_stopping = is_stopping
        self._patience = patience
        self._looked = time.monotonic()
        self._failure: Exception | None = None
        self._sub_operation = 0
        self._response: Command | None = None
        self._pending: tuple[int, bytes] = (-1, b"")
        self._queued = 0

    def respond(
        self,
        status: int,
        elements: Mapping[str, Value] | None = None,
        identifier: bytes | None = None,
    ) -> None:
        """Send one response; raises what the connection does, PeerLeft when there is none."""
        self.check()
        response = response_to(self.request, status, **(elements or {}))
        data = None if identifier is None else (identifier,)
        command = encode_command(replace(response, has_data_set=data is not None))
        self._association.send(self._context_id, command, data)
        self._channel.flush()

    def queue(self, status: int, identifier: bytes) -> None:
        """Send a pending response, soon: many are written at once, and none waits past a look.

        raises  as `respond`
        """
        self.check()
        if self._pending[0] != status:
            response = replace(response_to(self.request, status), has_data_set=True)
            self._pending = status, encode_command(response)
        self._association.send(self._context_id, self._pending[1], (identifier,))
        self._queued += 1
        if self._queued >= _QUEUE:
            self._queued = 0
            self._channel.flush()

    def is_over(self) -> bool:
        """Whether to stop: it was cancelled, the peer has gone, or the provider ends.

        It may be asked all the time and never raises; `check` does.
        """
        if time.monotonic() - self._looked >= _LOOK:
            self.look()
        return self.is_cancelled or self._failure is not None or self._is_stopping()

    def look(self) -> None:
        """Take what the peer has said by now."""
        self._looked = time.monotonic()
        try:
            if self._queued and self._failure is None:
                self._queued = 0
                self._channel.flush()
            while self._failure is None and self._channel.has_arrived():
                self._receive(None)
        except (AssociationError, OSError) as error:
            self._failure = error

    def await_other(self, descriptor: int, seconds: float, is_writing: bool = False) -> bool:
        """Wait for something else to become readable, or to take bytes; False when that is too
        late, or over.
        """
        expiry = time.monotonic() + seconds
        while not self.is_over() and (left := expiry - time.monotonic()) > 0:
            if self._channel.await_other(descriptor, left, is_writing):
                return True
            self.look()
        return False

    def await_room(self, descriptor: int, seconds: float) -> bool:
        """Wait for something else to take bytes; False when that is too late, or over."""
        return self.await_other(descriptor, seconds, is_writing=True)

    def check(self) -> None:
        """Raise what ended the conversation, if anything did."""
        if self._failure is not None:
            raise self._failure

    def store(self, context_id: int, command: Command, data: Iterable[Buffer]) -> int:
        """Send a C-STORE-RQ over the same association and return the status of its answer.

        A C-CANCEL that comes meanwhile is noted: what was begun is ended (PS3.4 C.4.3.1.4).

        raises  PeerLeft, PeerTimeout, PeerProtocolError, OSError
        """
        self.check()
        self._sub_operation = self._sub_operation % 0xFFFF + 1
        elements = {**command.elements, "MessageID": self._sub_operation}
        self._response = None
        self._association.send(
            context_id, encode_command(replace(command, elements=elements)), data
        )
        self._channel.flush()
        awaited = Deadline("an answer to C-STORE-RQ", self._patience, self._sub_operation)
        while (response := self._answer()) is None:
            if self._is_stopping():
                # another serial: a wait of its own
                awaited = Deadline(
                    awaited.awaiting, min(self._patience, _LAST), self._sub_operation + 0x10000
                )
            self._receive(awaited)
            self.check()
        return response.status

    def take(self, command: Command) -> None:
        """Take what the peer says meanwhile: a C-CANCEL, or the answer to a sub-operation."""
        is_awaited = self._sub_operation and self._response is None
        if command.field == CommandField.C_CANCEL_RQ:
            self.is_cancelled |= command.message_id == self.request.message_id
        elif (
            is_awaited
            and command.field == CommandField.C_STORE_RSP
            and command.message_id == self._sub_operation
        ):
            self._response = command
        else:
            # one operation at a time is what was negotiated (PS3.7 D.3.3.3)
            self._association.abort(2, 6)
            self._failure = PeerProtocolError(
                f"{command.name} while {self.request.name} is being answered"
            )

    def _answer(self) -> Command | None:
        return self._response

    def _receive(self, awaited: Deadline | None) -> None:
        # to be exhausted, whatever the events are
        for event in self._channel.receive(awaited):
            if self._failure is None:
                self._take(event)

    def _take(self, event: AssociationEvent) -> None:
        if isinstance(event, CommandReceived):
            self.take(event.command)
        elif isinstance(event, Fragment):
            # of a C-CANCEL or an answer, which should have no data set
            return
        elif isinstance(event, ReleaseRequested):
            self._association.confirm_release()
            self._failure = PeerLeft("released")
        elif isinstance(event, Aborted):
            self._failure = PeerLeft("aborted")
        else:
            self._failure = PeerLeft("closed" if isinstance(event, Closed) else "released")
