"""The configuration: one TOML file, the environment, and the order in which they count.

    aet = "WORKSTATION"                     # calling AE title
    max_pdu = 262144                        # bytes
    [timeouts]                              # seconds
    connect = 10
    acse = 30
    dimse = 60
    [peers.ward]
    address = "WARD@10.0.0.5:104"           # HOST, HOST:PORT or AET@HOST:PORT
    aet = "WARD"                            # called AE title
    max_pdu = 16384
    timeouts = { connect = 3 }
    tls = { ca = "ca.pem" }                 # or true; paths are relative to this file
    user = { name = "doe", pass_file = "doe.pass" }     # or a name alone
    [archive]
    out = "archive"                         # relative to this file
    aet = "ARCHIVE"
    port = 11112
    bind = "127.0.0.1"

What was typed counts before the `PACS_*` variables, those before the peer, that before the file,
and `BUILT_IN` last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

from pacs_cli.errors import ConfigError, nearest

T_co = TypeVar("T_co", covariant=True)
Check = Callable[[object], T_co]

#: A week. A longer wait is a typing error, and the socket timer overflows at 292 years.
MAX_TIMEOUT = 604_800


@dataclass(frozen=True, slots=True)
class Settings:
    """One layer of values, timeouts in seconds; None where the layer says nothing."""

    calling_ae_title: str | None = None
    connect_timeout: float | None = None
    acse_timeout: float | None = None
    dimse_timeout: float | None = None
    max_pdu: int | None = None


#: Timeouts as in the field's tools. The PDU length is the engine's receive buffer: whole PDUs fit
#: it, and a peer with a lower ceiling of its own (DCMTK: 131,072) keeps to that.
BUILT_IN = Settings("PACS", 10.0, 30.0, 60.0, 262_144)


@dataclass(frozen=True, slots=True)
class Tls:
    """One `tls` table, or what was typed of it; None where it says nothing."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    passphrase_file: Path | None = None
    minimum: str | None = None
    ciphers: str | None = None
    server_name: str | None = None
    is_anonymous: bool | None = None

    def over(self, other: Tls) -> Tls:
        """Return each value from here if there is one, else from `other`.

        A key and its passphrase go with the certificate.
        """
        if self.certificate is not None:
            other = replace(other, key=None, passphrase_file=None)
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(
            other, **{name: value for name, value in values.items() if value is not None}
        )


@dataclass(frozen=True, slots=True)
class User:
    """One `user` value, or what was typed of it: who we say that we are; None where it is silent.

    kerberos, saml, jwt  files of a ticket, an assertion or a token, in the place of a name
    is_confirmed         whether the peer is to say that it has accepted the user
    """

    name: str | None = None
    passcode_file: Path | None = None
    kerberos: Path | None = None
    saml: Path | None = None
    jwt: Path | None = None
    is_confirmed: bool | None = None

    @property
    def is_somebody(self) -> bool:
        """Whether it says who."""
        return any(each is not None for each in (self.name, self.kerberos, self.saml, self.jwt))

    def over(self, other: User) -> User:
        """Return each value from here if there is one, else from `other`.

        Who is somebody here is not mixed with somebody else: only whether it is to be confirmed.
        """
        if self.is_somebody:
            other = User(is_confirmed=other.is_confirmed)
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(
            other, **{name: value for name, value in values.items() if value is not None}
        )


@dataclass(frozen=True, slots=True)
class Peer:
    """One `[peers.NAME]` table."""

    name: str
    address: str
    called_ae_title: str | None = None
    settings: Settings = Settings()
    tls: Tls | None = None
    user: User | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """The `[archive]` table; None where the file says nothing."""

    out: Path | None = None
    ae_title: str | None = None
    port: int | None = None
    bind: str | None = None
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """What the environment and the file say; `path` is None when there is no file."""

    path: Path | None = None
    environment: Settings = Settings()
    settings: Settings = Settings()
    peers: Mapping[str, Peer] = field(default_factory=dict)
    archive: Archive = Archive()


def first_of(*layers: Settings) -> Settings:
    """Return each value from the first layer that has one."""
    return Settings(
        *(
            next((value for value in values if value is not None), None)
            for values in zip(*map(astuple, layers), strict=True)
        )
    )


def load(environ: Mapping[str, str], path: Path | None = None) -> Config:
    """Return what the environment and the configuration file say.

    path    the file; by default $PACS_CONFIG, else pacs/config.toml in $XDG_CONFIG_HOME or in
            ~/.config, which need not exist
    raises  ConfigError naming the file or variable, the key and the nearest known key
    """
    environment = _environment(environ)
    file = path or file_path(environ)
    is_asked_for = bool(path or environ.get("PACS_CONFIG"))
    if file is None or not (is_asked_for or file.exists()):
        return Config(environment=environment)
    return _config(read_table(file), environment)


def file_path(environ: Mapping[str, str]) -> Path | None:
    """Return where the configuration file is or would be; None without a home."""
    named = environ.get("PACS_CONFIG")
    return Path(named) if named else _default_path(environ)


