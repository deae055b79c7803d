"""The options of TLS and of who we say that we are, and what they come to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pacs_cli import config as configuration
from pacs_cli.errors import UsageError
from pacs_cli.net.tls import TlsSettings
from pacs_cli.wire.userinfo import IdentityType, UserIdentity

#: Bytes of a ticket, an assertion or a token: those of Windows have at most 48,000, and with what
#: else is negotiated the user information item has to stay under 65,536 (PS3.8 9.3.2.3).
MAX_TOKEN = 48 * 1024

#: Bytes of a user name or a passcode.
MAX_NAME = 1024


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


@dataclass(frozen=True, slots=True)
class UserOptions:
    """Who we say that we are (PS3.7 D.3.3.7); None where nothing was typed."""

    name: Annotated[
        str | None,
        typer.Option(
            "-usr",
            "--user",
            metavar="NAME",
            help="Say that this user calls.",
            rich_help_panel="Identity",
        ),
    ] = None
    passcode_file: Annotated[
        Path | None,
        typer.Option(
            "--user-pass-file",
            metavar="FILE",
            help="File whose first line is the user's passcode; or set PACS_USER_PASS.",
            rich_help_panel="Identity",
        ),
    ] = None
    kerberos: Annotated[
        Path | None,
        typer.Option(
            "--kerberos",
            metavar="FILE",
            help="Present the Kerberos service ticket in this file instead of a name.",
            rich_help_panel="Identity",
        ),
    ] = None
    saml: Annotated[
        Path | None,
        typer.Option(
            "--saml",
            metavar="FILE",
            help="Present the SAML assertion in this file.",
            rich_help_panel="Identity",
        ),
    ] = None
    jwt: Annotated[
        Path | None,
        typer.Option(
            "--jwt",
            metavar="FILE",
            help="Present the JSON Web Token in this file.",
            rich_help_panel="Identity",
        ),
    ] = None
    is_confirmed: Annotated[
        bool,
        typer.Option(
            "--user-response",
            help="Ask the peer to confirm the user, and end when it does not.",
            rich_help_panel="Identity",
        ),
    ] = False

    def typed(self) -> configuration.User | None:
        """Return what was typed; None when nothing was."""
        user = configuration.User(
            self.name,
            self.passcode_file,
            self.kerberos,
            self.saml,
            self.jwt,
            self.is_confirmed or None,
        )
        return None if user == configuration.User() else user

    def identity(self, known: configuration.User | None = None) -> UserIdentity | None:
        """Return what was typed, filled from a configuration; None when neither names anybody.

        raises  UsageError when it is nobody or several, or a file cannot be used
        """
        typed = self.typed()
        if known is None and typed is None:
            return None
        nobody = configuration.User()
        return _identity((typed or nobody).over(known or nobody))


def _identity(user: configuration.User) -> UserIdentity:
    tokens = {
        IdentityType.KERBEROS: user.kerberos,
        IdentityType.SAML: user.saml,
        IdentityType.JWT: user.jwt,
    }
    presented = [(kind, path) for kind, path in tokens.items() if path is not None]
    if len(presented) + (user.name is not None) != 1:
        raise UsageError("who calls is not clear: give one of --user, --kerberos, --saml and --jwt")
    if presented:
        if user.passcode_file is not None:
            raise UsageError("--user-pass-file is of a user; add --user")
        kind, path = presented[0]
        return UserIdentity(kind, bool(user.is_confirmed), _token(kind, path))
    name = (user.name or "").encode("utf-8", "surrogateescape")
    if not 0 < len(name) <= MAX_NAME:
        raise UsageError(f"--user: a user name has 1 to {MAX_NAME} bytes")
    passcode = _passcode(user.passcode_file)
    if passcode is None:
        return UserIdentity(IdentityType.USER_NAME, bool(user.is_confirmed), name)
    kind = IdentityType.USER_NAME_AND_PASSCODE
    return UserIdentity(kind, bool(user.is_confirmed), name, passcode)


def _passcode(file: Path | None) -> bytes | None:
    """Return the passcode, from the file before the environment; None when there is none."""
    if file is None:
        text = os.environ.get("PACS_USER_PASS")
        return os.fsencode(text) if text else None
    passcode = read_passcode(file)
    if len(passcode) > MAX_NAME:
        raise UsageError(f"cannot use the passcode in {file}: over {MAX_NAME} bytes")
    return passcode


def read_passcode(file: Path | int) -> bytes:
    """Return the first line of a file without its end, at most a byte over MAX_NAME.

    file    its path, or an open descriptor, which stays open
    raises  UsageError when it cannot be read
    """
    try:
        with open(file, "rb", closefd=isinstance(file, Path)) as stream:
            return stream.readline(MAX_NAME + 3).rstrip(b"\r\n")[: MAX_NAME + 1]
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot read the passcode in {file}: {reason}") from None


def _token(kind: IdentityType, file: Path) -> bytes:
    option = f"--{kind.name.lower()}"
    try:
        with file.open("rb") as stream:
            token = stream.read(MAX_TOKEN + 1)
    except OSError as error:
        raise UsageError(f"cannot read {option} {file}: {error.strerror or error}") from None
    if kind is IdentityType.JWT:
        # of a text file the end of its line is no part of the token
        token = token.strip()
    if not 0 < len(token) <= MAX_TOKEN:
        size = "is empty" if not token else f"has over {MAX_TOKEN} bytes, more than may be sent"
        raise UsageError(f"cannot use {option} {file}: it {size}")
    return token
