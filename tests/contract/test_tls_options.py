"""The options of TLS do what they say, in every command that has them."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from pacs_cli.net.tls import TlsServer
from tests.conftest import Pacs, Result
from tests.contract.calling import CALLERS, call, commands_with
from tests.interop.peers import pacs_storescp
from tests.pki import Pki
from tests.support import running_provider

EVERY_COMMAND_WITH = (
    *("--tls", "--tls-ca", "--tls-cert", "--tls-key", "--tls-key-pass-file"),
    *("--tls-min", "--tls-ciphers", "--tls-server-name", "--tls-anonymous"),
)

SECURED = [command for command in commands_with("--tls") if command in CALLERS]
SUITE = "ECDHE-ECDSA-AES128-GCM-SHA256"


class Peer:
    """A provider with TLS, and a command that calls it."""

    def __init__(self, pacs: Pacs, command: str, folder: Path, port: int) -> None:
        self._pacs, self._command, self._folder, self._port = pacs, command, folder, port
        self._count = 0

    def call(self, *options: object) -> Result:
        """Call it, in a folder of its own."""
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return self._pacs(*call(self._command, self._port, folder), *options)


def is_connected(done: Result) -> bool:
    """Whether TLS was there: these providers answer other requests than to store with 0211."""
    return done.exit in (0, 5)


@pytest.mark.parametrize("command", SECURED)
def test_certificates_are_those_of_the_options(command: str, pacs: Pacs, pki: Pki, tmp_path: Path):
    with running_provider(tls=TlsServer(pki.good.settings)) as running:
        peer = Peer(pacs, command, tmp_path, running.listener.port)
        trusted = ("--tls-ca", pki.ca)
        identity = ("--tls-cert", pki.good.certificate, "--tls-key")
        assert is_connected(peer.call(*trusted, *identity, pki.good.key))
        secret = ("--tls-key-pass-file", pki.passphrase)
        assert is_connected(peer.call(*trusted, *identity, pki.encrypted_key, *secret))
        assert peer.call(*trusted, "--tls-anonymous").exit == 3
        assert "of a CA that is not trusted here" in peer.call("--tls").stderr
        named = (*trusted, *identity, pki.good.key, "--tls-server-name")
        assert is_connected(peer.call(*named, "localhost"))
        assert peer.call(*named, "pacs.example").exit == 3


@pytest.mark.parametrize("command", SECURED)
def test_versions_and_suites_are_those_of_the_options(
    command: str, pacs: Pacs, pki: Pki, tmp_path: Path
):
    old = TlsServer(pki.good.settings)
    old._context.maximum_version = ssl.TLSVersion.TLSv1_2
    with running_provider(tls=old) as running:
        peer = Peer(pacs, command, tmp_path, running.listener.port)
        assert is_connected(peer.call(*pki.good.options, "--tls-ciphers", SUITE))
        assert is_connected(peer.call(*pki.good.options, "--tls-min", "1.2"))
        assert peer.call(*pki.good.options, "--tls-min", "1.3").exit == 3
        assert peer.call(*pki.good.options, "--tls-ciphers", "NULL-SHA256").exit == 2


def connected(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Connect to a port of this machine and shake hands."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    try:
        return context.wrap_socket(plain, server_hostname="127.0.0.1")
    except ssl.SSLError:
        plain.close()
        raise


def test_receiver_has_the_tls_of_its_options(pki: Pki, tmp_path: Path):
    files = ("--tls-cert", str(pki.good.certificate), "--tls-key", str(pki.encrypted_key))
    secret = ("--tls-key-pass-file", str(pki.passphrase))
    limits = ("--tls-min", "1.2", "--tls-ciphers", SUITE, "--tls-anonymous")
    context = ssl.create_default_context(cafile=pki.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pacs_storescp(tmp_path / "archive", "--tls", *files, *secret, *limits) as archive:
        with connected(archive.port, context) as secured:
            assert secured.version() == "TLSv1.2"
            assert secured.cipher()[0] == SUITE
    with pacs_storescp(tmp_path / "strict", *pki.good.options, "--tls-min", "1.3") as archive:
        with pytest.raises(ssl.SSLError):
            connected(archive.port, context)
