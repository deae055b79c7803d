"""What docs/coming-from.md says to type here can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from pacs_cli.cli import application
from pacs_cli.dicom.registry import transfer_syntax_uid

TEXT = (Path(__file__).parents[2] / "docs" / "coming-from.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.splitlines()
    if line.startswith("| ")
]
LINES = [line for row in ROWS for line in re.findall(r"`(pacs [^`]+)`", row[-1])]


def parse(words: list[str]) -> None:
    """Parse a command line without running it; what cannot be parsed is raised."""
    group: Any = application()
    context = group.make_context("pacs", ["--help"], resilient_parsing=True)
    while hasattr(group, "get_command"):
        default = getattr(group, "default", "")
        if default and words[0] not in group.list_commands(context):
            words = [default, *words]
        name, *words = words
        group = group.get_command(context, name)
        assert group is not None, name
    group.make_context(name, words)


@pytest.mark.parametrize("line", LINES)
def test_command_parses(line: str):
    parse(shlex.split(line)[1:])


def test_command_with_an_option_that_is_none_does_not_parse():
    with pytest.raises(Exception, match="--no-such-option"):
        parse(["echoscu", "peer", "--no-such-option"])


def test_every_row_says_something_here():
    rows = [row for row in ROWS if not row[0].startswith(("---", "DCMTK"))]
    assert all(len(row) == 2 and row[1] for row in rows)
    assert len(LINES) > 80


@pytest.mark.parametrize("name", sorted(set(re.findall(r"--to ([\w-]+)", TEXT))))
def test_syntax_that_is_named_is_one(name: str):
    assert transfer_syntax_uid(name)
