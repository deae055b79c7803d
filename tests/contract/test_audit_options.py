"""The options of the audit trail, in every command that calls a peer and has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.auditing import checked
from tests.collectors import collecting
from tests.conftest import Pacs
from tests.contract.calling import CALLERS, call, commands_with
from tests.interop.peers import Archive, free_port
from tests.pki import Pki

EVERY_COMMAND_WITH = (
    *("--audit", "--audit-required"),
    *("--audit-ca", "--audit-cert", "--audit-key"),
)
AUDITED = [command for command in commands_with("--audit") if command in CALLERS]


@pytest.mark.parametrize("command", AUDITED)
def test_collector_that_wants_a_certificate_is_told(
    command: str, pacs: Pacs, archive: Archive, tmp_path: Path, pki: Pki
):
    with collecting(pki, wants_client=True) as collector:
        certificate = ("--audit-cert", pki.good.certificate, "--audit-key", pki.good.key)
        trail = ("--audit", f"syslog-tls://localhost:{collector.port}", "--audit-ca", pki.ca)
        pacs(*call(command, archive.port, tmp_path), *trail, *certificate)
        # that it began and that it ended, at the least
        framed = collector.wait_for(2)
    for each in framed:
        checked(each.partition(b"\xef\xbb\xbf")[2])


@pytest.mark.parametrize("command", AUDITED)
def test_nothing_is_done_without_a_trail_that_is_required(
    command: str, pacs: Pacs, archive: Archive, tmp_path: Path
):
    trail = ("--audit", f"syslog-tls://127.0.0.1:{free_port()}", "--audit-required")
    result = pacs(*call(command, archive.port, tmp_path), *trail)
    assert result.exit == 7
    assert "nothing is done" in result.stderr
