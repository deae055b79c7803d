"""A program that says whose a ticket, an assertion or a token is.

It gets that on its standard input, and nowhere else: arguments and environment can be seen by
others. Exit code 0 accepts it. The first line of what it writes to standard output is the user's
name, and what comes behind that line the response to the peer, should that want one. What it writes
to standard error goes nowhere, as it may be the token.
"""

from __future__ import annotations

from dataclasses import dataclass

from pacs_cli.net.channel import Wakeup
from pacs_cli.pipelines.hooks import Hook, environment_of, parse_hook, printable
from pacs_cli.pipelines.programs import run_program
from pacs_cli.services.identity import Identified, IdentityRefused
from pacs_cli.services.serving import AssociationInfo
from pacs_cli.wire.userinfo import IdentityType, UserIdentity

#: What the program is told beside the token.
VALUES = ("identity", "CallingAETitle", "CalledAETitle", "address")

#: Bytes of the name: one that is longer is no name, and may be the token.
_MAX_NAME = 256
#: Bytes of a response: it has to stand in a user information item (PS3.8 9.3.3.3).
_MAX_RESPONSE = 48 * 1024


@dataclass(frozen=True, slots=True)
class IdentityHook:
    """Runs the program for each token; at most four at once, as the other hooks.

    timeout  seconds for one run
    """

    hook: Hook
    timeout: float
    at_once: int = 4
    types: tuple[IdentityType, ...] = (
        IdentityType.KERBEROS,
        IdentityType.SAML,
        IdentityType.JWT,
    )

    def check(self, identity: UserIdentity, about: AssociationInfo, stop: Wakeup) -> Identified:
        """Return whose token it is; raises IdentityRefused."""
        values = {
            "identity": IdentityType(identity.type).name.lower(),
            "CallingAETitle": printable(about.calling_ae_title),
            "CalledAETitle": printable(about.called_ae_title),
            "address": about.address,
        }
        ended = run_program(
            self.hook.arguments(values),
            environment_of(values),
            self.timeout,
            stop,
            given=identity.primary_field,
        )
        if ended.failure:
            raise IdentityRefused(f"{self.hook.option} {self.hook.program} {ended.failure}")
        line, _, response = ended.output.partition(b"\n")
        if ended.is_output_cut or len(response) > _MAX_RESPONSE:
            raise self._useless("said more than can be sent to the peer")
        return Identified(self._name(line, identity.primary_field), response)

    def _name(self, line: bytes, token: bytes) -> str:
        try:
            name = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise self._useless("gave a name that is not UTF-8") from None
        if not name or len(line) > _MAX_NAME or not name.isprintable():
            raise self._useless("gave no name on its first line")
        if name.encode() in (token, token.strip()):
            raise self._useless("gave the token for a name")
        return name

    def _useless(self, deed: str) -> IdentityRefused:
        return IdentityRefused(f"{self.hook.option} {self.hook.program} {deed}")


def identity_hook(command: str, timeout: float) -> IdentityHook:
    """Return the hook of `--identity-hook`; UsageError on bad quotes, names or programs."""
    return IdentityHook(parse_hook("--identity-hook", command, VALUES), timeout)
