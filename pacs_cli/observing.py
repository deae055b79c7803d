"""The options of what watches a provider: the audit trail and metrics."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.errors import UsageError
from pacs_cli.securing import TlsOptions

if TYPE_CHECKING:
    from pacs_cli.net.target import Target
    from pacs_cli.net.tls import TlsSettings
    from pacs_cli.pipelines.audit import AuditTrail, Destination
    from pacs_cli.services.shutter import Shutter
    from pacs_cli.wire.syslog import Origin

_UDP, _TLS = "syslog://", "syslog-tls://"

#: Seconds to call a collector, TLS included.
_CONNECT = 10.0


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Where audit messages go."""

    audit: Annotated[
        list[str] | None,
        typer.Option(
            "--audit",
            metavar="FILE|syslog://HOST|syslog-tls://HOST",
            help="Write the audit trail of PS3.15 A.5 there, with patient IDs in it: a line of a "
            "file, or a syslog message over UDP or TLS (:PORT behind HOST). Can be repeated.",
            rich_help_panel="Audit",
        ),
    ] = None
    is_audit_required: Annotated[
        bool,
        typer.Option(
            "--audit-required",
            help="Take no associations while audit messages cannot be written.",
            rich_help_panel="Audit",
        ),
    ] = False
    audit_ca: Annotated[
        Path | None,
        typer.Option(
            "--audit-ca",
            metavar="FILE",
            help="PEM file of whom to trust as syslog-tls. [default: --tls-ca, or what the system "
            "trusts]",
            rich_help_panel="Audit",
        ),
    ] = None
    audit_certificate: Annotated[
        Path | None,
        typer.Option(
            "--audit-cert",
            metavar="FILE",
            help="PEM file of our certificate for it. [default: --tls-cert]",
            rich_help_panel="Audit",
        ),
    ] = None
    audit_key: Annotated[
        Path | None,
        typer.Option(
            "--audit-key",
            metavar="FILE",
            help="PEM file of its key. [default: the file of the certificate]",
            rich_help_panel="Audit",
        ),
    ] = None

    def check(self) -> bool:
        """Return whether there is an audit trail; UsageError on what is mistyped."""
        for text in self.audit or ():
            if "://" in text:
                _place(text)
        if not self.audit and (
            self.is_audit_required or self.audit_ca or self.audit_certificate or self.audit_key
        ):
            raise UsageError("the --audit options are of an audit trail; add --audit")
        return bool(self.audit)

    def trail(
        self,
        program: str,
        ae_title: str,
        tls: TlsOptions,
        shutter: Shutter | None,
        warn: Callable[[str], None],
    ) -> AuditTrail:
        """Return the audit trail of a program, which has written nothing yet.

        tls     of the program's own connections
        raises  OutputError for a file that cannot be written, UsageError for certificates
        """
        from pacs_cli.pipelines.audit import AuditTrail
        from pacs_cli.services.audit import Application, Auditor
        from pacs_cli.wire.syslog import Origin

        host, process = platform.node() or "localhost", os.getpid()
        application = Application(program, process, host, ae_title)
        origin = Origin(host, program.replace(" ", "-"), str(process))
        destinations = [self._destination(each, origin, tls, warn) for each in self.audit or ()]
        return AuditTrail(Auditor(application), destinations, warn, shutter)

    def _destination(
        self, text: str, origin: Origin, tls: TlsOptions, warn: Callable[[str], None]
    ) -> Destination:
        from pacs_cli.net.syslog import SyslogTls, SyslogUdp
        from pacs_cli.net.tls import TlsClient
        from pacs_cli.pipelines.audit import AuditFile, SyslogDestination

        if "://" not in text:
            file = AuditFile(Path(text))
            if not file.is_private:
                warn(f"others may read the audit file {text}, which has patient IDs in it")
            return file
        target = _place(text)
        if text.startswith(_UDP):
            return SyslogDestination(text, SyslogUdp(target), origin)
        secured = TlsClient(self._tls(tls))
        return SyslogDestination(text, SyslogTls(replace(target, tls=secured)), origin)

    def _tls(self, tls: TlsOptions) -> TlsSettings:
        own = TlsOptions(True, self.audit_ca or tls.ca, self.audit_certificate, self.audit_key)
        if self.audit_certificate is None:
            own = replace(
                own,
                certificate=tls.certificate,
                key=self.audit_key or tls.key,
                passphrase_file=tls.passphrase_file,
            )
        settings = own.settings()
        assert settings is not None
        return settings


@dataclass(frozen=True, slots=True)
class MetricsOptions:
    """Where figures can be asked for."""

    metrics: Annotated[
        int | None,
        typer.Option(
            "--metrics",
            metavar="PORT",
            min=0,
            max=65535,
            help="Show figures for Prometheus at /metrics, and at /healthz whether objects can be "
            "sent here, over HTTP on this port.",
            rich_help_panel="Metrics",
        ),
    ] = None
    metrics_bind: Annotated[
        str | None,
        typer.Option(
            "--metrics-bind",
            metavar="ADDRESS",
            help="Listen for that on this address. [default: 127.0.0.1]",
            rich_help_panel="Metrics",
        ),
    ] = None

    def check(self) -> bool:
        """Return whether they are wanted; UsageError when they cannot be had."""
        if self.metrics is None:
            if self.metrics_bind is not None:
                raise UsageError("--metrics-bind is of --metrics PORT; add that")
            return False
        from pacs_cli.pipelines.metrics import check_installed

        check_installed()
        return True


def _place(text: str) -> Target:
    from urllib.parse import urlsplit

    from pacs_cli.net.syslog import TLS_PORT, UDP_PORT
    from pacs_cli.net.target import Target, Timeouts

    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"cannot use --audit {text}: {error}") from None
    is_known = text.startswith((_UDP, _TLS))
    if not is_known or not host or "@" in parts.netloc or parts.path.strip("/") or port == 0:
        raise UsageError(
            f"cannot use --audit {text}: write a FILE, {_UDP}HOST[:PORT] or {_TLS}HOST[:PORT]"
        )
    standard = UDP_PORT if text.startswith(_UDP) else TLS_PORT
    return Target(text, host, port or standard, timeouts=Timeouts(connect=_CONNECT))
