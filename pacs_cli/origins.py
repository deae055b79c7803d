"""What applies, and where each value of it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacs_cli.config import Config, Peer
from pacs_cli.options import (
    BUILT_IN_CALLED_AE_TITLE,
    NetworkOptions,
    PeerOptions,
    layers,
    resolve_target,
)
from pacs_cli.securing import TlsOptions, UserOptions

#: In the order in which they count: that of `options.layers`.
SOURCES = ("typed", "environment", "peer", "config", "built-in")

#: Setting -> its key in the file, its option and its variable.
_SETTINGS = {
    "calling_ae_title": ("aet", "--aet", "PACS_AET"),
    "connect_timeout": ("timeouts.connect", "--connect-timeout", "PACS_CONNECT_TIMEOUT"),
    "acse_timeout": ("timeouts.acse", "--acse-timeout", "PACS_ACSE_TIMEOUT"),
    "dimse_timeout": ("timeouts.dimse", "--dimse-timeout", "PACS_DIMSE_TIMEOUT"),
    "max_pdu": ("max_pdu", "--max-pdu", "PACS_MAX_PDU"),
}

#: The same of `tls`; there is no variable.
_TLS = {
    "ca": ("ca", "--tls-ca"),
    "certificate": ("cert", "--tls-cert"),
    "key": ("key", "--tls-key"),
    "passphrase_file": ("key_pass_file", "--tls-key-pass-file"),
    "minimum": ("min", "--tls-min"),
    "ciphers": ("ciphers", "--tls-ciphers"),
    "server_name": ("server_name", "--tls-server-name"),
    "is_anonymous": ("anonymous", "--tls-anonymous"),
}

#: The same of `user`.
_USER = {
    "name": ("name", "--user"),
    "passcode_file": ("pass_file", "--user-pass-file"),
    "kerberos": ("kerberos", "--kerberos"),
    "saml": ("saml", "--saml"),
    "jwt": ("jwt", "--jwt"),
    "is_confirmed": ("response", "--user-response"),
}

_ARCHIVE = {"out": "out", "ae_title": "aet", "port": "port", "bind": "bind"}


#: `configuration.Tls` or `configuration.User`, which are merged alike.
_Part = Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One value: its key, one of `SOURCES`, and the option, variable or key that has it."""

    key: str
    value: object
    source: str
    where: str = ""


def general(network: NetworkOptions, config: Config, environ: Mapping[str, str]) -> list[Setting]:
    """Return what applies to no peer in particular, then what the file says of each and of the
    archive.
    """
    found = list(_merged(network, config, None, environ))
    for peer in config.peers.values():
        found += _of_file(peer)
    for name, key in _ARCHIVE.items():
        value = getattr(config.archive, name)
        if value is not None:
            found.append(_configured(f"archive.{key}", value))
    return found + list(_table_of_file("archive.tls", _TLS, config.archive.tls))


def of_peer(
    peer: PeerOptions,
    port: int | None,
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions,
    config: Config,
    environ: Mapping[str, str],
) -> list[Setting]:
    """Return what a command with these options would use for this peer.

    raises  as `options.resolve_target`
    """
    target = resolve_target(peer, port, network, config, tls, user)
    known = config.peers.get(peer.peer)
    address = f"peers.{peer.peer}.address"
    place = Setting("host", target.host, "peer", address) if known else _typed("host", target.host)
    port_is_typed = known is None or port is not None
    found = [
        place,
        _typed("port", target.port)
        if port_is_typed
        else Setting("port", target.port, "peer", address),
        _called(peer, known, target.called_ae_title),
        *_merged(network, config, known, environ),
    ]
    most = known.max_associations if known else 0
    if known and most:
        where = f"peers.{known.name}.max_associations"
        found.append(Setting("max_associations", most, "peer", where))
    secured, named = (known.tls, known.user) if known else (None, None)
    prefix = f"peers.{known.name}." if known else ""
    found += _table_merged("tls", _TLS, tls.typed(), secured, prefix)
    return found + list(_table_merged("user", _USER, user.typed(), named, prefix))


