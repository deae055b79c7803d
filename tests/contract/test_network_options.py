"""The options of calling a peer do what they say, in every command that has them."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from pacs_cli.wire.pdu import AssociateRequest, decode_associate_rq
from tests.conftest import Pacs
from tests.contract.calling import CALLERS, call
from tests.services.misbehaviour import read_all
from tests.services.raw import read_pdu
from tests.services.retrieving import accept, acting_each

EVERY_COMMAND_WITH = ("-aec", "-aet", "--max-pdu", "-to", "-ta", "-td", "--timeout")

#: A-ASSOCIATE-RJ: permanent, by the user, no reason given.
REJECTION = bytes([3, 0, 0, 0, 0, 4, 0, 1, 1, 1])


@pytest.mark.parametrize("command", CALLERS)
def test_titles_and_maximum_length_are_those_of_the_options(
    command: str, pacs: Pacs, tmp_path: Path
):
    asked: list[AssociateRequest] = []

    def act(sock: socket.socket, over: threading.Event) -> None:
        asked.append(decode_associate_rq(memoryview(read_pdu(sock))[6:]))
        sock.sendall(REJECTION)

    with acting_each(act) as target:
        typed = call(command, target.port, tmp_path)
        done = pacs(*typed, "-aec", "THEM", "-aet", "US", "--max-pdu", 54321)
    assert done.exit == 4, done
    (request,) = asked
    assert (request.called_ae_title, request.calling_ae_title) == ("THEM", "US")
    assert request.user_information.maximum_length == 54321


def says_nothing(sock: socket.socket, over: threading.Event) -> None:
    read_all(sock)


def accepts_and_says_nothing(sock: socket.socket, over: threading.Event) -> None:
    accept(sock)
    read_all(sock)


@pytest.mark.parametrize("option", ["-ta", "-td", "--timeout"])
@pytest.mark.parametrize("command", CALLERS)
def test_peer_that_does_not_answer_is_given_up(
    command: str, option: str, pacs: Pacs, tmp_path: Path
):
    act = accepts_and_says_nothing if option == "-td" else says_nothing
    with acting_each(act) as target:
        done = pacs(*call(command, target.port, tmp_path), option, 0.12)
    assert done.exit == 4, done
    assert "0.12" in done.stderr


@pytest.mark.parametrize("command", CALLERS)
def test_host_that_swallows_connections_is_given_up(command: str, pacs: Pacs, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        # one waits to be accepted; the next are not answered
        waiting = [socket.socket() for _ in range(2)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
        done = pacs(*call(command, port, tmp_path), "-to", 0.12)
        for sock in waiting:
            sock.close()
    assert done.exit == 3, done
    assert "0.12" in done.stderr
