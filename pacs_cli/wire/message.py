"""Messages and their fragments: command set first, then its data set (PS3.7 6.3, PS3.8 E.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pacs_cli.errors import LocalProtocolError, PeerProtocolError
from pacs_cli.wire.command import MAX_COMMAND_SET, Command, decode_command
from pacs_cli.wire.negotiation import Context
from pacs_cli.wire.pdu import pdata_header

#: What is written: never copied, so the driver hands it to sendmsg as it is.
Buffer = bytes | memoryview

_IS_COMMAND = 1
_IS_LAST = 2


class CommandReceived(NamedTuple):
    """A whole command set arrived; if it has a data set, Fragment events follow."""

    context_id: int
    command: Command


class Fragment(NamedTuple):
    """A piece of the data set that belongs to the last command.

    data  a view into the receive buffer, valid until the next bytes are received
    """

    context_id: int
    data: memoryview
    is_last: bool


def fragments(
    context_id: int, control: int, buffers: Iterable[Buffer], size: int
) -> Iterable[Buffer]:
    """Return the P-DATA-TF headers and views that carry `buffers` as one fragmented message part.

    control  1 for a command set, 0 for a data set
    size     payload bytes of one PDV; each PDU has one PDV, which every peer understands
    """
    if size < 2:
        raise LocalProtocolError(f"fragments of {size} bytes")
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    total = sum(map(len, views))
    if total <= size:
        # most of all messages: an iteration for each piece would cost more than the rest
        return [pdata_header(context_id, control | _IS_LAST, total), *filter(len, views)]
    if len(views) == 1:
        return _cut(context_id, control, views[0], size)
    return _joined(context_id, control, views, size)


def _cut(context_id: int, control: int, view: memoryview, size: int) -> Iterator[Buffer]:
    """Yield what is sent in bulk: one view, cut without bookkeeping."""
    full_header = pdata_header(context_id, control, size)
    last = (len(view) - 1) // size * size
    for offset in range(0, last, size):
        yield full_header
        yield view[offset : offset + size]
    yield pdata_header(context_id, control | _IS_LAST, len(view) - last)
    yield view[last:]


def _joined(
    context_id: int, control: int, views: Sequence[memoryview], size: int
) -> Iterator[Buffer]:
    """Yield views as fragments that do not end where the views do."""
    full_header = pdata_header(context_id, control, size)
    remaining = sum(map(len, views))
    position = offset = 0
    while remaining:
        room = min(size, remaining)
        remaining -= room
        if remaining:
            yield full_header
        else:
            yield pdata_header(context_id, control | _IS_LAST, room)
        while room:
            view = views[position]
            piece = view[offset : offset + room]
            room -= len(piece)
            offset += len(piece)
            if offset == len(view):
                position, offset = position + 1, 0
            if piece:
                yield piece


class MessageReader:
    """Puts command sets together and checks the order of what arrives on an association."""

    def __init__(self, contexts: Mapping[int, Context]) -> None:
        self._contexts = contexts
        self._command = bytearray()
        self._command_context: int | None = None
        self._data_context: int | None = None

    def feed(
        self, context_id: int, control: int, payload: memoryview
    ) -> CommandReceived | Fragment | None:
        """Take one presentation data value; return what it completes.

        raises  PeerProtocolError on a context that was not accepted, data before a command, a
                command while a data set is open, another context in between, or a command set
                that is garbage or over 16 KiB
        """
        if not control & _IS_COMMAND:
            if context_id != self._data_context:
                raise PeerProtocolError("data set fragment that belongs to no command")
            if control & _IS_LAST:
                self._data_context = None
            return Fragment(context_id, payload, control & _IS_LAST != 0)
        context = self._contexts.get(context_id)
        if context is None or not context.is_accepted:
            raise PeerProtocolError(f"message on presentation context {context_id}, not accepted")
        if self._data_context is not None:
            raise PeerProtocolError("command while a data set is open")
        if self._command_context not in (None, context_id):
            raise PeerProtocolError("command continued on another presentation context")
        if len(self._command) + len(payload) > MAX_COMMAND_SET:
            raise PeerProtocolError(f"command set over {MAX_COMMAND_SET} bytes")
        if not control & _IS_LAST:
            self._command += payload
            self._command_context = context_id
            return None
        if self._command:
            payload = memoryview(self._command + payload)
            self._command = bytearray()
        self._command_context = None
        command = decode_command(payload)
        if command.has_data_set:
            self._data_context = context_id
        return CommandReceived(context_id, command)
