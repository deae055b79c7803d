"""Who may associate, and which presentation contexts are accepted.

`--allow` rules are `AET`, `AET@HOST` or `@HOST`, where HOST is an address, a network in CIDR
notation (IPv6 in brackets or not) or a host name, which is looked up once, at the start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from pacs_cli.errors import ConnectError, UsageError
from pacs_cli.net.channel import resolve
from pacs_cli.net.target import Target
from pacs_cli.wire.negotiation import (
    VERIFICATION_SOP_CLASS,
    Policy,
    Result,
    prefer_in_order,
)
from pacs_cli.wire.pdu import ProposedContext

Network = IPv4Network | IPv6Network

#: Host name -> its addresses.
Resolver = Callable[[str], Iterable[str]]

#: Calling AE title not recognised, and that for good (PS3.8 table 9-21).
NOT_ALLOWED = (1, 1, 3)

# PS3.5 9.1, without its rule against leading zeros, which old software breaks
_UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One peer or group of peers; what is None matches all.

    networks  one of them has the peer's address
    """

    ae_title: str | None = None
    networks: tuple[Network, ...] | None = None

    def matches(self, calling_ae_title: str, address: IPv4Address | IPv6Address | None) -> bool:
        """Whether a peer is meant; an address that is None is in no network."""
        if self.ae_title is not None and self.ae_title != calling_ae_title:
            return False
        if self.networks is None:
            return True
        return address is not None and any(address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Allow:
    """The peers that may associate: those that a rule matches, or all when there is no rule."""

    rules: tuple[Rule, ...] = ()

    def is_allowed(self, calling_ae_title: str, address: str) -> bool:
        """Whether a peer may associate; any thread may ask.

        address  as the socket gives it. An IPv4 address in IPv6 clothes is that IPv4 address, and
                 a scope (fe80::1%eth0) does not count.
        """
        if not self.rules:
            return True
        title, where = calling_ae_title.strip(" "), parse_address(address)
        return any(rule.matches(title, where) for rule in self.rules)


def parse_allow(texts: Iterable[str], find: Resolver | None = None) -> Allow:
    """Return what `--allow` asks for, from each of its values.

    find    looks up host names; by default the system's resolver
    raises  UsageError naming the value, ConnectError when a host name has no address: a rule that
            matches nobody would be found out by the peer that is rejected
    """
    return Allow(tuple(_rule(text, find or _addresses) for text in texts))


def accept_policy(
    sop_classes: Iterable[str], transfer_syntaxes: Sequence[str], preferred: Sequence[str] = ()
) -> Policy:
    """Return the policy that takes these SOP classes, and verification.

    transfer_syntaxes  what is taken, the requestor's order deciding
    preferred          taken too, and first, in this order, where the requestor offers them
    """
    served = frozenset(sop_classes) | {VERIFICATION_SOP_CLASS}
    base = prefer_in_order(served, (*preferred, *transfer_syntaxes))
    return _preferring(base, preferred)


def promiscuous_policy(
    refused: frozenset[str], transfer_syntaxes: Sequence[str], preferred: Sequence[str] = ()
) -> Policy:
    """Return the policy that takes every abstract syntax but some, in every transfer syntax.

    refused            abstract syntaxes known to be something else than objects to be stored;
                       verification is taken all the same
    transfer_syntaxes  the known ones. Another is taken only where none of these is offered:
                       nobody but its maker can read what is stored in it
    preferred          as in `accept_policy`
    """
    base = prefer_in_order(None, (*preferred, *transfer_syntaxes))
    others = refused - {VERIFICATION_SOP_CLASS}

    def choose(context: ProposedContext) -> str | Result:
        if context.abstract_syntax in others or not _UID.fullmatch(context.abstract_syntax):
            return Result.ABSTRACT_SYNTAX_NOT_SUPPORTED
        choice = base(context)
        if isinstance(choice, Result):
            # whatever is no UID has no place in the meta information of a file
            choice = next(filter(_UID.fullmatch, context.transfer_syntaxes), choice)
        return choice

    return _preferring(choose, preferred)


def _preferring(base: Policy, preferred: Sequence[str]) -> Policy:
    if not preferred:
        return base

    def choose(context: ProposedContext) -> str | Result:
        choice = base(context)
        if isinstance(choice, Result):
            return choice
        return next((uid for uid in preferred if uid in context.transfer_syntaxes), choice)

    return choose


def _rule(text: str, find: Resolver) -> Rule:
    title, at, host = text.rpartition("@")
    try:
        if not at:
            return Rule(_ae_title(text))
        return Rule(_ae_title(title) if title else None, parse_networks(host, find))
    except ValueError as error:
        raise UsageError(f"cannot use --allow {text!r}: {error}") from None
    except ConnectError as error:
        raise ConnectError(f"cannot use --allow {text!r}: {error}") from None


def _ae_title(text: str) -> str:
    """Return an AE title without its padding (PS3.5 6.2), or raise ValueError."""
    title = text.strip(" ")
    if not title:
        raise ValueError("an AE title, AET@HOST or @HOST is expected")
    if len(title) > 16:
        raise ValueError(f"{title!r} is longer than the 16 characters of an AE title")
    if "\\" in title or not (title.isascii() and title.isprintable()):
        raise ValueError(f"{title!r} has a character that no AE title may have")
    return title


def parse_networks(host: str, find: Resolver | None = None) -> tuple[Network, ...]:
    """Return the networks that an address, a network in CIDR notation or a host name stands for.

    find    looks up host names; by default the system's resolver
    raises  ValueError, or ConnectError when a host name has no address
    """
    bare = _without_brackets(host)
    if not bare:
        raise ValueError("after @ an address, a network or a host name is expected")
    if "/" in bare:
        return (_network(bare),)
    if (address := parse_address(bare)) is not None:
        return (ip_network(address),)
    if _is_meant_as_address(bare):
        raise ValueError(f"{bare} is not an address; a network is written 10.0.0.0/8")
    found = [
        each for text in (find or _addresses)(bare) if (each := parse_address(text)) is not None
    ]
    networks = tuple(dict.fromkeys(map(ip_network, found)))
    if not networks:
        raise ValueError(f"{bare} has no address")
    return networks


def _without_brackets(host: str) -> str:
    """Return HOST of [HOST] and HOST/LENGTH of [HOST]/LENGTH; other texts as they are."""
    if not host.startswith("["):
        return host
    inner, bracket, rest = host[1:].partition("]")
    if not bracket or rest[:1] not in ("", "/") or ":" not in inner:
        raise ValueError("in brackets an IPv6 address is expected, behind them only /LENGTH")
    return inner + rest


def _is_meant_as_address(host: str) -> bool:
    # what ends in a number is no host name, but the system's resolver takes 10.1 for 10.0.0.1
    last = host.rstrip(".").rpartition(".")[2].lower()
    return ":" in host or last.isdigit() or last.startswith("0x")


def _network(text: str) -> Network:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text} is not a network; write ADDRESS/LENGTH") from None
    if str(network.network_address) != str(ip_address(text.partition("/")[0])):
        raise ValueError(f"{text} is an address inside the network {network}; write that network")
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, network.prefixlen - 96))
    return network


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address a text stands for, of IPv4 in IPv6 clothes the former; None for none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _addresses(host: str) -> list[str]:
    return [str(found[4][0]) for found in resolve(Target(host, host, 0))]
