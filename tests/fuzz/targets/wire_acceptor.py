"""What a requestor says to our acceptor, whole or begun in parts of the size of the first byte."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.wire.association import Role
from tests.wire.dialogue import conversation
from tests.wire.test_fuzz import ASKED, feed


def seeds() -> Iterator[bytes]:
    for size in (0, 1, 7, 255):
        yield bytes((size,)) + ASKED
    yield b"\0" + conversation(b"")[0]


def check(data: bytes) -> None:
    size = data[0] if data else 0
    feed(Role.ACCEPTOR, data[1:], [size] * 64 if size else [])
