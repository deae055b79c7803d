"""Changes the configuration file as its owner would: comments, order and layout stay.

A table of a peer's own is put in and taken out as lines of text: tomlkit counts the comment above a
header to the table before it, and takes it along. tomlkit writes the values, and changes what has
another layout; it is imported here alone. What comes of it is read with tomllib, and has to say
what was there and the change, before it takes the place of the file.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from pacs_cli import config as configuration
from pacs_cli.errors import ConfigError, OutputError, UsageError, nearest
from pacs_cli.pipelines.whole import WholeFile

#: Of a new file: it says where patients' data goes, which is nobody else's business.
_MODE = 0o600

#: Bare keys of TOML, which the completion scripts can read without a parser; a letter first, for
#: digits are a port.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

TEMPLATE = """\
# Configuration of pacs. What stands here counts after what is typed, after the variables PACS_* and
# after a peer's own table. `pacs config show` tells what applies and where it comes from.

# How we call ourselves: the calling AE title, which peers may have to be told of.
# aet = "PACS"

# Bytes of the longest PDU to be sent to us, 0 for no limit.
# max_pdu = 262144

# Seconds.
[timeouts]
# connect = 10    # name lookup, TCP and TLS
# acse = 30       # an association to be answered or released
# dimse = 60      # between two messages

# A peer by name: `pacs echoscu ward`. `pacs config peers add` writes such a table.
# [peers.ward]
# address = "10.0.0.5:104"
# aet = "WARD"                        # called AE title
# max_pdu = 16384
# timeouts = { connect = 3 }
# tls = { ca = "ca.pem" }             # or true; see docs/security.md; relative to this file
# user = { name = "doe", pass_file = "doe.pass" }   # who we say that we are
# max_associations = 4                # of send-batch and storescp --forward, all together

# What `pacs storescp` takes when it is not told otherwise.
# [archive]
# out = "archive"                     # relative to this file
# aet = "ARCHIVE"
# port = 11112
# bind = "127.0.0.1"
"""


def required_path(environ: Mapping[str, str]) -> Path:
    """Return where the configuration file is or would be; ConfigError without a home."""
    path = configuration.file_path(environ)
    if path is None:
        raise ConfigError("no place for a configuration file: set PACS_CONFIG to one, or HOME")
    return path


def create(path: Path) -> None:
    """Write the commented file, for its owner's eyes, with its folder.

    raises  OutputError when there is one already, or none can be written
    """
    _make_folder(path)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    except FileExistsError:
        raise OutputError(
            f"cannot write {path}: it exists, and stays as it is; edit it, or see pacs config show"
        ) from None
    except OSError as error:
        raise _failure(path, error) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise _failure(path, error) from None


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _failure(path, error) from None


def _failure(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write {path}: {str(error.strerror).lower()}; set PACS_CONFIG to another place"
    )


def check_name(name: str, words: Iterable[str]) -> None:
    """Raise UsageError for a name that is no good for a peer.

    words  of the command line, which mean something else there
    """
    if name in words:
        raise UsageError(f"cannot call a peer {name}: that is a word of pacs; choose another name")
    if name.lower() == "localhost" or _is_address(name):
        raise UsageError(
            f"cannot call a peer {name}: that reads like an address; write a name, then the "
            "address: pacs config peers add NAME HOST:PORT"
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"cannot call a peer {name!r}: a name has letters, digits, - and _, a letter first, "
            "and at most 64 of them"
        )


def add_peer(path: Path, name: str, table: Mapping[str, Any], may_replace: bool = False) -> None:
    """Add `[peers.NAME]`, or put it in the place of the one that is there.

    table   as the file has it: text, numbers, true, and tables of these
    raises  ConfigError when the file cannot be used, or has the name and it may not be replaced;
            OutputError when it cannot be written
    """
    values = _read(path)
    peers = {**values.get("peers", {})}
    if name in peers and not may_replace:
        raise ConfigError(
            f"{path} has a peer {name} already; choose another name, or replace it with --replace"
        )
    _change(path, name, table, {**values, "peers": {**peers, name: dict(table)}})


def remove_peer(path: Path, name: str) -> None:
    """Remove `[peers.NAME]`; raises as `add_peer`, ConfigError when there is none of that name."""
    values = _read(path)
    peers = {**values.get("peers", {})}
    if name not in peers:
        raise ConfigError(f"no peer {name} in {path}{nearest(name, peers) or _known(peers)}")
    del peers[name]
    _change(path, name, None, {**values, "peers": peers})


def _known(names: Iterable[str]) -> str:
    known = ", ".join(names)
    return f"; it has {known}" if known else "; it has none"


def _change(
    path: Path, name: str, table: Mapping[str, Any] | None, expected: dict[str, Any]
) -> None:
    """Give a peer this table, or none; `expected` is what the file has to say then."""
    configuration.checked(expected, path)
    before = _text(path)
    for edit in (_edit_lines, _edit_document):
        after = edit(before, name, table)
        if after is not None and _says(after, expected):
            _write(path, after)
            return
    raise ConfigError(
        f"cannot change peer {name} in {path} and leave the rest as it is; change it in an editor"
    )


def _says(text: str, expected: Mapping[str, Any]) -> bool:
    import tomllib

    try:
        return _without_empty(tomllib.loads(text)) == _without_empty(expected)
    except ValueError:
        return False


def _edit_lines(text: str, name: str, table: Mapping[str, Any] | None) -> str | None:
    """Return the text with the lines of a peer's tables changed; None when it has none to remove.

    Comments and empty lines before the next header stay: they belong to that.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    block = [] if table is None else _block(name, table).replace("\n", newline).splitlines(True)
    lines = text.splitlines(keepends=True)
    headers = [(at, key) for at, line in enumerate(lines) if (key := _header(line)) is not None]
    parts = [
        (at, following)
        for (at, key), (following, _) in pairwise([*headers, (len(lines), ())])
        if key[:2] == ("peers", name)
    ]
    if not parts:
        if table is None:
            return None
        gap = newline if text.endswith(newline) else newline * 2
        return f"{text}{gap if text else ''}{''.join(block)}"
    for start, end in reversed(parts):
        while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
            end -= 1
        lines[start:end] = block if start == parts[0][0] else []
    return "".join(lines)


