"""`pacs users`: the file of users, and that no passcode shows anywhere."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pacs_cli.pipelines.users import Cost, read_users
from tests.conftest import Pacs
from tests.interop.peers import PACS

PASSCODE = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a passcode cost nothing in this process; what a real one costs is tested below."""
    monkeypatch.setattr("pacs_cli.pipelines.users.COST", Cost(4, 1, 1))


def add(pacs: Pacs, file: Path, name: str, passcode: str = PASSCODE):
    source = file.with_name("passcode")
    source.write_text(f"{passcode}\nanother line\n")
    return pacs("users", "add", "--file", file, name, "--passcode-file", source)


def test_added_user_is_known_by_the_passcode_alone(pacs: Pacs, tmp_path: Path):
    file = tmp_path / "users"
    done = add(pacs, file, "doe")
    assert (done.exit, done.stdout, done.stderr) == (0, "added doe\n", "")
    kept = read_users(file).passcodes["doe"]
    assert kept.fits(PASSCODE.encode())
    assert not kept.fits(b"another passcode")
    assert PASSCODE not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_passcode_is_changed_and_the_others_stay(pacs: Pacs, tmp_path: Path):
    file = tmp_path / "users"
    add(pacs, file, "doe")
    add(pacs, file, "Ünal")
    before = file.read_text().splitlines()
    done = add(pacs, file, "doe", "another passcode")
    assert done.stdout == "changed doe\n"
    after = file.read_text().splitlines()
    assert [line.partition(":")[0] for line in after] == ["doe", "Ünal"]
    assert (after[0] != before[0], after[1]) == (True, before[1])
    assert read_users(file).passcodes["doe"].fits(b"another passcode")


def test_same_passcode_is_kept_differently_for_each(pacs: Pacs, tmp_path: Path):
    file = tmp_path / "users"
    add(pacs, file, "one")
    add(pacs, file, "two")
    one, two = (line.partition(":")[2] for line in file.read_text().splitlines())
    assert one != two


def test_users_are_listed_and_removed(pacs: Pacs, tmp_path: Path):
    file = tmp_path / "users"
    add(pacs, file, "one")
    add(pacs, file, "two")
    assert pacs("users", "list", "--file", file).stdout == "one\ntwo\n"
    shown = pacs("users", "list", "--file", file, "--json")
    assert [each["name"] for each in shown.json] == ["one", "two"]
    assert "scrypt" not in shown.stdout
    assert pacs("users", "remove", "--file", file, "one").stdout == "removed one\n"
    assert pacs("users", "list", "--file", file).stdout == "two\n"
    gone = pacs("users", "remove", "--file", file, "one")
    assert (gone.exit, gone.stderr.count("\n")) == (6, 1)
    assert list(read_users(file).passcodes) == ["two"]


def test_link_to_the_file_stays_a_link(pacs: Pacs, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "users"
    link.symlink_to("elsewhere/users")
    add(pacs, link, "doe")
    assert link.is_symlink()
    assert list(read_users(tmp_path / "elsewhere" / "users").passcodes) == ["doe"]


@pytest.mark.parametrize(
    ("name", "passcode", "words"),
    [
        ("", PASSCODE, "as a user name"),
        ("a:b", PASSCODE, "as a user name"),
        (" doe", PASSCODE, "as a user name"),
        ("#doe", PASSCODE, "as a user name"),
        ("a\nb", PASSCODE, "as a user name"),
        ("x" * 65, PASSCODE, "as a user name"),
        ("doe", "short", "a passcode has 8 to 1024 bytes"),
        ("doe", "x" * 1025, "a passcode has 8 to 1024 bytes"),
    ],
)
def test_user_that_cannot_be_kept_is_a_usage_error(
    pacs: Pacs, tmp_path: Path, name, passcode, words
):
    done = add(pacs, tmp_path / "users", name, passcode)
    assert (done.exit, done.stderr.count("\n")) == (2, 1)
    assert words in done.stderr
    assert passcode not in done.stderr
    assert not (tmp_path / "users").exists()


GOOD = "$scrypt$ln=4,r=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("doe", "line 1: $scrypt$ln=...,r=...,p=...$SALT$HASH is expected"),
        ("doe:passcode in the clear", "line 1: $scrypt$"),
        (f"# users\n\nok:{GOOD}\ndoe:{GOOD[:-40]}", "line 4: $scrypt$"),
        (f"doe:{GOOD}\ndoe:{GOOD}", "line 2: a user that stands in the file before"),
        ("doe:" + GOOD.replace("ln=4", "ln=24"), "line 1: its cost is out of range"),
        ("doe:" + GOOD.replace("r=1", "r=0"), "line 1: its cost is out of range"),
        ("doe:" + GOOD.replace("p=1", "p=999"), "line 1: its cost is out of range"),
        ("doe:" + GOOD[:-42], "line 1: $scrypt$"),
    ],
)
def test_file_that_is_wrong_is_named_with_its_line(pacs: Pacs, tmp_path: Path, text, words):
    file = tmp_path / "users"
    file.write_text(text)
    for command in (
        ("users", "list", "--file", file),
        ("storescp", "0", "--out", tmp_path / "archive", "--users", file),
    ):
        done = pacs(*command)
        assert (done.exit, done.stderr.count("\n")) == (2, 1)
        assert words in done.stderr
        assert "in the clear" not in done.stderr
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * 3_000_000])
def test_file_that_cannot_be_read_is_a_usage_error(pacs: Pacs, tmp_path: Path, content):
    file = tmp_path / "users"
    if content is not None:
        file.write_bytes(content)
    done = pacs("users", "list", "--file", file)
    assert (done.exit, done.stderr.count("\n")) == (2, 1)
    assert "cannot read users in" in done.stderr


def test_passcode_is_read_from_stdin(tmp_path: Path):
    file = tmp_path / "users"
    done = subprocess.run(
        [*PACS, "users", "add", "--file", file, "doe", "--passcode-file", "-"],
        input=f"{PASSCODE}\n".encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"added doe\n", b"")
    kept = read_users(file).passcodes["doe"]
    assert kept.cost == Cost(15, 8, 3)
    assert kept.fits(PASSCODE.encode())


def test_without_a_terminal_nothing_is_asked(tmp_path: Path):
    done = subprocess.run(
        [*PACS, "users", "add", "--file", tmp_path / "users", "doe"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"no terminal to ask for the passcode on" in done.stderr


@pytest.mark.parametrize(
    ("again", "code", "is_added"), [(PASSCODE, 0, True), ("another passcode", 2, False)]
)
def test_terminal_is_asked_twice_and_shows_nothing(tmp_path: Path, again, code, is_added):
    file = tmp_path / "users"
    process, terminal = pty.fork()
    if process == 0:  # pragma: no cover - the child becomes pacs
        command = [*PACS, "users", "add", "--file", str(file), "doe"]
        os.execv(sys.executable, command)
    shown = b""
    try:
        for prompt, answer in ((b"Passcode: ", PASSCODE), (b"Again: ", again)):
            while prompt not in shown:
                shown += os.read(terminal, 1024)
            os.write(terminal, f"{answer}\n".encode())
        while chunk := _read(terminal):
            shown += chunk
    finally:
        os.close(terminal)
        _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == code
    assert PASSCODE.encode() not in shown
    assert again.encode() not in shown
    assert file.exists() is is_added


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:
        # the other side has closed it
        return b""
