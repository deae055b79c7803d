"""Changes of the configuration file keep what its owner wrote."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_cli.config import load
from pacs_cli.config_file import (
    TEMPLATE,
    add_peer,
    check_name,
    create,
    remove_peer,
    required_path,
)
from pacs_cli.errors import ConfigError, OutputError, UsageError

OWN = """\
# mine
aet = "WARD"   # how they know us

[peers.first]
address = "A@10.0.0.1:104"  # the old one
timeouts = { connect = 3 }

# what we keep
[archive]
out = "held"

[peers."Ärzte"]
address = "b:105"
"""
TABLE = {"address": "10.0.0.9:11112", "aet": "NEW", "timeouts": {"connect": 2}, "tls": True}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pacs" / "config.toml"


@pytest.fixture
def own(file: Path) -> Path:
    file.parent.mkdir()
    file.write_text(OWN)
    return file


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_file_is_for_its_owner_alone_and_sets_nothing(file: Path):
    create(file)
    assert mode(file) == 0o600
    assert tomllib.loads(file.read_text()) == {"timeouts": {}}
    assert load({}, file).peers == {}


def test_every_commented_key_of_a_new_file_is_one(file: Path):
    file.parent.mkdir()
    lines = [line.removeprefix("# ") for line in TEMPLATE.splitlines()]
    keys = [line for line in lines if line.startswith("[") or line.split(" ")[1:2] == ["="]]
    file.write_text("\n".join(keys))
    config = load({}, file)
    assert (config.settings.calling_ae_title, config.settings.dimse_timeout) == ("PACS", 60)
    assert config.peers["ward"].tls.ca == file.parent / "ca.pem"
    assert config.archive.port == 11112


def test_file_that_is_there_is_never_overwritten(own: Path):
    with pytest.raises(OutputError, match="it exists, and stays as it is"):
        create(own)
    assert own.read_text() == OWN


def test_link_that_leads_nowhere_is_not_followed(file: Path, tmp_path: Path):
    file.parent.mkdir()
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="it exists"):
        create(file)
    assert not (tmp_path / "elsewhere").exists()


def test_file_is_not_begun_where_none_can_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file exists"):
        create(tmp_path / "file" / "config.toml")


def test_place_needs_a_home():
    with pytest.raises(ConfigError, match="set PACS_CONFIG to one, or HOME"):
        required_path({})


def test_added_peer_stands_behind_all_that_was_there(own: Path):
    add_peer(own, "new", TABLE)
    added = """
[peers.new]
address = "10.0.0.9:11112"
aet = "NEW"
timeouts = {connect = 2}
tls = true
"""
    assert own.read_text() == OWN + added


def test_removed_peer_takes_only_its_own_table_with_it(own: Path):
    remove_peer(own, "first")
    start, end = OWN.index("[peers.first]"), OWN.index("\n# what we keep")
    assert own.read_text() == OWN[:start] + OWN[end:]


def test_what_is_added_and_removed_leaves_the_bytes_as_they_were(own: Path):
    add_peer(own, "new", TABLE)
    remove_peer(own, "new")
    assert own.read_text().rstrip("\n") == OWN.rstrip("\n")


def test_peer_is_replaced_only_when_that_is_asked_for(own: Path):
    with pytest.raises(ConfigError, match=r"has a peer first already; .* --replace"):
        add_peer(own, "first", TABLE)
    assert own.read_text() == OWN
    add_peer(own, "first", TABLE, may_replace=True)
    assert load({}, own).peers["first"].called_ae_title == "NEW"
    assert "# mine" in own.read_text()


def test_first_peer_makes_the_file(file: Path):
    add_peer(file, "new", TABLE)
    assert mode(file) == 0o600
    assert load({}, file).peers["new"].address == "10.0.0.9:11112"


def test_mode_and_link_of_the_file_stay(own: Path, tmp_path: Path):
    own.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(own)
    before = os.umask(0o077)
    try:
        add_peer(link, "new", TABLE)
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert mode(own) == 0o640
    assert "new" in load({}, own).peers
    assert [path.name for path in own.parent.iterdir()] == ["config.toml"]


def test_peer_that_is_not_there_is_named_with_the_nearest(own: Path):
    with pytest.raises(ConfigError, match=r"no peer frist in .*; did you mean first\?"):
        remove_peer(own, "frist")
    with pytest.raises(ConfigError, match="it has first, Ärzte"):
        remove_peer(own, "zzz")


@pytest.mark.parametrize(
    ("text", "words"), [("aet = ", "not TOML"), ("aett = 'A'", "did you mean aet?"), ("\0", "TOML")]
)
def test_file_that_is_wrong_is_not_changed(file: Path, text: str, words: str):
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        add_peer(file, "new", TABLE)
    assert file.read_text() == text


def test_value_that_the_file_may_not_have_is_not_written(own: Path):
    with pytest.raises(ConfigError, match="AE title"):
        add_peer(own, "new", {**TABLE, "aet": "X" * 17})
    assert own.read_text() == OWN


def test_line_ends_of_the_file_stay(file: Path):
    file.parent.mkdir()
    file.write_bytes(OWN.replace("\n", "\r\n").encode())
    remove_peer(file, "first")
    assert b'aet = "WARD"   # how they know us\r\n' in file.read_bytes()


LAYOUTS = (
    'peers = { a = { address = "h:1" } }\n',
    'peers.a.address = "h:1"\n',
    '[peers]\na.address = "h:1"\n',
    '[peers]\na = { address = "h:1" }\n[archive]\nport = 1\n',
    '[peers]\n[peers.a]\naddress = "h:1"\n[archive]\n[peers.b]\naddress = "h:2"\n[timeouts]\n',
    '[peers.a]\naddress = "h:1"\n[peers.a.timeouts]\nacse = 1\n[peers.b]\naddress = "h:2"\n',
    '[archive]\n[timeouts]\n[peers."x y"]\naddress = "h:1"',
    "",
)


@pytest.mark.parametrize("text", LAYOUTS)
def test_every_layout_keeps_what_it_says_or_stays_as_it_is(file: Path, text: str):
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    peers = tomllib.loads(text).get("peers", {})
    for name in ("new", *peers):
        file.write_text(text)
        add_peer(file, name, TABLE, may_replace=True)
        assert tomllib.loads(file.read_text())["peers"] == {**peers, name: TABLE}
        if name in peers:
            remove_peer(file, name)
            rest = {key: value for key, value in peers.items() if key != name}
            assert tomllib.loads(file.read_text()).get("peers", {}) == rest


@pytest.mark.parametrize("name", ["ward", "Ward-2", "a", "x_1", "localhosts"])
def test_name_is_taken(name: str):
    check_name(name, {"echoscu"})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("echoscu", "a word of pacs"),
        ("10.0.0.5", "reads like an address"),
        ("host:104", "reads like an address"),
        ("A@host", "reads like an address"),
        ("::1", "reads like an address"),
        ("104", "reads like an address"),
        ("localhost", "reads like an address"),
        ("pacs.example", "reads like an address"),
        ("-x", "a letter first"),
        ("", "a letter first"),
        ("two words", "a letter first"),
        ("Ärzte", "a letter first"),
        ("x" * 65, "at most 64"),
    ],
)
def test_name_is_refused(name: str, words: str):
    with pytest.raises(UsageError, match=words):
        check_name(name, {"echoscu"})


@given(st.text())
def test_name_that_is_taken_is_a_bare_key(name: str):
    try:
        check_name(name, ())
    except UsageError:
        return
    assert tomllib.loads(f"[peers.{name}]") == {"peers": {name: {}}}
