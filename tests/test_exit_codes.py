"""Every failure has its exit code and one line that says why, with and without --json."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from pacs_cli.errors import Exit
from tests.services.retrieving import acting_each, moved, says
from tests.support import CT, VERIFICATION, MemoryHandler, running_provider
from tests.writing import write_object


@pytest.fixture
def ct(tmp_path):
    return write_object(tmp_path / "ct.dcm", CT, "1.2.3.1")


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(params=[(), ("--json",)], ids=["text", "json"])
def fails(request, pacs):
    """Run a command both ways and check the whole promise of a failure."""

    def check(exit: Exit, words: str, *args: object) -> None:
        result = pacs(*args, *request.param)
        assert result.exit == exit, result
        assert "Traceback" not in result.stderr
        lines = result.stderr.splitlines()
        assert len(lines) == 1, lines
        assert words in lines[0]
        if request.param:
            told = [line for line in result.json if words in str(line.values())]
            assert told, result.stdout

    return check


def test_wrong_port(fails, closed_port, ct):
    fails(Exit.CONNECT, "connection refused", "echoscu", "127.0.0.1", closed_port)
    fails(Exit.CONNECT, "connection refused", "storescu", "127.0.0.1", closed_port, ct)


def test_unknown_host(fails):
    fails(Exit.CONNECT, "cannot find", "echoscu", "no.such.host.invalid", 104)


def test_wrong_called_title(fails, ct):
    with running_provider(called_ae_titles=frozenset(["RIGHT"])) as running:
        port = running.listener.port
        words = "called AE title not recognised"
        fails(Exit.ASSOCIATION, words, "echoscu", "127.0.0.1", port, "-aec", "WRONG")
        fails(Exit.ASSOCIATION, words, "storescu", "127.0.0.1", port, ct, "-aec", "WRONG")


def test_no_accepted_context(fails, ct):
    with running_provider(abstract_syntaxes=frozenset([CT])) as running:
        port = running.listener.port
        fails(Exit.ASSOCIATION, "not accepted", "echoscu", "127.0.0.1", port)
    with running_provider(abstract_syntaxes=frozenset([VERIFICATION])) as running:
        port = running.listener.port
        fails(Exit.ASSOCIATION, "did not accept", "storescu", "127.0.0.1", port, ct)


KEY = ("-k", "StudyInstanceUID=1.2.3")
DEST = ("--dest", "WS", *KEY)


def test_retrieval_from_nobody(fails, closed_port, tmp_path):
    fails(Exit.CONNECT, "connection refused", "movescu", "127.0.0.1", closed_port, *DEST)
    out = ("--out", tmp_path / "out")
    fails(Exit.CONNECT, "connection refused", "getscu", "127.0.0.1", closed_port, *KEY, *out)


def test_retrieval_that_is_not_served(fails):
    with running_provider(abstract_syntaxes=frozenset([CT])) as running:
        port = running.listener.port
        fails(Exit.ASSOCIATION, "C-MOVE in the study root", "movescu", "127.0.0.1", port, *DEST)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0xA801, "A801H move destination unknown; configure it there: AE title WS"),
        (0xA700, "A700H out of resources"),
        (0xA702, "A702H out of resources, the sub-operations cannot be performed"),
        (0xC000, "C000H the peer cannot process it"),
    ],
)
def test_move_answered_with_a_failure(fails, status, words):
    with acting_each(says(moved(status)), says(moved(status))) as target:
        fails(Exit.PEER_FAILED, words, "movescu", "127.0.0.1", target.port, *DEST)


@pytest.mark.parametrize("command", ["movescu", "getscu"])
def test_mistyped_keyword(fails, command):
    typed = ("127.0.0.1", 104, "-k", "PatientNam=x")
    where = ("--dest", "WS") if command == "movescu" else ("--out", "nowhere")
    fails(Exit.USAGE, "did you mean PatientName?", command, *typed, *where)


def test_store_answered_a700(fails, ct):
    with running_provider(MemoryHandler(0xA700, "disk full")) as running:
        port = running.listener.port
        fails(Exit.PEER_FAILED, "A700H out of resources", "storescu", "127.0.0.1", port, ct)


def test_missing_file(fails, tmp_path):
    with running_provider() as running:
        port, path = running.listener.port, tmp_path / "missing.dcm"
        fails(Exit.BAD_INPUT, "no such file", "storescu", "127.0.0.1", port, path)


def test_not_dicom(fails, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not an image, but long enough to have been one if it had begun so\n" * 10)
    with running_provider() as running:
        port = running.listener.port
        fails(Exit.BAD_INPUT, "not a DICOM file", "storescu", "127.0.0.1", port, path)


def test_nothing_to_send(fails, tmp_path):
    with running_provider() as running:
        port = running.listener.port
        fails(Exit.BAD_INPUT, "nothing to send", "storescu", "127.0.0.1", port, tmp_path)


@pytest.mark.parametrize("command", ["echoscu", "storescu", "storescp"])
def test_mistyped_option(fails, command):
    fails(Exit.USAGE, "no such option --timeuot; did you mean --timeout?", command, "--timeuot")


def test_mistyped_command(fails):
    fails(Exit.USAGE, "did you mean echoscu?", "ehcoscu")


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "A\\B", "A\nB"])
def test_bad_ae_title(fails, title):
    fails(Exit.USAGE, "AE title", "echoscu", "127.0.0.1", 104, "-aec", title)


def test_folder_that_cannot_be_an_archive(fails, ct):
    fails(Exit.OUTPUT, str(ct), "storescp", 0, "--out", ct)


def test_port_in_use(fails, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        fails(Exit.CONNECT, "cannot listen", "storescp", port, "--out", tmp_path / "archive")


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["text", "json"])
def test_ctrl_c_while_the_peer_thinks(ct, json):
    began, may_finish = threading.Event(), threading.Event()

    class Thinking(MemoryHandler):
        def open_store(self, request):
            began.set()
            may_finish.wait(20)
            return super().open_store(request)

    with running_provider(Thinking()) as running:
        command = ["storescu", "127.0.0.1", str(running.listener.port), str(ct), *json]
        with subprocess.Popen(
            [sys.executable, "-m", "pacs_cli", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert began.wait(20)
            os.kill(process.pid, signal.SIGINT)
            stdout, stderr = process.communicate(timeout=20)
            may_finish.set()
    assert process.returncode == Exit.INTERRUPTED
    assert "Traceback" not in stderr
    assert stderr.splitlines() == ["pacs storescu: interrupted"]
    assert "stored 0" in stdout or '"stored": 0' in stdout
