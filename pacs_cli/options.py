"""The options that commands share, each declared once, and what they resolve to.

A command takes groups as parameters beside its own options; `expand` makes of it a function that
typer can read:

    def echoscu(peer: PeerOptions, network: NetworkOptions, output: OutputOptions,
                port: Port = None) -> Exit: ...
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

from pacs_cli import config as configuration
from pacs_cli.addresses import Place, bracketed, is_digits, parse_address
from pacs_cli.config import BUILT_IN, Check, Config, Settings, first_of
from pacs_cli.errors import ConfigError, LocalProtocolError, UsageError, nearest
from pacs_cli.net.target import Target, Timeouts
from pacs_cli.net.tls import TlsClient, TlsServer
from pacs_cli.securing import TlsOptions, UserOptions

if TYPE_CHECKING:
    from pacs_cli.services.scp import Settings as ProviderSettings
    from pacs_cli.wire.negotiation import Policy

T = TypeVar("T")

BUILT_IN_CALLED_AE_TITLE = "ANY-SCP"

#: A peer gets this long from connecting to its whole A-ASSOCIATE-RQ: half of what we grant a
#: peer we have called ourselves, for anybody can connect.
_REQUEST_TIMEOUT = 15.0

Port = Annotated[int | None, typer.Argument(metavar="[PORT]", help="TCP port.", show_default=False)]

CalledAet = Annotated[
    str | None,
    typer.Option(
        "-aec",
        "--called-aet",
        metavar="AET",
        help=f"AE title of the peer. [default: {BUILT_IN_CALLED_AE_TITLE}]",
        rich_help_panel="Connection",
    ),
]

_Aet = Annotated[
    str | None,
    typer.Option(
        "-aet",
        "--aet",
        metavar="AET",
        help=f"Our own AE title. [default: {BUILT_IN.calling_ae_title}]",
        rich_help_panel="Connection",
    ),
]
_AcseTimeout = Annotated[
    float | None,
    typer.Option(
        "-ta",
        "--acse-timeout",
        metavar="SECONDS",
        help="Wait this long for an association to be requested, answered or released. "
        f"[default: {BUILT_IN.acse_timeout:g} s; to be requested {_REQUEST_TIMEOUT:g} s]",
        rich_help_panel="Timeouts and limits",
    ),
]
_DimseTimeout = Annotated[
    float | None,
    typer.Option(
        "-td",
        "--dimse-timeout",
        metavar="SECONDS",
        help=f"Wait this long between two DIMSE messages. [default: {BUILT_IN.dimse_timeout:g} s]",
        rich_help_panel="Timeouts and limits",
    ),
]
_Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="Set every timeout that has no option of its own here.",
        rich_help_panel="Timeouts and limits",
    ),
]
_MaxPdu = Annotated[
    int | None,
    typer.Option(
        "--max-pdu",
        metavar="BYTES",
        help=f"Longest PDU to be sent to us, 0 for no limit. [default: {BUILT_IN.max_pdu} bytes]",
        rich_help_panel="Timeouts and limits",
    ),
]


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """Which peer to talk to: the first positional argument, and its AE title."""

    peer: Annotated[
        str,
        typer.Argument(
            metavar="PEER", help="HOST, HOST:PORT, AET@HOST:PORT or a peer of the configuration."
        ),
    ]
    called_ae_title: CalledAet = None


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How to talk to a peer; None where nothing was typed."""

    calling_ae_title: _Aet = None
    connect_timeout: Annotated[
        float | None,
        typer.Option(
            "-to",
            "--connect-timeout",
            metavar="SECONDS",
            help="Wait this long for name lookup and TCP connection. "
            f"[default: {BUILT_IN.connect_timeout:g} s]",
            rich_help_panel="Timeouts and limits",
        ),
    ] = None
    acse_timeout: _AcseTimeout = None
    dimse_timeout: _DimseTimeout = None
    timeout: _Timeout = None
    max_pdu: _MaxPdu = None


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """Where and as whom to be called; None where nothing was typed."""

    port: Annotated[
        int | None,
        typer.Argument(metavar="[PORT]", help="TCP port; 0 for any free one.", show_default=False),
    ] = None
    ae_title: _Aet = None
    bind: Annotated[
        str | None,
        typer.Option(
            "--bind",
            metavar="ADDRESS",
            help="Listen on this address. [default: 127.0.0.1]",
            rich_help_panel="Connection",
        ),
    ] = None
    is_called_checked: Annotated[
        bool,
        typer.Option(
            "--check-called",
            help="Reject who calls another AE title than ours.",
            rich_help_panel="Connection",
        ),
    ] = False
    max_associations: Annotated[
        int,
        typer.Option(
            "--max-associations",
            metavar="N",
            min=1,
            help="Serve this many associations at once.",
            rich_help_panel="Timeouts and limits",
        ),
    ] = 256
    acse_timeout: _AcseTimeout = None
    dimse_timeout: _DimseTimeout = None
    timeout: _Timeout = None
    max_pdu: _MaxPdu = None


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is shown, and how."""

    json: Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON object per line on stdout.", rich_help_panel="Output"
        ),
    ] = False
    csv: Annotated[
        bool, typer.Option("--csv", help="CSV rows on stdout.", rich_help_panel="Output")
    ] = False
    quiet: Annotated[
        bool,
        typer.Option(
            "-q", "--quiet", help="Only warnings, errors and data.", rich_help_panel="Output"
        ),
    ] = False
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            count=True,
            show_default=False,
            help="Show what is negotiated and done.",
            rich_help_panel="Output",
        ),
    ] = 0
    debug: Annotated[
        bool,
        typer.Option(
            "-d", "--debug", help="Show association PDUs and commands.", rich_help_panel="Output"
        ),
    ] = False
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log-file",
            metavar="FILE",
            help="Append what goes to stderr, with the time in UTC.",
            rich_help_panel="Output",
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.json and self.csv:
            raise UsageError("--json and --csv exclude each other; choose one")


@dataclass(frozen=True, slots=True)
class InputOptions:
    """Which files are meant, beside those that are typed."""

    from_file: Annotated[
        str | None,
        typer.Option(
            "--from-file",
            metavar="FILE",
            help="Take the files that this list names, one a line or each with a NUL after it; "
            "- reads it from stdin.",
            rich_help_panel="Input",
        ),
    ] = None
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="Follow symbolic links inside folders.", rich_help_panel="Input"
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class EditOptions:
    """What is changed in the objects on their way."""

    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEYWORD=VALUE",
            help="Give a top-level element this value; (gggg,eeee)=VALUE too. Can be repeated.",
            rich_help_panel="Changes on the way",
        ),
    ] = None
    uid_suffix: Annotated[
        str | None,
        typer.Option(
            "--uid-suffix",
            metavar="SUFFIX",
            help="Append this to Study, Series and SOP Instance UID, not to references to them.",
            rich_help_panel="Changes on the way",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class Listen:
    """Where and as whom a provider is called, resolved; times in seconds, lengths in bytes.

    out      the archive folder of the configuration, for a command that was given none
    """

    ae_title: str
    bind: str
    port: int
    is_called_checked: bool
    max_associations: int
    request_timeout: float
    idle_timeout: float
    max_pdu: int
    out: Path | None
    tls: TlsServer | None = None

    def provider(self, policy: Policy) -> ProviderSettings:
        """Return the settings of a provider that takes what `policy` accepts."""
        from pacs_cli.services.scp import Settings as ProviderSettings
        from pacs_cli.wire.association import Limits

        limits = Limits(
            max_pdu_length=self.max_pdu, request=self.request_timeout, idle=self.idle_timeout
        )
        titles = frozenset([self.ae_title] if self.is_called_checked else [])
        return ProviderSettings(policy, titles, self.max_associations, limits, tls=self.tls)


def expand(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function typer can read: each parameter that is a group becomes its fields.

    raises  ValueError when two options have the same name
    """
    groups: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation):
            groups[parameter.name] = parameter.annotation
            parameters += _parameters(parameter.annotation)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    def command(**values: Any) -> Any:
        filled = {
            name: group(**{option.name: values.pop(option.name) for option in fields(group)})
            for name, group in groups.items()
        }
        return function(**filled, **values)

    command.__name__ = function.__name__
    command.__doc__ = function.__doc__
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