def peer_table(peer: Peer) -> dict[str, object]:
    """Return all that can be set for a peer, None where nothing is."""
    settings = peer.settings
    table: dict[str, object] = {
        "address": peer.address,
        "aet": peer.called_ae_title,
        "max_pdu": settings.max_pdu,
        "connect_timeout": settings.connect_timeout,
        "acse_timeout": settings.acse_timeout,
        "dimse_timeout": settings.dimse_timeout,
        "max_associations": peer.max_associations or None,
        "tls": peer.tls is not None,
        "user": peer.user is not None,
    }
    for prefix, names, part in (("tls", _TLS, peer.tls), ("user", _USER, peer.user)):
        for name, (key, _) in names.items():
            value = getattr(part, name, None)
            table[f"{prefix}_{key}"] = str(value) if isinstance(value, Path) else value
    return table


def _called(peer: PeerOptions, known: Peer | None, title: str) -> Setting:
    key = "called_aet"
    if peer.called_ae_title is not None:
        return Setting(key, title, "typed", "--called-aet")
    if known and known.called_ae_title:
        return Setting(key, title, "peer", f"peers.{known.name}.aet")
    address = known.address if known else peer.peer
    if "@" not in address:
        return Setting(key, BUILT_IN_CALLED_AE_TITLE, "built-in")
    return (
        Setting(key, title, "peer", f"peers.{known.name}.address") if known else _typed(key, title)
    )


def _merged(
    network: NetworkOptions, config: Config, known: Peer | None, environ: Mapping[str, str]
) -> Iterator[Setting]:
    every = dict(zip(SOURCES, layers(network, config, known), strict=True))
    for name, (key, option, variable) in _SETTINGS.items():
        source = next(each for each, layer in every.items() if getattr(layer, name) is not None)
        is_own = getattr(network, name) is not None
        where = {
            "typed": option if is_own else "--timeout",
            "environment": variable if environ.get(variable) else "PACS_TIMEOUT",
            "peer": f"peers.{known.name}.{key}" if known else "",
            "config": key,
            "built-in": "",
        }
        yield Setting(key, getattr(every[source], name), source, where[source])


def _table_merged(
    key: str, names: Mapping[str, tuple[str, str]], typed: _Part, of_peer: _Part, prefix: str
) -> Iterator[Setting]:
    """Yield what is typed and configured of `tls` or `user`; `prefix` is of the peer's keys."""
    if typed is None and of_peer is None:
        yield Setting(key, False, "built-in")
        return
    used = typed if of_peer is None else of_peer if typed is None else typed.over(of_peer)
    where = f"--{key}" if of_peer is None else f"{prefix}{key}"
    yield Setting(key, True, "typed" if of_peer is None else "peer", where)
    for name, (own, option) in names.items():
        value = getattr(used, name)
        if value is None:
            continue
        if typed is not None and getattr(typed, name) is not None:
            yield Setting(f"{key}.{own}", value, "typed", option)
        else:
            yield Setting(f"{key}.{own}", value, "peer", f"{prefix}{key}.{own}")


def _of_file(peer: Peer) -> Iterator[Setting]:
    prefix = f"peers.{peer.name}"
    yield _configured(f"{prefix}.address", peer.address)
    if peer.called_ae_title is not None:
        yield _configured(f"{prefix}.aet", peer.called_ae_title)
    for name, (key, *_) in _SETTINGS.items():
        value = getattr(peer.settings, name)
        if value is not None:
            yield _configured(f"{prefix}.{key}", value)
    if peer.max_associations:
        yield _configured(f"{prefix}.max_associations", peer.max_associations)
    yield from _table_of_file(f"{prefix}.tls", _TLS, peer.tls)
    yield from _table_of_file(f"{prefix}.user", _USER, peer.user)


def _table_of_file(
    key: str, names: Mapping[str, tuple[str, str]], part: object
) -> Iterator[Setting]:
    if part is None:
        return
    yield _configured(key, True)
    for name, (own, _) in names.items():
        value = getattr(part, name)
        if value is not None:
            yield _configured(f"{key}.{own}", value)


def _configured(key: str, value: object) -> Setting:
    return Setting(key, value, "config", key)


def _typed(key: str, value: object) -> Setting:
    return Setting(key, value, "typed", "PEER" if key != "port" else "PORT")
