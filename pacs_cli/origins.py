"""What applies, and where each value of it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from pacs_cli import config as configuration
from pacs_cli.config import Config, Peer
from pacs_cli.options import (
    BUILT_IN_CALLED_AE_TITLE,
    NetworkOptions,
    PeerOptions,
    layers,
    resolve_target,
)
from pacs_cli.securing import TlsOptions

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

_ARCHIVE = {"out": "out", "ae_title": "aet", "port": "port", "bind": "bind"}


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
    return found + list(_tls_of_file("archive", config.archive.tls))


def of_peer(
    peer: PeerOptions,
    port: int | None,
    network: NetworkOptions,
    tls: TlsOptions,
    config: Config,
    environ: Mapping[str, str],
) -> list[Setting]:
    """Return what a command with these options would use for this peer.

    raises  as `options.resolve_target`
    """
    target = resolve_target(peer, port, network, config, tls)
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
    return found + list(_tls_merged(tls.typed(), known))


def peer_table(peer: Peer) -> dict[str, object]:
    """Return all that can be set for a peer, None where nothing is."""
    settings, tls = peer.settings, peer.tls
    table: dict[str, object] = {
        "address": peer.address,
        "aet": peer.called_ae_title,
        "max_pdu": settings.max_pdu,
        "connect_timeout": settings.connect_timeout,
        "acse_timeout": settings.acse_timeout,
        "dimse_timeout": settings.dimse_timeout,
        "tls": tls is not None,
    }
    for name, (key, _) in _TLS.items():
        value = getattr(tls, name, None)
        table[f"tls_{key}"] = str(value) if isinstance(value, Path) else value
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


def _tls_merged(typed: configuration.Tls | None, known: Peer | None) -> Iterator[Setting]:
    of_peer = known.tls if known else None
    if typed is None and of_peer is None:
        yield Setting("tls", False, "built-in")
        return
    used = (typed or configuration.Tls()).over(of_peer or configuration.Tls())
    source = "typed" if of_peer is None else "peer"
    yield Setting("tls", True, source, f"peers.{known.name}.tls" if known and of_peer else "--tls")
    for name, (key, option) in _TLS.items():
        value = getattr(used, name)
        if value is None:
            continue
        if typed is not None and getattr(typed, name) is not None:
            yield Setting(f"tls.{key}", value, "typed", option)
        elif known is not None:
            yield Setting(f"tls.{key}", value, "peer", f"peers.{known.name}.tls.{key}")


def _of_file(peer: Peer) -> Iterator[Setting]:
    prefix = f"peers.{peer.name}"
    yield _configured(f"{prefix}.address", peer.address)
    if peer.called_ae_title is not None:
        yield _configured(f"{prefix}.aet", peer.called_ae_title)
    for name, (key, *_) in _SETTINGS.items():
        value = getattr(peer.settings, name)
        if value is not None:
            yield _configured(f"{prefix}.{key}", value)
    yield from _tls_of_file(prefix, peer.tls)


def _tls_of_file(prefix: str, tls: configuration.Tls | None) -> Iterator[Setting]:
    if tls is None:
        return
    yield _configured(f"{prefix}.tls", True)
    for each in fields(tls):
        value = getattr(tls, each.name)
        if value is not None:
            yield _configured(f"{prefix}.tls.{_TLS[each.name][0]}", value)


def _configured(key: str, value: object) -> Setting:
    return Setting(key, value, "config", key)


def _typed(key: str, value: object) -> Setting:
    return Setting(key, value, "typed", "PEER" if key != "port" else "PORT")
