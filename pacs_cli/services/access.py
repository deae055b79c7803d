"""Which services a peer may use: roles, and the rules that give them.

A peer has the role of the first rule that it matches, or the default one. A rule has conditions of
up to four kinds, all of which have to hold; of the values of one kind any may.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pacs_cli.net.tls_peer import TlsPeer
from pacs_cli.services.admission import Network, parse_address
from pacs_cli.services.commitment import PUSH_MODEL
from pacs_cli.services.query_scp import OPERATIONS
from pacs_cli.wire.command import CommandField
from pacs_cli.wire.negotiation import VERIFICATION_SOP_CLASS, Policy, Result
from pacs_cli.wire.pdu import AssociateRequest, ProposedContext

#: What an association that is refused as a whole is told of as.
ASSOCIATION = "association"

#: DIMSE operation -> its service. A report of storage commitment belongs to what it reports.
SERVICE_OF_COMMAND: Mapping[int, str] = {
    CommandField.C_ECHO_RQ: "echo",
    CommandField.C_STORE_RQ: "store",
    CommandField.C_FIND_RQ: "find",
    CommandField.C_MOVE_RQ: "move",
    CommandField.C_GET_RQ: "get",
    CommandField.N_ACTION_RQ: "commit",
    CommandField.N_EVENT_REPORT_RQ: "commit",
}
SERVICES = tuple(dict.fromkeys(SERVICE_OF_COMMAND.values()))

#: The role of who may do nothing, not even associate.
DENY = "deny"
#: Role -> its services.
BUILT_IN_ROLES: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({"echo", "find", "move", "get"}),
    "modality": frozenset({"echo", "store", "commit"}),
    "administrator": frozenset(SERVICES),
    DENY: frozenset(),
}


def service_of(abstract_syntax: str) -> str:
    """Return the service of a presentation context; what is nothing else is stored."""
    if abstract_syntax == VERIFICATION_SOP_CLASS:
        return "echo"
    if abstract_syntax == PUSH_MODEL:
        return "commit"
    operation = OPERATIONS.get(abstract_syntax)
    return "store" if operation is None else SERVICE_OF_COMMAND[operation]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for an association, as far as that is known.

    user  a name that was checked; empty for nobody
    """

    ae_title: str
    address: str
    tls: TlsPeer | None = None
    user: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one peer may do; `role` is the name of that, for the operator."""

    role: str
    services: frozenset[str]

    def allows(self, service: str) -> bool:
        """Whether a service may be used."""
        return service in self.services

    def refusal_of(self, service: str) -> str:
        """Return why a service is refused, for the operator."""
        return f"the role {self.role} does not have {service}"


#: Of who has not been let in yet.
NOTHING = Grant(DENY, frozenset())


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One rule; a kind of condition without values holds for everybody.

    ae_titles, tls, users  patterns, in which * stands for any characters
    tls                    of a common name or an alternative name of the certificate
    users                  of a name that was checked
    """

    role: str
    ae_titles: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    tls: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def matches(self, caller: Caller) -> bool:
        """Whether every condition holds."""
        return (
            (not self.ae_titles or _is_any(self.ae_titles, caller.ae_title.strip(" ")))
            and (not self.networks or self._has_address(caller.address))
            and (not self.tls or self._has_certificate(caller.tls))
            and (not self.users or (caller.user != "" and _is_any(self.users, caller.user)))
        )

    def _has_address(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self.networks)

    def _has_certificate(self, peer: TlsPeer | None) -> bool:
        if peer is None:
            return False
        hosts = tuple(pattern.lower() for pattern in self.tls)
        return any(_is_any(self.tls, name) for name in peer.names) or any(
            _is_any(hosts, host) for host in peer.hosts
        )


@dataclass(frozen=True, slots=True)
class Access:
    """The rules in their order, and what holds for who matches none."""

    rules: tuple[AccessRule, ...] = ()
    roles: Mapping[str, frozenset[str]] = field(default_factory=lambda: BUILT_IN_ROLES)
    default: str = DENY

    def grant(self, caller: Caller) -> Grant:
        """Return what a peer may do, by the first rule that it matches; any thread may ask."""
        matching = (rule.role for rule in self.rules if rule.matches(caller))
        role = next(matching, self.default)
        return Grant(role, self.roles[role])


#: Where there are no rules.
EVERYTHING = Access(default="administrator")


def permitted(
    policy: Policy, grant: Grant, request: AssociateRequest, has_queries: bool, denied: set[str]
) -> Policy:
    """Return the policy that refuses what a peer may not use, as its user (PS3.8 table 9-18).

    denied  gets the services that are refused though they are served

    Objects of a C-GET come over storage contexts for which the peer asked to be the SCP: who may
    get has those, and a C-STORE over them is then refused by its status.
    """
    received = _received_by(request) if has_queries and grant.allows("get") else frozenset()

    def choose(context: ProposedContext) -> str | Result:
        choice = policy(context)
        service = service_of(context.abstract_syntax)
        if isinstance(choice, Result) or grant.allows(service):
            return choice
        if service == "store" and context.abstract_syntax in received:
            return choice
        denied.add(service)
        return Result.USER_REJECTION

    return choose


def _received_by(request: AssociateRequest) -> frozenset[str]:
    roles = request.user_information.role_selections
    return frozenset(role.sop_class_uid for role in roles if role.scp_role)


def _is_any(patterns: tuple[str, ...], text: str) -> bool:
    return any(_expression(pattern).fullmatch(text) for pattern in patterns)


def _expression(pattern: str) -> re.Pattern[str]:
    # compiled once: re keeps what it was given
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
