"""`pacs echoscu` through its entry point."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from pacs_cli.services.serving import AssociationOpened
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.pdu import AssociateAccept, ContextResult
from tests.services import raw
from tests.support import (
    CT,
    EXPLICIT,
    IMPLICIT,
    MR,
    VERIFICATION,
    misbehaving_peer,
    running_provider,
)

J2K = "1.2.840.10008.1.2.4.90"


def test_echo_tells_status_and_phases(pacs):
    with running_provider() as running:
        result = pacs("echoscu", "127.0.0.1", running.listener.port)
    assert result.exit == 0
    assert "answered C-ECHO 1: 0000H success" in result.stdout
    for phase in ("name", "tcp", "association", "release"):
        assert phase in result.stdout
    assert result.stderr == ""


def test_echo_gives_json_lines_and_a_summary_last(pacs):
    with running_provider() as running:
        result = pacs("echoscu", f"ME@127.0.0.1:{running.listener.port}", "--repeat", 4, "--json")
        opened = running.wait_for(AssociationOpened)
    assert result.exit == 0
    assert [line["type"] for line in result.json] == ["echo"] * 4 + ["summary"]
    assert [line["number"] for line in result.json[:4]] == [1, 2, 3, 4]
    summary = result.json[-1]
    assert (summary["echoes"], summary["succeeded"]) == (4, 4)
    assert 0 < summary["min_seconds"] <= summary["avg_seconds"] <= summary["max_seconds"]
    assert summary["min_seconds"] <= summary["p95_seconds"] <= summary["max_seconds"]
    assert len(opened) == 1
    assert opened[0].association.called_ae_title == "ME"


def test_verbose_shows_the_negotiation_on_stderr(pacs):
    with running_provider() as running:
        result = pacs("echoscu", "127.0.0.1", running.listener.port, "-v")
    assert "Verification SOP Class\tImplicit VR Little Endian" in result.stderr
    assert "accepted" in result.stderr


def test_debug_dumps_both_pdus_and_every_command(pacs):
    with running_provider() as running:
        result = pacs("echoscu", "127.0.0.1", running.listener.port, "-d")
    for words in ("A-ASSOCIATE-RQ", "A-ASSOCIATE-AC", "C-ECHO-RQ", "C-ECHO-RSP", "Status=0000H"):
        assert words in result.stderr


def test_refused_verification_is_a_failure_of_association(pacs):
    with running_provider(abstract_syntaxes=frozenset([CT])) as running:
        result = pacs("echoscu", "127.0.0.1", running.listener.port)
    assert result.exit == 4
    assert "verification was not accepted" in result.stderr


def test_echo_runs_as_a_program():
    with running_provider(abstract_syntaxes=frozenset([VERIFICATION])) as running:
        done = subprocess.run(
            [sys.executable, "-m", "pacs_cli", "echoscu", "127.0.0.1", str(running.listener.port)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert "success" in done.stdout


def test_interval_is_waited_between_echoes(pacs):
    with running_provider() as running:
        began = time.monotonic()
        place = ("127.0.0.1", running.listener.port)
        result = pacs("echoscu", *place, "--repeat", 3, "--interval", 0.05)
        spent = time.monotonic() - began
    assert result.exit == 0
    assert spent >= 0.1
    assert "3 of 3 succeeded, loss 0 %" in result.stdout


def test_figures_are_shown_of_an_association_that_is_lost(pacs):
    def act(sock):
        sock.sendall(AssociateAccept("A", "B", (ContextResult(1, 0, IMPLICIT),)).encode())
        for number in (1, 2):
            raw.read_pdu(sock)
            answer = raw.command(
                CommandField.C_ECHO_RSP,
                AffectedSOPClassUID=VERIFICATION,
                MessageIDBeingRespondedTo=number,
                Status=0,
            )
            sock.sendall(raw.data(1, 3, answer))
        raw.read_pdu(sock)

    with misbehaving_peer(lambda sock: raw.read_pdu(sock) and act(sock)) as target:
        result = pacs("echoscu", target.host, target.port, "--repeat", 9, "--json")
    assert result.exit == 4
    kinds = [line["type"] for line in result.json]
    assert kinds == ["echo", "echo", "summary", "error"]
    assert (result.json[2]["echoes"], result.json[2]["succeeded"]) == (3, 2)
    assert result.json[2]["loss_percent"] == 33.333


def test_ctrl_c_shows_the_figures_of_what_was_done():
    with running_provider() as running:
        command = [sys.executable, "-m", "pacs_cli", "echoscu", "127.0.0.1"]
        options = [str(running.listener.port), "--repeat", "9", "--interval", "60", "--json"]
        with subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert json.loads(process.stdout.readline())["number"] == 1
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (130, "pacs echoscu: interrupted\n")
    assert json.loads(stdout.splitlines()[0])["echoes"] == 1


def test_every_configured_peer_is_echoed(pacs, tmp_path):
    with running_provider() as running:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[peers.good]\naddress = "127.0.0.1:{running.listener.port}"\n'
            '[peers.gone]\naddress = "127.0.0.1:1"\n'
        )
        result = pacs("echoscu", "--all", "--json", env={"PACS_CONFIG": str(config)})
    assert result.exit == 1
    assert [line.get("peer") for line in result.json[:2]] == ["good", "gone"]
    assert result.json[-1] == {"type": "summary", "peers": 2, "succeeded": 1, "failed": 1}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "missing PEER"),
        (("--all",), "no peers in the configuration; add one"),
        (("--all", "h:1"), "leave out PEER"),
        (("h:1", "--propose", "TC"), "unknown storage SOP class 'TC'"),
        (("h:1", "--propose", "CT=j2kk"), "did you mean j2k?"),
        (("h:1", "--propose", "="), "write CLASS=SYNTAX"),
    ],
)
def test_what_cannot_be_meant_is_said(pacs, words, told):
    result = pacs("echoscu", *words)
    assert (result.exit, result.stderr.count("\n")) == (2, 1)
    assert told in result.stderr


def test_propose_tells_what_is_accepted(pacs):
    served = frozenset([CT, VERIFICATION])
    with running_provider(abstract_syntaxes=served, syntaxes=(EXPLICIT, J2K)) as running:
        place = ("echoscu", "127.0.0.1", running.listener.port)
        found = pacs(*place, "--propose", "CTImageStorage=j2k,jpegls", "--propose", MR, "--json")
        any_syntax = pacs(*place, "--propose", CT, "--propose", VERIFICATION)
        nothing = pacs(*place, "--propose", "MR")
    assert (found.exit, found.stderr) == (0, "")
    *rows, summary = found.json
    assert [(row["abstract_syntax"], row["transfer_syntaxes"], row["result"]) for row in rows] == [
        (CT, [J2K], "accepted"),
        (MR, [], "abstract syntax not supported"),
    ]
    assert (summary["proposed"], summary["accepted"]) == (2, 1)
    assert "CT Image\texplicit, j2k\n" in any_syntax.stdout
    assert "Verification SOP Class\texplicit, j2k\n" in any_syntax.stdout
    assert (nothing.exit, nothing.stderr.count("\n")) == (4, 1)
    assert "MR Image\tabstract syntax not supported\n" in nothing.stdout


def test_propose_all_goes_over_as_many_associations_as_it_takes(pacs):
    served = frozenset([CT, MR])
    with running_provider(abstract_syntaxes=served, syntaxes=(EXPLICIT, J2K)) as running:
        found = pacs("echoscu", "127.0.0.1", running.listener.port, "--propose", "all", "--json")
    assert found.exit == 0
    accepted = {
        row["abstract_syntax"]: row["transfer_syntaxes"]
        for row in found.json[:-1]
        if row["transfer_syntaxes"]
    }
    assert accepted == {CT: [EXPLICIT, J2K], MR: [EXPLICIT, J2K]}
    assert found.json[-1]["proposed"] > 200