def _parameters(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if option.default is MISSING else option.default,
            annotation=hints[option.name],
        )
        for option in fields(group)
    ]


def split_port(rest: list[str]) -> tuple[int | None, list[str]]:
    """Split the positional arguments behind PEER: a first one made of digits is the port.

    A file of such a name is written ./104.
    """
    if rest and is_digits(rest[0]):
        return _typed(configuration.port_number, int(rest[0]), "PORT"), rest[1:]
    return None, rest


def resolve_target(
    peer: PeerOptions,
    port: int | None,
    network: NetworkOptions,
    config: Config | None = None,
    tls: TlsOptions | None = None,
    user: UserOptions | None = None,
) -> Target:
    """Return the peer that was typed, with the configuration filling what was not.

    config  by default what the environment and the configuration file say
    raises  UsageError or ConfigError on a bad address, AE title or limit, or without a port
    """
    config = config or configuration.load(os.environ)
    known = config.peers.get(peer.peer)
    place = _known_place(config, known) if known else typed_place(peer, port)
    port = _typed(configuration.port_number, port, "PORT") or place.port
    if port is None:
        raise UsageError(_no_port(peer.peer, place, config))
    settings = first_of(*layers(network, config, known))
    called = _typed(configuration.ae_title, peer.called_ae_title, "--called-aet")
    secured = (tls or TlsOptions()).settings(known.tls if known else None)
    return Target(
        name=peer.peer,
        host=place.host,
        port=port,
        called_ae_title=called or place.ae_title or BUILT_IN_CALLED_AE_TITLE,
        calling_ae_title=_filled(settings.calling_ae_title),
        timeouts=Timeouts(
            _filled(settings.connect_timeout),
            _filled(settings.acse_timeout),
            _filled(settings.dimse_timeout),
        ),
        max_pdu=_filled(settings.max_pdu),
        tls=TlsClient(secured) if secured else None,
        user=(user or UserOptions()).identity(known.user if known else None),
    )


