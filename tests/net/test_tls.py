"""The files of TLS, and a channel over it: whole bytes, whatever is cut, and one deadline."""

from __future__ import annotations

import errno
import mmap
import socket
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pacs_cli.errors import PeerTimeout, UsageError
from pacs_cli.net.channel import Channel
from pacs_cli.net.tls import SUITES, TlsClient, TlsServer, TlsSettings
from pacs_cli.net.tls_socket import TlsSocket
from pacs_cli.wire.association import Association, Limits, Role
from tests.pki import PASSPHRASE, Pki


def connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    return ours, theirs


@pytest.fixture
def pair(pki: Pki):
    """The user's and the provider's end of one TLS connection, which blocks."""
    ours, theirs = connected()
    ends: list[TlsSocket] = []

    def answer() -> None:
        end = TlsServer(pki.good.settings).wrap(theirs, "user")
        end.setblocking(True)
        assert end.shake() == 0
        ends.append(end)

    thread = threading.Thread(target=answer)
    thread.start()
    user = TlsClient(pki.good.settings).secure(ours, "127.0.0.1", "provider", 5)
    thread.join()
    yield user, ends[0]
    user.close()
    ends[0].close()


def all_of(end: TlsSocket, count: int) -> bytes:
    got = bytearray()
    space = bytearray(50_000)
    while len(got) < count and (size := end.recv_into(space)):
        got += space[:size]
    return bytes(got)


def test_what_did_not_go_out_at_once_arrives_whole(pair):
    """The peer reads only once no more goes out: the same bytes are then offered again."""
    user, provider = pair
    user.setblocking(False)
    data = bytes(range(251)) * 80_000
    rest, refused = memoryview(data), 0
    reader: threading.Thread | None = None
    got: list[bytes] = []
    room = threading.Event()

    def read() -> None:
        got.append(all_of(provider, len(data)))
        room.set()

    poll = user.poll()
    poll.register(user, 4)  # POLLOUT
    while rest:
        try:
            sent = user.sendmsg([rest[:300], rest[300:]])
        except BlockingIOError:
            refused += 1
            if reader is None:
                reader = threading.Thread(target=read)
                reader.start()
            assert poll.poll(5000)
            continue
        rest = rest[sent:]
    assert refused
    assert room.wait(10)
    reader.join()
    assert got[0] == data


def test_file_that_was_cut_off_is_an_error_and_not_the_end_of_the_process(pair, tmp_path: Path):
    file = tmp_path / "image"
    file.write_bytes(bytes(1_000_000))
    with file.open("r+b") as stream:
        mapped = mmap.mmap(stream.fileno(), 0)
        stream.truncate(0)
    view = memoryview(mapped)
    with pytest.raises(OSError, match="address") as caught:
        pair[0].sendmsg([b"header", view[500_000:]]) and pair[0].sendmsg([view[500_000:]])
    assert caught.value.errno == errno.EFAULT
    view.release()


def test_rest_of_a_record_counts_as_arrived(pair):
    user, provider = pair
    provider.sendmsg([b"0123456789"])
    poll = user.poll()
    poll.register(user, 1)  # POLLIN
    assert poll.poll(5000)
    assert user.recv_into(bytearray(4)) == 4
    assert [number for number, _ in poll.poll(0)] == [user.fileno()]
    assert user.recv_into(bytearray(100)) == 6
    assert poll.poll(0) == []


def test_end_of_the_peer_is_the_end(pair):
    user, provider = pair
    provider.sendmsg([b"bye"])
    provider.close()
    assert all_of(user, 100) == b"bye"
    assert user.recv_into(bytearray(10)) == 0


def test_handshake_and_request_have_one_deadline(pki: Pki):
    """Whoever shakes hands late has the rest of the time, not all of it again."""
    now = [0.0]
    ours, theirs = connected()
    association = Association(Role.ACCEPTOR, Limits(request=10, close=0.1))
    channel = Channel(theirs, association, "user", lambda: now[0])
    users: list[TlsSocket] = []
    thread = threading.Thread(
        target=lambda: users.append(
            TlsClient(pki.good.settings).secure(ours, "127.0.0.1", "provider", 5)
        )
    )
    thread.start()
    assert channel.secure(TlsServer(pki.good.settings))
    thread.join()
    now[0] = 9.0
    users[0].sendmsg([b"\1"])
    assert list(channel.receive()) == []
    now[0] = 10.5
    with pytest.raises(PeerTimeout, match="an association request within 10 s"):
        while True:
            list(channel.receive())
    users[0].close()
    association.expire()
    channel.close()


