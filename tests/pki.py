"""A throw-away public key infrastructure, made once for a run of the tests."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from pacs_cli.net.tls import TlsSettings

PASSPHRASE = "correct horse"


@dataclass(frozen=True)
class Identity:
    """A certificate, its key, and who is trusted beside it."""

    ca: Path
    certificate: Path
    key: Path

    @property
    def options(self) -> tuple[str, ...]:
        """As the options of a command."""
        files = ("--tls-ca", self.ca, "--tls-cert", self.certificate, "--tls-key", self.key)
        return tuple(map(str, files))

    @property
    def settings(self) -> TlsSettings:
        return TlsSettings(self.ca, self.certificate, self.key)


class Pki:
    """One authority whose certificates are good, bad in one way each, and a foreign one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        now, day = datetime.now(UTC), timedelta(days=1)
        ca, foreign = trustme.CA(), trustme.CA(organization_name="Foreign")
        self.ca = folder / "ca.pem"
        self.foreign_ca = folder / "foreign-ca.pem"
        ca.cert_pem.write_to_path(self.ca)
        foreign.cert_pem.write_to_path(self.foreign_ca)
        here = ("127.0.0.1", "localhost")
        self.good = self._write("good", ca.issue_cert(*here))
        self.expired = self._write(
            "expired", ca.issue_cert(*here, not_before=now - 2 * day, not_after=now - day)
        )
        self.early = self._write(
            "early", ca.issue_cert(*here, not_before=now + day, not_after=now + 2 * day)
        )
        self.ending = self._write("ending", ca.issue_cert(*here, not_after=now + 10 * day))
        self.elsewhere = self._write("elsewhere", ca.issue_cert("pacs.example", "10.0.0.5"))
        self.foreign = self._write("foreign", foreign.issue_cert(*here))
        self.encrypted_key = folder / "encrypted.key"
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text(f"{PASSPHRASE}\n")
        command = ("openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", self.good.key)
        ends = ("-out", self.encrypted_key, "-passout", f"file:{self.passphrase}")
        subprocess.run([*command, *ends], check=True, capture_output=True)

    def _write(self, name: str, issued: trustme.LeafCert) -> Identity:
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        for number, pem in enumerate(issued.cert_chain_pems):
            pem.write_to_path(certificate, append=number > 0)
        issued.private_key_pem.write_to_path(key)
        return Identity(self.ca, certificate, key)
