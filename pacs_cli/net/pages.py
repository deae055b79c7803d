"""A few pages over HTTP/1.1 for who watches this process: no more, and bounded in every way.

One request for each connection, all of it within a few seconds, and few connections at once: so
neither those that are slow nor a flood of them cost more than that.

source  RFC 9110, RFC 9112
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from pacs_cli.net.listener import Caps, Listener

#: Seconds from the beginning of a connection to its end.
_TOTAL = 5.0
#: Bytes of a request; that of a browser with its cookies is the longest.
_MAX_REQUEST = 16 * 1024
#: A scraper and some probes come at once; half of it is left to others.
_CAPS = Caps(32, 16)

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Page(NamedTuple):
    """What is answered."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class Pages:
    """Serves in threads of its own until it is closed.

    pages   path -> gives the page; called from any thread
    port    0 for any free one; `address` and `port` tell what became of it
    raises  ConnectError when it cannot listen there
    """

    def __init__(
        self,
        host: str,
        port: int,
        pages: dict[str, Callable[[], Page]],
        warn: Callable[[str], None],
    ) -> None:
        self._pages = pages
        self._listener = Listener(host, port, _CAPS)
        self.address, self.port = self._listener.address, self._listener.port
        self._thread = threading.Thread(
            target=self._listener.serve, args=(self._serve, warn), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Accept no more; who is being answered has a moment for that."""
        self._listener.stop()
        self._thread.join()
        self._listener.close()
        self._listener.join(1.0)

    def _serve(self, sock: socket.socket, address: str) -> None:  # noqa: ARG002 - all are equal
        expiry = time.monotonic() + _TOTAL
        # a peer that is slow or gone has no answer
        with suppress(OSError):
            if (head := _request(sock, expiry)) is not None:
                self._answer(sock, head, expiry)

    def _answer(self, sock: socket.socket, head: bytes, expiry: float) -> None:
        method, page = self._page(head)
        lines = [
            f"HTTP/1.1 {page.status} {_REASONS[page.status]}",
            f"Content-Type: {page.content_type}",
            f"Content-Length: {len(page.body)}",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        if page.status == 405:
            lines.append("Allow: GET, HEAD")
        data = "\r\n".join((*lines, "", "")).encode() + (b"" if method == b"HEAD" else page.body)
        while data:
            _limit(sock, expiry)
            data = data[sock.send(data) :]
        # closed with something unread in it, the connection would be reset, our words with it
        sock.shutdown(socket.SHUT_WR)
        for _ in range(16):
            _limit(sock, expiry)
            if not sock.recv(4096):
                return

    def _page(self, head: bytes) -> tuple[bytes, Page]:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return b"", Page(400, b"not a request of HTTP/1.1\n")
        method, target = words[0], words[1].partition(b"?")[0]
        page = self._pages.get(target.decode("latin-1"))
        if page is None:
            known = ", ".join(self._pages)
            return method, Page(404, f"there are {known}\n".encode())
        if method not in (b"GET", b"HEAD"):
            return method, Page(405, b"only GET and HEAD\n")
        return method, page()


def _request(sock: socket.socket, expiry: float) -> bytes | None:
    """Return the head of a request, None when it does not come, whole, in time."""
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) > _MAX_REQUEST:
            return None
        _limit(sock, expiry)
        if not (data := sock.recv(4096)):
            return None
        head += data
    return head


def _limit(sock: socket.socket, expiry: float) -> None:
    """Let the next call wait until then at the most; raises TimeoutError when that is past."""
    if (left := expiry - time.monotonic()) <= 0:
        raise TimeoutError
    sock.settimeout(left)
