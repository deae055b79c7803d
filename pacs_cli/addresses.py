"""Addresses as people write them."""

from __future__ import annotations

from dataclasses import dataclass

from pacs_cli.config import ae_title, port_number


@dataclass(frozen=True, slots=True)
class Place:
    """What an address says; None where it says nothing."""

    host: str
    port: int | None
    ae_title: str | None


def parse_address(text: str) -> Place:
    """Parse HOST, HOST:PORT, [IPV6]:PORT or a bare IPv6 address, each with AET@ in front or not."""
    if "://" in text:
        raise ValueError("no web address is expected; write HOST:PORT or AET@HOST:PORT")
    title, at, place = text.rpartition("@")
    if place.startswith("["):
        host, bracket, rest = place[1:].partition("]")
        if not bracket or rest[:1] not in ("", ":"):
            raise ValueError("after [ an IPv6 address, ] and :PORT are expected")
        colon, number = rest[:1], rest[1:]
    elif place.count(":") > 1:
        host, colon, number = place, "", ""
    else:
        host, colon, number = place.partition(":")
    if not host or " " in host or not host.isprintable():
        raise ValueError("a host name or address is expected")
    if ":" in host:
        _check_ipv6(host)
    if colon and not is_digits(number):
        raise ValueError(f"{number!r} is not a port")
    return Place(
        host,
        port_number(int(number)) if colon else None,
        ae_title(title) if at else None,
    )


def _check_ipv6(host: str) -> None:
    from ipaddress import IPv6Address

    try:
        IPv6Address(host)
    except ValueError:
        raise ValueError(f"{host} is not an IPv6 address") from None


def is_digits(text: str) -> bool:
    """Whether it is a number, and not made to be too long for one."""
    # 20 digits: enough for every number, and int() of a very long one would fail
    return text.isascii() and text.isdigit() and len(text) <= 20


def bracketed(host: str) -> str:
    """Return the host as it stands before a port."""
    return f"[{host}]" if ":" in host else host
