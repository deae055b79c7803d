"""The configuration file, the environment, and which of them counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacs_cli.config import (
    BUILT_IN,
    Archive,
    Config,
    Peer,
    Settings,
    ae_title,
    first_of,
    load,
    pdu_length,
    port_number,
    seconds,
)
from pacs_cli.errors import ConfigError, Exit, nearest
from pacs_cli.net.target import Target
from pacs_cli.wire.association import Limits


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_load_gives_nothing_without_file_and_environment() -> None:
    assert load({}) == Config()


def test_load_reads_every_key(file: Path) -> None:
    file.write_text(
        """
        aet = "WARD"
        max_pdu = 16384
        timeouts = { connect = 1, acse = 2.5, dimse = 3 }
        [peers.pacs1]
        address = "PACS1@10.0.0.5:104"
        aet = "ARCHIVE"
        max_pdu = 0
        timeouts.acse = 9
        [archive]
        out = "held"
        aet = "STORE"
        port = 11112
        bind = "::"
        """
    )
    assert load({}, file) == Config(
        path=file,
        settings=Settings("WARD", 1.0, 2.5, 3.0, 16384),
        peers={
            "pacs1": Peer(
                "pacs1",
                "PACS1@10.0.0.5:104",
                "ARCHIVE",
                Settings(acse_timeout=9.0, max_pdu=0),
            )
        },
        archive=Archive(file.parent / "held", "STORE", 11112, "::"),
    )


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"PACS_CONFIG": "{}/own.toml", "XDG_CONFIG_HOME": "{}/xdg"}, "own.toml"),
        ({"XDG_CONFIG_HOME": "{}/xdg", "HOME": "{}"}, "xdg/pacs/config.toml"),
        ({"HOME": "{}"}, ".config/pacs/config.toml"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "{}"}, ".config/pacs/config.toml"),
        ({"PACS_CONFIG": "", "HOME": "{}"}, ".config/pacs/config.toml"),
    ],
)
def test_load_finds_the_file(tmp_path: Path, variables: dict[str, str], place: str) -> None:
    for each in ("own.toml", "xdg/pacs/config.toml", ".config/pacs/config.toml"):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).touch()
    environ = {name: value.format(tmp_path) for name, value in variables.items()}
    assert load(environ).path == tmp_path / place


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("aett = 'X'", "unknown key aett; did you mean aet?"),
        ("colour = 1", "unknown key colour; known keys: aet, max_pdu, timeouts, peers, archive"),
        ("timeouts.conect = 1", "unknown key timeouts.conect; did you mean connect?"),
        ("[peers.a]\nadress = 'h:1'", "unknown key peers.a.adress; did you mean address?"),
        ("[archive]\nprt = 1", "unknown key archive.prt; did you mean port?"),
        ("aet = 5", "aet: must be text, not 5"),
        ("aet = ''", "aet: an AE title must not be empty"),
        ("timeouts = 5", "timeouts: must be a table, not 5"),
        ("timeouts.acse = 'x'", "timeouts.acse: must be seconds, above 0"),
        ("max_pdu = true", "max_pdu: must be 0 (no limit) or 128"),
        ("peers = []", "peers: must be a table, not []"),
        ("peers.a = 'h:1'", "peers.a: must be a table, not 'h:1'"),
        ("[peers.a]\naet = 'A'", "peers.a.address is missing; set it to HOST:PORT"),
        ("archive.port = 65536", "archive.port: must be a port from 1 to 65535, not 65536"),
        ("aet = ", "not TOML"),
    ],
)
def test_load_names_file_and_key_when_the_file_is_wrong(
    file: Path, text: str, problem: str
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load({}, file)
    assert str(file) in str(caught.value)
    assert problem in str(caught.value)
    assert caught.value.exit is Exit.USAGE


def test_load_fails_when_the_named_file_is_missing(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        load({"PACS_CONFIG": str(file)})


def test_load_fails_when_the_file_is_not_utf_8(file: Path) -> None:
    file.write_bytes(b"aet = '\xff'")
    with pytest.raises(ConfigError, match="not TOML"):
        load({}, file)


def test_environment_is_read() -> None:
    environ = {
        "PACS_AET": " WARD ",
        "PACS_TIMEOUT": "7",
        "PACS_ACSE_TIMEOUT": "0.5",
        "PACS_MAX_PDU": "0",
        "PACS_DIMSE_TIMEOUT": "",
    }
    assert load(environ).environment == Settings("WARD", 7.0, 0.5, 7.0, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PACS_AET", "A\\B"),
        ("PACS_TIMEOUT", "soon"),
        ("PACS_TIMEOUT", "nan"),
        ("PACS_MAX_PDU", "1"),
    ],
)
def test_environment_error_names_the_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load({name: value})


def test_first_of_takes_each_value_from_the_first_layer_that_has_it() -> None:
    merged = first_of(Settings("A", max_pdu=0), Settings("B", 1.0), BUILT_IN)
    assert merged == Settings("A", 1.0, 30.0, 60.0, 0)


def test_built_in_values_are_those_of_the_engine() -> None:
    target = Target("h", "h", 104)
    times = target.timeouts
    assert (
        Settings(target.calling_ae_title, times.connect, times.acse, times.dimse, target.max_pdu)
        == BUILT_IN
    )
    assert BUILT_IN.max_pdu == Limits().max_pdu_length


@pytest.mark.parametrize(("text", "title"), [("A", "A"), ("  A B ", "A B"), ("X" * 16, "X" * 16)])
def test_ae_title_is_given_without_padding(text: str, title: str) -> None:
    assert ae_title(text) == title


@pytest.mark.parametrize("text", ["", "   ", "X" * 17, "A\\B", "A\nB", "A\x1bB", "Ä", None, 5])
def test_ae_title_is_refused_when_the_standard_does(text: object) -> None:
    with pytest.raises(ValueError, match=r"AE title|must be text"):
        ae_title(text)


@pytest.mark.parametrize("value", [0, -1, 604_801, float("nan"), float("inf"), True, "5", None])
def test_seconds_are_refused_out_of_range(value: object) -> None:
    with pytest.raises(ValueError, match="must be seconds"):
        seconds(value)


@pytest.mark.parametrize("value", [0, 128, 2**32 - 1])
def test_pdu_length_is_taken_at_its_bounds(value: int) -> None:
    assert pdu_length(value) == value


@pytest.mark.parametrize("value", [-1, 1, 127, 2**32, 16384.0, True])
def test_pdu_length_is_refused_out_of_range(value: object) -> None:
    with pytest.raises(ValueError, match="must be 0"):
        pdu_length(value)


@pytest.mark.parametrize("value", [0, 65_536, "104", True])
def test_port_number_is_refused_out_of_range(value: object) -> None:
    with pytest.raises(ValueError, match="must be a port"):
        port_number(value)


def test_nearest_names_only_what_is_like_it() -> None:
    assert nearest("storscu", ["echoscu", "storescu"]) == "; did you mean storescu?"
    assert nearest("zzz", ["echoscu"]) == ""
