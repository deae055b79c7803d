"""What is kept of a passcode, and what checking one costs."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from pacs_cli.net.channel import Wakeup
from pacs_cli.pipelines.users import Cost, Passcode, Users
from pacs_cli.services.identity import NOT_AUTHENTICATED, Identified, IdentityRefused
from pacs_cli.services.serving import AssociationInfo
from pacs_cli.wire.userinfo import IdentityType, UserIdentity

CHEAP = Cost(4, 1, 1)
ABOUT = AssociationInfo(1, "::1", "A", "B")


def users(cost: Cost = CHEAP, **passcodes: str) -> Users:
    return Users({name: Passcode.of(p.encode(), cost=cost) for name, p in passcodes.items()})


def check(known: Users, name: bytes, passcode: bytes) -> Identified:
    kind = IdentityType.USER_NAME_AND_PASSCODE
    return known.check(UserIdentity(kind, False, name, passcode), ABOUT, Wakeup())


def test_kept_passcode_is_scrypt_as_the_rfc_has_it():
    # RFC 7914 section 12: N=1024, r=8, p=16
    kept = Passcode.of(b"password", b"NaCl", Cost(10, 8, 16))
    expected = "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
    assert kept.hash.hex() == expected


def test_line_is_read_as_it_was_written():
    kept = Passcode.of(b"correct horse")
    # what OWASP asks for at 32 MiB
    assert kept.cost == Cost(15, 8, 3)
    assert Passcode.parse(str(kept)) == kept
    assert (len(kept.salt), len(kept.hash)) == (16, 32)
    assert "horse" not in repr(kept) + str(kept)


def test_user_is_who_has_the_passcode():
    known = users(doe="correct horse", Dœ="battery staple")
    assert check(known, b"doe", b"correct horse") == Identified("doe")
    assert check(known, "Dœ".encode(), b"battery staple") == Identified("Dœ")


@pytest.mark.parametrize(
    ("name", "passcode", "words"),
    [
        (b"doe", b"wrong", "wrong passcode"),
        (b"doe", b"", "wrong passcode"),
        (b"doe", b"correct horse ", "wrong passcode"),
        (b"doe", b"x" * 60_000, "wrong passcode"),
        (b"roe", b"correct horse", "unknown user"),
        (b"DOE", b"correct horse", "unknown user"),
        (b"", b"correct horse", "unknown user"),
        (b"\xff\xfe", b"correct horse", "unknown user"),
        (b"doe\0", b"correct horse", "unknown user"),
        (b"x" * 60_000, b"correct horse", "unknown user"),
    ],
)
def test_anybody_else_is_refused_without_a_word_of_theirs(name, passcode, words):
    with pytest.raises(IdentityRefused) as caught:
        check(users(doe="correct horse"), name, passcode)
    assert (caught.value.reason, caught.value.rejection) == (words, NOT_AUTHENTICATED)


def test_unknown_user_costs_what_a_known_one_costs(monkeypatch):
    asked: list[dict[str, Any]] = []
    real = hashlib.scrypt

    def noting(passcode: bytes, **parameters: Any) -> bytes:
        asked.append({**parameters, "salt": len(parameters["salt"])})
        return real(passcode, **parameters)

    known = users(Cost(6, 2, 2), doe="correct horse")
    monkeypatch.setattr("hashlib.scrypt", noting)
    for name in (b"doe", b"roe", b"\xff"):
        with pytest.raises(IdentityRefused):
            check(known, name, b"wrong")
    assert len(asked) == 3
    assert asked[0] == asked[1] == asked[2]


def test_nobody_is_let_in_by_an_empty_file(monkeypatch):
    monkeypatch.setattr("pacs_cli.pipelines.users.COST", CHEAP)
    with pytest.raises(IdentityRefused, match="unknown user"):
        check(Users({}), b"", b"")


def test_dearest_cost_that_a_line_may_ask_for_works():
    # 128 MiB: OpenSSL has to be allowed that much
    kept = Passcode.of(b"correct horse", cost=Cost(17, 8, 1))
    assert Passcode.parse(str(kept)) == kept
    with pytest.raises(ValueError, match="out of range"):
        Passcode.parse(str(kept).replace("ln=17", "ln=18"))
