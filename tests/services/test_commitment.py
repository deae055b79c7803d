"""Asking for storage commitment: a report that comes with the answer, and one that comes late."""

from __future__ import annotations

import socket
import threading

import pytest

from pacs_cli.services.commitment import (
    PUSH_MODEL,
    PUSH_MODEL_INSTANCE,
    CommitmentSession,
)
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.pdu import RELEASE_RP
from tests.services.finding import accept, acting, read_command
from tests.services.raw import command, data, read_pdu

REPORT = b"the report"


def answer() -> bytes:
    """The N-ACTION-RSP."""
    elements = {
        "MessageIDBeingRespondedTo": 1,
        "Status": 0,
        "AffectedSOPClassUID": PUSH_MODEL,
        "AffectedSOPInstanceUID": PUSH_MODEL_INSTANCE,
        "ActionTypeID": 1,
    }
    return data(1, 3, command(CommandField.N_ACTION_RSP, **elements))


def report() -> bytes:
    """The N-EVENT-REPORT-RQ with its data set."""
    elements = {
        "MessageID": 7,
        "AffectedSOPClassUID": PUSH_MODEL,
        "AffectedSOPInstanceUID": PUSH_MODEL_INSTANCE,
        "EventTypeID": 1,
    }
    request = command(CommandField.N_EVENT_REPORT_RQ, True, **elements)
    return data(1, 3, request) + data(1, 2, REPORT)


@pytest.mark.parametrize("is_together", [True, False])
def test_report_is_taken_and_answered_however_it_comes(is_together: bool) -> None:
    statuses, taken = [], []

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_command(sock)
        read_pdu(sock)
        if is_together:
            sock.sendall(answer() + report())
        else:
            sock.sendall(answer())
            sock.sendall(report())
        statuses.append(read_command(sock).status)
        read_pdu(sock)
        sock.sendall(RELEASE_RP)

    def take(syntax: str, information: bytes) -> int:
        taken.append(information)
        return 0

    with acting(act) as target, CommitmentSession(target, take) as session:
        session.ask(1, b"asked")
        session.listen(5)
    assert (taken, statuses) == ([REPORT], [0])


def test_report_that_comes_while_we_release_is_left_to_be_told_again() -> None:
    answered = []

    def act(sock: socket.socket, over: threading.Event) -> None:
        accept(sock)
        read_command(sock)
        read_pdu(sock)
        sock.sendall(answer())
        read_pdu(sock)
        sock.sendall(report() + RELEASE_RP)
        answered.append(sock.recv(100))

    with acting(act) as target, CommitmentSession(target, lambda *_: 0) as session:
        session.ask(1, b"asked")
    assert answered == [b""]
