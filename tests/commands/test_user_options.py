"""Who we say that we are: options, configuration, the bytes that go out, and the answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pynetdicom import AE, evt
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from pacs_cli.errors import AssociationError
from pacs_cli.services.scu import Session
from pacs_cli.wire.negotiation import Proposal, number_contexts
from pacs_cli.wire.pdu import AssociateAccept, AssociateRequest, ContextResult, decode_associate_ac
from pacs_cli.wire.userinfo import IdentityType, UserIdentity, UserInformation
from tests.conftest import Pacs
from tests.interop.peers import dcmtk_storescp
from tests.samples import storable
from tests.services.raw import read_pdu
from tests.support import CT, EXPLICIT, VERIFICATION, misbehaving_peer

CT_FILE = next(path for path in storable() if path.name == "CT_small.dcm")
PASSCODE = "correct horse battery"
TOKEN = b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJkb2UifQ."
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"

#: kind, primary field, secondary field: what the peer was told.
Said = tuple[int, bytes, bytes | None]


@contextmanager
def pynetdicom_peer(said: list[Said], accepts: bool = True) -> Iterator[int]:
    """A pynetdicom provider that notes who calls, and accepts it or not."""

    def check(event: evt.Event) -> tuple[bool, bytes | None]:
        said.append((event.user_id_type, event.primary_field, event.secondary_field))
        # it answers tickets, assertions and tokens alone, whatever is asked for
        return accepts, b"ticket of the server"

    ae = AE("PYNETDICOM")
    for sop_class in (VERIFICATION, CT, FIND, MOVE, GET):
        ae.add_supported_context(sop_class)
    handlers = [
        (evt.EVT_USER_ID, check),
        (evt.EVT_C_STORE, lambda _: 0),
        (evt.EVT_C_FIND, lambda _: iter(())),
        (evt.EVT_C_MOVE, lambda _: iter(((None, None),))),
        (evt.EVT_C_GET, lambda _: iter((0,))),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A passcode, a ticket, an assertion and a token."""
    contents = {
        "passcode": f"{PASSCODE}\n".encode(),
        "ticket": bytes(range(256)) * 40,
        "assertion": b"<saml:Assertion>doe</saml:Assertion>\n",
        "token": TOKEN + b"\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


def identities(files: dict[str, Path]) -> list[tuple[tuple[object, ...], Said]]:
    """Options, and what the peer is to be told by them."""
    return [
        (("--user", "Dœ"), (1, "Dœ".encode(), b"")),
        (("-usr", "doe", "--user-pass-file", files["passcode"]), (2, b"doe", PASSCODE.encode())),
        (("--kerberos", files["ticket"]), (3, files["ticket"].read_bytes(), b"")),
        (("--saml", files["assertion"]), (4, files["assertion"].read_bytes(), b"")),
        # the end of the line is no part of it
        (("--jwt", files["token"]), (5, TOKEN, b"")),
    ]


# -- the bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_asked", [False, True])
@pytest.mark.parametrize("kind", list(IdentityType))
def test_request_is_what_pynetdicom_reads_and_writes(kind: IdentityType, is_asked: bool):
    secondary = b"secret" if kind == IdentityType.USER_NAME_AND_PASSCODE else b""
    identity = UserIdentity(kind, is_asked, b"doe" * 1000, secondary)
    proposal = Proposal(VERIFICATION, (EXPLICIT,))
    request = AssociateRequest(
        "THEM", "US", number_contexts([proposal]), UserInformation(16384, user_identity=identity)
    )
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(request.encode())
    (item,) = [each for each in theirs.user_information.user_data if each.item_type == 0x58]
    assert (item.user_identity_type, item.positive_response_requested) == (kind, int(is_asked))
    assert (item.primary_field, item.secondary_field) == (b"doe" * 1000, secondary)
    own = request.encode()
    assert item.encode() in own


@pytest.mark.parametrize("response", [b"", b"ticket"])
def test_response_is_what_pynetdicom_reads_and_writes(response: bytes):
    info = UserInformation(16384, user_identity_response=response)
    results = (ContextResult(1, 0, EXPLICIT),)
    answer = AssociateAccept("THEM", "US", contexts=results, user_information=info)
    theirs = A_ASSOCIATE_AC()
    theirs.decode(answer.encode())
    (item,) = [each for each in theirs.user_information.user_data if each.item_type == 0x59]
    assert item.server_response == response
    assert item.encode() in answer.encode()
    read = decode_associate_ac(memoryview(answer.encode())[6:])
    assert read.user_information.user_identity_response == response


# -- the options ---------------------------------------------------------------------------------

COMMANDS = [
    ("echoscu",),
    ("storescu", CT_FILE),
    ("findscu",),
    ("movescu", "--dest", "X", "-k", "StudyInstanceUID=1.2"),
    ("getscu", "-k", "StudyInstanceUID=1.2", "--out", "OUT"),
]


def run(pacs: Pacs, command: tuple[object, ...], port: int, folder: Path, *options: object):
    name, *rest = command
    rest = [folder / "out" if each == "OUT" else each for each in rest]
    return pacs(name, "127.0.0.1", port, *rest, *options)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_says_who_calls(pacs: Pacs, files, tmp_path: Path, command):
    said: list[Said] = []
    with pynetdicom_peer(said) as port:
        for options, expected in identities(files):
            said.clear()
            run(pacs, command, port, tmp_path, *options)
            assert set(said) == {expected}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_says_why_it_was_refused(pacs: Pacs, files, tmp_path: Path, command):
    with pynetdicom_peer([], accepts=False) as port:
        more = ("--retries", "0") if command[0] == "storescu" else ()
        options = ("--user", "doe", "--user-pass-file", files["passcode"], *more)
        done = run(pacs, command, port, tmp_path, *options)
    assert done.exit == 4
    told = done.stdout + done.stderr
    # pynetdicom calls it transient
    assert "rejected, for now, the user was not accepted; check the user name" in told
    assert PASSCODE not in told


def test_nobody_is_named_without_an_option(pacs: Pacs):
    said: list[Said] = []
    with pynetdicom_peer(said) as port:
        assert pacs("echoscu", "127.0.0.1", port).exit == 0
        # a passcode alone is nobody
        assert pacs("echoscu", "127.0.0.1", port, env={"PACS_USER_PASS": PASSCODE}).exit == 0
    assert said == []


def test_passcode_comes_from_the_environment_after_the_file(pacs: Pacs, files):
    said: list[Said] = []
    with pynetdicom_peer(said) as port:
        place = ("echoscu", "127.0.0.1", port, "--user", "doe")
        pacs(*place, env={"PACS_USER_PASS": "of the environment"})
        pacs(*place, "--user-pass-file", files["passcode"], env={"PACS_USER_PASS": "x"})
        pacs(*place, env={"PACS_USER_PASS": ""})
    assert said == [
        (2, b"doe", b"of the environment"),
        (2, b"doe", PASSCODE.encode()),
        (1, b"doe", b""),
    ]


def test_empty_first_line_is_an_empty_passcode(pacs: Pacs, files):
    files["passcode"].write_bytes(b"\nsecond\n")
    said: list[Said] = []
    with pynetdicom_peer(said) as port:
        place = ("echoscu", "127.0.0.1", port, "--user", "doe")
        pacs(*place, "--user-pass-file", files["passcode"])
    assert said == [(2, b"doe", b"")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--user", ""), "a user name has 1 to 1024 bytes"),
        (("--user", "x" * 1025), "a user name has 1 to 1024 bytes"),
        (("--user", "a", "--jwt", "FILE"), "give one of --user"),
        (("--saml", "FILE", "--jwt", "FILE"), "give one of --user"),
        (("--user-pass-file", "FILE"), "give one of --user"),
        (("--user-response",), "give one of --user"),
        (("--jwt", "FILE", "--user-pass-file", "FILE"), "--user-pass-file is of a user"),
        (("--user", "a", "--user-pass-file", "MISSING"), "cannot read the passcode in"),
        (("--user", "a", "--user-pass-file", "LONG"), "over 1024 bytes"),
        (("--kerberos", "MISSING"), "cannot read --kerberos"),
        (("--kerberos", "EMPTY"), "it is empty"),
        (("--saml", "LONG"), "has over 49152 bytes, more than may be sent"),
    ],
)
def test_identity_that_cannot_be_is_a_usage_error(pacs: Pacs, tmp_path: Path, options, words):
    (tmp_path / "FILE").write_bytes(b"something")
    (tmp_path / "EMPTY").write_bytes(b"")
    (tmp_path / "LONG").write_bytes(b"x" * 49_153)
    typed = [tmp_path / each if each.isupper() else each for each in options]
    done = pacs("echoscu", "127.0.0.1", "1", *typed)
    assert (done.exit, done.stderr.count("\n")) == (2, 1)
    assert words in done.stderr


