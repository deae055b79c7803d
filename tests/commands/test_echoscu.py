"""`pacs echoscu` through its entry point."""

from __future__ import annotations

import subprocess
import sys

from pacs_cli.services.serving import AssociationOpened
from tests.support import CT, VERIFICATION, running_provider


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
