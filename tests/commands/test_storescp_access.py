"""`pacs storescp` with users and rules, in a process of its own, called by the field and by us."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from pacs_cli.pipelines.users import Cost, Passcode
from tests.conftest import Pacs
from tests.interop.peers import PACS, Archive, pacs_storescp, run
from tests.pki import Pki
from tests.samples import header, storable
from tests.support import VERIFICATION

CT_FILE = next(path for path in storable() if path.name == "CT_small.dcm")
STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
UID = header(CT_FILE).sop_instance_uid
PASSCODE, WRONG = "correct horse battery", "wrong-secret-staple"
TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJkb2UifQ.c2VjcmV0"

#: The example of docs/security.md.
ACCESS = """
default = "deny"

[roles]
research = ["echo", "find", "get"]

[[rules]]
role = "deny"
aet = "CT9"

[[rules]]
role = "modality"
aet = ["CT*", "MR1"]
address = "127.0.0.0/8"

[[rules]]
role = "administrator"
user = "doe"

[[rules]]
role = "research"
user = "*"
"""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Users, their passcodes, rules, and a program that knows one token."""
    users = "".join(
        f"{name}:{Passcode.of(PASSCODE.encode(), cost=Cost(4, 1, 1))}\n" for name in ("doe", "roe")
    )
    check = (
        "import sys\n"
        f"if sys.stdin.read().strip() != {TOKEN!r}: sys.exit('no: ' + sys.argv[1])\n"
        "print('doe')\nprint('response')"
    )
    contents = {
        "users": users,
        "access": ACCESS,
        "good": f"{PASSCODE}\n",
        "wrong": f"{WRONG}\n",
        "check.py": check,
        "token": f"{TOKEN}\n",
        "other": f"{WRONG}\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    return {name: tmp_path / name for name in contents}


def hook(files: dict[str, Path]) -> str:
    return f"{shlex.quote(sys.executable)} {files['check.py']} {{identity}}"


@contextmanager
def guarded(files: dict[str, Path], *options: object) -> Iterator[Archive]:
    """An archive with users, a hook and rules, which answers queries too."""
    known = ("--users", files["users"], "--identity-hook", hook(files), "--access", files["access"])
    folder = files["users"].parent / "archive"
    with pacs_storescp(folder, "--qr", *map(str, (*known, *options))) as archive:
        yield archive


def denials(archive: Archive) -> list[tuple[object, object, object]]:
    return [(each["service"], each["status"], each["reason"]) for each in archive.kind("denied")]


@pytest.mark.parametrize("workers", [1, 2])
def test_each_may_do_what_their_role_has(pacs: Pacs, files, workers: int, tmp_path: Path):
    with guarded(files, "--workers", workers) as archive:
        place = ("127.0.0.1", archive.port)
        doe = ("--user", "doe", "--user-pass-file", files["good"], "--user-response")
        roe = ("--user", "roe", "--user-pass-file", files["good"])
        key = ("-k", f"StudyInstanceUID={STUDY}")
        # a modality stores, and asks nothing
        assert pacs("storescu", *place, CT_FILE, "--aet", "CT1").exit == 0
        asked = pacs("findscu", *place, *key, "--aet", "CT1")
        assert asked.exit == 4
        assert "refused by the user" in asked.stderr
        # research asks and gets, and stores nothing
        assert pacs("findscu", *place, *key, *roe).exit == 0
        got = pacs("getscu", *place, *key, "--out", tmp_path / "got", *roe)
        assert got.exit == 0, got.stderr
        assert list((tmp_path / "got").rglob(f"{UID}.dcm"))
        sent = pacs("storescu", *place, CT_FILE, *roe)
        assert sent.exit != 0
        # an administrator by passcode, or by token
        assert pacs("storescu", *place, CT_FILE, *doe).exit == 0
        token = ("--jwt", files["token"], "--user-response")
        assert pacs("findscu", *place, *key, *token).exit == 0
        # nobody else
        for options in ((), ("--aet", "CT9"), ("--user", "doe")):
            refused = pacs("echoscu", *place, *options)
            assert refused.exit == 4
            assert "calling AE title not recognised" in refused.stderr
        archive.stop()
        stderr = archive.process.stderr.read()
    assert stderr == ""
    assert denials(archive) == [
        ("find", None, "the role modality does not have find"),
        # once for the file as it is stored, once for what it could be converted to
        *[("store", None, "the role research does not have store")] * 2,
        *[("association", None, "the role deny has no service")] * 3,
    ]
    opened = archive.kind("association_opened")
    users = [each["user"] for each in opened]
    assert users[:2] == [None, None]
    assert set(users[2:]) == {"roe", "doe"}
    assert {each["user"] for each in archive.kind("find")} == {"roe", "doe"}


@pytest.mark.parametrize("level", ["-v", "-d"])
def test_refused_user_is_told_without_a_secret(pacs: Pacs, files, level: str, tmp_path: Path):
    log = tmp_path / "log"
    shown = ""
    with guarded(files, level, "--log-file", log) as archive:
        place = ("127.0.0.1", archive.port)
        proofs = [
            ("--user", "doe", "--user-pass-file", files["wrong"]),
            ("--user", "nobody", "--user-pass-file", files["good"]),
            ("--jwt", files["other"]),
            ("--saml", files["other"]),
            # not refused, but nothing here says whose it is
            ("--user", "doe"),
        ]
        for proof in proofs:
            refused = pacs("echoscu", *place, *proof, level)
            assert refused.exit == 4
            shown += refused.stdout + refused.stderr
        for proof in (("--jwt", files["token"]), (*proofs[0][:3], files["good"])):
            accepted = pacs("echoscu", *place, *proof, level, "--user-response")
            assert accepted.exit == 0
            shown += accepted.stdout + accepted.stderr
        archive.stop()
        shown += archive.process.stderr.read() + json.dumps(archive.events) + log.read_text()
    assert denials(archive) == [
        ("association", None, "wrong passcode"),
        ("association", None, "unknown user"),
        ("association", None, f"--identity-hook {sys.executable} exited with 1"),
        ("association", None, f"--identity-hook {sys.executable} exited with 1"),
        ("association", None, "the role deny has no service"),
    ]
    assert shown.count("the user was not accepted") == 4
    for secret in (PASSCODE, WRONG, TOKEN, "scrypt"):
        assert secret not in shown


def test_events_are_lines_for_people(files, tmp_path: Path):
    command = (*PACS, "storescp", "0", "--out", tmp_path / "archive", "--users", files["users"])
    with subprocess.Popen(
        [*command, "--require-identity"], stdout=subprocess.PIPE, text=True
    ) as process:
        port = process.stdout.readline().split(" port ")[1].split(",")[0]
        run("echoscu", "127.0.0.1", port)
        run("echoscu", "-aet", "CT1", "-usr", "doe", "-pwd", PASSCODE, "127.0.0.1", port)
        process.terminate()
        lines = process.communicate(timeout=20)[0].splitlines()
    assert lines[0] == (
        "ECHOSCU@127.0.0.1 denied association: "
        "a user is required, and no user identity was proposed"
    )
    assert lines[1].startswith("ECHOSCU@127.0.0.1 rejected: no reason given")


def test_certificate_is_told_and_counts(pacs: Pacs, files, pki: Pki, tmp_path: Path):
    files["access"].write_text('[[rules]]\nrole = "viewer"\ntls = "LOCALHOST"\n')
    with guarded(files, *pki.good.options) as archive:
        place = ("127.0.0.1", archive.port)
        assert pacs("echoscu", *place, *pki.good.options).exit == 0
        other = (*pki.elsewhere.options, "--tls-server-name", "localhost")
        assert pacs("echoscu", *place, *other).exit == 4
        archive.stop()
    (opened,), (denied,) = archive.kind("association_opened"), archive.kind("denied")
    assert opened["tls_subject"]
    assert denied["tls_subject"]
    assert denied["reason"] == "the role deny has no service"


# -- the field -----------------------------------------------------------------------------------


@pytest.mark.interop
def test_dcmtk_is_checked(files, tmp_path: Path):
    files["access"].write_text('[[rules]]\nrole = "administrator"\nuser = "*"\n')
    with guarded(files) as archive:

        def sent(*options: object) -> int:
            return run("storescu", *options, "127.0.0.1", archive.port, CT_FILE).returncode

        doe = ("-usr", "doe", "-pwd")
        assert sent(*doe, PASSCODE) == 0
        # it wants to be told, and is
        assert sent(*doe, PASSCODE, "-rsp") == 0
        assert sent("--jwt", files["token"], "-rsp") == 0
        assert sent(*doe, WRONG) != 0
        assert sent("-usr", "doe", "-epw") != 0
        assert sent("-usr", "doe") != 0
        assert sent("-kt", files["other"]) != 0
        assert sent() != 0
        archive.stop()
    opened = [each["user"] for each in archive.kind("association_opened")]
    assert opened == ["doe", "doe", "doe"]
    rejected = archive.kind("association_rejected")
    reasons = [(each["result"], each["source"], each["reason"]) for each in rejected]
    assert reasons == [(1, 2, 1), (1, 2, 1), (1, 1, 3), (1, 2, 1), (1, 1, 3)]


@pytest.mark.interop
def test_pynetdicom_is_checked_and_answered(files):
    def call(kind: int, primary: bytes, secondary: bytes = b"") -> object:
        item = UserIdentityNegotiation()
        item.user_identity_type = kind
        item.positive_response_requested = True
        item.primary_field, item.secondary_field = primary, secondary
        ae = AE("CT9")
        ae.add_requested_context(VERIFICATION)
        association = ae.associate("127.0.0.1", archive.port, ext_neg=[item])
        if not association.is_established:
            primitive = association.acceptor.primitive
            return primitive.result, primitive.result_source, primitive.diagnostic
        response = association.acceptor.user_identity
        status = association.send_c_echo().Status
        association.release()
        return status, response and response.server_response

    files["access"].write_text('[[rules]]\nrole = "administrator"\nuser = "*"\n')
    with guarded(files) as archive:
        assert call(2, b"doe", PASSCODE.encode()) == (0, b"")
        assert call(5, TOKEN.encode()) == (0, b"response\n")
        assert call(3, TOKEN.encode()) == (0, b"response\n")
        assert call(2, b"doe", WRONG.encode()) == (1, 2, 1)
        assert call(4, b"<assertion/>") == (1, 2, 1)


# -- what is mistyped ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('defualt = "deny"', "unknown key defualt; did you mean default?"),
        ('[[rule]]\nrole = "viewer"', "unknown key rule; did you mean r"),
        ('default = "veiwer"', "default: no role veiwer; did you mean viewer?"),
        ("default = 7", "default: must be text, not 7"),
        ('[[rules]]\nrole = "viewer"\naets = "A"', "unknown key rules[0].aets; did you mean aet?"),
        ('[[rules]]\nrole = "viewer"\nadress = "::1"', "did you mean address?"),
        ('[[rules]]\naet = "A"', "rules[0].role is missing; known roles: viewer, modality"),
        ('[[rules]]\nrole = "vewer"\naet = "A"', "rules[0].role: no role vewer; did you mean"),
        ('[[rules]]\nrole = "viewer"', "rules[0].role alone would be everybody's"),
        ('[[rules]]\nrole = "viewer"\naet = ""', "rules[0].aet: must not have an empty text"),
        ('[[rules]]\nrole = "viewer"\naet = []', "rules[0].aet: must be text or a list of texts"),
        ('[[rules]]\nrole = "viewer"\naet = [1]', "rules[0].aet: must not have an empty text"),
        (
            '[[rules]]\nrole = "viewer"\naet = "SEVENTEEN-LETTERS"',
            "than the 16 characters of an AE",
        ),
        ('[[rules]]\nrole = "viewer"\naet = "A\\\\B"', "a character that no AE title may"),
        ('[[rules]]\nrole = "viewer"\naddress = "10.1"', "address: 10.1 is not an address"),
        ('[[rules]]\nrole = "viewer"\naddress = "10.0.0.1/8"', "inside the network 10.0.0.0/8"),
        ('[[rules]]\nrole = "viewer"\naet = "A"\n[[rules]]\nrole = 1', "rules[1].role: must be"),
        ("rules = 7", "rules: must be tables, each under [[rules]]"),
        ("rules = [7]", "rules: must be tables, each under [[rules]]"),
        ("roles = 7", "roles: must be a table"),
        ('[roles]\nviewer = ["echo"]', "roles.viewer: is built in; choose another name"),
        ('[roles]\nmine = ["ehco"]', "roles.mine: no service ehco; did you mean echo?"),
        ('[roles]\nmine = ["everything"]', "known are echo, store, find, move, get, commit"),
        ("[roles]\nmine = []", "roles.mine: must be text or a list of texts"),
        ('[[rules]]\nrole = "viewer"\nuser = "doe"', "none can be checked; add --users"),
        ('[[rules]]\nrole = "viewer"\ntls = "doe"', "nobody has to have a certificate"),
        ("[[rules", "not TOML"),
        (None, "cannot read"),
    ],
)
def test_rules_that_are_wrong_are_named(pacs: Pacs, tmp_path: Path, text, words):
    file = tmp_path / "access.toml"
    if text is not None:
        file.write_text(text)
    done = pacs("storescp", "0", "--out", tmp_path / "archive", "--access", file)
    assert (done.exit, done.stderr.count("\n")) == (2, 1)
    assert words in done.stderr
    assert str(file) in done.stderr
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--require-identity",), "nothing can be checked; add --users or --identity-hook"),
        (("--users", "MISSING"), "cannot read users in"),
        (("--identity-hook", "no-such-program-anywhere"), "there is no program"),
        (("--identity-hook", "cat {path}"), "there is no {path}"),
        (("--identity-hook", "cat", "--identity-timeout", "0"), "--identity-timeout: must be"),
    ],
)
def test_options_that_are_wrong_are_named(pacs: Pacs, tmp_path: Path, options, words):
    typed = [tmp_path / each if each == "MISSING" else each for each in options]
    done = pacs("storescp", "0", "--out", tmp_path / "archive", *typed)
    assert (done.exit, done.stderr.count("\n")) == (2, 1)
    assert words in done.stderr
    assert not (tmp_path / "archive").exists()


@pytest.mark.parametrize(
    ("options", "is_warned"),
    [
        ((), True),
        (("--users", "users"), True),
        (("--users", "users", "--require-identity"), False),
        (("--users", "users", "--access", "access"), False),
    ],
)
def test_wide_bind_is_warned_of_unless_it_is_said_who_may(files, tmp_path, options, is_warned):
    typed = [str(files.get(each, each)) for each in options]
    with pacs_storescp(tmp_path / "archive", "--bind", "0.0.0.0", *typed) as archive:
        archive.stop()
        told = archive.process.stderr.read()
    assert ("every host that reaches it may store here" in told) is is_warned
