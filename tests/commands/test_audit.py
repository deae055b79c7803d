"""`pacs storescp --audit` as its users start it."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
import sys
import threading

import pytest

from pacs_cli.errors import AssociationRejected
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.net.tls import TlsClient
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal
from tests.auditing import (
    checked,
    details,
    event,
    instances,
    messages,
    name,
    names,
    objects,
    participants,
)
from tests.collectors import collecting
from tests.interop.peers import free_port, pacs_storescp, run_pacs
from tests.peers import require
from tests.support import CT, EXPLICIT, MR
from tests.writing import STUDY, dataset

START = "Application Activity, Application Start"
STOP = "Application Activity, Application Stop"
BEGIN = "Begin Transferring DICOM Instances"
TRANSFERRED = "DICOM Instances Transferred"
QUERY = "Query"
ALERT = "Security Alert, Node Authentication"
OFFER = (Proposal(CT, (EXPLICIT,)), Proposal(MR, (EXPLICIT,)))


def session(archive, **changes) -> Session:
    target = Target("test", "127.0.0.1", archive.port, timeouts=Timeouts(10, 10, 10), **changes)
    return Session(target, OFFER)


def store(archive, *uids: str, study: str = STUDY, **changes) -> list[int]:
    """Store objects over one association, alternately of both kinds."""
    with session(archive, calling_ae_title="CT1", **changes) as association:
        return [
            association.store(
                (1, 3)[number % 2],
                (CT, MR)[number % 2],
                uid,
                [dataset((CT, MR)[number % 2], uid, study=study)],
            ).status
            for number, uid in enumerate(uids)
        ]


def until(condition) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come to that")


def test_all_of_an_association_is_one_message_for_each_study(tmp_path):
    log = tmp_path / "audit"
    with pacs_storescp(tmp_path / "archive", "--audit", str(log), "--aet", "ARCHIVE") as archive:
        assert store(archive, *(f"1.2.3.{number}" for number in range(5))) == [0] * 5
        assert store(archive, "1.2.4.1", study="1.2.4") == [0]
        assert archive.stop() == 0
        pid = str(archive.process.pid)
    found = messages(log)
    assert names(found) == [START, TRANSFERRED, TRANSFERRED, STOP]
    first, second = found[1:3]
    assert event(first) == ("C", "0")
    assert instances(first) == {CT: 3, MR: 2}
    assert objects(first) == {"Study Instance UID": STUDY, "Patient Number": "TEST-1"}
    assert objects(second)["Study Instance UID"] == "1.2.4"
    assert participants(first) == [
        ("CT1@127.0.0.1", "Source Role ID", "true"),
        (pid, "Destination Role ID", "false"),
    ]
    # numbers of patients only where the standard wants them, and no names
    assert "Made^Up" not in log.read_text()


def test_duplicate_and_refused_objects_are_messages_of_their_own(tmp_path):
    log = tmp_path / "audit"
    other = dataset(CT, "1.2.3.1", pixels=b"\1" * 64)
    with pacs_storescp(tmp_path / "archive", "--audit", str(log)) as archive:
        with session(archive) as association:
            first = dataset(CT, "1.2.3.1")
            for data in (first, first, other, b"no data set"):
                association.store(1, CT, "1.2.3.1", [data])
        archive.stop()
    found = messages(log)[1:-1]
    assert [event(each) for each in found] == [("C", "0"), ("R", "0"), ("C", "8")]
    words = found[-1].find("EventIdentification/EventOutcomeDescription").text
    assert words.startswith("0111 ")


def test_members_tell_what_one_process_tells(tmp_path):
    log = tmp_path / "audit"
    options = ("--audit", str(log), "--workers", "2", "--qr", "--allow", "CT1", "--allow", "PACS")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        for number in range(4):
            assert store(archive, f"1.2.3.{number}", f"1.2.4.{number}") == [0, 0]
        found = run_pacs("findscu", "127.0.0.1", archive.port, "-k", "PatientID=TEST-1")
        assert found.returncode == 0, found.stderr
        with pytest.raises(AssociationRejected):
            session(archive, calling_ae_title="STRANGER")
        assert archive.stop() == 0
    found = messages(log)
    assert sorted(names(found)) == sorted([START, STOP, *[TRANSFERRED] * 4, QUERY, ALERT])
    assert [instances(each) for each in found if name(each) == TRANSFERRED] == [{CT: 1, MR: 1}] * 4


def test_query_and_get_tell_what_was_asked_and_what_was_sent(tmp_path):
    log = tmp_path / "audit"
    with pacs_storescp(tmp_path / "archive", "--audit", str(log), "--qr") as archive:
        store(archive, "1.2.3.1", "1.2.3.2")
        keys = ("-k", f"StudyInstanceUID={STUDY}")
        done = run_pacs("getscu", "127.0.0.1", archive.port, *keys, "--out", tmp_path / "got")
        assert done.returncode == 0, done.stderr
        archive.stop()
    found = [each for each in messages(log) if name(each) not in (START, STOP)][1:]
    sent = [each for each in found if name(each) in (BEGIN, TRANSFERRED)]
    assert names(sent) == [BEGIN, TRANSFERRED]
    assert [event(each) for each in sent] == [("E", "0"), ("R", "0")]
    assert [instances(each) for each in sent] == [{CT: 1, MR: 1}] * 2
    assert [objects(each) for each in sent] == [
        {"Study Instance UID": STUDY, "Patient Number": "TEST-1"}
    ] * 2
    queries = [each for each in found if name(each) == QUERY]
    # findings before, then the C-GET of the study root
    assert objects(queries[-1]) == {"SOP Class UID": "1.2.840.10008.5.1.4.1.2.2.3"}
    assert [event(each) for each in queries] == [("E", "0")] * len(queries)


def test_move_tells_where_objects_go_and_who_wanted_that(tmp_path):
    log = tmp_path / "audit"
    port = free_port()
    move_to = f"WS1@127.0.0.1:{port}"
    options = ("--audit", str(log), "--qr", "--move-to", move_to, "--aet", "ARCHIVE")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        store(archive, "1.2.3.1")
        keys = ("-k", f"StudyInstanceUID={STUDY}")
        # nobody listens there
        run_pacs("movescu", "127.0.0.1", archive.port, *keys, "--dest", "WS1", "--aet", "ASKER")
        run_pacs("movescu", "127.0.0.1", archive.port, *keys, "--dest", "NOBODY")
        archive.stop()
        pid = str(archive.process.pid)
    found = [each for each in messages(log) if name(each) in (BEGIN, TRANSFERRED)][1:]
    assert names(found) == [BEGIN, TRANSFERRED]
    assert [event(each) for each in found] == [("E", "0"), ("R", "8")]
    for each in found:
        assert participants(each) == [
            (pid, "Source Role ID", "false"),
            ("WS1@127.0.0.1", "Destination Role ID", "false"),
            ("ASKER@127.0.0.1", "", "true"),
        ]
    moves = [each for each in messages(log) if objects(each) == {"SOP Class UID": MOVE}]
    assert [event(each) for each in moves] == [("E", "8"), ("E", "8")]


MOVE = "1.2.840.10008.5.1.4.1.2.2.2"


def test_handshake_that_fails_and_association_that_is_rejected_are_alerts(tmp_path, pki):
    log = tmp_path / "audit"
    options = ("--audit", str(log), "--check-called", *pki.good.options)
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        with pytest.raises(AssociationRejected):
            session(archive, tls=TlsClient(pki.good.settings), called_ae_title="OTHER")
        with socket.create_connection(("127.0.0.1", archive.port)) as plain:
            plain.sendall(b"\1\0\0\0\0\4 no TLS at all")
            while plain.recv(100):
                pass
        archive.stop()
    found = messages(log)
    assert names(found) == [START, ALERT, ALERT, STOP]
    assert "called AE title not recognised" in details(found[1])["Alert Description"]
    assert "TLS" in details(found[2])["Alert Description"]
    assert objects(found[2]) == {"Node ID": "127.0.0.1"}


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_disk_that_is_full_under_the_audit_file_is_said_and_mended(tmp_path):
    log = tmp_path / "audit"
    # far above what the archive writes in one file
    padding = 64 * 1024 * 1024
    with log.open("wb") as file:
        file.truncate(padding)
    options = ("--audit", str(log), "--audit-required")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        assert store(archive, "1.2.3.1") == [0]
        written = log.stat().st_size
        until(lambda: log.stat().st_size > padding + 2000)
        written = log.stat().st_size
        # a hundred bytes more, and it is full in the middle of a line
        limit = resource.RLIMIT_FSIZE
        _, most = resource.prlimit(archive.process.pid, limit)
        resource.prlimit(archive.process.pid, limit, (written + 100, most))
        assert store(archive, "1.2.3.2") == [0]
        until(lambda: _is_refused(archive))
        assert log.stat().st_size == written
        resource.prlimit(archive.process.pid, limit, (most, most))
        until(lambda: not _is_refused(archive))
        assert store(archive, "1.2.3.3") == [0]
        assert archive.stop() == 0
        said = archive.process.stderr.read()
    assert f"audit messages cannot be written to {log}: file too large" in said
    assert f"audit messages are written to {log} again" in said
    with log.open("rb") as file:
        file.seek(padding)
        found = [checked(line) for line in file]
    assert [name(each) for each in found if name(each) != ALERT] == [
        START,
        *[TRANSFERRED] * 3,
        STOP,
    ]


def _is_refused(archive) -> bool:
    """Whether an association is one too many, which is for the time being (PS3.8 9.3.4)."""
    try:
        with session(archive):
            return False
    except AssociationRejected as refused:
        return (refused.result, refused.source, refused.reason) == (2, 3, 2)


def test_file_is_begun_anew_on_sighup(tmp_path):
    log, old = tmp_path / "audit", tmp_path / "audit.1"
    with pacs_storescp(tmp_path / "archive", "--audit", str(log), "--workers", "2") as archive:
        store(archive, "1.2.3.1")
        until(lambda: len(messages(log)) == 2)
        log.rename(old)
        archive.process.send_signal(signal.SIGHUP)
        until(log.exists)
        # it serves on, and its members do
        assert store(archive, "1.2.3.2") == [0]
        assert archive.stop() == 0
    assert names(messages(old)) == [START, TRANSFERRED]
    assert names(messages(log)) == [TRANSFERRED, STOP]


def test_collectors_over_udp_and_tls_get_the_same(tmp_path, pki):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        collecting(pki, wants_client=True) as collector,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(20)
        udp = f"syslog://127.0.0.1:{receiver.getsockname()[1]}"
        tls = f"syslog-tls://localhost:{collector.port}"
        certificate = ("--audit-cert", str(pki.good.certificate), "--audit-key", str(pki.good.key))
        options = ("--audit", udp, "--audit", tls, "--audit-ca", str(pki.ca), *certificate)
        with pacs_storescp(tmp_path / "archive", *options) as archive:
            store(archive, "1.2.3.1")
            archive.stop()
            said = archive.process.stderr.read()
        framed = collector.wait_for(3)
        assert [receiver.recv(65_536) for _ in range(3)] == framed
    assert said == ""
    for each in framed:
        head, _, text = each.partition(b"\xef\xbb\xbf")
        assert head.startswith(b"<85>1 ")
        assert head.split()[5] == b"DICOM+RFC3881"
        checked(text)


def test_collector_that_is_down_delays_nothing_and_is_said(tmp_path):
    address = f"syslog-tls://127.0.0.1:{free_port()}"
    with pacs_storescp(tmp_path / "archive", "--audit", address) as archive:
        assert store(archive, *(f"1.2.3.{number}" for number in range(20))) == [0] * 20
        assert archive.stop() == 0
        said = archive.process.stderr.read()
    assert f"audit messages cannot be written to {address}: " in said
    assert f"3 audit messages for {address} are lost: " in said


def test_collector_that_is_down_lets_nobody_in_where_it_is_required(tmp_path):
    address = f"syslog-tls://127.0.0.1:{free_port()}"
    options = ("--audit", address, "--audit-required")
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        assert _is_refused(archive)
        archive.stop()


def test_file_that_others_may_read_is_said(tmp_path):
    log = tmp_path / "audit"
    log.touch(0o644)
    with pacs_storescp(tmp_path / "archive", "--audit", str(log)) as archive:
        archive.stop()
        said = archive.process.stderr.read()
    assert "others may read the audit file" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--audit", "syslog://"), "write a FILE"),
        (("--audit", "http://here"), "write a FILE"),
        (("--audit", "syslog://here:99999"), "cannot use --audit"),
        (("--audit", "syslog-tls://here/path"), "write a FILE"),
        (("--audit", "syslog://user@here"), "write a FILE"),
        (("--audit-required",), "add --audit"),
        (("--audit-ca", "ca.pem"), "add --audit"),
    ],
)
def test_what_is_mistyped_is_refused(tmp_path, pacs, options, words):
    result = pacs("storescp", "0", "--out", tmp_path / "archive", *options)
    assert result.exit == 2
    assert words in result.stderr


def test_audit_file_that_cannot_be_written_ends_it_at_the_start(tmp_path, pacs):
    result = pacs("storescp", "0", "--out", tmp_path / "a", "--audit", tmp_path / "no" / "audit")
    assert result.exit == 7
    assert "cannot write the audit file" in result.stderr


@pytest.mark.interop
def test_rsyslog_takes_every_message_over_tls(tmp_path, pki):
    """A collector of the field: rsyslog with TLS, which wants our certificate."""
    program = require("rsyslogd", "/usr/sbin/rsyslogd")
    port, out = free_port(), tmp_path / "collected"
    settings = tmp_path / "rsyslog.conf"
    settings.write_text(
        f"""
        global(workDirectory="{tmp_path}" maxMessageSize="64k"
               defaultNetstreamDriver="ossl"
               defaultNetstreamDriverCAFile="{pki.ca}"
               defaultNetstreamDriverCertFile="{pki.good.certificate}"
               defaultNetstreamDriverKeyFile="{pki.good.key}")
        module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1"
               streamDriver.authMode="x509/certvalid")
        input(type="imtcp" port="{port}" address="127.0.0.1")
        template(name="all" type="string" string="%msgid% %pri% %msg%\\n")
        action(type="omfile" file="{out}" template="all")
        """
    )
    command = (program, "-n", "-f", settings, "-i", tmp_path / "rsyslog.pid")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
        try:
            until(lambda: _listens(port))
            audit = ("--audit", f"syslog-tls://127.0.0.1:{port}", *pki.good.options)
            with pacs_storescp(tmp_path / "archive", *audit) as archive:
                tls = TlsClient(pki.good.settings)
                assert store(archive, "1.2.3.1", "1.2.3.2", tls=tls) == [0, 0]
                archive.stop()
                assert archive.process.stderr.read() == ""
            until(lambda: out.exists() and out.read_bytes().count(b"\n") == 3)
        finally:
            daemon.terminate()
            daemon.wait(20)
    lines = [line.split(b" ", 2) for line in out.read_bytes().splitlines()]
    assert [tuple(line[:2]) for line in lines] == [(b"DICOM+RFC3881", b"85")] * 3
    assert names(checked(line[2].strip(b"\xef\xbb\xbf ")) for line in lines) == [
        START,
        TRANSFERRED,
        STOP,
    ]


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_what_is_forwarded_is_told_for_each_study(tmp_path):
    log = tmp_path / "audit"
    with pacs_storescp(tmp_path / "there", "--aet", "THERE") as there:
        peer = f"THERE@127.0.0.1:{there.port}"
        options = ("--audit", str(log), "--forward", peer)
        with pacs_storescp(tmp_path / "archive", *options) as archive:
            assert store(archive, "1.2.3.1", "1.2.3.2", "1.2.3.3") == [0, 0, 0]
            until(lambda: len(archive.kind("forwarded")) == 3)
            archive.stop()
            pid = str(archive.process.pid)
    found = messages(log)
    # the last of all, also after what is forwarded at the end
    assert names(found)[-1] == STOP
    sent = [each for each in found if participants(each)[0][0] == pid and name(each) == TRANSFERRED]
    assert {participants(each)[1] for each in sent} == {
        ("THERE@127.0.0.1", "Destination Role ID", "false")
    }
    assert participants(sent[0])[0] == (pid, "Source Role ID", "true")
    assert sum(sum(instances(each).values()) for each in sent) == 3
    assert objects(sent[0]) == {"Study Instance UID": STUDY, "Patient Number": "TEST-1"}
    assert event(sent[0]) == ("R", "0")
