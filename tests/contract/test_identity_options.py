"""The options that say who calls do what they say, in every command that has them."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from pacs_cli.wire.pdu import decode_associate_rq
from pacs_cli.wire.userinfo import IdentityType, UserIdentity
from tests.conftest import Pacs
from tests.contract.calling import CALLERS, OPTIONS, call
from tests.services.raw import read_pdu
from tests.services.retrieving import acting_each

EVERY_COMMAND_WITH = (
    *("--user", "--user-pass-file", "--kerberos", "--saml", "--jwt", "--user-response"),
)

#: A-ASSOCIATE-RJ: permanent, by the user, no reason given.
REJECTION = bytes([3, 0, 0, 0, 0, 4, 0, 1, 1, 1])


@pytest.mark.parametrize(
    "command", [each for each in CALLERS if "--user-response" in OPTIONS[each]]
)
def test_identity_is_that_of_the_options(command: str, pacs: Pacs, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("made-up")
    word = b"made-up"
    expected = {
        ("--user", "doe"): (IdentityType.USER_NAME, b"doe", b""),
        ("--user", "doe", "--user-pass-file", secret): (
            *(IdentityType.USER_NAME_AND_PASSCODE, b"doe"),
            word,
        ),
        ("--saml", secret): (IdentityType.SAML, word, b""),
        ("--jwt", secret): (IdentityType.JWT, word, b""),
        ("--kerberos", secret): (IdentityType.KERBEROS, None, b""),
    }
    for number, (options, (kind, first, second)) in enumerate(expected.items()):
        asked: list[UserIdentity] = []

        def act(
            sock: socket.socket, over: threading.Event, asked: list[UserIdentity] = asked
        ) -> None:
            request = decode_associate_rq(memoryview(read_pdu(sock))[6:])
            asked.append(request.user_information.user_identity)
            sock.sendall(REJECTION)

        folder = tmp_path / str(number)
        folder.mkdir()
        with acting_each(act) as target:
            done = pacs(*call(command, target.port, folder), *options, "--user-response")
        assert done.exit == 4, done
        (identity,) = asked
        assert (identity.type, identity.secondary_field) == (kind, second)
        assert identity.positive_response_requested
        # a ticket is a file of bytes, whatever they are
        assert first is None or identity.primary_field == first
