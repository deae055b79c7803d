"""What would be sent, and over which presentation contexts; nobody is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pacs_cli.errors import InputError
from pacs_cli.pipelines.files import Passed
from pacs_cli.pipelines.items import Item, Sent
from pacs_cli.pipelines.loading import Loader
from pacs_cli.pipelines.supply import Pending, Supply
from pacs_cli.wire.negotiation import Proposal


@dataclass(frozen=True, slots=True)
class Round:
    """What the associations that carry the next items would propose."""

    number: int
    proposals: tuple[Proposal, ...]


def rehearse(
    supply: Supply, loader: Loader | None = None
) -> Iterator[Round | Item | Sent | Passed]:
    """Yield, in order, every round of associations and what would be sent in it.

    loader  loads every object, to see that it can be edited; None does not
    """
    number = 0
    while proposals := supply.next_round():
        number += 1
        yield Round(number, tuple(proposals))
        while (entry := supply.take()) is not None:
            if isinstance(entry, Pending):
                supply.claim(entry)
                yield _loaded(entry.item, loader)
            else:
                yield entry
    for rest in supply.rest():
        # without a round only what is told of is left
        assert isinstance(rest, Sent | Passed)
        yield rest


def _loaded(item: Item, loader: Loader | None) -> Item | Sent:
    if loader is not None:
        try:
            loader.load(item)
        except InputError as error:
            message = f"cannot send {item.path}: {error}"
            return Sent(item.path, item, None, message, exit=error.exit)
    return item
