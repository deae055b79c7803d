"""The audit trail on its way to files and collectors that fail."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

import pytest

from pacs_cli.errors import ConnectError, OutputError
from pacs_cli.net.syslog import SyslogTls
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.net.tls import TlsClient, TlsSettings
from pacs_cli.pipelines import audit
from pacs_cli.pipelines.audit import AuditFile, AuditTrail, SyslogDestination
from pacs_cli.services.audit import Application, Auditor
from pacs_cli.services.serving import AssociationInfo, AssociationRefused
from pacs_cli.services.shutter import Shutter
from pacs_cli.wire.syslog import Origin
from tests.auditing import checked, details, messages, name, names
from tests.collectors import collecting

START = "Application Activity, Application Start"
STOP = "Application Activity, Application Stop"
ALERT = "Security Alert, Node Authentication"
STOPPED = "Security Alert, Audit Recording Stopped"


def auditor() -> Auditor:
    return Auditor(Application("pacs storescp", 4711, "here", "ARCHIVE"))


def rejected(number: int) -> AssociationRefused:
    return AssociationRefused(AssociationInfo(number, "10.0.0.5", "CT1", "ARCHIVE"), 1, 1, 3)


class Scripted:
    """A destination that fails while the test wants it to."""

    name = "scripted"

    def __init__(self) -> None:
        self.is_broken = False
        self.written: list[str] = []
        self.tried = threading.Event()
        self.is_closed = False

    def write(self, audited) -> None:
        self.tried.set()
        if self.is_broken:
            raise OSError(28, "No space left on device")
        self.written.append(name(checked(audited.xml)))

    def reopen(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(audit, "_AGAIN", 0.02)
    monkeypatch.setattr(audit, "_MAX_AGAIN", 0.02)


def until(condition) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it did not come to that")


def test_file_has_one_message_in_each_line_and_is_its_owner_s(tmp_path):
    path = tmp_path / "audit"
    os.umask(os.umask(0o022))
    trail = AuditTrail(auditor(), [AuditFile(path)], pytest.fail)
    trail.started(0)
    for number in range(50):
        trail.observe(rejected(number))
    assert trail.stop(10) == 0
    assert names(messages(path)) == [START, *[ALERT] * 50, STOP]
    assert path.stat().st_mode & 0o777 == 0o600


def test_file_goes_on_where_it_ended(tmp_path):
    path = tmp_path / "audit"
    for _ in range(2):
        trail = AuditTrail(auditor(), [AuditFile(path)], pytest.fail)
        trail.started(0)
        trail.stop(10)
    assert names(messages(path)) == [START, STOP] * 2


@pytest.mark.parametrize("kind", ["folder", "missing", "fifo", "device"])
def test_what_cannot_be_an_audit_file_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "audit"
    if kind == "folder":
        path.mkdir()
    elif kind == "missing":
        path = path / "audit"
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(OutputError, match="cannot write the audit file"):
        AuditFile(path)


def test_file_that_was_moved_away_is_begun_anew(tmp_path):
    path, old = tmp_path / "audit", tmp_path / "audit.1"
    trail = AuditTrail(auditor(), [AuditFile(path)], pytest.fail)
    trail.started(0)
    until(lambda: path.stat().st_size)
    path.rename(old)
    trail.observe(rejected(1))
    until(lambda: len(messages(old)) == 2)
    trail.reopen()
    until(path.exists)
    trail.observe(rejected(2))
    trail.stop(10)
    assert names(messages(old)) == [START, ALERT]
    assert names(messages(path)) == [ALERT, STOP]


def test_file_that_cannot_be_begun_anew_is_gone_on_with(tmp_path):
    path, said = tmp_path / "folder" / "audit", []
    path.parent.mkdir()
    trail = AuditTrail(auditor(), [AuditFile(path)], said.append)
    trail.started(0)
    until(lambda: path.stat().st_size)
    moved = path.parent.rename(tmp_path / "moved")
    trail.reopen()
    until(lambda: said)
    trail.stop(10)
    assert said == [f"cannot reopen {path}: no such file or directory"]
    assert names(messages(moved / "audit")) == [START, STOP]


def test_what_cannot_be_written_waits_in_order(quick):
    destination, said, shutter = Scripted(), [], Shutter()
    trail = AuditTrail(auditor(), [destination], said.append, shutter)
    destination.is_broken = True
    trail.started(10)
    assert shutter.is_shut
    trail.observe(rejected(1))
    assert destination.written == []
    destination.is_broken = False
    until(lambda: not shutter.is_shut)
    assert trail.stop(10) == 0
    assert destination.written == [START, ALERT, STOP]
    assert said == [
        "audit messages cannot be written to scripted: no space left on device; they wait, 10000 "
        "of them at the most",
        "audit messages are written to scripted again",
    ]


def test_what_is_lost_is_counted_said_and_told_in_the_trail(quick, monkeypatch):
    monkeypatch.setattr(audit, "_MAX_WAITING", 3)
    destination, said = Scripted(), []
    destination.is_broken = True
    trail = AuditTrail(auditor(), [destination], said.append)
    trail.started(0)
    for number in range(7):
        trail.observe(rejected(number))
    destination.is_broken = False
    until(lambda: STOPPED in destination.written)
    assert trail.stop(10) == 5
    assert destination.written == [START, ALERT, ALERT, STOPPED, STOP]
    assert "audit messages for scripted are lost from now on: too many wait" in said
    assert "5 audit messages for scripted are lost" in said


def test_bytes_that_wait_are_bounded(quick, monkeypatch):
    monkeypatch.setattr(audit, "_MAX_BYTES", 10_000)
    destination = Scripted()
    destination.is_broken = True
    trail = AuditTrail(auditor(), [destination], lambda _: None)
    for number in range(100):
        trail.observe(rejected(number))
    assert 90 < trail.stop(0.2) <= 101


def test_end_does_not_wait_for_what_fails(quick):
    destination, said = Scripted(), []
    destination.is_broken = True
    trail = AuditTrail(auditor(), [destination], said.append)
    trail.started(0)
    destination.tried.wait(10)
    began = time.monotonic()
    assert trail.stop(30) == 2
    assert time.monotonic() - began < 10
    assert said[-1] == ("2 audit messages for scripted are lost: no space left on device")
    assert destination.is_closed


def test_one_destination_that_fails_does_not_hold_up_the_other(tmp_path, quick):
    destination, path = Scripted(), tmp_path / "audit"
    destination.is_broken = True
    trail = AuditTrail(auditor(), [destination, AuditFile(path)], lambda _: None)
    trail.started(0)
    until(lambda: path.stat().st_size)
    assert trail.is_failing
    trail.stop(5)
    assert names(messages(path)) == [START, STOP]


def test_messages_that_a_collector_missed_come_once_it_is_there(pki, quick):
    said = []
    with collecting(pki) as first:
        port = first.port
    target = Target("syslog", "127.0.0.1", port, timeouts=Timeouts(connect=5))
    target = replace(target, tls=TlsClient(TlsSettings(ca=pki.ca)))
    destination = SyslogDestination("there", SyslogTls(target), Origin("here", "pacs", "1"))
    trail = AuditTrail(auditor(), [destination], said.append)
    trail.started(0)
    until(lambda: said)
    assert "connection refused" in said[0]
    with collecting(pki, port=port) as collector:
        collector.wait_for(1)
        assert trail.stop(10) == 0
        found = collector.wait_for(2)
    texts = [each.partition(b"\xef\xbb\xbf")[2] for each in found]
    assert names(map(checked, texts)) == [START, STOP]


def test_message_that_is_too_long_for_ever_does_not_hold_up_the_rest(quick):
    class TooLong(Scripted):
        def write(self, audited) -> None:
            if name(checked(audited.xml)) == ALERT:
                raise OSError(90, "Message too long")
            super().write(audited)

    destination = TooLong()
    trail = AuditTrail(auditor(), [destination], lambda _: None)
    trail.started(0)
    trail.observe(rejected(1))
    until(lambda: STOPPED in destination.written)
    assert trail.stop(10) == 1
    assert destination.written == [START, STOPPED, STOP]


def test_lost_messages_say_why(quick):
    class Gone(Scripted):
        def __init__(self) -> None:
            super().__init__()
            self.told: list[str] = []

        def write(self, audited) -> None:
            if self.is_broken:
                raise ConnectError("nobody listens there")
            self.told.append(details(checked(audited.xml)).get("Alert Description", ""))

    destination = Gone()
    destination.is_broken = True
    trail = AuditTrail(auditor(), [destination], lambda _: None)
    for number in range(audit._MAX_WAITING + 5):
        trail.observe(rejected(number))
    destination.is_broken = False
    until(lambda: any("lost" in each for each in destination.told))
    trail.stop(10)
    assert "5 audit messages were lost: nobody listens there" in destination.told