def checked(values: Mapping[str, Any], file: Path) -> Config:
    """Return what the tables of a file say; raises ConfigError as `load`."""
    return _config(Table(file, values, ""), Settings())


def ae_title(value: object) -> str:
    """Return an AE title without its padding; ValueError says why it is none.

    source  PS3.5 6.2, AE: at most 16 characters of the default repertoire, no backslash, no
            control character, not only spaces; spaces around it do not count
    """
    title = _text(value).strip(" ")
    if not title:
        raise ValueError("an AE title must not be empty")
    if len(title) > 16:
        raise ValueError(f"{title!r} is longer than the 16 characters of an AE title")
    if "\\" in title or not (title.isascii() and title.isprintable()):
        raise ValueError(f"{title!r} has a character that no AE title may have")
    return title


def seconds(value: object) -> float:
    """Return a timeout in seconds, above 0 and at most a week, or raise ValueError."""
    if _is_number(value) and 0 < value <= MAX_TIMEOUT:
        return float(value)
    raise ValueError(f"must be seconds, above 0 and at most {MAX_TIMEOUT}, not {value!r}")


def pdu_length(value: object) -> int:
    """Return a maximum PDU length in bytes: 0 (no limit) or 128 to 2^32-1 (PS3.8 D.1)."""
    if _is_number(value) and isinstance(value, int) and (value == 0 or 128 <= value < 2**32):
        return value
    raise ValueError(f"must be 0 (no limit) or 128 to 4294967295 bytes, not {value!r}")


def port_number(value: object) -> int:
    """Return a TCP port, 1 to 65535, or raise ValueError."""
    if _is_number(value) and isinstance(value, int) and 1 <= value <= 65_535:
        return value
    raise ValueError(f"must be a port from 1 to 65535, not {value!r}")


def listening_port(value: object) -> int:
    """Return a port to listen on, 0 for any free one, or raise ValueError."""
    return 0 if value == 0 and _is_number(value) else port_number(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    return value


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"must be a table, not {value!r}")
    return value


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}")
    return value


def _flag_or_table(value: object) -> bool | dict[str, Any]:
    if not isinstance(value, bool | dict):
        raise ValueError(f"must be true, false or a table, not {value!r}")
    return value


def _text_or_table(value: object) -> str | dict[str, Any]:
    if not isinstance(value, str | dict):
        raise ValueError(f"must be a user name or a table, not {value!r}")
    return value


_TIMEOUTS: Mapping[str, Check[Any]] = {"connect": seconds, "acse": seconds, "dimse": seconds}
_PEER: Mapping[str, Check[Any]] = {
    "address": _text,
    "aet": ae_title,
    "max_pdu": pdu_length,
    "timeouts": _table,
    "tls": _flag_or_table,
    "user": _text_or_table,
}
_USER: Mapping[str, Check[Any]] = {
    "name": _text,
    "pass_file": _text,
    "kerberos": _text,
    "saml": _text,
    "jwt": _text,
    "response": _yes_or_no,
}
_TLS: Mapping[str, Check[Any]] = {
    "ca": _text,
    "cert": _text,
    "key": _text,
    "key_pass_file": _text,
    "min": _text,
    "ciphers": _text,
    "server_name": _text,
    "anonymous": _yes_or_no,
}
_ARCHIVE: Mapping[str, Check[Any]] = {
    "out": _text,
    "aet": ae_title,
    "port": listening_port,
    "bind": _text,
    "tls": _flag_or_table,
}
_TOP: Mapping[str, Check[Any]] = {
    "aet": ae_title,
    "max_pdu": pdu_length,
    "timeouts": _table,
    "peers": _table,
    "archive": _table,
}


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file; `prefix` is its name and a dot, for messages."""

    file: Path
    values: Mapping[str, Any]
    prefix: str

    def checked(self, schema: Mapping[str, Check[Any]]) -> dict[str, Any]:
        """Return the values as their checks give them; an unknown key is a ConfigError."""
        result = {}
        for key, value in self.values.items():
            if key not in schema:
                hint = nearest(key, schema) or f"; known keys: {', '.join(schema)}"
                raise self.error(f"unknown key {self.prefix}{key}{hint}")
            result[key] = self._check(key, value, schema[key])
        return result

    def each(self, key: str) -> list[Table]:
        """Return the tables of the list under `key`; ConfigError when it is none."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self.error(f"{self.prefix}{key}: must be tables, each under [[{key}]]")
        return [
            Table(self.file, each, f"{self.prefix}{key}[{number}].")
            for number, each in enumerate(value)
        ]

    def sub(self, key: str, default: Mapping[str, Any] | None = None) -> Table:
        """Return the table under `key`; without one, `default` or an empty table."""
        value = self.values.get(key, default or {})
        return Table(self.file, self._check(key, value, _table), f"{self.prefix}{key}.")

    def path_of(self, values: Mapping[str, Any]) -> Callable[[str], Path | None]:
        """Return what gives the path of a key, relative to the file; None without a value."""

        def path(key: str) -> Path | None:
            text = values.get(key)
            return self.file.parent / Path(text).expanduser() if text else None

        return path

    def error(self, problem: str) -> ConfigError:
        """Return the error that names the file."""
        return ConfigError(f"cannot use {self.file}: {problem}")

    def _check(self, key: str, value: object, check: Check[Any]) -> Any:
        try:
            return check(value)
        except ValueError as error:
            raise self.error(f"{self.prefix}{key}: {error}") from None


