"""A TLS connection that a channel can use like its socket. Imported once TLS is wanted."""

from __future__ import annotations

import mmap
import os
import select
import socket
import ssl
import tempfile
from collections.abc import Sequence
from contextlib import suppress

from pacs_cli.errors import ConnectError
from pacs_cli.net.certificate import TlsFacts, facts_of
from pacs_cli.net.tls_peer import TlsPeer, tls_peer
from pacs_cli.net.tls_words import explain, is_plain
from pacs_cli.wire.message import Buffer

#: Most of a record (RFC 8446 5.1), which is what one read gives.
_RECORD = 16 * 1024
#: Bytes that are staged for one write: some records, and well within the cache of a core.
_STAGE = 128 * 1024
#: A fatal alert, protocol version, as a record of its own (RFC 8446 6).
_PROTOCOL_VERSION = bytes.fromhex("15 0303 0002 02 46")


def secure_client(
    context: ssl.SSLContext, sock: socket.socket, name: str, peer: str, seconds: float
) -> TlsSocket:
    """Make the handshake of a user on a connected socket, which is closed when that fails.

    name     that the peer's certificate has to have
    raises   ConnectError with the reason in plain words
    """
    secured = None
    try:
        secured = context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
        # of the whole handshake, not of each read
        secured.settimeout(max(seconds, 0.001))
        secured.do_handshake()
    except (OSError, ValueError) as error:
        (secured or sock).close()
        if isinstance(error, TimeoutError):
            words = "no TLS handshake within the time to connect; does it speak TLS there?"
        elif isinstance(error, OSError):
            words = explain(error)
        else:
            words = f"{name} is not a host name; give one with --tls-server-name"
        raise ConnectError(f"cannot connect to {peer} with TLS: {words}") from None
    except BaseException:
        (secured or sock).close()
        raise
    return TlsSocket(secured, f"cannot connect to {peer} with TLS", is_client=True)


def wrap_server(context: ssl.SSLContext, sock: socket.socket, peer: str) -> TlsSocket:
    """Return a provider's end of a connection, before its handshake."""
    secured = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
    secured.setblocking(False)
    return TlsSocket(secured, f"no TLS with {peer}", is_client=False)


