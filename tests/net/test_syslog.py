"""Syslog over UDP and TLS, on real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import replace

import pytest

from pacs_cli.errors import ConnectError
from pacs_cli.net.syslog import SyslogTls, SyslogUdp
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.net.tls import TlsClient, TlsSettings
from tests.collectors import Collector, collecting


def target(port: int, host: str = "127.0.0.1") -> Target:
    return Target("syslog", host, port, timeouts=Timeouts(connect=5))


def tls_peer(collector: Collector, settings: TlsSettings) -> SyslogTls:
    return SyslogTls(replace(target(collector.port), tls=TlsClient(settings)))


def test_datagrams_arrive_whole():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        peer = SyslogUdp(target(receiver.getsockname()[1]))
        for text in (b"<85>1 first", b"x" * 32_000):
            peer.send(text)
            assert receiver.recv(65_536) == text
        peer.close()


def test_datagram_to_nobody_is_found_out_and_comes_once_somebody_listens():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
    peer = SyslogUdp(target(port))
    try:
        peer.send(b"first")
        for _ in range(2):
            # also when it is tried again
            with pytest.raises(ConnectionRefusedError):
                peer.send(b"second")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", port))
            receiver.settimeout(10)
            peer.send(b"second")
            assert [receiver.recv(100), receiver.recv(100)] == [b"first", b"second"]
    finally:
        peer.close()


def test_host_that_does_not_exist_is_a_connect_error():
    with pytest.raises(ConnectError, match="cannot find"):
        SyslogUdp(target(514, "no-such-host.invalid")).send(b"x")


def test_frames_arrive_in_order_over_tls(pki):
    with collecting(pki) as collector:
        peer = tls_peer(collector, TlsSettings(ca=pki.ca))
        sent = [b"first", b"second \xef\xbb\xbf\n with 7 spaces", b"x" * 500_000]
        for text in sent:
            peer.send(text)
        peer.close()
        assert collector.wait_for(3) == sent
        assert collector.versions == ["TLSv1.3"]


def test_client_certificate_is_shown(pki):
    with collecting(pki, wants_client=True) as collector:
        peer = tls_peer(collector, pki.good.settings)
        peer.send(b"known")
        peer.close()
        assert collector.wait_for(1) == [b"known"]


def test_collector_without_our_trust_gets_nothing(pki):
    with collecting(pki, identity=pki.foreign) as collector:
        peer = tls_peer(collector, TlsSettings(ca=pki.ca))
        with pytest.raises(ConnectError, match="TLS"):
            peer.send(b"secret")
        peer.close()
        assert collector.messages == []


@pytest.mark.parametrize("ends", ["reset", "close"])
def test_connection_that_ended_is_made_again_with_what_may_be_missing(pki, ends, monkeypatch):
    monkeypatch.setattr("pacs_cli.net.syslog._AT_ONCE", 0)
    with collecting(pki, ends=ends) as collector:
        peer = tls_peer(collector, TlsSettings(ca=pki.ca))
        try:
            peer.send(b"first")
            assert collector.ended.wait(20)
            peer.send(b"second")
            # it had been read, which only the collector knows
            assert collector.wait_for(3) == [b"first", b"first", b"second"]
        finally:
            peer.close()


def test_connection_that_ends_at_once_is_an_error_and_then_made_again(pki):
    with collecting(pki, ends="close") as collector:
        peer = tls_peer(collector, TlsSettings(ca=pki.ca))
        try:
            peer.send(b"first")
            assert collector.ended.wait(20)
            with pytest.raises(ConnectError, match="closed the connection"):
                peer.send(b"second")
            peer.send(b"second")
            assert collector.wait_for(3) == [b"first", b"first", b"second"]
        finally:
            peer.close()


def test_client_certificate_that_is_not_taken_is_found_out(pki):
    with collecting(pki, wants_client=True) as collector:
        peer = SyslogTls(replace(target(collector.port), tls=TlsClient(TlsSettings(ca=pki.ca))))
        try:
            with pytest.raises((ConnectError, OSError)):
                # in TLS 1.3 that is told after our first words
                for _ in range(100):
                    peer.send(b"x" * 10_000)
            assert collector.messages == []
        finally:
            peer.close()


def test_collector_that_does_not_read_is_given_up(pki, monkeypatch):
    monkeypatch.setattr("pacs_cli.net.syslog._WRITE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.good.certificate, pki.good.key)
        held: list[ssl.SSLSocket] = []

        def hold() -> None:
            sock, _ = listener.accept()
            held.append(context.wrap_socket(sock, server_side=True))

        thread = threading.Thread(target=hold)
        thread.start()
        settings = TlsSettings(ca=pki.ca)
        port = listener.getsockname()[1]
        peer = SyslogTls(replace(target(port), tls=TlsClient(settings)))
        with pytest.raises(TimeoutError):
            peer.send(b"x" * 50_000_000)
        thread.join()
        peer.close()
        held[0].close()
