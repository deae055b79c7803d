"""Users and their passcodes: a file with a line for each, in which no passcode can be read.

    doe:$scrypt$ln=15,r=8,p=3$SALT$HASH

Salt and hash in base64 without padding. The cost stands in each line, so that it can be raised and
old lines go on to count. 32 MiB and 2^15 rounds, three times: what OWASP's password storage cheat
sheet asks of scrypt at that size, and a fifth of a second of one core.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pacs_cli.errors import InputError, UsageError
from pacs_cli.net.channel import Wakeup
from pacs_cli.pipelines.whole import WholeFile
from pacs_cli.services.identity import Identified, IdentityRefused
from pacs_cli.services.serving import AssociationInfo
from pacs_cli.wire.userinfo import IdentityType, UserIdentity

#: Characters of a name; in a line of its own it has to be told from what is behind it.
MAX_NAME = 64
#: What NIST SP 800-63B asks of a secret that is remembered.
MIN_PASSCODE = 8

_SALT, _HASH = 16, 32
#: The most that a line may ask for: a file with a typing error must not take all memory.
_MAX_MEMORY = 128 * 1024 * 1024
_LINE = re.compile(
    r"\$scrypt\$ln=(?P<ln>[0-9]{1,2}),r=(?P<r>[0-9]{1,3}),p=(?P<p>[0-9]{1,3})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<hash>[A-Za-z0-9+/]{22,86})"
)
#: Bytes of a file of users: some ten thousand.
_MAX_FILE = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What one try costs: 2^ln rounds of r blocks, p times; 128 * r * 2^ln bytes of memory."""

    ln: int = 15
    r: int = 8
    p: int = 3

    @property
    def memory(self) -> int:
        """Bytes that are taken meanwhile."""
        return 128 * self.r * (1 << self.ln)


#: Of a new line.
COST = Cost()


@dataclass(frozen=True, slots=True, repr=False)
class Passcode:
    """What is kept of a passcode."""

    cost: Cost
    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, passcode: bytes, salt: bytes | None = None, cost: Cost | None = None) -> Passcode:
        """Return what is to be kept of a passcode; by default with a new salt."""
        salt = os.urandom(_SALT) if salt is None else salt
        cost = cost or COST
        return cls(cost, salt, _derived(passcode, salt, cost, _HASH))

    @classmethod
    def parse(cls, text: str) -> Passcode:
        """Read what `str` gives; ValueError says what is wrong, without a part of it."""
        if (found := _LINE.fullmatch(text)) is None:
            raise ValueError("$scrypt$ln=...,r=...,p=...$SALT$HASH is expected behind the name")
        cost = Cost(int(found["ln"]), int(found["r"]), int(found["p"]))
        is_sane = 1 <= cost.ln <= 24 and cost.r >= 1 and 1 <= cost.p <= 64
        if not is_sane or cost.memory > _MAX_MEMORY:
            raise ValueError("its cost is out of range")
        return cls(cost, _decoded(found["salt"]), _decoded(found["hash"]))

    def __str__(self) -> str:
        cost = f"ln={self.cost.ln},r={self.cost.r},p={self.cost.p}"
        return f"$scrypt${cost}${_encoded(self.salt)}${_encoded(self.hash)}"

    def fits(self, passcode: bytes) -> bool:
        """Whether it is this passcode; takes the same time whether it is or not."""
        derived = _derived(passcode, self.salt, self.cost, len(self.hash))
        return hmac.compare_digest(derived, self.hash)


@dataclass(frozen=True, slots=True)
class Users:
    """The users of a file, by name; checks user names with passcodes.

    at_once  each takes a core and 32 MiB: two leave the associations theirs
    """

    passcodes: Mapping[str, Passcode] = field(repr=False)
    at_once: int = 2
    types: tuple[IdentityType, ...] = (IdentityType.USER_NAME_AND_PASSCODE,)

    def check(
        self,
        identity: UserIdentity,
        about: AssociationInfo,  # noqa: ARG002 - a passcode counts from everywhere
        stop: Wakeup,  # noqa: ARG002 - it takes less than the wait
    ) -> Identified:
        """Return whose passcode it is; raises IdentityRefused, after the same time for all."""
        try:
            name = identity.primary_field.decode("utf-8")
        except UnicodeDecodeError:
            name = ""
        known = self.passcodes.get(name)
        # of somebody unknown one is tried all the same: the time must not tell who is known
        fits = (known or self._nobody()).fits(identity.secondary_field)
        if known is None:
            raise IdentityRefused("unknown user")
        if not fits:
            raise IdentityRefused("wrong passcode")
        return Identified(name)

    def _nobody(self) -> Passcode:
        costs = [each.cost for each in self.passcodes.values()] or [COST]
        return Passcode(costs[0], bytes(_SALT), bytes(_HASH))


def read_users(path: Path) -> Users:
    """Return the users of a file; raises UsageError naming the line that is wrong."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"cannot read users in {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read users in {path}: not text in UTF-8") from None
    if len(data) > _MAX_FILE:
        raise UsageError(f"cannot read users in {path}: over {_MAX_FILE} bytes")
    return Users(dict(_parsed(text, path)))


def check_name(name: str) -> str:
    """Return a name that a line can have, or raise UsageError."""
    is_plain = name.isprintable() and name.strip() == name and ":" not in name
    if not name or len(name) > MAX_NAME or not is_plain or name.startswith("#"):
        raise UsageError(
            f"cannot use {name!r} as a user name: 1 to {MAX_NAME} characters are expected, no "
            "colon or control character, no # before and no space around them"
        )
    return name


def check_passcode(passcode: bytes) -> bytes:
    """Return a passcode that can be kept, or raise UsageError."""
    if not MIN_PASSCODE <= len(passcode) <= 1024:
        raise UsageError(f"a passcode has {MIN_PASSCODE} to 1024 bytes")
    return passcode


@contextmanager
def changed(path: Path) -> Iterator[dict[str, Passcode]]:
    """Let the block change the users of a file, which need not be there; then it is replaced.

    Nobody but its owner can read a new one. raises UsageError, OutputError
    """
    users = dict(read_users(path).passcodes) if path.exists() else {}
    yield users
    whole = WholeFile(path)
    try:
        os.fchmod(whole.text.fileno(), 0o600)
        for name, passcode in users.items():
            whole.write(f"{name}:{passcode}\n")
        whole.finish()
    except BaseException:
        whole.discard()
        raise


def removed(users: dict[str, Passcode], name: str, path: Path) -> None:
    """Remove a user; raises InputError when there is none of that name."""
    if users.pop(name, None) is None:
        raise InputError(f"no user {name!r} in {path}")


def _parsed(text: str, path: Path) -> Iterator[tuple[str, Passcode]]:
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, _, kept = line.partition(":")
        try:
            if name in seen:
                raise ValueError("a user that stands in the file before")
            seen.add(name)
            yield name, Passcode.parse(kept)
        except ValueError as error:
            raise UsageError(f"cannot use users in {path}, line {number}: {error}") from None


def _derived(passcode: bytes, salt: bytes, cost: Cost, size: int) -> bytes:
    # lets the other threads run; what is asked for beside the blocks is little
    return hashlib.scrypt(
        passcode,
        salt=salt,
        n=1 << cost.ln,
        r=cost.r,
        p=cost.p,
        maxmem=cost.memory + 128 * cost.r * (cost.p + 2) + 65_536,
        dklen=size,
    )


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("salt or hash is not base64") from None
