"""The options of output do what they say, in every command."""

from __future__ import annotations

import csv
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Pacs
from tests.contract.calling import CALLERS, commands_with
from tests.contract.scenarios import Place
from tests.interop.peers import PACS, await_port, free_port, pacs_storescp
from tests.support import CT
from tests.writing import write_object

EVERY_COMMAND_WITH = ("-q", "--csv", "-v", "-d", "--log-file")

COMMANDS = [command for command in commands_with("--json") if command != "storescp"]

#: Its rows are for programs, whatever is said.
ALWAYS_ROWS = {"index export"}
#: What they tell are single figures, of which no row is made.
WITHOUT_ROWS = {"send-batch pause", "send-batch cancel", "send-batch retry-failed"}

STAMPED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (.*)")


@pytest.mark.parametrize("command", COMMANDS)
def test_quiet_command_writes_no_results(command: str, place: Place):
    place.form = ("-q",)
    place.play(command)
    shown = {result.stdout for result in place.results}
    assert shown == {""} or command in ALWAYS_ROWS


@pytest.mark.parametrize("command", COMMANDS)
def test_csv_is_a_header_and_rows_of_as_many_columns(command: str, place: Place):
    place.form = ("--csv",)
    place.play(command)
    has_rows = False
    for result in place.results:
        if result.exit == 2:
            assert "--csv" in result.stderr
            continue
        rows = list(csv.reader(result.stdout.splitlines()))
        assert len({len(row) for row in rows}) <= 1
        assert len(rows) != 1
        assert all(re.fullmatch(r"\w+", name) for name in rows[0]) if rows else True
        has_rows |= len(rows) > 1
    refuses = any(result.exit == 2 for result in place.results)
    assert has_rows or refuses or command in WITHOUT_ROWS


@pytest.mark.parametrize("command", COMMANDS)
def test_log_file_has_each_line_of_stderr_with_the_time(command: str, place: Place, tmp_path: Path):
    log = tmp_path / "pacs.log"
    place.form = ("-v", "-d", "--log-file", log)
    place.play(command)
    told = [line for result in place.results for line in result.stderr.splitlines()]
    logged = log.read_text().splitlines()
    assert [STAMPED.fullmatch(line)[1] for line in logged] == told
    if command in CALLERS:
        assert any(line.startswith("-> A-ASSOCIATE-RQ") for line in told)


def test_receiver_shows_lines_rows_or_nothing(pacs: Pacs, tmp_path: Path):
    ct = write_object(tmp_path / "ct.dcm", CT, "1.2.3.1")
    shown = {}
    for form in ("-q", "--csv"):
        port = free_port()
        command = (*PACS, "storescp", str(port), "--out", str(tmp_path / form), form)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            await_port(port, process)
            assert pacs("storescu", "127.0.0.1", port, ct).exit == 0
            process.terminate()
            shown[form] = process.communicate(timeout=20)[0]
    assert shown["-q"] == ""
    rows = list(csv.reader(shown["--csv"].splitlines()))
    assert rows[0] == ["address", "port", "ae_title", "out"]
    assert len({len(row) for row in rows}) == 1


def test_receiver_logs_what_it_says_on_stderr(pacs: Pacs, tmp_path: Path):
    log = tmp_path / "pacs.log"
    options = ("--fault", "delay=0.001,every=9", "-v", "-d", "--log-file", str(log))
    with pacs_storescp(tmp_path / "archive", *options) as archive:
        archive.stop()
        told = archive.process.stderr.read().splitlines()
    logged = log.read_text().splitlines()
    assert [STAMPED.fullmatch(line)[1] for line in logged] == told
    assert len(told) == 1