def test_longest_token_fits_beside_the_roles_of_a_retrieve(pacs: Pacs, files, tmp_path: Path):
    files["ticket"].write_bytes(b"x" * 49_152)
    said: list[Said] = []
    with pynetdicom_peer(said) as port:
        run(pacs, COMMANDS[4], port, tmp_path, "--kerberos", files["ticket"])
    assert said
    assert {len(primary) for _, primary, _ in said} == {49_152}


# -- the configuration ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "options", "expected"),
    [
        ('user = "ward"', (), (1, b"ward", b"")),
        ('user = { name = "ward", pass_file = "passcode" }', (), (2, b"ward", PASSCODE.encode())),
        ('user = { jwt = "token" }', (), (5, TOKEN, b"")),
        ('user = { saml = "token", response = false }', (), (4, TOKEN + b"\n", b"")),
        # who is typed comes without the configured passcode
        ('user = { name = "ward", pass_file = "passcode" }', ("--user", "doe"), (1, b"doe", b"")),
        ('user = { jwt = "token" }', ("--user", "doe"), (1, b"doe", b"")),
        (
            'user = "ward"',
            ("--user-pass-file", "passcode"),
            (2, b"ward", PASSCODE.encode()),
        ),
    ],
)
def test_user_of_a_configured_peer(pacs: Pacs, files, tmp_path: Path, line, options, expected):
    said: list[Said] = []
    config = tmp_path / "pacs.toml"
    typed = [files.get(each, each) for each in options]
    with pynetdicom_peer(said) as port:
        config.write_text(f'[peers.it]\naddress = "127.0.0.1:{port}"\n{line}\n')
        pacs("echoscu", "it", *typed, env={"PACS_CONFIG": str(config)})
        pacs(
            "send-batch",
            "it",
            CT_FILE,
            "--state",
            tmp_path / "a.job",
            env={"PACS_CONFIG": str(config)},
        )
    # the batch has the configured user, as it has no options of its own
    assert said[0] == expected
    assert len(said) == 2
    if not options:
        assert said[1] == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("user = 7", "peers.it.user: must be a user name or a table"),
        ('user = { nme = "x" }', "unknown key peers.it.user.nme; did you mean name?"),
        (
            'user = { passfile = "x" }',
            "unknown key peers.it.user.passfile; did you mean pass_file?",
        ),
        ('user = { response = "yes" }', "must be true or false"),
        ('user = { name = "a", pass_file = "missing" }', "cannot read the passcode in"),
    ],
)
def test_user_of_the_configuration_is_checked(pacs: Pacs, tmp_path: Path, line: str, words: str):
    config = tmp_path / "pacs.toml"
    config.write_text(f'[peers.it]\naddress = "127.0.0.1:1"\n{line}\n')
    done = pacs("echoscu", "it", env={"PACS_CONFIG": str(config)})
    assert (done.exit, done.stderr.count("\n")) == (2, 1)
    assert words in done.stderr