def _no_port(typed: str, place: Place, config: Config) -> str:
    """Say that a port is missing, or what else may have been meant."""
    problem = f"no port for {typed}: write {typed} PORT or {bracketed(place.host)}:PORT"
    if typed in config.peers:
        return problem
    # written with a slash or a dot and there, it is no host
    if set(typed) & set("/.") and Path(typed).exists():
        return f"{typed} is a file or folder; the peer comes first: PEER [PORT] PATH..."
    is_bare = not set(typed) & set(".:@")
    other = "; it is no peer of the configuration either" if is_bare else ""
    return problem + (nearest(typed, config.peers) or other)


def layers(
    network: NetworkOptions, config: Config, known: configuration.Peer | None
) -> tuple[Settings, ...]:
    """Return what is typed, in the environment, the peer's, the file's and built in, in the order
    in which they count.
    """
    return (
        typed_settings(network),
        config.environment,
        known.settings if known else Settings(),
        config.settings,
        BUILT_IN,
    )


def move_destinations(
    typed: Sequence[str],
    calling_ae_title: str,
    config: Config | None = None,
    tls: TlsOptions | None = None,
) -> dict[str, Target]:
    """Return AE title -> where a C-MOVE may send: every configured peer, and what was typed.

    calling_ae_title  ours
    tls               for what was typed; a configured peer has its own
    raises            UsageError or ConfigError on a bad address, or one without title or port
    """
    config = config or configuration.load(os.environ)
    network = NetworkOptions(calling_ae_title=calling_ae_title)
    found: dict[str, Target] = {}
    for name, known in config.peers.items():
        place = _known_place(config, known)
        if place.ae_title and place.port is not None:
            found[place.ae_title] = resolve_target(PeerOptions(name), None, network, config)
    for text in typed:
        target = resolve_target(PeerOptions(text), None, network, Config(), tls)
        if "@" not in text:
            raise UsageError(f"--move-to {text}: write AET@HOST:PORT")
        found[target.called_ae_title] = target
    return found


