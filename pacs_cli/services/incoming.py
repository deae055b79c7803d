"""The object that is now on its way to a provider, and what takes its bytes."""

from __future__ import annotations

import time

from pacs_cli.services.faults import Fault
from pacs_cli.services.query_scp import Identifier
from pacs_cli.services.serving import Sink, StoreOutcome, StoreRequest
from pacs_cli.wire.command import Command


class Incoming:
    """The object now on its way."""

    def __init__(
        self,
        command: Command,
        request: StoreRequest,
        sink: Sink | Identifier,
        number: int,
        fault: Fault | None,
    ) -> None:
        self.command = command
        self.request = request
        self.sink = sink
        self.number = number
        self.fault = fault
        self.size = 0
        self.began = time.monotonic()

    def write(self, views: list[memoryview], size: int) -> None:
        """Hand on views of so many bytes."""
        self.size += size
        self.sink.write(views)


class Refusal:
    """A sink for what is refused before its first byte: drained, then answered."""

    def __init__(self, status: int, comment: str) -> None:
        self._outcome = StoreOutcome(status, comment)

    def write(self, views: object) -> None:
        """Drop the bytes."""

    def finish(self) -> StoreOutcome:
        """Give the refusal."""
        return self._outcome

    def discard(self) -> None:
        """Nothing was kept."""