# -- the answer ----------------------------------------------------------------------------------


def accepting(response: bytes | None):
    """A peer that accepts, with this response to the user identity, and then releases."""

    def act(sock: socket.socket) -> None:
        read_pdu(sock)
        info = UserInformation(16384, user_identity_response=response)
        results = (ContextResult(1, 0, EXPLICIT),)
        answer = AssociateAccept("A", "B", contexts=results, user_information=info)
        sock.sendall(answer.encode())
        ended.append(read_pdu(sock)[0])
        if ended[-1] == 5:
            sock.sendall(bytes.fromhex("06000000000400000000"))

    ended: list[int] = []
    return act, ended


ABORT, RELEASE = 7, 5


@pytest.mark.parametrize(
    ("is_asked", "response", "end"),
    [
        (True, b"", RELEASE),
        (True, b"ticket", RELEASE),
        (True, None, ABORT),
        (False, None, RELEASE),
        (False, b"", RELEASE),
    ],
)
def test_association_is_used_when_a_wanted_response_came(is_asked, response, end):
    identity = UserIdentity(IdentityType.USER_NAME, is_asked, b"doe")
    act, ended = accepting(response)
    with misbehaving_peer(act) as target:
        known = replace(target, user=identity)
        if end == ABORT:
            with pytest.raises(AssociationError, match="it accepted, but did not confirm the user"):
                Session(known, [Proposal(VERIFICATION, (EXPLICIT,))])
        else:
            with Session(known, [Proposal(VERIFICATION, (EXPLICIT,))]):
                pass
    assert ended == [end]