def _header(line: str) -> tuple[str, ...] | None:
    """Return the key of a line that is a table's header, None when it is something else."""
    import tomllib

    if not line.lstrip().startswith("["):
        return None
    try:
        table = tomllib.loads(line)
    except ValueError:
        return None
    key = []
    while isinstance(table, dict) and table:
        ((part, table),) = table.items()
        key.append(part)
    return tuple(key)


def _block(name: str, table: Mapping[str, Any]) -> str:
    import tomlkit

    document = tomlkit.document()
    document["peers"] = tomlkit.table(is_super_table=True)
    document["peers"][name] = tomlkit.table()
    for key, value in table.items():
        document["peers"][name][key] = _item(value)
    return tomlkit.dumps(document)


def _item(value: Any) -> Any:
    import tomlkit

    if not isinstance(value, Mapping):
        return value
    inline = tomlkit.inline_table()
    for key, each in value.items():
        inline[key] = _item(each)
    return inline


def _edit_document(text: str, name: str, table: Mapping[str, Any] | None) -> str | None:
    """Return the text with an inline table or dotted keys changed; None when tomlkit cannot."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
        peers: Any = document["peers"]
        if table is None:
            del peers[name]
        else:
            peers[name] = _item(table)
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, KeyError, TypeError):
        return None


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value or key != "peers"}


def _write(path: Path, text: str) -> None:
    _make_folder(path)
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else _MODE
    except OSError as error:
        raise _failure(path, error) from None
    file = WholeFile(path, mode=mode)
    try:
        file.write(text)
        file.finish()
    except BaseException:
        file.discard()
        raise


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise ConfigError(f"cannot read {path}: {reason}") from None


def _read(path: Path) -> dict[str, Any]:
    """Return the tables of the file, checked; none without a file."""
    import tomllib

    text = _text(path)
    try:
        values = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"cannot read {path}: not TOML: {error}") from None
    configuration.checked(values, path)
    return values


def _is_address(name: str) -> bool:
    if any(character in name for character in ".:@[]/"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.isdigit()
    return True
