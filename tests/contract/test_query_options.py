"""The options that say what is asked for do what they say, in every command that has them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from pacs_cli.errors import Exit
from tests.conftest import Pacs
from tests.contract.calling import commands_with
from tests.contract.scenarios import Place
from tests.writing import SERIES, STUDY

EVERY_COMMAND_WITH = (
    *("-k", "--query", "--level", "--since", "--before", "--today", "--charset"),
    *("-P", "-S", "-O"),
)

#: Command -> the words it is run with, and the figure of its summary that counts what is found.
_RUNS: dict[str, Callable[[Place, Path], tuple[tuple[object, ...], str]]] = {
    "findscu": lambda place, out: ((place.peer,), "matches"),
    "index find": lambda place, out: ((place.scans,), "matches"),
    "movescu": lambda place, out: (
        (place.peer, "--receive", place.destination, "--out", out),
        "requests",
    ),
    "getscu": lambda place, out: ((place.peer, "--out", out), "requests"),
    "send-batch start": lambda place, out: (
        (place.peer, "--from-peer", place.peer, "--state", out.with_suffix(".job")),
        "found",
    ),
}

#: What counts objects, and not matches; without any there is nothing to do.
_OF_OBJECTS = ("send-batch start",)


@pytest.fixture(params=commands_with("--query"))
def asked(request: pytest.FixtureRequest, place: Place, tmp_path: Path):
    """Run a command with keys and options; gives back the number found, and the summary."""
    command = request.param
    assert command in _RUNS, f"say in {__name__} how pacs {command} is asked"
    if command == "index find":
        place.instead("index", "add", place.scans)
    places = (tmp_path / f"out{number}" for number in count())

    def run(*options: object) -> tuple[int, dict[str, object]]:
        words, figure = _RUNS[command](place, next(places))
        result = place.pacs(*command.split(), *words, *options, "--json")
        if command in _OF_OBJECTS and result.exit == Exit.BAD_INPUT:
            return 0, {}
        assert result.exit in (0, 1), result
        summary = result.json[-1]
        if command in _OF_OBJECTS:
            return int(summary[figure] > 0), summary
        return summary[figure], summary

    return run


def test_key_is_matched(asked):
    assert asked("-k", f"StudyInstanceUID={STUDY}")[0] == 1
    assert asked("-k", "PatientID=TEST-1", "--level", "study")[0] == 1
    assert asked("-k", "PatientID=NOBODY", "--level", "study")[0] == 0


def test_query_file_has_keys_and_what_is_typed_counts_before_it(asked, tmp_path: Path):
    query = tmp_path / "query.txt"
    query.write_text("PatientID=NOBODY\n")
    assert asked("--query", query, "--level", "study")[0] == 0
    assert asked("--query", query, "-k", "PatientID=TEST-1", "--level", "study")[0] == 1


def test_dates_are_a_range(asked):
    # the studies are of 2026-01-02
    assert asked("--since", "2026-01-02", "--before", "2026-01-03")[0] == 1
    assert asked("--since", "2026-01-03")[0] == 0
    assert asked("--before", "2026-01-02")[0] == 0
    assert asked("--today")[0] == 0


def test_level_is_that_of_the_option(asked):
    keys = ("-k", f"StudyInstanceUID={STUDY}", "-k", f"SeriesInstanceUID={SERIES}")
    for level in ("series", "image"):
        found, summary = asked(*keys, "--level", level)
        assert found >= 1
        assert summary.get("level", level.upper()) == level.upper()


@pytest.mark.parametrize(
    ("option", "model"),
    [("-P", "patient root"), ("-S", "study root"), ("-O", "patient/study only")],
)
@pytest.mark.parametrize("asked", commands_with("-P"), indirect=True)
def test_model_is_that_of_the_option(asked, option: str, model: str):
    keys = ("-k", "PatientID=TEST-1", "-k", f"StudyInstanceUID={STUDY}")
    found, summary = asked(option, *keys)
    assert found == 1
    assert summary["model"] == model


@pytest.mark.parametrize("command", commands_with("--charset"))
def test_value_that_the_character_set_has_not_is_an_error_before_anybody_is_asked(
    command: str, pacs: Pacs, place: Place, tmp_path: Path
):
    if command == "index find":
        place.instead("index", "add", place.scans)
    words, _ = _RUNS[command](place, tmp_path / "out")
    name = ("-k", "PatientName=Μάρθα*")
    latin = pacs(*command.split(), *words, *name, "--charset", "ISO_IR 100")
    greek = pacs(*command.split(), *words, *name, "--charset", "ISO_IR 126")
    assert latin.exit == 2
    assert "ISO_IR 100" in latin.stderr
    assert greek.exit == (Exit.BAD_INPUT if command in _OF_OBJECTS else 0)
