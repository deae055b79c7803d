"""What of the options of TLS and of a user goes into the table of a configured peer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pacs_cli.net.tls import TlsClient
from pacs_cli.securing import TlsOptions, UserOptions


def security_tables(tls: TlsOptions, user: UserOptions) -> dict[str, object]:
    """Return `tls` and `user` as the file has them, without what was not typed.

    raises  UsageError or ConfigError when a file is not there, or does not fit
    """
    tables: dict[str, object] = {}
    if (secured := tls.typed()) is not None:
        tables["tls"] = (
            _written(
                {
                    "ca": secured.ca,
                    "cert": secured.certificate,
                    "key": secured.key,
                    "key_pass_file": secured.passphrase_file,
                    "min": secured.minimum,
                    "ciphers": secured.ciphers,
                    "server_name": secured.server_name,
                    "anonymous": secured.is_anonymous,
                }
            )
            or True
        )
    if (named := user.typed()) is not None:
        tables["user"] = _written(
            {
                "name": named.name,
                "pass_file": named.passcode_file,
                "kerberos": named.kerberos,
                "saml": named.saml,
                "jwt": named.jwt,
                "response": named.is_confirmed,
            }
        )
    # the files have to be there, and fit, before they are written down
    if (settings := tls.settings()) is not None:
        TlsClient(settings)
    user.identity()
    return tables


def _written(values: Mapping[str, object]) -> dict[str, object]:
    """Leave out what was not typed; relative to the file paths would be of other files."""
    return {
        key: str(value.expanduser().absolute()) if isinstance(value, Path) else value
        for key, value in values.items()
        if value is not None
    }
