"""The options of `pacs send-batch` that say where its objects are, beside files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pacs_cli.commands.batching import address
from pacs_cli.commands.querying import KeyOptions
from pacs_cli.errors import UsageError
from pacs_cli.options import InputOptions, NetworkOptions, PeerOptions, resolve_target

#: A study of thin slices, or two.
DEFAULT_SPOOL_MB = 1000.0

if TYPE_CHECKING:
    from pacs_cli.dicom.query import Query
    from pacs_cli.pipelines.files import Found, Passed

_PANEL = "Source"


@dataclass(frozen=True, slots=True)
class SourceOptions(KeyOptions):
    """Which objects of an index or of another PACS are meant."""

    db: Annotated[
        Path | None,
        typer.Option(
            "--db",
            metavar="FILE",
            help="Send what keys match in this index, and everything below it.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    from_peer: Annotated[
        str | None,
        typer.Option(
            "--from-peer",
            metavar="PEER",
            help="Send what keys match in this PACS: asked with C-FIND, fetched with C-GET.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    receive: Annotated[
        int | None,
        typer.Option(
            "--receive",
            metavar="PORT",
            min=1,
            max=65535,
            help="Fetch with C-MOVE to this port; that PACS must know our AE title, host and it.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    receive_bind: Annotated[
        str | None,
        typer.Option(
            "--receive-bind",
            metavar="ADDRESS",
            help="Receive on this address. [default: the one from which that PACS is reached]",
            rich_help_panel=_PANEL,
        ),
    ] = None
    spool_mb: Annotated[
        float | None,
        typer.Option(
            "--spool-mb",
            metavar="N",
            min=0,
            help="Fetch no more while so many MB (10^6 bytes) wait to be sent. [default: 1000]",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def check(self, has_files: bool) -> None:
        """Raise UsageError unless it is said once which objects are meant."""
        said = {"files": has_files, "--db": self.db, "--from-peer": self.from_peer}
        typed = [name for name, value in said.items() if value]
        if len(typed) > 1:
            raise UsageError(f"both {' and '.join(typed)} say what to send; choose one")
        if not typed:
            raise UsageError(
                "nothing to send: write PATH..., -, --from-file FILE, --db FILE or --from-peer PEER"
            )
        if self.is_typed and has_files:
            raise UsageError("keys go with --db FILE or --from-peer PEER")
        fetched = (self.receive, self.receive_bind, self.spool_mb)
        if self.from_peer is None and any(each is not None for each in fetched):
            raise UsageError("--receive, --receive-bind and --spool-mb go with --from-peer PEER")
        if not has_files:
            self.meant()

    def kept(self, network: NetworkOptions) -> dict[str, Any] | None:
        """Return what a job is to keep of another PACS, None without one; raises UsageError."""
        if self.from_peer is None:
            return None
        peer = PeerOptions(self.from_peer)
        target = resolve_target(peer, None, network)
        if target.tls and self.receive is not None:
            raise UsageError("--receive is in the clear, and that PACS is called over TLS")
        return {
            "address": address(peer, None, network),
            "receive": self.receive,
            "bind": self.receive_bind,
            "spool_mb": DEFAULT_SPOOL_MB if self.spool_mb is None else self.spool_mb,
        }

    def meant(self) -> Query:
        """Return the query; UsageError when it says nothing, for it would mean everything."""
        from pacs_cli.dicom.query import Model

        query = self.query(Model.STUDY_ROOT)
        if not any(not element.is_empty for element in query.asked):
            raise UsageError("nothing to send: write -k KEY=VALUE; -k 'PatientID=*' is everything")
        return query


def found_files(typed: list[str], files: InputOptions) -> Iterator[Found | Passed]:
    """Yield the files that are typed or listed."""
    from pacs_cli.pipelines.files import find_files, named_files

    return find_files(named_files(typed, files.from_file), files.follow)
