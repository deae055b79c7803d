"""The options of receiving objects, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs_cli.config import seconds
from pacs_cli.errors import UsageError

if TYPE_CHECKING:
    from pacs_cli.archive.handler import Archive
    from pacs_cli.archive.members import Member
    from pacs_cli.archive.settings import ArchiveSettings
    from pacs_cli.net.listener import Caps
    from pacs_cli.options import Listen
    from pacs_cli.pipelines.hooks import HookSettings
    from pacs_cli.securing import TlsOptions
    from pacs_cli.services.query_scp import QueryRetrieve
    from pacs_cli.services.scp import Settings
    from pacs_cli.wire.negotiation import Policy

_SIZE = re.compile(r"([0-9]{1,15})([kMGT]?)B?")
_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """Where and how what is received is kept."""

    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder of the archive; made when it is missing.",
            rich_help_panel="Archive",
        ),
    ] = None
    db: Annotated[
        Path | None,
        typer.Option(
            "--db",
            metavar="FILE",
            help="Index. [default: index.db in the folder]",
            rich_help_panel="Archive",
        ),
    ] = None
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="TEMPLATE",
            help="Names of the files, as {PatientID|hash}/{StudyDate|date:%Y}/{SOPInstanceUID}. "
            "[default: {StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm]",
            rich_help_panel="Storage",
        ),
    ] = None
    duplicate: Annotated[
        str,
        typer.Option(
            "--duplicate",
            metavar="reject|replace|version",
            help="Of other bytes under a UID that is held: answer 0111 and keep the first, let the "
            "new take its place, or keep both.",
            rich_help_panel="Storage",
        ),
    ] = "reject"
    min_free: Annotated[
        str,
        typer.Option(
            "--min-free",
            metavar="SIZE",
            help="Answer A700 rather than leave less of the disk free: bytes, or as 500M, 2G.",
            rich_help_panel="Storage",
        ),
    ] = "0"
    durability: Annotated[
        str,
        typer.Option(
            "--durability",
            metavar="full|relaxed",
            help="relaxed skips the fsyncs: a power cut may lose acknowledged objects.",
            rich_help_panel="Storage",
        ),
    ] = "full"

    def settings(self) -> ArchiveSettings:
        """Return how the archive is to be kept; UsageError on what is mistyped."""
        from pacs_cli.archive.blobs import Durability
        from pacs_cli.archive.layout import DEFAULT_TEMPLATE, Layout
        from pacs_cli.archive.settings import ArchiveSettings, Duplicates

        return ArchiveSettings(
            Layout(self.layout or DEFAULT_TEMPLATE),
            Duplicates(_one_of("--duplicate", self.duplicate, tuple(Duplicates))),
            _size("--min-free", self.min_free),
            Durability(_one_of("--durability", self.durability, tuple(Durability))),
        )


@dataclass(frozen=True, slots=True)
class AdmissionOptions:
    """Who may associate, what is accepted, and how much at once."""

    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="AET[@HOST]",
            help="Serve only these: an AE title, a host or network behind @, or both. Can be "
            "repeated.",
            rich_help_panel="Admission",
        ),
    ] = None
    accept: Annotated[
        str | None,
        typer.Option(
            "--accept",
            metavar="CLASS,...",
            help="Take only these SOP classes: modalities such as CT,MR, keywords or UIDs.",
            rich_help_panel="Admission",
        ),
    ] = None
    prefer: Annotated[
        str | None,
        typer.Option(
            "--prefer",
            metavar="SYNTAX,...",
            help="Choose these transfer syntaxes first where they are offered.",
            rich_help_panel="Admission",
        ),
    ] = None
    is_promiscuous: Annotated[
        bool,
        typer.Option(
            "--promiscuous",
            help="Take private and unknown SOP classes and transfer syntaxes too.",
            rich_help_panel="Admission",
        ),
    ] = False
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            max=64,
            help="Serve in N processes: faster for many senders at once, slower for one.",
            rich_help_panel="Timeouts and limits",
        ),
    ] = 1
    max_connections: Annotated[
        int,
        typer.Option(
            "--max-connections",
            metavar="N",
            min=1,
            help="Hold this many connections at once; one more is closed.",
            rich_help_panel="Timeouts and limits",
        ),
    ] = 4096
    max_per_address: Annotated[
        int,
        typer.Option(
            "--max-per-address",
            metavar="N",
            min=1,
            help="Hold this many connections from one address at once.",
            rich_help_panel="Timeouts and limits",
        ),
    ] = 2560
    pdu_timeout: Annotated[
        float,
        typer.Option(
            "--pdu-timeout",
            metavar="SECONDS",
            help="Wait this long for the whole of a PDU that has begun.",
            rich_help_panel="Timeouts and limits",
        ),
    ] = 30.0
    write_timeout: Annotated[
        float,
        typer.Option(
            "--write-timeout",
            metavar="SECONDS",
            help="Wait this long for a peer to read what is sent to it.",
            rich_help_panel="Timeouts and limits",
        ),
    ] = 30.0
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            metavar="FAULT",
            help="Misbehave on purpose, to test the sender: refuse, reject[=R,S,R], delay=S, "
            "delay-accept=S, status=XXXX, warning=BXXX, abort-after=BYTES, close-after=BYTES, "
            "no-answer, garbage, each with ,every=N. Can be repeated.",
            rich_help_panel="Testing",
        ),
    ] = None

    def provider(self, listen: Listen, handler_waits: bool = True) -> Settings:
        """Return how the provider presents itself; UsageError on what is mistyped.

        handler_waits  as in `Settings`
        """
        from pacs_cli.services.admission import parse_allow
        from pacs_cli.services.faults import parse_faults

        settings = listen.provider(self._policy())
        pdu = _seconds("--pdu-timeout", self.pdu_timeout)
        return replace(
            settings,
            limits=replace(settings.limits, pdu=pdu),
            write_timeout=_seconds("--write-timeout", self.write_timeout),
            allow=parse_allow(self.allow or ()),
            faults=parse_faults(self.fault or ()),
            handler_waits=handler_waits,
        )

    def processes(self) -> int:
        """Return how many processes are to serve; UsageError when that cannot be."""
        from pacs_cli.archive import turns

        reason = ""
        if not turns.are_possible():
            reason = "processes share an archive on 64-bit Linux alone"
        elif self.fault:
            reason = "--fault counts in one process"
        if self.workers > 1 and reason:
            raise UsageError(f"--workers {self.workers}: {reason}; leave it out")
        return self.workers

    def caps(self) -> Caps:
        """Return how many connections stand at once."""
        from pacs_cli.net.listener import Caps

        return Caps(self.max_connections, self.max_per_address)

    def _policy(self) -> Policy:
        from pacs_cli.dicom import registry
        from pacs_cli.services.admission import accept_policy, promiscuous_policy

        preferred = tuple(map(registry.transfer_syntax_uid, _names(self.prefer)))
        known = registry.transfer_syntaxes()
        if self.is_promiscuous:
            if self.accept:
                raise UsageError("--accept and --promiscuous exclude each other; choose one")
            return promiscuous_policy(registry.non_storage_uids(), known, preferred)
        classes = registry.storage_sop_classes()
        if self.accept:
            classes = frozenset(
                uid for name in _names(self.accept) for uid in registry.sop_class_uids(name)
            )
        return accept_policy(classes, known, preferred)


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """Whether what is held may be asked for, and where it may be sent."""

    is_queried: Annotated[
        bool,
        typer.Option(
            "--qr",
            help="Answer queries and retrieves too: C-FIND, C-MOVE and C-GET.",
            rich_help_panel="Query/retrieve",
        ),
    ] = False
    is_fuzzy: Annotated[
        bool,
        typer.Option(
            "--fuzzy",
            help="In names, marks on letters do not count; the words of a name are matched by "
            "their beginnings where that is negotiated.",
            rich_help_panel="Query/retrieve",
        ),
    ] = False
    move_to: Annotated[
        list[str] | None,
        typer.Option(
            "--move-to",
            metavar="AET@HOST:PORT",
            help="Let C-MOVE send to this destination, beside the configured peers. Can be "
            "repeated.",
            rich_help_panel="Query/retrieve",
        ),
    ] = None

    def answering(
        self, listen: Listen, tls: TlsOptions | None = None
    ) -> Callable[[Archive | Member], QueryRetrieve | None]:
        """Return what gives how an archive answers queries: not at all without --qr.

        tls     with which the typed destinations are called
        raises  UsageError or ConfigError on what is mistyped
        """
        from pacs_cli.options import move_destinations

        if not self.is_queried:
            if self.is_fuzzy or self.move_to:
                raise UsageError("--fuzzy and --move-to are of queries; add --qr")
            return lambda _: None
        destinations = move_destinations(self.move_to or (), listen.ae_title, tls=tls)

        def answers_of(archive: Archive | Member) -> QueryRetrieve:
            from pacs_cli.archive.library import ArchiveLibrary
            from pacs_cli.services.query_scp import QueryRetrieve

            index, root = archive.index, archive.blobs.root
            library = ArchiveLibrary(index, root, listen.ae_title, self.is_fuzzy)
            return QueryRetrieve(library, destinations)

        return answers_of


@dataclass(frozen=True, slots=True)
class ForwardOptions:
    """Where what was received is sent on to."""

    peers: Annotated[
        list[str] | None,
        typer.Option(
            "--forward",
            metavar="PEER",
            help="Send what is received on to this peer, HOST:PORT, AET@HOST:PORT or a configured "
            "one; success is answered once it is queued, in .forward.job in the folder, a job of "
            "send-batch. Can be repeated.",
            rich_help_panel="Forwarding",
        ),
    ] = None
    jobs: Annotated[
        int,
        typer.Option(
            "--forward-jobs",
            metavar="N",
            min=1,
            max=64,
            help="Over N associations at once to each of them.",
            rich_help_panel="Forwarding",
        ),
    ] = 1


@dataclass(frozen=True, slots=True)
class HookOptions:
    """Programs that are run for what was received."""

    on_instance: Annotated[
        str | None,
        typer.Option(
            "--on-instance",
            metavar="COMMAND",
            help="Run for each new object, without a shell, as 'check {path}'; the values are in "
            "the environment too (PACS_PATH, PACS_SOP_INSTANCE_UID, ...).",
            rich_help_panel="Hooks",
        ),
    ] = None
    on_study: Annotated[
        str | None,
        typer.Option(
            "--on-study",
            metavar="COMMAND",
            help="Run for a study that is at rest, as 'route {path} {StudyInstanceUID} {count}'.",
            rich_help_panel="Hooks",
        ),
    ] = None
    study_idle: Annotated[
        float,
        typer.Option(
            "--study-idle",
            metavar="SECONDS",
            help="A study is at rest when no object of it came for this long.",
            rich_help_panel="Hooks",
        ),
    ] = 60.0
    hook_timeout: Annotated[
        float,
        typer.Option(
            "--hook-timeout",
            metavar="SECONDS",
            help="Kill a program that runs for longer.",
            rich_help_panel="Hooks",
        ),
    ] = 60.0

    def settings(self) -> HookSettings | None:
        """Return which programs are run; None without any. UsageError on what is mistyped."""
        from pacs_cli.pipelines.hooks import HookSettings, instance_hook, study_hook

        idle = _seconds("--study-idle", self.study_idle)
        timeout = _seconds("--hook-timeout", self.hook_timeout)
        if self.on_instance is None and self.on_study is None:
            return None
        return HookSettings(
            None if self.on_instance is None else instance_hook(self.on_instance),
            None if self.on_study is None else study_hook(self.on_study),
            idle,
            timeout,
        )


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _one_of(option: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise UsageError(f"{option} {value}: choose {', '.join(choices[:-1])} or {choices[-1]}")
    return value


def _size(option: str, text: str) -> int:
    if (found := _SIZE.fullmatch(text.strip())) is None:
        raise UsageError(f"{option} {text}: write bytes, or a number with k, M, G or T behind it")
    return int(found[1]) * _FACTORS[found[2]]


def _seconds(option: str, value: float) -> float:
    try:
        return seconds(value)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