def resolve_listen(
    options: ListenOptions, config: Config | None = None, tls: TlsOptions | None = None
) -> Listen:
    """Return where a provider is to listen, with the configuration filling what was not typed.

    config  by default what the environment and the configuration file say
    raises  UsageError or ConfigError on a bad AE title or limit, or without a port
    """
    config = config or configuration.load(os.environ)
    archive = config.archive
    port = _typed(configuration.listening_port, options.port, "PORT")
    port = archive.port if port is None else port
    if port is None:
        raise UsageError("no port to listen on: write it, or set archive.port in the configuration")
    secured = (tls or TlsOptions()).settings(archive.tls)
    typed = Settings(
        _typed(configuration.ae_title, options.ae_title, "--aet"),
        acse_timeout=_typed_timeout(options, "acse"),
        dimse_timeout=_typed_timeout(options, "dimse"),
        max_pdu=_typed(configuration.pdu_length, options.max_pdu, "--max-pdu"),
    )
    settings = first_of(
        typed,
        config.environment,
        Settings(archive.ae_title),
        config.settings,
        replace(BUILT_IN, acse_timeout=_REQUEST_TIMEOUT),
    )
    return Listen(
        ae_title=_filled(settings.calling_ae_title),
        bind=options.bind or archive.bind or "127.0.0.1",
        port=port,
        is_called_checked=options.is_called_checked,
        max_associations=options.max_associations,
        request_timeout=_filled(settings.acse_timeout),
        idle_timeout=_filled(settings.dimse_timeout),
        max_pdu=_filled(settings.max_pdu),
        out=archive.out,
        tls=TlsServer(secured) if secured else None,
    )


def typed_place(peer: PeerOptions, port: int | None) -> Place:
    """Return what was typed of a peer that the configuration does not have, or raise UsageError."""
    try:
        place = parse_address(peer.peer)
    except ValueError as error:
        raise UsageError(f"cannot use {peer.peer} as PEER: {error}") from None
    if port is not None and place.port not in (None, port):
        raise UsageError(f"two ports: {peer.peer} and {port}; write one")
    called = peer.called_ae_title
    if called is not None and place.ae_title not in (None, called.strip(" ")):
        raise UsageError(f"two AE titles: {peer.peer} and --called-aet {called}; write one")
    return place


def _known_place(config: Config, known: configuration.Peer) -> Place:
    try:
        place = parse_address(known.address)
    except ValueError as error:
        raise ConfigError(
            f"cannot use {config.path}: peers.{known.name}.address: {error}"
        ) from None
    return replace(place, ae_title=known.called_ae_title or place.ae_title)


def typed_settings(network: NetworkOptions) -> Settings:
    """Return what was typed, or raise UsageError."""
    return Settings(
        _typed(configuration.ae_title, network.calling_ae_title, "--aet"),
        _typed_timeout(network, "connect"),
        _typed_timeout(network, "acse"),
        _typed_timeout(network, "dimse"),
        _typed(configuration.pdu_length, network.max_pdu, "--max-pdu"),
    )


def _typed_timeout(options: NetworkOptions | ListenOptions, phase: str) -> float | None:
    own = _typed(configuration.seconds, getattr(options, f"{phase}_timeout"), f"--{phase}-timeout")
    every = _typed(configuration.seconds, options.timeout, "--timeout")
    return every if own is None else own


def _typed(check: Check[T], value: object, option: str) -> T | None:
    if value is None:
        return None
    try:
        return check(value)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _filled(value: T | None) -> T:
    if value is None:
        raise LocalProtocolError("a setting has no built-in value")
    return value
