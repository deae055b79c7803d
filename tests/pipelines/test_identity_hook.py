"""A program that checks tokens: what it gets, what its answers mean, and what never leaks."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from pathlib import Path

import pytest

from pacs_cli.errors import UsageError
from pacs_cli.net.channel import Wakeup
from pacs_cli.pipelines.identity_hook import IdentityHook, identity_hook
from pacs_cli.services.identity import NOT_AUTHENTICATED, Identified, IdentityRefused
from pacs_cli.services.serving import AssociationInfo
from pacs_cli.wire.userinfo import IdentityType, UserIdentity

ABOUT = AssociationInfo(1, "10.0.0.5", "CT1", "ARCHIVE")
TOKEN = b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJkb2UifQ.c2VjcmV0"


def hook(tmp_path: Path, code: str, *words: str, timeout: float = 20) -> IdentityHook:
    """A hook that runs this Python code."""
    script = tmp_path / "check.py"
    script.write_text(code)
    command = " ".join([shlex.quote(sys.executable), shlex.quote(str(script)), *words])
    return identity_hook(command, timeout)


def check(made: IdentityHook, token: bytes = TOKEN, kind: int = IdentityType.JWT) -> Identified:
    return made.check(UserIdentity(kind, True, token), ABOUT, Wakeup())


def refusal(made: IdentityHook, token: bytes = TOKEN) -> str:
    with pytest.raises(IdentityRefused) as caught:
        check(made, token)
    assert caught.value.rejection == NOT_AUTHENTICATED
    assert "\n" not in caught.value.reason
    assert token.decode("latin-1") not in caught.value.reason
    return caught.value.reason


@pytest.mark.parametrize(
    "token",
    [b"", b"x", bytes(range(256)) * 256, b"\n\n", b"x" * 65_535],
    ids=["empty", "short", "bytes", "lines", "longest"],
)
def test_token_is_on_stdin_whole_and_nowhere_else(tmp_path: Path, token: bytes):
    code = f"""
import hashlib, os, pathlib, sys
token = sys.stdin.buffer.read()
seen = "\\n".join([*sys.argv, *os.environ.values()]).encode("utf-8", "surrogateescape")
assert len(token) < 2 or token == b"\\n\\n" or token not in seen
pathlib.Path({str(tmp_path / "seen")!r}).write_bytes(token)
print("doe")
"""
    assert check(hook(tmp_path, code), token) == Identified("doe")
    assert (tmp_path / "seen").read_bytes() == token


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (IdentityType.KERBEROS, "kerberos"),
        (IdentityType.SAML, "saml"),
        (IdentityType.JWT, "jwt"),
    ],
)
def test_program_is_told_what_it_is_and_who_calls(tmp_path: Path, kind, name):
    code = """