class TlsSocket:
    """Has of a socket what a channel needs; it does not block.

    What is written is copied once, by the system: it may be mapped from a file that somebody cuts
    off, which the system answers with an error and encryption with the end of this process.
    """

    def __init__(self, sock: ssl.SSLSocket, attempt: str, is_client: bool) -> None:
        self._sock = sock
        self._attempt = attempt
        #: until it is known that the peer takes us: in TLS 1.3 that is told after the handshake
        self._is_on_trial = is_client and sock.version() == "TLSv1.3"
        self._is_shut = False
        self._staged = memoryview(b"")
        self._stage: mmap.mmap | None = None
        self._stage_number = -1

    def shake(self) -> int:
        """Go on with the handshake: 0 once it is done, else the poll event it waits for.

        raises  ConnectError with the reason in plain words
        """
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            return select.POLLIN
        except ssl.SSLWantWriteError:
            return select.POLLOUT
        except OSError as error:
            if is_plain(error):
                self._say_tls()
            raise ConnectError(f"{self._attempt}: {explain(error)}") from None
        return 0

    def peer(self) -> TlsPeer | None:
        """Return whose certificate the peer has proven; None without one."""
        return tls_peer(self._sock.getpeercert())

    def facts(self) -> TlsFacts:
        """Return what the handshake came to."""
        return facts_of(self._sock)

    def poll(self) -> Poll:
        """Return what waits for this and other descriptors."""
        return Poll(self._sock)

    def fileno(self) -> int:
        """Return the descriptor; what was read of a record may be left to be received."""
        return self._sock.fileno()

    def setblocking(self, is_blocking: bool) -> None:
        """Set whether calls wait."""
        self._sock.setblocking(is_blocking)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Set an option of the socket below."""
        self._sock.setsockopt(level, option, value)

    def recv_into(self, space: memoryview | bytearray) -> int:
        """Receive what is there: the bytes, 0 at the end; raises BlockingIOError without any.

        raises  ConnectError when the peer does not take us, or what came is not its word
        """
        if self._is_shut:
            return self._sock.recv_into(space)
        view = memoryview(space)
        count = self._recv_first(view)
        # one read gives one record: of a long one more may have come with it
        while count and count % _RECORD == 0 and count < len(view):
            try:
                more = self._sock.recv_into(view[count:])
            except OSError:
                # told again by the next call
                break
            if not more:
                break
            count += more
        return count

    def _recv_first(self, view: memoryview) -> int:
        try:
            count = self._sock.recv_into(view)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None
        except ssl.SSLError as error:
            raise ConnectError(f"{self._attempt}: {explain(error)}") from None
        except ConnectionError:
            count = 0
        if not count and self._is_on_trial:
            raise ConnectError(
                f"{self._attempt}: the peer closed the connection right after the handshake; "
                "does it want a client certificate that it trusts (--tls-cert, --tls-key)?"
            )
        self._is_on_trial = False
        return count

    def sendmsg(self, batch: Sequence[Buffer]) -> int:
        """Send the beginning of `batch`: the bytes that went out; raises BlockingIOError.

        The next call has to begin with what is left: part of it may be encrypted already.
        """
        if not self._staged:
            self._staged = self._stage_head(batch)
        try:
            sent = self._sock.send(self._staged)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            raise BlockingIOError from None
        except ssl.SSLError as error:
            # whatever it is, what the peer has said of it is still to be received
            raise ConnectionResetError(str(error.reason)) from None
        self._staged = self._staged[sent:]
        return sent

    def shutdown(self, how: int) -> None:
        """Say close_notify, then shut the socket below; what still comes is not deciphered."""
        self._say_close()
        self._sock.shutdown(how)

    def close(self) -> None:
        """Say close_notify, unless that was said, and close the socket."""
        self._say_close()
        self._sock.close()
        if self._stage is not None:
            self._staged.release()
            self._stage.close()
            os.close(self._stage_number)
            self._stage = None

    def _say_tls(self) -> None:
        """Tell a peer that does not speak TLS, in an alert that OpenSSL leaves out, that we do."""
        with suppress(OSError):
            socket.socket.send(self._sock, _PROTOCOL_VERSION)

    def _say_close(self) -> None:
        if self._is_shut:
            return
        self._is_shut = True
        if self._staged:
            # half a record stands there
            return
        # ours is said by then, theirs is not waited for; or there was no handshake at all
        with suppress(OSError, ValueError):
            self._sock.setblocking(False)
            self._sock.unwrap()

    def _stage_head(self, batch: Sequence[Buffer]) -> memoryview:
        """Return a copy of at most `_STAGE` bytes of the beginning.

        raises  OSError (EFAULT) when the file behind them was cut off
        """
        if all(isinstance(buffer, bytes) for buffer in batch):
            # ours, and short as a rule: a response
            return memoryview(b"".join(batch))
        if self._stage is None:
            self._stage_number = _unnamed_file()
            self._stage = mmap.mmap(self._stage_number, _STAGE)
        size = os.pwritev(self._stage_number, _head(batch, _STAGE), 0)
        return memoryview(self._stage)[:size]


class Poll:
    """As select.poll, but what is deciphered and not yet received counts as arrived."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._poll = select.poll()

    def register(self, what: int | object, events: int) -> None:
        """Wait for this descriptor too."""
        self._poll.register(what, events)  # type: ignore[arg-type]

    def unregister(self, what: int | object) -> None:
        """Do not wait for it any more."""
        self._poll.unregister(what)  # type: ignore[arg-type]

    def poll(self, milliseconds: float | None = None) -> list[tuple[int, int]]:
        """Return which are ready by then."""
        if self._sock.pending():
            return [(self._sock.fileno(), select.POLLIN)]
        return self._poll.poll(milliseconds)


def _unnamed_file() -> int:
    """Return the descriptor of a file in memory, where there is such a thing, of a whole stage."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("tls")
    else:
        with tempfile.TemporaryFile() as file:
            number = os.dup(file.fileno())
    os.ftruncate(number, _STAGE)
    return number


def _head(batch: Sequence[Buffer], size: int) -> list[Buffer]:
    head: list[Buffer] = []
    for buffer in batch:
        if len(buffer) >= size:
            return [*head, memoryview(buffer)[:size]]
        head.append(buffer)
        size -= len(buffer)
    return head