def _default_path(environ: Mapping[str, str]) -> Path | None:
    folder = Path(environ.get("XDG_CONFIG_HOME", ""))
    if folder.is_absolute():  # the XDG specification has relative ones ignored
        return folder / "pacs" / "config.toml"
    home = environ.get("HOME")
    return Path(home, ".config", "pacs", "config.toml") if home else None


def read_table(file: Path) -> Table:
    """Return the whole of a TOML file; raises ConfigError when it is none."""
    import tomllib

    try:
        with file.open("rb") as stream:
            return Table(file, tomllib.load(stream), "")
    except OSError as error:
        raise ConfigError(
            f"cannot read {file}: {error.strerror or error}; check PACS_CONFIG, or write one with "
            "pacs config init"
        ) from None
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError alike
        raise ConfigError(f"cannot read {file}: not TOML: {error}; correct it there") from None


def _config(top: Table, environment: Settings) -> Config:
    values = top.checked(_TOP)
    peers = top.sub("peers")
    return Config(
        path=top.file,
        environment=environment,
        settings=_settings(top, values, values.get("aet")),
        peers={name: _peer(name, peers.sub(name)) for name in peers.values},
        archive=_archive(top.sub("archive")),
    )


def _settings(table: Table, values: Mapping[str, Any], calling: str | None = None) -> Settings:
    timeouts = table.sub("timeouts").checked(_TIMEOUTS)
    return Settings(
        calling_ae_title=calling,
        connect_timeout=timeouts.get("connect"),
        acse_timeout=timeouts.get("acse"),
        dimse_timeout=timeouts.get("dimse"),
        max_pdu=values.get("max_pdu"),
    )


def _peer(name: str, table: Table) -> Peer:
    values = table.checked(_PEER)
    if not values.get("address"):
        raise table.error(f"{table.prefix}address is missing; set it to HOST:PORT")
    settings = _settings(table, values)
    return Peer(name, values["address"], values.get("aet"), settings, _tls(table), _user(table))


def _tls(table: Table) -> Tls | None:
    """Return what `tls` says: a table, or true for what the system trusts."""
    wanted = table.values.get("tls", False)
    if not isinstance(wanted, dict):
        return Tls() if wanted else None
    values = table.sub("tls").checked(_TLS)
    path = table.path_of(values)
    return Tls(
        path("ca"),
        path("cert"),
        path("key"),
        path("key_pass_file"),
        values.get("min"),
        values.get("ciphers"),
        values.get("server_name"),
        values.get("anonymous"),
    )


def _user(table: Table) -> User | None:
    """Return what `user` says: a table, or a name alone."""
    wanted = table.values.get("user")
    if not isinstance(wanted, dict):
        return User(wanted) if wanted else None
    values = table.sub("user").checked(_USER)
    path = table.path_of(values)
    return User(
        values.get("name"),
        path("pass_file"),
        path("kerberos"),
        path("saml"),
        path("jwt"),
        values.get("response"),
    )


def _archive(table: Table) -> Archive:
    values = table.checked(_ARCHIVE)
    out = values.get("out")
    return Archive(
        out=table.file.parent / Path(out).expanduser() if out else None,
        ae_title=values.get("aet"),
        port=values.get("port"),
        bind=values.get("bind"),
        tls=_tls(table),
    )


def _environment(environ: Mapping[str, str]) -> Settings:
    """Return the layer of the `PACS_*` variables; an empty variable counts as not set."""

    def read(name: str, check: Check[Any], number: type[int] | type[float] | None = None) -> Any:
        text = environ.get(name)
        if not text:
            return None
        try:
            return check(_number(text, number) if number else text)
        except ValueError as error:
            raise ConfigError(f"cannot use the environment variable {name}: {error}") from None

    every = read("PACS_TIMEOUT", seconds, float)
    return Settings(
        calling_ae_title=read("PACS_AET", ae_title),
        connect_timeout=read("PACS_CONNECT_TIMEOUT", seconds, float) or every,
        acse_timeout=read("PACS_ACSE_TIMEOUT", seconds, float) or every,
        dimse_timeout=read("PACS_DIMSE_TIMEOUT", seconds, float) or every,
        max_pdu=read("PACS_MAX_PDU", pdu_length, int),
    )


def _number(text: str, kind: type[int] | type[float]) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"must be a number, not {text!r}") from None
