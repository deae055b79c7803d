"""TLS in both roles: what is let through, and what is refused, in time and in its own words."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from pacs_cli.errors import ConnectError
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.net.tls import TlsClient, TlsServer, TlsSettings
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import AssociationEnded
from pacs_cli.wire.association import Limits
from pacs_cli.wire.negotiation import Proposal
from tests.peers import require
from tests.pki import Identity, Pki
from tests.support import (
    CT,
    EXPLICIT,
    VERIFICATION,
    MemoryHandler,
    Running,
    misbehaving_peer,
    running_provider,
)

OFFER = [Proposal(VERIFICATION, (EXPLICIT,)), Proposal(CT, (EXPLICIT,))]
CBC = "ECDHE-ECDSA-AES128-SHA"
NULL = "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"
OLD = ("-cipher", "ALL:@SECLEVEL=0")


def secured(running: Running, settings: TlsSettings, **changes: object) -> Target:
    return running.target(tls=TlsClient(settings), **changes)


def echo(target: Target) -> int:
    with Session(target, OFFER) as session:
        return session.echo(1).status


@contextmanager
def openssl_server(identity: Identity, *options: str) -> Iterator[int]:
    """`openssl s_server` with a certificate; yields its port."""
    files = ("-cert", identity.certificate, "-key", identity.key, "-CAfile", identity.ca)
    command = (require("openssl"), "s_server", "-4", "-accept", "127.0.0.1:0", *files, *options)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            for line in process.stdout:
                if line.startswith(b"ACCEPT"):
                    yield int(line.rpartition(b":")[2])
                    return
            raise AssertionError("openssl s_server does not listen")
        finally:
            process.kill()


def openssl_client(running: Running, *options: object) -> subprocess.CompletedProcess[bytes]:
    place = ("-connect", f"127.0.0.1:{running.listener.port}")
    return subprocess.run(
        [require("openssl"), "s_client", *place, *map(str, options)],
        input=b"",
        capture_output=True,
        timeout=20,
        check=False,
    )


# -- the user ------------------------------------------------------------------------------------


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_object_sent_over_mutual_tls_is_byte_equal(pki: Pki, newest: ssl.TLSVersion):
    handler, data = MemoryHandler(), bytes(range(256)) * 32_768
    server = TlsServer(pki.good.settings)
    server._context.maximum_version = newest
    with running_provider(handler, tls=server) as running:
        with Session(secured(running, pki.good.settings), OFFER) as session:
            pieces = [data[:1000], memoryview(data)[1000:]]
            assert session.store(3, CT, "1.2.3", pieces).is_stored
    assert handler.stored[0][1] == data


def test_user_of_tls_1_2_alone_is_served(pki: Pki):
    with running_provider(tls=TlsServer(pki.good.settings)) as running:
        identity = ("-cert", pki.good.certificate, "-key", pki.good.key, "-CAfile", pki.ca)
        done = openssl_client(running, "-tls1_2", *identity, "-verify_return_error")
    assert b"Verify return code: 0 (ok)" in done.stdout
    assert b"Cipher    : ECDHE-ECDSA-AES256-GCM-SHA384" in done.stdout


def test_user_without_certificate_is_let_in_when_anonymous(pki: Pki):
    server = TlsServer(replace(pki.good.settings, is_anonymous=True))
    with running_provider(tls=server) as running:
        assert echo(secured(running, TlsSettings(pki.ca))) == 0


def test_own_certificate_is_not_presented_when_anonymous(pki: Pki):
    with running_provider(tls=TlsServer(pki.good.settings)) as running:
        with pytest.raises(ConnectError, match="wants a client certificate"):
            echo(secured(running, replace(pki.good.settings, is_anonymous=True)))


def test_name_that_is_typed_is_looked_for(pki: Pki):
    with running_provider(tls=TlsServer(pki.elsewhere.settings)) as running:
        settings = replace(pki.good.settings, server_name="pacs.example")
        assert echo(secured(running, settings)) == 0


@pytest.mark.parametrize(
    ("identity", "options", "words"),
    [
        ("foreign", (), "of a CA that is not trusted here; check --tls-ca"),
        ("expired", (), "certificate has expired"),
        ("early", (), "not yet valid"),
        ("elsewhere", (), "for another host"),
        ("good", ("-tls1_1", *OLD), "no TLS that (is new enough|we take)"),
        ("good", ("-tls1", *OLD), "no TLS that (is new enough|we take)"),
        ("good", ("-tls1_2", "-cipher", CBC), "no cipher suite in common"),
        ("good", ("-tls1_2", "-cipher", NULL), "no cipher suite in common"),
    ],
)
def test_user_refuses(pki: Pki, identity: str, options: tuple[str, ...], words: str):
    with openssl_server(getattr(pki, identity), *options) as port:
        target = Target("peer", "127.0.0.1", port, tls=TlsClient(pki.good.settings))
        with pytest.raises(ConnectError, match=words) as caught:
            echo(target)
    assert target.address in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (None, "wants a client certificate"),
        ("foreign", "does not trust the CA of our certificate|refuses our certificate"),
        ("expired", "our certificate expired"),
    ],
)
def test_user_is_told_why_openssl_refuses_it(
    pki: Pki, identity: str | None, words: str, version: str
):
    own = getattr(pki, identity).settings if identity else TlsSettings()
    options = ("-Verify", "1", "-verify_return_error", version)
    with openssl_server(pki.good, *options) as port:
        target = Target("peer", "127.0.0.1", port, tls=TlsClient(replace(own, ca=pki.ca)))
        with pytest.raises(ConnectError, match=words):
            echo(target)


def test_plain_provider_is_told_from_tls(pki: Pki):
    with running_provider() as running:
        with pytest.raises(ConnectError, match="does not speak TLS"):
            echo(secured(running, pki.good.settings))
        (ended,) = running.wait_for(AssociationEnded)
    assert "that is TLS" in ended.error


def test_peer_that_closes_in_the_handshake_is_told(pki: Pki):
    with misbehaving_peer(lambda sock: sock.recv(1)) as target:
        with pytest.raises(ConnectError, match="closed the connection during the handshake"):
            echo(replace(target, tls=TlsClient(pki.good.settings)))


def test_peer_that_stalls_the_handshake_costs_the_time_to_connect(pki: Pki):
    over = threading.Event()
    with misbehaving_peer(lambda sock: over.wait(10)) as target:
        tls = TlsClient(pki.good.settings)
        began = time.monotonic()
        with pytest.raises(ConnectError, match="no TLS handshake within the time to connect"):
            echo(replace(target, tls=tls, timeouts=Timeouts(0.3, 5, 5)))
        assert 0.3 <= time.monotonic() - began < 2
        over.set()


def test_plain_user_is_told_that_the_provider_speaks_tls(pki: Pki):
    with running_provider(tls=TlsServer(pki.good.settings)) as running:
        with pytest.raises(ConnectError, match="it speaks TLS there; add --tls"):
            echo(running.target())
        (ended,) = running.wait_for(AssociationEnded)
    assert (ended.how, "does not speak TLS" in ended.error) == ("tls", True)


# -- the provider --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "options", "words"),
    [
        ("good", ("-tls1_1", *OLD), "no TLS that is new enough"),
        ("good", ("-tls1", *OLD), "no TLS that is new enough"),
        ("good", ("-tls1_2", "-cipher", CBC), "no cipher suite in common"),
        ("good", ("-tls1_2", "-cipher", NULL), "no cipher suite in common"),
        (None, ("-tls1_2",), "presented no client certificate"),
        (None, ("-tls1_3",), "presented no client certificate"),
        ("foreign", ("-tls1_2",), "of a CA that is not trusted here"),
        ("foreign", ("-tls1_3",), "of a CA that is not trusted here"),
        ("expired", (), "certificate has expired"),
        ("early", (), "not yet valid"),
    ],
)
def test_provider_refuses(pki: Pki, identity: str | None, options: tuple[str, ...], words: str):
    own = getattr(pki, identity) if identity else None
    files = ("-cert", own.certificate, "-key", own.key) if own else ()
    with running_provider(tls=TlsServer(pki.good.settings)) as running:
        openssl_client(running, *files, *options)
        (ended,) = running.wait_for(AssociationEnded)
        assert echo(secured(running, pki.good.settings)) == 0
    assert ended.how == "tls"
    assert words in ended.error


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02"], ids=["silent", "begins"])
def test_handshake_that_stalls_costs_the_time_for_the_request(pki: Pki, sent: bytes):
    limits = Limits(request=0.3, close=0.1)
    with running_provider(limits=limits, tls=TlsServer(pki.good.settings)) as running:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", running.listener.port)) as sock:
            sock.sendall(sent)
            assert sock.recv(100) == b""
        assert 0.3 <= time.monotonic() - began < 2
        (ended,) = running.wait_for(AssociationEnded)
    assert ended.how == "timeout"
    assert "did not complete the TLS handshake within 0.3 s" in ended.error


def test_two_thousand_half_open_handshakes_do_not_stop_an_association(pki: Pki):
    count = 2000
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard > 3 * count
    with running_provider(tls=TlsServer(pki.good.settings)) as running:
        with contextlib.ExitStack() as stack:
            for number in range(count):
                place = ("127.0.0.1", running.listener.port)
                sock = stack.enter_context(socket.create_connection(place))
                sock.sendall(b"\x16\x03\x01\x02" if number % 2 else b"")
            began = time.monotonic()
            assert echo(secured(running, pki.good.settings)) == 0
            assert time.monotonic() - began < 5


def test_drain_ends_a_handshake(pki: Pki):
    with running_provider(tls=TlsServer(pki.good.settings)) as running:
        with socket.create_connection(("127.0.0.1", running.listener.port)) as sock:
            # the first answer shows that the thread is there
            assert echo(secured(running, pki.good.settings)) == 0
            began = time.monotonic()
            running.provider.drain()
            assert sock.recv(1) == b""
            assert time.monotonic() - began < 2


def test_garbage_after_the_handshake_ends_it(pki: Pki):
    with running_provider(tls=TlsServer(pki.good.settings)) as running:
        raw = socket.create_connection(("127.0.0.1", running.listener.port))
        # the descriptor is used below the TLS of the first
        beneath = raw.dup()
        secure = TlsClient(pki.good.settings).secure(raw, "127.0.0.1", "peer", 5)
        beneath.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        (ended,) = running.wait_for(AssociationEnded)
        secure.close()
        beneath.close()
    assert ended.how == "tls"
