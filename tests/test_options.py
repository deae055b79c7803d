"""Shared options: from what was typed to what is resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pytest
import typer

from pacs_cli.config import Archive, Config, Peer, Settings
from pacs_cli.errors import ConfigError, UsageError
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.options import (
    ListenOptions,
    NetworkOptions,
    OutputOptions,
    PeerOptions,
    Port,
    expand,
    resolve_listen,
    resolve_target,
    split_port,
)

if TYPE_CHECKING:
    from tests.conftest import Pacs

NOTHING_TYPED = NetworkOptions()


@pytest.fixture
def calls(install_command: Callable[..., None]) -> list[dict[str, Any]]:
    """The calls of a command `probe` that takes every group and a variadic argument."""
    calls: list[dict[str, Any]] = []

    def probe(
        peer: PeerOptions,
        network: NetworkOptions,
        output: OutputOptions,
        rest: Annotated[list[str], typer.Argument(metavar="[PORT] PATH...")],
        repeat: Annotated[int, typer.Option("--repeat", "-r")] = 1,
    ) -> None:
        calls.append(dict(locals()))

    install_command(probe)
    return calls


def test_groups_are_filled_with_defaults(pacs: Pacs, calls: list[dict[str, Any]]) -> None:
    assert pacs("probe", "host", "x").exit == 0
    (call,) = calls
    assert call["peer"] == PeerOptions("host")
    assert call["network"] == NOTHING_TYPED
    assert call["output"] == OutputOptions()
    assert call["rest"] == ["x"]
    assert call["repeat"] == 1


def test_groups_are_filled_with_what_was_typed(pacs: Pacs, calls: list[dict[str, Any]]) -> None:
    typed = (
        "-aec THEM -aet US -to 1 -ta 2 -td 3.5 --timeout 9 --max-pdu 0 "
        "--json -q -vv -d --log-file log -r 4 host 104 a b"
    )
    assert pacs("probe", *typed.split()).exit == 0
    (call,) = calls
    assert call["peer"] == PeerOptions("host", "THEM")
    assert call["network"] == NetworkOptions("US", 1.0, 2.0, 3.5, 9.0, 0)
    assert call["output"] == OutputOptions(True, False, True, 2, True, Path("log"))
    assert call["rest"] == ["104", "a", "b"]
    assert call["repeat"] == 4


@pytest.mark.parametrize(
    "typed", [["-aec", "X"], ["-aec=X"], ["--called-aet", "X"], ["--called-aet=X"]]
)
def test_called_ae_title_is_taken_in_every_spelling(
    pacs: Pacs, calls: list[dict[str, Any]], typed: list[str]
) -> None:
    assert pacs("probe", "host", *typed, "x").exit == 0
    assert calls[0]["peer"].called_ae_title == "X"


def test_json_and_csv_exclude_each_other(pacs: Pacs, calls: list[dict[str, Any]]) -> None:
    result = pacs("probe", "host", "x", "--json", "--csv")
    assert result.exit == 2
    assert "--json and --csv exclude each other" in result.stderr
    assert calls == []


def test_expand_refuses_two_options_of_one_name() -> None:
    def twice(first: NetworkOptions, second: ListenOptions) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter"):
        expand(twice)


@dataclass(frozen=True)
class Group:
    other: int = 1


def test_expand_leaves_a_group_and_a_field_of_one_name_apart() -> None:
    def command(other: Group, port: Port = None) -> Group:
        return other

    assert expand(command)(other=5, port=None) == Group(5)


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (["104", "a"], (104, ["a"])),
        (["a", "104"], (None, ["a", "104"])),
        (["./104"], (None, ["./104"])),
        ([], (None, [])),
        (["1" * 21], (None, ["1" * 21])),
        (["١٠٤"], (None, ["١٠٤"])),
    ],
)
def test_split_port_takes_a_first_argument_of_digits(
    rest: list[str], expected: tuple[int | None, list[str]]
) -> None:
    assert split_port(rest) == expected


def test_split_port_refuses_a_port_out_of_range() -> None:
    with pytest.raises(UsageError, match="PORT: must be a port from 1 to 65535, not 65536"):
        split_port(["65536", "a"])


@pytest.mark.parametrize(
    ("typed", "port", "host", "resolved", "called"),
    [
        ("host", 104, "host", 104, "ANY-SCP"),
        ("host:104", None, "host", 104, "ANY-SCP"),
        ("host:104", 104, "host", 104, "ANY-SCP"),
        ("AE@host:104", None, "host", 104, "AE"),
        ("AE@host", 104, "host", 104, "AE"),
        ("A@B@host:104", None, "host", 104, "A@B"),
        ("[::1]:104", None, "::1", 104, "ANY-SCP"),
        ("AE@[::1]:104", None, "::1", 104, "AE"),
        ("[::1]", 104, "::1", 104, "ANY-SCP"),
        ("::1", 104, "::1", 104, "ANY-SCP"),
        ("fe80::1%eth0", 104, "fe80::1%eth0", 104, "ANY-SCP"),
    ],
)
def test_target_is_resolved_from_every_form_of_address(
    typed: str, port: int | None, host: str, resolved: int, called: str
) -> None:
    target = resolve_target(PeerOptions(typed), port, NOTHING_TYPED, Config())
    assert target == Target(typed, host, resolved, called, "PACS", Timeouts(10.0, 30.0, 60.0))


@pytest.mark.parametrize(
    ("peer", "port", "problem"),
    [
        (PeerOptions("host"), None, "no port for host: write host PORT or host:PORT"),
        (PeerOptions("::1"), None, r"write ::1 PORT or \[::1\]:PORT"),
        (PeerOptions("host:1"), 2, "two ports"),
        (PeerOptions("A@host", "B"), 1, "two AE titles"),
        (PeerOptions("host:x"), None, "'x' is not a port"),
        (PeerOptions("host:"), None, "'' is not a port"),
        (PeerOptions("host:70000"), None, "1 to 65535"),
        (PeerOptions(""), 1, "a host name or address is expected"),
        (PeerOptions(":104"), None, "a host name or address is expected"),
        (PeerOptions("a b"), 1, "a host name or address is expected"),
        (PeerOptions("[::1"), 1, "are expected"),
        (PeerOptions("[::1]x"), 1, "are expected"),
        (PeerOptions("1:2:3"), 1, "1:2:3 is not an IPv6 address"),
        (PeerOptions("@host"), 1, "must not be empty"),
        (PeerOptions("host", "X" * 17), 1, "--called-aet: .* longer than the 16"),
        (PeerOptions("host"), 0, "PORT: must be a port"),
    ],
)
def test_target_is_refused_with_the_cause(
    peer: PeerOptions, port: int | None, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem):
        resolve_target(peer, port, NOTHING_TYPED, Config())


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        (NetworkOptions(calling_ae_title="\\"), "--aet: .* no AE title may have"),
        (NetworkOptions(connect_timeout=0.0), "--connect-timeout: must be seconds"),
        (NetworkOptions(timeout=-1.0), "--timeout: must be seconds"),
        (NetworkOptions(max_pdu=127), "--max-pdu: must be 0"),
    ],
)
def test_network_option_is_refused_by_name(network: NetworkOptions, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        resolve_target(PeerOptions("host"), 104, network, Config())


def test_timeout_sets_those_without_an_option_of_their_own() -> None:
    network = NetworkOptions(timeout=5.0, acse_timeout=1.0)
    target = resolve_target(PeerOptions("host"), 104, network, Config())
    assert target.timeouts == Timeouts(5.0, 1.0, 5.0)


def test_each_layer_counts_before_the_next() -> None:
    config = Config(
        environment=Settings(connect_timeout=2.0),
        peers={"ward": Peer("ward", "host:104", None, Settings(None, 3.0, 3.0, None, None))},
        settings=Settings("FILE", 4.0, 4.0, 4.0, None),
    )
    typed = NetworkOptions(calling_ae_title="TYPED")
    target = resolve_target(PeerOptions("ward"), None, typed, config)
    assert target.calling_ae_title == "TYPED"
    assert target.timeouts == Timeouts(2.0, 3.0, 4.0)
    assert target.max_pdu == 262_144


@pytest.mark.parametrize(
    ("known", "typed", "called"),
    [
        (Peer("ward", "ADDRESS@h:1", "KEY"), "TYPED", "TYPED"),
        (Peer("ward", "ADDRESS@h:1", "KEY"), None, "KEY"),
        (Peer("ward", "ADDRESS@h:1"), None, "ADDRESS"),
        (Peer("ward", "h:1"), None, "ANY-SCP"),
    ],
)
def test_called_ae_title_of_a_configured_peer(known: Peer, typed: str | None, called: str) -> None:
    config = Config(peers={"ward": known})
    target = resolve_target(PeerOptions("ward", typed), None, NOTHING_TYPED, config)
    assert (target.name, target.host, target.called_ae_title) == ("ward", "h", called)


def test_typed_port_counts_before_that_of_a_configured_peer() -> None:
    config = Config(peers={"ward": Peer("ward", "h:1")})
    assert resolve_target(PeerOptions("ward"), 2, NOTHING_TYPED, config).port == 2


def test_mistyped_peer_name_is_answered_with_the_nearest() -> None:
    config = Config(peers={"pacs01": Peer("pacs01", "h:1")})
    with pytest.raises(UsageError, match=r"no port for pacs1: .*; did you mean pacs01\?"):
        resolve_target(PeerOptions("pacs1"), None, NOTHING_TYPED, config)


def test_bad_address_of_a_configured_peer_names_the_file() -> None:
    config = Config(path=Path("c.toml"), peers={"ward": Peer("ward", "h:x")})
    with pytest.raises(ConfigError, match=r"c\.toml: peers\.ward\.address: 'x' is not a port"):
        resolve_target(PeerOptions("ward"), None, NOTHING_TYPED, config)


def test_configuration_file_is_read_when_none_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[peers.ward]\naddress = 'W@10.0.0.5:104'\n")
    monkeypatch.setenv("PACS_CONFIG", str(file))
    target = resolve_target(PeerOptions("ward"), None, NOTHING_TYPED)
    assert str(target) == "W (10.0.0.5:104)"


def test_listen_is_filled_with_what_is_built_in() -> None:
    listen = resolve_listen(ListenOptions(port=11112), Config())
    assert (listen.ae_title, listen.bind, listen.port) == ("PACS", "127.0.0.1", 11112)
    assert (listen.request_timeout, listen.idle_timeout) == (15.0, 60.0)
    assert (listen.max_pdu, listen.out) == (262_144, None)


def test_listen_takes_the_archive_of_the_configuration() -> None:
    config = Config(
        settings=Settings("FILE", acse_timeout=5.0),
        archive=Archive(Path("/held"), "STORE", 104, "::"),
    )
    listen = resolve_listen(ListenOptions(), config)
    assert (listen.ae_title, listen.bind, listen.port) == ("STORE", "::", 104)
    assert (listen.request_timeout, listen.out) == (5.0, Path("/held"))


def test_listen_takes_what_was_typed_first() -> None:
    config = Config(Path("c"), Settings("ENV"), archive=Archive(None, "STORE", 104, "::"))
    typed = ListenOptions(1, "TYPED", "127.0.0.2", timeout=3.0, max_pdu=128)
    listen = resolve_listen(typed, config)
    assert (listen.ae_title, listen.bind, listen.port) == ("TYPED", "127.0.0.2", 1)
    assert (listen.request_timeout, listen.idle_timeout, listen.max_pdu) == (3.0, 3.0, 128)


def test_listen_needs_a_port() -> None:
    with pytest.raises(UsageError, match="no port to listen on"):
        resolve_listen(ListenOptions(), Config())


@pytest.mark.parametrize(("is_checked", "titles"), [(False, set()), (True, {"STORE"})])
def test_listen_gives_the_settings_of_a_provider(is_checked: bool, titles: set[str]) -> None:
    typed = ListenOptions(
        1, "STORE", is_called_checked=is_checked, max_associations=3, max_pdu=128, timeout=2.0
    )
    settings = resolve_listen(typed, Config()).provider(lambda context: "1.2.840.10008.1.2")
    assert settings.called_ae_titles == titles
    assert settings.max_associations == 3
    limits = settings.limits
    assert (limits.max_pdu_length, limits.request, limits.idle) == (128, 2.0, 2.0)
