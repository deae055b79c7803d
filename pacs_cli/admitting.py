"""The options of who may call and do what, and the file of the access rules.

default = "deny"                    # the role of who matches no rule
[roles]                             # beside viewer, modality, administrator and deny
research = ["echo", "find", "get"]
[[rules]]                           # the first that matches counts
role = "modality"
aet = ["CT*", "MR1"]
address = "10.0.5.0/24"
[[rules]]
role = "administrator"
tls = "ws1.example"
user = "doe"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pacs_cli.config import Check, Table, ae_title, read_table, seconds
from pacs_cli.errors import ConfigError, ConnectError, UsageError, nearest

if TYPE_CHECKING:
    from pacs_cli.services.access import Access, AccessRule
    from pacs_cli.services.identity import Checker, Identification
    from pacs_cli.services.settings import Settings


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Which users are known, and who may do what."""

    users: Annotated[
        Path | None,
        typer.Option(
            "--users",
            metavar="FILE",
            help="Check user names and passcodes against this file, made by pacs users add.",
            rich_help_panel="Access",
        ),
    ] = None
    hook: Annotated[
        str | None,
        typer.Option(
            "--identity-hook",
            metavar="COMMAND",
            help="Have this program say whose a Kerberos ticket, a SAML assertion or a JSON Web "
            "Token is: it is on stdin, exit code 0 accepts it, the first line of stdout is the "
            "user's name.",
            rich_help_panel="Access",
        ),
    ] = None
    identity_timeout: Annotated[
        float,
        typer.Option(
            "--identity-timeout",
            metavar="SECONDS",
            help="Kill that program when it runs for longer, and refuse the user.",
            rich_help_panel="Access",
        ),
    ] = 5.0
    is_required: Annotated[
        bool,
        typer.Option(
            "--require-identity",
            help="Reject who names no user that can be checked.",
            rich_help_panel="Access",
        ),
    ] = False
    rules: Annotated[
        Path | None,
        typer.Option(
            "--access",
            metavar="FILE",
            help="Let each do what its role has, by the rules of this file; see security.md.",
            rich_help_panel="Access",
        ),
    ] = None

    def guarded(self, settings: Settings) -> Settings:
        """Return the settings of a provider that knows its users and its rules.

        raises  UsageError on what is mistyped, ConfigError on a file that cannot be used
        """
        from pacs_cli.services.access import EVERYTHING

        identification = self._identification()
        access = EVERYTHING
        if self.rules is not None:
            access = read_access(self.rules)
            self._check_rules(access, settings)
        return replace(settings, identification=identification, access=access)

    def _identification(self) -> Identification:
        from pacs_cli.services.identity import Identification

        checkers: list[Checker] = []
        if self.users is not None:
            from pacs_cli.pipelines.users import read_users

            checkers.append(read_users(self.users))
        if self.hook is not None:
            from pacs_cli.pipelines.identity_hook import identity_hook

            try:
                timeout = seconds(self.identity_timeout)
            except ValueError as error:
                raise UsageError(f"--identity-timeout: {error}") from None
            checkers.append(identity_hook(self.hook, timeout))
        if self.is_required and not checkers:
            raise UsageError(
                "--require-identity: nothing can be checked; add --users or --identity-hook"
            )
        return Identification(checkers, self.is_required)

    def _check_rules(self, access: Access, settings: Settings) -> None:
        """See that each rule can match: one that cannot would be found out by who is refused."""
        is_mutual = settings.tls is not None and settings.tls.is_mutual
        if any(rule.tls for rule in access.rules) and not is_mutual:
            raise ConfigError(
                f"cannot use {self.rules}: a rule has tls, but nobody has to have a certificate; "
                "add --tls-ca, without --tls-anonymous"
            )
        if any(rule.users for rule in access.rules) and self.users is None and self.hook is None:
            raise ConfigError(
                f"cannot use {self.rules}: a rule has user, but none can be checked; add --users "
                "or --identity-hook"
            )


def read_access(path: Path) -> Access:
    """Return the rules of a file; raises ConfigError naming the key and the nearest known one."""
    from pacs_cli.services.access import BUILT_IN_ROLES, DENY, Access

    top = read_table(path)
    values = top.checked({"default": _text, "roles": _any, "rules": _any})
    roles = {**BUILT_IN_ROLES, **_roles(top.sub("roles"))}
    default = values.get("default", DENY)
    _check_role(top, "default", default, roles)
    return Access(tuple(_rule(each, roles) for each in top.each("rules")), roles, default)


def _roles(table: Table) -> dict[str, frozenset[str]]:
    from pacs_cli.services.access import BUILT_IN_ROLES, SERVICES

    found = {}
    for name, value in table.checked(dict.fromkeys(table.values, _texts)).items():
        if name in BUILT_IN_ROLES:
            raise table.error(f"{table.prefix}{name}: is built in; choose another name")
        for service in value:
            if service not in SERVICES:
                hint = nearest(service, SERVICES) or f"; known are {', '.join(SERVICES)}"
                raise table.error(f"{table.prefix}{name}: no service {service}{hint}")
        found[name] = frozenset(value)
    return found


def _rule(table: Table, roles: Mapping[str, object]) -> AccessRule:
    from pacs_cli.services.access import AccessRule
    from pacs_cli.services.admission import parse_networks

    values = table.checked(_RULE)
    if "role" not in values:
        raise table.error(f"{table.prefix}role is missing; known roles: {', '.join(roles)}")
    _check_role(table, f"{table.prefix}role", values["role"], roles)
    if len(values) == 1:
        raise table.error(
            f"{table.prefix}role alone would be everybody's; add aet, address, tls or user, or set "
            "default"
        )
    try:
        networks = [each for host in values.get("address", ()) for each in parse_networks(host)]
    except (ValueError, ConnectError) as error:
        raise table.error(f"{table.prefix}address: {error}") from None
    return AccessRule(
        values["role"],
        values.get("aet", ()),
        tuple(networks),
        values.get("tls", ()),
        values.get("user", ()),
    )


def _check_role(table: Table, key: str, role: str, roles: Mapping[str, object]) -> None:
    if role not in roles:
        hint = nearest(role, roles) or f"; known are {', '.join(roles)}"
        raise table.error(f"{key}: no role {role}{hint}")


def _any(value: object) -> object:
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    """Return a text, or each of a list of them; an empty one would match nothing, or everything."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise ValueError(f"must be text or a list of texts, not {value!r}")
    if not all(isinstance(each, str) and each for each in texts):
        raise ValueError("must not have an empty text, or anything else than texts")
    return tuple(texts)


def _ae_titles(value: object) -> tuple[str, ...]:
    """Return AE titles, in which * stands for any characters; ValueError says why not."""
    patterns = _texts(value)
    for pattern in patterns:
        if literal := pattern.replace("*", ""):
            ae_title(literal)
    # spaces around a title do not count (PS3.5 6.2)
    return tuple(pattern.strip(" ") for pattern in patterns)


_RULE: Mapping[str, Check[Any]] = {
    "role": _text,
    "aet": _ae_titles,
    "address": _texts,
    "tls": _texts,
    "user": _texts,
}