import os, sys
print("-".join([*sys.argv[1:], os.environ["PACS_IDENTITY"], os.environ["PACS_ADDRESS"]]))
"""
    made = hook(tmp_path, code, "{identity}", "{CallingAETitle}", "{CalledAETitle}")
    assert check(made, kind=kind).name == f"{name}-CT1-ARCHIVE-{name}-10.0.0.5"


@pytest.mark.parametrize(
    ("written", "name", "response"),
    [
        (b"doe\n", "doe", b""),
        (b"doe", "doe", b""),
        (b"  doe@WARD \r\n", "doe@WARD", b""),
        ("Dœ\n".encode(), "Dœ", b""),
        (b"doe\nticket\n\0\xff", "doe", b"ticket\n\0\xff"),
        (b"doe\n" + b"x" * 49_152, "doe", b"x" * 49_152),
    ],
)
def test_first_line_is_the_name_and_the_rest_the_response(tmp_path: Path, written, name, response):
    code = f"import sys; sys.stdout.buffer.write({written!r})"
    assert check(hook(tmp_path, code)) == Identified(name, response)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(1)", "exited with 1"),
        ("print('doe'); raise SystemExit(3)", "exited with 3"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("", "gave no name on its first line"),
        ("print()", "gave no name on its first line"),
        ("print('\\n doe')", "gave no name on its first line"),
        ("print('x' * 257)", "gave no name on its first line"),
        ("print('a\\x1b[2Jb')", "gave no name on its first line"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\n')", "that is not UTF-8"),
        ("print('doe\\n' + 'x' * 49152)", "said more than can be sent"),
        ("print('doe\\n' + 'x' * 100_000)", "said more than can be sent"),
        # a program that only copies must not have the token told as a name
        ("import sys; sys.stdout.write(sys.stdin.read())", "gave the token for a name"),
        ("import sys; print(sys.stdin.read())", "gave the token for a name"),
    ],
)
def test_refusal_has_its_reason_and_no_secret(tmp_path: Path, code, words):
    reason = refusal(hook(tmp_path, code))
    assert words in reason
    assert reason.startswith("--identity-hook ")


def test_what_is_written_to_stderr_goes_nowhere(tmp_path: Path, capfd):
    code = "import sys; sys.stderr.write(sys.stdin.read()); print('doe')"
    assert check(hook(tmp_path, code)) == Identified("doe")
    assert capfd.readouterr() == ("", "")


def test_program_that_reads_nothing_is_not_waited_for(tmp_path: Path):
    assert check(hook(tmp_path, "print('doe')"), b"x" * 65_535).name == "doe"
    code = "import sys; sys.stdin.close(); print('doe')"
    assert check(hook(tmp_path, code), b"x" * 65_535).name == "doe"


def test_program_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path):
    code = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
with open({str(tmp_path / "pid")!r}, "w") as file:
    file.write(str(child.pid))
print("doe", flush=True)
time.sleep(60)
"""
    began = time.monotonic()
    reason = refusal(hook(tmp_path, code, timeout=2.0))
    assert time.monotonic() - began < 10
    assert "did not end within 2 s and was killed" in reason
    pid = int((tmp_path / "pid").read_text())
    # a zombie until its new parent has looked, then gone
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().split()[2] in "ZX"


def test_program_is_not_waited_for_at_the_end(tmp_path: Path):
    made, stop = hook(tmp_path, "import time; time.sleep(60)", timeout=60), Wakeup()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    began = time.monotonic()
    with pytest.raises(IdentityRefused, match="did not end before the receiver"):
        made.check(UserIdentity(IdentityType.JWT, False, TOKEN), ABOUT, stop)
    assert time.monotonic() - began < 10
    timer.join()


def test_program_that_is_gone_refuses(tmp_path: Path):
    script = tmp_path / "program"
    script.write_text("#!/bin/sh\necho doe\n")
    script.chmod(0o755)
    made = identity_hook(str(script), 5)
    assert check(made).name == "doe"
    script.unlink()
    assert "cannot be started" in refusal(made)


def test_title_cannot_become_an_option_or_a_command(tmp_path: Path):
    code = "import sys; print(repr(sys.argv[1:]))"
    made = hook(tmp_path, code, "{CallingAETitle}", "'--aet={CallingAETitle}'")
    about = AssociationInfo(1, "::1", "-x;`id`\x1b", "B")
    found = made.check(UserIdentity(IdentityType.JWT, False, TOKEN), about, Wakeup())
    assert found.name == "['_x;`id`_', '--aet=-x;`id`_']"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "there is no program ''"),
        ("no-such-program-anywhere", "there is no program 'no-such-program-anywhere'"),
        ("cat 'open", "No closing quotation"),
        ("cat {token}", "there is no {token}"),
        ("cat {path}", "there is no {path}"),
    ],
)
def test_command_that_cannot_be_run_is_a_usage_error(command, words):
    with pytest.raises(UsageError) as caught:
        identity_hook(command, 5)
    assert words in str(caught.value)


def test_environment_has_no_values_of_another_hook(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(os.environ, "PACS_PATH", "/of/another")
    code = "import os; print(os.environ.get('PACS_PATH', 'none'))"
    assert check(hook(tmp_path, code)).name == "none"
