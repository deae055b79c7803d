"""Where a C-MOVE may send: the configured peers by AE title, and what is typed."""

from __future__ import annotations

import pytest

from pacs_cli.config import Config, Peer
from pacs_cli.errors import UsageError
from pacs_cli.options import move_destinations


def test_configured_peers_with_a_title_and_a_port_are_destinations():
    config = Config(
        peers={
            "ws": Peer("ws", "10.0.0.7:11112", "WS1"),
            "titled": Peer("titled", "WS2@10.0.0.8:104"),
            "nameless": Peer("nameless", "10.0.0.9:104"),
            "portless": Peer("portless", "WS3@10.0.0.9"),
        }
    )
    found = move_destinations((), "ARCHIVE", config)
    assert {title: target.address for title, target in found.items()} == {
        "WS1": "10.0.0.7:11112",
        "WS2": "10.0.0.8:104",
    }
    assert {target.calling_ae_title for target in found.values()} == {"ARCHIVE"}
    assert {target.called_ae_title for target in found.values()} == {"WS1", "WS2"}


def test_typed_destination_takes_the_place_of_a_configured_one():
    config = Config(peers={"ws": Peer("ws", "WS1@10.0.0.7:104")})
    found = move_destinations(["WS1@127.0.0.1:105", "WS2@[::1]:106"], "ARCHIVE", config)
    assert (found["WS1"].address, found["WS2"].address) == ("127.0.0.1:105", "[::1]:106")


@pytest.mark.parametrize("text", ["127.0.0.1:104", "WS@127.0.0.1"])
def test_destination_that_is_typed_needs_title_and_port(text):
    with pytest.raises(UsageError):
        move_destinations([text], "ARCHIVE", Config())
