"""What a peer of the configuration may be called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="What it is called: letters, digits, - and _.", show_default=False
    ),
]

Known = Annotated[
    str, typer.Argument(metavar="PEER", help="A peer of the configuration.", show_default=False)
]


def reserved_words(context: typer.Context) -> set[str]:
    """Return the names of all commands, which mean something else where a peer may stand."""
    return set(_names(context.find_root().command))


def _names(group: Any) -> Iterator[str]:
    for row in group.rows:
        yield row.name
        command = group.get_command(None, row.name)
        if hasattr(command, "rows"):
            yield from _names(command)