# -- files ---------------------------------------------------------------------------------------


def test_key_is_decrypted_with_the_passphrase_of_a_file_or_the_environment(pki: Pki):
    settings = replace(pki.good.settings, key=pki.encrypted_key)
    assert TlsServer(replace(settings, passphrase_file=pki.passphrase)).is_mutual
    assert TlsServer(replace(settings, passphrase=PASSPHRASE)).is_mutual


def test_passphrase_is_not_shown(pki: Pki):
    assert PASSPHRASE not in repr(replace(pki.good.settings, passphrase=PASSPHRASE))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"certificate": Path("/nowhere.pem")}, "cannot read the certificate in /nowhere.pem: No"),
        ({"key": Path("/nowhere.key")}, "cannot read the key in /nowhere.key: No such file"),
        ({"ca": Path("/nowhere.pem")}, "cannot read CA certificates in /nowhere.pem: No such"),
        ({"ca": Path(__file__)}, "no certificates in PEM form in it"),
        ({"certificate": Path(__file__)}, "PEM files of both are expected"),
        ({"key": "expired.key"}, "is not the key of the certificate"),
        ({"key": "encrypted.key"}, "is encrypted; add --tls-key-pass-file or set PACS_TLS_KEY"),
        ({"key": "encrypted.key", "passphrase": "wrong"}, "the passphrase does not fit"),
        ({"key": "encrypted.key", "passphrase": "x" * 2000}, "at most 1024 bytes"),
        ({"passphrase_file": Path("/nowhere")}, "cannot read the passphrase in /nowhere: No such"),
        ({"minimum": "1.1"}, "--tls-min 1.1: choose 1.2 or 1.3"),
        ({"ciphers": "AES128-SHA"}, "--tls-ciphers AES128-SHA: not a suite of the BCP 195"),
        ({"ciphers": "ALL"}, "--tls-ciphers ALL: not a suite of the BCP 195 profile"),
        ({"ciphers": ""}, "not a suite of the BCP 195 profile"),
    ],
)
@pytest.mark.parametrize("role", [TlsClient, TlsServer])
def test_what_cannot_be_used_is_told(pki: Pki, role: type, change: dict, words: str):
    if isinstance(change.get("key"), str):
        change = {**change, "key": pki.good.key.parent / change["key"]}
    with pytest.raises(UsageError, match=words) as caught:
        role(replace(pki.good.settings, **change))
    assert "\n" not in str(caught.value)


def test_weak_key_is_refused(pki: Pki, tmp_path: Path):
    key, certificate = tmp_path / "weak.key", tmp_path / "weak.pem"
    ends = ("-keyout", key, "-out", certificate)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak", *ends],
        check=True,
        capture_output=True,
    )
    with pytest.raises(UsageError, match="is too weak: RSA of 2048 bits"):
        TlsServer(TlsSettings(pki.ca, certificate, key))


def test_provider_says_whom_it_lets_in(pki: Pki):
    with pytest.raises(UsageError, match="--tls-ca FILE, whose certificates they need, or"):
        TlsServer(replace(pki.good.settings, ca=None))
    with pytest.raises(UsageError, match="needs a certificate: add --tls-cert"):
        TlsServer(TlsSettings(pki.ca))


def test_key_without_certificate_is_an_error(pki: Pki):
    with pytest.raises(UsageError, match="--tls-key is of a certificate; add --tls-cert"):
        TlsClient(TlsSettings(pki.ca, key=pki.good.key))


def test_nothing_weaker_than_the_profile_is_offered():
    """PS3.15 B.12, RFC 9325 4.2: whatever the library would allow by itself."""
    offered = TlsClient(TlsSettings())._context.get_ciphers()
    old = {each["name"] for each in offered if each["protocol"] != "TLSv1.3"}
    assert old == set(SUITES)
    assert all(each["aead"] for each in offered)
    assert all("ECDHE" in name for name in old)


def test_suites_are_those_that_are_named():
    named = "ECDHE-RSA-AES128-GCM-SHA256,ECDHE-ECDSA-AES128-GCM-SHA256"
    offered = TlsClient(TlsSettings(ciphers=named))._context.get_ciphers()
    assert {each["name"] for each in offered if each["protocol"] != "TLSv1.3"} == set(
        named.split(",")
    )
