"""Session and Provider against each other, over real sockets."""

from __future__ import annotations

import socket

import pytest

from pacs_cli.errors import (
    AssociationAborted,
    AssociationRejected,
    ConnectError,
)
from pacs_cli.net.listener import Caps
from pacs_cli.net.target import Target
from pacs_cli.services.scu import Session
from pacs_cli.services.serving import (
    AssociationEnded,
    AssociationOpened,
    AssociationRefused,
    Echoed,
    InstanceReceived,
)
from pacs_cli.wire.association import Limits
from pacs_cli.wire.negotiation import Proposal
from tests.support import (
    CT,
    EXPLICIT,
    IMPLICIT,
    VERIFICATION,
    MemoryHandler,
    running_provider,
)

OFFER = (Proposal(VERIFICATION, (IMPLICIT,)), Proposal(CT, (EXPLICIT,)))


def test_echo_and_store_when_all_is_well():
    data = bytes(range(256)) * 4000
    with running_provider() as running:
        with Session(running.target(), OFFER) as session:
            assert session.echo(1).status == 0
            result = session.store(3, CT, "1.2.3", [data[:1000], data[1000:]])
        ended = running.wait_for(AssociationEnded)[0]
    request, stored = running.handler.stored[0]
    assert result.is_stored
    assert stored == data
    assert (request.affected_sop_instance_uid, request.transfer_syntax_uid) == ("1.2.3", EXPLICIT)
    assert [type(event) for event in running.events] == [
        AssociationOpened,
        Echoed,
        InstanceReceived,
        AssociationEnded,
    ]
    assert (ended.how, ended.stored, ended.size) == ("released", 1, len(data))
    assert session.phases.release > 0


@pytest.mark.parametrize("maximum", [128, 129, 4096, 16384, 0, 2**32 - 1])
def test_store_arrives_whole_whatever_the_maximum_length(maximum):
    data = bytes(range(251)) * 500
    limits = Limits(max_pdu_length=maximum)
    with running_provider(limits=limits) as running:
        with Session(running.target(max_pdu=maximum), OFFER) as session:
            session.store(3, CT, "1.2.3", [data])
    assert running.handler.stored[0][1] == data


@pytest.mark.parametrize("size", [0, 1, 2, 16378, 16379, 300_001])
def test_store_arrives_whole_whatever_its_size(size):
    data = b"x" * size
    with running_provider(limits=Limits(max_pdu_length=16384)) as running:
        with Session(running.target(), OFFER) as session:
            session.store(3, CT, "1.2.3", [data])
    assert running.handler.stored[0][1] == data


def test_failure_status_and_comment_reach_the_sender():
    with running_provider(MemoryHandler(0xA700, "disk full")) as running:
        with Session(running.target(), OFFER) as session:
            result = session.store(3, CT, "1.2.3", [b"data"])
    assert (result.status, result.comment, result.is_stored) == (0xA700, "disk full", False)


def test_unserved_contexts_are_refused_and_the_rest_stands():
    with running_provider(abstract_syntaxes=frozenset([VERIFICATION])) as running:
        with Session(running.target(), OFFER) as session:
            assert session.context_for(VERIFICATION) is not None
            assert session.context_for(CT) is None
            assert session.contexts[3].result == 3


def test_wrong_called_title_is_rejected():
    with running_provider(called_ae_titles=frozenset(["RIGHT"])) as running:
        with pytest.raises(AssociationRejected, match="called AE title") as caught:
            Session(running.target(called_ae_title="WRONG"), OFFER)
        running.wait_for(AssociationRefused)
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 7)
    assert not caught.value.is_transient


def test_association_over_the_limit_is_rejected_for_now_and_frees_its_place():
    with running_provider(max_associations=1) as running:
        with Session(running.target(), OFFER):
            with pytest.raises(AssociationRejected, match="local limit") as caught:
                Session(running.target(), OFFER)
            assert caught.value.is_transient
        running.wait_for(AssociationEnded)
        with Session(running.target(), OFFER) as session:
            assert session.echo(1).status == 0


def test_connection_over_the_cap_is_closed():
    with running_provider(caps=Caps(connections=1)) as running:
        with Session(running.target(), OFFER):
            with pytest.raises(AssociationAborted):
                Session(running.target(), OFFER)


def test_request_that_never_comes_ends_at_its_deadline():
    with running_provider(limits=Limits(request=0.1)) as running:
        with socket.create_connection(("127.0.0.1", running.listener.port), 5) as sock:
            assert sock.recv(100) == b""


def test_idle_association_is_aborted_at_its_deadline():
    with running_provider(limits=Limits(idle=0.1)) as running:
        session = Session(running.target(), OFFER)
        ended = running.wait_for(AssociationEnded)[0]
        with pytest.raises(AssociationAborted):
            session.echo(1)
        session.abort()
    assert ended.how == "timeout"


def test_closed_port_is_refused_in_plain_words():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectError, match="connection refused"):
        Session(Target("x", "127.0.0.1", port), OFFER)


def test_unknown_host_is_told_in_plain_words():
    with pytest.raises(ConnectError, match=r"cannot find no\.such\.host\.invalid"):
        Session(Target("x", "no.such.host.invalid", 104), OFFER)
