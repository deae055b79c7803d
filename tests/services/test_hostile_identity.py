"""User identity items that lie, in bytes on a real socket: nobody is let in by one (PS3.7 D.3.3.7).

The provider wants a user and knows two kinds of proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pacs_cli.pipelines.users import Cost, Passcode, Users
from pacs_cli.services.identity import Identification, Identified, IdentityRefused
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import AssociationEnded, AssociationRefused, Denied
from pacs_cli.wire.negotiation import Proposal
from pacs_cli.wire.userinfo import IdentityType, UserIdentity
from tests.services.raw import connected, read_pdu, request
from tests.support import EXPLICIT, VERIFICATION, Running, running_provider

PASSCODE = b"correct horse"
SECRET = b"-secret-of-the-peer-"
GOOD = UserIdentity(IdentityType.USER_NAME_AND_PASSCODE, True, b"doe", PASSCODE)


class Tokens:
    """Accepts one token."""

    types = (IdentityType.KERBEROS, IdentityType.SAML, IdentityType.JWT)
    at_once = 4

    def check(self, identity, about, stop) -> Identified:
        if identity.primary_field != b"the token":
            raise IdentityRefused("not a token of ours")
        return Identified("roe")


@contextmanager
def wanting_users() -> Iterator[Running]:
    users = Users({"doe": Passcode.of(PASSCODE, cost=Cost(4, 1, 1))})
    identification = Identification([users, Tokens()], is_required=True)
    with running_provider(identification=identification) as running:
        yield running


def with_item(*items: bytes) -> bytes:
    """An association request with these behind its other user information."""
    plain, more = request(), b"".join(items)
    start = plain.rindex(b"\x50\x00")
    size = int.from_bytes(plain[start + 2 : start + 4], "big") + len(more)
    head = b"\1\0" + (len(plain) - 6 + len(more)).to_bytes(4, "big")
    return head + plain[6 : start + 2] + size.to_bytes(2, "big") + plain[start + 4 :] + more


def item(body: bytes, size: int | None = None, kind: int = 0x58) -> bytes:
    length = len(body) if size is None else size
    return bytes((kind, 0)) + length.to_bytes(2, "big") + body


def sized(value: bytes, size: int | None = None) -> bytes:
    return (len(value) if size is None else size).to_bytes(2, "big") + value


def identity(kind: int, primary: bytes, secondary: bytes = b"", flag: int = 0) -> bytes:
    return item(bytes((kind, flag)) + sized(primary) + sized(secondary))


DOE = identity(2, b"doe", PASSCODE)
ABORTED = {
    "empty item": item(b""),
    "one byte": item(b"\2"),
    "no primary field": item(b"\2\0"),
    "half a length": item(b"\2\0\0"),
    "primary one too long": item(b"\2\0" + sized(SECRET, len(SECRET) + 1)),
    "primary of 65535": item(b"\2\0" + sized(SECRET, 0xFFFF)),
    "secondary one too long": item(b"\2\0" + sized(b"doe") + sized(PASSCODE, len(PASSCODE) + 1)),
    "secondary of 65535": item(b"\2\0" + sized(b"doe") + sized(SECRET, 0xFFFF)),
    "half a secondary length": item(b"\2\0" + sized(b"doe") + b"\0"),
    "item one too long": item(DOE[4:], len(DOE) - 3),
    "item of 65535": item(DOE[4:], 0xFFFF),
    "twice, the second good": identity(1, b"roe") + DOE,
    "twice, the first good": DOE + identity(2, b"roe", SECRET),
}
REJECTED = {
    "nothing": b"",
    "name alone": identity(1, b"doe"),
    "name alone, with a passcode behind it": identity(1, b"doe", PASSCODE),
    "wrong passcode": identity(2, b"doe", SECRET),
    "no passcode": identity(2, b"doe"),
    "passcode left out": item(b"\2\0" + sized(b"doe")),
    "passcode for a name": identity(2, PASSCODE, b"doe"),
    "no name": identity(2, b"", PASSCODE),
    "name with a NUL behind it": identity(2, b"doe\0", PASSCODE),
    "name with a space behind it": identity(2, b"doe ", PASSCODE),
    "passcode with a space behind it": identity(2, b"doe", PASSCODE + b" "),
    "name that is not UTF-8": identity(2, b"\xff\xfe\x80", PASSCODE),
    "longest name": identity(2, b"x" * 60_000, PASSCODE),
    "longest passcode": identity(2, b"doe", SECRET * 3_000),
    "longest token": identity(3, SECRET * 3_000),
    "empty token": identity(5, b""),
    "token with more behind it": identity(4, b"the token "),
    "token in the secondary field": identity(5, b"", b"the token"),
    "type 0": identity(0, b"doe", PASSCODE),
    "type 6": identity(6, b"doe", PASSCODE),
    "type 255": identity(255, b"doe", PASSCODE),
    "item of the answer": item(sized(b"doe"), kind=0x59),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with wanting_users() as provider:
        yield provider


def answer_to(running: Running, *items: bytes) -> bytes:
    with connected(running.target()) as sock:
        sock.sendall(with_item(*items))
        return read_pdu(sock)


@pytest.mark.parametrize("name", ABORTED)
def test_item_whose_lengths_lie_is_aborted(running: Running, name: str):
    assert answer_to(running, ABORTED[name]) == bytes.fromhex("07000000000400000206")


@pytest.mark.parametrize("name", REJECTED)
def test_identity_that_proves_nothing_is_rejected(running: Running, name: str):
    assert answer_to(running, REJECTED[name]) == bytes.fromhex("03000000000400010201")


@pytest.mark.parametrize(
    "good",
    [
        DOE,
        identity(5, b"the token"),
        # a flag is set or it is not; what stands behind the last field is nothing
        identity(2, b"doe", PASSCODE, flag=255),
        item(DOE[4:] + b"more"),
        # scrypt begins with an HMAC, which pads its key with NULs (RFC 2104 2)
        identity(2, b"doe", PASSCODE + b"\0"),
    ],
)
def test_good_identity_is_let_in_all_the_same(running: Running, good: bytes):
    assert answer_to(running, good)[:1] == b"\2"


def test_provider_told_every_refusal_and_no_secret():
    with wanting_users() as running:
        for broken in (*ABORTED.values(), *REJECTED.values()):
            answer_to(running, broken)
        refused = running.wait_for(AssociationRefused, len(REJECTED))
        denied = running.wait_for(Denied, len(REJECTED))
        ended = running.wait_for(AssociationEnded, len(ABORTED))
        with Session(running.target(user=GOOD), [Proposal(VERIFICATION, (EXPLICIT,))]) as session:
            assert session.echo(1).status == 0
    assert (len(refused), len(denied)) == (len(REJECTED), len(REJECTED))
    assert {(each.service, each.status) for each in denied} == {("association", 0)}
    assert {each.how for each in ended[: len(ABORTED)]} == {"protocol error"}
    told = repr(running.events[:-3])
    for secret in (PASSCODE, SECRET, b"the token"):
        assert secret.decode() not in told
