"""Make docs/json: the JSON Schema of what each command writes with --json.

    python -m tools.make_schemas [--check]

Of tools/data/records.toml, which says how to write it. A schema is strict: a field that it does not
name is an error, in the tests too, which hold every line of every command against these.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pacs_cli.errors import Exit
from tools.writing import write

DATA = Path(__file__).parent / "data" / "records.toml"

_POLICY = (
    "One line of stdout. Fields are added over time and never renamed or given another meaning; "
    "this schema has those of this version and no other. To take later versions too, ignore "
    "fields and types that you do not know."
)

#: A word of records.toml -> its schema.
_SIMPLE: dict[str, dict[str, Any]] = {
    **{name: {"type": "string"} for name in ("text", "uid", "keyword")},
    "tag": {"type": "string", "pattern": "^[0-9A-F]{8}$"},
    "status": {"type": "string", "pattern": "^[0-9A-F]{4}$"},
    "count": {"type": "integer", "minimum": 0},
    "integer": {"type": "integer"},
    "number": {"type": "number", "minimum": 0},
    "bool": {"type": "boolean"},
    "null": {"type": "null"},
    "scalar": {"type": ["string", "number", "boolean"]},
    "object": {"type": "object"},
    "exit": {"enum": [int(code) for code in Exit if code]},
}

#: What a file or a peer says, in the forms of docs/json.md.
_MODELS: dict[str, dict[str, Any]] = {
    "flat": {
        "description": "The value of an attribute: null, one, a list of them, or items.",
        "type": ["string", "number", "null", "array", "object"],
        "items": {"$ref": "#/$defs/flat"},
        "additionalProperties": {"$ref": "#/$defs/flat"},
    },
    "attribute": {
        "description": "An attribute in the DICOM JSON model (PS3.18 F.2.2).",
        "type": "object",
        "required": ["vr"],
        "properties": {
            "vr": {"type": "string", "pattern": "^[A-Z]{2}$"},
            "Value": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "anyOf": [
                        {"type": ["string", "number", "null"]},
                        {"$ref": "#/$defs/name"},
                        {"$ref": "#/$defs/dataset"},
                    ]
                },
            },
            "InlineBinary": {"type": "string", "contentEncoding": "base64"},
            "BulkDataURI": {"type": "string", "format": "uri"},
        },
        "additionalProperties": False,
        "maxProperties": 2,
    },
    "name": {
        "description": "The component groups of a person's name.",
        "type": "object",
        "minProperties": 1,
        "properties": {
            group: {"type": "string"} for group in ("Alphabetic", "Ideographic", "Phonetic")
        },
        "additionalProperties": False,
    },
    "dataset": {
        "description": "A data set in the DICOM JSON model (PS3.18 Annex F).",
        "type": "object",
        "patternProperties": {"^[0-9A-F]{8}$": {"$ref": "#/$defs/attribute"}},
        "additionalProperties": False,
    },
}


class Records:
    """The records of all commands, as records.toml has them."""

    def __init__(self, text: str) -> None:
        table = tomllib.loads(text)
        self._types: dict[str, Any] = table.pop("types")
        self._common: dict[str, Any] = table.pop("common")
        self._commands: dict[str, Any] = table

    @property
    def commands(self) -> list[str]:
        """Every command that has records, as `index add`."""
        return list(self._commands)

    def kinds(self, command: str) -> dict[str, dict[str, Any] | str]:
        """Return name -> fields of each record of a command, or the name of another record."""
        return {**self._common, **self._commands.get(command, {})}

    def fields(self, command: str, kind: str) -> dict[str, str]:
        """Return field -> what it is, with those of the records that it takes in."""
        found = self.kinds(command)[kind]
        if isinstance(found, str):
            return self._fields_of(found)
        return self._filled(found)

    def _fields_of(self, name: str) -> dict[str, str]:
        if name in self._types:
            return self._filled(self._types[name])
        command, _, kind = name.rpartition(".")
        if command == "common":
            return self._filled(self._common[kind])
        return self.fields(command, kind)

    def _filled(self, fields: Mapping[str, Any]) -> dict[str, str]:
        filled: dict[str, str] = {}
        for name, what in fields.items():
            if name == "+":
                for other in [what] if isinstance(what, str) else what:
                    filled |= self._fields_of(other)
            else:
                filled[name] = what
        return filled

    def schema(self, command: str) -> dict[str, Any]:
        """Return the JSON Schema of a line of a command."""
        definitions: dict[str, Any] = {}
        kinds = self.kinds(command)
        for kind, fields in kinds.items():
            if isinstance(fields, str) and fields in _MODELS:
                self._take_model(fields, definitions)
            else:
                definitions[kind] = self._object(
                    self.fields(command, kind), definitions, kind.split(" ")[0]
                )
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"What pacs {command} writes with --json",
            "description": _POLICY,
            "oneOf": [{"$ref": f"#/$defs/{kind.replace(' ', '%20')}"} for kind in kinds],
            "$defs": definitions,
        }

    def _object(
        self, fields: Mapping[str, str], definitions: dict[str, Any], kind: str = ""
    ) -> dict[str, Any]:
        properties: dict[str, Any] = {"type": {"const": kind}} if kind else {}
        required = list(properties)
        rest: dict[str, Any] | bool = False
        for name, what in fields.items():
            schema = self._value(what, definitions)
            if name == "*":
                rest = schema
                continue
            properties[name.removesuffix("?")] = schema
            if not name.endswith("?"):
                required.append(name)
        return {
            "type": "object",
            "required": required,
            "properties": properties,
            "additionalProperties": rest,
        }

    def _value(self, what: str, definitions: dict[str, Any]) -> dict[str, Any]:
        if what.endswith("?"):
            schema = self._value(what[:-1], definitions)
            if isinstance(schema.get("type"), str):
                return {**schema, "type": [schema["type"], "null"]}
            return {"anyOf": [schema, {"type": "null"}]}
        if what.startswith("["):
            return {"type": "array", "items": self._value(what[1:-1], definitions)}
        if what.startswith("{"):
            values = self._value(what[1:-1], definitions)
            return {"type": "object", "additionalProperties": values}
        if what in _SIMPLE:
            return dict(_SIMPLE[what])
        if what in _MODELS:
            self._take_model(what, definitions)
        elif what in self._types:
            definitions[what] = self._object(self._filled(self._types[what]), definitions)
        else:
            return {"enum": what.split(" | ")}
        return {"$ref": f"#/$defs/{what}"}

    def _take_model(self, name: str, definitions: dict[str, Any]) -> None:
        """Put a model, and what it refers to, among the definitions."""
        if name not in definitions:
            definitions[name] = _MODELS[name]
            for other in _references(_MODELS[name]):
                self._take_model(other, definitions)


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref":
                yield str(value).rpartition("/")[2]
            yield from _references(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _references(each)


def records() -> Records:
    """Return the records as they stand in records.toml."""
    return Records(DATA.read_text(encoding="utf-8"))


def file_of(command: str) -> str:
    """Return where the schema of a command is, below the project's root."""
    return f"docs/json/{command.replace(' ', '-')}.schema.json"


def files() -> dict[str, str]:
    """Return path below the project's root -> contents."""
    known = records()
    return {
        file_of(command): json.dumps(known.schema(command), indent=1) + "\n"
        for command in known.commands
    }


if __name__ == "__main__":
    sys.exit(write(files(), "--check" in sys.argv[1:]))
