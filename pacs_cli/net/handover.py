"""Messages between the processes of one program, which may carry an open connection or file."""

from __future__ import annotations

import pickle
import socket
import threading
from typing import Any

#: A message is as long as what a peer may say of itself and of an object; far below this.
_MAX_MESSAGE = 256 * 1024


class Link:
    """One end of a pair. One thread receives; any may send."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()

    def send(self, message: object, descriptor: int | None = None) -> None:
        """Send a message, and the use of an open descriptor with it.

        raises  OSError when the other end is gone or takes no more descriptors
        """
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with self._sending:
            if descriptor is None:
                self._sock.send(data)
            else:
                socket.send_fds(self._sock, [data], [descriptor])

    def receive(self) -> tuple[Any, int | None]:
        """Wait for the next message; the descriptor that came with it is ours to close.

        raises  EOFError when the other end is gone
        """
        try:
            data, descriptors, _, _ = socket.recv_fds(self._sock, _MAX_MESSAGE, 1)
        except ConnectionError:
            data, descriptors = b"", []
        if not data:
            raise EOFError
        return pickle.loads(data), descriptors[0] if descriptors else None

    def close(self) -> None:
        """Close this end."""
        self._sock.close()


def pair() -> tuple[Link, Link]:
    """Return both ends. What is sent arrives whole, in order, and from this program alone."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for sock in (ours, theirs):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _MAX_MESSAGE)
    return Link(ours), Link(theirs)


def connection(descriptor: int) -> socket.socket:
    """Return the socket of a descriptor that came with a message."""
    return socket.socket(fileno=descriptor)
