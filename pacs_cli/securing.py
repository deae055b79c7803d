"""The options of TLS, and what they come to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pacs_cli import config as configuration
from pacs_cli.net.tls import TlsSettings


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """Whether and how a connection is secured; None where nothing was typed."""

    is_wanted: Annotated[
        bool,
        typer.Option(
            "--tls", help="Use TLS; so does every option of this group.", rich_help_panel="TLS"
        ),
    ] = False
    ca: Annotated[
        Path | None,
        typer.Option(
            "--tls-ca",
            metavar="FILE",
            help="PEM file of whom to trust. [default: what the system trusts]",
            rich_help_panel="TLS",
        ),
    ] = None
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--tls-cert",
            metavar="FILE",
            help="PEM file of our certificate, and of those between it and its CA.",
            rich_help_panel="TLS",
        ),
    ] = None
    key: Annotated[
        Path | None,
        typer.Option(
            "--tls-key",
            metavar="FILE",
            help="PEM file of its key. [default: the file of the certificate]",
            rich_help_panel="TLS",
        ),
    ] = None
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--tls-key-pass-file",
            metavar="FILE",
            help="File whose first line decrypts the key; or set PACS_TLS_KEY_PASS.",
            rich_help_panel="TLS",
        ),
    ] = None
    minimum: Annotated[
        str | None,
        typer.Option(
            "--tls-min",
            metavar="1.2|1.3",
            help="Oldest version. [default: 1.2]",
            rich_help_panel="TLS",
        ),
    ] = None
    ciphers: Annotated[
        str | None,
        typer.Option(
            "--tls-ciphers",
            metavar="SUITE,...",
            help="Only these suites of the BCP 195 profile for TLS 1.2, by OpenSSL's names.",
            rich_help_panel="TLS",
        ),
    ] = None
    server_name: Annotated[
        str | None,
        typer.Option(
            "--tls-server-name",
            metavar="NAME",
            help="Ask for this host, and want it in the peer's certificate. [default: the host "
            "of its address]",
            rich_help_panel="TLS",
        ),
    ] = None
    is_anonymous: Annotated[
        bool,
        typer.Option(
            "--tls-anonymous",
            help="Without a client certificate: present none; of a receiver, ask for none.",
            rich_help_panel="TLS",
        ),
    ] = False

    def typed(self) -> configuration.Tls | None:
        """Return what was typed; None when that is nothing of TLS."""
        typed = configuration.Tls(
            self.ca,
            self.certificate,
            self.key,
            self.passphrase_file,
            self.minimum,
            self.ciphers,
            self.server_name,
            self.is_anonymous or None,
        )
        return typed if self.is_wanted or typed != configuration.Tls() else None

    def settings(self, known: configuration.Tls | None = None) -> TlsSettings | None:
        """Return what was typed, filled from a configuration; None when neither wants TLS."""
        typed = self.typed()
        if known is None and typed is None:
            return None
        layer = (typed or configuration.Tls()).over(known or configuration.Tls())
        return TlsSettings(
            layer.ca,
            layer.certificate,
            layer.key,
            layer.passphrase_file,
            os.environ.get("PACS_TLS_KEY_PASS") or None,
            layer.minimum or "1.2",
            layer.ciphers,
            layer.server_name,
            bool(layer.is_anonymous),
        )
