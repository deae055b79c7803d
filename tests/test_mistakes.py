"""What beginners do wrong: one line each that says what is wrong and what to do, and its exit code.

Each row is read as somebody reads it who does not know DICOM: `says` is what went wrong, `advises`
what to do next.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pacs_cli.generate import pages
from pacs_cli.habits import ELSEWHERE
from pacs_cli.wire.pdu import AssociateReject
from tests.conftest import Pacs
from tests.interop.peers import PACS, pacs_storescp
from tests.pki import Pki
from tests.services.raw import read_pdu
from tests.support import CT, VERIFICATION, misbehaving_peer, running_provider
from tests.writing import write_object

UID_KEY = "-k StudyInstanceUID=1.2.3"


@dataclass(frozen=True)
class Mistake:
    """A command line, in which {names} are those of `places`, its exit code and its words."""

    line: str
    exit: int
    says: str
    advises: str


MISTAKES = (
    # the peer
    Mistake("echoscu", 2, "missing PEER", "write HOST PORT"),
    Mistake("echoscu {host}", 2, "no port for 127.0.0.1", "write 127.0.0.1 PORT"),
    Mistake("echoscu {host} 70000", 2, "not 70000", "a port from 1 to 65535"),
    Mistake("echoscu {host}:0", 2, "not 0", "a port from 1 to 65535"),
    Mistake("echoscu {host} {closed}", 3, "connection refused", "check the port"),
    Mistake("echoscu {host} {dropping} -to 0.2", 3, "no answer within 0.2 s", "the firewall"),
    Mistake("echoscu no.such.host.invalid 104", 3, "cannot find no.such", "check the host name"),
    Mistake("echoscu wrad", 2, "no port for wrad", "did you mean ward?"),
    Mistake("echoscu elsewhere", 2, "it is no peer of the", "write elsewhere PORT"),
    Mistake("echoscu http://{host}:104", 2, "no web address", "write HOST:PORT"),
    Mistake("echoscu A@{host}:104 -aec B", 2, "two AE titles", "write one"),
    Mistake("echoscu {host}:104 105", 2, "two ports", "write one"),
    Mistake("echoscu {host} 104 105", 2, "there is no place for 105", "see pacs echoscu"),
    Mistake("storescu {ct} {host} {scp}", 2, "ct.dcm is a file", "the peer comes first"),
    Mistake("echoscu {host} {web} -ta 0.3", 4, "did not send an answer", "is that a DICOM port"),
    # AE titles
    Mistake("echoscu {host} 104 -aec SEVENTEENLETTERSX", 2, "longer than", "16 characters"),
    Mistake("echoscu {host} 104 -aet {empty_word}", 2, "an AE title", "must not be empty"),
    Mistake("echoscu {host} {scp} -aec PACS", 4, "not called PACS there", "own title with -aec"),
    Mistake("echoscu {host} {strict} -aec A", 4, "calling AE title not", "be configured there"),
    # options of other tools
    Mistake("echoscu {host} -P 104", 2, "no such option -P", "behind the host: HOST PORT"),
    Mistake("echoscu -c A@{host}:104", 2, "no such option -c", "word of its own: AET@HOST:PORT"),
    Mistake("echoscu {host} 104 --call A", 2, "no such option --call", "here it is --called-aet"),
    Mistake("echoscu {host} 104 --aetitle A", 2, "no such option --aetitle", "here it is --aet"),
    Mistake("echoscu {host} 104 --timout 3", 2, "no such option", "did you mean --timeout?"),
    Mistake("getscu {host} 104 -od x", 2, "no such option -od", "here it is --out"),
    Mistake("storescu {host} 104 -r x", 2, "no such option -r", "folders are always read"),
    Mistake("storescp -p 11112", 2, "no such option -p", "the port is the first word: PORT"),
    Mistake("ehcoscu {host} 104", 2, "no such command ehcoscu", "did you mean echoscu?"),
    Mistake("config peers ad x h:1", 2, "no such command ad", "did you mean add?"),
    # TLS
    Mistake("echoscu {host} {scp} --tls", 3, "does not speak TLS", "on both sides or on neither"),
    Mistake("echoscu {host} {tls}", 3, "it speaks TLS there", "add --tls"),
    Mistake("echoscu {host} {tls} --tls-ca {wrong_ca}", 3, "CA that is not", "check --tls-ca"),
    Mistake("echoscu {host} {tls} --tls-ca {gone}", 2, "No such file", "check the path"),
    Mistake("echoscu {host} {tls} --tls-ca {text}", 2, "as CA", "no certificates in PEM form"),
    Mistake("echoscu {host} {tls} --tls-ca {ca}", 3, "client certificate", "--tls-cert"),
    Mistake("storescp 0 --out {fresh} --tls", 2, "needs a certificate", "add --tls-cert"),
    # files
    Mistake("storescu {host} {scp}", 2, "nothing to send", "write PATH..."),
    Mistake("storescu {host} {scp} -aec HERE {folder}", 6, "no DICOM file", "check the paths"),
    Mistake("storescu {host} {scp} -aec HERE {gone} -q", 6, "no such file", "check the path"),
    Mistake("storescu {host} {scp} -aec HERE {png} -q", 6, "a PNG image", "wrap it first"),
    Mistake("storescu {host} {scp} -aec HERE {zip} -q", 6, "a ZIP archive", "unpack it first"),
    Mistake("storescu {host} {scp} -aec HERE {pdf} -q", 6, "but a PDF", "wrap it first"),
    Mistake("dump {text} -q", 6, "text.dcm", "it is not a DICOM file"),
    Mistake("dump {gone} -q", 6, "no such file", "check the path"),
    Mistake("validate {folder}", 6, "no file in what was named", "check the paths"),
    Mistake("anonymize {folder} {fresh}", 6, "no file in what was named", "check the paths"),
    Mistake("anonymize {ct}", 2, "IN... OUT", "the folder to write to"),
    Mistake("transcode {ct} {fresh}", 2, "missing --to SYNTAX", "--list shows them"),
    Mistake("transcode {ct} {fresh} --to j2000", 2, "unknown transfer syntax", "did you mean"),
    Mistake("transcode {ct} {ct} --to rle -q", 7, "it would be replaced", "--in-place does that"),
    Mistake("diff {ct}", 2, "missing RIGHT", "see pacs diff --help"),
    Mistake("index add {gone}", 6, "no such file", "check the path"),
    Mistake("index find {folder}", 6, "no index", "pacs index add"),
    Mistake("send-batch {host} {scp} {ct}", 2, "missing --state", "see pacs send-batch"),
    Mistake("send-batch status {gone}", 6, "no job", "makes one"),
    # queries
    Mistake("findscu {host} 104 -k PatientNam=X", 2, "no keyword", "did you mean PatientName?"),
    Mistake("findscu {host} 104 -k 0010,001=X", 2, "0010,001 is no tag", "as 0010,0020"),
    Mistake("findscu {host} 104 -k 0010.0010=X", 2, "0010 is no tag", "write gggg,eeee"),
    Mistake("findscu {host} 104 --level studies", 2, "level studies", "has study, series, image"),
    Mistake("findscu {host} 104 --since monday", 2, "--since monday", "as YYYY-MM-DD"),
    Mistake("findscu {host} {scp} -aec HERE -k StudyInstanceUID=x -q", 0, "no UID", "digits and"),
    Mistake(f"movescu {{host}} 104 {UID_KEY}", 2, "where the objects go", "--dest AET"),
    Mistake(
        f"movescu {{host}} {{scp}} -aec HERE --dest WS {UID_KEY} -q", 5, "A801H", "AE title WS"
    ),
    Mistake(f"getscu {{host}} 104 {UID_KEY}", 2, "no folder", "write --out DIR"),
    # places to write to
    Mistake("storescp", 2, "no port to listen on", "write it, or set archive.port"),
    Mistake("storescp 0", 2, "no folder to receive into", "write --out DIR"),
    Mistake("storescp {scp} --out {fresh}", 3, "already in use", "choose another port"),
    Mistake("storescp 0 --out {ct}", 7, "not a directory", "choose a folder"),
    Mistake("storescp 0 --out /proc/none", 7, "/proc/none", "choose a folder that can be written"),
    Mistake("storescp 0 --out {archive}", 7, "another pacs storescp holds it", "end that first"),
    Mistake("storescp 0 --out {fresh} --bind 192.0.2.1", 3, "cannot assign", "check the address"),
    Mistake(f"getscu {{host}} {{scp}} -aec HERE --out {{ct}} {UID_KEY}", 7, "not a", "a folder"),
    Mistake("config init", 7, "it exists, and stays as it is", "edit it"),
    # configuration
    Mistake("config peers add 10.0.0.5 h:1", 2, "reads like an address", "write a name"),
    Mistake("config peers add echoscu h:1", 2, "a word of pacs", "choose another name"),
    Mistake("config peers add new h", 2, "no port for h", "write ADDRESS PORT"),
    Mistake("config peers remove wrad", 2, "no peer wrad", "did you mean ward?"),
)


@pytest.fixture(scope="module")
def dropping() -> Iterator[int]:
    """A port to which no further connection comes through, as behind a firewall that drops."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word, as a web server on half a request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "empty").mkdir()
    contents = {
        "text.dcm": b"a note, and no image\n" * 20,
        "image.png": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "scans.zip": b"PK\3\4" + bytes(200),
        "report.pdf": b"%PDF-1.7\n" + bytes(200),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {
        "ct": write_object(folder / "ct.dcm", CT, "1.2.3.1"),
        "text": folder / "text.dcm",
        "png": folder / "image.png",
        "zip": folder / "scans.zip",
        "pdf": folder / "report.pdf",
        "folder": folder / "empty",
        "gone": folder / "gone.dcm",
        "archive": folder / "archive",
    }


@pytest.fixture(scope="module")
def places(
    files: dict[str, object], dropping: int, silent: int, pki: Pki
) -> Iterator[dict[str, object]]:
    """What the mistakes are made with: an archive, one with TLS, files and ports."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    archive = Path(str(files["archive"]))
    options = ("--qr", "--aet", "HERE", "--check-called")
    secured = ("--tls-cert", str(pki.good.certificate), "--tls-key", str(pki.good.key))
    with (
        pacs_storescp(archive, *options) as scp,
        pacs_storescp(archive.with_name("tls"), *secured, "--tls-ca", str(pki.ca)) as tls,
        pacs_storescp(archive.with_name("strict"), "--allow", "FRIEND") as strict,
    ):
        yield {
            "host": "127.0.0.1",
            "closed": closed,
            "dropping": dropping,
            "web": silent,
            "scp": scp.port,
            "tls": tls.port,
            "strict": strict.port,
            "empty_word": "''",
            "ca": pki.ca,
            "wrong_ca": pki.foreign_ca,
            **files,
        }


def line_of(stderr: str) -> str:
    """The one line there may be."""
    lines = stderr.splitlines()
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.line)
def test_mistake_is_told_in_one_line_that_helps(
    pacs: Pacs, places: dict[str, object], tmp_path: Path, mistake: Mistake
):
    config = tmp_path / "config.toml"
    config.write_text('[peers.ward]\naddress = "WARD@10.0.0.5:104"\n')
    line = mistake.line.format(**places, fresh=tmp_path / "fresh")
    words = ["" if word == "''" else word for word in line.split(" ")]
    result = pacs(*words, env={"PACS_CONFIG": str(config)})
    assert result.exit == mistake.exit, result
    line = line_of(result.stderr)
    assert mistake.says in line, line
    assert mistake.advises in line, line


def test_what_is_said_of_options_of_other_tools_is_true():
    known = {name for page in pages() for option in page.options for name in option.names}
    for option, cures in ELSEWHERE.items():
        assert cures
        assert all(cure in known for cure in cures if cure.startswith("-")), option


# -- what takes more than a command line ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says", "advises"),
    [
        ("aet = ", "not TOML", "(at end of document); correct it there"),
        ("[peers.ward\naddress = 'h:1'", "not TOML", "at line 1"),
        ("aett = 'X'", "unknown key aett", "did you mean aet?"),
        ("aet = 'SEVENTEENLETTERSX'", "longer than", "16 characters"),
        ("[peers.ward]\naet = 'X'", "peers.ward.address is missing", "set it to HOST:PORT"),
        ("[peers.ward]\naddress = 'h:x'", "'x' is not a port", "peers.ward.address"),
        ("timeouts.connect = '5 s'", "not '5 s'", "must be seconds"),
    ],
)
def test_mistake_in_the_configuration(
    pacs: Pacs, tmp_path: Path, text: str, says: str, advises: str
):
    config = tmp_path / "config.toml"
    config.write_text(text)
    result = pacs("echoscu", "ward", env={"PACS_CONFIG": str(config)})
    line = line_of(result.stderr)
    assert result.exit == 2
    assert str(config) in line
    assert says in line
    assert advises in line


def test_configuration_that_is_not_there(pacs: Pacs, tmp_path: Path):
    result = pacs("echoscu", "ward", env={"PACS_CONFIG": str(tmp_path / "none.toml")})
    assert result.exit == 2
    assert "No such file or directory; check PACS_CONFIG" in line_of(result.stderr)


def test_called_and_calling_title_in_the_wrong_order(pacs: Pacs):
    """Who swaps them is rejected for the called one, which the message repeats."""
    with running_provider(called_ae_titles=frozenset(["ARCHIVE"])) as running:
        place = ("echoscu", "127.0.0.1", running.listener.port)
        result = pacs(*place, "-aet", "ARCHIVE", "-aec", "WARD")
    assert result.exit == 4
    assert "it is not called WARD there; give its own title with -aec" in line_of(result.stderr)


def test_peer_that_rejects_the_calling_title(pacs: Pacs):
    def act(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(AssociateReject(1, 1, 3).encode())
        sock.recv(1)

    with misbehaving_peer(act) as target:
        result = pacs("echoscu", target.host, target.port, "-aet", "WARD")
    assert result.exit == 4
    assert "WARD has to be configured there" in line_of(result.stderr)


def test_peer_that_does_not_store_the_class(pacs: Pacs, files: dict[str, object]):
    with running_provider(abstract_syntaxes=frozenset([VERIFICATION])) as running:
        result = pacs("storescu", "127.0.0.1", running.listener.port, files["ct"], "-q")
    assert result.exit == 4
    line = line_of(result.stderr)
    assert "did not accept SOP class CT Image Storage in Explicit VR Little Endian" in line
    assert "abstract syntax not supported" in line


def as_nobody_special(*command: str) -> list[str]:
    """Return a command that root, too, runs without its powers over files and ports."""
    if os.geteuid():
        return [*command]
    powers = "-net_bind_service,-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", powers, *command]


def run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_privileged_port(tmp_path: Path):
    first = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if not first.exists() or int(first.read_text()) <= 104:
        pytest.skip("everybody may listen on port 104 here")
    out = str(tmp_path / "archive")
    done = run(*as_nobody_special(*PACS, "storescp", "104", "--out", out))
    assert done.returncode == 3
    line = line_of(done.stderr)
    assert "cannot listen on 127.0.0.1 port 104: permission denied" in line
    assert "a port below 1024 needs root; choose one above, as 11112" in line


def test_file_that_may_not_be_read(tmp_path: Path):
    path = write_object(tmp_path / "ct.dcm", CT, "1.2.3.1")
    path.chmod(0)
    with running_provider() as running:
        place = ("127.0.0.1", str(running.listener.port))
        done = run(*as_nobody_special(*PACS, "storescu", *place, str(path), "-q"))
    assert done.returncode == 6
    assert f"cannot read {path}: permission denied; may you read it?" in line_of(done.stderr)


def test_archive_that_may_not_be_written(tmp_path: Path):
    (tmp_path / "archive").mkdir(mode=0o555)
    out = str(tmp_path / "archive")
    done = run(*as_nobody_special(*PACS, "storescp", "0", "--out", out))
    assert done.returncode == 7
    line = line_of(done.stderr)
    assert "permission denied; choose a folder that can be written" in line


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_disk_that_is_full(files: dict[str, object]):
    with Path("/dev/full").open("w") as full:
        done = run(*PACS, "dump", str(files["ct"]), stdout=full)
    assert done.returncode == 7
    line = line_of(done.stderr)
    assert "cannot write to standard output: No space left on device" in line
    assert "make room or write elsewhere" in line


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """An environment in which the extras cannot be imported, as where they are not installed."""
    for name in ("imagecodecs", "cryptography"):
        (tmp_path / f"{name}.py").write_text("raise ModuleNotFoundError\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "XDG_CONFIG_HOME": str(tmp_path)}


def test_codecs_that_are_not_installed(
    files: dict[str, object], without: dict[str, str], tmp_path: Path
):
    command = ("transcode", str(files["ct"]), str(tmp_path / "out"), "--to", "j2k", "-q")
    done = run(*PACS, *command, env=without)
    assert done.returncode == 2
    line = line_of(done.stderr)
    assert "the codecs are not installed; pip install 'pacs-cli[codecs]'" in line


def test_encryption_that_is_not_installed(
    files: dict[str, object], without: dict[str, str], tmp_path: Path, pki: Pki
):
    out = str(tmp_path / "out")
    sealed = ("--encrypt-to", str(pki.good.certificate))
    done = run(*PACS, "anonymize", str(files["ct"]), out, *sealed, "-q", env=without)
    assert done.returncode == 2
    line = line_of(done.stderr)
    assert "encryption is not installed; pip install 'pacs-cli[crypto]'" in line
