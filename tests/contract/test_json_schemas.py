"""The schemas of docs/json are those of what the commands write, all of it, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pacs_cli.generate import pages
from tests import schemas
from tests.contract.scenarios import Place
from tools.make_schemas import file_of, files, records

ROOT = Path(__file__).parents[2]
EVERY_COMMAND_WITH = ("--json",)

RECORDS = records()
MADE = files()
DOCUMENTED = (ROOT / "docs" / "json.md").read_text()


@pytest.mark.parametrize("name", MADE)
def test_schema_is_what_a_fresh_run_makes_and_is_one(name: str):
    assert (ROOT / name).read_text() == MADE[name], "run python -m tools.make_docs"
    Draft202012Validator.check_schema(json.loads(MADE[name]))


def test_nothing_else_stands_among_them():
    assert {f"docs/json/{path.name}" for path in (ROOT / "docs/json").iterdir()} == set(MADE)


@pytest.mark.parametrize(
    "command", [page.name for page in pages() if any("--json" in o.names for o in page.options)]
)
def test_every_command_with_json_has_a_schema(command: str):
    assert schemas.schema_of(command)


@pytest.mark.parametrize("command", RECORDS.commands)
def test_every_field_is_documented(command: str):
    assert file_of(command).removeprefix("docs/") in DOCUMENTED
    for kind in RECORDS.kinds(command):
        name = kind.split(" ")[0]
        assert name == "dataset" or f"`{name}`" in DOCUMENTED, (command, kind)
        if name != "dataset":
            for field in RECORDS.fields(command, kind):
                told = field.removesuffix("?")
                assert told == "*" or f"`{told}`" in DOCUMENTED, (command, kind, told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"new": 1}, "'new' was unexpected"),
        ({"status": None}, "is not of type 'string'"),
        ({"status": "0"}, "does not match"),
        ({"number": -1}, "less than the minimum"),
        ({"type": "match"}, "no record of type 'match'"),
    ],
)
def test_line_that_is_not_as_its_schema_has_it_fails(change: dict[str, Any], told: str):
    line = {"type": "echo", "peer": "p", "number": 1, "status": "0000", "seconds": 0.1}
    assert schemas.record_of("echoscu", line) == "echo"
    with pytest.raises(AssertionError, match=told):
        schemas.record_of("echoscu", {**line, **change})


def test_command_without_a_schema_is_told_what_to_add():
    with pytest.raises(AssertionError, match=r"records\.toml"):
        schemas.record_of("index reverse", {"type": "error"})


# -- every record, once --------------------------------------------------------------------------


#: Types of last lines where they are no summary, as docs/json.md has them.
LISTINGS = {
    "index stats": {"stats"},
    "index export": {"row"},
    "transcode": {"summary", "syntax"},
    "validate": {"summary", "rule"},
    "config init": {"path"},
    "config path": {"path"},
    "config peers list": {"peer"},
    "config peers add": {"peer"},
    "config peers remove": {"removed"},
    **{f"users {each}": {"user"} for each in ("add", "remove", "list")},
    **{f"completion {each}": {"file"} for each in ("install", "uninstall")},
    "completion show": {"script"},
}


@pytest.mark.parametrize("command", RECORDS.commands)
def test_every_record_is_seen_and_no_other(command: str, place: Place):
    place.form = ("--json",)
    place.play(command)
    ends = {result.json[-1].get("type", "dataset") for result in place.results if result.stdout}
    assert ends - {"dataset"} == LISTINGS.get(command, {"summary"}) or not ends
    place("--no-such-option")
    lines = [line for result in place.results for line in result.json] + place.events
    seen = {schemas.record_of(command, line) for line in lines}
    assert seen == set(RECORDS.kinds(command))