def test_response_of_pynetdicom_to_a_token_counts_and_its_silence_to_a_name_does_not(
    pacs: Pacs, files
):
    with pynetdicom_peer([]) as port:
        place = ("echoscu", "127.0.0.1", port, "--user-response", "-d")
        token = pacs(*place, "--jwt", files["token"])
        name = pacs(*place, "--user", "doe")
    assert token.exit == 0
    assert "user identity accepted, server response of 20 bytes" in token.stderr
    assert name.exit == 4
    assert "did not confirm the user" in name.stderr


@pytest.mark.parametrize("level", ["-v", "-d"])
def test_no_secret_is_shown(pacs: Pacs, files, level: str, tmp_path: Path):
    said: list[Said] = []
    log = tmp_path / "log"
    with pynetdicom_peer(said) as port:
        shown = ""
        for options, _ in identities(files):
            done = pacs("echoscu", "127.0.0.1", port, level, "--log-file", log, *options)
            assert done.exit == 0
            shown += done.stdout + done.stderr + log.read_text()
    assert PASSCODE not in shown
    assert TOKEN.decode() not in shown
    assert "Assertion>" not in shown
    assert ("user identity 2, user name and passcode of doe" in shown) is (level == "-d")


@pytest.mark.parametrize(("host", "is_warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_secret_in_the_clear_is_warned_of_unless_it_stays_here(pacs: Pacs, files, host, is_warned):
    # the second is this machine too, and not known as such
    with pynetdicom_peer([]) as port:
        place = ("echoscu", host, port, "--user", "doe")
        name = pacs(*place)
        secret = pacs(*place, "--user-pass-file", files["passcode"])
    assert (name.exit, name.stderr, secret.exit) == (0, "", 0)
    assert ("in the clear, for everybody to read; add --tls" in secret.stderr) is is_warned


@pytest.mark.interop
def test_dcmtk_that_checks_no_user_is_told_apart(pacs: Pacs, files, tmp_path: Path):
    with dcmtk_storescp(tmp_path / "dcmtk") as port:
        place = ("echoscu", "127.0.0.1", port, "--user", "doe", "--user-pass-file")
        assert pacs(*place, files["passcode"]).exit == 0
        asked = pacs(*place, files["passcode"], "--user-response")
    assert asked.exit == 4
    assert "did not confirm the user" in asked.stderr
