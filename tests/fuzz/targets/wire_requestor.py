"""What an acceptor says to our requestor, whole or begun in parts of the size of the first byte."""

from __future__ import annotations

from collections.abc import Iterator

from pacs_cli.wire.association import Role
from pacs_cli.wire.pdu import Abort, AssociateReject
from tests.wire.test_fuzz import REPLIED, feed


def seeds() -> Iterator[bytes]:
    for size in (0, 1, 7, 255):
        yield bytes((size,)) + REPLIED
    yield b"\0" + AssociateReject(1, 1, 3).encode()
    yield b"\0" + Abort(2, 6).encode()


def check(data: bytes) -> None:
    size = data[0] if data else 0
    feed(Role.REQUESTOR, data[1:], [size] * 64 if size else [])
