"""Holds every line that a command writes with --json against its schema in docs/json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pacs_cli.cli import COMMANDS
from tools.make_schemas import file_of

ROOT = Path(__file__).parent.parent


def command_of(arguments: Sequence[object]) -> str | None:
    """Return the command of a command line, all words of a group's; None when it is not ours."""
    words, table, found = [str(each) for each in arguments], tuple(COMMANDS), ""
    while table:
        row = next((each for each in table if words and each[0] == words[0]), None)
        if row is None:
            return None
        module = import_module(row[1])
        found, words = f"{found} {row[0]}".strip(), words[1:]
        table = tuple(getattr(module, "COMMANDS", ()))
        if table and (not words or words[0] not in [name for name, *_ in table]):
            words = [getattr(module, "DEFAULT", "") or table[0][0], *words]
    return found


@cache
def schema_of(command: str) -> dict[str, Any]:
    """Return the schema of a command's lines; AssertionError that says what to do without one."""
    path = ROOT / file_of(command)
    assert path.is_file(), (
        f"pacs {command} has no {file_of(command)}: write its records into "
        "tools/data/records.toml and run python -m tools.make_docs"
    )
    return json.loads(path.read_text())


@cache
def _validators(command: str) -> dict[str, list[tuple[str, Draft202012Validator]]]:
    """Return type -> the records of that type; "" for what has no type of ours."""
    schema = schema_of(command)
    found: dict[str, list[tuple[str, Draft202012Validator]]] = {}
    for reference in schema["oneOf"]:
        name = reference["$ref"].rpartition("/")[2].replace("%20", " ")
        kind = schema["$defs"][name].get("properties", {}).get("type", {}).get("const", "")
        validator = Draft202012Validator({"$defs": schema["$defs"], **schema["$defs"][name]})
        found.setdefault(kind, []).append((name, validator))
    return found


def record_of(command: str, line: dict[str, Any]) -> str:
    """Return which of the records of its schema a line is; AssertionError when it is none."""
    kind = line.get("type", "")
    candidates = _validators(command).get(kind if isinstance(kind, str) else "", [])
    problems: list[ValidationError] = []
    for name, validator in candidates:
        found = next(validator.iter_errors(line), None)
        if found is None:
            return name
        problems.append(found)
    where = f"a line of pacs {command} is not as {file_of(command)} has it"
    told = "; ".join(f"{each.json_path}: {each.message}" for each in problems)
    raise AssertionError(
        f"{where}: {told or f'it has no record of type {kind!r}'}: {json.dumps(line)[:500]}; "
        "tools/data/records.toml has the records, python -m tools.make_docs the schemas"
    )


def check(arguments: Sequence[object], lines: Iterable[str]) -> None:
    """Check every JSON line that a command line wrote, if it was to write such lines."""
    if "--json" not in arguments and "--dicom-json" not in arguments:
        return
    command = command_of(arguments)
    if command is None:
        return
    for line in lines:
        record_of(command, json.loads(line))
