"""The listener: caps, stopping, running out of descriptors."""

from __future__ import annotations

import errno
import os
import socket
import threading

import pytest

from pacs_cli.errors import ConnectError
from pacs_cli.net.listener import Caps, Listener


@pytest.fixture
def serving():
    """Start a listener with a handler; stop it in the end."""
    started: list[tuple[Listener, threading.Thread]] = []

    def start(handle, caps: Caps | None = None, warn=None) -> Listener:
        listener = Listener("127.0.0.1", 0, caps)
        thread = threading.Thread(target=listener.serve, args=(handle, warn or (lambda _: None)))
        thread.start()
        started.append((listener, thread))
        return listener

    yield start
    for listener, thread in started:
        listener.stop()
        thread.join(10)
        assert not thread.is_alive()
        listener.close()


def greet(sock: socket.socket, address: str) -> None:
    sock.sendall(address.encode())
    sock.recv(1)


def test_each_connection_is_handled_with_its_address(serving):
    listener = serving(greet)
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", listener.port)) as sock:
            assert sock.recv(100) == b"127.0.0.1"
    assert listener.join(10)


def test_connection_over_the_cap_is_closed_and_a_freed_place_is_used(serving):
    listener = serving(greet, Caps(connections=10, per_address=1))
    with socket.create_connection(("127.0.0.1", listener.port)) as first:
        assert first.recv(100) == b"127.0.0.1"
        with socket.create_connection(("127.0.0.1", listener.port)) as second:
            assert second.recv(100) == b""
    assert listener.join(10)
    with socket.create_connection(("127.0.0.1", listener.port)) as third:
        assert third.recv(100) == b"127.0.0.1"


def test_stop_leaves_what_was_accepted(serving):
    listener = serving(greet)
    with socket.create_connection(("127.0.0.1", listener.port)) as sock:
        assert sock.recv(100) == b"127.0.0.1"
        listener.stop()
        assert not listener.join(0.01)
    assert listener.join(10)


def test_running_out_of_descriptors_is_told_and_survived(serving, monkeypatch):
    warnings: list[str] = []
    told = threading.Event()
    accept = socket.socket.accept
    failures = iter([OSError(errno.EMFILE, "Too many open files")])

    def failing_accept(sock):
        for failure in failures:
            raise failure
        return accept(sock)

    def warn(text: str) -> None:
        warnings.append(text)
        told.set()

    monkeypatch.setattr(socket.socket, "accept", failing_accept)
    listener = serving(greet, warn=warn)
    with socket.create_connection(("127.0.0.1", listener.port)) as sock:
        assert told.wait(10)
        assert sock.recv(100) == b"127.0.0.1"
    assert warnings == ["cannot accept a connection: Too many open files; waiting for one to end"]


def test_thread_that_cannot_be_started_costs_that_connection_alone(serving, monkeypatch):
    warnings: list[str] = []
    start = threading.Thread.start
    failures = iter([RuntimeError("can't start new thread")])
    listener = serving(greet, warn=warnings.append)

    def failing_start(thread: threading.Thread) -> None:
        for failure in failures:
            raise failure
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", failing_start)
    with socket.create_connection(("127.0.0.1", listener.port)) as refused:
        assert refused.recv(100) == b""
    with socket.create_connection(("127.0.0.1", listener.port)) as sock:
        assert sock.recv(100) == b"127.0.0.1"
    assert warnings == ["cannot start a thread for a connection; waiting for one to end"]


def test_handler_that_fails_gives_its_place_back(serving, monkeypatch):
    failures: list[type] = []
    monkeypatch.setattr(threading, "excepthook", lambda raised: failures.append(raised.exc_type))

    def fail(sock: socket.socket, address: str) -> None:
        raise ValueError("a bug")

    listener = serving(fail, Caps(connections=1))
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", listener.port)) as sock:
            assert sock.recv(100) == b""
        assert listener.join(10)
    assert failures == [ValueError, ValueError]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("a..b", "not a host name; check the address"),
        ("a\0b", "check the address"),
        ("no.such.host.invalid", "check the address"),
        ("192.0.2.1", "cannot assign requested address; check the address"),
    ],
)
def test_address_that_cannot_be_listened_on_is_told_on_one_line(host, words):
    with pytest.raises(ConnectError, match=words) as caught:
        Listener(host, 0)
    assert "\n" not in str(caught.value)


def test_port_in_use_is_told():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConnectError, match="address already in use; choose another port"):
            Listener("127.0.0.1", port)


def test_a_byte_from_a_signal_handler_ends_serving():
    """As signal.set_wakeup_fd writes one: a signal must not be missed between two waits."""
    listener = Listener("127.0.0.1", 0)
    os.write(listener.wake_descriptor, b"\x0f")
    # it would serve for ever
    listener.serve(lambda sock, address: None, print)
    listener.close()
