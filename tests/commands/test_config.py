"""`pacs config` through its entry point."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from pacs_cli.cli import COMMANDS
from pacs_cli.config import load
from tests.conftest import Pacs
from tests.interop.peers import PACS
from tests.support import running_provider


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("PACS_CONFIG", str(path))
    return path


@pytest.fixture
def ward(file: Path) -> Path:
    file.write_text(
        'aet = "US"\ntimeouts.acse = 7\n[peers.ward]\naddress = "A@10.0.0.5:104"\n'
        'aet = "WARD"\ntimeouts = { connect = 3 }\ntls = { ca = "ca.pem" }\n'
        "[archive]\nport = 11112\n"
    )
    return file


def sources(result) -> dict[str, tuple[object, str, str]]:
    return {
        each["key"]: (each["value"], each["source"], each["where"])
        for each in result.json
        if each["type"] == "setting"
    }


def test_init_writes_a_file_and_path_says_where(pacs: Pacs, file: Path):
    before = pacs("config", "path", "--json").json
    assert before == [{"type": "path", "path": str(file), "exists": False}]
    assert pacs("config", "init").exit == 0
    assert pacs("config", "path").stdout == f"{file}\n"
    assert pacs("config", "path", "--json").json[0]["exists"] is True
    again = pacs("config", "init")
    assert (again.exit, again.stderr.count("\n")) == (7, 1)


def test_show_says_where_each_value_comes_from(pacs: Pacs, ward: Path):
    result = pacs("config", "show", "--max-pdu", 16384, "--json", env={"PACS_DIMSE_TIMEOUT": "9"})
    assert result.exit == 0
    found = sources(result)
    assert found["aet"] == ("US", "config", "aet")
    assert found["timeouts.connect"] == (10.0, "built-in", "")
    assert found["timeouts.acse"] == (7.0, "config", "timeouts.acse")
    assert found["timeouts.dimse"] == (9.0, "environment", "PACS_DIMSE_TIMEOUT")
    assert found["max_pdu"] == (16384, "typed", "--max-pdu")
    assert found["peers.ward.address"][0] == "A@10.0.0.5:104"
    assert found["peers.ward.tls.ca"][0] == str(ward.parent / "ca.pem")
    assert found["archive.port"] == (11112, "config", "archive.port")
    assert result.json[-1] == {"type": "summary", "path": str(ward), "peers": 1}


def test_show_of_a_peer_is_what_a_command_would_use(pacs: Pacs, ward: Path):
    result = pacs(
        *("config", "show", "ward", "--timeout", 5, "--tls-min", "1.3", "--json"),
        env={"PACS_AET": "ENV", "PACS_TIMEOUT": "8"},
    )
    (ward.parent / "ca.pem").write_text("")
    assert result.exit == 2  # the CA cannot be read: so would it be for a command
    text = ward.read_text().replace('ca = "ca.pem"', 'server_name = "w"')
    ward.write_text(text)
    result = pacs(
        *("config", "show", "ward", "--acse-timeout", 5, "--tls-min", "1.3", "--json"),
        env={"PACS_AET": "ENV", "PACS_TIMEOUT": "8"},
    )
    assert sources(result) == {
        "host": ("10.0.0.5", "peer", "peers.ward.address"),
        "port": (104, "peer", "peers.ward.address"),
        "called_aet": ("WARD", "peer", "peers.ward.aet"),
        "aet": ("ENV", "environment", "PACS_AET"),
        "timeouts.connect": (8.0, "environment", "PACS_TIMEOUT"),
        "timeouts.acse": (5.0, "typed", "--acse-timeout"),
        "timeouts.dimse": (8.0, "environment", "PACS_TIMEOUT"),
        "max_pdu": (262144, "built-in", ""),
        "tls": (True, "peer", "peers.ward.tls"),
        "tls.min": ("1.3", "typed", "--tls-min"),
        "tls.server_name": ("w", "peer", "peers.ward.tls.server_name"),
        "user": (False, "built-in", ""),
    }


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (("X@h:1",), ("X", "typed", "PEER")),
        (("h:1",), ("ANY-SCP", "built-in", "")),
        (("h", 1, "-aec", "Y"), ("Y", "typed", "--called-aet")),
    ],
)
def test_show_of_an_address_that_is_typed(pacs: Pacs, words: tuple[object, ...], title: object):
    found = sources(pacs("config", "show", *words, "--json"))
    assert (found["host"][0], found["port"][:2]) == ("h", (1, "typed"))
    assert found["called_aet"] == title
    assert found["tls"] == (False, "built-in", "")


def test_show_takes_no_option_of_a_peer_without_one(pacs: Pacs):
    result = pacs("config", "show", "--tls")
    assert (result.exit, result.stderr.count("\n")) == (2, 1)
    assert "write which, as PEER" in result.stderr


def test_peer_is_added_listed_and_removed(pacs: Pacs, file: Path):
    added = pacs("config", "peers", "add", "ward", "WARD@10.0.0.5:104", "--timeout", 2.5)
    assert (added.exit, added.stderr) == (0, "")
    assert "pacs doctor ward" in added.stdout
    assert pacs("config", "peers", "add", "six", "fd00::5", 105, "-aec", "SIX").exit == 0
    config = load({}, file)
    assert config.peers["ward"].address == "10.0.0.5:104"
    assert config.peers["ward"].settings.connect_timeout == 2.5
    assert config.peers["six"].address == "[fd00::5]:105"
    listed = pacs("config", "peers", "list", "--json").json
    assert [(each["name"], each["aet"], each["tls"]) for each in listed] == [
        ("ward", "WARD", False),
        ("six", "SIX", False),
    ]
    assert "acse_timeout 2.5" in pacs("config", "peers", "list").stdout
    assert pacs("config", "peers", "remove", "ward").exit == 0
    assert list(load({}, file).peers) == ["six"]


def test_added_peer_has_the_whole_paths_of_its_tls(pacs: Pacs, file: Path, pki, monkeypatch):
    monkeypatch.chdir(pki.ca.parent)
    good = pki.good
    files = ("--tls-ca", pki.ca.name, "--tls-cert", good.certificate.name, "--tls-key")
    assert pacs("config", "peers", "add", "ward", "h:1", *files, good.key.name).exit == 0
    tls = load({}, file).peers["ward"].tls
    assert (tls.ca, tls.certificate, tls.key) == (pki.ca, good.certificate, good.key)
    assert pacs("config", "peers", "add", "other", "h:1", "--tls").exit == 0
    assert "tls = true" in file.read_text()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("ward", "10.0.0.5"), 2, "no port for 10.0.0.5"),
        (("ward", "10.0.0.5:70000"), 2, "a port from 1 to 65535"),
        (("echoscu", "h:1"), 2, "a word of pacs"),
        (("status", "h:1"), 2, "a word of pacs"),
        (("10.0.0.5", "h:1"), 2, "reads like an address"),
        (("ward", "h:1", "-aec", "X" * 17), 2, "16 characters"),
        (("ward", "h:1", "-aet", "X"), 2, "set aet at the top"),
        (("ward", "h:1", "--timeout", "0"), 2, "must be seconds"),
        (("ward", "h:1", "--tls-ca", "/none.pem"), 2, "/none.pem: No such file"),
    ],
)
def test_peer_that_cannot_be_added_is_not(
    pacs: Pacs, file: Path, words: tuple[str, ...], code: int, told: str
):
    result = pacs("config", "peers", "add", *words)
    assert (result.exit, result.stderr.count("\n")) == (code, 1)
    assert told in result.stderr
    assert not file.exists()


def test_no_command_is_a_name_for_a_peer(pacs: Pacs, file: Path):
    for command in COMMANDS:
        assert pacs("config", "peers", "add", command.name, "h:1").exit == 2


def test_peers_are_tested_at_once_and_shown_in_order(pacs: Pacs, file: Path):
    with running_provider() as running, running_provider() as other:
        lines = [
            f'[peers.good]\naddress = "127.0.0.1:{running.listener.port}"',
            '[peers.nobody]\naddress = "127.0.0.1:1"',
            '[peers.nowhere]\naddress = "h"',
            f'[peers.other]\naddress = "127.0.0.1:{other.listener.port}"',
        ]
        file.write_text("\n".join(lines))
        result = pacs("config", "peers", "test", "--json")
        good = pacs("config", "peers", "test", "other", "good")
    assert result.exit == 1
    *echoes, summary = result.json
    assert [each["peer"] for each in echoes] == ["good", "nobody", "nowhere", "other"]
    assert [each["status"] for each in echoes] == ["0000", None, None, "0000"]
    assert [bool(each["error"]) for each in echoes] == [False, True, True, False]
    assert echoes[0]["tls_seconds"] == 0.0
    assert summary == {"type": "summary", "peers": 4, "succeeded": 2, "failed": 2}
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["nobody", "nowhere"]
    assert (good.exit, good.stderr) == (0, "")
    rows = [line.split("\t")[0] for line in good.stdout.splitlines()]
    assert rows == ["name", "other", "good", "2 of 2 peers answered"]


@pytest.mark.parametrize(
    ("address", "code"), [("127.0.0.1:1", 3), ("h", 2), ("no.such.host.invalid:1", 3)]
)
def test_exit_code_is_that_of_the_first_failure_when_nobody_answered(
    pacs: Pacs, file: Path, address: str, code: int
):
    file.write_text(f'[peers.a]\naddress = "{address}"')
    assert pacs("config", "peers", "test").exit == code


def test_test_needs_peers(pacs: Pacs, ward: Path):
    unknown = pacs("config", "peers", "test", "wrad")
    assert (unknown.exit, unknown.stderr.count("\n")) == (2, 1)
    assert "no peer wrad in the configuration; did you mean ward?" in unknown.stderr
    ward.write_text("")
    none = pacs("config", "peers", "test")
    assert (none.exit, none.stderr.count("\n")) == (2, 1)
    assert "pacs config peers add" in none.stderr


def test_config_runs_as_a_program(tmp_path: Path):
    path = tmp_path / "config.toml"
    environ = {**os.environ, "PACS_CONFIG": str(path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PACS, "config", *words], env=environ, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip

    assert run("init").returncode == 0
    assert run("peers", "add", "ward", "h:1").returncode == 0
    assert 'address = "h:1"' in path.read_text()
    assert run("peers", "ad").stderr.startswith("pacs config peers: no such command ad; did you")


def test_peer_keeps_who_we_say_that_we_are(pacs, tmp_path, monkeypatch):
    config, passcode = tmp_path / "config.toml", tmp_path / "doe.pass"
    passcode.write_text("made up\n")
    monkeypatch.setenv("PACS_CONFIG", str(config))
    words = ("config", "peers", "add", "ward", "WARD@10.0.0.5:104", "--user", "doe")
    done = pacs(*words, "--user-pass-file", passcode, "--json")
    assert done.exit == 0, done
    (record,) = [each for each in done.json if each["type"] == "peer"]
    assert (record["user_name"], record["user_pass_file"]) == ("doe", str(passcode))
    assert "made up" not in config.read_text()
    shown = {each["key"]: each for each in pacs("config", "show", "ward", "--json").json[:-1]}
    assert shown["user.name"]["value"] == "doe"
    assert shown["user.name"]["where"] == "peers.ward.user.name"
    typed = pacs("config", "show", "ward", "--user", "roe", "--json").json
    assert [each["source"] for each in typed if each.get("key") == "user.name"] == ["typed"]
    refused = pacs("config", "peers", "add", "other", "10.0.0.5:104", "--user-pass-file", passcode)
    assert refused.exit == 2
