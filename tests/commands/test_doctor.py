"""`pacs doctor` beside peers that are well, and those that are not."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pynetdicom import AE, evt

from pacs_cli.net.tls import TlsServer, TlsSettings
from pacs_cli.wire.pdu import Abort, AssociateReject
from tests.conftest import Pacs, Result
from tests.interop import find_peers
from tests.interop.peers import PACS, dcmtk_storescp, pacs_storescp
from tests.pki import Pki
from tests.services.misbehaviour import EVERY_ONE, Misbehaviour
from tests.services.raw import read_pdu
from tests.support import CT, EXPLICIT, IMPLICIT, MR, VERIFICATION, running_provider
from tests.writing import write_object

SERVED = frozenset([CT, MR, VERIFICATION])
STEPS = ["name", "tcp", "association", "echo", "find", "release", "probe"]


def outcomes(result: Result) -> dict[str, str]:
    return {each["step"]: each["outcome"] for each in result.json if each["type"] == "step"}


def details(result: Result, step: str) -> dict[str, object]:
    return next(each["details"] for each in result.json if each.get("step") == step)


def failure(result: Result) -> str:
    """The one line on stderr."""
    (line,) = result.stderr.splitlines()
    return line


@contextmanager
def answering(act: Callable[[socket.socket], None]) -> Iterator[int]:
    """Let `act` have every connection, until the block is left; yields the port."""
    over = threading.Event()

    def serve() -> None:
        while True:
            sock, _ = listener.accept()
            with sock:
                if over.is_set():
                    return
                sock.settimeout(10)
                try:
                    act(sock)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            socket.create_connection(listener.getsockname(), 10).close()
            thread.join()


@contextmanager
def pynetdicom_peer(
    find: Callable[[evt.Event], object], model: str = "1.2.840.10008.5.1.4.1.2.2.1"
) -> Iterator[int]:
    """A pynetdicom that stores CTs and answers queries like this; yields its port."""
    ae = AE()
    for uid in (VERIFICATION, CT, model):
        ae.add_supported_context(uid)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, find)])
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


# -- peers that are well -------------------------------------------------------------------------


def test_every_step_is_shown_with_its_time(pacs: Pacs, tmp_path: Path):
    with pacs_storescp(tmp_path / "archive", "--qr", "--aet", "ARCHIVE") as archive:
        result = pacs("doctor", "127.0.0.1", archive.port, "-aec", "ARCHIVE")
        archive.stop()
    assert (result.exit, result.stderr) == (0, "")
    first, *lines = result.stdout.splitlines()
    assert first == f"examining ARCHIVE (127.0.0.1:{archive.port}), called as PACS"
    assert [line.split()[:2] for line in lines[:7]] == [[step, "ok"] for step in STEPS]
    assert all(" ms " in line for line in lines[:7])
    assert "PACS_CLI" in lines[2]
    assert "found no study (study root)" in lines[4]
    assert "CT Image\texplicit, implicit, jpeg-lossless" in result.stdout
    assert lines[-1] == "all is well"
    assert archive.files() == {}


def test_json_has_a_record_for_each_step_and_a_summary_last(pacs: Pacs, tmp_path: Path):
    scan = write_object(tmp_path / "ct.dcm", CT, "1.2.3.1")
    with pacs_storescp(tmp_path / "archive", "--qr", "--aet", "ARCHIVE") as archive:
        assert pacs("storescu", "127.0.0.1", archive.port, scan).exit == 0
        result = pacs("doctor", f"ARCHIVE@127.0.0.1:{archive.port}", "--json")
    assert (result.exit, result.stderr) == (0, "")
    assert outcomes(result) == dict.fromkeys(STEPS, "ok")
    assert details(result, "find") == {"model": "study root", "matches": 1, "cancelled": True}
    answer = details(result, "association")
    assert (answer["called_ae_title"], answer["calling_ae_title"]) == ("ARCHIVE", "PACS")
    assert answer["max_pdu"] == 262144
    assert {"echo", "find (study root)", "storage commitment"} <= set(answer["services"])
    assert "worklist" not in answer["services"]
    probe = details(result, "probe")
    assert len(probe["accepted"]) > 200
    assert probe["refused"] == []
    summary = result.json[-1]
    assert {**summary, "seconds": 0} == {
        "type": "summary",
        "peer": f"ARCHIVE@127.0.0.1:{archive.port}",
        "failed": [],
        "stopped_at": None,
        "warnings": 0,
        "exit": 0,
        "seconds": 0,
    }


def test_nothing_is_stored_and_nobody_is_left_waiting(pacs: Pacs):
    with running_provider(abstract_syntaxes=SERVED) as running:
        assert pacs("doctor", "127.0.0.1", running.listener.port, "-q").exit == 0
        assert running.handler.stored == []
    kinds = {type(event).__name__ for event in running.events}
    assert kinds == {"AssociationOpened", "Echoed", "AssociationEnded"}
    ends = [event.how for event in running.events if type(event).__name__ == "AssociationEnded"]
    assert set(ends) == {"released"}


def test_no_probe_is_one_association(pacs: Pacs):
    with running_provider(abstract_syntaxes=SERVED) as running:
        result = pacs("doctor", "127.0.0.1", running.listener.port, "--no-probe", "--json")
    assert list(outcomes(result)) == STEPS[:-1]
    assert sum(type(event).__name__ == "AssociationOpened" for event in running.events) == 1


def test_probe_tells_what_is_accepted_and_what_is_not(pacs: Pacs):
    with running_provider(abstract_syntaxes=SERVED, syntaxes=(EXPLICIT, IMPLICIT)) as running:
        result = pacs("doctor", "127.0.0.1", running.listener.port, "--json")
    probe = details(result, "probe")
    assert probe["accepted"] == [CT, MR]
    assert probe["storage"] == [
        {"sop_class_uid": uid, "transfer_syntaxes": [EXPLICIT, IMPLICIT]} for uid in (CT, MR)
    ]
    assert CT not in probe["refused"]
    assert len(probe["refused"]) > 200
    assert outcomes(result)["find"] == "not served"


def test_who_stores_nothing_is_not_ill(pacs: Pacs):
    with running_provider(abstract_syntaxes=frozenset([VERIFICATION])) as running:
        result = pacs("doctor", "127.0.0.1", running.listener.port, "--json")
    assert (result.exit, outcomes(result)["probe"]) == (0, "not served")


def test_tls_has_a_step_of_its_own_with_the_certificate(pacs: Pacs, pki: Pki, tmp_path: Path):
    with pacs_storescp(tmp_path / "archive", *pki.good.options) as archive:
        place = ("doctor", "127.0.0.1", archive.port, *pki.good.options, "--no-probe")
        result = pacs(*place, "--json")
        shown = pacs(*place)
    assert result.exit == 0
    assert list(outcomes(result)) == ["name", "tcp", "tls", *STEPS[2:-1]]
    facts = details(result, "tls")
    assert (facts["version"], set(facts["names"])) == ("TLS 1.3", {"127.0.0.1", "localhost"})
    assert "trustme" in facts["issuer"]
    assert facts["days_left"] > 30
    assert "issued by O=trustme" in shown.stdout
    assert "expires 3000-01-01" in shown.stdout


def test_certificate_that_ends_soon_is_a_warning(pacs: Pacs, pki: Pki, tmp_path: Path):
    with pacs_storescp(tmp_path / "archive", *pki.ending.options) as archive:
        place = ("doctor", "127.0.0.1", archive.port, *pki.good.options, "--no-probe", "--json")
        result = pacs(*place)
    assert (result.exit, outcomes(result)["tls"]) == (0, "warning")
    assert result.json[-1]["warnings"] == 1
    assert 0 <= details(result, "tls")["days_left"] < 30


# -- where it stops ------------------------------------------------------------------------------


def stops(result: Result, step: str, code: int, *words: str) -> None:
    """Check the whole promise of a failure."""
    assert result.exit == code, result
    line = failure(result)
    assert line.startswith(f"pacs doctor: {step}: "), line
    assert "Traceback" not in line
    for each in words:
        assert each in line, line
    assert result.stdout.splitlines()[-1] == f"stops at {step}"


def test_name_that_is_not_known(pacs: Pacs):
    result = pacs("doctor", "no.such.host.invalid", 104)
    stops(result, "name", 3, "cannot find no.such.host.invalid", "check the host name")


def test_port_where_nothing_listens(pacs: Pacs):
    stops(pacs("doctor", "127.0.0.1", 1), "tcp", 3, "connection refused; nothing listens there")


def test_host_that_never_answers(pacs: Pacs, full_backlog: int):
    result = pacs("doctor", "127.0.0.1", full_backlog, "-to", 0.2)
    stops(result, "tcp", 3, "no answer within 0.2 s", "firewall")


@pytest.fixture
def full_backlog() -> Iterator[int]:
    """A port to which no further connection comes through, as behind a firewall that drops."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_called_title_that_is_not_known_there(pacs: Pacs):
    with running_provider(called_ae_titles=frozenset(["RIGHT"])) as running:
        result = pacs("doctor", "127.0.0.1", running.listener.port, "-aec", "WRONG")
    words = ("called AE title not recognised", "not called WRONG there", "with -aec")
    stops(result, "association", 4, *words)


