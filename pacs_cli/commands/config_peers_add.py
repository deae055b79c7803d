"""`pacs config peers add`: give a peer a name."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from pacs_cli.addresses import Place, bracketed
from pacs_cli.commands.identifying import security_tables
from pacs_cli.commands.naming import Name, reserved_words
from pacs_cli.config import load
from pacs_cli.errors import Exit, UsageError
from pacs_cli.options import (
    CalledAet,
    NetworkOptions,
    OutputOptions,
    PeerOptions,
    Port,
    typed_place,
    typed_settings,
)
from pacs_cli.report import Report
from pacs_cli.securing import TlsOptions, UserOptions

EXAMPLES = (
    ("pacs config peers add ward WARD@10.0.0.5:104", "address and AE title"),
    ("pacs config peers add ward 10.0.0.5 104 -aec WARD --timeout 5", "with limits of its own"),
    ("pacs config peers add ward WARD@10.0.0.5:2762 --tls-ca ca.pem --replace", "with TLS"),
)
CONFORMANCE = "None: it calls nobody."


def add(
    context: typer.Context,
    peer_name: Name,
    network: NetworkOptions,
    tls: TlsOptions,
    user: UserOptions,
    output: OutputOptions,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="HOST, HOST:PORT or AET@HOST:PORT.")
    ],
    port: Port = None,
    called_ae_title: CalledAet = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Put it in the place of a peer of that name.",
            rich_help_panel="Configuration",
        ),
    ] = False,
) -> Exit:
    """Write a peer into the configuration file, which is made if there is none.

    What was in the file stays as it is, comments and order included. Files of TLS and of a user
    are written with their whole path.
    """
    from pacs_cli.config_file import add_peer, check_name, required_path
    from pacs_cli.origins import peer_table

    report = Report.for_output(output)
    check_name(peer_name, reserved_words(context))
    path = required_path(os.environ)
    place = typed_place(PeerOptions(address, called_ae_title), port)
    table = _table(place, port, called_ae_title, network)
    table.update(security_tables(tls, user))
    add_peer(path, peer_name, table, replace)
    report.record("peer", {"name": peer_name, **peer_table(load(os.environ).peers[peer_name])})
    report.line(
        f"{peer_name} is {table['address']} in {path}; try it with: pacs doctor {peer_name}"
    )
    return Exit.OK


def _table(
    place: Place,
    port: int | None,
    called_ae_title: str | None,
    network: NetworkOptions,
) -> dict[str, object]:
    number = port or place.port
    if number is None:
        raise UsageError(f"no port for {place.host}: write ADDRESS PORT or HOST:PORT")
    if network.calling_ae_title is not None:
        raise UsageError(
            "--aet is how we call ourselves, to every peer: set aet at the top of the "
            "configuration file; the title of the peer is --called-aet"
        )
    table: dict[str, object] = {"address": f"{bracketed(place.host)}:{number}"}
    title = called_ae_title or place.ae_title
    if title:
        table["aet"] = title.strip(" ")
    typed = typed_settings(network)
    if typed.max_pdu is not None:
        table["max_pdu"] = typed.max_pdu
    times = {
        "connect": typed.connect_timeout,
        "acse": typed.acse_timeout,
        "dimse": typed.dimse_timeout,
    }
    if any(value is not None for value in times.values()):
        # 3 and not 3.0, as people write it
        table["timeouts"] = {
            key: int(value) if value == int(value) else value
            for key, value in times.items()
            if value is not None
        }
    return table
