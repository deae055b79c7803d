"""Every option has a test, what was promised is there, and docs/cli-coverage.md says so."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pacs_cli.generate import pages
from tools import make_coverage
from tools.make_coverage import PAGE, SWEEP, _pieces, files, promised, untested

ROOT = Path(__file__).parents[2]
OPTIONS = {page.name: {name for o in page.options for name in o.names} for page in pages()}


def test_every_option_is_used_by_a_test():
    assert untested() == [], (
        "write a test that uses each, as pacs(COMMAND, ..., OPTION, ...); one of many commands can "
        "stand in EVERY_COMMAND_WITH of a module of tests/contract that runs it in all of them"
    )


def test_page_is_what_a_fresh_run_makes():
    assert (ROOT / PAGE).read_text() == files()[PAGE], "run python -m tools.make_docs"


@pytest.mark.parametrize("command", promised())
def test_what_was_promised_is_there_or_said_to_be_missing(command: str):
    known = OPTIONS.get(command, set())
    for option, why in promised()[command].items():
        is_there = option in known or (option.startswith("pacs ") and command in OPTIONS)
        assert is_there != bool(why), f"{command} {option}: put tools/data/promised.toml right"


def test_every_command_has_its_promises_written_down():
    described = {page.name for page in pages() if not page.commands}
    # what was thought of later was promised by nobody
    told = "of a new command say in tools/data/promised.toml which options were asked for"
    later = {"send-batch cancel", "demo", "config init", "config path"}
    later |= {f"users {each}" for each in ("add", "remove", "list")}
    later |= {f"completion {each}" for each in ("install", "uninstall", "show")}
    assert described - set(promised()) == later, told


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("test_*.py")))
def test_options_of_a_sweep_are_used_in_it(path: Path):
    pieces = _pieces(ast.parse(path.read_text()))
    swept = pieces[SWEEP].words if SWEEP in pieces else set()
    used = {word for name, piece in pieces.items() if name != SWEEP for word in piece.words}
    assert swept <= used


def read(tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Return the options that the tests of this source use."""
    (tmp_path / "test_storescu.py").write_text(source)
    monkeypatch.setattr(make_coverage, "TESTS", tmp_path)
    make_coverage.uses.cache_clear()
    found = set(make_coverage.uses())
    make_coverage.uses.cache_clear()
    return found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('pacs("storescu", "a", "--jobs", 2)', {("storescu", "--jobs")}),
        ('pacs("echoscu", "a", "--repeat", 2)', {("echoscu", "--repeat")}),
        ('pacs("index", "add", "--hash")', {("index add", "--hash")}),
        ('pacs("send-batch", "a", "--state", "b")', {("send-batch start", "--state")}),
        ('options = ("--jobs", 2)\n    pacs("storescu", *options)', {("storescu", "--jobs")}),
        ('assert "--jobs" in pacs("storescu").stderr', set()),
        ('"""It has --jobs."""', set()),
        ('pacs("storescu", "--no-such-option")', set()),
    ],
)
def test_use_of_an_option_is_found_in_the_source(body, found, tmp_path, monkeypatch):
    assert read(tmp_path, f"def test_it(pacs):\n    {body}\n", monkeypatch) == found