def rejects(*codes: int) -> Callable[[socket.socket], None]:
    def act(sock: socket.socket) -> None:
        if read_pdu(sock):
            sock.sendall(AssociateReject(*codes).encode())
            sock.recv(1)

    return act


def test_calling_title_that_is_not_known_there(pacs: Pacs):
    with answering(rejects(1, 1, 3)) as port:
        result = pacs("doctor", "127.0.0.1", port, "-aet", "ME")
    stops(result, "association", 4, "calling AE title", "ME has to be configured there", "-aet")


def test_peer_that_has_too_many_associations(pacs: Pacs):
    with answering(rejects(2, 3, 2)) as port:
        result = pacs("doctor", "127.0.0.1", port)
    stops(result, "association", 4, "local limit exceeded", "try again later")


class Web(BaseHTTPRequestHandler):
    """Says that it is one."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def web() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("tls", [False, True])
def test_web_server(pacs: Pacs, web: int, tls: bool):
    result = pacs("doctor", "127.0.0.1", web, "-ta", 0.3, *["--tls"][:tls])
    step, code = ("tls", 3) if tls else ("association", 4)
    stops(result, step, code, "a web server answers there", "not the DICOM port")


def speaks_first(words: bytes) -> Callable[[socket.socket], None]:
    def act(sock: socket.socket) -> None:
        sock.sendall(words)
        sock.recv(1 << 16)

    return act


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        (b"SSH-2.0-made-up\r\n", "an SSH server"),
        (b"220 mail ready\r\n", "a mail or FTP server"),
        (b"\0\1\2\3\4\5\6\7", "no DICOM application"),
    ],
)
def test_something_else_that_speaks_first(pacs: Pacs, greeting: bytes, words: str):
    with answering(speaks_first(greeting)) as port:
        stops(pacs("doctor", "127.0.0.1", port), "association", 4, words)


def test_something_that_says_nothing(pacs: Pacs):
    with answering(lambda sock: sock.recv(1 << 16) and sock.recv(1) and None) as port:
        result = pacs("doctor", "127.0.0.1", port, "--timeout", 0.3)
    stops(result, "association", 4, "takes connections and says nothing", "proxy")


def test_something_that_closes_at_once(pacs: Pacs):
    with answering(lambda sock: None) as port:
        result = pacs("doctor", "127.0.0.1", port)
    stops(result, "association", 4, "closes every connection at once")


def test_dicom_application_that_aborts(pacs: Pacs):
    def act(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(Abort(0, 0).encode())
        sock.recv(1)

    with answering(act) as port:
        stops(pacs("doctor", "127.0.0.1", port), "association", 4, "aborted the association")


def test_tls_port_that_is_called_in_plain(pacs: Pacs, pki: Pki, tmp_path: Path):
    with pacs_storescp(tmp_path / "archive", *pki.good.options) as archive:
        result = pacs("doctor", "127.0.0.1", archive.port)
    stops(result, "association", 3, "it speaks TLS there", "call it with --tls")


def test_tls_port_that_only_closes_is_known_too(pacs: Pacs, pki: Pki):
    tls = TlsServer(
        TlsSettings(certificate=pki.good.certificate, key=pki.good.key, is_anonymous=True)
    )

    def act(sock: socket.socket) -> None:
        if sock.recv(1, socket.MSG_PEEK) != b"\x16":
            return
        secured = tls.wrap(sock.dup(), "us")
        secured.setblocking(True)
        secured.shake()
        secured.close()

    with answering(act) as port:
        result = pacs("doctor", "127.0.0.1", port)
    stops(result, "association", 4, "the port speaks TLS 1.3: call it with --tls", "--tls-ca FILE")


def test_plain_port_that_is_called_with_tls(pacs: Pacs):
    with running_provider() as running:
        result = pacs("doctor", "127.0.0.1", running.listener.port, "--tls")
    stops(result, "tls", 3, "it answers DICOM without TLS: leave out --tls")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", ("has expired", "expired 20")),
        ("early", ("not yet valid", "valid from 20")),
        ("elsewhere", ("for another host", "for pacs.example, 10.0.0.5, issued by")),
        ("foreign", ("not trusted here", "issued by O=Foreign")),
    ],
)
def test_certificate_that_is_refused_is_shown(
    pacs: Pacs, pki: Pki, tmp_path: Path, kind: str, words: tuple[str, ...]
):
    theirs = getattr(pki, kind).options
    with pacs_storescp(tmp_path / "archive", *theirs) as archive:
        result = pacs("doctor", "127.0.0.1", archive.port, *pki.good.options)
    stops(result, "tls", 3, *words)


def test_client_certificate_that_is_wanted(pacs: Pacs, pki: Pki, tmp_path: Path):
    with pacs_storescp(tmp_path / "archive", *pki.good.options) as archive:
        result = pacs("doctor", "127.0.0.1", archive.port, "--tls-ca", pki.ca)
    stops(result, "association", 3, "client certificate", "--tls-cert")


BEFORE_THE_ASSOCIATION = [each for each in EVERY_ONE if each.timeout == "acse"]


@pytest.mark.parametrize("misbehaviour", BEFORE_THE_ASSOCIATION, ids=lambda each: each.name)
def test_whatever_a_peer_does_is_told_in_a_line_for_each_step(
    pacs: Pacs, misbehaviour: Misbehaviour
):
    over = threading.Event()
    with answering(lambda sock: misbehaviour.act(sock, over)) as port:
        result = pacs("doctor", "127.0.0.1", port, "--timeout", 0.3, "--no-probe", "--json")
        over.set()
    assert result.exit in (3, 4)
    summary, lines = result.json[-1], result.stderr.splitlines()
    assert summary["exit"] == result.exit
    assert [line.split(": ")[:2] for line in lines] == [
        ["pacs doctor", step] for step in summary["failed"]
    ]
    assert outcomes(result)["tcp"] == "ok"


# -- what fails without an end -------------------------------------------------------------------


def test_echo_that_is_refused_does_not_end_it(pacs: Pacs):
    with running_provider(abstract_syntaxes=frozenset([CT])) as running:
        result = pacs("doctor", "127.0.0.1", running.listener.port, "--json")
    assert result.exit == 4
    assert outcomes(result)["echo"] == "failed"
    assert (outcomes(result)["probe"], details(result, "probe")["accepted"]) == ("ok", [CT])
    assert "verification was not accepted" in failure(result)
    assert (result.json[-1]["failed"], result.json[-1]["stopped_at"]) == (["echo"], None)


def test_query_that_fails_does_not_end_it(pacs: Pacs):
    with pynetdicom_peer(lambda event: iter([(0xC001, None)])) as port:
        result = pacs("doctor", "127.0.0.1", port, "--json")
    assert result.exit == 5
    assert outcomes(result)["find"] == "failed"
    assert "C001H" in failure(result)
    assert outcomes(result)["release"] == "ok"


def test_query_that_is_never_answered_ends_the_association_and_not_the_probe(pacs: Pacs):
    may_end = threading.Event()
    try:
        with pynetdicom_peer(lambda event: iter([(0, may_end.wait(20) and None)])) as port:
            result = pacs("doctor", "127.0.0.1", port, "-td", 0.3, "--json")
            may_end.set()
    finally:
        may_end.set()
    assert result.exit == 4
    assert outcomes(result) == {
        **dict.fromkeys(("name", "tcp", "association", "echo"), "ok"),
        "find": "failed",
        "probe": "ok",
    }
    assert "an answer to C-FIND-RQ within 0.3 s" in failure(result)


def test_only_patients_can_be_asked_for(pacs: Pacs, tmp_path: Path):
    patient_root = "1.2.840.10008.5.1.4.1.2.1.1"
    with pynetdicom_peer(lambda event: iter([]), patient_root) as port:
        result = pacs("doctor", "127.0.0.1", port, "--no-probe", "--json")
    assert result.exit == 0
    assert details(result, "find")["model"] == "patient root"


def test_doctor_runs_as_a_program():
    with running_provider(abstract_syntaxes=SERVED) as running:
        done = subprocess.run(
            [*PACS, "doctor", "127.0.0.1", str(running.listener.port), "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1])["stopped_at"] is None


# -- the field -----------------------------------------------------------------------------------


@pytest.mark.interop
def test_dcmtk_storescp(pacs: Pacs, tmp_path: Path):
    with dcmtk_storescp(tmp_path / "dcmtk", "+xs") as port:
        result = pacs("doctor", "127.0.0.1", port, "-aec", "DCMTK", "--json")
    assert (result.exit, result.stderr) == (0, "")
    assert outcomes(result) == {**dict.fromkeys(STEPS, "ok"), "find": "not served"}
    assert details(result, "association")["implementation_version_name"].startswith("OFFIS_DCMTK")
    ct = details(result, "probe")["storage"][0]
    assert (ct["sop_class_uid"], "1.2.840.10008.1.2.4.70" in ct["transfer_syntaxes"]) == (CT, True)
    assert [path for path in (tmp_path / "dcmtk").iterdir() if path.is_file()] == []


@pytest.mark.interop
@pytest.mark.parametrize("kind", ["dcmqrscp", "orthanc", "qrscp"])
def test_archive_of_the_field(pacs: Pacs, tmp_path: Path, kind: str):
    objects = find_peers.write_archive(tmp_path / "objects")
    with getattr(find_peers, kind)(tmp_path / "peer") as peer:
        find_peers.fill(peer, objects)
        result = pacs("doctor", peer.address, "--json")
    assert (result.exit, result.stderr) == (0, "")
    assert outcomes(result) == dict.fromkeys(STEPS, "ok")
    found = details(result, "find")
    assert (found["model"], found["matches"]) == ("study root", 1)
    assert CT in details(result, "probe")["accepted"]


@pytest.mark.interop
def test_dcmtk_with_tls_that_is_called_in_plain(pacs: Pacs, pki: Pki, tmp_path: Path):
    options = ("+tls", str(pki.good.key), str(pki.good.certificate), "+cf", str(pki.ca))
    with dcmtk_storescp(tmp_path / "dcmtk", *options) as port:
        plain = pacs("doctor", "127.0.0.1", port, "--timeout", 5)
        secured = pacs("doctor", "127.0.0.1", port, *pki.good.options, "--json")
    stops(plain, "association", 4, "the port speaks TLS")
    assert secured.exit == 0
    assert outcomes(secured)["tls"] == "ok"
