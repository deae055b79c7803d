"""Pages over HTTP: real sockets, slow clients and floods."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from pacs_cli.net.pages import Page, Pages


@pytest.fixture
def pages() -> Iterator[Pages]:
    served = Pages(
        "127.0.0.1",
        0,
        {
            "/there": lambda: Page(200, b"here\n"),
            "/ill": lambda: Page(503, b"no\n"),
            "/long": lambda: Page(200, b"x" * 20_000_000),
        },
        pytest.fail,
    )
    yield served
    served.close()


def get(pages: Pages, path: str, method: str = "GET") -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", pages.port, timeout=20)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read(), dict(response.getheaders())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "method", "status", "body"),
    [
        ("/there", "GET", 200, b"here\n"),
        ("/there?x=1", "GET", 200, b"here\n"),
        ("/there", "HEAD", 200, b""),
        ("/ill", "GET", 503, b"no\n"),
        ("/", "GET", 404, b"there are /there, /ill, /long\n"),
        ("/there/../../etc/passwd", "GET", 404, b"there are /there, /ill, /long\n"),
        ("/there", "POST", 405, b"only GET and HEAD\n"),
    ],
)
def test_request_has_its_answer(pages, path, method, status, body):
    found_status, found_body, headers = get(pages, path, method)
    assert (found_status, found_body) == (status, body)
    assert headers["Connection"] == "close"


def test_long_page_arrives_whole(pages):
    assert len(get(pages, "/long")[1]) == 20_000_000


@pytest.mark.parametrize("request_", [b"hello\r\n\r\n", b"GET /there\r\n\r\n", b"\0\xff\r\n\r\n"])
def test_what_is_no_request_is_400(pages, request_):
    with socket.create_connection(("127.0.0.1", pages.port)) as sock:
        sock.settimeout(10)
        sock.sendall(request_)
        assert sock.recv(100).startswith(b"HTTP/1.1 400 ")


def test_request_without_end_is_dropped(pages):
    with socket.create_connection(("127.0.0.1", pages.port)) as sock:
        sock.settimeout(10)
        with pytest.raises(ConnectionError):
            # far more than the system holds for us
            for _ in range(1000):
                sock.sendall(b"X-Padding: x\r\n" * 1000)


@pytest.mark.parametrize("begin", [b"", b"GET /there HTTP/1.1\r\n", b"GET /long HTTP/1.1\r\n\r\n"])
def test_who_is_slow_is_given_up(pages, begin, monkeypatch):
    monkeypatch.setattr("pacs_cli.net.pages._TOTAL", 0.3)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", pages.port)) as sock:
        sock.settimeout(10)
        sock.sendall(begin)
        if b"/long" not in begin:
            assert sock.recv(100) == b""
            assert 0.2 < time.monotonic() - began < 5
            return
        # it does not read; then there is an end to what comes
        threading.Event().wait(0.6)
        with pytest.raises(ConnectionError):
            size = 0
            while data := sock.recv(1_000_000):
                size += len(data)
            assert size < 20_000_000
            raise ConnectionResetError


def test_flood_of_idle_connections_leaves_the_threads_bounded(pages, monkeypatch):
    monkeypatch.setattr("pacs_cli.net.pages._TOTAL", 1.0)
    before = threading.active_count()
    held = [socket.create_connection(("127.0.0.1", pages.port)) for _ in range(200)]
    assert threading.active_count() - before <= 16
    # once they are given up it answers again
    status = 0
    for _ in range(100):
        try:
            status = get(pages, "/there")[0]
            break
        except OSError:
            threading.Event().wait(0.05)
    assert status == 200
    for sock in held:
        sock.close()
