"""The echo of many peers: a row for each, the reason of each failure, the exit code of all."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pacs_cli import config as configuration
from pacs_cli.config import Config
from pacs_cli.errors import ConfigError, Exit, PacsError, UsageError, nearest
from pacs_cli.net.target import Target
from pacs_cli.options import NetworkOptions, PeerOptions, resolve_target
from pacs_cli.pipelines.echoing import Echoed, echo_each
from pacs_cli.report import Report
from pacs_cli.securing import TlsOptions, UserOptions

_COLUMNS = ("name", "peer", "echo", "name ms", "tcp ms", "tls ms", "association ms", "echo ms")


def echo_configured(
    report: Report,
    names: Sequence[str],
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions | None = None,
) -> Exit:
    """Echo the configured peers of these names, or all; return the exit code of all.

    raises  ConfigError when there are none, UsageError for a name that there is not
    """
    config = configuration.load(os.environ)
    targets = {name: _target(name, network, tls, user, config) for name in names or _all(config)}
    rows, failed = [], []
    for each in echo_each(targets):
        rows.append(_row(each))
        report.record("echo", _fields(each))
        if each.error is not None:
            failed.append(each.error)
            report.error(f"{each.name}: {each.error}")
    report.table("", _COLUMNS, rows)
    succeeded = len(rows) - len(failed)
    report.summary(
        {"peers": len(rows), "succeeded": succeeded, "failed": len(failed)},
        f"{succeeded} of {len(rows)} peers answered",
    )
    if not failed:
        return Exit.OK
    return Exit.SOME_FAILED if succeeded else failed[0].exit


def _all(config: Config) -> Sequence[str]:
    if not config.peers:
        raise ConfigError(
            "no peers in the configuration; add one with: pacs config peers add NAME AET@HOST:PORT"
        )
    return list(config.peers)


def _target(
    name: str, network: NetworkOptions, tls: TlsOptions, user: UserOptions | None, config: Config
) -> Target | PacsError:
    if name not in config.peers:
        hint = nearest(name, config.peers) or "; see pacs config peers list"
        raise UsageError(f"no peer {name} in the configuration{hint}")
    try:
        return resolve_target(PeerOptions(name), None, network, config, tls, user)
    except UsageError as error:
        # of this peer's table; the others are called
        return error


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.2f}"


def _row(each: Echoed) -> tuple[str, ...]:
    result = "yes" if each.error is None else "no"
    where = "" if each.target is None else str(each.target)
    return (each.name, where, result, *map(_milliseconds, (*_steps(each), each.seconds)))


def _steps(each: Echoed) -> tuple[float | None, ...]:
    spent = each.phases
    return (spent.name, spent.tcp, spent.tls, spent.association) if spent else (None,) * 4


def _fields(each: Echoed) -> dict[str, object]:
    name, tcp, tls, association = map(_rounded, _steps(each))
    return {
        "peer": each.name,
        "status": None if each.status is None else f"{each.status:04X}",
        "seconds": _rounded(each.seconds),
        "name_seconds": name,
        "tcp_seconds": tcp,
        "tls_seconds": tls,
        "association_seconds": association,
        "error": None if each.error is None else str(each.error),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
